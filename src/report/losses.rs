//! What models' APIs did not take of the tools they were offered and of what these returned: findings of the surface, per
//! model. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::figures::count;
use super::wrap::lines;
use crate::display;
use crate::ids::ModelName;
use crate::transcript::Loss;

/// Losses by model, as the transcripts tell them.
pub type Lost = BTreeMap<ModelName, BTreeSet<Loss>>;

/// Most losses of one model that are listed.
const LISTED: usize = 200;
/// Most of them in a table.
const ROWS: usize = 20;
/// Characters of a place and of a sentence.
const TEXT: usize = 300;

/// What one model does not see as the server says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelLosses {
    /// The model.
    pub model: String,
    /// How many losses there are, however many of them are listed.
    pub count: usize,
    /// Each of them.
    pub losses: Vec<LossLine>,
}

/// One loss, safe for display.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LossLine {
    /// The tool.
    pub tool: String,
    /// Where in its definition or result, as a JSON pointer; empty for the whole tool.
    pub place: String,
    /// What became of it.
    pub what: String,
}

impl LossLine {
    fn of(loss: &Loss) -> Self {
        Self {
            tool: display::excerpt(loss.tool.as_str(), 80),
            place: display::excerpt(&loss.place, TEXT),
            what: display::excerpt(&loss.what, TEXT),
        }
    }

    /// The loss as a line.
    pub fn text(&self) -> String {
        format!("{} {}: {}", self.tool, self.place, self.what).replace(" :", ":")
    }
}

/// The losses of one model.
pub fn of(model: &str, losses: &BTreeSet<Loss>) -> ModelLosses {
    ModelLosses {
        model: display::safe_line(model),
        count: losses.len(),
        losses: losses.iter().take(LISTED).map(LossLine::of).collect(),
    }
}

/// The losses of every model that has some.
pub(super) fn all(lost: &Lost) -> Vec<ModelLosses> {
    lost.iter()
        .filter(|(_, losses)| !losses.is_empty())
        .map(|(model, losses)| of(model.as_str(), losses))
        .collect()
}

/// What one line of the terminal report says; `None` when nothing was lost.
pub(super) fn sentence(models: &[ModelLosses]) -> Option<String> {
    let told: Vec<String> = models
        .iter()
        .map(|model| {
            let tools: BTreeSet<&str> = model.losses.iter().map(|loss| loss.tool.as_str()).collect();
            let losses = count(model.count as u64, "loss").replace("losss", "losses");
            format!("{}: {losses} in {}", model.model, count(tools.len() as u64, "tool"))
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// One model in a terminal.
pub fn paragraph(model: &ModelLosses, columns: usize) -> String {
    if model.count == 0 {
        return format!("{} takes the tools as they are\n", model.model);
    }
    let mut out = format!("{} does not take\n", model.model);
    for loss in &model.losses {
        for line in lines(&loss.text(), columns, ["  ", "    "]) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    if model.count > model.losses.len() {
        out.push_str(&format!("  and {} more\n", model.count - model.losses.len()));
    }
    out
}

/// The section of the Markdown report, folded. `code` makes words of others inert.
pub(super) fn section(models: &[ModelLosses], code: impl Fn(&str) -> String) -> Option<String> {
    if models.is_empty() {
        return None;
    }
    let mut out =
        "<details><summary>What the models' APIs do not take of the tools and their results</summary>\n\n"
            .to_owned();
    out.push_str("| model | tool | where | what became of it |\n|---|---|---|---|\n");
    for model in models {
        for loss in model.losses.iter().take(ROWS) {
            let cells = [&model.model, &loss.tool, &loss.place, &loss.what].map(|text| code(text));
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        if model.count > ROWS {
            out.push_str(&format!("| {} | | | and {} more |\n", code(&model.model), model.count - ROWS));
        }
    }
    out.push_str("\n</details>\n\n");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(number: usize) -> BTreeSet<Loss> {
        (0..number)
            .map(|n| Loss {
                tool: "get.order".into(),
                place: format!("/inputSchema/properties/p{n:03}"),
                what: "left out".into(),
            })
            .collect()
    }

    #[test]
    fn losses_are_counted_beyond_what_is_listed() {
        let lost = Lost::from([("m".into(), lost(300)), ("n".into(), lost(1)), ("fine".into(), lost(0))]);
        let models = all(&lost);
        assert_eq!(
            models.iter().map(|model| (model.count, model.losses.len())).collect::<Vec<_>>(),
            [(300, 200), (1, 1)]
        );
        assert_eq!(sentence(&models).unwrap(), "m: 300 losses in 1 tool; n: 1 loss in 1 tool");
        assert_eq!(sentence(&[]), None);
        assert!(section(&models, str::to_owned).unwrap().contains("| m | | | and 280 more |"));
        assert_eq!(section(&[], str::to_owned), None);
    }

    #[test]
    fn a_model_in_a_terminal() {
        assert_eq!(paragraph(&of("m", &lost(0)), 80), "m takes the tools as they are\n");
        assert_eq!(
            paragraph(&of("m", &lost(1)), 80),
            "m does not take\n  get.order /inputSchema/properties/p000: left out\n"
        );
    }
}
