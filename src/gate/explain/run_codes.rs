//! What can stop, spoil or fail a run.

use super::Entry;

/// Code and text.
#[rustfmt::skip]
pub(super) const ENTRIES: &[Entry] = &[
    // target
    ("target.unreachable", "No connection to the target: the name does not resolve, the port refuses, or TLS failed. Check the address in the suite's `target` block and that the server is running; `rehearsal doctor` tries the same connection. Before any trial this ends the run with exit 4; during a run the affected trials count against the server."),
    ("target.died", "The target's process ended, or it closed the connection, while rehearsal was still talking to it. Its last lines on stderr are in the transcript. A crash during a trial counts as a failure of the server."),
    ("target.timeout", "The target accepted a request and did not answer within the deadline. The trial counts against the server; raise the limit in the suite only if such a wait would be fine for a user."),
    ("target.protocol", "The target answered with something that is not MCP: text that is no JSON-RPC, a wrong id, a broken event stream, or no protocol revision that both sides speak. The transcript holds the bytes as received. A common cause over stdio is a log line printed to stdout; logs belong on stderr."),
    ("target.unauthorized", "The target demands authorization for something the persona was expected to do. Give the suite an issuer and personas (`auth:` and `personas:`), or use a persona with enough scopes. When the whole target refuses and no identity is configured the run ends with exit 5."),
    ("target.not-ready", "A server that rehearsal started did not accept connections within `target.ready`. Its output on stderr is shown; raise `target.ready.timeout` when it is only slow to start."),
    ("target.session-lost", "The target forgot the MCP session in the middle of a trial (HTTP 404 for a known session id). Rehearsal opens a new session where the protocol allows it; when that does not help, the trial counts against the server."),
    ("target.too-large", "The target sent a message above the size limit of rehearsal's client. Reading on would let a server exhaust memory. Return less, or in pages; a model could not use a result of that size either."),
    ("target.url", "The address of the target is not a URL that can be used. Write `http://host:port/path` or `https://host/path`."),
    ("target.port", "No free port could be given to a target that rehearsal starts over HTTP. Close what holds the ports, or name one in the command yourself."),
    // credentials
    ("credentials.missing", "A persona or a target needs a credential that is not set. Declare the environment variable under `env:` in the suite and export it; rehearsal reads no other variable and no `.env` file."),
    ("credentials.missing-key", "A selected model needs an API key and its environment variable is not set. Export it, or select a model that needs none, for example `--model lexical`. Nothing was spent."),
    ("credentials.refused", "A provider or issuer answered 401 or 403: the key or token is wrong, expired, or lacks a permission. The trials that met this are invalid, never failures; when nothing else could run, the exit code is 5."),
    // model
    ("model.rate-limited", "The provider answered 429 until every attempt was used up. `Retry-After` was honoured. The trial is invalid: missing data, not a failure. Lower `--concurrency`, then `rehearsal resume RUN`."),
    ("model.unavailable", "The model's API failed with a server error or could not be reached until every attempt was used up. The trial is invalid. Try again later with `rehearsal resume RUN`."),
    ("model.timeout", "The model's API did not finish its answer within the deadline until every attempt was used up. The trial is invalid and can be run again."),
    ("model.bad-answer", "The provider's answer could not be read as its API describes it, for example truncated JSON or a stream that broke off. The trial is invalid; the message names what was wrong."),
    ("model.refused-request", "The provider refused the request as such (HTTP 400 and its kind): an unknown model id, a parameter it does not know, a schema it does not accept, or a conversation that is too long. Trying again would not help; look at the model's definition and at the tools' schemas."),
    ("model.bad-definition", "The definition of a model cannot be used: an unknown dialect, a missing id, or parameters that contradict each other. Mend the file in `evals/models`."),
    ("model.script-left", "A scripted model was asked for more answers than its script holds, or the script is for another conversation. Extend `script:` in the case; the trial is invalid."),
    ("model.none", "A use case has no model to run with. Name one under `models:` in the suite, or pass `--model`."),
    // judge
    ("judge.unsure", "The judge answered `unsure` to a criterion, or gave no usable reason. That is missing data: the trial is invalid unless a check has failed it already. Make the criterion more concrete, one observable statement each."),
    ("judge.unusable", "The judge did not give a readable answer: its API failed, or its reply did not follow the format. Never counted as a pass or a failure. `rehearsal rescore RUN` asks again without running the trials again."),
    // store
    ("store.write", "The run file could not be written; most often the disk is full. Everything stored before is intact, and nothing more was spent. Free space, then `rehearsal resume RUN`."),
    ("store.locked", "Another process is writing this run. Wait for it or stop it; two writers never share a run file."),
    ("store.unreadable", "The file is not a run of rehearsal, was made by a newer version, or is damaged. Try a copy, or the version that wrote it; `rehearsal runs info FILE` says what can be read."),
    ("store.not-found", "No run file matches that name. Give a path, a run id or its beginning; `rehearsal runs list` shows what is there."),
    // run
    ("run.interrupted", "The run was stopped by a signal, or a trial was cut short by one. Finished trials are stored; trials in flight are not scored and run again. `rehearsal resume RUN` runs only what is missing."),
    ("run.budget", "The money or token budget of the run was used up before its end. What was finished is stored and judged; the verdict is inconclusive unless a failure is already proven. Raise `--max-cost`, then `rehearsal resume RUN`."),
    ("run.deadline", "The time limit of the run was reached before its end. What was finished is stored and judged; `rehearsal resume RUN` runs the rest."),
    ("run.nothing-selected", "The selection leaves no trial to run: a `--case`, `--tag`, `--model` or `--persona` that nothing matches, or a shard without a share. An empty run is never a pass. `rehearsal plan SUITE` lists what there is."),
    // gate
    ("gate.case-failed", "A use case did not reach the bar: by default the majority of its judged trials must pass, or the share in `gate.min_pass`. For an access case: a tool that a persona must see or be able to call is missing. Missing or invalid trials could not have changed this. See `rehearsal show RUN CASE`."),
    ("gate.unexpected-pass", "A case marked `expected_failure` passed in the majority of its trials. The mark is out of date: remove it, so that the case guards what now works."),
    ("gate.leak", "An access check failed: a persona saw a tool or was allowed a call that the suite forbids, or something secret came out. Often the list is filtered and the handler is not: the check belongs in the handler. Exit 6, whatever else happened in the run."),
    ("gate.auth", "An auth check failed: the target accepted a token or request that it must refuse, or refused one that it must accept. The finding names the rule and its section. Of level MUST it ends with exit 6."),
    ("gate.too-many-invalid", "The share of invalid trials is above `gate.max_invalid`. Invalid trials are faults of rehearsal, the model's API or the judge; they are never failures, but with too many of them the rest may not be representative. Look at their codes, then `rehearsal resume RUN`."),
    ("gate.no-valid-trial", "All trials of a case, model, persona and client profile were invalid, so nothing is known about it and the run cannot pass. `rehearsal resume RUN` runs them again."),
    ("gate.missing-trials", "Planned trials have no verdict: the run stopped early, is one shard of several, or waits for scoring. Part of a plan is never judged as the whole. Use `rehearsal resume RUN`, or `rehearsal merge` for shards."),
    ("gate.undecided", "A case is below its bar, but its missing or invalid trials could still lift it above. That is not a proven failure, so it is reported as missing evidence. `rehearsal resume RUN` settles it."),
    ("gate.nightly", "In nightly mode an inconclusive gate is a warning with exit 0, because one bad night of a provider should wake nobody. From the third inconclusive night in a row it exits 3. Use `gate: {mode: release}` where missing evidence must block."),
    // everything that rehearsal does by itself
    ("harness.request", "A request to the target could not be built or sent for a reason on this machine, for example a bad header value. The trial is invalid, because the target was not at fault."),
    ("check.bad-arguments", "A check in the suite cannot be evaluated: a broken regular expression, JSONPath or schema. The finding is unscored; mend the check and use `rehearsal rescore RUN`."),
    ("issuer.listen", "The embedded authorization server could not open its port on 127.0.0.1. Something forbids listening on loopback, or ports are used up. Nothing was sent to the target."),
    ("issuer.crypto", "The embedded authorization server could not make or use its signing keys. Nothing was sent to the target; report it if it happens again."),
    ("issuer.url", "The address of the embedded authorization server is not usable as an issuer. Issuer URLs have no query and no fragment (RFC 8414)."),
    ("persona.lifetime", "A persona asks for a token that lives too long. Minted tokens live at most 5 minutes, so that a leaked one is worth little; use `flaw: expired` to test expiry."),
    ("persona.reserved-claim", "A persona sets a claim that rehearsal fills itself (`iss`, `aud`, `exp`, ...). Use `flaw:` for a token with exactly one of them wrong."),
    ("demo.listen", "The demo server could not open its port on 127.0.0.1. Choose another with `--port`, or let it choose with port 0."),
    ("demo.port-taken", "Another program listens on the port given to the demo server. Choose another with `--port`, or let it choose with port 0."),
];
