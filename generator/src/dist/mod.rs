//! Distributions of packet sizes and of the times between packets.
//!
//! To add one: a new file, and its line in [`TABLE`]; the tests of this module hold its samples against its mean.

mod constant;
mod fixed;
mod imix;
mod poisson;
mod range;

use csn::mix::{Arrival, Size};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator's source of randomness: small, fast, and the same on every machine.
pub type Rng = Xoshiro256PlusPlus;

/// A sequence of numbers: bytes of a layer, or nanoseconds to the next packet.
pub trait Distribution: Send {
    /// Writes the next numbers of the sequence.
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]);

    /// The mean of the whole sequence.
    fn mean(&self) -> f64;

    /// Every value with its probability, ascending; empty where there are too many to say. Sizes must say it: what
    /// fits into a rule on the length is decided by it.
    fn support(&self) -> Vec<(u64, f64)> {
        Vec::new()
    }
}

/// How a distribution is made.
pub enum Make {
    /// Sizes, where the description asks for this distribution.
    Size(fn(&Size) -> Option<Box<dyn Distribution>>),
    /// Gaps at a rate in packets per second, where the description asks for this distribution.
    Arrival(fn(&Arrival, f64) -> Option<Box<dyn Distribution>>),
}

/// One line of the table of distributions.
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// How it is written in the notation.
    pub example: &'static str,
    /// Makes one.
    pub make: Make,
}

/// Every distribution.
pub static TABLE: &[Entry] = &[
    Entry {
        name: "fixed",
        doc: "sizes that are all the same",
        example: "size = 200 B(payload)",
        make: Make::Size(fixed::make),
    },
    Entry {
        name: "range",
        doc: "sizes drawn uniformly between two, both included",
        example: "size = 64..1518 B(ethernet)",
        make: Make::Size(range::make),
    },
    Entry {
        name: "imix",
        doc: "seven frames of 64, four of 594 and one of 1518 bytes, shuffled once and repeated",
        example: "size = imix",
        make: Make::Size(imix::make),
    },
    Entry {
        name: "constant",
        doc: "packets evenly spaced",
        example: "arrival = constant",
        make: Make::Arrival(constant::make),
    },
    Entry {
        name: "poisson",
        doc: "exponential gaps: packets that know nothing of each other",
        example: "arrival = poisson",
        make: Make::Arrival(poisson::make),
    },
];

/// The distribution that a description of sizes asks for.
pub fn sizes(size: &Size) -> Option<Box<dyn Distribution>> {
    TABLE.iter().find_map(|e| match e.make {
        Make::Size(make) => make(size),
        Make::Arrival(_) => None,
    })
}

/// The gaps that a description of arrivals asks for, at `pps` packets per second.
pub fn arrivals(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    TABLE.iter().find_map(|e| match e.make {
        Make::Arrival(make) => make(arrival, pps),
        Make::Size(_) => None,
    })
}

/// Numbers per block: enough to make a virtual call cheap, few enough for the blocks of many components to stay in
/// the cache.
const BLOCK: usize = 32;

/// A distribution read in blocks, so that there is one virtual call for many numbers.
pub struct Blocks {
    source: Box<dyn Distribution>,
    rng: Rng,
    block: [u64; BLOCK],
    at: usize,
}

impl Blocks {
    /// Reads `source` with randomness of its own.
    pub fn new(source: Box<dyn Distribution>, rng: Rng) -> Self {
        Self { source, rng, block: [0; BLOCK], at: BLOCK }
    }

    /// The next number.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        if self.at == self.block.len() {
            self.source.fill(&mut self.rng, &mut self.block[..]);
            self.at = 0;
        }
        let value = self.block[self.at];
        self.at += 1;
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::Layer;
    use rand::SeedableRng;
    use std::collections::{BTreeMap, HashSet};

    /// A description per line of the table; a new line without one fails below.
    fn example(name: &str) -> Option<Box<dyn Distribution>> {
        let layer = Layer::Frame;
        match name {
            "fixed" => sizes(&Size::Fixed { bytes: 200, layer }),
            "range" => sizes(&Size::Range { lo: 60, hi: 1514, layer }),
            "imix" => sizes(&Size::Imix),
            "constant" => arrivals(&Arrival::Constant, 123_456.7),
            "poisson" => arrivals(&Arrival::Poisson, 123_456.7),
            _ => None,
        }
    }

    fn sample(d: &mut dyn Distribution, n: usize) -> Vec<u64> {
        let mut out = vec![0; n];
        d.fill(&mut Rng::seed_from_u64(7), &mut out);
        out
    }

    #[test]
    fn names_are_unique_and_everything_is_documented() {
        let names: HashSet<_> = TABLE.iter().map(|e| e.name).collect();
        assert_eq!(names.len(), TABLE.len());
        assert!(TABLE.iter().all(|e| !e.doc.is_empty() && e.example.contains('=')));
    }

    #[test]
    fn samples_have_the_stated_mean_and_support() {
        for entry in TABLE {
            let mut d = example(entry.name).unwrap_or_else(|| panic!("no example of {}", entry.name));
            let n = 240_000;
            let values = sample(&mut *d, n);
            let mean = values.iter().map(|v| *v as f64).sum::<f64>() / n as f64;
            assert!((mean / d.mean() - 1.0).abs() < 0.01, "{}: {mean} for {}", entry.name, d.mean());
            let support = d.support();
            if matches!(entry.make, Make::Arrival(_)) {
                continue;
            }
            let total: f64 = support.iter().map(|(_, p)| p).sum();
            let said: f64 = support.iter().map(|(v, p)| *v as f64 * p).sum();
            assert!((total - 1.0).abs() < 1e-9 && (said - d.mean()).abs() < 1e-6, "{}", entry.name);
            let mut seen = BTreeMap::new();
            values.iter().for_each(|v| *seen.entry(*v).or_insert(0u32) += 1);
            for (v, p) in &support {
                let share = f64::from(seen.remove(v).unwrap_or(0)) / n as f64;
                assert!((share - p).abs() < 0.003, "{}: {v} came {share} of the time, not {p}", entry.name);
            }
            assert!(seen.is_empty(), "{} gave values outside its support: {seen:?}", entry.name);
        }
    }

    #[test]
    fn blocks_do_not_change_the_sequence() {
        for entry in TABLE {
            let whole = sample(&mut *example(entry.name).unwrap(), 1000);
            let mut blocks = Blocks::new(example(entry.name).unwrap(), Rng::seed_from_u64(7));
            let read: Vec<_> = (0..1000).map(|_| blocks.draw()).collect();
            assert_eq!(whole, read, "{}", entry.name);
        }
    }

    #[test]
    fn constant_gaps_never_drift() {
        let mut d = arrivals(&Arrival::Constant, 3_000_000.0).unwrap();
        let gaps = sample(&mut *d, 3_000_000);
        assert_eq!(gaps.iter().sum::<u64>(), 1_000_000_000);
        assert!(gaps.iter().all(|g| *g == 333 || *g == 334));
    }

    #[test]
    fn poisson_gaps_vary_as_much_as_they_last() {
        let mut d = arrivals(&Arrival::Poisson, 10_000.0).unwrap();
        let gaps = sample(&mut *d, 200_000);
        let mean = gaps.iter().sum::<u64>() as f64 / gaps.len() as f64;
        let var = gaps.iter().map(|g| (*g as f64 - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((var.sqrt() / mean - 1.0).abs() < 0.02, "CV {}", var.sqrt() / mean);
    }

    #[test]
    fn imix_has_its_exact_mean_after_every_dozen() {
        let values = sample(&mut *sizes(&Size::Imix).unwrap(), 120);
        for dozen in values.chunks(12) {
            assert_eq!(dozen.iter().sum::<u64>(), 7 * 64 + 4 * 594 + 1518);
        }
    }
}
