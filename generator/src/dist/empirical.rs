//! Sizes with weights.

use super::{Distribution, Rng};
use csn::mix::Size;
use rand_distr::Distribution as _;
use rand_distr::weighted::WeightedAliasIndex;

struct Empirical {
    values: Vec<(u64, f64)>,
    draw: WeightedAliasIndex<f64>,
}

pub(super) fn make(size: &Size) -> Option<Box<dyn Distribution>> {
    let Size::Values { values, .. } = size else { return None };
    let total: f64 = values.iter().map(|(_, w)| w).sum();
    let draw = WeightedAliasIndex::new(values.iter().map(|(_, w)| *w).collect()).ok()?;
    let values = values.iter().map(|(v, w)| (u64::from(*v), w / total)).collect();
    Some(Box::new(Empirical { values, draw }))
}

impl Distribution for Empirical {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        out.iter_mut().for_each(|v| *v = self.values[self.draw.sample(rng)].0);
    }

    fn mean(&self) -> f64 {
        self.values.iter().map(|(v, p)| *v as f64 * p).sum()
    }

    fn support(&self) -> Vec<(u64, f64)> {
        self.values.clone()
    }
}
