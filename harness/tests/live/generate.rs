//! The generator in the lab: what its ledger says has left is what arrives.

use super::scenario::{mix, scenario};
use super::{PROGRAM, alone, lab};
use csn::{ClassId, Miss, Nanos, Rate, RateSpec, Target};
use generator::Job;
use generator::job::Amount;
use harness::lab::{GENERATOR_INTERFACE, Helper, Namespaces, Place, TRAFFIC_MACS};
use harness::worker::{Go, Order, Progress};
use meters::Launch;
use std::process::Command;
use std::time::Duration;

fn order(targets: &[Target]) -> Order {
    let job = Job {
        rules: scenario().rules,
        mix: mix(targets),
        rate: RateSpec::Fixed(Rate::Pps(20_000.0)),
        amount: Amount::Time(Nanos::from_millis(200)),
        seed: 1,
        macs: TRAFFIC_MACS,
    };
    Order { job, interface: GENERATOR_INTERFACE.into(), transmitter: "packet".into() }
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

#[test]
fn every_packet_of_the_ledger_arrives() {
    let _one = alone();
    let Some(mut lab) = lab(Namespaces::Auto) else { return };
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
    let _one = alone();
    let Some(lab) = lab(Namespaces::Auto) else { return };
    let mut worker = start(lab.generator());
    let mut wrong = order(&[Target::Rule(0)]);
    wrong.interface = "absent0".into();
    worker.send(&wrong).unwrap();
    let Progress::Error { message } = answer(&mut worker) else { panic!() };
    assert!(message.contains("absent0"), "{message}");
}
