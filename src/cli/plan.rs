//! `plan`: what a run would do, before anything is spent.

use std::collections::BTreeMap;

use serde_json::json;

use super::Context;
use super::args::EvalArgs;
use super::check;
use super::eval::{planned, selection};
use super::failure::Outcome;
use crate::gate::Exit;
use crate::suite::read::Project;

/// Prints the size of the plan of each suite.
pub(super) fn plan(args: &EvalArgs, context: &Context) -> Outcome {
    let project = Project::new(context.root.clone());
    let mut documents = Vec::new();
    for name in check::selected(&args.suites, &project)? {
        let (suite, plan) = planned(&name, &selection(args, &[]), args.seed, context)?;
        let mut rows: BTreeMap<(String, String), usize> = BTreeMap::new();
        for case in &plan.cases {
            let header = &case.header;
            let model = header.model.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
            *rows.entry((header.kind.as_str().to_owned(), model)).or_default() += 1;
        }
        if context.printer.is_machine() {
            let cells: Vec<_> = rows
                .iter()
                .map(|((kind, model), n)| json!({"kind": kind, "model": model, "trials": n}))
                .collect();
            documents.push(json!({"suite": suite.name, "trials": plan.cases.len(), "cells": cells}));
            continue;
        }
        context.printer.data_line(&format!("{}: {} trials", suite.name, plan.cases.len()));
        for ((kind, model), trials) in rows {
            context.printer.data_line(&format!("  {kind:8} {model:24} {trials:6} trials"));
        }
    }
    if context.printer.is_machine() {
        context.printer.data_line(&json!({"schema": 1, "suites": documents}).to_string());
    }
    Ok(Exit::Pass)
}
