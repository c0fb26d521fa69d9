//! Lists against the oracle: the import is the reader, and knows what routers do with fragments.

use super::*;
use crate::backends::example_rules;
use crate::imports::{self, Import};
use crate::sample::{Frames, Random, rule_set};
use crate::{FrameKinds, Range, packet};
use std::collections::HashMap;

fn emit(rules: &RuleSet) -> Emitted {
    Cisco.emit(rules, &Options::default())
}

fn without_lost(rules: &RuleSet, made: &Emitted) -> RuleSet {
    let lost: Vec<usize> = made.losses.iter().map(|l| l.rule).collect();
    let mut out = rules.clone();
    let mut place = 0;
    out.rules.retain(|_| {
        place += 1;
        !lost.contains(&(place - 1))
    });
    out
}

#[test]
fn random_rules_mean_the_same_as_lists() {
    let mut random = Random::new(3);
    let (mut all, mut kept, mut compared) = (0, 0, 0);
    for set in 0..200 {
        let count = 1 + random.below(20);
        let rules = rule_set(&mut random, count, &Field::ALL[6..]);
        all += rules.rules.len();
        let rules = without_lost(&rules, &emit(&rules));
        kept += rules.rules.len();
        let made = emit(&rules);
        assert_eq!(made.losses, []);
        let read = imports::Cisco.parse(&made.artefact);
        assert_eq!(read.diagnostics, [], "{}", made.artefact);
        let labels: HashMap<String, ClassId> =
            made.labels.iter().map(|(l, c)| (format!("{l} permit"), *c)).collect();
        let frames = Frames::new(&rules);
        for _ in 0..200 {
            let frame = frames.draw(&mut random).bytes;
            let key = packet::parse(&frame, None);
            // without an IP header there is nothing that a list could tell
            if FrameKinds::of(&frame, None).intersects(made.outside_kinds())
                || key.get(Field::SrcIp).is_none()
            {
                continue;
            }
            let entry = read.rules.classify(&key);
            let class = labels.get(&read.rules.label(entry.class)).copied().unwrap_or(ClassId::OTHERS);
            assert_eq!(
                class,
                rules.classify(&key).class,
                "set {set}: {key}\n{:?}\n{}",
                rules.rules,
                made.artefact
            );
            compared += 1;
        }
    }
    assert!(kept * 3 > all, "{kept} of {all}");
    assert!(compared > 20_000, "{compared}");
}

#[test]
fn the_classbench_sets_survive() {
    for text in [
        include_str!("../../../testdata/classbench/acl1_1k"),
        include_str!("../../../testdata/classbench/fw1_1k"),
        include_str!("../../../testdata/classbench/ipc1_1k"),
    ] {
        let rules = imports::ClassBench.parse(text).rules;
        let made = emit(&rules);
        assert_eq!(made.losses, []);
        let read = imports::Cisco.parse(&made.artefact);
        assert_eq!(read.diagnostics, []);
        // an import calls the entries so that they are exported as they were
        let again = emit(&read.rules);
        assert_eq!(again.outside, []);
        assert_eq!(imports::Cisco.parse(&again.artefact).rules.without_places(), read.rules.without_places());
    }
}

#[test]
fn entries_come_back_as_they_were_written() {
    let text = "ipv6 access-list SIX\n sequence 5 deny udp any any eq 53\n\
                ip access-list extended 101\n 10 permit ip host 10.0.0.1 any\n 15 deny tcp any eq 80 any\n \
                17 permit tcp any any neq 1 2\n 18 permit tcp any any match-any -ack +syn\n \
                19 permit ip any any precedence 3 tos 2\n 20 permit icmp any any 3 4\n";
    let read = imports::Cisco.parse(text);
    assert_eq!(read.diagnostics, []);
    let made = emit(&read.rules);
    assert_eq!(made.artefact, text);
    assert_eq!((made.losses, made.outside), (vec![], vec![]));
    assert_eq!(made.labels[0], ("SIX 5".to_owned(), ClassId(1)));
}

#[test]
fn a_permit_entry_that_tests_ports_takes_later_fragments() {
    let mut rules = example_rules();
    let kinds = |rules: &RuleSet| emit(rules).outside.iter().map(|o| o.kind).collect::<Vec<_>>();
    assert_eq!(kinds(&rules), [FrameKind::Fragment]);
    for (i, rule) in example_rules().rules.into_iter().enumerate() {
        let mut later = rule;
        later.tests.retain(|(f, _)| *f < Field::SrcPort);
        later.tests.push((Field::Fragment, ValueSet::single(Value::number(fragment::LATER))));
        rules.rules.insert(2 * i + 1, later);
    }
    assert_eq!(kinds(&rules), []);
    assert_eq!(emit(&rules).entries, 2);
}

#[test]
fn what_entries_cannot_test_is_a_loss_of_that_rule() {
    let reason = |tests: Vec<(Field, ValueSet)>| {
        let mut rules = example_rules();
        rules.rules.truncate(1);
        rules.rules[0].tests = tests;
        emit(&rules).losses.into_iter().map(|l| l.reason).collect::<String>()
    };
    let one = |f: Field, n: u128| (f, ValueSet::single(Value::number(n)));
    assert!(reason(vec![one(Field::Vlan, 1)]).contains("below IP"));
    assert!(reason(vec![]).contains("without IP"));
    assert!(reason(vec![one(Field::DstPort, 80)]).contains("DCCP"));
    assert!(reason(vec![one(Field::Length, 80)]).contains("length"));
    assert!(reason(vec![one(Field::Ttl, 80)]).contains("hop limit"));
    assert!(reason(vec![one(Field::TcpFlags, 0x80)]).contains("CWR"));
    assert!(reason(vec![one(Field::Fragment, 1)]).contains("first fragments"));
    let four = (Field::SrcIp, Range::prefix(Value { family: 4, bits: 0 }, 0).into());
    assert!(reason(vec![four.clone(), one(Field::Tos, 1)]).contains("lowest bit"));
    assert_eq!(reason(vec![four, one(Field::Ttl, 80)]), "");
}
