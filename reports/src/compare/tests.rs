use super::*;
use crate::record::{ClassCount, Cpu, Ledger, Offered, Run, Trial};
use crate::store::{Ended, Stored};
use std::collections::BTreeMap;

const PACKETS: u64 = 100_000;

/// What a simulated run is.
#[derive(Clone)]
struct Made {
    /// CPU nanoseconds per packet at each of its points.
    costs: Vec<f64>,
    /// Packets of each trial that are lost at the socket.
    lost: u64,
    /// Trials of a point.
    repeat: u32,
    /// Which noise is drawn.
    seed: u64,
    /// Trials of the first point that are invalid.
    invalid: u32,
    run: Run,
    ended: bool,
}

impl Default for Made {
    fn default() -> Self {
        let run = Run { version: 1, title: "t".into(), rules_hash: "r".into(), ..Run::default() };
        Self { costs: vec![100.0, 200.0], lost: 0, repeat: 10, seed: 1, invalid: 0, run, ended: true }
    }
}

impl Made {
    fn summary(&self) -> Summary {
        let mut state = self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut noise = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // within one percent
            1.0 + ((state >> 40) as f64 / (1u64 << 24) as f64 - 0.5) * 0.02
        };
        let mut trials = Vec::new();
        for repeat in 0..self.repeat {
            for (point, cost) in self.costs.iter().enumerate() {
                let total = (cost * noise() * PACKETS as f64) as u64;
                let counted = PACKETS - self.lost;
                trials.push(Trial {
                    point: point as u32,
                    repeat,
                    meter: "m".into(),
                    at: BTreeMap::from([("meter".into(), "m".into()), ("rules".into(), point.to_string())]),
                    x: BTreeMap::from([("rules".into(), point as f64)]),
                    offered: Offered { seconds: 1.0, ..Offered::default() },
                    ledger: Ledger { offered: PACKETS, socket: self.lost, counted, ..Ledger::default() },
                    classes: vec![ClassCount { class: "a".into(), sent: PACKETS, filtered: 0, counted }],
                    cpu: Cpu { window: 1_000_000_000, total, user: total, ..Cpu::default() },
                    invalid: (point == 0 && repeat < self.invalid)
                        .then(|| "noise".to_string())
                        .into_iter()
                        .collect(),
                    ..Trial::default()
                });
            }
        }
        let end = self.ended.then(|| Ended { time: 1.0, skipped: vec![] });
        let mut run = self.run.clone();
        let rules = (0..self.costs.len()).map(|p| p.to_string()).collect();
        run.axes = vec![("rules".into(), rules)];
        run.planned = trials.len() as u32 + u32::from(!self.ended);
        Summary::of(&Stored { run, trials, end, ..Stored::default() })
    }
}

fn compare(base: &Made, new: &Made) -> Comparison {
    Comparison::of(&base.summary(), &new.summary(), None, Criteria::default())
}

fn change(c: &Comparison, metric: Metric, point: usize) -> Change {
    c.cells.iter().filter(|c| c.metric == metric && c.points == 1).nth(point).unwrap().change
}

#[test]
fn a_run_against_another_of_the_same_meter_passes() {
    for seed in 2..30 {
        let c = compare(&Made::default(), &Made { seed, ..Made::default() });
        assert_eq!(c.verdict, Verdict::Passes, "{seed}: {}", c.because);
        assert!(c.noise > 0.0 && c.noise < 0.02, "{}", c.noise);
    }
}

#[test]
fn a_slow_down_beyond_the_threshold_is_a_regression_at_its_point() {
    let slow = Made { costs: vec![100.0, 220.0], seed: 2, ..Made::default() };
    let c = compare(&Made::default(), &slow);
    assert_eq!(c.verdict, Verdict::Regression);
    assert_eq!(
        (change(&c, Metric::TotalNs, 0), change(&c, Metric::TotalNs, 1)),
        (Change::Same, Change::Regressed)
    );
    // parts of the total are shown, and stop nothing
    assert_eq!(change(&c, Metric::UserNs, 1), Change::Worse);
    assert!(c.because.contains("CPU time 1.0"), "{}", c.because);
    // the other way round it is better
    let c = compare(&slow, &Made::default());
    assert_eq!((c.verdict, change(&c, Metric::TotalNs, 1)), (Verdict::Passes, Change::Better));
}

#[test]
fn a_slow_down_of_all_points_is_found_with_few_trials_each() {
    let few = |factor: f64, seed| Made {
        costs: (1..=8).map(|k| f64::from(k) * 50.0 * factor).collect(),
        repeat: 3,
        seed,
        ..Made::default()
    };
    let c = compare(&few(1.0, 1), &few(1.12, 2));
    assert_eq!(c.verdict, Verdict::Regression);
    assert!(c.because.contains("8 points"), "{}", c.because);
    assert!(c.notes.iter().any(|n| n.contains("too few trials")), "{:?}", c.notes);
    for seed in 2..40 {
        assert_eq!(compare(&few(1.0, 1), &few(1.0, seed)).verdict, Verdict::Passes, "{seed}");
    }
}

#[test]
fn small_changes_are_told_and_tolerated() {
    // 3 %: claimed, below the threshold
    let c = compare(&Made::default(), &Made { costs: vec![103.0, 200.0], seed: 2, ..Made::default() });
    assert_eq!((c.verdict, change(&c, Metric::TotalNs, 0)), (Verdict::Passes, Change::Worse));
    // 20 % of next to nothing
    let tiny = |cost| Made { costs: vec![cost], seed: 3, ..Made::default() };
    let c = compare(&tiny(2.0), &tiny(2.4));
    assert_eq!((c.verdict, change(&c, Metric::TotalNs, 0)), (Verdict::Passes, Change::Worse));
}

#[test]
fn a_second_run_must_confirm() {
    let slow = |seed| Made { costs: vec![120.0, 200.0], seed, ..Made::default() }.summary();
    let base = Made::default().summary();
    let judged =
        |confirm: &Summary| Comparison::of(&base, &slow(2), Some(confirm), Criteria::default()).verdict;
    assert_eq!(judged(&slow(3)), Verdict::Regression);
    assert_eq!(judged(&Made { seed: 4, ..Made::default() }.summary()), Verdict::Passes);
}

#[test]
fn loss_where_there_was_none_is_a_regression_from_the_floor_on() {
    let lossy = |lost| Made { lost, seed: 2, ..Made::default() };
    assert_eq!(compare(&Made::default(), &lossy(5)).verdict, Verdict::Passes);
    let c = compare(&Made::default(), &lossy(500));
    assert_eq!((c.verdict, change(&c, Metric::Loss, 0)), (Verdict::Regression, Change::Regressed));
}

#[test]
fn what_can_t_be_compared_is_refused_with_the_reason() {
    let base = Made::default();
    let altered = |alter: &dyn Fn(&mut Made)| {
        let mut made = Made { seed: 2, ..Made::default() };
        alter(&mut made);
        made
    };
    let refused = |c: Comparison, word: &str| {
        assert_eq!(c.verdict, Verdict::NoBaseline);
        assert!(c.because.contains(word) && c.cells.is_empty(), "{}", c.because);
    };
    refused(compare(&base, &altered(&|m| m.run.rules_hash = "other".into())), "rules");
    refused(compare(&base, &altered(&|m| m.run.quick = true)), "quick");
    refused(compare(&base, &altered(&|m| m.run.host.cpus = 64)), "machines");
    refused(compare(&base, &altered(&|m| m.run.lab.kind = "user namespace".into())), "lab");
    refused(compare(&altered(&|m| m.ended = false), &base), "cut short");
    refused(compare(&altered(&|m| (m.invalid, m.costs) = (10, vec![1.0])), &base), "no valid trial");
    let traffic = |hash: &str| altered(&|m| m.run.traffic_hash = hash.into());
    refused(compare(&traffic("a"), &traffic("b")), "traffic");
    // what earlier versions did not record stands in nobody's way
    assert_eq!(compare(&base, &traffic("b")).verdict, Verdict::Passes);
    // other machines can be shown, and are never judged
    let across = Criteria { across: true, ..Criteria::default() };
    let other = altered(&|m| (m.run.host.cpus, m.costs) = (64, vec![300.0, 200.0]));
    let c = Comparison::of(&base.summary(), &other.summary(), None, across);
    assert_eq!(c.verdict, Verdict::NoBaseline);
    assert!(!c.cells.is_empty());
}

#[test]
fn points_without_results_are_no_results() {
    let noisy = Made { invalid: 9, seed: 2, ..Made::default() };
    let c = compare(&Made::default(), &noisy);
    assert_eq!((c.verdict, change(&c, Metric::TotalNs, 0)), (Verdict::Invalid, Change::Invalid));
    let c = compare(&noisy, &Made::default());
    assert_eq!((c.verdict, change(&c, Metric::TotalNs, 0)), (Verdict::Passes, Change::NoBaseline));
    // a point that is gone is no success
    let c = compare(&Made::default(), &Made { costs: vec![100.0], seed: 2, ..Made::default() });
    assert_eq!(c.verdict, Verdict::Invalid);
}

#[test]
fn people_see_what_changed_and_programs_see_all() {
    let c = compare(&Made::default(), &Made { costs: vec![100.0, 220.0], seed: 2, ..Made::default() });
    let mut out = Vec::new();
    text(&c, false, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    assert!(shown.contains("REGRESSED") && shown.contains("no difference that could be claimed"), "{shown}");
    assert!(shown.lines().all(|l| l.chars().count() <= 100), "{shown}");
    let mut out = Vec::new();
    markdown(&c, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    assert_eq!(shown.lines().filter(|l| l.starts_with("| ")).count(), c.cells.len() + 1);
    let mut out = Vec::new();
    page(&c, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap();
    assert!(shown.contains("REGRESSED") && shown.contains("<svg class=\"bar\""));
    assert_eq!(shown.matches("<tr>").count(), c.cells.len() + 1);
    let json = serde_json::to_value(&c).unwrap();
    assert_eq!(json["verdict"], "regression");
    assert_eq!(json["cells"].as_array().unwrap().len(), c.cells.len());
}
