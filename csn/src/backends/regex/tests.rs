use super::*;
use crate::backends::example_rules;
use crate::field::Field;
use crate::packet;
use crate::sample::{Frames, Random, rule_set};
use crate::value::{Range, ValueSet};

fn pattern_of(tests: &[(Field, ValueSet)]) -> String {
    let mut rules = example_rules();
    rules.rules.truncate(1);
    rules.rules[0].tests = tests.to_vec();
    let made = Regex.emit(&rules, &Options::default());
    assert_eq!(made.losses, []);
    made.artefact.lines().nth(1).and_then(|l| l.split_once('\t')).map(|l| l.1.to_owned()).unwrap_or_default()
}

fn numbers(lo: u128, hi: u128) -> ValueSet {
    Range::numbers(lo, hi).into()
}

#[test]
fn ranges_are_classes_of_octets() {
    assert_eq!(pattern_of(&[(Field::Ttl, numbers(5, 64))]), "(?s)^.{12}\\x08\\x00.{8}[\\x05-\\x40]");
    assert_eq!(
        pattern_of(&[(Field::Length, numbers(1000, 2000))]),
        "(?s)^.{12}\\x08\\x00.{2}(?:\\x03[\\xe8-\\xff]|[\\x04-\\x06].|\\x07[\\x00-\\xd0])"
    );
    let label = pattern_of(&[(Field::FlowLabel, numbers(5, 5)), (Field::Tos, numbers(0xb8, 0xb8))]);
    assert!(label.contains("\\x86\\xdd[\\x0b\\x1b\\x2b"), "{label}");
    assert!(label.ends_with("\\x80\\x00\\x05"), "{label}");
    assert_eq!(pattern_of(&[]), "(?s)^");
}

#[test]
fn all_patterns_are_of_the_syntax() {
    let mut random = Random::new(2);
    for _ in 0..100 {
        let rules = rule_set(&mut random, 10, &Field::ALL[1..]);
        let made = Regex.emit(&rules, &Options::default());
        for line in made.artefact.lines().skip(1) {
            let (_, pattern) = line.split_once('\t').expect("a tab");
            let read = regex::bytes::RegexBuilder::new(pattern).unicode(false).build();
            assert!(read.is_ok(), "{pattern}");
        }
    }
}

#[test]
fn an_automaton_beyond_its_limit_keeps_the_rules_that_fit() {
    // each rule doubles the combinations that are to be told apart
    let mut rules = example_rules();
    let fields = [Field::SrcIp, Field::DstIp, Field::SrcPort, Field::DstPort, Field::Ttl, Field::Length];
    let rule = rules.rules[0].clone();
    let mut random = Random::new(9);
    rules.rules = (0..1500)
        .map(|i| {
            let mut rule = rule.clone();
            rule.class = ClassId(1 + i % 2);
            rule.tests = rule_set(&mut random, 1, &fields).rules[0].tests.clone();
            rule.tests.retain(|(_, s)| !s.is_empty());
            rule
        })
        .collect();
    rules.rules.retain(|r| r.tests.len() > 2);
    let limit = Limit { states: 20_000, steps: 1 << 20 };
    let emit = |rules| automaton(rules, labels(rules, str::to_owned), limit);
    let made = emit(&rules);
    let Compiled::Dfa(dfa) = &made.program else { panic!("no automaton") };
    assert!(!made.losses.is_empty() && made.losses.len() < rules.rules.len(), "{} lost", made.losses.len());
    let kept = rules.first(rules.rules.len() - made.losses.len());
    assert_eq!(made.losses[0].rule, kept.rules.len());
    let frames = Frames::new(&kept);
    let mut packed = Vec::new();
    for _ in 0..3000 {
        let key = packet::parse(&frames.draw(&mut random).bytes, None);
        dfa.pack(&key, &mut packed);
        assert_eq!(dfa.walk(&packed), kept.classify(&key).class);
    }
    assert_eq!(emit(&kept).losses, []);
    let none = automaton(&kept, labels(&kept, str::to_owned), Limit { states: 0, ..limit });
    assert_eq!(none.losses.len(), kept.rules.len());
}
