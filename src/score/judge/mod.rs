//! The judge: atomic criteria, a strict answer, the transcript as data.
//!
//! Prompt and reply parsing are pure; only [`Judge::decide`] calls the model. The judge has no tools, never sees the
//! candidate's private reasoning, and an answer that cannot be read means "unsure", never "pass".

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Finding, Grade, Weight};
use crate::diag::Located;
use crate::display::excerpt;
use crate::ids::Digest;
use crate::llm::{self, ChatModel, ModelSpec};
use crate::transcript::{Fault, Recorder, Side, Transcript, Usage};

mod lines;
pub mod prompt;
pub mod reply;
pub mod screen;

pub use lines::BUDGET;
use lines::Lines;
use prompt::{Frame, Question};
use reply::{Decision, Ground};

/// One atomic question for the judge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// A statement that must hold. Exactly one of `must`, `must_not` and `info` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must: Option<String>,
    /// A statement that must not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_not: Option<String>,
    /// A statement that is only reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// For the scripted judge only: the statement holds when the candidate's answer matches this regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scripted: Option<String>,
}

/// Whether a criterion must hold, must not hold, or is only reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Must hold.
    Must,
    /// Must not hold.
    MustNot,
    /// Reported only.
    Info,
}

impl Criterion {
    /// The statement and what it is for; `None` when not exactly one of the three keys is given.
    pub fn statement(&self) -> Option<(Kind, &str)> {
        match (&self.must, &self.must_not, &self.info) {
            (Some(text), None, None) => Some((Kind::Must, text)),
            (None, Some(text), None) => Some((Kind::MustNot, text)),
            (None, None, Some(text)) => Some((Kind::Info, text)),
            _ => None,
        }
    }
}

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

/// A judge ready to decide.
#[derive(Clone)]
pub struct Judge {
    /// The model.
    pub model: Arc<dyn ChatModel>,
    /// Its definition, for prices and the record.
    pub spec: ModelSpec,
    /// How it is asked.
    pub rubric: Rubric,
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

/// How often a criterion is asked when the reply as a whole is worthless.
const ATTEMPTS: u32 = 2;

impl Judge {
    /// Decides every criterion of a trial. Failed attempts are noted in `log`, which is not the trial's own record.
    pub async fn decide(
        &self,
        transcript: &Transcript,
        criteria: &[Located<Criterion>],
        log: &Recorder,
    ) -> Judged {
        let mut judged = Judged { cost: Some(0.0), ..Judged::default() };
        let mut findings: Vec<Option<Finding>> = by_code(transcript, criteria);
        let ids: Vec<String> = (1..=criteria.len()).map(|number| format!("c{number}")).collect();
        let open: Vec<usize> = (0..criteria.len()).filter(|index| findings[*index].is_none()).collect();
        let questions: Vec<Question<'_>> = open
            .iter()
            .filter_map(|&index| {
                let (_, statement) = criteria[index].value.statement()?;
                Some(Question { id: &ids[index], statement })
            })
            .collect();
        if !questions.is_empty() {
            let decisions = self.ask(transcript, &questions, log, &mut judged).await;
            for (index, decision) in open.into_iter().zip(decisions) {
                findings[index] = Some(finding(&criteria[index], decision));
            }
        }
        judged.findings = findings.into_iter().flatten().collect();
        judged
    }

    /// Asks until a reply can be read, or gives every question up.
    async fn ask(
        &self,
        transcript: &Transcript,
        questions: &[Question<'_>],
        log: &Recorder,
        judged: &mut Judged,
    ) -> Vec<Result<Decision, Fault>> {
        let ids: Vec<&str> = questions.iter().map(|question| question.id).collect();
        let mut last =
            Fault::new(Side::Judge, "judge.frame", "the transcript contains the secrets of the frame");
        let model = llm::at(&self.model, &transcript.header);
        for attempt in 0..ATTEMPTS {
            let frame = frame(transcript, questions, attempt);
            let Ok(prompt) = prompt::write(transcript, questions, &self.rubric, &frame) else { continue };
            judged.calls += 1;
            let reply = match model.complete(&prompt.request, log).await {
                Ok(reply) => reply,
                Err(fault) => {
                    last = Fault { side: Side::Judge, ..fault };
                    break;
                }
            };
            judged.usage += reply.usage;
            let price = self.spec.price.as_ref().map(|price| price.of(&reply.usage));
            judged.cost = judged.cost.zip(price).map(|(sum, price)| sum + price);
            match reply::read(reply.text.as_deref().unwrap_or_default(), &ids, &frame, &prompt.shown) {
                Ok(decisions) => return decisions.into_iter().map(Ok).collect(),
                Err(broken) => last = Fault::new(Side::Judge, broken.code, broken.why),
            }
        }
        questions.iter().map(|_| Err(last.clone())).collect()
    }
}

/// The secrets of a prompt, derived from everything that the judge is shown: whoever wrote a part of it could only know
/// them by inverting the digest of the whole. Times are no part of it, so judging the same again asks the same, also
/// when a trial was replayed.
fn frame(transcript: &Transcript, questions: &[Question<'_>], attempt: u32) -> Frame {
    let statements: Vec<&str> = questions.iter().map(|question| question.statement).collect();
    let Lines { lines, .. } = lines::of(transcript);
    let whole = Digest::of_json(&(transcript.header.key, lines, &statements, attempt)).to_string();
    let digest = |purpose: &str| Digest::of_json(&(purpose, &whole)).to_string();
    Frame { nonce: digest("judge frame"), canary: digest("judge canary") }
}

/// The criteria that code decides: unreadable ones, and all that a missing or empty answer fails.
fn by_code(transcript: &Transcript, criteria: &[Located<Criterion>]) -> Vec<Option<Finding>> {
    let empty = screen::look(transcript);
    let one = |criterion: &Located<Criterion>| {
        let Some((kind, statement)) = criterion.value.statement() else {
            let why = "a criterion has exactly one of `must`, `must_not` and `info`";
            let fault = Fault::new(Side::Harness, "suite.bad-criterion", why);
            return Some(made(criterion, Kind::Must, Grade::Unscored(fault), (why.to_owned(), vec![])));
        };
        let (why, event) = empty.as_ref()?.settles(kind, statement)?;
        let why = format!("{}: {why}", quoted(statement));
        Some(made(criterion, kind, Grade::Fail, (why, event.into_iter().collect())))
    };
    criteria.iter().map(one).collect()
}

fn finding(criterion: &Located<Criterion>, decision: Result<Decision, Fault>) -> Finding {
    let (kind, statement) = criterion.value.statement().unwrap_or((Kind::Info, ""));
    let statement = quoted(statement);
    let (grade, ground) = match decision {
        Ok(Decision::Yes(Ground { evidence, reason })) => {
            let grade = if kind == Kind::MustNot { Grade::Fail } else { Grade::Pass };
            (grade, (format!("{statement}: yes; {reason}"), evidence))
        }
        Ok(Decision::No(Ground { evidence, reason })) => {
            let grade = if kind == Kind::MustNot { Grade::Pass } else { Grade::Fail };
            (grade, (format!("{statement}: no; {reason}"), evidence))
        }
        Ok(Decision::Unsure { code, why }) => (
            Grade::Unscored(Fault::new(Side::Judge, code, why.clone())),
            (format!("{statement}: {why}"), vec![]),
        ),
        Err(fault) => {
            let why = format!("{statement}: {}", excerpt(&fault.message, 200));
            (Grade::Unscored(fault), (why, vec![]))
        }
    };
    made(criterion, kind, grade, ground)
}

fn quoted(statement: &str) -> String {
    format!("`{}`", excerpt(statement, 100))
}

fn made(
    criterion: &Located<Criterion>,
    kind: Kind,
    grade: Grade,
    (why, evidence): (String, Vec<u32>),
) -> Finding {
    let weight = if kind == Kind::Info { Weight::Info } else { Weight::Must };
    Finding {
        check: "criterion".to_owned(),
        grade,
        why,
        evidence,
        origin: criterion.origin.clone(),
        weight,
        sights: vec![],
    }
}
