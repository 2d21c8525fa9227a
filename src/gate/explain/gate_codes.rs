//! What the comparison with a baseline says.

use super::Entry;

/// Code and text.
#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    ("gate.no-baseline", "The run is to be compared, and nothing was accepted to compare it with. `rehearsal baseline accept RUN` makes a good run the baseline of its suite; ten trials of each case or more are worth having. `--no-baseline` decides by `gate.min_pass` instead. A missing baseline is an error, because a comparison that silently compares nothing would always pass."),
    ("gate.regressed-suite", "All cases together pass less often than in the accepted runs, by more than chance explains: an exact test of every case against its own history, stratified by case. The interval says how large the drop is. Look at what changed between the accepted runs and this one, then at the failed trials (`rehearsal show RUN CASE`)."),
    ("gate.regressed-group", "The cases of one tag, taken together, pass less often than in the accepted runs, by more than chance explains; the number of groups looked at is accounted for. Tags by tool make this the tool that broke."),
    ("gate.regressed-case", "A case that used to pass failed, and its fresh trials, run only to find out, failed too often as well to be chance. The trial that raised the suspicion is not part of that count. `rehearsal show RUN CASE` shows the transcripts."),
    ("gate.not-shown", "The rounds are used up. The suite is not shown to be worse than its baseline, and it is not shown to be within `gate.margin` either: there are too few cases or trials for so small a margin. `rehearsal plan` says which margin this suite can show and what would help: more accepted runs, more cases, more rounds or a wider margin."),
    ("gate.degraded", "Too many trials of the comparison gave nothing, or a case has no valid trial at all, so nothing is certified. The reasons of the invalid trials are in the report; `rehearsal resume RUN` runs them again."),
    ("gate.unfinished", "The run stopped before the comparison had the trials it needs, by a signal, a budget or a fault. What is known so far is in the report. `rehearsal resume RUN` goes on with the same gate."),
    ("gate.unconfirmed", "Cases that used to pass failed in a run whose plan was fixed beforehand (`--trials`, merged shards, a run that was compared later). Fresh trials would tell chance from breakage, and there are none, so the run is not passed. `rehearsal eval` without `--trials` runs them."),
    ("gate.control", "After the alarm, the old server and the new one were run side by side. When the old one is as it was and the new one is worse, the server is to blame. When both are worse than the old one was, the model, its provider, the judge or a fixture has drifted, and the alarm is not held against the server."),
    ("gate.thin-baseline", "Some cases have fewer than ten accepted trials. Whole-suite changes are still seen, but a single case that breaks is mostly missed: with five trials of history in 1 of 100 times, with ten in 75, with fifteen in 80. Accept more runs. Only a warning."),
    ("gate.drift", "Something besides the server's behaviour is not as it was in the newest accepted run: what a persona sees of the server, a model, a client profile, the judge, the suite or rehearsal itself. Every such change is a possible cause of a difference. Accept a run when the new state is the wanted one. Only a warning."),
    ("gate.not-compared", "Cases that are in no accepted run, that are another case now (prompts, model or expectations changed), that are known to fail, or that are not run any more. Their trials are never mixed with those of the others; what runs of them is decided by `gate.min_pass`. Only a warning."),
    ("gate.nothing-compared", "There is a baseline, and no case of the run has a history in it that fits: other models, personas or client profiles, or every case was edited. All of them are decided by `gate.min_pass`. Accept this run if it is good."),
    ("gate.forbidden-tool", "A tool was called that the case forbids (`tool_not_called`). That is exact: one such call fails, however often the case passed before, and whether or not the baseline had such calls too."),
    ("gate.settings", "The `gate:` block of the suite has numbers that the comparison cannot work with: a margin or a share of false alarms outside its range, or more rounds than five. The message names the number and its range."),
    ("gate.unreadable-record", "The run file holds a comparison with a baseline that this version of rehearsal cannot read, perhaps because a newer one wrote it. Nothing is decided without it. Use that version, or `rehearsal gate RUN --no-baseline`."),
];
