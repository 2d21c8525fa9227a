//! Targets: reached, greeted, and by which clock they live.

use std::collections::BTreeMap;

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use url::Url;

use super::ANSWER;
use super::line::Line;
use super::setting::{Aim, Setting, is_here};
use crate::cli::failure::Failure;
use crate::cli::{eval, tools};
use crate::drive::visit;
use crate::gate::Exit;
use crate::mcp::{Endpoint, Program};
use crate::net;
use crate::report::figures::count;
use crate::suite::TargetSource;
use crate::transcript::{Fault, ServerFacts};

/// Looks at every target.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        let (aims, more) = setting.aims();
        let mut lines: Vec<Line> =
            join_all(aims.iter().map(|aim| one(aim, setting))).await.into_iter().flatten().collect();
        if more > 0 {
            lines.push(further(more));
        }
        lines
    }
    .boxed()
}

async fn one(aim: &Aim<'_>, setting: &Setting<'_>) -> Vec<Line> {
    let url = aim.url(setting);
    let name = named(aim, url.as_ref());
    if setting.args.offline && url.as_ref().is_some_and(|url| !is_here(url)) {
        return vec![told(&name, Greeting::Offline)];
    }
    let (greeting, clock) = tokio::join!(greet(aim, setting), async {
        match &url {
            Some(url) => skew(url, setting).await,
            None => None,
        }
    });
    std::iter::once(told(&name, greeting)).chain(clock).collect()
}

pub(super) fn further(more: usize) -> Line {
    let says = format!("{} not asked; name a suite to ask its own", count(more as u64, "further target"));
    Line::new("target", "", says).skipped()
}

/// What came of greeting a target.
pub(super) enum Greeting {
    /// It is elsewhere, and nobody elsewhere is asked.
    Offline,
    /// There is no client.
    Bare,
    /// Whoever shall greet has no credential.
    Nobody(Failure),
    /// No answer in time.
    Late,
    /// It did not let us in.
    Refused(Fault),
    /// Who answered, after how many milliseconds, and with how many tools.
    Answered(ServerFacts, u128, usize),
}

/// The target in a few words, without secrets.
fn named(aim: &Aim<'_>, url: Option<&Url>) -> String {
    match (aim, url) {
        (_, Some(url)) => net::shown(url),
        (Aim::Command(words), _) => words.join(" "),
        (Aim::Suite(suite), _) => match &suite.target.source {
            TargetSource::Command(words) => {
                words.iter().map(|word| word.0.as_str()).collect::<Vec<_>>().join(" ")
            }
            TargetSource::Url(url) => url.0.clone(),
        },
        (Aim::Url(url), _) => net::shown(url),
    }
}

async fn greet(aim: &Aim<'_>, setting: &Setting<'_>) -> Greeting {
    let Ok(outside) = eval::outside(setting.context) else { return Greeting::Bare };
    let begun = setting.context.clock.elapsed();
    let who = match tools::look::identity(setting.args.bearer_env.as_ref(), setting.context) {
        Ok(who) => who,
        Err(failure) => return Greeting::Nobody(failure),
    };
    let visiting = async {
        match aim {
            Aim::Url(url) => {
                visit::endpoint(Endpoint::Http { url: url.clone(), headers: BTreeMap::new() }, &who, &outside)
                    .await
            }
            Aim::Command(words) => {
                let program = Program {
                    command: words.clone(),
                    env: BTreeMap::new(),
                    cwd: Some(setting.context.root.clone()),
                };
                visit::endpoint(Endpoint::Stdio(program), &who, &outside).await
            }
            Aim::Suite(suite) => {
                let mut suite = (*suite).clone();
                // Nobody in particular is often refused by design; the first case says who is not.
                let who = suite.cases.first().and_then(|case| case.personas.first()).cloned();
                suite.personas.sort_by_key(|persona| who.as_ref() != Some(&persona.value.name));
                suite.personas.truncate(1);
                visit::suite(&suite, &outside).await
            }
        }
    };
    let found = tokio::time::timeout(ANSWER, visiting).await;
    let took = setting.context.clock.elapsed().saturating_sub(begun).as_millis();
    match found {
        Err(_) => Greeting::Late,
        Ok(Err(fault)) => Greeting::Refused(fault),
        Ok(Ok(visit)) => Greeting::Answered(visit.facts, took, visit.seen.tools.len()),
    }
}

pub(super) fn told(name: &str, greeting: Greeting) -> Line {
    let line = |says: String| Line::new("target", name, says);
    match greeting {
        Greeting::Offline => line("not asked (--offline)".to_owned()).skipped(),
        Greeting::Bare => line("no HTTP client can be made".to_owned())
            .wrong(Exit::Bug, "see the message of `rehearsal tools`"),
        Greeting::Nobody(failure) => line(failure.message).wrong(failure.exit, "export the variable"),
        Greeting::Late => line(format!("no answer to the handshake within {} s", ANSWER.as_secs())).wrong(
            Exit::Target,
            "does it speak MCP over this transport? a server that is only slow to start needs `ready: {timeout: …}`",
        ),
        Greeting::Refused(fault) => {
            let failure = Failure::from_fault(&fault);
            let hint = match (failure.exit, failure.hint) {
                (_, Some(hint)) => hint,
                (Exit::Credentials, None) => {
                    "give the suite a persona that may sign in: docs/suite.md, Identities; `rehearsal login URL` for people".to_owned()
                }
                (_, None) => format!("`rehearsal explain {}`", fault.code),
            };
            line(fault.message).wrong(failure.exit, hint)
        }
        Greeting::Answered(facts, took, tools) => {
            let server = if facts.name.is_empty() { "a server without a name" } else { &facts.name };
            let (version, revision) = (&facts.version, &facts.protocol);
            let tools = count(tools as u64, "tool");
            line(format!("{server} {version} answers in {took} ms, revision {revision}, {tools}"))
        }
    }
}

/// How far our clock is from the target's, by the `Date` of an answer to a request that does nothing.
async fn skew(url: &Url, setting: &Setting<'_>) -> Option<Line> {
    let http = net::client().ok()?;
    let before = setting.context.clock.wall();
    let answer = tokio::time::timeout(ANSWER, http.head(url.clone()).send()).await.ok()?.ok()?;
    let after = setting.context.clock.wall();
    let date = answer.headers().get("date")?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    let ours = (before.as_second() + after.as_second()) / 2;
    Some(clock(ours - theirs))
}

/// Seconds that tokens commonly bear.
const LEEWAY: i64 = 30;

/// What a distance of seconds means; ours is ahead where it is positive.
pub(super) fn clock(ahead: i64) -> Line {
    let hint = "set the clock of this machine or of the target; `auth: {issuer: {clock_offset: …}}` moves the embedded issuer's";
    match ahead {
        -1..=1 => Line::new("clock", "", "as the target's"),
        2..=LEEWAY => Line::new("clock", "", format!("{ahead} s ahead of the target's")),
        n if (-LEEWAY..0).contains(&n) => Line::new("clock", "", format!("{} s behind the target's", -n)),
        n if n > 0 => Line::new(
            "clock",
            "",
            format!("this machine is {n} s ahead of the target: tokens may look issued in the future"),
        )
        .warning(hint),
        n => Line::new(
            "clock",
            "",
            format!("this machine is {} s behind the target: tokens may look expired", n.saturating_neg()),
        )
        .warning(hint),
    }
}
