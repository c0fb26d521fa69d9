//! What it costs to classify a packet: the compiled classifier beside the oracle and beside a scan of packed 5-tuples,
//! on the ClassBench sets and on the paper's ports.
//!
//! `cargo bench -p csn --bench classifier` prints criterion's estimates, then a table with the time to build and the
//! memory. Packets are drawn from the rules, in random order.

#[path = "../tests/support/classbench.rs"]
mod classbench;

use criterion::{BenchmarkId, Criterion, Throughput};
use csn::sample::Random;
use csn::{Classifier, Field, Key, RuleSet, packet};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Frames that go round: too many for a branch predictor to learn.
const FRAMES: usize = 20_000;

/// Keys of so many packets are made in one go, then classified: they stay in the cache, as where a packet is
/// classified as soon as it is parsed.
const BATCH: usize = 16;

/// A rule set with its traffic.
struct Case {
    name: String,
    rules: RuleSet,
    frames: Vec<Vec<u8>>,
}

impl Case {
    fn new(name: &str, rules: RuleSet) -> Self {
        let mut random = Random::new(1);
        let frames = (0..FRAMES).map(|_| classbench::frame_inside(&rules, &mut random)).collect();
        Self { name: name.into(), rules, frames }
    }

    fn keys(&self) -> Vec<Key> {
        self.frames.iter().map(|f| packet::parse(f, None)).collect()
    }
}

fn standard() -> Vec<Case> {
    let sets = classbench::SETS.into_iter().map(|name| Case::new(name, classbench::load(name)));
    sets.chain([Case::new("100 ports", classbench::paper(100))]).collect()
}

fn large() -> Vec<Case> {
    let grown = |name: &str, count: usize| {
        let rules = classbench::grown(&classbench::load(name), count, &mut Random::new(2));
        Case::new(&format!("{name} to {}", count), rules)
    };
    let sizes = [10_000, 100_000];
    let sets = sizes.iter().flat_map(|n| classbench::SETS.map(|name| grown(name, *n)));
    sets.chain([Case::new("10,000 ports", classbench::paper(10_000))]).collect()
}

/// Rules of IPv4 5-tuples as a scan would hold them: addresses as masks and values, ports as ranges, and the
/// protocol; what else they test is left out, to the scan's advantage.
struct Packed(Vec<PackedRule>);

#[derive(Default)]
struct PackedRule {
    addresses: [(u32, u32); 2],
    ports: [(u16, u16); 2],
    proto: (u8, u8),
}

/// The same of a packet.
struct Tuple {
    addresses: [u32; 2],
    ports: [u16; 2],
    proto: u8,
}

impl Tuple {
    fn new(key: &Key) -> Self {
        let number = |f| key.get(f).map_or(0, |v| v.bits);
        Self {
            addresses: [Field::SrcIp, Field::DstIp].map(|f| number(f) as u32),
            ports: [Field::SrcPort, Field::DstPort].map(|f| number(f) as u16),
            proto: number(Field::Proto) as u8,
        }
    }
}

impl Packed {
    fn new(rules: &RuleSet) -> Self {
        let pack = |rule: &csn::Rule| {
            let address = |f| {
                let prefix = rule.test(f).and_then(|s| s.prefixes(32).first().copied());
                prefix.map_or((0, 0), |p| (p.mask(32) as u32, p.value.bits as u32))
            };
            let ends = |f| rule.test(f).map(|s| (s.ranges()[0].lo.bits, s.ranges()[0].hi.bits));
            let port = |f| ends(f).map_or((0, u16::MAX), |(lo, hi)| (lo as u16, hi as u16));
            PackedRule {
                addresses: [Field::SrcIp, Field::DstIp].map(address),
                ports: [Field::SrcPort, Field::DstPort].map(port),
                proto: ends(Field::Proto).map_or((0, 0), |(lo, _)| (0xff, lo as u8)),
            }
        };
        Self(rules.rules.iter().map(pack).collect())
    }

    fn find(&self, packet: &Tuple) -> Option<usize> {
        self.0.iter().position(|r| {
            (0..2).all(|i| packet.addresses[i] & r.addresses[i].0 == r.addresses[i].1)
                && (0..2).all(|i| r.ports[i].0 <= packet.ports[i] && packet.ports[i] <= r.ports[i].1)
                && packet.proto & r.proto.0 == r.proto.1
        })
    }
}

fn criterion_groups(c: &mut Criterion) {
    let mut group = c.benchmark_group("classify");
    group.measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(300));
    group.throughput(Throughput::Elements(1));
    for case in standard() {
        let (classifier, keys) = (Classifier::new(&case.rules), case.keys());
        let mut at = 0;
        group.bench_function(BenchmarkId::new("classifier", &case.name), |b| {
            b.iter(|| {
                at = (at + 1) % FRAMES;
                classifier.classify(black_box(&keys[at]))
            });
        });
        let tuples: Vec<Tuple> = keys.iter().map(Tuple::new).collect();
        let packed = Packed::new(&case.rules);
        group.bench_function(BenchmarkId::new("scan of packed 5-tuples", &case.name), |b| {
            b.iter(|| {
                at = (at + 1) % FRAMES;
                packed.find(black_box(&tuples[at]))
            });
        });
        group.bench_function(BenchmarkId::new("oracle", &case.name), |b| {
            b.iter(|| {
                at = (at + 1) % FRAMES;
                case.rules.classify(black_box(&keys[at]))
            });
        });
    }
    group.finish();
}

/// Nanoseconds that each of several things takes for one of `count` packets, where every thing does all of them: the
/// median of many runs, and the least. The things take turns, so that a busy machine is busy for all.
fn nanos<const N: usize>(count: usize, mut things: [&mut dyn FnMut(); N]) -> [(f64, f64); N] {
    let mut runs = [const { Vec::new() }; N];
    for _ in 0..31 {
        for (runs, thing) in runs.iter_mut().zip(&mut things) {
            let start = Instant::now();
            thing();
            runs.push(start.elapsed().as_secs_f64() * 1e9 / count as f64);
        }
    }
    runs.map(|mut runs| {
        runs.sort_by(f64::total_cmp);
        (runs[runs.len() / 2], runs[0])
    })
}

/// Makes the keys of a case's frames, a batch at a time, and hands them on.
fn extract(case: &Case, mut then: impl FnMut(&[Key])) {
    let mut keys = vec![Key::new(); BATCH];
    for frames in case.frames.chunks(BATCH) {
        for (key, frame) in keys.iter_mut().zip(frames) {
            *key = packet::parse(black_box(frame), None);
        }
        then(&keys[..frames.len()]);
    }
}

/// One line of the table. `walked`: how many packets the slow ones are given.
fn line(case: &Case, walked: usize) {
    let start = Instant::now();
    let classifier = Classifier::new(&case.rules);
    let built = start.elapsed().as_secs_f64();
    let [extraction, both] = nanos(
        FRAMES,
        [&mut || extract(case, |keys| _ = black_box(keys)), &mut || {
            extract(case, |keys| keys.iter().for_each(|k| _ = black_box(classifier.classify(k))))
        }],
    );
    let keys: Vec<Key> = case.keys().into_iter().take(walked).collect();
    let tuples: Vec<Tuple> = keys.iter().map(Tuple::new).collect();
    let packed = Packed::new(&case.rules);
    let [scan, oracle] = nanos(
        walked,
        [&mut || tuples.iter().for_each(|t| _ = black_box(packed.find(black_box(t)))), &mut || {
            keys.iter().for_each(|k| _ = black_box(case.rules.classify(black_box(k))))
        }],
    );
    let (own, least) = (both.0 - extraction.0, both.1 - extraction.1);
    println!(
        "{:<17} {:>7} {:>10.1} {:>10.1} {:>8.1} {:>9.0} {:>6.1} {:>10.0} {:>6.0} {:>9.3} {:>9.0}",
        case.name,
        case.rules.rules.len(),
        extraction.1,
        own,
        least,
        scan.1,
        scan.1 / least,
        oracle.1,
        oracle.1 / least,
        built,
        classifier.octets() as f64 / 1024.0
    );
}

fn table() {
    println!(
        "\n{:<17} {:>7} {:>10} {:>10} {:>8} {:>9} {:>6} {:>10} {:>6} {:>9} {:>9}",
        "ns per packet",
        "rules",
        "extraction",
        "classifier",
        "least",
        "scan",
        "times",
        "oracle",
        "times",
        "built, s",
        "tree, KiB"
    );
    standard().iter().for_each(|case| line(case, 2000));
    large().iter().for_each(|case| line(case, 40));
}

fn main() {
    // `cargo bench … -- table` prints the table alone
    if std::env::args().any(|a| a == "table") {
        return table();
    }
    let mut criterion = Criterion::default().configure_from_args();
    criterion_groups(&mut criterion);
    criterion.final_summary();
    // `cargo test` runs benches once to see that they run
    if !std::env::args().any(|a| a == "--test") {
        table();
    }
}
