//! Point by point and metric by metric.

use super::Criteria;
use crate::stats::{Between, Estimate, Shift, holm, median};
use crate::summary::{Better, Metric, Point, Summary};
use serde::Serialize;

/// What is compared: costs, losses and rates that somebody would act upon.
const COMPARED: [Metric; 6] =
    [Metric::TotalNs, Metric::UserNs, Metric::SystemNs, Metric::Loss, Metric::Misclassified, Metric::Memory];
/// What may stop a change. User and system time are parts of the total, and memory jumps with the allocator.
const GATED: [Metric; 3] = [Metric::TotalNs, Metric::Loss, Metric::Misclassified];
/// A difference that is as likely as this by chance is none, all cells together.
const SIGNIFICANT: f64 = 0.05;
/// Trials that a point needs for an A/A comparison of its own.
const HALVES: usize = 6;

/// What became of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// No difference can be claimed.
    Same,
    /// Claimed: better.
    Better,
    /// Claimed: worse, by less than is tolerated, or in a metric that stops nothing.
    Worse,
    /// Worse by more than is tolerated.
    Regressed,
    /// It looked like a regression, and the second run does not show it.
    Unconfirmed,
    /// The new run has too few valid trials here.
    Invalid,
    /// The baseline has too few valid trials here, or does not have the point.
    NoBaseline,
}

impl Change {
    /// A word for tables.
    pub const fn word(self) -> &'static str {
        match self {
            Change::Same => "same",
            Change::Better => "better",
            Change::Worse => "worse",
            Change::Regressed => "REGRESSED",
            Change::Unconfirmed => "not confirmed",
            Change::Invalid => "invalid",
            Change::NoBaseline => "no baseline",
        }
    }
}

/// A metric at a point of both runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cell {
    /// What a person calls the point, or the points.
    pub point: String,
    /// How many points it is of: 1, or all of a curve together.
    pub points: usize,
    /// What is compared.
    pub metric: Metric,
    /// In the first run.
    pub base: Option<Estimate>,
    /// In the second run.
    pub new: Option<Estimate>,
    /// How far they lie apart.
    pub shift: Option<Shift>,
    /// How likely so large a difference is by chance, after Holm's correction for all cells.
    pub p: Option<f64>,
    /// What became of it.
    pub change: Change,
}

impl Cell {
    /// How large the change is, for finding the worst: relative where there is a ratio.
    pub(super) fn size(&self) -> f64 {
        self.shift.map_or(0.0, |s| s.ratio.map_or(s.difference.value, |r| r.value - 1.0)).abs()
    }

    /// The change in words: `CPU time 1.21 times [1.17, 1.26]`.
    pub fn say(&self) -> String {
        let title = self.metric.title();
        match self.shift {
            None => format!("{title}: {}", self.change.word()),
            Some(Shift { ratio: Some(r), .. }) => {
                format!("{title} {:.3} times [{:.3}, {:.3}]", r.value, r.low, r.high)
            }
            Some(Shift { difference: d, .. }) => {
                let show = |v: f64| {
                    format!("{}{}", if v < 0.0 { "-" } else { "+" }, self.metric.unit().show(v.abs()))
                };
                format!("{title} {} [{}, {}]", show(d.value), show(d.low), show(d.high))
            }
        }
    }
}

/// All cells, points in the order of the new run, then those that only the baseline has.
pub(super) fn all(
    base: &Summary,
    new: &Summary,
    confirm: Option<&Summary>,
    noise: f64,
    criteria: &Criteria,
) -> Vec<Cell> {
    let mut cells = Vec::new();
    let judge = |s: &Shift, metric: Metric| beyond(s, metric, criteria);
    for point in &new.points {
        let before = same_place(base, point);
        for metric in COMPARED {
            let (was, is) = (before.and_then(|p| value(p, metric)), value(point, metric));
            if was.is_none() && is.is_none() {
                continue;
            }
            let shift = shift(was, is);
            let again = confirm.map(|c| same_place(c, point).and_then(|p| value(p, metric)));
            let regressed = shift.is_some_and(|s| judge(&s, metric));
            cells.push(Cell {
                point: new.name(point),
                points: 1,
                metric,
                base: was.cloned(),
                new: is.cloned(),
                shift,
                p: shift.map(|s| s.p),
                change: match (was, is) {
                    (None, _) => Change::NoBaseline,
                    (_, None) => Change::Invalid,
                    _ if !regressed => Change::Same,
                    _ => match again.map(|c| self::shift(was, c)) {
                        Some(s) if !s.is_some_and(|s| judge(&s, metric)) => Change::Unconfirmed,
                        _ => Change::Regressed,
                    },
                },
            });
        }
    }
    for point in base.points.iter().filter(|p| p.usable() && same_place(new, p).is_none()) {
        cells.extend(GATED.into_iter().filter(|m| point.get(*m).is_some()).map(|metric| Cell {
            point: base.name(point),
            points: 1,
            metric,
            base: point.get(metric).cloned(),
            new: None,
            shift: None,
            p: None,
            change: Change::Invalid,
        }));
    }
    let mut together: Vec<Cell> =
        (0..new.series.len()).filter_map(|series| curve(base, new, confirm, series, criteria)).collect();
    together.append(&mut cells);
    claim(&mut together, noise);
    together
}

/// The CPU time of all points of a curve together: what all have in common shows with few trials at each. Values are
/// aligned first, each divided by the median of both runs at its point (J. L. Hodges, E. L. Lehmann, *Rank methods for
/// combination of independent experiments in analysis of variance*, 1962).
fn curve(
    base: &Summary,
    new: &Summary,
    confirm: Option<&Summary>,
    series: usize,
    c: &Criteria,
) -> Option<Cell> {
    let metric = Metric::TotalNs;
    let points: Vec<&Point> = new.series[series].points.iter().map(|p| &new.points[*p]).collect();
    let aligned = |other: &Summary| -> Option<(usize, Shift)> {
        let (mut first, mut second, mut count) = (Vec::new(), Vec::new(), 0);
        for point in &points {
            let was = same_place(base, point).and_then(|p| value(p, metric));
            let is = same_place(other, point).and_then(|p| value(p, metric));
            let (Some(was), Some(is)) = (was, is) else { continue };
            let both: Vec<f64> = was.values.iter().chain(&is.values).copied().collect();
            let middle = median(&both).filter(|m| *m > 0.0)?;
            first.extend(was.values.iter().map(|v| v / middle));
            second.extend(is.values.iter().map(|v| v / middle));
            count += 1;
        }
        (count > 1).then_some(())?;
        Some((count, Shift::between(&first, &second)?))
    };
    let (count, shift) = aligned(new)?;
    let worse = |s: &Shift| s.ratio.is_some_and(|r| r.low > 1.0 + c.threshold);
    // shares of a middle say nothing of nanoseconds: some point must have risen by more than the floor
    let rise = |p: &&Point| same_place(base, p).and_then(|b| Some(p.median(metric)? - b.median(metric)?));
    let rises = points.iter().filter_map(rise).any(|ns| ns > c.floor(metric));
    let confirmed = confirm.is_none_or(|c| aligned(c).is_some_and(|(_, s)| worse(&s)));
    let change = match worse(&shift) && rises {
        false => Change::Same,
        true if confirmed => Change::Regressed,
        true => Change::Unconfirmed,
    };
    let label = &new.series[series].label;
    let point = format!("{label}, all {count} points");
    Some(Cell {
        point,
        points: count,
        metric,
        base: None,
        new: None,
        shift: Some(shift),
        p: Some(shift.p),
        change,
    })
}

/// The point at the same place of another run.
fn same_place<'a>(s: &'a Summary, point: &Point) -> Option<&'a Point> {
    s.points.iter().find(|p| p.at == point.at)
}

/// What a point says of a metric, where enough of its trials are results.
fn value(point: &Point, metric: Metric) -> Option<&Estimate> {
    point.get(metric).filter(|_| point.usable())
}

fn shift(was: Option<&Estimate>, is: Option<&Estimate>) -> Option<Shift> {
    Shift::between(&was?.values, &is?.values)
}

/// Whether the whole interval lies on the bad side of what is tolerated, and the shift itself beyond the floor.
fn beyond(s: &Shift, metric: Metric, criteria: &Criteria) -> bool {
    if !GATED.contains(&metric) || s.difference.value.abs() <= criteria.floor(metric) {
        return false;
    }
    match s.ratio {
        Some(r) => r.low > 1.0 + criteria.threshold,
        // from nothing there is no ratio: any loss where there was none counts from the floor on
        None => s.difference.low > 0.0,
    }
}

/// The cells that are corrected together: those that may stop a change, or the others. Where all values of both runs are
/// the same there is nothing to test.
fn family(cells: &[Cell], gated: bool) -> Vec<usize> {
    let varies = |s: &Shift| (s.difference.low, s.difference.high, s.delta) != (0.0, 0.0, 0.0);
    let tested = |c: &Cell| GATED.contains(&c.metric) == gated && c.shift.as_ref().is_some_and(varies);
    (0..cells.len()).filter(|i| tested(&cells[*i])).collect()
}

/// How many points have too few trials to show a difference by themselves, however large it is.
pub(super) fn too_few(cells: &[Cell]) -> usize {
    let count = family(cells, true).len() as f64;
    let least = |c: &Cell| {
        let (n, m) = (c.base.as_ref()?.values.len(), c.new.as_ref()?.values.len());
        // all values of one run above all of the other: 2 in n + m over n
        Some((1..=n).fold(2.0, |p, k| p * k as f64 / (m + k) as f64) * count)
    };
    let cost = cells.iter().filter(|c| c.points == 1 && c.metric == Metric::TotalNs);
    cost.filter(|c| least(c).is_some_and(|p| p >= SIGNIFICANT)).count()
}

/// Corrects for many cells, and takes back what can't be claimed.
fn claim(cells: &mut [Cell], noise: f64) {
    for gated in [true, false] {
        let tested = family(cells, gated);
        let corrected = holm(&tested.iter().filter_map(|i| cells[*i].p).collect::<Vec<_>>());
        tested.into_iter().zip(corrected).for_each(|(i, p)| cells[i].p = Some(p));
    }
    for cell in cells {
        let (Some(s), Some(p)) = (cell.shift, cell.p) else { continue };
        let claimed =
            p < SIGNIFICANT && excluded(&s) && s.ratio.is_none_or(|r| (r.value - 1.0).abs() > noise);
        let rises = s.difference.value > 0.0;
        cell.change = match cell.change {
            Change::Regressed | Change::Unconfirmed if claimed => cell.change,
            Change::Same | Change::Regressed | Change::Unconfirmed if !claimed => Change::Same,
            _ if rises == (cell.metric.better() == Some(Better::Less)) => Change::Worse,
            _ => Change::Better,
        };
    }
}

/// Whether no shift at all lies outside of the interval.
fn excluded(s: &Shift) -> bool {
    let apart = |b: Between, none: f64| b.low > none || b.high < none;
    apart(s.difference, 0.0) && s.ratio.is_none_or(|r| apart(r, 1.0))
}

/// The A/A floor of a run: each point's trials are split into those of even and of odd place in time, and their CPU times
/// are compared as those of two meters would be. The largest relative difference that nine of ten points stay below.
pub(super) fn noise(s: &Summary) -> f64 {
    let mut differences: Vec<f64> = s
        .points
        .iter()
        .filter_map(|p| p.get(Metric::TotalNs))
        .filter(|e| e.values.len() >= HALVES)
        .filter_map(|e| {
            let half = |k: usize| median(&e.values.iter().skip(k).step_by(2).copied().collect::<Vec<_>>());
            let (a, b) = (half(0)?, half(1)?);
            (a > 0.0 && b > 0.0).then(|| (b / a - 1.0).abs())
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    let last = differences.len().saturating_sub(1);
    differences.get((last as f64 * 0.9).ceil() as usize).copied().unwrap_or(0.0)
}
