//! Bursts of packets, evenly spaced.

use super::{Distribution, Rng};
use csn::mix::Arrival;
use csn::models::Quantity;

/// The k-th packet is due at a time that follows from k alone, so that gaps never drift.
struct Burst {
    /// Packets of a burst.
    length: u64,
    /// Nanoseconds from the start of a burst to that of the next.
    period: f64,
    /// Nanoseconds between packets of a burst.
    inner: f64,
    sent: u64,
}

pub(super) fn make(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    let Arrival::Model(model) = arrival else { return None };
    let Some(Quantity::Packets(length)) = model.parameter("length").filter(|_| model.name == "burst") else {
        return None;
    };
    let period = length as f64 * 1e9 / pps;
    let asked = if let Some(Quantity::Time(gap)) = model.parameter("gap") { gap.0 as f64 } else { 0.0 };
    // a burst ends before the next begins: at the latest it is evenly spaced
    let inner = asked.min(period / length as f64);
    Some(Box::new(Burst { length, period, inner, sent: 0 }))
}

impl Burst {
    fn at(&self, k: u64) -> u64 {
        ((k / self.length) as f64 * self.period + (k % self.length) as f64 * self.inner) as u64
    }
}

impl Distribution for Burst {
    fn fill(&mut self, _: &mut Rng, out: &mut [u64]) {
        let mut before = self.at(self.sent);
        for v in out {
            self.sent += 1;
            let due = self.at(self.sent);
            *v = due - before;
            before = due;
        }
    }

    fn mean(&self) -> f64 {
        self.period / self.length as f64
    }
}
