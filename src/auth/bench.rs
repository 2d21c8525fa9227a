//! Opens sessions with a server over standard streams, as somebody or as nobody, and records what passes. It judges
//! nothing.
//!
//! Every session is a process with its own environment. What no message shows (who it is that comes, how an opening
//! ended) stands in the record as a note that begins with the label of the session; examinations find it by that.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Facts, Figure};
use crate::ids::{CallId, ToolName};
use crate::mcp::{Anonymous, ClientProfile, Identity, Opening, Session, Target, ToolOutcome};
use crate::transcript::event::{AuthMessage, Caller};
use crate::transcript::{Event, Fault, Recorder, Secrets, What};

/// How long a server may take to start and open a session, and how long to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How every note of a bench begins.
const PROBE: &str = "probe: ";

/// What stands in the record in place of a probe that was not sent.
const SKIPPED: &str = "skipped: ";

/// What a bench needs to know; the same for every check of a run.
#[derive(Clone)]
pub struct BenchSetup {
    /// The server.
    pub target: Arc<dyn Target>,
    /// The persona whose credentials the server should accept.
    pub control: Option<Figure>,
    /// A second persona with credentials of its own.
    pub other: Option<Figure>,
    /// What the suite says of the server.
    pub facts: Facts,
}

/// Opens sessions and records.
#[derive(Clone)]
pub struct Bench {
    setup: BenchSetup,
    profile: ClientProfile,
    log: Recorder,
    patience: Duration,
}

/// A session that is open.
pub struct Seat {
    label: &'static str,
    session: Box<dyn Session>,
}

impl Bench {
    /// A bench that writes to `log`.
    pub fn new(setup: BenchSetup, log: Recorder) -> Self {
        Self { setup, profile: ClientProfile::reference(), log, patience: PATIENCE }
    }

    /// The same bench with another record.
    #[must_use]
    pub fn recording(&self, log: Recorder) -> Self {
        Self { log, ..self.clone() }
    }

    /// The same bench, waiting so long at most.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The same bench with a record of its own in memory, from which nothing is left out; and the record that is kept.
    pub(super) fn aside(&self) -> (Self, &Recorder) {
        let log = Recorder::new(self.log.clock().clone(), Secrets::default());
        (self.recording(log), &self.log)
    }

    /// Everything in the record so far.
    pub(super) fn events(&self) -> Vec<Event> {
        (0u32..).map_while(|seq| self.log.event(seq)).collect()
    }

    /// What the suite says of the server.
    pub fn facts(&self) -> &Facts {
        &self.setup.facts
    }

    /// The persona whose credentials the server should accept, if there is one.
    pub fn control(&self) -> Option<&Figure> {
        self.setup.control.as_ref()
    }

    /// A second one, if there is one.
    pub fn other(&self) -> Option<&Figure> {
        self.setup.other.as_ref()
    }

    /// The credentials of a persona: variables with their values.
    pub(super) fn credentials(figure: &Figure) -> Vec<(String, SecretString)> {
        figure.identity.env()
    }

    /// Says why a check sends nothing.
    pub fn skip(&self, why: &str) {
        self.note(&format!("{SKIPPED}{why}"));
    }

    /// Records what no message shows.
    pub(super) fn say(&self, label: &str, what: &str) {
        self.note(&format!("{label}: {what}"));
    }

    fn note(&self, message: &str) {
        self.log.note(What::Auth(AuthMessage::Noted { message: format!("{PROBE}{message}") }));
    }

    /// Opens a session as a persona, or as nobody. `None`: the server would not have it, and the record says how. A
    /// program that cannot be started at all is a fault.
    pub async fn open(&self, label: &'static str, who: Option<&Figure>) -> Result<Option<Seat>, Fault> {
        let nobody: Identity = Arc::new(Anonymous);
        let identity = who.map_or(&nobody, |figure| &figure.identity);
        self.say(label, "begins");
        let opening = self.setup.target.open(Opening::new(identity, &self.profile), self.log.clone());
        match tokio::time::timeout(self.patience, opening).await {
            Ok(Ok(session)) => {
                self.say(label, "opened");
                return Ok(Some(Seat { label, session }));
            }
            Ok(Err(fault)) => match fault.code.as_str() {
                "target.unreachable" => return Err(fault),
                "target.died" => self.say(label, &format!("ended, {}", fault.message)),
                "target.timeout" => self.say(label, "silent"),
                _ => self.say(label, &format!("refused, {}", fault.message)),
            },
            Err(_) => self.say(label, "silent"),
        }
        Ok(None)
    }

    /// Lists the tools. A list that does not come is said in the record.
    pub async fn list(&self, seat: &Seat) {
        match tokio::time::timeout(self.patience, seat.session.list_tools()).await {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => self.say(seat.label, &format!("no list, {}", fault.message)),
            Err(_) => self.say(seat.label, "no list, the server is silent"),
        }
    }

    /// A request of any method. What comes back is in the record and nowhere else; a server that breaks says so there.
    pub async fn ask(&self, seat: &Seat, method: &str, params: Value) {
        let sent = tokio::time::timeout(self.patience, seat.session.request(method, params)).await;
        if let Ok(Err(fault)) = sent {
            self.say(seat.label, &format!("`{method}` broke it, {}", fault.message));
        }
    }

    /// Asks for the loudest log.
    pub async fn loudest(&self, seat: &Seat) {
        // A server without logs refuses, and that is all there is to it.
        let _ = tokio::time::timeout(self.patience, seat.session.set_log_level("debug")).await;
    }

    /// A call of a tool with the parameters of `tools/call`, recorded under `label`: its result, unless it failed.
    pub async fn call(&self, seat: &Seat, label: &str, params: &Value) -> Option<Value> {
        let (call, name) = (CallId::new(label), params["name"].as_str().unwrap_or_default());
        let args = params["arguments"].clone();
        let called = ToolName::new(name);
        self.log.note(What::ToolCalled {
            call: call.clone(),
            name: called,
            args: args.clone(),
            by: Caller::Harness,
        });
        let begun = self.log.elapsed_ms();
        let outcome = tokio::time::timeout(self.patience, seat.session.call_tool(name, &args)).await;
        let took_ms = self.log.elapsed_ms().saturating_sub(begun);
        match outcome {
            Ok(Ok(ToolOutcome::Returned { content, structured, is_error, bytes })) => {
                let result = json!({"content": content, "structuredContent": structured});
                let cut_by_client = None;
                self.log.note(What::ToolReturned {
                    call,
                    content,
                    structured,
                    is_error,
                    bytes,
                    cut_by_client,
                    took_ms,
                });
                (!is_error).then_some(result)
            }
            Ok(Ok(ToolOutcome::Refused(refusal))) => {
                let (code, status, message) = (refusal.code, refusal.status, refusal.message);
                let challenge = refusal.challenge;
                self.log.note(What::ToolRefused { call, code, status, message, challenge, took_ms });
                None
            }
            Ok(Err(fault)) => {
                self.say(seat.label, &format!("a call broke it, {}", fault.message));
                None
            }
            Err(_) => {
                self.say(seat.label, "a call got no answer");
                None
            }
        }
    }

    /// Ends a session and its process.
    pub async fn leave(&self, seat: Seat) {
        seat.session.close().await;
        self.say(seat.label, "left");
    }
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bench")
    }
}

/// The note of a bench in an event, if it is one. Identities leave notes of their own.
pub(super) fn noted(event: &Event) -> Option<&str> {
    match &event.what {
        What::Auth(AuthMessage::Noted { message }) => message.strip_prefix(PROBE),
        _ => None,
    }
}

/// Why nothing was sent, if the record says so.
pub(super) fn skipped(events: &[Event]) -> Option<&str> {
    events.iter().find_map(|event| noted(event)?.strip_prefix(SKIPPED))
}
