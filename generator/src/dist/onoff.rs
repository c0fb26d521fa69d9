//! Sources that send evenly for a time and are silent for a time, both Pareto distributed: together they are self-similar
//! with the Hurst exponent (3 - alpha) / 2 (Willinger, Taqqu, Sherman and Wilson, 1997).

use super::{Distribution, Rng, Whole};
use csn::mix::Arrival;
use csn::models::Quantity;
use rand::RngExt;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Longer than any run, in nanoseconds; so that no sum of times is infinite.
const LONGEST: f64 = 1e16;

/// Times of a Pareto distribution with this mean and shape, in nanoseconds.
#[derive(Clone, Copy)]
struct Spell {
    scale: f64,
    alpha: f64,
}

impl Spell {
    fn new(mean: f64, alpha: f64) -> Self {
        Self { scale: mean * (alpha - 1.0) / alpha, alpha }
    }

    fn draw(&self, rng: &mut Rng) -> f64 {
        // 1 - u lies in (0, 1]
        (self.scale * (1.0 - rng.random::<f64>()).powf(-1.0 / self.alpha)).min(LONGEST)
    }

    /// What is left of a time at a moment within it that is as good as any other: so a source that is looked at
    /// first is as one that has run for ever. Its density is the probability to last that long, over the mean.
    fn rest(&self, rng: &mut Rng) -> f64 {
        let u: f64 = rng.random();
        let within = (self.alpha - 1.0) / self.alpha;
        if u < within {
            return u / within * self.scale;
        }
        (self.scale * ((1.0 - u) * self.alpha).powf(-1.0 / (self.alpha - 1.0))).min(LONGEST)
    }
}

/// One source: when its next packet is due, and when it falls silent.
struct Source {
    until: f64,
}

struct OnOff {
    sources: Vec<Source>,
    /// Times of the next packets, as the bits of positive numbers, which order as the numbers do. Empty before the
    /// first packet.
    next: BinaryHeap<Reverse<(u64, u32)>>,
    on: Spell,
    off: Spell,
    /// The share of time that a source sends.
    active: f64,
    /// Nanoseconds between packets of a source that sends.
    step: f64,
    /// The time of the last packet.
    now: f64,
    mean: f64,
    whole: Whole,
}

pub(super) fn make(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    let Arrival::Model(model) = arrival else { return None };
    let number = |name: &str| match model.parameter(name) {
        Some(Quantity::Time(t)) => Some(t.0 as f64),
        Some(Quantity::Number(x)) => Some(x),
        _ => None,
    };
    if model.name != "onoff" {
        return None;
    }
    let (on, off, alpha) = (number("on")?, number("off")?, number("alpha")?);
    let sources = number("sources")? as usize;
    let active = on / (on + off);
    Some(Box::new(OnOff {
        sources: (0..sources).map(|_| Source { until: 0.0 }).collect(),
        next: BinaryHeap::with_capacity(sources),
        on: Spell::new(on, alpha),
        off: Spell::new(off, alpha),
        active,
        step: sources as f64 * active * 1e9 / pps,
        now: 0.0,
        mean: 1e9 / pps,
        whole: Whole::default(),
    }))
}

impl OnOff {
    /// Every source at a moment of its own: some send, some are silent.
    fn begin(&mut self, rng: &mut Rng) {
        for i in 0..self.sources.len() {
            let first = if rng.random::<f64>() < self.active {
                self.sources[i].until = self.on.rest(rng);
                rng.random::<f64>() * self.step
            } else {
                let start = self.off.rest(rng);
                self.sources[i].until = start + self.on.draw(rng);
                start + rng.random::<f64>() * self.step
            };
            let due = self.send_from(i, first, rng);
            self.next.push(Reverse((due.to_bits(), i as u32)));
        }
    }

    /// The packet of a source that is due at `due`, or, where that is behind the end of its time, the first of a later
    /// time. The first packet of a time comes somewhere within a step, so that a time of any length has as many
    /// packets as steps, on average.
    fn send_from(&mut self, i: usize, mut due: f64, rng: &mut Rng) -> f64 {
        let source = &mut self.sources[i];
        while due >= source.until {
            let start = source.until + self.off.draw(rng);
            source.until = start + self.on.draw(rng);
            due = start + rng.random::<f64>() * self.step;
        }
        due
    }
}

impl Distribution for OnOff {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        if self.next.is_empty() {
            self.begin(rng);
        }
        for v in out {
            let Some(Reverse((bits, i))) = self.next.peek().copied() else { return };
            let due = f64::from_bits(bits);
            let after = self.send_from(i as usize, due + self.step, rng);
            if let Some(mut top) = self.next.peek_mut() {
                top.0.0 = after.to_bits();
            }
            *v = self.whole.take(due - self.now);
            self.now = due;
        }
    }

    fn mean(&self) -> f64 {
        self.mean
    }
}
