//! The `judge` block to a judge's definition.

use serde_json::{Value, json};

use super::{Context, Layer, first, models};
use crate::diag::Located;
use crate::llm::ModelSpec;
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
    Some(Located::new(JudgeSpec { model: model?.value, rubric: rubric?.value }, at))
}

/// The scripted judge follows what the criteria themselves say.
pub(super) fn with_script(mut judge: Located<JudgeSpec>, cases: &[CaseSpec]) -> Located<JudgeSpec> {
    if judge.value.model.dialect == "scripted_judge" {
        let script: Vec<Value> = cases
            .iter()
            .flat_map(|case| &case.criteria)
            .filter_map(|criterion| {
                let (_, statement) = criterion.value.statement()?;
                let matches = criterion.value.scripted.as_ref()?;
                Some(json!({"statement": statement, "matches": matches}))
            })
            .collect();
        let model = &mut judge.value.model;
        *model = ModelSpec { script: Some(Value::Array(script)), ..model.clone() };
    }
    judge
}
