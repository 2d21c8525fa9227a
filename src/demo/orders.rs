//! The order book: what was bought, by whom, and what became of it.
//!
//! Pure state without clock or network. Dates are fixed, so that answers about them can be checked.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::catalogue::Book;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    /// Accepted, not yet sent; may still be cancelled.
    Processing,
    /// On its way.
    Shipped,
    /// Arrived.
    Delivered,
    /// Cancelled before it was sent.
    Cancelled,
    /// The money went back to the customer.
    Refunded,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub(super) struct Order {
    /// The order number: four digits.
    pub(super) id: u32,
    /// Who ordered.
    pub(super) customer: String,
    /// The id of the book.
    pub(super) book_id: String,
    /// The title of the book.
    pub(super) title: String,
    /// How many copies.
    pub(super) quantity: u32,
    /// What it costs altogether, in euros.
    pub(super) total: f64,
    /// Where it stands.
    pub(super) status: Status,
    /// The day it was placed, as YYYY-MM-DD.
    pub(super) placed: String,
    /// The day it arrives or arrived, as YYYY-MM-DD.
    pub(super) arrives: String,
}

/// Why the order book refuses something; said to the customer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// There is no such order, or it is somebody else's: the two look alike on purpose.
    #[error("There is no order {0} among the orders you may see. Call list_orders for their numbers.")]
    Unknown(u32),
    /// It cannot be cancelled any more.
    #[error("Order {0} is {1} and can no longer be cancelled.")]
    TooLate(u32, &'static str),
    /// It cannot be refunded.
    #[error("Order {0} is {1} and cannot be refunded.")]
    NotRefundable(u32, &'static str),
    /// Not enough copies.
    #[error("Only {left} copies of {title} are left, {wanted} were asked for.")]
    OutOfStock {
        /// The title.
        title: &'static str,
        /// Copies left.
        left: u32,
        /// Copies asked for.
        wanted: u32,
    },
}

/// Whose orders are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose<'a> {
    /// Only this customer's.
    Of(&'a str),
    /// Everybody's.
    Everybody,
}

/// All orders.
#[derive(Clone, Debug)]
pub(super) struct OrderBook {
    orders: BTreeMap<u32, Order>,
    sold: BTreeMap<&'static str, u32>,
}

/// The number of the first order that is placed.
const FIRST_NEW: u32 = 2001;

impl OrderBook {
    /// The order book as the shop opens: three orders of `customer-7`, one of `reader`.
    pub(super) fn opening() -> Self {
        use Status::{Delivered, Processing, Shipped};
        let start = [
            order(
                1042,
                "customer-7",
                ("B101", "The Left Hand of Darkness", 10.99),
                (Shipped, "2026-11-18", "2026-11-28"),
            ),
            order(1043, "customer-7", ("B107", "Solaris", 9.50), (Delivered, "2026-10-26", "2026-10-30")),
            order(1044, "customer-7", ("B104", "Kindred", 12.00), (Processing, "2026-11-20", "2026-12-03")),
            order(
                1050,
                "reader",
                ("B109", "Roadside Picnic", 10.40),
                (Delivered, "2026-11-02", "2026-11-06"),
            ),
        ];
        Self { orders: start.into_iter().map(|order| (order.id, order)).collect(), sold: BTreeMap::new() }
    }

    /// One order.
    pub(super) fn get(&self, id: u32, whose: Whose<'_>) -> Result<&Order, Refusal> {
        self.orders.get(&id).filter(|order| whose.includes(order)).ok_or(Refusal::Unknown(id))
    }

    /// All orders, by number.
    pub(super) fn list(&self, whose: Whose<'_>) -> Vec<&Order> {
        self.orders.values().filter(|order| whose.includes(order)).collect()
    }

    /// Orders some copies of a book, to arrive on a day.
    pub(super) fn place(
        &mut self,
        customer: &str,
        (book, quantity): (&'static Book, u32),
        arrives: &str,
    ) -> Result<&Order, Refusal> {
        let left = self.left(book);
        if quantity > left {
            return Err(Refusal::OutOfStock { title: book.title, left, wanted: quantity });
        }
        *self.sold.entry(book.id).or_default() += quantity;
        let id = self.orders.keys().next_back().map_or(FIRST_NEW, |last| (last + 1).max(FIRST_NEW));
        let price = book.price * f64::from(quantity);
        let mut new =
            order(id, customer, (book.id, book.title, price), (Status::Processing, "2026-11-21", arrives));
        new.quantity = quantity;
        Ok(self.orders.entry(id).or_insert(new))
    }

    /// Cancels an order that was not sent yet; its copies return to the shelf.
    pub(super) fn cancel(&mut self, id: u32, whose: Whose<'_>) -> Result<&Order, Refusal> {
        let order = self.of(id, whose)?;
        if order.status != Status::Processing {
            return Err(Refusal::TooLate(id, order.status.word()));
        }
        order.status = Status::Cancelled;
        let (book, quantity) = (order.book_id.clone(), order.quantity);
        if let Some(sold) = self.sold.get_mut(book.as_str()) {
            *sold = sold.saturating_sub(quantity);
        }
        self.get(id, whose)
    }

    /// Gives the money back for an order that was sent.
    pub(super) fn refund(&mut self, id: u32, whose: Whose<'_>) -> Result<&Order, Refusal> {
        let order = self.of(id, whose)?;
        if !matches!(order.status, Status::Shipped | Status::Delivered) {
            return Err(Refusal::NotRefundable(id, order.status.word()));
        }
        order.status = Status::Refunded;
        Ok(order)
    }

    /// Copies of a book that can still be ordered.
    pub(super) fn left(&self, book: &Book) -> u32 {
        book.stock.saturating_sub(self.sold.get(book.id).copied().unwrap_or(0))
    }

    fn of(&mut self, id: u32, whose: Whose<'_>) -> Result<&mut Order, Refusal> {
        self.orders.get_mut(&id).filter(|order| whose.includes(order)).ok_or(Refusal::Unknown(id))
    }
}

impl Whose<'_> {
    fn includes(self, order: &Order) -> bool {
        match self {
            Self::Of(customer) => order.customer == customer,
            Self::Everybody => true,
        }
    }
}

impl Status {
    /// The status as a word in a sentence.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Processing => "being processed",
            Self::Shipped => "on its way",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
            Self::Refunded => "refunded",
        }
    }
}

fn order(
    id: u32,
    customer: &str,
    (book_id, title, total): (&str, &str, f64),
    (status, placed, arrives): (Status, &str, &str),
) -> Order {
    Order {
        id,
        customer: customer.to_owned(),
        book_id: book_id.to_owned(),
        title: title.to_owned(),
        quantity: 1,
        // Whole cents, whatever the multiplication left behind.
        total: (total * 100.0).round() / 100.0,
        status,
        placed: placed.to_owned(),
        arrives: arrives.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::catalogue::book;

    const MINE: Whose<'static> = Whose::Of("customer-7");

    #[test]
    fn customers_see_their_own_orders_only() {
        let orders = OrderBook::opening();
        assert_eq!(orders.get(1042, MINE).unwrap().arrives, "2026-11-28");
        assert_eq!(orders.get(1050, MINE), Err(Refusal::Unknown(1050)));
        assert_eq!(orders.get(9999, MINE), Err(Refusal::Unknown(9999)));
        assert_eq!(orders.list(MINE).len(), 3);
        assert_eq!(orders.list(Whose::Everybody).len(), 4);
    }

    #[test]
    fn placing_takes_copies_and_cancelling_returns_them() {
        let mut orders = OrderBook::opening();
        let lem = book("B108").unwrap();
        let placed = orders.place("customer-7", (lem, 2), "2026-12-04").unwrap();
        assert_eq!((placed.id, placed.total, placed.status), (2001, 28.40, Status::Processing));
        let refusal = orders.place("customer-7", (lem, 1), "2026-12-04").unwrap_err();
        assert_eq!(refusal.to_string(), "Only 0 copies of The Cyberiad are left, 1 were asked for.");
        orders.cancel(2001, MINE).unwrap();
        assert_eq!(orders.place("customer-7", (lem, 1), "2026-12-04").unwrap().id, 2002);
    }

    #[test]
    fn what_was_sent_is_refunded_and_what_was_not_is_cancelled() {
        let mut orders = OrderBook::opening();
        assert_eq!(orders.cancel(1042, MINE), Err(Refusal::TooLate(1042, "on its way")));
        assert_eq!(orders.cancel(1044, MINE).unwrap().status, Status::Cancelled);
        assert_eq!(orders.refund(1044, Whose::Everybody), Err(Refusal::NotRefundable(1044, "cancelled")));
        assert_eq!(orders.refund(1043, Whose::Everybody).unwrap().status, Status::Refunded);
    }
}
