//! What failures are due to, in words: triage and side-by-side run for a terminal.

use super::figures::{count, money};
use super::paint::{Style, Tone};
use super::wrap::lines;
use crate::display::{excerpt, safe_line};
use crate::gate::control::Controlled;
use crate::gate::triage::{Cause, Evidence, Triage, Triaged, Tries, Ways};
use crate::stats::Tally;
use crate::stats::shown::{P, Points};

/// Most characters of a reason.
const WHY: usize = 200;
/// Most tools named in a line.
const TOOLS: usize = 5;

/// A triage for a terminal of so many cells.
pub fn triage(found: &Triage, style: Style, width: u16) -> String {
    let mut out = String::new();
    for case in &found.cases {
        told(case, style, width.into(), &mut out);
        out.push('\n');
    }
    let mut counts: Vec<(&str, u64)> = vec![];
    for case in &found.cases {
        match counts.iter_mut().find(|(word, _)| *word == case.cause.as_str()) {
            Some((_, count)) => *count += 1,
            None => counts.push((case.cause.as_str(), 1)),
        }
    }
    let counts: Vec<String> = counts.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let cases = count(found.cases.len() as u64, "failed case");
    let cost = found.cost.map_or_else(|| "unpriced".to_owned(), |cost| money(Some(cost), 0));
    out.push_str(&format!("{cases}: {}; {cost} spent\n", counts.join(", ")));
    style.finish(out)
}

fn told(case: &Triaged, style: Style, width: usize, out: &mut String) {
    let who = [case.model.as_deref(), Some(case.persona.as_str()), Some(case.client.as_str())];
    let who: Vec<String> = who.into_iter().flatten().map(safe_line).collect();
    let head = format!("{} ({})", safe_line(&case.case), who.join(", "));
    out.push_str(&format!("{}\n", style.paint(Tone::Strong, &head)));
    let tone = if case.cause == Cause::Unclear { Tone::Warn } else { Tone::Bad };
    let mut fact = |name: &str, text: &str, tone: Option<Tone>| {
        let (first, rest) = (format!("  {name:<12}  "), format!("  {:<12}  ", "│"));
        for (index, line) in lines(text, width, [&first, &rest]).iter().enumerate() {
            let line = match (index, tone) {
                (0, Some(tone)) => {
                    line.replacen(case.cause.as_str(), &style.paint(tone, case.cause.as_str()), 1)
                }
                _ => line.clone(),
            };
            out.push_str(line.trim_end());
            out.push('\n');
        }
    };
    fact("cause", &format!("{}: {}", case.cause.as_str(), sentence(case)), Some(tone));
    fact("what to do", advice(&case.cause), None);
    for (name, text) in evidence(case) {
        fact(name, &text, None);
    }
}

/// What a case fails by, as a sentence.
pub fn sentence(case: &Triaged) -> String {
    let tools = named(&case.expected);
    match &case.cause {
        Cause::Server if !case.evidence.not_offered.is_empty() => {
            format!("the server does not offer {}", named(&case.evidence.not_offered))
        }
        Cause::Server => {
            "the server fails without any model, when it is called as the case expects".to_owned()
        }
        Cause::Description => {
            let alone = case.evidence.alone.as_ref().and_then(Tries::holds);
            match alone {
                Some(true) => format!("{tools} is called right only where nothing else is offered"),
                _ => format!("even where nothing else is offered, {tools} is not called as expected"),
            }
        }
        Cause::Collision { with } => {
            format!(
                "`{}` is called in the place of {tools}, which is called right when it is offered alone",
                excerpt(with, 60)
            )
        }
        Cause::Model if case.evidence.second_model.as_ref().and_then(Tries::holds) == Some(true) => {
            "another model passes with the same server and tools".to_owned()
        }
        Cause::Model => "the calls are as expected, and what the model makes of them is not".to_owned(),
        Cause::Judge => "another judge lets the same trials pass".to_owned(),
        Cause::Flake => "the same again passes: the failure was chance, or comes and goes".to_owned(),
        Cause::Unclear => "what was tried does not tell".to_owned(),
    }
}

/// What to do about a cause.
pub fn advice(cause: &Cause) -> &'static str {
    match cause {
        Cause::Server => "mend the server; `direct` below says what it did",
        Cause::Description => "say in the tool's description when to call it, and in its schema with what",
        Cause::Collision { .. } => {
            "let the descriptions of both tools say which of them is for what, or merge them"
        }
        Cause::Model => "name the model's limits in the suite, or help it with a clearer result or prompt",
        Cause::Judge => {
            "make the criterion one observable statement, or check it by code; `judge label` settles who is right"
        }
        Cause::Flake => "run more trials of the case; quarantine it only if it stays so",
        Cause::Unclear => {
            "name a second model or judge (`--second-model`, `--second-judge`), run more trials (`-k`), or read a transcript with `show`"
        }
    }
}

/// On what a cause rests, a line each.
pub fn evidence(case: &Triaged) -> Vec<(&'static str, String)> {
    let Evidence { run, not_offered: _, direct, again, alone, second_model, second_judge } = &case.evidence;
    let mut lines = vec![("run", tried(run))];
    let tools = named(&case.expected);
    let arms = [
        ("direct", direct, "the expected calls without a model".to_owned()),
        ("again", again, "the same again".to_owned()),
        ("alone", alone, format!("only {tools} offered")),
        ("second model", second_model, "another model".to_owned()),
        ("second judge", second_judge, "another judge about the run's failures".to_owned()),
    ];
    for (name, tries, what) in arms {
        if let Some(tries) = tries {
            lines.push((name, format!("{what}: {}", tried(tries))));
        }
    }
    lines
}

fn tried(tries: &Tries) -> String {
    let Tries { passed, failed, invalid, why, ways } = tries;
    let mut text = format!("{passed} of {} passed", passed + failed);
    if *invalid > 0 {
        text.push_str(&format!(", {invalid} without a verdict"));
    }
    let went = went(ways);
    if !went.is_empty() {
        text.push_str(&format!("; {went}"));
    }
    if let Some(why) = why.as_ref().filter(|_| failed + invalid > 0) {
        text.push_str(&format!("; {}", excerpt(why, WHY)));
    }
    text
}

/// Which ways failed trials took.
fn went(ways: &Ways) -> String {
    let mut parts: Vec<String> = vec![];
    let mut tools: Vec<(&String, &u32)> = ways.other_tool.iter().collect();
    tools.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    parts.extend(
        tools.iter().take(TOOLS).map(|(tool, count)| format!("`{}` instead {count}x", excerpt(tool, 60))),
    );
    for (count, words) in
        [(ways.no_call, "no call"), (ways.other_arguments, "other arguments"), (ways.right, "the right call")]
    {
        if count > 0 {
            parts.push(format!("{words} {count}x"));
        }
    }
    parts.join(", ")
}

fn named(tools: &[String]) -> String {
    if tools.is_empty() {
        return "the expected tool".to_owned();
    }
    let shown: Vec<String> =
        tools.iter().take(TOOLS).map(|tool| format!("`{}`", excerpt(tool, 60))).collect();
    match tools.len() - shown.len() {
        0 => shown.join(" and "),
        more => format!("{} and {}", shown.join(", "), count(more as u64, "more tool")),
    }
}

/// Most cases of a side-by-side run that are listed.
const CASES: usize = 20;

/// A side-by-side run for a terminal of so many cells.
pub fn control(found: &Controlled, style: Style, width: u16) -> String {
    let mut out = String::new();
    let mut line = |text: &str, first: &str| {
        for line in lines(text, width.into(), [first, "  │ "]) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
    };
    for (model, control) in &found.models {
        let model = safe_line(model.as_str());
        line(control.cause.as_sentence(), &format!("{}  ", style.paint(Tone::Strong, &model)));
        let told = |change: f64, p: f64| format!("{} (p = {} for worse)", Points(change), P(p));
        line(&told(control.drift, control.p_drift), "  old server tonight against its history  ");
        line(&told(control.server, control.p_server), "  new server against the old one tonight  ");
        for case in control.cases.iter().take(CASES) {
            let of = |tally: Tally| format!("{} of {}", tally.passed, tally.trials);
            let text = format!("before {}, old {}, new {}", of(case.history), of(case.old), of(case.new));
            line(&text, &format!("  {}  ", excerpt(&case.id, 60)));
        }
        if control.cases.len() > CASES {
            line(&count((control.cases.len() - CASES) as u64, "more case"), "  ");
        }
    }
    for model in &found.unknown {
        line(
            "no case has trials before, on the old server and on the new one",
            &format!("{}  ", safe_line(model.as_str())),
        );
    }
    let cost = found.cost.map_or_else(|| "unpriced".to_owned(), |cost| money(Some(cost), 0));
    line(&format!("{}; {cost} spent", safe_line(&found.old)), "old server  ");
    style.finish(out)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::gate::control::{CONTROL_LEVEL, ControlCase, attribute};
    use crate::gate::triage::decide;
    use crate::report::causes::{After, Causes, section};

    fn tries(passed: u32, failed: u32, ways: Ways) -> Option<Tries> {
        let why = (failed > 0).then(|| "expected a call of `get_order`,\u{1b}[31m observed none".to_owned());
        Some(Tries { passed, failed, invalid: 0, why, ways })
    }

    fn triaged(case: &str, evidence: Evidence) -> Triaged {
        Triaged {
            case: case.to_owned(),
            model: Some("gpt-x".to_owned()),
            persona: "customer".to_owned(),
            client: "reference".to_owned(),
            expected: vec!["get_order".to_owned()],
            cause: decide(&evidence),
            evidence,
        }
    }

    fn found() -> Triage {
        let plain = Ways::default();
        let drawn = Ways { other_tool: BTreeMap::from([("list_orders".to_owned(), 3)]), ..Ways::default() };
        let run = tries(0, 3, drawn.clone()).unwrap();
        let collision = Evidence {
            run: run.clone(),
            direct: tries(3, 0, plain.clone()),
            again: tries(0, 3, drawn),
            alone: tries(3, 0, plain.clone()),
            ..Evidence::default()
        };
        let server = Evidence { run: run.clone(), direct: tries(0, 3, plain.clone()), ..Evidence::default() };
        let gone =
            Evidence { run: run.clone(), not_offered: vec!["get_order".to_owned()], ..Evidence::default() };
        let judge = Evidence { run, second_judge: tries(3, 0, plain), ..Evidence::default() };
        Triage {
            schema: 1,
            run: "0193a1b2".to_owned(),
            at: "2026-11-21T02:00:00Z".to_owned(),
            trials: None,
            cost: Some(0.012),
            cases: vec![
                triaged("late-order", collision),
                triaged("my-orders", server),
                triaged("refund", gone),
                triaged("thanks\u{1b}[2J", judge),
            ],
        }
    }

    fn beside() -> Controlled {
        let tally = |passed| Tally { trials: 4, passed };
        let case = |id: &str| ControlCase {
            id: id.to_owned(),
            history: Tally { trials: 15, passed: 15 },
            old: tally(4),
            new: tally(1),
        };
        let control = attribute(&[case("late-order"), case("search")], CONTROL_LEVEL).unwrap();
        Controlled {
            schema: 1,
            run: "0193a1b2".to_owned(),
            at: "2026-11-21T02:00:00Z".to_owned(),
            old: "node old/server.js".to_owned(),
            models: BTreeMap::from([("gpt-x".into(), control)]),
            unknown: vec!["gpt-y".into()],
            cost: None,
        }
    }

    /// The text with every run of white space as one blank: where lines break is another matter.
    fn flat(text: &str) -> String {
        text.split_whitespace().filter(|word| *word != "│").collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_triage_names_cause_advice_and_evidence_of_each_case() {
        let text = triage(&found(), Style::Plain, 100);
        let flat = flat(&text);
        for wanted in [
            "late-order (gpt-x, customer, reference) cause collision: `list_orders` is called in the place of `get_order`",
            "what to do let the descriptions of both tools say which of them is for what",
            "run 0 of 3 passed; `list_orders` instead 3x; expected a call of `get_order`,",
            "direct the expected calls without a model: 3 of 3 passed",
            "alone only `get_order` offered: 3 of 3 passed",
            "my-orders (gpt-x, customer, reference) cause server: the server fails without any model",
            "cause server: the server does not offer `get_order`",
            "second judge another judge about the run's failures: 3 of 3 passed",
            "4 failed cases: 1 collision, 2 server, 1 judge;",
        ] {
            assert!(flat.contains(wanted), "{wanted}\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_side_by_side_run_names_what_it_rests_on() {
        let text = control(&beside(), Style::Plain, 100);
        let flat = flat(&text);
        for wanted in [
            "gpt-x the server got worse: the old one, run beside it, is as it was",
            "old server tonight against its history +0.0 points",
            "new server against the old one tonight -75.0 points",
            "late-order before 15 of 15, old 4 of 4, new 1 of 4",
            "gpt-y no case has trials before, on the old server and on the new one",
            "old server node old/server.js; unpriced spent",
        ] {
            assert!(flat.contains(wanted), "{wanted}\n{text}");
        }
    }

    #[test]
    fn reports_of_the_run_take_over_what_was_found() {
        let after = After { triage: Some(found()), control: Some(beside()), ..After::default() };
        let causes = Causes::of(&after).unwrap();
        let lines = causes.lines();
        assert_eq!(lines.len(), 5);
        assert!(lines[0].starts_with("gpt-x: the server got worse"), "{lines:?}");
        assert!(lines[1].starts_with("late-order: collision: `list_orders` is called"), "{lines:?}");
        let markdown = section(&causes, str::to_owned);
        assert!(markdown.contains("| late-order | **collision**: `list_orders` is called"), "{markdown}");
        assert!(!markdown.contains('\u{1b}'), "{markdown:?}");
    }

    #[test]
    fn nothing_is_said_where_nobody_looked() {
        assert_eq!(Causes::of(&After::default()), None);
    }
}
