//! The compiled classifier gives the oracle's verdicts.
//!
//! `CSNBENCH_SETS` says how many random rule sets are tried; 1,000 where it is not set.

#[path = "support/classbench.rs"]
mod classbench;

use csn::sample::{Frames, Random, is_edge, rule_set};
use csn::{Classifier, Field, Key, RuleSet, packet};

fn sets() -> u64 {
    std::env::var("CSNBENCH_SETS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000)
}

/// Holds a classifier against the oracle and answers how many of the packets a rule matches.
fn agree(name: &str, rules: &RuleSet, classifier: &Classifier, keys: &[Key]) -> usize {
    let mut matched = 0;
    for key in keys {
        let wanted = rules.classify(key);
        assert_eq!(classifier.classify(key), wanted, "{name}: {key}");
        matched += usize::from(wanted.rule.is_some());
    }
    matched
}

#[test]
fn it_agrees_with_the_oracle_on_random_rules_of_all_fields() {
    let (mut edges, mut matched, mut all) = (0, 0, 0);
    for seed in 0..sets() {
        let mut random = Random::new(seed ^ 0xc1a5);
        let count = random.below(200);
        let rules = rule_set(&mut random, count, &Field::ALL);
        let classifier = Classifier::new(&rules);
        let frames = Frames::new(&rules);
        let keys: Vec<Key> = (0..1000)
            .map(|_| {
                let tag = random.chance(10).then(|| random.bits() as u16);
                let interface = random.chance(50).then(|| random.below(4) as u32);
                let bytes = frames.draw(&mut random).bytes;
                let mut key = packet::parse(&bytes, tag);
                if let Some(index) = interface {
                    key.set_number(Field::Interface, index.into());
                }
                let ranked = classifier.rank(&bytes, tag, interface);
                assert_eq!(classifier.decide(&ranked), rules.classify(&key), "set {seed}: {key}");
                key
            })
            .collect();
        matched += agree(&format!("set {seed}"), &rules, &classifier, &keys);
        // slower than all else, so of some only
        edges += keys.iter().step_by(10).filter(|k| is_edge(&rules, k)).count() * 10;
        all += keys.len();
    }
    println!("{all} packets, about {edges} at edges, {matched} matched");
    assert!(2 * edges >= all, "only {edges} of {all} packets lie at an edge or an overlap");
    assert!(10 * matched >= 2 * all && 10 * matched <= 9 * all, "{matched} of {all} match");
}

/// Packets inside of rules, at their edges, and (some of these) outside of all.
fn keys(rules: &RuleSet, count: usize, random: &mut Random) -> Vec<Key> {
    let frames = Frames::new(rules);
    let frame = |random: &mut Random| match random.chance(50) {
        true => classbench::frame_inside(rules, random),
        false => frames.draw(random).bytes,
    };
    (0..count).map(|_| packet::parse(&frame(random), None)).collect()
}

#[test]
fn it_agrees_with_the_oracle_on_the_classbench_sets() {
    for name in classbench::SETS {
        let mut random = Random::new(11);
        let rules = classbench::load(name);
        let keys = keys(&rules, 20_000, &mut random);
        // the last rules of some match everything; of the first half of the rules many packets are outside
        for rules in [rules.first(rules.rules.len()), rules.first(rules.rules.len() / 2)] {
            let matched = agree(name, &rules, &Classifier::new(&rules), &keys);
            println!("{name}: {} rules, {matched} of {} packets matched", rules.rules.len(), keys.len());
            assert!(matched > 5_000, "{name}: {matched}");
        }
    }
}

#[test]
fn it_agrees_with_the_oracle_on_large_sets() {
    for (name, count, packets) in
        [("acl1_1k", 10_000, 2_000), ("fw1_1k", 10_000, 2_000), ("ipc1_1k", 100_000, 200)]
    {
        let mut random = Random::new(12);
        let rules = classbench::grown(&classbench::load(name), count, &mut random);
        let classifier = Classifier::new(&rules);
        assert!(classifier.octets() < 200 << 20, "{name}: {} octets", classifier.octets());
        let keys = keys(&rules, packets, &mut random);
        assert!(agree(name, &rules, &classifier, &keys) > packets / 3, "{name}");
    }
}

#[test]
fn it_agrees_with_the_oracle_on_the_rules_of_the_paper() {
    for classes in [1, 100, 10_000] {
        let mut random = Random::new(13);
        let rules = classbench::paper(classes);
        let classifier = Classifier::new(&rules);
        let keys = keys(&rules, 1_000, &mut random);
        assert!(agree("paper", &rules, &classifier, &keys) > 400);
    }
}
