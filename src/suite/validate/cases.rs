//! Cases: ids that occur twice, cases without models, limits that let nothing happen, scripts that are missing.

use crate::diag::{Diagnostic, Located, Origin};
use crate::ids::CaseName;
use crate::llm::scripted;
use crate::suite::{CaseSpec, Suite, Turn};

pub(super) fn check(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let silent = suite.cases.is_empty() && suite.access.is_empty() && suite.auth_checks.is_empty();
    // A row or pack whose name is unknown was reported and is not here.
    if silent && diagnostics.is_empty() {
        let at = Origin { file: suite.file.clone(), line: 1, column: 1 };
        diagnostics.push(
            Diagnostic::error("suite.empty", at, "the suite asks nothing")
                .hint("give `cases`, `access` or `auth_checks`"),
        );
    }
    let mut seen: std::collections::HashMap<&CaseName, &Located<CaseName>> = Default::default();
    for case in &suite.cases {
        if let Some(first) = seen.insert(&case.id.value, &case.id) {
            let message = format!("case id `{}` is given twice", case.id.value);
            diagnostics.push(
                Diagnostic::error("suite.duplicate-id", case.id.origin.clone(), message)
                    .also(first.origin.clone(), "first here"),
            );
        }
        one(suite, case, diagnostics);
    }
    missing_models(suite, diagnostics);
}

fn one(suite: &Suite, case: &CaseSpec, diagnostics: &mut Vec<Diagnostic>) {
    let at = || case.id.origin.clone();
    let mut error = |code, message: String, hint: &str| {
        diagnostics.push(Diagnostic::error(code, at(), message).hint(hint));
    };
    let id = &case.id.value;
    if case.expect.is_empty() && case.criteria.is_empty() && case.verify.is_empty() {
        let hint = "add `expect`, `criteria` or `verify`; a case that cannot fail measures nothing";
        error("suite.no-expectation", format!("case `{id}` expects nothing"), hint);
    }
    if case.limits.turns == 0 || case.limits.time.0.is_zero() {
        error("suite.invalid-value", format!("the limits of case `{id}` let nothing happen"), "raise them");
    }
    if case.limits.cost.is_some_and(|cost| !cost.is_finite() || cost <= 0.0) {
        let message = format!("the cost limit of case `{id}` is not a positive number");
        error("suite.invalid-value", message, "write US dollars, like `cost: 0.50`");
    }
    let words = |turn: &Turn| matches!(turn, Turn::User(text) if text.trim().is_empty());
    if case.turns.iter().any(words) {
        error(
            "suite.invalid-value",
            format!("case `{id}` has a turn without words"),
            "write what the user says",
        );
    }
    for name in &case.models {
        let model = suite.models.iter().map(|model| &model.value).find(|model| model.name == *name);
        let follows = model.is_some_and(|model| model.dialect == "scripted" && model.script.is_none());
        let broken = case.script.as_ref().filter(|_| model.is_some_and(|model| model.dialect == "scripted"));
        for problem in broken.map(scripted::problems).unwrap_or_default() {
            error("suite.invalid-value", format!("case `{id}`: {problem}"), "steps are `say` and `call`");
        }
        if follows && case.script.is_none() {
            let message = format!("case `{id}` runs with the scripted model `{name}` but has no `script`");
            error("suite.no-script", message, "add `script`, or select another model for this case");
        }
    }
}

fn missing_models(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let without = suite.cases.iter().find(|case| case.models.is_empty() && !case.models_named);
    // A name that is unknown was reported where it stands; here it is about naming none at all.
    if let Some(case) = without.filter(|_| suite.models.is_empty() && diagnostics.is_empty()) {
        diagnostics.push(
            Diagnostic::error(
                "suite.no-model",
                case.id.origin.clone(),
                format!("no model for case `{}`", case.id.value),
            )
            .hint("name models in the suite (`models: [lexical]`), or give `--model NAME`"),
        );
    }
}
