//! Who may do what: scopes, callers, and the scope each tool asks for.

use std::collections::BTreeSet;

/// `books:read`: the least any caller needs.
pub(super) const BOOKS_READ: &str = "books:read";
/// `orders:read`: one's own orders.
pub(super) const ORDERS_READ: &str = "orders:read";
/// `orders:write`: placing and cancelling one's own orders.
pub(super) const ORDERS_WRITE: &str = "orders:write";
/// `refunds:write`: the clerk's scope.
pub(super) const REFUNDS_WRITE: &str = "refunds:write";

/// Every scope, as the metadata lists them.
pub(super) const SCOPES: &[&str] = &[BOOKS_READ, ORDERS_READ, ORDERS_WRITE, REFUNDS_WRITE];

/// Every tool with the scope it asks for. A tool that is missing here is nobody's.
const TOOLS: &[(&str, &str)] = &[
    ("search_books", BOOKS_READ),
    ("get_book", BOOKS_READ),
    ("get_order", ORDERS_READ),
    ("list_orders", ORDERS_READ),
    ("place_order", ORDERS_WRITE),
    ("cancel_order", ORDERS_WRITE),
    ("refund_order", REFUNDS_WRITE),
    ("stock_report", REFUNDS_WRITE),
    ("import_catalogue", REFUNDS_WRITE),
];

/// The scope a tool asks for; `None` when there is no such tool.
pub(super) fn scope_of(tool: &str) -> Option<&'static str> {
    TOOLS.iter().find(|(name, _)| *name == tool).map(|(_, scope)| *scope)
}

/// Somebody whose identity is established.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// The subject of the token.
    pub(super) subject: String,
    scopes: BTreeSet<String>,
}

impl Caller {
    /// A caller with the scopes of a space-separated list (RFC 6749 section 3.3).
    pub(super) fn new(subject: &str, scope: &str) -> Self {
        Self { subject: subject.to_owned(), scopes: scope.split_whitespace().map(str::to_owned).collect() }
    }

    /// The customer `customer-7`, who is served when the shop runs without an issuer.
    pub(super) fn walk_in() -> Self {
        Self::new("customer-7", "books:read orders:read orders:write")
    }

    /// The scopes as one space-separated list.
    pub(super) fn scope(&self) -> String {
        self.scopes.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Whether the caller holds a scope. Scopes are compared exactly.
    pub(super) fn has(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }

    /// Whether the caller may see and call a tool.
    pub(super) fn may(&self, tool: &str) -> bool {
        scope_of(tool).is_some_and(|scope| self.has(scope))
    }

    /// Whether the caller works here and so sees everybody's orders.
    pub(super) fn is_clerk(&self) -> bool {
        self.has(REFUNDS_WRITE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words_compared_exactly() {
        let caller = Caller::new("x", "  orders:read   books:read ");
        assert!(caller.may("get_order") && caller.may("search_books"));
        assert!(!caller.may("place_order") && !caller.may("refund_order") && !caller.may("no_such_tool"));
        assert!(!Caller::new("x", "BOOKS:READ books:readx").may("search_books"));
    }
}
