//! The functions about judges, a line or two each.

use std::collections::BTreeMap;

use rehearsal::stats::Interval;
use rehearsal::stats::agreement::{
    Agreement, Counts, Table, cohen_kappa, gwet_ac1, judge_confusion, krippendorff_alpha_nominal,
};
use rehearsal::stats::correction::{
    Calibration, Corrected, attenuated_drop, ppi_mean, ppi_plus_plus_mean, rogan_gladen,
};
use rehearsal::stats::votes::{
    early_stop_majority, panel_effective_votes, panel_error_correlation, verdict_from_logprobs,
};
use serde_json::{Value, json};

use super::inputs::{Inputs, ends};
use super::table::Row;

/// All of them.
pub(crate) const TABLE: &[Row] = &[
    ("cohen_kappa", |i| Ok(agreement("kappa", cohen_kappa(&table(i)?)))),
    ("gwet_ac1", |i| Ok(agreement("ac1", gwet_ac1(&table(i)?)))),
    ("krippendorff_alpha_nominal", |i| {
        let unit = |unit: &Value| -> Option<Vec<Option<Value>>> {
            Some(
                unit.as_array()?
                    .iter()
                    .map(|label| Some(label.clone()).filter(|label| !label.is_null()))
                    .collect(),
            )
        };
        let units: Option<Vec<_>> = i.items("units")?.into_iter().map(unit).collect();
        Ok(json!(krippendorff_alpha_nominal(&units.ok_or("a unit is no list")?)))
    }),
    ("judge_confusion", |i| {
        let counts = Counts { tp: i.n("tp")?, fn_: i.n("fn")?, fp: i.n("fp")?, tn: i.n("tn")? };
        let c = judge_confusion(&counts, i.conf()?);
        Ok(json!({"tpr": c.tpr, "tnr": c.tnr, "ppv": c.ppv, "npv": c.npv, "accuracy": c.accuracy,
                  "youden_j": c.youden_j, "mcc": c.mcc, "tpr_wilson": ends(c.tpr_interval),
                  "tnr_wilson": ends(c.tnr_interval)}))
    }),
    ("ppi_mean", |i| {
        let found = ppi_mean(&labelled(i)?, &i.list("yhat_unlabeled")?, i.f_or("lambda", 1.0)?, i.conf()?);
        Ok(corrected(found))
    }),
    ("ppi_plus_plus_mean", |i| {
        Ok(corrected(ppi_plus_plus_mean(&labelled(i)?, &i.list("yhat_unlabeled")?, i.conf()?)))
    }),
    ("rogan_gladen", |i| {
        let calibration = Calibration { tp: i.n("tp")?, pos: i.n("pos")?, tn: i.n("tn")?, neg: i.n("neg")? };
        let found = rogan_gladen(i.n("judged_pass")?, i.n("n")?, &calibration, i.conf()?);
        Ok(json!(found.map(|r| {
            let Interval { low, high } = r.interval;
            json!({"raw": r.raw, "unclamped": r.unclamped, "theta": r.theta, "lower": low, "upper": high})
        })))
    }),
    ("early_stop_majority", |i| {
        let found = early_stop_majority(i.f("p")?, i.n("m")? as u32);
        Ok(json!(found.map(|e| json!({"p_correct": e.correct, "expected_votes": e.votes}))))
    }),
    ("verdict_from_logprobs", |i| {
        let logprobs: Option<BTreeMap<String, f64>> = i
            .value("logprobs")?
            .as_object()
            .and_then(|tokens| tokens.iter().map(|(token, p)| Some((token.clone(), p.as_f64()?))).collect());
        let found = verdict_from_logprobs(&logprobs.ok_or("`logprobs` is not numbers by token")?);
        Ok(json!(
            found.map(|p| {
                json!({"yes": p.yes, "no": p.no, "unsure": p.unsure, "covered_mass": p.covered})
            })
        ))
    }),
    ("attenuated_drop", |i| Ok(json!(attenuated_drop(i.f("true_drop")?, i.f("tpr")?, i.f("tnr")?)))),
    ("panel_effective_votes", |i| {
        Ok(json!(panel_effective_votes(i.n("judges")? as u32, i.f("mean_pairwise_error_corr")?)))
    }),
    ("panel_error_correlation", |i| {
        let errors: Result<Vec<Vec<bool>>, String> = i
            .items("errors_by_judge")?
            .into_iter()
            .map(|judge| Inputs(&json!({"e": judge})).flags("e"))
            .collect();
        Ok(json!(panel_error_correlation(&errors?)))
    }),
];

fn table(i: Inputs<'_>) -> Result<Table, String> {
    let rows = i.items("table")?;
    let count = |row: usize, column: usize| {
        rows.get(row)
            .and_then(|row| row.get(column))
            .and_then(Value::as_u64)
            .ok_or("`table` is not 2 x 2 counts")
    };
    Ok([[count(0, 0)?, count(0, 1)?], [count(1, 0)?, count(1, 1)?]])
}

fn agreement(name: &str, found: Option<Agreement>) -> Value {
    json!(found.map(|a| json!({"po": a.observed, "pe": a.expected, name: a.coefficient})))
}

fn labelled(i: Inputs<'_>) -> Result<Vec<(f64, f64)>, String> {
    Ok(i.list("y")?.into_iter().zip(i.list("yhat")?).collect())
}

fn corrected(found: Option<Corrected>) -> Value {
    json!(found.map(|c| {
        let Interval { low, high } = c.interval;
        json!({"est": c.estimate, "se": c.se, "lower": low, "upper": high, "lambda": c.lambda})
    }))
}
