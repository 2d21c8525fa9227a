//! The plan of a stored run again, from the suite as it is now.

use super::Context;
use super::eval::{pass_flaw, planned};
use super::failure::Outcome;
use crate::plan::{Plan, Selection};
use crate::store::record::Manifest;
use crate::suite::Suite;
use crate::suite::made::MadeSuite;

/// A stored run, planned again.
pub(super) struct Replanned {
    /// What the command is given, with the suite that the run's command line described, where it did.
    pub(super) context: Context,
    /// The suite, with the flaw of a demo run.
    pub(super) suite: Suite,
    /// Every trial.
    pub(super) plan: Plan,
}

/// Loads the suite of a run and expands it by this selection.
pub(super) fn replanned(manifest: &Manifest, selection: &Selection, context: &Context) -> Outcome<Replanned> {
    // A suite that the command line described is in the record and nowhere else.
    let made = manifest.inputs.get(&manifest.file).filter(|_| MadeSuite::is(&manifest.file));
    let made = made.map(|text| MadeSuite { file: manifest.file.as_str().into(), text: text.as_str().into() });
    let context = Context { made, ..context.clone() };
    let (mut suite, plan) = planned(&manifest.file, selection, manifest.seed, Some(manifest), &context)?;
    // The flaw of a demo run is part of its target, and of what its trials are about.
    if let Some(flaw) = &manifest.flaw {
        pass_flaw(&mut suite, flaw)?;
    }
    Ok(Replanned { context, suite, plan })
}
