//! Drafts without a model: one per call that worked, questions that no tool can answer, and pairs of tools that are easily
//! taken for each other. Pure, and the same for the same seed.

use std::collections::BTreeSet;

use serde_json::json;

use super::draft::{Draft, Ids, Kind, called};
use super::probe::{Probed, Sample};
use super::words;
use crate::llm::lexical;
use crate::stats::random::SplitMix64;
use crate::transcript::ToolFact;

/// From this share of common words on, two tools are near in meaning.
const NEAR: f64 = 0.2;

/// Most pairs that are drafted.
const PAIRS: usize = 6;

/// Questions that servers seldom have a tool for.
const ELSEWHERE: [&str; 14] = [
    "Thank you, that is all for today.",
    "What is the capital of Mongolia?",
    "Which year did the first human walk on the moon?",
    "Tell me a joke about penguins.",
    "How do I boil an egg so that the yolk stays soft?",
    "What rhymes with orange?",
    "Who painted the Mona Lisa?",
    "Translate good night into Latin.",
    "Why is the sky blue?",
    "Is a tomato a fruit?",
    "How far away is the nearest star?",
    "What did Beethoven compose last?",
    "Can penguins fly?",
    "Good morning!",
];

/// Drafts for the calls of one tool after the other: the first of each, then the second of each.
pub fn positives(probed: &Probed, seed: u64, ids: &mut Ids) -> Vec<Draft> {
    let mut drafts = vec![];
    let rounds = probed.samples.values().map(Vec::len).max().unwrap_or(0);
    for round in 0..rounds {
        for tool in &probed.tools {
            let Some(samples) = probed.samples.get(&tool.name).filter(|samples| round < samples.len()) else {
                continue;
            };
            let sample = &samples[(round + seed.saturating_sub(1) as usize) % samples.len()];
            let prompts = words::prompts(tool, &sample.args);
            if !prompts.is_empty() {
                let id = ids.next(tool.name.as_str());
                drafts.extend(prompts.into_iter().map(|prompt| positive(&id, prompt, tool, sample)));
            }
        }
    }
    drafts
}

fn positive(id: &str, prompt: String, tool: &ToolFact, sample: &Sample) -> Draft {
    let mut expect = vec![called(&tool.name, &sample.args)];
    expect.extend(sample.facts.iter().take(1).map(super::facts::Fact::check));
    expect.push(json!({"no_tool_errors": true}));
    Draft { id: id.to_owned(), prompt, expect, kind: Kind::Positive, tool: Some(tool.name.clone()) }
}

/// Questions that share no word with any tool.
pub fn negatives(tools: &[ToolFact], seed: u64, ids: &mut Ids) -> Vec<Draft> {
    let known: BTreeSet<String> = tools.iter().flat_map(stems).collect();
    let mut questions: Vec<&str> = ELSEWHERE.to_vec();
    let mut random = SplitMix64::new(seed);
    for last in (1..questions.len()).rev() {
        questions.swap(last, random.index(last + 1));
    }
    let foreign = |question: &&str| lexical::terms(question).iter().all(|stem| !known.contains(stem));
    let drafts = questions.into_iter().filter(foreign).map(|question| Draft {
        id: ids.next("no tool"),
        prompt: question.to_owned(),
        expect: vec![json!({"max_calls": 0})],
        kind: Kind::Negative,
        tool: None,
    });
    drafts.collect()
}

/// Pairs of tools of near meaning, the nearest first.
pub fn pairs(tools: &[ToolFact]) -> Vec<(&ToolFact, &ToolFact)> {
    let words: Vec<BTreeSet<String>> = tools.iter().map(|tool| stems(tool).into_iter().collect()).collect();
    let mut found: Vec<(f64, usize, usize)> = vec![];
    for first in 0..tools.len() {
        for second in first + 1..tools.len() {
            let common = words[first].intersection(&words[second]).count() as f64;
            let all = words[first].union(&words[second]).count().max(1) as f64;
            if common / all >= NEAR {
                found.push((common / all, first, second));
            }
        }
    }
    found.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    found.truncate(PAIRS);
    found.into_iter().map(|(_, first, second)| (&tools[first], &tools[second])).collect()
}

/// For each pair a case that expects the one and forbids the other, both ways round where both have been called.
pub fn confusions(probed: &Probed, seed: u64, ids: &mut Ids) -> Vec<Draft> {
    let mut drafts = vec![];
    for (first, second) in pairs(&probed.tools) {
        for (wanted, other) in [(first, second), (second, first)] {
            let Some(samples) = probed.samples.get(&wanted.name) else { continue };
            let sample = &samples[seed as usize % samples.len()];
            let mut prompts = words::prompts(wanted, &sample.args);
            if prompts.is_empty() {
                continue;
            }
            // In other words than the case that is about this tool alone.
            prompts.rotate_left(1);
            let id = ids.next(&format!("{} not {}", wanted.name, other.name));
            for prompt in prompts {
                let mut draft = positive(&id, prompt, wanted, sample);
                draft.expect =
                    vec![called(&wanted.name, &sample.args), json!({"tool_not_called": other.name.as_str()})];
                draft.kind = Kind::Confusion;
                // The name of the other gives it away as much.
                if !super::naming::names(&draft.prompt, other.name.as_str()) {
                    drafts.push(draft);
                }
            }
        }
    }
    drafts
}

fn stems(tool: &ToolFact) -> Vec<String> {
    let text: String = format!("{} {}", tool.name, tool.description()).chars().take(2000).collect();
    lexical::terms(&text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::generate::facts::Fact;

    fn tool(name: &str, description: &str) -> ToolFact {
        ToolFact { name: name.into(), raw: json!({"name": name, "description": description}).into() }
    }

    fn probed() -> Probed {
        let tools = vec![
            tool("get_order", "Look up one order by its number."),
            tool("list_orders", "List all my orders with number and total."),
            tool("weather", "Returns the weather of a city."),
        ];
        let sample = |args, fact: &str| Sample {
            args,
            result: json!({}),
            facts: vec![Fact::Text(fact.to_owned())],
            words: Default::default(),
        };
        let samples = BTreeMap::from([
            (
                "get_order".into(),
                vec![sample(json!({"id": 1042}), "Solaris"), sample(json!({"id": 1043}), "Kindred")],
            ),
            ("list_orders".into(), vec![sample(json!({}), "Solaris")]),
        ]);
        Probed { tools, samples, ..Probed::default() }
    }

    #[test]
    fn a_seed_gives_the_same_drafts_and_another_gives_others() {
        let all = |seed| {
            let mut ids = Ids::default();
            let mut all = positives(&probed(), seed, &mut ids);
            all.extend(confusions(&probed(), seed, &mut ids));
            all.extend(negatives(&probed().tools, seed, &mut ids));
            all
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        let first = &all(1)[0];
        assert_eq!(
            (first.id.as_str(), first.prompt.as_str()),
            ("get-order", "Show me the order with id 1042.")
        );
        assert!(all(1).iter().all(|draft| !draft.prompt.contains("get_order")));
    }

    #[test]
    fn near_tools_are_a_pair_and_others_are_not() {
        let probed = probed();
        let near = pairs(&probed.tools);
        assert_eq!(near.len(), 1);
        assert_eq!((near[0].0.name.as_str(), near[0].1.name.as_str()), ("get_order", "list_orders"));
        let drafts = confusions(&probed, 1, &mut Ids::default());
        assert!(drafts.iter().any(|draft| draft.expect[1] == json!({"tool_not_called": "list_orders"})));
        assert!(drafts.iter().any(|draft| draft.expect[1] == json!({"tool_not_called": "get_order"})));
    }

    #[test]
    fn questions_that_a_tool_might_answer_are_left_out() {
        let tools =
            [tool("capital", "The capital of a country such as Mongolia."), tool("jokes", "Tell a joke.")];
        let drafts = negatives(&tools, 1, &mut Ids::default());
        assert!(!drafts.is_empty());
        assert!(
            drafts.iter().all(|draft| !draft.prompt.contains("Mongolia") && !draft.prompt.contains("joke"))
        );
    }
}
