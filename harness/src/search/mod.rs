//! Searches for the highest rate that a meter can take.
//!
//! A search asks [`Measure`] for trials and sees nothing but counts: it knows neither lab nor network, and its tests run
//! on simulated meters. Which loads it tries next, [`engine`] decides from how all trials so far class each load
//! ([`judge`]); an [`Algorithm`] is a choice of goals, durations and judgement.
//!
//! | to add | a file here, and its line in [`ALGORITHMS`] |
//! |---|---|
//!
//! What did not leave the generator in time counts as lost, since the meter was not offered it. A bound that owes
//! itself to that says so ([`Irregular::Generator`]).

mod book;
mod burst;
mod engine;
mod judge;
mod loss_rate;
mod mlr;
mod rfc2544;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
mod tst009;

pub use book::Book;
pub use judge::{Class, Judge, Sums};

use csn::Nanos;
use std::fmt;

/// Every search, by the name that `rate = search(method = …)` gives it.
pub const ALGORITHMS: &[&dyn Algorithm] =
    &[&mlr::Mlr, &rfc2544::Throughput, &tst009::Verified, &loss_rate::LossRate, &burst::BackToBack];

/// The search of a name.
pub fn find(name: &str) -> Option<&'static dyn Algorithm> {
    ALGORITHMS.iter().copied().find(|a| a.name() == name)
}

/// A load in whole packets per second: whole, so that trials at the same load are known to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pps(pub u64);

impl Pps {
    /// The nearest whole load, at least one packet per second.
    pub fn of(pps: f64) -> Self {
        Self(pps.round().max(1.0) as u64)
    }

    /// As a number to reckon with.
    pub fn value(self) -> f64 {
        self.0 as f64
    }

    /// Packets that are due in a time.
    pub fn packets(self, time: Nanos) -> f64 {
        self.value() * time.as_secs_f64()
    }
}

/// What one trial counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// How long packets were to be sent.
    pub time: Nanos,
    /// Packets that were due in that time.
    pub due: u64,
    /// Of these, packets that did not leave in time.
    pub unsent: u64,
    /// Packets that left, and that the meter should have counted and did not.
    pub lost: u64,
}

impl Counts {
    /// Share of the due packets that were not counted, 0 to 1; what was not sent was lost.
    pub fn loss(&self) -> f64 {
        (self.unsent + self.lost) as f64 / self.due.max(1) as f64
    }

    /// The same, as if all had been sent: what the meter alone lost.
    pub fn without_unsent(&self) -> Self {
        Self { due: self.due.saturating_sub(self.unsent), unsent: 0, ..*self }
    }
}

/// There will be no more trials; who measures knows why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the search was given up")]
pub struct Abandoned;

/// Measures trials.
pub trait Measure {
    /// One trial: packets at `rate` for `time`, to a fresh meter.
    ///
    /// # Errors
    /// [`Abandoned`], which ends the search.
    fn measure(&mut self, rate: Pps, time: Nanos) -> Result<Counts, Abandoned>;
}

/// What is looked for: the highest load whose loss is tolerable. Names as in draft-ietf-bmwg-mlrsearch-15, section 4.6.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// A trial with more loss than this share is a high-loss trial (goal loss ratio).
    pub loss: f64,
    /// Tolerated share of the time in high-loss trials, 0 to below 1 (goal exceed ratio).
    pub exceed: f64,
    /// The search ends when its bounds are this near, as a share of the upper one (goal width).
    pub width: f64,
    /// Length of the first, short trials (goal initial trial duration).
    pub initial: Nanos,
    /// Length of the trials that decide (goal final trial duration).
    pub last: Nanos,
    /// So much time of deciding trials per load (goal duration sum).
    pub sum: Nanos,
}

/// Where is searched, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The lowest load.
    pub min: Pps,
    /// The highest load: that of the medium, or the generator's.
    pub max: Pps,
    /// All trials together send at most this long.
    pub time: Nanos,
}

/// What a search found for one goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The goal.
    pub goal: Goal,
    /// The relevant lower bound: the highest load below `upper` that meets the goal. The result.
    pub lower: Option<Pps>,
    /// The relevant upper bound: the lowest load that does not meet the goal.
    pub upper: Option<Pps>,
    /// The conditional throughput at `lower`, in packets/s: what the meter counted there, in the trial that the exceed
    /// ratio points at.
    pub throughput: Option<f64>,
    /// What keeps this from being the meter's limit and nothing else; empty for a regular result.
    pub irregular: Vec<Irregular>,
}

/// Why bounds are not the meter's limit alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Irregular {
    /// The highest load still meets the goal: the limit lies above.
    AtMax,
    /// The lowest load does not meet the goal: the limit lies below.
    BelowMin,
    /// The upper bound is the generator's: the meter alone lost too little there.
    Generator,
    /// A load above the upper bound meets the goal (loss inversion).
    Inversion(Pps),
    /// The time for the search was over.
    Time,
}

impl fmt::Display for Irregular {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Irregular::AtMax => f.write_str("the highest load still meets the goal: the limit lies above"),
            Irregular::BelowMin => {
                f.write_str("the lowest load does not meet the goal: the limit lies below")
            }
            Irregular::Generator => {
                f.write_str("the upper bound is the generator's: packets that were due did not leave in time")
            }
            Irregular::Inversion(load) => {
                write!(f, "{} packets/s, above the upper bound, meet the goal (loss inversion)", load.0)
            }
            Irregular::Time => f.write_str("the time for the search was over before the bounds were near"),
        }
    }
}

/// The longest burst at the highest rate without loss (RFC 9004).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// Packets of the burst.
    pub packets: u64,
    /// The rate at which it was sent, in packets/s.
    pub rate: f64,
    /// How long the buffer takes to fill at that rate: burst / rate, in seconds (RFC 9004, section 6.4).
    pub implied: f64,
    /// The same less what the meter took out meanwhile, in seconds: implied · (1 − throughput / rate).
    pub corrected: f64,
}

/// What came of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// For each goal, in their order. A search that looks for no rate has none.
    pub found: Vec<Found>,
    /// The longest burst, where that is what was looked for.
    pub burst: Option<Burst>,
}

/// A way to search.
pub trait Algorithm: Sync {
    /// The name in the notation.
    fn name(&self) -> &'static str;

    /// One line on what it looks for, and after which document.
    fn summary(&self) -> &'static str;

    /// Searches. The same counts always lead to the same loads, so that a search that was interrupted goes on where it
    /// was when its trials are answered from the records.
    ///
    /// # Errors
    /// [`Abandoned`], from `meter`.
    fn search(&self, goals: &[Goal], limits: &Limits, meter: &mut dyn Measure) -> Result<Answer, Abandoned>;
}
