//! Two runs side by side: what `compare` says of them, and the cases that went another way.

use std::collections::BTreeMap;
use std::path::Path;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Refused;
use super::kitchen::Kitchen;
use super::run::{Shared, broke, no_run, refused};
use crate::display::excerpt;
use crate::gate::compare::{Side, side_by_side};
use crate::ids::ModelName;
use crate::report::compare::{Page, SideLine, Words};
use crate::stats::Tally;
use crate::store::Reader;
use crate::store::baseline::LaneKey;
use crate::store::outcomes::{LaneOutcome, Outcomes};
use crate::transcript::CaseKind;

/// Most cases that are listed.
const MOST: usize = 5000;

/// The two runs by their names in addresses.
#[derive(Deserialize)]
pub(super) struct Two {
    a: String,
    b: String,
}

/// A comparison for the page.
#[derive(Serialize)]
struct Compared {
    #[serde(flatten)]
    page: Page,
    /// The same in words.
    words: Words,
    /// Cases that went another way, or are on one side only.
    cells: Vec<Cell>,
    /// How many of these are not listed.
    more: usize,
    /// Cases that pass as often on both sides.
    same: usize,
}

/// A case for one model, persona and client profile on both sides.
#[derive(Debug, PartialEq, Serialize)]
struct Cell {
    id: String,
    /// On both sides; they differ when two models are compared.
    models: [String; 2],
    persona: String,
    client: String,
    /// `lost`, `gained`, `new`, `gone`, or `changed`: what it asks or expects is another thing now.
    what: &'static str,
    then: Option<Tally>,
    now: Option<Tally>,
}

/// Compares two runs.
pub(super) async fn compare(State(kitchen): Shared, Query(Two { a, b }): Query<Two>) -> Response {
    let work = move |kitchen: &Kitchen| {
        let [before, now] = [a, b].map(|id| kitchen.rows.file(&id).ok_or_else(no_run));
        compared(&before?, &now?)
    };
    match kitchen.long(work).await.unwrap_or_else(|| Err(broke())) {
        Ok(compared) => Json(compared).into_response(),
        Err(why) => refused(&why),
    }
}

fn compared(before: &Path, now: &Path) -> Result<Compared, Refused> {
    let outcomes = [Reader::open(before)?.outcomes()?, Reader::open(now)?.outcomes()?];
    let lines = outcomes.each_ref().map(|one| {
        let run = one.manifest.run.as_str();
        SideLine::of_run(run.get(..13).unwrap_or(run), one)
    });
    let (mut cells, same) = cells([&outcomes[0], &outcomes[1]]);
    let more = cells.len().saturating_sub(MOST);
    cells.truncate(MOST);
    let [before, now] = outcomes;
    let [a, b] = lines;
    let sides = [Side::of_run(a.name.clone(), before), Side::of_run(b.name.clone(), now)];
    let found = side_by_side(&sides[0], &sides[1], None, None);
    let page = Page::of(a, b, found, None);
    let words = page.words();
    Ok(Compared { page, words, cells, more, same })
}

/// The cases that went another way, what was lost first, and how many pass as often on both sides.
fn cells(sides: [&Outcomes; 2]) -> (Vec<Cell>, usize) {
    let models = sides.map(|side| side.prints.models.keys().collect::<Vec<_>>());
    // Two runs with a model each are a comparison of these models.
    let two = models.iter().all(|models| models.len() == 1) && models[0] != models[1];
    let mut lanes: BTreeMap<(CaseKind, [String; 4]), [Option<&LaneOutcome>; 2]> = BTreeMap::new();
    for (at, side) in sides.into_iter().enumerate() {
        for lane in &side.lanes {
            let LaneKey { case, model, persona, client } = &lane.key;
            let model = model.as_ref().filter(|_| !two).map_or("", ModelName::as_str);
            let name = [case.as_str(), model, persona.as_str(), client.as_str()].map(str::to_owned);
            lanes.entry((lane.kind, name)).or_default()[at] = Some(lane);
        }
    }
    let mut same = 0;
    let mut cells = vec![];
    for pair in lanes.values() {
        match what(*pair, two) {
            Some(what) => cells.extend(cell(*pair, what)),
            None => same += 1,
        }
    }
    let order = ["lost", "gained", "changed", "gone", "new"];
    cells.sort_by_key(|cell| order.iter().position(|what| *what == cell.what));
    (cells, same)
}

/// What became of a case; `None`: it passes as often.
fn what([then, now]: [Option<&LaneOutcome>; 2], two: bool) -> Option<&'static str> {
    let (Some(then), Some(now)) = (then, now) else {
        return Some(if then.is_some() { "gone" } else { "new" });
    };
    let alike = then.print.question == now.print.question
        && then.print.score == now.print.score
        && (two || then.print.model == now.print.model);
    if !alike {
        return Some("changed");
    }
    let by = now.tally.rate()? - then.tally.rate()?;
    match by {
        by if by < 0.0 => Some("lost"),
        by if by > 0.0 => Some("gained"),
        _ => None,
    }
}

fn cell([then, now]: [Option<&LaneOutcome>; 2], what: &'static str) -> Option<Cell> {
    let key = &then.or(now)?.key;
    let model = |lane: Option<&LaneOutcome>| {
        excerpt(lane.and_then(|lane| lane.key.model.as_ref()).map_or("", ModelName::as_str), 200)
    };
    Some(Cell {
        id: excerpt(key.case.as_str(), 200),
        models: [model(then), model(now)],
        persona: excerpt(key.persona.as_str(), 200),
        client: excerpt(key.client.as_str(), 200),
        what,
        then: then.map(|lane| lane.tally),
        now: now.map(|lane| lane.tally),
    })
}
