//! Models of sizes and lifetimes, cut off below and above: what lies beyond is drawn again.

use super::{Distribution, Rng};
use csn::Layer;
use csn::mix::{Lifetime, Size};
use csn::models::{Model, Quantity};
use rand::RngExt;
use rand_distr::{Distribution as _, Exp, LogNormal, Normal, Pareto};

/// The least share of a model that must lie within its bounds: else most draws would be in vain.
const LEAST: f64 = 0.01;
/// Values that a mean is summed over one by one; above, their rounding no longer matters.
const SUMMED: u64 = 65_536;

/// A continuous distribution without bounds, with its parameters for formulas.
#[derive(Clone, Copy)]
enum Kind {
    Exponential(Exp<f64>, f64),
    Normal(Normal<f64>, f64, f64),
    /// The parameters are those of the logarithm.
    LogNormal(LogNormal<f64>, f64, f64),
    /// Scale and shape.
    Pareto(Pareto<f64>, f64, f64),
    Uniform,
}

/// Whole numbers from `lo` to `hi`, both included, whose probabilities are those of a model rounded to the nearest.
#[derive(Clone, Copy)]
pub struct Bounded {
    kind: Kind,
    lo: u64,
    hi: u64,
    /// The model's probabilities below the lower and the upper bound.
    below: f64,
    upto: f64,
}

/// Φ, the distribution function of the standard normal distribution.
fn phi(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The density of the standard normal distribution.
fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

impl Kind {
    fn new(model: &Model) -> Option<Self> {
        let real = |name: &str| model.parameter(name).map(amount);
        Some(match model.name.as_str() {
            "exponential" => {
                let mean = real("mean")?;
                Kind::Exponential(Exp::new(1.0 / mean).ok()?, mean)
            }
            "normal" => {
                let (mean, deviation) = (real("mean")?, real("deviation")?);
                Kind::Normal(Normal::new(mean, deviation).ok()?, mean, deviation)
            }
            "lognormal" => {
                let (mean, sigma) = (real("mean")?, real("sigma")?);
                // the mean is exp(mu + sigma^2 / 2)
                let mu = mean.ln() - sigma * sigma / 2.0;
                Kind::LogNormal(LogNormal::new(mu, sigma).ok()?, mu, sigma)
            }
            "pareto" => {
                let (scale, shape) = (real("min")?, real("alpha")?);
                Kind::Pareto(Pareto::new(scale, shape).ok()?, scale, shape)
            }
            _ => return None,
        })
    }

    fn sample(&self, rng: &mut Rng) -> f64 {
        match self {
            Kind::Exponential(d, _) => d.sample(rng),
            Kind::Normal(d, ..) => d.sample(rng),
            Kind::LogNormal(d, ..) => d.sample(rng),
            Kind::Pareto(d, ..) => d.sample(rng),
            Kind::Uniform => 0.0,
        }
    }

    /// The distribution function.
    fn cdf(&self, x: f64) -> f64 {
        match *self {
            Kind::Exponential(_, mean) => -(-x.max(0.0) / mean).exp_m1(),
            Kind::Normal(_, mean, deviation) => phi((x - mean) / deviation),
            Kind::LogNormal(_, mu, sigma) if x > 0.0 => phi((x.ln() - mu) / sigma),
            Kind::Pareto(_, scale, shape) if x > scale => 1.0 - (scale / x).powf(shape),
            Kind::LogNormal(..) | Kind::Pareto(..) | Kind::Uniform => 0.0,
        }
    }

    /// The integral of x over the density from `a` to `b`.
    fn moment(&self, a: f64, b: f64) -> f64 {
        match *self {
            Kind::Exponential(_, mean) => {
                let tail = |x: f64| if x == f64::INFINITY { 0.0 } else { (x + mean) * (-x / mean).exp() };
                tail(a.max(0.0)) - tail(b)
            }
            Kind::Normal(_, mean, d) => {
                let (x, y) = ((a - mean) / d, (b - mean) / d);
                mean * (phi(y) - phi(x)) + d * (density(x) - density(y))
            }
            Kind::LogNormal(_, mu, s) => {
                let to = |x: f64| if x > 0.0 { phi((x.ln() - mu - s * s) / s) } else { 0.0 };
                (mu + s * s / 2.0).exp() * (to(b) - to(a))
            }
            Kind::Pareto(_, scale, shape) => {
                let a = a.max(scale);
                if shape == 1.0 {
                    return scale * (b / a).ln();
                }
                let at = |x: f64| shape / (shape - 1.0) * scale.powf(shape) * x.powf(1.0 - shape);
                at(a) - at(b)
            }
            Kind::Uniform => 0.0,
        }
    }
}

/// The number in a quantity, whatever it counts.
pub fn amount(q: Quantity) -> f64 {
    match q {
        Quantity::Number(x) => x,
        Quantity::Packets(n) => n as f64,
        Quantity::Time(t) => t.0 as f64,
        Quantity::Bytes(n, _) => f64::from(n),
    }
}

impl Bounded {
    /// A model within the bounds that it names, and within `lo` and `hi` where it names none.
    ///
    /// # Errors
    /// Where hardly anything of the model lies within: the share that does.
    pub fn new(model: &Model, lo: u64, hi: u64) -> Result<Self, f64> {
        let bound = |name: &str, default: u64| model.parameter(name).map_or(default, |q| amount(q) as u64);
        let (lo, hi) = (bound("min", lo), bound("max", hi));
        let kind = Kind::new(model).ok_or(0.0)?;
        let (below, upto) = (kind.cdf(lo as f64 - 0.5), kind.cdf(hi as f64 + 0.5));
        if !(lo <= hi && upto - below >= LEAST) {
            return Err((upto - below).max(0.0));
        }
        Ok(Self { kind, lo, hi, below, upto })
    }

    /// Equally likely numbers.
    pub fn uniform(lo: u64, hi: u64) -> Self {
        Self { kind: Kind::Uniform, lo, hi, below: 0.0, upto: 1.0 }
    }

    /// Draws one.
    #[inline]
    pub fn draw(&self, rng: &mut Rng) -> u64 {
        if let Kind::Uniform = self.kind {
            return rng.random_range(self.lo..=self.hi);
        }
        loop {
            let x = self.kind.sample(rng);
            if x >= self.lo as f64 - 0.5 && x < self.hi as f64 + 0.5 {
                return (x.round() as u64).clamp(self.lo, self.hi);
            }
        }
    }

    /// The probability of values up to `k`.
    pub fn upto(&self, k: u64) -> f64 {
        if k < self.lo {
            return 0.0;
        }
        if k >= self.hi {
            return 1.0;
        }
        match self.kind {
            Kind::Uniform => (k - self.lo + 1) as f64 / (self.hi - self.lo + 1) as f64,
            kind => (kind.cdf(k as f64 + 0.5) - self.below) / (self.upto - self.below),
        }
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        if let Kind::Uniform = self.kind {
            return (self.lo as f64 + self.hi as f64) / 2.0;
        }
        let last = self.hi.min(self.lo.saturating_add(SUMMED));
        let mut before = 0.0;
        let mut sum = 0.0;
        for k in self.lo..=last {
            let p = self.upto(k);
            sum += k as f64 * (p - before);
            before = p;
        }
        if last < self.hi {
            sum += self.kind.moment(last as f64 + 0.5, self.hi as f64 + 0.5) / (self.upto - self.below);
        }
        sum
    }

    /// Every value with its probability, those left out that hardly ever come.
    fn support(&self) -> Vec<(u64, f64)> {
        let mut before = 0.0;
        let each = (self.lo..=self.hi).map(|k| {
            let p = self.upto(k);
            let own = p - before;
            before = p;
            (k, own)
        });
        each.filter(|(_, p)| *p > 0.0).collect()
    }
}

/// Sizes of a model.
struct Sizes {
    draw: Bounded,
    mean: f64,
}

/// The largest size that an Ethernet frame of the usual 1500 octets gives at a layer: where models of sizes end. The
/// payload is what is left behind the headers of TCP over IPv6.
const fn usual(layer: Layer) -> u64 {
    match layer {
        Layer::Payload => 1440,
        Layer::Ip | Layer::Atm => 1500,
        Layer::Frame => 1514,
        Layer::Ethernet => 1518,
        Layer::Wire => 1538,
    }
}

/// The layer of a model's sizes.
pub fn layer(model: &Model) -> Layer {
    let layer = model.parameters.iter().find_map(|(_, q)| match q {
        Quantity::Bytes(_, layer) => Some(*layer),
        _ => None,
    });
    layer.unwrap_or(Layer::Frame)
}

/// The model of sizes that a description names, within its bounds.
///
/// # Errors
/// As [`Bounded::new`].
pub fn sizes(model: &Model) -> Result<Bounded, f64> {
    let layer = layer(model);
    Bounded::new(model, u64::from(layer != Layer::Payload), usual(layer))
}

fn make(size: &Size, name: &str) -> Option<Box<dyn Distribution>> {
    let Size::Distribution(model) = size else { return None };
    let draw = (model.name == name).then(|| sizes(model).ok()).flatten()?;
    Some(Box::new(Sizes { draw, mean: draw.mean() }))
}

pub(super) fn exponential(size: &Size) -> Option<Box<dyn Distribution>> {
    make(size, "exponential")
}

pub(super) fn normal(size: &Size) -> Option<Box<dyn Distribution>> {
    make(size, "normal")
}

pub(super) fn lognormal(size: &Size) -> Option<Box<dyn Distribution>> {
    make(size, "lognormal")
}

pub(super) fn pareto(size: &Size) -> Option<Box<dyn Distribution>> {
    make(size, "pareto")
}

impl Distribution for Sizes {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        out.iter_mut().for_each(|v| *v = self.draw.draw(rng));
    }

    fn mean(&self) -> f64 {
        self.mean
    }

    fn support(&self) -> Vec<(u64, f64)> {
        self.draw.support()
    }
}

/// What a lifetime counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// Packets of the flow.
    Packets,
    /// Nanoseconds.
    Time,
}

/// The distribution of lifetimes that a description asks for, and what it counts.
///
/// # Errors
/// As [`Bounded::new`].
pub fn lifetimes(lifetime: &Lifetime) -> Result<(Bounded, Counts), f64> {
    let counts = |q: Quantity| if let Quantity::Time(_) = q { Counts::Time } else { Counts::Packets };
    match lifetime {
        Lifetime::Range(lo, hi) => {
            let bounds = Bounded::uniform(amount(*lo) as u64, amount(*hi) as u64);
            Ok((bounds, counts(*lo)))
        }
        Lifetime::Model(model) => {
            let drawn = model.parameters.iter().map(|(_, q)| *q).find(|q| !matches!(q, Quantity::Number(_)));
            // longer than any run
            Ok((Bounded::new(model, 1, u64::MAX / 4)?, drawn.map_or(Counts::Packets, counts)))
        }
    }
}
