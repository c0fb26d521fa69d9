use super::*;
use crate::backends::example_rules;
use crate::value::{Range, ValueSet};

fn made_of(rules: Vec<Vec<(Field, ValueSet)>>) -> Emitted {
    let mut set = example_rules();
    let one = set.rules[0].clone();
    set.rules = rules.into_iter().map(|tests| crate::Rule { tests, ..one.clone() }).collect();
    Tc.emit(&set, &Options::default())
}

fn number(field: Field, value: u128) -> (Field, ValueSet) {
    (field, ValueSet::single(Value::number(value)))
}

#[test]
fn a_rule_without_ip_stands_in_every_list_that_there_is() {
    let mac = vec![number(Field::SrcMac, 0x0200_0000_0001)];
    let made = made_of(vec![mac.clone(), vec![number(Field::Proto, 6)]]);
    let ends: Vec<_> = made.artefact.lines().filter(|l| l.contains("flowid")).collect();
    let key = "match u32 0x02000000 0xffffffff at -8 match u16 0x0001 0xffff at -4";
    assert_eq!(ends.iter().filter(|l| l.contains(key)).count(), 3);
    assert!(ends[0].contains("protocol ip prio 1 u32 ht 1:") && ends[0].contains(key));
    assert!(ends[1].contains("match u8 0x06 0xff at 9"));
    assert_eq!(made.entries, 5);
    // without rules about IP there is one list
    assert_eq!(made_of(vec![mac]).entries, 1);
}

#[test]
fn what_filters_cannot_test_is_a_loss_of_that_rule() {
    let reason = |tests| {
        let made = made_of(vec![tests]);
        assert!(!made.artefact.contains("flowid"));
        made.losses.into_iter().map(|l| l.reason).collect::<String>()
    };
    assert!(reason(vec![number(Field::Interface, 2)]).contains("index of an interface"));
    assert!(reason(vec![number(Field::Vlan, 2)]).contains("VLAN tags"));
    let behind = vec![number(Field::Mpls, 2), number(Field::Ttl, 2)];
    assert!(reason(behind).contains("MPLS"));
    let not = |f: Field| (f, f.domain().subtract(&ValueSet::single(Value::number(0x5555))));
    let many = vec![not(Field::SrcPort), not(Field::DstPort), not(Field::Length)];
    assert!(reason(many).contains("more than 4096"));
}

#[test]
fn a_long_list_is_cut_into_tables() {
    let made = made_of((0..=TABLE as u128).map(|n| vec![number(Field::Mpls, n)]).collect());
    let links: Vec<_> = made.artefact.lines().filter(|l| l.contains("link")).collect();
    // a label can be behind two EtherTypes, which one mask does not tell from others
    assert_eq!(made.entries, 2 * (TABLE + 1));
    assert_eq!(links.len(), 3);
    assert!(links[2].ends_with("link 3:"));
    assert!(made.artefact.lines().last().unwrap().contains("ht 3:"));
    let both = Range::numbers(0x8847, 0x884a).into();
    let made = made_of(vec![vec![(Field::EtherType, both)]]);
    assert_eq!(made.entries, 3);
}
