//! The command line as typed: clap types and nothing else.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::demo::DemoArgs;
use super::files::{ReportArgs, ReportFiles};
use super::login::{LoginArgs, LogoutArgs};
use super::tape::TapeArgs;
use super::values::{dollars, shard};

/// The end of `--help`; the first word of each command is how the user starts the program.
pub(super) fn first_steps(program: &str) -> String {
    [
        ("init                 ", "look at your server and write a first suite for it"),
        ("eval bookshop        ", "the whole thing on the built-in demo, no key needed"),
        ("check my-suite       ", "validate a suite without running it"),
        ("explain target.died  ", "more about any code that a message names"),
    ]
    .iter()
    .fold("First steps:".to_owned(), |text, (command, about)| format!("{text}\n  {program} {command}{about}"))
}

/// The dress rehearsal an MCP server goes through before its users meet it.
#[derive(Debug, Parser)]
#[command(name = "rehearsal", version, max_term_width = 100, disable_help_subcommand = true)]
pub(super) struct Cli {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub(super) struct Global {
    /// Run as if started in this folder.
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, display_order = 900)]
    pub directory: Option<PathBuf>,
    /// When to colour.
    #[arg(long, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN", global = true, display_order = 901)]
    pub color: ColorChoice,
    /// How a run is shown while it goes on.
    #[arg(long, value_enum, default_value_t = Drawn::Auto, value_name = "HOW", global = true, display_order = 901)]
    pub progress: Drawn,
    /// Only failures and the verdict.
    #[arg(short, long, global = true, display_order = 902)]
    pub quiet: bool,
    /// More detail: every trial, and the wire in `show`.
    #[arg(short, long, global = true, display_order = 903)]
    pub verbose: bool,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR says otherwise.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a run is shown while it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Drawn {
    /// A live block on a terminal, lines elsewhere, in CI and with NO_COLOR.
    Auto,
    /// A live block wherever the terminal can draw it.
    Block,
    /// Lines.
    Lines,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Look at a server and write a first suite for it, which runs at once without a key.
    Init(Box<super::init::InitArgs>),
    /// Make cases from the tools of a server, by rules or by a model; each is run before it is kept.
    Generate(Box<super::generate::GenerateArgs>),
    /// Run suites: drive models against the target, score, store, report, gate.
    Eval(Box<EvalArgs>),
    /// Validate suites without running anything: no network, no spending.
    Check(CheckArgs),
    /// Look at everything a run needs, one line each with what to do: suites, keys, targets, storage. Spends nothing.
    Doctor(super::doctor::DoctorArgs),
    /// Make a suite of one of another tool (promptfoo, MCPJam, mcpchecker, CSV …), and tell what became of each part.
    Import(Box<super::import::ImportArgs>),
    /// Run only the access matrix of a suite: which tools each persona sees and may call.
    Access(Box<EvalArgs>),
    /// Run only the auth checks of a suite, or probe the auth of any server by its URL.
    Auth(Box<AuthArgs>),
    /// Show what a run would do: cases, trials, the most it may call and cost. Spends nothing.
    Plan(Box<PlanArgs>),
    /// Run only what is missing of a run that was stopped.
    Resume(ResumeArgs),
    /// Join the run files of shards into one run; refuses unlike plans.
    Merge(MergeArgs),
    /// Decide about a stored run again, offline.
    Gate(super::gate::GateArgs),
    /// Render reports of a stored run again.
    Report(ReportArgs),
    /// Show a stored run, or the transcripts of one of its cases.
    Show(ShowArgs),
    /// Look at stored runs in a browser, also while they run: lists, any two compared. Serves this machine until stopped.
    View(super::view::ViewArgs),
    /// The stored runs.
    #[command(subcommand)]
    Runs(RunsCommand),
    /// The judge itself: against people's labels, against attacks, against another judge.
    #[command(subcommand)]
    Judge(super::judge::JudgeCommand),
    /// What a suite gives when it is well: accepted runs, which later runs are measured against.
    #[command(subcommand)]
    Baseline(super::baseline::BaselineCommand),
    /// Compare two runs, baselines, models, personas or client profiles, case by case.
    Compare(Box<super::compare::CompareArgs>),
    /// Look into the failed cases of a run: is it the server, a description, another tool, the model, the judge or chance?
    Triage(super::triage::TriageArgs),
    /// Run the server as it was beside the one under test, on what failed in a run: is it the server, or everything else?
    Control(super::control::ControlArgs),
    /// Look at a server's tools: what they cost, what is wrong with them, how they changed, what clients make of them.
    Tools(Box<super::tools::ToolsArgs>),
    /// Show the client profiles that suites may name, and where their values are from.
    Clients(ClientsArgs),
    /// Show the models that suites may name: whether their keys are set, what they cost and what they bear.
    Models(ModelsArgs),
    /// Serve the bookshop, a demonstration MCP server with roles and switchable flaws.
    DemoServer(DemoArgs),
    /// Serve the loopback authorization server on its own until stopped.
    Issuer(super::issuer::IssuerArgs),
    /// Sign in at a target as a person, for personas with `identity: {login: {}}`.
    Login(LoginArgs),
    /// Forget the tokens of a login.
    Logout(LogoutArgs),
    /// Print the JSON Schema of suite files.
    Schema,
    /// Say more about an exit code, or any code that a message names.
    Explain {
        /// An exit code such as 6, or a code such as target.unreachable.
        code: String,
    },
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Kills the process groups named on stdin when stdin closes.
    #[command(hide = true)]
    Guard,
    /// Stands where an agent starts a server, and passes on to the relay that its variables name.
    #[command(hide = true)]
    Relay,
}

/// What is run.
#[derive(Clone, Debug, Args)]
pub(super) struct Select {
    /// Suites: paths, or names under suites/. Default: every suite of the project.
    pub suites: Vec<String>,
    /// Only these cases; `*` stands for anything. Repeatable.
    #[arg(long = "case", value_name = "ID")]
    pub cases: Vec<String>,
    /// Only cases with one of these tags. Repeatable.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Only these models; one that the suite does not name (a file in evals/models, or provider:id) replaces the suite's.
    #[arg(short, long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// Only these personas. Repeatable.
    #[arg(long = "persona", value_name = "NAME")]
    pub personas: Vec<String>,
    /// Only these client profiles, each whole or in part (claude-code:menu+result, claude-code:-menu.deferral); one that
    /// the suite does not name is looked up in evals/clients. Repeatable.
    #[arg(long = "client", value_name = "NAME")]
    pub clients: Vec<String>,
    /// Trials of each use case.
    #[arg(short = 'k', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub trials: Option<u32>,
    /// Only part I of N of the plan; the parts are disjoint and together everything.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<(u32, u32)>,
    /// The seed of the order.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// How a run is carried out, and what is written about it.
#[derive(Clone, Debug, Args)]
pub(super) struct RunOptions {
    /// Trials in flight at most.
    #[arg(short = 'j', long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub concurrency: u16,
    /// Stop starting trials when this many US dollars are spent, before and after a resume; models without a price count
    /// as free.
    #[arg(long, value_name = "USD", value_parser = dollars)]
    pub max_cost: Option<f64>,
    /// Requests per second of auth checks at most. Default: 5, and no limit for a target on this machine.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_rps: Option<u32>,
    /// Let the run start programs that the suite names beside its target: agents, and commands of steps and checks.
    #[arg(long)]
    pub allow_exec: bool,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// What to print on stdout: `human` or a report format. `json`, `markdown`, `html` and `junit` are written in any case.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: String,
    /// Reports besides those.
    #[command(flatten)]
    pub files: ReportFiles,
    /// Recordings to make, or to play in place of the outside.
    #[command(flatten)]
    pub tapes: TapeArgs,
}

/// Arguments of `eval` and its kin.
#[derive(Clone, Debug, Args)]
pub(super) struct EvalArgs {
    /// What is run.
    #[command(flatten)]
    pub select: Select,
    /// How it is run.
    #[command(flatten)]
    pub options: RunOptions,
    /// The way past a baseline.
    #[command(flatten)]
    pub past: super::gate::Past,
    /// The server as it was.
    #[command(flatten)]
    pub after: super::control::AfterAlarm,
    /// Break one thing in the built-in demo server, to see it caught.
    #[arg(long, value_name = "NAME")]
    pub flaw: Option<String>,
    /// Continue the newest run of the suite, or the run named, instead of starting one; it keeps its own selection.
    #[arg(long, value_name = "RUN", num_args = 0..=1, default_missing_value = "latest",
        conflicts_with_all = ["cases", "tags", "models", "personas", "clients", "trials", "shard", "seed", "flaw"])]
    pub resume: Option<String>,
}

/// Arguments of `auth`.
#[derive(Clone, Debug, Args)]
pub(super) struct AuthArgs {
    /// What is run; a URL stands for a suite that is made for it.
    #[command(flatten)]
    pub eval: EvalArgs,
    /// A pack of checks, for a URL or a command. Repeatable. Default: `strict`, `isolation` and `leak` for a URL, `stdio`
    /// for a command.
    #[arg(long = "pack", value_name = "NAME")]
    pub packs: Vec<String>,
    /// An environment variable with a bearer token that the target accepts; for a URL or a command. Two of them are two
    /// persons.
    #[arg(long = "bearer-env", value_name = "VARIABLE")]
    pub bearer_env: Vec<String>,
    /// Prove that the target at a URL refuses tokens of the test issuer. Calls no tool.
    #[arg(long, conflicts_with_all = ["packs", "bearer_env"])]
    pub expect_untrusted: bool,
    /// The test issuer's key, where the key of test environments is in a file.
    #[arg(long, value_name = "FILE", requires = "expect_untrusted")]
    pub issuer_key: Option<String>,
    /// A server over standard streams: the command and its arguments, after `--`.
    #[arg(last = true, conflicts_with = "suites")]
    pub command: Vec<String>,
}

/// Arguments of `plan`.
#[derive(Clone, Debug, Args)]
pub(super) struct PlanArgs {
    /// What would be run.
    #[command(flatten)]
    pub select: Select,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
    /// Where runs are kept; the newest of the suite tells how many tokens to expect.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum PlanFormat {
    /// For a person.
    Human,
    /// One JSON document.
    Json,
}

/// Arguments of `clients`.
#[derive(Debug, Args)]
pub(super) struct ClientsArgs {
    /// One of them, in detail.
    pub name: Option<String>,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
}

/// Arguments of `models`.
#[derive(Debug, Args)]
pub(super) struct ModelsArgs {
    /// Only these: names, or `provider:id`.
    pub names: Vec<String>,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Suites: paths, or names under suites/. Default: every suite of the project.
    pub suites: Vec<String>,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// A run: its id or the start of it, `latest`, or a path.
    #[arg(default_value = "latest")]
    pub run: String,
    /// Go on even though the target's tools have changed since the run began.
    #[arg(long)]
    pub accept_drift: bool,
    /// How it goes on.
    #[command(flatten)]
    pub options: RunOptions,
}

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The runs: ids or the starts of them, or paths.
    #[arg(required = true, num_args = 2..)]
    pub runs: Vec<String>,
    /// Let the run start programs that the suite names beside its target: agents, and commands of steps and checks.
    #[arg(long)]
    pub allow_exec: bool,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
    /// What to print on stdout: `human` or a report format.
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    pub format: String,
    /// Reports besides the usual ones.
    #[command(flatten)]
    pub files: ReportFiles,
}

/// A stored run.
#[derive(Debug, Args)]
pub(super) struct RunArg {
    /// A run: its id or the start of it, `latest`, or a path.
    #[arg(default_value = "latest")]
    pub run: String,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A run: its id or the start of it, `latest`, or a path.
    pub run: String,
    /// A case id; without one, the summary.
    pub case: Option<String>,
    /// Only this trial.
    #[arg(long, value_name = "N")]
    pub trial: Option<u32>,
    /// Where runs are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}

/// What to do with stored runs.
#[derive(Debug, Subcommand)]
pub(super) enum RunsCommand {
    /// List them, newest first.
    List {
        /// Where runs are kept.
        #[arg(long, value_name = "DIR", default_value = "reports")]
        out: PathBuf,
    },
    /// What a run is about.
    Info(RunArg),
    /// Check the invariants of a run file.
    Check(RunArg),
    /// Write what was said with the target as a tape that `eval --server-tape` plays.
    Tape {
        /// The run.
        #[command(flatten)]
        run: RunArg,
        /// Where to write it. Default: stdout.
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Chart the nights of a suite: does its rate slide, and since when?
    Trend(super::trend::TrendArgs),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
