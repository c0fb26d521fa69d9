//! Distributions of packet sizes, of the times between packets, of the popularity of flows and of their lifetimes.
//!
//! To add one: a new file, and its line in [`TABLE`]; the tests of this module ask for the theory of every line, and hold
//! its samples against it.

mod burst;
mod constant;
mod empirical;
mod fixed;
mod imix;
mod mmpp;
mod model;
mod onoff;
mod poisson;
mod popularity;
mod range;
mod recorded;

pub use model::{Bounded, Counts, layer, lifetimes, sizes as model_sizes};
pub use popularity::Ranks;
pub use recorded::Recorded;

use csn::mix::{Arrival, Popularity, Size};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The generator's source of randomness: small, fast, and the same on every machine.
pub type Rng = Xoshiro256PlusPlus;

/// A sequence of numbers: bytes of a layer, nanoseconds to the next packet, or ranks of flows.
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
    /// Ranks of so many flows, where the description asks for this distribution.
    Popularity(fn(&Popularity, usize) -> Option<Box<dyn Distribution>>),
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
        doc: "a deck of frames by its name, shuffled once and repeated; `imix` alone is 7 of 64, 4 of 594, 1 of 1518 bytes",
        example: "size = imix(tcp)",
        make: Make::Size(imix::make),
    },
    Entry {
        name: "genome",
        doc: "frames in the order of an IMIX genome (RFC 6985), repeated",
        example: "size = imix(\"aaafg\")",
        make: Make::Size(imix::genome),
    },
    Entry {
        name: "empirical",
        doc: "sizes with their weights",
        example: "size = empirical(64 B, 7, 594 B, 4, 1518 B, 1)",
        make: Make::Size(empirical::make),
    },
    Entry {
        name: "exponential",
        doc: "sizes, many small and few large; also lifetimes",
        example: "size = exponential(mean = 300 B)",
        make: Make::Size(model::exponential),
    },
    Entry {
        name: "normal",
        doc: "sizes around a mean; also lifetimes",
        example: "size = normal(mean = 600 B, deviation = 100 B)",
        make: Make::Size(model::normal),
    },
    Entry {
        name: "lognormal",
        doc: "sizes whose logarithm is normal; also lifetimes",
        example: "size = lognormal(mean = 400 B(ip), sigma = 1.2)",
        make: Make::Size(model::lognormal),
    },
    Entry {
        name: "pareto",
        doc: "sizes with a heavy tail; also lifetimes",
        example: "size = pareto(min = 60 B, alpha = 1.2)",
        make: Make::Size(model::pareto),
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
    Entry {
        name: "burst",
        doc: "bursts of packets, evenly spaced",
        example: "arrival = burst(length = 32 packets)",
        make: Make::Arrival(burst::make),
    },
    Entry {
        name: "onoff",
        doc: "sources with Pareto distributed times of sending and silence: self-similar, Hurst exponent (3 - alpha) / 2",
        example: "arrival = onoff(on = 1 s, off = 4 s, alpha = 1.4, sources = 100)",
        make: Make::Arrival(onoff::make),
    },
    Entry {
        name: "mmpp",
        doc: "Poisson with a high and a low rate that take turns at random",
        example: "arrival = mmpp(ratio = 10, high = 100 ms, low = 900 ms)",
        make: Make::Arrival(mmpp::make),
    },
    Entry {
        name: "gaps",
        doc: "recorded gaps in their order, repeated and stretched to the rate",
        example: "arrival = gaps(10 us, 10 us, 1 ms)",
        make: Make::Arrival(recorded::make),
    },
    Entry {
        name: "uniform",
        doc: "all flows send alike",
        example: "popularity = uniform",
        make: Make::Popularity(popularity::uniform),
    },
    Entry {
        name: "zipf",
        doc: "few flows send most of the packets",
        example: "popularity = zipf(s = 1.1)",
        make: Make::Popularity(popularity::zipf),
    },
];

/// The distribution that a description of sizes asks for.
pub fn sizes(size: &Size) -> Option<Box<dyn Distribution>> {
    TABLE.iter().find_map(|e| match e.make {
        Make::Size(make) => make(size),
        _ => None,
    })
}

/// The gaps that a description of arrivals asks for, at `pps` packets per second.
pub fn arrivals(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    TABLE.iter().find_map(|e| match e.make {
        Make::Arrival(make) => make(arrival, pps),
        _ => None,
    })
}

/// Whole numbers whose sum follows that of others, whatever rounding leaves over.
#[derive(Default)]
struct Whole {
    rest: f64,
}

impl Whole {
    #[inline]
    fn take(&mut self, x: f64) -> u64 {
        let exact = x + self.rest;
        let whole = exact as u64;
        self.rest = exact - whole as f64;
        whole
    }
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
mod tests;
