//! Programs that suites start: targets over standard streams, agents, and what those need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};

use super::ANSWER;
use super::line::Line;
use super::setting::Setting;
use crate::display;
use crate::gate::Exit;
use crate::mcp::Program;
use crate::mcp::process::errand::{Errand, Fate};
use crate::suite::TargetSource;

/// Programs that are known to say their version and end. Others are only looked for.
const KNOWN: &[&str] = &[
    "node", "npx", "npm", "python", "python3", "uv", "uvx", "deno", "bun", "bunx", "docker", "java",
    "dotnet", "go", "cargo", "ruby", "php", "claude", "codex", "gemini",
];

/// Programs that others need.
const NEEDS: &[(&str, &str)] = &[("npx", "node"), ("npm", "node"), ("uvx", "uv")];

/// Looks for every program.
pub(super) fn look<'a>(setting: &'a Setting<'a>) -> BoxFuture<'a, Vec<Line>> {
    async move { join_all(wanted(setting).into_iter().map(|(name, exit)| one(name, exit, setting))).await }
        .boxed()
}

/// The programs, each once, and what a run would end with without it.
fn wanted(setting: &Setting<'_>) -> BTreeMap<String, Exit> {
    let mut all: BTreeMap<String, Exit> = BTreeMap::new();
    let mut add = |name: &str, exit: Exit| {
        // This program is there, and a variable is known to a run only.
        if name != "rehearsal" && !name.is_empty() && !name.contains("${") {
            all.entry(name.to_owned()).or_insert(exit);
            for (_, needed) in NEEDS.iter().filter(|(known, _)| *known == name) {
                all.entry((*needed).to_owned()).or_insert(exit);
            }
        }
    };
    for suite in setting.good() {
        if let TargetSource::Command(words) = &suite.target.source {
            add(words.first().map_or("", |word| &word.0), Exit::Target);
        }
    }
    add(setting.args.command.first().map_or("", String::as_str), Exit::Target);
    for model in setting.models().into_iter().filter(|model| model.dialect == "command") {
        add(model.command.first().map_or("", String::as_str), Exit::Usage);
    }
    all
}

/// A program as it was found.
pub(super) enum Found {
    /// It is not there.
    Nowhere,
    /// Its path; it is not asked for its version.
    At(String),
    /// Its version and its path.
    Version(String, String),
    /// Its path, and how it ended without a word.
    Mute(String, Fate),
    /// Why it cannot be started.
    Broken(String),
}

async fn one(name: String, exit: Exit, setting: &Setting<'_>) -> Line {
    told(&name, exit, found(&name, setting).await)
}

async fn found(name: &str, setting: &Setting<'_>) -> Found {
    let Some(path) = find(name, setting) else { return Found::Nowhere };
    let known = path.file_name().is_some_and(|name| KNOWN.contains(&&*name.to_string_lossy()));
    let place = path.display().to_string();
    if !known {
        return Found::At(place);
    }
    let program =
        Program { command: vec![place.clone(), "--version".to_owned()], env: BTreeMap::new(), cwd: None };
    let errand =
        Errand { program: &program, secrets: &[], stdin: "", cap: 4096, within: ANSWER / 2, guard: None };
    match errand.run().await {
        Ok(ran) => {
            let said = String::from_utf8_lossy(&ran.stdout).into_owned();
            let version = said.lines().find(|line| !line.trim().is_empty());
            match version {
                Some(version) => Found::Version(display::excerpt(version, 60), place),
                None => Found::Mute(place, ran.fate),
            }
        }
        Err(why) => Found::Broken(why),
    }
}

/// `exit` is what a run would end with without it.
pub(super) fn told(name: &str, exit: Exit, found: Found) -> Line {
    let line = |says: String| Line::new("programs", name, says);
    match found {
        Found::Nowhere => line("is not there".to_owned())
            .wrong(exit, "install it, or write its whole path; PATH is where it is looked for"),
        Found::At(place) => line(place),
        Found::Version(version, place) => line(format!("{version}, {place}")),
        Found::Mute(place, fate) => {
            line(format!("{place} says no version: it {}", fate.words())).warning("start it by hand once")
        }
        Found::Broken(why) => line(why).wrong(exit, "start it by hand, and see why it does not work"),
    }
}

/// The file of a program: by its path, relative to the project, or in a folder of PATH.
fn find(name: &str, setting: &Setting<'_>) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(setting.context.root.join(name)).filter(|path| is_program(path));
    }
    let path = (setting.context.env)("PATH")?;
    path.split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(folder).join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
