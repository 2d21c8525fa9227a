//! Which tools the checks of a case want called, allow and forbid: what calls are held against. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::checks::Check;
use super::checks::max_calls::MaxCalls;
use super::checks::short::Written;
use super::checks::tool_called::{Times, ToolCalled};
use crate::diag::Located;
use crate::ids::ToolName;

/// What a case says of tools, whatever it says of arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expects {
    /// Must be called, in the order of the suite; a name as often as it must be called.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub called: Vec<ToolName>,
    /// May be called: one of several ways, or a forbidden tool that the case tempts the model to try.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub may: Vec<ToolName>,
    /// Must not be called, whatever the arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub never: Vec<ToolName>,
    /// Whether no tool at all may be called.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nothing: bool,
}

impl Expects {
    /// What these checks say together.
    pub fn of(checks: &[Located<Check>]) -> Self {
        let mut all = Self::default();
        checks.iter().for_each(|check| all.add(&check.value));
        // What one check demands, no other makes optional.
        all.may.retain(|tool| !all.called.contains(tool) && !all.never.contains(tool));
        all
    }

    /// Whether the case says anything that calls can be held against.
    pub fn says_something(&self) -> bool {
        self.nothing || !self.called.is_empty()
    }

    /// The tools that it exercises.
    pub fn exercised(&self) -> impl Iterator<Item = &ToolName> {
        self.called.iter().chain(&self.may)
    }

    fn add(&mut self, check: &Check) {
        match check {
            Check::ToolCalled(ToolCalled { name, times, .. }) => match times {
                Some(Times { max: Some(0), .. }) => push(&mut self.never, name),
                Some(Times { min: None | Some(0), .. }) => push(&mut self.may, name),
                Some(Times { min: Some(min), .. }) => self.demand(&[(name, (*min).min(MANY) as usize)]),
                None => self.demand(&[(name, 1)]),
            },
            Check::CallOrder(order) => {
                let mut counts: BTreeMap<&ToolName, usize> = BTreeMap::new();
                let steps = order.calls.iter().take(MANY as usize).map(|Written(step)| &step.name);
                let steps: Vec<_> = steps
                    .map(|name| {
                        let count = counts.entry(name).or_default();
                        *count += 1;
                        (name, *count)
                    })
                    .collect();
                self.demand(&steps);
            }
            Check::ResultJson(result) => self.demand(&[(&result.tool, 1)]),
            Check::ToolNotCalled(forbidden) if forbidden.args.is_none() => {
                push(&mut self.never, &forbidden.name);
            }
            Check::ToolNotCalled(forbidden) => push(&mut self.may, &forbidden.name),
            Check::NotReached(forbidden) => push(&mut self.may, &forbidden.name),
            Check::MaxCalls(MaxCalls { max: 0, tool: None }) => self.nothing = true,
            Check::MaxCalls(MaxCalls { max: 0, tool: Some(tool) }) => push(&mut self.never, tool),
            Check::AllOf(group) => group.checks.iter().for_each(|check| self.add(check)),
            Check::AnyOf(group) => {
                let mut ways = Self::default();
                group.checks.iter().for_each(|check| ways.add(check));
                ways.called.iter().chain(&ways.may).for_each(|tool| push(&mut self.may, tool));
            }
            Check::Not(inner) => {
                // Only what is said of a tool whatever its arguments turns into its opposite.
                match &*inner.0 {
                    Check::ToolCalled(ToolCalled { name, args: None, times: None }) => {
                        push(&mut self.never, name);
                    }
                    Check::ToolNotCalled(forbidden) => self.demand(&[(&forbidden.name, 1)]),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Each name at least so often.
    fn demand(&mut self, wanted: &[(&ToolName, usize)]) {
        for (name, count) in wanted {
            let known = self.called.iter().filter(|known| known == name).count();
            self.called.extend(std::iter::repeat_n((*name).clone(), count.saturating_sub(known)));
        }
    }
}

/// Most calls of one tool that are told apart.
const MANY: u32 = 50;

fn push(list: &mut Vec<ToolName>, name: &ToolName) {
    if !list.contains(name) {
        list.push(name.clone());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::diag::Origin;

    #[allow(clippy::needless_pass_by_value, reason = "a literal at every call")]
    fn of(checks: Value) -> [String; 3] {
        let at = Origin { file: "s.yaml".into(), line: 1, column: 1 };
        let checks: Vec<Check> = serde_json::from_value(checks).unwrap();
        let checks: Vec<_> = checks.into_iter().map(|check| Located::new(check, at.clone())).collect();
        let found = Expects::of(&checks);
        let join = |list: &[ToolName]| list.iter().map(ToolName::as_str).collect::<Vec<_>>().join(" ");
        let nothing = if found.nothing { "nothing" } else { "" };
        [join(&found.called), join(&found.may), format!("{}{nothing}", join(&found.never))]
    }

    #[test]
    fn checks_say_what_they_want_called() {
        let table = [
            (
                json!([{"tool_called": "a"}, {"tool_called": {"name": "b", "args": {"x": 1}}}]),
                ["a b", "", ""],
            ),
            (json!([{"tool_called": {"name": "a", "times": 2}}, {"tool_called": "a"}]), ["a a", "", ""]),
            (json!([{"tool_called": {"name": "a", "times": 0}}]), ["", "", "a"]),
            (json!([{"tool_called": {"name": "a", "times": {"max": 2}}}]), ["", "a", ""]),
            (json!([{"call_order": ["a", "b", "a"]}, {"tool_called": "b"}]), ["a b a", "", ""]),
            (json!([{"result_json": {"tool": "a", "equals": 1}}, {"tool_called": "a"}]), ["a", "", ""]),
            (json!([{"tool_not_called": "a"}, {"not_reached": "b"}]), ["", "b", "a"]),
            (json!([{"tool_not_called": {"name": "a", "args": {"x": 1}}}]), ["", "a", ""]),
            (json!([{"max_calls": 0}]), ["", "", "nothing"]),
            (json!([{"max_calls": {"max": 0, "tool": "a"}}, {"max_calls": 3}]), ["", "", "a"]),
            (json!([{"all_of": [{"tool_called": "a"}, {"tool_not_called": "b"}]}]), ["a", "", "b"]),
            (
                json!([{"any_of": [{"tool_called": "a"}, {"tool_called": "b"}]}, {"tool_called": "a"}]),
                ["a", "b", ""],
            ),
            (json!([{"not": {"tool_called": "a"}}, {"not": {"tool_not_called": "b"}}]), ["b", "", "a"]),
            (json!([{"not": {"tool_called": {"name": "a", "args": {"x": 1}}}}]), ["", "", ""]),
            (json!([{"answer_contains": "x"}]), ["", "", ""]),
        ];
        for (checks, expected) in table {
            assert_eq!(of(checks.clone()), expected, "{checks}");
        }
    }
}
