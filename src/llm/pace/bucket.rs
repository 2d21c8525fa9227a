//! A token bucket that can be in debt: what was taken on an estimate is settled when the true number is known.
//!
//! Pure: moments come in as the time since the program began. Own code, because the well-kept limiters cannot take back
//! what they gave.

use std::time::Duration;

/// The part of a minute's allowance that may be used at once. The rest flows in over the minute, so that in no minute,
/// wherever it begins, more goes out than the provider allows.
const BURST: f64 = 0.05;

/// So much a minute, and never more in any minute.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    capacity: f64,
    per_second: f64,
    level: f64,
    at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn per_minute(allowed: u32) -> Self {
        let allowed = f64::from(allowed.max(1));
        let capacity = (allowed * BURST).max(1.0);
        Self {
            capacity,
            per_second: (allowed - capacity).max(1.0) / 60.0,
            level: capacity,
            at: Duration::ZERO,
        }
    }

    /// Takes `amount` and gives how long to wait before it may be used. More than the bucket holds is given when it is
    /// full, and the rest is owed.
    pub(super) fn take(&mut self, amount: f64, now: Duration) -> Duration {
        self.flow(now);
        let missing = amount.min(self.capacity) - self.level;
        self.level -= amount;
        Duration::try_from_secs_f64(missing.max(0.0) / self.per_second).unwrap_or(Duration::MAX)
    }

    /// Corrects what was taken: `more` than was thought, or less if negative.
    pub(super) fn settle(&mut self, more: f64) {
        self.level = (self.level - more).min(self.capacity);
    }

    fn flow(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + passed * self.per_second).min(self.capacity);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The moments at which calls may go that come at these moments, in seconds.
    fn sent(bucket: &mut Bucket, arrivals: &[f64], amount: f64) -> Vec<f64> {
        let go = |at: &f64| at + bucket.take(amount, Duration::from_secs_f64(*at)).as_secs_f64();
        arrivals.iter().map(go).collect()
    }

    #[test]
    fn a_burst_goes_at_once_and_the_rest_flows() {
        let mut bucket = Bucket::per_minute(60);
        let moments = sent(&mut bucket, &[0.0; 6], 1.0);
        assert_eq!(moments.iter().filter(|at| **at == 0.0).count(), 3, "{moments:?}");
        assert!(moments[5] > 3.0 && moments[5] < 3.3, "{moments:?}");
    }

    #[test]
    fn what_was_not_used_is_given_back() {
        let mut bucket = Bucket::per_minute(6_000);
        assert_eq!(bucket.take(300.0, Duration::ZERO), Duration::ZERO);
        let owed = bucket.clone().take(300.0, Duration::ZERO);
        bucket.settle(-300.0);
        assert!(owed > Duration::from_secs(3) && bucket.take(300.0, Duration::ZERO).is_zero());
    }

    proptest! {
        #[test]
        fn no_minute_holds_more_than_is_allowed(
            allowed in 1_u32..500, gaps in prop::collection::vec(0_u32..4_000, 1..400), amount in 1_u32..4,
        ) {
            let amount = f64::from(amount);
            prop_assume!(amount <= (f64::from(allowed) * BURST).max(1.0));
            let mut at = 0.0;
            let arrivals: Vec<f64> = gaps.iter().map(|gap| { at += f64::from(*gap) / 1e3; at }).collect();
            let moments = sent(&mut Bucket::per_minute(allowed), &arrivals, amount);
            prop_assert!(moments.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9));
            for (first, begin) in moments.iter().enumerate() {
                let within = moments[first..].iter().filter(|at| **at < begin + 60.0 - 1e-6).count();
                let most = f64::from(allowed).max(amount * 2.0);
                prop_assert!(within as f64 * amount <= most + 1e-6, "{within} in a minute, {allowed} allowed");
            }
        }
    }
}
