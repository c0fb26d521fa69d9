//! The back ends that send to an interface, on a veth pair in a private namespace: what is counted is what arrives, and
//! every back end sends the same frames.

mod support;

use csn::mix::{Component, Miss, Order, Payload, ShareOf, Target, Traffic};
use csn::{Layer, RateSpec, RuleSet, Size, Span, TrafficMix};
use generator::bpf::{OnReceive, Verdict};
use generator::job::{Amount, Job};
use generator::send::{Pacing, send_by_threads};
use generator::tx::{Needs, TABLE, TxError};
use generator::{Plan, Report, send};
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

fn job(size: Size, count: u64) -> Job {
    let traffic = Traffic {
        flows: Some(100),
        size,
        order: Order::Random,
        payload: Payload::Random,
        ..Traffic::default()
    };
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
        amount: Amount::Packets(count),
        seed: 1,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    }
}

/// Sends by a line of the table; none where the machine lacks what that one needs.
fn send_by(name: &str, job: &Job) -> Option<Result<Report, String>> {
    let mut plan = Plan::new(job).unwrap();
    let result = generator::tx::open(name, support::NEAR, plan.longest())
        .map_err(generator::SendError::from)
        .and_then(|mut o| send(&mut plan, o.tx.as_mut(), o.pace, &AtomicBool::new(false)));
    match result {
        Err(generator::SendError::Device(e @ TxError::Missing { .. })) => {
            eprintln!("skipped: {e}");
            None
        }
        result => Some(result.map_err(|e| e.to_string())),
    }
}

fn to_interfaces() -> impl Iterator<Item = &'static str> {
    TABLE.iter().filter(|e| e.needs == Needs::Interface).map(|e| e.name)
}

#[test]
fn what_is_counted_arrives_and_all_send_the_same() {
    let args = ["what_is_counted_arrives_and_all_send_the_same", "--exact", "--nocapture"].map(String::from);
    if !support::enter(&args) {
        return;
    }
    // frames of XDP programs need a receiver that polls; without the right to have one, `live` is skipped
    let _polling = OnReceive::attach(support::FAR, Verdict::Pass);
    for name in to_interfaces() {
        let fixed = |bytes| Size::Fixed { bytes, layer: Layer::Frame };
        let before = support::received(support::FAR);
        let Some(report) = send_by(name, &job(fixed(1514), 10_000)) else { continue };
        let report = report.unwrap();
        assert_eq!((report.planned, report.refused), (10_000, 0), "{name}");
        let arrived = support::received(support::FAR) - before;
        assert_eq!(report.ledger.total().packets, arrived, "{name}");

        let error = send_by(name, &job(fixed(1600), 1)).unwrap().unwrap_err();
        assert!(error.contains("MTU of 1500"), "{name}: {error}");

        let job = job(Size::Range { lo: 60, hi: 1514, layer: Layer::Frame }, 2000);
        let reader = support::Reader::open(support::FAR);
        send_by(name, &job).unwrap().unwrap();
        let planned: Vec<_> = Plan::new(&job).unwrap().frames().map(|f| f.bytes).collect();
        let seen = reader.frames();
        assert_eq!(seen.len(), planned.len(), "{name}");
        assert!(seen == planned, "{name} sends other frames than planned");
    }
    several_threads_send_the_same_flows();
}

fn several_threads_send_the_same_flows() {
    let job = job(Size::Range { lo: 60, hi: 1514, layer: Layer::Frame }, 2000);
    let reader = support::Reader::open(support::FAR);
    let open = |thread, longest| generator::tx::open_queue("packet", support::NEAR, thread, longest);
    let stop = AtomicBool::new(false);
    let report = send_by_threads(&job, 3, &open, Pacing::default(), &stop).unwrap();
    assert_eq!((report.planned, report.ledger.total().packets), (2000, 2000));
    let planned = by_flow(Plan::new(&job).unwrap().frames().map(|f| f.bytes));
    assert!(by_flow(reader.frames()) == planned, "threads send other frames than planned");
    assert!(planned.len() > 50);
}

/// Frames of each flow, in their order; flows are told apart by addresses and what follows them.
fn by_flow(frames: impl IntoIterator<Item = Vec<u8>>) -> HashMap<Vec<u8>, Vec<Vec<u8>>> {
    let mut flows: HashMap<Vec<u8>, Vec<Vec<u8>>> = HashMap::new();
    for frame in frames {
        flows.entry(frame[26..38].to_vec()).or_default().push(frame);
    }
    flows
}
