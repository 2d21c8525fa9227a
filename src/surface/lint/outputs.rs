//! Output schemas.

use serde_json::Value;

use super::{Hit, schemas};
use crate::display::excerpt;
use crate::surface::Listed;
use crate::transcript::ToolFact;

fn each(listed: &Listed<'_>, wrong: impl Fn(&ToolFact, &Value) -> Vec<Hit>) -> Vec<Hit> {
    listed.tools.iter().filter_map(|tool| Some(wrong(tool, tool.raw.get("outputSchema")?))).flatten().collect()
}

pub(super) fn root(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool, schema| {
        let detail = match (schema.is_object(), schema.get("type")) {
            (true, Some(kind)) if kind == "object" => return vec![],
            (true, Some(kind)) => format!("its type is {}", excerpt(&kind.to_string(), 40)),
            (true, None) => "it has no type".to_owned(),
            (false, _) => "it is no JSON object".to_owned(),
        };
        vec![Hit::at(&tool.name, "/outputSchema", detail)]
    })
}

pub(super) fn invalid(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool, schema| {
        let wrong = schemas::against_meta_schema(schema).into_iter();
        wrong.map(|detail| Hit::at(&tool.name, "/outputSchema", detail)).collect()
    })
}

pub(super) fn reference(listed: &Listed<'_>) -> Vec<Hit> {
    each(listed, |tool, schema| {
        let lost = schemas::lost_references(schema, "/outputSchema").into_iter();
        lost.map(|(at, why)| Hit::at(&tool.name, at, why)).collect()
    })
}
