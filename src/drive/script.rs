//! Which scripted answer an elicitation gets. Pure but for remembering which answers were given.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::score::checks::matcher::Matcher;
use crate::suite::answers::Reply;

/// The answers of a case to `elicitation/create`.
pub struct Script {
    replies: Vec<(Option<Matcher>, Reply)>,
    used: Mutex<Vec<bool>>,
}

impl Script {
    /// A script whose matchers were tried when the suite was loaded; an answer whose matcher cannot be read fits nothing.
    pub fn new(replies: &[Reply]) -> Self {
        let compiled = replies.iter().filter_map(|reply| {
            let when = reply.when.as_ref().map(Matcher::parse).transpose().ok()?;
            Some((when, reply.clone()))
        });
        let replies: Vec<_> = compiled.collect();
        Self { used: Mutex::new(vec![false; replies.len()]), replies }
    }

    /// The first answer that fits the question and was not given yet; the last that fits repeats. `None`: none fits.
    pub fn next(&self, params: &Value) -> Option<&Reply> {
        let fits = |when: &Option<Matcher>| when.as_ref().is_none_or(|when| when.check(Some(params)).is_ok());
        let fitting: Vec<usize> =
            (0..self.replies.len()).filter(|&index| fits(&self.replies[index].0)).collect();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = fitting.iter().copied().find(|&index| !used[index]);
        let index = fresh.or(fitting.last().copied())?;
        used[index] = true;
        Some(&self.replies[index].1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::suite::answers::Action;

    fn reply(when: Option<Value>, action: Action) -> Reply {
        Reply { when, action, content: Map::new() }
    }

    #[test]
    fn answers_are_given_in_order_and_the_last_repeats() {
        let date = json!({"message": {"$contains": "delivery date"}});
        let script = Script::new(&[
            reply(Some(date), Action::Accept),
            reply(None, Action::Cancel),
            reply(None, Action::Decline),
        ]);
        let asked = |message: &str| script.next(&json!({"message": message})).map(|reply| reply.action);
        assert_eq!(asked("Are you sure?"), Some(Action::Cancel));
        assert_eq!(asked("Which Delivery Date suits you?"), Some(Action::Accept));
        assert_eq!(asked("Really?"), Some(Action::Decline));
        assert_eq!(asked("Really and truly?"), Some(Action::Decline));
        assert_eq!(asked("Which delivery date?"), Some(Action::Decline));
    }

    #[test]
    fn a_question_that_nothing_fits_has_no_answer() {
        let script = Script::new(&[reply(Some(json!({"mode": "url"})), Action::Accept)]);
        assert!(script.next(&json!({"message": "x"})).is_none());
        assert!(script.next(&json!({"message": "x", "mode": "url"})).is_some());
        assert!(Script::new(&[]).next(&json!({})).is_none());
    }
}
