//! Lists of tools that a server sends word for word as it sent them before: read once, and shared by the sessions.
//!
//! Every session asks for the list, and most servers give each the same. What was heard is compared byte by byte and is
//! in every transcript whole; only the reading is spared.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::facts::Page;
use super::jsonrpc::ReadResult;
use crate::transcript::ToolFact;

/// Texts that are remembered: pages of lists as different personas and clients see them.
const MOST: usize = 32;
/// Longer texts are not remembered, so that no server fills the memory: 256 KiB.
const LONGEST: usize = 256 * 1024;
/// Shorter ones are read in no time.
const SHORTEST: usize = 256;

/// What a server said before.
#[derive(Default)]
pub(super) struct Repeats(Mutex<Vec<Known>>);

struct Known {
    text: Box<str>,
    result: Arc<Value>,
    page: Option<Arc<Page<ToolFact>>>,
}

impl Repeats {
    /// Reads the text of a result, or gives what was read of the same text.
    pub(super) fn read(&self, text: &str) -> ReadResult {
        let worth = (SHORTEST..=LONGEST).contains(&text.len());
        if worth && let Some(known) = self.known().iter().find(|known| *known.text == *text) {
            return Ok(Arc::clone(&known.result));
        }
        let result: Arc<Value> = serde_json::from_str(text).map(Arc::new)?;
        if worth && result.get("tools").is_some_and(Value::is_array) {
            let mut all = self.known();
            if all.len() >= MOST {
                all.remove(0);
            }
            all.push(Known { text: text.into(), result: Arc::clone(&result), page: None });
        }
        Ok(result)
    }

    /// The page of tools in a result: `make` makes it, unless it was made of this very result before.
    pub(super) fn page(
        &self,
        result: &Arc<Value>,
        make: impl FnOnce(Value) -> Result<Page<ToolFact>, String>,
    ) -> Result<Arc<Page<ToolFact>>, String> {
        let is_this = |known: &&mut Known| Arc::ptr_eq(&known.result, result);
        if let Some(page) = self.known().iter_mut().find(is_this).and_then(|known| known.page.clone()) {
            return Ok(page);
        }
        let page = Arc::new(make(Value::clone(result))?);
        if let Some(known) = self.known().iter_mut().find(is_this) {
            // Whoever was first: pages of one text then share their tools.
            return Ok(Arc::clone(known.page.get_or_insert(page)));
        }
        Ok(page)
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{self, TOOLS};
    use super::*;

    fn list(name: &str) -> String {
        format!(r#"{{"tools":[{{"name":"{name}","description":"{}"}}]}}"#, "d".repeat(SHORTEST))
    }

    fn page(repeats: &Repeats, text: &str) -> Arc<Page<ToolFact>> {
        let make = |result| facts::page(TOOLS, result).map(Page::of_tools);
        repeats.page(&repeats.read(text).unwrap(), make).unwrap()
    }

    #[test]
    fn the_same_text_is_read_once_and_another_one_anew() {
        let repeats = Repeats::default();
        let (first, again, other) =
            (page(&repeats, &list("a")), page(&repeats, &list("a")), page(&repeats, &list("b")));
        assert!(Arc::ptr_eq(&first.items[0].raw, &again.items[0].raw));
        assert_eq!((first.items[0].name.as_str(), other.items[0].name.as_str()), ("a", "b"));
        assert_eq!(
            first.items[0].raw,
            serde_json::from_str::<Value>(&list("a")).unwrap()["tools"][0].clone().into()
        );
    }

    #[test]
    fn what_is_no_list_or_cannot_be_read_is_not_remembered() {
        let repeats = Repeats::default();
        let text = format!(r#"{{"content":"{}"}}"#, "x".repeat(SHORTEST));
        assert!(!Arc::ptr_eq(&repeats.read(&text).unwrap(), &repeats.read(&text).unwrap()));
        assert!(repeats.read(&list("a").replace("]}", "]")).is_err());
        assert!(repeats.known().is_empty());
    }

    #[test]
    fn a_server_that_says_something_else_every_time_fills_no_memory() {
        let repeats = Repeats::default();
        (0..2 * MOST).for_each(|number| drop(page(&repeats, &list(&number.to_string()))));
        assert_eq!(repeats.known().len(), MOST);
        drop(repeats.read(&list(&"n".repeat(LONGEST))).unwrap());
        assert!(repeats.known().iter().all(|known| known.text.len() <= LONGEST));
    }
}
