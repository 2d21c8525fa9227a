//! `import`: the suite of another tool becomes one of ours, and every part of it is accounted for.

#![expect(clippy::disallowed_methods, reason = "files of others are read and the suite is written here")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Context;
use super::failure::{Failure, Outcome, tell_diagnostics};
use crate::diag::Diagnostic;
use crate::gate::Exit;
use crate::import::{self, Format, MAX_BYTES, Source, Wanted};
use crate::report::imported::Imported;
use crate::suite::made::MadeSuite;
use crate::suite::read::{Project, Request};
use crate::suite::{Template, vars};

mod args;

pub(super) use args::ImportArgs;

/// Reads files of another tool, writes the suite, tells what became of each part.
pub(super) fn import(args: &ImportArgs, context: &Context) -> Outcome {
    let sources = args.files.iter().map(|file| open(file, context)).collect::<Outcome<Vec<_>>>()?;
    let told = |found: Diagnostic| refused(found, &sources, context);
    let (format, why) = match &args.from {
        Some(name) => (known(name)?, "because `--from` says so".to_owned()),
        None => import::detect(&sources).map_err(told)?,
    };
    let near = |from: &Source, name: &str| beside(from, name, &context.root);
    let draft = import::read(format, &sources, &near).map_err(told)?;
    let out = place(args, &sources);
    let wanted = wanted(args, &out)?;
    let text = import::suite(format.name, &sources, &draft, &wanted);
    let files: Vec<String> = sources.iter().map(|source| source.file.to_string()).collect();
    let imported = Imported { format: format.name, why: &why, files: &files, draft: &draft };
    let Some(text) = text else {
        show(args, &imported, (None, None), context)?;
        return Err(Failure::usage(
            "import.nothing",
            format!("no case is left that expects something: {}", imported.sum()),
        )
        .hint("the report says what is missing; nothing was written"));
    };
    valid(&out, &text, context)?;
    let written = if out == STDOUT { None } else { Some(write(args, &out, &text, context)?) };
    show(args, &imported, (Some(&text), written.as_deref()), context)?;
    if let Some(file) = written {
        let name =
            Path::new(&out).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let next = context.printer.commands(&format!("`rehearsal check {name}`"));
        context.printer.talk(&format!("wrote {file}; look it over, then {next}"));
    }
    Ok(Exit::Pass)
}

/// What stands for standard output in `--out`.
const STDOUT: &str = "-";

fn known(name: &str) -> Outcome<&'static Format> {
    import::format(name)
        .ok_or_else(|| Failure::usage("import.unknown-format", format!("there is no format `{name}`")))
}

/// A file that the user named.
fn open(file: &Path, context: &Context) -> Outcome<Source> {
    let shown = file.to_string_lossy();
    let path = context.root.join(file);
    let wrong = |why: String| {
        Failure::usage("import.not-found", format!("`{shown}` cannot be read: {why}"))
            .hint("give the file of a suite of another tool; `rehearsal import --help` lists the formats")
    };
    if path.is_dir() {
        return Err(wrong("it is a folder; name the files in it".to_owned()));
    }
    let bytes = bytes(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => wrong("there is no such file".to_owned()),
        _ => wrong(error.to_string()),
    })?;
    Source::new(&shown, &bytes).map_err(|found| {
        let message = found
            .at
            .as_ref()
            .map_or(found.message.clone(), |at| format!("{}:{}: {}", at.file, at.line, found.message));
        Failure::usage(found.code, message).hint(found.hints.join("; "))
    })
}

/// At most as many bytes as a source may have, and one more. Only regular files: a pipe would wait for ever.
fn bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("this is not a regular file"));
    }
    let mut bytes = vec![];
    std::fs::File::open(path)?.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A file that another one names: below the folder of the project or of that file, symbolic links followed.
fn beside(from: &Source, name: &str, root: &Path) -> Option<Source> {
    let folder = root.join(Path::new(&*from.file).parent().unwrap_or(Path::new("")));
    let path = folder.join(name);
    let real = path.canonicalize().ok()?;
    let inside = |folder: &Path| folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
    if !inside(&folder) && !inside(root) {
        return None;
    }
    let shown = Path::new(&*from.file).with_file_name(name);
    Source::new(&shown.to_string_lossy(), &bytes(&real).ok()?).ok()
}

/// Prints why a source cannot be imported, with its line.
fn refused(found: Diagnostic, sources: &[Source], context: &Context) -> Failure {
    let text = |file: &str| {
        sources.iter().find(|source| *source.file == *file).map(|source| source.text.to_string())
    };
    let (code, message) = (found.code, found.message.clone());
    match tell_diagnostics(context.printer, &[found], &text) {
        Err(failure) => failure,
        Ok(()) => Failure::usage(code, message),
    }
}

/// Where the suite goes.
fn place(args: &ImportArgs, sources: &[Source]) -> String {
    let stem = || {
        let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let stem: String =
            sources.first().map_or("", |source| source.stem()).chars().take(80).map(good).collect();
        let stem = stem.trim_matches('-').to_owned();
        if stem.is_empty() { "imported".to_owned() } else { stem }
    };
    args.out.clone().unwrap_or_else(|| format!("suites/{}.yaml", stem()))
}

fn wanted(args: &ImportArgs, out: &str) -> Outcome<Wanted> {
    let name = if out == STDOUT {
        "imported".into()
    } else {
        Path::new(out).file_stem().unwrap_or_default().to_string_lossy()
    };
    let (target, env) = match &args.target {
        None => (None, vec![]),
        Some(text) => {
            let template = Template(text.clone());
            let names = vars::names(&template);
            let names =
                names.map_err(|error| Failure::usage("usage.flags", format!("`--target`: {error}")))?;
            let own = |name: &&&str| !vars::BUILT_IN.contains(*name);
            (Some(target(text)?), names.iter().filter(own).map(|name| (*name).to_owned()).collect())
        }
    };
    Ok(Wanted {
        name: name.into_owned(),
        target,
        env,
        models: args.models.clone(),
        judge: args.judge.clone(),
    })
}

/// The `target` block that the command line means.
fn target(text: &str) -> Outcome<Value> {
    if text.starts_with("http://") || text.starts_with("https://") {
        return Ok(json!({"url": text}));
    }
    if let Some((file, name)) = text.split_once('#').filter(|(file, _)| file.ends_with(".json")) {
        return Ok(json!({"server": {"file": file, "name": name}}));
    }
    match shlex::split(text).filter(|words| !words.is_empty()) {
        Some(words) => Ok(json!({"command": words})),
        None => Err(Failure::usage("usage.flags", "`--target` is a URL, a command, or FILE.json#NAME")
            .hint("a quote may be missing in the command")),
    }
}

/// Reads the suite as `check` would, before it is written: what is wrong then is wrong with what the user gave besides.
fn valid(out: &str, text: &str, context: &Context) -> Outcome<()> {
    let file = if out == STDOUT { "suites/imported.yaml" } else { out };
    let path = context.root.join(file);
    let made = MadeSuite { file: path.to_string_lossy().into(), text: text.into() };
    let project = Project::new(context.root.clone()).with(Some(made));
    let loaded = project.load(&path, &Request::default());
    tell_diagnostics(context.printer, &loaded.diagnostics, &|file| {
        loaded.sources.get(file).map(ToString::to_string)
    })
}

/// Writes the suite beside its place and moves it there; the path as the user would write it.
fn write(args: &ImportArgs, out: &str, text: &str, context: &Context) -> Outcome<String> {
    let path = context.root.join(out);
    if path.exists() && !args.force {
        return Err(Failure::usage("import.exists", format!("`{out}` is there already"))
            .hint("give another `--out`, or `--force` to overwrite it"));
    }
    let part = PathBuf::from(format!("{}.part", path.display()));
    let written = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written =
        written.and_then(|()| std::fs::write(&part, text)).and_then(|()| std::fs::rename(&part, &path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&part);
        Failure::new(Exit::LocalIo, "output.write", format!("cannot write `{out}`: {error}"))
            .hint("choose another `--out`")
    })?;
    Ok(out.to_owned())
}

/// Prints the report, and the suite where it goes to stdout.
fn show(
    args: &ImportArgs,
    imported: &Imported<'_>,
    (text, written): (Option<&str>, Option<&str>),
    context: &Context,
) -> Outcome<()> {
    let printer = context.printer;
    if args.is_machine() {
        let told = imported.json(text, written);
        return printer.data_line(&serde_json::to_string_pretty(&told).unwrap_or_default());
    }
    let report = if printer.is_quiet() {
        format!("{}\n", imported.sum())
    } else {
        imported.text(usize::from(printer.width()), printer.style(), context.verbose)
    };
    match text.filter(|_| written.is_none()) {
        // The suite is the data then, and the report is talk.
        Some(text) => {
            printer.data(text.as_bytes())?;
            printer.tell(report.trim_end());
            Ok(())
        }
        None => printer.data(report.as_bytes()),
    }
}
