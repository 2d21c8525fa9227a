//! Names that meet.

use std::collections::BTreeMap;

use super::Hit;
use crate::display::excerpt;
use crate::ids::ToolName;
use crate::surface::Listed;

pub(super) fn duplicates(listed: &Listed<'_>) -> Vec<Hit> {
    let mut seen: BTreeMap<&ToolName, usize> = BTreeMap::new();
    for tool in listed.tools {
        *seen.entry(&tool.name).or_insert(0) += 1;
    }
    let twice = seen.into_iter().filter(|(_, times)| *times > 1);
    twice.map(|(name, times)| Hit::tool(name, format!("listed {times} times"))).collect()
}

pub(super) fn renamed(listed: &Listed<'_>) -> Vec<Hit> {
    // One finding per pair of tools, with every client in which they meet.
    let mut pairs: BTreeMap<(ToolName, ToolName), Vec<String>> = BTreeMap::new();
    for shown in listed.clients {
        let mut taken: BTreeMap<&str, &ToolName> = BTreeMap::new();
        for (tool, name) in &shown.names {
            match taken.get(name.as_str()) {
                Some(first) if *first != tool => {
                    let meets = format!("`{}` under {}", excerpt(name, 80), excerpt(shown.client.as_str(), 60));
                    pairs.entry(((*first).clone(), tool.clone())).or_default().push(meets);
                }
                Some(_) => {}
                None => {
                    taken.insert(name, tool);
                }
            }
        }
    }
    let hit = |((first, second), meets): ((ToolName, ToolName), Vec<String>)| Hit {
        tools: vec![first, second],
        at: String::new(),
        detail: format!("both are {}", meets.join(", ")),
    };
    pairs.into_iter().map(hit).collect()
}

pub(super) fn close(listed: &Listed<'_>) -> Vec<Hit> {
    let mut names: Vec<&ToolName> = listed.tools.iter().map(|tool| &tool.name).collect();
    names.sort();
    names.dedup();
    let mut hits = Vec::new();
    for (index, first) in names.iter().enumerate() {
        for second in &names[index + 1..] {
            if one_edit(first.as_str(), second.as_str()) {
                let (first, second) = ((*first).clone(), (*second).clone());
                let detail = "they differ by case, or by one character".to_owned();
                hits.push(Hit { tools: vec![first, second], at: String::new(), detail });
            }
        }
    }
    hits
}

/// Whether one character more, less, other or swapped with its neighbour makes one name of the other; case apart. In
/// time of their length, since servers have thousands of pairs.
fn one_edit(first: &str, second: &str) -> bool {
    let (a, b) = (first.to_lowercase().into_bytes(), second.to_lowercase().into_bytes());
    // In very short names one character is the whole difference.
    if a.len().min(b.len()) < 4 || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let head = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let tail = |a: &[u8], b: &[u8]| a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[head..], &b[head..]);
    let end = tail(a, b);
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    match (a, b) {
        ([], []) | ([_], [] | [_]) | ([], [_]) => !is_counter(a, b),
        ([x, y], [u, v]) => x == v && y == u,
        _ => false,
    }
}

/// `step_1` and `step_2` are told apart by what they are.
fn is_counter(a: &[u8], b: &[u8]) -> bool {
    matches!((a, b), ([x], [y]) if x.is_ascii_digit() && y.is_ascii_digit())
}
