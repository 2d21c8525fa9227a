//! What belongs to judges besides rubrics: frozen transcripts, attacks, calibrations, labels. Texts in, definitions out;
//! `read` reads the files. Pure.

use std::sync::Arc;

use super::yaml;
use crate::diag::{Diagnostic, Origin};
use crate::score::judge::calibration::Calibrations;
use crate::score::judge::frozen::FrozenPack;
use crate::score::judge::labels::{self, LabelFile, Sample};
use crate::score::judge::mutation::MutationPack;

/// A file with its text.
#[derive(Clone, Debug)]
pub struct Text {
    /// Its path as diagnostics show it.
    pub file: Arc<str>,
    /// What is in it.
    pub text: Arc<str>,
}

/// What the program embeds, by the name in `evals/judge`.
pub(super) fn embedded(name: &str) -> Option<&'static str> {
    match name {
        "frozen" => Some(include_str!("../../evals/judge/frozen.yaml")),
        "mutations" => Some(include_str!("../../evals/judge/mutations.yaml")),
        _ => None,
    }
}

/// Frozen transcripts and the attacks on them.
#[derive(Clone, Debug)]
pub struct JudgePacks {
    /// The transcripts.
    pub frozen: FrozenPack,
    /// The attacks.
    pub mutations: MutationPack,
}

/// Reads both packs, or says everything that is wrong with them.
pub(super) fn packs(frozen: &Text, mutations: &Text) -> Result<JudgePacks, Vec<Diagnostic>> {
    let pack: FrozenPack = yaml::from_text(&frozen.file, &frozen.text).map_err(|error| vec![error])?;
    let attacks: MutationPack =
        yaml::from_text(&mutations.file, &mutations.text).map_err(|error| vec![error])?;
    let at = |text: &Text| Origin { file: text.file.clone(), line: 1, column: 1 };
    let mut wrong: Vec<Diagnostic> = vec![];
    wrong.extend(known(pack.version, frozen).err());
    wrong.extend(known(attacks.version, mutations).err());
    wrong.extend(pack.problems().into_iter().map(|problem| bad(at(frozen), problem)));
    wrong.extend(attacks.problems(&pack).into_iter().map(|problem| bad(at(mutations), problem)));
    if wrong.is_empty() { Ok(JudgePacks { frozen: pack, mutations: attacks }) } else { Err(wrong) }
}

/// Refuses a file of another format than the one that is known: what it means would be guessed.
fn known(version: u32, file: &Text) -> Result<(), Diagnostic> {
    if version == VERSION {
        return Ok(());
    }
    let message = format!("the file says `version: {version}`, and only version {VERSION} is known");
    let start = Origin { file: file.file.clone(), line: 1, column: 1 };
    Err(bad(start, message).hint("a newer rehearsal may know it"))
}

/// The version of the formats of all these files.
const VERSION: u32 = 1;

fn bad(at: Origin, message: String) -> Diagnostic {
    Diagnostic::error("judge.bad-file", at, message)
}

/// Reads a file of calibrations.
pub(super) fn calibrations(text: &Text) -> Result<Calibrations, Diagnostic> {
    let start = Origin { file: text.file.clone(), line: 1, column: 1 };
    let found: Calibrations = serde_json::from_str(&text.text).map_err(|error| {
        bad(start, format!("the calibrations cannot be read: {error}")).hint(
            "`rehearsal judge calibrate` writes this file; restore it, or delete it and calibrate again",
        )
    })?;
    known(found.version, text)?;
    Ok(found)
}

/// Reads labels: CSV where the file's name ends so, else YAML. A CSV file cannot say how its trials were chosen.
pub(super) fn labels(text: &Text) -> Result<LabelFile, Diagnostic> {
    if text.file.ends_with(".csv") {
        let start = Origin { file: text.file.clone(), line: 1, column: 1 };
        return labels::from_csv(&text.text, Sample::Picked).map_err(|error| {
            bad(start, format!("the labels cannot be read: {error}"))
                .hint("columns: run, trial, case, criterion, kind, rater, label, verdict, judge; `label` is yes, no or unsure")
        });
    }
    let found: LabelFile = yaml::from_text(&text.file, &text.text)?;
    known(found.version, text)?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn embedded_text(name: &str) -> Text {
        Text { file: name.into(), text: embedded(name).expect("it is there").into() }
    }

    #[test]
    fn what_the_program_brings_is_sound() {
        let packs = packs(&embedded_text("frozen"), &embedded_text("mutations")).expect("sound packs");
        assert_eq!(packs.frozen.transcripts.len(), 30);
        assert!(packs.mutations.mutations.len() >= 24);
        assert!(embedded("other").is_none());
    }

    #[test]
    fn unsound_packs_are_refused_whole() {
        let text = |text: &str| Text { file: "x".into(), text: text.into() };
        let frozen = "{version: 1, tolerated: 0.9, transcripts: [{id: a, events: [{user: Q, answer: A}, {result: x}], labels: []}]}";
        let mutations = "{version: 1, on: [b], mutations: []}";
        let wrong = super::packs(&text(frozen), &text(mutations)).expect_err("unsound");
        let said: Vec<&str> = wrong.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(said.len(), 5, "{said:?}");
    }

    #[test]
    fn files_of_an_unknown_version_are_refused() {
        let text = |name: &str, text: &str| Text { file: name.into(), text: text.into() };
        assert!(labels(&text("l.yaml", "{version: 1, labels: []}")).is_ok());
        let refused = labels(&text("l.yaml", "{version: 2, labels: []}")).expect_err("another format");
        assert_eq!(refused.code, "judge.bad-file");
        assert!(refused.message.contains("version: 2"), "{}", refused.message);
        let kept = |version: u32| format!("{{\"version\": {version}, \"rubric\": \"r\", \"judges\": []}}");
        assert!(
            calibrations(&text("c.json", &kept(1))).is_ok()
                && calibrations(&text("c.json", &kept(9))).is_err()
        );
        let newer = |name: &str| {
            let old = embedded_text(name);
            text(name, &old.text.replacen("version: 1", "version: 3", 1))
        };
        let wrong =
            super::packs(&newer("frozen"), &newer("mutations")).expect_err("both are of another format");
        assert_eq!(wrong.len(), 2, "{wrong:?}");
    }
}
