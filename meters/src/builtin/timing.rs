//! Times of a meter's elements, taken where asked for.
//!
//! The packet loop is compiled twice: with [`Off`], whose calls are empty, and with [`On`]. That one takes turns: for
//! some packets it reads the clock behind every element, for as many others behind the last element only. So the
//! table has, beside the elements, the `whole` as it was without readings in between, and both come from the same
//! run: the sum of the elements must agree with it.

use crate::meter::ElementTimes;
use hdrhistogram::Histogram;
use quanta::Clock;

/// What the row of all elements together is called.
pub const WHOLE: &str = "whole";

/// What the packet loop tells of its progress. Elements are numbered in the order of their names in
/// [`super::Work::ELEMENTS`].
pub trait Probe {
    /// The element has run since the call before.
    fn lap(&mut self, element: usize);

    /// The element has run for so many packets together since the call before; it belongs to each of them in equal parts.
    fn shared(&mut self, element: usize, packets: u64);

    /// The laps since the call before were those of one packet.
    fn packet(&mut self);

    /// So many packets have gone through all elements. Meters that work on several packets at a time call it once for
    /// all of them.
    fn done(&mut self, packets: u64);

    /// The loop goes on after it has waited.
    fn resume(&mut self);

    /// The times.
    fn times(&self) -> Vec<ElementTimes>;
}

/// Takes no times and costs nothing.
#[derive(Debug, Default)]
pub struct Off;

impl Probe for Off {
    #[inline(always)]
    fn lap(&mut self, _: usize) {}

    #[inline(always)]
    fn shared(&mut self, _: usize, _: u64) {}

    #[inline(always)]
    fn packet(&mut self) {}

    #[inline(always)]
    fn done(&mut self, _: u64) {}

    #[inline(always)]
    fn resume(&mut self) {}

    fn times(&self) -> Vec<ElementTimes> {
        Vec::new()
    }
}

/// Elements that a meter may have.
pub const MOST: usize = 7;
/// Longest time that is told apart: 10 s.
const LONGEST: u64 = 10_000_000_000;
/// Readings from which the clock's own cost is taken.
const READINGS: usize = 10_001;
/// Packets after which the turn changes: no number that traffic repeats itself with.
const TURN: u64 = 61;

/// Takes times with the processor's time stamp counter.
#[derive(Debug)]
pub struct On {
    clock: Clock,
    /// Ticks of one reading of the clock.
    cost: u64,
    mark: u64,
    /// Ticks and laps of the packet at hand.
    laps: [(u64, u64); MOST],
    times: Vec<Times>,
    whole: Times,
    /// Whether it is the whole's turn, and the packets of this turn so far.
    whole_turn: bool,
    turn: u64,
}

/// Times of one element.
#[derive(Debug)]
struct Times {
    name: &'static str,
    /// Nanoseconds.
    histogram: Histogram<u64>,
    ticks: u64,
}

impl Times {
    fn new(name: &'static str) -> Self {
        let histogram =
            Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds of the histogram are constants");
        Self { name, histogram, ticks: 0 }
    }

    /// So many packets took so many ticks together.
    fn record(&mut self, clock: &Clock, ticks: u64, packets: u64) {
        self.ticks += ticks;
        let each = clock.delta_as_nanos(0, ticks / packets.max(1));
        self.histogram.saturating_record_n(each, packets);
    }
}

impl On {
    /// For a meter with these elements, at most [`MOST`]. Measures what reading the clock costs.
    pub fn new(elements: &[&'static str]) -> Self {
        let clock = Clock::new();
        let mut costs: Vec<u64> = (0..READINGS)
            .map(|_| {
                let start = clock.raw();
                clock.raw() - start
            })
            .collect();
        let (_, cost, _) = costs.select_nth_unstable(READINGS / 2);
        let cost = *cost;
        Self {
            mark: clock.raw(),
            clock,
            cost,
            laps: [(0, 0); MOST],
            times: elements.iter().take(MOST).map(|name| Times::new(name)).collect(),
            whole: Times::new(WHOLE),
            whole_turn: false,
            turn: 0,
        }
    }

    fn nanos(&self, ticks: f64) -> f64 {
        // a long span, for the precision of the clock's scale
        let scale = self.clock.delta_as_nanos(0, 1 << 40) as f64 / (1u64 << 40) as f64;
        ticks * scale
    }
}

impl Probe for On {
    #[inline]
    fn lap(&mut self, element: usize) {
        if self.whole_turn {
            return;
        }
        let now = self.clock.raw();
        let (ticks, laps) = &mut self.laps[element];
        *ticks += now.wrapping_sub(self.mark);
        *laps += 1;
        self.mark = now;
    }

    fn shared(&mut self, element: usize, packets: u64) {
        if self.whole_turn || packets == 0 {
            return;
        }
        let ticks = self.clock.raw().wrapping_sub(self.mark).saturating_sub(self.cost);
        self.times[element].record(&self.clock, ticks, packets);
        self.mark = self.clock.raw();
    }

    fn packet(&mut self) {
        if self.whole_turn {
            return;
        }
        let laps = std::mem::take(&mut self.laps);
        for (times, (ticks, laps)) in self.times.iter_mut().zip(laps) {
            if laps > 0 {
                times.record(&self.clock, ticks.saturating_sub(laps * self.cost), 1);
            }
        }
        // what recording took belongs to no element
        self.mark = self.clock.raw();
    }

    fn done(&mut self, packets: u64) {
        if packets == 0 {
            return;
        }
        if self.whole_turn {
            let ticks = self.clock.raw().wrapping_sub(self.mark).saturating_sub(self.cost);
            self.whole.record(&self.clock, ticks, packets);
        }
        self.turn += packets;
        if self.turn >= TURN {
            self.turn = 0;
            self.whole_turn = !self.whole_turn;
        }
        self.mark = self.clock.raw();
    }

    fn resume(&mut self) {
        self.mark = self.clock.raw();
    }

    fn times(&self) -> Vec<ElementTimes> {
        let timer = self.nanos(self.cost as f64);
        let times = |t: &Times| {
            let count = t.histogram.len();
            let mean = self.nanos(t.ticks as f64) / count.max(1) as f64;
            let percentiles = [50.0, 90.0, 99.0, 99.9, 100.0].map(|p| t.histogram.value_at_percentile(p));
            ElementTimes { name: t.name.into(), count, mean, percentiles, timer }
        };
        self.times.iter().chain([&self.whole]).map(times).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work() {
        let mut x = 1u64;
        for i in 0..2000 {
            x = std::hint::black_box(x.wrapping_mul(i | 1));
        }
    }

    #[test]
    fn laps_go_to_their_elements_without_the_timer_s_own_cost() {
        let mut p = On::new(&["receive", "parse", "match"]);
        assert!(p.cost > 0);
        p.resume();
        for _ in 0..20 * TURN {
            p.lap(0);
            work();
            p.lap(2);
            p.packet();
            p.done(1);
        }
        let times = p.times();
        let of = |name: &str| times.iter().find(|t| t.name == name).unwrap();
        let half = 10 * TURN;
        assert_eq!((of("receive").count, of("match").count, of("parse").count), (half, half, 0));
        assert_eq!(of(WHOLE).count, half);
        assert!(of("match").percentiles[0] > 10 * of("receive").percentiles[0].max(1), "{times:?}");
        assert!(of("receive").percentiles[0] <= of("receive").timer as u64 + 1, "{times:?}");
    }

    #[test]
    fn several_packets_at_a_time_are_that_many_times() {
        let mut p = On::new(&["receive", "fetch"]);
        p.resume();
        for _ in 0..8 {
            work();
            (0..50).for_each(|_| {
                p.lap(0);
                p.packet();
            });
            p.shared(1, 50);
            p.done(50);
        }
        let times = p.times();
        assert!(times.iter().all(|t| t.count == 200), "{times:?}");
        p.done(0);
        assert_eq!(p.times(), times);
    }
}
