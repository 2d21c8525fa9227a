//! `judge label`: a person labels what a judge decided, without seeing what it said.

use std::io::BufRead;
use std::path::Path;

use super::super::Context;
use super::super::failure::{Failure, Outcome};
use super::rulings::{self, Ruled};
use super::{LabelArgs, calibrate, refused};
use crate::display::{safe, safe_line};
use crate::gate::Exit;
use crate::ids::Digest;
use crate::report::figures::count;
use crate::report::transcript_text::{self, Detail, Look};
use crate::score::judge::labels::{LabelFile, LabelRow, Sample, Word};
use crate::store::{Lock, Reader, StoreError};

/// Asks label after label; each is in the file before the next is asked.
pub(super) fn label(args: &LabelArgs, context: &Context) -> Outcome {
    let file = super::super::runs::resolve(&args.run, &args.out, context)?;
    let path = context.root.join(&args.labels);
    if path.extension().is_some_and(|extension| extension == "csv") {
        return Err(Failure::usage("usage.flags", "labels are written as YAML")
            .hint("name a file that ends in .yaml"));
    }
    let queue = queue(rulings::of(&file)?, &known(&path, context)?, args);
    if queue.is_empty() {
        context.printer.talk("nothing is left to label in this run");
        return Ok(Exit::Pass);
    }
    let reader = Reader::open(&file)?;
    let mut answers = std::io::stdin().lock().lines();
    let (mut own, mut all, total) = (vec![], 0, queue.len());
    for ruled in &queue {
        show(ruled, &reader, context)?;
        let Some(answer) = answer(&mut answers, (own.len() + 1, total), context)? else { break };
        if let Answer::Label(word) = answer {
            own.push(ruled.labelled(&args.rater, word));
            all = save(&path, &own, args, context)?;
        }
    }
    let file = safe_line(&args.labels.display().to_string());
    context.printer.talk(&format!(
        "{} in {file}; next: `{} judge calibrate RUBRIC --labels {file}`",
        count(all as u64, "label"),
        context.printer.program()
    ));
    Ok(Exit::Pass)
}

/// What is to be labelled, in an order by lot, so that stopping early leaves a random sample.
fn queue(ruled: Vec<Ruled>, labels: &LabelFile, args: &LabelArgs) -> Vec<Ruled> {
    let mine = |one: &Ruled| labels.labels.iter().any(|row| row.rater == args.rater && one.is_of(row));
    let mut queue: Vec<Ruled> = ruled
        .into_iter()
        .filter(|one| !mine(one) && (!args.undecided || one.ruling.holds.is_none()))
        .collect();
    queue.sort_by_cached_key(|one| {
        Digest::of_json(&(args.seed, one.key.to_string(), one.ruling.criterion.text()))
    });
    queue.truncate(args.number);
    queue
}

fn show(ruled: &Ruled, reader: &Reader, context: &Context) -> Outcome<()> {
    let look = Look { style: context.printer.style(), width: context.printer.width(), detail: Detail::Brief };
    if let Some(transcript) = reader.transcript(ruled.key)? {
        context.printer.data(transcript_text::render(&transcript, None, look).as_bytes())?;
    }
    if let Some(reference) = &ruled.ruling.criterion.reference {
        context.printer.data_line(&format!("\nreference: {}", safe(reference)))?;
    }
    context.printer.data_line(&format!("\nstatement: {}", safe(&ruled.ruling.criterion.text())))
}

enum Answer {
    Label(Word),
    Skip,
}

/// What the person says; `None` at the end of the input or when it is enough.
fn answer(
    lines: &mut impl Iterator<Item = std::io::Result<String>>,
    (number, total): (usize, usize),
    context: &Context,
) -> Outcome<Option<Answer>> {
    loop {
        context
            .printer
            .tell(&format!("[{number}/{total}] does the statement hold? y(es) n(o) u(nsure) s(kip) q(uit)"));
        let Some(Ok(line)) = lines.next() else { return Ok(None) };
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(Some(Answer::Label(Word::Yes))),
            "n" | "no" => return Ok(Some(Answer::Label(Word::No))),
            "u" | "unsure" => return Ok(Some(Answer::Label(Word::Unsure))),
            "s" | "skip" => return Ok(Some(Answer::Skip)),
            "q" | "quit" => return Ok(None),
            _ => {}
        }
    }
}

fn known(path: &Path, context: &Context) -> Outcome<LabelFile> {
    match path.exists() {
        true => context.project().labels(path).map_err(|wrong| refused(&[wrong], context)),
        false => Ok(LabelFile::none()),
    }
}

/// How often the file is asked for while somebody else writes it; each attempt takes some fifty milliseconds.
const ATTEMPTS: u32 = 20;

/// Puts one's own labels beside those that are in the file by now, and says how many it holds: others may label the same
/// run into the same file.
fn save(path: &Path, own: &[LabelRow], args: &LabelArgs, context: &Context) -> Outcome<usize> {
    let mut lock = Lock::take(path);
    for _ in 1..ATTEMPTS {
        if !matches!(lock, Err(StoreError::Locked { .. })) {
            break;
        }
        lock = Lock::take(path);
    }
    let _lock = lock?;
    let mut labels = known(path, context)?;
    labels.merge(own);
    if args.undecided {
        labels.sample = Sample::Picked;
    }
    write(path, &labels)?;
    Ok(labels.labels.len())
}

fn write(path: &Path, labels: &LabelFile) -> Outcome<()> {
    // JSON is YAML; one label a line keeps the file readable and its changes small.
    let rows: Vec<String> = labels
        .labels
        .iter()
        .map(|row| format!("  - {}", serde_json::to_string(row).unwrap_or_default()))
        .collect();
    let sample = serde_json::to_string(&labels.sample).unwrap_or_default();
    calibrate::write(path, &format!("version: 1\nsample: {sample}\nlabels:\n{}\n", rows.join("\n")))
}
