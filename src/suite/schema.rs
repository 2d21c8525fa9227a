//! The JSON Schema of suite files, for editors. Made from the types that read them, so it cannot say something else.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::wire::Document;

/// The schema as JSON text, two spaces deep, with a line feed at its end.
pub fn text() -> String {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    let value: Value = schema.into();
    // A value made of maps and texts always serialises.
    let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
    text.push('\n');
    text
}
