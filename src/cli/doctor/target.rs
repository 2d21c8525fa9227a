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

/// Looks at every target.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move {
        let (aims, more) = setting.aims();
        let mut lines: Vec<Line> =
            join_all(aims.iter().map(|aim| one(aim, setting))).await.into_iter().flatten().collect();
        if more > 0 {
            let says =
                format!("{} not asked; name a suite to ask its own", count(more as u64, "further target"));
            lines.push(Line::new("target", "", says).skipped());
        }
        lines
    }
    .boxed()
}

async fn one(aim: &Aim<'_>, setting: &Setting<'_>) -> Vec<Line> {
    let url = aim.url(setting);
    let name = named(aim, url.as_ref());
    if setting.args.offline && url.as_ref().is_some_and(|url| !is_here(url)) {
        return vec![Line::new("target", &name, "not asked (--offline)").skipped()];
    }
    let (greeting, clock) = tokio::join!(greet(aim, &name, setting), async {
        match &url {
            Some(url) => skew(url, setting).await,
            None => None,
        }
    });
    std::iter::once(greeting).chain(clock).collect()
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

async fn greet(aim: &Aim<'_>, name: &str, setting: &Setting<'_>) -> Line {
    let Ok(outside) = eval::outside(setting.context) else {
        return Line::new("target", name, "no HTTP client can be made")
            .wrong(Exit::Bug, "see the message of `rehearsal tools`");
    };
    let begun = setting.context.clock.elapsed();
    let who = match tools::look::identity(setting.args.bearer_env.as_ref(), setting.context) {
        Ok(who) => who,
        Err(failure) => {
            return Line::new("target", name, failure.message).wrong(failure.exit, "export the variable");
        }
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
        Err(_) => Line::new("target", name, format!("no answer to the handshake within {} s", ANSWER.as_secs()))
            .wrong(Exit::Target, "does it speak MCP over this transport? a server that is only slow to start needs `ready: {timeout: …}`"),
        Ok(Err(fault)) => {
            let failure = Failure::from_fault(&fault);
            let hint = match (failure.exit, failure.hint) {
                (_, Some(hint)) => hint,
                (Exit::Credentials, None) => "give the suite a persona that may sign in: docs/suite.md, Identities; `rehearsal login URL` for people".to_owned(),
                (_, None) => format!("`rehearsal explain {}`", fault.code),
            };
            Line::new("target", name, fault.message).wrong(failure.exit, hint)
        }
        Ok(Ok(visit)) => {
            let facts = &visit.facts;
            let server = if facts.name.is_empty() { "a server without a name" } else { &facts.name };
            let tools = count(visit.seen.tools.len() as u64, "tool");
            Line::new("target", name, format!("{server} {} answers in {took} ms, revision {}, {tools}", facts.version, facts.protocol))
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
fn clock(ahead: i64) -> Line {
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
