//! Packets evenly spaced.

use super::{Distribution, Rng};
use csn::mix::Arrival;

/// The k-th packet is due at k / rate, rounded down; gaps are differences of such times and never drift.
struct Constant {
    gap: f64,
    sent: u64,
}

pub(super) fn make(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    matches!(arrival, Arrival::Constant)
        .then(|| Box::new(Constant { gap: 1e9 / pps, sent: 0 }) as Box<dyn Distribution>)
}

impl Distribution for Constant {
    fn fill(&mut self, _: &mut Rng, out: &mut [u64]) {
        let at = |k: u64| (k as f64 * self.gap) as u64;
        let mut before = at(self.sent);
        for (k, v) in out.iter_mut().enumerate() {
            let due = at(self.sent + k as u64 + 1);
            *v = due - before;
            before = due;
        }
        self.sent += out.len() as u64;
    }

    fn mean(&self) -> f64 {
        self.gap
    }
}
