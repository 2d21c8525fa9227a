//! The pages that are the same for everybody: the list of runs and the comparison of two. Scripts fill them.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::report::html::served;

/// The style sheet of both.
const STYLE: &str = concat!(include_str!("../report/html/report.css"), include_str!("view.css"));

/// The script of the list.
const RUNS: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("../report/html/read.js"),
    include_str!("../report/html/look.js"),
    include_str!("runs.js"),
    "})();\n"
);

/// The script of a comparison.
const COMPARE: &str = concat!(
    "\"use strict\";\n(() => {\n",
    include_str!("../report/html/read.js"),
    include_str!("../report/html/look.js"),
    include_str!("../report/html/diff.js"),
    include_str!("../report/html/trial.js"),
    include_str!("compare.js"),
    "})();\n"
);

/// The header and the one part that scripts fill.
const BODY: &str = "<header><h1 id=\"title\"><span class=\"brand\">rehearsal</span> runs</h1><p id=\"place\" class=\"dim\"></p>\
<div id=\"controls\"></div></header>\n<main id=\"main\" tabindex=\"-1\"><noscript><p>This page needs scripts.</p></noscript></main>\n";

static RUNS_PAGE: LazyLock<String> = LazyLock::new(|| served::shell("Runs · rehearsal", STYLE, (RUNS, BODY)));
static COMPARE_PAGE: LazyLock<String> =
    LazyLock::new(|| served::shell("Two runs · rehearsal", STYLE, (COMPARE, BODY)));

/// The list of runs.
pub(super) async fn runs() -> Response {
    page(&RUNS_PAGE, RUNS)
}

/// Two runs compared.
pub(super) async fn compare() -> Response {
    page(&COMPARE_PAGE, COMPARE)
}

fn page(text: &'static str, script: &str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, served::header(STYLE, script)),
    ];
    (headers, text).into_response()
}
