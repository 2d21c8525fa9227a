//! Change notifications: `subscriptions/listen` since 2026-07-28, `resources/subscribe` before.
//!
//! What arrives is recorded as [`crate::transcript::What::ServerNoted`]. A subscription lives until it is ended, the
//! session closes or the server ends it; one that breaks off is asked for again, a few times.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::hub::Reply;
use super::line::{Heard, Line, Patience, Stop, late};
use super::refusal::from_error;
use super::request::Request;
use super::revision::Era;
use super::session::Conversation;
use super::{Refusal, Watch};
use crate::transcript::{Fault, What};

/// How often a subscription that broke off is asked for again.
const AGAIN: u32 = 5;
/// A subscription has no deadline of its own; the session has.
const LONG: Duration = Duration::from_secs(24 * 60 * 60);
/// How long the end of a session waits for its subscriptions to say farewell.
const FAREWELL: Duration = Duration::from_millis(250);

/// The subscriptions of a session. Dropping them ends them.
#[derive(Default)]
pub(super) struct Watches(Mutex<Vec<Running>>);

struct Running {
    wanted: Watch,
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Watches {
    fn all(&self) -> MutexGuard<'_, Vec<Running>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all of them.
    pub(super) async fn end(&self) {
        let all = std::mem::take(&mut *self.all());
        for Running { task, stop, .. } in all {
            drop(stop);
            let _ = timeout(FAREWELL, task).await;
        }
    }
}

/// What became of the first attempt.
pub(super) type First = Result<Result<Value, Refusal>, Fault>;

impl Conversation {
    /// Begins to watch. Over 2026-07-28 this waits for the acknowledgement.
    pub(super) async fn start_watch(&self, wanted: &Watch) -> Result<Result<(), Refusal>, Fault> {
        if self.era() == Era::Legacy {
            return self.each_resource("resources/subscribe", wanted).await;
        }
        let limit = self.patience.quiet;
        let outcome = match timeout(limit, self.begin_watch(wanted)).await {
            Ok(Ok(Ok(Ok(acknowledged)))) => {
                for missing in unmet(&filter(wanted), &acknowledged) {
                    self.odd_once(format!("the server does not honour `{missing}` of a subscription"));
                }
                return Ok(Ok(()));
            }
            Ok(Ok(Ok(Err(refusal)))) => Ok(Err(refusal)),
            Ok(Ok(Err(fault))) => Err(self.line.broke(fault)),
            Ok(Err(_)) | Err(_) => Err(self.line.broke(late("subscriptions/listen", limit))),
        };
        self.end_watch(wanted).await?;
        outcome
    }

    /// Sends `subscriptions/listen` and does not wait.
    pub(super) fn begin_watch(&self, wanted: &Watch) -> oneshot::Receiver<First> {
        let (sender, first) = oneshot::channel();
        let stop = CancellationToken::new();
        let pause = self.terms.pace.busy;
        let listening = Listening {
            line: Arc::clone(&self.line),
            filter: filter(wanted),
            first: Some(sender),
            pause,
            label: self.terms.listen_id.clone(),
        };
        let mut running: BoxFuture<'static, ()> = Box::pin(listening.run());
        // The request leaves before whatever is sent after this.
        let over = running.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move {
                if !over {
                    stop.run_until_cancelled(running).await;
                }
            }
        });
        self.watches.all().push(Running { wanted: wanted.clone(), task, stop: stop.drop_guard() });
        first
    }

    /// Ends what [`Self::start_watch`] began with the same wishes.
    pub(super) async fn end_watch(&self, wanted: &Watch) -> Result<(), Fault> {
        if self.era() == Era::Legacy {
            return self.each_resource("resources/unsubscribe", wanted).await.map(|_| ());
        }
        let ended = {
            let mut all = self.watches.all();
            let place = all.iter().position(|running| running.wanted == *wanted);
            place.map(|place| all.swap_remove(place))
        };
        if let Some(Running { task, stop, .. }) = ended {
            drop(stop);
            let _ = timeout(FAREWELL, task).await;
        }
        Ok(())
    }

    async fn each_resource(&self, method: &str, wanted: &Watch) -> Result<Result<(), Refusal>, Fault> {
        for uri in &wanted.uris {
            let params = json!({"uri": uri});
            if let Err(refusal) = self.simple(&Request::new(method, Some(&params))).await? {
                return Ok(Err(refusal));
            }
        }
        Ok(Ok(()))
    }

    /// Asks for log messages from this level on: once before 2026-07-28, with every request since.
    pub(super) async fn log_level(&self, level: &str) -> Result<Result<(), Refusal>, Fault> {
        if let Some(voice) = self.line.voice() {
            self.line.speak(Some(voice.hearing(level)));
            return Ok(Ok(()));
        }
        let params = json!({"level": level});
        Ok(self.simple(&Request::new("logging/setLevel", Some(&params))).await?.map(|_| ()))
    }
}

/// A subscription in the background.
struct Listening {
    line: Arc<Line>,
    filter: Map<String, Value>,
    first: Option<oneshot::Sender<First>>,
    pause: Duration,
    /// The text that stands for its id, if a text does.
    label: Option<String>,
}

impl Listening {
    async fn run(mut self) {
        for attempt in 0..=AGAIN {
            match self.once().await {
                Heard::Answered(Reply { outcome: Ok(_), .. }) => {
                    return self.odd("the server ended a subscription");
                }
                Heard::Answered(Reply { outcome: Err(error), status, .. }) => {
                    return self.tell(Ok(Err(from_error(error, status))));
                }
                Heard::Stopped(Stop::Refused(refusal)) => return self.tell(Ok(Err(refusal))),
                Heard::Stopped(Stop::Fault(fault)) if self.line.hub.dead().is_some() => {
                    if self.first.is_none() {
                        self.odd("a subscription ended with the server's process");
                    }
                    return self.tell(Err(fault));
                }
                Heard::Stopped(Stop::Fault(fault) | Stop::Lost(fault) | Stop::Blank { fault, .. })
                    if attempt == AGAIN =>
                {
                    return self.tell(Err(fault));
                }
                Heard::Stopped(_) | Heard::TooLong => self.odd("a subscription broke off; it was sent again"),
            }
            tokio::time::sleep(self.pause).await;
        }
    }

    async fn once(&mut self) -> Heard {
        let ticket = match self.line.reserve(self.label.as_deref()).await {
            Ok(ticket) => ticket,
            Err(fault) => return Heard::Stopped(Stop::Fault(fault)),
        };
        let mut acknowledged = self.line.hub.acknowledged(ticket.id);
        let params = json!({"notifications": self.filter});
        let line = Arc::clone(&self.line);
        let request = Request::new("subscriptions/listen", Some(&params));
        let hearing = line.hear_with(ticket, &request, Patience::strict(LONG));
        tokio::pin!(hearing);
        loop {
            tokio::select! {
                biased;
                Ok(params) = &mut acknowledged, if self.first.is_some() => {
                    let honoured = params.get("notifications").cloned().unwrap_or_default();
                    self.tell(Ok(Ok(honoured)));
                }
                heard = &mut hearing => return heard,
            }
        }
    }

    /// Reports the first outcome; the later ones matter to nobody.
    fn tell(&mut self, first: First) {
        if let Some(sender) = self.first.take() {
            // The caller may have given up.
            let _ = sender.send(first);
        }
    }

    fn odd(&self, message: &str) {
        self.line.log.note(What::ServerOdd { message: message.to_owned() });
    }
}

fn filter(wanted: &Watch) -> Map<String, Value> {
    let mut filter = Map::new();
    for (key, on) in [
        ("toolsListChanged", wanted.tools),
        ("promptsListChanged", wanted.prompts),
        ("resourcesListChanged", wanted.resources),
    ] {
        if on {
            filter.insert(key.to_owned(), true.into());
        }
    }
    if !wanted.uris.is_empty() {
        filter.insert("resourceSubscriptions".to_owned(), json!(wanted.uris));
    }
    if !wanted.tasks.is_empty() {
        filter.insert("taskIds".to_owned(), json!(wanted.tasks));
    }
    filter
}

/// What was asked for and not acknowledged.
fn unmet(wanted: &Map<String, Value>, acknowledged: &Value) -> Vec<String> {
    let missing = |(key, value): (&String, &Value)| match value {
        Value::Array(uris) => {
            let honoured = acknowledged.get(key).and_then(Value::as_array);
            let all = honoured.is_some_and(|honoured| uris.iter().all(|uri| honoured.contains(uri)));
            (!all).then(|| key.clone())
        }
        _ => (acknowledged.get(key) != Some(value)).then(|| key.clone()),
    };
    wanted.iter().filter_map(missing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_name_what_is_wanted_and_nothing_else() {
        assert_eq!(Value::Object(filter(&Watch::default())), json!({}));
        let wanted = Watch { tools: true, uris: vec!["a:b".to_owned()], ..Watch::default() };
        let filter = filter(&wanted);
        assert_eq!(
            Value::Object(filter.clone()),
            json!({"toolsListChanged": true, "resourceSubscriptions": ["a:b"]})
        );
        assert_eq!(unmet(&filter, &Value::Object(filter.clone())), Vec::<String>::new());
        assert_eq!(unmet(&filter, &json!({"toolsListChanged": true})), ["resourceSubscriptions"]);
        assert_eq!(unmet(&filter, &Value::Null).len(), 2);
        let tasks = Watch { tasks: vec!["t-1".to_owned()], ..Watch::default() };
        let filter = super::filter(&tasks);
        assert_eq!(Value::Object(filter.clone()), json!({"taskIds": ["t-1"]}));
        assert_eq!(unmet(&filter, &json!({"taskIds": ["t-2"]})), ["taskIds"]);
    }
}
