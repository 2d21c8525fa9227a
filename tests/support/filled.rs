//! A run in which everything is filled that a report can show: beside the golden one further models, personas and
//! clients, a judge who quotes, a baseline, a quarantine, causes, and the nights before.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;

use rehearsal::diag::Origin;
use rehearsal::gate::compared::{Course, Gates, Known};
use rehearsal::gate::control::{self, ControlCase, Controlled};
use rehearsal::gate::triage::{Cause, Evidence, Triage, Triaged, Tries, Ways};
use rehearsal::ids::{Digest, ModelName};
use rehearsal::plan::Planned;
use rehearsal::report::causes::After;
use rehearsal::report::trend::{NightLine, StreakLine, TrendStamp};
use rehearsal::score::expects::Expects;
use rehearsal::score::judge::{Criterion, Ruling};
use rehearsal::score::{Finding, Grade, Outcome, Weight};
use rehearsal::stats::Tally;
use rehearsal::store::baseline::{Baseline, LaneKey, LanePrint, Night, Prints};
use rehearsal::store::outcomes::LaneOutcome;
use rehearsal::store::record::RunRecord;
use rehearsal::suite::GateMode;
use rehearsal::suite::quarantine::Quarantined;
use rehearsal::transcript::CaseKind;

use crate::golden::{FILE, Trial, golden};

fn at(line: u32) -> Origin {
    Origin { file: FILE.into(), line, column: 9 }
}

/// What a judge ruled of a trial, with what it quotes.
fn judged(mut trial: Trial, holds: bool) -> Trial {
    let criterion = Criterion { must: Some("Tells the day of arrival.".to_owned()), ..Criterion::default() };
    let why = match holds {
        true => "the answer names 28 November",
        false => "the answer says \"on its way\" and names no day",
    };
    let verdict = trial.0.verdict.as_mut().unwrap_or_else(|| panic!("a scored trial"));
    verdict.findings.push(Finding {
        check: "criterion".to_owned(),
        grade: if holds { Grade::Pass } else { Grade::Fail },
        why: why.to_owned(),
        evidence: vec![2, 5],
        origin: at(8),
        weight: Weight::Must,
        sights: vec![],
        ruling: Some(Box::new(Ruling {
            criterion,
            holds: Some(holds),
            asked: true,
            escalated: !holds,
            votes: vec![Some(holds), Some(holds), Some(true)],
            first: None,
        })),
    });
    trial.0.outcome = Some(verdict.outcome());
    (trial.0.judge_calls, trial.0.judge_cost) = (3, Some(0.0004));
    trial
}

/// The run.
pub(crate) fn filled() -> RunRecord {
    let mut run = golden();
    for (model, persona, client, passes) in [
        ("gpt-5.6-luna", "customer", "reference", [true, false, false]),
        ("gpt-5.6-luna", "clerk", "reference", [true, true, true]),
        ("opus", "customer", "codex-cli", [true, true, false]),
        ("opus", "clerk", "reference", [true, true, true]),
    ] {
        for case in ["late-order", "stock", "gift-wrap"] {
            for (number, passes) in (1..).zip(passes) {
                let mut trial = judged(Trial::new(CaseKind::Use, case, persona, number), passes);
                let header = &mut trial.0.header;
                header.model = Some(ModelName::from(model));
                header.client = client.into();
                header.key.model = Digest::of(model.as_bytes());
                header.key.question = Digest::of(format!("{case}{persona}{client}").as_bytes());
                trial.0.cost = Some(0.0031);
                run.results.push(trial.0);
            }
        }
    }
    let called = |tool: &str| Expects { called: vec![tool.into()], ..Expects::default() };
    run.manifest.expects = BTreeMap::from([
        ("late-order".into(), called("get_order")),
        ("stock".into(), called("search_books")),
        ("gift-wrap".into(), Expects { nothing: true, ..Expects::default() }),
    ]);
    run.manifest.gate.quarantine = vec![Quarantined {
        case: "stock".into(),
        owner: "books".to_owned(),
        until: "2026-11-28".parse().unwrap_or_default(),
        since: "2026-11-12".parse().ok(),
        why: "the catalogue is rebuilt".to_owned(),
        origin: at(9),
    }];
    compare(&mut run);
    run
}

/// Compares a run with accepted nights in which nearly everything passed.
fn compare(run: &mut RunRecord) {
    run.manifest.gate.mode = GateMode::Nightly;
    let used = run.results.iter().filter(|result| result.header.kind == CaseKind::Use);
    let row = |result: &rehearsal::store::record::CaseResult| {
        let score_key = result.verdict.as_ref().map(|verdict| verdict.score_key)?;
        let expected_failure = result.expected_failure.clone();
        Some(Planned { header: result.header.clone(), score_key, expected_failure, confirms: false })
    };
    let rows: Vec<Planned> = used.filter_map(row).collect();
    let lane = |row: &&Planned| row.header.trial == 1 && row.expected_failure.is_none();
    let lanes: Vec<LaneOutcome> = rows
        .iter()
        .filter(lane)
        .map(|row| LaneOutcome {
            kind: row.header.kind,
            key: LaneKey::of(&row.header),
            print: LanePrint {
                question: row.header.key.question,
                model: row.header.key.model,
                score: row.score_key.0,
            },
            tags: vec![],
            tally: Tally { trials: 15, passed: 14 },
            invalid: 0,
            missing: 0,
            confirms: Tally::default(),
            expected_failure: false,
        })
        .collect();
    let night = Night {
        run: "last-night".into(),
        started: "2026-11-20T09:00:00Z".to_owned(),
        forced: None,
        prints: Prints::of(&run.manifest, rows.iter().map(|row| &row.header)),
    };
    let mut baseline = Baseline::new("bookshop".into());
    baseline.accept(night, &lanes);
    let known = Known {
        baseline: &baseline,
        file: "reports/baselines/bookshop.json".to_owned(),
        digest: Digest::of(b"b"),
    };
    let mut gates = Gates::begin(&known, &run.manifest, &rows, Course::Fixed)
        .unwrap_or_else(|error| panic!("gates begin: {error}"));
    for result in run.results.iter().filter(|result| result.header.kind == CaseKind::Use) {
        let outcome = result.outcome.unwrap_or(Outcome::Invalid);
        gates.observe(&result.header.key, outcome).unwrap_or_else(|error| panic!("{error}"));
    }
    let compared = gates.compared().unwrap_or_else(|error| panic!("{error}"));
    run.gate = Some(compared.to_value());
}

/// What later looks at the run found.
pub(crate) fn after() -> After {
    let tries = |passed, failed| Tries { passed, failed, ..Tries::default() };
    let ways = Ways { other_tool: BTreeMap::from([("search_books".to_owned(), 2)]), ..Ways::default() };
    let triaged = |case: &str, cause, evidence| Triaged {
        case: case.to_owned(),
        model: Some("gpt-5.6-luna".to_owned()),
        persona: "customer".to_owned(),
        client: "reference".to_owned(),
        expected: vec!["get_order".to_owned()],
        cause,
        evidence,
    };
    let collision = Evidence {
        run: Tries { ways, ..tries(1, 2) },
        direct: Some(tries(3, 0)),
        again: Some(tries(0, 3)),
        alone: Some(tries(3, 0)),
        ..Evidence::default()
    };
    let server = Evidence { run: tries(1, 2), direct: Some(tries(0, 3)), ..Evidence::default() };
    let triage = Triage {
        schema: 1,
        run: "0193a1b2".to_owned(),
        at: "2026-11-21T10:00:00Z".to_owned(),
        trials: None,
        cost: Some(0.04),
        cases: vec![
            triaged("late-order", Cause::Collision { with: "search_books".to_owned() }, collision),
            triaged("gift-wrap", Cause::Server, server),
        ],
    };
    let tally = |trials, passed| Tally { trials, passed };
    let case = |id: &str| ControlCase {
        id: id.to_owned(),
        history: tally(15, 14),
        old: tally(4, 4),
        new: tally(4, 0),
    };
    let found = control::attribute(&[case("late-order"), case("gift-wrap")], control::CONTROL_LEVEL);
    let controlled = Controlled {
        schema: 1,
        run: "0193a1b2".to_owned(),
        at: "2026-11-21T10:30:00Z".to_owned(),
        old: "rehearsal demo-server".to_owned(),
        models: found.map(|found| (ModelName::from("gpt-5.6-luna"), found)).into_iter().collect(),
        unknown: vec![],
        cost: None,
    };
    let night = |number: u32, rate| NightLine {
        run: format!("0193a1{number:02}"),
        started: format!("2026-11-{number:02}T09:00:00Z"),
        rate,
        trials: 36,
        exit_code: Some(u8::from(rate < 0.8)),
        changed: if number == 19 { vec!["server"] } else { vec![] },
    };
    let nights = (10..19).map(|number| night(number, 0.93)).chain([night(19, 0.71), night(20, 0.69)]);
    let trend = TrendStamp {
        model: "gpt-5.6-luna".to_owned(),
        nights: nights.collect(),
        left_out: 0,
        level: Some(0.93),
        pinned: Some("0193a110".to_owned()),
        night_sd: Some(0.02),
        slides: true,
        began: Some("0193a119".to_owned()),
        streaks: vec![StreakLine { case: "late-order".to_owned(), nights: 2, alarm: true }],
    };
    After { trend: vec![trend], triage: Some(triage), control: Some(controlled), ..After::default() }
}
