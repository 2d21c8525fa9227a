//! The look at a server: by its URL, as a suite's personas, or as a command over standard streams.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::args::ToolsArgs;
use crate::auth::identity::{self, Authority};
use crate::auth::{FromEnv, IdentitySpec, Persona};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::purse::Purse;
use crate::cli::{Context, check, eval};
use crate::drive::visit::{self, Visit};
use crate::ids::PersonaName;
use crate::mcp::{Endpoint, Program};
use crate::suite::Suite;
use crate::suite::read::{Project, Request};

/// Visits the target; with the suite, if it is one.
pub(super) async fn look(args: &ToolsArgs, context: &Context) -> Outcome<(Visit, Option<Suite>)> {
    let mut suite = None;
    let outside = eval::outside(context)?;
    let visit = match (&args.target, args.command.is_empty()) {
        (None, false) => {
            let program = Program {
                command: args.command.clone(),
                env: BTreeMap::new(),
                cwd: Some(context.root.clone()),
            };
            visit::endpoint(Endpoint::Stdio(program), &identity(args.bearer_env.as_ref(), context)?, &outside)
                .await
        }
        (Some(target), true) if target.starts_with("http://") || target.starts_with("https://") => {
            let url = url::Url::parse(target).map_err(|error| {
                Failure::usage("target.bad-url", format!("`{target}` is not a URL: {error}"))
            })?;
            let endpoint = Endpoint::Http { url, headers: BTreeMap::new() };
            visit::endpoint(endpoint, &identity(args.bearer_env.as_ref(), context)?, &outside).await
        }
        (Some(name), true) => {
            let project = Project::new(context.root.clone());
            let suite = suite.insert(check::load(&project, name, &Request::default(), context)?);
            visit::suite(suite, &outside).await
        }
        _ => {
            return Err(Failure::usage("usage.flags", "one target is needed")
                .hint("give a URL, a suite, or `-- COMMAND ARGS` for a server over standard streams"));
        }
    };
    let visit = visit.map_err(|fault| Failure::from_fault(&fault))?;
    Ok((visit, suite))
}

/// Nobody, or who holds the bearer token in a variable.
pub(in crate::cli) fn identity(bearer: Option<&String>, context: &Context) -> Outcome<crate::mcp::Identity> {
    let spec = match bearer {
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
