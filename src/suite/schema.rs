//! The JSON Schema of suite files, for editors. Made from the types that read them, so it cannot say something else.

use schemars::Schema;
use schemars::generate::SchemaSettings;

use super::wire::Document;

/// The schema of a suite file, draft 2020-12.
pub fn suite_schema() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>()
}

/// The same as JSON text, as `docs/suite.schema.json` holds it.
pub fn text() -> String {
    // A value made of maps and texts always serialises.
    let mut text = serde_json::to_string_pretty(&suite_schema()).unwrap_or_default();
    text.push('\n');
    text
}
