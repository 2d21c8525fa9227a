//! The surface held against what a suite demands of it, for runs and for `tools`.

use super::snapshot;
use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::drive::fit::{self, Seen};
use crate::drive::stage::Stage;
use crate::ids::ToolName;
use crate::suite::Suite;
use crate::surface::judged::{self, Judged};
use crate::surface::policy::Policy;
use crate::surface::{Listed, Shown, merged};
use crate::transcript::ToolFact;

/// What the look before the first trial says about the demands of the suite; `None` when it has none.
///
/// # Errors
/// The snapshot that the suite names cannot be read.
pub(in crate::cli) fn judge(suite: &Suite, stage: &Stage, context: &Context) -> Outcome<Option<Judged>> {
    let surfaces: Vec<_> = stage.surfaces().values().flatten().collect();
    let tools = merged(surfaces.iter().map(|surface| surface.tools.as_slice()));
    let first = surfaces.first();
    let seen = Seen {
        server: first.map(|surface| surface.server.name.clone()).unwrap_or_default(),
        instructions: first.and_then(|surface| surface.server.instructions.clone()),
        ..Seen::default()
    };
    // Nobody was let in: what that means is said elsewhere, and a list that was not seen has no tools missing.
    if surfaces.is_empty() {
        return Ok(None);
    }
    held(suite, &seen, &tools, context)
}

/// The same for tools that were seen already.
pub(super) fn held(
    suite: &Suite,
    seen: &Seen,
    tools: &[ToolFact],
    context: &Context,
) -> Outcome<Option<Judged>> {
    let Some(policy) = &suite.surface else { return Ok(None) };
    let tools = redacted(tools, context);
    let before = past(policy, context)?;
    let show = |client: &crate::diag::Located<_>| fit::shown(&tools, &seen.server, &client.value);
    let clients: Vec<Shown> = suite.clients.iter().map(show).collect();
    let (server, instructions) = (seen.server.as_str(), seen.instructions.as_deref());
    let listed = Listed { server, instructions, tools: &tools, clients: &clients };
    Ok(Some(judged::judge(policy, &listed, before.as_deref())))
}

/// A server may repeat what it was given, and what is judged is written down.
fn redacted(tools: &[ToolFact], context: &Context) -> Vec<ToolFact> {
    let redact = |tool: &ToolFact| {
        let text = tool.raw.to_string();
        let raw: serde_json::Value = serde_json::from_str(&context.secrets.redact(&text)).ok()?;
        let name = context.secrets.redact(tool.name.as_str()).into_owned();
        Some(ToolFact { name: ToolName::new(name), raw: raw.into() })
    };
    // A placeholder takes the place of characters inside a string, so the text stays JSON.
    tools.iter().filter_map(redact).collect()
}

fn past(policy: &Policy, context: &Context) -> Outcome<Option<Vec<ToolFact>>> {
    let Some(folder) = &policy.snapshot else { return Ok(None) };
    match snapshot(&context.root.join(&folder.value)) {
        Ok(tools) => Ok(Some(tools)),
        Err(failure) => Err(Failure::usage("surface.snapshot", failure.message)
            .at(&folder.origin)
            .hint(format!("write it with `rehearsal tools SUITE --snapshot {}`", folder.value))),
    }
}
