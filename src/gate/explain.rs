//! The long texts of `rehearsal explain`: every exit code and every stable code of a diagnostic, fault or reason.

use super::exit::Exit;
use crate::surface;

mod auth_checks;
mod baseline_codes;
mod gate_codes;
mod import_codes;
mod run_codes;
mod suite_codes;

pub use auth_checks::{auth_check, auth_table};

/// A code with its long text.
pub(super) type Entry = (&'static str, &'static str);

/// The long text of a code: an exit code by number (`6`) or name (`security`), or a stable dotted code
/// (`target.unreachable`). A dotted code without a text of its own takes that of its family (`run.interrupted.sigint`
/// that of `run.interrupted`).
pub fn explain(code: &str) -> Option<&'static str> {
    let code = code.trim();
    let exit = Exit::BY_PRECEDENCE.into_iter().find(|exit| {
        exit.code().to_string() == code || exit.name() == code || exit.name().replace(' ', "-") == code
    });
    if let Some(exit) = exit {
        return Some(exit.about());
    }
    let mut wanted = code;
    loop {
        if let Some((_, text)) = entries().find(|(known, _)| *known == wanted) {
            return Some(text);
        }
        if wanted == "bug" {
            return Some(Exit::Bug.about());
        }
        (wanted, _) = wanted.rsplit_once('.')?;
    }
}

/// Every dotted code with a text, sorted within its table.
pub fn codes() -> impl Iterator<Item = &'static str> + Clone {
    entries().map(|(code, _)| code)
}

fn entries() -> impl Iterator<Item = Entry> + Clone {
    let tables = [
        run_codes::ENTRIES,
        suite_codes::ENTRIES,
        baseline_codes::ENTRIES,
        gate_codes::ENTRIES,
        import_codes::ENTRIES,
    ];
    let rules = surface::lint::RULES.iter().map(|rule| (rule.id, rule.explain));
    tables.into_iter().flatten().copied().chain(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_explained_by_number_and_name() {
        for exit in Exit::BY_PRECEDENCE {
            assert_eq!(explain(&exit.code().to_string()), Some(exit.about()));
            assert!(explain(exit.name()).is_some());
        }
        assert_eq!(explain("local-io"), Some(Exit::LocalIo.about()));
    }

    #[test]
    fn codes_are_unique_dotted_and_say_what_to_do() {
        let mut seen = std::collections::BTreeSet::new();
        for (code, text) in entries() {
            assert!(seen.insert(code), "{code} twice");
            assert!(code.contains('.'), "{code}");
            assert!(
                code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-'),
                "{code}"
            );
            assert!(text.len() > 80 && text.ends_with('.'), "{code}: {text}");
        }
    }

    #[test]
    fn a_longer_code_takes_the_text_of_its_family() {
        assert_eq!(explain("run.interrupted.sigint"), explain("run.interrupted"));
        assert_eq!(explain("bug.panic"), Some(Exit::Bug.about()));
        assert_eq!(explain("nonsense"), None);
        assert_eq!(explain("suite.nonsense"), None);
    }
}
