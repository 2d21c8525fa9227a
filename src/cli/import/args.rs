//! Arguments of `import`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::PlanFormat;
use crate::import::FORMATS;

/// Arguments of `import`.
#[derive(Clone, Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// The files of one suite of another tool, such as a configuration and what it names.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    #[arg(long, value_name = "FORMAT", help = about(), value_parser = clap::builder::PossibleValuesParser::new(FORMATS.iter().map(|format| format.name)))]
    pub from: Option<String>,
    /// The server under test, in place of the source's: a URL, a command, or FILE.json#NAME for one of its mcpServers.
    #[arg(long, value_name = "TARGET")]
    pub target: Option<String>,
    /// A model, in place of the source's. Repeatable.
    #[arg(short, long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// The judge of criteria, in place of the source's.
    #[arg(long, value_name = "NAME")]
    pub judge: Option<String>,
    /// Where the suite is written; `-` for stdout. Default: suites/NAME.yaml, after the first file.
    #[arg(long, value_name = "FILE")]
    pub out: Option<String>,
    /// Overwrite the file if it is there.
    #[arg(long)]
    pub force: bool,
    /// What to print on stdout.
    #[arg(long, value_enum, default_value_t = PlanFormat::Human, value_name = "FORMAT")]
    pub format: PlanFormat,
}

impl ImportArgs {
    /// Whether a program reads stdout.
    pub(in crate::cli) fn is_machine(&self) -> bool {
        self.format == PlanFormat::Json
    }
}

fn about() -> String {
    let formats: Vec<String> = FORMATS.iter().map(|format| format.about.to_owned()).collect();
    format!("The format, where the files do not show it. {}", formats.join(". "))
}
