//! What the model sees: the tools it is offered and the text of a result, as the client profile limits them. Pure.

use serde_json::Value;

use crate::llm::ToolOffer;
use crate::mcp::ClientProfile;
use crate::transcript::ToolFact;

/// The tools a host with this profile offers, in the server's order.
pub fn tools(facts: &[ToolFact], profile: &ClientProfile) -> Vec<ToolOffer> {
    facts
        .iter()
        .take(profile.menu.limit.unwrap_or(usize::MAX))
        .map(|fact| ToolOffer {
            name: fact.name.clone(),
            title: title(&fact.raw),
            description: fact.description().to_owned(),
            schema: fact.input_schema(),
        })
        .collect()
}

fn title(raw: &Value) -> Option<String> {
    let annotated = || raw.get("annotations").and_then(|annotations| annotations.get("title"));
    raw.get("title").or_else(annotated).and_then(Value::as_str).map(str::to_owned)
}

/// The system prompt of a host with this profile: its own words, then the server's instructions.
pub fn system(profile: &ClientProfile, instructions: Option<&str>) -> Option<String> {
    let shown = profile.menu.instructions.as_ref().and_then(|rule| rule.shown).unwrap_or(true);
    let instructions = instructions.filter(|_| shown);
    let parts: Vec<&str> = [profile.menu.system.as_deref(), instructions].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// The text of a result as the model reads it, and how many bytes the profile cut off its end.
pub fn result_text(
    content: &[Value],
    structured: Option<&Value>,
    profile: &ClientProfile,
) -> (String, Option<u64>) {
    let mut text = content.iter().map(block_text).collect::<Vec<_>>().join("\n");
    if text.is_empty() {
        text = structured.map(Value::to_string).unwrap_or_default();
    }
    let limit = profile.result.limits.as_ref().and_then(|limits| limits.first()).map(|limit| limit.over);
    let Some(limit) = limit.filter(|limit| text.len() > *limit) else {
        return (text, None);
    };
    let end = text.floor_char_boundary(limit);
    let cut = (text.len() - end) as u64;
    text.truncate(end);
    (text, Some(cut))
}

/// Text as it is; anything else as a short mark, since the conversation carries text.
fn block_text(block: &Value) -> String {
    let kind = block.get("type").and_then(Value::as_str).unwrap_or("unknown");
    let field = |name: &str| block.get(name).and_then(Value::as_str);
    match kind {
        "text" => field("text").unwrap_or_default().to_owned(),
        "image" | "audio" => {
            let bytes = field("data").map_or(0, |data| data.len() / 4 * 3);
            format!("[{kind}: {}, {bytes} bytes]", field("mimeType").unwrap_or("unknown type"))
        }
        "resource_link" => format!("[link: {}]", field("uri").unwrap_or("unknown")),
        "resource" => {
            let resource = block.get("resource");
            let text = resource.and_then(|resource| resource.get("text")).and_then(Value::as_str);
            let uri = resource.and_then(|resource| resource.get("uri")).and_then(Value::as_str);
            text.map_or_else(|| format!("[resource: {}]", uri.unwrap_or("unknown")), str::to_owned)
        }
        other => format!("[{other}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mcp::profile::{CutAction, Instructions, SizeLimit, Unit};

    #[test]
    fn results_are_cut_at_a_character() {
        let mut profile = ClientProfile::reference();
        let limit = SizeLimit { over: 3, unit: Unit::Bytes, then: CutAction::Head };
        profile.result.limits = Some(vec![limit]);
        let content = [json!({"type": "text", "text": "aéé"})];
        assert_eq!(result_text(&content, None, &profile), ("aé".to_owned(), Some(2)));
    }

    #[test]
    fn blocks_without_text_leave_a_mark() {
        let profile = ClientProfile::reference();
        let content = [
            json!({"type": "image", "mimeType": "image/png", "data": "AAAA"}),
            json!({"type": "text", "text": "x"}),
        ];
        assert_eq!(result_text(&content, None, &profile).0, "[image: image/png, 3 bytes]\nx");
        assert_eq!(result_text(&[], Some(&json!({"a": 1})), &profile).0, "{\"a\":1}");
    }

    #[test]
    fn the_profile_limits_the_menu_and_the_system_prompt() {
        let fact = |name: &str| ToolFact {
            name: name.into(),
            raw: json!({"name": name, "annotations": {"title": "T"}}),
        };
        let mut profile = ClientProfile::reference();
        profile.menu.limit = Some(1);
        profile.menu.system = Some("S".into());
        profile.menu.instructions = Some(Instructions { shown: Some(false), ..Instructions::default() });
        let offered = tools(&[fact("a"), fact("b")], &profile);
        assert_eq!(offered.len(), 1);
        assert_eq!(offered[0].title.as_deref(), Some("T"));
        assert_eq!(system(&profile, Some("I")).as_deref(), Some("S"));
        assert_eq!(system(&ClientProfile::reference(), None), None);
    }
}
