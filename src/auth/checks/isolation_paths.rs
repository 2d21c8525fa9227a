//! Group G, resource URIs that climb: from one's own resources to another's, and out of a template.

use futures::future::BoxFuture;
use serde_json::{Value, json};

use super::pair::{leave, meet, pages};
use super::reading::labelled;
use super::telling::{all_names, both, fetched, names, one, result, unclear};
use super::{AuthCheck, Eras, Level, Needs, Seen};
use crate::auth::answer::Answer;
use crate::auth::prober::Prober;
use crate::transcript::{Fault, Transcript};

#[rustfmt::skip]
pub(super) const TABLE: &[AuthCheck] = &[
    AuthCheck { id: "G10.traversal", level: Level::Must, title: "no URI climbs to what is not one's own", section: "server/resources: security considerations",
        since: "2025-03-26", eras: Eras::Each, needs: &[Needs::TwoPersonas, Needs::Fact("uri")], fix: "resolve `..` and escapes before you look whose a resource is, and refuse paths that leave its folder",
        probe: climb, examine: grounded },
];

fn climb(prober: &Prober) -> BoxFuture<'_, Result<(), Fault>> {
    Box::pin(async move {
        let Some(uri) = &prober.facts().uri else { return Ok(()) };
        let Some(pair) = meet(prober).await? else { return Ok(()) };
        let read = |uri: &str| ("resources/read", json!({"uri": uri}));
        let before = pair.she(prober, "hers before", read(uri)).await;
        if matches!(Answer::of(&before), Answer::Accepted(_)) {
            let place = (&pair.his, &pair.second);
            let own = pages(prober, "his", "resources/list", place).await.unwrap_or_default();
            let own: Vec<String> = own.iter().flat_map(names).filter(|own| own != uri).collect();
            let templates = pages(prober, "his", "resources/templates/list", place).await.unwrap_or_default();
            let templates: Vec<String> = templates.iter().flat_map(names).collect();
            for (number, uri) in attempts(uri, &own, &templates).iter().enumerate() {
                let _ = pair.he(prober, &format!("climb {}", number + 1), read(uri)).await;
            }
        }
        leave(prober, pair).await;
        Ok(())
    })
}

/// URIs that begin in one's own place or in a template and climb to `uri` or to a well-known file.
fn attempts(uri: &str, own: &[String], templates: &[String]) -> Vec<String> {
    let mut all = vec![];
    let nearest = own.iter().max_by_key(|own| common(own, uri));
    if let Some((up, down)) = nearest.and_then(|own| way(own, uri)) {
        let (base, steps) = up;
        for step in ["../", "..%2f", "%2e%2e/", "..\\"] {
            all.push(format!("{base}{}{down}", step.repeat(steps)));
        }
    }
    for template in templates.iter().filter(|template| template.contains('{')).take(2) {
        for file in [
            "/etc/passwd",
            "../../../../../../../../etc/passwd",
            "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        ] {
            all.push(filled(template, file));
        }
    }
    all
}

fn common(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

/// The folder of `own` and how many steps lead up from it to where both part, and the rest of `uri` from there.
fn way<'a>(own: &'a str, uri: &'a str) -> Option<((&'a str, usize), &'a str)> {
    let shared = own.get(..common(own, uri))?.rfind('/')? + 1;
    let folder = &own[..own.rfind('/')? + 1];
    let steps = folder[shared.min(folder.len())..].matches('/').count();
    // Without a step this is the plain URI.
    (steps > 0).then(|| ((folder, steps), &uri[shared..]))
}

/// A template with the same value in every place.
fn filled(template: &str, value: &str) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, inner)) = rest.split_once('{') {
        text.push_str(before);
        text.push_str(value);
        rest = inner.split_once('}').map_or("", |(_, after)| after);
    }
    text + rest
}

fn grounded(transcript: &Transcript) -> Seen {
    if let Err(seen) = both(transcript) {
        return seen;
    }
    let Some(hers) = one(transcript, "hers before").and_then(|hers| result(&hers)) else {
        return Seen::Inconclusive("the first persona cannot read its own resource".to_owned());
    };
    let hers = texts(&hers);
    let own = fetched(transcript, "his", "resources/list");
    let mut seqs = vec![];
    for exchange in labelled(transcript, "climb ") {
        if exchange.answer().is_unavailable() {
            return unclear(&exchange);
        }
        seqs.push(exchange.seq);
        let Some(got) = result(&exchange) else { continue };
        let got = texts(&got);
        if got.iter().any(|text| hers.contains(text)) {
            let text =
                "a URI that climbs out of the second persona's own showed the first persona's resource";
            return Seen::Broken(text.to_owned(), vec![exchange.seq]);
        }
        if got.iter().any(|text| text.contains("root:") || text.starts_with("cm9vd")) {
            let text = "a template showed a file of the machine".to_owned();
            return Seen::Broken(text, vec![exchange.seq]);
        }
    }
    match seqs.is_empty() {
        true => Seen::DoesNotApply(format!(
            "the second persona lists {} resources and no template, so there is nowhere to climb from",
            all_names(&own).len()
        )),
        false => Seen::Holds(format!("{} URIs that climb led nowhere", seqs.len()), seqs),
    }
}

/// The contents of a resource.
fn texts(result: &Value) -> Vec<String> {
    let contents = result.get("contents").and_then(Value::as_array);
    let text =
        |one: &Value| ["text", "blob"].iter().find_map(|key| one.get(key)?.as_str()).map(str::to_owned);
    contents.into_iter().flatten().filter_map(text).filter(|text| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_lead_up_from_ones_own() {
        let own = ["note://welcome".to_owned(), "notes://bob/bills".to_owned()];
        let all = attempts("notes://alice/diary", &own, &["notes://{user}/{name}".to_owned()]);
        assert_eq!(all[0], "notes://bob/../alice/diary");
        assert_eq!(all[1], "notes://bob/..%2falice/diary");
        assert_eq!(all[4], "notes:///etc/passwd//etc/passwd");
        assert_eq!(all.len(), 7);
        assert_eq!(attempts("a://x", &["a://y".to_owned()], &[]), Vec::<String>::new());
        let deep = way("f:///home/bob/a/b.txt", "f:///home/alice/c.txt");
        assert_eq!(deep, Some((("f:///home/bob/a/", 2), "alice/c.txt")));
    }
}
