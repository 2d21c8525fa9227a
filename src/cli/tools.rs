//! `tools`: what a server offers, and what each client makes of it. No model, no spending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::args::{FailOn, PlanFormat, ToolsArgs};
use super::failure::{Failure, Outcome};
use super::purse::Purse;
use super::{Context, check, clients, eval, models};
use crate::auth::identity::{self, Authority};
use crate::auth::{FromEnv, IdentitySpec, Persona};
use crate::display;
use crate::drive::fit::{Fit, Level, misfits};
use crate::drive::offer::Menu;
use crate::drive::visit::{self, Visit};
use crate::gate::Exit;
use crate::ids::PersonaName;
use crate::llm::{self, Outside, providers};
use crate::mcp::{ClientProfile, Endpoint, Program};
use crate::report::figures::count;
use crate::report::fit::{paragraph, whole, wrapped};
use crate::report::losses::{self, ModelLosses};
use crate::suite::read::{Project, Request};
use crate::transcript::{Loss, ToolFact};

/// Looks at a server and prints its tools and what clients make of them.
pub(super) async fn tools(args: &ToolsArgs, context: &Context) -> Outcome {
    let profiles = profiles(args, context)?;
    let visit = look(args, context).await?;
    let fits: Vec<Fit> = profiles.iter().map(|profile| misfits(&visit.seen, profile)).collect();
    let lost = losses(args, &visit, context)?;
    for (persona, fault) in &visit.refused {
        context.printer.talk(&format!("{persona} sees nothing: {}", fault.message));
    }
    if args.format == PlanFormat::Json {
        let text = serde_json::to_string_pretty(&as_json(&visit, &fits, &lost)).unwrap_or_default();
        context.printer.data_line(&text)?;
    } else {
        human(&visit, (&profiles, &fits), context)?;
        for model in &lost {
            let text = losses::paragraph(model, usize::from(context.printer.width()));
            context.printer.data(format!("\n{text}").as_bytes())?;
        }
    }
    let grave = |level| fits.iter().map(|fit| fit.count(level)).sum::<usize>();
    let wrong = match args.fail_on {
        None => 0,
        Some(FailOn::Warning) => grave(Level::Warning),
        Some(FailOn::Note) => grave(Level::Warning) + grave(Level::Note),
    };
    if wrong == 0 {
        return Ok(Exit::Pass);
    }
    let message = format!("{} under the clients named", count(wrong as u64, "misfit"));
    Err(Failure::new(Exit::Fail, "gate.misfit", message).hint("without `--fail-on` they are only shown"))
}

fn profiles(args: &ToolsArgs, context: &Context) -> Outcome<Vec<ClientProfile>> {
    let catalog = Project::new(context.root.clone()).catalog();
    if args.clients.iter().any(|name| name == "all") {
        return clients::all(&catalog, context);
    }
    args.clients.iter().map(|name| clients::find(&catalog, name, context)).collect()
}

/// What the API of each model named would not take, as the reference client offers the tools.
fn losses(args: &ToolsArgs, visit: &Visit, context: &Context) -> Outcome<Vec<ModelLosses>> {
    let catalog = Project::new(context.root.clone()).catalog();
    let menu = ClientProfile::reference().menu;
    let tools = Menu::of(&visit.seen.tools, &visit.seen.server, &menu).offers;
    let http = crate::net::client().map_err(|error| Failure::new(Exit::Bug, "bug.http", error))?;
    // Nothing is sent, so nothing of the environment is needed.
    let outside = Outside::new(http, Arc::new(|_| None));
    let lost = |name: &String| {
        let spec = models::find(&catalog, name, context)?;
        let model =
            llm::build(&providers::offline(&spec), &outside).map_err(|fault| Failure::from_fault(&fault))?;
        let lost: BTreeSet<Loss> = model.losses(&tools).into_iter().collect();
        Ok(losses::of(spec.name.as_str(), &lost))
    };
    args.models.iter().map(lost).collect()
}

async fn look(args: &ToolsArgs, context: &Context) -> Outcome<Visit> {
    let outside = eval::outside(context)?;
    let visit = match (&args.target, args.command.is_empty()) {
        (None, false) => {
            let program = Program {
                command: args.command.clone(),
                env: BTreeMap::new(),
                cwd: Some(context.root.clone()),
            };
            visit::endpoint(Endpoint::Stdio(program), &identity(args, context)?, &outside).await
        }
        (Some(target), true) if target.starts_with("http://") || target.starts_with("https://") => {
            let url = url::Url::parse(target).map_err(|error| {
                Failure::usage("target.bad-url", format!("`{target}` is not a URL: {error}"))
            })?;
            let endpoint = Endpoint::Http { url, headers: BTreeMap::new() };
            visit::endpoint(endpoint, &identity(args, context)?, &outside).await
        }
        (Some(name), true) => {
            let suite = check::load(&Project::new(context.root.clone()), name, &Request::default(), context)?;
            visit::suite(&suite, &outside).await
        }
        _ => {
            return Err(Failure::usage("usage.flags", "one target is needed")
                .hint("give a URL, a suite, or `-- COMMAND ARGS` for a server over standard streams"));
        }
    };
    visit.map_err(|fault| Failure::from_fault(&fault))
}

/// Nobody, or who holds the bearer token in a variable.
fn identity(args: &ToolsArgs, context: &Context) -> Outcome<crate::mcp::Identity> {
    let spec = match &args.bearer_env {
        None => IdentitySpec::Anonymous,
        Some(env) => IdentitySpec::Bearer(FromEnv { env: env.clone() }),
    };
    let persona = Persona { name: PersonaName::from("user"), description: String::new(), identity: spec };
    let authority = Authority {
        issuer: None,
        audience: String::new(),
        env: Arc::clone(&context.env),
        secrets: context.secrets.clone(),
        clock: context.clock.clone(),
        route: crate::net::Route::default(),
        wallet: Arc::new(Purse::new(&context.env)),
        old_servers: false,
    };
    identity::identity(&persona, &authority).map_err(|fault| Failure::from_fault(&fault))
}

fn human(visit: &Visit, (profiles, fits): (&[ClientProfile], &[Fit]), context: &Context) -> Outcome<()> {
    let printer = context.printer;
    let (columns, style) = (usize::from(printer.width()), printer.style());
    let seen = &visit.seen;
    let server = if seen.server.is_empty() { "a server without a name" } else { &seen.server };
    let tools = count(seen.tools.len() as u64, "tool");
    printer.data_line(&display::safe_line(&format!("{tools} of {server}, {}", visit.target)))?;
    for tool in &seen.tools {
        let Facts { description, parameters, read_only } = facts(tool);
        let hint = match read_only {
            Some(true) => "read-only",
            Some(false) => "writes",
            None => "no readOnlyHint",
        };
        let parameters = count(parameters as u64, "parameter");
        let line = format!("  {}: {parameters}, {hint}, description of {description} characters", tool.name);
        printer.data_line(&display::excerpt(&line, columns))?;
    }
    for fit in fits.iter().filter(|fit| !fit.misfits.is_empty()) {
        printer.data(format!("\n{}", paragraph(&whole(fit), columns, style)).as_bytes())?;
    }
    let without = profiles.iter().zip(fits).filter(|(_, fit)| fit.misfits.is_empty());
    let (silent, fine): (Vec<_>, Vec<_>) = without.partition(|(profile, _)| is_silent(profile));
    for (about, clients) in [("nothing goes wrong under", fine), ("what these show is not known:", silent)] {
        let names: Vec<&str> = clients.iter().map(|(profile, _)| profile.name.as_str()).collect();
        if !names.is_empty() {
            let text = display::safe_line(&format!("{about} {}", names.join(", ")));
            printer.data(format!("\n{}\n", wrapped(&text, columns)).as_bytes())?;
        }
    }
    if fits.is_empty() {
        printer.talk("`--clients all` shows what each client makes of them");
    }
    Ok(())
}

/// Whether a profile says nothing of what its client shows a model. `reference` shows everything, which is known.
fn is_silent(profile: &ClientProfile) -> bool {
    let own = ClientProfile::reference();
    profile.name != own.name && profile.menu == own.menu && profile.result == own.result
}

struct Facts {
    /// Characters of the description.
    description: usize,
    parameters: usize,
    read_only: Option<bool>,
}

fn facts(tool: &ToolFact) -> Facts {
    let schema = tool.input_schema();
    Facts {
        description: tool.description().chars().count(),
        parameters: schema["properties"].as_object().map_or(0, serde_json::Map::len),
        read_only: tool.raw["annotations"]["readOnlyHint"].as_bool(),
    }
}

fn as_json(visit: &Visit, fits: &[Fit], lost: &[ModelLosses]) -> serde_json::Value {
    let tools = visit.seen.tools.iter().map(|tool| {
        let Facts { description, parameters, read_only } = facts(tool);
        json!({
            "name": display::safe_line(tool.name.as_str()),
            "description_chars": description,
            "parameters": parameters,
            "read_only": read_only,
        })
    });
    let refused =
        visit.refused.iter().map(|(persona, fault)| json!({"persona": persona, "code": fault.code}));
    json!({
        "target": display::safe_line(&visit.target),
        "server": display::safe_line(&visit.seen.server),
        "tools": tools.collect::<Vec<_>>(),
        "refused": refused.collect::<Vec<_>>(),
        "clients": fits.iter().map(whole).collect::<Vec<_>>(),
        "models": lost,
    })
}
