//! When packets are due: absolute times, fixed before the first is sent.

use crate::dist::Blocks;
use crate::job::Amount;

/// The stamps of packets that have no schedule are a microsecond apart, so that a capture keeps their order.
const UNPACED_STEP: u64 = 1_000;

/// The send times of a load, in nanoseconds from its start.
pub struct Schedule {
    /// Times between packets; none to send as fast as possible.
    gaps: Option<Blocks>,
    due: u64,
    left: u64,
    end: u64,
}

impl Schedule {
    /// A schedule of these gaps; the first packet is due at 0.
    pub fn new(gaps: Option<Blocks>, amount: Amount) -> Self {
        let (left, end) = match amount {
            Amount::Packets(n) => (n, u64::MAX),
            Amount::Time(t) => (u64::MAX, t.0),
        };
        Self { gaps, due: 0, left, end }
    }

    /// Whether packets have send times at all.
    pub fn is_paced(&self) -> bool {
        self.gaps.is_some()
    }

    /// Whether the load ends by itself without a clock.
    pub fn is_bounded(&self) -> bool {
        self.is_paced() || self.left != u64::MAX
    }

    /// When the next packet is due; none after the last. `now` only ends a load without send times.
    #[inline]
    pub fn peek(&self, now: u64) -> Option<u64> {
        let last = if self.is_paced() { self.due } else { now };
        (self.left > 0 && last < self.end).then_some(self.due)
    }

    /// Takes the packets that are due at `now`, at most as many as fit `out`, and answers how many these are.
    #[inline]
    pub fn take(&mut self, now: u64, out: &mut [u64]) -> usize {
        let mut n = 0;
        while n < out.len() {
            match self.peek(now) {
                Some(due) if due <= now || !self.is_paced() => out[n] = due,
                _ => break,
            }
            n += 1;
            self.left -= 1;
            self.due += match &mut self.gaps {
                Some(gaps) => gaps.draw(),
                None => UNPACED_STEP,
            };
        }
        n
    }
}
