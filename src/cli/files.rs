//! Report files: those that every run leaves, and those that the command line asks for.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use super::args::RunArg;
use super::conclude::{self, Concluded, HUMAN, bug, conclude};
use super::failure::{Failure, Outcome};
use super::shelf::Shelf;
use crate::display;
use crate::gate::Exit;
use crate::report::{self, Format, ReportError, Summary};
use crate::store::layout;

/// Formats of which several documents may follow each other.
const IN_A_ROW: &[&str] = &[HUMAN, "json", "markdown", "github", "jsonl", "otlp"];

/// Reports besides those that every run leaves.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct ReportFiles {
    #[arg(long = "report", value_name = "FORMAT[=FILE]", value_parser = wish, help = about())]
    wishes: Vec<Wish>,
}

fn about() -> String {
    let names: Vec<&str> = report::FORMATS.iter().map(|format| format.name).collect();
    format!(
        "Write this report as well: a format ({}), or FORMAT=FILE. Without a file it lies beside the run. Repeatable",
        names.join(", ")
    )
}

/// One report that is asked for.
#[derive(Clone, Debug)]
struct Wish {
    /// A name of [`report::FORMATS`].
    format: String,
    /// Where; `None`: beside the run.
    file: Option<PathBuf>,
}

fn wish(text: &str) -> Result<Wish, String> {
    let (format, file) = match text.split_once('=') {
        Some((_, "")) => return Err("write FORMAT=FILE, or the format alone".to_owned()),
        Some((format, file)) => (format, Some(PathBuf::from(file))),
        None => (text, None),
    };
    if report::format(format).is_none() {
        let names: Vec<&str> = report::FORMATS.iter().map(|format| format.name).collect();
        let hint = crate::diag::suggest::hint(format, names);
        return Err(format!("there is no format `{format}`; {hint}"));
    }
    Ok(Wish { format: format.to_owned(), file })
}

impl ReportFiles {
    /// Whether so many runs can write them: each would overwrite a file that is named.
    pub(super) fn fits(&self, suites: usize) -> Outcome<()> {
        let Some(wish) = self.wishes.iter().find(|wish| wish.file.is_some()).filter(|_| suites > 1) else {
            return Ok(());
        };
        let message =
            format!("`--report {}=FILE` is one suite at a time, and there are {suites}", wish.format);
        Err(Failure::usage("usage.format", message)
            .hint("leave the file out: each run then writes the report beside its own file"))
    }
}

/// Refuses formats of which one document holds one run.
pub(super) fn in_a_row(format: &str) -> Outcome<()> {
    if IN_A_ROW.contains(&format) {
        return Ok(());
    }
    let message = format!("`{format}` on stdout is one suite at a time");
    Err(Failure::usage("usage.format", message)
        .hint("name one suite, or take the file from the folder of each run: `--report FORMAT`"))
}

impl Concluded {
    /// Writes the reports that every run leaves beside its file.
    pub(super) fn write_reports(&self, context: &Context) -> Outcome<()> {
        let summary = Summary::of(&self.view(context));
        let folder = layout::report_dir(&self.file);
        let shelf = self.shelf();
        let usual = report::FORMATS.iter().filter(|format| format.always);
        usual.into_iter().try_for_each(|format| write(format, &folder.join(format.file), (&summary, &shelf)))
    }

    /// Writes the reports that are asked for.
    pub(super) fn write_asked(&self, files: &ReportFiles, context: &Context) -> Outcome<()> {
        if files.wishes.is_empty() {
            return Ok(());
        }
        let summary = Summary::of(&self.view(context));
        let shelf = self.shelf();
        for Wish { format, file } in &files.wishes {
            let format = conclude::known(format)?;
            let path = match file {
                Some(file) => context.root.join(file),
                None => layout::report_dir(&self.file).join(format.file),
            };
            write(format, &path, (&summary, &shelf))?;
            context.printer.talk(&format!("{} report: {}", format.name, display::path(&path)));
        }
        Ok(())
    }
}

/// A reader never sees half a report: write beside, then rename.
fn write(format: &Format, path: &Path, (summary, shelf): (&Summary, &Shelf<'_>)) -> Outcome<()> {
    let wrong = |error: std::io::Error| {
        let message = format!("cannot write the report `{}`: {error}", display::path(path));
        Failure::new(Exit::LocalIo, "store.write", message)
            .hint("the run itself is kept; free some space, then `rehearsal report RUN --format F --to FILE`")
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let part = path.with_file_name(format!(".{name}.part"));
    let written = || {
        if let Some(folder) = path.parent() {
            #[expect(clippy::disallowed_methods, reason = "reports are written here")]
            std::fs::create_dir_all(folder)?;
        }
        #[expect(clippy::disallowed_methods, reason = "reports are written here")]
        let mut out = BufWriter::new(std::fs::File::create(&part)?);
        format.write(summary, shelf, &mut out)?;
        out.flush()?;
        #[expect(clippy::disallowed_methods, reason = "reports are written here")]
        Ok(std::fs::rename(&part, path)?)
    };
    written().map_err(|error| match error {
        ReportError::Write(error) => wrong(error),
        broken @ ReportError::Render { .. } => bug(&broken),
    })
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The run.
    #[command(flatten)]
    run: RunArg,
    /// What to print on stdout: `human` or a report format (docs/ci.md lists them). Repeatable.
    #[arg(long = "format", value_name = "FORMAT", default_value = "human")]
    formats: Vec<String>,
    /// Write the one format to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

/// `report RUN`: renders again.
pub(super) fn report(args: &ReportArgs, context: &Context) -> Outcome {
    let concluded = conclude(&super::runs::resolve(&args.run.run, &args.run.out, context)?)?;
    let Some(file) = &args.to else {
        args.formats.iter().try_for_each(|format| concluded.print(format, context))?;
        return Ok(Exit::Pass);
    };
    let [format] = args.formats.as_slice() else {
        return Err(Failure::usage("usage.format", "`--to` takes one format")
            .hint("name one `--format`, and run the command again for the next"));
    };
    let format = conclude::known(format)?;
    let summary = Summary::of(&concluded.view(context));
    write(format, &context.root.join(file), (&summary, &concluded.shelf()))?;
    Ok(Exit::Pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_a_format_with_or_without_a_file() {
        let file = |text| wish(text).map(|wish| wish.file);
        assert_eq!(file("sarif"), Ok(None));
        assert_eq!(file("sarif=out/a=b.sarif"), Ok(Some(PathBuf::from("out/a=b.sarif"))));
        assert!(file("sarif=").is_err());
        assert!(file("srif").unwrap_err().contains("sarif"));
        assert!(file("human").is_err());
    }

    #[test]
    fn a_file_is_for_one_run() {
        let files = ReportFiles { wishes: vec![wish("sarif=a").unwrap()] };
        assert!(files.fits(1).is_ok());
        assert!(files.fits(2).is_err());
        assert!(ReportFiles { wishes: vec![wish("sarif").unwrap()] }.fits(2).is_ok());
    }

    #[test]
    fn formats_in_a_row_are_known() {
        for name in IN_A_ROW.iter().filter(|name| **name != HUMAN) {
            assert!(report::format(name).is_some(), "{name}");
        }
        assert!(in_a_row("json").is_ok());
        assert!(in_a_row("sarif").is_err());
    }
}
