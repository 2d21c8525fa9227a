//! The trials under way, one line each, in columns. Names are cut before what a trial does is.

use super::block::Look;
use super::scene::Row;
use crate::display;
use crate::report::paint::{Style, Tone};
use crate::report::wrap::{fit, width};

/// Cells of a name at most, and those below which it says nothing.
const NAME: usize = 40;
const LEAST: usize = 5;
/// Cells that case, model and persona keep while what a trial does has its full words.
const FAIR: [usize; 3] = [16, 8, 8];

/// The lines of the rows.
pub(super) fn rows(rows: &[Row], look: Look) -> Vec<String> {
    let mark = if look.style == Style::Ascii { ">" } else { "▸" };
    let begins: Vec<String> = rows.iter().map(|row| format!("  {mark} {}  ", since(row))).collect();
    let names: Vec<[String; 3]> =
        rows.iter().map(|row| [0, 1, 2].map(|at| display::excerpt(&row.names[at], NAME))).collect();
    let begin = widest(&begins);
    let wanted = [0, 1, 2].map(|at| names.iter().map(|names| width(&names[at])).max().unwrap_or(0));
    let room = |words: &[String]| look.width.saturating_sub(begin + widest(words));
    let long: Vec<String> = rows.iter().map(Row::words).collect();
    let fair = wanted.iter().zip(FAIR).map(|(wanted, fair)| (*wanted).min(fair) + 2).sum::<usize>();
    let words = if fair <= room(&long) { long } else { rows.iter().map(Row::short).collect() };
    let columns = shared(wanted, room(&words));
    let line = |((begin, names), words): ((&String, &[String; 3]), &String)| {
        let mut text = begin.clone();
        for (name, room) in names.iter().zip(&columns) {
            let name = fit(name, *room);
            text.push_str(&format!("{name}{}  ", " ".repeat(room.saturating_sub(width(&name)))));
        }
        look.style.paint(Tone::Dim, &fit(&format!("{text}{words}"), look.width))
    };
    begins.iter().zip(&names).zip(&words).map(line).collect()
}

/// How long a trial has been under way.
fn since(row: &Row) -> String {
    let seconds = row.since.as_secs();
    format!("{:>2}:{:02}", seconds / 60, seconds % 60)
}

fn widest(texts: &[String]) -> usize {
    texts.iter().map(|text| width(text)).max().unwrap_or(0)
}

/// The cells of each column, with two between them: the widest gives way first. Columns at the end for which nothing is left
/// are left out.
fn shared(wanted: [usize; 3], room: usize) -> Vec<usize> {
    let mut columns = wanted.to_vec();
    while !columns.is_empty() {
        let gaps = 2 * columns.len();
        let least: usize = columns.iter().map(|wanted| (*wanted).min(LEAST)).sum();
        if least + gaps > room {
            columns.pop();
            continue;
        }
        while columns.iter().sum::<usize>() + gaps > room {
            if let Some(most) = columns.iter_mut().max() {
                *most -= 1;
            }
        }
        break;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::shared;

    #[test]
    fn the_widest_column_gives_way() {
        assert_eq!(shared([16, 4, 6], 40), [16, 4, 6]);
        assert_eq!(shared([16, 4, 6], 28), [12, 4, 6]);
        assert_eq!(shared([30, 30, 4], 40), [15, 15, 4]);
        assert_eq!(shared([16, 8, 8], 19), [8, 7], "a third name would be cut to nothing");
        assert_eq!(shared([16, 8, 8], 3), [0_usize; 0]);
    }
}
