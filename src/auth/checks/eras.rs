//! Both eras of the protocol: a check is probed in each, and its record is read one era at a time. Pure.

use super::Seen;
use crate::auth::checks::Eras;
use crate::mcp::revision::Era;
use crate::transcript::{Event, Transcript, What};

/// Every era, in the order in which it is probed.
const ALL: [Era; 2] = [Era::Legacy, Era::Modern];

/// The eras in which a check runs against a target that speaks `spoken`. `None`: as the target itself decides, in
/// whichever era it answers.
pub(super) fn of(wanted: Eras, spoken: &[Era]) -> Option<Vec<Era>> {
    match wanted {
        Eras::Once => None,
        // Nobody has been let in, so nobody knows.
        Eras::Each if spoken.is_empty() => None,
        Eras::Each => Some(spoken.to_vec()),
        Eras::Legacy if spoken.is_empty() => None,
        Eras::Legacy => Some(spoken.iter().copied().filter(|era| *era == Era::Legacy).collect()),
        Eras::Modern => Some(spoken.iter().copied().filter(|era| *era == Era::Modern).collect()),
    }
}

/// What stands before the labels of an era when a record holds several.
pub(in crate::auth) fn mark(era: Era) -> &'static str {
    match era {
        Era::Legacy => "2025-11-25 | ",
        Era::Modern => "2026-07-28 | ",
    }
}

/// Reads each era's part of a record alone and joins what was seen: one broken era breaks the check, and one that tells
/// nothing leaves it open.
pub(super) fn judge(transcript: &Transcript, examine: fn(&Transcript) -> Seen) -> Seen {
    let parts: Vec<(Era, Transcript)> =
        ALL.into_iter().filter_map(|era| Some((era, part(transcript, era)?))).collect();
    if parts.is_empty() {
        return examine(transcript);
    }
    let seen: Vec<(Era, Seen)> = parts.iter().map(|(era, part)| (*era, examine(part))).collect();
    joined(&seen)
}

/// The events of one era, without its mark; `None` where there are none.
fn part(transcript: &Transcript, wanted: Era) -> Option<Transcript> {
    let mut any = false;
    let events = transcript.events.iter().filter_map(|event| {
        let What::Exchanged { label, request, response, took_ms } = &event.what else {
            return Some(event.clone());
        };
        let label = label.strip_prefix(mark(wanted))?.to_owned();
        any = true;
        let (request, response, took_ms) = (request.clone(), response.clone(), *took_ms);
        Some(Event { what: What::Exchanged { label, request, response, took_ms }, ..event.clone() })
    });
    let events = events.collect();
    any.then(|| Transcript { events, ..transcript.clone() })
}

fn joined(seen: &[(Era, Seen)]) -> Seen {
    let name = |era: Era| mark(era).trim_end_matches(" | ");
    if let Some((era, Seen::Broken(why, seqs))) = seen.iter().find(|(_, one)| matches!(one, Seen::Broken(..)))
    {
        let everywhere = seen.iter().all(|(_, one)| matches!(one, Seen::Broken(text, _) if text == why));
        return match everywhere {
            true => Seen::Broken(why.clone(), seqs.clone()),
            false => Seen::Broken(format!("{why} (in {})", name(*era)), seqs.clone()),
        };
    }
    if let Some((era, Seen::Inconclusive(why))) =
        seen.iter().find(|(_, one)| matches!(one, Seen::Inconclusive(_)))
    {
        return Seen::Inconclusive(format!("{why} (in {})", name(*era)));
    }
    let mut texts: Vec<&str> = vec![];
    let mut seqs = vec![];
    for (_, one) in seen {
        if let Seen::Holds(why, evidence) = one {
            seqs.extend(evidence);
            if !texts.contains(&why.as_str()) {
                texts.push(why);
            }
        }
    }
    match (texts.is_empty(), seen.first()) {
        (false, _) => Seen::Holds(texts.join("; "), seqs),
        (true, Some((_, first))) => first.clone(),
        (true, None) => Seen::Inconclusive("the probe was not sent".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(why: &str, seq: u32) -> Seen {
        Seen::Holds(why.to_owned(), vec![seq])
    }

    fn broken(why: &str, seq: u32) -> Seen {
        Seen::Broken(why.to_owned(), vec![seq])
    }

    #[test]
    fn one_broken_era_breaks_the_check_and_is_named() {
        let seen = [(Era::Legacy, holds("refused", 1)), (Era::Modern, broken("accepted", 2))];
        assert_eq!(joined(&seen), broken("accepted (in 2026-07-28)", 2));
        let seen = [(Era::Legacy, broken("accepted", 1)), (Era::Modern, broken("accepted", 2))];
        assert_eq!(joined(&seen), broken("accepted", 1));
        let open = Seen::Inconclusive("429".into());
        assert_eq!(
            joined(&[(Era::Legacy, open.clone()), (Era::Modern, broken("x", 2))]),
            broken("x (in 2026-07-28)", 2)
        );
        let left = Seen::Inconclusive("429 (in 2025-11-25)".into());
        assert_eq!(joined(&[(Era::Legacy, open), (Era::Modern, holds("x", 2))]), left);
    }

    #[test]
    fn what_holds_in_both_is_said_once() {
        let seen = [(Era::Legacy, holds("refused", 1)), (Era::Modern, holds("refused", 4))];
        assert_eq!(joined(&seen), Seen::Holds("refused".into(), vec![1, 4]));
        let no = Seen::DoesNotApply("no challenge".into());
        assert_eq!(joined(&[(Era::Legacy, no.clone()), (Era::Modern, holds("x", 1))]), holds("x", 1));
        assert_eq!(joined(&[(Era::Legacy, no.clone()), (Era::Modern, no.clone())]), no);
    }

    #[test]
    fn a_check_runs_where_the_target_speaks() {
        let both = ALL.as_slice();
        assert_eq!(of(Eras::Each, both), Some(both.to_vec()));
        assert_eq!(of(Eras::Each, &[]), None);
        assert_eq!(of(Eras::Once, both), None);
        assert_eq!(of(Eras::Legacy, &[Era::Modern]), Some(vec![]));
        assert_eq!(of(Eras::Modern, both), Some(vec![Era::Modern]));
        assert_eq!(of(Eras::Modern, &[]), Some(vec![]));
    }
}
