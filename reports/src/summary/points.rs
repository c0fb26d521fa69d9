//! The points of the grid: which trials count, what they measured, where the packets went.

use super::axis::Axis;
use super::metric::{self, Metric};
use crate::record::{Ledger, Trial};
use crate::stats::{Estimate, Estimator, median};
use crate::store::Stored;
use serde::Serialize;
use std::collections::BTreeMap;

/// From this share of one core on, the meter is at the machine's limit.
pub(super) const SATURATED: f64 = 0.95;

/// One point of the grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Point {
    /// Number in the grid, from 0.
    pub number: u32,
    /// The curve, as an index.
    pub series: usize,
    /// What a person calls it: `100 rules`, or the curve's label where there is no x.
    pub label: String,
    /// Where it lies: axis → value.
    pub at: BTreeMap<String, String>,
    /// Where it lies on the x axis.
    pub x: Option<f64>,
    /// Where it lies on every axis that has numbers.
    pub numbers: BTreeMap<String, f64>,
    /// Mean number of rules that an offered packet is compared with.
    pub comparisons: f64,
    /// Trials run.
    pub trials: usize,
    /// Trials that are results.
    pub valid: usize,
    /// Medians with intervals over the valid trials.
    pub estimates: BTreeMap<Metric, Estimate>,
    /// Where the packets of all valid trials went.
    pub ledger: Ledger,
    /// Whether the ledger of each valid trial closes.
    pub closes: bool,
    /// The classes, over all valid trials.
    pub classes: Vec<ClassLine>,
}

/// One class of a point, over its valid trials. Too few in one trial does not cancel too many in another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClassLine {
    /// Name or number.
    pub class: String,
    /// Packets that left.
    pub sent: u64,
    /// Of these, taken away on purpose.
    pub filtered: u64,
    /// Packets counted.
    pub counted: u64,
    /// Packets missing, summed over the trials that lack some.
    pub missing: u64,
    /// Packets too many, summed over the trials that have some.
    pub surplus: u64,
}

/// A trial that is no result.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Invalid {
    /// Number in the order of running.
    pub trial: u32,
    /// Its point, as an index into the points.
    pub point: usize,
    /// Why.
    pub reasons: Vec<String>,
}

impl Point {
    /// A median with its interval, where the point has valid trials and they have the metric.
    pub fn get(&self, metric: Metric) -> Option<&Estimate> {
        self.estimates.get(&metric)
    }

    /// The median of a metric.
    pub fn median(&self, metric: Metric) -> Option<f64> {
        self.get(metric).map(|e| e.median)
    }

    /// Whether the meter was at the machine's limit: its core was busy to 95 % or more. What a packet costs there
    /// is capped by the core, so such points are results but no part of a fit.
    pub fn overloaded(&self) -> bool {
        self.median(Metric::TotalShare).is_some_and(|v| v >= SATURATED)
    }

    /// Whether enough trials are results: at least half, and at least one.
    pub fn usable(&self) -> bool {
        self.valid > 0 && 2 * self.valid >= self.trials
    }
}

/// Why a trial is no result; empty for one that is. A ledger that does not close disqualifies a trial even where
/// the writer of the record did not say so.
pub fn reasons(trial: &Trial) -> Vec<String> {
    if trial.invalid.is_empty() && trial.ledger.open() != 0 {
        return vec![format!(
            "the ledger does not close: {} packets are unaccounted for",
            trial.ledger.open()
        )];
    }
    trial.invalid.clone()
}

/// The trials that are no results.
pub(super) fn invalid(trials: &[Trial], points: &[Point]) -> Vec<Invalid> {
    trials
        .iter()
        .filter_map(|t| {
            let reasons = reasons(t);
            let point = points.iter().position(|p| p.number == t.point)?;
            (!reasons.is_empty()).then_some(Invalid { trial: t.index, point, reasons })
        })
        .collect()
}

/// Every point that has a trial, in the order of the grid.
pub(super) fn all(
    stored: &Stored,
    axis: Option<&Axis>,
    place: &BTreeMap<u32, usize>,
    estimator: &mut Estimator,
) -> Vec<Point> {
    let mut grouped: BTreeMap<u32, Vec<&Trial>> = BTreeMap::new();
    for trial in &stored.trials {
        grouped.entry(trial.point).or_default().push(trial);
    }
    grouped
        .into_iter()
        .map(|(number, trials)| point(number, &trials, axis, place[&number], estimator))
        .collect()
}

fn point(
    number: u32,
    trials: &[&Trial],
    axis: Option<&Axis>,
    series: usize,
    estimator: &mut Estimator,
) -> Point {
    let any = trials[0];
    let valid: Vec<&Trial> = trials.iter().copied().filter(|t| reasons(t).is_empty()).collect();
    let x = axis.and_then(|a| any.x.get(&a.name)).copied();
    let comparisons: Vec<f64> = trials.iter().map(|t| t.expected_comparisons).collect();
    let estimates = Metric::ALL
        .into_iter()
        .filter_map(|m| {
            let values = valid.iter().filter_map(|t| m.of(t)).collect();
            Some((m, estimator.estimate(values)?))
        })
        .collect();
    Point {
        number,
        series,
        label: match (axis, x) {
            (Some(axis), Some(x)) => axis.say(x),
            _ => any.meter.clone(),
        },
        at: any.at.clone(),
        x,
        numbers: any.x.clone(),
        comparisons: median(&comparisons).unwrap_or_default(),
        trials: trials.len(),
        valid: valid.len(),
        estimates,
        ledger: total(&valid),
        closes: valid.iter().all(|t| t.ledger.open() == 0),
        classes: classes(&valid),
    }
}

fn total(trials: &[&Trial]) -> Ledger {
    let mut sum = Ledger::default();
    trials.iter().for_each(|t| sum += t.ledger);
    sum
}

fn classes(trials: &[&Trial]) -> Vec<ClassLine> {
    let mut lines: Vec<ClassLine> = Vec::new();
    let mut at: BTreeMap<&str, usize> = BTreeMap::new();
    for class in trials.iter().flat_map(|t| &t.classes) {
        let i = *at.entry(&class.class).or_insert_with(|| {
            lines.push(ClassLine { class: class.class.clone(), ..Default::default() });
            lines.len() - 1
        });
        let expected = metric::expected(class);
        lines[i].sent += class.sent;
        lines[i].filtered += class.filtered;
        lines[i].counted += class.counted;
        lines[i].missing += expected.saturating_sub(class.counted);
        lines[i].surplus += class.counted.saturating_sub(expected);
    }
    lines
}
