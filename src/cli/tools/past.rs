//! The tools as they were: a snapshot, or what a run saw before its first trial.

use std::path::Path;

use crate::cli::failure::{Failure, Outcome};
use crate::cli::{Context, runs};
use crate::report::changes;
use crate::store::read::Reader;
use crate::transcript::ToolFact;

/// The tools of a folder or of a run.
pub(super) fn tools(name: &str, out: &Path, context: &Context) -> Outcome<Vec<ToolFact>> {
    let folder = context.root.join(name);
    if folder.is_dir() {
        return super::snapshot(&folder);
    }
    let file = runs::resolve(name, out, context).map_err(|failure| {
        let missing = format!("`{}` is neither a folder nor a run", crate::display::excerpt(name, 120));
        Failure { message: missing, ..failure }.hint("write a snapshot with `rehearsal tools TARGET --snapshot DIR`")
    })?;
    let manifest = Reader::open(&file)
        .and_then(|reader| reader.manifest())
        .map_err(|error| Failure::from_fault(&error.into()))?;
    let tools = changes::tools(&manifest.surfaces);
    if tools.is_empty() {
        let message = "the run did not keep the tools it saw, or saw none";
        return Err(Failure::usage("surface.no-tools", message).hint("compare with a run of this version"));
    }
    Ok(tools)
}
