//! What a rule costs: the packet matching engine beside plain linear scans over the same rules, and the whole meter
//! from a capture file.
//!
//! `cargo bench -p meters` prints criterion's estimates, then the ratios.

use criterion::{BenchmarkId, Criterion, Throughput};
use csn::backends::example_rules;
use csn::{Class, ClassId, MeterSpec, RuleSet, Span, Value, ValueSet};
use meters::builtin::rtfm::{Engine, Slots, emit};
use meters::builtin::{Builtin, Rules, Session, Source, rtfm::Rtfm};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As many classes, one rule each: UDP of one address pair to the ports from 2000.
fn by_port(rules: usize) -> RuleSet {
    let mut set = example_rules();
    let like = set.rules[0].clone();
    set.rules.clear();
    set.classes.truncate(1);
    for n in 0..rules as u32 {
        let mut rule = like.clone();
        rule.class = ClassId(n + 1);
        rule.tests[3].1 = ValueSet::single(Value::number(2000 + u128::from(n)));
        set.rules.push(rule);
        set.classes.push(Class { number: n + 1, name: None, span: Span::default() });
    }
    set
}

/// An Ethernet frame of 60 octets of the example's address pair.
fn frame(port: u16) -> Vec<u8> {
    let mut f = vec![0u8; 60];
    f[12..14].copy_from_slice(&[8, 0]);
    f[14] = 0x45;
    f[16..18].copy_from_slice(&46u16.to_be_bytes());
    f[22..24].copy_from_slice(&[64, 17]);
    f[26..30].copy_from_slice(&[192, 168, 75, 106]);
    f[30..34].copy_from_slice(&[192, 168, 115, 204]);
    f[34..36].copy_from_slice(&1024u16.to_be_bytes());
    f[36..38].copy_from_slice(&port.to_be_bytes());
    f
}

fn spec() -> MeterSpec {
    MeterSpec { name: "rtfm".into(), options: vec![], span: Span::default() }
}

fn engine(rules: usize) -> Engine {
    let set = by_port(rules);
    let file = emit(&spec(), &set, rules).unwrap_or_else(|e| panic!("{e}"));
    Engine::new(&file.program).unwrap_or_else(|e| panic!("{e:?}"))
}

/// One packet that no rule matches, by the engine; the attributes are there already.
fn run_engine(rules: usize) -> impl FnMut() {
    let mut engine = engine(rules);
    let mut slots = Slots::default();
    slots.load(&frame(9), None, None);
    move || {
        black_box(engine.run(black_box(&mut slots), true));
    }
}

/// The same by the oracle.
fn run_oracle(rules: usize) -> impl FnMut() {
    let set = by_port(rules);
    let key = csn::packet::parse(&frame(9), None);
    move || {
        black_box(set.classify(black_box(&key)));
    }
}

/// The same by a scan over an array of ports, all other tests left out: the least that a linear search can cost.
fn run_scan(rules: usize) -> impl FnMut() {
    let ports: Vec<u16> = (0..rules as u16).map(|n| 2000 + n).collect();
    move || {
        let port = black_box(9u16);
        let mut place = None;
        // not `contains`: that compares eight at a time, which a list of different tests could not
        for (i, p) in black_box(&ports).iter().enumerate() {
            if *black_box(p) == port {
                place = Some(i);
                break;
            }
        }
        black_box(place);
    }
}

fn criterion_groups(c: &mut Criterion) {
    let mut group = c.benchmark_group("no match");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    for rules in [10, 100, 1000] {
        group.throughput(Throughput::Elements(rules as u64));
        group.bench_function(BenchmarkId::new("engine", rules), |b| b.iter(run_engine(rules)));
        group.bench_function(BenchmarkId::new("oracle", rules), |b| b.iter(run_oracle(rules)));
        group.bench_function(BenchmarkId::new("array scan", rules), |b| b.iter(run_scan(rules)));
    }
    group.finish();
}

/// Nanoseconds of one call: the median of several runs.
fn nanos(mut call: impl FnMut()) -> f64 {
    let mut runs: Vec<f64> = (0..15)
        .map(|_| {
            let start = Instant::now();
            (0..20_000).for_each(|_| call());
            start.elapsed().as_secs_f64() * 1e9 / 20_000.0
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    runs[runs.len() / 2]
}

fn ratios() {
    let per_rule = |few: f64, many: f64| (many - few) / 900.0;
    let engine = per_rule(nanos(run_engine(100)), nanos(run_engine(1000)));
    let oracle = per_rule(nanos(run_oracle(100)), nanos(run_oracle(1000)));
    let scan = per_rule(nanos(run_scan(100)), nanos(run_scan(1000)));
    println!("\ncost of one more rule that does not match, ns");
    println!("  engine      {engine:7.2}");
    println!("  oracle      {oracle:7.2}   engine / oracle = {:.2}", engine / oracle);
    println!("  array scan  {scan:7.2}   engine / scan   = {:.2}", engine / scan);
}

fn write_capture(path: &Path, packets: u32) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    // the header of a pcap file: microseconds, version 2.4, Ethernet
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.write_all(&word.to_le_bytes())?;
    }
    // ports in an order that no branch predictor learns
    let mut x = 1u32;
    for n in 0..packets {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let f = frame(2000 + (x >> 8) as u16 % 100);
        for word in [n / 1_000_000, n % 1_000_000, f.len() as u32, f.len() as u32] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&f)?;
    }
    out.flush()
}

/// The whole meter: 100 classes, 60-byte frames, matches spread evenly.
fn capture() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("bench.pcap");
    let packets = 4_000_000;
    write_capture(&path, packets)?;
    let mut rates = Vec::new();
    for _ in 0..5 {
        let session = Session {
            source: Source::Capture(path.clone()),
            rules: Rules::Csn { ruleset: by_port(100), loaded: 100 },
            options: spec(),
            filter: None,
            flow_data: None,
            details: false,
            control: false,
            time: None,
            stop: Arc::default(),
        };
        let start = Instant::now();
        let readout = Rtfm.run(session)?;
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(readout.received, u64::from(packets));
        assert!(readout.classes[1..].iter().all(|c| c.packets > 0));
        rates.push((f64::from(packets) / seconds / 1e6, readout.split));
    }
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (rate, split) = rates[rates.len() / 2];
    println!("\nfrom a capture file, 100 classes: {rate:.1} million packets/s, {split:?}");
    Ok(())
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    criterion_groups(&mut criterion);
    criterion.final_summary();
    // `cargo test` runs benches once to see that they run
    if !std::env::args().any(|a| a == "--test") {
        ratios();
        capture().unwrap_or_else(|e| panic!("{e}"));
    }
}
