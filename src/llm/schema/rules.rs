//! What each API takes of a JSON Schema, as data.
//!
//! Every value is from the API's documentation or from the message with which it refuses; see `docs/models.md`.

/// What one API takes.
#[derive(Debug)]
pub(in crate::llm) struct Rules {
    /// The API, for messages.
    pub(in crate::llm) api: &'static str,
    /// Keywords taken; `None`: all.
    pub(in crate::llm) keywords: Option<&'static [&'static str]>,
    /// Values of `format` taken; `None`: all.
    pub(in crate::llm) formats: Option<&'static [&'static str]>,
    /// Keywords that the root must not have: they are folded into its properties.
    pub(in crate::llm) not_at_root: &'static [&'static str],
    /// What becomes of references.
    pub(in crate::llm) references: References,
    /// Whether `allOf` is taken; else its parts are put together.
    pub(in crate::llm) all_of: bool,
    /// Whether `oneOf` is taken; else it becomes `anyOf`.
    pub(in crate::llm) one_of: bool,
    /// How several types of one value are written.
    pub(in crate::llm) unions: Unions,
    /// Whether `true` and `false` are taken as schemas.
    pub(in crate::llm) booleans: bool,
    /// Whether values of `enum` must be texts.
    pub(in crate::llm) text_enums: bool,
    /// Whether every array must say what its items are.
    pub(in crate::llm) items: bool,
    /// Whether objects are closed and all their properties required; optional ones may then be null.
    pub(in crate::llm) closed: bool,
    /// Which names of properties are taken.
    pub(in crate::llm) property: Option<fn(&str) -> bool>,
    /// Levels of nesting.
    pub(in crate::llm) depth: usize,
    /// Properties of one schema.
    pub(in crate::llm) properties: usize,
    /// Values of all `enum`s of one schema.
    pub(in crate::llm) enum_values: usize,
    /// Tools of one request.
    pub(in crate::llm) tools: Option<usize>,
    /// Characters of a tool's description.
    pub(in crate::llm) description: Option<usize>,
}

/// What becomes of `$ref`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::llm) enum References {
    /// It stays where it points into the schema.
    Kept,
    /// It stays, without anything beside it.
    Alone,
    /// What it points to takes its place.
    Inlined,
}

/// How several types of one value are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::llm) enum Unions {
    /// As a list of types.
    List,
    /// `null` as `nullable`, others as `anyOf`.
    Nullable,
}

/// Levels, properties and values beyond which no API's patience is tried.
const DEEP: usize = 32;
const MANY: usize = 5_000;

/// Chat completions and Responses of OpenAI, functions that are not strict. Refusals: "schema must have type 'object'
/// and not have 'oneOf'/'anyOf'/'allOf'/'enum'/'not' at the top level", "array schema missing items", "Invalid 'tools':
/// array too long. Expected an array with maximum length 128".
pub(in crate::llm) static OPENAI: Rules = Rules { api: "OpenAI's API", tools: Some(128), ..COMPATIBLE };

/// The same at Azure, whose documentation limits descriptions.
pub(in crate::llm) static AZURE: Rules =
    Rules { api: "Azure's API", tools: Some(128), description: Some(1024), ..COMPATIBLE };

/// Providers that speak the chat completions API: its shape without its limits.
pub(in crate::llm) const COMPATIBLE: Rules = Rules {
    api: "the API",
    keywords: None,
    formats: None,
    not_at_root: &["oneOf", "anyOf", "allOf", "enum", "not"],
    references: References::Kept,
    all_of: true,
    one_of: true,
    unions: Unions::List,
    booleans: true,
    text_enums: false,
    items: true,
    closed: false,
    property: None,
    depth: DEEP,
    properties: MANY,
    enum_values: MANY,
    tools: None,
    description: None,
};

/// Structured answers of OpenAI: "Supported schemas" of the guide to structured outputs.
pub(in crate::llm) static OPENAI_STRICT: Rules = Rules {
    api: "OpenAI's strict mode",
    keywords: Some(&[
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "$ref",
        "$defs",
        "definitions",
        "description",
        "title",
        "pattern",
        "format",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "minItems",
        "maxItems",
    ]),
    formats: Some(&["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"]),
    references: References::Alone,
    all_of: false,
    one_of: false,
    booleans: false,
    closed: true,
    depth: 10,
    properties: 5_000,
    enum_values: 1_000,
    ..COMPATIBLE
};

/// Tools of Anthropic's Messages API. Refusals: "input_schema does not support oneOf, allOf, or anyOf at the top level",
/// "Property keys should match pattern '^[a-zA-Z0-9_.-]{1,64}$'".
pub(in crate::llm) static ANTHROPIC: Rules = Rules {
    api: "Anthropic's API",
    not_at_root: &["oneOf", "anyOf", "allOf"],
    items: false,
    property: Some(plain_property),
    ..COMPATIBLE
};

/// Structured answers of Anthropic: "JSON Schema limitations" of the guide to structured outputs.
pub(in crate::llm) static ANTHROPIC_STRICT: Rules = Rules {
    api: "Anthropic's structured output",
    keywords: Some(&[
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "const",
        "anyOf",
        "allOf",
        "$ref",
        "$defs",
        "definitions",
        "description",
        "title",
        "format",
    ]),
    formats: Some(&[
        "date-time",
        "time",
        "date",
        "duration",
        "email",
        "hostname",
        "uri",
        "ipv4",
        "ipv6",
        "uuid",
    ]),
    references: References::Alone,
    one_of: false,
    booleans: false,
    closed: true,
    ..COMPATIBLE
};

/// `parameters` of Gemini's function declarations: a subset of OpenAPI 3.0, `Schema` in the reference of the API. For
/// gateways and models that do not know `parametersJsonSchema`; no dialect asks for it yet.
#[cfg_attr(not(test), expect(dead_code, reason = "the narrowest form, which the walk is tested with"))]
pub(in crate::llm) static GEMINI: Rules = Rules {
    api: "Gemini's API",
    keywords: Some(&[
        "type",
        "format",
        "title",
        "description",
        "nullable",
        "enum",
        "maxItems",
        "minItems",
        "properties",
        "required",
        "minProperties",
        "maxProperties",
        "minLength",
        "maxLength",
        "pattern",
        "example",
        "anyOf",
        "propertyOrdering",
        "default",
        "items",
        "minimum",
        "maximum",
    ]),
    formats: Some(&["float", "double", "int32", "int64", "enum", "date-time"]),
    references: References::Inlined,
    all_of: false,
    one_of: false,
    unions: Unions::Nullable,
    booleans: false,
    text_enums: true,
    ..COMPATIBLE
};

/// `parametersJsonSchema` of Gemini's function declarations and `responseJsonSchema`: the keywords that the reference of
/// the API lists for either form of a schema. References would be taken, alone; older models refuse them.
pub(in crate::llm) static GEMINI_JSON: Rules = Rules {
    api: "Gemini's API",
    keywords: Some(&[
        "$anchor",
        "$defs",
        "$id",
        "$ref",
        "additionalProperties",
        "anyOf",
        "default",
        "description",
        "enum",
        "example",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "nullable",
        "pattern",
        "prefixItems",
        "properties",
        "propertyOrdering",
        "required",
        "title",
        "type",
    ]),
    formats: Some(&["float", "double", "int32", "int64", "enum", "date-time", "date", "time"]),
    references: References::Inlined,
    all_of: false,
    one_of: false,
    booleans: false,
    ..COMPATIBLE
};

fn plain_property(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}
