//! The judge: atomic criteria, a strict answer, the transcript as data.
//!
//! Prompt, reply and everything that weighs opinions are pure; only [`Examiner`] calls a model. A judge has no tools,
//! never sees the candidate's private reasoning, and an answer that cannot be read means "unsure", never "pass".

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Weight};
use crate::diag::Located;
use crate::ids::{Digest, ModelName};
use crate::transcript::{Recorder, Transcript, Usage};

mod advises;
pub mod bridge;
pub mod calibration;
pub mod canary;
mod confidence;
mod criterion;
mod examiner;
mod fingerprint;
pub mod frozen;
pub mod labels;
mod lines;
pub mod mutation;
pub mod pairwise;
mod panel;
pub mod phrases;
pub mod prompt;
mod reasoning;
pub mod reply;
pub mod routing;
mod ruling;
pub mod screen;
mod verdicts;
pub mod worth;

pub use advises::{Advises, TOO_WEAK, undecided};
pub use confidence::{Confidence, SURE};
pub use criterion::{Asks, Criterion, Kind, Role};
pub use examiner::{Asked, Bill, Examiner, Matter, Opinion};
pub use fingerprint::Fingerprint;
pub use lines::{BUDGET, RENDERER, Shown};
pub use panel::Escalate;
pub use ruling::{FirstWord, Ruling};
pub use verdicts::{InMemory, Turns, Verdicts};

use prompt::Question;
use reply::Decision;

/// How a judge is asked, as a file in `evals/rubrics` describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rubric {
    /// The name suites use. Defaults to the file stem.
    #[serde(default)]
    pub name: String,
    /// Raised when a change makes old verdicts incomparable.
    pub version: u32,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What the judge is told before and after the data.
    pub instructions: String,
}

/// Whether criteria go to the judge one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Each criterion that weighs in a call of its own, those that are only reported in one.
    #[default]
    Apart,
    /// All criteria of a trial in one call: cheaper, and verdicts can rub off on each other.
    Together,
}

/// Who decides besides the first judge.
#[derive(Clone, Default)]
#[expect(clippy::large_enum_variant, reason = "a run has one of them")]
pub enum Others {
    /// Nobody.
    #[default]
    Nobody,
    /// One judge, asked where [`Escalate`] says.
    Second(Examiner, Escalate),
    /// Judges that are always asked until more than half of all agree.
    Panel(Vec<Examiner>),
}

/// A judge ready to decide.
#[derive(Clone)]
pub struct Judge {
    /// Who is asked first.
    pub first: Examiner,
    /// Who else.
    pub others: Others,
    /// How they are asked.
    pub rubric: Rubric,
    /// What goes into one call.
    pub grouping: Grouping,
    /// Where verdicts are kept for reuse; `None`: every question is asked.
    pub verdicts: Option<Arc<dyn Verdicts>>,
    /// The probability that the first judge must exceed for its word to be enough, where it is known: [`SURE`], or what
    /// labels have shown.
    pub sure: f64,
    /// Where its verdicts are reported and decide nothing: people were asked, and it is too weak to gate.
    pub advises: Advises,
}

/// What judging a trial gave and cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// One finding per criterion, in order.
    pub findings: Vec<Finding>,
    /// Calls made.
    pub calls: u32,
    /// Tokens.
    pub usage: Usage,
    /// US dollars; `None` when the judge was asked and has no price.
    pub cost: Option<f64>,
}

/// Criteria whose questions go into one call.
struct Batch {
    /// Their places in the list.
    criteria: Vec<usize>,
}

/// What a judge is shown of a trial: two trials with the same digest are the same to it.
pub fn seen(transcript: &Transcript) -> Digest {
    Digest::of_json(&lines::of(transcript).lines)
}

impl Judge {
    /// A judge that decides alone.
    pub fn alone(first: Examiner, rubric: Rubric) -> Self {
        let (others, grouping) = (Others::Nobody, Grouping::default());
        Self { first, others, rubric, grouping, verdicts: None, sure: SURE, advises: Advises::default() }
    }

    /// The names of all models that judge, the first one first.
    pub fn models(&self) -> Vec<&ModelName> {
        let others: &[Examiner] = match &self.others {
            Others::Nobody => &[],
            Others::Second(second, _) => std::slice::from_ref(second),
            Others::Panel(panel) => panel,
        };
        std::iter::once(&self.first).chain(others).map(|examiner| &examiner.spec.name).collect()
    }

    /// Decides every criterion of a trial. Failed attempts are noted in `log`, which is not the trial's own record.
    pub async fn decide(
        &self,
        transcript: &Transcript,
        criteria: &[Located<Criterion>],
        log: &Recorder,
    ) -> Judged {
        let mut findings = by_code(transcript, criteria);
        let matter = Matter { transcript, rubric: &self.rubric, verdicts: self.verdicts.as_deref(), log };
        let suspect = self.first.listens() && !phrases::suspects(transcript).is_empty();
        let mut bill = Bill::default();
        for batch in self.batches(criteria, &findings) {
            let asked = questions(&batch, criteria);
            let Settled { opinions, escalated, polled, first } =
                self.settle(&matter, &asked, suspect, &mut bill).await;
            let mut at = 0;
            for index in batch.criteria {
                let criterion = &criteria[index];
                let end = (at + size(&criterion.value)).min(opinions.len());
                let combined = ruling::combined(&criterion.value, &opinions[at..end]);
                let mut finding = ruling::finding(criterion, combined, escalated);
                if let Some(ruling) = &mut finding.ruling {
                    ruling.votes = votes(&criterion.value, polled.get(at..end).unwrap_or_default());
                    let own = first.get(at..end).unwrap_or_default();
                    ruling.first = self.first.weighs().then(|| ruling::first_word(&criterion.value, own));
                }
                at = end;
                if self.advises.on(&criterion.value) {
                    finding.weight = Weight::Info;
                }
                findings[index] = Some(finding);
            }
        }
        let Bill { calls, usage, cost } = bill;
        Judged { findings: findings.into_iter().flatten().collect(), calls, usage, cost }
    }

    /// What goes into which call.
    fn batches(&self, criteria: &[Located<Criterion>], findings: &[Option<Finding>]) -> Vec<Batch> {
        let open = (0..criteria.len()).filter(|index| findings[*index].is_none());
        let (info, weighty): (Vec<usize>, Vec<usize>) =
            open.partition(|index| criteria[*index].value.kind() == Kind::Info);
        let batches = match self.grouping {
            Grouping::Apart => weighty.into_iter().map(|index| vec![index]).chain([info]).collect(),
            Grouping::Together => vec![weighty.into_iter().chain(info).collect()],
        };
        let filled = batches.into_iter().filter(|criteria: &Vec<usize>| !criteria.is_empty());
        filled.map(|criteria| Batch { criteria }).collect()
    }

    /// One opinion per question, and who else was asked.
    async fn settle(
        &self,
        matter: &Matter<'_>,
        asked: &Asked<'_>,
        suspect: bool,
        bill: &mut Bill,
    ) -> Settled {
        let first = self.first.opinions(matter, asked, bill).await;
        let steered = |opinion: &Opinion| matches!(opinion, Ok(Decision::Yes(ground) | Decision::No(ground)) if ground.steered);
        let suspect = suspect || first.iter().any(steered);
        let kept = first.clone();
        let settled = match &self.others {
            Others::Nobody if suspect => Settled::of(first.iter().map(panel::alone).collect(), false),
            Others::Nobody => Settled::of(first, false),
            Others::Second(second, when) => {
                let doubtful = |(opinion, wanted): (&Opinion, &Option<bool>)| {
                    let said = opinion.as_ref().ok().and_then(Decision::says);
                    let fails = wanted.is_some() && said != *wanted;
                    let weak = confidence::is_weak(opinion, self.sure);
                    said.is_none() || suspect || weak || (fails && *when == Escalate::Fail)
                };
                let doubts: Vec<bool> = first.iter().zip(&asked.wanted).map(doubtful).collect();
                if doubts.contains(&true) {
                    let seconds = second.opinions(matter, asked, bill).await;
                    let pairs = first.into_iter().zip(seconds).zip(doubts);
                    let settled = pairs.map(|((one, other), doubted)| match doubted {
                        true => panel::with_second(&one, other, suspect),
                        false => one,
                    });
                    Settled::of(settled.collect(), true)
                } else {
                    Settled::of(first, false)
                }
            }
            Others::Panel(panel) => self.poll(panel, first, (matter, asked), bill).await,
        };
        Settled { first: kept, ..settled }
    }

    /// Asks the members of a panel, one after the other, until every question is decided.
    async fn poll(
        &self,
        panel: &[Examiner],
        first: Vec<Opinion>,
        (matter, asked): (&Matter<'_>, &Asked<'_>),
        bill: &mut Bill,
    ) -> Settled {
        let size = panel.len() + 1;
        let mut columns: Vec<Vec<Opinion>> = first.into_iter().map(|opinion| vec![opinion]).collect();
        for (index, member) in panel.iter().enumerate() {
            let left = panel.len() - index;
            if columns.iter().all(|column| panel::is_decided(column, left)) {
                break;
            }
            let next = member.opinions(matter, asked, bill).await;
            columns.iter_mut().zip(next).for_each(|(column, opinion)| column.push(opinion));
        }
        let opinions = columns.iter().map(|column| panel::majority(column, size)).collect();
        Settled { polled: columns, ..Settled::of(opinions, true) }
    }
}

/// What all judges together say.
struct Settled {
    /// One opinion per question.
    opinions: Vec<Opinion>,
    /// Whether anybody but the first judge was asked.
    escalated: bool,
    /// What each member of a panel said, question by question; empty without a panel.
    polled: Vec<Vec<Opinion>>,
    /// What the first judge said by itself, question by question.
    first: Vec<Opinion>,
}

impl Settled {
    fn of(opinions: Vec<Opinion>, escalated: bool) -> Self {
        Self { opinions, escalated, polled: vec![], first: vec![] }
    }
}

/// What each member of a panel says of a criterion, all of its questions together.
fn votes(criterion: &Criterion, polled: &[Vec<Opinion>]) -> Vec<Option<bool>> {
    let members = polled.iter().map(Vec::len).min().unwrap_or(0);
    let says = |member: usize| {
        let own: Vec<Opinion> = polled.iter().filter_map(|column| column.get(member).cloned()).collect();
        ruling::combined(criterion, &own).ok().as_ref().and_then(Decision::says)
    };
    (0..members).map(says).collect()
}

/// How many questions a criterion asks.
fn size(criterion: &Criterion) -> usize {
    match criterion.asks() {
        Some(Asks::Claims(claims, _)) => claims.len(),
        Some(Asks::Statement(..)) => 1,
        None => 0,
    }
}

fn questions<'a>(batch: &Batch, criteria: &'a [Located<Criterion>]) -> Asked<'a> {
    let mut all = Asked::default();
    for index in &batch.criteria {
        let Asked { questions, wanted } = asked_of(&criteria[*index].value);
        all.questions.extend(questions);
        all.wanted.extend(wanted);
    }
    all
}

/// What one criterion asks.
fn asked_of(criterion: &Criterion) -> Asked<'_> {
    let (reference, cites) = (criterion.reference.as_deref(), &criterion.cites[..]);
    let statements: Vec<&str> = match criterion.asks() {
        Some(Asks::Statement(_, statement)) => vec![statement],
        Some(Asks::Claims(claims, _)) => claims.iter().map(String::as_str).collect(),
        None => vec![],
    };
    let wanted = match criterion.kind() {
        Kind::Must => Some(true),
        Kind::MustNot => Some(false),
        Kind::Info => None,
    };
    Asked {
        wanted: vec![wanted; statements.len()],
        questions: statements.into_iter().map(|statement| Question { statement, reference, cites }).collect(),
    }
}

/// The criteria that code decides: unreadable ones, and all that a missing or empty answer fails.
fn by_code(transcript: &Transcript, criteria: &[Located<Criterion>]) -> Vec<Option<Finding>> {
    let empty = screen::look(transcript);
    let one = |criterion: &Located<Criterion>| {
        if criterion.value.asks().is_none() {
            return Some(ruling::malformed(criterion));
        }
        let (why, event) = empty.as_ref()?.settles(criterion.value.kind(), &criterion.value.text())?;
        Some(ruling::settled(criterion, why, event))
    };
    criteria.iter().map(one).collect()
}
