//! How fast a provider is asked: requests at once, requests a minute, tokens a minute, and the pauses that it announces.
//!
//! All models of one account share its seats; every model has its own rates. Waits stand in a queue, first come first
//! served, and the time in it is no time of the trial ([`Recorder::hold`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::bucket::Bucket;
pub use self::strain::Strain;
use self::width::{Seat, Width};
use super::ModelSpec;
use crate::net::asked::Asked;
use crate::transcript::Recorder;

mod bucket;
mod strain;
mod width;

/// The longest pause that is taken from headers of an answer that was no refusal.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// The paces of a run, by provider and model.
#[derive(Debug, Default)]
pub struct Paces {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    widths: HashMap<String, Arc<Width>>,
    paces: HashMap<String, Arc<Pace>>,
    /// Providers in the order in which they came up.
    providers: Vec<strain::Provider>,
}

impl Paces {
    /// The pace of a model: the same for all definitions with the same address, key, id and limits.
    pub(super) fn of(&self, spec: &ModelSpec) -> Arc<Pace> {
        let provider = format!("{:?}", (&spec.dialect, &spec.base_url, &spec.key, spec.limits.concurrency));
        let model = format!("{provider}{:?}", (spec.api_id(), spec.limits));
        let mut known = locked(&self.known);
        let width = known.widths.entry(provider);
        let width = Arc::clone(width.or_insert_with(|| Arc::new(Width::new(spec.limits.concurrency))));
        let pace = match known.paces.get(&model) {
            Some(pace) => return Arc::clone(pace),
            None => Arc::new(Pace::new(spec, width)),
        };
        known.paces.insert(model, Arc::clone(&pace));
        strain::enter(&mut known.providers, spec, &pace);
        pace
    }

    /// How hard each provider that is asked over a network is asked at this moment of the program's clock.
    pub fn strains(&self, now: Duration) -> Vec<Strain> {
        locked(&self.known).providers.iter().map(|provider| provider.strain(now)).collect()
    }
}

/// The pace at which one model is asked.
#[derive(Debug)]
pub(super) struct Pace {
    width: Arc<Width>,
    requests_per_minute: Option<u32>,
    rated: bool,
    /// Whoever waits for a rate stands here, so that no seat is held meanwhile.
    queue: tokio::sync::Mutex<()>,
    rates: Mutex<Rates>,
}

#[derive(Debug)]
struct Rates {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    /// Nothing is sent before this moment.
    paused: Duration,
    /// Seconds that an answer takes, smoothed.
    latency: f64,
}

impl Pace {
    fn new(spec: &ModelSpec, width: Arc<Width>) -> Self {
        let rates = Rates {
            requests: spec.limits.requests_per_minute.map(Bucket::per_minute),
            tokens: spec.limits.tokens_per_minute.map(Bucket::per_minute),
            paused: Duration::ZERO,
            latency: 0.0,
        };
        Self {
            width,
            requests_per_minute: spec.limits.requests_per_minute,
            rated: rates.requests.is_some() || rates.tokens.is_some(),
            queue: tokio::sync::Mutex::default(),
            rates: Mutex::new(rates),
        }
    }

    /// Waits until a request of about `weight` tokens may go.
    pub(super) async fn turn(&self, weight: u64, log: &Recorder) -> Turn<'_> {
        let _held = log.hold();
        // The next in the line takes its share only when this one has gone: shares do not heap up while seats are rare.
        let line = match self.rated {
            true => Some(self.queue.lock().await),
            false => None,
        };
        // A caller that gives up while it waits leaves its share unused.
        let wait = locked(&self.rates).take(weight, log.clock().elapsed());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        let seat = self.width.seat().await;
        loop {
            let paused = locked(&self.rates).paused.saturating_sub(log.clock().elapsed());
            if paused.is_zero() {
                break;
            }
            tokio::time::sleep(paused).await;
        }
        drop(line);
        Turn { pace: self, seat, weight, begun: log.clock().elapsed() }
    }

    /// What an answer announces: an allowance that is used up pauses everybody until it is filled again.
    pub(super) fn heard(&self, asked: Asked, log: &Recorder) {
        let wait = asked.wait(log.clock().wall()).min(LONGEST_PAUSE);
        let until = log.clock().elapsed().saturating_add(wait);
        let mut rates = locked(&self.rates);
        rates.paused = rates.paused.max(until);
    }

    /// The seats that the declared rate needs, by Little's law: refusals do not bring the width below.
    fn floor(&self) -> usize {
        let per_second = self.requests_per_minute.map_or(0.0, f64::from) / 60.0;
        (per_second * locked(&self.rates).latency * 1.5).ceil().min(1e4) as usize
    }
}

impl Rates {
    fn take(&mut self, weight: u64, now: Duration) -> Duration {
        let requests = self.requests.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(1.0, now));
        let tokens = self.tokens.as_mut().map_or(Duration::ZERO, |bucket| bucket.take(weight as f64, now));
        requests.max(tokens)
    }
}

/// A request under way. Its seat is left when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pace: &'a Pace,
    seat: Seat<'a>,
    weight: u64,
    begun: Duration,
}

impl Turn<'_> {
    /// It was answered with so many tokens, read and written together.
    pub(super) fn answered(self, tokens: Option<u64>, now: Duration) {
        self.pace.width.answered();
        let took = now.saturating_sub(self.begun).as_secs_f64();
        let mut rates = locked(&self.pace.rates);
        rates.latency = if rates.latency == 0.0 { took } else { rates.latency * 0.9 + took * 0.1 };
        if let (Some(bucket), Some(tokens)) = (&mut rates.tokens, tokens) {
            bucket.settle(tokens as f64 - self.weight as f64);
        }
    }

    /// It was refused or broke; `crowded` when the provider said that it is too much.
    pub(super) fn failed(self, crowded: bool) {
        if crowded {
            self.pace.width.refused(&self.seat, self.pace.floor());
        }
        // Requests that are turned away cost no tokens.
        if let Some(bucket) = &mut locked(&self.pace.rates).tokens {
            bucket.settle(-(self.weight as f64));
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::FutureExt;

    use super::*;
    use crate::llm::ModelLimits;
    use crate::transcript::{Clock, Secrets};

    fn spec(id: &str, limits: ModelLimits) -> ModelSpec {
        ModelSpec { limits, ..ModelSpec::new(id, "openai") }
    }

    fn log_at(millis: &Arc<AtomicU64>) -> Recorder {
        let millis = Arc::clone(millis);
        let clock = Clock::manual(jiff::Timestamp::UNIX_EPOCH, move || {
            Duration::from_millis(millis.load(Ordering::Relaxed))
        });
        Recorder::new(clock, Secrets::default())
    }

    #[test]
    fn models_of_one_account_share_seats_and_have_rates_of_their_own() {
        let paces = Paces::default();
        let (a, b) =
            (paces.of(&spec("a", ModelLimits::default())), paces.of(&spec("b", ModelLimits::default())));
        assert!(Arc::ptr_eq(&a.width, &b.width) && !Arc::ptr_eq(&a, &b));
        assert!(Arc::ptr_eq(&a, &paces.of(&spec("a", ModelLimits::default()))));
        let other =
            ModelSpec { base_url: Some("http://127.0.0.1:1".into()), ..spec("a", ModelLimits::default()) };
        assert!(!Arc::ptr_eq(&a.width, &paces.of(&other).width));
    }

    #[test]
    fn tokens_are_settled_when_the_answer_or_the_refusal_comes() {
        let limits = ModelLimits { tokens_per_minute: Some(10_000), ..ModelLimits::default() };
        let (time, paces) = (Arc::new(AtomicU64::new(0)), Paces::default());
        let (log, pace) = (log_at(&time), paces.of(&spec("a", limits)));
        let level = || locked(&pace.rates).tokens.clone().unwrap().take(500.0, Duration::ZERO);
        let turn = pace.turn(500, &log).now_or_never().unwrap();
        assert!(level() > Duration::ZERO);
        turn.failed(true);
        assert_eq!(level(), Duration::ZERO);
        pace.turn(500, &log).now_or_never().unwrap().answered(Some(0), Duration::ZERO);
        assert_eq!(level(), Duration::ZERO);
        pace.turn(10, &log).now_or_never().unwrap().answered(Some(500), Duration::ZERO);
        assert!(level() > Duration::ZERO);
    }

    #[test]
    fn a_used_up_allowance_pauses_everybody() {
        let (time, paces) = (Arc::new(AtomicU64::new(0)), Paces::default());
        let (log, pace) = (log_at(&time), paces.of(&spec("a", ModelLimits::default())));
        pace.heard(Asked::For(Duration::from_secs(20)), &log);
        assert_eq!(locked(&pace.rates).paused, Duration::from_secs(20));
        time.store(21_000, Ordering::Relaxed);
        assert!(pace.turn(1, &log).now_or_never().is_some());
        pace.heard(Asked::For(Duration::from_secs(86_400)), &log);
        assert_eq!(locked(&pace.rates).paused, Duration::from_secs(21) + LONGEST_PAUSE);
    }

    #[test]
    fn a_declared_rate_keeps_the_seats_that_it_needs() {
        let limits = ModelLimits { requests_per_minute: Some(6_000), ..ModelLimits::default() };
        let (time, paces) = (Arc::new(AtomicU64::new(0)), Paces::default());
        let (log, pace) = (log_at(&time), paces.of(&spec("a", limits)));
        pace.turn(1, &log).now_or_never().unwrap().answered(None, Duration::from_millis(100));
        assert_eq!(pace.floor(), 15);
        for _ in 0..40 {
            pace.turn(1, &log).now_or_never().unwrap().failed(true);
        }
        assert_eq!(pace.width.limit(), 15);
    }
}
