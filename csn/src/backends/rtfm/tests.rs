//! Tests of the programs: their size, and what they count, by a matching engine reduced to what they use.

use super::*;
use crate::backends::{example_rules, shared_tests};
use crate::key::Key;
use crate::sample::{Frames, Random, rule_set};
use crate::value::{Range, Value};

fn program(rules: &RuleSet) -> Program {
    match Rtfm.emit(rules, &Options::default()).program {
        Compiled::Rtfm(p) => p,
        other => panic!("{other:?}"),
    }
}

fn with_ports(ports: u32) -> RuleSet {
    let mut rules = example_rules();
    let like = rules.rules[0].clone();
    rules.rules.clear();
    for n in 0..ports {
        let mut rule = like.clone();
        rule.tests[3].1 = ValueSet::single(Value::number(2000 + u128::from(n)));
        rules.rules.push(rule);
    }
    rules
}

#[test]
fn a_rule_more_is_one_step_more() {
    let sizes: Vec<_> = [10, 20, 50].map(|n| program(&with_ports(n)).rules.len()).to_vec();
    assert_eq!((sizes[1] - sizes[0], sizes[2] - sizes[1]), (10, 30));
}

#[test]
fn a_whole_domain_still_asks_for_the_field() {
    for (field, set) in Field::ALL.map(|f| (f, f.domain())) {
        assert!(patterns(field, &set).iter().all(|(_, _, mask, _)| *mask != 0), "{field}");
    }
    let v4 = ValueSet::from(Range::prefix(Value { family: 4, bits: 0 }, 0));
    let p = patterns(Field::SrcIp, &v4);
    assert_eq!(
        p.iter().map(|p| (p.1, p.2, p.3)).collect::<Vec<_>>(),
        [(4, 1 << 31, 0), (4, 1 << 31, 1 << 31)]
    );
}

#[test]
fn programs_are_sound_and_survive_their_text() {
    let mut rules = with_ports(300);
    for (i, rule) in rules.rules.iter_mut().enumerate() {
        rule.both = i % 3 == 0;
        rule.class = ClassId(i as u32 + 1);
        rules.classes.push(crate::ruleset::Class { number: i as u32 + 1, ..rules.classes[1].clone() });
    }
    let p = program(&rules);
    assert_eq!(p.check(), vec![]);
    assert_eq!(Program::parse(&p.to_string()), Ok(p.clone()));
    assert!(p.rules.iter().any(|r| r.attribute == Attribute::FlowKind));
}

#[test]
fn classes_beyond_two_octets_are_a_loss() {
    let mut rules = example_rules();
    rules.rules[1].class = ClassId(70_000);
    rules.classes.resize(70_001, rules.classes[1].clone());
    let made = Rtfm.emit(&rules, &Options::default());
    assert_eq!(made.losses.iter().map(|l| l.rule).collect::<Vec<_>>(), [1]);
}

/// The value of an attribute, as wide as the rule asks for; none where the packet lacks it.
fn value_of(rule: &Rule, key: &Key, computed: &HashMap<Attribute, u128>) -> Option<u128> {
    if rule.attribute.is_computed() {
        return Some(computed.get(&rule.attribute).copied().unwrap_or(0));
    }
    let field = Field::ALL.into_iter().find(|f| Attribute::of_field(*f) == rule.attribute)?;
    let value = key.get(field)?;
    let fits = match value.family {
        4 => rule.octets == 4,
        6 => rule.octets == 16,
        _ => true,
    };
    fits.then_some(value.bits)
}

/// The class that a program counts a packet as, and the steps that it took.
fn count(program: &Program, key: &Key) -> (u32, usize) {
    let (mut pc, mut test, mut computed) = (1, true, HashMap::new());
    for step in 1.. {
        let rule = program.rules[pc as usize - 1];
        let passed =
            rule.mask == 0 || value_of(&rule, key, &computed).is_some_and(|v| v & rule.mask == rule.value);
        if test && !passed {
            pc += 1;
            continue;
        }
        match rule.opcode {
            Opcode::Count => {
                computed.insert(rule.attribute, rule.value);
                let octet = |a| computed.get(&a).copied().unwrap_or(0) as u32;
                return (octet(Attribute::FlowKind) << 8 | octet(Attribute::FlowClass), step);
            }
            Opcode::PushRuleTo | Opcode::PushRuleToAct if rule.attribute.is_computed() => {
                computed.insert(rule.attribute, rule.value);
            }
            _ => {}
        }
        test = !matches!(rule.opcode, Opcode::GotoAct | Opcode::PushRuleToAct);
        pc = rule.parameter;
    }
    unreachable!("programs end")
}

#[test]
fn programs_count_what_the_oracle_says() {
    let mut random = Random::new(9);
    for set in 0..200 {
        let size = 1 + random.below(200);
        let rules = rule_set(&mut random, size, &Field::ALL);
        let made = Rtfm.emit(&rules, &Options::default());
        assert_eq!(made.losses, []);
        let Compiled::Rtfm(program) = made.program else { panic!() };
        assert_eq!(program.check(), []);
        for _ in 0..100 {
            let mut key = Frames::new(&rules).draw(&mut random).key();
            if random.chance(50) {
                key.set_number(Field::Interface, u128::from(random.bits() as u32));
            }
            let class = rules.classify(&key).class;
            assert_eq!(count(&program, &key).0, class.0, "set {set}: {key}\n{rules:?}\n{program}");
        }
    }
}

#[test]
fn a_rule_that_fails_costs_one_step() {
    let mut key = Key::new();
    key.set(Field::SrcIp, Value::v4([192, 168, 75, 106].into()));
    key.set(Field::DstIp, Value::v4([192, 168, 115, 204].into()));
    key.set_number(Field::Proto, 17);
    let mut steps = |port, rules| {
        key.set_number(Field::DstPort, port);
        count(&program(&with_ports(rules)), &key).1
    };
    // the last rule against the first, and no rule at all
    assert_eq!(steps(2099, 100) - steps(2000, 100), 99);
    assert_eq!(steps(9, 100) - steps(9, 10), 90);
}

#[test]
fn the_beginnings_of_a_list_have_one_structure() {
    let all = with_ports(100);
    let options = Options { shared: Some(shared_tests(&all)), ..Options::default() };
    let mut key = Key::new();
    key.set(Field::SrcIp, Value::v4([192, 168, 75, 106].into()));
    key.set(Field::DstIp, Value::v4([192, 168, 115, 204].into()));
    key.set_number(Field::Proto, 17);
    key.set_number(Field::DstPort, 9);
    let steps: Vec<usize> = [0, 1, 2, 10, 100]
        .iter()
        .map(|n| match Rtfm.emit(&all.first(*n), &options).program {
            Compiled::Rtfm(program) => count(&program, &key),
            other => panic!("{other:?}"),
        })
        .map(|(class, steps)| {
            assert_eq!(class, 0);
            steps
        })
        .collect();
    // one step for each rule that fails, the first included
    assert_eq!(steps.iter().map(|s| s - steps[0]).collect::<Vec<_>>(), [0, 1, 2, 10, 100]);
}

#[test]
fn a_test_that_some_rule_lacks_is_not_made_first() {
    let mut random = Random::new(11);
    for _ in 0..50 {
        let rules = rule_set(&mut random, 20, &Field::ALL);
        // what one rule asks is no common test of the others
        let options = Options { shared: Some(rules.rules[0].tests.clone()), ..Options::default() };
        let Compiled::Rtfm(program) = Rtfm.emit(&rules, &options).program else { panic!() };
        for _ in 0..50 {
            let key = Frames::new(&rules).draw(&mut random).key();
            assert_eq!(count(&program, &key).0, rules.classify(&key).class.0, "{key}\n{program}");
        }
    }
}
