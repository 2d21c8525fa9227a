//! One page with everything: verdict, cases, access, cost, and every transcript that fits. One file without requests, for
//! a browser that opens it from disk.
//!
//! Words of others reach the page only as text: here through `markup::Html`, in the browser through `textContent`. A
//! content policy with the digests of the one style sheet and the one script forbids everything else, so that even
//! markup that got in would neither run nor load anything. Transcripts stand in inert blocks and are inflated when looked
//! at.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

mod against;
mod changes;
mod embed;
mod index;
mod markup;
mod matrix;
mod measures;
mod rest;
mod scorecard;
pub mod served;
mod shown;
mod studies;
mod surface;
mod top;
mod words;

pub use self::embed::Limits;

use self::changes::Changes;
use self::embed::{Embedded, packed};
use self::index::Index;
use self::markup::Html;
use self::scorecard::Scorecard;
use self::served::Served;
use super::{Archive, ReportError, Summary};

/// The one style sheet.
const STYLE: &str = include_str!("report.css");
/// The parts of the script, and those named after them.
macro_rules! script {
    ($($more:literal),*) => {
        concat!(
            "\"use strict\";\n(() => {\n",
            include_str!("read.js"),
            include_str!("look.js"),
            include_str!("diff.js"),
            include_str!("trial.js"),
            include_str!("cases.js"),
            include_str!("report.js"),
            $(include_str!($more),)*
            "})();\n"
        )
    };
}
pub(crate) use script;

/// The one script.
const SCRIPT: &str = script!();

/// Sections that may stand on the page, with their names in the navigation.
const SECTIONS: &[(&str, &str)] = &[
    ("baseline", "Baseline"),
    ("attention", "Attention"),
    ("causes", "Causes"),
    ("changes", "Changes"),
    ("rates", "Rates"),
    ("access", "Access"),
    ("auth", "Authorization"),
    ("cases", "Cases"),
    ("tools", "Tools"),
    ("surface", "Surface"),
    ("clients", "Clients"),
    ("reliability", "Reliability"),
    ("confusion", "Wanted and called"),
    ("health", "Suite"),
    ("quiet", "Nights"),
    ("cost", "Cost"),
    ("trend", "Trend"),
    ("provenance", "Provenance"),
];

/// The page, with as many transcripts as fit.
pub fn render(summary: &Summary, archive: &dyn Archive, out: &mut dyn Write) -> Result<(), ReportError> {
    render_within(summary, archive, Limits::default(), out)
}

/// The same within other limits.
pub fn render_within(
    summary: &Summary,
    archive: &dyn Archive,
    limits: Limits,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let changes = Changes::of(archive.before());
    let mut scorecard = Scorecard::of(summary);
    let embedded = embed::embed(summary, archive, changes.as_ref(), &mut scorecard, limits)?;
    let page = Page { summary, embedded: &embedded, changes: changes.as_ref(), served: None };
    page.write(archive, scorecard, out).map(drop)
}

/// What a page is made of.
struct Page<'a> {
    summary: &'a Summary,
    embedded: &'a Embedded,
    changes: Option<&'a Changes>,
    /// Who serves the page; `None`: it is a file.
    served: Option<&'a Served>,
}

impl Page<'_> {
    /// Writes the page; its index as JSON.
    fn write(
        &self,
        archive: &dyn Archive,
        scorecard: Scorecard,
        out: &mut dyn Write,
    ) -> Result<Vec<u8>, ReportError> {
        let Self { summary, embedded, changes, served } = *self;
        let body = self.body(|html| {
            surface::surface(summary, html);
            rest::clients(summary, html);
            scorecard.section(html);
            measures::reliability(summary, html);
            measures::tools(summary, html);
            measures::health(summary, html);
            studies::nights(summary, html);
            rest::cost(summary, html);
            rest::trend(&archive.past(), summary, html);
        });
        let script = if served.is_some() { served::SCRIPT } else { SCRIPT };
        let title = format!("{} {} · rehearsal", summary.suite, summary.verdict);
        let policy = policy(STYLE, script, if served.is_some() { served::CONNECT } else { "" });
        out.write_all(head(&title, &policy, STYLE).as_bytes())?;
        out.write_all(body.as_bytes())?;
        let index = Index::of(summary, embedded, changes).served(served);
        let index = serde_json::to_vec(&index).map_err(|error| embed::unwritable(&error))?;
        block(out, "index", &packed(&index)?)?;
        for (number, text) in embedded.blocks.iter().enumerate() {
            block(out, &format!("b{number}"), text)?;
        }
        let mut html = Html::default();
        html.tag("script", &[], |html| html.constant(script));
        html.line();
        html.constant("</body>\n</html>\n");
        out.write_all(html.finish().as_bytes())?;
        Ok(index)
    }

    fn body(&self, below: impl FnOnce(&mut Html)) -> String {
        let Self { summary, embedded, changes, served } = *self;
        let mut main = Html::default();
        match served.filter(|served| served.running) {
            Some(_) => served::running(summary, &mut main),
            None => top::verdict(summary, &mut main),
        }
        top::tiles(summary, &mut main);
        against::section(summary, &mut main);
        top::attention(summary, served.is_some_and(|served| served.running), &mut main);
        studies::causes(summary, &mut main);
        if let Some(changes) = changes {
            changes.section(summary, &mut main);
        }
        top::rates(summary, &mut main);
        matrix::matrix(summary, &mut main);
        matrix::checks(summary, &mut main);
        main.section("cases", "Cases", |html| {
            html.constant("<noscript><p>The table of cases and the transcripts need scripts.</p></noscript>");
        });
        below(&mut main);
        rest::provenance(summary, embedded, &mut main);
        let main = main.finish();

        let mut html = Html::default();
        html.constant("<body>\n<a class=\"skip\" href=\"#cases\">Skip to the cases</a>\n");
        html.tag("header", &[], |html| {
            html.tag("h1", &[], |html| {
                html.leaf("span", &[("class", "brand")], "rehearsal");
                html.text(" ");
                html.text(&summary.suite);
            });
            html.leaf("p", &[("class", "dim")], &format!("{} · {}", summary.started, summary.target));
            html.tag("nav", &[("aria-label", "Sections")], |html| {
                if let Some(served) = served {
                    html.leaf("a", &[("href", &served.back)], "← All runs");
                    html.text(" ");
                }
                for (id, name) in SECTIONS {
                    if main.contains(&format!("<section id=\"{id}\">")) {
                        html.leaf("a", &[("href", &format!("#{id}"))], name);
                        html.text(" ");
                    }
                }
            });
            if served.is_some_and(|served| served.running) {
                html.tag("p", &[("id", "live"), ("role", "status")], |_| {});
            }
            html.tag("div", &[("id", "controls")], |_| {});
        });
        html.line();
        html.constant("<main id=\"overview\" tabindex=\"-1\">\n");
        let mut text = html.finish();
        text.push_str(&main);
        text.push_str("</main>\n<main id=\"trial\" hidden tabindex=\"-1\" aria-label=\"Case\"></main>\n");
        text
    }
}

/// A block of data that no browser runs. Base64 has no character that could end it.
fn block(out: &mut dyn Write, id: &str, base64: &str) -> Result<(), ReportError> {
    let mut html = Html::default();
    html.open("script", &[("type", "application/octet-stream;base64"), ("id", id)]);
    out.write_all(html.finish().as_bytes())?;
    out.write_all(base64.as_bytes())?;
    Ok(out.write_all(b"</script>\n")?)
}

/// Nothing is loaded, nothing runs but the one script, nothing is styled but by the one sheet, no text becomes code.
/// `more` is what a served page may besides.
fn policy(style: &str, script: &str, more: &str) -> String {
    let digest = |text: &str| STANDARD.encode(Sha256::digest(text.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'; \
         {more}require-trusted-types-for 'script'; trusted-types 'none'",
        digest(style),
        digest(script)
    )
}

fn head(title: &str, policy: &str, style: &'static str) -> String {
    let mut html = Html::default();
    html.constant("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.open("meta", &[("http-equiv", "Content-Security-Policy"), ("content", policy)]);
    html.line();
    html.constant("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.constant("<meta name=\"referrer\" content=\"no-referrer\">\n");
    html.constant("<meta name=\"color-scheme\" content=\"light dark\">\n");
    html.leaf("title", &[], title);
    html.line();
    html.tag("style", &[], |html| html.constant(style));
    html.line();
    html.constant("</head>\n");
    html.finish()
}
