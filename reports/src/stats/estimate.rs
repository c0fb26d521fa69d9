//! Medians and their intervals.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;
use serde::Serialize;
use std::collections::BTreeMap;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 10_000;
/// Below this many values the interval is one of order statistics: resampling so few adds nothing but noise.
const BOOTSTRAP_FROM: usize = 8;
/// The coverage that intervals aim at.
const COVERAGE: f64 = 0.95;

/// A median with its interval.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Estimate {
    /// The median.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// How likely the interval holds the true median, 0 to 1: what the number of values allows, at best 0.95 or a
    /// little more. 0 for a single value, which has no interval.
    pub coverage: f64,
    /// The values, in the order of running.
    pub values: Vec<f64>,
}

/// Makes [`Estimate`]s. Resamples depend on the number of values alone, so each number is drawn once.
#[derive(Clone, Debug)]
pub struct Estimator {
    seed: u64,
    /// For each number of values: the two middle ranks of every resample.
    ranks: BTreeMap<usize, Vec<(u32, u32)>>,
}

impl Estimator {
    /// An estimator whose resamples come from `seed`.
    pub fn new(seed: u64) -> Self {
        Self { seed, ranks: BTreeMap::new() }
    }

    /// The median of values with its interval; none without values. Values that are no numbers are left out.
    ///
    /// From 8 values on the interval is the 95 % percentile bootstrap of the median with 10,000 resamples; below,
    /// it is the narrowest symmetric pair of order statistics that covers at least 95 %, or the whole range where
    /// none does, with the coverage that it really has.
    pub fn estimate(&mut self, values: Vec<f64>) -> Option<Estimate> {
        let values: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let median = median_of_sorted(&sorted)?;
        let (low, high, coverage) = if sorted.len() < BOOTSTRAP_FROM {
            let (k, coverage) = order_statistics(sorted.len());
            (sorted[k], sorted[sorted.len() - 1 - k], coverage)
        } else {
            let (low, high) = self.bootstrap(&sorted);
            (low, high, COVERAGE)
        };
        Some(Estimate { median, low, high, coverage, values })
    }

    /// Both ends of the percentile bootstrap interval of the median.
    fn bootstrap(&mut self, sorted: &[f64]) -> (f64, f64) {
        if sorted.first() == sorted.last() {
            return (sorted[0], sorted[0]);
        }
        let resamples = self.resamples(sorted.len());
        percentiles((0..resamples.len()).map(|r| resamples.median(sorted, r)).collect())
    }

    /// The resamples of `n` values: the same for every `n` values.
    pub fn resamples(&mut self, n: usize) -> Resamples<'_> {
        let seed = self.seed;
        Resamples(self.ranks.entry(n).or_insert_with(|| resampled_ranks(n, seed)))
    }
}

/// Resamples with replacement, of which only the middle ranks are kept: all that a median depends on.
#[derive(Clone, Copy, Debug)]
pub struct Resamples<'a>(&'a [(u32, u32)]);

impl Resamples<'_> {
    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "there are always resamples")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The median of the `r`-th resample of sorted values.
    pub fn median(&self, sorted: &[f64], r: usize) -> f64 {
        let (i, j) = self.0[r];
        (sorted[i as usize] + sorted[j as usize]) / 2.0
    }
}

/// The 2.5th and the 97.5th percentile of values, of which there must be some.
pub fn percentiles(mut values: Vec<f64>) -> (f64, f64) {
    let tail = (1.0 - COVERAGE) / 2.0;
    let mut at = |share: f64| {
        let k = (share * (values.len() - 1) as f64).round() as usize;
        *values.select_nth_unstable_by(k, f64::total_cmp).1
    };
    (at(tail), at(1.0 - tail))
}

/// The two middle ranks of each resample of `n` values, drawn with replacement.
fn resampled_ranks(n: usize, seed: u64) -> Vec<(u32, u32)> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ (n as u64).rotate_left(32));
    let mut drawn = vec![0u32; n];
    (0..RESAMPLES)
        .map(|_| {
            for d in &mut drawn {
                // Multiply and shift: the bias of at most n / 2^32 is far below what 10,000 resamples resolve.
                *d = ((u64::from(rng.next_u32()) * n as u64) >> 32) as u32;
            }
            drawn.sort_unstable();
            (drawn[(n - 1) / 2], drawn[n / 2])
        })
        .collect()
}

/// The largest `k` for which the `k`-th smallest and the `k`-th largest of `n` values (from 0) hold the median with
/// at least [`COVERAGE`], and that coverage. `k` = 0 where there is none.
fn order_statistics(n: usize) -> (usize, f64) {
    // P(median outside) = 2 · P(Binomial(n, 1/2) <= k)
    let scale = 0.5f64.powi(n as i32);
    let mut term = 1.0;
    let mut below = 0.0;
    let mut best = (0, (1.0 - 2.0 * scale).max(0.0));
    for k in 0..n.div_ceil(2) {
        below += term * scale;
        term = term * (n - k) as f64 / (k + 1) as f64;
        if 1.0 - 2.0 * below >= COVERAGE {
            best = (k, 1.0 - 2.0 * below);
        }
    }
    best
}

/// The median; of an even number of values the mean of the middle two.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    median_of_sorted(&sorted)
}

fn median_of_sorted(sorted: &[f64]) -> Option<f64> {
    let n = sorted.len();
    (n > 0).then(|| (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_those_of_counting() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0]), Some(3.0));
        assert_eq!(median(&[9.0, 1.0, 5.0]), Some(5.0));
        assert_eq!(median(&[9.0, 1.0, 5.0, 6.0]), Some(5.5));
    }

    #[test]
    fn few_values_give_order_statistics_with_their_real_coverage() {
        // Brute force: all 2^n ways in which n values fall below or above the true median.
        for n in 1..=7usize {
            let (k, coverage) = order_statistics(n);
            let holds =
                (0u32..1 << n).filter(|m| (k < m.count_ones() as usize) && (k < n - m.count_ones() as usize));
            let brute = holds.count() as f64 / f64::from(1u32 << n);
            assert!((coverage - brute).abs() < 1e-12, "n = {n}: {coverage} against {brute}");
        }
        assert_eq!(order_statistics(6), (0, 0.96875));
        assert_eq!(order_statistics(1).1, 0.0);
        // From nine values on a narrower pair than the whole range would do: the search for k works.
        assert_eq!(order_statistics(9).0, 1);
        let e = Estimator::new(1).estimate(vec![4.0, 1.0, 3.0, 2.0, 5.0]).unwrap();
        assert_eq!((e.median, e.low, e.high, e.coverage), (3.0, 1.0, 5.0, 0.9375));
        assert_eq!(e.values[0], 4.0);
    }

    #[test]
    fn the_bootstrap_agrees_with_its_exact_distribution() {
        // For odd n: P(bootstrap median <= k-th smallest) = P(Binomial(n, k/n) >= (n + 1) / 2).
        let n = 15usize;
        let values: Vec<f64> = (1..=n).map(|v| v as f64).collect();
        let e = Estimator::new(7).estimate(values).unwrap();
        let cumulative = |k: usize| -> f64 {
            let p = k as f64 / n as f64;
            (n.div_ceil(2)..=n)
                .map(|j| {
                    let choose = (0..j).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64);
                    choose * p.powi(j as i32) * (1.0 - p).powi((n - j) as i32)
                })
                .sum()
        };
        let exact = |share: f64| (1..=n).find(|&k| cumulative(k) >= share).unwrap() as f64;
        assert_eq!((e.low, e.high), (exact(0.025), exact(0.975)));
        assert_eq!(e.median, 8.0);
    }

    #[test]
    fn the_interval_covers_as_often_as_it_says() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut estimator = Estimator::new(5);
        for n in [6, 20] {
            let rounds = 2_000;
            let hits = (0..rounds)
                .filter(|_| {
                    let e = estimator
                        .estimate((0..n).map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX)).collect())
                        .unwrap();
                    e.low <= 0.5 && 0.5 <= e.high
                })
                .count();
            let share = hits as f64 / f64::from(rounds);
            assert!((0.92..0.99).contains(&share), "n = {n}: {share}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values: Vec<f64> = (0..20).map(|v| f64::from(v * v % 17)).collect();
        let of = |seed| Estimator::new(seed).estimate(values.clone());
        assert_eq!(of(1), of(1));
        assert!(Estimator::new(1).estimate(vec![f64::NAN]).is_none());
    }
}
