//! Sizes between two, all equally likely.

use super::{Distribution, Rng};
use csn::mix::Size;
use rand::distr::{Distribution as _, Uniform};

struct Range {
    lo: u64,
    hi: u64,
    draw: Uniform<u64>,
}

pub(super) fn make(size: &Size) -> Option<Box<dyn Distribution>> {
    match size {
        Size::Range { lo, hi, .. } => {
            let (lo, hi) = (u64::from(*lo), u64::from(*hi));
            Some(Box::new(Range { lo, hi, draw: Uniform::new_inclusive(lo, hi).ok()? }))
        }
        _ => None,
    }
}

impl Distribution for Range {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        out.iter_mut().for_each(|v| *v = self.draw.sample(rng));
    }

    fn mean(&self) -> f64 {
        (self.lo + self.hi) as f64 / 2.0
    }

    fn support(&self) -> Vec<(u64, f64)> {
        let p = 1.0 / (self.hi - self.lo + 1) as f64;
        (self.lo..=self.hi).map(|v| (v, p)).collect()
    }
}
