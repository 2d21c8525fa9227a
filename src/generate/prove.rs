//! Drafts are run before they are kept: the whole way of a trial, scored by code, and nothing is stored.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::{BoxFuture, join_all};

use crate::drive::stage::{self, Outside};
use crate::drive::{Journal, Stopping, trial};
use crate::ids::{CaseKey, CaseName, ModelName};
use crate::plan::{self, Selection};
use crate::score::{self, Outcome, Verdict};
use crate::suite::Suite;
use crate::transcript::{End, Event, Fault, Side, View};

/// Trials at a time.
const WIDTH: usize = 4;

/// What came of the drafts.
#[derive(Debug, Default)]
pub struct Proofs {
    /// Why a case did not pass; `None`: it passed. A case that is missing was not run.
    pub cases: BTreeMap<CaseName, Option<String>>,
    /// US dollars.
    pub spent: f64,
}

/// Keeps nothing: what is drafted can be drafted again.
struct Forgetful;

impl Journal for Forgetful {
    fn model_replied<'a>(&'a self, _: CaseKey, _: &'a Event) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Runs every use case of a suite once with one model, until `most` US dollars are spent.
pub async fn prove(
    suite: &Suite,
    model: &ModelName,
    most: Option<f64>,
    outside: &Outside,
) -> Result<Proofs, Fault> {
    let selection = Selection {
        models: vec![model.clone()],
        trials: Some(1),
        kinds: vec!["use".to_owned()],
        ..Selection::default()
    };
    let plan = plan::expand(suite, &selection, 1).map_err(|found| {
        let why = found.into_iter().next().map(|one| one.message).unwrap_or_default();
        Fault::new(Side::Harness, "bug.no-plan", format!("the drafts give no plan: {why}"))
    })?;
    let stage = stage::set(suite, &plan, outside).await?;
    let (world, _, set) = stage.into_world(Arc::new(Forgetful), Stopping::default(), WIDTH);
    let mut proofs = Proofs::default();
    for batch in plan.cases.chunks(WIDTH) {
        if most.is_some_and(|most| proofs.spent >= most) {
            break;
        }
        let done = join_all(batch.iter().map(async |case| (case, trial::run(case, &world).await))).await;
        for (case, transcript) in done {
            proofs.spent += View::of(&transcript).cost().unwrap_or(0.0);
            let findings = score::by_code(&transcript, &case.checks);
            let verdict = Verdict { score_key: case.score_key, findings };
            let why = match (verdict.outcome(), &transcript.end) {
                (Outcome::Pass, _) => None,
                (_, End::Faulted(fault)) => Some(fault.message.clone()),
                _ => Some(
                    verdict.failures().next().map_or("it did not pass".to_owned(), |found| found.why.clone()),
                ),
            };
            // Through several clients it must pass everywhere.
            let known = proofs.cases.entry(case.header.case.clone()).or_insert(None);
            *known = known.take().or(why);
        }
    }
    drop(world);
    set.strike().await;
    Ok(proofs)
}
