//! How the shop answers: facts in, tool results with readable text and structured content out.

use std::fmt::{Display, Write};

use rmcp::model::{CallToolResult, ContentBlock};
use schemars::JsonSchema;
use serde::Serialize;

use super::catalogue::{BOOKS, Book};
use super::orders::{Order, Refusal, Status};

/// Books found.
#[derive(Serialize, JsonSchema)]
pub(super) struct BookList {
    /// The books, cheapest first.
    books: Vec<Book>,
}

/// Orders listed.
#[derive(Serialize, JsonSchema)]
pub(super) struct OrderList {
    /// The orders, by number.
    orders: Vec<Order>,
}

/// A stock report.
#[derive(Serialize, JsonSchema)]
pub(super) struct Stock {
    /// Copies of all books together.
    copies: u32,
    /// The books that are sold out, by id.
    sold_out: Vec<String>,
}

/// Books that were found.
pub(super) fn found(books: &[&Book]) -> CallToolResult {
    let text = match books {
        [] => "No book matches. Try an author's name or a word of the title.".to_owned(),
        _ => books.iter().fold(String::new(), |mut text, book| {
            let shelf =
                if book.stock == 0 { "sold out".to_owned() } else { format!("{} in stock", book.stock) };
            let _ = writeln!(
                text,
                "{} {} by {}: {:.2} EUR, {shelf}",
                book.id, book.title, book.author, book.price
            );
            text
        }),
    };
    answer(text.trim_end(), &BookList { books: books.iter().copied().cloned().collect() })
}

/// One book.
pub(super) fn book(book: &Book) -> CallToolResult {
    let Book { id, title, author, year, price, stock, .. } = book;
    answer(&format!("{id} {title} by {author} ({year}) costs {price:.2} EUR; {stock} copies in stock."), book)
}

/// No book has this id.
pub(super) fn no_such_book(id: &str) -> CallToolResult {
    let (first, last) = (BOOKS.first().map_or("", |book| book.id), BOOKS.last().map_or("", |book| book.id));
    let id: String = id.chars().take(20).collect();
    refused(format!("There is no book {id}; ids run from {first} to {last}. Call search_books to find one."))
}

/// One order, or why not.
pub(super) fn order(order: Result<Order, Refusal>) -> CallToolResult {
    match order {
        Err(refusal) => refused(refusal),
        Ok(order) => answer(&sentence(&order), &order),
    }
}

/// All orders.
pub(super) fn orders(orders: Vec<Order>) -> CallToolResult {
    let text = match &orders[..] {
        [] => "There are no orders.".to_owned(),
        some => some.iter().map(sentence).collect::<Vec<_>>().join("\n"),
    };
    answer(&text, &OrderList { orders })
}

/// Something was done to an order.
pub(super) fn done(what: &str, order: &Order) -> CallToolResult {
    answer(&format!("{what}. {}", sentence(order)), order)
}

/// An order was refunded.
pub(super) fn refunded(order: &Order, reason: Option<&str>) -> CallToolResult {
    let why = reason.map(|reason| format!(" Reason noted: {reason}.")).unwrap_or_default();
    answer(
        &format!("{:.2} EUR for order {} ({}) were refunded.{why}", order.total, order.id, order.title),
        order,
    )
}

/// The stock of every book.
pub(super) fn stock(counted: &[(&Book, u32)]) -> CallToolResult {
    let copies = counted.iter().map(|(_, left)| left).sum();
    let sold_out: Vec<_> =
        counted.iter().filter(|(_, left)| *left == 0).map(|(book, _)| book.id.to_owned()).collect();
    let text = format!(
        "{copies} copies of {} books are in stock. Sold out: {}.",
        counted.len(),
        if sold_out.is_empty() { "none".to_owned() } else { sold_out.join(", ") }
    );
    answer(&text, &Stock { copies, sold_out })
}

/// The tool ran and could not do what was asked; the text says why and what to do instead.
pub(super) fn refused(why: impl Display) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why.to_string())])
}

/// The same answer under two megabytes of noise.
pub(super) fn flooded(mut answer: CallToolResult) -> CallToolResult {
    let line = "Customers who looked at this also looked at everything else we have.\n";
    answer.content.push(ContentBlock::text(line.repeat(2 * 1024 * 1024 / line.len())));
    answer
}

fn answer(text: &str, facts: &impl Serialize) -> CallToolResult {
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    // Plain data without maps always serialises.
    result.structured_content = serde_json::to_value(facts).ok();
    result
}

fn sentence(order: &Order) -> String {
    let Order { id, title, quantity, total, status, .. } = order;
    let arrives = day(&order.arrives);
    let fate = match status {
        Status::Processing | Status::Shipped => {
            format!("it is {} and will arrive on {arrives}", status.word())
        }
        Status::Delivered => format!("it arrived on {arrives}"),
        Status::Cancelled | Status::Refunded => format!("it is {}", status.word()),
    };
    format!("Order {id} ({quantity} x {title}, {total:.2} EUR): {fate}.")
}

/// `2026-11-28` as `28 November 2026`.
fn day(date: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let read = |date: &str| {
        let date: jiff::civil::Date = date.parse().ok()?;
        let month = MONTHS.get(usize::try_from(date.month()).ok()?.checked_sub(1)?)?;
        Some(format!("{} {month} {}", date.day(), date.year()))
    };
    read(date).unwrap_or_else(|| date.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::orders::{OrderBook, Whose};

    #[test]
    fn orders_read_as_sentences() {
        let orders = OrderBook::opening();
        let text: Vec<_> = orders.list(Whose::Everybody).into_iter().map(sentence).collect();
        insta::assert_snapshot!(text.join("\n"), @r"
        Order 1042 (1 x The Left Hand of Darkness, 10.99 EUR): it is on its way and will arrive on 28 November 2026.
        Order 1043 (1 x Solaris, 9.50 EUR): it arrived on 30 October 2026.
        Order 1044 (1 x Kindred, 12.00 EUR): it is being processed and will arrive on 3 December 2026.
        Order 1050 (1 x Roadside Picnic, 10.40 EUR): it arrived on 6 November 2026.
        ");
    }
}
