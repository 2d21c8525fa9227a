//! Exact distributions over whole numbers, and their sums. The gate's tests rest on these: no simulation, so the same
//! counts give the same bits.

/// Masses below this are cut from the ends of a sum: they are far below every p-value that is told apart.
const NEGLIGIBLE: f64 = 1e-60;

/// A distribution over `first`, `first + 1`, ...; the masses add up to 1, but for what was cut.
#[derive(Clone, Debug)]
pub(super) struct Lattice {
    first: u64,
    mass: Vec<f64>,
    /// What was cut from the ends; added to every tail, so that no p-value is 0 or too small.
    cut: f64,
}

impl Lattice {
    /// All mass at one place.
    pub(super) fn point(at: u64) -> Self {
        Self { first: at, mass: vec![1.0], cut: 0.0 }
    }

    /// Successes among `draws` taken without replacement from `all` things of which `good` are good.
    pub(super) fn hypergeometric(all: u64, good: u64, draws: u64) -> Self {
        let first = (good + draws).saturating_sub(all);
        let last = good.min(draws);
        Self::by_ratio(first, last, |x| {
            let rest = (all + x + 1 - good - draws) as f64;
            (good - x) as f64 * (draws - x) as f64 / ((x + 1) as f64 * rest)
        })
    }

    /// Heads among `n` throws of a fair coin.
    pub(super) fn fair_coin(n: u64) -> Self {
        Self::by_ratio(0, n, |x| (n - x) as f64 / (x + 1) as f64)
    }

    /// From the ratio of the mass at x + 1 to that at x, outwards from the mode, then normalised: no factorials, no
    /// cancellation.
    fn by_ratio(first: u64, last: u64, ratio: impl Fn(u64) -> f64) -> Self {
        let mode = (first..last).find(|x| ratio(*x) < 1.0).unwrap_or(last);
        let mut mass = vec![0.0; (last - first + 1) as usize];
        let at = |x: u64| (x - first) as usize;
        mass[at(mode)] = 1.0;
        for x in mode..last {
            mass[at(x + 1)] = mass[at(x)] * ratio(x);
        }
        for x in (first..mode).rev() {
            mass[at(x)] = mass[at(x + 1)] / ratio(x);
        }
        let all: f64 = mass.iter().sum();
        mass.iter_mut().for_each(|mass| *mass /= all);
        Self { first, mass, cut: 0.0 }
    }

    /// The distribution of the sum of two independent numbers.
    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut mass = vec![0.0; self.mass.len() + other.mass.len() - 1];
        for (shift, part) in other.mass.iter().enumerate() {
            for (sum, own) in mass[shift..].iter_mut().zip(&self.mass) {
                *sum += own * part;
            }
        }
        let (mut first, mut cut) = (self.first + other.first, self.cut + other.cut);
        let low = mass.iter().position(|mass| *mass >= NEGLIGIBLE).unwrap_or(0);
        let high = mass.iter().rposition(|mass| *mass >= NEGLIGIBLE).unwrap_or(mass.len() - 1);
        cut += mass[..low].iter().chain(&mass[high + 1..]).sum::<f64>();
        first += low as u64;
        mass.truncate(high + 1);
        mass.drain(..low);
        Self { first, mass, cut }
    }

    fn masses(&self) -> impl Iterator<Item = (u64, f64)> {
        (self.first..).zip(self.mass.iter().copied())
    }

    fn sum_where(&self, counts: impl Fn(u64, f64) -> bool) -> f64 {
        let sum: f64 = self.masses().filter(|(x, mass)| counts(*x, *mass)).map(|(_, mass)| mass).sum();
        (sum + self.cut).min(1.0)
    }

    /// P(X <= x).
    pub(super) fn at_most(&self, x: u64) -> f64 {
        self.sum_where(|at, _| at <= x)
    }

    /// P(X >= x).
    pub(super) fn at_least(&self, x: u64) -> f64 {
        self.sum_where(|at, _| at >= x)
    }

    /// P(X = x).
    pub(super) fn at(&self, x: u64) -> f64 {
        let place = x.checked_sub(self.first).and_then(|place| self.mass.get(place as usize));
        place.copied().unwrap_or(0.0)
    }

    /// The probability of all places that are no likelier than x; ties count, with a slack of 1e-12.
    pub(super) fn no_likelier_than(&self, x: u64) -> f64 {
        let limit = self.at(x) * (1.0 + 1e-12);
        self.sum_where(|_, mass| mass <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_distributions_are_exact() {
        let coin = Lattice::fair_coin(2);
        assert_eq!((coin.at(0), coin.at(1), coin.at(3)), (0.25, 0.5, 0.0));
        let hyper = Lattice::hypergeometric(4, 2, 2);
        assert!((hyper.at(1) - 4.0 / 6.0).abs() < 1e-15);
        assert_eq!(Lattice::hypergeometric(4, 4, 2).at(2), 1.0);
        assert_eq!(Lattice::hypergeometric(0, 0, 0).at(0), 1.0);
    }

    #[test]
    fn sums_of_coins_are_longer_coins() {
        let sum = Lattice::fair_coin(3).plus(&Lattice::fair_coin(4));
        let long = Lattice::fair_coin(7);
        assert!((0..=7).all(|x| (sum.at(x) - long.at(x)).abs() < 1e-15));
    }

    #[test]
    fn a_tail_is_never_zero() {
        let mut sum = Lattice::point(0);
        for _ in 0..100 {
            sum = sum.plus(&Lattice::hypergeometric(20, 15, 5));
        }
        let deep = sum.at_most(0);
        assert!(deep > 0.0 && deep < 1e-50, "{deep}");
        assert!((sum.at_most(375) + sum.at_least(376) - 1.0).abs() < 1e-12);
    }
}
