//! The one retry policy: turns failed attempts into waits, events and, at the end, one fault.
//!
//! Waits double from half a second with jitter that depends on the request alone, and are never shorter than what the
//! provider asks for. A busy provider is waited for with patience of its own. Every failed attempt is an event. Nothing that a repetition cannot mend is repeated, and no text
//! of a provider is shown beyond its first 200 characters, redacted before it is cut.

use std::time::Duration;

use futures::future::BoxFuture;

use super::ChatReply;
use super::pace::Pace;
use crate::display;
use crate::ids::Digest;
use crate::net::asked::Asked;
use crate::transcript::{Fault, Recorder, Side, What};

/// The longest wait of our own choice.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// The longest wait that is honoured. A provider that asks for more gets its fault at once.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

/// How long one call waits altogether for a provider that is busy, which is no failed attempt: a limit is nobody's fault.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// The first wait when the provider does not ask for one.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// How often in a row a busy provider's own word is enough.
const BELIEVED: u32 = 3;

/// Characters of a provider's error text that are shown.
const SHOWN: usize = 200;

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The provider answered with an error status, or with an error object under status 200.
    #[error("the API answered {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The wait it asks for.
        wait: Option<Asked>,
        /// Its own code or type of the error, such as `insufficient_quota`.
        kind: String,
        /// Its text.
        text: String,
    },
    /// A deadline passed.
    #[error("{0}")]
    Timeout(String),
    /// No answer, or one that broke off.
    #[error("{0}")]
    Broken(String),
    /// An answer that makes no sense.
    #[error("{0}")]
    Bad(String),
}

/// As much of a text as is ever looked at: far more than is shown, so that no secret is cut before it is redacted.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(64 * 1024)]
}

impl Failure {
    fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    fn out_of_quota(&self) -> bool {
        matches!(self, Self::Status { status: 402, .. })
            || matches!(self, Self::Status { kind, .. } if kind.contains("insufficient_quota") || kind.contains("billing"))
    }

    fn retryable(&self) -> bool {
        match self {
            Self::Status { status, .. } => {
                (matches!(status, 408 | 409 | 429) || *status >= 500) && !self.out_of_quota()
            }
            Self::Timeout(_) | Self::Broken(_) => true,
            Self::Bad(_) => false,
        }
    }

    /// The provider is fine and has too much to do: its limit is reached, or it is overloaded and says for how long.
    fn is_busy(&self) -> bool {
        match self {
            Self::Status { status: 429 | 529, .. } => !self.out_of_quota(),
            Self::Status { status: 503, wait, .. } => wait.is_some(),
            _ => false,
        }
    }

    /// Google calls a wrong key a bad request.
    fn wrong_key(&self) -> bool {
        matches!(self, Self::Status { status: 400, kind, .. } if kind.contains("API_KEY_INVALID"))
    }

    fn code(&self) -> &'static str {
        match self {
            _ if self.out_of_quota() || self.wrong_key() => "credentials.refused",
            Self::Status { status: 401 | 403, .. } => "credentials.refused",
            Self::Status { status: 429, .. } => "model.rate-limited",
            Self::Status { status: 408, .. } | Self::Timeout(_) => "model.timeout",
            Self::Status { status: 409 | 500.., .. } | Self::Broken(_) => "model.unavailable",
            Self::Status { .. } => "model.refused-request",
            Self::Bad(_) => "model.bad-answer",
        }
    }

    /// One line without secrets. Redaction comes before the cut: half a secret would not be recognised.
    fn line(&self, log: &Recorder) -> String {
        let text = match self {
            Self::Status { text, .. } if text.trim().is_empty() => self.to_string(),
            Self::Status { text, .. } => {
                format!("{self}: {}", display::excerpt(&log.secrets().redact(head(text.trim())), SHOWN))
            }
            _ => display::excerpt(&log.secrets().redact(head(&self.to_string())), SHOWN),
        };
        match self.out_of_quota() {
            true => format!("the account has no quota left: {text}"),
            false => text,
        }
    }
}

/// How often, and where the jitter comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy<'a> {
    /// The model's name, for messages.
    pub(super) model: &'a str,
    /// Repetitions after the first attempt.
    pub(super) retries: u32,
    /// The request, on which the jitter depends.
    pub(super) body: &'a [u8],
    /// How fast its provider may be asked.
    pub(super) pace: &'a Pace,
    /// About how many tokens the request and its answer take.
    pub(super) weight: u64,
}

/// What an answer took of the provider's allowance.
pub(super) trait Taken {
    /// Tokens read and written, as the provider counts them; `None` when it does not say.
    fn tokens(&self) -> Option<u64>;
}

impl Taken for ChatReply {
    fn tokens(&self) -> Option<u64> {
        let usage = &self.usage;
        usage.reported.then(|| usage.input.saturating_add(usage.output))
    }
}

impl Policy<'_> {
    /// The wait after a failed attempt, from 1: what the provider asks for and a little more, else doubling.
    fn wait(&self, attempt: u32, asked: Option<Duration>) -> Duration {
        let jitter = share(Digest::of(self.body).as_u64(), attempt);
        match asked {
            // A little later than asked: callers that were stopped together do not come back together.
            Some(asked) => asked.saturating_add(asked.min(LONGEST_WAIT).mul_f64(jitter * 0.1)),
            None => {
                let doubled = FIRST_WAIT.saturating_mul(1 << (attempt.min(16) - 1));
                doubled.min(LONGEST_WAIT).mul_f64(0.5 + jitter * 0.5)
            }
        }
    }

    /// Attempts until one succeeds, nothing can help, or the repetitions are used up. A busy provider uses up none of
    /// them, only patience. Waits are no time of the trial.
    pub(super) async fn run<'f, T: Taken>(
        self,
        log: &Recorder,
        attempt: impl FnMut() -> BoxFuture<'f, Result<T, Failure>>,
    ) -> Result<T, Fault> {
        self.run_waiting(log, attempt, tokio::time::sleep).await
    }

    /// The same with another way to wait, so that tests need no time.
    async fn run_waiting<'f, T: Taken, W: Future<Output = ()>>(
        self,
        log: &Recorder,
        mut attempt: impl FnMut() -> BoxFuture<'f, Result<T, Failure>>,
        sleep: impl Fn(Duration) -> W,
    ) -> Result<T, Fault> {
        let (mut number, mut failed, mut busy) = (1, 0, 0);
        let mut patience = PATIENCE;
        loop {
            let turn = self.pace.turn(self.weight, log).await;
            let failure = match attempt().await {
                Ok(value) => {
                    turn.answered(value.tokens(), log.clock().elapsed());
                    return Ok(value);
                }
                Err(failure) => failure,
            };
            turn.failed(failure.is_busy());
            let asked = match &failure {
                Failure::Status { wait: Some(asked), .. } => Some(asked.wait(log.clock().wall())),
                _ => None,
            };
            let (wait, left) = match failure.is_busy() {
                true => {
                    busy += 1;
                    // One that keeps asking for next to nothing is not believed for long.
                    let least =
                        if busy > BELIEVED { self.wait(busy - BELIEVED, None) } else { Duration::ZERO };
                    let wait = self.wait(busy, asked).max(least);
                    let left = patience.checked_sub(wait);
                    patience = left.unwrap_or_default();
                    (wait, self.retries > 0 && left.is_some())
                }
                false => {
                    failed += 1;
                    (self.wait(failed, asked), failed <= self.retries)
                }
            };
            let too_long = asked.is_some_and(|asked| asked > LONGEST_ASKED);
            let again = failure.retryable() && !too_long && left;
            let line = failure.line(log);
            log.note(What::ModelAttemptFailed {
                attempt: number,
                status: failure.status(),
                message: line.clone(),
                wait_ms: again.then_some(wait.as_millis() as u64),
            });
            if !again {
                return Err(self.fault(&failure, &line, number, asked.filter(|_| too_long)));
            }
            let held = log.hold();
            sleep(wait).await;
            drop(held);
            number += 1;
        }
    }

    fn fault(&self, failure: &Failure, line: &str, attempts: u32, asked: Option<Duration>) -> Fault {
        let mut message = format!("model `{}`: {line}", self.model);
        if let Some(asked) = asked.filter(|_| failure.retryable()) {
            let asked = asked.as_secs();
            message.push_str(&format!(
                "; it asks for a wait of {asked}s, more than {}s",
                LONGEST_ASKED.as_secs()
            ));
        } else if attempts > 1 {
            message.push_str(&format!(" ({attempts} attempts)"));
        }
        message.push_str(match failure.status() {
            _ if failure.wrong_key() => "; is the key right?",
            Some(401 | 403) => "; is the key right, and may it use this model?",
            Some(404 | 300..=399) => "; are `id` and `base_url` right?",
            _ => "",
        });
        let fault = Fault::new(Side::Model, failure.code(), message);
        if failure.retryable() { fault.retryable() } else { fault }
    }
}

/// A number between 0 and 1 that depends on its arguments alone (the finaliser of SplitMix64).
fn share(seed: u64, attempt: u32) -> f64 {
    let mut z = seed.wrapping_add(u64::from(attempt).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use proptest::prelude::*;

    use super::*;
    use crate::llm::ModelSpec;
    use crate::llm::pace::Paces;
    use crate::transcript::{Clock, Secrets};

    impl Taken for () {
        fn tokens(&self) -> Option<u64> {
            None
        }
    }

    fn status(status: u16, wait: Option<Asked>, kind: &str) -> Failure {
        Failure::Status { status, wait, kind: kind.into(), text: "slow down".into() }
    }

    #[test]
    fn failures_have_their_codes() {
        let table = [
            (status(429, None, ""), "model.rate-limited", true),
            (status(429, None, "insufficient_quota"), "credentials.refused", false),
            (status(402, None, ""), "credentials.refused", false),
            (status(401, None, ""), "credentials.refused", false),
            (status(403, None, ""), "credentials.refused", false),
            (status(400, None, ""), "model.refused-request", false),
            (status(400, None, "400 INVALID_ARGUMENT API_KEY_INVALID"), "credentials.refused", false),
            (status(404, None, ""), "model.refused-request", false),
            (status(422, None, ""), "model.refused-request", false),
            (status(408, None, ""), "model.timeout", true),
            (status(409, None, ""), "model.unavailable", true),
            (status(503, None, ""), "model.unavailable", true),
            (status(529, None, ""), "model.unavailable", true),
            (Failure::Timeout("x".into()), "model.timeout", true),
            (Failure::Broken("x".into()), "model.unavailable", true),
            (Failure::Bad("x".into()), "model.bad-answer", false),
        ];
        for (failure, code, retryable) in table {
            assert_eq!((failure.code(), failure.retryable()), (code, retryable), "{failure:?}");
        }
    }

    #[test]
    fn secrets_do_not_survive_the_cut() {
        let secrets = Secrets::default();
        secrets.register("K", "sk-very-secret-key");
        let log = Recorder::new(Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::ZERO), secrets);
        let text = format!("{}sk-very-secret-key", "x".repeat(190));
        let failure = Failure::Status { status: 400, wait: None, kind: String::new(), text };
        assert!(!failure.line(&log).contains("sk-very"), "{}", failure.line(&log));
    }

    /// Runs a policy without waiting; returns attempts made, waits recorded, and waits taken.
    fn play(
        retries: u32,
        seed: u64,
        mut next: impl FnMut(u32) -> Option<Failure>,
    ) -> (u32, Vec<Option<u64>>, Vec<Duration>) {
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, || Duration::ZERO);
        let log = Recorder::new(clock, Secrets::default());
        let made = AtomicU32::new(0);
        let slept = std::sync::Mutex::new(vec![]);
        let pace = Paces::default().of(&ModelSpec::new("m", "openai"));
        let policy = Policy { model: "m", retries, body: &seed.to_be_bytes(), pace: &pace, weight: 1 };
        let attempt = || -> BoxFuture<'static, Result<(), Failure>> {
            let failure = next(made.fetch_add(1, Ordering::Relaxed) + 1);
            Box::pin(async move { failure.map_or(Ok(()), Err) })
        };
        let sleep = |wait| {
            slept.lock().unwrap().push(wait);
            std::future::ready(())
        };
        let _ = futures::executor::block_on(policy.run_waiting(&log, attempt, sleep));
        let waits = (0..log.len() as u32)
            .filter_map(|seq| match log.event(seq)?.what {
                What::ModelAttemptFailed { wait_ms, .. } => Some(wait_ms),
                _ => None,
            })
            .collect();
        (made.into_inner(), waits, slept.into_inner().unwrap())
    }

    #[test]
    fn a_wait_beyond_the_cap_is_a_fault_at_once() {
        let asked = Some(Asked::For(Duration::from_secs(86_400)));
        assert_eq!(play(4, 1, |_| Some(status(429, asked, ""))), (1, vec![None], vec![]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_policy_is_never_exceeded(
            retries in 0_u32..8, seed: u64, codes in prop::collection::vec(0_u16..600, 1..12),
            asked in prop::option::of(0_u64..400),
        ) {
            let wait = asked.map(|seconds| Asked::For(Duration::from_secs(seconds)));
            let (attempts, recorded, slept) = play(retries, seed, |n| {
                let code = codes[(n as usize - 1) % codes.len()];
                (code >= 100).then(|| status(code, wait, ""))
            });
            let busy = |code: u16| matches!(code, 429 | 529) || (code == 503 && asked.is_some());
            let failed = (0..attempts as usize).filter(|n| !busy(codes[n % codes.len()])).count();
            prop_assert!(failed <= retries as usize + 1 && (retries > 0 || attempts == 1), "{attempts} attempts");
            let recorded: Vec<u64> = recorded.into_iter().flatten().collect();
            let slept: Vec<u64> = slept.iter().map(|wait| wait.as_millis() as u64).collect();
            prop_assert_eq!(&recorded, &slept);
            prop_assert!(slept.iter().all(|ms| *ms <= 306_000));
            prop_assert!(slept.iter().all(|ms| *ms >= asked.unwrap_or(0) * 1000));
            prop_assert!(asked.is_none_or(|asked| asked <= 300) || slept.is_empty());
            let most = PATIENCE.as_millis() as u64 + 306_000 * u64::from(retries);
            prop_assert!(slept.iter().sum::<u64>() <= most, "{slept:?}");
        }
    }
}
