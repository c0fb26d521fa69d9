//! Exponential gaps.

use super::{Distribution, Rng, Whole};
use csn::mix::Arrival;
use rand_distr::{Distribution as _, Exp};

struct Poisson {
    gap: Exp<f64>,
    mean: f64,
    whole: Whole,
}

pub(super) fn make(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    match arrival {
        Arrival::Poisson => {
            let gap = Exp::new(pps / 1e9).ok()?;
            Some(Box::new(Poisson { gap, mean: 1e9 / pps, whole: Whole::default() }))
        }
        _ => None,
    }
}

impl Distribution for Poisson {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        out.iter_mut().for_each(|v| *v = self.whole.take(self.gap.sample(rng)));
    }

    fn mean(&self) -> f64 {
        self.mean
    }
}
