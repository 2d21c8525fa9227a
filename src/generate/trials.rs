//! Ways to say the same, tried one after the other until one passes; a suite asks nothing twice.

use std::collections::{BTreeSet, VecDeque};

use super::draft::Draft;
use super::{Head, Made, Trouble, Wish, prove};
use crate::drive::stage::Outside;
use crate::ids::ModelName;
use crate::mcp::Isolation;
use crate::suite::health::ask_alike;

/// How many ways to say one thing are tried.
const WAYS: usize = 6;

/// Drafts under way.
pub(super) struct Trials {
    /// The ways that are left, by what they say, in order.
    left: Vec<VecDeque<Draft>>,
    /// Prompts that are taken.
    taken: BTreeSet<String>,
    /// What passed, with its place in the order.
    done: Vec<(usize, Draft)>,
    /// What passed, in order.
    pub(super) passed: Vec<Draft>,
    /// What did not, and why.
    pub(super) dropped: Vec<(Draft, String)>,
}

impl Trials {
    pub(super) fn of(drafts: Vec<Draft>, taken: BTreeSet<String>, dropped: Vec<(Draft, String)>) -> Self {
        let mut left: Vec<VecDeque<Draft>> = vec![];
        for draft in drafts {
            match left.iter_mut().find(|ways| ways.front().is_some_and(|first| first.id == draft.id)) {
                Some(ways) => ways.push_back(draft),
                None => left.push(VecDeque::from([draft])),
            }
        }
        Self { left, taken, done: vec![], passed: vec![], dropped }
    }

    /// Runs until everything has passed, or nothing is left to try, or the money is spent.
    pub(super) async fn run(
        &mut self,
        head: &Head<'_>,
        wish: &Wish<'_>,
        outside: &Outside,
        made: &mut Made,
    ) -> Result<(), Trouble> {
        let model = wish.author.map_or(ModelName::from("lexical"), |author| author.spec.name.clone());
        for _ in 0..WAYS {
            let batch = self.batch();
            if batch.is_empty() {
                break;
            }
            let noun = if batch.len() == 1 { "draft" } else { "drafts" };
            (wish.progress)(&format!("running {} {noun} with {model}", batch.len()));
            let parts = batch.iter().map(|(at, draft)| draft.named(&format!("draft-{at}"), wish.persona));
            let mut suite = head.load(parts.collect(), vec![model.clone()])?;
            if !wish.writes {
                // What only reads leaves nothing behind, and many servers are slow to start.
                suite.target.isolation = Isolation::Run;
            }
            let money = wish.max_cost.map(|most| (most - made.spent).max(0.0));
            let proofs = prove::prove(&suite, &model, money, outside).await?;
            made.spent += proofs.spent;
            for (at, draft) in batch {
                match proofs.cases.get(format!("draft-{at}").as_str()) {
                    Some(None) => {
                        self.taken.insert(draft.prompt.clone());
                        self.left[at].clear();
                        self.done.push((at, draft));
                    }
                    Some(Some(why)) => self.dropped.push((draft, format!("{model}: {why}"))),
                    None => self.dropped.push((draft, "not run: the money is spent".to_owned())),
                }
            }
        }
        self.done.sort_by_key(|(at, _)| *at);
        self.passed = std::mem::take(&mut self.done).into_iter().map(|(_, draft)| draft).collect();
        Ok(())
    }

    /// The next way to say each thing; of two that would say the same, the second waits.
    fn batch(&mut self) -> Vec<(usize, Draft)> {
        let mut batch: Vec<(usize, Draft)> = vec![];
        for (at, ways) in self.left.iter_mut().enumerate() {
            while let Some(draft) = ways.pop_front() {
                if self.taken.iter().any(|taken| ask_alike(taken, &draft.prompt)) {
                    self.dropped.push((draft, "the suite asks this already".to_owned()));
                } else if batch.iter().any(|(_, other)| ask_alike(&other.prompt, &draft.prompt)) {
                    ways.push_front(draft);
                    break;
                } else {
                    batch.push((at, draft));
                    break;
                }
            }
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::draft::Kind;

    fn draft(id: &str, prompt: &str) -> Draft {
        Draft {
            id: id.to_owned(),
            prompt: prompt.to_owned(),
            expect: vec![],
            kind: Kind::Positive,
            tool: None,
        }
    }

    #[test]
    fn nothing_is_asked_twice() {
        let drafts = vec![
            draft("a", "one"),
            draft("a", "two"),
            draft("b", "one"),
            draft("b", "three"),
            draft("c", "known"),
        ];
        let mut trials = Trials::of(drafts, BTreeSet::from(["known".to_owned()]), vec![]);
        let prompts =
            |batch: Vec<(usize, Draft)>| batch.into_iter().map(|(_, one)| one.prompt).collect::<Vec<_>>();
        assert_eq!(prompts(trials.batch()), ["one"]);
        assert_eq!(trials.dropped.len(), 1);
        trials.taken.insert("one".to_owned());
        assert_eq!(prompts(trials.batch()), ["two", "three"]);
        assert!(trials.batch().is_empty());
    }
}
