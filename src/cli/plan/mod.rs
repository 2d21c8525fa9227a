//! `plan`: what a run would do, before anything is spent.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Context;
use super::args::PlanArgs;
use super::check;
use super::eval::{planned, selection};
use super::failure::Outcome;
use super::forecast::{Forecast, forecast};
use super::rounds::{Base, places};
use crate::gate::Exit;
use crate::llm::ModelSpec;
use crate::plan::{Case, Plan, Work};
use crate::report::figures::{count, money, thousands};
use crate::suite::answers::Sampling;
use crate::suite::read::Project;

mod outlook;

use outlook::outlooks;

/// Stands for the tokens while no run has shown them: most of them are the target's own descriptions and results.
const UNKNOWN: &str = "tokens: known after a first run";

/// Prints the plan of each suite.
pub(super) fn plan(args: &PlanArgs, context: &Context) -> Outcome {
    let project = Project::new(context.root.clone());
    let mut documents = Vec::new();
    for name in check::selected(&args.select.suites, &project)? {
        let chosen = selection(&args.select, &[]);
        let (suite, plan) = planned(&name, &chosen, args.select.seed, None, context)?;
        let (cells, most) = (cells(&plan), Most::of(&plan));
        let reports = context.root.join(&args.out);
        let round = forecast(&suite, &first_trials(&plan), &reports);
        let forecast = forecast(&suite, &plan, &reports);
        let (path, shown) = places(&args.out, &suite.name, context);
        let base = Base::read(&path, &shown)?;
        let outlooks = outlooks(&suite, &plan, base.as_ref(), &reports)?;
        if context.printer.is_machine() {
            documents.push(json!({
                "suite": suite.name,
                "trials": plan.cases.len(),
                "cells": cells.iter().map(Cell::to_json).collect::<Vec<_>>(),
                "at_most": most.to_json(),
                "max_cost": suite.max_cost,
                "expected": forecast.as_ref().map(Forecast::to_json),
                "gate": outlooks.as_ref().map(|outlooks| outlooks.to_json(round.as_ref())),
            }));
        } else {
            let mut text = text(suite.name.as_str(), &plan, &cells, &most);
            if most.model_calls > 0 {
                let tokens = forecast.map_or_else(|| UNKNOWN.to_owned(), |forecast| forecast.text());
                text.push_str(&format!("  {tokens}\n"));
            }
            text.push_str(&outlooks.map(|outlooks| outlooks.text(round.as_ref())).unwrap_or_default());
            if let Some(budget) = suite.max_cost {
                text.push_str(&format!("  stops at {} (`max_cost`)\n", money(Some(budget), 0)));
            }
            context.printer.data(text.as_bytes())?;
        }
    }
    if context.printer.is_machine() {
        context.printer.data_line(&json!({"schema": 1, "suites": documents}).to_string())?;
    }
    Ok(Exit::Pass)
}

/// What one round of a comparison runs.
fn first_trials(plan: &Plan) -> Plan {
    let first = plan.cases.iter().filter(|case| case.header.trial == 1);
    Plan { cases: first.cloned().collect(), seed: plan.seed }
}

/// Trials of one kind, model, persona and client profile.
struct Cell {
    names: [String; 4],
    cases: usize,
    trials: usize,
}

impl Cell {
    fn to_json(&self) -> Value {
        let [kind, model, persona, client] = &self.names;
        let model = Some(model).filter(|model| *model != "-");
        json!({"kind": kind, "model": model, "persona": persona, "client": client, "cases": self.cases, "trials": self.trials})
    }
}

fn cells(plan: &Plan) -> Vec<Cell> {
    let mut rows: BTreeMap<[String; 4], (BTreeSet<&str>, usize)> = BTreeMap::new();
    for case in &plan.cases {
        let header = &case.header;
        let model = header.model.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let names =
            [header.kind.as_str().to_owned(), model, header.persona.to_string(), header.client.to_string()];
        let (cases, trials) = rows.entry(names).or_default();
        cases.insert(header.case.as_str());
        *trials += 1;
    }
    rows.into_iter().map(|(names, (cases, trials))| Cell { names, cases: cases.len(), trials }).collect()
}

/// What the limits of the cases allow at most.
#[derive(Default)]
struct Most {
    model_calls: u64,
    tool_calls: u64,
    judged: u64,
    /// US dollars of the models under test; `None` when some trial has neither a limit nor a free model.
    cost: Option<f64>,
}

impl Most {
    fn of(plan: &Plan) -> Self {
        let start = Self { cost: Some(0.0), ..Self::default() };
        plan.cases.iter().fold(start, Self::and)
    }

    fn and(mut self, case: &Case) -> Self {
        self.judged += u64::from(!case.criteria.is_empty());
        let Work::Use(work) = &case.work else { return self };
        self.model_calls += u64::from(work.limits.turns) * work.turns.len() as u64;
        self.tool_calls += u64::from(work.limits.tool_calls);
        let sampling = match work.answers.sampling.as_ref().map(|block| &block.value) {
            Some(Sampling::Model(model)) => Some(model.as_ref()),
            _ => None,
        };
        if sampling.is_some() {
            self.model_calls += u64::from(work.limits.tool_calls);
        }
        let is_free = |model: &ModelSpec| {
            model.price.as_ref().is_some_and(|price| price.input == 0.0 && price.output == 0.0)
        };
        let free = is_free(&work.model) && sampling.is_none_or(is_free);
        let most = if free { Some(0.0) } else { work.limits.cost };
        self.cost = self.cost.zip(most).map(|(sum, most)| sum + most);
        self
    }

    fn to_json(&self) -> Value {
        json!({"model_calls": self.model_calls, "tool_calls": self.tool_calls, "judged_trials": self.judged, "cost": self.cost})
    }
}

fn text(suite: &str, plan: &Plan, cells: &[Cell], most: &Most) -> String {
    let mut out = format!("{suite}: {}\n", count(plan.cases.len() as u64, "trial"));
    let head = ["kind", "model", "persona", "client"];
    let width = |column: usize| {
        let names = cells.iter().map(|cell| cell.names[column].chars().count());
        names.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    let mut row = |names: [&str; 4], cases: &str, trials: &str| {
        for (name, width) in names.iter().zip(widths) {
            out.push_str(&format!("  {name:width$}"));
        }
        out.push_str(&format!("  {cases:>5}  {trials:>6}\n"));
    };
    row(head, "cases", "trials");
    for cell in cells {
        let names = [0, 1, 2, 3].map(|column| cell.names[column].as_str());
        row(names, &cell.cases.to_string(), &cell.trials.to_string());
    }
    if most.model_calls > 0 {
        let cost = most.cost.map_or_else(
            || "cost without a limit: set `limits: {cost: …}`, or run with `--max-cost`".to_owned(),
            |cost| format!("{} for the models under test", money(Some(cost), 0)),
        );
        out.push_str(&format!(
            "  at most {} model calls, {} tool calls; {cost}\n",
            thousands(most.model_calls),
            thousands(most.tool_calls)
        ));
    }
    if most.judged > 0 {
        out.push_str(&format!("  {} also go to the judge\n", count(most.judged, "trial")));
    }
    out
}
