//! What belongs to one user and must not reach another: notes, carts, tasks, questions, subscriptions.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt;
use serde_json::{Value, json};

use super::basics::Resource;
use super::tools::Tool;
use super::{Answering, Call, Era, Reply, Row, RpcError, lock};

pub(crate) mod carts;
pub(crate) mod lists;
pub(crate) mod notes;
pub(crate) mod outside;
pub(crate) mod rounds;
pub(crate) mod tasks;
pub(crate) mod watch;

/// What the stateful tools and methods keep.
pub(crate) struct State {
    key: hmac::Key,
    kept: Mutex<Kept>,
}

#[derive(Default)]
pub(crate) struct Kept {
    /// Handles and whose they are.
    carts: HashMap<String, String>,
    notes: Vec<notes::Note>,
    tasks: HashMap<String, tasks::Task>,
    /// Questions that were answered.
    spent: HashSet<String>,
    /// How often each user transferred.
    transfers: HashMap<String, u32>,
    listeners: Vec<watch::Listener>,
    /// What each session subscribed to.
    wishes: HashMap<String, HashSet<String>>,
    /// How many tools were called since they were listed.
    calls: u32,
    /// How often the tools were listed.
    listings: usize,
    /// Where a careless server keeps what the request at hand is about.
    current: String,
    /// The last of a row of ids that anybody can guess.
    last: u32,
    upstream: Option<String>,
    /// What the issuer said of tokens.
    tokens: HashMap<String, Value>,
}

impl Default for State {
    fn default() -> Self {
        let kept = Kept { notes: notes::seed(), ..Kept::default() };
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, random().as_bytes()), kept: Mutex::new(kept) }
    }
}

impl State {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// Where `quote` asks.
    pub(crate) fn ask_upstream(&self, url: &str) {
        self.kept().upstream = Some(url.to_owned());
    }

    /// What the issuer said of a token.
    pub(crate) fn remembered(&self, token: &str) -> Option<Value> {
        self.kept().tokens.get(token).cloned()
    }

    /// Keeps what the issuer said of a token.
    pub(crate) fn remember(&self, token: &str, said: &Value) {
        self.kept().tokens.insert(token.to_owned(), said.clone());
    }

    /// An id of a row that anybody can guess.
    pub(crate) fn next(&self) -> String {
        let mut kept = self.kept();
        kept.last += 1;
        format!("{:06}", kept.last)
    }

    /// Text that only this server can have made.
    fn seal(&self, plain: &str) -> String {
        let tag = hmac::sign(&self.key, plain.as_bytes());
        format!("{}.{}", URL_SAFE_NO_PAD.encode(tag), URL_SAFE_NO_PAD.encode(plain))
    }

    fn unseal(&self, sealed: &str) -> Option<String> {
        let (tag, plain) = sealed.split_once('.')?;
        let plain = URL_SAFE_NO_PAD.decode(plain).ok()?;
        hmac::verify(&self.key, &plain, &URL_SAFE_NO_PAD.decode(tag).ok()?).ok()?;
        String::from_utf8(plain).ok()
    }
}

/// Switches of the checks on isolation.
pub(crate) const SWITCHES: &[(&str, &str)] = &[
    ("G01", "acts for whoever opened the session"),
    ("G01.bound", "lets anybody into a session, as themselves"),
    ("G02", "lets anybody read and end a session"),
    ("G03", "counts sessions"),
    ("G04", "opens a cart to whoever knows its id"),
    ("G04.guess", "counts carts"),
    ("G05", "takes the state of one user's request from another"),
    ("G06", "does not verify the state of a request"),
    ("G07", "takes the state of one call for another"),
    ("G08", "takes a state twice"),
    ("G09", "shows a note to whoever knows its id"),
    ("G10", "reads the resources of anybody"),
    ("G10.oracle", "says whether a resource of somebody else exists"),
    ("G10.traversal", "takes steps upwards in a URI after it looked whose it is"),
    ("G11", "lists for whom a cursor was made"),
    ("G12", "shows and cancels the tasks of anybody"),
    ("G12.oracle", "says whether a task of somebody else exists"),
    ("G13", "tells anybody of the changes of anybody's resources"),
    ("G14", "completes the names of everybody's notes"),
    ("G15", "calls lists public that differ by user"),
    ("G16", "lists one more tool right after a call"),
    ("G16.order", "lists the tools in another order each time"),
    ("G17", "keeps what a request is about where the next one writes"),
    ("G18", "asks about a token only once"),
    ("I01", "passes the user's token on to its upstream"),
    ("I02", "takes tokens made for its upstream"),
    ("I03", "puts the token into `_meta` of its results"),
    ("I04", "fetches pages of its own machine"),
];

/// Stateful methods.
pub(crate) const ROWS: &[Row] = &[
    Row { method: "tasks/get", only: None, answer: tasks::about },
    Row { method: "tasks/cancel", only: None, answer: tasks::about },
    Row { method: "tasks/result", only: Some(Era::Legacy), answer: tasks::about },
    Row { method: "tasks/list", only: Some(Era::Legacy), answer: tasks::list },
    Row { method: "tasks/update", only: Some(Era::Modern), answer: tasks::about },
    Row { method: "resources/subscribe", only: Some(Era::Legacy), answer: watch::subscribe },
    Row { method: "resources/unsubscribe", only: Some(Era::Legacy), answer: watch::unsubscribe },
    Row { method: "subscriptions/listen", only: Some(Era::Modern), answer: watch::listen },
];

#[rustfmt::skip]
pub(crate) const TOOLS: &[Tool] = &[
    Tool { name: "echo", about: "Says it again", scope: "mcp:read", reads: true, input: || texts(&["text"]), call: carts::echo },
    Tool { name: "open_cart", about: "Opens a cart", scope: "mcp:read", reads: false, input: || texts(&[]), call: carts::open },
    Tool { name: "read_cart", about: "What is in a cart", scope: "mcp:read", reads: true, input: || texts(&["cart"]), call: carts::read },
    Tool { name: "get_note", about: "A note by its id", scope: "mcp:read", reads: true, input: || texts(&["note"]), call: notes::get },
    Tool { name: "touch_note", about: "Changes a note", scope: "mcp:read", reads: false, input: || texts(&["name"]), call: watch::touch },
    Tool { name: "transfer", about: "Moves money, if you are sure", scope: "mcp:read", reads: false, input: || texts(&["to"]), call: rounds::transfer },
    Tool { name: "close_account", about: "Ends it, if you are sure", scope: "mcp:read", reads: false, input: || texts(&[]), call: rounds::transfer },
    Tool { name: "transfers", about: "How many there were", scope: "mcp:read", reads: true, input: || texts(&[]), call: rounds::count },
    Tool { name: "report", about: "Takes long", scope: "mcp:read", reads: false, input: || texts(&[]), call: tasks::start },
    Tool { name: "quote", about: "Asks upstream", scope: "mcp:read", reads: true, input: || texts(&[]), call: outside::quote },
    Tool { name: "fetch", about: "A page of the internet", scope: "mcp:read", reads: false, input: || texts(&["url"]), call: outside::fetch },
];

/// Resources of one user.
pub(crate) const RESOURCES: &[Resource] =
    &[Resource { uri: "notes://", listed: false, scope: "mcp:read", read: notes::read }];

/// A schema of required texts.
fn texts(names: &[&str]) -> Value {
    let properties: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).to_owned(), json!({"type": "string"}))).collect();
    json!({"type": "object", "properties": properties, "required": names})
}

/// An answer that is there at once.
fn now<'a>(answer: Result<Value, RpcError>) -> Answering<'a> {
    std::future::ready(answer.map(Reply::Result)).boxed()
}

/// A tool's result of one text.
fn said(text: &str) -> Value {
    super::tools::text(text)
}

/// A tool's refusal.
fn failed(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": true})
}

/// There is no such thing, or it is none of the asker's business.
fn missing(era: Era, text: &str) -> RpcError {
    match era {
        Era::Legacy => RpcError::new(404, -32002, text),
        Era::Modern => RpcError::invalid(text),
    }
}

impl Call<'_> {
    fn state(&self) -> &State {
        &self.server.state
    }

    /// Whether something of `owner` is open to the asker.
    fn mine(&self, owner: &str, switch: &str) -> bool {
        owner == self.user.subject || self.server.broken(switch)
    }

    fn word(&self, argument: &str) -> &str {
        self.argument(argument).as_str().unwrap_or_default()
    }

    /// Whether the client of this request can do this.
    fn declares(&self, capability: &str) -> bool {
        self.params["_meta"]["io.modelcontextprotocol/clientCapabilities"].pointer(capability).is_some()
    }

    /// A fresh id that nobody can guess, or the next of a row.
    fn id(&self, prefix: &str, switch: &str) -> String {
        let rest = if self.server.broken(switch) { self.state().next() } else { random() };
        format!("{prefix}{rest}")
    }
}

/// 192 random bits.
pub(crate) fn random() -> String {
    let mut bytes = [0; 24];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    URL_SAFE_NO_PAD.encode(bytes)
}
