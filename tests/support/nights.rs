//! Made-up run files where the program looks for them: lanes with so many passes of so many trials.

#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use rehearsal::ids::{CaseKey, Digest, ScoreKey};
use rehearsal::plan::Planned;
use rehearsal::score::{Outcome, Verdict};
use rehearsal::store::record::{JudgeSpend, Manifest, SurfaceSeen};
use rehearsal::store::{Store, layout};
use rehearsal::transcript::{CaseHeader, CaseKind, End, Transcript, What};

use crate::runs::{header, manifest, transcript, verdict};

/// A lane of a run.
#[derive(Clone, Debug)]
pub(crate) struct Lane {
    pub(crate) kind: CaseKind,
    pub(crate) case: String,
    pub(crate) model: String,
    pub(crate) persona: String,
    /// What is asked; another text is another case.
    pub(crate) asks: String,
    /// Passed, failed, invalid.
    pub(crate) trials: [u32; 3],
    pub(crate) tags: Vec<String>,
}

/// A use case of the model `gpt`.
pub(crate) fn lane(case: &str, [passed, trials]: [u32; 2]) -> Lane {
    Lane {
        kind: CaseKind::Use,
        case: case.to_owned(),
        model: "gpt".to_owned(),
        persona: "customer".to_owned(),
        asks: "v1".to_owned(),
        trials: [passed, trials - passed, 0],
        tags: vec![],
    }
}

/// A night of the suite `bookshop`: its number makes id and time.
pub(crate) struct Run {
    pub(crate) manifest: Manifest,
    pub(crate) lanes: Vec<Lane>,
}

pub(crate) fn run(number: u32, lanes: &[Lane]) -> Run {
    let seen = SurfaceSeen {
        persona: "customer".into(),
        tools: vec![],
        later: vec![],
        digest: Some(Digest::of(b"surface")),
        look: vec![],
    };
    let manifest = Manifest {
        run: format!("night-{number:02}").as_str().into(),
        started: format!("2026-01-{number:02}T00:00:00Z"),
        surfaces: vec![seen],
        ..manifest("night")
    };
    Run { manifest, lanes: lanes.to_vec() }
}

fn headers(lane: &Lane) -> Vec<(CaseHeader, Outcome)> {
    let [passed, failed, invalid] = lane.trials;
    let is_use = lane.kind == CaseKind::Use;
    let question = Digest::of_json(&(&lane.case, &lane.asks, &lane.persona));
    let model = if is_use { Digest::of(lane.model.as_bytes()) } else { Digest::none() };
    (0..passed + failed + invalid)
        .map(|at| {
            let header = CaseHeader {
                key: CaseKey { question, model, trial: at + 1 },
                case: lane.case.as_str().into(),
                kind: lane.kind,
                model: is_use.then(|| lane.model.as_str().into()),
                persona: lane.persona.as_str().into(),
                trial: at + 1,
                tags: lane.tags.clone(),
                ..header(1)
            };
            let outcome = match at {
                at if at < passed => Outcome::Pass,
                at if at < passed + failed => Outcome::Fail,
                _ => Outcome::Invalid,
            };
            (header, outcome)
        })
        .collect()
}

/// Whoever fails has another last answer.
fn answered(mut transcript: Transcript, outcome: Outcome) -> Transcript {
    if let (Outcome::Fail, Some(last)) = (outcome, transcript.events.last_mut())
        && let What::ModelSaid { text, .. } = &mut last.what
    {
        *text = Some("I cannot say.".to_owned());
    }
    transcript
}

impl Run {
    /// Writes the run file below a project's folder.
    pub(crate) fn write(&self, project: &Path) -> PathBuf {
        let path = layout::run_file(&project.join("reports"), &self.manifest.suite, &self.manifest.run);
        let trials: Vec<(CaseHeader, Outcome)> = self.lanes.iter().flat_map(headers).collect();
        let planned: Vec<Planned> = trials
            .iter()
            .map(|(header, _)| Planned {
                header: header.clone(),
                score_key: ScoreKey(Digest::of(b"score")),
                expected_failure: None,
                confirms: false,
            })
            .collect();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let store = Store::create(&path, &self.manifest, &planned).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let all = trials.iter().map(|(header, outcome)| async {
                let made =
                    answered(Transcript { header: header.clone(), ..transcript(1, End::Done) }, *outcome);
                store.finished(Arc::new(made)).await.unwrap();
                let verdict = Verdict { score_key: ScoreKey(Digest::of(b"score")), ..verdict(*outcome) };
                store.scored(header.key, &verdict, JudgeSpend::default()).await.unwrap();
            });
            futures::future::join_all(all).await;
            store.close().await.unwrap();
        });
        path
    }
}

/// The program in a project's folder.
pub(crate) fn rehearsal(project: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rehearsal"))
        .args(args)
        .current_dir(project)
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
