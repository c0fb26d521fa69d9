//! What a run says: medians with intervals per point, fits, ledgers, expectations and a verdict.
//!
//! A [`Summary`] is all that a format needs. Invalid trials are listed with their reasons and enter nothing else:
//! no median, no ledger, no expectation.

mod axis;
mod expectations;
mod findings;
mod fits;
mod limits;
mod metric;
mod points;
mod searches;

pub use axis::{Axis, Series};
pub use expectations::{Checked, State, Verdict};
pub use fits::{Against, Fit};
pub use metric::{Better, Metric, Unit};
pub use points::{ClassLine, Invalid, Point, reasons};
pub use searches::Throughput;

use crate::record::{Run, Skip, Trial};
use crate::stats::{Estimator, Floor};
use crate::store::Stored;
use serde::Serialize;

/// A run, summed up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The head of the run.
    pub run: Run,
    /// Whether all that was expected holds.
    pub verdict: Verdict,
    /// Why the verdict is what it is, in one sentence.
    pub because: String,
    /// What the numbers say, in sentences, the most important first.
    pub findings: Vec<String>,
    /// What a reader must know before believing a number: limits of the machine, of the lab and of our own.
    pub limits: Vec<String>,
    /// Each expectation with what became of it.
    pub expectations: Vec<Checked>,
    /// What x is in a figure; none when no axis has two numbers.
    pub axis: Option<Axis>,
    /// The curves of a figure.
    pub series: Vec<Series>,
    /// The points of the grid, in its order.
    pub points: Vec<Point>,
    /// What searches for the highest rate found.
    pub throughputs: Vec<Throughput>,
    /// Straight lines through the medians.
    pub fits: Vec<Fit>,
    /// A/A: how far comparisons of a point with itself lie from 1, in CPU time per packet. Smaller differences are not
    /// claimed. None where no point has four valid trials.
    pub floor: Option<Floor>,
    /// Trials that are no results.
    pub invalid: Vec<Invalid>,
    /// What was not run.
    pub skipped: Vec<Skip>,
    /// How often the run was interrupted and went on.
    pub resumed: usize,
    /// Whether every planned trial was run.
    pub complete: bool,
    /// The trials themselves, in the order of running; of a search those at the rate that it found.
    #[serde(skip)]
    pub trials: Vec<Trial>,
}

/// The spread of comparisons of equals: of the CPU time per packet, over all points.
fn floor(points: &[Point], seed: u64) -> Option<Floor> {
    let groups: Vec<Vec<f64>> =
        points.iter().filter_map(|p| p.get(Metric::TotalNs)).map(|e| e.values.clone()).collect();
    Floor::of(&groups, seed)
}

impl Summary {
    /// Sums up stored records. The same records always give the same summary: resampling is seeded with the
    /// run's own seed.
    pub fn of(stored: &Stored) -> Self {
        let stored = &searches::counting(stored);
        let mut estimator = Estimator::new(stored.run.seed);
        let axis = axis::choose(&stored.run, &stored.trials);
        let (mut series, place) = axis::series(&stored.run, &stored.trials, axis.as_ref());
        let points = points::all(stored, axis.as_ref(), &place, &mut estimator);
        for (i, point) in points.iter().enumerate() {
            series[point.series].points.push(i);
        }
        let mut summary = Summary {
            run: stored.run.clone(),
            verdict: Verdict::Nothing,
            because: String::new(),
            findings: Vec::new(),
            limits: Vec::new(),
            expectations: Vec::new(),
            throughputs: searches::all(stored, &mut estimator),
            fits: Vec::new(),
            floor: floor(&points, stored.run.seed),
            invalid: points::invalid(&stored.trials, &points),
            skipped: stored.end.as_ref().map(|e| e.skipped.clone()).unwrap_or_default(),
            resumed: stored.resumed.len(),
            complete: stored.end.is_some() || (stored.run.planned as usize <= stored.trials.len()),
            trials: stored.trials.clone(),
            axis,
            series,
            points,
        };
        summary.fits = fits::all(&summary, &mut estimator);
        summary.expectations = expectations::check(&summary);
        (summary.verdict, summary.because) = expectations::verdict(&summary);
        summary.limits = limits::all(&summary, stored);
        summary.findings = searches::findings(&summary.throughputs);
        summary.findings.extend(findings::all(&summary));
        summary
    }

    /// The title, or the scenario's path where it has none.
    pub fn title(&self) -> &str {
        if self.run.title.is_empty() { &self.run.scenario } else { &self.run.title }
    }

    /// How many trials are results.
    pub fn valid(&self) -> usize {
        self.points.iter().map(|p| p.valid).sum()
    }

    /// The valid trials.
    pub fn results(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|t| reasons(t).is_empty())
    }

    /// A point's name where several series stand side by side: `100 rules, rtfm`.
    pub fn name(&self, point: &Point) -> String {
        match (&point.x, self.series.len()) {
            (Some(_), 2..) => format!("{}, {}", point.label, self.series[point.series].label),
            _ => point.label.clone(),
        }
    }
}
