//! Who hears of changes: subscriptions of 2026-07-28, and of sessions before.

use futures::FutureExt;
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{Call, Kept, failed, missing, now, said};
use crate::flawed::{Answering, Reply};

/// The key of the id of a subscription in `_meta`.
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

/// One open stream.
pub(crate) struct Listener {
    place: Place,
    sender: Sender<Value>,
}

enum Place {
    /// The GET stream of a session.
    Session(String),
    /// A subscription and what it is to.
    Subscription(Value, Vec<String>),
}

impl super::State {
    /// The GET stream of a session.
    pub(crate) fn stream(&self, session: &str) -> Receiver<Value> {
        let (sender, events) = channel(16);
        self.kept().listeners.push(Listener { place: Place::Session(session.to_owned()), sender });
        events
    }

    /// Whatever a session subscribed to ends with it.
    pub(crate) fn forget(&self, session: &str) {
        let mut kept = self.kept();
        kept.wishes.remove(session);
        kept.listeners.retain(|one| !matches!(&one.place, Place::Session(own) if own == session));
    }
}

fn may_watch(call: &Call<'_>, uri: &str) -> bool {
    let kept = call.state().kept();
    kept.notes.iter().any(|note| note.uri() == uri && call.mine(note.owner, "G13"))
}

pub(crate) fn subscribe<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let uri = call.text("uri");
    if !may_watch(call, uri) {
        return now(Err(missing(call.era, &format!("there is no resource {uri}"))));
    }
    let session = call.session.unwrap_or_default().to_owned();
    call.state().kept().wishes.entry(session).or_default().insert(uri.to_owned());
    now(Ok(json!({})))
}

pub(crate) fn unsubscribe<'a>(call: &'a Call<'a>) -> Answering<'a> {
    if let Some(wishes) = call.state().kept().wishes.get_mut(call.session.unwrap_or_default()) {
        wishes.remove(call.text("uri"));
    }
    now(Ok(json!({})))
}

/// `subscriptions/listen`: what is not one's own is not acknowledged.
pub(crate) fn listen<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let wanted =
        call.params["notifications"]["resourceSubscriptions"].as_array().cloned().unwrap_or_default();
    let wanted = wanted.iter().filter_map(Value::as_str);
    let uris: Vec<String> = wanted.filter(|uri| may_watch(call, uri)).map(str::to_owned).collect();
    let honoured = if uris.is_empty() { json!({}) } else { json!({"resourceSubscriptions": uris}) };
    let params = json!({"notifications": honoured, "_meta": {SUBSCRIPTION: call.id}});
    let first =
        json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params});
    let (sender, events) = channel(16);
    let sent = sender.try_send(first);
    debug_assert!(sent.is_ok(), "a new channel has room");
    let place = Place::Subscription(call.id.clone(), uris);
    call.state().kept().listeners.push(Listener { place, sender });
    async move { Ok(Reply::Stream(events)) }.boxed()
}

/// `touch_note`: changes one's own note and tells who listens.
pub(crate) fn touch<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let mut kept = call.state().kept();
    let name = call.word("name");
    let own = kept.notes.iter_mut().find(|note| note.owner == call.user.subject && note.name == name);
    let Some(note) = own else { return now(Ok(failed(&format!("there is no note {name}")))) };
    note.text.push('.');
    let uri = note.uri();
    tell(&mut kept, &uri);
    now(Ok(said("touched")))
}

fn tell(kept: &mut Kept, uri: &str) {
    let Kept { listeners, wishes, .. } = kept;
    listeners.retain(|listener| {
        let mut params = json!({"uri": uri});
        let hears = match &listener.place {
            Place::Session(session) => wishes.get(session).is_some_and(|wishes| wishes.contains(uri)),
            Place::Subscription(id, uris) => {
                params["_meta"] = json!({SUBSCRIPTION: id});
                uris.iter().any(|one| one == uri)
            }
        };
        let change = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": params});
        !listener.sender.is_closed() && (!hears || listener.sender.try_send(change).is_ok())
    });
}
