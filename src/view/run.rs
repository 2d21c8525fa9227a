//! One run: its page, its numbers now, its trials, and a search through them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Refused;
use super::kitchen::Kitchen;
use super::rows;
use crate::display::{excerpt, safe_line};
use crate::ids::{CaseKey, ModelName};
use crate::report::html::served;
use crate::store::Reader;
use crate::store::history::Counts;

/// How long one request may search.
const SEARCH: Duration = Duration::from_millis(500);
/// Most trials that one request looks through, and how many are looked through before the next look at the clock.
const KEYS: usize = 8192;
const PART: usize = 64;
/// Most words of a search.
const WORDS: usize = 16;

/// What every handler is given.
pub(super) type Shared = State<Arc<Kitchen>>;

/// An answer in words, for scripts that show them.
pub(super) fn refused(refused: &Refused) -> Response {
    let hint = refused.hint.as_deref().map(|hint| format!(" ({})", safe_line(hint))).unwrap_or_default();
    let text = format!("{}: {}{hint}\n", safe_line(&refused.code), safe_line(&refused.message));
    (status(refused), text).into_response()
}

fn status(refused: &Refused) -> StatusCode {
    match refused.code.as_str() {
        "store.missing" | "store.unknown-run" => StatusCode::NOT_FOUND,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// No run has this name.
pub(super) fn no_run() -> Refused {
    Refused {
        code: "store.unknown-run".to_owned(),
        message: "there is no such run here, or no longer".to_owned(),
        hint: Some("go back to the list of runs".to_owned()),
    }
}

/// Something of ours broke.
pub(super) fn broke() -> Refused {
    let message = "the viewer broke over this run; its file is untouched".to_owned();
    Refused { code: "bug.view".to_owned(), message, hint: None }
}

/// Finds the file of a run and does something long with it.
pub(super) async fn with<T: Send + 'static>(
    kitchen: &Arc<Kitchen>,
    id: String,
    work: impl FnOnce(&Kitchen, PathBuf) -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    let found = move |kitchen: &Kitchen| work(kitchen, kitchen.rows.file(&id).ok_or_else(no_run)?);
    kitchen.long(found).await.unwrap_or_else(|| Err(broke()))
}

/// The page of a run.
pub(super) async fn page(State(kitchen): Shared, Path(id): Path<String>) -> Response {
    let html = |policy: String| {
        [
            (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
            (header::CONTENT_SECURITY_POLICY, policy),
        ]
    };
    match with(&kitchen, id, |kitchen, file| kitchen.page(&file)).await {
        Ok(laid) => (html(served::run_header()), laid.page.clone()).into_response(),
        Err(why) => {
            let lines = [why.message.as_str(), why.hint.as_deref().unwrap_or_default(), why.code.as_str()];
            let page = served::message("This run cannot be shown", &lines, "../");
            (status(&why), html(served::header(served::SHEET, "")), page).into_response()
        }
    }
}

/// The cases of a run as they are now: raw deflate of JSON. Nothing where they are what the page has already.
pub(super) async fn index(State(kitchen): Shared, Path(id): Path<String>, headers: HeaderMap) -> Response {
    match with(&kitchen, id, |kitchen, file| kitchen.tagged(&file)).await {
        Ok((laid, tag)) => {
            let body = || ([(header::CONTENT_TYPE, "application/octet-stream")], laid.index.clone());
            unless_known(&tag, &headers, body)
        }
        Err(why) => refused(&why),
    }
}

/// An answer with its tag, or only that it is known.
pub(super) fn unless_known<T: IntoResponse>(
    tag: &str,
    headers: &HeaderMap,
    body: impl FnOnce() -> T,
) -> Response {
    let tag = format!("\"{tag}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    match known {
        true => (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response(),
        false => ([(header::ETAG, tag)], body()).into_response(),
    }
}

/// A run in a few numbers.
#[derive(Serialize)]
struct Now {
    state: &'static str,
    exit: Option<u8>,
    planned: u64,
    counts: Counts,
    /// Changes when anything of these has; the index has the same as its `ETag`.
    tag: String,
}

/// The numbers of a run now.
pub(super) async fn now(State(kitchen): Shared, Path(id): Path<String>) -> Response {
    let read = move |kitchen: &Kitchen| {
        let file = kitchen.rows.file(&id).ok_or_else(no_run)?;
        let info = kitchen.info(&file)?;
        let (state, exit) = rows::state(&info);
        Ok(Now { state, exit, planned: info.planned, counts: info.counts, tag: rows::tag(&info) })
    };
    match kitchen.brief(read).await.unwrap_or_else(|| Err(broke())) {
        Ok(now) => Json(now).into_response(),
        Err(why) => refused(&why),
    }
}

/// A trial.
pub(super) async fn trial(State(kitchen): Shared, Path((id, key)): Path<(String, String)>) -> Response {
    let Ok(key) = key.parse() else {
        return (StatusCode::NOT_FOUND, "there is no such trial\n").into_response();
    };
    let read = move |kitchen: &Kitchen| Some(kitchen.trial(&kitchen.rows.file(&id)?, key));
    match kitchen.brief(read).await {
        Some(Some(Some(json))) => ([(header::CONTENT_TYPE, "application/json")], json).into_response(),
        Some(Some(None)) => {
            (StatusCode::NOT_FOUND, "this trial has no transcript that can be read\n").into_response()
        }
        Some(None) => refused(&no_run()),
        None => refused(&broke()),
    }
}

/// A trial in a list.
#[derive(Serialize)]
struct Ended {
    n: u32,
    o: &'static str,
    model: String,
    persona: String,
    client: String,
    at: String,
}

/// Which case is asked for.
#[derive(Deserialize)]
pub(super) struct Asked {
    case: String,
}

/// The trials of a case that have ended.
pub(super) async fn case(
    State(kitchen): Shared,
    Path(id): Path<String>,
    Query(Asked { case }): Query<Asked>,
) -> Response {
    let read = move |_: &Kitchen, file: PathBuf| {
        let own = Reader::open(&file)?.ended_of(|name| excerpt(name.as_str(), 200) == case)?;
        let ended = own.into_iter().map(|(header, outcome)| Ended {
            n: header.trial,
            o: outcome.map_or("none", |outcome| outcome.as_str()),
            model: excerpt(header.model.as_ref().map_or("", ModelName::as_str), 200),
            persona: excerpt(header.persona.as_str(), 200),
            client: excerpt(header.client.as_str(), 200),
            at: header.key.to_string(),
        });
        Ok(ended.collect::<Vec<_>>())
    };
    match with(&kitchen, id, read).await {
        Ok(ended) => Json(ended).into_response(),
        Err(why) => refused(&why),
    }
}

/// What is searched for, and from which trial on.
#[derive(Deserialize)]
pub(super) struct Sought {
    q: String,
    #[serde(default)]
    from: usize,
}

/// What a part of a search found.
#[derive(Serialize)]
struct Found {
    /// Keys of trials.
    found: Vec<String>,
    /// Where to go on; `None`: that was all.
    next: Option<usize>,
    of: u64,
}

/// Looks through transcripts for words, as many as there is time for.
pub(super) async fn search(
    State(kitchen): Shared,
    Path(id): Path<String>,
    Query(Sought { q, from }): Query<Sought>,
) -> Response {
    let words: Vec<String> = q.to_lowercase().split_whitespace().take(WORDS).map(str::to_owned).collect();
    let read = move |kitchen: &Kitchen, file: PathBuf| {
        let of = kitchen.info(&file)?.counts.ended();
        let keys = Reader::open(&file)?.ended_keys(from, KEYS)?;
        let says = |key: &CaseKey| kitchen.kept(&file, *key).is_some_and(|kept| served::says(&kept, &words));
        let (mut found, mut done) = (vec![], 0);
        let begun = kitchen.now();
        for part in keys.chunks(PART) {
            // One part at least, so that every request gets on.
            if done > 0 && kitchen.now().saturating_sub(begun) > SEARCH {
                break;
            }
            let here = part.par_iter().flatten().filter(|key| says(key));
            found.extend(here.map(ToString::to_string).collect::<Vec<_>>());
            done += part.len();
        }
        let more = done < keys.len() || keys.len() == KEYS;
        Ok(Found { found, next: more.then_some(from + done), of })
    };
    match with(&kitchen, id, read).await {
        Ok(found) => Json(found).into_response(),
        Err(why) => refused(&why),
    }
}
