//! The room in which an agent works: a home of its own, so that neither its user's servers and memories leak into a trial
//! nor anything of the trial out of it; an empty working folder; and the configuration that leads to the relay.

#![expect(clippy::disallowed_methods, reason = "owns the folders of agents")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use secrecy::SecretString;
use serde_json::{Value, json};

use crate::llm::command::fill::{Place, Values, fill};
use crate::llm::command::{Agent, FileText};
use crate::mcp::Program;
use crate::mcp::relay::{Way, shim};
use crate::transcript::{Fault, Side};

/// Folders that programs look for below their home.
const FOLDERS: &[(&str, &str)] = &[
    ("XDG_CONFIG_HOME", ".config"),
    ("XDG_DATA_HOME", ".local/share"),
    ("XDG_STATE_HOME", ".local/state"),
    ("XDG_CACHE_HOME", ".cache"),
    ("TMPDIR", "tmp"),
];

/// See the module. Dropping it removes the folder.
pub(super) struct Room {
    folder: tempfile::TempDir,
    values: Values,
}

impl Room {
    /// A room for one trial: folders that only we may read, and the files that the agent's definition names.
    pub(super) fn furnish(
        agent: &Agent,
        way: &Way,
        program: &Path,
        (server, turns): (&str, u32),
    ) -> Result<Self, Fault> {
        let failed = |error: io::Error| {
            let message = format!("cannot furnish a folder for agent `{}`: {error}", agent.spec.name);
            Fault::new(Side::Harness, "agent.no-room", message)
        };
        let folder = tempfile::Builder::new().prefix("rehearsal-agent-").tempdir().map_err(failed)?;
        // Symbolic links on the way would make a folder differ from what the agent finds it to be.
        let base = fs::canonicalize(folder.path()).map_err(failed)?;
        let (home, work, config) = (base.join("home"), base.join("work"), base.join("mcp.json"));
        let text = |path: &Path| json!(path.to_string_lossy());
        let mut values: Values = BTreeMap::from([
            ("home", text(&home)),
            ("work", text(&work)),
            ("mcp_config", text(&config)),
            ("model", json!(agent.spec.api_id())),
            ("server", json!(server)),
            ("max_turns", json!(turns)),
        ]);
        let entry = entry(way, program, &mut values);
        let room = Self { folder, values };
        let furnishing = || {
            fs::create_dir_all(&work)?;
            for (_, folder) in FOLDERS {
                fs::create_dir_all(home.join(folder))?;
            }
            let servers = json!({"mcpServers": {server: entry}});
            fs::write(&config, servers.to_string())?;
            for (path, text) in &agent.how.files {
                let path = home.join(path);
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder)?;
                }
                let text = match (text, way) {
                    (FileText::Always(text), _)
                    | (FileText::ByWay { http: text, .. }, Way::Http(_))
                    | (FileText::ByWay { stdio: text, .. }, Way::Stdio { .. }) => text,
                };
                fs::write(&path, fill(text, &room.values, Place::File))?;
            }
            Ok(())
        };
        furnishing().map_err(failed)?;
        Ok(room)
    }

    /// The program for a prompt, its secret variables, and what it reads from its standard input.
    pub(super) fn prompt(
        &self,
        agent: &Agent,
        command: &[String],
        prompt: &str,
    ) -> (Program, Vec<(String, SecretString)>, String) {
        let mut values = self.values.clone();
        values.insert("prompt", json!(prompt));
        let word = |text: &String| fill(text, &values, Place::Word);
        let home = self.path("home");
        let mut env: BTreeMap<String, String> =
            FOLDERS.iter().map(|(name, folder)| ((*name).to_owned(), shown(&home.join(folder)))).collect();
        env.insert("HOME".to_owned(), shown(&home));
        env.extend(agent.how.set.iter().map(|(name, value)| (name.clone(), word(value))));
        let command = command.iter().map(word).collect();
        let program = Program { command, env, cwd: Some(self.path("work")) };
        let secrets = agent.env.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        (program, secrets, agent.how.stdin.as_ref().map(word).unwrap_or_default())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.values
            .get(name)
            .and_then(Value::as_str)
            .map_or_else(|| self.folder.path().join(name), PathBuf::from)
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The server in the common `mcpServers` form, and its parts as values for files of other forms.
fn entry(way: &Way, program: &Path, values: &mut Values) -> Value {
    match way {
        Way::Http(url) => {
            values.insert("url", json!(url));
            json!({"type": "http", "url": url})
        }
        Way::Stdio { address, secret } => {
            let (program, args) = (json!(program.to_string_lossy()), json!(["relay"]));
            values.insert("program", program.clone());
            values.insert("args", args.clone());
            values.insert("address", json!(address.to_string()));
            values.insert("secret", json!(secret));
            let env = json!({shim::ADDRESS: address.to_string(), shim::SECRET: secret});
            json!({"type": "stdio", "command": program, "args": args, "env": env})
        }
    }
}
