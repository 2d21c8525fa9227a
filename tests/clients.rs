//! The client profiles that are shipped: complete in what they say of themselves, and held by what was measured.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::BTreeSet;

use rehearsal::mcp::ClientProfile;
use rehearsal::mcp::profile::{Layer, Standing};
use rehearsal::report::{Style, clients};
use rehearsal::suite::catalog::{Catalog, Kind};

fn shipped() -> Vec<ClientProfile> {
    let catalog = Catalog::embedded();
    let names: Vec<String> = catalog.names(Kind::Client).map(str::to_owned).collect();
    names.iter().map(|name| catalog.find::<ClientProfile>(name).unwrap().unwrap().definition).collect()
}

/// What is wrong with what a profile says of its values.
fn gaps(profile: &ClientProfile) -> Vec<String> {
    let mut gaps = Vec::new();
    let name = &profile.name;
    let values: BTreeSet<String> = profile.values().into_iter().map(|(key, _)| key).collect();
    for key in values.iter().filter(|key| !profile.facts.contains_key(*key)) {
        gaps.push(format!("{name}: `{key}` is set and nothing says where it is from"));
    }
    let mut used = BTreeSet::new();
    for (key, fact) in &profile.facts {
        let known = profile.standing(fact) != Standing::Unknown;
        let ways = [values.contains(key), fact.says.is_some(), !known];
        if ways.iter().filter(|way| **way).count() != 1 {
            gaps.push(format!("{name}: `{key}` is exactly one of set, said in words, unknown"));
        }
        if Layer::find(key.split('.').next().unwrap()).is_none() {
            gaps.push(format!("{name}: `{key}` begins with no layer"));
        }
        if known && fact.s.is_empty() {
            gaps.push(format!("{name}: `{key}` names no source"));
        }
        used.extend(fact.s.iter());
        for source in fact.s.iter().filter(|source| !profile.sources.contains_key(*source)) {
            gaps.push(format!("{name}: `{key}` names the source `{source}`, which is not there"));
        }
    }
    let words: String =
        profile.facts.values().flat_map(|fact| [&fact.note, &fact.says]).flatten().cloned().collect();
    for source in profile.sources.keys().filter(|source| !used.contains(source) && !words.contains(*source)) {
        gaps.push(format!("{name}: nothing names the source `{source}`"));
    }
    gaps
}

#[test]
fn every_value_says_where_it_is_from() {
    let all = shipped();
    assert_eq!(all.len(), 23, "22 clients and the reference");
    let gaps: Vec<String> = all.iter().flat_map(gaps).collect();
    assert!(gaps.is_empty(), "\n{}", gaps.join("\n"));
    let facts: usize = all.iter().map(|profile| profile.facts.len()).sum();
    assert!(facts > 450, "{facts}");
}

#[test]
fn a_value_without_a_source_is_seen() {
    let mut profile = shipped().into_iter().find(|profile| profile.name.as_str() == "slack").unwrap();
    assert_eq!(gaps(&profile), [] as [String; 0]);
    profile.menu.limit = Some(1);
    profile.facts.get_mut("wire.protocol").unwrap().s = vec!["X".to_owned()];
    profile.wire.capabilities = None;
    let gaps = gaps(&profile).join("\n");
    assert!(gaps.contains("`menu.limit` is set"), "{gaps}");
    assert!(gaps.contains("source `X`"), "{gaps}");
    assert!(gaps.contains("`wire.capabilities` is exactly one"), "{gaps}");
}

#[test]
fn reference_has_no_limits() {
    let reference = shipped().into_iter().find(|profile| profile.name.as_str() == "reference").unwrap();
    assert_eq!(reference.shaping(), ClientProfile::reference().shaping());
}

#[test]
fn all_profiles_on_one_page() {
    insta::assert_snapshot!("clients_table", clients::table(&shipped(), 100, Style::Plain));
}

#[test]
fn a_profile_in_detail() {
    let profile = shipped().into_iter().find(|profile| profile.name.as_str() == "gemini-cli").unwrap();
    insta::assert_snapshot!("clients_detail", clients::detail(&profile, 100, Style::Plain));
    let rows = clients::rows(&profile);
    let prompts = rows.iter().find(|row| row.key == "surface.prompts").unwrap();
    let expected = serde_json::json!({
        "key": "surface.prompts", "value": true, "standing": "measured", "date": "2026-11-21",
        "sources": ["MX", "M-gem"],
    });
    assert_eq!(serde_json::to_value(prompts).unwrap(), expected);
    let tally = clients::tally(&profile);
    assert_eq!(tally.iter().sum::<usize>(), rows.len());
}

#[test]
fn the_profile_of_the_documentation_can_be_read() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/suite.md")).unwrap();
    let rest = &text[text.find("## Client profiles").unwrap()..];
    let profile = rest.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let read = |text: &str| {
        let mut catalog = Catalog::embedded();
        catalog.overlay(Kind::Client, "ours", &"evals/clients/ours.yaml".into(), Ok(text.into()));
        catalog.find::<ClientProfile>("ours").unwrap().map(|found| found.definition)
    };
    let ours = read(profile).unwrap();
    assert_eq!(ours.menu.limit, Some(40));
    assert_eq!(clients::tally(&ours)[2], ours.values().len(), "values without a fact are guesses");
    let wrong = read(&profile.replace("A-Za-z", "z-a")).unwrap_err();
    assert!(wrong.message.contains("`z-a` is no range"), "{}", wrong.message);
    assert!(read(&profile.replace("order:", "ordering:")).is_err());
}
