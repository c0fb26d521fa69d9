//! The back end `srl` beside the oracle: its programs, compiled and run by the packet matching engine.
//!
//! `CSNBENCH_SETS` is the number of random rule sets (200 unless told otherwise, of 10,000 frames each).

use csn::backends::{Backend, Options, Srl};
use csn::imports::by_name;
use csn::sample::{Frames, Random, rule_set};
use csn::{Counts, Field, Nanos, RuleSet, packet};
use meters::builtin::Off;
use meters::builtin::rtfm::{Classes, Engine, FlowTable, Matching};
use meters::capture::Frame;

const FRAMES: usize = 10_000;

/// What the engine counts for each class, and the frames that random draws made for it.
fn counts(rules: &RuleSet, frames: &[Vec<u8>]) -> Vec<Counts> {
    let made = Srl.emit(rules, &Options::default());
    assert_eq!(made.losses, []);
    let compiled = csn::srl::compile(&made.artefact);
    assert_eq!(compiled.diagnostics, [], "{}", made.artefact);
    let engine = Engine::new(&compiled.program).unwrap_or_else(|e| panic!("{e:?}"));
    let mut matching = Matching::new(vec![engine], FlowTable::new(100_000, Nanos::from_secs(600)), None);
    for (i, bytes) in frames.iter().enumerate() {
        let frame = Frame { bytes, length: bytes.len() as u32, tag: None, time: Nanos(i as u64 * 1000) };
        matching.packet(&frame, &mut Off);
    }
    Classes { count: rules.classes.len(), labels: made.labels }.counts(&matching)
}

/// Holds a rule set against the oracle and answers how many frames some rule matches.
fn agree(name: &str, rules: &RuleSet, random: &mut Random) -> u64 {
    let drawn = Frames::new(rules);
    let frames: Vec<_> = (0..FRAMES).map(|_| drawn.draw(random).bytes).collect();
    let mut wanted = vec![Counts::default(); rules.classes.len()];
    for f in &frames {
        wanted[rules.classify(&packet::parse(f, None)).class.index()].add(f.len() as u64);
    }
    assert_eq!(counts(rules, &frames), wanted, "{name}");
    wanted[1..].iter().map(|c| c.packets).sum()
}

#[test]
fn random_programs_count_what_the_oracle_says() {
    let sets = std::env::var("CSNBENCH_SETS").ok().and_then(|n| n.parse().ok()).unwrap_or(200u64);
    let fields: Vec<Field> = Field::ALL.into_iter().filter(|f| *f != Field::Interface).collect();
    let mut matched = 0;
    for seed in 0..sets {
        let mut random = Random::new(seed);
        let count = 1 + random.below(60);
        let rules = rule_set(&mut random, count, &fields);
        matched += agree(&format!("seed {seed}"), &rules, &mut random);
    }
    assert!(matched * 4 > sets * FRAMES as u64, "few frames match");
}

#[test]
fn classbench_programs_count_what_the_oracle_says() {
    let import = by_name("classbench").unwrap();
    for (name, text) in [
        ("acl1", include_str!("../../csn/testdata/classbench/acl1_1k")),
        ("fw1", include_str!("../../csn/testdata/classbench/fw1_1k")),
        ("ipc1", include_str!("../../csn/testdata/classbench/ipc1_1k")),
    ] {
        let matched = agree(name, &import.parse(text).rules, &mut Random::new(1));
        assert!(matched * 4 > FRAMES as u64, "{name}: few frames match");
    }
}

/// Two hosts, classes by port: from RFC 2723's language to counts, replies included.
#[test]
fn replies_are_counted_in_the_flow_that_they_belong_to() {
    let text = "if SourcePeerType == 1 save;  else ignore;
        if SourceTransType == 17 save; else ignore;
        if SourcePeerAddress == 192.168.75.106 && DestPeerAddress == 192.168.115.204 save; else nomatch;
        if DestTransAddress == 2000 save,      { store FlowClass := 1; count; }
        else if DestTransAddress == 2001 save, { store FlowClass := 2; count; }
        store FlowClass := 0; count;";
    let compiled = csn::srl::compile(text);
    assert_eq!(compiled.diagnostics, []);
    let engine = Engine::new(&compiled.program).unwrap();
    let mut matching = Matching::new(vec![engine], FlowTable::new(1000, Nanos::from_secs(600)), None);
    let frame = |source: [u8; 4], destination: [u8; 4], ports: [u16; 2]| {
        let mut key = csn::Key::new();
        key.set(Field::SrcIp, csn::Value::v4(source.into()));
        key.set(Field::DstIp, csn::Value::v4(destination.into()));
        key.set_number(Field::Proto, 17);
        key.set_number(Field::SrcPort, ports[0].into());
        key.set_number(Field::DstPort, ports[1].into());
        csn::sample::encode(&key, &csn::sample::Layout::default())
    };
    let (a, b) = ([192, 168, 75, 106], [192, 168, 115, 204]);
    let frames = [
        frame(a, b, [5, 2000]),
        frame(b, a, [2000, 5]),
        frame(a, b, [5, 2001]),
        frame(a, b, [5, 2050]),
        frame(b, [10, 0, 0, 1], [5, 2000]),
    ];
    for bytes in &frames {
        let frame = Frame { bytes, length: bytes.len() as u32, tag: None, time: Nanos(0) };
        matching.packet(&frame, &mut Off);
    }
    let labels = (0..3).map(|n: u32| (n.to_string(), csn::ClassId(n))).collect();
    let packets: Vec<_> = Classes { count: 3, labels }.counts(&matching).iter().map(|c| c.packets).collect();
    assert_eq!(packets, [1, 2, 1]);
    assert_eq!(matching.totals()[0].ignored, 1);
}
