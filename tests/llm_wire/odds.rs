//! Log probabilities on the wire, in the shapes of the API references of OpenAI (chat completions: "The chat completion
//! object", Responses: "The response object") and Google ("LogprobsResult"): asked for, read whole and streamed, refused.

use rehearsal::llm::{self, ChatRequest, Odds, Outside, Weigh};
use rehearsal::transcript::Fault;
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::bench::{Act, Bench, Kind, OPENAI, hello, raw};
use crate::completions::said;
use crate::responses::{message, response, stream, text};
use crate::{generate_content, ok};

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";

const GEMINI: Kind = Kind {
    dialect: "gemini",
    path: "^/v1/models/m:(generateContent|streamGenerateContent)$",
    refuses: |_, _| vec![],
};

/// The answer in tokens: the verdict is one of them.
const PIECES: [&str; 5] = ["{\"c1\":", "{\"verdict\":\"", "no", "\"}", "}"];

fn whole_text() -> String {
    PIECES.concat()
}

fn question() -> ChatRequest {
    let words = ["yes", "no", "unsure"].map(str::to_owned).to_vec();
    ChatRequest {
        tools: vec![].into(),
        answer_schema: Some(json!({"type": "object"})),
        weigh: Some(Weigh { top: 5, fields: vec!["/c1/verdict".into()], words }),
        ..hello()
    }
}

/// A token as OpenAI tells it.
fn token(piece: &str) -> Value {
    let top = match piece {
        "no" => json!([
            {"token": "no", "logprob": -0.510_825_6, "bytes": [110, 111]},
            {"token": "yes", "logprob": -0.916_290_7, "bytes": [121, 101, 115]},
            {"token": " no", "logprob": -9999.0, "bytes": [32, 110, 111]}]),
        _ => json!([{"token": piece, "logprob": -1e-7, "bytes": piece.as_bytes()}]),
    };
    json!({"token": piece, "logprob": top[0]["logprob"], "bytes": piece.as_bytes(), "top_logprobs": top})
}

fn tokens() -> Value {
    PIECES.iter().map(|piece| token(piece)).collect()
}

fn completion(logprobs: &Value) -> Value {
    let mut answer = said(&whole_text());
    answer["choices"][0]["logprobs"] = logprobs.clone();
    answer
}

fn gemini(logprobs: &Value) -> Value {
    let mut answer = generate_content::text(&whole_text());
    answer["candidates"][0]["logprobsResult"] = logprobs.clone();
    answer
}

/// The same tokens as Gemini tells them.
fn candidates() -> Value {
    let tops: Vec<Value> = PIECES
        .iter()
        .map(|piece| {
            let told = token(piece)["top_logprobs"].as_array().unwrap().clone();
            let one =
                |top: Value| json!({"token": top["token"], "tokenId": 7, "logProbability": top["logprob"]});
            told.into_iter().map(one).collect()
        })
        .collect();
    let chosen: Vec<&Value> = tops.iter().map(|top| &top[0]).collect();
    let top: Vec<Value> = tops.iter().map(|top| json!({ "candidates": top })).collect();
    json!({"chosenCandidates": chosen, "topCandidates": top, "logProbabilitySum": -0.51})
}

async fn bench(kind: Kind, dialect: &str, answers: Vec<ResponseTemplate>) -> Bench {
    let mut bench = Bench::of(kind, answers).await;
    bench.spec.dialect = dialect.to_owned();
    bench.spec.logprobs = Some(5);
    bench
}

/// The shares of yes and no, to three digits.
fn shares(odds: &Odds) -> Option<[f64; 2]> {
    let words = odds.get("/c1/verdict")?;
    Some(["yes", "no"].map(|word| (words.get(word).map_or(0.0, |p| p.exp()) * 1e3).round() / 1e3))
}

const EXPECTED: Option<[f64; 2]> = Some([0.4, 0.6]);

#[tokio::test]
async fn every_api_is_asked_in_its_own_words_and_read() {
    let mut part = text(&whole_text());
    part["logprobs"] = tokens();
    let answered = response("completed", &json!([message(&part)]));
    let bench_of =
        bench(OPENAI, "openai", vec![ok(&completion(&json!({"content": tokens(), "refusal": null})))]);
    let chat = bench_of.await;
    assert_eq!(shares(&chat.ask(&question()).await.unwrap().odds), EXPECTED);
    let responses = bench(OPENAI, "openai_responses", vec![ok(&answered)]).await;
    assert_eq!(shares(&responses.ask(&question()).await.unwrap().odds), EXPECTED);
    let google = bench(GEMINI, "gemini", vec![ok(&gemini(&candidates()))]).await;
    assert_eq!(shares(&google.ask(&question()).await.unwrap().odds), EXPECTED);

    let sent = |bench: &Bench| bench.api.bodies.lock().unwrap()[0].clone();
    let body = sent(&chat);
    assert_eq!((&body["logprobs"], &body["top_logprobs"]), (&json!(true), &json!(5)));
    let body = sent(&responses);
    assert_eq!(
        (&body["include"], &body["top_logprobs"]),
        (&json!(["message.output_text.logprobs"]), &json!(5))
    );
    let body = sent(&google);
    let config = &body["generationConfig"];
    assert_eq!((&config["responseLogprobs"], &config["logprobs"]), (&json!(true), &json!(5)));
}

#[tokio::test]
async fn nobody_is_asked_for_what_nobody_wants() {
    for (kind, dialect, answer) in [
        (OPENAI, "openai", said("Hi.")),
        (OPENAI, "openai_responses", response("completed", &json!([message(&text("Hi."))]))),
        (GEMINI, "gemini", generate_content::text("Hi.")),
    ] {
        let bench = bench(kind, dialect, vec![ok(&answer)]).await;
        let reply = bench.ask(&hello()).await.unwrap();
        assert_eq!(reply.odds, Odds::new());
        let body = bench.api.bodies.lock().unwrap()[0].to_string();
        assert!(!body.to_lowercase().contains("logprobs"), "{dialect}: {body}");
    }
}

async fn streamed(kind: Kind, dialect: &str, body: String) -> Odds {
    let mut bench = Bench::of_at(kind, &raw(vec![vec![Act::Send([STREAM, body.as_bytes()].concat())]]).await);
    (bench.spec.dialect, bench.spec.logprobs) = (dialect.to_owned(), Some(5));
    (bench.spec.stream, bench.spec.retries) = (true, 0);
    let reply = bench.ask(&question()).await.unwrap();
    assert_eq!(reply.text, Some(whole_text()), "{dialect}");
    reply.odds
}

#[tokio::test]
async fn pieces_of_an_answer_bring_their_tokens() {
    let chunk = |piece: &str| {
        let choice = json!({"index": 0, "delta": {"content": piece}, "finish_reason": null,
            "logprobs": {"content": [token(piece)], "refusal": null}});
        format!("data: {}\n\n", json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}))
    };
    let end = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\",\"logprobs\":null}]}\n\ndata: [DONE]\n\n";
    let body = PIECES.iter().map(|piece| chunk(piece)).collect::<String>() + end;
    assert_eq!(shares(&streamed(OPENAI, "openai", body).await), EXPECTED);

    let delta = |piece: &&str| {
        // Events of this API tell tokens without their bytes.
        let mut told = token(piece);
        told.as_object_mut().unwrap().remove("bytes");
        json!({"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0,
            "delta": piece, "logprobs": [told]})
    };
    let mut events: Vec<Value> = PIECES.iter().map(delta).collect();
    // Some servers do not repeat the tokens in what they finish with.
    let done = response("completed", &json!([message(&text(&whole_text()))]));
    events.push(json!({"type": "response.completed", "response": done}));
    assert_eq!(shares(&streamed(OPENAI, "openai_responses", stream(&events)).await), EXPECTED);

    let all = candidates();
    let part = |(index, piece): (usize, &&str)| {
        let told = json!({"chosenCandidates": [all["chosenCandidates"][index]], "topCandidates": [all["topCandidates"][index]]});
        let last = index + 1 == PIECES.len();
        let candidate = json!({"content": {"role": "model", "parts": [{"text": piece}]}, "index": 0,
            "finishReason": if last { json!("STOP") } else { Value::Null }, "logprobsResult": told});
        format!("data: {}\n\n", json!({ "candidates": [candidate] }))
    };
    let body = PIECES.iter().enumerate().map(part).collect();
    assert_eq!(shares(&streamed(GEMINI, "gemini", body).await), EXPECTED);
}

fn refusal(status: u16, message: &str) -> ResponseTemplate {
    let error =
        json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}});
    ResponseTemplate::new(status).set_body_json(error)
}

/// Asks one model twice, as a judge does.
async fn twice(bench: &Bench) -> [Result<Option<[f64; 2]>, Fault>; 2] {
    let env = |name: &str| (name == "TEST_KEY").then(|| crate::bench::KEY.to_owned());
    let model = llm::build(&bench.spec, &Outside::new(bench.http.clone(), std::sync::Arc::new(env))).unwrap();
    let question = question();
    let ask = async || model.complete(&question, &bench.log).await.map(|reply| shares(&reply.odds));
    [ask().await, ask().await]
}

#[tokio::test]
async fn an_api_that_refuses_is_asked_without_and_not_again() {
    for (kind, dialect, status, why, plain) in [
        (
            OPENAI,
            "openai",
            403,
            "You are not allowed to request logprobs from this model",
            completion(&Value::Null),
        ),
        (
            OPENAI,
            "openai",
            400,
            "Unsupported parameter: 'logprobs' is not supported with this model.",
            completion(&Value::Null),
        ),
        (
            OPENAI,
            "openai_responses",
            400,
            "logprobs are not supported with reasoning models.",
            response("completed", &json!([message(&text(&whole_text()))])),
        ),
        (GEMINI, "gemini", 400, "Logprobs is not enabled for models/m", gemini(&Value::Null)),
        (OPENAI, "openai", 422, "Extra inputs are not permitted", completion(&Value::Null)),
    ] {
        let bench = bench(kind, dialect, vec![refusal(status, why), ok(&plain), ok(&plain)]).await;
        let [first, second] = twice(&bench).await;
        assert_eq!((first.unwrap(), second.unwrap()), (None, None), "{why}");
        let asked: Vec<bool> = bench
            .api
            .bodies
            .lock()
            .unwrap()
            .iter()
            .map(|body| body.to_string().to_lowercase().contains("logprobs"))
            .collect();
        assert_eq!(asked, [true, false, false], "{why}");
        let [(noted, message, wait)] = &bench.failed()[..] else { panic!("one attempt failed") };
        assert_eq!((*noted, *wait), (Some(status), None), "the refusal is on record");
        assert!(message.contains(why), "{message}");
    }
}

#[tokio::test]
async fn a_request_that_is_refused_for_something_else_stays_refused() {
    let no = || refusal(400, "The model does not exist");
    let odds = completion(&json!({"content": tokens()}));
    let bench = bench(OPENAI, "openai", vec![no(), no(), ok(&odds)]).await;
    let [first, second] = twice(&bench).await;
    assert_eq!(first.unwrap_err().code, "model.refused-request");
    assert_eq!(second.unwrap(), EXPECTED, "nothing was learnt of log probabilities");
}

#[tokio::test]
async fn hostile_lists_cost_their_odds_and_never_the_answer() {
    let (mut lifted, mut missing, mut other) = (tokens(), tokens(), tokens());
    lifted[2]["top_logprobs"][1]["logprob"] = json!(3.0);
    missing.as_array_mut().unwrap().remove(1);
    other[2] = token("yes");
    let mut endless = tokens();
    endless[2]["top_logprobs"] = (0..200_000).map(|_| json!({"token": "no", "logprob": -0.1})).collect();
    let many: Value = vec![token("x"); 30_000].into();
    for (name, list) in [
        ("a probability above 1", lifted),
        ("a missing token", missing),
        ("another word", other),
        ("endless tokens", many),
        ("a word", json!("x")),
        ("numbers", json!([1, 2])),
        ("nothing", json!([])),
    ] {
        let answers = vec![ok(&completion(&json!({"content": list.clone()}))), ok(&completion(&list))];
        let bench = bench(OPENAI, "openai", answers).await;
        for _ in 0..2 {
            let reply = bench.ask(&question()).await.unwrap();
            assert_eq!((reply.text, reply.odds), (Some(whole_text()), Odds::new()), "{name}");
        }
    }
    // Of megabytes in the place of one token no more is kept than was asked for.
    let bench = bench(OPENAI, "openai", vec![ok(&completion(&json!({ "content": endless })))]).await;
    assert_eq!(shares(&bench.ask(&question()).await.unwrap().odds), Some([0.0, 0.6]));
}
