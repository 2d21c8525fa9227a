//! `auth_check`: a protocol probe of authorization found nothing wrong.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, Weight};
use crate::auth::checks as auth;
use crate::auth::checks::AuthCheck as Row;
use crate::diag::suggest;
use crate::display::excerpt;
use crate::score::NOT_APPLICABLE;

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
fn translate(check: &Row, seen: auth::Seen) -> Seen {
    let title = check.title;
    match seen {
        auth::Seen::Holds(why, evidence) => Seen::pass(format!("{title}: {}", excerpt(&why, 200)), evidence),
        auth::Seen::Broken(why, evidence) => {
            let why = format!("expected that {title}, observed: {} ({})", excerpt(&why, 300), check.section);
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
            Some(check) => translate(check, check.judge(view.transcript())),
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

    #[test]
    fn every_word_of_the_battery_is_translated() {
        let check = auth::find("D03").unwrap();
        let lines: Vec<String> = [
            auth::Seen::Holds("HTTP 401".into(), vec![1]),
            auth::Seen::Broken("accepted with HTTP 200".into(), vec![2]),
            auth::Seen::DoesNotApply("needs a token".into()),
            auth::Seen::Inconclusive("no answer".into()),
        ]
        .into_iter()
        .map(|seen| translate(check, seen))
        .map(|seen| format!("{:?} {:?} {}", seen.grade, seen.evidence, seen.why))
        .collect();
        insta::assert_snapshot!(lines.join("\n"), @r#"
        Pass [1] an expired token is refused: HTTP 401
        Fail [2] expected that an expired token is refused, observed: accepted with HTTP 200 (authorization: token handling)
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
