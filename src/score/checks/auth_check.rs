//! `auth_check`: a protocol probe of authorization found nothing wrong.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, Weight};
use crate::auth::checks as auth;
use crate::auth::checks::shown;
use crate::auth::checks::AuthCheck as Row;
use crate::diag::suggest;
use crate::display::excerpt;
use crate::score::NOT_APPLICABLE;
use crate::transcript::Transcript;

/// What one check of the authorization battery says of its recorded probes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthCheck {
    /// The check's id, such as `D03`.
    pub id: String,
}

impl Short for AuthCheck {
    const EXPECTS: &'static str = "the id of an auth check, or a map with `id`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["string"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Text(id) => Some(Self { id }),
            _ => None,
        }
    }
}

/// What the battery says, in the words of this side. A question that does not arise neither holds nor fails.
fn translate(check: &Row, seen: auth::Seen, transcript: &Transcript) -> Seen {
    let title = check.title;
    match seen {
        auth::Seen::Holds(why, evidence) => Seen::pass(format!("{title}: {}", excerpt(&why, 200)), evidence),
        auth::Seen::Broken(why, evidence) => {
            let exchange = shown::exchange(transcript, &evidence);
            let exchange = exchange.map(|text| format!("; {text}")).unwrap_or_default();
            let section = check.section;
            let why = format!("expected that {title} ({section}), observed: {}{exchange}", excerpt(&why, 300));
            Seen::fail(why, evidence)
        }
        auth::Seen::DoesNotApply(why) => {
            Seen::unscored(NOT_APPLICABLE, format!("{title}: does not apply, {}", excerpt(&why, 200)), [])
        }
        auth::Seen::Inconclusive(why) => {
            Seen::unscored("auth.inconclusive", format!("{title}: not shown, {}", excerpt(&why, 200)), [])
        }
    }
}

impl Examine for AuthCheck {
    fn examine(&self, view: &View<'_>) -> Seen {
        match auth::find(&self.id) {
            Some(check) => translate(check, check.judge(view.transcript()), view.transcript()),
            None => Seen::unscored("check.unknown-auth-check", self.unknown(), []),
        }
    }

    fn weight(&self) -> Weight {
        match auth::find(&self.id) {
            Some(check) if !check.gates() => Weight::Info,
            _ => Weight::Security,
        }
    }

    fn problems(&self) -> Vec<String> {
        match auth::find(&self.id) {
            Some(_) => vec![],
            None => vec![format!("{}; {}", self.unknown(), suggest::hint(&self.id, auth::ids()))],
        }
    }
}

impl AuthCheck {
    fn unknown(&self) -> String {
        format!("there is no auth check `{}`", excerpt(&self.id, 40))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::checks::imagined::finished;
    use crate::transcript::{Body, Clock, HttpSide, Recorder, Secrets, What};

    /// A record of one exchange: a call with a token that was answered.
    fn record() -> Transcript {
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || std::time::Duration::ZERO);
        let log = Recorder::new(clock, Secrets::default());
        let side = |start: &str, (name, value): (&str, &str), body: &str| HttpSide {
            start: start.to_owned(),
            headers: vec![(name.to_owned(), value.to_owned())],
            body: Body::Text(body.to_owned()),
        };
        let authorization = ("authorization", "Bearer [token:customer]");
        let challenge = ("www-authenticate", "Bearer error=\"invalid_token\"");
        log.note(What::Exchanged {
            label: "attempt: tools/list".to_owned(),
            request: side("POST http://127.0.0.1:8000/mcp", authorization, "{}"),
            response: Ok(side("200", challenge, "{\"result\":\n  {\"tools\": []}}")),
            took_ms: 1,
        });
            finished(&log)
    }

    #[test]
    fn every_word_of_the_battery_is_translated() {
        let check = auth::find("D03").unwrap();
        let record = record();
        let lines: Vec<String> = [
            auth::Seen::Holds("HTTP 401".into(), vec![1]),
            auth::Seen::Broken("accepted with HTTP 200".into(), vec![0]),
            auth::Seen::DoesNotApply("needs a token".into()),
            auth::Seen::Inconclusive("no answer".into()),
        ]
        .into_iter()
        .map(|seen| translate(check, seen, &record))
        .map(|seen| format!("{:?} {:?} {}", seen.grade, seen.evidence, seen.why))
        .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Pass [1] an expired token is refused: HTTP 401
        Fail [0] expected that an expired token is refused (authorization: token handling), observed: accepted with HTTP 200; sent: POST http://127.0.0.1:8000/mcp tools/list, authorization: Bearer [token:customer]; got: 200, www-authenticate: Bearer error="invalid_token", {"result": {"tools": []}}
        Unscored(Fault { side: Harness, code: "auth.not-applicable", retryable: false, message: "an expired token is refused: does not apply, needs a token" }) [] an expired token is refused: does not apply, needs a token
        Unscored(Fault { side: Harness, code: "auth.inconclusive", retryable: false, message: "an expired token is refused: not shown, no answer" }) [] an expired token is refused: not shown, no answer
        "#);
    }

    #[test]
    fn only_musts_weigh_as_security() {
        for check in auth::TABLE {
            let weight = AuthCheck { id: check.id.to_owned() }.weight();
            assert_eq!(weight == Weight::Security, check.gates(), "{}", check.id);
        }
    }
}
