//! A user whom a model plays: what is missing, who plays, and what a scripted one says.

use std::sync::Arc;

use super::{Context, models};
use crate::diag::{Diagnostic, Origin};
use crate::llm::{command, scripted_user};
use crate::suite::wire::SimulatePart;
use crate::suite::{Simulate, Turn};

/// Most turns of a played user, unless the suite says otherwise.
const TURNS: u32 = 8;
/// The most that a suite may ask for.
const MOST: u32 = 100;

pub(super) fn resolve(
    context: &mut Context<'_>,
    file: &Arc<str>,
    part: &SimulatePart,
    at: &Origin,
) -> Option<Turn> {
    let mut wrong = |message: String, hint: &str| {
        context.push(Diagnostic::error("suite.invalid-value", at.clone(), message).hint(hint));
    };
    if part.goal.trim().is_empty() {
        wrong(
            "the user that is played has no goal".to_owned(),
            "say what the user wants: `goal: a refund for order 1042`",
        );
    }
    let max_turns = part.max_turns.unwrap_or(TURNS);
    if !(1..=MOST).contains(&max_turns) {
        let message = format!("`max_turns: {max_turns}` is not a number of turns from 1 to {MOST}");
        wrong(message, "leave it out for 8 turns");
    }
    let mut model = models::definition(context, file, &part.model)?.value;
    if let Some(script) = &part.script {
        model.script = Some(script.clone());
    }
    let mut wrong = |message: String, hint: &str| {
        context.push(Diagnostic::error("suite.invalid-value", at.clone(), message).hint(hint));
    };
    match model.dialect.as_str() {
        command::NAME => {
            let message = format!("`{}` is an agent that is a program; it cannot play the user", model.name);
            wrong(message, "name a language model, or `scripted-user` with a `script`");
            return None;
        }
        scripted_user::NAME => {
            for problem in scripted_user::problems(model.script.as_ref().unwrap_or(&serde_json::Value::Null))
            {
                wrong(problem, "write what the user says: `script: [{say: …}]`");
            }
        }
        other if part.script.is_some() => {
            let message = format!(
                "`script` is for a scripted user, and `{}` is a model of the dialect `{other}`",
                model.name
            );
            wrong(message, "use `model: scripted-user`, or remove the script");
        }
        _ => {}
    }
    let SimulatePart { persona, goal, stop, .. } = part.clone();
    Some(Turn::Simulate(Box::new(Simulate { persona, goal, stop, max_turns, model })))
}
