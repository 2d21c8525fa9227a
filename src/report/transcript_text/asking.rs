//! What goes to the model, and what does not reach it.

use super::{Detail, Page};
use crate::report::figures;
use crate::report::paint::Tone;
use crate::transcript::{Event, Loss, What};

impl Page {
    pub(super) fn asking(&mut self, event: &Event) {
        let is_whole = self.look.detail == Detail::Wire;
        match &event.what {
            What::ModelAsked { offered, messages, .. } if is_whole => {
                let messages = figures::count(*messages, "message");
                let text =
                    format!("to the model: {messages}, {}", figures::count(offered.len() as u64, "tool"));
                self.heading(event, Tone::Dim, &text);
            }
            What::OfferLost { losses } if is_whole => {
                self.heading(event, Tone::Dim, "the model's API does not take all that the tools say");
                self.losses(losses);
            }
            What::ResultLost { api, client, .. } => {
                self.heading(event, Tone::Warn, "not all of the result reaches the model");
                self.losses(client);
                self.losses(api);
            }
            What::ModelAttemptFailed { attempt, status, message, wait_ms } => {
                let status = status.map(|status| format!(" HTTP {status}")).unwrap_or_default();
                let wait = wait_ms.map_or("no further attempt".to_owned(), |ms| format!("waited {ms} ms"));
                self.heading(event, Tone::Warn, &format!("attempt {attempt} failed{status}, {wait}"));
                self.words(message);
            }
            _ => {}
        }
    }

    fn losses(&mut self, losses: &[Loss]) {
        for Loss { tool, place, what } in losses {
            self.words(&format!("{tool} {place}: {what}"));
        }
    }
}
