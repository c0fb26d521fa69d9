//! How far two samples lie apart: Mann-Whitney's test, the Hodges-Lehmann estimates that belong to it, and Cliff's
//! delta. Nothing is assumed of the distributions but that they have the same shape where a shift is stated.
//!
//! - H. B. Mann, D. R. Whitney, *On a test of whether one of two random variables is stochastically larger than the
//!   other*, 1947.
//! - J. L. Hodges, E. L. Lehmann, *Estimates of location based on rank tests*, 1963.
//! - N. Cliff, *Dominance statistics: ordinal analyses to answer ordinal questions*, 1993.
//! - S. Holm, *A simple sequentially rejective multiple test procedure*, 1979.

use serde::Serialize;

/// How likely the interval of a shift holds the true one, at least, where there are values enough.
const COVERAGE: f64 = 0.95;
/// Up to so many pairs the distribution of U is counted out; above, it is as good as normal.
const EXACT_PAIRS: usize = 2_500;

/// How far a second sample lies from a first one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Shift {
    /// Median of all pairwise ratios, second to first; none where the first sample is not all above zero.
    pub ratio: Option<Between>,
    /// Median of all pairwise differences, second less first.
    pub difference: Between,
    /// How likely the intervals hold the true shift: at least 0.95, or what so few values allow.
    pub coverage: f64,
    /// How likely a test of two equal distributions looks at least as different: Mann-Whitney, two-sided.
    pub p: f64,
    /// Cliff's delta, -1 to 1: how much likelier a value of the second sample is the larger one than the smaller one.
    /// From 0.147 on it is called small, from 0.33 medium, from 0.474 large.
    pub delta: f64,
}

/// An estimate with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Between {
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

impl Shift {
    /// The shift from `first` to `second`; none where one of them has no values.
    pub fn between(first: &[f64], second: &[f64]) -> Option<Self> {
        let (n, m) = (first.len(), second.len());
        if n == 0 || m == 0 {
            return None;
        }
        let pairs = || second.iter().flat_map(|b| first.iter().map(move |a| (*a, *b)));
        // U counts pairs in which the second is larger, ties for half
        let larger: f64 = pairs().map(|(a, b)| if b > a { 1.0 } else { f64::from(a == b) / 2.0 }).sum();
        let u = Distribution::new(n, m, ties(first, second));
        let (cut, coverage) = u.cut();
        let positive = first.iter().all(|a| *a > 0.0);
        Some(Self {
            ratio: positive.then(|| between(pairs().map(|(a, b)| b / a).collect(), cut)),
            difference: between(pairs().map(|(a, b)| b - a).collect(), cut),
            coverage,
            p: u.two_sided(larger),
            delta: 2.0 * larger / (n * m) as f64 - 1.0,
        })
    }
}

/// The median of values, and the `cut`-th smallest and largest of them (from 0).
fn between(mut values: Vec<f64>, cut: usize) -> Between {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    Between {
        value: (values[(n - 1) / 2] + values[n / 2]) / 2.0,
        low: values[cut],
        high: values[n - 1 - cut],
    }
}

/// Sum of t³ - t over the groups of equal values.
fn ties(first: &[f64], second: &[f64]) -> f64 {
    let mut all: Vec<f64> = first.iter().chain(second).copied().collect();
    all.sort_by(f64::total_cmp);
    all.chunk_by(|a, b| a == b).map(|g| (g.len() as f64).powi(3) - g.len() as f64).sum()
}

/// The distribution of U for two samples of one population.
enum Distribution {
    /// Probability of each value of U.
    Exact(Vec<f64>),
    /// Normal with this mean and deviation, for so many pairs.
    Normal { mean: f64, deviation: f64 },
}

impl Distribution {
    fn new(n: usize, m: usize, ties: f64) -> Self {
        if n * m <= EXACT_PAIRS && ties == 0.0 {
            return Self::Exact(exact(n, m));
        }
        let (pairs, total) = ((n * m) as f64, (n + m) as f64);
        let variance = pairs / 12.0 * ((total + 1.0) - ties / (total * (total - 1.0)).max(1.0));
        Self::Normal { mean: pairs / 2.0, deviation: variance.max(0.0).sqrt() }
    }

    /// How likely U is at least as far from its mean.
    fn two_sided(&self, u: f64) -> f64 {
        match self {
            Self::Exact(p) => {
                let far = u.min((p.len() - 1) as f64 - u).floor() as usize;
                (2.0 * p[..=far].iter().sum::<f64>()).min(1.0)
            }
            // all values equal: nothing speaks for a difference
            Self::Normal { deviation, .. } if *deviation == 0.0 => 1.0,
            Self::Normal { mean, deviation } => {
                // half a step for the continuity of the normal distribution
                let z = ((u - mean).abs() - 0.5).max(0.0) / deviation;
                (2.0 * above(z)).min(1.0)
            }
        }
    }

    /// How many pairwise shifts may be cut off at either end, and the coverage that is left.
    fn cut(&self) -> (usize, f64) {
        match self {
            Self::Exact(p) => {
                let (mut below, mut best) = (0.0, (0, (1.0 - 2.0 * p[0]).max(0.0)));
                for (k, probability) in p.iter().enumerate().take(p.len() / 2) {
                    below += probability;
                    if 1.0 - 2.0 * below < COVERAGE {
                        break;
                    }
                    best = (k, 1.0 - 2.0 * below);
                }
                best
            }
            Self::Normal { mean, deviation } => {
                // 1.959964: the 97.5th percentile of the standard normal distribution
                ((mean - 1.959_964 * deviation - 0.5).floor().max(0.0) as usize, COVERAGE)
            }
        }
    }
}

/// Probability of each value of U for samples of `n` and `m` values without ties: of all ways to arrange them, the
/// share with that many pairs in order.
fn exact(n: usize, m: usize) -> Vec<f64> {
    // ways[j][u]: arrangements of i values of one sample and j of the other, as a share; i grows
    let pairs = n * m;
    let mut ways = vec![vec![0.0; pairs + 1]; m + 1];
    ways.iter_mut().for_each(|w| w[0] = 1.0);
    for i in 1..=n {
        for j in 1..=m {
            // the largest value is of the first sample (it forms j pairs), or of the second
            let share = i as f64 / (i + j) as f64;
            let (before, after) = ways.split_at_mut(j);
            let row = &mut after[0];
            for u in (0..=i * j).rev() {
                let first = if u >= j { row[u - j] } else { 0.0 };
                row[u] = share * first + (1.0 - share) * before[j - 1][u];
            }
        }
    }
    ways.swap_remove(m)
}

/// How likely a standard normal value lies above `z` >= 0: W. J. Cody's form by the complementary error function, here
/// with the continued fraction for large and the series for small values.
fn above(z: f64) -> f64 {
    let density = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 2.5 {
        let (mut term, mut sum) = (z, z);
        for k in 1..60 {
            term *= z * z / f64::from(2 * k + 1);
            sum += term;
        }
        0.5 - density * sum
    } else {
        density / (1..80).rev().fold(z, |below, k| z + f64::from(k) / below)
    }
}

/// Probabilities after Holm's correction: what each of many tests must show so that all of them together are wrong as
/// seldom as one.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|a, b| p[*a].total_cmp(&p[*b]));
    let mut out = vec![0.0; p.len()];
    let mut least = 0.0f64;
    for (rank, i) in order.into_iter().enumerate() {
        least = least.max((p[i] * (p.len() - rank) as f64).min(1.0));
        out[i] = least;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_xoshiro::Xoshiro256PlusPlus;
    use rand_xoshiro::rand_core::{Rng, SeedableRng};

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn the_distribution_of_u_is_that_of_counting() {
        for (n, m) in [(1, 1), (2, 3), (4, 4), (3, 5)] {
            let p = exact(n, m);
            let mut counted = vec![0.0; n * m + 1];
            let all: Vec<u32> = (0u32..1 << (n + m)).filter(|s| s.count_ones() as usize == n).collect();
            for set in &all {
                // bit i: the i-th smallest value is of the first sample; U counts second below first
                let u: u32 = (0..n + m)
                    .filter(|i| set >> i & 1 == 1)
                    .map(|i| (!set & ((1 << i) - 1)).count_ones())
                    .sum();
                counted[u as usize] += 1.0 / all.len() as f64;
            }
            assert!(p.iter().zip(&counted).all(|(a, b)| close(*a, *b)), "{n} {m}: {p:?} {counted:?}");
        }
    }

    #[test]
    fn the_smallest_probabilities_are_those_of_the_tables() {
        // disjoint samples of 3, 4, 5: 2/20, 2/70, 2/252
        for (n, p) in [(3, 0.1), (4, 2.0 / 70.0), (5, 2.0 / 252.0)] {
            let low: Vec<f64> = (0..n).map(f64::from).collect();
            let high: Vec<f64> = (0..n).map(|v| f64::from(v) + 10.0).collect();
            let shift = Shift::between(&low, &high).unwrap();
            assert!(close(shift.p, p) && shift.delta == 1.0, "{n}: {shift:?}");
        }
    }

    #[test]
    fn normal_tails_are_those_of_the_tables() {
        for (z, p) in [
            (0.0, 0.5),
            (1.0, 0.158_655_253_9),
            (1.959_964, 0.025),
            (2.6, 0.004_661_188),
            (5.0, 2.866_516e-7),
        ] {
            assert!((above(z) - p).abs() < p * 1e-5, "{z}: {}", above(z));
        }
    }

    #[test]
    fn a_shift_is_found_with_its_size_and_equal_samples_have_none() {
        let base: Vec<f64> = (0..12).map(|v| 100.0 + f64::from(v * 7 % 12)).collect();
        let slower: Vec<f64> = base.iter().map(|v| v * 1.2).collect();
        let shift = Shift::between(&base, &slower).unwrap();
        let ratio = shift.ratio.unwrap();
        assert!((ratio.value - 1.2).abs() < 0.01 && ratio.low > 1.1 && ratio.high < 1.3, "{ratio:?}");
        assert!(shift.p < 1e-4);
        let same = Shift::between(&base, &base).unwrap();
        assert!(same.p > 0.9 && same.delta == 0.0 && same.difference.value == 0.0, "{same:?}");
        // without a positive base there is no ratio
        assert!(Shift::between(&[0.0, 0.0], &[0.0, 1.0]).unwrap().ratio.is_none());
        assert!(Shift::between(&[], &[1.0]).is_none());
        // all values equal: no test finds anything
        assert_eq!(Shift::between(&[2.0; 5], &[2.0; 5]).unwrap().p, 1.0);
    }

    #[test]
    fn intervals_cover_and_tests_err_as_often_as_they_say() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let mut draw =
            |n: usize| -> Vec<f64> { (0..n).map(|_| 1.0 + f64::from(rng.next_u32()) / 4e9).collect() };
        for (n, m) in [(7, 7), (15, 15), (60, 60)] {
            let rounds = 2_000;
            let (mut holds, mut found) = (0, 0);
            for _ in 0..rounds {
                let shift = Shift::between(&draw(n), &draw(m)).unwrap();
                holds += u32::from(shift.difference.low <= 0.0 && 0.0 <= shift.difference.high);
                found += u32::from(shift.p < 0.05);
            }
            let share = |k: u32| f64::from(k) / f64::from(rounds);
            assert!((0.93..0.985).contains(&share(holds)), "{n} {m}: {}", share(holds));
            assert!((0.015..0.065).contains(&share(found)), "{n} {m}: {}", share(found));
        }
    }

    #[test]
    fn holm_is_the_published_example() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(adjusted.iter().zip(expected).all(|(a, b)| close(*a, b)), "{adjusted:?}");
        assert!(holm(&[]).is_empty());
    }
}
