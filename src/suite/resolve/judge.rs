//! The `judge` block to a judge's definition.

use serde_json::{Value, json};

use super::{Context, Layer, first, models};
use crate::diag::Located;
use crate::score::judge::{Advises, Confidence, Escalate};
use crate::suite::{CaseSpec, JudgeSpec};

const USUAL_RUBRIC: &str = "answers-question";

pub(super) fn resolve(context: &mut Context<'_>, layers: &[Layer]) -> Option<Located<JudgeSpec>> {
    let (file, part) = first(layers, |document| document.judge.as_ref())?;
    let at = part.origin(file);
    let model = models::definition(context, file, &part.value.model);
    let rubric = match &part.value.rubric {
        Some(rubric) => context.definition(file, rubric),
        None => context.named(&Located::new(USUAL_RUBRIC.to_owned(), at.clone())),
    };
    let second = part.value.second.as_ref().map(|second| models::definition(context, file, second));
    let panel: Vec<_> = part.value.panel.iter().map(|one| models::definition(context, file, one)).collect();
    let model = model?.value;
    let confidence = part.value.confidence.unwrap_or_else(|| Confidence::usual(&model));
    let spec = JudgeSpec {
        model,
        rubric: rubric?.value,
        second: second.map(|second| second.map(|one| one.value)).map_or(Some(None), |one| one.map(Some))?,
        panel: panel.into_iter().map(|one| one.map(|one| one.value)).collect::<Option<_>>()?,
        escalate: part.value.escalate.unwrap_or(Escalate::Unsure),
        calls: part.value.calls.unwrap_or_default(),
        confidence,
        advises: Advises::default(),
    };
    Some(Located::new(spec, at))
}

/// Scripted judges follow what the criteria themselves say.
pub(super) fn with_script(mut judge: Located<JudgeSpec>, cases: &[CaseSpec]) -> Located<JudgeSpec> {
    let rules: Vec<Value> = cases
        .iter()
        .flat_map(|case| &case.criteria)
        .filter_map(|criterion| {
            let (_, statement) = criterion.value.statement()?;
            let matches = criterion.value.scripted.as_ref()?;
            Some(json!({"statement": statement, "matches": matches}))
        })
        .collect();
    let JudgeSpec { model, second, panel, .. } = &mut judge.value;
    for model in std::iter::once(model).chain(second).chain(panel) {
        if model.dialect == "scripted_judge" {
            model.script = Some(Value::Array(rules.clone()));
        }
    }
    judge
}
