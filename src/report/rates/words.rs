//! Rates in words. What is undefined is `n/a`, never 0 and never "NaN".

use super::{Effort, Point, Rate, Spread};
use crate::report::figures::{count, duration, money, percent, thousands};

/// From here on failures belong to cases.
const OWN: f64 = 0.6;
/// Below this the agent is erratic.
const ERRATIC: f64 = 0.2;
/// Most rates told in full in Markdown.
const TOLD: usize = 20;

/// What an ICC says.
pub(super) fn reading(icc: f64) -> &'static str {
    if icc >= OWN {
        "failures belong to cases: mend those"
    } else if icc < ERRATIC {
        "the agent is erratic: one case passes and fails"
    } else {
        "some cases are hard, and the agent is erratic"
    }
}

/// `81.2 % to 93.1 %`, with `n/a` for an end that is not known.
fn interval(low: Option<f64>, high: Option<f64>) -> String {
    let end = |end: Option<f64>| end.map_or_else(|| "n/a".to_owned(), percent);
    match (low, high) {
        (None, None) => "n/a".to_owned(),
        _ => format!("{} to {}", end(low), end(high)),
    }
}

/// `60/60 passes: the failure rate of these cases could still be 4.9 %`; `None` when something failed.
fn never_failed(rate: &Rate) -> Option<String> {
    let upper = percent(rate.failure_rate_below?);
    Some(format!(
        "{}/{} passes: the failure rate of these cases could still be {upper}",
        rate.passed, rate.trials
    ))
}

/// First tries and recoveries: `7 of 9 passes at the first try, 2 after a failed call`.
fn ways(rate: &Rate) -> Option<String> {
    let known = rate.first_try + rate.recovered;
    let recovered = match rate.recovered {
        0 => String::new(),
        n => format!(", {n} after a failed call"),
    };
    (known > 0).then(|| match rate.first_try == known {
        true => format!("all {} without a failed call", count(known, "pass").replace("passs", "passes")),
        false => format!("{} of {known} passes at the first try{recovered}", rate.first_try),
    })
}

fn icc(rate: &Rate) -> Option<String> {
    rate.icc
        .zip(rate.icc_says)
        .map(|(icc, says)| format!("ICC {icc:.2} over {}: {says}", count(rate.cases, "case")))
}

/// The line of the terminal about how reliable passing is; `None` when there is nothing to say.
pub(in crate::report) fn reliability(rate: &Rate) -> Option<Vec<String>> {
    let invalid =
        rate.invalid_share.filter(|share| *share > 0.0).map(|share| format!("invalid {}", percent(share)));
    let parts = [never_failed(rate), ways(rate), icc(rate), invalid];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then_some(parts)
}

/// A number of a measure with its unit.
fn shown(what: &str, value: f64) -> String {
    match what {
        "seconds" => duration(value),
        "cost" => money(Some(value), 0),
        // Counts are whole; the median of an even number of them may be a half.
        _ if value.fract() == 0.0 => thousands(value.max(0.0) as u64),
        _ => format!("{value:.1}"),
    }
}

/// A measure in words.
fn noun(what: &str) -> &str {
    match what {
        "tokens_in" => "tokens in",
        "tokens_out" => "tokens out",
        "tokens_cached" => "tokens cached",
        "list_tokens" => "tokens of the tool list",
        "result_tokens" => "tokens of results",
        "seconds" | "cost" => "",
        other => other,
    }
}

/// The line of the terminal about effort: medians, with the 95th percentile in brackets.
pub(in crate::report) fn effort(rate: &Rate) -> Option<String> {
    let main = ["turns", "calls", "seconds", "tokens_in", "tokens_out", "cost"];
    let told = rate.effort.iter().filter(|effort| main.contains(&effort.what)).map(|effort| {
        let Effort { what, median, p95, .. } = effort;
        let text = format!("{} ({}) {}", shown(what, median.value), shown(what, p95.value), noun(what));
        text.trim_end().to_owned()
    });
    let told: Vec<String> = told.collect();
    (!told.is_empty()).then(|| format!("median (95th percentile) of a trial: {}", told.join(", ")))
}

/// The section of the Markdown report, folded. `code` makes words of others inert.
pub(in crate::report) fn section(rates: &[Rate], code: impl Fn(&str) -> String) -> Option<String> {
    let rates: Vec<&Rate> = rates.iter().filter(|rate| rate.trials > 0).collect();
    if rates.is_empty() {
        return None;
    }
    let mut out = "<details><summary>Reliability and effort</summary>\n\n".to_owned();
    for rate in rates.iter().take(TOLD) {
        let who = [rate.model.as_deref(), Some(&rate.persona), Some(&rate.client)];
        let who: Vec<String> = who.into_iter().flatten().map(&code).collect();
        out.push_str(&format!("{}\n\n", who.join(" · ")));
        for line in reliability(rate).unwrap_or_default() {
            out.push_str(&format!("- {line}\n"));
        }
        out.push_str(&format!(
            "- pass@1 {}: every trial counts once, and no best of several\n\n",
            optional(rate.pass_at_1)
        ));
        out.push_str(&head(&CURVE));
        for point in &rate.curve {
            out.push_str(&format!("| {} |\n", point_cells(point).join(" | ")));
        }
        out.push('\n');
        out.push_str(&head(&EFFORT));
        for effort in &rate.effort {
            out.push_str(&format!("| {} |\n", effort_cells(effort).join(" | ")));
        }
        out.push('\n');
    }
    if rates.len() > TOLD {
        out.push_str(&format!("{} more in `summary.json`.\n\n", rates.len() - TOLD));
    }
    out.push_str("</details>\n\n");
    Some(out)
}

fn optional(share: Option<f64>) -> String {
    share.map_or_else(|| "n/a".to_owned(), percent)
}

/// The columns of the curve.
pub(in crate::report) const CURVE: [&str; 4] = ["in a row", "pass^k", "95 % band", "cases"];
/// The columns of effort.
pub(in crate::report) const EFFORT: [&str; 6] =
    ["of a trial", "median", "95 % interval", "95th percentile", "95 % interval", "trials"];

/// The cells of a point of the curve.
pub(in crate::report) fn point_cells(point: &Point) -> [String; 4] {
    let Point { k, pass_hat, low, high, cases, projected } = point;
    let word = if *projected { " (projected)" } else { "" };
    [format!("{k}{word}"), percent(*pass_hat), interval(*low, *high), cases.to_string()]
}

/// The cells of a measure of effort.
pub(in crate::report) fn effort_cells(effort: &Effort) -> [String; 6] {
    let Effort { what, trials, estimated, median, p95 } = effort;
    let name = match *what {
        "seconds" => "time",
        "cost" => "cost",
        other => noun(other),
    };
    let about = if *estimated { ", estimated" } else { "" };
    let ends = |spread: &Spread| match (spread.low, spread.high) {
        (Some(low), Some(high)) => format!("{} to {}", shown(what, low), shown(what, high)),
        _ => "n/a".to_owned(),
    };
    let [middle, tail] = [median, p95].map(|spread| shown(what, spread.value));
    [format!("{name}{about}"), middle, ends(median), tail, ends(p95), trials.to_string()]
}

/// The head of a table in Markdown.
fn head(columns: &[&str]) -> String {
    format!("| {} |\n|{}\n", columns.join(" | "), "---|".repeat(columns.len()))
}

/// The properties of a rate in JUnit: name and value.
pub(in crate::report) fn properties(rate: &Rate) -> Vec<(&'static str, String)> {
    let curve = rate.curve.iter().map(|point| {
        let word = if point.projected { " projected" } else { "" };
        format!("k={} {}{word} ({} cases)", point.k, percent(point.pass_hat), point.cases)
    });
    let curve: Vec<String> = curve.collect();
    let mut all = vec![
        ("pass_at_1", optional(rate.pass_at_1)),
        ("pass_hat_k", if curve.is_empty() { "n/a".to_owned() } else { curve.join(", ") }),
        ("invalid_share", optional(rate.invalid_share)),
        ("icc", icc(rate).unwrap_or_else(|| "n/a".to_owned())),
    ];
    all.extend(never_failed(rate).map(|text| ("never_failed", text)));
    all.extend(ways(rate).map(|text| ("first_try", text)));
    all.extend(effort(rate).map(|text| ("effort", text)));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_icc_is_read_in_words() {
        assert!(reading(0.8).starts_with("failures belong to cases"));
        assert!(reading(0.0).starts_with("the agent is erratic"));
        assert!(reading(0.4).contains("and"));
    }

    #[test]
    fn numbers_have_their_units_and_unknown_ends_are_said() {
        assert_eq!(shown("calls", 2.5), "2.5");
        assert_eq!(shown("tokens_in", 1200.0), "1,200");
        assert_eq!(shown("seconds", 184.2), "3 m 04 s");
        assert_eq!(shown("cost", 0.0012), "$0.0012");
        assert_eq!(interval(None, None), "n/a");
        assert_eq!(interval(Some(0.5), None), "50.0 % to n/a");
    }
}
