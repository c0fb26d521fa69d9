use super::*;
use crate::backends::alternatives;
use crate::frame_kind::FrameKinds;
use crate::packet;
use crate::sample::{Frames, Random, rule_set};

fn matches(pattern: &Pattern, frame: &[u8]) -> bool {
    pattern.tests.iter().all(|(place, set)| {
        let Some(octets) = frame.get(place.at..place.at + place.octets) else { return false };
        let bits = octets.iter().fold(0u128, |n, o| n << 8 | u128::from(*o)) >> place.shift;
        let mask = if place.width == 128 { u128::MAX } else { (1 << place.width) - 1 };
        set.contains(Value::number(bits & mask))
    })
}

#[test]
fn a_frame_passes_the_tests_of_the_alternatives_that_match_it() {
    let mut random = Random::new(3);
    let (mut compared, mut matched) = (0, 0);
    for _ in 0..200 {
        let count = 1 + random.below(20);
        let rules = rule_set(&mut random, count, &Field::ALL[1..]);
        let mut all = alternatives(&rules);
        all.retain(|a| inexpressible(a).is_none());
        let kinds: FrameKinds = outside(&all).iter().map(|o| o.kind).collect();
        let frames = Frames::new(&rules);
        for _ in 0..300 {
            let frame = frames.draw(&mut random).bytes;
            if frame.len() < 14 || FrameKinds::of(&frame, None).intersects(kinds) {
                continue;
            }
            let key = packet::parse(&frame, None);
            for a in &all {
                let wanted = a.tests.iter().all(|(f, s)| key.get(*f).is_some_and(|v| s.contains(v)));
                assert_eq!(patterns(a).iter().any(|p| matches(p, &frame)), wanted, "{a:?}\n{key}");
                compared += 1;
                matched += usize::from(wanted);
            }
        }
    }
    assert!(compared > 100_000 && matched > 5000, "{matched} of {compared}");
}

#[test]
fn what_has_no_fixed_place_is_said() {
    use crate::ruleset::{ClassId, Rule, RuleSet};
    let reason = |tests: &[(Field, ValueSet)]| {
        let mut rules = RuleSet::default();
        let span = crate::diagnostic::Span::default();
        rules.rules.push(Rule { class: ClassId(0), tests: tests.to_vec(), both: false, span });
        inexpressible(&alternatives(&rules)[0])
    };
    let one = |f| (f, single(1u8));
    assert!(reason(&[one(Field::Interface)]).is_some());
    assert!(reason(&[one(Field::Vlan), one(Field::Proto)]).is_some());
    assert!(reason(&[one(Field::EtherType), one(Field::Vlan)]).is_some());
    assert!(reason(&[(Field::EtherType, single(0x8847u16)), one(Field::Proto)]).is_some());
    assert_eq!(reason(&[(Field::EtherType, single(IPV6)), one(Field::Proto)]), None);
    assert_eq!(reason(&[one(Field::SrcMac), one(Field::Vlan)]), None);
}
