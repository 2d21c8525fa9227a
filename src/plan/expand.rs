//! Suite, selection and seed to a plan: persona x client x model x trial of every selected use case, one case per
//! access row, one per auth check.

use std::collections::HashMap;
use std::sync::Arc;

use super::{
    Case, Plan, Selection, UseWork, Work, access, access_case, auth_case, expectations, order, select, shard,
};
use crate::auth::checks;
use crate::auth::{IdentitySpec, Persona, identity};
use crate::diag::{Diagnostic, Located, Origin};
use crate::ids::{CaseKey, CaseName, ClientName, Digest, ModelName, PersonaName};
use crate::llm::ModelSpec;
use crate::mcp::ClientProfile;
use crate::plan::key::{self, Asker};
use crate::plan::select::Chosen;
use crate::suite::{AccessSpec, CaseSpec, Suite};
use crate::transcript::{CaseHeader, CaseKind};

/// Every trial that the selection asks for, in the order of execution. The same input gives the same plan.
///
/// # Errors
/// Names that do not exist, a selection that leaves nothing, and cases that ask the same question in the same way.
pub fn expand(suite: &Suite, selection: &Selection, seed: u64) -> Result<Plan, Vec<Diagnostic>> {
    let chosen = select::choose(suite, selection)?;
    let mut expansion = Expansion {
        suite,
        selection,
        chosen,
        personas: shared(&suite.personas),
        clients: shared(&suite.clients),
        models: shared(&suite.models),
        cases: vec![],
        wrong: vec![],
    };
    if expansion.chosen.kind(CaseKind::Use) {
        suite.cases.iter().for_each(|case| expansion.use_case(case));
    }
    if expansion.chosen.kind(CaseKind::Access) {
        suite.access.iter().for_each(|row| expansion.access_case(row));
    }
    if expansion.chosen.kind(CaseKind::Auth) {
        suite.auth_checks.iter().for_each(|id| expansion.auth_case(id));
    }
    let Expansion { mut cases, mut wrong, .. } = expansion;
    wrong.extend(same_questions(&cases));
    if wrong.is_empty() && cases.is_empty() {
        wrong.push(nothing_selected(suite));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    if let Some(part) = selection.shard {
        cases.retain(|case| shard::holds(part, &case.header.key));
    }
    Ok(Plan { cases: order::arrange(cases, seed), seed })
}

/// The trials of a plan that are not done, in the same order: resuming is a subtraction.
pub fn remaining(plan: &Plan, done: impl Fn(&CaseKey) -> bool) -> Plan {
    let cases = plan.cases.iter().filter(|case| !done(&case.header.key)).cloned().collect();
    Plan { cases, seed: plan.seed }
}

fn nothing_selected(suite: &Suite) -> Diagnostic {
    let message = format!("nothing is selected in the suite `{}`", suite.name);
    Diagnostic::global("run.nothing-selected", message)
        .hint("each filter exists, but no case fits all of them; leave one out")
}

/// Trials with one identity could not be told apart in the record of a run.
fn same_questions(cases: &[Case]) -> Vec<Diagnostic> {
    let mut seen: HashMap<CaseKey, &CaseHeader> = HashMap::new();
    let mut wrong = vec![];
    for case in cases.iter().filter(|case| case.header.trial == 1) {
        let header = &case.header;
        if let Some(first) = seen.insert(header.key, header).filter(|first| first.case != header.case) {
            let message = format!("cases `{}` and `{}` ask the same question", first.case, header.case);
            let diagnostic = Diagnostic::error("run.same-question", header.origin.clone(), message)
                .also(first.origin.clone(), "the other case")
                .hint("put their expectations into one case");
            if !wrong.contains(&diagnostic) {
                wrong.push(diagnostic);
            }
        }
    }
    wrong
}

struct Expansion<'a> {
    suite: &'a Suite,
    selection: &'a Selection,
    chosen: Chosen<'a>,
    personas: Vec<Arc<Persona>>,
    clients: Vec<Arc<ClientProfile>>,
    models: Vec<Arc<ModelSpec>>,
    cases: Vec<Case>,
    wrong: Vec<Diagnostic>,
}

/// What a header needs besides the suite.
struct Named<'a> {
    case: &'a CaseName,
    kind: CaseKind,
    question: Digest,
    origin: &'a Origin,
}

/// Instruments of which all trials hold the same copy.
fn shared<T: Clone>(list: &[Located<T>]) -> Vec<Arc<T>> {
    list.iter().map(|item| Arc::new(item.value.clone())).collect()
}

fn find<T>(list: &[Arc<T>], is: impl Fn(&T) -> bool) -> Option<Arc<T>> {
    list.iter().find(|item| is(item)).cloned()
}

impl Expansion<'_> {
    fn persona(&self, name: &PersonaName) -> Option<Arc<Persona>> {
        find(&self.personas, |persona| persona.name == *name)
    }

    fn client(&self, name: &ClientName) -> Option<Arc<ClientProfile>> {
        find(&self.clients, |client| client.name == *name)
    }

    fn model(&self, name: &ModelName) -> Option<Arc<ModelSpec>> {
        find(&self.models, |model| model.name == *name)
    }

    fn use_case(&mut self, case: &CaseSpec) {
        if !self.chosen.case(&case.id.value, &case.tags) {
            return;
        }
        let personas = case.personas.iter().filter(|name| self.chosen.persona(name));
        let personas: Vec<Arc<Persona>> = personas.filter_map(|name| self.persona(name)).collect();
        let clients = case.clients.iter().filter(|name| self.chosen.client(name));
        let clients: Vec<Arc<ClientProfile>> = clients.filter_map(|name| self.client(name)).collect();
        let models = case.models.iter().filter(|name| self.chosen.model(name));
        let models: Vec<Arc<ModelSpec>> = models.filter_map(|name| self.model(name)).collect();
        for persona in &personas {
            for client in &clients {
                let client = &case.answers.declared_by(client).map_or_else(|| Arc::clone(client), Arc::new);
                for model in &models {
                    self.trials(case, Asker { persona, client }, with_script(model, case));
                }
            }
        }
    }

    fn trials(&mut self, case: &CaseSpec, asker: Asker<'_>, model: Arc<ModelSpec>) {
        let judge = self.suite.judge.as_ref().map(|judge| &judge.value);
        let score_key = key::of_score(&case.expect, &case.criteria, &case.verify, judge);
        let known = case.expected_failure.as_ref().map(|failure| &failure.value);
        let expected_failure =
            known.filter(|known| known.models.is_empty() || known.models.contains(&model.name)).cloned();
        let named = Named {
            case: &case.id.value,
            kind: CaseKind::Use,
            question: key::of_use(case, asker),
            origin: &case.id.origin,
        };
        let mut header = self.header(&named, asker);
        header.key.model = key::of_model(&model);
        header.model = Some(model.name.clone());
        header.tags.clone_from(&case.tags);
        let work = Arc::new(UseWork {
            model,
            turns: case.turns.clone(),
            limits: case.limits,
            answers: case.answers.clone(),
            setup: case.setup.clone(),
            verify: case.verify.clone(),
            cleanup: case.cleanup.clone(),
            only: None,
        });
        let mut checks = case.expect.clone();
        for (index, verify) in case.verify.iter().enumerate() {
            match expectations::of_verify(index, verify) {
                Ok(check) => checks.push(check),
                Err(diagnostic) => self.wrong.push(diagnostic),
            }
        }
        let checks: Arc<[_]> = checks.into();
        let criteria: Arc<[_]> = case.criteria.as_slice().into();
        for trial in 1..=self.selection.trials.unwrap_or(case.trials) {
            header.key.trial = trial;
            header.trial = trial;
            self.cases.push(Case {
                header: header.clone(),
                work: Work::Use(Arc::clone(&work)),
                persona: Arc::clone(asker.persona),
                client: Arc::clone(asker.client),
                checks: Arc::clone(&checks),
                criteria: Arc::clone(&criteria),
                score_key,
                expected_failure: expected_failure.clone(),
            });
        }
    }

    fn access_case(&mut self, row: &AccessSpec) {
        let name = access_case(row);
        let persona = self.persona(&row.persona.value).filter(|persona| self.chosen.persona(&persona.name));
        let Some((persona, client)) = persona.zip(self.probing_client()) else { return };
        if !self.chosen.case(&name, &[]) {
            return;
        }
        let asker = Asker { persona: &persona, client: &client };
        let work = access::work(row, &persona, |name| self.persona(name));
        let named = Named {
            case: &name,
            kind: CaseKind::Access,
            question: key::of_access(&work, asker),
            origin: &row.persona.origin,
        };
        match expectations::of_access(row) {
            Ok(checks) => self.probe(&named, asker, Work::Access(work), checks),
            Err(diagnostic) => self.wrong.push(diagnostic),
        }
    }

    fn auth_case(&mut self, id: &Located<String>) {
        let name = auth_case(&id.value);
        let persona = self.control(&id.value).unwrap_or_else(|| self.nobody());
        let Some(client) = self.probing_client() else { return };
        if !self.chosen.case(&name, &[]) || !self.chosen.persona(&persona.name) {
            return;
        }
        let asker = Asker { persona: &persona, client: &client };
        let question = key::of_auth(&id.value, &self.suite.auth, asker);
        let named = Named { case: &name, kind: CaseKind::Auth, question, origin: &id.origin };
        match expectations::of_auth(id) {
            Ok(check) => self.probe(&named, asker, Work::Auth(id.value.clone()), vec![check]),
            Err(diagnostic) => self.wrong.push(diagnostic),
        }
    }

    fn probe(
        &mut self,
        named: &Named<'_>,
        asker: Asker<'_>,
        work: Work,
        checks: Vec<Located<crate::score::checks::Check>>,
    ) {
        let score_key = key::of_score(&checks, &[], &[], None);
        self.cases.push(Case {
            header: self.header(named, asker),
            work,
            persona: Arc::clone(asker.persona),
            client: Arc::clone(asker.client),
            checks: checks.into(),
            criteria: Arc::default(),
            score_key,
            expected_failure: None,
        });
    }

    fn header(&self, named: &Named<'_>, asker: Asker<'_>) -> CaseHeader {
        CaseHeader {
            key: CaseKey { question: named.question, model: Digest::none(), trial: 1 },
            suite: self.suite.name.clone(),
            case: named.case.clone(),
            kind: named.kind,
            model: None,
            persona: asker.persona.name.clone(),
            client: asker.client.name.clone(),
            trial: 1,
            tags: vec![],
            origin: named.origin.clone(),
        }
    }

    /// Probes measure the server, not a client: they go through `reference`, or through the only client there is,
    /// and read lists to their end.
    fn probing_client(&self) -> Option<Arc<ClientProfile>> {
        let mut chosen = self.clients.iter().filter(|client| self.chosen.client(&client.name));
        let reference = ClientProfile::reference();
        match (chosen.next(), chosen.next()) {
            (None, _) => None,
            (Some(only), None) => Some(Arc::new(only.reading_all())),
            (Some(_), Some(_)) => {
                let own = self.client(&reference.name);
                Some(own.map_or_else(|| Arc::new(reference), |own| Arc::new(own.reading_all())))
            }
        }
    }

    /// The persona that an auth check is about: the one whose token it varies; `None` for what it asks as nobody.
    fn control(&self, id: &str) -> Option<Arc<Persona>> {
        checks::find(id).filter(|check| check.asks_as_somebody())?;
        let personas: Vec<Persona> =
            self.suite.personas.iter().map(|persona| persona.value.clone()).collect();
        self.persona(&identity::control(&personas)?.name)
    }

    /// The suite's persona without credentials, or one made for the purpose.
    fn nobody(&self) -> Arc<Persona> {
        find(&self.personas, |persona| persona.identity == IdentitySpec::Anonymous).unwrap_or_else(|| {
            Arc::new(Persona {
                name: PersonaName::from("anonymous"),
                description: String::new(),
                identity: IdentitySpec::Anonymous,
            })
        })
    }
}

/// A scripted model follows the script of the case.
fn with_script(model: &Arc<ModelSpec>, case: &CaseSpec) -> Arc<ModelSpec> {
    match &case.script {
        Some(script) if model.dialect == "scripted" => {
            Arc::new(ModelSpec { script: Some(script.clone()), ..ModelSpec::clone(model) })
        }
        _ => Arc::clone(model),
    }
}
