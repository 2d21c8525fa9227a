//! Trials against a server that asks: what it is answered, what that costs, and what the record says of it.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may stop and touch its own files")]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use rehearsal::drive::doors::Doors;
use rehearsal::drive::hands::Hands;
use rehearsal::drive::offer::Stocks;
use rehearsal::drive::sampling::Sampler;
use rehearsal::drive::seats::Seats;
use rehearsal::drive::surface::Prelude;
use rehearsal::drive::{Journal, Stopping, World, trial};
use rehearsal::ids::CaseKey;
use rehearsal::llm;
use rehearsal::mcp::connect::{Keeper, target};
use rehearsal::mcp::process::guard::Guard;
use rehearsal::mcp::{Anonymous, Endpoint, Identity, Isolation, Program};
use rehearsal::net;
use rehearsal::plan::{self, Selection, Work};
use rehearsal::store::record::Spend;
use rehearsal::suite::answers::Sampling;
use rehearsal::suite::{Project, Request};
use rehearsal::transcript::{Clock, End, Event, Fault, Secrets, Side, Transcript, View, What};
use serde_json::{Value, json};

/// A shell script that speaks MCP: a tool call asks these questions one after the other, then returns.
fn server(questions: &[(&str, Value)]) -> String {
    let say = |message: Value| format!("read -r line; printf '%s\\n' '{message}'\n");
    let answer = |id: u32, result: Value| json!({"jsonrpc": "2.0", "id": id, "result": result});
    let info = json!({"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                      "serverInfo": {"name": "asker", "version": "1"}});
    let mut script = say(answer(1, info));
    script.push_str("read -r initialized\n");
    script.push_str(&say(answer(2, json!({"tools": [{"name": "ask", "inputSchema": {"type": "object"}}]}))));
    for (index, (method, params)) in questions.iter().enumerate() {
        let id = format!("q{index}");
        script.push_str(&say(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})));
    }
    script.push_str(&say(answer(3, json!({"content": [{"type": "text", "text": "done"}]}))));
    script + "cat >/dev/null"
}

/// What was on disk, and whether the disk takes it.
#[derive(Default)]
struct Disk {
    kept: Mutex<Vec<Event>>,
    full: bool,
}

impl Journal for Disk {
    fn model_replied<'a>(&'a self, _: CaseKey, event: &'a Event) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if self.full && matches!(event.what, What::SamplingAnswered { .. }) {
                return Err(Fault::new(Side::Harness, "store.full", "the disk is full"));
            }
            self.kept.lock().unwrap().push(event.clone());
            Ok(())
        })
    }
}

const SCRIPTED: &str = "models: [scripted]\ncases:\n  - id: a\n    prompt: Go.\n    expect: [{tool_called: ask}]\n    script: [{call: {name: ask}}, {say: 'It said: {{result}}'}]\n";

/// Runs one trial of a suite with these further lines in its case, or above its cases.
async fn run(questions: &[(&str, Value)], above: &str, within: &str, disk: Disk) -> (Transcript, Arc<Disk>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("suites/s.yaml");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let head = "version: 1\ntarget: {url: 'http://127.0.0.1:9/mcp', protocol: 2025-11-25}\n";
    fs::write(&path, format!("{head}{above}{SCRIPTED}{within}")).unwrap();
    let loaded = Project::new(dir.path().to_owned()).load(&path, &Request::default());
    let suite = loaded.suite.unwrap_or_else(|| panic!("{:#?}", loaded.diagnostics));
    let plan = plan::expand(&suite, &Selection::default(), 1).unwrap();
    let case = &plan.cases[0];
    let Work::Use(work) = &case.work else { panic!("a use case") };
    let outside = llm::Outside::new(net::client().unwrap(), Arc::new(|_| None));
    let mut samplers = HashMap::new();
    if let Some(Sampling::Model(spec)) = work.answers.sampling.as_ref().map(|block| &block.value) {
        samplers.insert(Sampler::key(spec), Arc::new(Sampler::new(spec, None, &outside).unwrap()));
    }
    let command = vec!["sh".to_owned(), "-c".to_owned(), server(questions)];
    let program = Program { command, env: BTreeMap::new(), cwd: None };
    let anonymous: Identity = Arc::new(Anonymous);
    let disk = Arc::new(disk);
    let world = World {
        target: target(
            Endpoint::Stdio(program),
            Isolation::Trial,
            Keeper::new(net::client().unwrap()).speaking(suite.target.protocol),
        ),
        models: HashMap::from([(case.header.key.model, llm::build(&work.model, &outside).unwrap())]),
        samplers,
        hands: Hands::bare(
            net::client().unwrap(),
            Guard::new("/no/guard".into(), &[]),
            "/no/program".into(),
            std::env::temp_dir(),
        ),
        identities: HashMap::from([(case.persona.name.clone(), anonymous)]),
        authority: None,
        surfaces: BTreeMap::new(),
        stocks: Stocks::default(),
        prelude: Prelude::default(),
        lab: None,
        journal: Arc::clone(&disk) as Arc<dyn Journal>,
        clock: Clock::system(),
        secrets: Secrets::default(),
        stop: Stopping::default(),
        paces: Arc::default(),
        seats: Seats::of(1),
        doors: Doors::new(Clock::system()),
    };
    (trial::run(case, &world).await, disk)
}

/// What was answered, in order.
fn answers(transcript: &Transcript) -> Vec<Value> {
    View::of(transcript).asked().filter_map(|asked| asked.answered.cloned()).collect()
}

fn odd(transcript: &Transcript) -> Vec<String> {
    let told = transcript.events.iter().filter_map(|event| match &event.what {
        What::AnswerOdd { message, .. } => Some(message.clone()),
        _ => None,
    });
    told.collect()
}

fn form(message: &str) -> (&'static str, Value) {
    let schema = json!({"type": "object", "required": ["date"], "properties": {
        "date": {"type": "string", "format": "date"}, "gift": {"type": "boolean", "default": false},
    }});
    ("elicitation/create", json!({"message": message, "requestedSchema": schema}))
}

fn page() -> (&'static str, Value) {
    let params =
        json!({"mode": "url", "message": "Pay.", "url": "http://127.0.0.1:9/", "elicitationId": "1"});
    ("elicitation/create", params)
}

fn sampling(max_tokens: u32) -> (&'static str, Value) {
    let said = json!([{"role": "user", "content": {"type": "text", "text": "Sum it up."}}]);
    ("sampling/createMessage", json!({"messages": said, "maxTokens": max_tokens}))
}

#[tokio::test]
async fn a_user_answers_as_the_case_scripts() {
    let questions = [form("Which date?"), form("Gift?"), page(), form("Again?"), ("roots/list", json!({}))];
    let within = "    answers:\n      elicitation:\n        - {when: {message: {$contains: date}}, content: {date: 2026-12-01}}\n        - {when: {mode: url}, action: accept}\n        - decline\n        - cancel\n      roots: ['file:///srv/books', {uri: 'file:///srv/music', name: Music}]\n";
    let (transcript, _) = run(&questions, "", within, Disk::default()).await;
    assert_eq!(transcript.end, End::Done);
    let expected = [
        json!({"action": "accept", "content": {"date": "2026-12-01", "gift": false}}),
        json!({"action": "decline"}),
        json!({"action": "accept"}),
        json!({"action": "cancel"}),
        json!({"roots": [{"uri": "file:///srv/books"}, {"uri": "file:///srv/music", "name": "Music"}]}),
    ];
    assert_eq!(answers(&transcript), expected);
    assert_eq!(odd(&transcript), [] as [&str; 0]);
}

#[tokio::test]
async fn answers_that_do_not_fit_are_said_and_not_sent() {
    let questions = [form("Which date?"), form("Which date?"), form("Sure?")];
    let within = "    answers:\n      elicitation:\n        - {when: {message: {$contains: date}}, content: {date: 2026-12-01, dste: x}}\n        - {when: {message: {$contains: date}}, content: {date: tomorrow}}\n";
    let (transcript, _) = run(&questions, "", within, Disk::default()).await;
    let expected = [
        json!({"action": "accept", "content": {"date": "2026-12-01", "gift": false}}),
        json!({"action": "cancel"}),
        json!({"action": "decline"}),
    ];
    assert_eq!(answers(&transcript), expected);
    insta::assert_snapshot!(odd(&transcript).join("\n"));
}

#[tokio::test]
async fn nothing_is_answered_that_is_not_declared() {
    let questions = [form("Which date?"), sampling(9), ("roots/list", json!({})), ("ping", json!({}))];
    let bare = "clients: [{name: bare, wire: {capabilities: {}}}]\n";
    let (transcript, _) = run(&questions, bare, "", Disk::default()).await;
    let codes: Vec<Value> = answers(&transcript).iter().map(|answer| answer["code"].clone()).collect();
    assert_eq!(codes, [json!(-32601), json!(-32601), json!(-32601), Value::Null]);
    // A profile that says its capabilities keeps them, whatever the case scripts; a form is all that `{}` declares.
    let above = "clients: [{name: forms, wire: {capabilities: {elicitation: {}}}}]\n";
    let within = "    answers: {elicitation: {content: {date: 2026-12-01}}, sampling: {text: Yes.}}\n";
    let (transcript, _) = run(&[form("Date?"), page(), sampling(9)], above, within, Disk::default()).await;
    let given = answers(&transcript);
    assert_eq!(given[0]["action"], "accept");
    assert_eq!((&given[1]["code"], &given[2]["code"]), (&json!(-32602), &json!(-32601)));
}

const PRICED: &str = "    answers:\n      sampling:\n        model: {name: helper, dialect: scripted, price: {input: 1000, output: 1000}, script: [{say: In short.}]}\n";

#[tokio::test]
async fn a_model_that_samples_is_paid_kept_and_told_apart() {
    let (transcript, disk) = run(&[sampling(50)], "", PRICED, Disk::default()).await;
    assert_eq!(transcript.end, End::Done);
    let given = &answers(&transcript)[0];
    assert_eq!(given["content"], json!({"type": "text", "text": "In short."}));
    assert_eq!((&given["role"], &given["stopReason"]), (&json!("assistant"), &json!("endTurn")));
    let place = |is: fn(&What) -> bool| transcript.events.iter().position(|event| is(&event.what)).unwrap();
    let said = place(|what| matches!(what, What::SamplingAnswered { .. }));
    assert!(said < place(|what| matches!(what, What::ServerAsked { .. })), "kept before the server has it");
    assert!(disk.kept.lock().unwrap().contains(&transcript.events[said]));
    let view = View::of(&transcript);
    assert_eq!(view.answers().len(), 1, "the words of the helper are no answer of the model under test");
    assert_eq!(view.model_turns(), 2);
    let spend = Spend::of(transcript.events.iter().map(|event| &event.what));
    assert_eq!((spend.calls, spend.usage), (3, view.usage()));
    let (usage, cost) = transcript.events[said].what.paid().unwrap();
    assert!(cost.unwrap() > 0.0 && usage.output > 0 && view.usage().output > usage.output);
}

#[tokio::test]
async fn sampling_spends_from_the_limits_of_the_case() {
    let limits = "    limits: {cost: 0.000001}\n";
    let within = format!("{PRICED}{limits}");
    let (transcript, _) = run(&[sampling(50), sampling(50)], "", &within, Disk::default()).await;
    assert_eq!(transcript.end, End::OutOf(rehearsal::transcript::Limit::Cost));
    // The second request came when the purse was empty.
    assert_eq!(answers(&transcript)[1]["code"], -1);
}

#[tokio::test]
async fn fixed_words_refusals_and_faults_of_the_helper() {
    let fixed = "    answers: {sampling: {text: Yes.}}\n";
    let (transcript, _) = run(&[sampling(5)], "", fixed, Disk::default()).await;
    assert_eq!(answers(&transcript)[0]["content"]["text"], "Yes.");
    let refuse = "    answers: {sampling: refuse}\n";
    let (transcript, _) = run(&[sampling(5)], "", refuse, Disk::default()).await;
    assert_eq!((&answers(&transcript)[0]["code"], &transcript.end), (&json!(-1), &End::Done));
    // A helper that leaves its script: the server was promised words and got none, so nothing was measured.
    let strict = PRICED.replace("{say: In short.}", "{say: In short., sees: nowhere to be found}");
    let (transcript, _) = run(&[sampling(5)], "", &strict, Disk::default()).await;
    let End::Faulted(fault) = &transcript.end else { panic!("{:?}", transcript.end) };
    assert_eq!((fault.side, fault.code.as_str()), (Side::Model, "model.script-left"));
}

#[tokio::test]
async fn a_server_cannot_ask_without_end() {
    let within = format!("{PRICED}    limits: {{tool_calls: 1}}\n");
    let (transcript, _) = run(&[sampling(50), sampling(50)], "", &within, Disk::default()).await;
    let given = answers(&transcript);
    assert_eq!((&given[0]["content"]["text"], &given[1]["code"]), (&json!("In short."), &json!(-1)));
    assert_eq!(odd(&transcript), ["the limits of the case are reached; the request was refused"]);
}

#[tokio::test]
async fn a_helper_that_keeps_silent_ends_with_the_trial_and_is_not_the_server_s_fault() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1", silent.local_addr().unwrap());
    let within = format!(
        "    answers: {{sampling: {{model: {{name: mute, dialect: openai, base_url: '{url}'}}}}}}\n    limits: {{time: 1s}}\n"
    );
    let (transcript, _) = run(&[sampling(50)], "", &within, Disk::default()).await;
    let End::Faulted(fault) = &transcript.end else { panic!("{:?}", transcript.end) };
    assert_eq!((fault.side, fault.code.as_str()), (Side::Model, "model.timeout"));
}

#[tokio::test]
async fn words_that_cannot_be_kept_are_not_given_away() {
    let full = Disk { full: true, ..Disk::default() };
    let (transcript, _) = run(&[sampling(50)], "", PRICED, full).await;
    assert_eq!(answers(&transcript)[0]["code"], -1);
    assert!(matches!(&transcript.end, End::Faulted(fault) if fault.code == "store.full"));
}

#[tokio::test]
async fn clients_answer_as_they_do_when_nobody_scripts() {
    let above = "clients: [{name: terse, wire: {capabilities: {elicitation: {form: {}}}}, conduct: {answers: {elicitation: cancel, roots: named_directory}}}]\n";
    let (transcript, _) = run(&[form("Date?"), ("roots/list", json!({}))], above, "", Disk::default()).await;
    let root = json!({"uri": "file:///workspace", "name": "workspace"});
    assert_eq!(answers(&transcript), [json!({"action": "cancel"}), json!({"roots": [root]})]);
    let accepts = "    answers: {elicitation: {content: {date: 2026-12-01}}}\n";
    let (transcript, _) = run(&[form("Date?")], above, accepts, Disk::default()).await;
    assert_eq!(answers(&transcript)[0]["action"], "accept", "the script of a case comes first");
}
