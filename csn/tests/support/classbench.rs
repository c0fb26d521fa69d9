//! The ClassBench sets as rules, rule sets like them of any size, and traffic for them.

use csn::imports::Import;
use csn::packet::{TCP, UDP};
use csn::sample::{Layout, Random, encode};
use csn::{Class, ClassId, Field, Key, Range, Rule, RuleSet, Span, Value, ValueSet};
use std::net::Ipv4Addr;

/// The sets in `csn/testdata/classbench`.
pub const SETS: [&str; 3] = ["acl1_1k", "fw1_1k", "ipc1_1k"];

/// One of the sets; each rule is a class.
pub fn load(name: &str) -> RuleSet {
    let path = format!("{}/testdata/classbench/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let read = csn::imports::ClassBench.parse(&text);
    assert_eq!(read.diagnostics, [], "{path}");
    read.rules
}

/// A rule set of these tests, each a class of its own.
pub fn classes(tests: impl Iterator<Item = Vec<(Field, ValueSet)>>) -> RuleSet {
    let mut out = RuleSet::default();
    for (i, tests) in tests.enumerate() {
        let number = i as u32 + 1;
        out.classes.push(Class { number, name: None, span: Span::default() });
        out.rules.push(Rule { class: ClassId(number), tests, both: false, span: Span::default() });
    }
    out
}

/// `count` rules of the kind of `like`: its rules again and again, each time with all addresses moved elsewhere. Rules
/// that hardly look at addresses stand once, at the end: copies of them would never be reached.
pub fn grown(like: &RuleSet, count: usize, random: &mut Random) -> RuleSet {
    let lengths = |rule: &Rule| -> u32 {
        let length = |f| rule.test(f).and_then(|s| s.prefixes(32).first().copied()).map_or(0, |p| p.len);
        length(Field::SrcIp) + length(Field::DstIp)
    };
    let (kept, last): (Vec<&Rule>, Vec<&Rule>) = like.rules.iter().partition(|r| lengths(r) >= 16);
    let mut moves = [0, 0];
    let copies: Vec<Vec<(Field, ValueSet)>> = (0..count.saturating_sub(last.len()))
        .map(|i| {
            let at = i % kept.len();
            if at == 0 && i > 0 {
                moves = [random.bits() as u32, random.bits() as u32];
            }
            kept[at].tests.iter().map(|(field, set)| (*field, moved(*field, set, moves))).collect()
        })
        .collect();
    classes(copies.into_iter().chain(last.iter().map(|r| r.tests.clone())))
}

/// A set of addresses with other bits in front of the prefixes' ends; sets of other fields as they are.
fn moved(field: Field, set: &ValueSet, by: [u32; 2]) -> ValueSet {
    let by = match field {
        Field::SrcIp => by[0],
        Field::DstIp => by[1],
        _ => return set.clone(),
    };
    ValueSet::from_ranges(set.prefixes(32).into_iter().map(|p| {
        let bits = (p.value.bits as u32 ^ by) & p.mask(32) as u32;
        Range::prefix(Value { bits: bits.into(), ..p.value }, p.len)
    }))
}

/// The paper's rules: UDP of one pair of hosts, one port per class.
pub fn paper(classes_wanted: u32) -> RuleSet {
    let host = |last| ValueSet::single(Value::v4(Ipv4Addr::new(192, 168, 75, last)));
    classes((0..u128::from(classes_wanted)).map(|n| {
        vec![
            (Field::SrcIp, host(106)),
            (Field::DstIp, host(204)),
            (Field::Proto, ValueSet::single(Value::number(UDP.into()))),
            (Field::DstPort, ValueSet::single(Value::number(2000 + n))),
        ]
    }))
}

/// A frame of 60 octets or so inside one of the rules, whatever earlier rules say.
pub fn frame_inside(rules: &RuleSet, random: &mut Random) -> Vec<u8> {
    let rule = random.pick(&rules.rules);
    let mut key = Key::new();
    for field in [Field::SrcIp, Field::DstIp] {
        key.set(field, Value { family: 4, bits: random.wide() & 0xffff_ffff });
    }
    for field in [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType] {
        key.set_number(field, random.wide() & ((1 << field.width()) - 1));
    }
    key.set_number(Field::Proto, (*random.pick(&[TCP, UDP])).into());
    for (field, set) in &rule.tests {
        if !set.is_empty() {
            let range = random.pick(set.ranges());
            key.set(*field, Value { bits: range.lo.bits + random.wide() % range.len(), ..range.lo });
        }
    }
    encode(&key, &Layout { payload: 18, ..Layout::default() })
}
