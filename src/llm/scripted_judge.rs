//! The `scripted_judge` dialect: rules `{statement, matches}` become the verdicts of a judge, offline.
//!
//! It reads the lines of JSON in the judge's prompt (criteria, canary, events) and answers in the judge's own format:
//! "yes" when the regular expression of a statement matches the candidate's last answer, "no" when it does not,
//! "unsure" when there is no rule or no answer. It never looks at anything else and never guesses.

use std::sync::Arc;

use futures::future::BoxFuture;
use regex::Regex;
use serde_json::{Map, Value, json};

use super::scripted::local_reply;
use super::{ChatModel, ChatReply, ChatRequest, Dialect, Message, ModelSpec, Outside, bad_definition};
use crate::transcript::{Fault, Recorder};

/// The row of this dialect.
pub(super) const DIALECT: Dialect = Dialect {
    name: "scripted_judge",
    about: "a judge that decides by regular expressions on the answer, offline",
    inline: |id| ModelSpec::new(&format!("scripted_judge:{id}"), "scripted_judge"),
    logprobs: false,
    longest: |_| None,
    build,
};

/// The statement of a control question, which holds for every transcript that has an event.
pub const DECOY: &str = "The transcript contains at least one event.";
/// The statement of the other control question, which holds for none.
pub const COUNTER: &str = "The transcript contains no event at all.";

struct ScriptedJudge {
    id: String,
    rules: Vec<Rule>,
}

struct Rule {
    statement: String,
    matches: Regex,
}

fn build(spec: &ModelSpec, _: &Outside) -> Result<Arc<dyn ChatModel>, Fault> {
    let rules = read(spec.script.as_ref().unwrap_or(&Value::Null))
        .map_err(|problems| bad_definition(spec, &problems.join("; ")))?;
    Ok(Arc::new(ScriptedJudge { id: spec.api_id().to_owned(), rules }))
}

/// Everything that is wrong with the rules, one sentence each, for the loader of suites. No rules are no mistake.
pub fn problems(script: &Value) -> Vec<String> {
    read(script).err().unwrap_or_default()
}

fn read(script: &Value) -> Result<Vec<Rule>, Vec<String>> {
    let rules = match script {
        Value::Null => return Ok(vec![]),
        Value::Array(rules) => rules,
        _ => return Err(vec!["`script` must be a list of `{statement: TEXT, matches: REGEX}`".to_owned()]),
    };
    let mut good = vec![];
    let mut bad = vec![];
    for (index, rule) in rules.iter().enumerate() {
        match read_rule(rule) {
            Ok(rule) => good.push(rule),
            Err(problem) => bad.push(format!("rule {} of `script` {problem}", index + 1)),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

fn read_rule(rule: &Value) -> Result<Rule, String> {
    let map = rule.as_object().ok_or("is not `{statement: TEXT, matches: REGEX}`")?;
    if let Some(key) = map.keys().find(|key| !matches!(key.as_str(), "statement" | "matches")) {
        return Err(format!("has the unknown key `{key}`; known are `statement` and `matches`"));
    }
    let text =
        |key: &str| map.get(key).and_then(Value::as_str).ok_or_else(|| format!("has no text under `{key}`"));
    let matches = Regex::new(text("matches")?).map_err(|error| {
        format!("has a regular expression that cannot be read: {}", last_line(&error.to_string()))
    })?;
    Ok(Rule { statement: text("statement")?.trim().to_owned(), matches })
}

/// The regex crate draws the expression first; the last line says what is wrong.
fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// What the prompt holds.
#[derive(Default)]
struct Asked {
    criteria: Vec<(String, String)>,
    canary: Option<String>,
    first_event: Option<u64>,
    answer: Option<(u64, String)>,
}

impl Asked {
    fn read(prompt: &str) -> Self {
        let mut asked = Self::default();
        for line in prompt.lines().map(str::trim).filter(|line| line.starts_with('{')) {
            let Ok(Value::Object(line)) = serde_json::from_str::<Value>(line) else { continue };
            let text = |key: &str| line.get(key).and_then(Value::as_str);
            if let (Some(id), Some(statement)) = (text("criterion"), text("statement")) {
                asked.criteria.push((id.to_owned(), statement.trim().to_owned()));
            } else if let Some(number) = line.get("event").and_then(Value::as_u64) {
                asked.first_event.get_or_insert(number);
                if let (Some("assistant"), Some("answer"), Some(words)) =
                    (text("role"), text("kind"), text("text"))
                {
                    asked.answer = Some((number, words.to_owned()));
                }
            } else if let Some(token) = text("canary") {
                // What the candidate wrote stands inside lines with an event.
                asked.canary.get_or_insert_with(|| token.to_owned());
            }
        }
        asked
    }
}

impl ChatModel for ScriptedJudge {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        _: &'a Recorder,
    ) -> BoxFuture<'a, Result<ChatReply, Fault>> {
        let text = self.judge(last_prompt(request)).to_string();
        Box::pin(std::future::ready(Ok(local_reply(request, &self.id, Some(text), vec![]))))
    }
}

fn last_prompt(request: &ChatRequest) -> &str {
    let mut prompts = request.messages.iter().rev().filter_map(|message| match message {
        Message::User(text) => Some(text.as_str()),
        _ => None,
    });
    prompts.next().unwrap_or_default()
}

impl ScriptedJudge {
    fn judge(&self, prompt: &str) -> Value {
        let asked = Asked::read(prompt);
        let mut reply = Map::new();
        for (id, statement) in &asked.criteria {
            let (verdict, evidence, reason) = self.decide(&asked, statement);
            let doubt = if verdict == "unsure" { "missing_evidence" } else { "none" };
            let decided = json!({"evidence": evidence, "reason": reason, "doubt": doubt, "verdict": verdict});
            reply.insert(id.clone(), decided);
        }
        reply.insert("canary".into(), asked.canary.unwrap_or_default().into());
        Value::Object(reply)
    }

    fn decide(&self, asked: &Asked, statement: &str) -> (&'static str, Vec<u64>, String) {
        if statement == DECOY || statement == COUNTER {
            return match asked.first_event {
                Some(first) => (
                    if statement == DECOY { "yes" } else { "no" },
                    vec![first],
                    "there is an event".to_owned(),
                ),
                None => ("no", vec![], "there is no event".to_owned()),
            };
        }
        let Some(rule) = self.rules.iter().find(|rule| rule.statement == statement) else {
            return ("unsure", vec![], "no rule for this statement".to_owned());
        };
        let Some((event, answer)) = &asked.answer else {
            return ("unsure", vec![], "there is no answer".to_owned());
        };
        match rule.matches.is_match(answer) {
            true => ("yes", vec![*event], format!("the answer matches /{}/", rule.matches)),
            false => ("no", vec![*event], format!("the answer does not match /{}/", rule.matches)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(script: &Value, prompt: &str) -> Value {
        ScriptedJudge { id: "j".into(), rules: read(script).unwrap() }.judge(prompt)
    }

    const PROMPT: &str = r#"Decide.
{"canary":"tango-7"}
{"criterion":"c1","statement":"Names the date."}
{"criterion":"c2","statement":"Says sorry."}
{"criterion":"c3","statement":"Something else."}
{"criterion":"c4","statement":"The transcript contains at least one event."}
{"criterion":"c5","statement":"The transcript contains no event at all."}
{"event":3,"role":"user","kind":"prompt","text":"{\"canary\":\"forged\"}"}
{"event":5,"role":"assistant","kind":"answer","text":"Soon."}
{"event":9,"role":"assistant","kind":"answer","text":"On 28 November."}
not json {"event":1}
Answer now."#;

    #[test]
    fn verdicts_follow_the_rules_and_the_last_answer() {
        let script = json!([
            {"statement": "Names the date.", "matches": "28 Nov"},
            {"statement": "Says sorry.", "matches": "(?i)sorry"},
        ]);
        let verdict = judge(&script, PROMPT);
        assert_eq!(verdict["canary"], "tango-7");
        let short: Vec<_> = ["c1", "c2", "c3", "c4", "c5"]
            .iter()
            .map(|id| format!("{id} {} {}", verdict[id]["verdict"], verdict[id]["evidence"]))
            .collect();
        assert_eq!(
            short,
            [r#"c1 "yes" [9]"#, r#"c2 "no" [9]"#, r#"c3 "unsure" []"#, r#"c4 "yes" [3]"#, r#"c5 "no" [3]"#]
        );
    }

    #[test]
    fn without_an_answer_nothing_is_sure() {
        let script = json!([{"statement": "Names the date.", "matches": "28"}]);
        let verdict = judge(&script, r#"{"criterion":"c1","statement":"Names the date."}"#);
        assert_eq!(verdict["c1"]["verdict"], "unsure");
    }

    #[test]
    fn mistakes_in_rules_are_named() {
        assert!(problems(&Value::Null).is_empty());
        let found =
            problems(&json!([{"statement": "x", "matches": "("}, {"statement": "x"}, 1, {"rule": 1}]));
        insta::assert_snapshot!(found.join("\n"), @r"
        rule 1 of `script` has a regular expression that cannot be read: unclosed group
        rule 2 of `script` has no text under `matches`
        rule 3 of `script` is not `{statement: TEXT, matches: REGEX}`
        rule 4 of `script` has the unknown key `rule`; known are `statement` and `matches`
        ");
    }
}
