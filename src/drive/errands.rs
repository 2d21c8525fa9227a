//! What steps and checks do beside talking to the target: HTTP calls, and programs that are run to their end.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::World;
use crate::display;
use crate::mcp::Program;
use crate::mcp::process::errand::{Errand, Fate, Ran};
use crate::net;
use crate::plan::Case;
use crate::score::checks::command::{Command, PHASE};
use crate::suite::{CommandStep, HttpStep, Template, vars};
use crate::transcript::{End, Event, Fault, Recorder, Side, What};
use crate::units::Period;

/// How long an HTTP call may take, and a program unless the suite says otherwise.
const USUAL: Duration = Duration::from_secs(30);
/// Most bytes of a body or of standard output.
const CAP: usize = 1024 * 1024;

/// What a step came to: what it gave, and whether it worked.
pub(super) struct Came {
    pub(super) result: Value,
    pub(super) ok: bool,
}

impl Came {
    fn to_nothing(why: String) -> Self {
        Self { result: Value::String(why), ok: false }
    }
}

/// An HTTP call. Only a variable without a value is a fault; everything else is what it came to.
pub(super) async fn http(step: &HttpStep, world: &World) -> Result<Came, Fault> {
    let url = filled(&step.url, world)?;
    let Some(url) = url::Url::parse(&url).ok().filter(|url| matches!(url.scheme(), "http" | "https")) else {
        return Ok(Came::to_nothing("the URL is none of http or https".to_owned()));
    };
    let method = Method::from_bytes(step.method.as_bytes()).unwrap_or(Method::GET);
    let mut request = world.hands.http.request(method, url.clone()).timeout(USUAL);
    for (name, value) in &step.headers {
        request = request.header(name, filled(value, world)?);
    }
    if let Some(body) = &step.body {
        if step.headers.keys().all(|name| !name.eq_ignore_ascii_case("content-type")) {
            request = request.header("content-type", "application/json");
        }
        request = request.body(filled(body, world)?);
    }
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => {
            let why = display::safe_line(&net::describe(&error));
            return Ok(Came::to_nothing(format!("`{}` gave no answer: {why}", net::shown(&url))));
        }
    };
    let status = response.status();
    let ok = step.status.map_or_else(|| status.is_success(), |wanted| status.as_u16() == wanted);
    let body = match net::read_bounded(response, CAP).await {
        Ok(body) => body,
        Err(error) => return Ok(Came::to_nothing(format!("HTTP {}: {error}", status.as_u16()))),
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    if !ok {
        return Ok(Came::to_nothing(format!(
            "HTTP {}: {}",
            status.as_u16(),
            display::whole_words(&text, 400)
        )));
    }
    Ok(Came { result: value(text), ok })
}

/// A program of a step.
pub(super) async fn command(step: &CommandStep, world: &World) -> Result<Came, Fault> {
    let env = step.env.iter().map(|(name, value)| Ok((name.clone(), filled(value, world)?)));
    let env = env.collect::<Result<_, Fault>>()?;
    let stdin = step.stdin.as_ref().map(|text| filled(text, world)).transpose()?.unwrap_or_default();
    let program = Program { command: step.run.clone(), env, cwd: Some(world.hands.root.clone()) };
    let ran = run(&program, &stdin, step.timeout, world).await;
    Ok(match ran {
        Ok(Ran { fate: Fate::Exited(0), stdout, .. }) => {
            Came { result: value(String::from_utf8_lossy(&stdout).into_owned()), ok: true }
        }
        Ok(ran) => Came::to_nothing(format!("it {}{}", ran.fate.words(), ran.last_words())),
        Err(why) => Came::to_nothing(why),
    })
}

/// Runs the programs that the checks of a case need, each once, and records what they say. Nothing here can change how the
/// trial ended.
pub(super) async fn checks(case: &Case, end: &End, world: &World, log: &Recorder) {
    let mut commands: Vec<&Command> = case.checks.iter().flat_map(|check| check.value.commands()).collect();
    commands.dedup_by_key(|command| command.about());
    if commands.is_empty() {
        return;
    }
    // Events are redacted when they are recorded, so this holds no secret.
    let events: Vec<Event> = (0..log.len() as u32).filter_map(|seq| log.event(seq)).collect();
    let trial =
        json!({"schema": crate::transcript::SCHEMA, "header": case.header, "end": end, "events": events});
    let trial = trial.to_string();
    for command in commands {
        let program = Program {
            command: command.run.clone(),
            env: std::collections::BTreeMap::new(),
            cwd: Some(world.hands.root.clone()),
        };
        let (result, ok) = match run(&program, &trial, command.timeout, world).await {
            Ok(Ran { fate: Fate::Exited(0), stdout, .. }) => {
                let found = value(String::from_utf8_lossy(&stdout).into_owned());
                let is_finding = found.is_object();
                (if is_finding { found } else { json!("it wrote no JSON object") }, is_finding)
            }
            Ok(ran) => (json!(format!("it {}{}", ran.fate.words(), ran.last_words())), false),
            Err(why) => (json!(why), false),
        };
        log.note(What::StepRan { phase: PHASE.to_owned(), about: command.about(), result, ok });
    }
}

async fn run(program: &Program, stdin: &str, within: Option<Period>, world: &World) -> Result<Ran, String> {
    let within = within.map_or(USUAL, |within| within.0);
    let guard = Some(&world.hands.guard);
    Errand { program, secrets: &[], stdin, cap: CAP, within, guard }.run().await
}

fn filled(template: &Template, world: &World) -> Result<String, Fault> {
    vars::fill(template, &world.hands.variables).map_err(|error| {
        let message = format!(
            "a step cannot be done: {error}; set the environment variable, or remove it from the suite"
        );
        Fault::new(Side::Harness, "credentials.missing", message)
    })
}

/// A text as JSON where it is JSON.
fn value(text: String) -> Value {
    serde_json::from_str(text.trim()).unwrap_or(Value::String(text))
}
