//! The tools that go with requests: one list for many of them, and what is made of it once.
//!
//! Thousands of trials offer the same tools. The list is shared, and so is what costs more than a look at it: its JSON,
//! the form in which an API takes it, and what that form loses.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::ToolOffer;
use super::schema::rules::Rules;
use crate::transcript::Loss;

/// Tools on offer. Clones share the list and what was made of it; a list is replaced, never changed.
#[derive(Clone, Default)]
pub struct Offers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    list: Vec<ToolOffer>,
    json: OnceLock<Box<RawValue>>,
    made: Mutex<Made>,
}

/// What was made for the APIs of a run: a handful.
#[derive(Default)]
struct Made {
    written: Vec<(Form, Arc<RawValue>)>,
    lost: Vec<(Form, Arc<[Loss]>)>,
}

/// The way an API takes tools: how they are written, and by which rules.
#[derive(Clone, Copy)]
pub(in crate::llm) struct Form {
    /// The dialect.
    pub(in crate::llm) dialect: &'static str,
    /// What the API takes.
    pub(in crate::llm) rules: &'static Rules,
}

impl Form {
    fn is(self, other: Self) -> bool {
        self.dialect == other.dialect && std::ptr::eq(self.rules, other.rules)
    }
}

impl Offers {
    /// Offers one more, from now on and here only.
    pub fn push(&mut self, offer: ToolOffer) {
        *self = self.iter().cloned().chain([offer]).collect();
    }

    /// The list as JSON text.
    pub(in crate::llm) fn json(&self) -> &RawValue {
        // A plain data type always serialises.
        self.0.json.get_or_init(|| serde_json::value::to_raw_value(&self.0.list).unwrap_or_default())
    }

    /// What `tools` writes of this list in a form, or what it wrote before.
    fn written(&self, form: Form, tools: &impl Serialize) -> serde_json::Result<Arc<RawValue>> {
        if let Some((_, text)) = self.made().written.iter().find(|(known, _)| known.is(form)) {
            return Ok(Arc::clone(text));
        }
        let text: Arc<RawValue> = serde_json::value::to_raw_value(tools)?.into();
        self.made().written.push((form, Arc::clone(&text)));
        Ok(text)
    }

    /// What a form loses of this list, found once.
    pub(in crate::llm) fn lost(&self, form: Form, find: impl FnOnce(&[ToolOffer]) -> Vec<Loss>) -> Vec<Loss> {
        if let Some((_, lost)) = self.made().lost.iter().find(|(known, _)| known.is(form)) {
            return lost.to_vec();
        }
        let lost = find(self);
        self.made().lost.push((form, lost.as_slice().into()));
        lost
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.0.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A list as an API takes it.
pub(in crate::llm) struct Written<'a, T> {
    /// The list.
    pub(in crate::llm) offers: &'a Offers,
    /// Its form; `None` where more than the list and the rules decides what is written, so that it is written anew.
    pub(in crate::llm) form: Option<Form>,
    /// Writes it.
    pub(in crate::llm) tools: T,
}

impl<T: Serialize> Serialize for Written<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            Some(form) => {
                let text = self.offers.written(form, &self.tools).map_err(serde::ser::Error::custom)?;
                text.serialize(serializer)
            }
            None => self.tools.serialize(serializer),
        }
    }
}

impl Deref for Offers {
    type Target = [ToolOffer];

    fn deref(&self) -> &[ToolOffer] {
        &self.0.list
    }
}

impl From<Vec<ToolOffer>> for Offers {
    fn from(list: Vec<ToolOffer>) -> Self {
        Self(Arc::new(Shared { list, ..Shared::default() }))
    }
}

impl<const N: usize> From<[ToolOffer; N]> for Offers {
    fn from(list: [ToolOffer; N]) -> Self {
        Vec::from(list).into()
    }
}

impl FromIterator<ToolOffer> for Offers {
    fn from_iter<I: IntoIterator<Item = ToolOffer>>(offers: I) -> Self {
        offers.into_iter().collect::<Vec<_>>().into()
    }
}

impl PartialEq for Offers {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.list == other.0.list
    }
}

impl std::fmt::Debug for Offers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.list.fmt(f)
    }
}

impl Serialize for Offers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.list.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::schema::rules;
    use super::*;

    fn offer(name: &str) -> ToolOffer {
        let (description, schema) = (String::new(), serde_json::json!({}));
        ToolOffer { name: name.into(), tool: None, title: None, description, schema }
    }

    /// Counts how often it is written.
    struct Text<'a>(&'a str, &'a Cell<u32>);

    impl Serialize for Text<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            self.1.set(self.1.get() + 1);
            self.0.serialize(serializer)
        }
    }

    #[test]
    fn each_form_is_written_once_and_none_stands_for_another() {
        let (offers, times) = (Offers::from(vec![offer("a")]), Cell::new(0));
        let write = |offers: &Offers, dialect, rules, text| {
            let form = Some(Form { dialect, rules }).filter(|_| !dialect.is_empty());
            serde_json::to_string(&Written { offers, form, tools: Text(text, &times) }).unwrap()
        };
        for _ in 0..2 {
            assert_eq!(write(&offers, "x", &rules::OPENAI, "first"), r#""first""#);
            assert_eq!(write(&offers.clone(), "y", &rules::OPENAI, "second"), r#""second""#);
            assert_eq!(write(&offers, "x", &rules::ANTHROPIC, "third"), r#""third""#);
        }
        assert_eq!(times.get(), 3);
        assert_eq!(write(&offers, "", &rules::OPENAI, "anew"), r#""anew""#);
        let mut more = offers.clone();
        more.push(offer("b"));
        assert_eq!(write(&more, "x", &rules::OPENAI, "other"), r#""other""#);
        assert_eq!((offers.len(), more.len()), (1, 2));
    }

    #[test]
    fn what_is_lost_is_found_once_for_each_form() {
        let offers = Offers::from(vec![offer("a")]);
        let form = |dialect| Form { dialect, rules: &rules::OPENAI };
        let loss = Loss { tool: "a".into(), place: "/title".to_owned(), what: "left out".to_owned() };
        assert_eq!(offers.lost(form("x"), |_| vec![loss.clone()]), std::slice::from_ref(&loss)[..]);
        assert_eq!(offers.lost(form("x"), |_| panic!("it is known")), [loss]);
        assert_eq!(offers.lost(form("y"), |_| vec![]), []);
    }
}
