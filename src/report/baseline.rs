//! Baselines for people: what accepting a run did, and a table of lanes with their histories. Pure.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use serde::Serialize;

use super::figures::{count, moment, percent};
use super::paint::{Style, Tone};
use super::wrap::{fit, lines};
use crate::display::safe_line;
use crate::ids::RunId;
use crate::store::baseline::{Accepted, Against, Baseline, Drift, Lane, LaneKey, Night, Status, THIN, names};
use crate::store::outcomes::LaneOutcome;

/// Most nights, names and changes that are listed.
const MOST: usize = 12;
/// Most lanes that a table lists.
const ROWS: usize = 200;

/// A baseline as people and programs read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Page {
    /// The number of this form.
    pub schema: u32,
    /// The suite.
    pub suite: String,
    /// Where the file is.
    pub file: String,
    /// The pinned night.
    pub pinned: Option<String>,
    /// Accepted runs, newest first.
    pub nights: Vec<NightLine>,
    /// The lanes, in order.
    pub lanes: Vec<LaneLine>,
    /// What differs between the newest night and the run that was named.
    pub drift: Vec<Drift>,
}

/// A night in a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NightLine {
    /// The run.
    pub run: String,
    /// Its start.
    pub started: String,
    /// Why it was accepted although it did not pass.
    pub forced: Option<String>,
    /// Lanes it gave trials of.
    pub lanes: usize,
    /// Its valid trials.
    pub trials: u64,
}

/// A lane in a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneLine {
    /// The case, with persona and client profile where it is run for several.
    pub name: String,
    /// The case.
    pub case: String,
    /// The model.
    pub model: Option<String>,
    /// The persona.
    pub persona: String,
    /// The client profile.
    pub client: String,
    /// Pooled trials.
    pub trials: u64,
    /// Those that passed.
    pub passed: u64,
    /// Their share; `None` without trials.
    pub rate: Option<f64>,
    /// Nights pooled.
    pub nights: u32,
    /// Nights left out: another case under the same name, another surface, another version of rehearsal.
    pub left_out: u32,
    /// Too few trials to see a single broken case.
    pub thin: bool,
    /// Pooled trials of the pinned night and those before it; `None` when nothing is pinned.
    pub pinned_trials: Option<u64>,
    /// What the run that was named is to this lane: `same`, `new`, `changed` or `absent`; `None` without a run.
    pub run: Option<&'static str>,
}

impl Page {
    /// A baseline, beside the lanes of a run if one was named.
    pub fn of(known: &Baseline, file: &str, run: Option<&[LaneOutcome]>, drift: Vec<Drift>) -> Self {
        let ids = names(known.lanes.iter().map(|lane| &lane.key));
        let safe = |drift: Drift| Drift {
            name: safe_line(&drift.name),
            message: safe_line(&drift.message),
            ..drift
        };
        Self {
            schema: 1,
            suite: safe_line(known.suite.as_str()),
            file: file.to_owned(),
            pinned: known.pinned.as_ref().map(|run| safe_line(run.as_str())),
            nights: known.nights.iter().map(|night| night_line(known, night)).collect(),
            lanes: known
                .lanes
                .iter()
                .map(|lane| {
                    let name = ids.get(&lane.key).map_or("", String::as_str);
                    lane_line(known, lane, name, run)
                })
                .collect(),
            drift: drift.into_iter().map(safe).collect(),
        }
    }

    /// For a terminal of this width.
    pub fn human(&self, width: usize, style: Style) -> String {
        let mut out = format!(
            "{}\n{}\n\n",
            style.paint(Tone::Strong, &format!("Baseline of {}", self.suite)),
            fit(
                &format!(
                    "{} · {} · {}",
                    self.file,
                    count(self.nights.len() as u64, "night"),
                    count(self.lanes.len() as u64, "lane")
                ),
                width
            )
        );
        for night in self.nights.iter().take(MOST) {
            out.push_str(&self.night(night, width));
        }
        if self.nights.len() > MOST {
            out.push_str(&format!("  and {} before\n", count((self.nights.len() - MOST) as u64, "night")));
        }
        out.push('\n');
        if !self.lanes.is_empty() {
            out.push_str(&self.table(width, style));
        }
        let thin = self.lanes.iter().filter(|lane| lane.thin).count();
        if thin > 0 {
            let text = format!(
                "Baseline thin in {} (fewer than {THIN} trials): a single broken case would hardly be seen. Accept more nights, or run one with `--trials {THIN}`.",
                count(thin as u64, "lane")
            );
            out.push('\n');
            push(&mut out, &text, width);
        }
        if !self.drift.is_empty() {
            out.push_str("\nNot as in the newest night:\n");
            out.push_str(&drifted(&self.drift, width));
        }
        out
    }

    fn night(&self, night: &NightLine, width: usize) -> String {
        let pinned = if self.pinned.as_ref() == Some(&night.run) { ", pinned" } else { "" };
        let mut text = format!(
            "{}  {}  {}, {}{pinned}",
            night.run,
            moment(&night.started),
            count(night.lanes as u64, "lane"),
            count(night.trials, "trial")
        );
        if let Some(why) = &night.forced {
            text.push_str(&format!(" (accepted although it did not pass: {why})"));
        }
        lines(&text, width, ["  ", "      "]).join("\n") + "\n"
    }

    fn table(&self, width: usize, style: Style) -> String {
        let with_client = self.lanes.iter().any(|lane| lane.client != self.lanes[0].client);
        let with_persona = self.lanes.iter().any(|lane| lane.persona != self.lanes[0].persona);
        let mut header = vec!["case", "model"];
        header.extend(with_persona.then_some("persona"));
        header.extend(with_client.then_some("client"));
        header.extend(["passed", "rate", "nights", ""]);
        let room = (width / 4).max(12);
        let mut table = Table::new();
        table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(header.iter().map(|word| style.paint(Tone::Dim, word)));
        for lane in self.lanes.iter().take(ROWS) {
            let mut row = vec![fit(&lane.case, room), fit(lane.model.as_deref().unwrap_or("–"), room)];
            row.extend(with_persona.then(|| fit(&lane.persona, room)));
            row.extend(with_client.then(|| fit(&lane.client, room)));
            row.push(format!("{} of {}", lane.passed, lane.trials));
            row.push(lane.rate.map_or_else(|| "n/a".to_owned(), percent));
            row.push(lane.nights.to_string());
            row.push(lane.notes());
            table.add_row(row);
        }
        let columns = header.len();
        for (at, column) in table.column_iter_mut().enumerate() {
            column.set_padding((0, 2));
            if at + 4 >= columns && at + 1 < columns {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let mut out = String::new();
        for line in table.lines() {
            out.push_str("  ");
            out.push_str(line.trim_end());
            out.push('\n');
        }
        if self.lanes.len() > ROWS {
            let more = count((self.lanes.len() - ROWS) as u64, "lane");
            out.push_str(&format!("  and {more}; `--format json` has all\n"));
        }
        out
    }
}

impl LaneLine {
    fn notes(&self) -> String {
        let mut notes = vec![];
        if self.thin {
            notes.push("thin".to_owned());
        }
        if self.left_out > 0 {
            notes.push(format!("{} left out", count(self.left_out, "night")));
        }
        match self.run {
            Some("changed") => notes.push("another case now".to_owned()),
            Some("absent") => notes.push("not run".to_owned()),
            _ => {}
        }
        notes.join(", ")
    }
}

fn night_line(known: &Baseline, night: &Night) -> NightLine {
    let seen = known.lanes.iter().flat_map(|lane| &lane.seen).filter(|seen| seen.run == night.run);
    let (lanes, trials) = seen.fold((0, 0_u64), |(lanes, trials), seen| (lanes + 1, trials + seen.trials));
    NightLine {
        run: safe_line(night.run.as_str()),
        started: safe_line(&night.started),
        forced: night.forced.as_deref().map(safe_line),
        lanes,
        trials,
    }
}

fn lane_line(known: &Baseline, lane: &Lane, name: &str, run: Option<&[LaneOutcome]>) -> LaneLine {
    let pooled = known.pool(&lane.key, &lane.print);
    let pinned = known
        .pinned
        .as_ref()
        .map(|_| known.pool_against(&lane.key, &lane.print, Against::Pinned).tally.trials);
    let LaneKey { case, model, persona, client } = &lane.key;
    let status = run.map(|lanes| match lanes.iter().find(|outcome| outcome.key == lane.key) {
        None => "absent",
        Some(outcome) => match known.pool(&lane.key, &outcome.print).status {
            Status::Same => "same",
            Status::New => "new",
            Status::Changed(_) => "changed",
        },
    });
    LaneLine {
        name: safe_line(name),
        case: safe_line(case.as_str()),
        model: model.as_ref().map(|model| safe_line(model.as_str())),
        persona: safe_line(persona.as_str()),
        client: safe_line(client.as_str()),
        trials: pooled.tally.trials,
        passed: pooled.tally.passed,
        rate: pooled.tally.rate(),
        nights: pooled.nights,
        left_out: pooled.left_out,
        thin: pooled.is_thin(),
        pinned_trials: pinned,
        run: status,
    }
}

/// What accepting did. `run` and `file` name what was accepted and where.
pub fn accepted(known: &Baseline, done: &Accepted, (run, file): (&RunId, &str), drift: &[Drift]) -> String {
    let mut out = format!(
        "{} {} into the baseline of {}: {}\n",
        if done.again { "accepted again" } else { "accepted" },
        safe_line(run.as_str()),
        safe_line(known.suite.as_str()),
        count(done.lanes as u64, "lane")
    );
    let ids = names(known.lanes.iter().map(|lane| &lane.key));
    let listed = |keys: &[LaneKey]| {
        let name = |key: &LaneKey| {
            let model = key.model.as_ref().map(|model| format!(" ({model})")).unwrap_or_default();
            safe_line(&format!("{}{model}", ids.get(key).map_or("", String::as_str)))
        };
        let mut text: Vec<String> = keys.iter().take(MOST).map(name).collect();
        if keys.len() > MOST {
            text.push(format!("{} more", keys.len() - MOST));
        }
        text.join(", ")
    };
    // In a new baseline everything is new.
    if !done.new.is_empty() && known.nights.len() > 1 {
        push(&mut out, &format!("  new: {}", listed(&done.new)), 100);
    }
    if !done.set_aside.is_empty() {
        let text = format!("  another case now, older trials are set aside: {}", listed(&done.set_aside));
        push(&mut out, &text, 100);
    }
    if !done.dropped.is_empty() {
        out.push_str(&format!("  {} too old to be kept\n", count(done.dropped.len() as u64, "night")));
    }
    out.push_str(&drifted(drift, 100));
    let thin = known.lanes.iter().filter(|lane| known.pool(&lane.key, &lane.print).is_thin()).count();
    let thin = match thin {
        0 => String::new(),
        n => format!(", thin in {} (fewer than {THIN} trials)", count(n as u64, "lane")),
    };
    let pinned = known.pinned.as_ref().map(|run| format!(", pinned: {run}")).unwrap_or_default();
    out.push_str(&format!(
        "{file}: {}{thin}{}\n",
        count(known.nights.len() as u64, "night"),
        safe_line(&pinned)
    ));
    out.push_str("Commit that file: runs are measured against it from now on.\n");
    out
}

/// Changes as indented lines.
pub fn drifted(drift: &[Drift], width: usize) -> String {
    let mut out = String::new();
    for one in drift.iter().take(MOST) {
        let name = if one.name.is_empty() { String::new() } else { format!(" `{}`", safe_line(&one.name)) };
        push(&mut out, &format!("  {}{name}: {}", one.part.as_str(), safe_line(&one.message)), width);
    }
    if drift.len() > MOST {
        out.push_str(&format!("  and {} more\n", drift.len() - MOST));
    }
    out
}

fn push(out: &mut String, text: &str, width: usize) {
    let indent = text.len() - text.trim_start().len();
    let prefix = " ".repeat(indent);
    let rest = " ".repeat(indent + if indent > 0 { 4 } else { 0 });
    for line in lines(text.trim_start(), width, [&prefix, &rest]) {
        out.push_str(&line);
        out.push('\n');
    }
}
