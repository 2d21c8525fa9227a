//! Every flaw against every check of its level.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rehearsal::auth::Prober;
use rehearsal::auth::checks::{AuthCheck, Eras, Level, Needs, Seen, TABLE, find};
use rehearsal::mcp::revision::Era;
use rehearsal::transcript::Secrets;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;

use crate::bench::{Bench, facts, fewer_facts, record};
use crate::flawed::{Flawed, switches};
use crate::tables::{CLOSELY, CONSEQUENCES, FLEETING, PENDING, REPORTS, SILENT, setting};

/// How many servers are looked at side by side.
const SIDE_BY_SIDE: usize = 6;

/// What one server shows, by check.
type Row = BTreeMap<&'static str, Seen>;

/// How closely a check looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// In both eras, at lists and at calls.
    Close,
    /// In one era, at lists: enough to see whether somebody else's flaw changes anything.
    Quick,
}

/// Looks at servers side by side.
struct Inspection {
    /// The issuer of all.
    shared: Bench,
    /// The issuer of those checks that change what all others rely on, one at a time.
    own: Mutex<Bench>,
    seats: Semaphore,
}

/// A server with flaws, and whoever asks it.
struct Stand<'a> {
    bench: &'a Bench,
    server: Flawed,
    introspects: bool,
    close: Prober,
    quick: Option<Prober>,
}

impl<'a> Stand<'a> {
    async fn new(bench: &'a Bench, on: &[&str]) -> Self {
        let server = Flawed::start(&*bench.issuer, on).await;
        server.server.state.ask_upstream(bench.issuer.canary("upstream").as_str());
        let introspects = on.contains(&"mode.opaque");
        let close = bench.equipped(&server, facts(introspects)).await;
        Self { bench, server, introspects, close, quick: None }
    }

    async fn seen(&mut self, check: &AuthCheck, look: Look) -> Seen {
        if look == Look::Close {
            return seen(check, &self.close).await;
        }
        let quick = match &self.quick {
            Some(quick) => quick,
            None => {
                let facts = fewer_facts(self.introspects);
                self.quick.insert(self.bench.equipped(&self.server, facts).await)
            }
        };
        let era = if check.eras == Eras::Legacy { Era::Legacy } else { Era::Modern };
        let spoken = quick.eras().iter().copied().filter(|one| *one == era).collect();
        seen(check, &quick.clone().knowing(spoken)).await
    }
}

impl Inspection {
    /// What checks see of a server with these switches on, each looking as `how` says, if at all.
    async fn look(&self, on: &[&str], how: impl Fn(&AuthCheck) -> Option<Look>) -> Row {
        let _seat = self.seats.acquire().await.unwrap();
        let mut row = Row::new();
        let mut stand = Stand::new(&self.shared, on).await;
        for check in TABLE {
            let Some(look) = how(check) else { continue };
            let seen = match check.needs.contains(&Needs::Alone) {
                true => {
                    let own = self.own.lock().await;
                    Stand::new(&own, on).await.seen(check, look).await
                }
                false => stand.seen(check, look).await,
            };
            row.insert(check.id, seen);
        }
        row
    }
}

/// What a check sees; what it rests on must be in its record.
async fn seen(check: &AuthCheck, prober: &Prober) -> Seen {
    let record = record(check, prober, &Secrets::default()).await;
    let seen = check.judge(&record);
    if let Seen::Holds(_, evidence) | Seen::Broken(_, evidence) = &seen {
        let known: BTreeSet<u32> = record.events.iter().map(|event| event.seq).collect();
        assert!(!evidence.is_empty(), "{}: no evidence for {seen:?}", check.id);
        assert!(evidence.iter().all(|seq| known.contains(seq)), "{}: {seen:?}", check.id);
    }
    seen
}

fn kind(seen: &Seen) -> &'static str {
    match seen {
        Seen::Holds(..) => "holds",
        Seen::Broken(..) => "is broken",
        Seen::DoesNotApply(_) => "does not apply",
        Seen::Inconclusive(_) => "is inconclusive",
    }
}

fn why(seen: &Seen) -> &str {
    match seen {
        Seen::Holds(why, _) | Seen::Broken(why, _) | Seen::DoesNotApply(why) | Seen::Inconclusive(why) => why,
    }
}

fn is_silent(id: &str) -> bool {
    SILENT.iter().any(|(silent, _)| *silent == id)
}

/// Every switch that belongs to a check, with the level of the check.
fn flaws() -> Vec<(&'static str, Level)> {
    switches::all().filter_map(|(id, _)| Some((id, find(id)?.level))).collect()
}

/// Everything that was seen.
struct Findings {
    /// Without a flaw, closely, by setting.
    close: BTreeMap<&'static [&'static str], Row>,
    /// Without a flaw, as the flaws of others are looked at.
    beside: BTreeMap<&'static [&'static str], Row>,
    /// By flaw: its own check closely, the others of its level beside.
    flawed: BTreeMap<&'static str, Row>,
}

async fn look_at_all(beside: Look) -> Findings {
    let (shared, own) = (Bench::start().await, Mutex::new(Bench::start().await));
    let inspection = Arc::new(Inspection { shared, own, seats: Semaphore::new(SIDE_BY_SIDE) });
    let mut settings: BTreeSet<&'static [&'static str]> =
        flaws().iter().map(|(flaw, _)| setting(flaw)).collect();
    settings.insert(&[]);
    let (mut clean, mut quick, mut flawed) = (JoinSet::new(), JoinSet::new(), JoinSet::new());
    for setting in settings {
        let closely = move |check: &AuthCheck| (self::setting(check.id) == setting).then_some(Look::Close);
        let one = Arc::clone(&inspection);
        clean.spawn(async move { (setting, one.look(setting, closely).await) });
        let levels: Vec<Level> = flaws()
            .into_iter()
            .filter_map(|(flaw, level)| (self::setting(flaw) == setting).then_some(level))
            .collect();
        let quickly = move |check: &AuthCheck| levels.contains(&check.level).then_some(beside);
        let one = Arc::clone(&inspection);
        quick.spawn(async move { (setting, one.look(setting, quickly).await) });
    }
    for (flaw, level) in flaws() {
        let inspection = Arc::clone(&inspection);
        flawed.spawn(async move {
            let on = [setting(flaw), &[flaw]].concat();
            let how = |check: &AuthCheck| match check.id == flaw {
                true => Some(Look::Close),
                // One at a time, a second and more each: only where there is time for a close look.
                false if check.needs.contains(&Needs::Alone) && beside == Look::Quick => None,
                false => (check.level == level).then_some(beside),
            };
            (flaw, inspection.look(&on, how).await)
        });
    }
    Findings {
        close: clean.join_all().await.into_iter().collect(),
        beside: quick.join_all().await.into_iter().collect(),
        flawed: flawed.join_all().await.into_iter().collect(),
    }
}

/// The text of what was seen, and what should not have been.
fn judged(findings: &Findings, beside: Look) -> (String, Vec<String>) {
    let consequences = match beside {
        Look::Quick => CONSEQUENCES.to_vec(),
        Look::Close => [CONSEQUENCES, CLOSELY].concat(),
    };
    let mut wrong = vec![];
    let mut text = String::from("A correct server\n");
    for check in TABLE {
        let seen = &findings.close[setting(check.id)][check.id];
        text.push_str(&format!("{:18} {:7} {}\n", check.id, check.level.as_str(), why(seen)));
        let expected = if is_silent(check.id) { "does not apply" } else { "holds" };
        if kind(seen) != expected {
            wrong.push(format!("{} {} on the correct server: {}", check.id, kind(seen), why(seen)));
        }
    }
    text.push_str("\nEach flaw\n");
    for (flaw, row) in &findings.flawed {
        let own = &row[flaw];
        text.push_str(&format!("{flaw:18} {}\n", why(own)));
        if !matches!(own, Seen::Broken(..)) {
            wrong.push(format!("{flaw} {} on its own flaw: {}", kind(own), why(own)));
        }
        let listed: BTreeSet<&str> =
            consequences.iter().filter(|(id, ..)| id == flaw).flat_map(|(_, ids, _)| *ids).copied().collect();
        let clean = &findings.beside[setting(flaw)];
        let fleeting = |id: &str| FLEETING.iter().any(|(one, other, _)| one == flaw && *other == id);
        for (id, seen) in row.iter().filter(|(id, _)| *id != flaw && !fleeting(id)) {
            match (kind(seen) != kind(&clean[id]), listed.contains(id)) {
                (true, false) => {
                    wrong.push(format!("flaw {flaw} changes {id}, which {}: {}", kind(seen), why(seen)));
                }
                (false, true) => {
                    wrong.push(format!("flaw {flaw} does not change {id}, contrary to the list"));
                }
                _ => {}
            }
        }
        let strangers = listed.iter().filter(|id| !row.contains_key(*id));
        wrong.extend(strangers.map(|id| format!("{id} is no check of the level of {flaw}")));
    }
    (text, wrong)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_on_a_correct_server_and_fails_alone_on_its_flaw() {
    let (text, wrong) = judged(&look_at_all(Look::Quick).await, Look::Quick);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let filters = vec![
        (r"(127\.0\.0\.1|localhost):\d+", "[host]"),
        (r"/[A-Za-z0-9_-]{43}/", "/[hidden]/"),
        (r"accepted after \d+s", "accepted after [time]"),
        // Which of forty calls comes back with a foreign text first is up to the scheduler.
        (r"(G17 +)(the answer to one call|an answer to the) .*", "${1}[a foreign text]"),
    ];
    insta::with_settings!({filters => filters}, {
        insta::assert_snapshot!(text);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the same, looking closely everywhere: takes minutes"]
async fn every_check_fails_alone_on_its_flaw_in_both_eras() {
    let (_, wrong) = judged(&look_at_all(Look::Close).await, Look::Close);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_check_has_its_switch_and_every_switch_its_check() {
    let checks: BTreeSet<&str> =
        TABLE.iter().map(|check| check.id).filter(|id| !REPORTS.contains(id) && !is_silent(id)).collect();
    let modes: BTreeSet<&str> = switches::OF_MODE.iter().map(|(id, _)| *id).collect();
    let all: Vec<&str> = switches::all().map(|(id, _)| id).collect();
    let switches: BTreeSet<&str> = all.iter().copied().filter(|id| !modes.contains(id)).collect();
    assert_eq!(all.len(), switches.len() + modes.len(), "a switch is listed twice");
    let pending: BTreeSet<&str> = PENDING.iter().copied().collect();
    let missing: BTreeSet<&str> = checks.symmetric_difference(&switches).copied().collect();
    let unlisted: Vec<_> = missing.difference(&pending).collect();
    assert!(unlisted.is_empty(), "without a switch or a check: {unlisted:?}");
    let settled: Vec<_> = pending.difference(&missing).collect();
    assert!(settled.is_empty(), "no longer pending: {settled:?}");
}
