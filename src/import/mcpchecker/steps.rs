//! Steps of a task: HTTP calls, scripts, the judge, and operations of extensions.

use serde_json::{Map, Value, json};

use super::super::draft::{Case, Draft, Mapped, PHASES};
use super::super::expect;
use super::super::node::Node;
use super::super::target::template;
use super::field;
use crate::suite::secret;

/// The steps of a phase: a list of them, or of the older format a map.
pub(super) fn phase(name: &str, steps: &Node, draft: &mut Draft, case: &mut Case) {
    let phase = PHASES.iter().position(|known| *known == name).unwrap_or_default();
    if steps.is_map() {
        if steps.any(&["file", "inline"]).is_some() {
            script(steps, phase, case);
        }
        if steps.any(&["contains", "exact"]).is_some() {
            judged(steps, case);
        }
        return;
    }
    for step in steps.items() {
        match step.entries() {
            [(kind, body)] => match kind.as_str() {
                "http" => http(body, phase, draft, case),
                "script" => script(body, phase, case),
                "llmJudge" => judged(body, case),
                other => case.told(
                    Mapped::new("step", &step.at, other)
                        .lost("it is an operation of an extension; write a step of your own"),
                ),
            },
            _ => case.told(Mapped::new("step", &step.at, "").lost("a step is a map with one key")),
        }
    }
}

fn judged(body: &Node, case: &mut Case) {
    let (says, reference) = match (body.text_at("contains"), body.text_at("exact")) {
        (Some(text), _) => ("The answer states what the reference states.", text),
        (None, Some(text)) => ("The answer says the same as the reference, and nothing else.", text),
        (None, None) => ("", ""),
    };
    let part = Mapped::new("llmJudge", &body.at, reference);
    let criterion = json!({"must": says, "reference": reference});
    case.criterion(part.near("criteria", "the judge of the suite says yes or no"), criterion);
}

fn script(body: &Node, phase: usize, case: &mut Case) {
    let timeout = body.text_at("timeout").unwrap_or("5m");
    let run = match (body.text_at("file"), body.text_at("inline")) {
        (Some(file), _) => json!([file]),
        (None, Some(text)) => match text.strip_prefix("#!").and_then(|rest| rest.lines().next()) {
            Some(line) if line.contains("python") => json!(["python3", "-c", text]),
            Some(line) if line.ends_with("/sh") => json!(["sh", "-c", text]),
            _ => json!(["bash", "-c", text]),
        },
        (None, None) => json!([]),
    };
    let shown = body.text_at("file").or(body.text_at("inline")).unwrap_or_default();
    let part = Mapped::new("script", &body.at, shown.trim());
    if run.as_array().is_none_or(Vec::is_empty) {
        case.told(part.lost("it has neither `file` nor `inline`"));
        return;
    }
    let why = "it runs in the folder of the project and needs --allow-exec; paths were relative to the task";
    let mut step = json!({"command": {"run": run, "timeout": timeout}});
    if phase == 1 {
        // Its exit code decides, whatever it prints.
        step["equals"] = json!({"$any": true});
    }
    case.step(part.near(PHASES[phase], why), phase, step);
}

fn http(body: &Node, phase: usize, draft: &mut Draft, case: &mut Case) {
    let url = body.text_at("url").unwrap_or_default();
    let method = body.text_at("method").unwrap_or("GET");
    let part = Mapped::new("http", &body.at, format!("{method} {url}"));
    let mut step = Map::new();
    step.insert("url".to_owned(), json!(template(url, draft)));
    if method != "GET" {
        step.insert("method".to_owned(), json!(method));
    }
    let headers: Map<String, Value> = body
        .get("headers")
        .map_or(&[][..], Node::entries)
        .iter()
        .filter_map(|(name, value)| {
            let text = value.words()?;
            let hidden = secret::is_secret(name, &text);
            let filled = template(&text, draft);
            let kept = if hidden && filled == text { draft.variable(name) } else { filled };
            Some((name.clone(), json!(kept)))
        })
        .collect();
    if !headers.is_empty() {
        step.insert("headers".to_owned(), headers.into());
    }
    if let Some(sent) = body.get("body") {
        let text =
            sent.text_at("raw").map(str::to_owned).or_else(|| Some(sent.get("json")?.value().to_string()));
        step.extend(text.map(|text| ("body".to_owned(), json!(template(&text, draft)))));
    }
    let expected = body.get("expect");
    if let Some(status) = expected.and_then(|expected| expected.get("status")).and_then(Node::count) {
        step.insert("status".to_owned(), json!(status));
    }
    let looked = expected.and_then(|expected| expected.get("body"));
    let fields = looked.map_or(&[][..], |body| body.list_at("fields"));
    let pattern = looked.and_then(|body| body.text_at("match"));
    if phase != 1 || (fields.is_empty() && pattern.is_none()) {
        let lost = !fields.is_empty() || pattern.is_some();
        let mut step = json!({"http": step});
        if phase == 1 {
            step["equals"] = json!({"$any": true});
        }
        let part = if lost {
            part.near(PHASES[phase], "what its body must hold is looked for in `verify` only")
        } else {
            part.near(PHASES[phase], WHERE)
        };
        case.step(part, phase, step);
        return;
    }
    if method != "GET" && fields.len() + usize::from(pattern.is_some()) > 1 {
        case.told(part.lost("it looks at several places of one answer, and asking again could change something; write steps of your own"));
        return;
    }
    let mut wanted: Vec<(Option<String>, Value)> =
        fields.iter().filter_map(|one| Some((Some(path(one.text_at("path")?)), field(one)?))).collect();
    wanted.extend(pattern.map(|pattern| (None, json!({"$regex": pattern}))));
    let many = wanted.len();
    for (index, (path, equals)) in wanted.into_iter().enumerate() {
        let mut verify = Map::new();
        verify.insert("http".to_owned(), step.clone().into());
        verify.extend(path.map(|path| ("path".to_owned(), json!(path))));
        verify.insert("equals".to_owned(), equals);
        if index == 0 {
            let why = if many > 1 { "each place that is looked at is asked for anew" } else { WHERE };
            case.step(part.clone().near("verify", why), phase, verify.into());
        } else if let Some(list) = case.steps.get_mut(phase) {
            list.push(verify.into());
        }
    }
}

const WHERE: &str = "it is asked by the harness, with its own deadlines";

/// A path in dot notation as a JSONPath.
fn path(dotted: &str) -> String {
    let dotted = dotted.trim_start_matches(['$', '.']);
    let mut out = String::from("$");
    for part in dotted.split('.').filter(|part| !part.is_empty()) {
        let (name, index) = part.split_at(part.find('[').unwrap_or(part.len()));
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        match (name.is_empty(), plain) {
            (true, _) => {}
            (false, true) => out.push_str(&format!(".{name}")),
            (false, false) => out.push_str(&format!("['{}']", name.replace('\'', "\\'"))),
        }
        out.push_str(index);
    }
    out
}

/// Whether every tool of a list is one of the expected.
pub(super) fn called(names: &[String]) -> Value {
    expect::any(names.iter().map(|name| expect::called(name, None, None)).collect())
}
