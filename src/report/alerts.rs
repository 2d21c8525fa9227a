//! What is wrong with the server at a place in the suite: the findings that code scanners show. One list for all formats
//! of that kind, with rules that explain themselves and fingerprints that outlive an edit of the suite.
//!
//! Only what the server does wrong is here: access, auth, its tools themselves, and what clients make of them. How well a model worked
//! is no property of a line, and a scanner would keep it open for ever.

use std::collections::{BTreeMap, BTreeSet};

use super::fit::{Clients, Line};
use super::summary::{FindingLine, Place, Row, Summary};
use super::surface::SurfaceStamp;
use crate::drive::fit::Level as FitLevel;
use crate::gate::cells::State;
use crate::gate::explain;
use crate::ids::Digest;
use crate::surface::{Level as ToolLevel, lint};
use crate::transcript::CaseKind;

/// How grave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// A hole, or a must that is broken.
    Error,
    /// Something else that is wrong.
    Warning,
    /// Worth knowing, or known already.
    Note,
}

/// What a finding is an instance of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct AlertRule {
    /// Stable, such as `auth/D19`, `access/access_denied` or `surface/name_cut`.
    pub(super) id: String,
    /// What holds when it holds, or what is wrong when it is broken.
    pub(super) title: String,
    /// More about it: whose demand it is and what to change.
    pub(super) help: String,
    /// 0.0 to 10.0, as scanners rank security findings.
    pub(super) severity: &'static str,
    /// The level of its findings, unless they say otherwise.
    pub(super) level: Level,
}

/// One thing wrong.
#[derive(Clone, Debug)]
pub(super) struct Alert<'a> {
    /// The id of its [`AlertRule`].
    pub(super) rule: String,
    /// How grave.
    pub(super) level: Level,
    /// A sentence.
    pub(super) text: String,
    /// Where the suite asks for it.
    pub(super) place: &'a Place,
    /// The same in every run in which the same thing is wrong; no line numbers in it. 32 hexadecimal digits.
    pub(super) fingerprint: String,
    /// Case, persona and client in words, as far as it is about them.
    pub(super) who: String,
    /// Why it is known, where the suite says so.
    pub(super) known: Option<&'a str>,
}

/// Everything wrong, the gravest first, with the rules by id.
pub(super) struct Alerts<'a> {
    pub(super) rules: BTreeMap<String, AlertRule>,
    pub(super) all: Vec<Alert<'a>>,
}

/// What a check of access says when it fails: check, title, help.
const ACCESS: &[(&str, &str, &str)] = &[
    (
        "access_denied",
        "A persona is refused what it must not use",
        "Who may not use a tool, resource or prompt must be refused when it is used, whether a list shows it or not. \
         Check the right in the handler, not in the list.",
    ),
    (
        "access_hidden",
        "A persona does not see what it must not see",
        "Leave tools, resources and prompts that the persona may not use out of its lists.",
    ),
    (
        "access_visible",
        "A persona sees what it must see",
        "List the tools, resources and prompts that the persona may use.",
    ),
    ("access_allowed", "A persona may use what it must be able to use", "Let the persona's call through."),
    (
        "denied_as",
        "A denial has the form that the suite asks for",
        "Answer a denied use as the suite says, so that clients can tell it from a mistake.",
    ),
    (
        "access_others",
        "A persona sees nothing besides what the suite lists",
        "Leave out what the persona may not use, or list it in the suite.",
    ),
];

impl<'a> Alerts<'a> {
    /// Those of a run.
    pub(super) fn of(summary: &'a Summary) -> Self {
        let mut alerts = Self { rules: BTreeMap::new(), all: vec![] };
        for row in summary.cases.iter().filter(|row| row.kind_is != CaseKind::Use) {
            alerts.row(row, summary);
        }
        if let (Some(clients), Some(row)) = (&summary.clients, summary.cases.first()) {
            alerts.surface(clients, &row.origin, summary);
        }
        if let Some(stamp) = &summary.surface {
            alerts.tools(stamp, summary);
        }
        // Stable: equal levels stay in the order of the suite.
        alerts.all.sort_by_key(|alert| (alert.known.is_some(), alert.level));
        alerts
    }

    fn row(&mut self, row: &'a Row, summary: &Summary) {
        let known = row.expected_failure.as_deref().filter(|_| row.is == State::ExpectedFailure);
        let mut seen = BTreeSet::new();
        for trial in &row.trials {
            let failed = trial.findings.iter().filter(|finding| finding.grade == "fail");
            // In a trial that gave nothing, a missed expectation may only have been cut off.
            for finding in failed.filter(|finding| finding.weight == "info" || trial.outcome == Some("fail"))
            {
                let what = finding.subject.as_deref().unwrap_or(&finding.why);
                let parts = [&summary.suite, &row.id, &row.persona, &row.client, &finding.check, what];
                let fingerprint = Digest::of_json(&parts).to_string();
                if !seen.insert(fingerprint.clone()) {
                    continue;
                }
                let rule = rule(row, finding);
                let level = match finding.weight {
                    _ if known.is_some() => Level::Note,
                    "security" => Level::Error,
                    "info" => Level::Note,
                    _ => Level::Warning,
                };
                self.all.push(Alert {
                    rule: rule.id.clone(),
                    level,
                    text: finding.why.clone(),
                    place: &finding.origin,
                    fingerprint,
                    who: format!("{} as {} through {}", row.id, row.persona, row.client),
                    known,
                });
                let entry = self.rules.entry(rule.id.clone()).or_insert(rule);
                entry.level = entry.level.min(level);
            }
        }
    }

    /// What the clients of the suite make of the server.
    fn surface(&mut self, clients: &'a Clients, place: &'a Place, summary: &Summary) {
        for named in &clients.named {
            for Line { kind, level, about, items, count } in &named.misfits {
                let level = match level {
                    FitLevel::Warning => Level::Warning,
                    FitLevel::Note => Level::Note,
                };
                let rule = AlertRule {
                    id: format!("surface/{kind}"),
                    title: format!("A client gets what the server offers: {kind}"),
                    help: format!("{about}. `rehearsal tools` shows every client without a model."),
                    severity: "1.0",
                    level,
                };
                let first: Vec<String> = items.iter().take(3).map(super::fit::Group::text).collect();
                let more = if *count > 3 { format!(" and more, {count} in all") } else { String::new() };
                let parts = [&summary.suite, "surface", &named.client, kind];
                self.all.push(Alert {
                    rule: rule.id.clone(),
                    level,
                    text: format!("{about}: {}{more}", first.join("; ")),
                    place,
                    fingerprint: Digest::of_json(&parts).to_string(),
                    who: format!("surface through {}", named.client),
                    known: None,
                });
                self.rules.entry(rule.id.clone()).or_insert(rule);
            }
        }
    }
}

impl<'a> Alerts<'a> {
    /// What the suite demands of the tools themselves, and what the lint says of them.
    fn tools(&mut self, stamp: &'a SurfaceStamp, summary: &Summary) {
        for line in &stamp.findings {
            let Some(rule) = lint::find(&line.rule) else { continue };
            let (level, severity) = match rule.level {
                ToolLevel::Error => (Level::Error, "7.0"),
                ToolLevel::Warning => (Level::Warning, "3.0"),
                ToolLevel::Note => (Level::Note, "1.0"),
            };
            let rule = AlertRule {
                id: rule.id.to_owned(),
                title: rule.about.trim_end_matches('.').to_owned(),
                help: format!("{} {} Source: {}.", rule.why, rule.fix, rule.source),
                severity,
                level,
            };
            let tools = line.tools.join(", ");
            // What a text says may change with every release; where it stands does not.
            let parts = [&summary.suite, "surface", line.rule.as_str(), &tools, &line.at];
            if let Some(place) = &stamp.origin {
                let who = if tools.is_empty() { "the server".to_owned() } else { tools.clone() };
                self.demand(rule, (&line.text, place), who, &parts);
            }
        }
        for broken in stamp.broken.iter().filter(|broken| broken.code != "gate.surface-lint") {
            let rule = AlertRule {
                id: broken.code.clone(),
                title: "The tools are what the suite demands of them".to_owned(),
                help: explain(&broken.code).unwrap_or_default().to_owned(),
                severity: "3.0",
                level: Level::Error,
            };
            let parts = [&summary.suite, "surface", broken.code.as_str(), &broken.message];
            self.demand(rule, (&broken.message, &broken.origin), "the server".to_owned(), &parts);
        }
    }

    fn demand(&mut self, rule: AlertRule, (text, place): (&str, &'a Place), who: String, parts: &[&str]) {
        let fingerprint = Digest::of_json(&parts).to_string();
        // Two texts at one place are one finding for a scanner.
        if self.all.iter().any(|alert| alert.fingerprint == fingerprint) {
            return;
        }
        self.all.push(Alert {
            rule: rule.id.clone(),
            level: rule.level,
            text: text.to_owned(),
            place,
            fingerprint,
            who,
            known: None,
        });
        self.rules.entry(rule.id.clone()).or_insert(rule);
    }
}

fn rule(row: &Row, finding: &FindingLine) -> AlertRule {
    let severity = match finding.weight {
        "security" => "9.0",
        "info" => "2.0",
        _ => "5.0",
    };
    let plain = |id: &str, title: &str, help: &str| AlertRule {
        id: id.to_owned(),
        title: title.to_owned(),
        help: help.to_owned(),
        severity,
        level: Level::Note,
    };
    if let Some(rule) = &row.rule {
        let help = format!("{} ({}, {}).", rule.fix.trim_end_matches('.'), rule.level, rule.section);
        return plain(&row.id, rule.title, &help);
    }
    match ACCESS.iter().find(|(check, ..)| *check == finding.check) {
        Some((check, title, help)) => plain(&format!("access/{check}"), title, help),
        // Ids are ours alone: whatever else a suite checks there shares one.
        None => plain(
            &format!("{}/other", row.kind),
            "An expectation of the suite holds",
            "The suite says what is expected, at the line of the finding.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::checks::Check;

    #[test]
    fn every_check_of_access_has_a_rule() {
        let of_access = |name: &&&str| name.starts_with("access_") || **name == "denied_as";
        let names: Vec<&&str> = Check::NAMES.iter().filter(of_access).collect();
        assert!(names.len() > 4, "{names:?}");
        for name in names {
            assert!(ACCESS.iter().any(|(check, ..)| check == name), "{name}");
        }
    }
}
