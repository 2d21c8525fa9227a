//! What an emulated client does besides: its first messages, the extras in its calls, its oddities on the wire.

use serde_json::{Map, Value, json};

use super::Watch;
use super::facts::{PROMPTS, RESOURCES};
use super::profile::ConnectStep;
use super::revision::Era;
use super::session::Conversation;

impl Conversation {
    /// Sends what the client sends first, after the opening and before the tools are listed. What a server refuses of it
    /// is in the record; the session goes on.
    pub(super) async fn first_messages(&self) {
        let steps = match self.era() {
            Era::Legacy => &self.terms.steps.0,
            Era::Modern => &self.terms.steps.1,
        };
        let offers = |name: &str| self.facts.capabilities.get(name).is_some();
        for step in steps {
            match step {
                // Nobody waits for the acknowledgement; it is recorded when it comes.
                ConnectStep::Listen if self.era() == Era::Modern => {
                    drop(self.begin_watch(&Watch { tools: true, ..Watch::default() }));
                }
                ConnectStep::SetLevel if offers("logging") => {
                    if let Some(level) = &self.terms.log_level {
                        let _ = self.log_level(level).await;
                    }
                }
                ConnectStep::ListPrompts if offers("prompts") => {
                    let _ = self.pages(PROMPTS).await;
                }
                ConnectStep::ListResources if offers("resources") => {
                    let _ = self.pages(RESOURCES).await;
                }
                ConnectStep::SubscribeResources if offers("resources") => self.subscribe_to_all().await,
                // The opening, the list of tools and the stream are sent in their own places; documents of
                // authorization are the business of identities.
                _ => {}
            }
        }
    }

    async fn subscribe_to_all(&self) {
        let Ok(resources) = self.pages(RESOURCES).await else { return };
        let uris = resources.iter().filter_map(|item| item.get("uri")?.as_str().map(str::to_owned)).collect();
        let wanted = Watch { uris, ..Watch::default() };
        match self.era() {
            Era::Legacy => drop(self.start_watch(&wanted).await),
            Era::Modern => drop(self.begin_watch(&wanted)),
        }
    }
}

/// The extras of a call: invented values of the usual shape under the keys of the profile. `number` makes them differ.
pub(super) fn extras(keys: &[String], number: u64) -> Map<String, Value> {
    let invented = |key: &str| match key.rsplit('/').next() {
        Some("toolUseId") => json!(format!("toolu_{number:024}")),
        _ => json!(number.to_string()),
    };
    let keys = keys.iter().filter(|key| *key != "progressToken");
    keys.map(|key| (key.clone(), invented(key))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extras_have_a_shape_and_leave_the_token_to_the_protocol() {
        let keys = ["claudecode/toolUseId", "progressToken", "x/y"].map(str::to_owned);
        let extras = Value::Object(extras(&keys, 7));
        assert_eq!(extras, json!({"claudecode/toolUseId": "toolu_000000000000000000000007", "x/y": "7"}));
    }
}
