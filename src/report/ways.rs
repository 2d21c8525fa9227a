//! How a model got to its answer, as `show` and `summary.json` tell it.

use super::figures::count;
use super::tally::name;
use crate::score::trajectory::Trajectory;

/// The trajectory with every name made safe.
pub(super) fn safe(trajectory: &Trajectory) -> Trajectory {
    Trajectory { unknown: trajectory.unknown.iter().map(|tool| name(tool)).collect(), ..trajectory.clone() }
}

/// One line: `2 turns; 1 failed call, 1 recovered; 1 wasted call`.
pub fn sentence(trajectory: &Trajectory) -> String {
    let Trajectory { turns, errors, recovered, redundant, unknown, looped, no_answer, .. } = trajectory;
    let mut parts = vec![count(*turns, "turn")];
    if *errors > 0 {
        parts.push(format!("{}, {recovered} recovered", count(*errors, "failed call")));
    }
    if *redundant > 0 {
        parts.push(count(*redundant, "wasted call"));
    }
    if !unknown.is_empty() {
        let names: Vec<String> = unknown.iter().map(|tool| name(tool)).collect();
        parts.push(format!("called what no list held: {}", names.join(", ")));
    }
    if *looped {
        parts.push("the same call three times or more".to_owned());
    }
    if *no_answer {
        parts.push("no answer at the end".to_owned());
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_out_is_told() {
        let plain = Trajectory { turns: 2, ..Trajectory::default() };
        assert_eq!(sentence(&plain), "2 turns");
        let odd = Trajectory {
            turns: 1,
            errors: 3,
            recovered: 1,
            redundant: 1,
            unknown: vec!["fetch\u{1b}".to_owned()],
            looped: true,
            no_answer: true,
            ..Trajectory::default()
        };
        let told = sentence(&odd);
        assert!(!told.contains('\u{1b}'), "{told}");
        assert!(told.starts_with(
            "1 turn; 3 failed calls, 1 recovered; 1 wasted call; called what no list held: fetch"
        ));
        assert!(told.ends_with("the same call three times or more; no answer at the end"));
        assert!(!safe(&odd).unknown[0].contains('\u{1b}'));
    }
}
