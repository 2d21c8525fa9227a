//! Group G, what lists and completions show, and to whom caches may show it again.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::isolation_pages::{LISTS, text};
use super::pair::{leave, meet, pages};
use super::telling::{all_names, both, fetched, names, one, result};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::Answer;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G14", level: Level::Should, title: "completions offer nothing of another user", section: "server/utilities/completion: security",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("complete")], fix: "complete from what the user of the token may see",
        probe: complete, examine: own_values },
    AuthCheck { id: "G15", level: Level::Must, title: "what differs by user is not public to caches", section: "server/utilities/caching: cacheScope",
        since: "2026-07-28", eras: Eras::Modern, needs: &[Needs::TwoPersonas], fix: "answer `cacheScope: private` wherever the result depends on the user, on every page alike",
        probe: both_list, examine: private },
    AuthCheck { id: "G16", level: Level::Must, title: "the list of tools depends on the token alone", section: "server/tools: listing tools",
        since: "2026-07-28", eras: Eras::Modern, needs: &[Needs::TwoPersonas], fix: "make the list from the token, never from the connection or from earlier requests",
        probe: list_again, examine: |t| steady(t, false) },
    AuthCheck { id: "G16.order", level: Level::Should, title: "the list of tools keeps its order", section: "server/tools: listing tools",
        since: "2026-07-28", eras: Eras::Modern, needs: &[Needs::TwoPersonas], fix: "sort the list, so that caches of prompts stay good",
        probe: list_again, examine: |t| steady(t, true) },
];

fn complete(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(fact) = &prober.facts().complete else { return Ok(()) };
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        let request = || ("completion/complete", fact.params());
        // The label says what to look for: the record is all that the examination sees.
        let _ = pair.she(prober, &format!("hers for {}", fact.private), request()).await;
        let _ = pair.he(prober, "attempt", request()).await;
        leave(prober, pair).await;
        Ok(())
    })
}

fn own_values(transcript: &Transcript) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let hers = super::reading::labelled(transcript, "hers for ").next();
    let (Some(hers), Some(attempt)) = (hers, one(transcript, "attempt")) else {
        return Seen::Inconclusive("the probe was not sent".to_owned());
    };
    let private = super::telling::named(&hers).trim_start_matches("hers for ");
    let offers = |exchange: &super::reading::Exchange<'_>| {
        let values =
            result(exchange).and_then(|result| result.pointer("/completion/values")?.as_array().cloned());
        values.is_some_and(|values| values.iter().any(|value| value.as_str() == Some(private)))
    };
    if !offers(&hers) {
        let text = "the first persona itself is not offered `auth_checks.facts.complete.private`".to_owned();
        return Seen::Inconclusive(text);
    }
    match attempt.answer() {
        Answer::Accepted(_) if offers(&attempt) => {
            Seen::Broken("the second persona is offered a name of the first".to_owned(), vec![attempt.seq])
        }
        Answer::Accepted(_) | Answer::Denied(_) if !attempt.answer().is_unavailable() => Seen::Holds(
            "the second persona is not offered what is the first persona's own".to_owned(),
            vec![hers.seq, attempt.seq],
        ),
        _ => super::telling::unclear(&attempt),
    }
}

fn both_list(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        for list in LISTS {
            let _ = pages(prober, "hers", list, (&pair.hers, &pair.first)).await;
            let _ = pages(prober, "his", list, (&pair.his, &pair.second)).await;
        }
        if let Some(uri) = &prober.facts().uri {
            let request = || ("resources/read", json!({"uri": uri}));
            let _ = pair.she(prober, "hers read", request()).await;
            let _ = pair.he(prober, "his read", request()).await;
        }
        leave(prober, pair).await;
        Ok(())
    })
}

fn private(transcript: &Transcript) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    let mut differing = vec![];
    for list in LISTS {
        let (hers, his) = (fetched(transcript, "hers", list), fetched(transcript, "his", list));
        let scopes = |pages: &[(_, Value)]| -> BTreeSet<Option<String>> {
            pages.iter().map(|(_, page): &(_, Value)| text(page, "cacheScope").map(str::to_owned)).collect()
        };
        let evidence: Vec<u32> = hers.iter().chain(&his).map(|(exchange, _)| exchange.seq).collect();
        seqs.extend(&evidence);
        if scopes(&hers).len() > 1 || scopes(&his).len() > 1 {
            return Seen::Broken(format!("the pages of `{list}` have different cache scopes"), evidence);
        }
        if all_names(&hers) != all_names(&his) {
            differing.push(list);
            let public = Some("public".to_owned());
            if scopes(&hers).contains(&public) || scopes(&his).contains(&public) {
                return Seen::Broken(
                    format!("`{list}` differs by persona and is public to caches"),
                    evidence,
                );
            }
        }
    }
    if let (Some(hers), Some(his)) = (one(transcript, "hers read"), one(transcript, "his read")) {
        let public = result(&hers).is_some_and(|read| text(&read, "cacheScope") == Some("public"));
        if public && matches!(his.answer(), Answer::Denied(_)) {
            let text = "a resource that the second persona may not read is public to caches".to_owned();
            return Seen::Broken(text, vec![hers.seq, his.seq]);
        }
    }
    match (seqs.is_empty(), differing.is_empty()) {
        (true, _) => Seen::Inconclusive("no list was answered".to_owned()),
        (false, true) => Seen::Holds("no list differs by persona".to_owned(), seqs),
        (false, false) => {
            Seen::Holds(format!("`{}` differs by persona and is not public", differing.join("`, `")), seqs)
        }
    }
}

fn list_again(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(mut pair) = meet(prober).await? else { return Ok(()) };
        let first = pair.first.clone();
        if prober.target().scheme() == "http" {
            // HTTP/2 knows no such header, and plain HTTP is never HTTP/2 here.
            pair.first = pair.first.with("connection", "close");
        }
        let list = |label: &'static str| pages(prober, label, "tools/list", (&pair.hers, &pair.first));
        let _ = list("hers").await;
        if let Some(call) = &pair.harmless {
            let _ = pair.she(prober, "call", ("tools/call", call.clone())).await;
        }
        let _ = list("hers after a call").await;
        let _ = pages(prober, "his", "tools/list", (&pair.his, &pair.second)).await;
        let _ = list("hers after him").await;
        pair.first = first;
        leave(prober, pair).await;
        Ok(())
    })
}

fn steady(transcript: &Transcript, order: bool) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    let mut first: Option<Vec<String>> = None;
    for (label, when) in [
        ("hers", "at first"),
        ("hers after a call", "after a call"),
        ("hers after him", "after a list for another persona"),
    ] {
        let pages = fetched(transcript, label, "tools/list");
        if pages.is_empty() {
            return Seen::Inconclusive(format!("the list of tools was refused {when}"));
        }
        seqs.extend(pages.iter().map(|(exchange, _)| exchange.seq));
        let mut listed: Vec<String> = pages.iter().flat_map(|(_, page)| names(page)).collect();
        if !order {
            listed = sorted(&listed);
        }
        match &first {
            None => first = Some(listed),
            Some(first) if *first == listed => {}
            Some(first) if order && sorted(first) != sorted(&listed) => {
                return Seen::DoesNotApply("the lists of tools have different entries".to_owned());
            }
            Some(_) => {
                let what = if order { "in another order" } else { "another one" };
                return Seen::Broken(format!("the list of tools is {what} {when}"), seqs);
            }
        }
    }
    Seen::Holds("three lists of tools were the same".to_owned(), seqs)
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names
}
