//! The flaws that change what tools look like: their words and the names of their arguments.

use std::sync::Arc;

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{CallToolRequestParams, JsonObject, Tool};
use serde_json::Value;

use super::flaws::Flaw;

/// The argument of `get_order` before and after it was renamed.
const RENAMED: (&str, &str) = ("id", "order_number");

/// Spoils the tools as the flaw says.
pub(super) fn spoil<S>(router: &mut ToolRouter<S>, flaw: Option<Flaw>) {
    for route in router.map.values_mut() {
        match flaw {
            Some(Flaw::VagueDescriptions) => blur(&mut route.attr),
            Some(Flaw::RenamedArgument) if route.attr.name == "get_order" => rename(&mut route.attr),
            _ => {}
        }
    }
}

/// Undoes the renaming in a call, so that the tool itself need not know of it. The error is for the caller.
pub(super) fn translate(request: &mut CallToolRequestParams, flaw: Option<Flaw>) -> Result<(), String> {
    if flaw != Some(Flaw::RenamedArgument) || request.name != "get_order" {
        return Ok(());
    }
    let (old, new) = RENAMED;
    let arguments = request.arguments.get_or_insert_default();
    let Some(value) = arguments.remove(new) else {
        return Err(format!("missing field `{new}`"));
    };
    arguments.insert(old.to_owned(), value);
    Ok(())
}

fn blur(tool: &mut Tool) {
    tool.title = None;
    tool.description = Some("Performs an operation.".into());
    if let Some(annotations) = &mut tool.annotations {
        annotations.title = None;
    }
    edit(tool, |schema| {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for property in properties.into_iter().flat_map(|properties| properties.values_mut()) {
            if let Some(property) = property.as_object_mut() {
                property.remove("description");
            }
        }
    });
}

fn rename(tool: &mut Tool) {
    let (old, new) = RENAMED;
    edit(tool, |schema| {
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut)
            && let Some(property) = properties.remove(old)
        {
            properties.insert(new.to_owned(), property);
        }
        for name in schema.get_mut("required").and_then(Value::as_array_mut).into_iter().flatten() {
            if name == old {
                *name = Value::from(new);
            }
        }
    });
}

fn edit(tool: &mut Tool, change: impl FnOnce(&mut JsonObject)) {
    let mut schema = JsonObject::clone(&tool.input_schema);
    change(&mut schema);
    tool.input_schema = Arc::new(schema);
}
