//! The statistics against reference values computed with numpy, scipy, statsmodels and mpmath, by the same table that
//! `examples/stat_vectors` runs on any file.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

#[path = "../examples/stat_vectors/vectors/mod.rs"]
mod vectors;

const VECTORS: &str = include_str!("fixtures/stat-vectors.json");

#[test]
fn every_vector_holds() {
    let report = vectors::check(VECTORS).unwrap();
    assert!(report.holds(), "{report}");
}

#[test]
fn every_function_of_the_table_has_a_vector() {
    let report = vectors::check(VECTORS).unwrap();
    let names: Vec<&str> = vectors::rows().map(|(name, _)| *name).collect();
    let bare: Vec<&&str> = names.iter().filter(|name| !report.functions.contains_key(**name)).collect();
    assert!(bare.is_empty(), "{bare:?}");
}

#[test]
fn a_wrong_value_an_unknown_function_and_an_empty_file_do_not_hold() {
    let vector = |function: &str, expected: &str| {
        format!(
            r#"[{{"id": "x", "function": "{function}", "inputs": {{"x": 0}}, "expected": {expected},
                "tolerance": 1e-9, "tolerance_kind": "abs"}}]"#
        )
    };
    let holds = |text: &str| vectors::check(text).unwrap().holds();
    assert!(holds(&vector("norm_cdf", "0.5")));
    assert!(!holds(&vector("norm_cdf", "0.6")));
    assert!(!holds(&vector("norm_cdf", "null")));
    assert!(!holds(&vector("norm_cdf", "{\"low\": 0.5}")));
    assert!(!holds(&vector("beta_cdf", "0.5")), "an input is missing");
    assert!(!holds(&vector("no_such_function", "0.5")));
    assert!(!holds("[]"));
    assert!(vectors::check("{}").is_err());
}
