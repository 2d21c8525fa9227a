//! `auth_check`: a protocol probe of authorization found nothing wrong.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View, Weight};
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

/// What the authorization side says, in the words of this side.
struct Battery {
    gates: bool,
    seen: Seen,
}

/// The one place that knows the authorization side.
fn consult(id: &str, _transcript: Option<&Transcript>) -> Option<Battery> {
    crate::auth::checks::ids().contains(&id).then(|| Battery {
        gates: false,
        seen: Seen::unscored("check.not-built", "this auth check cannot be examined yet", []),
    })
}

impl Examine for AuthCheck {
    fn examine(&self, view: &View<'_>) -> Seen {
        match consult(&self.id, Some(view.transcript())) {
            Some(battery) => battery.seen,
            None => Seen::unscored("check.unknown-auth-check", format!("there is no auth check `{}`", self.id), []),
        }
    }

    fn weight(&self) -> Weight {
        match consult(&self.id, None) {
            Some(Battery { gates: false, .. }) => Weight::Info,
            _ => Weight::Security,
        }
    }
}
