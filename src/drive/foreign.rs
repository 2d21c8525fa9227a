//! A use case with an agent that is a program: it brings its own model, loop and MCP client, and works through a relay that
//! records what it does.
//!
//! What it does with the server is judged as what any model does. What becomes of the program itself is not: one that does
//! not start, dies, hangs or never speaks to the server gives missing data.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::World;
use super::host::TrialHost;
use super::ledger::Ledger;
use super::steps::{self, Around};
use super::user::Players;
use crate::ids::Digest;
use crate::llm::command::Agent;
use crate::llm::command::output::{Counted, Said};
use crate::mcp::process::errand::{Errand, Fate, Ran};
use crate::mcp::relay::{Relay, Relaying};
use crate::mcp::{Host, Session};
use crate::plan::{Case, UseWork};
use crate::transcript::{End, Fault, Limit, Recorder, Side, What};

mod room;

use room::Room;

/// Most bytes that an agent may write to its standard output for one prompt: 16 MiB.
const OUTPUT: usize = 16 * 1024 * 1024;
/// Bytes of it that are kept in the record: the last 128 KiB.
const KEPT: usize = 128 * 1024;
/// How long what a trial leaves behind is waited for.
const FAREWELL: Duration = Duration::from_secs(10);

/// Runs a use case with an agent to its end. The time limit covers everything.
pub(super) async fn run(case: &Case, work: &UseWork, agent: &Agent, world: &World, log: &Recorder) -> End {
    let ledger = Arc::new(Ledger::new(work.limits));
    let over = CancellationToken::new();
    let _over = over.clone().drop_guard();
    let host: Arc<dyn Host> = match TrialHost::new((case, work), world, log, &ledger, over) {
        Ok(host) => Arc::new(host),
        Err(fault) => return End::Faulted(fault),
    };
    let (relay, room) = match raise((case, work), agent, world, log).await {
        Ok(raised) => raised,
        Err(fault) => return End::Faulted(fault),
    };
    // A session of our own is for the steps around the work; without steps nobody but the agent speaks to the server.
    let steps = !(work.setup.is_empty() && work.verify.is_empty() && work.cleanup.is_empty());
    let session = match steps {
        false => None,
        true => match world.open(&case.persona.name, case, log, Some(&host)).await {
            Ok(session) => Some(session),
            Err(fault) => return End::Faulted(fault),
        },
    };
    let around = session.as_deref().map(|session| Around { case, world, log, session, host: &host });
    let counted = Counted::default();
    let by = Instant::now() + work.limits.time.0;
    let mut shift =
        Shift { case, work, agent, world, log, ledger: &ledger, relay: &relay, room: &room, by, counted };
    // An agent that is cut off at the limit is still ended, and asked what it has taken.
    let end = match timeout_at(by + FAREWELL, shift.whole(around)).await {
        Ok(Ok(())) => End::Done,
        Ok(Err(end)) => end,
        Err(_) => shift.late(relay.ear.is_waiting()),
    };
    relay.close().await;
    if let Some(around) = around {
        steps::cleanup(work, around).await;
    }
    if let Some(session) = session {
        close(session).await;
    }
    end
}

async fn close(session: Box<dyn Session>) {
    let _ = tokio::time::timeout(FAREWELL, session.close()).await;
}

/// The relay before the target, and the room in which the agent works.
async fn raise(
    (case, work): (&Case, &UseWork),
    agent: &Agent,
    world: &World,
    log: &Recorder,
) -> Result<(Relay, Room), Fault> {
    world.prelude.tell(&case.persona.name, log);
    let identity = Arc::clone(world.identity(&case.persona.name)?);
    let secret = crate::auth::random_text()?;
    let calls = work.limits.tool_calls;
    let relay = world.target.relay(Relaying { identity, log: log.clone(), secret, calls }).await?;
    let named = server_name(case, world);
    let room = Room::furnish(agent, &relay.way, &world.hands.program, (&named, work.limits.turns))?;
    Ok((relay, room))
}

/// What the agent knows the server as: what it calls itself, as far as configuration files and tool names allow.
fn server_name(case: &Case, world: &World) -> String {
    let known = world.surfaces.get(&case.persona.name).and_then(|surface| surface.as_ref().ok());
    let name = known.map_or("", |surface| surface.server.name.as_str());
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().take(40).map(fits).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "server".to_owned() } else { name.to_owned() }
}

/// One trial's work in progress.
struct Shift<'a> {
    case: &'a Case,
    work: &'a UseWork,
    agent: &'a Agent,
    world: &'a World,
    log: &'a Recorder,
    ledger: &'a Ledger,
    relay: &'a Relay,
    room: &'a Room,
    /// When the time limit of the case is over.
    by: Instant,
    /// What the agent has counted so far.
    counted: Counted,
}

impl Shift<'_> {
    async fn whole(&mut self, around: Option<Around<'_>>) -> Result<(), End> {
        if let Some(around) = around {
            self.in_time(steps::setup(self.work, around)).await?;
        }
        let mut players = Players::new(&self.case.header, self.work, self.world, (self.log, self.ledger));
        let mut prompts = 0;
        while let Some(text) = self.in_time(players.next()).await? {
            prompts += 1;
            let answer = self.prompt(&text, prompts).await?;
            players.heard(answer);
            self.ledger.stopped()?;
        }
        if !self.relay.ear.has_heard() {
            let message = format!(
                "agent `{}` never spoke to the server; check how its definition names the MCP configuration",
                self.agent.spec.name
            );
            return Err(End::Faulted(Fault::new(Side::Model, "agent.unconnected", message)));
        }
        match around {
            Some(around) => self.in_time(steps::verify(self.work, around)).await,
            None => Ok(()),
        }
    }

    /// Something beside the agent's own work, within the time limit of the case.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, End>>) -> Result<T, End> {
        match timeout_at(self.by, work).await {
            Ok(done) => done,
            Err(_) => Err(self.late(self.relay.ear.is_waiting())),
        }
    }

    /// How a trial ends when its time is over; `waiting`: the agent waited for the server.
    fn late(&self, waiting: bool) -> End {
        if waiting {
            return End::OutOf(Limit::Time);
        }
        let message = format!(
            "agent `{}` had not answered when the case's {} were over, and did not wait for the server",
            self.agent.spec.name, self.work.limits.time
        );
        End::Faulted(Fault::new(Side::Model, "agent.timeout", message).retryable())
    }

    /// Until the agent must not go on; how the trial ends then.
    async fn enough(&self) -> End {
        tokio::select! {
            () = self.relay.ear.exhausted() => End::OutOf(Limit::ToolCalls),
            // Whom it waits for is asked before it is ended, because nobody waits after that.
            () = sleep_until(self.by) => self.late(self.relay.ear.is_waiting()),
        }
    }

    /// One prompt to its answer.
    async fn prompt(&mut self, text: &str, number: usize) -> Result<Option<String>, End> {
        let command = self.agent.command(number).ok_or_else(|| {
            let message = format!("agent `{}` works on one prompt only", self.agent.spec.name);
            End::Faulted(Fault::new(Side::Harness, "agent.one-prompt", message))
        })?;
        let (program, secrets, stdin) = self.room.prompt(self.agent, command, text);
        self.log.note(What::ModelAsked {
            offered: vec![],
            messages: number as u32 * 2 - 1,
            request: Digest::of_json(&(&self.agent.spec, text, number, self.case.header.trial)).to_string(),
        });
        let errand = Errand {
            program: &program,
            secrets: &secrets,
            stdin: &stdin,
            cap: OUTPUT,
            within: self.work.limits.time.0,
            guard: Some(&self.world.hands.guard),
        };
        let (ran, cut) = errand.run_until(self.enough()).await.map_err(|why| {
            let message = format!("agent `{}`: {why}", self.agent.spec.name);
            End::Faulted(Fault::new(Side::Harness, "agent.unstarted", message))
        })?;
        self.settle(&ran, cut).await
    }

    /// What a run of the program comes to. `cut`: the end of the trial, where the agent was cut off.
    async fn settle(&mut self, ran: &Ran, cut: Option<End>) -> Result<Option<String>, End> {
        let stdout = String::from_utf8_lossy(&ran.stdout);
        let took_ms = ran.took.as_millis() as u64;
        self.log.note(What::AgentRan {
            ended: ran.fate.words(),
            stdout: tail(&stdout),
            stderr: ran.stderr.clone(),
            bytes: ran.stdout.len() as u64,
            took_ms,
        });
        let said = self.agent.how.output.read_on(&stdout, &mut self.counted);
        let Said { answer, failed, out_of_turns, model, cost, usage } = said;
        let priced = || self.agent.spec.price.as_ref().map(|price| price.of(&usage));
        let cost = cost.or_else(|| priced().filter(|_| usage.reported));
        let failed = match (ran.fate, failed) {
            (Fate::Exited(0), None) => None,
            (Fate::Exited(0), Some(why)) => Some(("agent.failed", format!("says that it failed: {why}"))),
            (Fate::Flooded, _) => Some(("agent.output", format!("wrote more than {} MiB", OUTPUT >> 20))),
            (fate, Some(why)) => Some(("agent.failed", format!("{} and says: {why}", fate.words()))),
            (fate, None) => Some(("agent.died", format!("{}{}", fate.words(), ran.last_words()))),
        };
        let (reasoning, calls, first_token_ms, refused) = (None, vec![], None, false);
        let stop = match ran.fate {
            Fate::Late | Fate::Stopped | Fate::Flooded => "cut_off",
            _ if out_of_turns => "max_turns",
            _ => "end",
        };
        let stop = stop.to_owned();
        // Its model was asked, whether it came to tell that or not: what it then took is unknown, and not nothing.
        let unfinished = matches!(ran.fate, Fate::Late | Fate::Stopped | Fate::Flooded);
        let worked = answer.is_some() || usage.reported || cost.is_some();
        if worked || unfinished || self.relay.ear.has_called() {
            let seq = self.log.note(What::ModelSaid {
                text: answer.clone().filter(|_| failed.is_none()),
                reasoning,
                calls,
                usage,
                cost,
                model_id: model,
                stop,
                refused,
                took_ms,
                first_token_ms,
            });
            // Paid work is on disk before anything is done with it.
            if let Some(event) = self.log.event(seq) {
                let kept = self.world.journal.model_replied(self.case.header.key, &event).await;
                kept.map_err(End::Faulted)?;
            }
            self.ledger.charge(usage, cost);
        }
        if let Some(end) = cut {
            return Err(end);
        }
        if out_of_turns {
            return Err(End::OutOf(Limit::Turns));
        }
        if let Some((code, why)) = failed {
            let message = format!("agent `{}` {why}", self.agent.spec.name);
            return Err(End::Faulted(Fault::new(Side::Model, code, message)));
        }
        Ok(answer)
    }
}

/// The end of a text, which says how it came out.
fn tail(text: &str) -> String {
    let mut start = text.len().saturating_sub(KEPT);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_owned()
}
