//! Arguments of `compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Arguments of `compare`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct CompareArgs {
    /// What came before: a run (id, start of one, `latest`, a path), `baseline:SUITE`, `pinned:SUITE` or the path of a
    /// baseline. `@MODEL`, or `@model=M,persona=P,client=C`, picks a part of it.
    pub before: String,
    /// What is compared with it. Left out: the same run, with two models, personas or client profiles.
    pub now: Option<String>,
    /// The model of the earlier side.
    #[arg(long, value_name = "NAME")]
    pub model_a: Option<String>,
    /// The model of the later side.
    #[arg(long, value_name = "NAME")]
    pub model_b: Option<String>,
    /// `these`: did these cases change? `like-these`: which is better on cases like these? Default: `these`, and
    /// `like-these` for two models, personas or client profiles.
    #[arg(long, value_enum, value_name = "WHAT")]
    pub question: Option<Asked>,
    /// Cases with the same tag of this prefix (`seed:orders` for `seed`) count together when cases are a sample.
    #[arg(long, value_name = "PREFIX")]
    pub cluster_by: Option<String>,
    /// End with exit code 1 when anything is clearly worse (1 % by chance, over everything compared).
    #[arg(long)]
    pub fail_on_loss: bool,
    /// Let a judge say which last answers are better, both orders asked: a file in evals/models, or provider:id. It
    /// advises only.
    #[arg(long, value_name = "MODEL")]
    pub judge: Option<String>,
    /// How that judge is asked: a file in evals/rubrics.
    #[arg(long, value_name = "NAME", default_value = "answers-question", requires = "judge")]
    pub rubric: String,
    /// Pairs of answers that are judged at most; the first trial of each case first.
    #[arg(long, value_name = "N", default_value_t = 200, requires = "judge")]
    pub judge_pairs: usize,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = CompareFormat::Human, value_name = "FORMAT")]
    pub format: CompareFormat,
    /// Where runs and baselines are kept.
    #[arg(long, value_name = "DIR", default_value = "reports")]
    pub out: PathBuf,
}

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Asked {
    /// Did these cases change?
    These,
    /// Which is better on cases like these?
    LikeThese,
}

/// How a comparison is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum CompareFormat {
    /// For a person.
    Human,
    /// One JSON document.
    Json,
    /// For a pull request.
    Markdown,
}
