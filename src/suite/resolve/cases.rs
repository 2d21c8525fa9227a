//! Use cases: their words, who runs them, how often, and what must come of it.

use std::sync::Arc;

use super::clients::Clients;
use super::steps::{Steps, steps};
use super::{Context, Layer, Models, answers, first, models, user};
use crate::auth::Persona;
use crate::diag::{Diagnostic, Located};
use crate::ids::{CaseName, ClientName, ModelName, PersonaName};
use crate::mcp::profile;
use crate::suite::catalog::Kind;
use crate::suite::text_or::TextOr;
use crate::suite::wire::{self, Defaults, ExpectedFailurePart};
use crate::suite::yaml::At;
use crate::suite::{Answers, CaseSpec, ExpectedFailure, Limits, Turn};

/// What a case is resolved against.
pub(super) struct Around<'a> {
    pub personas: &'a [Located<Persona>],
    pub clients: &'a Clients,
    pub models: &'a mut Models,
    pub trials: u32,
}

/// A number of trials; 0 is a mistake.
pub(super) fn trials(context: &mut Context<'_>, file: &Arc<str>, trials: &At<u32>) -> u32 {
    if trials.value == 0 {
        let at = trials.origin(file);
        context.push(
            Diagnostic::error("suite.invalid-value", at, "0 trials measure nothing")
                .hint("write at least 1; to leave a case out, select with `--case` or `--tag`"),
        );
    }
    trials.value.max(1)
}

/// US dollars; nothing can be done with less than any.
pub(super) fn budget(context: &mut Context<'_>, file: &Arc<str>, budget: &At<f64>) -> f64 {
    if !(budget.value.is_finite() && budget.value > 0.0) {
        let message = "a budget is an amount in US dollars above zero";
        let hint = "write it like `max_cost: 2.50`, or leave it out";
        context.push(Diagnostic::error("suite.invalid-value", budget.origin(file), message).hint(hint));
    }
    budget.value
}

pub(super) fn resolve(
    context: &mut Context<'_>,
    layers: &[Layer],
    written: Vec<wire::Case>,
    around: Around<'_>,
) -> Vec<CaseSpec> {
    let Some(own) = layers.first() else { return vec![] };
    let defaults = first(layers, |document| document.defaults.as_ref());
    let persona = default_persona(context, defaults, around.personas);
    let document = &own.document;
    let shared = steps(context, &own.file, [&document.setup, &document.cleanup], &document.verify);
    let empty = Defaults::default();
    let usual = defaults.and_then(|(file, defaults)| Some((file, defaults.answers.as_ref()?)));
    let answers = usual.map(|(file, part)| answers::resolve(context, file, part)).unwrap_or_default();
    let mut cases = Cases {
        context,
        file: &own.file,
        around,
        persona,
        defaults: defaults.map_or(&empty, |(_, defaults)| defaults),
        answers,
        shared,
    };
    written.into_iter().map(|case| cases.case(&case)).collect()
}

fn default_persona(
    context: &mut Context<'_>,
    defaults: Option<(&Arc<str>, &Defaults)>,
    personas: &[Located<Persona>],
) -> Option<PersonaName> {
    let named = defaults.and_then(|(file, defaults)| Some((file, defaults.persona.as_ref()?)));
    let Some((file, name)) = named else {
        return personas.first().map(|persona| persona.value.name.clone());
    };
    let known = personas.iter().map(|persona| persona.value.name.as_str());
    context.among(Kind::Persona, &name.clone().locate(file), known).map(PersonaName::new)
}

struct Cases<'c, 'a> {
    context: &'c mut Context<'a>,
    file: &'c Arc<str>,
    around: Around<'c>,
    persona: Option<PersonaName>,
    defaults: &'c Defaults,
    /// Answers of the defaults.
    answers: Answers,
    shared: Steps,
}

impl Cases<'_, '_> {
    fn case(&mut self, case: &wire::Case) -> CaseSpec {
        let id = case.id.clone().locate(self.file);
        self.context.plain_name("case", &id.value, &id.origin);
        let mut own = steps(self.context, self.file, [&case.setup, &case.cleanup], &case.verify);
        let mut setup = self.shared.setup.clone();
        setup.append(&mut own.setup);
        own.verify.extend(self.shared.verify.iter().cloned());
        own.cleanup.extend(self.shared.cleanup.iter().cloned());
        let mut tags: Vec<String> = case.tags.iter().chain(&self.defaults.tags).cloned().collect();
        tags.sort_unstable();
        tags.dedup();
        let base = self.defaults.limits.unwrap_or_default().over(Limits::default());
        let (models, models_named) = self.models(case);
        CaseSpec {
            turns: self.turns(case),
            tags,
            personas: self.personas(case),
            clients: self.clients(case),
            models,
            models_named,
            trials: match &case.trials {
                Some(number) => trials(self.context, self.file, number),
                None => self.around.trials,
            },
            expect: case.expect.iter().map(|check| check.clone().locate(self.file)).collect(),
            criteria: case.criteria.iter().map(|criterion| criterion.clone().locate(self.file)).collect(),
            limits: case.limits.unwrap_or_default().over(base),
            answers: self.answers(case),
            script: case.script.clone(),
            expected_failure: case.expected_failure.as_ref().map(|failure| self.expected_failure(failure)),
            setup,
            verify: own.verify,
            cleanup: own.cleanup,
            id: Located::new(CaseName::from(id.value.as_str()), id.origin),
        }
    }

    /// The case's answers, and those of the defaults where it gives none.
    fn answers(&mut self, case: &wire::Case) -> Answers {
        let usual = self.answers.clone();
        let Some(part) = &case.answers else { return usual };
        let own = answers::resolve(self.context, self.file, part);
        Answers {
            elicitation: own.elicitation.or(usual.elicitation),
            sampling: own.sampling.or(usual.sampling),
            roots: own.roots.or(usual.roots),
        }
    }

    fn turns(&mut self, case: &wire::Case) -> Vec<Turn> {
        let error = match (&case.prompt, &case.turns) {
            (Some(prompt), None) => return vec![Turn::User(prompt.value.clone())],
            (None, Some(turns)) if turns.value.is_empty() => {
                let at = turns.origin(self.file);
                Diagnostic::error("suite.missing-key", at, "the case has no turns")
                    .hint("write what the user says: `- user: …`")
            }
            (None, Some(turns)) => {
                return turns.value.iter().filter_map(|turn| self.turn(turn)).collect();
            }
            (Some(prompt), Some(turns)) => {
                let message = "the case has both `prompt` and `turns`";
                Diagnostic::error("suite.contradiction", turns.origin(self.file), message)
                    .also(prompt.origin(self.file), "the prompt")
                    .hint("make the prompt the first turn: `- user: …`")
            }
            (None, None) => {
                let message = format!("case `{}` asks nothing", case.id.value);
                Diagnostic::error("suite.missing-key", case.id.origin(self.file), message)
                    .hint("give `prompt`, or `turns` for a conversation")
            }
        };
        self.context.push(error);
        vec![]
    }

    fn turn(&mut self, turn: &At<wire::Turn>) -> Option<Turn> {
        match &turn.value {
            wire::Turn::User(text) => Some(Turn::User(text.clone())),
            wire::Turn::Simulate(part) => {
                user::resolve(self.context, self.file, part, &turn.origin(self.file))
            }
        }
    }

    /// The one or the many names a case gives; both is a mistake.
    fn either(
        &mut self,
        one: Option<&At<String>>,
        many: Option<&Vec<At<String>>>,
        kind: Kind,
    ) -> Option<Vec<Located<String>>> {
        if let (Some(one), Some(_)) = (one, many) {
            let (noun, folder) = (kind.noun(), kind.folder());
            let message = format!("the case has both `{noun}` and `{folder}`");
            self.context.push(
                Diagnostic::error("suite.contradiction", one.origin(self.file), message)
                    .hint(format!("keep `{folder}`")),
            );
        }
        let mut names: Vec<Located<String>> = vec![];
        for name in one.into_iter().chain(many.into_iter().flatten()) {
            if names.iter().all(|known| known.value != name.value) {
                names.push(name.clone().locate(self.file));
            }
        }
        (!names.is_empty()).then_some(names)
    }

    fn personas(&mut self, case: &wire::Case) -> Vec<PersonaName> {
        let named = self.either(case.persona.as_ref(), case.personas.as_ref(), Kind::Persona);
        let Some(names) = named else { return self.persona.clone().into_iter().collect() };
        let known = || self.around.personas.iter().map(|persona| persona.value.name.as_str());
        let found = names.iter().filter_map(|name| self.context.among(Kind::Persona, name, known()));
        found.map(PersonaName::new).collect()
    }

    fn clients(&mut self, case: &wire::Case) -> Vec<ClientName> {
        let Some(names) = self.either(case.client.as_ref(), case.clients.as_ref(), Kind::Client) else {
            return self.around.clients.usual.clone();
        };
        let known = || self.around.clients.all.iter().map(|client| client.value.name.as_str());
        let names = names.into_iter().map(|name| Located::new(profile::canonical(&name.value), name.origin));
        let found = names.filter_map(|name| self.context.among(Kind::Client, &name, known()));
        found.map(ClientName::new).collect()
    }

    /// A case may name a model that the suite does not list; it then runs with this case alone.
    fn models(&mut self, case: &wire::Case) -> (Vec<ModelName>, bool) {
        let Some(names) = self.either(case.model.as_ref(), case.models.as_ref(), Kind::Model) else {
            return (self.around.models.usual.clone(), false);
        };
        let mut models = vec![];
        for name in names {
            let listed = self.around.models.all.iter().find(|model| model.value.name.as_str() == name.value);
            if let Some(model) = listed {
                models.push(model.value.name.clone());
            } else if let Some(model) = models::named(self.context, &name) {
                models.push(model.value.name.clone());
                self.around.models.all.push(model);
            }
        }
        (models, true)
    }

    fn expected_failure(&mut self, failure: &At<TextOr<ExpectedFailurePart>>) -> Located<ExpectedFailure> {
        let value = match &failure.value {
            TextOr::Text(reason) => ExpectedFailure { reason: reason.clone(), models: vec![] },
            TextOr::Map(part) => {
                let mut models = vec![];
                for name in &part.models {
                    let name = name.clone().locate(self.file);
                    let known = self.around.models.all.iter().map(|model| model.value.name.as_str());
                    models.extend(self.context.among(Kind::Model, &name, known).map(ModelName::new));
                }
                ExpectedFailure { reason: part.reason.clone(), models }
            }
        };
        let at = failure.origin(self.file);
        if value.reason.trim().is_empty() {
            self.context.push(
                Diagnostic::error("suite.missing-key", at.clone(), "the expected failure has no reason")
                    .hint("say why it fails and where that is tracked"),
            );
        }
        Located::new(value, at)
    }
}
