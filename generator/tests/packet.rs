//! The packet socket on a veth pair in a private namespace: what was accepted is what arrives.

mod support;

use csn::mix::{Component, Miss, ShareOf, Target, Traffic};
use csn::{Layer, RateSpec, RuleSet, Size, Span, TrafficMix};
use generator::job::{Amount, Job};
use generator::{Pace, Plan, send, tx};
use std::sync::atomic::AtomicBool;

fn job(bytes: u32) -> Job {
    let traffic =
        Traffic { flows: Some(100), size: Size::Fixed { bytes, layer: Layer::Frame }, ..Traffic::default() };
    let component = Component {
        target: Target::Others(Miss::Far),
        share: 1.0,
        share_of: ShareOf::Packets,
        traffic,
        span: Span::default(),
    };
    Job {
        rules: RuleSet::default(),
        mix: TrafficMix { components: vec![component] },
        rate: RateSpec::Max,
        amount: Amount::Packets(10_000),
        seed: 1,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    }
}

fn send_to_veth(bytes: u32) -> Result<generator::Report, String> {
    let mut tx = tx::open_packet(support::NEAR).map_err(|e| e.to_string())?;
    let mut plan = Plan::new(&job(bytes)).map_err(|e| e.to_string())?;
    send(&mut plan, &mut tx, Pace::Clock, &AtomicBool::new(false)).map_err(|e| e.to_string())
}

#[test]
fn what_was_accepted_arrives() {
    let args = ["what_was_accepted_arrives", "--exact", "--nocapture"].map(String::from);
    if !support::enter(&args) {
        return;
    }
    let report = send_to_veth(1514).unwrap();
    assert_eq!((report.planned, report.refused), (10_000, 0));
    assert_eq!(report.ledger.total().packets, support::received(support::FAR));
    let error = send_to_veth(1600).unwrap_err();
    assert!(error.contains("MTU of 1500"), "{error}");
}
