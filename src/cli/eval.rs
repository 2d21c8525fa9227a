//! `eval`: suite to verdict. Also `access` and `auth`, which select one kind of case.

use std::path::PathBuf;
use std::sync::Arc;

use super::args::{EvalArgs, Select};
use super::conclude::{self, Concluded, conclude};
use super::failure::{Failure, Outcome, tell_diagnostics};
use super::progress::{Budget, Progress};
use super::purse::Purse;
use super::several::Several;
use super::signal::Signals;
use super::tape::Session;
use super::{Context, check, exec};
use crate::diag::{Diagnostic, Origin};
use crate::drive::World;
use crate::drive::stage::{self, Stage};
use crate::drive::surface::Surface;
use crate::drive::tapes::Tapes;
use crate::gate::Exit;
use crate::ids::{ModelName, PersonaName, RunId, ToolName};
use crate::mcp::ClientProfile;
use crate::mcp::profile::canonical;
use crate::plan::{self, Plan, Planned, Selection, Shard};
use crate::report::figures;
use crate::run::{self, Job};
use crate::store::record::{Ending, Judging, Manifest, SCHEMA, SurfaceSeen};
use crate::store::{Store, layout};
use crate::suite::read::Request;
use crate::suite::{self, Suite, TargetSource, Template};
use crate::transcript::{Fault, Secrets, ToolFact};

/// Runs every suite named; the gravest exit code wins. Nothing runs while any of the suites is wrong.
pub(super) async fn eval(args: &EvalArgs, kinds: &[&str], context: &Context) -> Outcome {
    if args.options.format != conclude::HUMAN {
        conclude::known(&args.options.format)?;
    }
    let signals = Signals::listen(context.printer);
    if let Some(run) = &args.resume {
        return super::resume::latest_or(run, args, &signals, context).await;
    }
    let names = check::selected(&args.select.suites, &context.project())?;
    let kinds = if args.options.tapes.played().is_some() { unprobed(kinds)? } else { kinds };
    let mut prepared = prepare(&names, args, kinds, context)?;
    args.options.tapes.fits(prepared.len())?;
    args.options.files.fits(prepared.len())?;
    if prepared.len() == 1 {
        let concluded = one(prepared.remove(0), args, 0.0, (&signals, context)).await?;
        concluded.write_asked(&args.options.files, context)?;
        concluded.print(&args.options.format, context)?;
        return concluded.outcome();
    }
    let mut several = Several::new(&args.options.format)?;
    let mut spent = 0.0;
    for next in prepared {
        if signals.exit().is_some() {
            several.failed(signals.waiting(&next.suite.name), context);
            break;
        }
        match one(next, args, spent, (&signals, context)).await {
            Ok(concluded) => {
                spent += concluded.spent();
                concluded.write_asked(&args.options.files, context)?;
                several.concluded(&concluded, context)?;
            }
            Err(failure) => several.failed(failure, context),
        }
    }
    several.end(context)
}

/// The kinds of cases that a tape can answer: auth checks are about the target itself.
fn unprobed<'a>(kinds: &'a [&'a str]) -> Outcome<&'a [&'a str]> {
    match kinds {
        [] => Ok(&["access", "use"]),
        kinds if kinds.contains(&"auth") => {
            let message = "auth checks probe the target itself; a tape in its place cannot answer them";
            Err(Failure::usage("usage.flags", message).hint("leave `--server-tape` out"))
        }
        kinds => Ok(kinds),
    }
}

/// What the command line selects.
pub(super) fn selection(args: &Select, kinds: &[&str]) -> Selection {
    Selection {
        cases: args.cases.clone(),
        tags: args.tags.clone(),
        models: args.models.iter().map(|name| ModelName::from(name.as_str())).collect(),
        personas: args.personas.iter().map(|name| name.as_str().into()).collect(),
        clients: args.clients.iter().map(|name| canonical(name).as_str().into()).collect(),
        trials: args.trials,
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
        shard: args.shard.map(|(index, of)| Shard { index, of }),
    }
}

/// Loads a suite and expands it, telling every mistake; for a stored run with what was known of its judge then.
pub(super) fn planned(
    name: &str,
    selection: &Selection,
    seed: u64,
    run: Option<&Manifest>,
    context: &Context,
) -> Outcome<(Suite, Plan)> {
    let suite = loaded(name, selection, run, context)?;
    match expanded(&suite, selection, seed) {
        Ok(plan) => Ok((suite, plan)),
        Err(diagnostics) => Err(refused(&suite, &diagnostics, context)),
    }
}

fn loaded(name: &str, selection: &Selection, run: Option<&Manifest>, context: &Context) -> Outcome<Suite> {
    let request = Request { models: selection.models.clone(), clients: selection.clients.clone() };
    let mut suite = check::load(&context.project(), name, &request, context)?;
    super::judge::hold(&mut suite, run, context);
    Ok(suite)
}

fn expanded(suite: &Suite, selection: &Selection, seed: u64) -> Result<Plan, Vec<Diagnostic>> {
    let plan = plan::expand(suite, selection, seed)?;
    match selection.shard {
        Some(Shard { index, of }) if plan.cases.is_empty() => {
            let message = format!("shard {index}/{of} of the suite `{}` holds no trial", suite.name);
            let diagnostic = Diagnostic::global("run.nothing-selected", message);
            Err(vec![diagnostic.hint("the plan is too small for so many shards; use fewer")])
        }
        _ => Ok(plan),
    }
}

fn refused(suite: &Suite, diagnostics: &[Diagnostic], context: &Context) -> Failure {
    let source = |file: &str| suite.sources.get(file).map(ToString::to_string);
    let told = tell_diagnostics(context.printer, diagnostics, &source);
    told.err().unwrap_or_else(|| Failure::usage("run.nothing-selected", "nothing was selected"))
}

/// A suite that may run.
struct Prepared {
    suite: Suite,
    plan: Plan,
    selection: Selection,
}

/// Loads and expands every suite. Of several, those in which nothing is selected are left out, and that is said.
fn prepare(names: &[String], args: &EvalArgs, kinds: &[&str], context: &Context) -> Outcome<Vec<Prepared>> {
    const NOTHING: [&str; 2] = ["run.nothing-selected", "run.unknown-name"];
    let selection = selection(&args.select, kinds);
    let (mut prepared, mut wrong, mut skipped) = (vec![], vec![], vec![]);
    for name in names {
        let suite = match loaded(name, &selection, None, context) {
            Ok(suite) => suite,
            Err(failure) => {
                wrong.push(failure);
                continue;
            }
        };
        match expanded(&suite, &selection, args.select.seed) {
            Ok(plan) => prepared.push(Prepared { suite, plan, selection: selection.clone() }),
            Err(found) if found.iter().all(|one| NOTHING.contains(&one.code)) => skipped.push((suite, found)),
            Err(found) => wrong.push(refused(&suite, &found, context)),
        }
    }
    if let Some(failure) = wrong.into_iter().next() {
        return Err(failure);
    }
    for one in &mut prepared {
        args.options.tapes.holds(&one.plan)?;
        exec::allowed(&one.plan, args.options.allow_exec)?;
        if let Some(flaw) = &args.flaw {
            pass_flaw(&mut one.suite, flaw)?;
        }
    }
    for (suite, found) in &skipped {
        if prepared.is_empty() {
            return Err(refused(suite, found, context));
        }
        let why = found.first().map(|diagnostic| diagnostic.message.as_str()).unwrap_or_default();
        context.printer.talk(&format!("skipping {}: {}", suite.name, crate::display::safe_line(why)));
    }
    Ok(prepared)
}

/// Drives one suite to its decision. `spent` is what suites before it have spent.
async fn one(
    prepared: Prepared,
    args: &EvalArgs,
    spent: f64,
    (signals, context): (&Signals, &Context),
) -> Outcome<Concluded> {
    let Prepared { suite, mut plan, selection } = prepared;
    let base = super::rounds::baseline(&suite.name, args, context)?;
    let tapes = args.options.tapes.open(&suite.name, Session::First, context)?;
    let stage = tokio::select! {
        biased;
        stage = set(&suite, &plan, (args.options.max_rps, &tapes), context) => stage?,
        failure = signals.before_anything_ran() => return Err(failure),
    };
    let out = context.root.join(&args.options.out);
    let mut manifest = Manifest {
        flaw: args.flaw.clone(),
        tapes: args.options.tapes.words(),
        ..manifest(&suite, &plan, selection, &stage, context)
    };
    super::judge::note_canary(&mut manifest, &suite, &out);
    manifest.surface = match super::tools::judge(&suite, &stage, context) {
        Ok(judged) => judged,
        Err(failure) => {
            stage.strike().await;
            return Err(failure);
        }
    };
    let file = layout::run_file(&out, &manifest.suite, &manifest.run);
    let budget = suite.max_cost;
    let begun = base
        .and_then(|base| super::rounds::begin(&base, &manifest, &mut plan, args.select.trials).transpose());
    let begun = match begun.transpose() {
        Ok(begun) => begun,
        Err(failure) => {
            stage.strike().await;
            return Err(failure);
        }
    };
    let expected = super::forecast::expected(&suite, &plan, &out, &tapes);
    // The plan holds what trials need; a large suite would only take memory from here on.
    drop(suite);
    let rows: Vec<Planned> = plan.cases.iter().map(Planned::from).collect();
    let opened = Store::create(&file, &manifest, &rows);
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            stage.strike().await;
            return Err(error.into());
        }
    };
    let trials = figures::count(plan.cases.len() as u64, "trial");
    context.printer.talk(&format!(
        "running {trials} of {}, {} at a time; run {}",
        manifest.suite, args.options.concurrency, manifest.run
    ));
    for text in begun.iter().flat_map(|begun| &begun.talk).chain(&expected) {
        context.printer.talk(text);
    }
    let work = Work {
        cases: plan.cases,
        unscored: vec![],
        spent: if args.options.max_cost.is_some() { spent } else { 0.0 },
        width: args.options.concurrency.into(),
        max_cost: args.options.max_cost.or(budget),
        tapes,
        record_server: args.options.tapes.recorded().map(|file| context.root.join(file)),
        rounds: begun.map(|begun| begun.rounds),
    };
    let purse = args.options.max_cost.map(|most| most - spent).or(budget);
    let (judging, tolerated) = (manifest.judging.clone(), manifest.gate.max_invalid.0);
    drop((rows, manifest));
    let concluded =
        finish(Running { stage, store, file, judging, tolerated }, work, (signals, context)).await?;
    super::control::after(concluded, (args, purse), (signals, context)).await
}

/// What the program brings along to a server.
pub(super) fn outside(context: &Context) -> Outcome<stage::Outside> {
    let http = crate::net::client().map_err(|error| Failure::new(Exit::Bug, "bug.http", error))?;
    let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("rehearsal"));
    Ok(stage::Outside {
        http,
        env: Arc::clone(&context.env),
        clock: context.clock.clone(),
        secrets: context.secrets.clone(),
        program,
        root: context.root.clone(),
        wallet: Arc::new(Purse::new(&context.env)),
        max_rps: None,
        tapes: Tapes::default(),
    })
}

/// Sets the stage for a plan. `max_rps` is how often per second auth checks may ask; `tapes` stand before the outside.
pub(super) async fn set(
    suite: &Suite,
    plan: &Plan,
    (max_rps, tapes): (Option<u32>, &Tapes),
    context: &Context,
) -> Outcome<Stage> {
    let outside = stage::Outside { max_rps, tapes: tapes.clone(), ..outside(context)? };
    let stage = stage::set(suite, plan, &outside).await;
    for name in context.secrets.take_too_short() {
        context.printer.tell(&format!(
            "warning: the value of `{}` is too short to be kept out of the record; if it is a secret, choose one of {} bytes or more",
            crate::display::safe_line(&name),
            Secrets::SHORTEST
        ));
    }
    stage.map_err(|fault| {
        let failure = Failure::from_fault(&fault);
        match place(suite, &fault) {
            Some(origin) => failure.at(origin),
            None => failure,
        }
    })
}

/// The line of the suite that a fault before the first trial is about.
fn place<'a>(suite: &'a Suite, fault: &Fault) -> Option<&'a Origin> {
    let named = |name: &ModelName| fault.message.contains(&format!("`{name}`"));
    let model = || suite.models.iter().find(|model| named(&model.value.name)).map(|model| &model.origin);
    let judge = || suite.judge.as_ref().filter(|judge| named(&judge.value.model.name));
    match fault.code.split('.').next()? {
        "target" => Some(&suite.target.origin),
        "credentials" => model().or_else(|| judge().map(|judge| &judge.origin)),
        _ => None,
    }
}

/// A run that has its stage and its file.
pub(super) struct Running {
    pub(super) stage: Stage,
    pub(super) store: Store,
    pub(super) file: PathBuf,
    /// How well the judge is known.
    pub(super) judging: Option<Judging>,
    /// The largest share of invalid trials with which it can pass.
    pub(super) tolerated: f64,
}

/// What is left to do.
pub(super) struct Work {
    pub(super) cases: Vec<crate::plan::Case>,
    pub(super) unscored: Vec<(crate::plan::Case, crate::transcript::Transcript)>,
    pub(super) spent: f64,
    pub(super) width: usize,
    pub(super) max_cost: Option<f64>,
    /// What stands before the outside.
    pub(super) tapes: Tapes,
    /// Where what was said with the target is written.
    pub(super) record_server: Option<PathBuf>,
    /// The comparison with a baseline.
    pub(super) rounds: Option<run::Rounds>,
}

/// Drives, scores, closes the file, decides and writes the reports.
pub(super) async fn finish(
    running: Running,
    work: Work,
    (signals, context): (&Signals, &Context),
) -> Outcome<Concluded> {
    let Running { stage, store, file, judging, tolerated } = running;
    let total = work.cases.len() + work.unscored.len();
    let budget = Budget { most: work.max_cost, before: work.spent, tolerated: Some(tolerated) };
    let progress = Progress::new((signals, context), total as u64, budget);
    if let Some(rounds) = &work.rounds {
        progress.compares(rounds.standings());
    }
    let (world, judge, set) = stage.into_world(Arc::new(store.clone()), signals.stopping(), work.width);
    let free = run::Free { trials: work.tapes.trials_are_free(), judging: work.tapes.judging_is_free() };
    let job = Job {
        cases: work.cases.into_iter().map(Arc::new).collect(),
        unscored: work
            .unscored
            .into_iter()
            .map(|(case, transcript)| (Arc::new(case), Arc::new(transcript)))
            .collect(),
        world: Arc::new(world),
        judge: judge.map(|judge| Arc::new(super::judge::remembering(judge, &file, judging.as_ref()))),
        store: store.clone(),
        max_cost: work.max_cost,
        spent: work.spent,
        rounds: work.rounds,
        free,
    };
    let world: Arc<World> = Arc::clone(&job.world);
    progress.watches(&world);
    let stops = run::run(job, |step| progress.step(&step)).await;
    progress.end();
    super::tape::tell(&work.tapes, context);
    if let Some(stop) = signals.reason() {
        let _ = store.stopped(&stop).await;
    }
    drop(world);
    set.strike().await;
    // The verdict is part of the record: how this session ended.
    let concluded = conclude(&file);
    if let Ok(concluded) = &concluded {
        let ending = Ending { at: context.clock.stamp(), exit: concluded.decision.exit.code() };
        let _ = store.ended(&ending).await;
    }
    store.close().await?;
    if let Some(stop) = stops.iter().find(|stop| stop.code.starts_with("store.")) {
        return Err(Failure::new(Exit::LocalIo, stop.code.clone(), stop.message.clone()).hint(
            "nothing more was spent; finished trials are kept: free some space, then `rehearsal resume`",
        ));
    }
    if let Some(path) = &work.record_server {
        super::runs::write_tape(&file, path, context)?;
    }
    let mut concluded = concluded?;
    concluded.free = free;
    concluded.write_reports(context)?;
    Ok(concluded)
}

/// What a run that begins now is about.
pub(super) fn manifest(
    suite: &Suite,
    plan: &Plan,
    selection: Selection,
    stage: &Stage,
    context: &Context,
) -> Manifest {
    let id = uuid::Uuid::now_v7().to_string();
    let shard = selection.shard;
    Manifest {
        schema: SCHEMA,
        run: RunId::from(id.as_str()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        suite: suite.name.clone(),
        file: suite.file.to_string(),
        started: context.clock.stamp(),
        seed: plan.seed,
        selection,
        shard,
        instruments: suite.instruments.clone(),
        gate: suite.gate.clone(),
        judge: suite.judge.as_ref().map(|judge| judge.value.model.name.to_string()),
        judging: super::judge::judging(suite, context),
        target: context.secrets.redact(stage.description()).into_owned(),
        flaw: None,
        tapes: vec![],
        url: stage.url().map(crate::net::shown),
        surfaces: surfaces(stage, context),
        surface: None,
        clients: suite.clients.iter().filter_map(|client| kept(&client.value, &context.secrets)).collect(),
        expects: suite::health::expectations(suite),
        weaknesses: suite::health::look(suite),
        inputs: suite
            .sources
            .iter()
            .map(|(file, text)| (file.to_string(), context.secrets.redact(text).into_owned()))
            .collect(),
    }
}

/// A client profile for the record.
fn kept(client: &ClientProfile, secrets: &Secrets) -> Option<serde_json::Value> {
    let text = serde_json::to_string(&client.shaping()).ok()?;
    serde_json::from_str(&secrets.redact(&text)).ok()
}

/// What each persona sees, for the record.
pub(super) fn surfaces(stage: &Stage, context: &Context) -> Vec<SurfaceSeen> {
    stage.surfaces().iter().map(|(persona, surface)| seen(persona, surface, &context.secrets)).collect()
}

fn seen(persona: &PersonaName, surface: &Result<Surface, Fault>, secrets: &Secrets) -> SurfaceSeen {
    let persona = persona.clone();
    match surface {
        Ok(surface) => {
            // A server may name its tools after what it was given.
            let name = |tool: &ToolFact| ToolName::new(secrets.redact(tool.name.as_str()).into_owned());
            let tools = surface.tools.iter().map(name).collect();
            let (later, look) = (surface.later.clone(), surface.wire.clone());
            SurfaceSeen { persona, tools, later, digest: Some(surface.digest()), look }
        }
        Err(_) => SurfaceSeen { persona, tools: vec![], later: vec![], digest: None, look: vec![] },
    }
}

/// Adds `--flaw NAME` to a target that is the built-in demo server.
pub(super) fn pass_flaw(suite: &mut Suite, flaw: &str) -> Outcome<()> {
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
        .hint(format!("try `rehearsal eval bookshop --flaw {flaw}`"))),
    }
}
