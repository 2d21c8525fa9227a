//! Cases out of a tool list: by rules, or proposed by a model. Every one is verified by execution before it is kept.
//!
//! The way of a case: tools that only read are called, twice ([`probe`]); what they return feeds the arguments of others
//! ([`harvest`], [`fill`]) and becomes what answers must say ([`facts`]); a wish in the user's words asks for the same call
//! ([`rules`], [`words`], or a model in [`propose`]) without naming the tool ([`naming`]); and the case is run whole
//! ([`prove`]). What does not pass is dropped, with the reason.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::auth::Persona;
use crate::drive::house::House;
use crate::drive::stage::Outside;
use crate::ids::{ModelName, ToolName};
use crate::llm::{ChatModel, ModelSpec};
use crate::suite::Suite;
use crate::suite::made::MadeSuite;
use crate::suite::read::{Loaded, Project, Request};
use crate::suite::write::{Node, Part, document};
use crate::transcript::{Fault, Recorder, ServerFacts, ToolFact};

pub mod append;
pub mod compose;
pub mod configs;
pub mod draft;
pub mod effect;
pub mod facts;
pub mod fill;
pub mod harvest;
pub mod naming;
pub mod probe;
pub mod propose;
pub mod prove;
pub mod rules;
pub mod target;
pub mod told;
mod trials;
pub mod words;

use draft::{Draft, Ids, Kind};
use probe::{Caller, Probed, Sample};
use trials::Trials;

/// What is wanted.
pub struct Wish<'a> {
    /// How many cases to aim at.
    pub count: usize,
    /// What chance decides is decided by this.
    pub seed: u64,
    /// Whether tools may be called that change something.
    pub writes: bool,
    /// Whether pairs of near tools get cases.
    pub confusion: bool,
    /// Told what is done next, for people who wait.
    pub progress: &'a (dyn Fn(&str) + Sync),
    /// As whom, where it is not the suite's default.
    pub persona: Option<&'a str>,
    /// Most US dollars.
    pub max_cost: Option<f64>,
    /// Who writes the prompts and proves the cases; rules and the built-in baseline when absent.
    pub author: Option<&'a Author>,
}

/// A model that writes cases.
pub struct Author {
    /// Its definition.
    pub spec: ModelSpec,
    /// It.
    pub model: Arc<dyn ChatModel>,
}

/// The suite that the cases are for.
pub struct Head<'a> {
    /// The project.
    pub project: &'a Project,
    /// The path under which the suite would be.
    pub file: &'a Path,
    /// Everything before its cases.
    pub parts: &'a [Part],
    /// Ids that are taken.
    pub taken: BTreeSet<String>,
    /// What the suite asks already.
    pub prompts: BTreeSet<String>,
}

/// What was made.
#[derive(Debug, Default)]
pub struct Made {
    /// The cases that passed, in the order of the suite.
    pub cases: Vec<Draft>,
    /// What was tried and dropped, and why.
    pub dropped: Vec<(Draft, String)>,
    /// What became of each tool.
    pub coverage: Vec<Covered>,
    /// What the server says of itself.
    pub server: ServerFacts,
    /// Its tools.
    pub tools: Vec<ToolFact>,
    /// Calls of tools before the proofs.
    pub calls: usize,
    /// US dollars.
    pub spent: f64,
}

/// What became of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Covered {
    /// The tool.
    pub tool: ToolName,
    /// Cases that call it.
    pub cases: usize,
    /// Why there are none.
    pub why: Option<String>,
}

/// Why nothing was made.
#[derive(Debug)]
pub enum Trouble {
    /// The server, the model or the harness.
    Fault(Fault),
    /// The suite that the cases are for.
    Suite(Box<Loaded>),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Head<'_> {
    /// The suite with these cases, read as from its file.
    fn load(&self, cases: Vec<Part>, models: Vec<ModelName>) -> Result<Suite, Trouble> {
        let mut parts = self.parts.to_vec();
        parts.push(Part::of("cases", Node::List(cases)));
        let made = MadeSuite {
            file: Arc::from(self.file.to_string_lossy().as_ref()),
            text: Arc::from(document(&parts)),
        };
        let project = self.project.clone().with(Some(made));
        let mut loaded = project.load(self.file, &Request { models, ..Request::default() });
        loaded.suite.take().ok_or_else(|| Trouble::Suite(Box::new(loaded)))
    }

    /// The suite with one case that is never run, which tells as whom cases run.
    pub fn empty(&self, persona: Option<&str>) -> Result<(Suite, Persona), Trouble> {
        let draft = Draft {
            id: "none".to_owned(),
            prompt: "Hello.".to_owned(),
            expect: vec![json!({"max_calls": 0})],
            kind: Kind::Negative,
            tool: None,
        };
        let suite = self.load(vec![draft.part(persona)], vec![ModelName::from("lexical")])?;
        let name = suite.cases.first().and_then(|case| case.personas.first());
        let found = suite
            .personas
            .iter()
            .find(|persona| Some(&persona.value.name) == name)
            .or(suite.personas.first());
        let persona = found.map(|persona| persona.value.clone()).unwrap_or_else(|| Persona {
            name: "anonymous".into(),
            description: String::new(),
            identity: crate::auth::IdentitySpec::Anonymous,
        });
        Ok((suite, persona))
    }
}

/// Makes cases for a suite.
pub async fn generate(head: &Head<'_>, wish: &Wish<'_>, outside: &Outside) -> Result<Made, Trouble> {
    let (suite, persona) = head.empty(wish.persona)?;
    let log = Recorder::new(outside.clock.clone(), outside.secrets.clone());
    let house = House::enter(&suite, outside).await?;
    let asked = asked(&house, &persona, (wish, &log), outside).await;
    house.leave().await;
    let Asked { server, probed, drafts: proposed, spent } = asked?;
    let mut made =
        Made { server, tools: probed.tools.clone(), calls: probed.calls, spent, ..Made::default() };
    let mut ids = Ids::but(head.taken.iter().cloned());
    let drafts = match proposed {
        Some(proposed) => named(proposed, &mut ids),
        None => by_rules(&probed, wish, &mut ids),
    };
    let (drafts, dropped) = sorted_out(drafts, &probed.tools);
    let mut trials = Trials::of(drafts, head.prompts.clone(), dropped);
    trials.run(head, wish, outside, &mut made).await?;
    let Trials { passed, dropped, .. } = trials;
    made.cases = chosen(passed, wish);
    let kept: BTreeSet<String> = made.cases.iter().map(|case| case.id.clone()).collect();
    let mut told = BTreeSet::new();
    // Of several ways to say the same, one that passed speaks for all.
    made.dropped = dropped
        .into_iter()
        .filter(|(draft, _)| !kept.contains(&draft.id) && told.insert(draft.id.clone()))
        .collect();
    made.coverage = coverage(&made, &probed);
    Ok(made)
}

struct Asked {
    server: ServerFacts,
    probed: Probed,
    /// What a model proposed.
    drafts: Option<Vec<Draft>>,
    spent: f64,
}

/// Looks at the target, calls what may be called, and asks the author.
async fn asked(
    house: &House,
    persona: &Persona,
    (wish, log): (&Wish<'_>, &Recorder),
    outside: &Outside,
) -> Result<Asked, Trouble> {
    let session = house.session(persona, outside, log).await?;
    let listed = session.list_tools().await;
    let server = session.facts().clone();
    let looked = match listed {
        Ok(tools) => {
            let today = outside.clock.stamp().chars().take(10).collect();
            let (secrets, writes) = (&outside.secrets, wish.writes);
            let caller = Caller { session: session.as_ref(), secrets, writes, today };
            let each = (wish.count / tools.len().max(1) + 1).clamp(1, 6);
            (wish.progress)("calling the tools that only read, each call twice");
            let probed = caller.look(tools, each).await;
            let mut spent = 0.0;
            let drafts = match wish.author {
                Some(author) => proposed(&caller, &probed, (author, wish), (log, &mut spent)).await.map(Some),
                None => Ok(None),
            };
            drafts.map(|drafts| Asked { server, probed, drafts, spent })
        }
        Err(fault) => Err(fault),
    };
    session.close().await;
    Ok(looked?)
}

/// What a model proposes, each call made and each fact looked for.
async fn proposed(
    caller: &Caller<'_>,
    probed: &Probed,
    (author, wish): (&Author, &Wish<'_>),
    (log, spent): (&Recorder, &mut f64),
) -> Result<Vec<Draft>, Fault> {
    let callable: Vec<&ToolFact> = probed.tools.iter().filter(|tool| caller.may_call(tool)).collect();
    let mut drafts = vec![];
    let requests = callable.len().div_ceil(propose::TOOLS).max(1);
    for tools in callable.chunks(propose::TOOLS) {
        if wish.max_cost.is_some_and(|most| *spent >= most) {
            break;
        }
        (wish.progress)("asking the model for cases");
        let request = propose::request(tools, probed, wish.count.div_ceil(requests), wish.seed);
        let (answer, cost) = propose::ask((author.model.as_ref(), &author.spec), &request, log).await;
        *spent += cost;
        let answer = answer?;
        for proposal in answer.cases.into_iter().take(wish.count * 2) {
            drafts.extend(confirmed(caller, tools, &proposal).await);
        }
        for question in answer.negatives.into_iter().take(wish.count) {
            drafts.extend(propose::sound(&question).map(|prompt| Draft {
                id: "no tool".to_owned(),
                prompt: prompt.to_owned(),
                expect: vec![json!({"max_calls": 0})],
                kind: Kind::Negative,
                tool: None,
            }));
        }
    }
    Ok(drafts)
}

/// A proposal whose call works twice; its facts as far as they hold, else those that the results share.
async fn confirmed(caller: &Caller<'_>, tools: &[&ToolFact], proposal: &propose::Proposal) -> Option<Draft> {
    let tool = tools.iter().find(|tool| tool.name.as_str() == proposal.tool)?;
    let prompt = propose::sound(&proposal.prompt)?;
    let args: Value = serde_json::from_str(&proposal.arguments).ok().filter(Value::is_object)?;
    if caller.holds_secret(&args) || caller.holds_secret(&json!(prompt)) {
        return None;
    }
    let Sample { args, facts, words, .. } = caller.sample(tool, args, &mut 0).await.ok()?;
    let mut expect = vec![draft::called(&tool.name, &args)];
    let said = facts::confirmed(&proposal.facts, &words, prompt);
    let said: Vec<_> = said.into_iter().filter(|fact| !caller.holds_secret(&fact.check())).collect();
    let facts = if said.is_empty() { facts.into_iter().take(1).collect() } else { said };
    expect.extend(facts.iter().map(facts::Fact::check));
    let other = tools.iter().find(|other| other.name.as_str() == proposal.not && other.name != tool.name);
    let kind = if other.is_some() { Kind::Confusion } else { Kind::Positive };
    expect.push(match other {
        Some(other) => json!({"tool_not_called": other.name.as_str()}),
        None => json!({"no_tool_errors": true}),
    });
    Some(Draft {
        id: tool.name.to_string(),
        prompt: prompt.to_owned(),
        expect,
        kind,
        tool: Some(tool.name.clone()),
    })
}

/// Drafts of a model, each with an id of its own.
fn named(drafts: Vec<Draft>, ids: &mut Ids) -> Vec<Draft> {
    drafts.into_iter().map(|draft| Draft { id: ids.next(&draft.id), ..draft }).collect()
}

fn by_rules(probed: &Probed, wish: &Wish<'_>, ids: &mut Ids) -> Vec<Draft> {
    let mut drafts = rules::positives(probed, wish.seed, ids);
    if wish.confusion {
        drafts.extend(rules::confusions(probed, wish.seed, ids));
    }
    drafts.extend(rules::negatives(&probed.tools, wish.seed, ids).into_iter().take(wish.count.max(3)));
    drafts
}

/// Drafts whose prompt names no tool at all, and the others.
fn sorted_out(drafts: Vec<Draft>, tools: &[ToolFact]) -> (Vec<Draft>, Vec<(Draft, String)>) {
    let mut dropped = vec![];
    let mut fine: Vec<Draft> = vec![];
    for draft in drafts {
        let of_its_own = |tool: &&ToolFact| draft.tool.as_ref().is_none_or(|own| *own == tool.name);
        match tools.iter().filter(of_its_own).find(|tool| naming::names(&draft.prompt, tool.name.as_str())) {
            Some(tool) => {
                let why = format!("its prompt names the tool `{}`", tool.name);
                dropped.push((draft, why));
            }
            None => fine.push(draft),
        }
    }
    (fine, dropped)
}

/// One way to say each, and of all as many as were wished for: some negatives and pairs, the rest by tool.
fn chosen(passed: Vec<Draft>, wish: &Wish<'_>) -> Vec<Draft> {
    let mut seen = BTreeSet::new();
    let mut of_kind: BTreeMap<u8, Vec<Draft>> = BTreeMap::new();
    for draft in passed {
        if seen.insert(draft.id.clone()) {
            of_kind.entry(draft.kind as u8).or_default().push(draft);
        }
    }
    let mut take = |kind: Kind, most: usize| {
        let all = of_kind.remove(&(kind as u8)).unwrap_or_default();
        all.into_iter().take(most).collect::<Vec<_>>()
    };
    let negatives = take(Kind::Negative, (wish.count / 6).clamp(1, 5));
    let most_pairs = if wish.author.is_some() { wish.count } else { wish.count / 3 };
    let pairs = take(Kind::Confusion, most_pairs);
    let left = wish.count.saturating_sub(negatives.len() + pairs.len());
    let mut cases = take(Kind::Positive, left);
    cases.extend(pairs);
    cases.extend(negatives);
    cases.truncate(wish.count.max(1));
    cases
}

fn coverage(made: &Made, probed: &Probed) -> Vec<Covered> {
    let about = |tool: &ToolFact| {
        let cases = made.cases.iter().filter(|case| case.tool.as_ref() == Some(&tool.name)).count();
        let dropped = || {
            let of_it = made.dropped.iter().find(|(draft, _)| draft.tool.as_ref() == Some(&tool.name));
            of_it.map(|(_, why)| why.clone())
        };
        let why = (cases == 0).then(|| {
            probed.without.get(&tool.name).cloned().or_else(dropped).unwrap_or_else(|| {
                if probed.samples.contains_key(&tool.name) {
                    "no room in the count, or nothing that people would say".to_owned()
                } else {
                    "no call of it was tried".to_owned()
                }
            })
        });
        Covered { tool: tool.name.clone(), cases, why }
    };
    made.tools.iter().map(about).collect()
}
