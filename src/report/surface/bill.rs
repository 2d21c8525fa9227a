//! The token bill as tables.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::Room;
use crate::display;
use crate::report::paint::Tone;
use crate::report::wrap::fit;
use crate::surface::bill::Bill;

/// Most tools in a table; the rest is counted together.
const ROWS: usize = 40;

/// A share as `93 %`.
fn share(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// What one client's menu costs, tool by tool, the dearest first.
pub fn bill(bill: &Bill, room: Room) -> String {
    let most = if room.whole { usize::MAX } else { ROWS };
    // Nine numbers of nine columns; the name gets what is left.
    let width = room.columns.saturating_sub(54).clamp(12, 48);
    let rows = bill.tools.iter().take(most).map(|line| {
        let tokens = if line.deferred { "searched".to_owned() } else { line.tokens.to_string() };
        vec![
            fit(&display::excerpt(&line.tool, 200), width),
            line.text.to_string(),
            line.input.to_string(),
            tokens,
            share(line.share),
            share(line.cumulative),
            line.output.to_string(),
            line.annotations.to_string(),
        ]
    });
    let mut rows: Vec<Vec<String>> = rows.collect();
    if let Some(more) = bill.tools.len().checked_sub(rows.len()).filter(|more| *more > 0) {
        let rest: u64 = bill.tools[rows.len()..].iter().map(|line| line.tokens).sum();
        let mut row = vec![format!("and {more} more"), String::new(), String::new(), rest.to_string()];
        row.extend(["", "", "", ""].map(str::to_owned));
        rows.push(row);
    }
    let header = ["tool", "text", "input", "tokens", "share", "so far", "output", "hints"];
    table(&header, rows, room)
}

/// What the menus of several clients cost.
pub fn bills(bills: &[Bill], room: Room) -> String {
    let rows = bills.iter().map(|bill| {
        let searched = bill.tools.iter().filter(|line| line.deferred).count();
        vec![
            fit(&display::excerpt(&bill.client, 200), 40),
            (bill.tools.len() - searched).to_string(),
            searched.to_string(),
            bill.total.to_string(),
        ]
    });
    table(&["client", "offered", "searched", "tokens"], rows.collect(), room)
}

fn table(header: &[&str], rows: Vec<Vec<String>>, room: Room) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut out = String::new();
    for (index, line) in table.lines().enumerate() {
        let line = line.trim_end();
        let line = if index == 0 { room.style.paint(Tone::Dim, line) } else { line.to_owned() };
        out.push_str(&format!("  {line}\n"));
    }
    room.style.finish(out)
}
