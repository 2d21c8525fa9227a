//! What a persona saw and tried, as access is scored: the lists it was shown, and what became of the harness's probes.

use super::view::{Fate, View};
use super::{Subject, What};
use crate::transcript::event::{Caller, Refused};

/// A probe of the harness and what became of it.
#[derive(Clone, Debug)]
pub struct Attempt<'a> {
    /// The number of the event at which it was sent.
    pub seq: u32,
    /// What was tried.
    pub subject: Subject,
    /// What became of it.
    pub fate: Fate<'a>,
}

impl<'a> View<'a> {
    /// Everything in the last complete list that could show the subject, with the number of that event; `None` when
    /// there is no such list.
    pub fn entries(&self, subject: &Subject) -> Option<(u32, Vec<Subject>)> {
        if let Subject::Tool(_) = subject {
            let (seq, tools) = self.visible_tools()?;
            return Some((seq, tools.into_iter().cloned().map(Subject::Tool).collect()));
        }
        self.transcript().events.iter().rev().find_map(|event| {
            let What::FeaturesListed { resources, templates, prompts } = &event.what else { return None };
            let entries = match subject {
                Subject::Prompt(_) => prompts.iter().cloned().map(Subject::Prompt).collect(),
                _ => resources.iter().chain(templates).cloned().map(Subject::Resource).collect(),
            };
            Some((event.seq, entries))
        })
    }

    /// Whether the last complete list shows the subject, with the number of that event; `None` when there is none.
    pub fn shows(&self, subject: &Subject) -> Option<(u32, bool)> {
        let (seq, entries) = self.entries(subject)?;
        Some((seq, entries.iter().any(|entry| subject.is_shown_by(entry))))
    }

    /// What the harness tried, in order.
    pub fn attempts(&self) -> Vec<Attempt<'a>> {
        let calls = self.all_calls().iter().filter(|call| call.by == Caller::Harness);
        let calls = calls.map(|call| Attempt {
            seq: call.seq,
            subject: Subject::Tool(call.name.clone()),
            fate: call.fate,
        });
        let fetches = self.transcript().events.iter().filter_map(|event| match &event.what {
            What::Fetched { subject, refused, took_ms, .. } => {
                let fate = fetched(event.seq, refused.as_ref(), *took_ms);
                Some(Attempt { seq: event.seq, subject: subject.clone(), fate })
            }
            _ => None,
        });
        let mut all: Vec<Attempt<'a>> = calls.chain(fetches).collect();
        all.sort_by_key(|attempt| attempt.seq);
        all
    }

    /// The persona, and below it those whose rights it got during the trial: `customer/clerk`.
    pub fn whom(&self) -> String {
        let mut whom = self.header().persona.to_string();
        for event in &self.transcript().events {
            if let What::IdentityChanged { to } = &event.what {
                whom.push('/');
                whom.push_str(to.as_str());
            }
        }
        whom
    }
}

fn fetched(seq: u32, refused: Option<&Refused>, took_ms: u64) -> Fate<'_> {
    match refused {
        None => Fate::Returned { seq, content: &[], structured: None, is_error: false, bytes: 0, took_ms },
        Some(Refused { code, status, message, challenge }) => {
            let challenge = challenge.as_deref();
            Fate::Refused { seq, code: *code, status: *status, message, challenge }
        }
    }
}
