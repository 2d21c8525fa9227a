//! Whole gates: cases with all their trials, told to the gate as it asks for them.

use std::collections::HashMap;

use rehearsal::gate::rounds::{Gate, GateCase, Look, Next, Seen, Settings, Slot, Why};
use rehearsal::stats::Tally;
use serde_json::{Value, json};

use super::inputs::Inputs;

pub(crate) fn ruling(i: Inputs<'_>) -> Result<Value, String> {
    let split = <[f64; 3]>::try_from(i.list("split")?).map_err(|_| "`split` is not three")?;
    let settings = Settings {
        margin: i.f("delta")?,
        alpha: i.f("alpha")?,
        split,
        pass_alpha: i.f("pass_alpha")?,
        fail_weights: i.list("fail_weights")?,
        pass_weights: i.list("pass_weights")?,
        confirm_trials: i.n("confirm_trials")? as u32,
        reliable_at: i.f("reliable_at")?,
        suspect_cap: i.f("suspect_cap")?,
        deff_floor: i.f("deff_floor")?,
        max_invalid: 0.05,
        max_rounds: i.n("max_rounds")? as u32,
    };
    let mut cases = vec![];
    let mut outcomes = HashMap::new();
    for case in i.items("cases")? {
        let case = Inputs(case);
        let id = case.value("id")?.as_str().ok_or("a case without a name")?;
        let base = <[u64; 2]>::try_from(case.counts("base")?).map_err(|_| "`base` is not two")?;
        cases.push(GateCase {
            id: id.to_owned(),
            group: case.value("group")?.as_str().map(str::to_owned),
            baseline: Tally { passed: base[0], trials: base[1] },
            quarantined: false,
        });
        outcomes.insert(id, (case.flags("trials")?, case.flags("confirm")?));
    }
    let mut gate = Gate::new(settings, cases).map_err(|error| error.to_string())?;
    let ruling = loop {
        let wanted = match gate.advance() {
            Next::Decided(ruling) => break ruling,
            Next::Round(wanted) | Next::Confirm(wanted) => wanted,
        };
        for trial in wanted {
            let (rounds, confirm) = &outcomes[trial.case.as_str()];
            let (list, at) = match trial.slot {
                Slot::Round(at) => (rounds, at),
                Slot::Confirm(at) => (confirm, at),
            };
            let passed = list.get(at as usize - 1).ok_or_else(|| format!("case {} is short", trial.case))?;
            let seen = if *passed { Seen::Pass } else { Seen::Fail };
            gate.observe(&trial.case, trial.slot, seen).map_err(|error| error.to_string())?;
        }
    };
    let record = gate.record();
    if record.recompute().as_ref() != Ok(&record) {
        return Err("the record does not give the same verdict again".to_owned());
    }
    let reason = match &ruling.why {
        Why::Suite => "suite".to_owned(),
        Why::Groups(groups) => format!("group:{}", groups[0]),
        Why::Cases(cases) => format!("case:{}", cases[0]),
        Why::NotWorse => "noninferior".to_owned(),
        Why::Budget | Why::Degraded => "budget".to_owned(),
    };
    let log: Vec<Value> = record.looks.iter().map(line).collect();
    Ok(json!({"verdict": ruling.why.verdict().as_str(), "reason": reason, "round": ruling.round,
              "cost": ruling.trials, "log": log}))
}

fn line(look: &Look) -> Value {
    json!({"round": look.round, "p_suite": look.p_suite, "alpha_suite": look.alpha_suite,
           "p_group_min": look.p_group_min, "p_group_holm": look.p_group_adjusted,
           "alpha_group": look.alpha_group, "suspects": look.suspects, "p_case_holm": look.p_case_adjusted,
           "alpha_case": look.alpha_case, "ni_lower": look.change.map(|change| change.lower),
           "ni_conf": look.change.map(|change| change.conf)})
}
