//! Geometry against brute force: one packet of every cell that the ends of the rules' intervals cut out.

use super::shapes::ABSENT;
use super::survey::Bounds;
use super::*;
use crate::key::Key;
use crate::mix::Miss;
use crate::ruleset::Rule;
use crate::sample::{Frames, Random, rule_set};
use crate::value::Range;
use crate::value::{Value, ValueSet};

/// The first value of every stretch of `domain` within which no rule tells values of the field apart.
fn cells(rules: &RuleSet, field: Field, domain: &ValueSet) -> Vec<Value> {
    let mut out: Vec<Value> = domain.ranges().iter().map(|r| r.lo).collect();
    for rule in &rules.rules {
        for f in [field, field.reversed()] {
            for r in rule.test(f).into_iter().flat_map(|s| s.ranges()) {
                out.extend(
                    [Some(r.lo), r.hi.bits.checked_add(1).map(|bits| Value { bits, ..r.hi })]
                        .into_iter()
                        .flatten(),
                );
            }
        }
    }
    // TOS and DSCP are one octet
    if field == Field::Tos {
        for r in rules.rules.iter().filter_map(|r| r.test(Field::Dscp)).flat_map(|s| s.ranges()) {
            out.extend([r.lo.bits << 2, (r.hi.bits << 2) + 4].map(Value::number));
        }
    }
    out.retain(|v| domain.contains(*v));
    out.sort_unstable();
    out.dedup();
    out
}

/// One packet of every cell of every shape.
fn universe(rules: &RuleSet) -> Vec<Key> {
    let mut out = Vec::new();
    for shape in SHAPES.iter() {
        let mut keys = vec![Key::new()];
        for field in Field::ALL.into_iter().filter(|f| *f != Field::Dscp) {
            let values = cells(rules, field, shape.domain(field));
            keys = keys
                .iter()
                .flat_map(|k| {
                    values.iter().map(move |v| {
                        let mut k = *k;
                        if *v != ABSENT {
                            k.set(field, *v);
                            if field == Field::Tos {
                                k.set_number(Field::Dscp, v.bits >> 2);
                            }
                        }
                        k
                    })
                })
                .collect();
        }
        out.append(&mut keys);
    }
    out
}

const POOLS: &[&[Field]] = &[
    &[Field::DstPort, Field::Proto],
    &[Field::SrcPort, Field::DstPort],
    &[Field::Dscp, Field::Tos, Field::Fragment],
    &[Field::SrcIp, Field::Proto],
    &[Field::SrcIp, Field::DstIp],
    &[Field::Vlan, Field::EtherType],
    &[Field::Mpls, Field::IcmpType],
    &[Field::TcpFlags, Field::DstPort],
    &[Field::FlowLabel, Field::Length],
    &[Field::SrcMac, Field::DstMac],
    &[Field::Interface, Field::Ttl],
];

fn small_sets() -> impl Iterator<Item = (RuleSet, Vec<Key>)> {
    let mut random = Random::new(3);
    (0..110).map(move |i| {
        let count = 1 + random.below(7);
        let mut rules = rule_set(&mut random, count, POOLS[i % POOLS.len()]);
        rules.rules.iter_mut().for_each(|r| r.both = random.chance(20));
        let keys = universe(&rules);
        (rules, keys)
    })
}

#[test]
fn reach_is_exact() {
    let mut covered = 0;
    for (rules, keys) in small_sets() {
        let geometry = Geometry::new(&rules);
        let survey = geometry.survey(Bounds::CHECK);
        // no pairs at all: the answers that need none
        let hasty = geometry.survey(Bounds { pairs: 0, ..Bounds::CHECK });
        for i in 0..rules.rules.len() {
            let first = keys.iter().any(|k| rules.classify(k).rule == Some(i));
            assert_eq!(survey.status[i].is_dead(), !first, "rule {i} of {rules:?}");
            assert_eq!(hasty.status[i].is_dead(), !first, "rule {i} of {rules:?}");
            match geometry.reach(i) {
                Reach::Reachable(_) => assert!(first, "rule {i} of {rules:?}"),
                Reach::Empty => {
                    assert!(!keys.iter().any(|k| rules.rules[i].matches(k)), "rule {i} of {rules:?}")
                }
                Reach::Covered(by) => {
                    assert!(!first, "rule {i} of {rules:?}");
                    covered += usize::from(by.len() > 1);
                    for k in keys.iter().filter(|k| rules.rules[i].matches(k)) {
                        assert!(by.iter().any(|b| *b < i && rules.rules[*b].matches(k)), "{by:?} {k}");
                    }
                }
                Reach::Unknown => panic!("rule {i} of {rules:?}"),
            }
        }
        let others = keys.iter().any(|k| rules.classify(k).rule.is_none());
        assert_eq!(matches!(geometry.others(), Reach::Reachable(_)), others, "{rules:?}");
    }
    assert!(covered > 3, "{covered} rules were covered by several together");
}

#[test]
fn witnesses_are_all_that_a_rule_is_first_to_match() {
    let mut random = Random::new(4);
    for (rules, keys) in small_sets() {
        let geometry = Geometry::new(&rules);
        let labels = rules.fields().iter().any(|f| matches!(f, Field::EtherType | Field::Mpls));
        for i in 0..rules.rules.len() {
            let regions = geometry.witness_regions(i, usize::MAX);
            for k in keys.iter().filter(|k| labels || k.get(Field::Mpls).is_none()) {
                let inside = regions.iter().filter(|r| r.contains(k)).count();
                // labels of a packet without an IP header behind them are in no box of rules on other fields
                assert_eq!(
                    inside,
                    usize::from(rules.classify(k).rule == Some(i)),
                    "{k} of rule {i} in {rules:?}"
                );
            }
            for r in &regions {
                let key = r.to_key(&mut |_, s| s.nth(random.wide() % s.len()).unwrap());
                assert_eq!(rules.classify(&key).rule, Some(i), "{key} of {r:?}");
            }
        }
    }
}

#[test]
fn overlaps_are_exact() {
    for (rules, keys) in small_sets() {
        let mut expected = Vec::new();
        for b in 0..rules.rules.len() {
            for a in 0..b {
                if keys.iter().any(|k| rules.rules[a].matches(k) && rules.rules[b].matches(k)) {
                    expected.push((a, b));
                }
            }
        }
        expected.sort_unstable();
        assert_eq!(Geometry::new(&rules).overlaps(), expected, "{rules:?}");
    }
}

#[test]
fn intervals_that_meet_where_no_packet_is_are_no_overlap() {
    // UDP and UDP-Lite have ports, and so have SCTP and DCCP; nothing from 35 to 40 has
    let overlaps = |first: Range, second: Range| {
        let mut rules = RuleSet::default();
        for proto in [first, second] {
            let tests = vec![(Field::Proto, proto.into()), (Field::DstPort, Range::numbers(1, 9).into())];
            rules.rules.push(Rule {
                class: Default::default(),
                tests,
                both: false,
                span: Default::default(),
            });
        }
        !Geometry::new(&rules).overlaps().is_empty()
    };
    assert!(!overlaps(Range::numbers(17, 40), Range::numbers(35, 132)));
    assert!(overlaps(Range::numbers(17, 40), Range::numbers(33, 132)));
}

/// In how many fields a packet fails the tests of a rule.
fn missed(rule: &Rule, key: &Key) -> usize {
    rule.tests.iter().filter(|(f, s)| !key.get(*f).is_some_and(|v| s.contains(v))).count()
}

#[test]
fn others_miss_every_rule() {
    let mut random = Random::new(5);
    for (rules, keys) in small_sets() {
        let geometry = Geometry::new(&rules);
        for miss in [Miss::Near, Miss::Far] {
            let regions = geometry.others_regions(miss, 8);
            for r in &regions {
                let key = r.to_key(&mut |_, s| s.nth(random.wide() % s.len()).unwrap());
                assert_eq!(rules.classify(&key).rule, None, "{key} of {r:?}");
                if miss == Miss::Near {
                    assert!(rules.rules.iter().any(|rule| missed(rule, &key) == 1), "{key} in {rules:?}");
                }
            }
            if miss == Miss::Far {
                let some = keys.iter().any(|k| rules.classify(k).rule.is_none());
                assert_eq!(!regions.is_empty(), some, "{rules:?}");
            }
        }
    }
}

#[test]
fn near_misses_are_exact_whatever_the_kind_of_packet() {
    let (mut random, mut some, mut none) = (Random::new(8), 0, 0);
    for (rules, keys) in small_sets() {
        let geometry = Geometry::new(&rules);
        // one test fails, on a field that the packet has, and no rule matches
        let is_near = |rule: &Rule, key: &Key| {
            let mut fails = rule.tests.iter().filter(|(f, s)| !key.get(*f).is_some_and(|v| s.contains(v)));
            let field = fails.next().filter(|_| fails.next().is_none()).map(|(f, _)| *f);
            field.is_some_and(|f| key.get(f).is_some()) && rules.classify(key).rule.is_none()
        };
        for (i, rule) in rules.rules.iter().enumerate() {
            let near = keys.iter().any(|k| is_near(rule, k));
            match geometry.near_miss(i) {
                Reach::Reachable(r) => {
                    let key = r.to_key(&mut |_, s| s.nth(random.wide() % s.len()).unwrap());
                    assert!(near && is_near(rule, &key), "{key} of rule {i} of {rules:?}");
                    some += 1;
                }
                Reach::Covered(_) | Reach::Empty => {
                    assert!(!near, "rule {i} of {rules:?}");
                    none += 1;
                }
                Reach::Unknown => panic!("rule {i} of {rules:?}"),
            }
        }
    }
    assert!(some > 50 && none > 10, "{some} and {none}");
}

#[test]
fn misses_of_the_paper_s_rules() {
    let mut rules = crate::backends::example_rules();
    let last = rules.rules.last().unwrap().clone();
    for port in 2002..2100 {
        let mut rule = last.clone();
        rule.tests[3].1 = ValueSet::single(Value::number(port));
        rules.rules.push(rule);
    }
    let geometry = Geometry::new(&rules);
    for r in geometry.others_regions(Miss::Near, 10) {
        assert_eq!(r.set(Field::SrcIp), last.tests[0].1);
        assert_eq!(r.set(Field::Proto), last.tests[2].1);
        assert!(!r.set(Field::DstPort).intersects(&Range::numbers(2000, 2099).into()));
    }
    let far = geometry.others_regions(Miss::Far, 10);
    assert!(!far.is_empty());
    for r in far {
        assert_eq!(r.family(), Some(4));
        for (field, set) in &last.tests {
            assert!(!r.set(*field).is_empty() && !r.set(*field).intersects(set), "{field} of {r}");
        }
    }
    let shares = vec![0.01; 100];
    assert_eq!((expected_comparisons(&rules, &shares, 0.0) * 100.0).round(), 5050.0);
    assert_eq!((expected_comparisons(&rules.first(10), &shares, 0.0) * 100.0).round(), 955.0);
    assert_eq!(expected_comparisons(&rules, &[], 1.0), 100.0);
}

#[test]
fn every_whole_packet_is_of_one_shape() {
    let mut random = Random::new(6);
    let rules = RuleSet::default();
    let frames = Frames::new(&rules);
    for _ in 0..5000 {
        let frame = frames.draw_whole(&mut random);
        let key = frame.key();
        let shapes = (0..SHAPES.len()).filter(|s| Region::whole(*s).contains(&key)).count();
        // with too many tags or extension headers, fields are missing
        let whole = key.get(Field::Proto).is_some();
        assert!(shapes == 1 || (shapes == 0 && !whole), "{key}");
    }
}

#[test]
fn findings_name_both_places() {
    let mut rules = crate::backends::example_rules();
    for (i, r) in rules.rules.iter_mut().enumerate() {
        r.span.start = i as u32;
    }
    let mut all = rules.rules[0].clone();
    all.tests.pop();
    all.class = crate::ClassId(2);
    let mut never = rules.rules[1].clone();
    never.span.start = 3;
    let mut absurd = never.clone();
    absurd.tests.push((Field::IcmpType, ValueSet::single(Value::number(8))));
    rules.rules.extend([all, never, absurd]);
    let found = diagnostics(&rules, &crate::TrafficMix::default());
    let codes: Vec<_> = found.iter().map(|d| (d.code, d.related.len())).collect();
    assert_eq!(codes, [("W252", 1), ("W251", 1), ("E250", 0)]);
    assert!(found[0].reason.contains("dstport = 2000"), "{}", found[0].reason);
    assert_eq!(found[1].related[0].span.start, 1);
    assert!(found[2].reason.contains("proto") && found[2].reason.contains("icmptype"), "{}", found[2].reason);
}
