//! The same page when a server hands it out: transcripts are fetched one by one when they are looked at, so that a run of
//! any size is a small page, and a run in progress is followed.

use std::collections::HashMap;

use super::changes::Changes;
use super::embed::{Embedded, Place, deflated, order, unwritable};
use super::markup::Html;
use super::scorecard::Scorecard;
use super::shown::ShownTrial;
use super::{Page, STYLE, head, policy};
use crate::ids::CaseKey;
use crate::report::archive::{Archive, Kept};
use crate::report::{ReportError, Summary, figures};

/// The script of a page that is served.
pub(super) const SCRIPT: &str = super::script!("live.js");
/// The style sheet.
pub const SHEET: &str = STYLE;
/// What a served page may that a file may not: ask its own server.
pub(super) const CONNECT: &str = "connect-src 'self'; ";
/// Most transcripts that are looked at for times, errors and sizes of tools.
const LOOKED_AT: usize = 300;

/// How a page is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// Where it asks for transcripts and news, relative to its own address, without a slash at the end.
    pub api: String,
    /// Where the list of runs is, likewise.
    pub back: String,
    /// The run goes on.
    pub running: bool,
}

/// A page, and what its server needs to answer it.
#[derive(Clone, Debug, Default)]
pub struct Laid {
    /// The page.
    pub page: Vec<u8>,
    /// The index of its cases alone: raw deflate of JSON, for a page that follows a run.
    pub index: Vec<u8>,
    /// The run before this one.
    pub before: Option<String>,
    /// For trials that went another way in the run before: the trial there.
    pub beside: HashMap<CaseKey, CaseKey>,
}

/// The page of a run without its transcripts.
///
/// # Errors
/// Only those of rendering.
pub fn lay(summary: &Summary, archive: &dyn Archive, served: &Served) -> Result<Laid, ReportError> {
    let changes = Changes::of(archive.before());
    let mut scorecard = Scorecard::of(summary).served();
    for (_, at, number) in order(summary).into_iter().take(LOOKED_AT) {
        if let Some(kept) = archive.trial(summary.cases[at].trials[number].key) {
            scorecard.absorb(&kept.transcript);
        }
    }
    let places = summary.cases.iter().map(|row| row.trials.iter().map(|t| Some(Place::Key(t.key))).collect());
    let embedded = Embedded { places: places.collect(), served: true, ..Embedded::default() };
    let mut laid =
        Laid { before: changes.as_ref().map(|changes| changes.run().to_owned()), ..Laid::default() };
    if let Some(changes) = &changes {
        let trials = summary.cases.iter().flat_map(|row| row.trials.iter().map(move |trial| (row, trial)));
        let beside = trials.filter_map(|(row, trial)| {
            Some((trial.key, changes.other_way(row, trial.trial, trial.outcome)?))
        });
        laid.beside = beside.collect();
    }
    let page = Page { summary, embedded: &embedded, changes: changes.as_ref(), served: Some(served) };
    let index = page.write(archive, scorecard, &mut laid.page)?;
    laid.index = deflated(&index)?;
    Ok(laid)
}

/// A trial as the viewer of transcripts takes it, as JSON; `before` is its like in the run of that name.
///
/// # Errors
/// Only those of rendering.
pub fn trial(kept: &Kept, before: Option<(&str, &Kept)>) -> Result<Vec<u8>, ReportError> {
    let mut shown = ShownTrial::of(kept);
    shown.before =
        before.map(|(run, kept)| Box::new(ShownTrial { run: Some(run.to_owned()), ..ShownTrial::of(kept) }));
    serde_json::to_vec(&shown).map_err(|error| unwritable(&error))
}

/// Whether all words stand in a transcript as it is shown. The words are in lower case.
pub fn says(kept: &Kept, words: &[String]) -> bool {
    let mut text = String::new();
    for card in ShownTrial::of(kept).events {
        text.push_str(&card.title.to_lowercase());
        for part in card.parts {
            text.push('\n');
            text.push_str(&part.text.to_lowercase());
        }
        text.push('\n');
    }
    words.iter().all(|word| text.contains(word))
}

/// The content policy of a page as a header of HTTP: that of the page itself, and no frame around it.
pub fn header(style: &str, script: &str) -> String {
    format!("{}; frame-ancestors 'none'", policy(style, script, CONNECT))
}

/// The content policy of the page of a run as a header.
pub fn run_header() -> String {
    header(STYLE, SCRIPT)
}

/// A page of this program with nothing in it but what its script puts there. `body` is markup of this program.
pub fn shell(
    title: &'static str,
    style: &'static str,
    (script, body): (&'static str, &'static str),
) -> String {
    let mut text = head(title, &policy(style, script, CONNECT), style);
    let mut html = Html::default();
    html.constant("<body>\n");
    html.constant(body);
    html.tag("script", &[], |html| html.constant(script));
    html.constant("\n</body>\n</html>\n");
    text.push_str(&html.finish());
    text
}

/// A page that says why there is no other.
pub fn message(title: &str, lines: &[&str], back: &str) -> String {
    let mut text = head(title, &policy(STYLE, "", ""), STYLE);
    let mut html = Html::default();
    html.constant("<body>\n<header>");
    html.leaf("h1", &[], title);
    html.constant("</header>\n<main>");
    for line in lines {
        html.leaf("p", &[], &crate::display::safe_line(line));
    }
    html.tag("p", &[], |html| html.leaf("a", &[("href", back)], "All runs"));
    html.constant("</main>\n</body>\n</html>\n");
    text.push_str(&html.finish());
    text
}

/// What stands in the place of the verdict while the run goes on.
pub(super) fn running(summary: &Summary, html: &mut Html) {
    html.tag("section", &[("id", "verdict"), ("class", "running"), ("aria-label", "Verdict")], |html| {
        html.tag("p", &[("class", "word")], |html| {
            html.leaf("span", &[("aria-hidden", "true"), ("class", "mark")], "▶");
            html.leaf("strong", &[], "Running");
        });
        html.leaf("p", &[("class", "totals")], &figures::totals(&summary.totals));
        let text = "No verdict before the end. What stands below is of the trials that had ended when this page was \
                    loaded; the table of cases follows the run.";
        html.leaf("p", &[], text);
    });
    html.line();
}
