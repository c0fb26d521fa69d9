//! Two runs side by side: what became slower, faster, or worse, and whether that may stop a change.
//!
//! A difference is *claimed* where the interval of the shift excludes none, where the test still finds it after
//! Holm's correction for all cells, and where it is larger than what a run shows between its own trials (the A/A
//! floor). It is a *regression* where it is a claimed change for the worse, the whole interval lies beyond the threshold,
//! the shift is larger than an absolute floor, and a second run confirms it where there is one.

mod cells;
mod page;
mod refusals;
mod render;

pub use cells::{Cell, Change};
pub use page::page;
pub use refusals::Refusal;
pub use render::{markdown, text};

use crate::summary::{Metric, Summary, Unit};
use serde::Serialize;

/// When a change for the worse is a regression.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Criteria {
    /// Relative: 0.05 tolerates 5 % more.
    pub threshold: f64,
    /// Nanoseconds per packet that a cost may rise, whatever share of it that is.
    pub floor_ns: f64,
    /// Compare runs of other hosts or labs as well. What comes of it is shown, and is never a gate.
    pub across: bool,
}

impl Default for Criteria {
    fn default() -> Self {
        Self { threshold: 0.05, floor_ns: 1.0, across: false }
    }
}

impl Criteria {
    /// The least shift of a metric that matters, in its own unit.
    pub fn floor(&self, metric: Metric) -> f64 {
        match metric.unit() {
            Unit::NanosPerPacket => self.floor_ns,
            // a hundredth of a percent of the packets: RFC 2544 tolerates none, a noisy machine does
            Unit::Share => 1e-4,
            Unit::Bytes => 1_048_576.0,
            _ => 0.0,
        }
    }
}

/// Everything that is in the way of comparing `new` with `base`.
pub fn refusals(base: &Summary, new: &Summary) -> Vec<Refusal> {
    refusals::all(base, new, &mut Vec::new())
}

/// What a comparison comes to. Exit codes are made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No regression.
    Passes,
    /// Something became worse by more than is tolerated.
    Regression,
    /// The new run has points without enough valid trials: nothing can be said of them.
    Invalid,
    /// The runs can't be compared, or the first one is no baseline.
    NoBaseline,
}

impl Verdict {
    /// A word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Passes => "passes",
            Verdict::Regression => "regression",
            Verdict::Invalid => "invalid",
            Verdict::NoBaseline => "no usable baseline",
        }
    }
}

/// Two runs, compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What it comes to.
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub because: String,
    /// Title of the first run, and when it was made, in seconds since 1970.
    pub base: (String, f64),
    /// The same of the second.
    pub new: (String, f64),
    /// Why the runs can't be compared.
    pub refusals: Vec<Refusal>,
    /// What a reader must know of the comparison.
    pub notes: Vec<String>,
    /// What a run shows between its own trials, as a share: no smaller difference is claimed.
    pub noise: f64,
    /// What was a regression.
    pub criteria: Criteria,
    /// Every point and metric.
    pub cells: Vec<Cell>,
}

impl Comparison {
    /// Compares `new` with `base`; a change for the worse must be there in `confirm` as well, where that is given.
    pub fn of(base: &Summary, new: &Summary, confirm: Option<&Summary>, criteria: Criteria) -> Self {
        let mut notes = Vec::new();
        let mut refusals = refusals::all(base, new, &mut notes);
        if let Some(confirm) = confirm {
            refusals.extend(refusals::all(base, confirm, &mut notes));
        }
        refusals.dedup();
        notes.dedup();
        let before = notes.len();
        if criteria.across {
            notes.extend(refusals.extract_if(.., |r| r.tolerable).map(|r| r.reason));
        }
        let tolerated = notes.len() > before;
        let noise = cells::noise(base).max(cells::noise(new));
        let cells = match refusals.is_empty() {
            true => cells::all(base, new, confirm, noise, &criteria),
            false => Vec::new(),
        };
        if let few @ 1.. = cells::too_few(&cells) {
            notes.push(format!(
                "{} too few trials to show a difference alone; all points together can, and so can a larger `repeat`",
                if few == 1 { "1 point has".into() } else { format!("{few} points have") }
            ));
        }
        let (verdict, because) = verdict(&refusals, &cells, tolerated);
        Self {
            verdict,
            because,
            base: (base.title().into(), base.run.time),
            new: (new.title().into(), new.run.time),
            refusals,
            notes,
            noise,
            criteria,
            cells,
        }
    }
}

fn verdict(refusals: &[Refusal], cells: &[Cell], tolerated: bool) -> (Verdict, String) {
    let named = |change: Change| -> Vec<&str> {
        cells.iter().filter(|c| c.change == change).map(|c| c.point.as_str()).collect()
    };
    if let Some(first) = refusals.first() {
        return (Verdict::NoBaseline, first.reason.clone());
    }
    let regressed: Vec<&Cell> = cells.iter().filter(|c| c.change == Change::Regressed).collect();
    if tolerated {
        return (
            Verdict::NoBaseline,
            "runs of different hosts or labs are shown side by side, never judged".into(),
        );
    }
    if let Some(worst) = regressed.iter().max_by(|a, b| a.size().total_cmp(&b.size())) {
        let more = match regressed.len() {
            1 => String::new(),
            n => format!(", and {} more", n - 1),
        };
        return (Verdict::Regression, format!("{}: {}{more}", worst.point, worst.say()));
    }
    let (invalid, missing) = (named(Change::Invalid), named(Change::NoBaseline));
    if let Some(first) = invalid.first() {
        return (Verdict::Invalid, format!("{first}: the new run has too few valid trials there"));
    }
    if !cells.is_empty() && missing.len() == cells.len() || cells.is_empty() {
        return (Verdict::NoBaseline, "the runs have no valid point in common".into());
    }
    let unconfirmed = named(Change::Unconfirmed).len();
    let because = match unconfirmed {
        0 => "nothing became worse by more than is tolerated".into(),
        n => format!("{n} changes for the worse were not confirmed by the second run"),
    };
    (Verdict::Passes, because)
}

#[cfg(test)]
mod tests;
