//! `judge calibrate`: verdicts against labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::json;

use super::super::Context;
use super::super::args::PlanFormat;
use super::super::failure::{Failure, Outcome};
use super::rulings::{self, Ruled};
use super::{CalibrateArgs, built, log, number, percent, rate, refused, remembering, rubric, scripted, spec};
use crate::diag::{Located, Origin};
use crate::display::safe_line;
use crate::gate::Exit;
use crate::score::judge::calibration::{
    self, Calibration, Calibrations, Corrected, DISAGREEMENT, ENOUGH, TNR_FLOOR, TPR_FLOOR, Who,
};
use crate::score::judge::labels::{self, LabelFile, LabelRow, Sample, Word};
use crate::score::judge::routing::{self, Own};
use crate::score::judge::worth::{PanelWorth, Polled, worth};
use crate::score::judge::{Fingerprint, Judge, Ruling, SURE, seen};
use crate::store::Reader;

/// Most criteria that are listed.
const LISTED: usize = 50;

/// Calibrates, keeps the result beside the rubric, and prints it.
pub(super) async fn calibrate(args: &CalibrateArgs, context: &Context) -> Outcome {
    rubric(&args.rubric, &context.project().catalog(), context)?;
    let path = context.root.join(&args.labels);
    let file = context.project().labels(&path).map_err(|wrong| refused(&[wrong], context))?;
    let LabelFile { sample, mut labels, .. } = file;
    let sample = if args.random { Sample::Random } else { sample };
    let runs = runs(&mut labels, args, context);
    let (judge, models, own) = match &args.model {
        Some(model) => {
            let mut spec = spec(model, &args.rubric, context)?;
            scripted(&mut spec, runs.values().flat_map(|(_, ruled)| ruled).map(|one| &one.ruling.criterion));
            let judge = built(&spec, context)?;
            let rulings = judged_again(&mut labels, &runs, &judge, context).await?;
            (spec.fingerprint(), vec![spec.model.name.to_string()], own(&labels, |item| rulings.get(item)))
        }
        None => {
            let (judge, models) = named(&labels, &runs, &args.rubric)?;
            let rulings = by_item(&runs, judge);
            (judge, models, own(&labels, |item| rulings.get(item).copied()))
        }
    };
    let on = context.clock.stamp().chars().take(10).collect();
    let distinct = labels::distinct(&labels, &shown(&labels, &runs)?);
    let Some(mut found) = calibration::calibrate(&distinct, Who { judge, models, on }) else {
        return Err(Failure::usage("judge.no-labels", "no label has a verdict to be held against")
            .hint("labels that `rehearsal judge label` wrote have one; others need `--model NAME`, and run and trial of a stored run"));
    };
    if args.model.is_none() {
        found.panel = panel(&labels, &runs, &found);
    }
    // A threshold promises something for verdicts like the labelled ones, and picked ones are like no others.
    found.routing = (sample == Sample::Random).then(|| routing::routing(&own, args.tolerate.0)).flatten();
    let unlabelled = match &args.model {
        Some(_) => vec![],
        None => unlabelled(&labels, &runs),
    };
    let rows = if sample == Sample::Random { &labels } else { &distinct };
    let corrected = calibration::corrected(rows, &unlabelled, sample);
    let kept = keep(&found, args, context)?;
    if args.format == PlanFormat::Json {
        let whole = json!({"schema": 1, "rubric": args.rubric, "calibration": found, "corrected": corrected, "file": kept});
        context.printer.data_line(&serde_json::to_string_pretty(&whole).unwrap_or_default())?;
    } else {
        context.printer.data(told(&found, corrected, sample).as_bytes())?;
        if distinct.len() < labels.len() {
            let copies = labels.len() - distinct.len();
            let told = format!(
                "copies     {copies} labels are of trials in which the judge was shown the same as in another; those count once\n"
            );
            context.printer.data(told.as_bytes())?;
        }
        context.printer.data(routed(&found, (own.len(), sample), args).as_bytes())?;
        context
            .printer
            .talk(&format!("kept in {kept}; runs with this judge are stamped \"calibrated\" from now on"));
    }
    Ok(Exit::Pass)
}

/// The rulings of every run that labels name and that is there, by its id. Labels may name a run by the start of its id;
/// they have the whole of it from then on.
fn runs(labels: &mut [LabelRow], args: &CalibrateArgs, context: &Context) -> Runs {
    let names: BTreeSet<String> = labels.iter().map(|row| row.run.clone()).collect();
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    let mut found = Runs::new();
    for name in names {
        let Ok(file) = super::super::runs::resolve(&name, &args.out, context) else { continue };
        let Ok(manifest) = Reader::open(&file).and_then(|reader| reader.manifest()) else { continue };
        let Ok(ruled) = rulings::of(&file) else { continue };
        let id = manifest.run.to_string();
        ids.insert(name, id.clone());
        found.insert(id, (file, ruled));
    }
    for row in labels {
        if let Some(id) = ids.get(&row.run) {
            row.run.clone_from(id);
        }
    }
    found
}

/// What the judge was shown in every labelled trial that is stored.
fn shown(labels: &[LabelRow], runs: &Runs) -> Outcome<labels::Shown> {
    let mut shown = labels::Shown::new();
    for (run, (file, ruled)) in runs {
        let wanted: BTreeSet<&str> =
            labels.iter().filter(|row| row.run == *run).map(|row| row.trial.as_str()).collect();
        let reader = Reader::open(file)?;
        let keys: BTreeSet<_> = ruled.iter().map(|one| one.key).collect();
        for key in keys.into_iter().filter(|key| wanted.contains(key.to_string().as_str())) {
            if let Some(transcript) = reader.transcript(key)? {
                shown.insert((run.clone(), key.to_string()), seen(&transcript));
            }
        }
    }
    Ok(shown)
}

/// A run file and what judges ruled in it, by the run's id.
type Runs = BTreeMap<String, (std::path::PathBuf, Vec<Ruled>)>;

/// The one judge whose verdicts the labels hold, and its models as far as a run tells.
fn named(labels: &[LabelRow], runs: &Runs, rubric: &str) -> Outcome<(Fingerprint, Vec<String>)> {
    let judges: BTreeSet<Fingerprint> =
        labels.iter().filter(|row| row.verdict.is_some()).filter_map(|row| row.judge).collect();
    let mut judges = judges.into_iter();
    match (judges.next(), judges.next()) {
        (Some(judge), None) => {
            let manifest = |file: &Path| Reader::open(file).and_then(|reader| reader.manifest()).ok();
            let mut judging = runs.values().filter_map(|(file, _)| manifest(file)?.judging);
            let Some(judging) = judging.find(|judging| judging.fingerprint == judge) else {
                return Ok((judge, vec![]));
            };
            if judging.rubric != rubric {
                let own = &judging.rubric;
                let message = format!("the labelled run was judged by the rubric `{own}`, not by `{rubric}`");
                return Err(Failure::usage("judge.other-rubric", message).hint(format!(
                    "`judge calibrate {own}`; with `--model NAME` that model decides the labelled trials again by `{rubric}`"
                )));
            }
            Ok((judge, judging.models))
        }
        (None, _) => Err(Failure::usage(
            "judge.no-labels",
            "the labels do not say whose verdicts they are held against",
        )
        .hint("name the judge's model, so that it judges the labelled trials again: `--model NAME`")),
        (Some(_), Some(_)) => {
            Err(Failure::usage("judge.two-judges", "the labels hold verdicts of several judges").hint(
                "calibrate one judge at a time; `--model NAME` lets one judge decide all of them again",
            ))
        }
    }
}

/// What the panel that judged the labelled runs is worth; `None` for a judge that decides alone.
fn panel(labels: &[LabelRow], runs: &Runs, found: &Calibration) -> Option<PanelWorth> {
    let agreed = calibration::agreed(labels);
    let ruled = runs.values().flat_map(|(_, ruled)| ruled).filter(|one| one.judge == Some(found.judge));
    let polled: Vec<Polled> = ruled
        .filter_map(|one| {
            let (trial, criterion) = (one.key.to_string(), one.ruling.criterion.text());
            let people = *agreed.get(&(one.run.as_str(), trial.as_str(), criterion.as_str()))?;
            Some(Polled { people, votes: one.ruling.votes_met() })
        })
        .collect();
    worth(&polled, u32::try_from(found.models.len()).ok()?)
}

/// What was labelled, for looking up: the run, the trial and the text of the criterion.
type Known = (String, String, String);

/// The rulings of this judge, by what they are about.
fn by_item(runs: &Runs, judge: Fingerprint) -> BTreeMap<Known, &Ruling> {
    let ruled = runs.values().flat_map(|(_, ruled)| ruled).filter(|one| one.judge == Some(judge));
    let item = |one: &Ruled| (one.run.clone(), one.key.to_string(), one.ruling.criterion.text());
    ruled.map(|one| (item(one), &one.ruling)).collect()
}

/// What the first judge said by itself of everything on which people agree, where its probability is known.
fn own<'a>(labels: &[LabelRow], ruling: impl Fn(&Known) -> Option<&'a Ruling>) -> Vec<Own> {
    let agreed = calibration::agreed(labels).into_iter();
    let one = |((run, trial, criterion), people): ((&str, &str, &str), bool)| {
        let item = (run.to_owned(), trial.to_owned(), criterion.to_owned());
        let (judge, probability) = ruling(&item)?.first_met()?;
        Some(Own { people, judge, probability })
    };
    agreed.filter_map(one).collect()
}

/// Puts the verdicts of this judge in the place of those in the file, and gives its rulings.
async fn judged_again(
    labels: &mut [LabelRow],
    runs: &Runs,
    judge: &Judge,
    context: &Context,
) -> Outcome<BTreeMap<Known, Ruling>> {
    let log = log(context);
    let origin = Origin { file: "labels".into(), line: 1, column: 1 };
    let mut known: BTreeMap<Known, Option<Ruling>> = BTreeMap::new();
    let word = |ruling: &Option<Ruling>| ruling.as_ref().map(|ruling| Word::of(ruling.holds));
    for row in labels.iter_mut() {
        let item = (row.run.clone(), row.trial.clone(), row.criterion.clone());
        if let Some(ruling) = known.get(&item) {
            row.verdict = word(ruling);
            continue;
        }
        let found = runs
            .get(&row.run)
            .and_then(|(file, ruled)| Some((file, ruled.iter().find(|one| one.is_of(row))?)));
        let ruling = match found {
            Some((file, ruled)) => {
                let judge = remembering(judge.clone(), file, None);
                match Reader::open(file)?.transcript(ruled.key)? {
                    Some(transcript) => {
                        let criteria = [Located::new(ruled.ruling.criterion.clone(), origin.clone())];
                        let judged = judge.decide(&transcript, &criteria, &log).await;
                        let ruling = judged.findings.into_iter().next().and_then(|finding| finding.ruling);
                        ruling.map(|ruling| *ruling)
                    }
                    None => None,
                }
            }
            None => None,
        };
        row.judge = None;
        row.verdict = word(&ruling);
        known.insert(item, ruling);
    }
    Ok(known.into_iter().filter_map(|(item, ruling)| Some((item, ruling?))).collect())
}

/// The judge's verdicts on everything in the labelled runs that nobody labelled: met or not.
fn unlabelled(labels: &[LabelRow], runs: &Runs) -> Vec<bool> {
    let known: BTreeSet<(&str, &str, &str)> =
        labels.iter().map(|row| (row.run.as_str(), row.trial.as_str(), row.criterion.as_str())).collect();
    let rest = runs.values().flat_map(|(_, ruled)| ruled).filter(|one| {
        let (trial, criterion) = (one.key.to_string(), one.ruling.criterion.text());
        !known.contains(&(one.run.as_str(), trial.as_str(), criterion.as_str()))
    });
    rest.filter_map(|one| one.ruling.met()).collect()
}

/// Writes the calibration beside the rubric, in the place of an earlier one of the same judge.
fn keep(found: &Calibration, args: &CalibrateArgs, context: &Context) -> Outcome<String> {
    let project = context.project();
    let path = project.calibration_file(&args.rubric).ok_or_else(|| {
        Failure::usage("judge.bad-file", format!("`{}` is no name for a file", args.rubric))
    })?;
    let known = project.calibrations(&args.rubric).map_err(|wrong| refused(&[wrong], context))?;
    let mut all = known.unwrap_or_else(|| Calibrations::none(&args.rubric));
    all.set(found.clone());
    let mut text = serde_json::to_string_pretty(&all).unwrap_or_default();
    text.push('\n');
    write(&path, &text)?;
    Ok(path.strip_prefix(&context.root).unwrap_or(&path).display().to_string())
}

/// Writes a small file at once: a reader sees the old one or the new one.
#[expect(clippy::disallowed_methods, reason = "writes what people keep in the project")]
pub(super) fn write(path: &Path, text: &str) -> Outcome<()> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot write {}: {error}", path.display());
        Failure::new(Exit::LocalIo, "output.write", message)
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = Path::new(&beside);
    std::fs::write(beside, text).map_err(failed)?;
    std::fs::rename(beside, path).map_err(failed)
}

/// Where the second judge is asked from now on, in words; nothing for a judge that is not asked how sure it is.
fn routed(found: &Calibration, (weighed, sample): (usize, Sample), args: &CalibrateArgs) -> String {
    match &found.routing {
        Some(routing) => format!("routing    {}\n", routing.sentence()),
        None if weighed == 0 => String::new(),
        None if sample == Sample::Picked => format!(
            "routing    trials were picked, not drawn by lot, and show no threshold; verdicts with a probability of {SURE} or less \
             go to the second judge as before\n"
        ),
        None => format!(
            "routing    {weighed} labelled verdicts do not show where people surely differ on no more than {}: too few, or too \
             often wrong; those with a probability of {SURE} or less go to the second judge as before\n",
            args.tolerate
        ),
    }
}

fn told(found: &Calibration, corrected: Option<Corrected>, sample: Sample) -> String {
    let measured = &found.measured;
    let total = measured.counts().total();
    let models = if found.models.is_empty() { "unnamed".to_owned() } else { found.models.join(", ") };
    let mut out = format!("judge      {}, fingerprint {}\n", safe_line(&models), found.judge);
    out.push_str(&format!(
        "labels     {total} criteria decided by people and judge; the judge left {} open, people {}\n",
        found.unsure, found.unsettled
    ));
    if total < ENOUGH {
        out.push_str(&format!("           fewer than {ENOUGH}: the intervals are wide\n"));
    }
    out.push_str("                        judge: met   judge: not met\n");
    out.push_str(&format!(
        "           people: met      {:>6}           {:>6}\n",
        measured.tp, measured.missed
    ));
    out.push_str(&format!(
        "           people: not met  {:>6}           {:>6}\n",
        measured.fooled, measured.tn
    ));
    out.push_str(&format!("TPR        {}\n", rate(measured.tpr)));
    out.push_str(&format!("TNR        {}\n", rate(measured.tnr)));
    out.push_str(&format!(
        "agreement  kappa {}, AC1 {}, alpha of the raters {}\n",
        number(measured.kappa),
        number(measured.ac1),
        number(found.alpha)
    ));
    if let Some(panel) = &found.panel {
        out.push_str(&format!("panel      {}\n", panel.sentence()));
    }
    if let Some(share) = found.disagreement.filter(|share| *share > DISAGREEMENT) {
        out.push_str(&format!(
            "warning    people differ on {} of what several labelled: make those criteria more definite\n",
            percent(share)
        ));
    }
    for (criterion, measured) in found.criteria.iter().filter(|_| found.criteria.len() > 1).take(LISTED) {
        let wrong = measured.missed + measured.fooled;
        out.push_str(&format!(
            "  {wrong:>3} of {:>4} wrong  {}\n",
            measured.counts().total(),
            safe_line(criterion)
        ));
    }
    match corrected {
        Some(Corrected { method, judged, estimate, low, high }) => out.push_str(&format!(
            "met        {} says the judge, {} would say people ({} to {}; {method})\n",
            percent(judged),
            percent(estimate),
            percent(low),
            percent(high)
        )),
        None => out.push_str(
            "met        cannot be corrected: TPR + TNR is not above 1, or one of them is unknown\n",
        ),
    }
    if sample == Sample::Picked {
        out.push_str("           trials were picked, not drawn by lot, so the correction rests on the error rates alone\n");
    }
    let needed = format!("the lower ends must reach {TPR_FLOOR} (TPR) and {TNR_FLOOR} (TNR)");
    let verdict = match (found.may_gate, measured.tells()) {
        (true, _) => "yes".to_owned(),
        (false, true) => {
            format!("no: {needed}; it advises from now on, and what nothing else decides is invalid")
        }
        (false, false) => format!(
            "not shown: {needed}, which takes {ENOUGH} labels of criteria that people find met and not met; too few change nothing"
        ),
    };
    out.push_str(&format!("may gate   {verdict}\n"));
    let advises_on_all = !found.may_gate && measured.tells();
    for criterion in found.weak().iter().filter(|_| !advises_on_all).take(LISTED) {
        out.push_str(&format!(
            "  but not  {}: its own labels show the judge too weak for it\n",
            safe_line(criterion)
        ));
    }
    out
}
