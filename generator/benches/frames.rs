//! The generator's own cost per packet: choosing the flow, writing its frame, counting it; no system call.
//!
//! `cargo bench -p generator`. One element is one packet.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use csn::mix::{Component, Miss, Order, Payload, ShareOf, Target, Traffic};
use csn::{Class, ClassId, Field, Layer, Range, RateSpec, Rule, RuleSet, Size, Span, TrafficMix};
use generator::job::{Amount, Job};
use generator::{Pace, Plan, send, tx};
use std::hint::black_box;
use std::sync::atomic::AtomicBool;

const PACKETS: u64 = 100_000;

/// One class per port, as in the paper's tests, and some traffic that all rules miss.
fn job(classes: u32, flows: u32, size: Size, payload: Payload, order: Order) -> Job {
    let mut rules = RuleSet::default();
    let traffic = Traffic { flows: Some(flows), size, payload, order, ..Traffic::default() };
    let part = |target| Component {
        target,
        share: 1.0,
        share_of: ShareOf::Packets,
        traffic: traffic.clone(),
        span: Span::default(),
    };
    let mut components = Vec::new();
    for i in 0..classes {
        rules.classes.push(Class { number: i + 1, name: None, span: Span::default() });
        let port = u128::from(2000 + i);
        let tests = vec![
            (Field::Proto, Range::numbers(17, 17).into()),
            (Field::DstPort, Range::numbers(port, port).into()),
        ];
        rules.rules.push(Rule { class: ClassId(i + 1), tests, both: false, span: Span::default() });
        components.push(part(Target::Class(ClassId(i + 1))));
    }
    components.push(part(Target::Others(Miss::Near)));
    Job {
        rules,
        mix: TrafficMix { components },
        rate: RateSpec::Max,
        amount: Amount::Packets(PACKETS),
        seed: 1,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    }
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("own cost");
    group.throughput(Throughput::Elements(PACKETS)).sample_size(20);
    let fixed = |bytes| Size::Fixed { bytes, layer: Layer::Frame };
    let spread = Size::Range { lo: 60, hi: 1514, layer: Layer::Frame };
    for (name, job) in [
        ("60 B, 1 class, 100 flows", job(1, 50, fixed(60), Payload::Zero, Order::Round)),
        ("60 B, 100 classes, 10,000 flows", job(100, 100, fixed(60), Payload::Zero, Order::Random)),
        ("1514 B, 100 classes", job(100, 1, fixed(1514), Payload::Zero, Order::Round)),
        ("imix, 100 classes, 10,000 flows", job(100, 100, Size::Imix, Payload::Random, Order::Round)),
        ("60..1514 B, 100 classes, 10,000 flows", job(100, 100, spread, Payload::Random, Order::Random)),
    ] {
        group.bench_function(BenchmarkId::from_parameter(name), |b| {
            b.iter_batched(
                || (Plan::new(&job).expect("a plan"), tx::Null::new()),
                |(mut plan, mut tx)| {
                    black_box(send(&mut plan, &mut tx, Pace::Virtual, &AtomicBool::new(false)).expect("sent"))
                },
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn plans(c: &mut Criterion) {
    let size = Size::Fixed { bytes: 60, layer: Layer::Frame };
    let mut group = c.benchmark_group("plan");
    group.sample_size(10);
    for (classes, flows) in [(100, 100), (2000, 1)] {
        let job = job(classes, flows, size.clone(), Payload::Zero, Order::Round);
        let name = format!("{classes} classes of {flows} flows, and others");
        group.bench_function(name, |b| b.iter(|| Plan::new(black_box(&job)).is_ok()));
    }
    group.finish();
}

criterion_group!(benches, frames, plans);
criterion_main!(benches);
