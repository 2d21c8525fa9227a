//! `cost`: the trial cost at most so much.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::short::{Brief, NoItem, Short};
use super::{Examine, Seen, View};

/// All model calls of the trial together cost at most `max`. A model without a price leaves this undecided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Most US dollars.
    pub max: f64,
}

impl Short for Cost {
    const EXPECTS: &'static str = "an amount in US dollars, or a map with `max`";
    type Item = NoItem;
    const SCALARS: &'static [&'static str] = &["number"];

    fn from_brief(brief: Brief<NoItem>) -> Option<Self> {
        match brief {
            Brief::Number(number) => Some(Self { max: number.as_f64()? }),
            _ => None,
        }
    }
}

impl Examine for Cost {
    fn examine(&self, view: &View<'_>) -> Seen {
        match view.cost() {
            Some(cost) => {
                let why = format!("expected at most ${}, observed ${cost:.6}", self.max);
                Seen::when(cost <= self.max, why, [])
            }
            None => {
                let why = "the model has no price, so its cost is unknown; add `price` to its definition";
                Seen::unscored("check.unpriced", why, [])
            }
        }
    }

    fn problems(&self) -> Vec<String> {
        match self.max.is_finite() && self.max >= 0.0 {
            true => vec![],
            false => vec!["`max` must be an amount of 0 or more".to_owned()],
        }
    }
}
