//! Where schemas stand inside a schema (JSON Schema 2020-12, core section 10, and what drafts before it had). Pure.

/// Keywords that hold a map from names to schemas.
pub const MAPS: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"];
/// Keywords that hold a schema or a list of schemas.
pub const SCHEMAS: &[&str] = &[
    "items",
    "prefixItems",
    "additionalItems",
    "additionalProperties",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
];
