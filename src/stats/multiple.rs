//! Many comparisons at once. Each function returns adjusted p-values in the order given: reject where adjusted <= level.

/// Holm's step-down method (1979): the chance of any false rejection stays at the level, whatever the dependence.
///
/// Applies to each yes or no that blocks a release. Fails by being strict over hundreds of comparisons. `None` when a
/// value is not in [0, 1].
pub fn holm(p: &[f64]) -> Option<Vec<f64>> {
    let order = ascending(p)?;
    let mut adjusted = vec![0.0; p.len()];
    let mut highest = 0.0_f64;
    for (rank, at) in order.iter().enumerate() {
        highest = highest.max(p[*at] * (p.len() - rank) as f64).min(1.0);
        adjusted[*at] = highest;
    }
    Some(adjusted)
}

/// The step-up method of Benjamini and Hochberg (1995): the expected share of false discoveries stays at the level.
///
/// Applies to ranked lists ("cases that look worse"); cases that share tools are positively dependent, which it allows.
/// Fails under other dependence: [`benjamini_yekutieli`]. `None` when a value is not in [0, 1].
pub fn benjamini_hochberg(p: &[f64]) -> Option<Vec<f64>> {
    step_up(p, 1.0)
}

/// The method of Benjamini and Yekutieli (2001): the same under any dependence, at a cost of sum 1/i.
pub fn benjamini_yekutieli(p: &[f64]) -> Option<Vec<f64>> {
    step_up(p, (1..=p.len()).map(|rank| 1.0 / rank as f64).sum())
}

fn step_up(p: &[f64], cost: f64) -> Option<Vec<f64>> {
    let order = ascending(p)?;
    let mut adjusted = vec![0.0; p.len()];
    let mut lowest = 1.0_f64;
    for (rank, at) in order.iter().enumerate().rev() {
        lowest = lowest.min(p[*at] * p.len() as f64 * cost / (rank + 1) as f64);
        adjusted[*at] = lowest;
    }
    Some(adjusted)
}

fn ascending(p: &[f64]) -> Option<Vec<usize>> {
    if !p.iter().all(|p| (0.0..=1.0).contains(p)) {
        return None;
    }
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    Some(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_compare_is_an_empty_list_and_nonsense_is_undefined() {
        assert_eq!(holm(&[]), Some(vec![]));
        assert_eq!(holm(&[0.1, f64::NAN]), None);
        assert_eq!(benjamini_hochberg(&[1.1]), None);
    }

    #[test]
    fn one_comparison_is_not_adjusted() {
        for adjust in [holm, benjamini_hochberg, benjamini_yekutieli] {
            assert_eq!(adjust(&[0.03]), Some(vec![0.03]));
        }
    }

    #[test]
    fn ties_get_equal_values() {
        assert_eq!(holm(&[0.01, 0.01]), Some(vec![0.02, 0.02]));
        assert_eq!(benjamini_hochberg(&[0.02, 0.02]), Some(vec![0.02, 0.02]));
    }
}
