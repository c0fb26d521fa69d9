//! Whether what the scenario expects holds, from records alone.
//!
//! What counts packets (`loss`, `misclassified`) must hold in every valid trial; what a machine's noise reaches
//! (`cpu`, `cpu_per_packet`, `memory`) on the median of each point.

use reports::record::{Expect, Trial};
use std::collections::BTreeMap;

/// An expectation that does not hold at a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Broken {
    /// What was expected: `loss = 0`.
    pub expected: String,
    /// Where: `meter rtfm, rules 10`.
    pub at: String,
    /// What was found.
    pub found: f64,
}

/// Every expectation that does not hold, once per point.
pub fn broken(expect: &[Expect], trials: &[&Trial]) -> Vec<Broken> {
    let mut points: BTreeMap<u32, Vec<&Trial>> = BTreeMap::new();
    for trial in trials.iter().filter(|t| t.invalid.is_empty()) {
        points.entry(trial.point).or_default().push(trial);
    }
    let mut out = vec![];
    for e in expect {
        for trials in points.values() {
            let values: Vec<f64> = trials.iter().filter_map(|t| value(&e.metric, t)).collect();
            let judged =
                if counts_packets(&e.metric) { values } else { median(values).into_iter().collect() };
            if let Some(found) = judged.into_iter().find(|v| !holds(&e.relation, *v, e.value)) {
                let at: Vec<String> = trials[0].at.iter().map(|(k, v)| format!("{k} {v}")).collect();
                let expected = format!("{} {} {}", e.metric, e.relation, e.value);
                out.push(Broken { expected, at: at.join(", "), found });
            }
        }
    }
    out
}

/// Whether the metric is exact.
fn counts_packets(metric: &str) -> bool {
    matches!(metric, "loss" | "misclassified")
}

/// The metric of one trial.
fn value(metric: &str, t: &Trial) -> Option<f64> {
    let offered = t.ledger.offered.max(1) as f64;
    let sum = |f: &dyn Fn(u64, u64) -> u64| -> f64 {
        t.classes.iter().map(|c| f(c.expected(), c.counted)).sum::<u64>() as f64
    };
    Some(match metric {
        "loss" => sum(&|expected, counted| expected.saturating_sub(counted)) / offered,
        "misclassified" => sum(&|expected, counted| counted.saturating_sub(expected)),
        "cpu" => t.cpu.total as f64 / t.cpu.window.max(1) as f64,
        "cpu_per_packet" => t.cpu.total as f64 / offered,
        "memory" => t.cpu.memory as f64,
        _ => return None,
    })
}

/// Whether `left relation right`. A relation of a later version is not judged.
fn holds(relation: &str, left: f64, right: f64) -> bool {
    use csn::experiment::Relation;
    [Relation::Equal, Relation::Less, Relation::AtMost, Relation::More, Relation::AtLeast]
        .into_iter()
        .find(|r| r.sign() == relation)
        .is_none_or(|r| r.holds(left, right))
}

/// The middle value, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(values[n / 2]),
        _ => Some((values[n / 2 - 1] + values[n / 2]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::{ClassCount, Cpu, Ledger};

    fn trial(point: u32, counted: u64, cpu: u64) -> Trial {
        Trial {
            point,
            ledger: Ledger { offered: 100, ..Ledger::default() },
            classes: vec![ClassCount { class: "a".into(), sent: 100, filtered: 0, counted }],
            cpu: Cpu { total: cpu, window: 1000, ..Cpu::default() },
            ..Trial::default()
        }
    }

    fn expect(metric: &str, relation: &str, value: f64) -> Expect {
        Expect { metric: metric.into(), relation: relation.into(), value }
    }

    #[test]
    fn a_single_loss_breaks_and_a_single_slow_trial_does_not() {
        let trials = [trial(0, 100, 100), trial(0, 100, 110), trial(0, 100, 900), trial(1, 90, 100)];
        let trials: Vec<&Trial> = trials.iter().collect();
        let found = broken(&[expect("loss", "=", 0.0), expect("cpu", "<", 0.2)], &trials);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].expected.as_str(), found[0].found), ("loss = 0", 0.1));
    }

    #[test]
    fn invalid_trials_are_not_judged() {
        let mut bad = trial(0, 0, 0);
        bad.invalid.push("rate missed".into());
        assert_eq!(broken(&[expect("loss", "=", 0.0)], &[&bad]), []);
    }
}
