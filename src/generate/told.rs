//! What became of each tool, for people. Pure.

use super::Made;
use crate::display;

/// One line for each tool, with the reason where it has no case; then what was dropped.
pub fn coverage(made: &Made, width: usize) -> String {
    let mut text = String::new();
    let name = |tool: &str| display::excerpt(tool, 40);
    let longest = made.coverage.iter().map(|one| name(one.tool.as_str()).chars().count()).max().unwrap_or(0);
    for one in &made.coverage {
        let cases = match one.cases {
            0 => "none  ".to_owned(),
            1 => "1 case".to_owned(),
            many => format!("{many} cases"),
        };
        let why = one.why.as_deref().map(|why| format!("  {why}")).unwrap_or_default();
        let line = format!("{:longest$}  {cases}{why}", name(one.tool.as_str()));
        text.push_str(&format!("{}\n", display::excerpt(line.trim_end(), width)));
    }
    text
}

/// What stands below: how many were dropped, what was called and spent, what was written.
pub fn ends(made: &Made, told: &str) -> Vec<String> {
    let mut lines = vec![];
    for (draft, why) in made.dropped.iter().take(5) {
        lines.push(display::excerpt(&format!("dropped {}: {why}", draft.id), 160));
    }
    if made.dropped.len() > 5 {
        lines.push(format!(
            "... and {} more were dropped; `--format json` lists them",
            made.dropped.len() - 5
        ));
    }
    let covered = made.coverage.iter().filter(|one| one.cases > 0).count();
    let spent = if made.spent > 0.0 { format!("; ${:.4} spent", made.spent) } else { String::new() };
    lines.push(format!(
        "{covered} of {} tools have a case; {} calls were made before the cases ran{spent}",
        made.coverage.len(),
        made.calls
    ));
    if !told.is_empty() {
        lines.push(told.to_owned());
    }
    lines
}
