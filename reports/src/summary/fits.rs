//! Straight lines through the medians: what a rule costs.

use super::{Metric, Point, Summary};
use crate::stats::{Line, median, spearman};
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use serde::Serialize;

/// Resamples for the interval of a slope.
const RESAMPLES: usize = 10_000;
/// A point needs so many values before resampling it means anything.
const VALUES: usize = 3;

/// What a line is fitted against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The expected number of comparisons: the paper's "theoretical" curve.
    Comparisons,
    /// The x axis, by its name.
    Axis(String),
}

/// A line through the medians of a curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fit {
    /// The curve, as an index.
    pub series: usize,
    /// What is fitted.
    pub metric: Metric,
    /// Against what.
    pub against: Against,
    /// The line.
    pub line: Line,
    /// 95 % interval of the slope, from resampling the trials of each point; none where points have too few.
    pub slope: Option<(f64, f64)>,
    /// Spearman's coefficient of the medians: whether the metric rises at all.
    pub spearman: Option<f64>,
    /// Points that the line goes through.
    pub points: usize,
}

impl Fit {
    /// Whether the slope differs from nothing beyond what the trials' noise explains.
    pub fn rises_or_falls(&self) -> bool {
        self.slope.is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }
}

/// The fits of every curve, through the points at which the meter was not overloaded: user time against expected comparisons and against x, system time against x.
pub(super) fn all(summary: &Summary) -> Vec<Fit> {
    let mut fits = Vec::new();
    let Some(axis) = &summary.axis else { return fits };
    for (i, series) in summary.series.iter().enumerate() {
        let points: Vec<&Point> =
            series.points.iter().map(|&p| &summary.points[p]).filter(|p| !p.overloaded()).collect();
        let on_axis = || Against::Axis(axis.name.clone());
        let wanted = [
            (Metric::UserNs, Against::Comparisons),
            (Metric::UserNs, on_axis()),
            (Metric::SystemNs, on_axis()),
        ];
        fits.extend(wanted.into_iter().filter_map(|(m, a)| fit(i, m, a, &points, summary.run.seed)));
    }
    fits
}

fn fit(series: usize, metric: Metric, against: Against, points: &[&Point], seed: u64) -> Option<Fit> {
    let samples: Vec<(f64, &[f64], f64)> = points
        .iter()
        .filter_map(|p| {
            let x = match against {
                Against::Comparisons => p.comparisons,
                Against::Axis(_) => p.x?,
            };
            let e = p.get(metric)?;
            Some((x, e.values.as_slice(), e.median))
        })
        .collect();
    let medians: Vec<(f64, f64)> = samples.iter().map(|(x, _, y)| (*x, *y)).collect();
    let line = Line::fit(&medians)?;
    let slope = samples.iter().all(|(_, v, _)| v.len() >= VALUES).then(|| slopes(&samples, seed)).flatten();
    Some(Fit { series, metric, against, line, slope, spearman: spearman(&medians), points: medians.len() })
}

/// The 95 % percentile interval of the slope when the trials of every point are drawn again, with replacement.
fn slopes(samples: &[(f64, &[f64], f64)], seed: u64) -> Option<(f64, f64)> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut drawn = Vec::new();
    let mut slopes: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let points: Vec<(f64, f64)> =
                samples
                    .iter()
                    .filter_map(|(x, values, _)| {
                        drawn.clear();
                        drawn.extend(values.iter().map(|_| {
                            values[((u64::from(rng.next_u32()) * values.len() as u64) >> 32) as usize]
                        }));
                        Some((*x, median(&drawn)?))
                    })
                    .collect();
            Line::fit(&points).map(|l| l.b)
        })
        .collect();
    slopes.sort_by(f64::total_cmp);
    let at =
        |share: f64| slopes.get((share * (slopes.len().checked_sub(1)?) as f64).round() as usize).copied();
    Some((at(0.025)?, at(0.975)?))
}
