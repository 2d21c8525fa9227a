//! `generate`: cases for a suite or a server, each verified by execution before it is kept.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::args::PlanFormat;
use super::failure::{Failure, Outcome, tell_diagnostics};
use super::init::{choose, files, known};
use super::values::dollars;
use super::{Context, check, eval, models};
use crate::display;
use crate::gate::Exit;
use crate::generate::{self, Author, Head, Made, Trouble, Wish, append, target};
use crate::llm;
use crate::report::figures::count;
use crate::suite::Turn;
use crate::suite::read::{Project, Request};
use crate::suite::write::{Node, Part, document};

/// Arguments of `generate`.
#[derive(Clone, Debug, Args)]
pub(super) struct GenerateArgs {
    /// A suite, a URL, or a file that lists servers (.mcp.json and its like).
    pub target: Option<String>,
    /// The name of the server, where a file lists several.
    #[arg(long, value_name = "NAME")]
    pub server: Option<String>,
    /// Who writes the prompts and must pass the cases. Default: rules, and the built-in lexical.
    #[arg(short, long, value_name = "NAME")]
    pub model: Option<String>,
    /// How many cases to aim at.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub count: u16,
    /// The same seed gives the same cases for the same server.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// As whom, where it is not the suite's default persona.
    #[arg(long, value_name = "NAME")]
    pub persona: Option<String>,
    /// Stop asking the model when this many US dollars are spent.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub max_cost: Option<f64>,
    /// Also call tools that change something, each of them several times.
    #[arg(long)]
    pub allow_writes: bool,
    /// The suite to write; `-` for stdout. Default: suites/NAME-generated.yaml.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Add the cases to this suite in place of writing one; its text and comments stay.
    #[arg(long, value_name = "SUITE", conflicts_with_all = ["out", "force"])]
    pub append: Option<String>,
    /// Write over a file that exists.
    #[arg(long)]
    pub force: bool,
    /// An environment variable with a bearer token to send; for a URL.
    #[arg(long, value_name = "VARIABLE")]
    pub bearer_env: Option<String>,
    /// What to print on stdout: what became of each tool, or the same as JSON.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
    /// A server over standard streams: the command and its arguments, after `--`.
    #[arg(last = true, conflicts_with = "target")]
    pub command: Vec<String>,
}

impl GenerateArgs {
    /// Whether a program reads stdout.
    pub(super) fn is_machine(&self) -> bool {
        self.format == PlanFormat::Json
    }
}

/// Makes cases, writes them, tells what became of each tool.
pub(super) async fn generate(args: &GenerateArgs, context: &Context) -> Outcome {
    let plan = Plan::of(args, context)?;
    if let Goes::File(path) = &plan.goes {
        files::free(path, args.force)?;
    }
    let context = &plan.context;
    let author = author(args, context)?;
    let project = Project::new(context.root.clone());
    let file = context.root.join("suites").join(format!("{} (made)", plan.name));
    let head = Head {
        project: &project,
        file: &file,
        parts: &plan.head,
        taken: plan.taken.clone(),
        prompts: plan.prompts.clone(),
    };
    let wish = Wish {
        count: args.count.into(),
        seed: args.seed,
        writes: args.allow_writes,
        confusion: true,
        progress: &|line| context.printer.talk(line),
        persona: args.persona.as_deref(),
        max_cost: args.max_cost,
        author: author.as_ref(),
    };
    let outside = eval::outside(context)?;
    let made = generate::generate(&head, &wish, &outside).await;
    let made = made.map_err(|trouble| failure(trouble, context))?;
    let told = write(args, &plan, &made)?;
    tell(args, &made, &told, context)?;
    if made.cases.is_empty() {
        let message = "no case could be made: no tool could be called, or no draft passed";
        return Err(Failure::new(Exit::Fail, "generate.no-case", message)
            .hint("`--allow-writes` also calls tools that change something; `--model NAME` lets a model write the prompts"));
    }
    Ok(Exit::Pass)
}

/// Where the cases go.
enum Goes {
    Stdout,
    File(PathBuf),
    Onto(PathBuf),
}

/// What the command line asks for.
struct Plan {
    /// The head of the suite.
    head: Vec<Part>,
    name: String,
    taken: BTreeSet<String>,
    prompts: BTreeSet<String>,
    goes: Goes,
    /// With the values that a file gave.
    context: Context,
}

impl Plan {
    fn of(args: &GenerateArgs, context: &Context) -> Outcome<Self> {
        let project = Project::new(context.root.clone());
        let suite = |name: &str| -> Outcome<(PathBuf, crate::suite::Suite)> {
            let suite = check::load(&project, name, &Request::default(), context)?;
            Ok((project.find(name).unwrap_or_else(|_| PathBuf::from(name)), suite))
        };
        let onto = args.append.as_deref().map(&suite).transpose()?;
        let (head, name, context) = match server(args, onto.is_some(), context)? {
            Some(choice) => {
                let target = known::target(&choice, args.bearer_env.as_deref(), context)?;
                let name = super::init::name_of(&choice.server.name, &choice.server.about());
                let head = target::head(&name, "Cases that were generated; review their prompts.", &target);
                (head, format!("{name}-generated"), known::surroundings(&target, context))
            }
            None => {
                let (path, suite) = match (&args.target, &onto) {
                    (Some(name), _) => suite(name)?,
                    (None, Some(onto)) => onto.clone(),
                    (None, None) => {
                        return Err(Failure::usage("usage.flags", "one target is needed").hint(
                            "give a suite, a URL, or `-- COMMAND ARGS` for a server over standard streams",
                        ));
                    }
                };
                let name = format!("{}-generated", suite.name);
                (based(&name, &suite, &path, context)?, name, context.clone())
            }
        };
        let goes = match (&onto, &args.out) {
            (Some((path, _)), _) => Goes::Onto(path.clone()),
            (None, Some(out)) if out.as_os_str() == "-" => Goes::Stdout,
            (None, Some(out)) => Goes::File(context.root.join(out)),
            (None, None) => Goes::File(context.root.join("suites").join(format!("{name}.yaml"))),
        };
        let taken =
            onto.iter().flat_map(|(_, suite)| suite.cases.iter().map(|case| case.id.value.to_string()));
        let taken = taken.collect();
        let asked = onto.iter().flat_map(|(_, suite)| &suite.cases).flat_map(|case| &case.turns);
        let prompts = asked.filter_map(|turn| match turn {
            Turn::User(text) => Some(text.clone()),
            Turn::Simulate(_) => None,
        });
        Ok(Self { head, name, taken, prompts: prompts.collect(), goes, context })
    }
}

/// The server that the command line names; none where it names a suite.
fn server(args: &GenerateArgs, onto: bool, context: &Context) -> Outcome<Option<choose::Choice>> {
    let is_file = |target: &str| target.ends_with(".json") || target == "demo";
    let named = args.target.as_deref().is_some_and(|target| target.contains("://") || is_file(target));
    if !named && args.command.is_empty() {
        let only = [(args.bearer_env.is_some(), "--bearer-env"), (args.server.is_some(), "--server")];
        if let Some((_, flag)) = only.iter().find(|(given, _)| *given) {
            let message =
                format!("`{flag}` is for a URL or a file that lists servers; a suite says it itself");
            return Err(Failure::usage("usage.flags", message));
        }
        return Ok(None);
    }
    if onto {
        let message = "`--append SUITE` makes cases for the target of that suite; leave the other one out";
        return Err(Failure::usage("usage.flags", message));
    }
    let named = choose::Named {
        target: args.target.as_deref(),
        command: &args.command,
        server: args.server.as_deref(),
    };
    choose::choose(&named, context).map(Some)
}

/// The head of a suite that takes everything but its cases from another.
fn based(name: &str, suite: &crate::suite::Suite, path: &Path, context: &Context) -> Outcome<Vec<Part>> {
    let root = context.root.canonicalize().unwrap_or_else(|_| context.root.clone());
    let base = path.canonicalize().ok().and_then(|path| path.strip_prefix(&root).ok().map(Path::to_owned));
    let base = base.map_or_else(|| suite.file.to_string(), |path| path.to_string_lossy().into_owned());
    // The built-in suite is no file that another could extend.
    if !context.root.join(&base).is_file() {
        let message = format!("the suite `{}` is built in, and no file here", suite.name);
        return Err(Failure::usage("suite.not-found", message).hint(
            "`rehearsal init demo` writes one for the demo server, and `rehearsal generate demo` its cases",
        ));
    }
    Ok(vec![
        Part::of("version", 1),
        Part::of("name", name),
        Part::of("description", "Cases that were generated; review their prompts."),
        Part::of("extends", base),
    ])
}

/// The model that writes, if one is named that can.
fn author(args: &GenerateArgs, context: &Context) -> Outcome<Option<Author>> {
    let Some(name) = &args.model else { return Ok(None) };
    let catalog = Project::new(context.root.clone()).catalog();
    let spec = models::find(&catalog, name, context)?;
    if spec.dialect == "lexical" {
        return Ok(None);
    }
    if llm::command::is_agent(&spec) || spec.dialect.starts_with("scripted") {
        let message = format!("`{}` cannot write cases: it follows a script, or is a program", spec.name);
        return Err(Failure::usage("usage.model", message).hint("name a model behind an API, or none"));
    }
    let http = crate::net::client().map_err(|error| Failure::new(Exit::Bug, "bug.http", error))?;
    let (env, secrets) = (std::sync::Arc::clone(&context.env), context.secrets.clone());
    let keys = move |name: &str| env(name).inspect(|value| secrets.register(name, value));
    let outside = llm::Outside::new(http, std::sync::Arc::new(keys));
    let model = llm::build(&spec, &outside).map_err(|fault| Failure::from_fault(&fault))?;
    Ok(Some(Author { spec, model }))
}

/// Why nothing was made, as the command tells it.
pub(super) fn failure(trouble: Trouble, context: &Context) -> Failure {
    match trouble {
        Trouble::Fault(fault) => Failure::from_fault(&fault),
        Trouble::Suite(loaded) => {
            let sources = |file: &str| loaded.sources.get(file).map(ToString::to_string);
            let told = tell_diagnostics(context.printer, &loaded.diagnostics, &sources);
            told.err().unwrap_or_else(|| Failure::new(Exit::Bug, "bug.no-suite", "the suite cannot be read"))
        }
    }
}

/// Writes the cases; what was done, in words.
fn write(args: &GenerateArgs, plan: &Plan, made: &Made) -> Outcome<String> {
    let context = &plan.context;
    let parts: Vec<Part> = made.cases.iter().map(|case| case.part(args.persona.as_deref()).gap()).collect();
    if parts.is_empty() {
        return Ok("nothing was written".to_owned());
    }
    match &plan.goes {
        Goes::Onto(path) => {
            let text = append::append(&files::read(path)?, &parts).map_err(|error| {
                let message = format!("`{}` cannot be added to: {error}", display::path(path));
                Failure::usage("suite.not-appendable", message).hint("`--out FILE` writes a suite of its own")
            })?;
            files::write(path, &text, true)?;
            Ok(format!("{} added to {}", count(parts.len() as u64, "case"), display::path(path)))
        }
        goes => {
            let mut all = plan.head.clone();
            let first =
                parts.into_iter().enumerate().map(|(at, part)| if at == 0 { part.tight() } else { part });
            let by = args.model.as_deref().unwrap_or("rules");
            all.push(Part::of("cases", Node::List(first.collect())).gap().above(format!(
                "Made by {by} with seed {}, and each of them passed once. Make the prompts your users' own.",
                args.seed
            )));
            let text = document(&all);
            match goes {
                Goes::File(path) => {
                    files::write(path, &text, args.force)?;
                    Ok(format!("wrote {} to {}", count(made.cases.len() as u64, "case"), display::path(path)))
                }
                _ => {
                    context.printer.data(text.as_bytes())?;
                    Ok(String::new())
                }
            }
        }
    }
}

fn tell(args: &GenerateArgs, made: &Made, told: &str, context: &Context) -> Outcome<()> {
    let printer = context.printer;
    let to_stdout = args.out.as_deref().is_some_and(|out| out.as_os_str() == "-");
    if args.is_machine() && !to_stdout {
        let line = |text: &str| display::safe_line(text);
        let coverage = made.coverage.iter().map(|one| {
            json!({"tool": line(one.tool.as_str()), "cases": one.cases, "why": one.why.as_deref().map(line)})
        });
        let cases = made
            .cases
            .iter()
            .map(|case| json!({"id": case.id, "prompt": case.prompt, "expect": case.expect}));
        let dropped = made
            .dropped
            .iter()
            .map(|(case, why)| json!({"id": case.id, "prompt": line(&case.prompt), "why": line(why)}));
        let told = json!({
            "cases": cases.collect::<Vec<_>>(),
            "dropped": dropped.collect::<Vec<_>>(),
            "coverage": coverage.collect::<Vec<_>>(),
            "calls": made.calls,
            "spent": made.spent,
        });
        return printer.data_line(&serde_json::to_string_pretty(&told).unwrap_or_default());
    }
    let text = crate::generate::told::coverage(made, usize::from(printer.width()));
    if to_stdout {
        printer.talk(text.trim_end());
    } else {
        printer.data(text.as_bytes())?;
    }
    for line in crate::generate::told::ends(made, told) {
        printer.talk(&printer.commands(&line));
    }
    Ok(())
}
