//! What a summary concludes from simulated runs whose truth is known.

mod simulator;

use reports::record::{Expect, Record, Trial};
use reports::store::Stored;
use reports::summary::{Against, Metric, State, Summary, Verdict};
use simulator::Test;

fn summary(records: &[Record]) -> Summary {
    Summary::of(&Stored::read(simulator::lines(records).as_bytes()).unwrap())
}

fn trials(records: &mut [Record]) -> impl Iterator<Item = &mut Trial> {
    records.iter_mut().filter_map(|r| match r {
        Record::Trial(t) => Some(&mut **t),
        _ => None,
    })
}

fn expect(records: &mut [Record], metric: &str, relation: &str, value: f64) {
    let Record::Run(run) = &mut records[0] else { panic!() };
    run.expect = vec![Expect { metric: metric.into(), relation: relation.into(), value }];
}

#[test]
fn test_1_follows_the_comparisons_and_not_the_rules() {
    let s = summary(&simulator::records(Test::NumberOfRules, 9, 1));
    let of = |against: &Against| {
        s.fits.iter().find(|f| f.metric == Metric::UserNs && f.against == *against).unwrap()
    };
    let (c, r) = (of(&Against::Comparisons), of(&Against::Axis("rules".into())));
    assert!(c.line.r2 > 0.99 && c.line.r2 > r.line.r2 + 0.02, "{} {}", c.line.r2, r.line.r2);
    // The simulated meter takes 180 ns and 17 ns a comparison, and is never faster.
    let (low, high) = c.slope.unwrap();
    assert!(low < 17.1 && high > 16.9 && high - low < 1.0, "{low} {high}");
    assert!((c.line.a - 180.0).abs() < 10.0);
    let system = s.fits.iter().find(|f| f.metric == Metric::SystemNs).unwrap();
    assert!(!system.rises_or_falls(), "{system:?}");
    assert_eq!(s.verdict, Verdict::Holds, "{}", s.because);
    assert!(s.findings.iter().any(|f| f.contains("follows the expected comparisons")), "{:?}", s.findings);
    assert!(s.findings.iter().any(|f| f.starts_with("No packet was lost")), "{:?}", s.findings);
}

#[test]
fn test_2_is_linear_up_to_the_machine_limit() {
    let s = summary(&simulator::records(Test::WorstCase, 7, 1));
    assert_eq!(s.verdict, Verdict::ExpectationFails);
    assert!(s.because.contains("`loss = 0`") && s.because.contains("100 rules"), "{}", s.because);
    assert!(s.points[5].overloaded() && !s.points[4].overloaded());
    let fit = s.fits.iter().find(|f| f.against == Against::Axis("rules".into())).unwrap();
    assert!(fit.line.r2 > 0.98 && fit.points == 5 && (fit.line.b - 24.0).abs() < 1.0, "{fit:?}");
    assert!(s.findings.iter().any(|f| f.contains("a packet that matches nothing costs")), "{:?}", s.findings);
    assert!(s.findings.iter().any(|f| f.starts_with("Machine limit")), "{:?}", s.findings);
    assert_eq!(s.expectations[1].state, State::Holds);
}

#[test]
fn a_filter_gives_a_second_curve_that_is_never_above_the_first() {
    let s = summary(&simulator::records(Test::Filter, 5, 1));
    let labels: Vec<_> = s.series.iter().map(|x| x.label.as_str()).collect();
    assert_eq!(labels, ["rtfm", "rtfm(prefilter = bpf)"]);
    let total =
        |series: usize, i: usize| s.points[s.series[series].points[i]].median(Metric::TotalNs).unwrap();
    assert!((0..5).all(|i| total(1, i) < total(0, i)));
    // Comparisons and packets passed vary together there: no price of a rule may be claimed.
    assert!(
        !s.findings.iter().any(|f| f.starts_with("rtfm(prefilter = bpf): Each rule")),
        "{:?}",
        s.findings
    );
}

#[test]
fn invalid_trials_change_no_number() {
    for seed in 0..20u64 {
        let clean = simulator::records(Test::NumberOfRules, 4, seed);
        let mut dirty = Vec::new();
        for record in &clean {
            dirty.push(record.clone());
            let Record::Trial(t) = record else { continue };
            let mut t = t.clone();
            t.cpu.user = t.cpu.user.wrapping_mul(seed + 2) % 10_000_000_000;
            t.cpu.total = t.cpu.user * 2;
            t.cpu.memory *= 10;
            if t.index % 2 == 0 {
                t.invalid = vec!["spoilt".into()];
            } else {
                // Not said by the writer, but its ledger is open.
                t.invalid.clear();
                t.ledger.counted -= 1 + seed;
            }
            dirty.push(Record::Trial(t));
        }
        let (a, b) = (summary(&clean), summary(&dirty));
        assert!(b.invalid.len() >= clean.len() - 2);
        for (p, q) in a.points.iter().zip(&b.points) {
            assert_eq!(p.estimates, q.estimates, "seed {seed}, {}", p.label);
            assert_eq!((p.ledger, &p.classes, p.valid), (q.ledger, &q.classes, q.valid));
        }
        assert_eq!((a.fits, a.expectations), (b.fits, b.expectations));
    }
}

#[test]
fn a_packet_lost_once_breaks_loss_0_but_one_slow_trial_breaks_no_bound_on_cpu() {
    let mut records = simulator::records(Test::NumberOfRules, 5, 1);
    expect(&mut records, "loss", "=", 0.0);
    let first = trials(&mut records).find(|t| t.invalid.is_empty()).unwrap();
    first.ledger.socket += 1;
    first.ledger.counted -= 1;
    first.classes[0].counted = first.classes[0].counted.saturating_sub(1);
    let s = summary(&records);
    assert_eq!(s.verdict, Verdict::ExpectationFails, "{}", s.because);

    let mut records = simulator::records(Test::NumberOfRules, 5, 1);
    expect(&mut records, "cpu_per_packet", "<", 2_000.0);
    trials(&mut records).find(|t| t.invalid.is_empty()).unwrap().cpu.total *= 20;
    assert_eq!(summary(&records).verdict, Verdict::Holds);
    expect(&mut records, "cpu_per_packet", "<", 1_000.0);
    let s = summary(&records);
    assert_eq!(s.verdict, Verdict::ExpectationFails);
    assert_eq!(s.expectations[0].detail.len(), 3, "{:?}", s.expectations);
}

#[test]
fn misclassified_packets_do_not_cancel() {
    let mut records = simulator::records(Test::NumberOfRules, 5, 1);
    for t in trials(&mut records).filter(|t| t.at["rules"] == "10") {
        t.classes[1].counted += 7;
        t.classes[2].counted -= 7;
    }
    let s = summary(&records);
    assert_eq!(s.expectations[1].state, State::Fails);
    let point = &s.points[1];
    assert_eq!(point.median(Metric::Misclassified), Some(7.0));
    let valid = point.valid as u64;
    assert_eq!((point.classes[1].surplus, point.classes[2].missing), (7 * valid, 7 * valid));
    assert!(point.closes);
}

#[test]
fn holes_make_a_run_invalid_and_nothing_is_nothing() {
    let mut records = simulator::records(Test::NumberOfRules, 3, 1);
    let interrupted = summary(&records[..10]);
    assert_eq!((interrupted.verdict, interrupted.complete), (Verdict::Invalid, false));
    assert!(interrupted.because.contains("9 of 18 planned trials"), "{}", interrupted.because);

    for t in trials(&mut records).filter(|t| t.at["rules"] == "20") {
        t.invalid = vec!["rate missed".into()];
    }
    let s = summary(&records);
    assert_eq!(s.verdict, Verdict::Invalid);
    assert!(s.because.contains("20 rules") && s.because.contains("rate missed"), "{}", s.because);
    assert!(s.points[2].estimates.is_empty());

    let s = summary(&[records[0].clone(), Record::End { time: 0.0, skipped: vec![] }]);
    assert_eq!(s.verdict, Verdict::Nothing);
}

#[test]
fn an_expectation_that_this_version_does_not_know_is_not_taken_to_hold() {
    let mut records = simulator::records(Test::NumberOfRules, 3, 2);
    expect(&mut records, "latency", "<", 5.0);
    let s = summary(&records);
    assert_eq!((s.verdict, s.expectations[0].state), (Verdict::Invalid, State::Undecided));
}
