//! Client profiles for people: a table of all, and one in detail with where each value is from. Pure.

use serde::Serialize;
use serde_json::Value;

use super::paint::{Style, Tone};
use super::wrap::{fit, lines, width};
use crate::display;
use crate::mcp::ClientProfile;
use crate::mcp::profile::{Fact, Layer, Results, Standing, Unit};

/// One value of a profile, or what is said or not known in its place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// `layer.key`.
    pub key: String,
    /// The value; absent where no layer has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What is known in words, in place of a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// How well it is known.
    pub standing: Standing,
    /// When its nearest source was current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// The names of its sources.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// What to know about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Every value and every fact of a profile, layer by layer: values first, then what is only said, then what is unknown.
pub fn rows(profile: &ClientProfile) -> Vec<Row> {
    let values = profile.values();
    let nothing = Fact::default();
    let row = |key: &str, value: Option<Value>| {
        let fact = profile.facts.get(key);
        let standing = match fact {
            Some(fact) => profile.standing(fact),
            None => Standing::Guessed,
        };
        let fact = fact.unwrap_or(&nothing);
        Row {
            key: key.to_owned(),
            value,
            says: fact.says.clone(),
            standing,
            date: profile.dated(fact).map(str::to_owned),
            sources: fact.s.clone(),
            note: fact.note.clone(),
        }
    };
    let mut rows: Vec<Row> = values.iter().map(|(key, value)| row(key, Some(value.clone()))).collect();
    let others = profile.facts.keys().filter(|key| values.iter().all(|(known, _)| known != *key));
    rows.extend(others.map(|key| row(key, None)));
    let place = |row: &Row| {
        let layer = row.key.split('.').next().unwrap_or_default();
        let layer = Layer::ALL.iter().position(|known| known.as_str() == layer);
        (layer.unwrap_or(Layer::ALL.len()), row.value.is_none(), row.standing == Standing::Unknown)
    };
    rows.sort_by_key(place);
    rows
}

/// Facts by how well they are known: measured, read, guessed, unknown.
pub fn tally(profile: &ClientProfile) -> [usize; 4] {
    let mut tally = [0; 4];
    for row in rows(profile) {
        tally[row.standing as usize] += 1;
    }
    tally
}

/// All profiles, one line each.
pub fn table(profiles: &[ClientProfile], columns: usize, style: Style) -> String {
    let head = ["client", "version", "speaks", "result cut", "measured", "read", "guessed", "unknown"];
    let mut cells: Vec<[String; 8]> = profiles
        .iter()
        .map(|profile| {
            let [measured, read, guessed, unknown] = tally(profile).map(|number| number.to_string());
            let speaks = profile.wire.protocol.map_or("auto", |protocol| protocol.as_str()).to_owned();
            let name = display::safe_line(profile.name.as_str());
            let version = display::safe_line(profile.observed.as_deref().unwrap_or("–"));
            [name, version, speaks, cut_of(&profile.result), measured, read, guessed, unknown]
        })
        .collect();
    cells.insert(0, head.map(str::to_owned));
    let widths: Vec<usize> =
        (0..8).map(|column| cells.iter().map(|row| width(&row[column])).max().unwrap_or(0)).collect();
    let mut out = String::new();
    for (index, row) in cells.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, room)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(room - width(cell));
            line.push_str(&if column > 3 { format!("{gap}{cell}  ") } else { format!("{cell}{gap}  ") });
        }
        let line = fit(line.trim_end(), columns);
        out.push_str(&if index == 0 { style.paint(Tone::Dim, &line) } else { line });
        out.push('\n');
    }
    style.finish(out)
}

/// The smallest size that a result is cut at.
fn cut_of(rules: &Results) -> String {
    let limits = rules.limits.as_deref().unwrap_or_default();
    let smallest = limits.iter().min_by_key(|limit| match limit.unit {
        Unit::Tokens => limit.over.saturating_mul(4),
        Unit::Bytes | Unit::Chars => limit.over,
    });
    smallest.map_or_else(
        || "–".to_owned(),
        |limit| match limit.unit {
            Unit::Bytes => format!("{} bytes", limit.over),
            Unit::Chars => format!("{} chars", limit.over),
            Unit::Tokens => format!("{} tokens", limit.over),
        },
    )
}

/// One profile, value by value, with its sources at the end.
pub fn detail(profile: &ClientProfile, columns: usize, style: Style) -> String {
    let mut out = String::new();
    let label = if profile.label.is_empty() { profile.name.as_str() } else { &profile.label };
    let version = profile.observed.as_deref().map(|version| format!(" {version}")).unwrap_or_default();
    push(&mut out, &style.paint(Tone::Strong, &display::safe_line(&format!("{label}{version}"))));
    for line in lines(&display::safe_line(&profile.description), columns, ["", ""]) {
        push(&mut out, &line);
    }
    let rows = rows(profile);
    for layer in Layer::ALL {
        let prefix = format!("{}.", layer.as_str());
        let of_layer: Vec<&Row> = rows.iter().filter(|row| row.key.starts_with(&prefix)).collect();
        if of_layer.is_empty() {
            continue;
        }
        push(&mut out, "");
        push(&mut out, &style.paint(Tone::Strong, layer.as_str()));
        let room = of_layer.iter().map(|row| width(&row.key) - prefix.len()).max().unwrap_or(0).min(24);
        for row in of_layer {
            one(&mut out, row, (&prefix, room), (columns, style));
        }
    }
    if !profile.sources.is_empty() {
        push(&mut out, "");
        push(&mut out, &style.paint(Tone::Strong, "sources"));
        for (name, source) in &profile.sources {
            let date = source.date.as_deref().unwrap_or("no date");
            let kind = format!("{:?}", source.kind).to_lowercase();
            let text = display::safe_line(&format!("{name}: {kind}, {date}: {}", source.what));
            for line in lines(&text, columns, ["  ", "    "]) {
                push(&mut out, &line);
            }
        }
    }
    style.finish(out)
}

fn one(out: &mut String, row: &Row, (prefix, room): (&str, usize), (columns, style): (usize, Style)) {
    let key = display::safe_line(row.key.trim_start_matches(prefix));
    let gap = " ".repeat(room.saturating_sub(width(&key)));
    let value = match (&row.value, &row.says) {
        (Some(value), _) => plain(value),
        (None, Some(says)) => says.clone(),
        (None, None) => "–".to_owned(),
    };
    let mut origin = row.standing.as_str().to_owned();
    if let Some(date) = &row.date {
        origin = format!("{origin} {date}");
    }
    if !row.sources.is_empty() {
        origin = format!("{origin}, {}", row.sources.join(" "));
    }
    let first = format!("  {key}{gap}  ");
    let rest = " ".repeat(width(&first));
    for line in lines(&display::safe_line(&value), columns, [&first, &rest]) {
        push(out, &line);
    }
    let note = row.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
    for line in lines(&display::safe_line(&format!("{origin}{note}")), columns, [&rest, &rest]) {
        push(out, &style.paint(Tone::Dim, &line));
    }
}

/// A value as YAML writes it on one line, so that it breaks at spaces.
fn plain(value: &Value) -> String {
    let joined = |parts: Vec<String>| parts.join(", ");
    match value {
        Value::Object(map) => {
            let entries = map.iter().map(|(key, value)| format!("{key}: {}", plain(value)));
            format!("{{{}}}", joined(entries.collect()))
        }
        Value::Array(list) => format!("[{}]", joined(list.iter().map(plain).collect())),
        Value::String(text) if text.is_empty() || text.contains(['\n', '"']) => value.to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}
