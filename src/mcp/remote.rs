//! Servers at a URL: a session each, over Streamable HTTP, or over HTTP+SSE where the suite says so or the server is that
//! old.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;

use super::connect::{Speech, unopened};
use super::exchange::{Exchange, Site};
use super::http::Http;
use super::http_sse::HttpSse;
use super::hub::Hub;
use super::launch::Launched;
use super::line::{Line, Stop};
use super::opener::{self, Opened};
use super::per_call::PerCall;
use super::refusal::refused_stream;
use super::relay::{self, Relay, Relaying};
use super::revision::{Choice, Era};
use super::session::{Conversation, Holding};
use super::terms::{Over, Terms};
use super::{Opening, Session, Target};
use crate::transcript::{Fault, Recorder, Side};

/// How long the end of a run waits for farewells under way.
const FAREWELLS: Duration = Duration::from_secs(3);
/// How long an `endpoint` event is waited for at a server that may or may not be an old one.
const GUESS: Duration = Duration::from_secs(5);

/// A server at a URL.
pub(super) struct Remote {
    door: Door,
    launched: Option<Launched>,
}

/// Where sessions with it are opened.
#[derive(Clone)]
pub(super) struct Door {
    site: Site,
    speech: Arc<Speech>,
    /// Whether HTTP+SSE is spoken: said by the suite, or found out.
    two_ways: Arc<AtomicBool>,
}

impl Remote {
    /// The server at `site`, started by us or not.
    pub(super) fn new(site: Site, launched: Option<Launched>, speech: Speech, two_ways: bool) -> Self {
        Self { door: Door::new(site, Arc::new(speech), two_ways), launched }
    }
}

impl Door {
    /// Where sessions with the server at `site` are opened.
    pub(super) fn new(site: Site, speech: Arc<Speech>, two_ways: bool) -> Self {
        Self { site, speech, two_ways: Arc::new(AtomicBool::new(two_ways)) }
    }

    /// Opens a session as its client holds it.
    pub(super) async fn open(&self, how: Opening<'_>, log: &Recorder) -> Result<Box<dyn Session>, Fault> {
        let conversation = self.converse(how, log).await?;
        Ok(match conversation.terms.per_call && conversation.era() == Era::Legacy {
            true => Box::new(PerCall::new(conversation, self.clone(), how)),
            false => Box::new(conversation),
        })
    }

    /// Opens a session, with the first messages of its client.
    pub(super) async fn converse(&self, how: Opening<'_>, log: &Recorder) -> Result<Conversation, Fault> {
        let terms = self.speech.terms(how, Over::Http);
        how.identity.discovering(terms.discovery_version);
        self.knock(how, log, &terms).await;
        if self.two_ways.load(Ordering::Relaxed) {
            return self.two_ways(how, log, terms).await.map_err(|fault| redacted(fault, log));
        }
        let hub = self.speech.hub();
        hub.first(terms.first_id);
        let site = self.site_of(&terms);
        let http = Arc::new(Http::new(site, Arc::clone(how.identity), Arc::clone(&hub), log.clone()));
        let carrier = Arc::clone(&http);
        let line = Line::new(hub, carrier, log.clone(), how.host(Over::Http));
        match self.speech.open(&line, &terms).await {
            Ok(Opened::Ready(facts, _)) => Ok(Conversation::greeted(line, facts, terms, Holding::Own).await),
            // No process of ours ends on a message over HTTP; if it did, its end says more.
            Ok(Opened::Gone) => Err(line.broke(line.hub.dead().unwrap_or_else(unopened))),
            // What servers that know only HTTP+SSE say to a POST (2026-07-28, streamable-http, backward compatibility).
            Err(fault) if matches!(http.refusal(), Some(400 | 404 | 405)) => {
                let guess = Terms { open: terms.open.min(GUESS), ..terms };
                let session = self.two_ways(how, log, guess).await.map_err(|_| fault)?;
                self.two_ways.store(true, Ordering::Relaxed);
                Ok(session)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The site as a client of these terms uses it: what the suite sets stands in place of what the client would send.
    fn site_of(&self, terms: &Terms) -> Site {
        let mut site = self.site.clone();
        let set = |name: &str| self.site.fixed.iter().any(|(fixed, _)| fixed.eq_ignore_ascii_case(name));
        if terms.insists {
            site.mute = Arc::default();
        }
        site.fixed.splice(0..0, terms.headers.iter().filter(|(name, _)| !set(name)).cloned());
        site
    }

    /// What the client sends before it opens a session.
    async fn knock(&self, how: Opening<'_>, log: &Recorder, terms: &Terms) {
        let steps = terms.before();
        if !steps.is_empty() {
            let site = self.site_of(terms);
            let exchange = Exchange::new(site, Arc::clone(how.identity), Hub::new(), log.clone());
            for step in steps {
                exchange.knock(*step, terms).await;
            }
        }
    }

    async fn two_ways(&self, how: Opening<'_>, log: &Recorder, terms: Terms) -> Result<Conversation, Fault> {
        let offer = match terms.choice {
            Choice::Pinned(revision) if revision.era == Era::Modern => {
                let message = format!("HTTP+SSE is not spoken with {}, which is pinned", revision.name);
                return Err(Fault::new(Side::Server, "target.protocol", message));
            }
            Choice::Pinned(revision) => revision,
            Choice::Auto => terms.offered,
        };
        let hub = self.speech.hub();
        hub.first(terms.first_id);
        let place = (Arc::clone(&hub), log.clone());
        let connected =
            HttpSse::connect(self.site_of(&terms), Arc::clone(how.identity), place, terms.open).await;
        let carrier = match connected {
            Ok(carrier) => Arc::new(carrier),
            Err(stop) => return Err(self.unlinked(stop).await),
        };
        let line = Line::new(hub, carrier, log.clone(), how.host(Over::Http));
        line.show(&terms.quirks);
        match opener::hello(&line, &terms, offer).await? {
            Opened::Ready(facts, _) => Ok(Conversation::greeted(line, facts, terms, Holding::Own).await),
            Opened::Gone => Err(line.broke(line.hub.dead().unwrap_or_else(unopened))),
        }
    }

    /// The fault of a stream that did not come to be.
    async fn unlinked(&self, stop: Stop) -> Fault {
        let fault = match stop {
            Stop::Fault(fault) | Stop::Lost(fault) | Stop::Blank { fault, .. } => fault,
            Stop::Refused(refusal) => refused_stream(&refusal),
        };
        match self.site.vitals.as_ref().filter(|_| fault.code == "target.unreachable") {
            // A server of ours that cannot be reached has probably died, and its exit status says more.
            Some(vitals) => {
                vitals.last_breath().await;
                if vitals.exited().is_some() { vitals.death() } else { fault }
            }
            None => fault,
        }
    }
}

fn redacted(mut fault: Fault, log: &Recorder) -> Fault {
    fault.message = log.secrets().redact(&fault.message).into_owned();
    fault
}

impl Target for Remote {
    fn open<'a>(&'a self, how: Opening<'a>, log: Recorder) -> BoxFuture<'a, Result<Box<dyn Session>, Fault>> {
        Box::pin(async move { self.door.open(how, &log).await })
    }

    fn url(&self) -> Option<&url::Url> {
        Some(&self.door.site.url)
    }

    fn relay(&self, relaying: Relaying) -> BoxFuture<'_, Result<Relay, Fault>> {
        if self.door.two_ways.load(Ordering::Relaxed) {
            let message =
                "agents cannot be put before a target that is spoken to over HTTP+SSE; use `transport: http`";
            let fault = Fault::new(Side::Harness, "agent.no-relay", message);
            return Box::pin(std::future::ready(Err(fault)));
        }
        Box::pin(relay::to_site(self.door.site.clone(), relaying))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.door.site.tracker.close();
            let _ = tokio::time::timeout(FAREWELLS, self.door.site.tracker.wait()).await;
            if let Some(launched) = &self.launched {
                launched.stop().await;
            }
        })
    }
}
