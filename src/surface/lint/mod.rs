//! What is wrong with a list of tools, as far as the list itself shows it: a table of rules, a file per family.
//!
//! A finding is about words and schemas, never about what a tool does. Rules that look for attacks read every text that
//! a model may read, schemas and instructions of the server included.

use serde::{Deserialize, Serialize};

use super::{Level, Listed};
use crate::display;
use crate::ids::ToolName;

mod annotations;
mod collisions;
mod descriptions;
mod meaning;
mod names;
mod outputs;
mod poisoning;
mod schemas;
mod texts;

/// Most findings of one rule that are kept.
const FINDINGS: usize = 500;

/// One rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Stable: `surface.` and a word for it.
    pub id: &'static str,
    /// How grave a finding is.
    pub level: Level,
    /// What is wrong, as a sentence.
    pub about: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to change.
    pub fix: &'static str,
    /// A section of a specification, or what clients were seen to do.
    pub source: &'static str,
    /// All of it as one text.
    pub explain: &'static str,
    find: fn(&Listed<'_>) -> Vec<Hit>,
}

/// A place where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    tools: Vec<ToolName>,
    at: String,
    detail: String,
}

impl Hit {
    fn at(tool: &ToolName, at: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { tools: vec![tool.clone()], at: at.into(), detail: detail.into() }
    }

    fn tool(tool: &ToolName, detail: impl Into<String>) -> Self {
        Self::at(tool, "", detail)
    }
}

macro_rules! rules {
    ($($id:literal $level:ident $find:path: $about:literal $why:literal $fix:literal $source:literal;)*) => {
        /// Every rule, family by family.
        pub const RULES: &[Rule] = &[$(Rule {
            id: concat!("surface.", $id),
            level: Level::$level,
            about: $about,
            why: $why,
            fix: $fix,
            source: $source,
            explain: concat!($about, " ", $why, " ", $fix, " Source: ", $source, "."),
            find: $find,
        }),*];
    };
}

rules! {
    "name-characters" Error names::characters: "The name has characters, or a length, that names of tools must not have." "Clients refuse or rename such a tool, each in its own way." "Use 1 to 128 of A-Z, a-z, 0-9, `_`, `-` and `.`." "MCP specification, server/tools, Tool Names";
    "name-api" Warning names::api: "The name is not one that the APIs of models take." "Function names there are 1 to 64 of letters, digits, `_` and `-`; clients replace a dot or cut the name, and the model calls a tool that your logs do not know." "Leave dots out, and keep the name within 64 characters." "function names of the OpenAI and Anthropic APIs; client profiles (`rehearsal clients`)";
    "name-case" Note names::case: "Names of one server are written in different styles." "A model that has seen `get_order` writes `list_orders` where the tool is called `listOrders`." "Write all names in one style; `snake_case` is the most common." "field practice";
    "name-vague" Warning names::vague: "The name does not say what the tool does." "Models choose by the name first, and among the tools of several servers it is all that some clients show." "Name the action and what it acts on: `cancel_order`, not `process`." "clients that load tools by name only (`rehearsal clients`, menu.deferral)";
    "name-builtin" Warning names::builtin: "The name is that of a tool that a well-known client has built in." "The model calls the client's own tool, or the client hides one of the two." "Give the name a word of your own subject: `shop_search`, not `web_search`." "built-in tools of Claude Code, Codex, Gemini CLI, Cursor and VS Code";
    "description-missing" Warning descriptions::missing: "The tool has no description." "A model guesses from the name when to call it and with what." "Say in one or two sentences what the tool does, when to use it, and what it gives." "MCP specification, server/tools, Tool";
    "description-short" Warning descriptions::short: "The description is too short to choose by." "Fewer than four words seldom say more than the name does." "Say what the tool does, when to use it, and what it gives." "field practice";
    "description-cut" Warning descriptions::cut: "A client cuts the description." "What stands beyond the cut is never read by the model, and no error says so." "Say what matters first, and move details into the descriptions of parameters." "measured: client profiles (`rehearsal clients`, menu.description)";
    "description-name" Warning descriptions::repeats: "The description says nothing that the name does not say." "It costs tokens and helps no model to choose." "Say when to use the tool, what it needs and what it gives." "field practice";
    "description-when" Note descriptions::when: "The description does not say when to use the tool." "Where several tools could fit, a model needs to know which one is meant for what." "Add when to use it, or when not: `Use this for …`, `Before you …`, `not for …`." "field practice";
    "hidden-instructions" Error poisoning::instructions: "A text that the model reads gives it orders that have nothing to do with the tool." "That is how a hostile server takes over the assistant (tool poisoning): every text of a tool is read by the model as if it were trusted." "Remove it. If the server is not yours, do not connect it before somebody has looked at it." "MCP specification, server/tools, Security Considerations: descriptions are untrusted";
    "invisible-characters" Error poisoning::invisible: "A text that the model reads has characters that people do not see." "Zero-width, bidirectional and tag characters hide orders from a reviewer and not from a model." "Remove them; write what is meant in characters that show." "Unicode TR36, TR39";
    "secret-paths" Error poisoning::secret_paths: "A text that the model reads names files that hold secrets." "A description has no reason to mention keys, password files or the configuration of clients; attacks have one." "Remove it. If the server is not yours, do not connect it before somebody has looked at it." "published tool-poisoning attacks";
    "hidden-markup" Warning poisoning::markup: "A text that the model reads has a comment that people do not see where it is rendered." "HTML comments vanish in the pages where a person approves the tool, and the model reads them." "Remove the comment, or write it where people see it." "published tool-poisoning attacks";
    "encoded-text" Warning poisoning::encoded: "A text that the model reads has a long run of encoded characters." "Nobody can review it, it costs tokens, and some models decode it." "Leave it out, or say in words what it says." "published tool-poisoning attacks";
    "schema-root" Error schemas::root: "The input schema is missing, or is not that of an object." "Clients drop the tool or fail to list any tool at all." "Send `{\"type\": \"object\", \"properties\": {…}}`; for a tool without parameters `{\"type\": \"object\", \"additionalProperties\": false}`." "MCP specification, server/tools, Tool.inputSchema";
    "schema-invalid" Error schemas::invalid: "The input schema is no valid JSON Schema." "Clients and APIs that check it refuse the tool, some of them the whole list." "Check the schema against the meta-schema it names; without `$schema` that is draft 2020-12." "MCP specification, basic, JSON Schema Usage";
    "schema-reference" Error schemas::reference: "A `$ref` leads out of the schema, or nowhere." "Clients must not fetch it, so the model sees a parameter of which nothing is known." "Put the definition under `$defs` and refer to `#/$defs/NAME`." "MCP specification, basic, JSON Schema Usage";
    "parameter-type" Warning schemas::untyped: "A parameter has no type." "A model has to guess whether a number, a text or a list is wanted, and some APIs refuse the schema." "Give it a `type`, an `enum` or alternatives." "structured outputs of model APIs";
    "parameter-description" Warning schemas::undescribed: "A parameter has no description." "The name alone seldom says the unit, the format or where the value comes from." "Add a `description` with format, unit and an example." "field practice";
    "required-unknown" Error schemas::required: "`required` names a parameter that is not among the properties." "No model can know what to send, and APIs with strict schemas refuse the tool." "Add the property, or take the name out of `required`." "JSON Schema validation, 6.5.3";
    "schema-open" Note schemas::open: "The schema says that other properties are welcome." "Models then invent parameters, and APIs with strict schemas need `additionalProperties: false`." "Set `additionalProperties` to false, or leave it out." "structured outputs of model APIs";
    "schema-depth" Warning schemas::deep: "The schema is nested deeper than five levels." "Models fill deep structures badly, and APIs limit the depth." "Flatten the parameters, or split the tool." "structured outputs of model APIs: five levels";
    "enum-description" Note schemas::enumerations: "A choice of values is not described." "A model sees the words and not what they mean." "Say in the description of the parameter what each value does." "field practice";
    "parameter-free-form" Warning schemas::free_form: "A parameter is an object of which nothing more is known." "Models invent its fields, and APIs with strict schemas send it empty." "List its properties, or take a text with a format that the description names." "structured outputs of model APIs";
    "id-origin" Note schemas::origins: "A parameter is an id, and nothing says where the id is from." "A model that does not know where to get it makes one up." "Say it: `The id of the order, as list_orders returns it`." "field practice";
    "output-root" Error outputs::root: "The output schema is not that of an object." "Structured content is an object up to revision 2025-11-25; clients of those revisions refuse the tool's results." "Wrap the value: `{\"type\": \"object\", \"properties\": {\"result\": …}}`." "MCP specification 2025-11-25, server/tools, Output Schema";
    "output-invalid" Error outputs::invalid: "The output schema is no valid JSON Schema." "Clients that check results against it fail, or stop checking." "Check the schema against the meta-schema it names; without `$schema` that is draft 2020-12." "MCP specification, server/tools, Output Schema";
    "output-reference" Error outputs::reference: "A `$ref` of the output schema leads out of it, or nowhere." "Clients must not fetch it, so no result can be checked." "Put the definition under `$defs` and refer to `#/$defs/NAME`." "MCP specification, basic, JSON Schema Usage";
    "annotations-contradict" Warning annotations::contradict: "The annotations contradict each other." "A tool that only reads destroys nothing; clients believe one of the two, and which one differs." "Leave `destructiveHint` out where `readOnlyHint` is true." "MCP schema, ToolAnnotations";
    "annotations-type" Error annotations::types: "A hint of the annotations is neither true nor false." "Strict clients refuse the whole list of tools, lenient ones take the hint as absent." "Write the hint as a JSON boolean." "MCP schema, ToolAnnotations";
    "destructive-hint" Warning annotations::destructive: "The name sounds destructive, and the annotations do not say whether it is." "Clients ask a person before they run a destructive tool, by what the hint says." "Say `destructiveHint: true`, or `false` with a name that sounds less grave." "MCP schema, ToolAnnotations";
    "destructive-denied" Warning annotations::denied: "The name sounds destructive, and the annotations say that it is harmless." "Clients then run it without asking anybody." "Mend the hint, or the name." "MCP schema, ToolAnnotations";
    "read-only-hint" Note annotations::read_only: "The name sounds as if the tool only reads, and the annotations do not say so." "Clients ask a person first, and run the calls one by one." "Say `readOnlyHint: true` where it is true." "measured: client profiles (`rehearsal clients`, conduct.parallel)";
    "title-missing" Note annotations::titles: "The tool has no title." "People who approve a call see the name that is meant for programs." "Add `title`, a few words as on a button." "MCP specification, server/tools, Tool.title";
    "name-duplicate" Error collisions::duplicates: "Two tools have the same name." "Clients keep one of them, and which one differs." "Give each tool its own name." "MCP specification, server/tools, Tool Names: unique within a server";
    "name-collision" Error collisions::renamed: "Two tools get the same name under a client." "Only the first of them can be called there." "Choose names that still differ in their first 40 characters and without dots and other special characters." "measured: client profiles (`rehearsal clients`, menu.name)";
    "name-close" Note collisions::close: "Two names differ by one character." "Models mix them up, most of all a singular and its plural." "Choose names that differ by a word: `get_order`, `search_orders`." "field practice";
    "meaning-close" Warning meaning::close: "Two tools are described in nearly the same words." "A model cannot know which of them is meant: these are the pairs it confuses." "Say in both descriptions what sets them apart, or make them one tool." "similarity of their words, stems and common synonyms, above 0.75";
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: String,
    /// How grave.
    pub level: Level,
    /// The tools; none when it is about the server.
    pub tools: Vec<String>,
    /// Where in the tool, as a JSON pointer; empty for the whole tool.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub at: String,
    /// What it is about.
    pub detail: String,
}

impl Finding {
    /// The finding as a line, safe for display.
    pub fn text(&self) -> String {
        let tools: Vec<String> = self.tools.iter().map(|tool| display::excerpt(tool, 80)).collect();
        let at =
            if self.at.is_empty() { String::new() } else { format!(" {}", display::excerpt(&self.at, 160)) };
        let who = if tools.is_empty() { "the server".to_owned() } else { tools.join(", ") };
        format!("{who}{at}: {}", display::excerpt(&self.detail, 300))
    }
}

/// Everything that is wrong with a list, in the order of the rules, the gravest first.
pub fn lint(listed: &Listed<'_>) -> Vec<Finding> {
    let mut all: Vec<Finding> = Vec::new();
    for rule in RULES {
        let finding = |hit: Hit| Finding {
            rule: rule.id.to_owned(),
            level: rule.level,
            tools: hit.tools.iter().map(ToolName::to_string).collect(),
            at: hit.at,
            detail: hit.detail,
        };
        all.extend((rule.find)(listed).into_iter().take(FINDINGS).map(finding));
    }
    all.sort_by_key(|finding| finding.level);
    all
}

/// The rule of a name, with or without `surface.`.
pub fn find(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.id == name || rule.id.strip_prefix("surface.") == Some(name))
}

/// The level of a word.
pub fn level(name: &str) -> Option<Level> {
    [Level::Error, Level::Warning, Level::Note].into_iter().find(|level| level.as_str() == name)
}

#[cfg(test)]
#[allow(clippy::needless_pass_by_value, reason = "values are written where they are used")]
mod tests;
