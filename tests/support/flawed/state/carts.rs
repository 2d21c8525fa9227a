//! Carts, which are reached by a handle, and an echo that takes its time.

use futures::FutureExt;
use serde_json::{Value, json};

use super::{Call, failed, now, said};
use crate::flawed::Answering;

pub(crate) fn open<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let id = call.id("cart-", "G04.guess");
    call.state().kept().carts.insert(id.clone(), call.user.subject.clone());
    let cart = json!({"cart": id});
    now(Ok(json!({"content": [{"type": "text", "text": cart.to_string()}], "structuredContent": cart})))
}

pub(crate) fn read<'a>(call: &'a Call<'a>) -> Answering<'a> {
    let id = call.word("cart");
    let owner = call.state().kept().carts.get(id).cloned();
    now(Ok(match owner.filter(|owner| call.mine(owner, "G04")) {
        Some(owner) => said(&format!("the cart of {owner} is empty")),
        None => failed(&format!("there is no cart {id}")),
    }))
}

/// Gives others time to come in between, as tools do.
pub(crate) fn echo<'a>(call: &'a Call<'a>) -> Answering<'a> {
    async move {
        let text = call.word("text");
        text.clone_into(&mut call.state().kept().current);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        Ok(match call.server.broken("G17") {
            true => said(&call.state().kept().current),
            false => said(text),
        }
        .into())
    }
    .boxed()
}

/// Changes the list of tools as careless servers do: after a call, or from one time to the next.
pub(crate) fn unsettle(call: &Call<'_>, tools: &mut Vec<Value>) {
    let mut kept = call.state().kept();
    kept.listings += 1;
    let called = std::mem::take(&mut kept.calls) > 0;
    if call.server.broken("G16") && called {
        let schema = json!({"type": "object", "properties": {}});
        tools.push(json!({"name": "secret_menu", "inputSchema": schema}));
    }
    if call.server.broken("G16.order") {
        tools.rotate_left(kept.listings % 3);
    }
}

/// A tool is called.
pub(crate) fn counted(call: &Call<'_>) {
    call.state().kept().calls += 1;
}
