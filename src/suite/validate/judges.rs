//! Judges: shapes that cannot decide, and judges that resemble what they judge.

use crate::diag::Diagnostic;
use crate::score::judge::Confidence;
use crate::suite::{JudgeSpec, Suite};

pub(super) fn check(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let Some(judge) = &suite.judge else { return };
    let JudgeSpec { model, second, panel, confidence, .. } = &judge.value;
    let mut wrong = |message: &str, hint: &str| {
        diagnostics.push(Diagnostic::error("suite.invalid-value", judge.origin.clone(), message).hint(hint));
    };
    if second.is_some() && !panel.is_empty() {
        wrong(
            "`judge` has both `second` and `panel`",
            "a second judge is asked when the first is unsure, a panel always; choose one",
        );
    }
    if panel.len() % 2 == 1 {
        wrong(
            "a panel of an even number of judges can tie",
            "`panel` names the judges besides `model`: two or four of them",
        );
    }
    if panel.len() > 8 {
        wrong(
            "a panel of more than nine judges",
            "nine judges are worth about two independent votes; name fewer",
        );
    }
    match confidence {
        Confidence::Logprobs if model.logprobs.is_none() => wrong(
            "`judge.confidence` is `logprobs`, and the definition of the judge's model has no `logprobs`",
            "where its API tells log probabilities, write `logprobs: 5` there; else use `confidence: votes`",
        ),
        Confidence::Votes if model.temperature == Some(0.0) => wrong(
            "`judge.confidence` is `votes`, and the judge's model has the temperature 0",
            "three votes of the same are one; raise its `temperature`, or leave it to the provider",
        ),
        Confidence::Votes if !panel.is_empty() => wrong(
            "`judge.confidence` is `votes`, and there is a `panel`",
            "a panel votes already; name a `second` judge instead, or leave `confidence` out",
        ),
        _ => {}
    }
}

/// Adds warnings; called when there is no error.
pub(super) fn advise(suite: &Suite, diagnostics: &mut Vec<Diagnostic>) {
    let Some(judge) = &suite.judge else { return };
    let judged = suite.cases.iter().any(|case| !case.criteria.is_empty());
    for examiner in judge.value.models().filter(|_| judged) {
        for candidate in suite.models.iter().map(|model| &model.value) {
            let (code, message) = if examiner.name == candidate.name {
                ("suite.self-judge", format!("the model `{}` judges its own answers", candidate.name))
            } else if examiner.family.is_some() && examiner.family == candidate.family {
                let family = examiner.family.as_deref().unwrap_or_default();
                let message = format!(
                    "the judge `{}` and the model `{}` are of one family, `{family}`",
                    examiner.name, candidate.name
                );
                ("suite.judge-family", message)
            } else {
                continue;
            };
            diagnostics.push(
                Diagnostic::error(code, judge.origin.clone(), message)
                    .as_warning()
                    .hint("models favour what their own kind writes; name a judge of another family"),
            );
        }
    }
    let mut models: Vec<_> = judge.value.models().collect();
    let first = models.remove(0);
    for other in models {
        if other.name == first.name || (other.family.is_some() && other.family == first.family) {
            let message = format!("the judges `{}` and `{}` are of one family", first.name, other.name);
            diagnostics.push(
                Diagnostic::error("suite.judge-family", judge.origin.clone(), message)
                    .as_warning()
                    .hint("a second opinion is worth most from a judge that was trained by others"),
            );
        }
    }
}
