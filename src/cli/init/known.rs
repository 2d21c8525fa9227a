//! What the command line and the chosen file know of a target, for this one start of the program.

use std::sync::Arc;

use super::choose::Choice;
use crate::cli::purse::Purse;
use crate::cli::{Context, Failure, Outcome};
use crate::generate::target::{self, Credential, Target};
use crate::net;

/// The target of a choice, with the credentials that there are for it.
pub(in crate::cli) fn target(choice: &Choice, bearer: Option<&str>, context: &Context) -> Outcome<Target> {
    let mut target = target::target(&choice.server, choice.inside.as_deref());
    let is_url = !choice.server.url.is_empty();
    if let Some(variable) = bearer {
        if !is_url {
            let message = "`--bearer-env` is for a server at a URL; over standard streams the environment is the credential";
            return Err(Failure::usage("usage.flags", message));
        }
        if (context.env)(variable).is_none_or(|value| value.trim().is_empty()) {
            let message = format!("the environment variable `{variable}` is not set");
            return Err(Failure::new(crate::gate::Exit::Credentials, "credentials.missing", message));
        }
        target.credential = Some(Credential::Bearer(variable.to_owned()));
        if !target.env.iter().any(|known| known == variable) {
            target.env.push(variable.to_owned());
        }
    } else if target.credential.is_none() && is_url && signed_in(&choice.server.url, context)? {
        target.credential = Some(Credential::Login);
    }
    Ok(target)
}

/// The same surroundings, with the values that a file gave for variables that are not set.
pub(in crate::cli) fn surroundings(target: &Target, context: &Context) -> Context {
    for (name, value) in &target.values {
        context.secrets.register(name, value);
    }
    let (values, env) = (target.values.clone(), Arc::clone(&context.env));
    let lookup = move |name: &str| env(name).or_else(|| values.get(name).cloned());
    Context { env: Arc::new(lookup), ..context.clone() }
}

fn signed_in(url: &str, context: &Context) -> Outcome<bool> {
    let contents = Purse::new(&context.env).read().map_err(|fault| Failure::from_fault(&fault))?;
    let Ok(url) = url::Url::parse(url) else { return Ok(false) };
    Ok(contents.logins().iter().any(|login| login.target == net::shown(&url)))
}
