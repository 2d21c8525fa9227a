//! Programs that a suite names beside its target: started only with leave, and the one that stands in for a server.

use super::failure::{Failure, Outcome};
use crate::display;
use crate::gate::Exit;
use crate::mcp::relay::shim;
use crate::plan::Plan;
use crate::plan::programs::{Use, programs};

/// Most programs that a refusal lists.
const LISTED: usize = 5;

/// Whether what a plan would start may be started.
///
/// # Errors
/// Exit code 2 with a list of the programs, unless there are none or they are allowed.
pub(super) fn allowed(plan: &Plan, given: bool) -> Outcome<()> {
    let found = programs(plan);
    let (Some(first), false) = (found.first(), given) else { return Ok(()) };
    let one = |used: &Use| format!("{} runs `{}`", used.by, display::excerpt(&used.command, 120));
    let mut listed: Vec<String> = found.iter().take(LISTED).map(one).collect();
    if found.len() > LISTED {
        listed.push(format!("and {} more", found.len() - LISTED));
    }
    let message = format!("the plan starts programs, and that is not allowed: {}", listed.join("; "));
    Err(Failure::usage("run.not-allowed", message)
        .hint("look at what they do, then run again with `--allow-exec`")
        .at(&first.origin))
}

/// The body of the hidden command `relay`.
#[expect(clippy::disallowed_methods, reason = "its variables are how the relay is named to it")]
pub(super) async fn relay() -> Outcome {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (Some(address), Some(secret)) = (named(shim::ADDRESS), named(shim::SECRET)) else {
        return Err(Failure::usage("usage.flags", "`relay` is started by agents and has no use by hand"));
    };
    match shim::run(&address, &secret).await {
        Ok(()) => Ok(Exit::Pass),
        Err(error) => {
            let message = format!("the relay cannot be reached: {error}");
            Err(Failure::new(Exit::Target, "agent.no-relay", message))
        }
    }
}
