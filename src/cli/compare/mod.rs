//! `compare A B`: what changed between two runs, baselines, models, personas or client profiles.

use super::Context;
use super::failure::{Failure, Outcome};
use crate::display::safe_line;
use crate::gate::Exit;
use crate::gate::compare::{Pick, Question, Side, side_by_side};
use crate::report::compare::{self as page, Page, Preferred};

mod args;
mod judge;
mod sides;

pub(super) use args::CompareArgs;
use args::{Asked, CompareFormat};
use sides::{Given, Opened};

impl CompareArgs {
    /// Whether a program reads stdout.
    pub(super) fn is_machine(&self) -> bool {
        self.format == CompareFormat::Json
    }
}

/// Compares, prints, and ends with 1 only where `--fail-on-loss` asks for it.
pub(super) async fn compare(args: &CompareArgs, context: &Context) -> Outcome {
    let (before, now) = given(args)?;
    let [before, now] = sides::open([&before, &now], &args.out, context)?;
    let question = args.question.map(|asked| match asked {
        Asked::These => Question::TheseCases,
        Asked::LikeThese => Question::CasesLikeThese,
    });
    let found = side_by_side(&before.side, &now.side, question, args.cluster_by.as_deref());
    let preferred: Option<Preferred> = match &args.judge {
        Some(model) => Some(judge::preferred(model, args, [&before, &now], context).await?),
        None => None,
    };
    let page = Page::of(before.line, now.line, found, preferred);
    let printer = context.printer;
    match args.format {
        CompareFormat::Json => printer.data_line(&page.json())?,
        CompareFormat::Markdown => printer.data(page::markdown(&page).as_bytes())?,
        CompareFormat::Human => {
            let text = page::human(&page, usize::from(printer.width()), printer.style());
            printer.data(text.as_bytes())?;
        }
    }
    if args.fail_on_loss && !page.losses.is_empty() {
        let shown: Vec<&str> = page.losses.iter().take(5).map(String::as_str).collect();
        let more = if page.losses.len() > 5 { ", …" } else { "" };
        let message = format!("clearly worse: {}{more}", shown.join(", "));
        return Err(Failure::new(Exit::Fail, "compare.loss", message)
            .hint("without `--fail-on-loss`, a comparison never fails"));
    }
    Ok(Exit::Pass)
}

/// Both sides as given; one run may be both.
fn given(args: &CompareArgs) -> Outcome<(Given, Given)> {
    let mut before = Given::parse(&args.before)?;
    let mut now = match &args.now {
        Some(now) => Given::parse(now)?,
        None => Given { pick: Pick::default(), ..before.clone() },
    };
    for (side, model) in [(&mut before, &args.model_a), (&mut now, &args.model_b)] {
        if let Some(model) = model {
            side.pick.model = Some(model.as_str().into());
        }
    }
    // A part that one side names is meant for both.
    let both = |a: &mut Pick, b: &mut Pick| {
        a.model = a.model.take().or_else(|| b.model.clone());
        a.persona = a.persona.take().or_else(|| b.persona.clone());
        a.client = a.client.take().or_else(|| b.client.clone());
    };
    if args.now.is_some() {
        both(&mut before.pick, &mut now.pick);
        both(&mut now.pick, &mut before.pick);
    }
    if (&before.what, &before.pick) == (&now.what, &now.pick)
        || args.now.is_none() && now.pick == Pick::default()
    {
        let message = format!("both sides are `{}`", safe_line(&args.before));
        return Err(Failure::usage("compare.same", message)
            .hint("name another run, `baseline:SUITE`, or two parts of one run: `--model-a X --model-b Y`"));
    }
    Ok((before, now))
}

/// A side that nothing is left of.
fn nothing(side: &Side, opened: &Opened) -> Option<Failure> {
    let models = side.models();
    let Pick { model, persona, client } = &side.pick;
    let has = |fits: &dyn Fn(&crate::gate::compare::SideLane) -> bool| side.lanes.iter().any(fits);
    let missing = model
        .as_ref()
        .filter(|_| models.is_empty())
        .map(|name| format!("model `{name}`"))
        .or_else(|| {
            let name = persona.as_ref().filter(|name| !has(&|lane| lane.key.persona == **name))?;
            Some(format!("persona `{name}`"))
        })
        .or_else(|| {
            let name = client.as_ref().filter(|name| !has(&|lane| lane.key.client == **name))?;
            Some(format!("client profile `{name}`"))
        })?;
    let known: std::collections::BTreeSet<&str> =
        side.lanes.iter().filter_map(|lane| Some(lane.key.model.as_ref()?.as_str())).collect();
    let message = format!("`{}` has no trial with {missing}", opened.line.name);
    let hint = format!("its models: {}", known.into_iter().collect::<Vec<_>>().join(", "));
    Some(Failure::usage("compare.no-part", message).hint(hint))
}
