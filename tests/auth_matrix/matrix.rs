//! Every flaw against every check of its level.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rehearsal::auth::Prober;
use rehearsal::auth::checks::{AuthCheck, Level, Needs, Seen, TABLE, find};
use rehearsal::transcript::Secrets;
use tokio::sync::{RwLock, Semaphore};
use tokio::task::JoinSet;

use crate::bench::{Bench, facts, record};
use crate::flawed::{Flawed, switches};
use crate::tables::{CONSEQUENCES, PENDING, REPORTS, SILENT, setting};

/// How many servers are looked at side by side.
const SIDE_BY_SIDE: usize = 6;

/// What one server shows, by check.
type Row = BTreeMap<&'static str, Seen>;

/// Looks at servers side by side; those checks that change what all rely on have the issuer for themselves.
struct Inspection {
    bench: Bench,
    quiet: RwLock<()>,
    seats: Semaphore,
}

impl Inspection {
    /// What the checks that `wanted` picks see of a server with these switches on.
    async fn look(&self, on: &[&str], wanted: impl Fn(&AuthCheck) -> bool) -> Row {
        let _seat = self.seats.acquire().await.unwrap();
        let server = Flawed::start(self.bench.issuer.url(), on).await;
        let prober = {
            let _beside = self.quiet.read().await;
            self.bench.equipped(&server.url, facts(on.contains(&"mode.opaque"))).await
        };
        let mut row = Row::new();
        let (alone, beside): (Vec<&AuthCheck>, Vec<&AuthCheck>) =
            TABLE.iter().filter(|check| wanted(check)).partition(|check| check.needs.contains(&Needs::Alone));
        for check in beside {
            let _beside = self.quiet.read().await;
            row.insert(check.id, seen(check, &prober).await);
        }
        for check in alone {
            let _alone = self.quiet.write().await;
            row.insert(check.id, seen(check, &prober).await);
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

/// Every switch that belongs to a check, with the level of the check.
fn flaws() -> Vec<(&'static str, Level)> {
    switches::all().filter_map(|(id, _)| Some((id, find(id)?.level))).collect()
}

async fn look_at_all() -> (BTreeMap<Vec<&'static str>, Row>, BTreeMap<&'static str, Row>) {
    let inspection = Arc::new(Inspection {
        bench: Bench::start().await,
        quiet: RwLock::new(()),
        seats: Semaphore::new(SIDE_BY_SIDE),
    });
    let mut settings: BTreeSet<&'static [&'static str]> =
        flaws().iter().map(|(flaw, _)| setting(flaw)).collect();
    settings.insert(&[]);
    let (mut clean, mut broken) = (JoinSet::new(), JoinSet::new());
    for setting in settings {
        let inspection = Arc::clone(&inspection);
        clean.spawn(async move { (setting.to_vec(), inspection.look(setting, |_| true).await) });
    }
    for (flaw, level) in flaws() {
        let inspection = Arc::clone(&inspection);
        broken.spawn(async move {
            let on = [setting(flaw), &[flaw]].concat();
            (flaw, inspection.look(&on, |check| check.level == level).await)
        });
    }
    (clean.join_all().await.into_iter().collect(), broken.join_all().await.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_check_holds_on_a_correct_server_and_fails_alone_on_its_flaw() {
    let (clean, broken) = look_at_all().await;
    let mut wrong = vec![];
    let mut text = String::from("A correct server\n");
    for check in TABLE {
        let seen = &clean[setting(check.id)][check.id];
        text.push_str(&format!("{:18} {:7} {}\n", check.id, check.level.as_str(), why(seen)));
        let silent = SILENT.iter().any(|(id, _)| *id == check.id);
        let expected = if silent { "does not apply" } else { "holds" };
        if kind(seen) != expected {
            wrong.push(format!("{} {} on the correct server: {}", check.id, kind(seen), why(seen)));
        }
    }
    text.push_str("\nEach flaw\n");
    for (flaw, row) in &broken {
        let own = &row[flaw];
        text.push_str(&format!("{flaw:18} {}\n", why(own)));
        if !matches!(own, Seen::Broken(..)) {
            wrong.push(format!("{flaw} {} on its own flaw: {}", kind(own), why(own)));
        }
        let listed: BTreeSet<&str> =
            CONSEQUENCES.iter().filter(|(id, ..)| id == flaw).flat_map(|(_, ids, _)| *ids).copied().collect();
        let changed = |id: &str, seen: &Seen| kind(seen) != kind(&clean[setting(flaw)][id]);
        for (id, seen) in row.iter().filter(|(id, _)| *id != flaw) {
            match (changed(id, seen), listed.contains(id)) {
                (true, false) => {
                    wrong.push(format!("flaw {flaw} changes {id}, which {}: {}", kind(seen), why(seen)));
                }
                (false, true) => {
                    wrong.push(format!("flaw {flaw} does not change {id}, contrary to the list"))
                }
                _ => {}
            }
        }
        let strangers = listed.iter().filter(|id| !row.contains_key(*id));
        wrong.extend(strangers.map(|id| format!("{id} is no check of the level of {flaw}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::with_settings!({filters => vec![(r"127\.0\.0\.1:\d+", "[host]")]}, {
        insta::assert_snapshot!(text);
    });
}

#[test]
fn every_check_has_its_switch_and_every_switch_its_check() {
    let checks: BTreeSet<&str> =
        TABLE.iter().map(|check| check.id).filter(|id| !REPORTS.contains(id)).collect();
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
