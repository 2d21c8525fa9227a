//! Agents that are programs: definitions that make no sense, and cases that no such agent can work on.

use crate::diag::{Diagnostic, Located, Origin};
use crate::llm::ModelSpec;
use crate::llm::command::{converses, is_agent, problems};
use crate::mcp::Isolation;
use crate::suite::answers::Sampling;
use crate::suite::{CaseSpec, Step, Suite, Transport, Turn};

pub(super) fn check(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    for model in &suite.models {
        for problem in problems(&model.value) {
            let message = format!("model `{}`: {problem}", model.value.name);
            diagnostics.push(Diagnostic::error("suite.invalid-value", model.origin.clone(), message));
        }
    }
    let judge = suite.judge.iter().map(|judge| (&judge.value.model, &judge.origin, "judge"));
    let samplers = suite.cases.iter().filter_map(|case| {
        let block = case.answers.sampling.as_ref()?;
        let Sampling::Model(model) = &block.value else { return None };
        Some((model.as_ref(), &block.origin, "sample"))
    });
    for (model, at, verb) in judge.chain(samplers).filter(|(model, ..)| is_agent(model)) {
        let message = format!("`{}` is an agent that is a program; it cannot {verb}", model.name);
        let diagnostic = Diagnostic::error("suite.contradiction", at.clone(), message);
        diagnostics.push(diagnostic.hint("name a language model"));
    }
    for (case, model) in agents(suite) {
        let (id, name) = (&case.id.value, &model.value.name);
        let several = case.turns.len() > 1 || case.turns.iter().any(|turn| matches!(turn, Turn::Simulate(_)));
        if several && !converses(&model.value) {
            let message = format!(
                "case `{id}` has several turns, and the agent `{name}` works on one prompt only: its definition has no `agent.then`"
            );
            let hint = "name other models for this case, or give the agent a command line that goes on with a conversation";
            diagnostics
                .push(Diagnostic::error("suite.one-prompt", case.id.origin.clone(), message).hint(hint));
        }
        if suite.target.transport == Transport::Sse {
            let message =
                format!("the agent `{name}` cannot be put before a target that is spoken to over HTTP+SSE");
            let diagnostic = Diagnostic::error("suite.contradiction", case.id.origin.clone(), message);
            diagnostics.push(diagnostic.hint("use `transport: http` or `stdio`"));
        }
    }
}

/// Every case with every agent that works on it.
fn agents(suite: &Suite) -> impl Iterator<Item = (&CaseSpec, &Located<ModelSpec>)> {
    suite.cases.iter().flat_map(|case| {
        let named = suite.models.iter().filter(|model| case.models.contains(&model.value.name));
        named.filter(|model| is_agent(&model.value)).map(move |model| (case, model))
    })
}

/// Adds warnings; called when there is no error.
pub(super) fn advise(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let mut warn = |at: &Origin, message: String, hint: &str| {
        let diagnostic = Diagnostic::error("suite.agent", at.clone(), message).as_warning().hint(hint);
        if !diagnostics.contains(&diagnostic) {
            diagnostics.push(diagnostic);
        }
    };
    for (case, model) in agents(suite) {
        let (at, name) = (&case.id.origin, &model.value.name);
        if !case.answers.is_empty() {
            let message = format!("the agent `{name}` answers the server by itself; `answers` is not for it");
            warn(at, message, "keep `answers` for cases with other models");
        }
        if case.clients.len() > 1 {
            let message = format!(
                "the agent `{name}` is a client of its own; each of the case's clients gives the same trials"
            );
            warn(at, message, "name one client for cases with agents");
        }
        let apart = suite.target.transport == Transport::Stdio && suite.target.isolation == Isolation::Trial;
        let mut steps = case.setup.iter().chain(&case.cleanup).map(|step| &step.value);
        let mut verify = case.verify.iter().map(|verify| &verify.value.step);
        if apart && (steps.any(Step::asks_target) || verify.any(Step::asks_target)) {
            let message = format!(
                "over stdio the agent `{name}` has a server process of its own: steps of the case see another one"
            );
            warn(at, message, "keep the state outside the process, or use `transport: http`");
        }
    }
}
