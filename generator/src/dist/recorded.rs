//! Recorded gaps in their order, again and again.

use super::{Distribution, Rng};
use csn::Nanos;
use csn::mix::Arrival;

/// Gaps stretched to a rate. Times follow from the place in the recording, so that rounding never adds up.
pub struct Recorded {
    /// Times of the packets from the start of the recording, as recorded; the last is its length.
    ends: Vec<u64>,
    /// Nanoseconds of the load for one of the recording.
    stretch: f64,
    sent: u64,
}

impl Recorded {
    /// These gaps at a mean rate in packets per second; none where they last no time.
    pub fn new(gaps: impl IntoIterator<Item = Nanos>, pps: f64) -> Option<Self> {
        let mut sum = 0u64;
        let add = |gap: Nanos| {
            sum = sum.saturating_add(gap.0);
            sum
        };
        let ends: Vec<u64> = gaps.into_iter().map(add).collect();
        let whole = *ends.last().filter(|t| **t > 0)?;
        let stretch = ends.len() as f64 * 1e9 / pps / whole as f64;
        Some(Self { ends, stretch, sent: 0 })
    }

    fn at(&self, k: u64) -> u64 {
        let n = self.ends.len() as u64;
        let (rounds, rest) = (k / n, (k % n) as usize);
        let whole = self.ends[self.ends.len() - 1] as f64;
        let part = if rest == 0 { 0 } else { self.ends[rest - 1] };
        ((rounds as f64 * whole + part as f64) * self.stretch) as u64
    }
}

pub(super) fn make(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    let Arrival::Gaps(gaps) = arrival else { return None };
    Some(Box::new(Recorded::new(gaps.iter().copied(), pps)?))
}

impl Distribution for Recorded {
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
        self.ends[self.ends.len() - 1] as f64 * self.stretch / self.ends.len() as f64
    }
}
