use super::*;
use crate::backends::example_rules;
use crate::ebpf::{Beside, Machine};
use crate::packet;
use crate::sample::{Frames, Random, rule_set};
use crate::value::{Value, ValueSet};

const FORMS: [Form; 4] = [Ebpf::XDP, Ebpf::TC, Ebpf::XDP_TREE, Ebpf::TC_TREE];

fn emit(rules: &RuleSet, form: Form) -> (Program, Emitted) {
    let made = Ebpf.emit(rules, &Options { form: Some(form), ..Options::default() });
    let Compiled::Ebpf(program) = made.program.clone() else { panic!("not a program") };
    (program, made)
}

/// The paper's shape: one host pair and protocol, one class for each port.
fn with_ports(count: u32) -> RuleSet {
    let mut rules = example_rules();
    let (like, class) = (rules.rules[0].clone(), rules.classes[1].clone());
    rules.rules.clear();
    rules.classes.truncate(1);
    for n in 1..=count {
        let mut rule = like.clone();
        rule.class = ClassId(n);
        rule.tests[3].1 = ValueSet::single(Value::number(2000 + 3 * u128::from(n)));
        rules.rules.push(rule);
        rules.classes.push(crate::Class { number: n, ..class.clone() });
    }
    rules
}

/// The class that the program counts a frame for.
fn class_of(machine: &mut Machine, classes: usize, frame: &[u8], beside: &Beside) -> Option<usize> {
    let before: Vec<_> = (0..classes).map(|c| machine.counts(c)).collect();
    machine.run(frame, beside).unwrap_or_else(|e| panic!("{e}: {frame:02x?}"));
    let mut counted = (0..classes).filter(|c| machine.counts(*c) != before[*c]);
    let class = counted.next()?;
    let (packets, octets) = (before[class].0 + 1, before[class].1 + frame.len() as u64);
    assert_eq!((machine.counts(class), counted.next()), ((packets, octets), None));
    Some(class)
}

#[test]
fn programs_see_every_field_tag_interface_and_cut_as_the_oracle_does() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let count = 1 + random.below(25);
        let rules = rule_set(&mut random, count, &Field::ALL);
        let interfaces: Vec<u32> = rules
            .rules
            .iter()
            .filter_map(|r| Some(r.test(Field::Interface)?.nth(0)?.bits as u32))
            .chain([random.bits() as u32 | 1])
            .filter(|n| *n != 0)
            .collect();
        let frames = Frames::new(&rules);
        let drawn: Vec<Vec<u8>> = (0..60).map(|_| frames.draw(&mut random).bytes).collect();
        for form in FORMS {
            let (program, made) = emit(&rules, form);
            assert_eq!(made.losses, []);
            let mut machine = Machine::new(&program);
            for frame in &drawn {
                let live = program.hook == Hook::Tc;
                let beside = Beside {
                    interface: *random.pick(&interfaces),
                    tag: (live && random.chance(40)).then(|| random.bits() as u16),
                    linear: random.chance(50).then(|| random.below(frame.len() + 1)),
                };
                let mut key = packet::parse(frame, beside.tag);
                key.set_number(Field::Interface, u128::from(beside.interface));
                let wanted = rules.classify(&key).class.index();
                let seen = class_of(&mut machine, rules.classes.len(), frame, &beside);
                assert_eq!(seen, Some(wanted), "set {seed}, {form:?}: {key}\n{beside:?} {frame:02x?}");
            }
        }
    }
}

#[test]
fn every_cut_of_a_frame_is_seen_alike() {
    for seed in 0..60 {
        let mut random = Random::new(seed ^ 0xc0de);
        let count = 1 + random.below(4);
        let rules = rule_set(&mut random, count, &Field::ALL[1..]);
        let frame = Frames::new(&rules).draw_whole(&mut random).bytes;
        for form in FORMS {
            let (program, _) = emit(&rules, form);
            let mut machine = Machine::new(&program);
            for len in 0..=frame.len() {
                let wanted = rules.classify(&packet::parse(&frame[..len], None)).class.index();
                let beside = Beside { linear: Some(len / 2), ..Beside::default() };
                let seen = class_of(&mut machine, rules.classes.len(), &frame[..len], &beside);
                assert_eq!(seen, Some(wanted), "set {seed}, {form:?}, {len} octets\n{frame:02x?}");
            }
        }
    }
}

#[test]
fn a_packet_of_this_machine_has_no_interface() {
    let mut rules = example_rules();
    rules.rules.truncate(1);
    rules.rules[0].tests = vec![(Field::Interface, Field::Interface.domain())];
    let (program, _) = emit(&rules, Ebpf::TC);
    let mut machine = Machine::new(&program);
    for (interface, class) in [(0, 0), (1, 1), (u32::MAX, 1)] {
        let beside = Beside { interface, ..Beside::default() };
        assert_eq!(class_of(&mut machine, 2, &[0; 60], &beside), Some(class), "{interface}");
    }
}

#[test]
fn a_port_more_is_three_instructions_more_in_line_and_none_in_a_table() {
    let size = |count, form| emit(&with_ports(count), form).0.instructions.len();
    assert_eq!(size(1000, Ebpf::XDP) - size(100, Ebpf::XDP), 3 * 900);
    assert_eq!(size(1000, Ebpf::XDP_TREE), size(100, Ebpf::XDP_TREE));
    let (program, _) = emit(&with_ports(1000), Ebpf::XDP_TREE);
    assert_eq!(program.maps.iter().filter(|m| !m.contents.is_empty()).count(), 1);
}

#[test]
fn rules_beyond_the_limits_of_the_verifier_are_losses() {
    let rules = with_ports(10_000);
    let (program, made) = emit(&rules, Ebpf::XDP);
    let first = made.losses[0].rule;
    assert!((7_900..=8_000).contains(&first), "{first}");
    assert_eq!(made.losses.len(), 10_000 - first);
    assert!(made.losses.iter().enumerate().all(|(i, l)| l.rule == first + i));
    assert!(program.instructions.len() < MOST_INSTRUCTIONS);
    assert_eq!(emit(&rules, Ebpf::XDP_TREE).1.losses, []);
}

#[test]
fn masks_are_one_comparison() {
    use crate::value::Range;
    let with = |mask: u8, value: u8| {
        let octets = (0..=255u8).filter(|o| o & mask == value);
        ValueSet::from_ranges(octets.map(|o| Range::numbers(o.into(), o.into())))
    };
    for (mask, value) in [(0x02, 0x02), (0x12, 0x02), (0x55, 0x11), (0x03, 0)] {
        assert_eq!(chain::masked(Field::TcpFlags, &with(mask, value)), Some((mask, value)), "{mask:x}");
    }
    let other = with(0x12, 0x02).subtract(&ValueSet::single(Value::number(2)));
    assert_eq!(chain::masked(Field::TcpFlags, &other), None);
}
