//! `repeat = until(±2%)`: when a point has been measured often enough.

use reports::record::{Search, Trial};
use reports::stats::Estimator;
use reports::summary::{Metric, reasons};

/// Fewer values than this say nothing about how well their median is known.
const FEWEST: usize = 6;

/// Whether the interval of a point's median reaches no farther than the share `within` of it to either side: of the rate
/// that searches found, else of the CPU time per packet.
pub(super) fn known(
    estimator: &mut Estimator,
    within: f64,
    point: u32,
    trials: &[Trial],
    searches: &[Search],
) -> bool {
    let found: Vec<f64> = searches
        .iter()
        .filter(|s| s.point == point && s.invalid.is_empty())
        .filter_map(|s| s.goals.first()?.lower)
        .collect();
    let of_point = trials.iter().filter(|t| t.point == point && t.step.is_none() && reasons(t).is_empty());
    let costs: Vec<f64> = of_point.filter_map(|t| Metric::TotalNs.of(t)).collect();
    let values = if found.is_empty() { costs } else { found };
    if values.len() < FEWEST {
        return false;
    }
    estimator.estimate(values).is_some_and(|e| {
        let reach = (e.high - e.median).max(e.median - e.low);
        reach <= within * e.median.abs()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::{Cpu, Ledger};

    fn trials(costs: &[u64]) -> Vec<Trial> {
        let trial = |&cost: &u64| Trial {
            ledger: Ledger { offered: 1000, counted: 1000, ..Ledger::default() },
            cpu: Cpu { total: cost * 1000, ..Cpu::default() },
            ..Trial::default()
        };
        costs.iter().map(trial).collect()
    }

    #[test]
    fn a_median_is_known_when_its_interval_is_narrow() {
        let mut e = Estimator::new(1);
        let mut of = |costs: &[u64], within| known(&mut e, within, 0, &trials(costs), &[]);
        assert!(of(&[100, 101, 99, 100, 100, 101], 0.02));
        assert!(!of(&[100, 101, 99, 100, 100], 0.02), "too few");
        assert!(!of(&[100, 110, 90, 100, 95, 105], 0.02));
        assert!(of(&[100, 110, 90, 100, 95, 105], 0.1));
    }

    #[test]
    fn what_is_invalid_or_elsewhere_does_not_count() {
        let mut e = Estimator::new(1);
        let mut all = trials(&[100; 8]);
        assert!(known(&mut e, 0.02, 0, &all, &[]));
        assert!(!known(&mut e, 0.02, 1, &all, &[]));
        all.iter_mut().take(4).for_each(|t| t.invalid.push("rate missed".into()));
        assert!(!known(&mut e, 0.02, 0, &all, &[]));
    }
}
