//! `show RUN [CASE]`: the summary of a stored run, or its transcripts as text.

use super::Context;
use super::args::ShowArgs;
use super::conclude::{self, conclude};
use super::failure::{Failure, Outcome};
use crate::diag::suggest;
use crate::gate::Exit;
use crate::report::transcript_text::{self, Detail, Look};
use crate::report::ways;
use crate::score::trajectory::Trajectory;
use crate::store::read::Reader;
use crate::transcript::{CaseKind, View};

/// Prints the summary, or the transcripts of a case.
pub(super) fn show(args: &ShowArgs, context: &Context) -> Outcome {
    let file = super::runs::resolve(&args.run, &args.out, context)?;
    let concluded = conclude(&file)?;
    let Some(case) = &args.case else {
        concluded.print(conclude::HUMAN, context)?;
        return Ok(Exit::Pass);
    };
    let results = &concluded.run.results;
    let wanted = results.iter().filter(|result| {
        result.header.case.as_str() == case && args.trial.is_none_or(|trial| trial == result.header.trial)
    });
    let reader = Reader::open(&file)?;
    let detail = if context.verbose { Detail::Wire } else { Detail::Brief };
    let look = Look { style: context.printer.style(), width: context.printer.width(), detail };
    let mut shown = 0;
    for result in wanted {
        let transcript = reader.transcript(result.header.key)?;
        if let Some(transcript) = transcript {
            let text = transcript_text::render(&transcript, result.verdict.as_ref(), look);
            context.printer.data(text.as_bytes())?;
            // Read from the transcript itself, so that files of older versions have it as well.
            if transcript.header.kind == CaseKind::Use {
                let way = ways::sentence(&Trajectory::of(&View::of(&transcript)));
                context.printer.data(format!("way  {way}\n").as_bytes())?;
            }
            shown += 1;
        }
    }
    if shown > 0 {
        return Ok(Exit::Pass);
    }
    let trials: Vec<String> = results
        .iter()
        .filter(|result| result.header.case.as_str() == case)
        .map(|result| result.header.trial.to_string())
        .collect();
    if let Some(trial) = args.trial.filter(|_| !trials.is_empty()) {
        let message = format!("the run holds no transcript of trial {trial} of case `{case}`");
        let known = trials.iter().collect::<std::collections::BTreeSet<_>>();
        let known: Vec<&str> = known.into_iter().map(String::as_str).collect();
        return Err(Failure::usage("run.no-case", message).hint(format!("it has {}", known.join(", "))));
    }
    let names = results.iter().map(|result| result.header.case.as_str());
    Err(Failure::usage("run.no-case", format!("the run holds no transcript of case `{case}`"))
        .hint(suggest::hint(case, names)))
}
