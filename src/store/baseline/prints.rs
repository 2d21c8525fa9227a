//! What a run was measured with.

use super::Prints;
use crate::ids::{ClientName, Digest};
use crate::store::record::Manifest;
use crate::transcript::CaseHeader;

impl Prints {
    /// The prints of a run: its manifest with the texts it read, and its trials, which know the digests of their models.
    pub fn of<'h>(manifest: &Manifest, trials: impl IntoIterator<Item = &'h CaseHeader>) -> Self {
        let models =
            trials.into_iter().filter_map(|header| Some((header.model.clone()?, header.key.model))).collect();
        Self { models, ..Self::without_trials(manifest) }
    }

    /// The same when trials are not at hand: without models.
    pub(in crate::store) fn without_trials(manifest: &Manifest) -> Self {
        let instrument =
            |path: &String| manifest.instruments.iter().any(|instrument| instrument.from == *path);
        let texts: Vec<_> = manifest.inputs.iter().filter(|(path, _)| !instrument(path)).collect();
        let client = |value: &serde_json::Value| {
            let name = value.get("name")?.as_str()?;
            Some((ClientName::from(name), Digest::of_json(value)))
        };
        Self {
            version: manifest.version.clone(),
            suite: (!texts.is_empty()).then(|| Digest::of_json(&texts)),
            judge: manifest.judging.as_ref().map(|judging| judging.fingerprint),
            surfaces: manifest.surfaces.iter().map(|seen| (seen.persona.clone(), seen.digest)).collect(),
            models: std::collections::BTreeMap::new(),
            clients: manifest.clients.iter().filter_map(client).collect(),
        }
    }
}
