//! The files in which servers are usually listed, those of the project before those of the home folder.

#![expect(
    clippy::disallowed_methods,
    reason = "reads the files of clients and editors, which no suite names"
)]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::cli::Context;
use crate::generate::configs::{self, Server};

/// Most bytes of one file; the history of a client may share it.
const MOST: u64 = 32 << 20;

/// Files of a project, most common first.
const PROJECT: [&str; 7] = [
    ".mcp.json",
    "mcp.json",
    ".vscode/mcp.json",
    ".cursor/mcp.json",
    ".gemini/settings.json",
    ".vscode/settings.json",
    "server.json",
];

/// Files below the home folder.
const HOME: [&str; 7] = [
    ".claude.json",
    ".config/Claude/claude_desktop_config.json",
    "Library/Application Support/Claude/claude_desktop_config.json",
    "AppData/Roaming/Claude/claude_desktop_config.json",
    ".cursor/mcp.json",
    ".gemini/settings.json",
    ".codeium/windsurf/mcp_config.json",
];

/// A server and where it is listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// It.
    pub(super) server: Server,
    /// The file as people see it.
    pub(super) file: String,
    /// The file as a suite names it, if it may.
    pub(super) inside: Option<String>,
}

/// What was found, and what was looked at.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) listed: Vec<Listed>,
    /// Files that are there and list nothing, or cannot be read, with the reason.
    pub(super) notes: Vec<String>,
    /// What the project itself says it is.
    pub(super) hints: Vec<String>,
}

/// Looks at the usual places.
pub(super) fn usual(context: &Context) -> Found {
    let mut found = Found::default();
    for name in PROJECT {
        found.add(&context.root.join(name), name, Some(name), context);
    }
    if let (true, Some(home)) =
        (found.listed.is_empty(), (context.env)("HOME").or_else(|| (context.env)("USERPROFILE")))
    {
        for name in HOME {
            found.add(&Path::new(&home).join(name), &format!("~/{name}"), None, context);
        }
        if Path::new(&home).join(".codex/config.toml").is_file() {
            found.notes.push("~/.codex/config.toml is TOML and is not read".to_owned());
        }
    }
    if context.root.join(".codex/config.toml").is_file() {
        found.notes.push(".codex/config.toml is TOML and is not read".to_owned());
    }
    found.hints = hints(&context.root);
    found
}

/// Every place that is looked at, for people.
pub(super) fn places() -> String {
    let home = HOME.iter().filter(|name| !name.starts_with("Library") && !name.starts_with("AppData"));
    let home: Vec<String> = home.map(|name| format!("~/{name}")).collect();
    format!("{}; in the home folder {}", PROJECT.join(", "), home.join(", "))
}

/// The servers of one file that the command line names.
pub(super) fn of(path: &str, context: &Context) -> Found {
    let mut found = Found::default();
    let full = context.root.join(path);
    let real = |path: &Path| path.canonicalize().ok();
    let inside = real(&context.root)
        .zip(real(&full))
        .and_then(|(root, full)| Some(full.strip_prefix(root).ok()?.to_string_lossy().into_owned()));
    found.add(&full, path, inside.as_deref(), context);
    found
}

impl Found {
    fn add(&mut self, path: &Path, shown: &str, inside: Option<&str>, context: &Context) {
        let text = match read(path) {
            Ok(Some(text)) => text,
            Ok(None) => return,
            Err(why) => return self.notes.push(format!("{shown}: {why}")),
        };
        let root = context.root.canonicalize().unwrap_or_else(|_| PathBuf::from("."));
        match configs::servers(&text, &root.to_string_lossy()) {
            // Settings of editors are about much else.
            Ok(servers) if servers.is_empty() && shown.contains("settings") => {}
            Ok(servers) if servers.is_empty() => self.notes.push(format!("{shown} lists no server")),
            Ok(servers) => {
                let inside = inside.map(str::to_owned);
                let listed = servers.into_iter().map(|server| Listed {
                    server,
                    file: shown.to_owned(),
                    inside: inside.clone(),
                });
                self.listed.extend(listed);
            }
            Err(why) => self.notes.push(format!("{shown}: {why}")),
        }
    }
}

/// The text of a file; `None` when there is none.
fn read(path: &Path) -> Result<Option<String>, String> {
    // A pipe would wait for ever.
    if !path.is_file() {
        return Ok(None);
    }
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| format!("it cannot be read: {error}"))?;
    let size = file.take(MOST + 1).read_to_string(&mut text).map_err(|_| "it is not UTF-8".to_owned())?;
    if size as u64 > MOST {
        return Err("it is larger than 32 MiB".to_owned());
    }
    Ok(Some(text))
}

/// What the project's own manifest says.
fn hints(root: &Path) -> Vec<String> {
    let text = |name: &str| read(&root.join(name)).ok().flatten().unwrap_or_default();
    let mut hints = vec![];
    let package = text("package.json");
    if package.contains("\"@modelcontextprotocol/") || package.contains("\"fastmcp\"") {
        let main = serde_json::from_str::<serde_json::Value>(&package).ok().and_then(|package| {
            let bin = package
                .get("bin")
                .map(|bin| bin.as_object().and_then(|all| all.values().next()).unwrap_or(bin));
            bin.or(package.get("main"))?.as_str().map(str::to_owned)
        });
        let main = crate::display::excerpt(main.as_deref().unwrap_or("build/index.js"), 60);
        hints.push(format!("package.json uses an MCP library: `rehearsal init -- node {main}`"));
    }
    let python = text("pyproject.toml");
    if ["\"mcp", "\"fastmcp", "'mcp", "'fastmcp"].iter().any(|name| python.contains(name)) {
        hints.push(
            "pyproject.toml uses an MCP library: `rehearsal init -- uv run python server.py`".to_owned(),
        );
    }
    let rust = text("Cargo.toml");
    if rust.contains("\nrmcp") {
        hints.push("Cargo.toml uses an MCP library: `rehearsal init -- cargo run --quiet`".to_owned());
    }
    hints
}
