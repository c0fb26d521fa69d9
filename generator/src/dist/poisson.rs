//! Exponential gaps.

use super::{Distribution, Rng};
use csn::mix::Arrival;
use rand_distr::{Distribution as _, Exp};

struct Poisson {
    gap: Exp<f64>,
    mean: f64,
    /// What rounding to whole nanoseconds has left over.
    rest: f64,
}

pub(super) fn make(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    match arrival {
        Arrival::Poisson => {
            Some(Box::new(Poisson { gap: Exp::new(pps / 1e9).ok()?, mean: 1e9 / pps, rest: 0.0 }))
        }
        _ => None,
    }
}

impl Distribution for Poisson {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        for v in out {
            let exact = self.gap.sample(rng) + self.rest;
            *v = exact as u64;
            self.rest = exact - *v as f64;
        }
    }

    fn mean(&self) -> f64 {
        self.mean
    }
}
