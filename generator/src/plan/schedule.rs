//! When packets are due: absolute times, fixed before the first is sent.

use super::level::Warp;
use crate::dist::Blocks;
use crate::job::Amount;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// The stamps of packets that have no schedule are a microsecond apart, so that a capture keeps their order.
const UNPACED_STEP: u64 = 1_000;

/// The send times of some components together.
pub struct Stream {
    /// Times between packets at the full rate.
    gaps: Blocks,
    /// The time at the full rate.
    at: u64,
    /// From that to the time of the load.
    warp: Option<Warp>,
}

impl Stream {
    /// A stream of these gaps, whose rate follows a level where there is one; its first packet is due at the start.
    pub fn new(gaps: Blocks, warp: Option<Warp>) -> Self {
        Self { gaps, at: 0, warp }
    }

    /// When its next packet is due.
    #[inline]
    fn due(&mut self) -> u64 {
        match &mut self.warp {
            None => self.at,
            Some(warp) => warp.time(self.at),
        }
    }

    /// Goes on to the next packet and answers when that is due.
    #[inline]
    fn next(&mut self) -> u64 {
        self.at = self.at.saturating_add(self.gaps.draw());
        self.due()
    }
}

/// The send times of a load, in nanoseconds from its start.
pub struct Schedule {
    /// None to send as fast as possible.
    streams: Vec<Stream>,
    /// Where there are several streams: when the next packet of each is due.
    next: BinaryHeap<Reverse<(u64, u32)>>,
    /// Where there are several: the streams of packets that have been taken and not yet been written.
    taken: VecDeque<u32>,
    /// When the next packet is due.
    due: u64,
    left: u64,
    end: u64,
}

impl Schedule {
    /// A schedule of these streams.
    pub fn new(mut streams: Vec<Stream>, amount: Amount) -> Self {
        let (left, end) = match amount {
            Amount::Packets(n) => (n, u64::MAX),
            Amount::Time(t) => (u64::MAX, t.0),
        };
        let first = streams.iter_mut().enumerate().map(|(i, s)| Reverse((s.due(), i as u32)));
        let mut next: BinaryHeap<_> = first.collect();
        let due = next.peek().map_or(0, |Reverse((due, _))| *due);
        if streams.len() < 2 {
            next.clear();
        }
        Self { streams, next, taken: VecDeque::new(), due, left, end }
    }

    /// Whether packets have send times at all.
    pub fn is_paced(&self) -> bool {
        !self.streams.is_empty()
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
            self.go_on();
        }
        n
    }

    #[inline]
    fn go_on(&mut self) {
        match self.streams.as_mut_slice() {
            [] => self.due += UNPACED_STEP,
            [only] => self.due = only.next(),
            several => {
                let Some(mut top) = self.next.peek_mut() else { return };
                let stream = top.0.1;
                self.taken.push_back(stream);
                top.0.0 = several[stream as usize].next();
                drop(top);
                self.due = self.next.peek().map_or(u64::MAX, |Reverse((due, _))| *due);
            }
        }
    }

    /// The stream of the packet that is written next, of those that have been taken.
    #[inline]
    pub fn stream(&mut self) -> usize {
        self.taken.pop_front().map_or(0, |s| s as usize)
    }
}
