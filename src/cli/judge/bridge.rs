//! `judge bridge`: another judge decides what a stored run's judge decided.

use futures::StreamExt;
use serde_json::json;

use super::super::Context;
use super::super::args::PlanFormat;
use super::super::failure::{Failure, Outcome};
use super::rulings;
use super::{BridgeArgs, built, log, number, percent, remembering, scripted, spec};
use crate::diag::{Located, Origin};
use crate::gate::Exit;
use crate::report::figures::count;
use crate::score::judge::bridge::{Bridge, ENOUGH, SHIFT, Span};
use crate::score::judge::{Examiner, Judge};
use crate::store::{Reader, StoreError};

/// Judges again and says whether verdicts of both judges may be compared.
pub(super) async fn bridge(args: &BridgeArgs, context: &Context) -> Outcome {
    let Some(model) = &args.which.model else {
        return Err(Failure::usage("usage.flags", "no other judge is named")
            .hint("`--model NAME`: a file in evals/models, or provider:id"));
    };
    let file = super::super::runs::resolve(&args.run, &args.out, context)?;
    let ruled = rulings::of(&file)?;
    let mut spec = spec(model, &args.which.rubric, context)?;
    if ruled.is_empty() {
        return Err(Failure::usage("judge.nothing-judged", "no judge was asked about anything in this run"));
    }
    scripted(&mut spec, ruled.iter().map(|one| &one.ruling.criterion));
    let judge = remembering(built(&spec, context)?, &file, None);
    let reader = Reader::open(&file)?;
    let log = log(context);
    let origin = Origin { file: "run".into(), line: 1, column: 1 };
    // Transcripts are read as they are judged: a large run's would not fit into memory together.
    let pairs = futures::stream::iter(ruled.iter().map(|one| {
        let criteria = [Located::new(one.ruling.criterion.clone(), origin.clone())];
        let (judge, log, reader) = (&judge, &log, &reader);
        async move {
            let Some(transcript) = reader.transcript(one.key)? else { return Ok(None) };
            let judged = judge.decide(&transcript, &criteria, log).await;
            let ruling = judged.findings.into_iter().next().and_then(|finding| finding.ruling);
            Ok(Some((one.ruling.met(), ruling.and_then(|ruling| ruling.met()))))
        }
    }));
    let pairs: Vec<Result<Option<_>, StoreError>> = pairs.buffered(args.concurrency.into()).collect().await;
    let pairs = pairs.into_iter().filter_map(Result::transpose).collect::<Result<Vec<_>, _>>()?;
    let found = Bridge::of(&pairs);
    if args.format == PlanFormat::Json {
        let old = ruled.first().and_then(|one| one.judge);
        let whole = json!({"schema": 1, "old": old, "new": spec.fingerprint(), "bridge": found, "span": found.span()});
        context.printer.data_line(&serde_json::to_string_pretty(&whole).unwrap_or_default())?;
    } else {
        context.printer.data(told(&found).as_bytes())?;
    }
    verdict(&found, &judge)
}

fn told(found: &Bridge) -> String {
    let shift = found.shift.map_or_else(
        || "n/a".to_owned(),
        |[shift, low, high]| {
            format!("{:+.1} points ({:+.1} to {:+.1})", shift * 100.0, low * 100.0, high * 100.0)
        },
    );
    format!(
        "pairs      {} decided by both judges, {} left open by one\n\
         changed    {} no longer met, {} met now; McNemar p = {:.2}\n\
         shift      {shift}; at most {} either way is wanted\n\
         agreement  AC1 {}, kappa {}\n",
        found.pairs,
        found.open,
        found.lost,
        found.gained,
        found.p,
        percent(SHIFT),
        number(found.ac1),
        number(found.kappa)
    )
}

fn verdict(found: &Bridge, judge: &Judge) -> Outcome {
    let Examiner { spec, .. } = &judge.first;
    match found.span() {
        Span::Holds => Ok(Exit::Pass),
        Span::Breaks => {
            let message =
                format!("verdicts of `{}` cannot be compared with those of the run's judge", spec.name);
            Err(Failure::new(Exit::Fail, "judge.bridge", message)
                .hint("run the suite with the new judge and accept that run as the new baseline: `rehearsal eval SUITE`, `rehearsal baseline accept RUN`"))
        }
        Span::Open => {
            let pairs = count(found.pairs, "pair");
            let message = format!("{pairs} of verdicts do not show whether the judges decide alike");
            Err(Failure::new(Exit::Inconclusive, "judge.bridge-open", message)
                .hint(format!("a bridge needs {ENOUGH} pairs or more; name a run with more judged trials")))
        }
    }
}
