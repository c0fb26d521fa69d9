//! The generator in the lab: what its ledger says has left is what arrives.

use csn::mix::ShareOf;
use csn::{
    Class, ClassId, Component, Field, Miss, Nanos, Range, Rate, RateSpec, Rule, RuleSet, Span, Target,
    Traffic, TrafficMix, ValueSet,
};
use generator::Job;
use generator::job::Amount;
use harness::lab::{GENERATOR_INTERFACE, Helper, Lab, LabError, LabOptions, Place, TRAFFIC_MACS};
use harness::worker::{Go, Order, Progress};
use meters::Launch;
use std::process::Command;
use std::time::Duration;

const PROGRAM: &str = env!("CARGO_BIN_EXE_csnbench");

fn rules() -> RuleSet {
    let mut rules = RuleSet::default();
    rules.classes.push(Class { number: 1, name: None, span: Span::default() });
    let one = |field, n| (field, ValueSet::from_ranges([Range::numbers(n, n)]));
    let tests = vec![one(Field::Proto, 17), one(Field::DstPort, 53)];
    rules.rules.push(Rule { class: ClassId(1), tests, both: false, span: Span::default() });
    rules
}

fn order(targets: &[Target]) -> Order {
    let share = 1.0 / targets.len() as f64;
    let part = |target: &Target| Component {
        target: *target,
        share,
        share_of: ShareOf::Packets,
        traffic: Traffic::default(),
        span: Span::default(),
    };
    let job = Job {
        rules: rules(),
        mix: TrafficMix { components: targets.iter().map(part).collect() },
        rate: RateSpec::Fixed(Rate::Pps(20_000.0)),
        amount: Amount::Time(Nanos::from_millis(200)),
        seed: 1,
        macs: TRAFFIC_MACS,
    };
    Order { job, interface: GENERATOR_INTERFACE.into() }
}

fn start(place: &Place) -> Helper {
    let mut command = Command::new(PROGRAM);
    command.args(["worker", "generate"]);
    Helper::pipes(&mut command);
    Helper::new(place.spawn(command).unwrap(), Duration::ZERO).unwrap()
}

fn answer(worker: &mut Helper) -> Progress {
    worker.receive(Duration::from_secs(20), &mut || Ok(())).unwrap()
}

fn lab() -> Option<Lab> {
    match Lab::create(&LabOptions { program: PROGRAM.into(), ..LabOptions::default() }) {
        Ok(lab) => Some(lab),
        Err(e @ LabError::Refused { .. }) => {
            println!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

#[test]
fn every_packet_of_the_ledger_arrives() {
    let Some(mut lab) = lab() else { return };
    let mut worker = start(lab.generator());
    worker.send(&order(&[Target::Class(ClassId(1)), Target::Others(Miss::Far)])).unwrap();
    assert!(matches!(answer(&mut worker), Progress::Ready));
    // nothing leaves before it is told to
    assert_eq!(lab.counters().unwrap().generator.tx_packets, 0);
    worker.send(&Go).unwrap();
    let Progress::Report(report) = answer(&mut worker) else { panic!() };
    assert_eq!((report.ledger.rules[0].packets, report.ledger.others.packets), (2000, 2000));
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(lab.counters().unwrap().meter.rx_packets, 4000);
}

#[test]
fn packets_that_cannot_be_made_are_an_error_before_anything_starts() {
    let Some(lab) = lab() else { return };
    let mut worker = start(lab.generator());
    let mut wrong = order(&[Target::Rule(0)]);
    wrong.interface = "absent0".into();
    worker.send(&wrong).unwrap();
    let Progress::Error { message } = answer(&mut worker) else { panic!() };
    assert!(message.contains("absent0"), "{message}");
}
