//! Baselines and comparisons.

use super::Entry;

/// Code and text.
#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    ("baseline.missing", "There is no baseline of that suite. `rehearsal baseline accept RUN` makes one of a run that passed; it is a small file under `reports/baselines` that belongs into version control."),
    ("baseline.which", "There are several baselines, or several accepted runs whose ids begin like that. Name the suite, or give more characters of the id."),
    ("baseline.conflict", "A merge left both sides in a baseline file. Take the file of one side, then accept the runs of the other side again: the order in which runs are accepted does not matter, so nothing is lost."),
    ("baseline.broken", "A baseline file is not as it was written: a typing error, an unknown field, a lane or night that is there twice, or more passes than trials. The place is given. Take the file from version control again; baselines are written by `rehearsal baseline accept` alone."),
    ("baseline.newer", "A baseline was written by a newer version of rehearsal, and this one cannot know what its fields mean. Update rehearsal."),
    ("baseline.unreadable", "A baseline file cannot be read: it is a folder, too large, or not permitted. The message has what the operating system said."),
    ("baseline.write", "A baseline cannot be written. It is written beside itself and renamed, so the old one is still whole. See that the folder can be written and has room."),
    ("baseline.reason", "`--force` accepts a run that did not pass, and its reason is kept in the file for those who review it. An empty one says nothing."),
    ("baseline.failed", "A run that failed is not accepted: whatever is wrong would be normal from then on. Mend it and run again, or say with `--force \"why\"` that this is how it is meant to be now."),
    ("baseline.inconclusive", "A run that is inconclusive is not accepted: trials are missing or invalid, so it does not say how the suite is when it is well. `rehearsal resume RUN` runs what is missing."),
    ("baseline.damaged", "Trials of the run do not match their seals, so the file was damaged after it was written. `rehearsal runs check RUN` says where; `rehearsal resume RUN` runs these trials again."),
    ("baseline.flaw", "The run was made with `--flaw`, that is with a server that was broken on purpose. It does not say how the suite is when it is well."),
    ("baseline.tape", "The models, the judge or the server of the run were played from a tape. What is played repeats a recording: counted as fresh trials it would feign evidence."),
    ("baseline.shard", "The run is one part of several. Accept the whole, which `rehearsal merge` makes of the parts; otherwise the cases of other parts would have another history."),
    ("baseline.empty", "Only use cases enter a baseline, and the run has none. Access and auth cases are exact: every failure counts, whatever was before."),
    ("baseline.old", "The run is older than every night that a baseline keeps, so it was dropped at once. Pin a night that `rehearsal baseline show` lists."),
    ("baseline.unaccepted", "No accepted run has this id. `rehearsal baseline show` lists the nights; `rehearsal baseline accept RUN --pin` accepts a run and pins it at once."),
    ("baseline.unpinned", "No night of that suite is pinned. `rehearsal baseline pin RUN` keeps an accepted night, and releases are measured against it."),
    ("compare.same", "Both sides are one and the same, so there is nothing to compare. Name another run, a baseline (`baseline:SUITE`), or two parts of one run (`--model-a X --model-b Y`, `RUN@MODEL`)."),
    ("compare.part", "What follows the `@` of a side is no part of a run. Write `RUN@MODEL`, or `RUN@model=M,persona=P,client=C` with any of the three."),
    ("compare.no-part", "The run or baseline has no trial of that model, persona or client profile. The hint lists the models it has."),
    ("compare.no-answers", "A judge compares last answers of the same trial of the same case on both sides, and there is no such pair. Baselines keep no answers; compare two runs."),
    ("compare.loss", "Something is clearly worse than before (1 % by chance, over everything compared), and `--fail-on-loss` was given. The comparison names it, with what else changed on the way."),
];
