//! K02: without its credential a server starts and answers, or ends and says in a line what to set.

use futures::future::BoxFuture;

use super::part::{Opened, Part, part};
use crate::auth::bench::{Bench, noted};
use crate::auth::checks::Seen;
use crate::display::excerpt;
use crate::transcript::{Fault, Transcript};

/// More lines than this are no line; package runners add some of their own.
const LINES: usize = 5;

/// Words of a line that says what to do.
const TELLING: [&str; 11] = [
    "environment",
    "variable",
    "token",
    "key",
    "credential",
    "secret",
    "password",
    "login",
    "log in",
    "auth",
    "env",
];

/// In the record where the suite says that listing needs no credential.
const MUST_LIST: &str = "must list without a credential";
const VARIABLES: &str = "the variables are ";

pub(super) fn probe(bench: &Bench) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        if let Some(figure) = bench.control() {
            let names: Vec<String> = Bench::credentials(figure).into_iter().map(|(name, _)| name).collect();
            bench.say("suite", &format!("{VARIABLES}{}", names.join(" ")));
            if let Some(seat) = bench.open("control", Some(figure)).await? {
                bench.list(&seat).await;
                bench.leave(seat).await;
            }
        }
        if bench.facts().lists_without_credential {
            bench.say("suite", MUST_LIST);
        }
        if let Some(seat) = bench.open("nobody", None).await? {
            bench.list(&seat).await;
            bench.leave(seat).await;
        }
        Ok(())
    })
}

pub(super) fn said(transcript: &Transcript) -> Seen {
    let Some(nobody) = part(transcript, "nobody") else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let control = part(transcript, "control");
    if let Some(control) = control.as_ref().filter(|control| control.opened == nobody.opened)
        && nobody.opened != Opened::Ready
    {
        let why = super::part::closed(control, "the persona").unwrap_or_default();
        return Seen::Inconclusive(format!("with the credential it is the same, {why}"));
    }
    let suite = |wanted: &str| {
        let said = transcript.events.iter().filter_map(|event| noted(event)?.strip_prefix("suite: "));
        said.filter_map(|said| said.strip_prefix(wanted)).next()
    };
    let must_list = suite(MUST_LIST).is_some();
    match (&nobody.opened, nobody.listed()) {
        (Opened::Ready, Some((count, seq))) => {
            Seen::Holds(format!("it starts without a credential and lists {count} tools"), vec![seq])
        }
        _ if must_list => {
            let why = super::part::closed(&nobody, "nobody");
            let why = why.unwrap_or_else(|| nobody.no_list.unwrap_or("no list came").to_owned());
            Seen::Broken(format!("`tools/list` must work without a credential; {why}"), nobody.evidence())
        }
        (Opened::Ready, None) => match nobody.no_list {
            Some(why) if why.contains("silent") || why.contains("no answer") => {
                Seen::Broken("it starts without a credential and then hangs".to_owned(), nobody.evidence())
            }
            why => {
                let why = excerpt(why.unwrap_or("no list came"), 120);
                Seen::Holds(format!("it starts without a credential and answers: {why}"), nobody.evidence())
            }
        },
        (Opened::Refused(why), _) => Seen::Holds(
            format!("it starts without a credential and answers: {}", excerpt(why, 120)),
            nobody.evidence(),
        ),
        (Opened::Silent, _) if control.is_none() => {
            let text = "it gives no answer, and no persona with a credential shows whether it would have one";
            Seen::Inconclusive(text.to_owned())
        }
        (Opened::Silent, _) => {
            Seen::Broken("without a credential it hangs and says nothing".to_owned(), nobody.evidence())
        }
        (Opened::Ended(_), _) => last_words(&nobody, suite(VARIABLES).unwrap_or_default()),
    }
}

/// What a server that ended has left behind.
fn last_words(nobody: &Part<'_>, variables: &str) -> Seen {
    let text = nobody.stderr();
    // A server that was started once for each revision says it twice.
    let mut lines: Vec<&str> = vec![];
    for line in text.lines().map(str::trim_end).filter(|line| !line.trim().is_empty()) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let evidence = nobody.evidence();
    if lines.is_empty() {
        return Seen::Broken("without a credential it ends and says nothing on stderr".to_owned(), evidence);
    }
    if let Some(line) = lines.iter().find(|line| is_trace(line)) {
        let text =
            format!("without a credential it ends with a stack trace: {}", excerpt(line.trim_start(), 120));
        return Seen::Broken(text, evidence);
    }
    if lines.len() > LINES {
        let text = format!("without a credential it ends with {} lines on stderr, not one", lines.len());
        return Seen::Broken(text, evidence);
    }
    match lines.iter().find(|line| is_telling(line, variables)) {
        Some(line) => Seen::Holds(format!("it ends and says: {}", excerpt(line, 160)), evidence),
        None => {
            let said = excerpt(lines.first().copied().unwrap_or_default(), 120);
            Seen::Broken(format!("it ends and does not say what is missing: {said}"), evidence)
        }
    }
}

/// Whether a line says what to set or do.
fn is_telling(line: &str, variables: &str) -> bool {
    let small = line.to_lowercase();
    variables.split(' ').any(|name| !name.is_empty() && line.contains(name))
        || TELLING.iter().any(|word| small.contains(word))
}

/// Whether a line belongs to a stack trace of a common language.
fn is_trace(line: &str) -> bool {
    let line = line.trim_start();
    let numbered = |text: &str| {
        text.trim_end_matches(')')
            .rsplit(':')
            .next()
            .is_some_and(|last| !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
    };
    line.starts_with("Traceback (most recent call last)")
        || line.starts_with("stack backtrace:")
        || (line.starts_with("goroutine ") && line.ends_with("]:"))
        || (line.starts_with("thread '") && line.contains("panicked at"))
        || (line.starts_with("File \"") && line.contains("\", line "))
        || line.strip_prefix("at ").is_some_and(|rest| numbered(rest) || rest.contains("node:internal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_told_from_sentences() {
        for line in [
            "Traceback (most recent call last):",
            "    at main (/srv/index.js:10:5)",
            "  File \"/srv/main.py\", line 3, in <module>",
            "thread 'main' panicked at src/main.rs:3:5:",
            "goroutine 1 [running]:",
        ] {
            assert!(is_trace(line), "{line}");
        }
        for line in
            ["Error: set API_KEY and try again at once", "at least one of A and B must be set: see README"]
        {
            assert!(!is_trace(line), "{line}");
        }
    }

    #[test]
    fn a_telling_line_names_what_is_missing() {
        assert!(is_telling("SHOP_ID is not set", "SHOP_ID REHEARSAL_TOKEN"));
        assert!(is_telling("Please set the environment variable", ""));
        assert!(!is_telling("fatal: cannot continue", "SHOP_ID"));
        assert!(!is_telling("SHOP is closed", ""));
    }
}
