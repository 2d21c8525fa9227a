//! A recorded server over standard streams, as a connection.

use std::sync::Arc;

use futures::future::BoxFuture;

use super::hand::{Hand, Turned};
use super::message::Said;
use crate::mcp::hub::{Arrived, Hub};
use crate::mcp::line::{Carrier, Letter, Stop};
use crate::mcp::process::Vitals;
use crate::mcp::revision::Revision;
use crate::transcript::{Body, Fault, Recorder, What, WireMessage};

/// See the module. Clones are the same connection.
#[derive(Clone)]
pub(super) struct Pipe {
    pub(super) hand: Arc<Hand>,
    pub(super) hub: Arc<Hub>,
}

impl Pipe {
    /// Records a message as sent, and plays what came of it in the background.
    fn send(&self, text: String, log: &Recorder) -> Result<(), Fault> {
        let said = Said::of("stdio", &text);
        let claimed = self.hand.claim(&said, &text);
        if let Ok(Some(turned)) = claimed {
            self.hand.tell_beside(turned, log);
        }
        log.note(What::Wire(WireMessage::Sent {
            via: "stdio".to_owned(),
            headers: vec![],
            body: Body::Text(text),
        }));
        if let Some(turned) = claimed? {
            let (pipe, log) = (self.clone(), log.clone());
            tokio::spawn(async move { pipe.play(turned, &log).await });
        }
        Ok(())
    }

    async fn play(&self, turned: Turned, log: &Recorder) {
        let turn = self.hand.turn(turned);
        for &place in &turn.received {
            self.hand.ready(turned, place).await;
            if let Some(fault) = self.hand.broken() {
                self.hub.fail_waiting(&fault);
                return;
            }
            let body = Body::Text(self.hand.text(turned, place));
            let arrived = Arrived::line(body);
            for asked in self.hub.deliver(arrived) {
                let (pipe, log) = (self.clone(), log.clone());
                tokio::spawn(async move {
                    let Some((text, _)) = asked.answered().await else { return };
                    if let Err(fault) = pipe.send(text, &log) {
                        pipe.hub.fail_waiting(&fault);
                    }
                });
            }
            self.hand.done(turned, place);
        }
        if !turn.is_answered() && !turn.is_open_end() {
            let fault = self.hand.unanswered(turned);
            self.hand.tell_rest(log);
            self.hub.fail_waiting(&fault);
        }
    }
}

impl Carrier for Pipe {
    fn ask<'a>(&'a self, letter: Letter, log: &'a Recorder) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move { Ok(self.send(letter.text, log)?) })
    }

    fn tell<'a>(&'a self, text: String, log: &'a Recorder) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move { self.send(text, log) })
    }

    fn settle(&self, _: &'static Revision) {}

    fn exchanges(&self) -> bool {
        false
    }

    fn vitals(&self) -> Option<Vitals> {
        None
    }

    fn close<'a>(&'a self, log: &'a Recorder) -> BoxFuture<'a, ()> {
        Box::pin(async move { self.hand.tell_rest(log) })
    }
}
