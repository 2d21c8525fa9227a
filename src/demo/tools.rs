//! What the shop can do, tool by tool. Every answer has text for reading and the same facts as structured content.

use rmcp::handler::server::tool::schema_for_output;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ProgressNotificationParam};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;

use super::answers::{self, BookList, OrderList, Stock};
use super::catalogue::{self, BOOKS, Book, Wish};
use super::delivery;
use super::flaws::Flaw;
use super::orders::Order;
use super::shop::Shop;

/// Where a request comes from.
type Context = RequestContext<RoleServer>;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Search {
    /// What to look for: words of a title, an author's name, or a subject such as "robots".
    query: String,
    /// Only books by this author.
    #[serde(default)]
    author: Option<String>,
    /// Only books that cost at most this price, in euros.
    #[serde(default)]
    #[schemars(range(min = 0))]
    max_price: Option<f64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ABook {
    /// The book's id, such as B107, as search_books gives it.
    #[schemars(regex(pattern = r"^B\d{3}$"))]
    id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnOrder {
    /// The order number, four digits, such as 1042.
    #[schemars(range(min = 1000, max = 9999))]
    id: u32,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewOrder {
    /// The id of the book to buy, such as B107, as search_books gives it.
    #[schemars(regex(pattern = r"^B\d{3}$"))]
    book_id: String,
    /// How many copies to buy.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 20))]
    quantity: u32,
}

fn one() -> u32 {
    1
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refund {
    /// The order number, four digits, such as 1042.
    #[schemars(range(min = 1000, max = 9999))]
    id: u32,
    /// Why the money goes back, for the books of the shop.
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Feed {
    /// The supplier whose catalogue is imported.
    supplier: String,
}

#[tool_router(router = tools, vis = "pub(super)")]
impl Shop {
    #[tool(
        title = "Search books",
        description = "Search the catalogue: do we have or sell any book or anything by an author, with a title, or \
                       about a subject? Returns the matching books with id, price and stock, cheapest first.",
        annotations(read_only_hint = true, open_world_hint = false),
        output_schema = schema_for_output::<BookList>()
    )]
    async fn search_books(&self, Parameters(search): Parameters<Search>) -> CallToolResult {
        let wish = Wish { words: search.query, author: search.author, max_price: search.max_price };
        let answer = answers::found(&catalogue::search(&wish));
        if self.has(Flaw::FloodingResults) { answers::flooded(answer) } else { answer }
    }

    #[tool(
        title = "Show a book",
        description = "Show one book of the catalogue by its id: title, author, year, price, and how many copies are \
                       in stock.",
        annotations(read_only_hint = true, open_world_hint = false),
        output_schema = schema_for_output::<Book>()
    )]
    async fn get_book(&self, Parameters(ABook { id }): Parameters<ABook>) -> CallToolResult {
        match catalogue::book(&id) {
            Some(book) => answers::book(book),
            None => answers::no_such_book(&id),
        }
    }

    #[tool(
        title = "Look up an order",
        description = "Look up one order by its number: what was bought, the status of the delivery, and when it will \
                       arrive or has come. Use it when somebody asks where an order is.",
        annotations(read_only_hint = true, open_world_hint = false),
        output_schema = schema_for_output::<Order>()
    )]
    async fn get_order(
        &self,
        Parameters(AnOrder { id }): Parameters<AnOrder>,
        context: Context,
    ) -> Result<CallToolResult, ErrorData> {
        let caller = self.caller(&context)?;
        let found = self.with_orders(&context, |orders| orders.get(id, self.whose(&caller)).cloned());
        let late = self.has(Flaw::WrongDate).then_some("2026-12-05");
        Ok(answers::order(
            found.map(|order| Order { arrives: late.map_or(order.arrives, str::to_owned), ..order }),
        ))
    }

    #[tool(
        title = "List orders",
        description = "List all my orders with number, title, status and total. Use it when no order number is known.",
        annotations(read_only_hint = true, open_world_hint = false),
        output_schema = schema_for_output::<OrderList>()
    )]
    async fn list_orders(&self, context: Context) -> Result<CallToolResult, ErrorData> {
        let caller = self.caller(&context)?;
        let orders = self.with_orders(&context, |orders| {
            orders.list(self.whose(&caller)).into_iter().cloned().collect::<Vec<_>>()
        });
        Ok(answers::orders(orders))
    }

    #[tool(
        title = "Place an order",
        description = "Buy copies of a book: places a new order for the book with this id and charges the customer.",
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false, open_world_hint = false),
        output_schema = schema_for_output::<Order>()
    )]
    async fn place_order(
        &self,
        Parameters(NewOrder { book_id, quantity }): Parameters<NewOrder>,
        context: Context,
    ) -> Result<CallToolResult, ErrorData> {
        let caller = self.caller(&context)?;
        if !(1..=20).contains(&quantity) {
            return Ok(answers::refused("Between 1 and 20 copies can be ordered at once."));
        }
        let Some(book) = catalogue::book(&book_id) else { return Ok(answers::no_such_book(&book_id)) };
        let asked = if quantity < delivery::LARGE {
            Ok(delivery::USUAL.to_owned())
        } else {
            delivery::day(&context).await
        };
        let day = match asked {
            Ok(day) => day,
            Err(why) => return Ok(answers::refused(why)),
        };
        let placed = |order: &Order| answers::done("Order placed", order);
        Ok(self.with_orders(&context, |orders| {
            orders.place(&caller.subject, (book, quantity), &day).map_or_else(answers::refused, placed)
        }))
    }

    #[tool(
        title = "Cancel an order",
        description = "Cancel an order that has not been sent yet. This cannot be undone.",
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = false),
        output_schema = schema_for_output::<Order>()
    )]
    async fn cancel_order(
        &self,
        Parameters(AnOrder { id }): Parameters<AnOrder>,
        context: Context,
    ) -> Result<CallToolResult, ErrorData> {
        let caller = self.caller(&context)?;
        let cancelled = |order: &Order| answers::done("Order cancelled", order);
        Ok(self.with_orders(&context, |orders| {
            orders.cancel(id, self.whose(&caller)).map_or_else(answers::refused, cancelled)
        }))
    }

    #[tool(
        title = "Refund an order",
        description = "Refund an order that was sent: give the customer the money back. For clerks only.",
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = false, open_world_hint = false),
        output_schema = schema_for_output::<Order>()
    )]
    async fn refund_order(
        &self,
        Parameters(Refund { id, reason }): Parameters<Refund>,
        context: Context,
    ) -> CallToolResult {
        let refunded = |order: &Order| answers::refunded(order, reason.as_deref());
        // Clerks refund everybody's orders; that only clerks come here was decided before.
        self.with_orders(&context, |orders| {
            orders.refund(id, super::orders::Whose::Everybody).map_or_else(answers::refused, refunded)
        })
    }

    #[tool(
        title = "Stock report",
        description = "Count the stock: a report on how many copies of each book are on the shelves. Takes a moment \
                       and tells its progress. For clerks only.",
        annotations(read_only_hint = true, open_world_hint = false),
        output_schema = schema_for_output::<Stock>()
    )]
    async fn stock_report(&self, context: Context) -> CallToolResult {
        let steps = 3;
        for step in 1..=steps {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            if let Some(token) = context.meta.get_progress_token() {
                let told = ProgressNotificationParam::new(token, f64::from(step))
                    .with_total(f64::from(steps))
                    .with_message(format!("shelf {step} of {steps} counted"));
                // Progress is a courtesy: a client that went away gets no answer either.
                let _ = context.peer.notify_progress(told).await;
            }
        }
        let counted = self.with_orders(&context, |orders| {
            BOOKS.iter().map(|book| (book, orders.left(book))).collect::<Vec<_>>()
        });
        answers::stock(&counted)
    }

    #[tool(
        title = "Import a catalogue",
        description = "Import a supplier's catalogue of new titles. For clerks only.",
        annotations(
            read_only_hint = false,
            destructive_hint = false,
            idempotent_hint = true,
            open_world_hint = true
        )
    )]
    async fn import_catalogue(&self, Parameters(Feed { supplier }): Parameters<Feed>) -> CallToolResult {
        answers::refused(format!(
            "The feed of {supplier} cannot be reached before 30 November. Nothing was imported; use search_books for \
             the titles we have."
        ))
    }
}
