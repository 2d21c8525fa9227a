//! What a person names as a side, opened.

use std::path::{Path, PathBuf};

use crate::cli::Context;
use crate::cli::failure::{Failure, Outcome};
use crate::cli::runs;
use crate::display::safe_line;
use crate::gate::compare::{Pick, Side};
use crate::ids::{RunId, SuiteName};
use crate::report::compare::SideLine;
use crate::report::figures::count;
use crate::store::Reader;
use crate::store::baseline::{self, Against, Baseline};
use crate::store::outcomes::Outcomes;

/// A side as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    /// As typed.
    pub text: String,
    /// What it is.
    pub what: What,
    /// Which part of it.
    pub pick: Pick,
}

/// What a side is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A run.
    Run(String),
    /// The baseline of a suite.
    Suite(String, Against),
    /// The file of a baseline.
    File(PathBuf),
}

/// A side that was read.
pub(super) struct Opened {
    pub side: Side,
    pub line: SideLine,
    /// The run file, if it is a run.
    pub file: Option<PathBuf>,
}

impl Given {
    /// Reads what a person typed.
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        // A path may hold an `@`; what follows the last one is a part only where the rest names something.
        let (name, part) = match text.rsplit_once('@') {
            Some((name, part)) if !name.is_empty() && !Path::new(text).exists() => (name, part),
            _ => (text, ""),
        };
        let what = if let Some(suite) = name.strip_prefix("baseline:") {
            What::Suite(suite.to_owned(), Against::Rolling)
        } else if let Some(suite) = name.strip_prefix("pinned:") {
            What::Suite(suite.to_owned(), Against::Pinned)
        } else if Path::new(name).extension().is_some_and(|extension| extension == "json") {
            What::File(PathBuf::from(name))
        } else {
            What::Run(name.to_owned())
        };
        Ok(Self { text: text.to_owned(), what, pick: pick(part)? })
    }
}

fn pick(part: &str) -> Outcome<Pick> {
    let mut pick = Pick::default();
    let known = |piece: &str| ["model=", "persona=", "client="].iter().any(|key| piece.starts_with(key));
    // Ids of models may hold commas and equals signs; a plain one is taken whole.
    if !part.is_empty() && !known(part) {
        pick.model = Some(part.into());
        return Ok(pick);
    }
    for piece in part.split(',').filter(|piece| !piece.is_empty()) {
        match piece.split_once('=') {
            Some(("model", name)) => pick.model = Some(name.into()),
            Some(("persona", name)) => pick.persona = Some(name.into()),
            Some(("client", name)) => pick.client = Some(name.into()),
            _ => {
                let message = format!("`{}` is no part of a run", safe_line(piece));
                return Err(Failure::usage("compare.part", message)
                    .hint("write `RUN@MODEL`, or `RUN@model=M,persona=P,client=C` with any of the three"));
            }
        }
    }
    Ok(pick)
}

/// What lies behind a side.
enum Read {
    Run(Box<Outcomes>, PathBuf),
    Baseline(Box<Baseline>, Against),
}

/// Opens both sides, side by side: a run of many trials takes a moment to read.
pub(super) fn open(given: [&Given; 2], out: &Path, context: &Context) -> Outcome<[Opened; 2]> {
    let located = [locate(given[0], out, context)?, locate(given[1], out, context)?];
    let (before, now) = if located[0] == located[1] {
        let read = read(&located[0])?;
        let again = match &read {
            Read::Run(outcomes, file) => Read::Run(outcomes.clone(), file.clone()),
            Read::Baseline(known, against) => Read::Baseline(known.clone(), *against),
        };
        (read, again)
    } else {
        let (before, now) = std::thread::scope(|scope| {
            let other = scope.spawn(|| read(&located[1]));
            (read(&located[0]), other.join())
        });
        let lost = |_| Failure::new(crate::gate::Exit::Bug, "bug.compare", "a reading thread ended early");
        (before?, now.map_err(lost)??)
    };
    let runs = [run_of(&before), run_of(&now)];
    let before = opened(before, given[0], runs[1].as_ref(), None)?;
    let now = opened(now, given[1], runs[0].as_ref(), Some(&before.side))?;
    // A baseline that came first pools the cases that the later side has.
    let before = match (&given[0].what, &before.file) {
        (What::Run(_), _) => before,
        _ => match read(&located[0])? {
            again @ Read::Baseline(..) => opened(again, given[0], runs[1].as_ref(), Some(&now.side))?,
            Read::Run(..) => before,
        },
    };
    for one in [&before, &now] {
        if let Some(failure) = super::nothing(&one.side, one) {
            return Err(failure);
        }
    }
    Ok([before, now])
}

fn run_of(read: &Read) -> Option<RunId> {
    match read {
        Read::Run(outcomes, _) => Some(outcomes.manifest.run.clone()),
        Read::Baseline(..) => None,
    }
}

#[derive(PartialEq, Eq)]
enum Located {
    Run(PathBuf),
    Baseline(PathBuf, Against),
}

fn locate(given: &Given, out: &Path, context: &Context) -> Outcome<Located> {
    Ok(match &given.what {
        What::Run(run) => Located::Run(runs::resolve(run, out, context)?),
        What::Suite(suite, against) => {
            let path = baseline::path(&context.root.join(out), &SuiteName::from(suite.as_str()));
            Located::Baseline(path, *against)
        }
        What::File(path) => Located::Baseline(context.root.join(path), Against::Rolling),
    })
}

fn read(located: &Located) -> Outcome<Read> {
    match located {
        Located::Run(file) => Ok(Read::Run(Box::new(Reader::open(file)?.outcomes()?), file.clone())),
        Located::Baseline(path, against) => {
            let known = baseline::read(path)?.ok_or_else(|| {
                let message = format!("there is no baseline `{}`", path.display());
                Failure::usage("baseline.missing", message)
                    .hint("`rehearsal baseline accept RUN` makes one of a run that passed")
            })?;
            if *against == Against::Pinned && known.pinned.is_none() {
                let message = format!("no night of `{}` is pinned", known.suite);
                return Err(Failure::usage("baseline.unpinned", message).hint(
                    "`rehearsal baseline pin RUN` keeps an accepted night to measure releases against",
                ));
            }
            Ok(Read::Baseline(Box::new(known), *against))
        }
    }
}

/// A side with its line. `other` is the run on the other side: a baseline is not measured against itself.
fn opened(read: Read, given: &Given, other: Option<&RunId>, with: Option<&Side>) -> Outcome<Opened> {
    let name = safe_line(&given.text);
    let (mut side, line, file) = match read {
        Read::Run(outcomes, file) => {
            let line = SideLine::of_run(&name, &outcomes);
            (Side::of_run(name, *outcomes), line, Some(file))
        }
        Read::Baseline(known, against) => {
            let own = other.filter(|run| known.night(run).is_some());
            let mut notes = vec![];
            let known = match own {
                Some(run) => {
                    notes.push("without the night of the run it is compared with".to_owned());
                    known.without(run)
                }
                None => *known,
            };
            notes.insert(0, count(known.nights.len() as u64, "night"));
            let night = match against {
                Against::Rolling => known.nights.first(),
                Against::Pinned => known.pinned.as_ref().and_then(|run| known.night(run)),
            };
            let line = SideLine {
                name: name.clone(),
                suite: safe_line(known.suite.as_str()),
                run: night.map(|night| safe_line(night.run.as_str())),
                started: night.map(|night| safe_line(&night.started)),
                notes,
            };
            (Side::of_baseline(name, &known, against, with), line, None)
        }
    };
    side.pick = given.pick.clone();
    Ok(Opened { side, line, file })
}
