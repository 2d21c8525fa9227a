//! What an emulated client does besides: its first messages, the extras in its calls, its oddities on the wire.

use serde_json::{Map, Value, json};

use super::Watch;
use super::facts::{PROMPTS, RESOURCES};
use super::profile::{ConnectStep, Quirk};
use super::revision::Era;
use super::session::Conversation;
use crate::transcript::{Fault, ToolFact};

impl Conversation {
    /// Sends what the client sends first after the opening, in its order. What a server refuses of it is in the record;
    /// the session goes on.
    pub(super) async fn first_messages(&self) {
        let steps = match self.era() {
            Era::Legacy => &self.terms.legacy_steps,
            Era::Modern => &self.terms.modern_steps,
        };
        for step in &steps.after {
            self.first_message(*step).await;
        }
    }

    async fn first_message(&self, step: ConnectStep) {
        let offers = |name: &str| self.facts.capabilities.get(name).is_some();
        match step {
            // Nobody waits for the acknowledgement; it is recorded when it comes.
            ConnectStep::Listen if self.era() == Era::Modern => {
                drop(self.begin_watch(&Watch { tools: true, ..Watch::default() }));
            }
            ConnectStep::SetLevel if offers("logging") => {
                let _ = self.log_level(self.terms.asked_level()).await;
            }
            ConnectStep::ListTools => {
                let listed = self.noted_tools().await;
                *self.first_list() = Some(listed);
            }
            ConnectStep::ListPrompts if offers("prompts") => {
                let _ = self.pages(PROMPTS).await;
            }
            ConnectStep::ListResources if offers("resources") => {
                let _ = self.pages(RESOURCES).await;
            }
            ConnectStep::SubscribeResources if offers("resources") => self.subscribe_to_all().await,
            ConnectStep::GetStream if self.era() == Era::Legacy && self.terms.listens => {
                self.line.carrier.listen().await;
            }
            ConnectStep::BareGet | ConnectStep::ResourceMetadata | ConnectStep::OauthMetadata => {
                self.line.carrier.knock(step, &self.terms).await;
            }
            // What the server does not offer is not asked for, and what another era has does not exist.
            _ => {}
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

    /// The list of tools once more, if the server has said that it changed and the client listens to that.
    pub(super) async fn changed_tools(&self) -> Result<Option<Vec<ToolFact>>, Fault> {
        if !self.line.take_changed() || !self.terms.relists {
            return Ok(None);
        }
        let mut listed = self.noted_tools().await?;
        if self.terms.has(Quirk::ListsTwice) {
            listed = self.noted_tools().await?;
        }
        Ok(Some(listed))
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
