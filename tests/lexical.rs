//! The lexical model from outside: with good tool descriptions it picks and fills calls right, in any domain; with
//! vague ones it goes wrong. No key, no network.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::sync::Arc;

use rehearsal::ids::ToolName;
use rehearsal::llm::{self, ChatModel, ChatReply, ChatRequest, Message, ModelSpec, Outside, ToolOffer};
use rehearsal::transcript::{Clock, Recorder, Secrets};
use serde_json::{Value, json};

fn model() -> Arc<dyn ChatModel> {
    let outside = Outside::new(rehearsal::net::client().unwrap(), Arc::new(|_| None));
    llm::build(&ModelSpec::new("lexical", "lexical"), &outside).unwrap()
}

/// A tool with its parameters; a `!` after a name marks it as required.
fn tool(name: &str, description: &str, params: &Value) -> ToolOffer {
    let mut properties = serde_json::Map::new();
    let mut required = vec![];
    for (name, schema) in params.as_object().unwrap() {
        let bare = name.trim_end_matches('!');
        if bare != name {
            required.push(bare.to_owned());
        }
        let schema = if schema.is_string() { json!({"type": schema}) } else { schema.clone() };
        properties.insert(bare.to_owned(), schema);
    }
    ToolOffer {
        name: ToolName::from(name),
        tool: None,
        title: None,
        description: description.to_owned(),
        schema: json!({"type": "object", "properties": properties, "required": required}),
    }
}

struct Talk {
    tools: Vec<ToolOffer>,
    messages: Vec<Message>,
}

impl Talk {
    fn with(tools: Vec<ToolOffer>) -> Self {
        Self { tools, messages: vec![] }
    }

    fn ask(&mut self) -> ChatReply {
        let request = ChatRequest {
            system: Some("You help.".into()),
            messages: self.messages.clone(),
            tools: self.tools.clone().into(),
            trial: 1,
            ..ChatRequest::default()
        };
        let log = Recorder::new(Clock::system(), Secrets::default());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let model = model();
        let reply = runtime.block_on(model.complete(&request, &log)).unwrap();
        assert_eq!(runtime.block_on(model.complete(&request, &log)).unwrap(), reply, "not deterministic");
        assert!(log.is_empty());
        let (text, calls) = (reply.text.clone(), reply.calls.clone());
        self.messages.push(Message::Assistant { text, calls, carry: None });
        reply
    }

    /// The user speaks; what the model calls, or says, in one line.
    fn user(&mut self, words: &str) -> String {
        self.messages.push(Message::User(words.to_owned()));
        shown(&self.ask())
    }

    /// The tool answers; what the model says.
    fn result(&mut self, text: &str, is_error: bool) -> String {
        let Some(Message::Assistant { calls, .. }) = self.messages.last() else { panic!("no call") };
        let call = calls[0].clone();
        self.messages.push(Message::Tool { call, text: text.to_owned(), is_error, media: vec![] });
        shown(&self.ask())
    }
}

fn shown(reply: &ChatReply) -> String {
    assert!(!reply.usage.reported && reply.took_ms == 0);
    match (&reply.text, reply.calls.as_slice()) {
        (None, [call]) => format!("{} {}", call.name, call.args),
        (Some(text), []) => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn once(tools: &[ToolOffer], words: &str) -> String {
    Talk::with(tools.to_vec()).user(words)
}

fn weather() -> Vec<ToolOffer> {
    vec![
        tool(
            "get_forecast",
            "Weather forecast for a city: temperature, rain and wind for the coming days.",
            &json!({"city!": {"type": "string", "description": "The city."},
                "days": {"type": "integer", "description": "How many days ahead.", "minimum": 1, "maximum": 14},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]}}),
        ),
        tool(
            "get_alerts",
            "Storm and flood warnings that are in force in a region.",
            &json!({"region!": {"type": "string", "description": "The region."}}),
        ),
        tool(
            "compare_climate",
            "Compares the yearly climate of several cities.",
            &json!({"cities!": {"type": "array", "items": {"type": "string"}}}),
        ),
    ]
}

fn tickets() -> Vec<ToolOffer> {
    vec![
        tool(
            "search_tickets",
            "Searches the tickets of the help desk by words.",
            &json!({"query!": "string", "status": {"type": "string", "enum": ["open", "closed"]}, "limit": {"type": "integer", "description": "Maximum number of results."}}),
        ),
        tool(
            "get_ticket",
            "Shows a ticket with its history.",
            &json!({"id!": {"type": "integer", "description": "Ticket number."}}),
        ),
        tool(
            "close_ticket",
            "Closes a ticket.",
            &json!({"ticket_id!": "integer", "notify": {"type": "boolean", "description": "Whether the customer is notified."}}),
        ),
        tool(
            "create_ticket",
            "Opens a new ticket for a customer.",
            &json!({"email!": {"type": "string", "format": "email"}, "title!": {"type": "string", "description": "A short title."}}),
        ),
    ]
}

fn files() -> Vec<ToolOffer> {
    vec![
        tool(
            "read_file",
            "Reads the contents of a file.",
            &json!({"path!": {"type": "string", "pattern": r"^/[\w/.-]+$"}}),
        ),
        tool(
            "list_directory",
            "Lists the files in a directory.",
            &json!({"path!": {"type": "string", "pattern": r"^/[\w/.-]+$"}}),
        ),
        tool("move_file", "Moves or renames a file.", &json!({"from!": "string", "to!": "string"})),
        tool(
            "delete_file",
            "Deletes a file for good.",
            &json!({"path!": {"type": "string", "pattern": r"^/[\w/.-]+$"}}),
        ),
    ]
}

#[test]
fn the_weather_tools_are_told_apart_and_filled() {
    let ask = |words: &str| once(&weather(), words);
    assert_eq!(ask("What will the weather be like in Oslo?"), r#"get_forecast {"city":"Oslo"}"#);
    assert_eq!(
        ask("Give me the forecast for San Francisco for 3 days in fahrenheit."),
        r#"get_forecast {"city":"San Francisco","days":3,"unit":"fahrenheit"}"#
    );
    assert_eq!(ask("Are there any storm warnings in Bavaria?"), r#"get_alerts {"region":"Bavaria"}"#);
    assert_eq!(ask("will it rain in oslo"), r#"get_forecast {"city":"oslo"}"#);
    assert_eq!(
        ask("Compare the climate of these cities: Oslo, Rome and Cairo"),
        r#"compare_climate {"cities":["Oslo","Rome","Cairo"]}"#
    );
}

#[test]
fn the_help_desk_tools_are_told_apart_and_filled() {
    let ask = |words: &str| once(&tickets(), words);
    assert_eq!(ask("What happened to ticket 4711?"), r#"get_ticket {"id":4711}"#);
    assert_eq!(
        ask("Please close ticket #4711 without notifying anybody."),
        r#"close_ticket {"ticket_id":4711,"notify":false}"#
    );
    assert_eq!(
        ask("Search the open tickets about broken printers"),
        r#"search_tickets {"query":"open broken printers","status":"open"}"#
    );
    assert_eq!(
        ask("Create a ticket for eva@example.org: Printer on fire"),
        r#"create_ticket {"email":"eva@example.org","title":"Printer on fire"}"#
    );
}

#[test]
fn the_file_tools_are_told_apart_and_filled() {
    let ask = |words: &str| once(&files(), words);
    assert_eq!(ask("Read /etc/hosts for me."), r#"read_file {"path":"/etc/hosts"}"#);
    assert_eq!(ask("Which files are in the directory /var/log?"), r#"list_directory {"path":"/var/log"}"#);
    assert_eq!(ask("Delete the file /tmp/x.txt"), r#"delete_file {"path":"/tmp/x.txt"}"#);
    assert_eq!(ask("Move the file from 'a.txt' to 'b.txt'"), r#"move_file {"from":"a.txt","to":"b.txt"}"#);
}

#[test]
fn without_a_fitting_tool_or_argument_nothing_is_called() {
    assert_eq!(
        once(&tickets(), "Tell me a joke."),
        "I have no tool that fits this request, so I cannot help with it."
    );
    assert_eq!(once(&[], "Hello"), "I have no tool that fits this request, so I cannot help with it.");
    assert_eq!(
        once(&tickets(), "Close my ticket."),
        "Please tell me the ticket id so that I can close ticket."
    );
    assert_eq!(
        once(&weather(), "What is the weather?"),
        "Please tell me the city so that I can get forecast."
    );
}

#[test]
fn vague_descriptions_lead_astray() {
    let vague: Vec<ToolOffer> = tickets()
        .into_iter()
        .enumerate()
        .map(|(index, tool)| ToolOffer {
            name: ToolName::new(format!("run_{index}")),
            description: "Does things.".into(),
            ..tool
        })
        .collect();
    for words in ["What happened to ticket 4711?", "Search the open tickets about broken printers"] {
        let (good, bad) = (once(&tickets(), words), once(&vague, words));
        let args = |call: &str| call.split_once(' ').map(|(_, args)| args.to_owned());
        assert_ne!(args(&good), args(&bad), "{words}: {bad}");
    }
}

#[test]
fn results_are_told_and_failures_stop() {
    let mut talk = Talk::with(tickets());
    assert_eq!(talk.user("Show ticket 7"), r#"get_ticket {"id":7}"#);
    let answer = talk.result(r#"{"id":7,"state":"waiting","due":"28 November"}"#, false);
    assert_eq!(answer, "This is what `get_ticket` returned:\nid: 7\nstate: waiting\ndue: 28 November");
    assert_eq!(talk.user("Close ticket 7"), r#"close_ticket {"ticket_id":7}"#);
    assert_eq!(
        talk.result("forbidden", true),
        "That did not work: `close_ticket` reported an error: forbidden"
    );
}

#[test]
fn a_later_turn_uses_what_an_earlier_one_found() {
    let found = r#"{"tickets":[{"id":11,"title":"Printer","created":"2026-03-01"},{"id":12,"title":"Router","created":"2026-01-01"}]}"#;
    for (words, id) in [
        ("Close it.", 11),
        ("Close the oldest ticket.", 12),
        ("Close the second one.", 12),
        ("Close the Router one", 12),
    ] {
        let mut talk = Talk::with(tickets());
        assert!(talk.user("Search tickets about \"hardware\"").starts_with("search_tickets"));
        talk.result(found, false);
        assert_eq!(talk.user(words), format!("close_ticket {{\"ticket_id\":{id}}}"), "{words}");
    }
    let mut talk = Talk::with(tickets());
    talk.user("Search tickets about \"hardware\"");
    talk.result(found, false);
    assert_eq!(talk.user("Close ticket 12, please"), r#"close_ticket {"ticket_id":12}"#);
}

#[test]
fn a_shop_it_has_never_seen() {
    let shop = vec![
        tool(
            "find_items",
            "Search the catalogue by title, maker or subject.",
            &json!({"query!": "string", "max_price": {"type": "number", "description": "Upper price."}}),
        ),
        tool(
            "get_purchase",
            "State of a purchase: items, payment and when it will arrive.",
            &json!({"id!": {"type": "integer", "description": "Number of the purchase."}}),
        ),
        tool(
            "buy_item",
            "Buys an item for the customer.",
            &json!({"item_id!": "string", "quantity": {"type": "integer", "description": "How many."}}),
        ),
        tool("cancel_purchase", "Cancels a purchase that was not sent yet.", &json!({"id!": "integer"})),
    ];
    let mut talk = Talk::with(shop.clone());
    assert_eq!(talk.user("Do you have any items by Le Guin?"), r#"find_items {"query":"Le Guin"}"#);
    talk.result(
        r#"[{"id":"A7","title":"Tehanu","price":12.5},{"id":"B2","title":"Voices","price":9}]"#,
        false,
    );
    assert_eq!(talk.user("Buy the cheapest one."), r#"buy_item {"item_id":"B2"}"#);
    assert_eq!(
        once(&shop, "My purchase 1042 has not come. When will it arrive?"),
        r#"get_purchase {"id":1042}"#
    );
    assert_eq!(once(&shop, "Cancel purchase 1042"), r#"cancel_purchase {"id":1042}"#);
}

#[test]
fn a_noun_that_is_a_verb_too() {
    let id = json!({"type": "integer", "description": "Order number."});
    let shop = vec![
        tool(
            "search_books",
            "Search the catalogue by title, author or subject.",
            &json!({"query!": "string"}),
        ),
        tool("get_order", "Look up an order: its status, items and expected arrival.", &json!({"id!": id})),
        tool(
            "place_order",
            "Order a book for the customer.",
            &json!({"book_id!": "string", "quantity": "integer"}),
        ),
        tool("cancel_order", "Cancel an order that has not been sent.", &json!({"id!": id})),
        tool("refund_order", "Refund an order. Clerks only.", &json!({"id!": id, "reason": "string"})),
    ];
    let ask = |words: &str| once(&shop, words);
    assert_eq!(ask("My order 1042 has not come. When will it arrive?"), r#"get_order {"id":1042}"#);
    assert_eq!(ask("Where is order number 1042?"), r#"get_order {"id":1042}"#);
    assert_eq!(ask("I want to cancel my order 1042."), r#"cancel_order {"id":1042}"#);
    assert_eq!(ask("Please refund order #1042, it came broken."), r#"refund_order {"id":1042}"#);
    assert_eq!(ask("Which books about dragons do you have?"), r#"search_books {"query":"dragons"}"#);
    assert_eq!(ask("Do you have anything by Le Guin?"), r#"search_books {"query":"Le Guin"}"#);
    assert_eq!(
        ask("Do you like Le Guin?"),
        "I have no tool that fits this request, so I cannot help with it."
    );
    let mut talk = Talk::with(shop);
    assert_eq!(talk.user("Do you have any book by Le Guin?"), r#"search_books {"query":"Le Guin"}"#);
    talk.result(
        r#"[{"id":"b-12","title":"Tehanu","price":12.5},{"id":"b-13","title":"Voices","price":9}]"#,
        false,
    );
    assert_eq!(talk.user("Order the cheapest one."), r#"place_order {"book_id":"b-13"}"#);
}

/// Tools behind one that loads them, with those that are offered besides.
fn hidden(offered: Vec<ToolOffer>, names: &[&str]) -> Vec<ToolOffer> {
    std::iter::once(llm::loader::offer("Find", 2, names.iter().copied())).chain(offered).collect()
}

#[test]
fn what_is_hidden_is_searched_for_once_and_then_chosen() {
    let names = ["w__get_forecast", "w__get_alerts", "w__send_postcard"];
    let mut talk = Talk::with(hidden(vec![], &names));
    let searched = talk.user("What is the weather forecast for Oslo?");
    assert_eq!(searched, r#"Find {"query":"weather forecast oslo"}"#);
    let found = ToolOffer { name: "w__get_forecast".into(), ..weather()[0].clone() };
    talk.tools.push(found);
    let told = r#"loaded: {"name":"w__get_forecast","description":"days in cities","city":"Bergen"}"#;
    assert_eq!(talk.result(told, false), r#"w__get_forecast {"city":"Oslo"}"#);
    assert!(talk.result("rain, 9 degrees", false).contains("rain"));
    // The next message is about another tool, whose name alone is known.
    assert_eq!(talk.user("Send a postcard to Oslo."), r#"Find {"query":"send postcard oslo"}"#);
    assert!(talk.result("no tool was found; search for other words", false).starts_with("I have no tool"));
}

#[test]
fn what_is_offered_and_fits_needs_no_search() {
    let tools = hidden(weather(), &["mail__send_letter"]);
    assert!(once(&tools, "What is the weather forecast for Oslo?").starts_with("get_forecast"));
    assert!(once(&tools, "Send a letter to Ann.").starts_with("Find "));
    let loaded = hidden(weather(), &["get_forecast"]);
    assert!(once(&loaded, "Sing me a song.").starts_with("I have no tool"), "there is nothing more to find");
}
