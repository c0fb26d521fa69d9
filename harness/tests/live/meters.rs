//! Every meter that this machine has, built-in or not, under the rules and packets of `scenarios/meters/all.csn`: the
//! count of every class is the oracle's.

use super::{PROGRAM, alone, lab};
use csn::{Nanos, Rate, RateSpec, Scenario};
use harness::lab::Namespaces;
use harness::trial::{Bench, LiveBench, Measured, Task, TrialError};

/// The scenario, at a rate that every meter carries on a busy machine, in a debug build as well.
fn scenario() -> Scenario {
    let text = include_str!("../../../scenarios/meters/all.csn");
    let outcome = csn::compile("all.csn", text, &mut csn::NoLoader);
    assert!(!outcome.has_errors(), "{:?}", outcome.diagnostics);
    let mut scenario = outcome.scenario;
    scenario.experiment.run.rate = RateSpec::Fixed(Rate::Pps(2000.0));
    scenario.experiment.run.time = Nanos::from_millis(300);
    scenario
}

#[test]
fn every_meter_counts_what_the_oracle_counts() {
    let _one = alone();
    let Some(lab) = lab(Namespaces::Auto) else { return };
    let mut bench = LiveBench::new(lab, PROGRAM.into(), ::meters::METERS);
    let scenario = scenario();
    let mut wrong = vec![];
    for point in scenario.grid() {
        let name = point.meter.to_string();
        let version = match bench.prepare(&point.meter, &scenario.rules) {
            Ok(version) => version,
            Err(skip) => {
                println!("skipped: {name}: {} ({})", skip.reason, skip.cure);
                continue;
            }
        };
        let (folder, setting) = (tempfile::tempdir().unwrap(), scenario.at(&point));
        let task = Task {
            spec: &point.meter,
            rules: &scenario.rules,
            loaded: scenario.rules.rules.len(),
            setting: &setting,
            time: scenario.experiment.run.time,
            seed: 1,
            folder: folder.path(),
        };
        match bench.trial(&task, &mut || Ok(())) {
            Ok(measured) => {
                let found = faults(&measured);
                println!("{name} {version}: {} packets counted {found:?}", measured.trial.ledger.counted);
                wrong.extend(found.into_iter().map(|f| format!("{name}: {f}")));
            }
            Err(TrialError::Skip(skip)) => println!("skipped: {name}: {} ({})", skip.reason, skip.cure),
            Err(e) => wrong.push(format!("{name}: {e}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong beside what a busy machine does to the sender.
fn faults(measured: &Measured) -> Vec<String> {
    let trial = &measured.trial;
    let mut out = if measured.noise { vec![] } else { trial.invalid.clone() };
    let off = trial.classes.iter().filter(|c| c.counted != c.expected());
    out.extend(off.map(|c| format!("class {}: {} instead of {}", c.class, c.counted, c.expected())));
    if trial.ledger.counted == 0 {
        out.push("it counted nothing".into());
    }
    out
}
