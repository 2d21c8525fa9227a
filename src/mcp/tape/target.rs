//! A tape in the place of a target.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use tokio_util::task::TaskTracker;
use url::Url;

use super::frame::is_torn;
use super::pipe::Pipe;
use super::track::Item;
use super::{Deck, Hand};
use crate::ids::Digest;
use crate::mcp::connect::{Speech, unopened};
use crate::mcp::exchange::Site;
use crate::mcp::line::Line;
use crate::mcp::opener::Opened;
use crate::mcp::remote::Door;
use crate::mcp::revision::Choice;
use crate::mcp::session::{Conversation, Holding};
use crate::mcp::terms::Over;
use crate::mcp::{Identity, Opening, Session, Target};
use crate::transcript::{Fault, Recorder, Secrets, Side, WireMessage};

/// See the module.
struct Played {
    deck: Arc<Deck>,
    speech: Arc<Speech>,
    /// The site of a target over HTTP; none over standard streams.
    site: Option<Site>,
    two_ways: bool,
    /// How many sessions were opened at each place of the run.
    opened: Mutex<HashMap<Digest, usize>>,
}

pub(super) fn target(
    deck: &Arc<Deck>,
    choice: Choice,
    http: reqwest::Client,
) -> Result<Arc<dyn Target>, Fault> {
    let url = deck.url.as_deref().map(Url::parse).transpose().map_err(|error| {
        let message = format!("the tape `{}` is of a target at no URL: {error}", deck.path.display());
        Fault::new(Side::Harness, "tape.broken", message)
    })?;
    let site = url.map(|url| Site {
        client: http,
        url,
        fixed: vec![],
        vitals: None,
        tracker: TaskTracker::new(),
        mute: Arc::default(),
        slow: Arc::default(),
        hand: None,
    });
    let speech = Arc::new(Speech::knowing(choice, deck.known()));
    let two_ways = site.is_some() && begins_with_a_stream(deck);
    let opened = Mutex::default();
    Ok(Arc::new(Played { deck: Arc::clone(deck), speech, site, two_ways, opened }))
}

/// Whether the target spoke HTTP+SSE: its stream began with the address for messages, which is no JSON.
fn begins_with_a_stream(deck: &Deck) -> bool {
    deck.tracks.iter().flat_map(|track| &track.items).any(|item| match item {
        Item::Wire(WireMessage::Received { via, status: Some(200), frame, body, .. }) => {
            let text = body.to_text();
            let is_message = text.is_empty() || text.trim_start().starts_with(['{', '[']);
            // Tapes of earlier versions do not say what an event was.
            let is_place = || !is_message && !is_torn(&text);
            via == "sse" && frame.as_ref().map_or_else(is_place, |frame| frame.kind == "endpoint")
        }
        _ => false,
    })
}

impl Played {
    fn hand(&self, how: Opening<'_>, log: &Recorder) -> Arc<Hand> {
        let nth = how.scene.map_or(0, |scene| {
            let place = (scene.persona, scene.case.map(|case| case.key.to_string()));
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            let nth = opened.entry(Digest::of_json(&place)).or_default();
            *nth += 1;
            *nth - 1
        });
        Hand::new(Arc::clone(&self.deck), self.deck.sessions(how.scene, how.profile, nth), log.clone())
    }

    async fn over_stdio(&self, how: Opening<'_>, log: Recorder) -> Result<Box<dyn Session>, Fault> {
        let hand = self.hand(how, &log);
        let shared = hand.track().is_some_and(|track| !track.opens());
        let terms = self.speech.terms(how, Over::Stdio);
        let line = |hand: &Arc<Hand>, log: &Recorder| {
            let hub = self.speech.hub();
            hub.first(terms.first_id);
            let pipe = Pipe { hand: Arc::clone(hand), hub: Arc::clone(&hub) };
            Line::new(hub, Arc::new(pipe), log.clone(), how.host(Over::Stdio))
        };
        if !shared {
            let line = line(&hand, &log);
            return match self.speech.open(&line, &terms).await? {
                Opened::Ready(facts, _) => Ok(Conversation::begin(line, facts, terms, Holding::Own).await),
                Opened::Gone => Err(line.broke(unopened())),
            };
        }
        // The process was shared, and somebody else had opened it: what it said then is not of this trial.
        let aside = Recorder::new(log.clock().clone(), Secrets::default());
        let others = Hand::new(Arc::clone(&self.deck), (None, hand.all()), aside.clone());
        let first = line(&others, &aside);
        let Opened::Ready(facts, _) = self.speech.open(&first, &terms).await? else {
            return Err(first.broke(unopened()));
        };
        let line = line(&hand, &log);
        line.speak(first.voice().map(|voice| (*voice).clone()));
        line.show(&terms.quirks);
        if first.hub.is_stateless() {
            line.hub.stateless();
        }
        Ok(Conversation::begin(line, facts, terms, Holding::Shared).await)
    }
}

impl Target for Played {
    fn open<'a>(&'a self, how: Opening<'a>, log: Recorder) -> BoxFuture<'a, Result<Box<dyn Session>, Fault>> {
        Box::pin(async move {
            let Some(site) = &self.site else { return self.over_stdio(how, log).await };
            // Credentials are on the tape, masked; nobody needs real ones.
            let nobody: Identity = Arc::new(crate::mcp::Anonymous);
            let how = Opening { identity: &nobody, ..how };
            let site = Site { hand: Some(self.hand(how, &log)), ..site.clone() };
            Door::new(site, Arc::clone(&self.speech), self.two_ways).open(how, &log).await
        })
    }

    fn url(&self) -> Option<&Url> {
        self.site.as_ref().map(|site| &site.url)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
