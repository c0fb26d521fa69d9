//! How many flow records a second the collector reads: `cargo bench -p meters --bench collector`.
//!
//! Messages as our exporter makes them, with 20 and more fields a record, from memory: as records, as flows, and as flows
//! sorted to 100 classes; and a record of NetFlow v5.

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use csn::{MeterSpec, Nanos, NoLoader, Span};
use meters::collector::{Classes, Collector, CollectorLimits, Exporter as From, Transport};
use meters::export::{ExportOptions, Exporter, Metering};
use meters::flows::{EndReason, Flow, Record};
use std::hint::black_box;
use std::net::UdpSocket;

const FLOWS: u64 = 1_000;

fn flow(i: u64) -> Flow {
    let text = format!(
        "srcip = 10.0.{}.{}, dstip = 198.51.100.2, proto = udp, srcport = {}, dstport = {}, tos = 0",
        i / 250,
        i % 250,
        1_024 + i,
        2_000 + i % 200
    );
    Flow {
        key: csn::parse_packet(&text).expect("fields of a packet"),
        packets: i,
        octets: 100 * i,
        frame_octets: Some(114 * i),
        first: Some(Nanos(1_700_000_000_000_000_000 + i)),
        last: Some(Nanos(1_700_000_001_000_000_000 + i)),
        end: EndReason::Idle,
        id: Some(i % 100),
        ..Flow::default()
    }
}

/// What the exporter sends of the flows.
fn messages(scheme: &str) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket on loopback");
    let to = format!("{scheme}://{}", socket.local_addr().expect("its address"));
    let spec = MeterSpec { name: "x".into(), options: vec![("export".into(), to)], span: Span::default() };
    let options = ExportOptions::parse(&spec).expect("options").expect("an export");
    let mut exporter = Exporter::open(&options, Some(1)).expect("an exporter");
    let mut all = Vec::new();
    let mut take = || {
        let mut buffer = [0; 65_536];
        let _ = socket.set_nonblocking(true);
        while let Ok(n) = socket.recv(&mut buffer) {
            all.push(buffer[..n].to_vec());
        }
    };
    for i in 0..FLOWS {
        exporter.flow(&flow(i)).expect("a flow is sent");
        take();
    }
    exporter.finish(&Metering::default()).expect("the end is sent");
    take();
    all
}

fn feed(messages: &[Vec<u8>], each: &mut impl FnMut(&From, &Record<'_>)) {
    let mut collector = Collector::new(CollectorLimits::default());
    let from = ([127, 0, 0, 1], 1).into();
    for message in messages {
        collector.message(Transport::Udp, from, message, Nanos(1), each).expect("a message");
    }
}

fn read(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, messages: &[Vec<u8>]) {
    group.bench_function(format!("{name}, records"), |b| {
        b.iter(|| {
            feed(messages, &mut |_, record| {
                black_box(record.octets.len());
            })
        });
    });
    group.bench_function(format!("{name}, flows"), |b| {
        b.iter(|| {
            feed(messages, &mut |_, record| {
                record.flows(&mut |flow| {
                    black_box(flow.packets);
                })
            })
        });
    });
}

fn collector(c: &mut Criterion) {
    let mut group = c.benchmark_group("collector");
    group.throughput(Throughput::Elements(FLOWS));
    read(&mut group, "netflow5", &messages("netflow5"));
    read(&mut group, "netflow9", &messages("netflow9"));
    let ipfix = messages("ipfix");
    read(&mut group, "ipfix", &ipfix);
    let text = "set: class = 1..100; addrule: proto = udp, dstport = each 2000..2099;";
    let rules = csn::compile("x.csn", text, &mut NoLoader).scenario.rules;
    group.bench_function("ipfix, flows to 100 classes", |b| {
        let mut classes = Classes::new(&rules);
        b.iter(|| {
            feed(&ipfix, &mut |_, record| {
                record.flows(&mut |flow| {
                    black_box(classes.add(flow));
                })
            })
        });
    });
    group.finish();
}

criterion_group!(benches, collector);
criterion_main!(benches);
