//! What each event is called on its card. The headings are words of this program; names in them are bounded and inert.

use serde_json::Value;

use super::shown::Card;
use crate::report::{figures, questions};
use crate::transcript::event::{AuthMessage, Caller};
use crate::transcript::{Body, Event, HttpSide, Loss, ToolCall, Usage, What, WireMessage};

/// The card of an event.
pub(super) fn card(event: &Event) -> Card {
    match &event.what {
        What::UserSaid { text, simulated } => {
            let who = if *simulated { "user (played by a model)" } else { "user" };
            Card::new(event, "user", who).part("", text)
        }
        What::ModelSaid { .. }
        | What::UserPlayed { .. }
        | What::AgentRan { .. }
        | What::SamplingAnswered { .. }
        | What::ModelAsked { .. }
        | What::OfferLost { .. }
        | What::ResultLost { .. }
        | What::ModelAttemptFailed { .. } => model(event),
        What::ToolCalled { .. }
        | What::ToolReturned { .. }
        | What::ToolRefused { .. }
        | What::ToolRejected { .. }
        | What::ClientAnswered { .. } => tool(event),
        What::Auth(message) => auth(event, message),
        What::Wire(message) => wire(event, message),
        What::Exchanged { label, request, response, took_ms } => {
            let mut card = Card::new(event, "probe", &format!("probe {label}")).took(*took_ms);
            card = card.fact(ms(*took_ms)).part("sent", &side(request));
            match response {
                Ok(response) => card.part("received", &side(response)),
                Err(why) => card.tone("warn").part("no response", why),
            }
        }
        _ => server(event),
    }
}

fn lost(losses: &[Loss]) -> String {
    let all = losses.iter().map(|loss| format!("{} {}: {}", loss.tool, loss.place, loss.what));
    all.collect::<Vec<_>>().join("\n")
}

fn ms(took: u64) -> String {
    format!("{} ms", figures::thousands(took))
}

/// Tokens, time, price and why it stopped.
fn paid(card: Card, usage: &Usage, cost: Option<f64>, took_ms: u64) -> Card {
    let tokens =
        format!("{} tokens in, {} out", figures::thousands(usage.input), figures::thousands(usage.output));
    card.fact(tokens).fact(figures::money(cost, 0)).fact(ms(took_ms)).took(took_ms)
}

fn model(event: &Event) -> Card {
    match &event.what {
        What::ModelSaid { text, reasoning, calls, usage, cost, stop, took_ms, refused, model_id, .. } => {
            let title = if *refused { "model refuses" } else { "model" };
            let card = paid(Card::new(event, "model", title), usage, *cost, *took_ms);
            let card = card.fact(format!("stop {stop}"));
            let card = model_id.iter().fold(card, Card::fact);
            let card = card.part("reasoning", reasoning.as_deref().unwrap_or_default());
            let card = card.part("", text.as_deref().unwrap_or_default());
            let card = if *refused { card.tone("warn") } else { card };
            card.part("asks for", &asked(calls))
        }
        What::UserPlayed { model, over, usage, cost, took_ms, .. } => {
            let card = Card::new(event, "note", &format!("`{model}` plays the user"));
            paid(card, usage, *cost, *took_ms).part("is done", over.as_deref().unwrap_or_default())
        }
        What::AgentRan { ended, stdout, stderr, bytes, took_ms } => {
            let card = Card::new(event, "model", &format!("the agent {ended}")).took(*took_ms);
            let card = card.fact(ms(*took_ms)).fact(format!("{} on stdout", figures::count(*bytes, "byte")));
            card.part("stdout", stdout).part("stderr", stderr.trim())
        }
        What::SamplingAnswered { model, text, calls, usage, cost, stop, took_ms, .. } => {
            let card = Card::new(event, "note", &format!("`{model}` answers for the client"));
            let card = paid(card, usage, *cost, *took_ms).fact(format!("stop {stop}"));
            card.part("", text.as_deref().unwrap_or_default()).part("asks for", &asked(calls))
        }
        What::ModelAsked { offered, messages, .. } => {
            let names: Vec<&str> = offered.iter().map(crate::ids::ToolName::as_str).collect();
            let card = Card::new(event, "note", "to the model").fact(figures::count(*messages, "message"));
            let card = card.fact(figures::count(names.len() as u64, "tool"));
            card.part("offered", &names.join(", ")).raw()
        }
        What::OfferLost { losses } => {
            let title = "the model's API does not take all that the tools say";
            Card::new(event, "note", title).part("", &lost(losses)).raw()
        }
        What::ResultLost { api, client, .. } => {
            let card = Card::new(event, "note", "not all of the result reaches the model").tone("warn");
            card.part("by the client", &lost(client)).part("by the model's API", &lost(api))
        }
        What::ModelAttemptFailed { attempt, status, message, wait_ms } => {
            let card =
                Card::new(event, "note", &format!("attempt {attempt} at the model failed")).tone("warn");
            let card = status.iter().fold(card, |card, status| card.fact(format!("HTTP {status}")));
            let wait = wait_ms.map_or("no further attempt".to_owned(), |wait| format!("waited {}", ms(wait)));
            card.fact(wait).part("", message)
        }
        _ => Card::new(event, "note", "event"),
    }
}

/// The names; the arguments stand with the call.
fn asked(calls: &[ToolCall]) -> String {
    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    names.join(", ")
}

fn tool(event: &Event) -> Card {
    match &event.what {
        What::ToolCalled { name, args, by, .. } => {
            let by = match by {
                Caller::Model => "",
                Caller::Harness => " by rehearsal",
            };
            Card::new(event, "call", &format!("call {name}{by}")).json("arguments", args)
        }
        What::ToolReturned { content, structured, is_error, bytes, cut_by_client, took_ms, .. } => {
            let (title, tone) = if *is_error { ("error result", "bad") } else { ("result", "good") };
            let card = Card::new(event, "result", title).tone(tone).took(*took_ms);
            let card = card.fact(figures::count(*bytes, "byte")).fact(ms(*took_ms));
            let card = cut_by_client.iter().fold(card, |card, cut| {
                card.fact(format!("{} cut by the client profile", figures::count(*cut, "byte")))
            });
            let card = content.iter().fold(card, block);
            card.json("structured", structured.as_ref().unwrap_or(&Value::Null))
        }
        What::ToolRefused { code, status, message, challenge, took_ms, .. } => {
            let card = Card::new(event, "result", "refused").tone("bad").took(*took_ms);
            let card = status.iter().fold(card, |card, status| card.fact(format!("HTTP {status}")));
            let card = code.iter().fold(card, |card, code| card.fact(format!("code {code}")));
            card.fact(ms(*took_ms))
                .part("", message)
                .part("challenge", challenge.as_deref().unwrap_or_default())
        }
        What::ToolRejected { name, message, .. } => {
            Card::new(event, "result", &format!("{name} never left rehearsal")).tone("bad").part("", message)
        }
        What::ClientAnswered { name, args, text, .. } => {
            let card = Card::new(event, "result", &format!("{name} answered by the emulated client"));
            card.json("arguments", args).part("", text)
        }
        _ => Card::new(event, "note", "event"),
    }
}

/// A content block of a result: text as text, media by its size, anything else as JSON.
fn block(card: Card, content: &Value) -> Card {
    if let Some(text) = content.get("text").and_then(Value::as_str) {
        return card.part("", text);
    }
    match content.get("data").and_then(Value::as_str) {
        Some(data) => {
            let kind = content.get("mimeType").and_then(Value::as_str).unwrap_or("data");
            let size = figures::thousands(data.len() as u64);
            card.part("media", &format!("{kind}, {size} characters of base64, not shown"))
        }
        None => card.json("block", content),
    }
}

fn server(event: &Event) -> Card {
    match &event.what {
        What::ServerOpened(facts) => {
            let title = format!("session with {} {} ({})", facts.name, facts.version, facts.protocol);
            let card = Card::new(event, "server", &title);
            card.part("instructions", facts.instructions.as_deref().unwrap_or_default())
        }
        What::ToolsListed { tools } => {
            let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
            let title = figures::count(names.len() as u64, "tool");
            Card::new(event, "server", &format!("{title} listed")).part("", &names.join(", "))
        }
        What::FeaturesListed { resources, templates, prompts } => {
            let card = Card::new(event, "server", "resources and prompts listed");
            let card = card.part("resources", &resources.join("\n")).part("templates", &templates.join("\n"));
            card.part("prompts", &prompts.join("\n"))
        }
        What::Fetched { subject, args, refused, took_ms } => {
            let title = format!("{} {} {} by rehearsal", subject.verb(), subject.kind(), subject.name());
            let card = Card::new(event, "call", &title).fact(ms(*took_ms)).took(*took_ms);
            let card = card.json("arguments", args);
            match refused {
                None => card.tone("good"),
                Some(refused) => card.tone("bad").part("refused", &refused.message),
            }
        }
        What::IdentityChanged { to } => {
            Card::new(event, "server", &format!("the same caller, from here on as {to}"))
        }
        What::ServerAsked { method, params, answered } => {
            let told = questions::tell(method, params, answered);
            let card = Card::new(event, "server", &told.asks).part("", &told.question);
            card.fact(&told.answers).part("answer", &told.answer)
        }
        What::AnswerOdd { method, message } => {
            let title = format!("the scripted answer to {method} does not fit");
            Card::new(event, "note", &title).tone("warn").part("", message)
        }
        What::ServerNoted { method, params } => {
            Card::new(event, "note", &format!("server notes {method}")).json("", params).raw()
        }
        What::ServerOdd { message } => {
            Card::new(event, "note", "server broke the protocol").tone("warn").part("", message)
        }
        What::ServerStderr { text } => Card::new(event, "note", "server's stderr").part("", text).raw(),
        What::StepRan { phase, about, result, ok } => {
            let (word, tone) = if *ok { ("worked", "good") } else { ("failed", "bad") };
            Card::new(event, "step", &format!("{phase} {about}: {word}")).tone(tone).json("", result)
        }
        _ => Card::new(event, "note", "event"),
    }
}

fn auth(event: &Event, message: &AuthMessage) -> Card {
    match message {
        AuthMessage::Sent { request } => {
            let title = format!("authorization: {}", request.start);
            Card::new(event, "auth", &title).part("", &side(request)).raw()
        }
        AuthMessage::Received { answer: Ok(answer), took_ms, .. } => {
            let title = format!("authorization: answered HTTP {}", answer.start);
            let card = Card::new(event, "auth", &title).fact(ms(*took_ms)).took(*took_ms);
            card.part("", &side(answer)).raw()
        }
        AuthMessage::Received { answer: Err(why), took_ms, .. } => {
            let card = Card::new(event, "auth", "authorization: no answer").tone("warn");
            card.fact(ms(*took_ms)).took(*took_ms).part("", why)
        }
        AuthMessage::Noted { message } => Card::new(event, "auth", "authorization").part("", message).raw(),
    }
}

fn wire(event: &Event, message: &WireMessage) -> Card {
    match message {
        WireMessage::Sent { via, headers: all, body } => {
            let card = Card::new(event, "wire", &format!("sent by {via}")).raw();
            card.part("headers", &headers(all)).part("", &text(body))
        }
        WireMessage::Received { via, status, body, .. } => {
            let status = status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
            let card = Card::new(event, "wire", &format!("received by {via}{status}")).raw();
            card.part("headers", &headers(&message.head())).part("", &text(body))
        }
    }
}

fn headers(all: &[(String, String)]) -> String {
    let lines: Vec<String> = all.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    lines.join("\n")
}

fn text(body: &Body) -> std::borrow::Cow<'_, str> {
    body.to_text()
}

fn side(side: &HttpSide) -> String {
    let mut out = side.start.clone();
    for more in [headers(&side.headers), text(&side.body).into_owned()] {
        if !more.is_empty() {
            out.push('\n');
            out.push_str(&more);
        }
    }
    out
}
