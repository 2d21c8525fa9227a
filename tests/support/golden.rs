//! Synthetic runs: the golden one with every state a report can show, and a builder for others.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;

use rehearsal::diag::Origin;
use rehearsal::ids::{
    CaseKey, CaseName, ClientName, Digest, ModelName, PersonaName, RunId, ScoreKey, SuiteName,
};
use rehearsal::plan::Selection;
use rehearsal::score::access::{Access, Sight, Used};
use rehearsal::score::{Finding, Grade, Outcome, Verdict, Weight};
use rehearsal::store::record::{CaseResult, Manifest, RunRecord, SCHEMA, Spend, Wasted};
use rehearsal::suite::{ExpectedFailure, GatePolicy};
use rehearsal::transcript::{CaseHeader, CaseKind, End, Fault, Side, Subject, Usage};

/// The suite the golden run points into.
pub(crate) const SUITE: &str = "\
version: 1
name: bookshop
cases:
  - id: late-order
    prompt: My order 1042 has not come. When will it arrive?
    expect:
      - tool_called: {name: get_order, args: {id: 1042}}
      - answer_contains: 28 November
  - id: stock
    prompt: Do you have anything by Le Guin?
    expect: [tool_called: {name: search_books}]
  - id: refund-limit
    prompt: Refund order 7.
    expect: [tool_not_called: refund_order]
access:
  customer: {sees: [search_books, get_order], never: [refund_order]}
  clerk:    {sees: [search_books, refund_order]}
auth_checks: {pack: standard}
";

/// The path of [`SUITE`].
pub(crate) const FILE: &str = "suites/bookshop.yaml";

/// Everything hostile at once: terminal, CI, bidi, XML, Markdown, HTML and size.
pub(crate) const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[31mred\u{9b}2J\u{0}\u{202e}gpj.exe\u{200b}\u{feff}\u{ffff}\u{fffe}\
\r::error file=a::boom\n::stop-commands::x\n##[error]boom ##vso[task.complete] ##teamcity[x]\n\
![beacon](https://evil.example/p.png) [link](javascript:alert(1)) @everyone #1 <img src=x onerror=alert(1)> \
<script>alert(1)</script> <!-- --> ]]> &amp; \"quoted\" 'single' | a | b | ``` ```` ` \\| \u{85}\u{2028}\u{7f}\u{e0041}end";

/// One trial under construction.
pub(crate) struct Trial(pub(crate) CaseResult);

impl Trial {
    /// A passing trial of a case.
    pub(crate) fn new(kind: CaseKind, case: &str, persona: &str, trial: u32) -> Self {
        let model = (kind == CaseKind::Use).then(|| ModelName::from("lexical"));
        let header = CaseHeader {
            key: CaseKey {
                question: Digest::of(format!("{case}{persona}").as_bytes()),
                model: Digest::none(),
                trial,
            },
            suite: SuiteName::from("bookshop"),
            case: CaseName::from(case),
            kind,
            model,
            persona: PersonaName::from(persona),
            client: ClientName::from("reference"),
            trial,
            tags: vec![],
            origin: at(4, 9),
        };
        let calls = u32::from(kind == CaseKind::Use);
        Self(CaseResult {
            header,
            outcome: Some(Outcome::Pass),
            verdict: Some(Verdict { score_key: ScoreKey(Digest::none()), findings: vec![] }),
            expected_failure: None,
            confirms: false,
            end: End::Done,
            tool_calls: vec!["get_order".to_owned(); calls as usize],
            model_calls: calls * 2,
            usage: Usage { input: 310 * u64::from(calls), output: 25 * u64::from(calls), ..Usage::default() },
            cost: (calls > 0).then_some(0.0012),
            judge_calls: 0,
            judge_usage: Usage::default(),
            judge_cost: None,
            user: Spend::default(),
            took_ms: 412,
            answer_chars: None,
            trajectory: None,
        })
    }

    /// Adds a finding; the outcome follows.
    pub(crate) fn finding(
        mut self,
        check: &str,
        grade: Grade,
        why: &str,
        (line, column): (u32, u32),
    ) -> Self {
        self.add(check, grade, why, at(line, column), Weight::Must);
        self
    }

    /// Adds a finding of weight security; the outcome follows.
    pub(crate) fn guarded(
        mut self,
        check: &str,
        grade: Grade,
        why: &str,
        (line, column): (u32, u32),
    ) -> Self {
        self.add(check, grade, why, at(line, column), Weight::Security);
        self
    }

    /// Adds a failed finding that is only reported.
    pub(crate) fn advice(mut self, check: &str, why: &str, (line, column): (u32, u32)) -> Self {
        self.add(check, Grade::Fail, why, at(line, column), Weight::Info);
        self
    }

    /// An auth check whose question does not arise.
    pub(crate) fn skipped(mut self, title: &str, (line, column): (u32, u32)) -> Self {
        let why = format!("{title}: does not apply, needs a persona with a minted token");
        let fault = Fault::new(Side::Harness, rehearsal::score::NOT_APPLICABLE, why.clone());
        self.add("auth_check", Grade::Unscored(fault), &why, at(line, column), Weight::Info);
        self
    }

    /// What the last finding shows of access to a tool.
    pub(crate) fn sight(
        mut self,
        tool: &str,
        (listed, used): (Option<bool>, Option<Used>),
        access: Access,
    ) -> Self {
        let last = self.0.verdict.as_mut().and_then(|verdict| verdict.findings.last_mut());
        let sight = Sight { subject: Subject::tool(tool), listed, used, denied_as: None, access };
        last.unwrap_or_else(|| panic!("a finding")).sights.push(sight);
        self
    }

    /// Stands there in the suite.
    pub(crate) fn placed(mut self, line: u32) -> Self {
        self.0.header.origin = at(line, 9);
        self
    }

    #[expect(clippy::too_many_arguments, reason = "one finding, spelled out")]
    fn add(&mut self, check: &str, grade: Grade, why: &str, origin: Origin, weight: Weight) {
        let verdict = self.0.verdict.get_or_insert_with(|| panic!("a scored trial"));
        let (check, why) = (check.to_owned(), why.to_owned());
        verdict.findings.push(Finding {
            check,
            grade,
            why,
            evidence: vec![3],
            origin,
            weight,
            sights: vec![],
            ruling: None,
        });
        self.0.outcome = Some(verdict.outcome());
    }

    /// Ends with a fault that is nobody's failure.
    pub(crate) fn faulted(mut self, side: Side, code: &str, message: &str) -> Self {
        self.0.end = End::Faulted(Fault::new(side, code, message));
        self.0.outcome = Some(if side.counts_against_target() { Outcome::Fail } else { Outcome::Invalid });
        self
    }

    /// Known to fail.
    pub(crate) fn known(mut self, reason: &str) -> Self {
        self.0.expected_failure = Some(ExpectedFailure { reason: reason.to_owned(), models: vec![] });
        self
    }

    /// Without a price.
    pub(crate) fn unpriced(mut self) -> Self {
        self.0.cost = None;
        self
    }
}

fn at(line: u32, column: u32) -> Origin {
    Origin { file: FILE.into(), line, column }
}

/// A run of these trials under the default policy.
pub(crate) fn run_of(trials: impl IntoIterator<Item = Trial>) -> RunRecord {
    RunRecord {
        manifest: Manifest {
            schema: SCHEMA,
            run: RunId::from("0193a1b2-0000-7000-8000-000000000001"),
            version: "0.1.0".to_owned(),
            suite: SuiteName::from("bookshop"),
            file: FILE.to_owned(),
            started: "2026-11-21T09:00:00Z".to_owned(),
            seed: 7,
            selection: Selection::default(),
            shard: None,
            instruments: vec![],
            gate: GatePolicy::default(),
            judge: Some("scripted-judge".to_owned()),
            judging: None,
            target: "rehearsal demo-server over http".to_owned(),
            surfaces: vec![],
            surface: None,
            clients: vec![],
            flaw: None,
            tapes: vec![],
            expects: BTreeMap::new(),
            weaknesses: vec![],
            url: None,
            inputs: BTreeMap::from([(FILE.to_owned(), SUITE.to_owned())]),
        },
        results: trials.into_iter().map(|trial| trial.0).collect(),
        missing: vec![],
        unconfirmed: vec![],
        wasted: Wasted::default(),
        gate: None,
        stops: vec![],
    }
}

/// Every state at once: passes, a failure, a leak, a missing tool, an auth failure, flaky, invalid, missing, known and
/// unexpected.
pub(crate) fn golden() -> RunRecord {
    let case = |case: &str, trial| Trial::new(CaseKind::Use, case, "customer", trial);
    let called = "`get_order` was called with id 1042";
    let silent = "expected the answer to contain `28 November`, it says: Your order is on its way.";
    let late = |trial| case("late-order", trial).finding("tool_called", Grade::Pass, called, (7, 9));
    let limit = |trial| {
        let why = "`refund_order` must not be called, it was called once";
        case("refund-limit", trial).finding("tool_not_called", Grade::Fail, why, (14, 14))
    };
    let access = |persona: &str| Trial::new(CaseKind::Access, &format!("access/{persona}"), persona, 1);
    let leak = "`refund_order` is hidden but callable for `customer`, who must be denied";
    let chatty = "the challenge to a request without a token carries `error=\"invalid_token\"`";
    let refused = "a token for another audience was answered with 200; RFC 8707 section 2 wants 401";
    let mut run = run_of([
        late(1).finding("answer_contains", Grade::Pass, "the answer contains `28 November`", (8, 9)),
        late(2).finding("answer_contains", Grade::Fail, silent, (8, 9)),
        late(3).finding("answer_contains", Grade::Fail, silent, (8, 9)),
        case("stock", 1),
        case("stock", 2),
        case("stock", 3).finding("tool_called", Grade::Fail, "`search_books` was not called", (11, 14)),
        case("greeting", 1),
        case("greeting", 2),
        case("greeting", 3).unpriced(),
        limit(1).known("the server has no limit yet"),
        limit(2).known("the server has no limit yet"),
        case("mended", 1).known("the search was broken"),
        case("mended", 2).known("the search was broken"),
        case("rate-limited", 1).faulted(
            Side::Model,
            "model.rate-limited",
            "429 until every attempt was used up",
        ),
        case("rate-limited", 2).faulted(
            Side::Model,
            "model.rate-limited",
            "429 until every attempt was used up",
        ),
        access("customer")
            .finding("access_visible", Grade::Pass, "`customer` sees `search_books`", (16, 21))
            .sight("search_books", (Some(true), None), Access::Allowed)
            .finding("access_visible", Grade::Pass, "`customer` sees `get_order`", (16, 35))
            .sight("get_order", (Some(true), Some(Used::Unclear)), Access::Unknown)
            .guarded("access_denied", Grade::Fail, leak, (16, 55))
            .sight("refund_order", (Some(false), Some(Used::Allowed)), Access::Leak),
        access("clerk")
            .finding("access_visible", Grade::Pass, "`clerk` sees `search_books`", (17, 21))
            .sight("search_books", (Some(true), Some(Used::Allowed)), Access::Allowed)
            .finding("access_visible", Grade::Fail, "expected `clerk` to see `refund_order`", (17, 35))
            .sight("refund_order", (Some(false), Some(Used::Denied)), Access::Missing),
        Trial::new(CaseKind::Auth, "auth/A01", "anonymous", 1),
        Trial::new(CaseKind::Auth, "auth/D19", "customer", 1).guarded(
            "auth_check",
            Grade::Fail,
            refused,
            (18, 1),
        ),
        Trial::new(CaseKind::Auth, "auth/A07", "anonymous", 1).advice("auth_check", chatty, (18, 1)),
        Trial::new(CaseKind::Auth, "auth/D03", "anonymous", 1)
            .skipped("an expired token is refused", (18, 1)),
        Trial::new(CaseKind::Auth, "auth/D05", "anonymous", 1)
            .skipped("a token from another issuer is refused", (18, 1)),
        case("circles", 1).finding("end", Grade::Fail, "8 turns used without an answer", (10, 9)),
    ]);
    let mut missing = Trial::new(CaseKind::Use, "never-ran", "customer", 1).0.header;
    missing.origin = at(9, 9);
    run.missing.push(missing);
    run
}

/// A run in which every text is hostile.
pub(crate) fn hostile() -> RunRecord {
    let hostile = |kind, trial| Trial::new(kind, HOSTILE, HOSTILE, trial);
    let fail = |trial: Trial| trial.finding(HOSTILE, Grade::Fail, HOSTILE, (2, 3));
    let mut run = run_of([
        fail(hostile(CaseKind::Use, 1)),
        fail(hostile(CaseKind::Use, 2)).known(HOSTILE),
        hostile(CaseKind::Use, 3).faulted(Side::Model, HOSTILE, HOSTILE),
        hostile(CaseKind::Access, 1)
            .guarded(HOSTILE, Grade::Fail, &format!("`{HOSTILE}` leaks"), (1, 1))
            .sight(HOSTILE, (Some(false), Some(Used::Allowed)), Access::Leak),
        hostile(CaseKind::Auth, 1).guarded(HOSTILE, Grade::Fail, HOSTILE, (3, 1)),
    ]);
    for result in &mut run.results {
        result.header.model = Some(ModelName::from(HOSTILE));
        result.header.client = ClientName::from(HOSTILE);
        result.header.origin.file = HOSTILE.into();
        result.tool_calls = vec![HOSTILE.to_owned()];
        for finding in result.verdict.iter_mut().flat_map(|verdict| &mut verdict.findings) {
            finding.origin.file = HOSTILE.into();
        }
    }
    // The first must fail plainly, not as a known failure.
    run.results[1].header.case = CaseName::from("known");
    let manifest = &mut run.manifest;
    manifest.run = RunId::from(HOSTILE);
    manifest.suite = SuiteName::from(HOSTILE);
    manifest.judge = Some(HOSTILE.to_owned());
    manifest.target = HOSTILE.to_owned();
    manifest.started = HOSTILE.to_owned();
    manifest.inputs = BTreeMap::from([(HOSTILE.to_owned(), format!("{HOSTILE}\n{HOSTILE}\n{HOSTILE}"))]);
    run.stops.push(rehearsal::store::record::Stop { code: HOSTILE.to_owned(), message: HOSTILE.to_owned() });
    run
}
