//! Group G, pages: the cursor of one persona shows the other nothing.

use std::collections::BTreeSet;

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::pair::{leave, meet, pages};
use super::reading::labelled;
use super::telling::{all_names, both, fetched, method, names, result, unclear};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G11", level: Level::Must, title: "a cursor shows nothing of another user", section: "server/utilities/pagination: security",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas], fix: "make the list for the user of the token, and let cursors say only where to go on",
        probe: borrow, examine: nothing_of_hers },
];

/// Everything that comes in pages.
pub(super) const LISTS: [&str; 4] =
    ["tools/list", "prompts/list", "resources/list", "resources/templates/list"];

fn borrow(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        for list in LISTS {
            let hers = pages(prober, "hers", list, (&pair.hers, &pair.first)).await.unwrap_or_default();
            let cursor = hers.first().and_then(|page| page.get("nextCursor")?.as_str());
            if let Some(cursor) = cursor {
                let _ = pages(prober, "his", list, (&pair.his, &pair.second)).await;
                let _ = pair.he(prober, "attempt", (list, json!({"cursor": cursor}))).await;
            }
        }
        leave(prober, pair).await;
        Ok(())
    })
}

fn nothing_of_hers(transcript: &Transcript) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let mut seqs = vec![];
    for attempt in labelled(transcript, "attempt: ") {
        if attempt.answer().is_unavailable() {
            return unclear(&attempt);
        }
        seqs.push(attempt.seq);
        let list = method(&attempt);
        let hers = all_names(&fetched(transcript, "hers", list));
        let his = all_names(&fetched(transcript, "his", list));
        let got: BTreeSet<String> =
            result(&attempt).as_ref().map(names).unwrap_or_default().into_iter().collect();
        let leaked = got.iter().filter(|name| hers.contains(*name) && !his.contains(*name)).count();
        if leaked > 0 {
            let text = format!(
                "with the cursor of the first persona the second sees {leaked} entries of `{list}` that are not its own"
            );
            return Seen::Broken(text, vec![attempt.seq]);
        }
    }
    match seqs.is_empty() {
        true => Seen::DoesNotApply("no list has a second page".to_owned()),
        false => Seen::Holds("the cursor of another persona showed nothing of it".to_owned(), seqs),
    }
}

/// What a page says of itself.
pub(super) fn text<'a>(page: &'a Value, key: &str) -> Option<&'a str> {
    page.get(key).and_then(Value::as_str)
}
