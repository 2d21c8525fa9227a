//! What clients make of a server's tools, made once for the trials that see the same tools through the same client.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{Menu, for_model, is_read_only, narrowed};
use crate::ids::ToolName;
use crate::mcp::ClientProfile;
use crate::transcript::ToolFact;

/// How many are remembered: personas times clients of a run, and lists that change.
const MOST: usize = 32;

/// The server's tools through a client.
#[derive(Debug)]
pub struct Stock {
    /// The tools as they are offered.
    pub menu: Menu,
    /// The server's names of those that say that they change nothing.
    pub read_only: HashSet<ToolName>,
}

/// What a stock is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The tools as the server listed them.
    pub listed: &'a [ToolFact],
    /// The server's name.
    pub server: &'a str,
    /// The client.
    pub client: &'a Arc<ClientProfile>,
    /// The tools of these names alone, where names are given.
    pub only: Option<&'a [ToolName]>,
}

/// The stocks of a run.
#[derive(Debug, Default)]
pub struct Stocks(Mutex<Vec<Known>>);

#[derive(Debug)]
struct Known {
    listed: Vec<ToolFact>,
    server: String,
    client: Arc<ClientProfile>,
    only: Option<Vec<ToolName>>,
    stock: Arc<Stock>,
}

impl Stock {
    /// What a client makes of a list of tools.
    pub fn of(source: Source<'_>) -> Self {
        let facts = for_model(source.listed.to_vec(), &source.client.wire);
        let facts = narrowed(facts, source.only);
        let menu = Menu::of(&facts, source.server, &source.client.menu);
        let read_only = facts.iter().filter(|fact| is_read_only(fact)).map(|fact| fact.name.clone()).collect();
        Self { menu, read_only }
    }
}

impl Stocks {
    /// The stock of a source: the one that was made of the same tools in memory, or a new one.
    pub fn of(&self, source: Source<'_>) -> Arc<Stock> {
        if let Some(known) = self.known().iter().find(|known| known.is_of(source)) {
            return Arc::clone(&known.stock);
        }
        let stock = Arc::new(Stock::of(source));
        let mut all = self.known();
        if all.len() >= MOST {
            all.remove(0);
        }
        all.push(Known {
            listed: source.listed.to_vec(),
            server: source.server.to_owned(),
            client: Arc::clone(source.client),
            only: source.only.map(<[ToolName]>::to_vec),
            stock: Arc::clone(&stock),
        });
        stock
    }

    fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Looks at addresses, not at what is there: what is held here cannot be given up and its place taken by another.
    fn is_of(&self, source: Source<'_>) -> bool {
        let same = |(ours, theirs): (&ToolFact, &ToolFact)| {
            Arc::ptr_eq(&ours.raw, &theirs.raw) && ours.name == theirs.name
        };
        Arc::ptr_eq(&self.client, source.client)
            && self.listed.len() == source.listed.len()
            && self.listed.iter().zip(source.listed).all(same)
            && self.server == source.server
            && self.only.as_deref() == source.only
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fact(name: &str) -> ToolFact {
        ToolFact { name: name.into(), raw: json!({"name": name, "annotations": {"readOnlyHint": name == "a"}}).into() }
    }

    #[test]
    fn a_stock_is_shared_by_those_who_see_the_same_and_by_no_others() {
        let stocks = Stocks::default();
        let [client, other] = [(), ()].map(|()| Arc::new(ClientProfile::reference()));
        let (listed, alike) = ([fact("a"), fact("b")], [fact("a"), fact("b")]);
        let only = ["b".into()];
        let source = Source { listed: &listed, server: "shop", client: &client, only: None };
        let first = stocks.of(source);
        assert!(Arc::ptr_eq(&first, &stocks.of(source)));
        let others = [
            Source { listed: &listed[..1], ..source },
            Source { listed: &alike, ..source },
            Source { server: "other", ..source },
            Source { client: &other, ..source },
            Source { only: Some(&only), ..source },
        ];
        for other in others {
            assert!(!Arc::ptr_eq(&first, &stocks.of(other)), "{other:?}");
        }
        assert_eq!(first.read_only, HashSet::from(["a".into()]));
        assert_eq!(stocks.of(others[4]).menu.offers.len(), 1);
    }

    #[test]
    fn lists_that_change_fill_no_memory() {
        let (stocks, client) = (Stocks::default(), Arc::new(ClientProfile::reference()));
        for number in 0..2 * MOST {
            let listed = [fact(&number.to_string())];
            stocks.of(Source { listed: &listed, server: "", client: &client, only: None });
        }
        assert_eq!(stocks.known().len(), MOST);
    }
}
