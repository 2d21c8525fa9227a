//! The statistics of judges against reference values computed with statsmodels, irrCAC, krippendorff and the code of
//! the papers.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail loudly and look at files"
)]

use std::collections::BTreeSet;

use rehearsal::stats::Interval;
use rehearsal::stats::agreement::{
    Agreement, Counts, cohen_kappa, gwet_ac1, judge_confusion, krippendorff_alpha_nominal,
};
use rehearsal::stats::correction::{
    Calibration, Corrected, attenuated_drop, ppi_mean, ppi_plus_plus_mean, rogan_gladen,
};
use rehearsal::stats::votes::{
    early_stop_majority, panel_effective_votes, panel_error_correlation, verdict_from_logprobs,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const VECTORS: &str = include_str!("fixtures/stats/judge.json");

#[test]
fn every_vector_holds() {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).unwrap();
    let functions: BTreeSet<&str> =
        vectors.iter().map(|vector| vector["function"].as_str().unwrap()).collect();
    assert_eq!((vectors.len(), functions.len()), (17, 12));
    let wrong: Vec<String> = vectors.iter().filter_map(complaint).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn complaint(vector: &Value) -> Option<String> {
    let function = vector["function"].as_str().unwrap();
    assert_eq!(vector["tolerance_kind"], "abs");
    let got = compute(function, &vector["inputs"]);
    let expected = &vector["expected"];
    (!close(&got, expected, vector["tolerance"].as_f64().unwrap()))
        .then(|| format!("{}: expected {expected}, got {got}", vector["id"]))
}

/// Whether everything expected was computed; more may have been.
fn close(got: &Value, expected: &Value, tolerance: f64) -> bool {
    match (got, expected) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b, tolerance))
        }
        (Value::Object(a), Value::Object(b)) => {
            b.iter().all(|(key, b)| a.get(key).is_some_and(|a| close(a, b, tolerance)))
        }
        (Value::Number(a), Value::Number(b)) => {
            (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() <= tolerance
        }
        (a, b) => a == b,
    }
}

fn compute(function: &str, inputs: &Value) -> Value {
    fn read<T: DeserializeOwned>(value: &Value) -> T {
        serde_json::from_value(value.clone()).unwrap()
    }
    let number = |key: &str| inputs[key].as_f64().unwrap();
    let count = |key: &str| inputs[key].as_u64().unwrap();
    let pair = |interval: Interval| json!([interval.low, interval.high]);
    let labelled = || -> Vec<(f64, f64)> {
        let (human, judge): (Vec<f64>, Vec<f64>) = (read(&inputs["y"]), read(&inputs["yhat"]));
        human.into_iter().zip(judge).collect()
    };
    let unlabelled = || read::<Vec<f64>>(&inputs["yhat_unlabeled"]);
    let agreement = |name: &str, found: Option<Agreement>| {
        let Agreement { observed, expected, coefficient } = found.unwrap();
        json!({"po": observed, "pe": expected, name: coefficient})
    };
    let corrected = |found: Option<Corrected>| {
        let Corrected { estimate, se, interval, lambda } = found.unwrap();
        json!({"est": estimate, "se": se, "lower": interval.low, "upper": interval.high, "lambda": lambda})
    };
    match function {
        "cohen_kappa" => agreement("kappa", cohen_kappa(&read(&inputs["table"]))),
        "gwet_ac1" => agreement("ac1", gwet_ac1(&read(&inputs["table"]))),
        "krippendorff_alpha_nominal" => {
            json!(krippendorff_alpha_nominal::<i64>(&read::<Vec<Vec<Option<i64>>>>(&inputs["units"])))
        }
        "judge_confusion" => {
            let counts = Counts { tp: count("tp"), fn_: count("fn"), fp: count("fp"), tn: count("tn") };
            let found = judge_confusion(&counts, number("conf"));
            json!({
                "tpr": found.tpr, "tnr": found.tnr, "ppv": found.ppv, "npv": found.npv,
                "accuracy": found.accuracy, "youden_j": found.youden_j, "mcc": found.mcc,
                "tpr_wilson": found.tpr_interval.map(pair), "tnr_wilson": found.tnr_interval.map(pair),
            })
        }
        "ppi_mean" => corrected(ppi_mean(&labelled(), &unlabelled(), number("lambda"), number("conf"))),
        "ppi_plus_plus_mean" => corrected(ppi_plus_plus_mean(&labelled(), &unlabelled(), number("conf"))),
        "rogan_gladen" => {
            let calibration =
                Calibration { tp: count("tp"), pos: count("pos"), tn: count("tn"), neg: count("neg") };
            let found = rogan_gladen(count("judged_pass"), count("n"), &calibration, number("conf")).unwrap();
            let (low, high) = (found.interval.low, found.interval.high);
            json!({"raw": found.raw, "unclamped": found.unclamped, "theta": found.theta, "lower": low, "upper": high})
        }
        "verdict_from_logprobs" => {
            let found = verdict_from_logprobs(&read(&inputs["logprobs"])).unwrap();
            json!({"yes": found.yes, "no": found.no, "unsure": found.unsure, "covered_mass": found.covered})
        }
        "early_stop_majority" => {
            let found = early_stop_majority(number("p"), count("m") as u32).unwrap();
            json!({"p_correct": found.correct, "expected_votes": found.votes})
        }
        "attenuated_drop" => json!(attenuated_drop(number("true_drop"), number("tpr"), number("tnr"))),
        "panel_error_correlation" => {
            let errors: Vec<Vec<u8>> = read(&inputs["errors_by_judge"]);
            let errors: Vec<Vec<bool>> =
                errors.into_iter().map(|judge| judge.into_iter().map(|error| error == 1).collect()).collect();
            json!(panel_error_correlation(&errors))
        }
        "panel_effective_votes" => {
            json!(panel_effective_votes(count("judges") as u32, number("mean_pairwise_error_corr")))
        }
        other => panic!("no function for vector `{other}`"),
    }
}
