//! The calls that the checks of a case expect, an example of each, and which way a trial took instead. Pure.

use serde_json::{Map, Value};

use super::all_of::AllOf;
use super::calls::{self, Wanted};
use super::{Check, View};
use crate::diag::Located;
use crate::ids::ToolName;

/// A call that a case expects to be made at least once.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The tool.
    pub tool: ToolName,
    /// Matchers of its arguments, as the suite writes them.
    pub args: Option<Value>,
}

/// Which way a trial took to the calls that were expected of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every expected call was made, with arguments that match.
    Right,
    /// Every expected tool was called, one of them with other arguments only.
    OtherArguments,
    /// An expected tool was not called, and this one was that nothing expects: the first of them.
    OtherTool(ToolName),
    /// An expected tool was not called, and no other in its place.
    NoCall,
}

/// The calls that must be made, in the order of the suite. Alternatives (`any_of`) name none for certain and are left
/// out.
pub fn of<'a>(checks: impl IntoIterator<Item = &'a Located<Check>>) -> Vec<Expected> {
    let mut found = vec![];
    checks.into_iter().for_each(|check| gather(&check.value, &mut found));
    found
}

fn gather(check: &Check, found: &mut Vec<Expected>) {
    match check {
        Check::ToolCalled(called) => {
            let never = called.times.is_some_and(|times| times.max == Some(0));
            let next = Expected { tool: called.name.clone(), args: called.args.clone() };
            if !never && !found.contains(&next) {
                found.push(next);
            }
        }
        Check::AllOf(AllOf { checks }) => checks.iter().for_each(|check| gather(check, found)),
        _ => {}
    }
}

impl Expected {
    /// The arguments of a call in this transcript that is as expected.
    pub fn made_in(&self, view: &View<'_>) -> Option<Value> {
        let wanted = Wanted::compile(&self.tool, self.args.as_ref()).ok()?;
        let call = calls::sent(view).find(|call| wanted.is(call))?;
        Some(call.args.clone())
    }

    /// Arguments that match, where the suite says them well enough: `None` when a matcher names no value.
    pub fn example(&self) -> Option<Value> {
        match &self.args {
            None => Some(Value::Object(Map::new())),
            Some(pattern) => example(pattern)?,
        }
    }
}

/// A value that a pattern accepts; the inner `None` where it wants nothing to be there.
#[expect(clippy::option_option, reason = "no example and an example of nothing differ")]
fn example(pattern: &Value) -> Option<Option<Value>> {
    let each = |items: &[Value]| {
        let items = items.iter().map(|item| example(item)?);
        Some(Some(Value::Array(items.collect::<Option<_>>()?)))
    };
    match pattern {
        Value::Object(map) => match map.iter().find(|(key, _)| key.starts_with('$')) {
            Some((key, inner)) => match (key.as_str(), inner) {
                ("$exact" | "$folded" | "$date", value) => Some(Some(value.clone())),
                ("$near", near) => Some(Some(near.get("value")?.clone())),
                ("$one_of", Value::Array(items)) => items.iter().find_map(example),
                ("$set", Value::Array(items)) => each(items),
                ("$absent", _) => Some(None),
                _ => None,
            },
            None => {
                let mut made = Map::new();
                for (key, inner) in map {
                    if let Some(value) = example(inner)? {
                        made.insert(key.clone(), value);
                    }
                }
                Some(Some(Value::Object(made)))
            }
        },
        Value::Array(items) => each(items),
        scalar => Some(Some(scalar.clone())),
    }
}

/// Which way the trial took.
pub fn way(expected: &[Expected], view: &View<'_>) -> Way {
    let named = |expected: &Expected| calls::sent(view).any(|call| *call.name == expected.tool);
    if expected.iter().all(|expected| expected.made_in(view).is_some()) {
        return Way::Right;
    }
    if expected.iter().all(named) {
        return Way::OtherArguments;
    }
    let strange = |name: &ToolName| expected.iter().all(|expected| expected.tool != *name);
    match view.model_calls().find(|call| strange(call.name)) {
        Some(call) => Way::OtherTool(call.name.clone()),
        None => Way::NoCall,
    }
}

/// What the target itself must do when the expected calls are made: what it returns, and what it holds afterwards. A
/// call may fail where the error holds what the answer should say.
pub fn of_the_target(checks: &[Located<Check>]) -> Vec<Located<Check>> {
    let own = |check: &Check| {
        matches!(
            check,
            Check::ResultJson(_) | Check::ResultSize(_) | Check::Verify(_) | Check::NoToolErrors(_)
        )
    };
    let mut kept: Vec<Located<Check>> = checks.iter().filter(|check| own(&check.value)).cloned().collect();
    let mut says: Vec<Check> = vec![];
    let answers = checks.iter().filter(|check| {
        matches!(
            check.value,
            Check::AnswerContains(_)
                | Check::AnswerMatches(_)
                | Check::AnswerNumbers(_)
                | Check::AnswerJson(_)
        )
    });
    says.extend(answers.map(|check| check.value.clone()));
    let works = Check::NoToolErrors(super::no_tool_errors::NoToolErrors::default());
    let Some(first) = checks.first() else { return kept };
    let works = match says.is_empty() {
        true => works,
        false => {
            Check::AnyOf(super::any_of::AnyOf { checks: vec![works, Check::AllOf(AllOf { checks: says })] })
        }
    };
    kept.push(Located::new(works, first.origin.clone()));
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::diag::Origin;

    fn checks(words: Value) -> Vec<Located<Check>> {
        let origin = Origin { file: "s.yaml".into(), line: 1, column: 1 };
        let checks: Vec<Check> = serde_json::from_value(words).unwrap();
        checks.into_iter().map(|check| Located::new(check, origin.clone())).collect()
    }

    #[test]
    fn calls_are_expected_where_nothing_else_would_do() {
        let checks = checks(json!([
            {"tool_called": "a"},
            {"tool_called": {"name": "b", "times": {"max": 0}}},
            {"any_of": [{"tool_called": "c"}, {"tool_called": "d"}]},
            {"all_of": [{"tool_called": {"name": "e", "args": {"id": 1}}}, {"answer_contains": "x"}]},
        ]));
        let found: Vec<String> = of(&checks).iter().map(|one| one.tool.to_string()).collect();
        assert_eq!(found, ["a", "e"]);
    }

    #[test]
    fn a_pattern_gives_an_example_or_none() {
        let example = |args| Expected { tool: "a".into(), args: Some(args) }.example();
        for (pattern, made) in [
            (
                json!({"id": 1042, "deep": {"a": [1, {"$exact": {}}]}}),
                json!({"id": 1042, "deep": {"a": [1, {}]}}),
            ),
            (json!({"id": {"$near": {"value": 3, "within": 1}}}), json!({"id": 3})),
            (json!({"id": {"$one_of": [{"$any": true}, "7"]}}), json!({"id": "7"})),
            (json!({"on": {"$date": "2026-11-28"}, "no": {"$absent": true}}), json!({"on": "2026-11-28"})),
            (
                json!({"all": {"$set": [2, 1]}, "who": {"$folded": "Le Guin"}}),
                json!({"all": [2, 1], "who": "Le Guin"}),
            ),
        ] {
            assert_eq!(example(pattern.clone()), Some(made), "{pattern}");
        }
        for open in
            [json!({"id": {"$any": true}}), json!({"a": [{"$regex": "x"}]}), json!({"a": {"$type": "null"}})]
        {
            assert_eq!(example(open.clone()), None, "{open}");
        }
    }

    #[test]
    fn the_target_answers_for_its_results_alone() {
        let names =
            |words| -> Vec<&str> { of_the_target(&checks(words)).iter().map(|c| c.value.name()).collect() };
        assert_eq!(names(json!([{"tool_called": "a"}, {"max_calls": 1}])), ["no_tool_errors"]);
        let both = json!([{"tool_called": "a"}, {"answer_contains": "x"}, {"result_json": {"tool": "a", "path": "$.b", "equals": 1}}]);
        assert_eq!(names(both), ["result_json", "any_of"]);
    }
}
