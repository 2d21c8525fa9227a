//! The auth battery as texts: one check for `rehearsal explain`, all of them for the documentation.

use crate::auth::checks::{self, AuthCheck, Eras, Level};

/// What is to be known of an auth check, by its id in any case; `None` if there is none of that name.
pub fn auth_check(id: &str) -> Option<String> {
    let check = checks::TABLE.iter().find(|check| check.id.eq_ignore_ascii_case(id.trim()))?;
    let force = match check.level {
        Level::Must => "a MUST of the specification; a server that breaks it fails the run (exit 6)",
        Level::Rfc => {
            "a MUST of an RFC that the specification builds on; a server that breaks it fails the run (exit 6)"
        }
        Level::Should => "a SHOULD; reported, and no reason to fail",
        Level::Hygiene => "good practice without normative force; reported, and no reason to fail",
    };
    let lines = [
        ("level", format!("{}: {force}", check.level.as_str())),
        ("section", format!("{}, since {}", check.section, check.since)),
        ("runs", runs(check).to_owned()),
        ("needs", needs(check)),
        ("fix", check.fix.to_owned()),
    ];
    let lines: Vec<String> = lines.iter().map(|(name, text)| format!("  {name:<8} {text}")).collect();
    Some(format!("{}: {}\n{}", check.id, check.title, lines.join("\n")))
}

/// Every check as a Markdown table, in the order of the checklist.
pub fn auth_table() -> String {
    let mut text = String::from(
        "| id | what holds | level | since | section | spoof | needs |\n|---|---|---|---|---|---|---|\n",
    );
    for check in checks::TABLE {
        let cells = [check.id, check.title, check.level.as_str(), check.since, check.section, spoof(check)];
        text.push_str(&format!("| {} | {} |\n", cells.join(" | "), needs(check)));
    }
    text
}

fn runs(check: &AuthCheck) -> &'static str {
    match check.eras {
        Eras::Once => "once",
        Eras::Each => "in every era of the protocol that the target speaks",
        Eras::Legacy => "with sessions (up to 2025-11-25)",
        Eras::Modern => "without sessions (since 2026-07-28)",
    }
}

fn needs(check: &AuthCheck) -> String {
    let needs: Vec<String> = check.needs.iter().map(ToString::to_string).collect();
    if needs.is_empty() { "nothing".to_owned() } else { needs.join("; ") }
}

/// The strongest mode of spoofing among the needs.
fn spoof(check: &AuthCheck) -> &'static str {
    let rank = |mode: &&str| ["-", "any", "P2", "M1", "M3", "M6"].iter().position(|known| known == mode);
    check.needs.iter().map(|need| need.spoof()).max_by_key(rank).unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_explained_by_its_id_in_any_case() {
        insta::assert_snapshot!(auth_check("d19").unwrap());
        assert_eq!(auth_check("d19"), auth_check(" D19 "));
        assert_eq!(auth_check("Z99"), None);
    }

    #[test]
    fn every_check_has_a_row() {
        let table = auth_table();
        for check in checks::TABLE {
            assert!(table.contains(&format!("\n| {} | {} |", check.id, check.title)), "{}", check.id);
        }
        assert_eq!(table.lines().count(), checks::TABLE.len() + 2);
    }
}
