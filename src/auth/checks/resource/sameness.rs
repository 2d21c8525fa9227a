//! B06 and B10: whether two places that speak of the same say the same. Pure.

use std::collections::BTreeSet;

use serde_json::Value;
use url::Url;

use crate::auth::checks::Seen;
use crate::auth::checks::challenge::{challenged, offered};
use crate::auth::checks::reading::{Exchange, labelled};
use crate::auth::discover::RESOURCE;
use crate::transcript::Transcript;

const ROOT: &str = "/.well-known/oauth-protected-resource";

/// Whether the document at the root is that at the path, where there are both.
pub(super) fn same_document(transcript: &Transcript) -> Seen {
    let found: Vec<(Exchange<'_>, Value, bool)> = labelled(transcript, RESOURCE)
        .filter_map(|one| {
            let url = Url::parse(one.url()).ok()?;
            let known = url.path().starts_with(ROOT);
            known.then_some(())?;
            Some((one, one.document()?, url.path() == ROOT))
        })
        .collect();
    let root = found.iter().find(|(_, _, root)| *root);
    let path = found.iter().find(|(_, _, root)| !*root);
    let (Some((at_root, root, _)), Some((at_path, path, _))) = (root, path) else {
        return Seen::DoesNotApply("there are not two documents to compare".to_owned());
    };
    let seqs = vec![at_root.seq, at_path.seq];
    let differing = || {
        let keys = |document: &Value| -> BTreeSet<String> {
            document.as_object().into_iter().flatten().map(|(key, _)| key.clone()).collect()
        };
        let all: Vec<String> = keys(root).union(&keys(path)).cloned().collect();
        all.into_iter().find(|key| root.get(key) != path.get(key)).unwrap_or_default()
    };
    match root == path {
        true => Seen::Holds("the documents at the root and at the path are the same".to_owned(), seqs),
        false => {
            let text = format!("the documents at the root and at the path differ in `{}`", differing());
            Seen::Broken(text, seqs)
        }
    }
}

/// Reports what both name; neither must hold the other.
pub(super) fn scopes(transcript: &Transcript) -> Seen {
    let (Some((challenged, one)), Some((offered, other))) = (challenged(transcript), offered(transcript))
    else {
        return Seen::DoesNotApply("the challenge or the metadata name no scopes".to_owned());
    };
    let text =
        format!("the challenge names `{}`, the metadata `{}`", challenged.join(" "), offered.join(" "));
    Seen::Holds(text, vec![one, other])
}
