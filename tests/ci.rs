//! The action and the recipes of docs/ci.md: they parse, name what exists, and the action's scripts do what they say.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

fn action() -> Value {
    yaml(&read("action.yml"))
}

/// The recipes, in order.
fn recipes() -> Vec<Value> {
    let text = read("docs/ci.md");
    text.split("```yaml\n").skip(1).map(|rest| yaml(rest.split("```").next().unwrap())).collect()
}

/// Every step of a recipe for GitHub.
fn steps(recipe: &Value) -> Vec<&Value> {
    let jobs = recipe["jobs"].as_object().into_iter().flatten();
    jobs.flat_map(|(_, job)| job["steps"].as_array().unwrap()).collect()
}

/// What the recipes run in a shell: the steps for GitHub, the scripts for GitLab.
fn scripts() -> Vec<String> {
    let mut all = vec![];
    for recipe in recipes() {
        let of_github = steps(&recipe).into_iter().filter_map(|step| step["run"].as_str().map(str::to_owned));
        all.extend(of_github.collect::<Vec<_>>());
        let jobs = recipe.as_object().unwrap().values().filter_map(|job| job["script"].as_array());
        all.extend(jobs.flatten().map(|line| line.as_str().unwrap().to_owned()));
    }
    all
}

#[test]
fn recipes_are_workflows_and_pipelines() {
    let recipes = recipes();
    assert_eq!(recipes.len(), 5);
    let (github, gitlab): (Vec<&Value>, Vec<&Value>) =
        recipes.iter().partition(|recipe| recipe.get("jobs").is_some());
    assert_eq!(gitlab.len(), 1);
    for recipe in github {
        assert!(recipe["name"].is_string() && recipe.get("on").is_some(), "{recipe}");
        for (name, job) in recipe["jobs"].as_object().unwrap() {
            assert!(job["runs-on"].is_string(), "{name}");
        }
        for step in steps(recipe) {
            assert!(step.get("run").is_some() != step.get("uses").is_some(), "{step}");
        }
    }
    for (name, job) in gitlab[0].as_object().unwrap() {
        assert!(job["image"].is_string() && job["script"].is_array(), "{name}");
    }
}

#[test]
fn recipes_give_the_action_inputs_that_it_has() {
    let action = action();
    let inputs = action["inputs"].as_object().unwrap();
    let mut used = 0;
    for recipe in recipes() {
        for step in steps(&recipe) {
            if step["uses"].as_str().is_some_and(|uses| uses.starts_with("OWNER/rehearsal@")) {
                used += 1;
                for name in step["with"].as_object().unwrap().keys() {
                    assert!(inputs.contains_key(name), "{name}");
                }
            }
        }
    }
    assert_eq!(used, 2);
    for (name, output) in action["outputs"].as_object().unwrap() {
        assert_eq!(output["value"], format!("${{{{ steps.publish.outputs.{name} }}}}"));
    }
}

#[test]
fn recipes_use_commands_and_flags_that_exist() {
    let help = |command: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_rehearsal")).args(command).arg("--help").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let known = help(&[]);
    let mut checked = vec![];
    let mut commands = scripts();
    commands.push(action()["runs"]["steps"][4]["run"].as_str().unwrap().to_owned());
    for line in commands.iter().flat_map(|script| script.lines()) {
        let Some(words) = line.trim().strip_prefix("rehearsal ") else { continue };
        let command = words.split(' ').next().unwrap();
        let exists = known.lines().any(|line| line.trim_start().starts_with(&format!("{command} ")));
        assert!(exists, "{line}");
        let mut path = vec![command];
        path.extend(words.split(' ').nth(1).filter(|_| command == "baseline"));
        let flags = help(&path);
        for flag in words.split(' ').filter(|word| word.starts_with("--")) {
            assert!(flags.contains(flag), "{flag} in {line}");
        }
        checked.push(command.to_owned());
    }
    assert!(checked.len() >= 6, "{checked:?}");
}

#[test]
fn every_format_is_in_the_table() {
    let text = read("docs/ci.md");
    for format in rehearsal::report::FORMATS {
        assert!(text.contains(&format!("\n| `{}` | `{}` |", format.name, format.file)), "{}", format.name);
    }
}

/// The scripts of the action by the names of their steps.
fn parts() -> BTreeMap<String, String> {
    let action = action();
    assert_eq!(action["runs"]["using"], "composite");
    let steps = action["runs"]["steps"].as_array().unwrap();
    let part = |step: &Value| {
        assert_eq!(step["shell"], "bash", "a step of a composite action names its shell");
        (step["name"].as_str().unwrap().to_owned(), step["run"].as_str().unwrap().to_owned())
    };
    steps.iter().map(part).collect()
}

#[test]
fn nothing_from_outside_is_a_part_of_a_script() {
    for (name, script) in parts() {
        assert!(!script.contains("${{"), "{name}");
        let checked = Command::new("bash").args(["-n", "-c", &script]).output().unwrap();
        assert!(checked.status.success(), "{name}: {}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// A job of GitHub Actions as far as the scripts can tell.
struct Job {
    folder: tempfile::TempDir,
}

impl Job {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn run(&self, step: &str, env: &[(&str, &str)]) -> (Option<i32>, String) {
        let program = Path::new(env!("CARGO_BIN_EXE_rehearsal")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
        // As the runner calls bash.
        let output = Command::new("bash")
            .args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", &parts()[step]])
            .current_dir(self.folder.path())
            .envs([("PATH", path.as_str()), ("NO_COLOR", "1"), ("CI", "true")])
            .env("RUNNER_TEMP", self.folder.path())
            .env("GITHUB_OUTPUT", self.file("output"))
            .env("GITHUB_STEP_SUMMARY", self.file("summary"))
            .env("GITHUB_PATH", self.file("path"))
            .envs(env.iter().copied())
            .output()
            .unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    }
}

#[test]
fn the_action_runs_a_suite_and_publishes_what_came_of_it() {
    let job = Job::new();
    let (code, _) = job.run("Install rehearsal", &[]);
    assert_eq!((code, job.text("path").as_str()), (Some(0), ""), "it is there already");
    let inputs = [
        ("SUITES", "bookshop"),
        ("ARGS", "--trials\n1\n\n--flaw\nhidden-tool-callable"),
        ("REPORTS", "sarif csv"),
        ("OUT", "my reports"),
    ];
    let (code, printed) = job.run("Run the suites", &inputs);
    assert_eq!(code, Some(6), "{printed}");
    assert!(
        printed.lines().next().unwrap().starts_with("::error file=") && printed.contains("refund_order"),
        "{printed}"
    );
    let (code, _) = job.run("Publish the reports", &[("OUT", "my reports")]);
    assert_eq!(code, Some(0));
    let output = job.text("output");
    assert!(output.contains("verdict=fail\nexit-code=6\nrun="), "{output}");
    let folder = output.lines().find_map(|line| line.strip_prefix("report-dir=")).unwrap();
    for file in ["findings.sarif", "trials.csv", "junit.xml"] {
        assert!(job.file(folder).join(file).is_file(), "{file}");
    }
    assert!(job.text("summary").starts_with("<!-- rehearsal:"), "{}", job.text("summary"));
    written_again(&job);
}

/// A stored run is written again in any format.
fn written_again(job: &Job) {
    let report = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rehearsal"));
        let command =
            command.current_dir(job.folder.path()).args(["report", "latest", "--out", "my reports"]);
        let output = command.args(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for format in rehearsal::report::FORMATS {
        let (_, printed, _) = report(&["--format", format.name]);
        let (code, silent, talk) = report(&["--format", format.name, "--to", "again/report"]);
        assert_eq!((code, silent.as_str()), (Some(0), ""), "{}: {talk}", format.name);
        assert_eq!(job.text("again/report"), printed, "{}", format.name);
        assert!(printed.len() > 50, "{}", format.name);
    }
    // The transcripts of the run are in what keeps them.
    assert!(report(&["--format", "inspect"]).1.contains("\"role\":\"assistant\""));
    assert!(report(&["--format", "otlp"]).1.contains("\"tools/call get_order\""));
    let (code, _, talk) = report(&["--format", "csv", "--format", "badge", "--to", "two"]);
    assert!(code == Some(2) && talk.contains("`--to` takes one format"), "{talk}");
    let (code, _, talk) = report(&["--format", "srif"]);
    assert!(code == Some(2) && talk.contains("sarif"), "{talk}");
}

#[test]
fn a_job_that_never_ran_publishes_nothing() {
    let job = Job::new();
    let (code, _) = job.run(
        "Run the suites",
        &[("SUITES", "no-such-suite"), ("ARGS", ""), ("REPORTS", ""), ("OUT", "reports")],
    );
    assert_eq!(code, Some(2));
    let (code, _) = job.run("Publish the reports", &[("OUT", "reports")]);
    assert_eq!((code, job.text("output").as_str(), job.text("summary").as_str()), (Some(0), "", ""));
}
