//! Whole trials on real packets.

use super::oracle::TABLE;
use super::scenario::{oracle, scenario};
use super::{PROGRAM, alone, lab};
use harness::lab::Namespaces;
use harness::trial::{Bench, LiveBench, Measured, Task, TrialError};
use std::io;

/// Runs one trial of the meter with that fault; none where there can be no lab.
fn trial(fault: &str, watch: &mut dyn FnMut() -> io::Result<()>) -> Option<Result<Measured, TrialError>> {
    let _one = alone();
    let mut bench = LiveBench::new(lab(Namespaces::Auto)?, PROGRAM.into(), TABLE);
    let folder = tempfile::tempdir().unwrap();
    let (scenario, spec) = (scenario(), oracle(fault));
    let setting = scenario.at(&scenario.grid()[1]);
    let task = Task {
        spec: &spec,
        rules: &scenario.rules,
        loaded: setting.loaded.rules.len(),
        setting: &setting,
        time: scenario.experiment.run.time,
        seed: 1,
        folder: folder.path(),
    };
    Some(bench.trial(&task, watch))
}

#[test]
fn a_trial_closes_its_ledger_and_counts_every_class() {
    let Some(result) = trial("", &mut || Ok(())) else { return };
    let measured = result.unwrap();
    // noise of the machine may make it invalid, wrong counts may not
    assert!(measured.trial.invalid.is_empty() || measured.noise, "{:?}", measured.trial.invalid);
    let t = measured.trial;
    assert_eq!((t.ledger.offered, t.ledger.counted, t.ledger.open()), (5500, 5500, 0), "{:?}", t.ledger);
    // four classes are not loaded: their packets are others
    let counted: Vec<u64> = t.classes.iter().map(|c| c.counted).collect();
    assert_eq!(counted, [2500, 500, 500, 500, 500, 500, 500, 0, 0, 0, 0]);
    assert!(t.classes.iter().all(|c| c.counted == c.expected()));
    assert!((t.expected_comparisons - (21.0 + 5.0 * 6.0) / 11.0).abs() < 1e-9);
    assert!(t.cpu.window > 500_000_000 && t.cpu.total > 0 && t.cpu.memory > 0, "{:?}", t.cpu);
    assert_eq!((t.cpu.split.as_str(), t.cpu.user + t.cpu.system), ("sampled", t.cpu.total));
}

#[test]
fn a_meter_that_counts_wrong_is_caught_by_class() {
    let Some(result) = trial("swap", &mut || Ok(())) else { return };
    let measured = result.unwrap();
    assert!(!measured.noise);
    assert_eq!(measured.trial.ledger.open(), 0);
    let reasons = measured.trial.invalid.join("\n");
    assert!(reasons.contains("class others: 2501 packets counted"), "{reasons}");
    assert!(reasons.contains("class 1: 499 packets counted of 500"), "{reasons}");
}

#[test]
fn frames_that_a_meter_has_sent_at_its_end_are_no_part_of_the_load() {
    let Some(result) = trial("more", &mut || Ok(())) else { return };
    let t = result.unwrap().trial;
    assert_eq!((t.ledger.offered, t.ledger.interface), (5500, 0));
    // this meter does not leave them out, and that is seen
    assert_eq!(t.classes[0].counted, t.classes[0].expected() + 100);
    assert_eq!(t.ledger.open(), -100);
}

#[test]
fn a_meter_that_dies_makes_the_trial_invalid_and_no_more() {
    let Some(result) = trial("die", &mut || Ok(())) else { return };
    let measured = result.unwrap();
    assert!(!measured.noise);
    assert!(measured.trial.invalid[0].starts_with("the meter failed"), "{:?}", measured.trial.invalid);
    assert_eq!(measured.trial.ledger.offered, 5500);
}

#[test]
fn a_wish_to_stop_ends_a_trial_in_the_middle() {
    let Some(result) = trial("", &mut || Err(io::ErrorKind::Interrupted.into())) else { return };
    assert!(matches!(result, Err(TrialError::Interrupted)), "{result:?}");
}
