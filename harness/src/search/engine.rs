//! Which load is tried next: bounds are looked for by steps that double, then halved, on a scale of ratios.

use super::book::{Book, Bounds};
use super::judge::{Class, Judge};
use super::{Abandoned, Limits, Measure, Pps};
use csn::Nanos;

/// More trials than this are a fault of the meter that is measured, or of ours.
const MOST_TRIALS: u32 = 10_000;

/// What one pass of a search aims at.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// How trials decide.
    pub judge: Judge,
    /// The pass ends when the bounds are this near, as a share of the upper one.
    pub width: f64,
    /// Length of its trials.
    pub time: Nanos,
}

/// A search in progress.
pub struct Engine<'a> {
    /// Where is searched.
    pub limits: &'a Limits,
    /// Does the trials.
    pub meter: &'a mut dyn Measure,
    /// All trials so far.
    pub book: Book,
    /// Whether there was time for all that was wanted.
    pub in_time: bool,
    trials: u32,
}

/// What a pass does next.
enum Next {
    Done,
    Try(Pps),
}

impl<'a> Engine<'a> {
    /// An engine without trials.
    pub fn new(limits: &'a Limits, meter: &'a mut dyn Measure) -> Self {
        Self { limits, meter, book: Book::default(), in_time: true, trials: 0 }
    }

    /// Measures until the target's bounds are near enough, or one of them is the end of the range. `hints` are bounds
    /// that shorter trials gave: they are tried first.
    ///
    /// # Errors
    /// [`Abandoned`], from the meter.
    pub fn pass(&mut self, target: &Target, hints: Bounds) -> Result<(), Abandoned> {
        let mut steps = Steps { hints, up: 0, down: 0 };
        while let Next::Try(load) = self.next(target, &mut steps) {
            // at least one trial, so that a pass whose judgement needs no more still goes on
            while self.book.class(load, &target.judge) == Class::Undecided {
                if !self.one(load, target.time)? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// One trial. False when there is no time for it.
    fn one(&mut self, load: Pps, time: Nanos) -> Result<bool, Abandoned> {
        let after = self.book.spent() + time.as_secs_f64();
        if after > self.limits.time.as_secs_f64() || self.trials >= MOST_TRIALS {
            self.in_time = false;
            return Ok(false);
        }
        self.trials += 1;
        let counts = self.meter.measure(load, time)?;
        self.book.add(load, counts);
        Ok(true)
    }

    /// The next load.
    fn next(&self, target: &Target, steps: &mut Steps) -> Next {
        let Limits { min, max, .. } = *self.limits;
        let load = match self.book.bounds(&target.judge) {
            Bounds { lower: None, upper: None } => steps.hints.lower.or(steps.hints.upper).unwrap_or(max),
            Bounds { lower: Some(lower), upper: None } if lower >= max => return Next::Done,
            Bounds { lower: None, upper: Some(upper) } if upper <= min => return Next::Done,
            Bounds { lower: Some(lower), upper: None } => steps.above(lower, target.width),
            Bounds { lower: None, upper: Some(upper) } => {
                let forwarded = self.forwarded(upper, target);
                steps.below(upper, forwarded, target.width)
            }
            Bounds { lower: Some(lower), upper: Some(upper) } => match middle(lower, upper, target.width) {
                Some(load) => load,
                None => return Next::Done,
            },
        };
        Next::Try(load.clamp(min, max))
    }

    /// What got through at a load that was too high: a first guess at the limit.
    fn forwarded(&self, upper: Pps, target: &Target) -> Option<Pps> {
        let least = self.book.at(upper).iter().map(super::Counts::loss).reduce(f64::min)?;
        // on a goal that tolerates loss, the load whose excess over what got through is just tolerated
        let guess = Pps::of(upper.value() * (1.0 - least) / (1.0 - target.judge.loss().min(0.99)));
        (guess < upper).then_some(guess)
    }
}

/// How far a pass has stepped up and down.
struct Steps {
    hints: Bounds,
    up: i32,
    down: i32,
}

impl Steps {
    /// A load above one that meets the goal.
    fn above(&mut self, lower: Pps, width: f64) -> Pps {
        if let Some(hint) = self.hints.upper.take().filter(|hint| *hint > lower) {
            return hint;
        }
        self.up += 1;
        Pps((lower.value() * grown(width, self.up - 1)).ceil() as u64).max(Pps(lower.0 + 1))
    }

    /// A load below one that does not.
    fn below(&mut self, upper: Pps, forwarded: Option<Pps>, width: f64) -> Pps {
        if let Some(hint) = self.hints.lower.take().filter(|hint| *hint < upper) {
            return hint;
        }
        self.down += 1;
        // what got through is a guess once; then steps go down from there
        match forwarded.filter(|_| self.down == 1) {
            Some(guess) => guess,
            None => {
                let load = Pps((upper.value() / grown(width, self.down - 1)).floor() as u64);
                load.min(Pps(upper.0.saturating_sub(1)))
            }
        }
    }
}

/// The ratio of a step: twice as wide, on a scale of ratios, with each.
fn grown(width: f64, step: i32) -> f64 {
    // 2^20 widths reach across any range
    (1.0 - width).recip().powf(2f64.powi(step.clamp(0, 20))).min(1e18)
}

/// The load in the middle of two bounds by ratio; none where they are near enough.
fn middle(lower: Pps, upper: Pps, width: f64) -> Option<Pps> {
    if upper.value() - lower.value() <= width * upper.value() {
        return None;
    }
    let load = Pps::of((lower.value() * upper.value()).sqrt());
    // next to each other there is nothing between
    (lower < load && load < upper).then_some(load)
}
