//! The tools that a run saw before its first trial, and how they differ from those of another run. Pure.

use crate::store::record::SurfaceSeen;
use crate::surface::drift::{self, Change};
use crate::surface::merged;
use crate::transcript::{ToolFact, WireMessage};

/// How the tools differ from those of an earlier run.
#[derive(Clone, Debug, PartialEq)]
pub struct Since {
    /// The earlier run: the newest accepted one, where the run was compared with a baseline, or the one before it.
    pub run: String,
    /// The changes; none is no reason for an entry.
    pub changes: Vec<Change>,
}

/// The tools of every persona together, out of what was said when the target was looked at.
pub fn tools(surfaces: &[SurfaceSeen]) -> Vec<ToolFact> {
    let lists: Vec<Vec<ToolFact>> = surfaces.iter().map(of_persona).collect();
    merged(lists.iter().map(Vec::as_slice))
}

/// The pages of one persona's list, one after the other.
fn of_persona(seen: &SurfaceSeen) -> Vec<ToolFact> {
    let mut tools = Vec::new();
    for message in &seen.look {
        let WireMessage::Received { body, .. } = message else { continue };
        let Some(json) = body.json() else { continue };
        let listed = json["result"]["tools"].as_array().into_iter().flatten();
        tools.extend(listed.filter_map(|raw| {
            let name = raw["name"].as_str()?.into();
            Some(ToolFact { name, raw: raw.clone().into() })
        }));
    }
    tools
}

/// How the tools of one run differ from those of another; `None` when one of them did not keep any.
pub fn between(before: &[SurfaceSeen], after: &[SurfaceSeen]) -> Option<Vec<Change>> {
    let (before, after) = (tools(before), tools(after));
    (!before.is_empty() && !after.is_empty()).then(|| drift::compare(&before, &after))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::transcript::Body;

    fn seen(persona: &str, pages: &[serde_json::Value]) -> SurfaceSeen {
        let received = |tools: &serde_json::Value| WireMessage::Received {
            via: "json".to_owned(),
            status: None,
            headers: vec![],
            frame: None,
            of: None,
            body: Body::of(
                json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).to_string().into_bytes(),
            ),
        };
        SurfaceSeen {
            persona: persona.into(),
            tools: vec![],
            later: vec![],
            digest: None,
            look: pages.iter().map(received).collect(),
        }
    }

    #[test]
    fn pages_and_personas_are_put_together() {
        let one = seen("a", &[json!([{"name": "x"}]), json!([{"name": "y"}])]);
        let other = seen("b", &[json!([{"name": "y"}, {"name": "z"}])]);
        let all = [one.clone(), other];
        let names: Vec<String> = tools(&all).iter().map(|tool| tool.name.to_string()).collect();
        assert_eq!(names, ["x", "y", "z"]);
        let changes = between(&all, std::slice::from_ref(&one)).unwrap();
        assert_eq!(changes[0].text(), "z: removed");
        assert!(between(&all, &[seen("a", &[])]).is_none());
    }
}
