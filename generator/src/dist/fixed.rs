//! Sizes that are all the same.

use super::{Distribution, Rng};
use csn::mix::Size;

struct Fixed(u64);

pub(super) fn make(size: &Size) -> Option<Box<dyn Distribution>> {
    match size {
        Size::Fixed { bytes, .. } => Some(Box::new(Fixed(u64::from(*bytes)))),
        _ => None,
    }
}

impl Distribution for Fixed {
    fn fill(&mut self, _: &mut Rng, out: &mut [u64]) {
        out.fill(self.0);
    }

    fn mean(&self) -> f64 {
        self.0 as f64
    }

    fn support(&self) -> Vec<(u64, f64)> {
        vec![(self.0, 1.0)]
    }
}
