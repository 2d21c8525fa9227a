//! Snapshots on disk: a folder with one file per tool.
#![expect(clippy::disallowed_methods, reason = "owns the folders of snapshots")]

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::cli::failure::{Failure, Outcome};
use crate::display;
use crate::gate::Exit;
use crate::surface::snapshot::{self, SUFFIX};
use crate::transcript::{Secrets, ToolFact};

/// Bytes of a file that are read; no tool is larger.
const LARGEST: u64 = 8 << 20;
/// Files of a folder that are read.
const FILES: usize = 10_000;

/// What became of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Written {
    /// Files that are new or changed.
    pub(super) written: usize,
    /// Files that are as they were.
    pub(super) unchanged: usize,
    /// Files of tools that are gone.
    pub(super) removed: usize,
}

fn failed(folder: &Path) -> impl Fn(io::Error) -> Failure {
    let folder = display::safe_line(&folder.display().to_string());
    move |error| {
        Failure::new(Exit::LocalIo, "surface.snapshot", format!("the snapshot in {folder}: {error}"))
            .hint("it is a folder of its own, with one file per tool")
    }
}

/// The names of the files of a folder that end as ours do. What is no plain file is none of ours.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(SUFFIX) && entry.file_type()?.is_file() {
            names.push(name);
        }
        if names.len() > FILES {
            return Err(io::Error::other(format!("more than {FILES} files")));
        }
    }
    names.sort();
    Ok(names)
}

/// The tool in a file; `None` for a file that is not ours.
fn tool(path: &Path) -> io::Result<Option<ToolFact>> {
    if fs::metadata(path)?.len() > LARGEST {
        return Ok(None);
    }
    let bytes = fs::read(path)?;
    Ok(std::str::from_utf8(&bytes).ok().and_then(snapshot::read))
}

/// The tools of a snapshot.
pub(in crate::cli) fn read(folder: &Path) -> Outcome<Vec<ToolFact>> {
    let all = || -> io::Result<Vec<ToolFact>> {
        let mut tools = Vec::new();
        for name in names(folder)? {
            match tool(&folder.join(&name))? {
                Some(tool) => tools.push(tool),
                None => {
                    return Err(io::Error::other(format!("`{}` is no tool", display::excerpt(&name, 120))));
                }
            }
        }
        Ok(tools)
    };
    all().map_err(failed(folder))
}

/// Writes a snapshot: each file beside itself first, and files of tools that are gone are removed last.
pub(super) fn write(folder: &Path, tools: &[ToolFact], secrets: &Secrets) -> Outcome<Written> {
    let files: BTreeMap<String, String> = snapshot::files(tools)
        .into_iter()
        .map(|(name, text)| (name, secrets.redact(&text).into_owned()))
        .collect();
    let all = || -> io::Result<Written> {
        let mut done = Written::default();
        fs::create_dir_all(folder)?;
        let known = names(folder)?;
        for (name, text) in &files {
            let path = folder.join(name);
            if known.contains(name) && fs::read(&path)? == text.as_bytes() {
                done.unchanged += 1;
                continue;
            }
            let part = folder.join(format!("{name}.part"));
            fs::write(&part, text)?;
            fs::rename(&part, &path)?;
            done.written += 1;
        }
        for name in known.iter().filter(|name| !files.contains_key(*name)) {
            let path = folder.join(name);
            if tool(&path)?.is_some() {
                fs::remove_file(&path)?;
                done.removed += 1;
            }
        }
        Ok(done)
    };
    all().map_err(failed(folder))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tools(names: &[&str]) -> Vec<ToolFact> {
        names
            .iter()
            .map(|name| ToolFact { name: (*name).into(), raw: json!({"name": name}).into() })
            .collect()
    }

    #[test]
    fn a_folder_follows_the_tools_and_keeps_what_is_not_ours() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("deep/snapshot");
        let secrets = Secrets::default();
        let first = write(&folder, &tools(&["a", "../b", "CON"]), &secrets).unwrap();
        assert_eq!((first.written, first.unchanged, first.removed), (3, 0, 0));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        fs::write(folder.join("README.md"), "mine").unwrap();
        fs::write(folder.join("mine.tool.json"), "{\"name\": \"mine\"}").unwrap();
        let second = write(&folder, &tools(&["a", "c"]), &secrets).unwrap();
        assert_eq!((second.written, second.unchanged, second.removed), (1, 1, 2));
        let mut left: Vec<String> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, ["README.md", "a.tool.json", "c.tool.json", "mine.tool.json"]);
        let told = read(&folder).unwrap_err();
        assert!(told.message.contains("`mine.tool.json` is no tool"), "{}", told.message);
        fs::remove_file(folder.join("mine.tool.json")).unwrap();
        let back: Vec<String> = read(&folder).unwrap().iter().map(|tool| tool.name.to_string()).collect();
        assert_eq!(back, ["a", "c"]);
    }

    #[test]
    fn a_secret_does_not_reach_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::default();
        secrets.register("token", "s3cr3t-t0k3n-of-mine");
        let tool = ToolFact {
            name: "a".into(),
            raw: json!({"name": "a", "description": "for s3cr3t-t0k3n-of-mine"}).into(),
        };
        write(folder.path(), &[tool], &secrets).unwrap();
        let text = fs::read_to_string(folder.path().join("a.tool.json")).unwrap();
        assert!(!text.contains("s3cr3t") && text.contains("for "), "{text}");
    }

    #[test]
    fn a_folder_that_is_not_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let told = read(&folder.path().join("none")).unwrap_err();
        assert_eq!(told.code, "surface.snapshot");
        fs::write(folder.path().join("file"), "").unwrap();
        assert_eq!(
            write(&folder.path().join("file"), &tools(&["a"]), &Secrets::default()).unwrap_err().exit,
            Exit::LocalIo
        );
    }
}
