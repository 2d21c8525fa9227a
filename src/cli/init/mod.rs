//! `init`: from a server to a first suite that runs at once.

use std::collections::BTreeSet;
use std::path::Path;

use super::failure::{Failure, Outcome};
use super::{Context, eval};
use crate::display;
use crate::drive::fit;
use crate::gate::Exit;
use crate::generate::compose::{self, First};
use crate::generate::target::{self, Target};
use crate::generate::{self, Head, Made, Wish};
use crate::llm::lexical;
use crate::mcp::ClientProfile;
use crate::report::figures::count;
use crate::suite::read::{Project, Request};
use crate::surface::bill::{Bill, HOW};

mod args;
pub(super) mod choose;
mod ci;
pub(super) mod files;
mod find;
pub(super) mod known;
mod look;

pub(super) use args::InitArgs;
use look::Look;

/// Cases of a first suite: enough to see how one is written.
const CASES: usize = 6;
/// Tools whose bill is shown.
const SHOWN: usize = 30;

/// Finds the server, looks at it, writes the suite.
pub(super) async fn init(args: &InitArgs, context: &Context) -> Outcome {
    let named = choose::Named {
        target: args.target.as_deref(),
        command: &args.command,
        server: args.server.as_deref(),
    };
    let choice = choose::choose(&named, context)?;
    let target = known::target(&choice, args.bearer_env.as_deref(), context)?;
    let context = &known::surroundings(&target, context);
    let given = args.name.as_deref().map(checked).transpose()?;
    // What cannot be written should not be looked at first.
    if let (Some(name), false) = (&given, args.dry_run) {
        files::free(&context.root.join("suites").join(format!("{name}.yaml")), args.force)?;
    }
    let from = choice.file.as_deref().map(|file| format!(", from {file}")).unwrap_or_default();
    let printer = context.printer;
    printer.talk(&display::excerpt(&format!("looking at {}{from}", shown(&choice.server)), 160));
    let (look, made) = seen(&target, context).await?;
    let name = given.unwrap_or_else(|| {
        let server = if choice.server.name.is_empty() { &look.server.name } else { &choice.server.name };
        name_of(server, &choice.server.about())
    });
    let file = context.root.join("suites").join(format!("{name}.yaml"));
    let system = args.ci.map(|system| ci::job(system, &name, &target.env));
    if !args.dry_run {
        files::free(&file, args.force)?;
        if let Some((path, _)) = &system {
            files::free(&context.root.join(path), args.force)?;
        }
    }
    for line in report(&look, &made, &target) {
        printer.talk(&printer.commands(&line));
    }
    let first = First { name: &name, target: &target, made: &made, sights: &look.sights, asks: look.asks };
    let text = compose::suite(&first);
    sound(&text, &file, context)?;
    if args.dry_run {
        printer.data(text.as_bytes())?;
        return Ok(Exit::Pass);
    }
    files::write(&file, &text, args.force)?;
    let schema = context.root.join("suites/suite.schema.json");
    if !files::is_there(&schema) {
        files::write(&schema, &crate::suite::schema::text(), false)?;
    }
    printer.data_line(&format!("wrote suites/{name}.yaml"))?;
    if let Some((path, job)) = &system {
        files::write(&context.root.join(path), job, args.force)?;
        printer.data_line(&format!("wrote {path}"))?;
    }
    if files::ignore(&context.root, "/reports/runs/")? {
        printer.data_line("added /reports/runs/ to .gitignore")?;
    }
    for line in next(&name, &look, &target, &choice) {
        printer.tell(&printer.commands(&line));
    }
    Ok(Exit::Pass)
}

/// A look at the server, and the cases that it gives.
async fn seen(target: &Target, context: &Context) -> Outcome<(Look, Made)> {
    let project = Project::new(context.root.clone());
    let file = context.root.join("suites").join("first.yaml (made)");
    let head = target::head("first", "", target);
    let head = Head {
        project: &project,
        file: &file,
        parts: &head,
        taken: BTreeSet::new(),
        prompts: BTreeSet::new(),
    };
    let outside = eval::outside(context)?;
    let (suite, _) = head.empty(None).map_err(|trouble| super::generate::failure(trouble, context))?;
    let look = look::look(&suite, &outside).await.map_err(|fault| Failure::from_fault(&fault))?;
    if let Some(refused) = &look.refused {
        if target.credential.is_some() {
            return Err(Failure::from_fault(refused));
        }
        return Ok((look, Made::default()));
    }
    let wish = Wish {
        count: CASES.min(look.tools.len() + 1),
        seed: 1,
        writes: false,
        confusion: false,
        progress: &|line| context.printer.talk(line),
        persona: None,
        max_cost: None,
        author: None,
    };
    let made = generate::generate(&head, &wish, &outside).await;
    Ok((look, made.map_err(|trouble| super::generate::failure(trouble, context))?))
}

/// What was seen, line by line.
fn report(look: &Look, made: &Made, target: &Target) -> Vec<String> {
    let mut lines = vec![];
    let server = &look.server;
    if look.sights.iter().any(|sight| sight.tools.is_some()) {
        let name = if server.name.is_empty() { "a server without a name" } else { &server.name };
        let name = display::excerpt(&format!("{name} {}", server.version), 60);
        let revision = display::excerpt(&server.protocol, 20);
        let bill = bill(look);
        lines.push(format!(
            "{} speaks {revision}; {}, about {} tokens of every request ({HOW})",
            name.trim(),
            count(look.tools.len() as u64, "tool"),
            bill.total
        ));
        for line in bill.tools.iter().take(SHOWN) {
            lines.push(format!("  {:>6}  {}", line.tokens, display::excerpt(&line.tool, 70)));
        }
        if bill.tools.len() > SHOWN {
            lines.push(format!("  ... and {} more; `rehearsal tools` shows all", bill.tools.len() - SHOWN));
        }
    }
    lines.extend(compose::whose(target));
    for sight in look.sights.iter().filter(|_| look.sights.len() > 1 || look.asks) {
        let sees = match &sight.tools {
            Some(tools) => format!("sees {}", count(tools.len() as u64, "tool")),
            None => "is refused at the door (401)".to_owned(),
        };
        lines.push(format!("  {} {sees}", display::safe_line(&sight.persona)));
    }
    lines.extend(look.about.iter().map(|line| format!("  {}", display::excerpt(line, 160))));
    if !made.cases.is_empty() {
        let about = made.cases.iter().filter(|case| case.tool.is_some()).count();
        lines.push(format!(
            "{} ran and passed, {about} of them about tools",
            count(made.cases.len() as u64, "case")
        ));
    }
    lines
}

/// What the tools cost a client that shows them as they are.
fn bill(look: &Look) -> Bill {
    let shown = fit::shown(&look.tools, &look.server.name, &ClientProfile::reference());
    Bill::of(&shown, &look.tools)
}

/// What to do next, numbered.
fn next(name: &str, look: &Look, target: &Target, choice: &choose::Choice) -> Vec<String> {
    let mut steps: Vec<String> = vec![];
    for variable in target.values.keys().filter(|variable| target.env.contains(variable)) {
        let file = choice.file.as_deref().unwrap_or("the command line");
        steps.push(format!("export {variable}=…   its value stands in {file}; the suite does not hold it"));
    }
    if look.asks && target.credential.is_none() {
        steps.push(format!("`rehearsal login {}`   then `rehearsal init` again with `--force`: cases need somebody who is let in", shown(&choice.server)));
    }
    steps.push(format!("`rehearsal eval {name}`   runs it: no key, no cost"));
    steps.push(format!("edit suites/{name}.yaml   review the prompts and the access rows"));
    if look.sights.iter().any(|sight| sight.tools.is_some()) {
        steps.push(format!("`rehearsal generate {name} --append {name}`   more cases"));
    }
    steps.push(format!(
        "`rehearsal eval {name} -m gpt-5-mini`   with a real model, its key in the environment"
    ));
    let mut lines = vec!["next".to_owned()];
    lines.extend(steps.iter().enumerate().map(|(at, step)| format!("  {}  {step}", at + 1)));
    lines
}

/// The server in words that hold no secret.
fn shown(server: &generate::configs::Server) -> String {
    match url::Url::parse(&server.url) {
        Ok(url) => crate::net::shown(&url),
        Err(_) => server
            .command
            .iter()
            .take_while(|word| !word.starts_with('-'))
            .cloned()
            .collect::<Vec<_>>()
            .join(" "),
    }
}

/// A suite that cannot be read must not be written: that would be our mistake.
fn sound(text: &str, file: &Path, context: &Context) -> Outcome<()> {
    let made =
        crate::suite::made::MadeSuite { file: file.to_string_lossy().as_ref().into(), text: text.into() };
    let mut loaded = Project::new(context.root.clone()).with(Some(made)).load(file, &Request::default());
    match loaded.suite.take() {
        Some(_) => Ok(()),
        None => Err(super::generate::failure(generate::Trouble::Suite(Box::new(loaded)), context)),
    }
}

/// A name of a suite as the user gives it.
fn checked(name: &str) -> Outcome<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 80 || name.starts_with('.') || !name.chars().all(plain) {
        let message = format!("`{}` cannot be the name of a suite", display::excerpt(name, 60));
        return Err(Failure::usage("usage.flags", message).hint("letters, digits, `-`, `_` and `.` make one"));
    }
    Ok(name.to_owned())
}

/// A name for the suite of a server: its own, or one of its address or command.
pub(super) fn name_of(name: &str, about: &str) -> String {
    let is_url = name.is_empty() && about.contains("://");
    let about = if name.is_empty() { about } else { name };
    let about = about.split_once("://").map_or(about, |(_, rest)| rest);
    let about = about.split(['?', '#']).next().unwrap_or_default();
    let about = about.rsplit('@').next().unwrap_or_default();
    let words = about.split(' ').filter(|word| *word != "-y");
    // Flags may hold anything, and folders say little.
    let words =
        words.take_while(|word| !word.starts_with('-')).map(|word| word.rsplit('/').next().unwrap_or(word));
    let about = if is_url { about.to_owned() } else { words.collect::<Vec<_>>().join(" ") };
    let parts: Vec<String> = lexical::words_of(&about).into_iter().filter(|word| word.is_ascii()).collect();
    let short: String =
        parts.join("-").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(50).collect();
    let short = short.trim_matches('-');
    if short.is_empty() { "server".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_hold_no_secret_and_are_file_names() {
        for (name, about, expected) in [
            ("My Shop", "x", "my-shop"),
            ("", "http://127.0.0.1:8931/mcp", "127-0-0-1-8931-mcp"),
            ("", "https://u:p@x.example/mcp?key=secret", "x-example-mcp"),
            ("", "npx -y @scope/server-everything --token abc", "server-everything"),
            ("", "/opt/bin/shop", "shop"),
            ("../../etc", "x", "etc"),
            ("日本", "x", "server"),
        ] {
            assert_eq!(name_of(name, about), expected, "{name} {about}");
        }
        assert!(checked("a/b").is_err() && checked(".x").is_err() && checked("my-shop_2").is_ok());
    }
}
