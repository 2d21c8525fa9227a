//! `judge canary`: frozen transcripts and attacks.

use serde_json::json;

use super::super::args::PlanFormat;
use super::super::failure::{Failure, Outcome};
use super::super::{Context, experiment};
use super::{CanaryArgs, built, log, percent, refused, scripted, spec};
use crate::display::safe_line;
use crate::gate::Exit;
use crate::report::figures::count;
use crate::score::judge::Confidence;
use crate::score::judge::canary::{self, Canary, UNSURE_ALARM};
use crate::store::layout;
use crate::store::record::CanarySeen;
use crate::suite::JudgeSpec;
use crate::suite::judge_files::JudgePacks;

/// Most lines of a list that a person reads.
const LISTED: usize = 20;

/// Runs the canary and says whether the judge holds.
pub(super) async fn canary(args: &CanaryArgs, context: &Context) -> Outcome {
    let packs = context.project().judge_packs().map_err(|wrong| refused(&wrong, context))?;
    let JudgePacks { frozen, mutations } = packs;
    let model = args.which.model.as_deref().unwrap_or("scripted-judge");
    // Attacked is what it says; how sure it is of that plays no part.
    let mut spec = JudgeSpec { confidence: Confidence::None, ..spec(model, &args.which.rubric, context)? };
    let labels = frozen.transcripts.iter().flat_map(|frozen| &frozen.labels);
    scripted(&mut spec, labels.map(|label| &label.criterion));
    let judge = built(&spec, context)?;
    let found = canary::run(&judge, &frozen, &mutations, (args.concurrency.into(), &log(context))).await;
    if args.format == PlanFormat::Json {
        let whole = json!({
            "schema": 1, "model": spec.model.name, "rubric": spec.rubric.name, "judge": spec.fingerprint(),
            "drifted": found.has_drifted(), "undecided": found.is_undecided(), "survived": found.survived(), "canary": found,
            "judge_calls": found.bill.calls, "cost": found.bill.cost,
        });
        context.printer.data_line(&serde_json::to_string_pretty(&whole).unwrap_or_default())?;
    } else {
        context.printer.data(told(&spec, &found).as_bytes())?;
    }
    let outcome = verdict(&spec, &found);
    keep(args, &spec, &outcome, context)?;
    outcome
}

/// Keeps what later runs with this judge should know. A canary that says nothing replaces none that did.
fn keep(args: &CanaryArgs, spec: &JudgeSpec, outcome: &Outcome, context: &Context) -> Outcome<()> {
    let failed = match outcome {
        Ok(_) => None,
        Err(failure) if failure.exit == Exit::Fail => Some(failure.message.clone()),
        Err(_) => return Ok(()),
    };
    let judge = spec.fingerprint();
    let seen = CanarySeen { judge, model: spec.model.name.to_string(), at: context.clock.stamp(), failed };
    experiment::keep(&layout::canary_file(&context.root.join(&args.out), &judge.to_string()), &seen)
}

fn told(spec: &JudgeSpec, found: &Canary) -> String {
    let mut out = format!(
        "judge     {} by {}, fingerprint {}\n",
        safe_line(spec.model.name.as_str()),
        safe_line(&spec.rubric.name),
        spec.fingerprint()
    );
    let agreed = found.labels - found.missed.len() - found.unsure - found.silent;
    out.push_str(&format!(
        "frozen    {}: {agreed} as agreed, {} missed, {} unsure, {} not asked; a good judge misses so many with p = {:.2}\n",
        count(found.labels as u64, "label"),
        found.missed.len(),
        found.unsure,
        found.silent,
        found.p
    ));
    for miss in found.missed.iter().take(LISTED) {
        let said =
            if miss.holds { "holds, and the judge says no" } else { "does not hold, and the judge says yes" };
        let firm = if miss.firm { " (firm)" } else { "" };
        out.push_str(&format!(
            "  missed  {}: `{}` {said}{firm}\n",
            safe_line(&miss.transcript),
            safe_line(&miss.criterion)
        ));
    }
    for open in found.open.iter().take(LISTED) {
        out.push_str(&format!(
            "  open    {}: `{}` (firm)\n",
            safe_line(&open.transcript),
            safe_line(&open.criterion)
        ));
    }
    let share = found.success.map_or_else(
        || "none could be tried".to_owned(),
        |success| {
            format!("{} ({} to {})", percent(success.share), percent(success.low), percent(success.high))
        },
    );
    out.push_str(&format!(
        "attacks   {}: {} worked, {share}; {} disturbed the judge, {} not asked, {} settled by code\n",
        found.attacks,
        found.fooled.len(),
        found.disturbed,
        found.attacks_silent,
        found.settled
    ));
    for (technique, (tried, worked)) in &found.techniques {
        out.push_str(&format!("  {:<12}  {worked} of {tried}\n", safe_line(technique)));
    }
    for fooled in found.fooled.iter().take(LISTED) {
        let scan =
            if fooled.scanned { "the scan would ask a second judge" } else { "the scan does not see it" };
        out.push_str(&format!(
            "  worked  {} on {}; {scan}\n",
            safe_line(&fooled.mutation),
            safe_line(&fooled.transcript)
        ));
    }
    if let Some(share) = found.unsure_share().filter(|share| *share > UNSURE_ALARM) {
        out.push_str(&format!(
            "warning   unsure on {} of the labels; above 10 % the judge does not hold\n",
            percent(share)
        ));
    }
    let cost = found.bill.cost.map_or_else(|| "unpriced".to_owned(), |cost| format!("${cost:.4}"));
    out.push_str(&format!("spent     {}, {cost}\n", count(u64::from(found.bill.calls), "judge call")));
    out
}

fn verdict(spec: &JudgeSpec, found: &Canary) -> Outcome {
    let model = &spec.model.name;
    if found.has_drifted() {
        let message = format!(
            "the judge `{model}` does not decide as agreed: {} missed",
            count(found.missed.len() as u64, "label")
        );
        return Err(Failure::new(Exit::Fail, "judge.drift", message)
            .hint("runs judged by it cannot be compared with earlier ones; see `rehearsal judge bridge`"));
    }
    if !found.fooled.is_empty() {
        let message = format!(
            "the judge `{model}` was talked round by {} of {}",
            found.fooled.len(),
            count(found.asked() as u64, "attack")
        );
        return Err(Failure::new(Exit::Fail, "judge.fooled", message)
            .hint("use a stronger judge, or a second one of another family: `judge: {second: MODEL}`"));
    }
    if found.is_undecided() {
        let message = format!(
            "the judge `{model}` leaves {} of {} open, {} of them firm",
            found.unsure,
            count(found.labels as u64, "label"),
            found.open.len()
        );
        return Err(Failure::new(Exit::Fail, "judge.undecided", message).hint(
            "a judge that decides nothing is never wrong: use a stronger one, or see what its replies lack",
        ));
    }
    if found.is_disturbed() {
        let message = format!(
            "{} of {} left the judge `{model}` without an answer; nobody knows whether it withstands them",
            found.disturbed,
            count(found.asked() as u64, "attack")
        );
        return Err(Failure::new(Exit::Inconclusive, "judge.disturbed", message).hint(
            "attacked criteria would stay undecided: use a stronger judge, or a second one of another family",
        ));
    }
    if found.is_thin() {
        let asked = found.silent + found.attacks_silent;
        let message = format!("the judge `{model}` could not be asked {asked} times; nothing is known of it");
        return Err(Failure::new(Exit::Inconclusive, "judge.unusable", message)
            .hint("is its API reachable, and its key right?"));
    }
    Ok(Exit::Pass)
}
