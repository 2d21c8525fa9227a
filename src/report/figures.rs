//! Numbers as people read them. Every textual format prints its numbers through these functions, so that they agree.

use super::rates::Rate;
use super::summary::{Row, Spent, Totals};
use crate::gate::cells::State;
use crate::transcript::CaseKind;

/// A share as `93.3 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// `1 trial`, `2 trials`.
pub fn count(n: impl Into<u64>, noun: &str) -> String {
    match n.into() {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// Seconds as `0.4 s`, `12 s`, `3 m 04 s` or `2 h 05 m`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..10 if seconds < 9.95 => format!("{seconds:.1} s"),
        0..60 => format!("{whole} s"),
        60..3600 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", whole / 3600, whole % 3600 / 60),
    }
}

/// A moment as `2026-01-01T00:00:00Z`: RFC 3339 in UTC with whole seconds. What is no moment is left as it is.
pub fn moment(stamp: &str) -> String {
    stamp.parse::<jiff::Timestamp>().map_or_else(|_| stamp.to_owned(), |at| format!("{at:.0}"))
}

/// US dollars; small amounts keep four digits after the point. Without a price: `unpriced`.
pub fn money(amount: Option<f64>, unpriced_trials: u32) -> String {
    let amount = match amount {
        None => return "unpriced".to_owned(),
        Some(0.0) => "$0.00".to_owned(),
        Some(amount) if amount < 1.0 => format!("${amount:.4}"),
        Some(amount) => format!("${amount:.2}"),
    };
    match unpriced_trials {
        0 => amount,
        n => format!("at least {amount} ({} unpriced)", count(n, "trial")),
    }
}

/// `12 trials: 9 passed, 2 failed (1 expected), 1 invalid (8.3 %)`, with trials that were skipped or have no
/// verdict when there are any.
pub fn totals(totals: &Totals) -> String {
    let Totals { trials, passed, failed, expected, invalid, skipped, missing, invalid_share, .. } = totals;
    let expected = if *expected > 0 { format!(" ({expected} expected)") } else { String::new() };
    let share = invalid_share.filter(|share| *share > 0.0).map(|share| format!(" ({})", percent(share)));
    let skipped = if *skipped > 0 { format!(", {skipped} skipped") } else { String::new() };
    let missing = if *missing > 0 { format!(", {missing} without a verdict") } else { String::new() };
    let trials = count(*trials, "trial");
    format!(
        "{trials}: {passed} passed, {failed} failed{expected}, {invalid} invalid{}{skipped}{missing}",
        share.unwrap_or_default()
    )
}

/// What the trials of a cell say: `1 of 3 trials passed, needs a majority, 1 without a verdict`.
pub fn cell(row: &Row) -> String {
    let counts = row.counts();
    let lost = counts.invalid + counts.missing;
    let lost = if lost > 0 { format!(", {lost} without a verdict") } else { String::new() };
    let passed = format!("{} of {} passed", counts.passed, count(counts.judged(), "trial"));
    match row.is {
        State::Missing => "did not run".to_owned(),
        State::Skipped => "does not apply".to_owned(),
        State::Invalid => format!("{} invalid, none judged", count(counts.invalid, "trial")),
        State::UnexpectedPass => format!("{passed}, known to fail{lost}"),
        State::Pass
        | State::Flaky
        | State::Fail
        | State::Security
        | State::ExpectedFailure
        | State::Undecided => match row.kind_is {
            CaseKind::Use => format!("{passed}, {}{lost}", row.bar),
            CaseKind::Access | CaseKind::Auth if counts.planned() == 1 => row.state.to_owned(),
            CaseKind::Access | CaseKind::Auth => format!("{passed}, {}{lost}", row.bar),
        },
    }
}

/// Cells whose question does not arise, those with one reason together: the reason and the names, in order.
pub fn skipped(rows: &[&Row]) -> Vec<(String, String)> {
    let mut reasons: Vec<(&str, Vec<&str>)> = vec![];
    for row in rows {
        // The first words are the check's own title, which its id stands for.
        let why = row.why_skipped();
        let why = why.split_once(": does not apply, ").map_or(why, |(_, why)| why);
        match reasons.iter_mut().find(|(known, _)| *known == why) {
            Some((_, ids)) => ids.push(&row.id),
            None => reasons.push((why, vec![&row.id])),
        }
    }
    reasons.into_iter().map(|(why, ids)| (why.to_owned(), ids.join(", "))).collect()
}

/// Most tools of a way that are named.
const WAY: usize = 8;

/// Tools in a row, repetitions counted: `get_order → refund ×2`. `arrow` stands between them.
pub fn way<'a>(names: impl IntoIterator<Item = &'a str>, arrow: &str) -> String {
    let mut runs: Vec<(&str, usize)> = vec![];
    for name in names {
        match runs.last_mut() {
            Some((last, often)) if *last == name => *often += 1,
            _ => runs.push((name, 1)),
        }
    }
    let name = |(name, often): &(&str, usize)| {
        let name = crate::display::excerpt(name, 40);
        if *often > 1 { format!("{name} ×{often}") } else { name }
    };
    let mut shown: Vec<String> = runs.iter().take(WAY).map(name).collect();
    if runs.len() > WAY {
        shown.push(format!("{} more", runs.len() - WAY));
    }
    if shown.is_empty() { "no call".to_owned() } else { shown.join(arrow) }
}

/// [`money`] in the narrow column of a table: `≥$0.0024` where something has no price.
pub fn price(amount: Option<f64>, unpriced_trials: u32) -> String {
    let bound = if amount.is_some() && unpriced_trials > 0 { "≥" } else { "" };
    format!("{bound}{}", money(amount, 0))
}

/// What a failed expectation wanted, in words where its name is none of the suite's.
pub fn wanted(check: &str) -> &str {
    if check == "end" { "that the trial comes to its end" } else { check }
}

/// The k whose pass^k reports put forward: 3, or fewer when fewer trials ran.
fn headline_k(rate: &Rate) -> Option<u64> {
    rate.pass_hat_k.keys().copied().filter(|k| *k <= 3).max()
}

/// The pass rate with its interval: `88.4 % (95 % interval 81.2 % to 93.1 %)`.
pub fn rate(rate: &Rate) -> String {
    let Some(share) = rate.pass_rate else { return "nothing judged".to_owned() };
    match (rate.low, rate.high) {
        (Some(low), Some(high)) => {
            format!("{} (95 % interval {} to {})", percent(share), percent(low), percent(high))
        }
        _ => format!("{} (one case, no interval)", percent(share)),
    }
}

/// `10 cases`, with how many the rate leaves out because they are known to fail.
pub fn basis(rate: &Rate) -> String {
    let cases = count(rate.cases, "case");
    match rate.left_out {
        0 => cases,
        n => format!("{cases} ({n} known to fail left out)"),
    }
}

/// `pass^3 71.0 %`, with the number of cases when it rests on fewer than the rate; empty when undefined.
pub fn streak(rate: &Rate) -> String {
    let Some(k) = headline_k(rate) else { return String::new() };
    let share = rate.pass_hat_k.get(&k).copied().map(percent).unwrap_or_default();
    match rate.pass_hat_k_cases.get(&k) {
        Some(cases) if *cases < rate.cases => format!("pass^{k} {share} ({cases} of {} cases)", rate.cases),
        _ => format!("pass^{k} {share}"),
    }
}

/// What was spent: `$0.1200, $0.0300 of it for attempts that were cut off or done again · 4,100 tokens in, 300 out · 12 model
/// calls, 9 tool calls, 3 judge calls`, without zeros.
pub fn spent(spent: &Spent) -> String {
    let replaced = match spent.replaced_cost {
        cost if cost > 0.0 => {
            format!(", {} of it for attempts that were cut off or done again", money(Some(cost), 0))
        }
        _ => String::new(),
    };
    let mut parts = vec![format!("{}{replaced}", money(spent.cost, spent.unpriced_trials))];
    if spent.tokens_in + spent.tokens_out > 0 {
        parts.push(format!("{} tokens in, {} out", thousands(spent.tokens_in), thousands(spent.tokens_out)));
    }
    let calls = [
        (spent.model_calls, "model call"),
        (spent.tool_calls, "tool call"),
        (spent.judge_calls, "judge call"),
        (spent.user_calls, "played-user call"),
    ];
    let calls: Vec<String> =
        calls.into_iter().filter(|(n, _)| *n > 0).map(|(n, noun)| count(n, noun)).collect();
    if !calls.is_empty() {
        parts.push(calls.join(", "));
    }
    parts.join(" · ")
}

/// `12,345`.
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_paid_in_vain_is_told_apart() {
        let all = Spent { cost: Some(0.12), replaced_cost: 0.03, model_calls: 2, ..Spent::default() };
        let text = "$0.1200, $0.0300 of it for attempts that were cut off or done again · 2 model calls";
        assert_eq!(spent(&all), text);
        assert_eq!(spent(&Spent { replaced_cost: 0.0, ..all }), "$0.1200 · 2 model calls");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(12), "12");
        assert_eq!(duration(0.44), "0.4 s");
        assert_eq!(duration(9.97), "10 s");
        assert_eq!(duration(184.2), "3 m 04 s");
        assert_eq!(duration(7500.0), "2 h 05 m");
        assert_eq!(money(None, 3), "unpriced");
        assert_eq!(money(Some(0.0), 0), "$0.00");
        assert_eq!(money(Some(0.0123), 2), "at least $0.0123 (2 trials unpriced)");
        assert_eq!(money(Some(12.345), 0), "$12.35");
        assert_eq!(percent(1.0), "100.0 %");
        assert_eq!(moment("2026-01-01T00:00:00.987654321Z"), "2026-01-01T00:00:00Z");
        assert_eq!(moment("2026-01-01T00:00:00Z"), "2026-01-01T00:00:00Z");
        assert_eq!(moment("yesterday"), "yesterday");
    }
}
