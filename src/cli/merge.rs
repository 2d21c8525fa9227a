//! `merge RUN…`: joins the run files of shards into one run. Refuses runs of unlike plans.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::Context;
use super::args::MergeArgs;
use super::conclude::conclude;
use super::failure::{Failure, Outcome};
use crate::display;
use crate::gate::Exit;
use crate::ids::{CaseKey, RunId};
use crate::plan::Planned;
use crate::score::judge::Fingerprint;
use crate::store::paid::Waste;
use crate::store::read::Reader;
use crate::store::record::{CaseResult, JudgeSpend, Manifest};
use crate::store::{Store, layout};

/// One of the runs to join.
struct Part {
    file: PathBuf,
    reader: Reader,
    manifest: Manifest,
    planned: Vec<Planned>,
    results: Vec<CaseResult>,
}

/// Joins runs into a new one, writes its reports and returns its exit code.
pub(super) async fn merge(args: &MergeArgs, context: &Context) -> Outcome {
    let parts = args.runs.iter().map(|run| open(run, args, context)).collect::<Outcome<Vec<_>>>()?;
    let Some((first, rest)) = parts.split_first() else {
        return Err(Failure::usage("merge.nothing", "no run was named"));
    };
    for part in rest {
        alike(first, part)?;
    }
    let planned = union(&parts)?;
    let id = uuid::Uuid::now_v7().to_string();
    // Each shard looked at the server as its own personas.
    let surfaces = parts.iter().filter_map(|part| part.manifest.surface.as_ref());
    let surface = surfaces.max_by_key(|judged| judged.broken.len()).cloned();
    let manifest = Manifest { run: RunId::from(id.as_str()), surface, ..bare(&first.manifest) };
    let file = layout::run_file(&context.root.join(&args.out), &manifest.suite, &manifest.run);
    let fault = |error: crate::store::StoreError| Failure::from_fault(&error.into());
    let store = Store::create(&file, &manifest, &planned).map_err(fault)?;
    for part in &parts {
        for result in &part.results {
            let key = result.header.key;
            let Some(transcript) = part.reader.transcript(key).map_err(fault)? else { continue };
            store.finished(Arc::new(transcript)).await.map_err(fault)?;
            if let Some(verdict) = &result.verdict {
                let (calls, usage, cost) = (result.judge_calls, result.judge_usage, result.judge_cost);
                store.scored(key, verdict, JudgeSpend { calls, usage, cost }).await.map_err(fault)?;
            }
        }
    }
    for part in &parts {
        let planned: HashSet<CaseKey> = part.planned.iter().map(|planned| planned.header.key).collect();
        for waste in part.reader.waste().map_err(fault)? {
            // What left the plan of its shard is in no plan; its money is the run's all the same.
            let stays = planned.contains(&waste.key).then_some(waste.key);
            let key = stays.or_else(|| part.planned.first().map(|planned| planned.header.key));
            let Some(key) = key else { continue };
            store.wasted(Waste { key, ..waste }).await.map_err(fault)?;
        }
    }
    // Shards are compared together, as the fixed plan that they were.
    let (path, shown) = super::rounds::places(&args.out, &manifest.suite, context);
    if let Some(base) = super::rounds::Base::read(&path, &shown)? {
        let record = store.reader().and_then(|reader| reader.record()).map_err(fault)?;
        if let Some(compared) = super::gate::judged(&base, &record, &file)? {
            store.gate(&compared.to_value()).await.map_err(fault)?;
        }
    }
    store.close().await.map_err(fault)?;
    let concluded = conclude(&file)?;
    concluded.write_reports(context)?;
    concluded.write_asked(&args.files, context)?;
    concluded.print(&args.format, context)?;
    concluded.outcome()
}

fn open(run: &str, args: &MergeArgs, context: &Context) -> Outcome<Part> {
    let file = super::runs::resolve(run, &args.out, context)?;
    let fault = |error: crate::store::StoreError| Failure::from_fault(&error.into());
    let reader = Reader::open(&file).map_err(fault)?;
    let manifest = reader.manifest().map_err(fault)?;
    let planned = reader.planned().map_err(fault)?;
    let results = reader.record().map_err(fault)?.results;
    Ok(Part { file, reader, manifest, planned, results })
}

/// A manifest without what may differ between shards of one plan.
fn bare(manifest: &Manifest) -> Manifest {
    let mut bare = Manifest { shard: None, ..manifest.clone() };
    bare.selection.shard = None;
    bare
}

/// Shards of one plan differ in their id, their start, their part and the port of their target, and in nothing else.
fn alike(first: &Part, other: &Part) -> Outcome<()> {
    let plain = |manifest: &Manifest| Manifest {
        run: RunId::from(""),
        started: String::new(),
        target: String::new(),
        ..bare(manifest)
    };
    let (a, b) = (plain(&first.manifest), plain(&other.manifest));
    let differs = [
        ("suite", a.suite != b.suite || a.file != b.file),
        ("text of the suite", a.inputs != b.inputs),
        ("instruments", a.instruments != b.instruments),
        ("selection", a.selection != b.selection),
        ("seed", a.seed != b.seed),
        ("judge", a.judge != b.judge || fingerprint(&a) != fingerprint(&b)),
        ("version of rehearsal", a.version != b.version),
    ];
    let Some((what, _)) = differs.into_iter().find(|(_, differs)| *differs) else { return Ok(()) };
    let message = format!(
        "`{}` and `{}` differ in their {what}",
        display::path(&first.file),
        display::path(&other.file)
    );
    Err(Failure::new(Exit::Usage, "merge.unlike", message)
        .hint("merge joins shards of one plan: the same suite, flags and version"))
}

fn fingerprint(manifest: &Manifest) -> Option<Fingerprint> {
    manifest.judging.as_ref().map(|judging| judging.fingerprint)
}

/// Every planned trial once; two parts that planned the same trial are not shards of one plan.
fn union(parts: &[Part]) -> Outcome<Vec<Planned>> {
    let mut union: BTreeMap<CaseKey, &Planned> = BTreeMap::new();
    for planned in parts.iter().flat_map(|part| &part.planned) {
        if union.insert(planned.header.key, planned).is_some() {
            let message =
                format!("trial {} of `{}` is in two of the runs", planned.header.trial, planned.header.case);
            return Err(Failure::new(Exit::Usage, "merge.overlap", message).hint("name each shard once"));
        }
    }
    Ok(union.into_values().cloned().collect())
}
