//! A transcript as text for `rehearsal show RUN CASE`.
//!
//! Words of the model, the server and the user stand behind a bar, bounded and made safe, so that none of them can act
//! on the terminal or pass for a line of this program.

use serde_json::Value;

use super::paint::{Style, Tone};
use super::wrap::lines;
use super::{figures, judging, questions, summary};
use crate::display;
use crate::score::{Grade, Outcome, Verdict, Weight};
use crate::transcript::event::{AuthMessage, Caller};
use crate::transcript::view::text_of;
use crate::transcript::{Body, End, Event, HttpSide, Transcript, What, WireMessage};

mod asking;

/// Most characters of one block of words.
const BLOCK: usize = 4000;
/// Most lines of one block of words.
const BLOCK_LINES: usize = 40;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Turns, calls, results and findings.
    Brief,
    /// Everything, the messages on the wire included.
    Wire,
}

/// How a transcript is shown.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Marks and colours.
    pub style: Style,
    /// Width of the terminal in cells; held between 60 and 120.
    pub width: u16,
    /// How much.
    pub detail: Detail,
}

/// Renders one trial with its findings, if it is scored.
pub fn render(transcript: &Transcript, verdict: Option<&Verdict>, look: Look) -> String {
    let mut page = Page { look, width: usize::from(look.width.clamp(60, 120)), out: String::new() };
    page.header(transcript);
    for event in &transcript.events {
        page.event(event);
    }
    page.end(transcript);
    if let Some(verdict) = verdict {
        page.verdict(verdict);
    }
    look.style.finish(page.out)
}

struct Page {
    look: Look,
    width: usize,
    out: String,
}

impl Page {
    fn line(&mut self, text: &str) {
        self.out.push_str(text.trim_end());
        self.out.push('\n');
    }

    /// A heading: the event's number, its time, what happened in words of this program.
    fn heading(&mut self, event: &Event, tone: Tone, text: &str) {
        let stamp = format!("#{} {:.1}s", event.seq, event.at_ms as f64 / 1000.0);
        let text = display::excerpt(text, self.width.saturating_sub(16));
        let line = format!(
            "{}  {}",
            self.look.style.paint(Tone::Dim, &format!("{stamp:<12}")),
            self.look.style.paint(tone, &text)
        );
        self.line(&line);
    }

    /// Words of others.
    fn words(&mut self, text: &str) {
        let long = text.chars().nth(BLOCK).is_some();
        let head: String = text.chars().take(BLOCK).collect();
        let safe = display::safe(&head).replace('\t', "    ");
        let all = lines(&safe, self.width, ["│ ", "│ "]);
        let shown = all.len().min(BLOCK_LINES);
        for line in &all[..shown] {
            self.line(line);
        }
        if long || shown < all.len() {
            let all = figures::thousands(text.chars().count() as u64);
            self.line(&format!("  … cut here, {all} characters in all"));
        }
    }

    /// Words of others, if there are any.
    fn some(&mut self, text: &str) {
        if !text.is_empty() {
            self.words(text);
        }
    }

    fn json(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.words(text),
            value => self.words(&value.to_string()),
        }
    }

    fn header(&mut self, transcript: &Transcript) {
        let header = &transcript.header;
        let model = header.model.as_ref().map(crate::ids::ModelName::as_str);
        let facts =
            [Some(header.case.as_str()), model, Some(header.persona.as_str()), Some(header.client.as_str())];
        let facts: Vec<String> = facts.into_iter().flatten().map(|fact| display::excerpt(fact, 80)).collect();
        let text =
            format!("{}{}trial {}", facts.join(self.look.style.dot()), self.look.style.dot(), header.trial);
        for line in lines(&text, self.width, ["", "│ "]) {
            let line = self.look.style.paint(Tone::Strong, &line);
            self.line(&line);
        }
        let place = format!(
            "{}, started {}",
            summary::Place::from(&header.origin),
            super::figures::moment(&transcript.started)
        );
        let place = self.look.style.paint(Tone::Dim, &display::safe_line(&place));
        self.line(&place);
        self.line("");
    }

    fn event(&mut self, event: &Event) {
        match &event.what {
            What::UserSaid { text, simulated } => {
                let who = if *simulated { "user (played by a model)" } else { "user" };
                self.heading(event, Tone::Strong, who);
                self.words(text);
            }
            What::UserPlayed { .. } | What::AgentRan { .. } => self.around(event),
            What::ModelSaid { .. } => self.model(event),
            What::ToolCalled { .. }
            | What::ToolReturned { .. }
            | What::ToolRefused { .. }
            | What::ToolRejected { .. }
            | What::ClientAnswered { .. } => self.tool(event),
            What::FeaturesListed { .. } | What::Fetched { .. } | What::IdentityChanged { .. } => {
                self.access(event);
            }
            What::ServerOpened(_)
            | What::ToolsListed { .. }
            | What::ServerAsked { .. }
            | What::SamplingAnswered { .. }
            | What::AnswerOdd { .. }
            | What::ServerNoted { .. }
            | What::ServerOdd { .. }
            | What::ServerStderr { .. } => self.server(event),
            What::ModelAsked { .. }
            | What::OfferLost { .. }
            | What::ResultLost { .. }
            | What::ModelAttemptFailed { .. } => self.asking(event),
            What::Exchanged { label, request, response, took_ms } => {
                self.heading(event, Tone::Strong, &format!("probe {label} ({took_ms} ms)"));
                self.exchange(request, response);
            }
            What::StepRan { phase, about, result, ok } => {
                let tone = if *ok { Tone::Dim } else { Tone::Bad };
                let outcome = if *ok { "worked" } else { "failed" };
                self.heading(event, tone, &format!("{phase} {about}: {outcome}"));
                self.json(result);
            }
            What::Auth(message) => self.auth(event, message),
            What::Wire(message) if self.look.detail == Detail::Wire => self.wire(event, message),
            What::Wire(_) => {}
        }
    }

    fn model(&mut self, event: &Event) {
        let What::ModelSaid { text, reasoning, calls, usage, cost, stop, took_ms, .. } = &event.what else {
            return;
        };
        let mut facts = vec![format!("{} in, {} out", usage.input, usage.output), format!("{took_ms} ms")];
        facts.push(figures::money(*cost, 0));
        facts.push(format!("stop {stop}"));
        self.heading(event, Tone::Strong, &format!("model ({})", facts.join(", ")));
        if let Some(reasoning) = reasoning.as_ref().filter(|_| self.look.detail == Detail::Wire) {
            self.line("  reasoning");
            self.words(reasoning);
        }
        if let Some(text) = text {
            self.words(text);
        }
        for call in calls {
            let name = display::excerpt(call.name.as_str(), 80);
            self.line(&format!("  asks for `{name}`"));
        }
    }

    /// What is no part of the conversation itself: who plays the user, how a program ended.
    fn around(&mut self, event: &Event) {
        match &event.what {
            What::UserPlayed { model, over, usage, cost, took_ms, .. } => {
                let facts = format!("{} in, {} out, {took_ms} ms", usage.input, usage.output);
                let money = figures::money(*cost, 0);
                self.heading(
                    event,
                    Tone::Dim,
                    &format!("`{model}` plays the user ({facts}, {money}, apart)"),
                );
                self.words(&over.as_ref().map(|why| format!("is done: {why}")).unwrap_or_default());
            }
            What::AgentRan { ended, stdout, stderr, bytes, took_ms } => {
                let facts = format!("{bytes} bytes on stdout, {took_ms} ms");
                self.heading(event, Tone::Dim, &format!("the agent {ended} ({facts})"));
                if self.look.detail == Detail::Wire {
                    self.words(stdout);
                }
                self.words(stderr.trim());
            }
            _ => {}
        }
    }

    fn tool(&mut self, event: &Event) {
        match &event.what {
            What::ToolCalled { name, args, by, .. } => {
                let by = match by {
                    Caller::Model => "",
                    Caller::Harness => " by rehearsal",
                };
                self.heading(event, Tone::Strong, &format!("call `{name}`{by}"));
                self.json(args);
            }
            What::ToolReturned { content, structured, is_error, bytes, cut_by_client, took_ms, .. } => {
                let (word, tone) =
                    if *is_error { ("error result", Tone::Bad) } else { ("result", Tone::Good) };
                let cut = cut_by_client.map(|cut| format!(", {cut} bytes cut by the client profile"));
                let cut = cut.unwrap_or_default();
                self.heading(event, tone, &format!("{word} ({bytes} bytes, {took_ms} ms{cut})"));
                match structured {
                    Some(value) => self.json(value),
                    None if text_of(content).is_empty() => self.json(&Value::Array(content.clone())),
                    None => self.words(&text_of(content)),
                }
            }
            What::ToolRefused { code, status, message, took_ms, .. } => {
                let code = code.map(|code| format!(" {code}")).unwrap_or_default();
                let status = status.map(|status| format!(" HTTP {status}")).unwrap_or_default();
                self.heading(event, Tone::Bad, &format!("refused{code}{status} ({took_ms} ms)"));
                self.words(message);
            }
            What::ToolRejected { name, message, .. } => {
                self.heading(event, Tone::Bad, &format!("`{name}` never left rehearsal"));
                self.words(message);
            }
            What::ClientAnswered { name, args, text, .. } => {
                self.heading(event, Tone::Dim, &format!("`{name}` answered by the emulated client"));
                self.json(args);
                self.words(text);
            }
            _ => {}
        }
    }

    fn access(&mut self, event: &Event) {
        match &event.what {
            What::FeaturesListed { resources, templates, prompts } => {
                let counts = [(resources, "resource"), (templates, "resource template"), (prompts, "prompt")];
                let counts = counts.map(|(list, noun)| figures::count(list.len() as u64, noun));
                self.heading(event, Tone::Dim, &counts.join(", "));
                let names: Vec<&str> =
                    resources.iter().chain(templates).chain(prompts).map(String::as_str).collect();
                self.words(&names.join(", "));
            }
            What::Fetched { subject, args, refused, took_ms } => {
                let name = display::excerpt(subject.name(), 100);
                let what = format!("{} {} `{name}` by rehearsal", subject.verb(), subject.kind());
                match refused {
                    None => self.heading(event, Tone::Good, &format!("{what} ({took_ms} ms)")),
                    Some(refused) => {
                        let code = refused.code.map(|code| format!(" {code}")).unwrap_or_default();
                        let status =
                            refused.status.map(|status| format!(" HTTP {status}")).unwrap_or_default();
                        self.heading(
                            event,
                            Tone::Bad,
                            &format!("{what}: refused{code}{status} ({took_ms} ms)"),
                        );
                        self.words(&refused.message);
                    }
                }
                if !args.is_null() {
                    self.json(args);
                }
            }
            What::IdentityChanged { to } => {
                let to = display::excerpt(to.as_str(), 80);
                self.heading(event, Tone::Strong, &format!("the same caller, from here on as `{to}`"));
            }
            _ => {}
        }
    }

    fn server(&mut self, event: &Event) {
        match &event.what {
            What::ServerOpened(facts) => {
                let text = format!("session with {} {} ({})", facts.name, facts.version, facts.protocol);
                self.heading(event, Tone::Dim, &text);
                if let Some(text) = &facts.instructions {
                    self.words(text);
                }
            }
            What::ToolsListed { tools } => {
                self.heading(event, Tone::Dim, &figures::count(tools.len() as u64, "tool"));
                let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
                self.words(&names.join(", "));
            }
            What::ServerAsked { method, params, answered } => {
                let told = questions::tell(method, params, answered);
                self.heading(event, Tone::Strong, &told.asks);
                self.some(&told.question);
                self.line(&format!("  {}", display::excerpt(&told.answers, 100)));
                self.some(&told.answer);
            }
            What::SamplingAnswered { model, usage, cost, stop, took_ms, .. } => {
                let tokens = format!("{} in, {} out", usage.input, usage.output);
                let money = figures::money(*cost, 0);
                let facts = format!("{tokens}, {took_ms} ms, {money}, stop {stop}");
                self.heading(event, Tone::Dim, &format!("`{model}` answers for the client ({facts})"));
            }
            What::AnswerOdd { method, message } => {
                self.heading(event, Tone::Warn, &format!("the scripted answer to `{method}` does not fit"));
                self.words(message);
            }
            What::ServerNoted { method, params } => {
                self.heading(event, Tone::Dim, &format!("server notes `{method}`"));
                if self.look.detail == Detail::Wire {
                    self.json(params);
                }
            }
            What::ServerOdd { message } => {
                self.heading(event, Tone::Warn, "server broke the protocol");
                self.words(message);
            }
            What::ServerStderr { text } => {
                self.heading(event, Tone::Dim, "server's stderr");
                self.words(text);
            }
            _ => {}
        }
    }

    /// What an identity asked of its authorization servers; the messages whole only where the wire is shown.
    fn auth(&mut self, event: &Event, message: &AuthMessage) {
        let is_whole = self.look.detail == Detail::Wire;
        match message {
            AuthMessage::Sent { request } => {
                self.heading(event, Tone::Dim, "authorization: sent");
                self.words(&request.start);
                if is_whole {
                    self.headers(&request.headers);
                    self.body(&request.body);
                }
            }
            AuthMessage::Received { answer: Ok(answer), took_ms, .. } => {
                let text = format!("authorization: answered HTTP {} ({took_ms} ms)", answer.start);
                self.heading(event, Tone::Dim, &text);
                if is_whole {
                    self.headers(&answer.headers);
                    self.body(&answer.body);
                }
            }
            AuthMessage::Received { answer: Err(why), took_ms, .. } => {
                self.heading(event, Tone::Warn, &format!("authorization: no answer ({took_ms} ms)"));
                self.words(why);
            }
            AuthMessage::Noted { message } => {
                self.heading(event, Tone::Dim, "authorization");
                self.words(message);
            }
        }
    }

    fn exchange(&mut self, request: &HttpSide, response: &Result<HttpSide, String>) {
        self.http("sent", request);
        match response {
            Ok(response) => self.http("received", response),
            Err(message) => {
                self.line("  no response");
                self.words(message);
            }
        }
    }

    fn http(&mut self, label: &str, side: &HttpSide) {
        self.line(&format!("  {label}"));
        self.words(&side.start);
        self.headers(&side.headers);
        self.body(&side.body);
    }

    fn headers(&mut self, headers: &[(String, String)]) {
        let text: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        if !text.is_empty() {
            self.words(&text.join("\n"));
        }
    }

    fn body(&mut self, body: &Body) {
        if !body.is_empty() {
            self.words(&body.to_text());
        }
    }

    fn wire(&mut self, event: &Event, message: &WireMessage) {
        match message {
            WireMessage::Sent { via, headers, body } => {
                self.heading(event, Tone::Dim, &format!("wire: sent by {via}"));
                self.headers(headers);
                self.body(body);
            }
            WireMessage::Received { via, status, body, .. } => {
                let status = status.map(|status| format!(", HTTP {status}")).unwrap_or_default();
                self.heading(event, Tone::Dim, &format!("wire: received by {via}{status}"));
                self.headers(&message.head());
                self.body(body);
            }
        }
    }

    fn end(&mut self, transcript: &Transcript) {
        self.line("");
        let took = figures::duration(transcript.took_ms as f64 / 1000.0);
        match &transcript.end {
            End::Done => self.line(&format!("done after {took}")),
            End::OutOf(limit) => self.line(&format!("limit reached after {took}: {limit:?}").to_lowercase()),
            End::Interrupted => self.line(&format!("interrupted after {took}")),
            End::Faulted(fault) => {
                let code = display::excerpt(&fault.code, 80);
                self.line(&format!("fault after {took}: {code} ({})", fault.side.as_str()));
                self.words(&fault.message);
            }
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        let outcome = verdict.outcome();
        let tone = match outcome {
            Outcome::Pass => Tone::Good,
            Outcome::Fail => Tone::Bad,
            Outcome::Invalid => Tone::Warn,
        };
        self.line("");
        let word = self.look.style.paint(tone, outcome.as_str());
        let all = figures::count(verdict.findings.len() as u64, "finding");
        self.line(&format!("{word}, {all}"));
        for finding in &verdict.findings {
            let (tick, tone) = match finding.grade {
                Grade::Pass => (self.look.style.tick(Some("pass")), Tone::Good),
                Grade::Fail => (self.look.style.tick(Some("fail")), Tone::Bad),
                Grade::Unscored(_) => (self.look.style.tick(Some("invalid")), Tone::Warn),
            };
            let tick = self.look.style.paint(tone, &tick.to_string());
            let check = display::excerpt(&finding.check, 60);
            let weight = match finding.weight {
                Weight::Must => "",
                Weight::Security => ", security",
                Weight::Info => ", info",
            };
            let events: Vec<String> = finding.evidence.iter().take(8).map(|seq| format!("#{seq}")).collect();
            let events = if events.is_empty() { String::new() } else { format!("  {}", events.join(" ")) };
            let place = summary::Place::from(&finding.origin);
            self.line(&format!("{tick} {check}{weight}  {place}{events}"));
            judging::words(finding).iter().for_each(|text| self.words(text));
        }
    }
}
