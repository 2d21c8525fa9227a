//! What failures are due to: the triage of the failed cases, and the old server beside the new one.

use super::markup::Html;
use crate::report::Summary;
use crate::report::causes::CauseLine;

/// Absent when nobody looked into it.
pub(super) fn causes(summary: &Summary, html: &mut Html) {
    let Some(causes) = &summary.causes else { return };
    html.section("causes", "Causes", |html| {
        for control in &causes.control {
            html.leaf("p", &[], &format!("{}: {}", control.model, control.sentence));
        }
        if causes.cases.is_empty() {
            return;
        }
        html.table("Causes", &["case", "model", "cause", "why", "what to do", "on what it rests"], |html| {
            for case in &causes.cases {
                let CauseLine { case, model, cause, sentence, advice, evidence, .. } = case;
                let rests: Vec<String> =
                    evidence.iter().map(|[what, gave]| format!("{what}: {gave}")).collect();
                let model = model.as_deref().unwrap_or("-");
                html.row(&[case, model, cause, sentence, advice, &rests.join("; ")]);
            }
        });
    });
}
