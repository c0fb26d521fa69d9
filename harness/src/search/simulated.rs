//! A meter, a generator and a noisy machine, in a few numbers.

use super::{Abandoned, Counts, Measure, Pps};
use csn::Nanos;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// What is simulated. Rates are packets/s.
#[derive(Clone, Debug)]
pub struct Simulated {
    /// Up to this rate nothing is lost.
    pub capacity: f64,
    /// Packets that the buffer takes before a higher rate shows.
    pub buffer: f64,
    /// Share of trials in which the machine stands still, and loses packets at any rate.
    pub stalls: f64,
    /// Share of the packets that such a trial loses.
    pub stall_loss: f64,
    /// Rates from the first to the second lose packets although higher ones may not.
    pub hole: Option<(f64, f64)>,
    /// The highest rate of the generator.
    pub generator: f64,
    /// Trials so far, as they were asked for.
    pub trials: Vec<(Pps, Nanos)>,
    /// Where stalls come from.
    pub rng: Xoshiro256PlusPlus,
}

impl Simulated {
    /// A meter that takes `capacity` packets/s, without any trouble.
    pub fn new(capacity: f64, seed: u64) -> Self {
        Self {
            capacity,
            buffer: 0.0,
            stalls: 0.0,
            stall_loss: 0.02,
            hole: None,
            generator: f64::INFINITY,
            trials: vec![],
            rng: Xoshiro256PlusPlus::seed_from_u64(seed),
        }
    }
}

impl Measure for Simulated {
    fn measure(&mut self, rate: Pps, time: Nanos) -> Result<Counts, Abandoned> {
        self.trials.push((rate, time));
        let (rate, seconds) = (rate.value(), time.as_secs_f64());
        let sending = rate.min(self.generator);
        let mut lost = ((sending - self.capacity) * seconds - self.buffer).max(0.0);
        if self.hole.is_some_and(|(from, to)| (from..to).contains(&sending)) {
            lost += sending * seconds * 0.1;
        }
        if self.rng.random_bool(self.stalls) {
            lost += sending * seconds * self.stall_loss;
        }
        // whole packets, and a part of one is none: rates that differ by less are the same to a meter
        let due = (rate * seconds).round();
        let unsent = (due - (sending * seconds).round()).max(0.0);
        let lost = lost.round().min(due - unsent);
        Ok(Counts { time, due: due as u64, unsent: unsent as u64, lost: lost as u64 })
    }
}
