//! The statistics against reference values computed with numpy, scipy, statsmodels and mpmath.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use rehearsal::stats::proportion::{
    beta_credible, clopper_pearson, jeffreys, rule_of_three, suite_rate, wilson, wilson_neff,
};
use rehearsal::stats::reliability::{
    pass_at_k, pass_hat_k, posterior_pass_hat_k, reliability_curve, suite_pass_hat_k,
};
use rehearsal::stats::special::{beta_cdf, beta_quantile, norm_quantile, student_t_quantile};
use rehearsal::stats::{Interval, Tally};
use serde_json::{Value, json};

const VECTORS: &str = include_str!("fixtures/stats/vectors.json");

#[test]
fn every_vector_holds() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("vectors are JSON");
    assert!(vectors.len() >= 50, "only {} vectors", vectors.len());
    let wrong: Vec<String> = vectors.iter().filter_map(complaint).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn complaint(vector: &Value) -> Option<String> {
    let function = vector["function"].as_str().expect("a name");
    let tolerance = vector["tolerance"].as_f64().expect("a tolerance");
    let relative = vector["tolerance_kind"] == "rel";
    let got = compute(function, &vector["inputs"]);
    let expected = &vector["expected"];
    (!close(&got, expected, tolerance, relative))
        .then(|| format!("{}: expected {expected}, got {got}", vector["id"]))
}

fn close(got: &Value, expected: &Value, tolerance: f64, relative: bool) -> bool {
    match (got, expected) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b, tolerance, relative))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && b.iter().all(|(key, b)| a.get(key).is_some_and(|a| close(a, b, tolerance, relative)))
        }
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().expect("finite"), b.as_f64().expect("finite"));
            (a - b).abs() <= if relative { tolerance * b.abs() } else { tolerance }
        }
        (a, b) => a == b,
    }
}

fn compute(function: &str, inputs: &Value) -> Value {
    let number = |key: &str| inputs[key].as_f64().unwrap_or_else(|| panic!("{function} needs `{key}`"));
    let count = |key: &str| inputs[key].as_u64().unwrap_or_else(|| panic!("{function} needs `{key}`"));
    let tally = || Tally { trials: count("n"), passed: count("c") };
    let pair = |interval: Option<Interval>| json!(interval.map(|i| [i.low, i.high]));
    match function {
        "norm_quantile" => json!(norm_quantile(number("p"))),
        "beta_cdf" => json!(beta_cdf(number("x"), number("a"), number("b"))),
        "beta_quantile" => json!(beta_quantile(number("p"), number("a"), number("b"))),
        "student_t_quantile" => json!(student_t_quantile(number("p"), number("df"))),
        "wilson" => pair(wilson(count("x"), count("n"), number("conf"))),
        "clopper_pearson" => pair(clopper_pearson(count("x"), count("n"), number("conf"))),
        "jeffreys" => pair(jeffreys(count("x"), count("n"), number("conf"))),
        "beta_credible" => {
            pair(beta_credible(count("x"), count("n"), [number("a"), number("b")], number("conf")))
        }
        "wilson_neff" => pair(wilson_neff(number("p"), number("n_eff"), number("conf"))),
        "rule_of_three" => {
            let bound = rule_of_three(count("n"), number("conf")).expect("n is positive");
            json!({"exact_upper_fail": bound.upper, "approx": bound.rule_of_thumb})
        }
        "suite_rate_unequal_k" => {
            let cases = trials(&inputs["trials"]);
            let rate = suite_rate(&cases, 0.95).expect("judged trials");
            let passed: u64 = cases.iter().map(|case| case.passed).sum();
            let all: u64 = cases.iter().map(|case| case.trials).sum();
            json!({"mean_of_case_means": rate.rate, "se": rate.se, "pooled_trial_mean": passed as f64 / all as f64})
        }
        "pass_at_k" => json!(pass_at_k(tally(), count("k"))),
        "pass_hat_k" => json!(pass_hat_k(tally(), count("k"))),
        "posterior_pass_hat_k" => {
            json!(posterior_pass_hat_k(tally(), count("k"), [number("a"), number("b")]))
        }
        "reliability_curve" => {
            let curve = reliability_curve(&tallies(&inputs["cases_n_c"]));
            json!({"pass_at": curve.pass_at, "pass_hat": curve.pass_hat})
        }
        "suite_pass_hat_k_se" => {
            let suite = suite_pass_hat_k(&tallies(&inputs["cases_n_c"]), count("k")).expect("enough trials");
            json!({"mean": suite.mean, "se": suite.se})
        }
        other => panic!("no function for vector `{other}`"),
    }
}

fn tallies(cases: &Value) -> Vec<Tally> {
    let pairs: Vec<[u64; 2]> = serde_json::from_value(cases.clone()).expect("pairs");
    pairs.into_iter().map(|[trials, passed]| Tally { trials, passed }).collect()
}

fn trials(cases: &Value) -> Vec<Tally> {
    let cases: Vec<Vec<u64>> = serde_json::from_value(cases.clone()).expect("lists of 0 and 1");
    cases.iter().map(|case| Tally { trials: case.len() as u64, passed: case.iter().sum() }).collect()
}
