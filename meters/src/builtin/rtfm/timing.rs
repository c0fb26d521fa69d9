//! Times of the meter's elements, taken where asked for.
//!
//! The packet loop is compiled twice: with [`Off`], whose calls are empty, and with [`On`].

use crate::meter::ElementTimes;
use hdrhistogram::Histogram;
use quanta::Clock;

/// A part of the meter whose time can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// From the source to the frame's bytes, the prefilter of a capture file included; waiting excluded.
    Receive,
    /// From the bytes to the attributes.
    Parse,
    /// The rules, both passes, all rule sets.
    Match,
    /// Finding, making and counting in the flow table.
    FlowTable,
}

impl Element {
    const ALL: [(Element, &'static str); 4] = [
        (Element::Receive, "receive"),
        (Element::Parse, "parse"),
        (Element::Match, "match"),
        (Element::FlowTable, "flow table"),
    ];
}

/// What the packet loop tells of its progress.
pub trait Probe {
    /// The element has run since the call before.
    fn lap(&mut self, element: Element);

    /// The packet is done.
    fn packet(&mut self);

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
    fn lap(&mut self, _: Element) {}

    #[inline(always)]
    fn packet(&mut self) {}

    #[inline(always)]
    fn resume(&mut self) {}

    fn times(&self) -> Vec<ElementTimes> {
        Vec::new()
    }
}

/// Takes times with the processor's time stamp counter.
#[derive(Debug)]
pub struct On {
    clock: Clock,
    /// Ticks of one reading of the clock.
    cost: u64,
    mark: u64,
    /// Ticks and laps of the packet at hand.
    laps: [(u64, u64); 4],
    /// Nanoseconds.
    histograms: [Histogram<u64>; 4],
    ticks: [u64; 4],
}

/// Longest time that is told apart: 10 s.
const LONGEST: u64 = 10_000_000_000;
/// Readings from which the clock's own cost is taken.
const READINGS: usize = 10_001;

impl On {
    /// Measures what reading the clock costs.
    pub fn new() -> Self {
        let clock = Clock::new();
        let mut costs: Vec<u64> = (0..READINGS)
            .map(|_| {
                let start = clock.raw();
                clock.raw() - start
            })
            .collect();
        let (_, cost, _) = costs.select_nth_unstable(READINGS / 2);
        let cost = *cost;
        let histogram =
            || Histogram::new_with_bounds(1, LONGEST, 3).expect("the bounds of the histogram are constants");
        Self {
            mark: clock.raw(),
            clock,
            cost,
            laps: [(0, 0); 4],
            histograms: [histogram(), histogram(), histogram(), histogram()],
            ticks: [0; 4],
        }
    }

    fn nanos(&self, ticks: f64) -> f64 {
        // a long span, for the precision of the clock's scale
        let scale = self.clock.delta_as_nanos(0, 1 << 40) as f64 / (1u64 << 40) as f64;
        ticks * scale
    }
}

impl Default for On {
    fn default() -> Self {
        Self::new()
    }
}

impl Probe for On {
    #[inline]
    fn lap(&mut self, element: Element) {
        let now = self.clock.raw();
        let (ticks, laps) = &mut self.laps[element as usize];
        *ticks += now.wrapping_sub(self.mark);
        *laps += 1;
        self.mark = now;
    }

    fn packet(&mut self) {
        for (element, (ticks, laps)) in std::mem::take(&mut self.laps).into_iter().enumerate() {
            if laps > 0 {
                let net = ticks.saturating_sub(laps * self.cost);
                self.ticks[element] += net;
                let nanos = self.clock.delta_as_nanos(0, net);
                self.histograms[element].saturating_record(nanos);
            }
        }
        // what recording took belongs to no element
        self.mark = self.clock.raw();
    }

    fn resume(&mut self) {
        self.mark = self.clock.raw();
    }

    fn times(&self) -> Vec<ElementTimes> {
        let timer = self.nanos(self.cost as f64);
        Element::ALL
            .iter()
            .map(|(element, name)| {
                let h = &self.histograms[*element as usize];
                let count = h.len();
                let mean = self.nanos(self.ticks[*element as usize] as f64) / count.max(1) as f64;
                let percentiles = [50.0, 90.0, 99.0, 99.9, 100.0].map(|p| h.value_at_percentile(p));
                ElementTimes { name: (*name).into(), count, mean, percentiles, timer }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laps_go_to_their_elements_without_the_timer_s_own_cost() {
        let mut p = On::new();
        assert!(p.cost > 0);
        p.resume();
        for _ in 0..2000 {
            p.lap(Element::Receive);
            let mut x = 1u64;
            for i in 0..2000 {
                x = std::hint::black_box(x.wrapping_mul(i | 1));
            }
            p.lap(Element::Match);
            p.packet();
        }
        let times = p.times();
        let of = |name: &str| times.iter().find(|t| t.name == name).unwrap();
        assert_eq!((of("receive").count, of("match").count, of("parse").count), (2000, 2000, 0));
        assert!(of("match").percentiles[0] > 10 * of("receive").percentiles[0].max(1), "{times:?}");
        assert!(of("receive").percentiles[0] <= of("receive").timer as u64 + 1, "{times:?}");
    }
}
