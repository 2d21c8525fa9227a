//! `WWW-Authenticate`: whatever stands there, reading ends, and nothing comes out that was not in it.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code)]
#[path = "../../src/auth/challenge.rs"]
mod challenge;

fuzz_target!(|text: &str| {
    let read = challenge::Challenges::read(text);
    let params = read.list.iter().flat_map(|challenge| &challenge.params);
    let size: usize = params.map(|(name, value)| name.len() + value.len()).sum();
    let schemes: usize = read.list.iter().map(|challenge| challenge.scheme.len()).sum();
    // Lower case can be longer than upper case.
    assert!(size + schemes <= text.len() * 3);
    assert!(read.problems.len() <= text.len() + 1);
    for challenge in &read.list {
        assert!(read.scheme(&challenge.scheme).is_some());
    }
});
