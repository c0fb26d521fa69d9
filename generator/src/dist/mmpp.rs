//! A Poisson process whose rate is high and low in turn, for exponentially distributed times: a Markov-modulated Poisson
//! process with two states.

use super::{Distribution, Rng, Whole};
use csn::mix::Arrival;
use csn::models::Quantity;
use rand::RngExt;
use rand_distr::{Distribution as _, Exp1};

struct Mmpp {
    /// Nanoseconds between packets, on average, in each state.
    gaps: [f64; 2],
    /// Nanoseconds that each state lasts, on average.
    stays: [f64; 2],
    /// The state, and how long it still lasts; none before the first packet.
    state: Option<(usize, f64)>,
    mean: f64,
    whole: Whole,
}

pub(super) fn make(arrival: &Arrival, pps: f64) -> Option<Box<dyn Distribution>> {
    let Arrival::Model(model) = arrival else { return None };
    let time = |name: &str| match model.parameter(name) {
        Some(Quantity::Time(t)) => Some(t.0 as f64),
        _ => None,
    };
    let Some(Quantity::Number(ratio)) = model.parameter("ratio").filter(|_| model.name == "mmpp") else {
        return None;
    };
    let stays = [time("high")?, time("low")?];
    // rates are `ratio` and 1, scaled to the mean
    let mean_rate = (ratio * stays[0] + stays[1]) / (stays[0] + stays[1]);
    let low = 1e9 / pps * mean_rate;
    let whole = Whole::default();
    Some(Box::new(Mmpp { gaps: [low / ratio, low], stays, state: None, mean: 1e9 / pps, whole }))
}

fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    let unit: f64 = Exp1.sample(rng);
    unit * mean
}

impl Distribution for Mmpp {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        let (mut state, mut left) = self.state.unwrap_or_else(|| {
            // an exponential time has no past: what is left of it is as long as all of it
            let high = rng.random::<f64>() * (self.stays[0] + self.stays[1]) < self.stays[0];
            let state = usize::from(!high);
            (state, exponential(rng, self.stays[state]))
        });
        for v in out {
            let mut passed = 0.0;
            loop {
                let gap = exponential(rng, self.gaps[state]);
                if gap < left {
                    left -= gap;
                    passed += gap;
                    break;
                }
                passed += left;
                state = 1 - state;
                left = exponential(rng, self.stays[state]);
            }
            *v = self.whole.take(passed);
        }
        self.state = Some((state, left));
    }

    fn mean(&self) -> f64 {
        self.mean
    }
}
