//! Plans held against the oracle.

use super::*;
use crate::job::Amount;
use crate::send::{Pace, send};
use crate::tx;
use csn::geometry::{Geometry, Reach};
use csn::mix::{Arrival, Miss, Order, Payload, Phases, Popularity, Size, Traffic};
use csn::packet::parse;
use csn::{Class, ClassId, Field, Range, Rate, Rule, RuleSet, Span, TrafficMix, Value, ValueSet};
use rand::RngExt;
use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicBool;

fn n(lo: u128, hi: u128) -> ValueSet {
    Range::numbers(lo, hi).into()
}

fn one(v: u128) -> ValueSet {
    n(v, v)
}

fn net(a: [u8; 4], len: u32) -> ValueSet {
    Range::prefix(Value::v4(a.into()), len).into()
}

/// Rules, each a class of its own.
fn rule_set(rules: Vec<Vec<(Field, ValueSet)>>) -> RuleSet {
    let mut out = RuleSet::default();
    for (i, mut tests) in rules.into_iter().enumerate() {
        let number = i as u32 + 1;
        tests.sort_by_key(|(f, _)| *f);
        out.classes.push(Class { number, name: None, span: Span::default() });
        out.rules.push(Rule { class: ClassId(number), tests, both: false, span: Span::default() });
    }
    out
}

pub fn component(target: Target, share: f64) -> Component {
    let traffic = Traffic::default();
    Component { target, share, share_of: ShareOf::Packets, traffic, span: Span::default() }
}

pub fn job(rules: RuleSet, components: Vec<Component>, packets: u64) -> Job {
    Job {
        rules,
        mix: TrafficMix { components },
        rate: RateSpec::Fixed(Rate::Pps(1e6)),
        amount: Amount::Packets(packets),
        seed: 42,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    }
}

/// The paper's rules: one pair of hosts, UDP, a port each.
pub fn paper(count: u128) -> RuleSet {
    let rule = |port| {
        vec![
            (Field::SrcIp, net([192, 168, 75, 106], 32)),
            (Field::DstIp, net([192, 168, 115, 204], 32)),
            (Field::Proto, one(17)),
            (Field::DstPort, one(port)),
        ]
    };
    rule_set((2000..2000 + count).map(rule).collect())
}

/// A random test of a field, often at the edge of its domain or of a neighbour's test.
fn random_test(field: Field, rng: &mut Rng) -> ValueSet {
    let small = |rng: &mut Rng, top: u128| {
        let lo = rng.random_range(0..=top);
        n(lo, (lo + rng.random_range(0..=top / 2)).min(top))
    };
    match field {
        Field::SrcIp | Field::DstIp if rng.random_range(0..4) == 0 => {
            let address = Value::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, rng.random_range(0..4)].into());
            Range::prefix(address, *pick(rng, &[32, 64, 127, 128])).into()
        }
        Field::SrcIp | Field::DstIp => {
            net([10, 0, 0, rng.random_range(0..8)], *pick(rng, &[0, 8, 24, 30, 32]))
        }
        Field::Proto => one(*pick(rng, &[1, 6, 17, 47, 58, 132])),
        Field::EtherType => one(*pick(rng, &[0x800, 0x86dd, 0x806, 0x8847])),
        Field::Fragment => small(rng, 2),
        Field::Length => n(rng.random_range(60..200), rng.random_range(200..2000)),
        other => {
            let top = other.domain().ranges()[0].hi.bits;
            if rng.random_range(0..3) == 0 {
                n(0, rng.random_range(0..=top))
            } else {
                small(rng, top.min(40))
            }
        }
    }
}

fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[rng.random_range(0..list.len())]
}

fn random_rules(rng: &mut Rng) -> RuleSet {
    let fields: Vec<Field> = Field::ALL.into_iter().filter(|f| *f != Field::Interface).collect();
    let rules = (0..rng.random_range(1..30))
        .map(|_| {
            let mut tests: Vec<(Field, ValueSet)> = Vec::new();
            for _ in 0..rng.random_range(1..5) {
                let field = *pick(rng, &fields);
                if tests.iter().all(|(f, _)| *f != field) {
                    tests.push((field, random_test(field, rng)));
                }
            }
            tests
        })
        .collect();
    let mut out = rule_set(rules);
    out.rules.iter_mut().for_each(|r| r.both = rng.random_range(0..4) == 0);
    out
}

#[test]
fn every_packet_is_classified_as_its_target_for_random_rules() {
    let mut rng = Rng::seed_from_u64(5);
    let (mut made, mut refused, mut missed) = (0, 0, 0);
    for _ in 0..150 {
        let rules = random_rules(&mut rng);
        let targets = (0..rules.rules.len()).map(Target::Rule);
        for target in targets.chain([Target::Others(Miss::Far), Target::Others(Miss::Near)]) {
            let mut part = component(target, 1.0);
            part.traffic.flows = Some(8);
            part.traffic.size = Size::Range { lo: 100, hi: 900, layer: Layer::Frame };
            let Ok(mut plan) = Plan::new(&job(rules.clone(), vec![part], 64)) else {
                refused += 1;
                continue;
            };
            for frame in plan.frames() {
                let verdict = rules.classify(&parse(&frame.bytes, None));
                assert_eq!(verdict.rule, frame.rule);
                match target {
                    Target::Rule(i) => assert_eq!(verdict.rule, Some(i), "{rules:?}"),
                    _ => assert_eq!(verdict.rule, None, "{rules:?}"),
                }
                missed += u32::from(verdict.rule.is_none());
            }
            made += 1;
        }
    }
    // most random rules can be reached; the rest lie behind others or ask for impossible frames
    assert!(made > 3 * refused && missed > 1000, "{made} made, {refused} refused, {missed} of others");
}

#[test]
fn what_is_refused_cannot_be_made() {
    let mut rng = Rng::seed_from_u64(6);
    let mut refused = 0;
    for _ in 0..60 {
        let rules = random_rules(&mut rng);
        let geometry = Geometry::new(&rules);
        for i in (0..rules.rules.len()).filter(|i| !rules.rules[*i].both) {
            let mut part = component(Target::Rule(i), 1.0);
            part.traffic.size = Size::Range { lo: 100, hi: 900, layer: Layer::Frame };
            if Plan::new(&job(rules.clone(), vec![part], 1)).is_err() {
                let reach = geometry.reach(i);
                assert!(!matches!(reach, Reach::Reachable(_)), "rule {i} of {rules:?}: {reach:?}");
                refused += 1;
            }
        }
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn classes_get_their_shares_and_flows_go_round_the_rules() {
    let mut rules = paper(4);
    rules.rules[3].class = ClassId(3);
    let mut three = component(Target::Class(ClassId(3)), 0.5);
    three.traffic.flows = Some(6);
    let parts = vec![
        component(Target::Class(ClassId(1)), 0.2),
        component(Target::Class(ClassId(2)), 0.2),
        three,
        component(Target::Others(Miss::Near), 0.1),
    ];
    let mut plan = Plan::new(&job(rules, parts, 6000)).unwrap();
    let mut counts = [0; 5];
    plan.frames().for_each(|f| counts[f.rule.unwrap_or(4)] += 1);
    assert_eq!(counts, [1200, 1200, 1500, 1500, 600]);
}

#[test]
fn shares_of_bytes_are_shares_of_bytes() {
    let mut parts = vec![component(Target::Rule(0), 0.25), component(Target::Rule(1), 0.75)];
    parts.iter_mut().for_each(|p| p.share_of = ShareOf::Bytes);
    parts[0].traffic.size = Size::Imix;
    let mut plan = Plan::new(&job(paper(2), parts, 120_000)).unwrap();
    let mut bytes = [0; 2];
    plan.frames().for_each(|f| bytes[f.rule.unwrap()] += f.bytes.len());
    let share = bytes[0] as f64 / (bytes[0] + bytes[1]) as f64;
    assert!((share - 0.25).abs() < 1e-3, "{share}");
}

#[test]
fn near_misses_one_field_of_the_last_rule_and_far_all_of_every_rule() {
    let rules = paper(10);
    let frames = |miss| {
        let mut part = component(Target::Others(miss), 1.0);
        part.traffic.flows = Some(50);
        Plan::new(&job(rules.clone(), vec![part], 50)).unwrap().frames().collect::<Vec<_>>()
    };
    for frame in frames(Miss::Near) {
        let key = parse(&frame.bytes, None);
        for (field, set) in &rules.rules[9].tests {
            let holds = key.get(*field).is_some_and(|v| set.contains(v));
            assert_eq!(holds, *field != Field::DstPort, "{field} of {key}");
        }
        assert!(key.get(Field::DstPort).is_some());
    }
    for frame in frames(Miss::Far) {
        let key = parse(&frame.bytes, None);
        for (field, set) in rules.rules.iter().flat_map(|r| &r.tests) {
            assert!(!key.get(*field).is_some_and(|v| set.contains(v)), "{field} of {key}");
        }
    }
}

#[test]
fn flows_are_distinct_where_there_is_room_and_the_plan_says_where_not() {
    let rules = rule_set(vec![vec![(Field::Proto, one(17)), (Field::SrcPort, n(1, 1000))]]);
    let mut part = component(Target::Rule(0), 1.0);
    part.traffic.flows = Some(1000);
    part.traffic.open = vec![
        (Field::SrcIp, net([10, 0, 0, 1], 32)),
        (Field::DstIp, net([10, 0, 0, 2], 32)),
        (Field::DstPort, one(53)),
    ];
    let distinct = |part: &Component| {
        let flows = u64::from(part.traffic.flows.unwrap());
        let mut plan = Plan::new(&job(rules.clone(), vec![part.clone()], flows)).unwrap();
        let keys: HashSet<_> = plan.frames().map(|f| parse(&f.bytes, None)).collect();
        (keys.len(), plan.notes().len())
    };
    assert_eq!(distinct(&part), (1000, 0));
    part.traffic.flows = Some(1010);
    assert_eq!(distinct(&part), (1000, 1));
}

#[test]
fn a_covered_rule_is_refused_with_the_rule_that_covers_it() {
    let rules = rule_set(vec![
        vec![(Field::DstPort, n(1, 100))],
        vec![(Field::Proto, one(17)), (Field::DstPort, n(50, 60))],
    ]);
    let error = Plan::new(&job(rules, vec![component(Target::Rule(1), 1.0)], 1)).err().unwrap();
    assert_eq!(error.rule, Some(2));
    assert!(error.reason.contains("rule 1 before it"), "{error}");
}

#[test]
fn rules_that_cover_one_together_are_found_out() {
    let rules = rule_set(vec![
        vec![(Field::Ttl, n(0, 100))],
        vec![(Field::Ttl, n(90, 200))],
        vec![(Field::Ttl, n(201, 255))],
        vec![(Field::Proto, one(6))],
        vec![],
    ]);
    let error = Plan::new(&job(rules.clone(), vec![component(Target::Rule(3), 1.0)], 1)).err().unwrap();
    assert!(error.reason.contains("rules 1, 2 and 3 before it"), "{error}");
    let error = Plan::new(&job(rules, vec![component(Target::Others(Miss::Near), 1.0)], 1)).err().unwrap();
    assert!(error.message.contains("others"), "{error}");
}

#[test]
fn what_this_version_cannot_make_is_refused() {
    let refused = |change: &dyn Fn(&mut Job)| {
        let mut job = job(paper(2), vec![component(Target::Rule(0), 1.0)], 1);
        change(&mut job);
        Plan::new(&job).err().map(|e| e.to_string()).unwrap_or_default()
    };
    let model = |name: &str| csn::models::Model { name: name.into(), parameters: vec![] };
    let traffic = |change: &dyn Fn(&mut Traffic)| refused(&|j| change(&mut j.mix.components[0].traffic));
    assert!(traffic(&|t| t.from = Some("absent.pcap".into())).contains("absent.pcap cannot be read"));
    let short = csn::mix::Lifetime::Model(model("pareto"));
    assert!(traffic(&|t| t.lifetime = Some(short.clone())).contains("within its bounds"));
    assert!(traffic(&|t| t.size = Size::Capture("absent.pcap".into())).contains("cannot be read"));
    assert!(traffic(&|t| t.size = Size::Distribution(model("pareto"))).contains("within its bounds"));
    assert!(traffic(&|t| t.arrival = Arrival::Model(model("burst"))).contains("constant, poisson"));
    assert!(
        refused(&|j| {
            j.rate = RateSpec::Max;
            j.mix.components[0].traffic.level = Some(phases(&[(0.5, 1.0)]));
        })
        .contains("no phases")
    );
    assert!(traffic(&|t| t.level = Some(phases(&[(0.0, 0.0), (1.0, 1.0)]))).is_empty());
    assert!(
        refused(&|j| {
            j.amount = Amount::Time(Nanos::from_millis(5));
            j.mix.components[0].traffic.level = Some(phases(&[(0.0, 0.0), (1.0, 1.0)]));
        })
        .contains("level is 0")
    );
    let small = |t: &mut Traffic| t.size = Size::Fixed { bytes: 30, layer: Layer::Ethernet };
    assert!(traffic(&small).contains("at least 64 B(ethernet)"));
    assert!(refused(&|j| j.rate = RateSpec::Search(csn::Search::default())).contains("search"));
    assert!(refused(&|j| j.mix.components.clear()).contains("nothing"));
    assert!(
        refused(&|j| j.rules.rules[0].tests.insert(0, (Field::Interface, one(1)))).contains("the interface")
    );
    assert!(refused(&|j| j.rules.rules[0].tests[2].1 = one(1)).contains("no frame has all"));
}

fn phases(levels: &[(f64, f64)]) -> Phases {
    Phases { levels: levels.to_vec(), every: Nanos::from_millis(10), redraw: None, ramp: None }
}

#[test]
fn classes_may_arrive_each_in_its_own_way() {
    let mut steady = component(Target::Rule(0), 0.5);
    steady.traffic.arrival = Arrival::Constant;
    let mut background = component(Target::Rule(1), 0.5);
    background.traffic.arrival = Arrival::Poisson;
    background.traffic.level = Some(phases(&[(0.2, 0.2), (1.0, 1.0)]));
    let job =
        Job { amount: Amount::Time(Nanos::from_millis(40)), ..job(paper(2), vec![steady, background], 0) };
    let mut plan = Plan::new(&job).unwrap();
    // a half at the full rate, and a half at 60 % of it on average
    assert!((plan.pps().unwrap() - 0.8e6).abs() < 1.0);
    let shares: Vec<f64> = plan.shares().map(|(_, s)| s).collect();
    assert!((shares[0] - 0.625).abs() < 1e-9 && (shares[1] - 0.375).abs() < 1e-9, "{shares:?}");
    let frames: Vec<Frame> = plan.frames().collect();
    assert!(frames.windows(2).all(|w| w[0].due <= w[1].due));
    let count = |rule, tens: u64| {
        let inside = |f: &&Frame| f.rule == Some(rule) && f.due.0 / 10_000_000 == tens;
        frames.iter().filter(inside).count() as f64
    };
    for tens in 0..4 {
        assert_eq!(count(0, tens), 5000.0);
        let theory = if tens % 2 == 0 { 1000.0 } else { 5000.0 };
        let found = count(1, tens);
        assert!((found - theory).abs() < 5.0 * f64::sqrt(theory), "{found} in phase {tens}");
    }
    let constant: Vec<u64> = frames.iter().filter(|f| f.rule == Some(0)).map(|f| f.due.0).collect();
    assert!(constant.iter().enumerate().all(|(k, due)| *due == k as u64 * 2000));
}

#[test]
fn popular_flows_send_more() {
    let mut part = component(Target::Rule(0), 1.0);
    part.traffic.flows = Some(100);
    part.traffic.popularity = Popularity::Zipf(1.0);
    let mut plan = Plan::new(&job(paper(1), vec![part], 100_000)).unwrap();
    let mut seen: std::collections::HashMap<Vec<u8>, u32> = Default::default();
    plan.frames().for_each(|f| *seen.entry(f.bytes).or_default() += 1);
    let mut counts: Vec<u32> = seen.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    // shares of Zipf's law with exponent 1 over 100: the first, and the first ten
    let top: u32 = counts[..10].iter().sum();
    assert!((f64::from(counts[0]) / 1e5 - 0.193).abs() < 0.005, "{}", counts[0]);
    assert!((f64::from(top) / 1e5 - 0.565).abs() < 0.01, "{top}");
}

#[test]
fn shares_of_flows_are_shares_of_flows_and_packets() {
    let mut parts = vec![component(Target::Rule(0), 0.2), component(Target::Rule(1), 0.8)];
    for p in &mut parts {
        p.share_of = ShareOf::Flows;
        p.traffic.flows = Some(50);
    }
    let mut plan = Plan::new(&job(paper(2), parts, 1000)).unwrap();
    let mut flows = [HashSet::new(), HashSet::new()];
    let mut packets = [0; 2];
    plan.frames().for_each(|f| {
        packets[f.rule.unwrap()] += 1;
        flows[f.rule.unwrap()].insert(parse(&f.bytes, None));
    });
    assert_eq!((flows[0].len(), flows[1].len(), packets), (20, 80, [200, 800]));
}

#[test]
fn lengths_that_rules_ask_for_are_kept() {
    let rules = rule_set(vec![
        vec![(Field::Length, n(0, 99))],
        vec![(Field::Length, n(100, 300)), (Field::Proto, one(6))],
        vec![(Field::Proto, one(6))],
    ]);
    for i in 0..3 {
        let mut part = component(Target::Rule(i), 1.0);
        part.traffic.size = Size::Imix;
        let mut plan = Plan::new(&job(rules.clone(), vec![part], 300)).unwrap();
        let mean = plan.mean_size(Layer::Frame);
        let sizes: Vec<_> = plan.frames().map(|f| f.bytes.len() as f64).collect();
        let seen = sizes.iter().sum::<f64>() / sizes.len() as f64;
        assert!((seen / mean - 1.0).abs() < 0.1, "rule {i}: mean {seen}, said to be {mean}");
    }
}

#[test]
fn bit_rates_count_the_mean_packet_of_their_layer() {
    // the paper: 200 bytes of payload, 60 Mbit/s of cells
    let mut part = component(Target::Class(ClassId(1)), 1.0);
    part.traffic.size = Size::Fixed { bytes: 200, layer: Layer::Payload };
    let mut job = job(paper(1), vec![part], 10);
    job.rate = RateSpec::Fixed(Rate::Bits { bits: 60e6, layer: Layer::Atm });
    let plan = Plan::new(&job).unwrap();
    assert!((plan.pps().unwrap() - 28_301.9).abs() < 0.1);
    job.mix.components[0].traffic.size = Size::Imix;
    assert!((Plan::new(&job).unwrap().mean_size(Layer::Ethernet) - 361.83).abs() < 0.01);
}

#[test]
fn both_directions_take_turns() {
    let mut rules = paper(1);
    rules.rules[0].both = true;
    let mut plan = Plan::new(&job(rules, vec![component(Target::Rule(0), 1.0)], 4)).unwrap();
    let keys: Vec<_> = plan.frames().map(|f| parse(&f.bytes, None)).collect();
    assert_eq!(keys[1], keys[0].reversed());
    assert_eq!((keys[2], keys[3]), (keys[0], keys[1]));
}

/// A mix of everything.
fn rich() -> Job {
    let mut v6 = component(Target::Rule(1), 0.3);
    v6.traffic.flows = Some(20);
    v6.traffic.order = Order::Random;
    v6.traffic.size = Size::Range { lo: 80, hi: 1400, layer: Layer::Ip };
    v6.traffic.payload = Payload::Random;
    let mut voice = component(Target::Rule(0), 0.6);
    voice.traffic.flows = Some(50);
    voice.traffic.size = Size::Imix;
    voice.traffic.payload = Payload::Pattern(b"csn".to_vec());
    let rules = rule_set(vec![
        vec![(Field::Proto, one(17)), (Field::Dscp, one(46))],
        vec![(Field::SrcIp, Range::prefix(Value::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0].into()), 32).into())],
    ]);
    let mut job = job(rules, vec![voice, v6, component(Target::Others(Miss::Near), 0.1)], 1000);
    job.mix.components.iter_mut().for_each(|c| c.traffic.arrival = Arrival::Poisson);
    job
}

fn capture(job: &Job) -> (Vec<u8>, crate::Report) {
    let mut bytes = Vec::new();
    let mut tx = tx::open_pcap(&mut bytes).unwrap();
    let mut plan = Plan::new(job).unwrap();
    let report = send(&mut plan, &mut tx, Pace::Virtual, &AtomicBool::new(false)).unwrap();
    drop(tx);
    (bytes, report)
}

#[test]
fn the_same_job_gives_the_same_bytes() {
    let hash = |bytes: &[u8]| {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        hasher.finish()
    };
    let (bytes, _) = capture(&rich());
    assert_eq!(bytes, capture(&rich()).0);
    assert_ne!(bytes, capture(&Job { seed: 43, ..rich() }).0);
    // changes only with the planner or the libraries that draw: then it is a new version of the traffic
    assert_eq!(format!("{:016x}", hash(&bytes)), GOLDEN);
}

const GOLDEN: &str = "a46064c66bea0330";

#[test]
fn the_ledger_is_what_the_oracle_finds_in_the_capture() {
    let job = rich();
    let (bytes, report) = capture(&job);
    let mut reader = pcap_file::pcap::PcapReader::new(&bytes[..]).unwrap();
    let mut expected = crate::Ledger { rules: vec![Default::default(); 2], ..Default::default() };
    let mut last = std::time::Duration::ZERO;
    while let Some(packet) = reader.next_packet() {
        let packet = packet.unwrap();
        let counts = match job.rules.classify(&parse(packet.data(), None)).rule {
            Some(rule) => &mut expected.rules[rule],
            None => &mut expected.others,
        };
        counts.add(packet.data().len() as u64);
        assert!(packet.timestamp() >= last);
        last = packet.timestamp();
    }
    assert_eq!(report.ledger, expected);
    assert_eq!((report.planned, report.refused, report.ledger.total().packets), (1000, 0, 1000));
    assert_eq!(u128::from(report.elapsed.0), last.as_nanos());
}
