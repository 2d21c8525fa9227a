//! The functions of intervals, tests, power, drift, trajectories and the gate, a line or two each.

use std::collections::{BTreeMap, BTreeSet};

use rehearsal::gate::case_state::classify_case;
use rehearsal::score::trajectory::{
    MadeCall, Visible, access_matrix, error_recovery, redundant_calls, trajectory_match,
};
use rehearsal::stats::allocation::{greedy_allocation, shrunk_case_variance};
use rehearsal::stats::anytime::{
    Hedge, beta_binomial_cs, hedged_capital, hedged_cs, mcnemar_e_value, paired_betting_e,
};
use rehearsal::stats::belief::{Beta, PairedPrior, prob_beta_diff_greater, prob_dirichlet_paired_greater};
use rehearsal::stats::bootstrap::{
    Resampling, bca_interval, bootstrap_means, cluster_bootstrap_means, quantile,
};
use rehearsal::stats::change::suite_change_interval;
use rehearsal::stats::drift::{
    CusumSettings, EwmaSettings, bernoulli_cusum, changepoint_bernoulli, ewma, tabular_cusum_low,
};
use rehearsal::stats::exact::{cmh_chi2, fisher_worse, stratified_exact};
use rehearsal::stats::mean::{
    FewClusters, clustered_mean_ci, clustered_mean_se, fixed_suite_se, icc_oneway, t_interval,
};
use rehearsal::stats::multiple::{benjamini_hochberg, benjamini_yekutieli, holm};
use rehearsal::stats::nights::{Effect, FourArms, night_adjusted_p, night_variance, two_factor};
use rehearsal::stats::order::kendall_tau_b;
use rehearsal::stats::paired::{FourFold, mcnemar, newcombe_paired, tango_ci, tango_ni};
use rehearsal::stats::power::{Design, Risks, k_needed, mde_paired, n_paired_mean};
use rehearsal::stats::proportion::{
    beta_credible, clopper_pearson, jeffreys, rule_of_three, suite_rate, wilson, wilson_neff,
};
use rehearsal::stats::random::SplitMix64;
use rehearsal::stats::reliability::{
    pass_at_k, pass_hat_k, posterior_pass_hat_k, reliability_curve, suite_pass_hat_k,
};
use rehearsal::stats::sequential::{
    SprtQuestion, group_sequential_bounds, info_fraction_pooled_baseline, obf_spending, spend_weights,
    sprt_bernoulli,
};
use rehearsal::stats::signs::{SignedTest, paired_t, sign_test, signflip_exact};
use rehearsal::stats::special::{
    beta_cdf, beta_quantile, chi2_sf, ln_gamma, norm_cdf, norm_quantile, student_t_cdf, student_t_quantile,
};
use rehearsal::stats::{Interval, Tally};
use serde_json::{Value, json};

use super::gate;
use super::inputs::{Inputs, ends};

pub(crate) type Got = Result<Value, String>;

/// A function by name: inputs in, what the program computes out.
pub(crate) type Row = (&'static str, fn(Inputs<'_>) -> Got);

/// All of them.
pub(crate) const TABLE: &[Row] = &[
    ("ln_gamma", |i| Ok(json!(ln_gamma(i.f("x")?)))),
    ("norm_cdf", |i| Ok(json!(norm_cdf(i.f("x")?)))),
    ("norm_quantile", |i| Ok(json!(norm_quantile(i.f("p")?)))),
    ("beta_cdf", |i| Ok(json!(beta_cdf(i.f("x")?, i.f("a")?, i.f("b")?)))),
    ("beta_quantile", |i| Ok(json!(beta_quantile(i.f("p")?, i.f("a")?, i.f("b")?)))),
    ("student_t_cdf", |i| Ok(json!(student_t_cdf(i.f("t")?, i.f("df")?)))),
    ("student_t_quantile", |i| Ok(json!(student_t_quantile(i.f("p")?, i.f("df")?)))),
    ("chi2_sf", |i| Ok(json!(chi2_sf(i.f("x")?, i.f("df")?)))),
    ("splitmix64", |i| draw(i, |rng| json!(rng.next_u64().to_string()))),
    ("splitmix64_f64", |i| draw(i, |rng| json!(rng.next_f64()))),
    ("splitmix64_index", |i| {
        let bound = i.n("bound")? as usize;
        draw(i, |rng| json!(rng.index(bound)))
    }),
    ("wilson", |i| Ok(ends(wilson(i.n("x")?, i.n("n")?, i.conf()?)))),
    ("clopper_pearson", |i| Ok(ends(clopper_pearson(i.n("x")?, i.n("n")?, i.conf()?)))),
    ("jeffreys", |i| Ok(ends(jeffreys(i.n("x")?, i.n("n")?, i.conf()?)))),
    ("beta_credible", |i| Ok(ends(beta_credible(i.n("x")?, i.n("n")?, [i.f("a")?, i.f("b")?], i.conf()?)))),
    ("wilson_neff", |i| Ok(ends(wilson_neff(i.f("p")?, i.f("n_eff")?, i.conf()?)))),
    ("rule_of_three", |i| {
        let bound = rule_of_three(i.n("n")?, i.conf()?);
        Ok(json!(bound.map(|b| json!({"exact_upper_fail": b.upper, "approx": b.rule_of_thumb}))))
    }),
    ("t_interval", |i| Ok(ends(t_interval(&i.list("values")?, i.conf()?)))),
    ("clustered_mean_se", |i| {
        let few =
            if i.flag("finite_correction")? { FewClusters::Corrected } else { FewClusters::Uncorrected };
        let found = clustered_mean_se(&i.clustered()?, few);
        Ok(json!(found.map(|m| json!({"mean": m.mean, "se": m.se, "clusters": m.clusters}))))
    }),
    ("clustered_mean_ci", |i| {
        let found = clustered_mean_ci(&i.clustered()?, i.conf()?);
        let shown = found.map(|(m, ci)| {
            json!({"mean": m.mean, "se": m.se, "df": m.clusters - 1, "lower": ci.low, "upper": ci.high})
        });
        Ok(json!(shown))
    }),
    ("suite_rate_unequal_k", |i| {
        let cases = i.cases()?;
        let pooled = cases.iter().fold(Tally::default(), |sum, case| sum.plus(*case)).rate();
        let rate = suite_rate(&cases, 0.95);
        Ok(json!(
            rate.map(|r| { json!({"mean_of_case_means": r.rate, "se": r.se, "pooled_trial_mean": pooled}) })
        ))
    }),
    ("fixed_suite_se", |i| Ok(json!(fixed_suite_se(&i.cases()?)))),
    ("icc_oneway", |i| {
        let found = icc_oneway(&i.cases()?);
        Ok(json!(found.map(|o| {
            json!({"msb": o.between_square, "msw": o.within_square, "k0": o.k0, "var_between": o.between,
                   "var_within": o.within, "icc": o.icc})
        })))
    }),
    ("bootstrap_means", |i| {
        let drawn = bootstrap_means(&i.list("values")?, resampling(i)?);
        Ok(json!(drawn.map(|d| {
            json!({"first5": d.iter().take(5).collect::<Vec<_>>(), "mean": d.iter().sum::<f64>() / d.len() as f64,
                   "p2.5_type7": percentile(&d, 0.025), "p97.5_type7": percentile(&d, 0.975)})
        })))
    }),
    ("cluster_bootstrap_means", |i| {
        let drawn = cluster_bootstrap_means(&i.clustered()?, resampling(i)?);
        Ok(json!(drawn.map(|d| {
            json!({"first5": d.iter().take(5).collect::<Vec<_>>(), "p5_type7": percentile(&d, 0.05),
                   "p95_type7": percentile(&d, 0.95)})
        })))
    }),
    ("bca_interval", |i| {
        let found = bca_interval(&i.list("values")?, resampling(i)?, i.conf()?);
        Ok(json!(found.map(|b| {
            json!({"z0": b.bias, "acceleration": b.acceleration, "alpha_adj": b.levels,
                   "ci": ends(Some(b.interval))})
        })))
    }),
    ("bca_interval_mc", |i| {
        // Means of few values lie on a grid, and one stream may end on either side of a step: eight streams, averaged.
        let (values, conf) = (i.list("values")?, i.conf()?);
        let one = |seed| bca_interval(&values, Resampling { replicates: 100_000, seed }, conf);
        let all: Option<Vec<Interval>> = (1..=8).map(|seed| one(seed).map(|found| found.interval)).collect();
        let mean = |end: fn(&Interval) -> f64| all.as_ref().map(|all| all.iter().map(end).sum::<f64>() / 8.0);
        Ok(json!(
            mean(|interval| interval.low).zip(mean(|interval| interval.high)).map(|(low, high)| [low, high])
        ))
    }),
    ("pass_at_k", |i| Ok(json!(pass_at_k(i.tally()?, i.n("k")?)))),
    ("pass_hat_k", |i| Ok(json!(pass_hat_k(i.tally()?, i.n("k")?)))),
    ("posterior_pass_hat_k", |i| {
        Ok(json!(posterior_pass_hat_k(i.tally()?, i.n("k")?, [i.f_or("a", 0.5)?, i.f_or("b", 0.5)?])))
    }),
    ("reliability_curve", |i| {
        let curve = reliability_curve(&i.tallies()?);
        Ok(json!({"pass_at": curve.pass_at, "pass_hat": curve.pass_hat}))
    }),
    ("suite_pass_hat_k_se", |i| {
        let suite = suite_pass_hat_k(&i.tallies()?, i.n("k")?);
        Ok(json!(suite.map(|s| json!({"mean": s.mean, "se": s.se}))))
    }),
    ("mcnemar", |i| {
        let test = mcnemar(i.changed()?);
        Ok(json!(test.map(|m| {
            json!({"exact_two": m.exact_two, "midp_two": m.midp_two, "exact_one_worse": m.exact_worse,
                   "midp_one_worse": m.midp_worse, "chi2": m.chi2, "chi2_cc": m.chi2_corrected})
        })))
    }),
    ("newcombe_paired", |i| {
        let table = FourFold { both: i.n("a")?, changed: i.changed()?, neither: i.n("d")? };
        let found = newcombe_paired(table, i.conf()?);
        Ok(json!(found.map(|c| {
            json!({"diff": c.diff, "lower": c.interval.low, "upper": c.interval.high, "phi": c.phi})
        })))
    }),
    ("tango_ci", |i| Ok(ends(tango_ci(i.changed()?, i.n("n")?, i.conf()?)))),
    ("tango_ni", |i| {
        let test = tango_ni(i.changed()?, i.n("n")?, i.f("margin")?);
        Ok(json!(test.map(|t| json!({"z": t.z, "p_noninferior": t.p}))))
    }),
    ("stratified_exact", |i| {
        let test = stratified_exact(&i.pairs()?);
        Ok(json!(test.map(|s| {
            json!({"obs": s.observed, "p_worse": s.p_worse, "p_better": s.p_better, "midp_worse": s.midp_worse,
                   "p_two_pointprob": s.p_two, "null_mean": s.null_mean, "null_var": s.null_variance, "z": s.z})
        })))
    }),
    ("cmh_chi2", |i| Ok(json!(cmh_chi2(&i.pairs()?).map(|c| json!({"statistic": c.statistic, "p": c.p}))))),
    ("fisher_worse", |i| Ok(json!(fisher_worse(i.pair()?)))),
    ("signflip_exact", |i| Ok(signed(signflip_exact(&i.list("diffs")?)))),
    ("sign_test", |i| Ok(signed(sign_test(&i.list("diffs")?)))),
    ("paired_t", |i| {
        let test = paired_t(&i.list("diffs")?, i.f("conf")?);
        Ok(json!(test.map(|t| {
            json!({"mean": t.mean, "se": t.se, "lower_one_sided": t.bounds.map(|b| b.low),
                   "upper_one_sided": t.bounds.map(|b| b.high), "p_worse": t.p_worse})
        })))
    }),
    ("suite_change_interval", |i| {
        let change = suite_change_interval(&i.pairs()?, i.f("conf_one_sided")?, i.f_or("deff_floor", 0.05)?);
        Ok(json!(change.map(|c| {
            json!({"diff": c.diff, "p_base": c.baseline, "p_cand": c.candidate, "deff_base": c.baseline_deff,
                   "deff_cand": c.candidate_deff, "lower": c.interval.low, "upper": c.interval.high})
        })))
    }),
    ("holm", |i| Ok(json!(holm(&i.list("p")?)))),
    ("benjamini_hochberg", |i| Ok(json!(benjamini_hochberg(&i.list("p")?)))),
    ("benjamini_yekutieli", |i| Ok(json!(benjamini_yekutieli(&i.list("p")?)))),
    ("prob_beta_diff_greater", |i| {
        let candidate = Beta { a: i.f("a_cand")?, b: i.f("b_cand")? };
        let baseline = Beta { a: i.f("a_base")?, b: i.f("b_base")? };
        Ok(json!(prob_beta_diff_greater(candidate, baseline, i.f("margin")?)))
    }),
    ("prob_dirichlet_paired_greater", |i| {
        let [worse, better, same] =
            <[f64; 3]>::try_from(i.list("prior")?).map_err(|_| "`prior` is not three")?;
        let prior = PairedPrior { worse, better, same };
        Ok(json!(prob_dirichlet_paired_greater(i.changed()?, i.n("concordant")?, i.f("margin")?, prior)))
    }),
    ("n_paired_mean", |i| Ok(json!(n_paired_mean(i.f("sd_diff")?, i.f("effect")?, risks(i)?)))),
    ("mde_paired", |i| {
        let design = Design {
            cases: i.f("n_cases")?,
            true_diff: i.f("var_true_diff")?,
            within_candidate: i.f("var_within_cand")?,
            within_baseline: i.f("var_within_base")?,
            k_candidate: i.f("k_cand")?,
            k_baseline: i.f("k_base")?,
        };
        Ok(json!(mde_paired(&design, risks(i)?)))
    }),
    ("k_needed", |i| {
        let design = Design {
            cases: i.f("n_cases")?,
            true_diff: i.f_or("var_true_diff", 0.0)?,
            within_candidate: i.f("var_within")?,
            within_baseline: i.f("var_within")?,
            k_candidate: 1.0,
            k_baseline: i.f("k_base")?,
        };
        Ok(json!(k_needed(&design, i.f("effect")?, risks(i)?)))
    }),
    ("sprt_bernoulli", |i| {
        let question =
            SprtQuestion { p0: i.f("p0")?, p1: i.f("p1")?, alpha: i.f("alpha")?, beta: i.f("beta")? };
        let test = sprt_bernoulli(question, &i.flags("xs")?);
        Ok(json!(test.map(|s| {
            json!({"upper": s.upper, "lower": s.lower, "llr_pass": s.pass_step, "llr_fail": s.fail_step,
                   "path": s.path})
        })))
    }),
    ("obf_spending", |i| Ok(json!(obf_spending(i.f("alpha")?, i.f("t")?)))),
    ("group_sequential_bounds", |i| {
        if i.value("spending")? != "obf" {
            return Err("only the spending of O'Brien and Fleming is known".to_owned());
        }
        Ok(json!(group_sequential_bounds(i.f("alpha_one_sided")?, &i.list("info")?)))
    }),
    ("info_fraction_pooled_baseline", |i| {
        Ok(json!(info_fraction_pooled_baseline(i.f("k_base")?, i.n("rounds")? as u32)))
    }),
    ("spend_weights", |i| Ok(json!(spend_weights(i.f("alpha")?, &i.list("weights")?)))),
    ("hedged_capital", |i| {
        let found = hedged_capital(&i.list("xs")?, i.f("m")?, hedge(i)?);
        Ok(json!(
            found.map(|c| { json!({"k_plus": c.plus, "k_minus": c.minus, "final": c.last, "max": c.most}) })
        ))
    }),
    ("hedged_cs", |i| Ok(ends(hedged_cs(&i.list("xs")?, hedge(i)?)))),
    ("beta_binomial_cs", |i| {
        let prior = [i.f_or("a", 0.5)?, i.f_or("b", 0.5)?];
        Ok(ends(beta_binomial_cs(i.n("successes")?, i.n("n")?, i.f("alpha")?, prior)))
    }),
    ("mcnemar_e_value", |i| {
        let found = mcnemar_e_value(i.changed()?);
        Ok(json!(found.map(|e| json!({"two_sided": e.two_sided, "one_sided_worse": e.worse}))))
    }),
    ("paired_betting_e", |i| Ok(json!(paired_betting_e(&i.list("diffs")?, i.f("cap")?)))),
    ("bernoulli_cusum", |i| {
        let chart = bernoulli_cusum(&i.flags("fails")?, i.f("p0")?, i.f("p1")?, i.f("h")?);
        Ok(json!(chart.map(|c| json!({"path": c.path, "alarm_index": c.alarm}))))
    }),
    ("tabular_cusum_low", |i| {
        let settings = CusumSettings { slack: i.f("k")?, height: i.f("h")? };
        let chart = tabular_cusum_low(&i.list("xs")?, i.f("mu")?, i.f("sigma")?, settings);
        Ok(json!(chart.map(|c| json!({"path": c.path, "alarm_index": c.alarm}))))
    }),
    ("ewma", |i| {
        let settings = EwmaSettings { weight: i.f("lambda")?, limit: i.f("L")? };
        let found = ewma(&i.list("xs")?, i.f("mu")?, i.f("sigma")?, settings);
        Ok(json!(
            found.map(|e| {
                json!({"z": e.path, "lower": e.lower, "upper": e.upper, "alarm_index": e.alarm})
            })
        ))
    }),
    ("changepoint_bernoulli", |i| {
        let nights: Vec<(u64, u64)> = i.counts("fails")?.into_iter().zip(i.counts("trials")?).collect();
        let found = changepoint_bernoulli(&nights);
        Ok(json!(found.map(|c| json!({"split_before_index": c.from, "two_llr": c.two_llr}))))
    }),
    ("night_variance", |i| {
        let nights: Vec<(f64, f64)> = i.list("means")?.into_iter().zip(i.list("within_var")?).collect();
        Ok(json!(
            night_variance(&nights)
                .map(|n| { json!({"s2": n.observed, "sigma2_night": n.extra, "cochran_q": n.cochran_q}) })
        ))
    }),
    ("night_adjusted_p", |i| {
        let found = night_adjusted_p(i.f("p_raw")?, i.f("v_within")?, i.f("sigma2_night")?, i.n("nights")?);
        Ok(json!(found.map(|n| json!({"z_adj": n.z, "p_adj_t": n.p}))))
    }),
    ("two_factor", |i| {
        let arm = |key| i.list(key);
        let (old, model) = (arm("old_model_old_server")?, arm("new_model_old_server")?);
        let (server, new) = (arm("old_model_new_server")?, arm("new_model_new_server")?);
        let cases = old.into_iter().zip(model).zip(server).zip(new).map(
            |(((old_old, new_model), new_server), new_new)| FourArms {
                old_old,
                new_model,
                new_server,
                new_new,
            },
        );
        let effect = |e: Effect| json!({"est": e.estimate, "se": e.se});
        Ok(json!(two_factor(&cases.collect::<Vec<_>>()).map(|t| {
            json!({"model": effect(t.model), "server": effect(t.server), "interaction": effect(t.interaction),
                   "total": effect(t.total)})
        })))
    }),
    ("trajectory_match", |i| {
        let t = trajectory_match(&i.texts("expected")?, &i.texts("actual")?);
        Ok(
            json!({"precision": t.precision, "recall": t.recall, "f1": t.f1, "exact": t.exact, "lcs": t.common,
                  "order_lcs": t.order, "edit": t.edits, "norm_edit_sim": t.similarity, "extra": t.extra,
                  "in_order": t.in_order, "any_order": t.any_order}),
        )
    }),
    ("kendall_tau_b", |i| Ok(json!(kendall_tau_b(&i.list("x")?, &i.list("y")?)))),
    ("redundant_calls", |i| {
        let calls: Option<Vec<MadeCall<'_>>> =
            i.items("calls_name_args_mutates")?.into_iter().map(made_call).collect();
        Ok(json!(redundant_calls(&calls.ok_or("a call is not [name, arguments, mutates]")?)))
    }),
    ("error_recovery", |i| {
        let calls: Option<Vec<(&str, bool)>> =
            i.items("calls_tool_ok")?.into_iter().map(|c| Some((c[0].as_str()?, c[1].as_bool()?))).collect();
        let found = error_recovery(&calls.ok_or("a call is not [tool, succeeded]")?);
        Ok(json!({"errors": found.errors, "recovered": found.recovered, "rate": found.rate()}))
    }),
    ("access_matrix", |i| {
        let (expected, observed) = (visible(i.value("expected")?), visible(i.value("observed")?));
        let (expected, observed) = (expected.ok_or("`expected`")?, observed.ok_or("`observed`")?);
        let found = access_matrix(&expected, &observed);
        Ok(json!({"missing": found.missing, "leaked": found.leaked, "exact_personas": found.exact_personas(),
                  "leak_count": found.leak_count(), "missing_count": found.missing_count()}))
    }),
    ("classify_case", |i| {
        let found = classify_case(i.pair()?, i.f_or("alpha", 0.01)?, i.n_or("ntests", 1)?);
        Ok(json!(found.map(|c| json!({"label": c.state.as_str(), "p_worse": c.p_worse}))))
    }),
    ("greedy_allocation", |i| {
        Ok(json!(greedy_allocation(&i.list("variances")?, i.n("total")?, i.n_or("minimum", 1)?)))
    }),
    ("shrunk_case_variance", |i| Ok(json!(shrunk_case_variance(i.n("s")?, i.n("m")?, i.f("suite_mean")?)))),
    ("gate", gate::ruling),
];

fn draw(i: Inputs<'_>, one: impl Fn(&mut SplitMix64) -> Value) -> Got {
    let mut rng = SplitMix64::new(seed(i)?);
    Ok((0..i.n("n")?).map(|_| one(&mut rng)).collect())
}

/// Seeds beyond 2^53 are written as text.
fn seed(i: Inputs<'_>) -> Result<u64, String> {
    i.n("seed").or_else(|error| i.value("seed")?.as_str().and_then(|text| text.parse().ok()).ok_or(error))
}

fn resampling(i: Inputs<'_>) -> Result<Resampling, String> {
    Ok(Resampling { replicates: i.n("B")? as usize, seed: seed(i)? })
}

fn percentile(drawn: &[f64], p: f64) -> Option<f64> {
    let mut sorted = drawn.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    quantile(&sorted, p)
}

fn signed(test: Option<SignedTest>) -> Value {
    json!(test.map(|t| json!({"p_worse": t.p_worse, "p_two": t.p_two})))
}

fn risks(i: Inputs<'_>) -> Result<Risks, String> {
    Ok(Risks { alpha: i.f("alpha_one_sided")?, power: i.f("power")? })
}

fn hedge(i: Inputs<'_>) -> Result<Hedge, String> {
    Ok(Hedge { alpha: i.f("alpha")?, theta: i.f_or("theta", 0.5)?, cap: i.f_or("c", 0.5)? })
}

fn made_call(call: &Value) -> Option<MadeCall<'_>> {
    Some(MadeCall { tool: call[0].as_str()?, arguments: call.get(1)?, mutates: call[2].as_bool()? })
}

fn visible(value: &Value) -> Option<Visible<'_>> {
    let mut all = BTreeMap::new();
    for (persona, tools) in value.as_object()? {
        let tools: Option<BTreeSet<&str>> = tools.as_array()?.iter().map(Value::as_str).collect();
        all.insert(persona.as_str(), tools?);
    }
    Some(all)
}
