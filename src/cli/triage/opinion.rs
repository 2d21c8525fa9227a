//! A second judge about trials that nothing but the first judge failed.

use std::path::Path;

use super::TriageArgs;
use super::lanes::Lane;
use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::judge::{built, log, remembering, scripted};
use crate::diag::{Located, suggest};
use crate::gate::triage::Tries;
use crate::score::judge::Judge;
use crate::score::{Outcome as Verdict, outcome};
use crate::store::read::Reader;
use crate::suite::catalog::Kind;
use crate::suite::{JudgeSpec, Suite};

/// The second judge, where there is one and it is needed: the one of the command line, else that of the suite.
pub(super) fn judge(
    args: &TriageArgs,
    suite: &Suite,
    lanes: &[Lane],
    context: &Context,
) -> Outcome<Option<Judge>> {
    let Some(first) = suite.judge.as_ref().map(|judge| &judge.value) else { return Ok(None) };
    let model = match &args.second_judge {
        Some(name) => {
            let catalog = context.project().catalog();
            let unknown = || {
                let hint = suggest::hint(name, catalog.names(Kind::Model));
                Failure::usage("suite.unknown-name", format!("there is no model `{name}`")).hint(hint)
            };
            let found = catalog.model(name).ok_or_else(unknown)?;
            Some(found.map_err(|wrong| Failure::usage(wrong.code, wrong.message))?)
        }
        None => first.second.clone(),
    };
    let Some(model) = model.filter(|_| lanes.iter().any(|lane| !lane.judged.is_empty())) else {
        return Ok(None);
    };
    let mut spec = JudgeSpec::alone(model, first.rubric.clone());
    scripted(&mut spec, lanes.iter().flat_map(|lane| &lane.judged).flat_map(|(_, criteria)| criteria));
    built(&spec, context).map(Some)
}

/// Asks it about every failed trial of which only the judge says so. Returns the US dollars; `None` when it has no price.
pub(super) async fn ask(
    judge: &Judge,
    lanes: &mut [Lane],
    (reader, file): (&Reader, &Path),
    context: &Context,
) -> Outcome<Option<f64>> {
    let judge = remembering(judge.clone(), file, None);
    let log = log(context);
    let mut cost = Some(0.0);
    for lane in lanes {
        // Where code has failed trials as well, the judge is not what the case fails by.
        if lane.judged.len() as u32 != lane.evidence.run.failed {
            continue;
        }
        let mut tries = Tries::default();
        for (key, criteria) in &lane.judged {
            let Some(transcript) = reader.transcript(*key)? else { continue };
            let origin = &lane.case.header.origin;
            let criteria: Vec<_> =
                criteria.iter().map(|criterion| Located::new(criterion.clone(), origin.clone())).collect();
            let judged = judge.decide(&transcript, &criteria, &log).await;
            if judged.calls > 0 {
                cost = cost.zip(judged.cost).map(|(sum, one)| sum + one);
            }
            match outcome(&judged.findings) {
                Verdict::Pass => tries.passed += 1,
                Verdict::Fail => tries.failed += 1,
                Verdict::Invalid => tries.invalid += 1,
            }
            tries.why = tries.why.or_else(|| judged.findings.first().map(|finding| finding.why.clone()));
        }
        lane.evidence.second_judge = Some(tries);
    }
    Ok(cost)
}
