use super::*;
use crate::backends::example_rules;
use crate::packet;
use crate::sample::{Frames, Random, rule_set};

#[test]
fn a_walk_ends_in_the_class_of_the_first_match() {
    let mut random = Random::new(11);
    let mut matched = 0;
    for _ in 0..150 {
        let count = 1 + random.below(30);
        let rules = rule_set(&mut random, count, &Field::ALL);
        let dfa = Dfa::build(&rules, Limit::default()).expect("within the limit");
        let frames = Frames::new(&rules);
        let mut packed = Vec::new();
        for _ in 0..300 {
            let mut key = packet::parse(&frames.draw(&mut random).bytes, None);
            key.set_number(Field::Interface, random.below(4) as u128);
            dfa.pack(&key, &mut packed);
            let wanted = rules.classify(&key).class;
            assert_eq!(dfa.walk(&packed), wanted, "{key}");
            matched += usize::from(wanted != ClassId::OTHERS);
        }
    }
    assert!(matched > 5000, "{matched}");
}

#[test]
fn states_that_mean_the_same_are_one() {
    let dfa = Dfa::build(&example_rules(), Limit::default()).expect("within the limit");
    assert_eq!(dfa.fields(), [Field::SrcIp, Field::DstIp, Field::Proto, Field::DstPort]);
    // a mark and four octets twice, a mark and one octet, a mark and two octets
    assert_eq!((dfa.classes(), dfa.states()), (3, 5 + 5 + 2 + 3));
    for state in dfa.classes()..dfa.classes() + dfa.states() as u32 {
        let edges = dfa.edges(state).expect("it does not accept");
        assert_eq!(edges.last().map(|e| e.last), Some(255));
        assert!(edges.windows(2).all(|w| w[0].last < w[1].last && w[0].to != w[1].to));
        let same = (dfa.classes()..state).filter(|s| dfa.edges(*s) == Some(edges)).count();
        assert_eq!(same, 0);
    }
}

#[test]
fn rules_of_one_class_that_cover_everything_need_no_key() {
    let mut rules = example_rules();
    rules.rules[0].tests.clear();
    let dfa = Dfa::build(&rules, Limit::default()).expect("within the limit");
    assert_eq!((dfa.states(), dfa.walk(&[])), (0, ClassId(1)));
}

#[test]
fn a_key_that_is_cut_short_is_of_no_class() {
    let rules = example_rules();
    let dfa = Dfa::build(&rules, Limit::default()).expect("within the limit");
    let whole = [4, 192, 168, 75, 106, 4, 192, 168, 115, 204, 1, 17, 1, 0x07, 0xd0];
    assert_eq!(dfa.walk(&whole), ClassId(1));
    for length in 0..whole.len() {
        assert_eq!(dfa.walk(&whole[..length]), ClassId::OTHERS);
    }
}

#[test]
fn a_limit_is_kept() {
    let limit = Limit { states: 15, steps: 1000 };
    assert!(Dfa::build(&example_rules(), limit).is_ok());
    assert_eq!(Dfa::build(&example_rules(), Limit { states: 14, ..limit }), Err(TooLarge));
    assert_eq!(Dfa::build(&example_rules(), Limit { steps: 3, ..limit }), Err(TooLarge));
}

#[test]
fn all_rules_that_match_are_told() {
    let mut random = Random::new(12);
    let (mut several, mut packed) = (0, Vec::new());
    for _ in 0..150 {
        let count = 1 + random.below(12);
        let rules = rule_set(&mut random, count, &Field::ALL[1..]);
        let all = Matches::build(&rules, Limit::default()).expect("within the limit");
        let frames = Frames::new(&rules);
        for _ in 0..300 {
            let key = packet::parse(&frames.draw(&mut random).bytes, None);
            all.automaton.pack(&key, &mut packed);
            let wanted: Vec<u32> =
                (0..).zip(&rules.rules).filter(|(_, r)| r.matches(&key)).map(|(i, _)| i).collect();
            assert_eq!(all.rules(all.automaton.walk(&packed)), wanted, "{key}");
            several += usize::from(wanted.len() > 1);
        }
    }
    assert!(several > 500, "{several}");
}
