//! One model that judges: asks, reads, asks once more when a reply is worthless, and reuses what it has decided before.

use std::sync::Arc;

use super::confidence::{self, Confidence, VOTES};
use super::fingerprint::{Fingerprint, verdict_key};
use super::prompt::{self, Frame, Question};
use super::reply::{self, Decision};
use super::verdicts::{Turn, Verdicts};
use super::{Rubric, lines};
use crate::ids::Digest;
use crate::llm::{self, ChatModel, ModelSpec};
use crate::transcript::{Fault, Recorder, Side, Transcript, Usage};

/// A model that judges.
#[derive(Clone)]
pub struct Examiner {
    /// The model.
    pub model: Arc<dyn ChatModel>,
    /// Its definition, for prices and the record.
    pub spec: ModelSpec,
    /// How it is known how sure it is.
    pub confidence: Confidence,
}

/// What asking cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bill {
    /// Calls made.
    pub calls: u32,
    /// Tokens.
    pub usage: Usage,
    /// US dollars; `None` when a judge was asked and has no price.
    pub cost: Option<f64>,
}

impl Default for Bill {
    /// Nothing was asked, so nothing was paid.
    fn default() -> Self {
        Self { calls: 0, usage: Usage::default(), cost: Some(0.0) }
    }
}

impl Bill {
    /// Adds what something else cost.
    pub fn add(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        // Adding nothing would otherwise turn reported numbers into estimated ones.
        if other.calls > 0 {
            self.usage += other.usage;
        }
        self.cost = self.cost.zip(other.cost).map(|(ours, theirs)| ours + theirs);
    }
}

/// What is asked about, and where attempts are noted.
#[derive(Clone, Copy)]
pub struct Matter<'a> {
    /// The trial.
    pub transcript: &'a Transcript,
    /// How the judge is asked.
    pub rubric: &'a Rubric,
    /// Verdicts that were given before; `None`: every question is asked.
    pub verdicts: Option<&'a dyn Verdicts>,
    /// Failed attempts are noted here; this is not the trial's own record.
    pub log: &'a Recorder,
}

/// Questions that go into one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The questions.
    pub questions: Vec<Question<'a>>,
    /// The answer that meets the criterion, question by question; `None` where the answer is only reported.
    pub wanted: Vec<Option<bool>>,
}

/// A decision, or why there is none.
pub type Opinion = Result<Decision, Fault>;

/// How often questions are asked when the reply as a whole is worthless.
const ATTEMPTS: u32 = 2;

/// How often somebody else's asking of the same question is waited for, each as long as a call may take. One that failed
/// or left it open is followed by another; after so many everybody asks for himself.
const WAITS: u32 = 3;

impl Examiner {
    /// Whether words can move it at all: a judge made of regular expressions reads no instructions.
    pub fn listens(&self) -> bool {
        self.spec.dialect != "scripted_judge"
    }

    /// Whether it is asked how sure it is. A judge made of regular expressions is nothing else.
    pub fn weighs(&self) -> bool {
        self.confidence != Confidence::None && self.listens()
    }

    /// One opinion per question, in order; what it decided before is not asked again.
    pub async fn opinions(&self, matter: &Matter<'_>, asked: &Asked<'_>, bill: &mut Bill) -> Vec<Opinion> {
        // A scripted judge follows the suite, and asking it costs nothing.
        let Some(verdicts) = matter.verdicts.filter(|_| self.listens()) else {
            return self.opined(matter, asked, bill).await;
        };
        let judge = Fingerprint::weighed(&self.spec, matter.rubric, self.confidence);
        let data = Digest::of_json(&lines::of(matter.transcript).lines);
        let questions = &asked.questions;
        let keys: Vec<Digest> =
            (0..questions.len()).map(|which| verdict_key(judge, data, questions, which)).collect();
        let known =
            || -> Option<Vec<Opinion>> { keys.iter().map(|key| verdicts.recall(*key).map(Ok)).collect() };
        // Held until the verdict is kept, so that whoever waits for it finds it.
        let mut _turn = None;
        for _ in 0..WAITS {
            let Some(first) = keys.first() else { break };
            if let Some(known) = known() {
                return known;
            }
            match verdicts.turns().take(*first) {
                Turn::Mine(asking) => {
                    _turn = Some(asking);
                    break;
                }
                Turn::Theirs(over) => _ = over.await,
            }
        }
        // Somebody may have kept it between the look and the turn.
        if let Some(known) = known() {
            return known;
        }
        let opinions = self.opined(matter, asked, bill).await;
        for (key, opinion) in keys.iter().zip(&opinions) {
            if let Ok(decision) = opinion {
                verdicts.keep(*key, decision);
            }
        }
        opinions
    }

    /// Asks once, or as often as there are votes.
    async fn opined(&self, matter: &Matter<'_>, asked: &Asked<'_>, bill: &mut Bill) -> Vec<Opinion> {
        if self.confidence != Confidence::Votes || !self.listens() {
            return self.ask(matter, asked, 0, bill).await;
        }
        let mut votes: Vec<Vec<Opinion>> = vec![vec![]; asked.questions.len()];
        for vote in 0..VOTES {
            let next = self.ask(matter, asked, vote * ATTEMPTS, bill).await;
            // A model that cannot be asked now will not vote a moment later; one that babbles may.
            let unasked =
                |opinion: &Opinion| opinion.as_ref().is_err_and(|fault| !fault.code.starts_with("judge."));
            let silent = next.iter().all(unasked);
            votes.iter_mut().zip(next).for_each(|(votes, opinion)| votes.push(opinion));
            if silent {
                break;
            }
        }
        votes.iter().map(|votes| confidence::of_votes(votes)).collect()
    }

    /// Asks until a reply can be read, or gives every question up. Each number of an attempt has a frame of its own.
    async fn ask(&self, matter: &Matter<'_>, asked: &Asked<'_>, from: u32, bill: &mut Bill) -> Vec<Opinion> {
        let mut last =
            Fault::new(Side::Judge, "judge.frame", "the transcript contains the secrets of the frame");
        let model = llm::at(&self.model, &matter.transcript.header);
        for attempt in from..from + ATTEMPTS {
            let frame = Frame::of(matter.transcript, &asked.questions, attempt);
            let written = prompt::write(matter.transcript, &asked.questions, matter.rubric, &frame);
            let Ok(mut prompt) = written else { continue };
            if self.confidence == Confidence::Logprobs {
                prompt.request.weigh = confidence::weigh(&prompt.expected, self.spec.logprobs);
            }
            bill.calls = bill.calls.saturating_add(1);
            let reply = match model.complete(&prompt.request, matter.log).await {
                Ok(reply) => reply,
                Err(fault) => {
                    last = Fault { side: Side::Judge, ..fault };
                    break;
                }
            };
            bill.usage += reply.usage;
            let price = self.spec.price.as_ref().map(|price| price.of(&reply.usage));
            bill.cost = bill.cost.zip(price).map(|(sum, price)| sum + price);
            // A judge's API may repeat what it was given, and escapes of JSON hide it until the reply is read.
            let secrets = matter.log.secrets();
            let text = secrets.redact(reply.text.as_deref().unwrap_or_default()).into_owned();
            let cites: Vec<_> = asked.questions.iter().map(|question| question.cites).collect();
            match reply::read(&text, &prompt.expected, &prompt.shown, &cites) {
                Ok(decisions) => {
                    let decisions = confidence::weighed(decisions, &prompt.expected, &reply.odds);
                    return decisions.into_iter().map(|decision| Ok(decision.redacted(secrets))).collect();
                }
                Err(broken) => {
                    last = Fault::new(Side::Judge, broken.code, secrets.redact(&broken.why).into_owned());
                }
            }
        }
        asked.questions.iter().map(|_| Err(last.clone())).collect()
    }
}
