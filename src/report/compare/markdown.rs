//! A comparison for a pull request.

use super::{
    HEADER, LEGEND, Page, SideLine, Told, basis, change, exact, left_out, mover, preference, sight, unshared,
    word,
};
use crate::gate::compare::{Mover, Part};
use crate::report::markdown::{cell, code};

/// Most cases that moved in one direction, and most names of a list.
const MOST: usize = 20;

/// The page as Markdown, without raw HTML.
pub fn markdown(page: &Page) -> String {
    let mut out = format!(
        "### Comparison\n\n- before: {}\n- now: {}\n\n{}\n",
        side(&page.before),
        side(&page.now),
        page.question()
    );
    for part in &page.found.parts {
        out.push_str(&self::part(part));
    }
    if page.found.parts.is_empty() {
        out.push_str("\nNo use case is compared: the sides have no model in common.\n");
    }
    list(&mut out, "Models that are not compared", &unshared(&page.found));
    list(&mut out, "Access and auth cases, which are exact", &exact(&page.found.exact));
    let drift: Vec<Told> = page
        .found
        .drift
        .iter()
        .map(|drift| {
            let name = Some(drift.name.clone()).filter(|name| !name.is_empty());
            let mut names: Vec<String> = name.into_iter().collect();
            names.push(drift.message.clone());
            Told { what: drift.part.as_str().to_owned(), names }
        })
        .collect();
    list(&mut out, "Not alike on both sides, so a change may have these causes", &drift);
    if let Some(preferred) = &page.preferred {
        out.push_str(&format!("\nJudged by {}. {}\n", code(&preferred.judge), preference(preferred)));
    }
    out
}

fn part(part: &Part) -> String {
    let mut out = format!("\n#### {}: {}\n\n", code(&part.name()), word(part.finding));
    out.push_str(&format!("{}\n\n{}", change(part), basis(part)));
    if let Some(change) = &part.comparison.change {
        out.push_str(&format!("; {}", sight(change)));
    }
    out.push('\n');
    let comparison = &part.comparison;
    out.push_str(&movers("lost", &comparison.losers));
    out.push_str(&movers("gained", &comparison.gainers));
    if !comparison.losers.is_empty() || !comparison.gainers.is_empty() {
        out.push_str(&format!("\n{LEGEND}\n"));
    }
    list(&mut out, "Left out", &left_out(part));
    out
}

fn side(side: &SideLine) -> String {
    let SideLine { name, suite, run, started, notes } = side;
    let mut parts = vec![code(name), code(suite)];
    parts.extend(run.iter().chain(started).chain(notes).map(|text| code(text)));
    parts.join(", ")
}

/// Names stand in code spans, which nothing inside can leave.
fn list(out: &mut String, title: &str, items: &[Told]) {
    if items.is_empty() {
        return;
    }
    out.push_str(&format!("\n{title}:\n\n"));
    for Told { what, names } in items {
        let shown: Vec<String> = names.iter().take(MOST).map(|name| code(name)).collect();
        let more =
            if names.len() > MOST { format!(" and {} more", names.len() - MOST) } else { String::new() };
        let colon = if shown.is_empty() { "" } else { ": " };
        out.push_str(&format!("- {what}{colon}{}{more}\n", shown.join(", ")));
    }
}

fn movers(title: &str, movers: &[Mover]) -> String {
    if movers.is_empty() {
        return String::new();
    }
    let header: Vec<&str> =
        HEADER.into_iter().enumerate().map(|(at, word)| if at == 0 { title } else { word }).collect();
    let mut out = format!("\n| {} |\n|---|---:|---:|---:|---:|---:|---:|\n", header.join(" | "));
    for one in movers.iter().take(MOST) {
        let mut cells = mover(one);
        cells[0] = cell(&cells[0]);
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    if movers.len() > MOST {
        out.push_str(&format!("\nand {} more\n", movers.len() - MOST));
    }
    out
}
