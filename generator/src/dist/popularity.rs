//! Which flow, by its rank from 0.

use super::{Distribution, Rng};
use csn::mix::Popularity;
use rand::RngExt;
use rand_distr::{Distribution as _, Zipf};

/// Ranks below a number that may change.
pub struct Ranks {
    exponent: Option<f64>,
    count: usize,
    zipf: Option<Zipf<f64>>,
}

impl Ranks {
    /// Ranks of `count` flows.
    pub fn new(popularity: Popularity, count: usize) -> Self {
        let exponent = if let Popularity::Zipf(s) = popularity { Some(s) } else { None };
        let mut out = Self { exponent, count: 0, zipf: None };
        out.resize(count);
        out
    }

    /// There are `count` flows from now on.
    pub fn resize(&mut self, count: usize) {
        if count != self.count {
            self.count = count;
            self.zipf = self.exponent.and_then(|s| Zipf::new(count.max(1) as f64, s).ok());
        }
    }

    /// Draws one.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> usize {
        match &self.zipf {
            Some(zipf) => (zipf.sample(rng) as usize).clamp(1, self.count) - 1,
            None => rng.random_range(0..self.count),
        }
    }
}

fn make(popularity: &Popularity, count: usize) -> Box<dyn Distribution> {
    Box::new(Ranks::new(*popularity, count))
}

pub(super) fn uniform(popularity: &Popularity, count: usize) -> Option<Box<dyn Distribution>> {
    (*popularity == Popularity::Uniform).then(|| make(popularity, count))
}

pub(super) fn zipf(popularity: &Popularity, count: usize) -> Option<Box<dyn Distribution>> {
    matches!(popularity, Popularity::Zipf(_)).then(|| make(popularity, count))
}

impl Distribution for Ranks {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        out.iter_mut().for_each(|v| *v = self.draw(rng) as u64);
    }

    fn mean(&self) -> f64 {
        self.support().iter().map(|(v, p)| *v as f64 * p).sum()
    }

    fn support(&self) -> Vec<(u64, f64)> {
        let weight = |k: usize| self.exponent.map_or(1.0, |s| (k as f64).powf(-s));
        let total: f64 = (1..=self.count).map(weight).sum();
        (1..=self.count).map(|k| (k as u64 - 1, weight(k) / total)).collect()
    }
}
