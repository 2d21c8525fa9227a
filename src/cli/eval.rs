//! `eval`: suite to verdict. Also `access` and `auth`, which select one kind of case.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::EvalArgs;
use super::conclude::{self, conclude};
use super::failure::{Failure, Outcome, tell_diagnostics};
use super::progress::Progress;
use super::signal::Signals;
use super::{Context, check};
use crate::drive::stage::{self, Stage};
use crate::drive::{Stopping, World};
use crate::gate::Exit;
use crate::ids::{ModelName, RunId};
use crate::plan::{self, Plan, Planned, Selection, Shard};
use crate::run::{self, Job};
use crate::store::record::{Manifest, SCHEMA, Stop};
use crate::store::{Store, layout};
use crate::suite::read::{Project, Request};
use crate::suite::{Suite, TargetSource, Template};

/// Runs every suite named and returns the gravest exit code.
pub(super) async fn eval(args: &EvalArgs, kinds: &[&str], context: &Context) -> Outcome {
    if args.format != conclude::HUMAN {
        conclude::known(&args.format)?;
    }
    if let Some(run) = &args.resume {
        return super::resume::latest_or(run, args, context).await;
    }
    let project = Project::new(context.root.clone());
    let names = check::selected(&args.suites, &project)?;
    let mut exits = Vec::new();
    for name in &names {
        match one(name, args, kinds, context).await {
            Ok(exit) => exits.push(exit),
            Err(failure) if names.len() > 1 => {
                failure.print(context.printer);
                exits.push(failure.exit);
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Exit::gravest(exits))
}

/// What the command line selects.
pub(super) fn selection(args: &EvalArgs, kinds: &[&str]) -> Selection {
    Selection {
        cases: args.cases.clone(),
        tags: args.tags.clone(),
        models: args.models.iter().map(|name| ModelName::from(name.as_str())).collect(),
        personas: args.personas.iter().map(|name| name.as_str().into()).collect(),
        clients: args.clients.iter().map(|name| name.as_str().into()).collect(),
        trials: args.trials,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        shard: args.shard.map(|(index, of)| Shard { index, of }),
    }
}

/// Loads a suite and expands it, telling every mistake.
pub(super) fn planned(
    name: &str,
    selection: &Selection,
    seed: u64,
    context: &Context,
) -> Outcome<(Suite, Plan)> {
    let project = Project::new(context.root.clone());
    let request = Request { models: selection.models.clone() };
    let suite = check::load(&project, name, &request, context)?;
    match plan::expand(&suite, selection, seed) {
        Ok(plan) => Ok((suite, plan)),
        Err(diagnostics) => {
            tell_diagnostics(context.printer, &diagnostics, &|file| {
                suite.sources.get(file).map(ToString::to_string)
            })?;
            Err(Failure::usage("run.nothing-selected", "nothing was selected"))
        }
    }
}

async fn one(name: &str, args: &EvalArgs, kinds: &[&str], context: &Context) -> Outcome {
    let selection = selection(args, kinds);
    let (mut suite, plan) = planned(name, &selection, args.seed, context)?;
    if let Some(flaw) = &args.flaw {
        pass_flaw(&mut suite, flaw)?;
    }
    let stop = Stopping::default();
    let signals = Signals::listen(stop.clone(), context.printer);
    let stage = set(&suite, &plan, context).await?;
    let manifest = manifest(&suite, &plan, selection, &stage, context);
    let out = context.root.join(&args.out);
    let file = layout::run_file(&out, &manifest.suite, &manifest.run);
    // The plan holds what trials need; a large suite would only take memory from here on.
    drop(suite);
    let rows: Vec<Planned> = plan.cases.iter().map(Planned::from).collect();
    let opened = Store::create(&file, &manifest, &rows);
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            stage.strike().await;
            return Err(Failure::from_fault(&error.into()));
        }
    };
    let trials = plan.cases.len();
    context.printer.talk(&format!(
        "rehearsal {} · {} · {trials} trials · run {}",
        manifest.version, manifest.suite, manifest.run
    ));
    let work = Work {
        cases: plan.cases,
        unscored: vec![],
        spent: 0.0,
        width: args.concurrency.into(),
        max_cost: args.max_cost,
    };
    drop((rows, manifest));
    finish(Running { stage, store, stop, signals, file }, work, &args.format, context).await
}

/// Sets the stage for a plan.
pub(super) async fn set(suite: &Suite, plan: &Plan, context: &Context) -> Outcome<Stage> {
    let http = crate::net::client().map_err(|error| Failure::new(Exit::Bug, "bug.http", error))?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rehearsal"));
    let outside = stage::Outside {
        http,
        env: Arc::clone(&context.env),
        clock: context.clock.clone(),
        secrets: context.secrets.clone(),
        program,
        root: context.root.clone(),
    };
    stage::set(suite, plan, &outside).await.map_err(|fault| Failure::from_fault(&fault))
}

/// A run that has its stage and its file.
pub(super) struct Running {
    pub(super) stage: Stage,
    pub(super) store: Store,
    pub(super) stop: Stopping,
    pub(super) signals: Signals,
    pub(super) file: PathBuf,
}

/// What is left to do.
pub(super) struct Work {
    pub(super) cases: Vec<crate::plan::Case>,
    pub(super) unscored: Vec<(crate::plan::Case, crate::transcript::Transcript)>,
    pub(super) spent: f64,
    pub(super) width: usize,
    pub(super) max_cost: Option<f64>,
}

/// Drives, scores, closes the file, writes and prints the reports.
pub(super) async fn finish(running: Running, work: Work, format: &str, context: &Context) -> Outcome {
    let Running { stage, store, stop, signals, file } = running;
    let total = work.cases.len() + work.unscored.len();
    let mut progress = Progress::new(context.printer, context.clock.clone(), total as u64, context.verbose);
    let (world, judge, set) = stage.into_world(Arc::new(store.clone()), stop, work.width);
    let job = Job {
        cases: work.cases.into_iter().map(Arc::new).collect(),
        unscored: work
            .unscored
            .into_iter()
            .map(|(case, transcript)| (Arc::new(case), Arc::new(transcript)))
            .collect(),
        world: Arc::new(world),
        judge: judge.map(Arc::new),
        store: store.clone(),
        max_cost: work.max_cost,
        spent: work.spent,
    };
    let world: Arc<World> = Arc::clone(&job.world);
    let stops = run::run(job, |step| progress.step(&step)).await;
    progress.end();
    if let Some(stop) = interrupted(&signals).filter(|_| stops.is_empty()) {
        let _ = store.stopped(&stop).await;
    }
    drop(world);
    set.strike().await;
    store.close().await.map_err(|error| Failure::from_fault(&error.into()))?;
    if let Some(stop) = stops.iter().find(|stop| stop.code.starts_with("store.")) {
        return Err(Failure::new(Exit::LocalIo, stop.code.clone(), stop.message.clone()).hint(
            "nothing more was spent; finished trials are kept: free some space, then `rehearsal resume`",
        ));
    }
    let concluded = conclude(&file)?;
    concluded.write_reports(context)?;
    concluded.print(format, context)?;
    Ok(concluded.decision.exit)
}

fn interrupted(signals: &Signals) -> Option<Stop> {
    let (code, word) = match signals.first()? {
        15 => ("run.interrupted.sigterm", "SIGTERM"),
        _ => ("run.interrupted.sigint", "Ctrl-C"),
    };
    Some(Stop { code: code.to_owned(), message: format!("stopped by {word}; finished trials are kept") })
}

fn manifest(suite: &Suite, plan: &Plan, selection: Selection, stage: &Stage, context: &Context) -> Manifest {
    let id = uuid::Uuid::now_v7().to_string();
    let shard = selection.shard;
    Manifest {
        schema: SCHEMA,
        run: RunId::from(id.as_str()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        suite: suite.name.clone(),
        file: suite.file.to_string(),
        started: context.clock.wall().to_string(),
        seed: plan.seed,
        selection,
        shard,
        instruments: suite.instruments.clone(),
        gate: suite.gate.clone(),
        judge: suite.judge.as_ref().map(|judge| judge.value.model.name.to_string()),
        target: stage.description().to_owned(),
        inputs: suite.sources.iter().map(|(file, text)| (file.to_string(), text.to_string())).collect(),
    }
}

/// Adds `--flaw NAME` to a target that is the built-in demo server.
fn pass_flaw(suite: &mut Suite, flaw: &str) -> Outcome<()> {
    super::demo::flaw(flaw)?;
    match &mut suite.target.source {
        TargetSource::Command(command) if command.get(1).is_some_and(|word| word.0 == "demo-server") => {
            command.extend(["--flaw", flaw].map(|word| Template(word.to_owned())));
            Ok(())
        }
        _ => Err(Failure::usage(
            "demo.not-the-target",
            "--flaw works only where the target is the built-in demo server",
        )
        .hint("try: rehearsal eval bookshop --flaw ".to_owned() + flaw)),
    }
}
