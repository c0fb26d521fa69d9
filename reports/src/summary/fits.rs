//! Straight lines through the medians: what a rule costs.

use super::{Metric, Point, Summary};
use crate::stats::{Estimator, Line, percentiles, spearman};
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
pub(super) fn all(summary: &Summary, estimator: &mut Estimator) -> Vec<Fit> {
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
        fits.extend(
            wanted.into_iter().filter_map(|(m, a)| fit(i, m, a, &points, estimator, summary.run.seed)),
        );
    }
    fits
}

fn fit(
    series: usize,
    metric: Metric,
    against: Against,
    points: &[&Point],
    estimator: &mut Estimator,
    seed: u64,
) -> Option<Fit> {
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
    let slope = samples
        .iter()
        .all(|(_, v, _)| v.len() >= VALUES)
        .then(|| slopes(&samples, estimator, seed))
        .flatten();
    Some(Fit { series, metric, against, line, slope, spearman: spearman(&medians), points: medians.len() })
}

/// The 95 % percentile interval of the slope when the trials of every point are drawn again, with replacement.
fn slopes(samples: &[(f64, &[f64], f64)], estimator: &mut Estimator, seed: u64) -> Option<(f64, f64)> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    // By point, then by resample: the estimator lends the resamples of one number of values at a time.
    let drawn: Vec<(f64, Vec<f64>)> = samples
        .iter()
        .map(|(x, values, _)| {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            let resamples = estimator.resamples(sorted.len());
            // Points with as many values share their resamples; picking among them at random makes them independent.
            let mut pick = || ((u64::from(rng.next_u32()) * resamples.len() as u64) >> 32) as usize;
            (*x, (0..RESAMPLES).map(|_| resamples.median(&sorted, pick())).collect())
        })
        .collect();
    let mut points = Vec::with_capacity(drawn.len());
    let slopes: Vec<f64> = (0..RESAMPLES)
        .filter_map(|r| {
            points.clear();
            points.extend(drawn.iter().map(|(x, medians)| (*x, medians[r])));
            Line::fit(&points).map(|l| l.b)
        })
        .collect();
    (!slopes.is_empty()).then(|| percentiles(slopes))
}
