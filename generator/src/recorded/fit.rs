//! Distributions that fit what was seen.

use csn::Nanos;
use std::collections::BTreeMap;
use std::fmt;

/// How far a model may be from what was seen, as the largest difference of the distribution functions
/// (Kolmogorov-Smirnov).
const NEAR: f64 = 0.05;
/// Sizes that are listed with their weights at most.
const SIZES: usize = 24;
/// Octets of the largest UDP payload; sizes are kept below.
const LARGEST: u32 = 65_000;

/// Octets of payload.
#[derive(Clone, Debug, PartialEq)]
pub enum Sizes {
    /// All the same.
    Fixed(u32),
    /// Any between two.
    Range(u32, u32),
    /// Sizes with the packets that have them, ascending.
    Values(Vec<(u32, u64)>),
}

impl Sizes {
    /// What describes packets of these sizes with the fewest words.
    pub fn fit(counts: &BTreeMap<u32, u64>) -> Self {
        let values: Vec<(u32, u64)> = counts.iter().map(|(size, n)| ((*size).min(LARGEST), *n)).collect();
        let total: u64 = values.iter().map(|(_, n)| n).sum();
        match values.as_slice() {
            [] => Sizes::Fixed(0),
            [(one, _)] => Sizes::Fixed(*one),
            [(lo, _), .., (hi, _)] if values.len() > SIZES => {
                let span = f64::from(hi - lo) + 1.0;
                let uniform = distance(&values, total, |size| (f64::from(size - lo) + 1.0) / span);
                if uniform < NEAR { Sizes::Range(*lo, *hi) } else { Sizes::Values(gathered(&values, total)) }
            }
            _ => Sizes::Values(values),
        }
    }
}

/// The largest difference between the distribution of these values and a model's.
fn distance(values: &[(u32, u64)], total: u64, model: impl Fn(u32) -> f64) -> f64 {
    let mut below = 0;
    values.iter().fold(0.0f64, |worst, (value, n)| {
        below += n;
        worst.max((below as f64 / total as f64 - model(*value)).abs())
    })
}

/// Fewer sizes for many: those that many packets have for themselves, means of equally many packets for the rest.
fn gathered(values: &[(u32, u64)], total: u64) -> Vec<(u32, u64)> {
    let often = total / SIZES as u64;
    let mut out: Vec<(u32, u64)> = Vec::new();
    let (mut packets, mut octets) = (0u64, 0u64);
    let flush = |out: &mut Vec<(u32, u64)>, packets: &mut u64, octets: &mut u64| {
        if let Some(mean) = (*octets + *packets / 2).checked_div(*packets) {
            out.push((mean as u32, *packets));
        }
        (*packets, *octets) = (0, 0);
    };
    for (size, n) in values {
        if *n >= often {
            flush(&mut out, &mut packets, &mut octets);
            out.push((*size, *n));
            continue;
        }
        packets += n;
        octets += n * u64::from(*size);
        if packets >= often {
            flush(&mut out, &mut packets, &mut octets);
        }
    }
    flush(&mut out, &mut packets, &mut octets);
    out.dedup_by(|b, a| {
        let same = a.0 == b.0;
        a.1 += if same { b.1 } else { 0 };
        same
    });
    out
}

/// How packets are spread over flows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Popularity {
    /// All flows have about as many.
    Uniform,
    /// The k-th has in proportion to k to the power of minus this.
    Zipf(f64),
}

impl Popularity {
    /// The exponent of greatest likelihood for flows of these packets, the largest first.
    pub fn fit(packets: &[u64]) -> Self {
        let total: f64 = packets.iter().map(|n| *n as f64).sum();
        if packets.len() < 2 || total < 4.0 * packets.len() as f64 {
            // too few packets of each to tell luck from popularity
            return Popularity::Uniform;
        }
        let mean = total / packets.len() as f64;
        let var = packets.iter().map(|n| (*n as f64 - mean).powi(2)).sum::<f64>() / packets.len() as f64;
        // flows drawn alike differ by chance, as Poisson has it
        if var < 2.0 * mean {
            return Popularity::Uniform;
        }
        let log = |k: usize| ((k + 1) as f64).ln();
        let seen = packets.iter().enumerate().map(|(k, n)| *n as f64 * log(k)).sum::<f64>() / total;
        let expected = |s: f64| {
            let (mut sum, mut weighted) = (0.0, 0.0);
            for k in 0..packets.len() {
                let p = (-s * log(k)).exp();
                sum += p;
                weighted += p * log(k);
            }
            weighted / sum
        };
        // the mean logarithm of the rank falls as the exponent grows
        let (mut lo, mut hi) = (0.0, 8.0);
        for _ in 0..30 {
            let middle = (lo + hi) / 2.0;
            if expected(middle) > seen { lo = middle } else { hi = middle }
        }
        let s = (lo * 100.0_f64).round() / 100.0;
        if s > 0.0 { Popularity::Zipf(s) } else { Popularity::Uniform }
    }
}

/// The times between packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaps {
    /// The mean in nanoseconds.
    pub mean: f64,
    /// Standard deviation over mean: 0 where all are alike, 1 where packets know nothing of each other.
    pub variation: f64,
    /// What they are like.
    pub model: GapModel,
}

/// A model of gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapModel {
    /// All gaps alike.
    Constant,
    /// Exponential gaps.
    Poisson,
    /// Neither.
    Recorded,
}

impl fmt::Display for GapModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            GapModel::Constant => "constant",
            GapModel::Poisson => "poisson",
            GapModel::Recorded => "recorded",
        })
    }
}

/// Gathers the times of packets. Gaps are counted in steps of an eighth of a power of two: their number is bounded.
#[derive(Clone, Debug, Default)]
pub struct Times {
    first: Option<u64>,
    last: u64,
    gaps: u64,
    squares: f64,
    steps: BTreeMap<i32, u64>,
}

impl Times {
    /// The time of the next packet.
    pub fn add(&mut self, time: Nanos) {
        if self.first.is_some() {
            let gap = time.0.saturating_sub(self.last);
            self.gaps += 1;
            self.squares += (gap as f64).powi(2);
            *self.steps.entry(step(gap)).or_insert(0) += 1;
        }
        self.first.get_or_insert(time.0);
        self.last = self.last.max(time.0);
    }

    /// From the first packet to the last.
    pub fn elapsed(&self) -> Nanos {
        Nanos(self.last - self.first.unwrap_or(self.last))
    }

    /// What the gaps are like; none where packets do not come at different times.
    pub fn fit(&self) -> Option<Gaps> {
        let elapsed = self.elapsed().0 as f64;
        if elapsed == 0.0 {
            return None;
        }
        let mean = elapsed / self.gaps as f64;
        let variation = (self.squares / self.gaps as f64 / (mean * mean) - 1.0).max(0.0).sqrt();
        let mut below = 0;
        let apart = self.steps.iter().fold(0.0f64, |worst, (step, n)| {
            below += n;
            let model = 1.0 - (-end(*step) / mean).exp();
            worst.max((below as f64 / self.gaps as f64 - model).abs())
        });
        let model = match () {
            () if variation < 0.1 => GapModel::Constant,
            () if apart < NEAR && (0.8..1.25).contains(&variation) => GapModel::Poisson,
            () => GapModel::Recorded,
        };
        Some(Gaps { mean, variation, model })
    }
}

/// The step that a gap falls in, and where that step ends.
fn step(gap: u64) -> i32 {
    if gap == 0 { i32::MIN } else { ((gap as f64).log2() * 8.0).floor() as i32 }
}

fn end(step: i32) -> f64 {
    if step == i32::MIN { 0.0 } else { (f64::from(step + 1) / 8.0).exp2() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Rng;
    use rand::{RngExt, SeedableRng};

    fn counts(sizes: impl IntoIterator<Item = u32>) -> BTreeMap<u32, u64> {
        let mut out = BTreeMap::new();
        sizes.into_iter().for_each(|s| *out.entry(s).or_insert(0) += 1);
        out
    }

    #[test]
    fn sizes_are_told_in_the_fewest_words() {
        let mut rng = Rng::seed_from_u64(1);
        assert_eq!(Sizes::fit(&counts([200; 50])), Sizes::Fixed(200));
        let few = Sizes::fit(&counts((0..1200).map(|i| [18, 18, 18, 548, 1472][i % 5])));
        assert_eq!(few, Sizes::Values(vec![(18, 720), (548, 240), (1472, 240)]));
        let range = Sizes::fit(&counts((0..20_000).map(|_| rng.random_range(64..=1400))));
        assert_eq!(range, Sizes::Range(64, 1400));
        let mixed = (0..20_000).map(|i| if i % 2 == 0 { 1460 } else { rng.random_range(0..1000) });
        let Sizes::Values(values) = Sizes::fit(&counts(mixed)) else { panic!() };
        assert!(values.len() <= 2 * SIZES && values.contains(&(1460, 10_000)), "{values:?}");
        let mean = values.iter().map(|(v, n)| f64::from(*v) * *n as f64).sum::<f64>() / 20_000.0;
        assert!((mean - (730.0 + 250.0)).abs() < 10.0, "{mean}");
    }

    #[test]
    fn popularity_finds_the_exponent_that_flows_were_drawn_with() {
        let mut rng = Rng::seed_from_u64(2);
        for s in [0.6, 1.0, 1.3] {
            let zipf = rand_distr::Zipf::new(200.0, s).unwrap();
            let mut packets = vec![0u64; 200];
            for _ in 0..100_000 {
                let k: f64 = rng.sample(zipf);
                packets[k as usize - 1] += 1;
            }
            packets.sort_unstable_by(|a, b| b.cmp(a));
            let Popularity::Zipf(found) = Popularity::fit(&packets) else { panic!() };
            assert!((found - s).abs() < 0.05, "{s}: {found}");
        }
        let mut alike: Vec<u64> = (0..500).map(|_| rng.random_range(90..=110)).collect();
        alike.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(Popularity::fit(&alike), Popularity::Uniform);
        assert_eq!(Popularity::fit(&[3, 1, 1, 1]), Popularity::Uniform);
    }

    #[test]
    fn gaps_are_constant_poisson_or_neither() {
        let fit = |gap: &mut dyn FnMut(usize) -> f64| {
            let (mut times, mut now) = (Times::default(), 5e9);
            for i in 0..20_000 {
                times.add(Nanos(now as u64));
                now += gap(i);
            }
            times.fit().unwrap()
        };
        let mut rng = Rng::seed_from_u64(3);
        assert_eq!(fit(&mut |_| 10_000.0).model, GapModel::Constant);
        let random = fit(&mut |_| -10_000.0 * (1.0 - rng.random::<f64>()).ln());
        assert_eq!(random.model, GapModel::Poisson);
        assert!((random.mean / 10_000.0 - 1.0).abs() < 0.05 && (random.variation - 1.0).abs() < 0.05);
        assert_eq!(fit(&mut |i| if i % 10 == 0 { 91_000.0 } else { 1_000.0 }).model, GapModel::Recorded);
        assert_eq!(Times::default().fit(), None);
    }
}
