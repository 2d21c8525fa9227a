//! The command line: the only place that prints, and the only one that reads the environment.
//!
//! Each command is one function from arguments to an exit code. Data goes to stdout, talk to stderr.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::drive::stage::Env;
use crate::gate::Exit;
use crate::suite::Project;
use crate::suite::made::MadeSuite;
use crate::transcript::{Clock, Secrets};

mod args;
mod auth;
mod baseline;
mod check;
mod clients;
mod compare;
mod conclude;
mod control;
mod demo;
mod doctor;
mod eval;
mod exec;
mod experiment;
mod explain;
mod failure;
mod files;
mod forecast;
mod gate;
mod generate;
mod import;
mod init;
mod issuer;
mod judge;
mod keyboard;
mod login;
mod merge;
mod models;
mod output;
mod plan;
mod program;
mod progress;
mod purse;
mod replan;
mod resume;
mod rounds;
mod runs;
mod several;
mod shelf;
mod show;
mod signal;
mod tape;
mod tools;
mod trend;
mod triage;
mod values;
mod view;

use args::{Cli, Command};
use failure::{Failure, Outcome};
use output::Printer;

/// Looks up one environment variable.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What every command is given.
#[derive(Clone)]
struct Context {
    printer: Printer,
    /// The folder of the project.
    root: PathBuf,
    /// Looks up one environment variable.
    env: Env,
    clock: Clock,
    secrets: Secrets,
    verbose: bool,
    /// A suite that the command line describes.
    made: Option<MadeSuite>,
}

impl Context {
    /// The project, with the suite that the command line describes.
    fn project(&self) -> Project {
        Project::new(self.root.clone()).with(self.made.clone())
    }

    /// The same with a made suite.
    fn making(&self, made: MadeSuite) -> Self {
        Self { made: Some(made), ..self.clone() }
    }
}

/// Parses the command line, runs the command, returns the exit code.
pub fn main() -> ExitCode {
    let args: Vec<String> = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
    #[expect(clippy::disallowed_methods, reason = "the environment enters here, one declared name at a time")]
    let env: Env = Arc::new(|name| std::env::var(name).ok());
    let typed = args.first().map_or("", String::as_str);
    // Lives as long as the process, like the command line it is made from.
    let program: &str = program::name(&*env, typed, std::env::current_exe().ok().as_deref()).leak();
    let cli = match parse(program) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(output::refused(&error, &args, program)),
    };
    let printer = Printer::new(&cli.global, &*env, program);
    let printer = if machine(&cli.command) { printer.machine() } else { printer };
    let root = cli.global.directory.clone().unwrap_or_else(|| PathBuf::from("."));
    let verbose = cli.global.verbose;
    let context = Context {
        printer,
        root,
        env,
        clock: Clock::system(),
        secrets: Secrets::default(),
        verbose,
        made: None,
    };
    let outcome = if context.root.is_dir() {
        dispatch(cli.command, &context)
    } else {
        let message = format!("there is no folder `{}`", context.root.display());
        Err(Failure::usage("usage.directory", message).hint("`-C` takes the folder that holds `suites/`"))
    };
    let exit = outcome.unwrap_or_else(|failure| {
        let exit = failure.exit;
        failure.redacted(&context.secrets).print(printer);
        exit
    });
    ExitCode::from(exit.code())
}

/// Parses the command line; usage and help name the program as the user started it.
fn parse(program: &'static str) -> Result<Cli, clap::Error> {
    let mut command = Cli::command().bin_name(program).after_help(args::first_steps(program));
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Whether a program reads stdout.
fn machine(command: &Command) -> bool {
    let format = match command {
        Command::Eval(args) | Command::Access(args) => &args.options.format,
        Command::Auth(args) => &args.eval.options.format,
        Command::Plan(args) => return args.format == args::PlanFormat::Json,
        Command::Clients(args) => return args.format == args::PlanFormat::Json,
        Command::Models(args) => return args.format == args::PlanFormat::Json,
        Command::Tools(args) => return args.format == args::PlanFormat::Json,
        Command::Generate(args) => return args.is_machine(),
        Command::Judge(command) => return command.is_machine(),
        Command::Baseline(command) => return command.is_machine(),
        Command::Compare(args) => return args.is_machine(),
        Command::Import(args) => return args.is_machine(),
        Command::Doctor(args) => return args.is_machine(),
        Command::Triage(args) => return args.is_machine(),
        Command::Control(args) => return args.is_machine(),
        Command::Runs(args::RunsCommand::Trend(args)) => return args.is_machine(),
        Command::Resume(args) => &args.options.format,
        Command::Merge(args) => &args.format,
        _ => return false,
    };
    format != "human"
}

fn dispatch(command: Command, context: &Context) -> Outcome {
    match command {
        Command::Init(args) => wait(init::init(&args, context)),
        Command::Generate(args) => wait(generate::generate(&args, context)),
        Command::Eval(args) => wait(eval::eval(&args, &[], context)),
        Command::Access(args) => wait(eval::eval(&args, &["access"], context)),
        Command::Auth(args) => wait(auth::auth(&args, context)),
        Command::Plan(args) => plan::plan(&args, context),
        Command::Resume(args) => wait(resume::resume(&args, context)),
        Command::Check(args) => check::check(&args.suites, context),
        Command::Doctor(args) => wait(doctor::doctor(&args, context)),
        Command::Import(args) => import::import(&args, context),
        Command::Merge(args) => wait(merge::merge(&args, context)),
        Command::Gate(args) => gate::gate(&args, context),
        Command::Report(args) => files::report(&args, context),
        Command::Show(args) => show::show(&args, context),
        Command::Clients(args) => clients::clients(&args, context),
        Command::Models(args) => models::models(&args, context),
        Command::Tools(args) => wait(tools::tools(&args, context)),
        Command::Judge(command) => wait(judge::judge(&command, context)),
        Command::Baseline(command) => baseline::baseline(&command, context),
        Command::Compare(args) => wait(compare::compare(&args, context)),
        Command::Triage(args) => wait(triage::triage(&args, context)),
        Command::Control(args) => wait(control::control(&args, context)),
        Command::Runs(command) => runs::runs(&command, context),
        Command::DemoServer(args) => wait(demo::serve(&args, context)),
        Command::View(args) => wait(view::view(&args, context)),
        Command::Issuer(args) => wait(issuer::issuer(&args, context)),
        Command::Login(args) if args.list => login::list(context),
        Command::Login(args) => wait(login::login(&args, context)),
        Command::Logout(args) => wait(login::logout(&args, context)),
        Command::Schema => check::schema(context),
        Command::Explain { code } => explain::explain(&code, context),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "rehearsal", &mut script);
            context.printer.data(&script)?;
            Ok(Exit::Pass)
        }
        Command::Relay => wait(exec::relay()),
        Command::Guard => wait(async {
            crate::mcp::process::guard::run();
            Ok(Exit::Pass)
        }),
    }
}

/// Runs an asynchronous command on a runtime of its own.
fn wait(work: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(
            Exit::LocalIo,
            "bug.runtime",
            format!("the asynchronous runtime does not start: {error}"),
        )
    })?;
    let outcome = runtime.block_on(work);
    // Tasks that wait for a peer must not hold up the end of the program.
    runtime.shutdown_background();
    outcome
}
