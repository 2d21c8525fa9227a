//! Calls that a page stands in front of (2025-11-25, client/elicitation, "URL Elicitation Required"): the error names
//! pages, the host agrees to visit them, and the request is made again.
//!
//! Nobody visits anything here: a host that accepts says that the page has been dealt with. A server that still wants
//! it refuses again, and after a few times that refusal stands.

use serde::Serialize;
use serde_json::{Value, json};

use super::hub::Reply;
use super::request::Request;
use super::revision::Era;
use super::session::{Conversation, Got};
use crate::transcript::Fault;

/// The code of an error whose `data.elicitations` are pages to visit first.
const PAGES_FIRST: i64 = -32042;
/// Most times a request is made again.
const AGAIN: u32 = 3;
/// Most pages of one error.
const PAGES: usize = 20;

impl Conversation {
    /// Makes a request again for as long as the server wants pages visited and the host agrees to all of them.
    pub(super) async fn after_pages<P: Serialize>(
        &self,
        request: &Request<'_, P>,
        mut got: Got,
    ) -> Result<Got, Fault> {
        for _ in 0..AGAIN {
            let Some(pages) = self.pages_first(request.method, &got) else { return Ok(got) };
            if !self.agreed(pages).await {
                return Ok(got);
            }
            got = self.ask(request, self.patience, false).await?;
        }
        Ok(got)
    }

    fn pages_first(&self, method: &str, got: &Got) -> Option<Vec<Value>> {
        let Ok(Reply { outcome: Err(error), .. }) = got else { return None };
        if self.era() != Era::Legacy || error.code != Some(PAGES_FIRST) {
            return None;
        }
        let pages = error.data.as_ref().and_then(|data| data.get("elicitations")).and_then(Value::as_array);
        match pages {
            Some(pages) if (1..=PAGES).contains(&pages.len()) => Some(pages.clone()),
            _ => {
                self.odd_once(format!(
                    "`{method}` was refused with {PAGES_FIRST}, but `data.elicitations` does not hold 1 to {PAGES} pages"
                ));
                None
            }
        }
    }

    /// Whether the host accepts every page, asked one after the other as a person would be.
    async fn agreed(&self, pages: Vec<Value>) -> bool {
        for page in pages {
            let question = json!({"method": "elicitation/create", "params": page});
            let answer = self.answer(String::new(), question).await;
            if !answer.is_ok_and(|(_, answer)| answer["action"] == "accept") {
                return false;
            }
        }
        true
    }
}
