//! Where a series of runs changed its level: the partition into stretches of one mean that explains the values with the
//! least squares and the fewest stretches.
//!
//! The noise is estimated from the differences of neighbours, which hardly see a change of level; a further stretch must
//! save more squares than the Bayesian information criterion asks for (G. Schwarz, 1978), the search is the exact one
//! of optimal partitioning (B. Jackson et al., 2005).

use super::median;
use serde::Serialize;
use std::ops::Range;

/// A stretch of values without a change between them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stretch {
    /// Which values, by their place.
    pub values: Range<usize>,
    /// Their mean.
    pub mean: f64,
}

/// What a normal distribution's median absolute deviation must be multiplied with to be its standard deviation.
const NORMAL: f64 = 1.482_6;
/// Smaller changes than this share of the level are no change, however quiet the series is.
const LEAST: f64 = 0.005;

/// Divides a series into stretches, the first one from the first value on; none for an empty series.
pub fn stretches(values: &[f64]) -> Vec<Stretch> {
    let n = values.len();
    if n == 0 {
        return Vec::new();
    }
    // sums of values and of squares before each place
    let mut sums = vec![(0.0, 0.0)];
    for v in values {
        let (sum, squares) = sums[sums.len() - 1];
        sums.push((sum + v, squares + v * v));
    }
    let cost = |r: Range<usize>| {
        let (sum, squares) = (sums[r.end].0 - sums[r.start].0, sums[r.end].1 - sums[r.start].1);
        (squares - sum * sum / r.len() as f64).max(0.0)
    };
    // a level and a place for each further stretch, with some room for noise that is no normal one
    let penalty = 5.0 * variance(values) * (n as f64).ln().max(1.0);
    let mut best = vec![(0.0, 0usize); n + 1];
    for end in 1..=n {
        best[end] = (0..end)
            .map(|start| (best[start].0 + cost(start..end) + penalty, start))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .unwrap_or_default();
    }
    let mut out = Vec::new();
    let mut end = n;
    while end > 0 {
        let start = best[end].1;
        out.push(Stretch { values: start..end, mean: (sums[end].0 - sums[start].0) / (end - start) as f64 });
        end = start;
    }
    out.reverse();
    out
}

/// The variance of the noise in a series whose level may change here and there.
fn variance(values: &[f64]) -> f64 {
    let steps: Vec<f64> = values.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    let level = median(values).unwrap_or_default().abs();
    let deviation = median(&steps).unwrap_or_default() * NORMAL / std::f64::consts::SQRT_2;
    deviation.max(level * LEAST).powi(2).max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    /// Values around levels, with a deviation of about one percent of 100.
    fn series(levels: &[(usize, f64)], seed: u64) -> Vec<f64> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut noise = || (0..12).map(|_| f64::from(rng.next_u32()) / 4_294_967_296.0).sum::<f64>() - 6.0;
        levels.iter().flat_map(|(n, level)| std::iter::repeat_n(*level, *n)).map(|l| l + noise()).collect()
    }

    #[test]
    fn changes_of_level_are_found_where_they_are() {
        for seed in 0..50 {
            let found = stretches(&series(&[(12, 100.0), (9, 106.0), (15, 98.0)], seed));
            let starts: Vec<usize> = found.iter().map(|s| s.values.start).collect();
            assert_eq!(starts, [0, 12, 21], "seed {seed}");
            assert!((found[1].mean - 106.0).abs() < 1.2, "{found:?}");
        }
    }

    #[test]
    fn noise_alone_is_seldom_a_change() {
        let wrong = (0..400).filter(|seed| stretches(&series(&[(30, 100.0)], *seed)).len() > 1).count();
        assert!(wrong <= 20, "{wrong} of 400");
    }

    #[test]
    fn a_single_outlier_is_a_stretch_of_its_own_and_short_series_are_whole() {
        let mut values = series(&[(20, 100.0)], 3);
        values[9] = 150.0;
        let starts: Vec<usize> = stretches(&values).iter().map(|s| s.values.start).collect();
        assert_eq!(starts, [0, 9, 10]);
        assert!(stretches(&[]).is_empty());
        assert_eq!(stretches(&[5.0]), [Stretch { values: 0..1, mean: 5.0 }]);
        assert_eq!(stretches(&[5.0; 9]).len(), 1);
    }
}
