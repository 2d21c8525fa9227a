//! A judge says which of two last answers serves the user better, pair by pair.

use std::collections::BTreeMap;

use futures::StreamExt;

use super::{CompareArgs, Opened};
use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::judge::{built, log, spec};
use crate::gate::compare::Pick;
use crate::ids::{CaseKey, ModelName};
use crate::report::compare::Preferred;
use crate::score::judge::pairwise::{Better, Failed, Pair, compare};
use crate::stats::signs::sign_test;
use crate::store::Reader;
use crate::transcript::{CaseHeader, CaseKind, Transcript};

/// What "better" means.
const QUESTION: &str =
    "Answers what the user asked, completely and correctly, as far as the results of tools show it.";
/// Calls at once.
const AT_ONCE: usize = 8;

/// What two trials must have in common: number, case, and model, persona and client profile as far as they count.
type Name = (u32, String, [String; 3]);

/// Asks the judge about every pair of trials that both sides have.
pub(super) async fn preferred(
    model: &str,
    args: &CompareArgs,
    sides: [&Opened; 2],
    context: &Context,
) -> Outcome<Preferred> {
    let spec = spec(model, &args.rubric, context)?;
    let judge = built(&spec, context)?;
    let log = log(context);
    let [before, now] = [trials(sides[0], sides[1])?, trials(sides[1], sides[0])?];
    let shared = before.iter().filter_map(|(name, key)| Some((name, [*key, *now.get(name)?])));
    let mut pairs: Vec<(&Name, [Transcript; 2])> = vec![];
    for (name, keys) in shared.take(args.judge_pairs) {
        if let [Some(first), Some(second)] = [answer(sides[0], keys[0])?, answer(sides[1], keys[1])?] {
            pairs.push((name, [first, second]));
        }
    }
    if pairs.is_empty() {
        return Err(Failure::usage("compare.no-answers", "no trial of one case has an answer on both sides")
            .hint("pairs are judged between runs; baselines keep no answers"));
    }
    let asked = futures::stream::iter(pairs.iter().map(|(name, [first, second])| {
        let (judge, log, rubric) = (&judge, &log, &spec.rubric);
        async move {
            let pair = Pair { first, second, question: QUESTION };
            (&name.1, compare(&judge.first, pair, rubric, log).await)
        }
    }));
    let asked: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let mut found = Preferred { judge: spec.model.name.to_string(), cost: Some(0.0), ..Preferred::default() };
    let mut cases: BTreeMap<&String, f64> = BTreeMap::new();
    for (case, compared) in asked {
        let compared = match compared {
            Ok(compared) => compared,
            Err(Failed { bill, .. }) => {
                found.failed += 1;
                found.cost = found.cost.zip(bill.cost).map(|(sum, cost)| sum + cost);
                continue;
            }
        };
        let lean = match compared.better {
            Better::First => -1.0,
            Better::Second => 1.0,
            Better::Tie => 0.0,
        };
        match compared.better {
            Better::First => found.before += 1,
            Better::Second => found.now += 1,
            Better::Tie => found.ties += 1,
        }
        found.flipped += u64::from(compared.flipped);
        found.cost = found.cost.zip(compared.bill.cost).map(|(sum, cost)| sum + cost);
        *cases.entry(case).or_default() += lean;
    }
    // Trials of one case are no independent witnesses: a case leans one way or not at all.
    let leans: Vec<f64> = cases.into_values().collect();
    found.p_worse = sign_test(&leans).map(|test| test.p_worse);
    Ok(found)
}

/// The trials of a side's use cases; the first trials come first.
fn trials(own: &Opened, other: &Opened) -> Outcome<BTreeMap<Name, CaseKey>> {
    let Some(file) = &own.file else { return Ok(BTreeMap::new()) };
    let (pick, others) = (&own.side.pick, &other.side.pick);
    let one_model = [own, other].iter().all(|side| side.side.models().len() == 1);
    let planned = Reader::open(file)?.planned()?.into_iter().filter(|planned| !planned.confirms);
    let headers = planned.map(|planned| planned.header);
    let used = headers.filter(|header| header.kind == CaseKind::Use && fits(pick, header));
    Ok(used.map(|header| (name(&header, [pick, others], one_model), header.key)).collect())
}

/// The transcript of a trial, if it ran.
fn answer(side: &Opened, key: CaseKey) -> Outcome<Option<Transcript>> {
    let Some(file) = &side.file else { return Ok(None) };
    Ok(Reader::open(file)?.transcript(key)?)
}

fn fits(Pick { model, persona, client }: &Pick, header: &CaseHeader) -> bool {
    model.as_ref().is_none_or(|name| header.model.as_ref() == Some(name))
        && persona.as_ref().is_none_or(|name| header.persona == *name)
        && client.as_ref().is_none_or(|name| header.client == *name)
}

/// What names a trial on both sides: what was picked apart does not count.
fn name(header: &CaseHeader, [own, other]: [&Pick; 2], one_model: bool) -> Name {
    let free = |apart: bool, name: &str| if apart { String::new() } else { name.to_owned() };
    let model = header.model.as_ref().map_or("", ModelName::as_str);
    let who = [
        free(one_model, model),
        free(own.persona != other.persona, header.persona.as_str()),
        free(own.client != other.client, header.client.as_str()),
    ];
    (header.trial, header.case.to_string(), who)
}
