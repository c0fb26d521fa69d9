use super::*;
use crate::backends::example_rules;
use crate::value::{Range, ValueSet};

fn flows_of(tests: Vec<(Field, ValueSet)>) -> Emitted {
    let mut rules = example_rules();
    rules.rules.truncate(1);
    rules.rules[0].tests = tests;
    Ovs.emit(&rules, &Options::default())
}

fn number(field: Field, value: u128) -> (Field, ValueSet) {
    (field, ValueSet::single(Value::number(value)))
}

#[test]
fn what_openflow_cannot_test_is_a_loss_of_that_rule() {
    let reasons = |tests| {
        let made = flows_of(tests);
        assert_eq!(made.entries, 1, "{}", made.artefact);
        made.losses.iter().map(|l| l.reason.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        reasons(vec![number(Field::Interface, 2)]),
        ["left out: OpenFlow's port numbers are not interface indexes"]
    );
    assert_eq!(
        reasons(vec![number(Field::Length, 60)]),
        ["left out: OpenFlow does not test the length of packets"]
    );
    assert_eq!(
        reasons(vec![number(Field::DstPort, 80)]),
        ["left out: Open vSwitch does not read the ports of DCCP and UDP-Lite"]
    );
    let most = ValueSet::single(Value::number(0x0800));
    let most = Field::EtherType.domain().subtract(&most);
    assert_eq!(
        reasons(vec![(Field::EtherType, most)]),
        ["left out: OpenFlow does not test types below 0x600"]
    );
    let wide = Range::numbers(0x700, 0xffff).into();
    assert_eq!(
        reasons(vec![(Field::EtherType, wide)]),
        ["left out: dl_type has no mask, and 63744 values need as many flows"]
    );
}

#[test]
fn a_test_that_zero_passes_keeps_later_fragments_away() {
    let made = flows_of(vec![number(Field::Proto, 17), (Field::DstPort, Range::numbers(0, 2).into())]);
    let lines: Vec<_> = made.artefact.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "cookie=0x1,priority=65535,udp,ip_frag=not_later,tp_dst=0x0/0xfffe,actions=drop",
            "cookie=0x1,priority=65535,udp,ip_frag=not_later,tp_dst=2,actions=drop",
            "cookie=0x1,priority=65535,udp6,ip_frag=not_later,tp_dst=0x0/0xfffe,actions=drop",
            "cookie=0x1,priority=65535,udp6,ip_frag=not_later,tp_dst=2,actions=drop",
            "cookie=0x0,priority=0,actions=drop",
        ]
    );
    assert_eq!(
        made.notes,
        [
            "1 rules became 4 flows: ranges become prefixes, sets of values without a mask a flow for each value"
        ]
    );
}

#[test]
fn a_list_longer_than_the_priorities_goes_on_in_the_next_table() {
    let mut rules = example_rules();
    let rule = rules.rules[0].clone();
    rules.rules = vec![rule; RULES_OF_A_TABLE + 1];
    let made = Ovs.emit(&rules, &Options::default());
    assert_eq!(made.losses, []);
    let lines: Vec<_> = made.artefact.lines().rev().take(4).collect();
    assert_eq!(lines[0], "table=1,cookie=0x0,priority=0,actions=drop");
    assert!(lines[1].starts_with("table=1,cookie=0x1,priority=65535,udp"), "{}", lines[1]);
    assert_eq!(lines[2], "cookie=0x100000000,priority=0,actions=resubmit(,1)");
    assert!(lines[3].starts_with("cookie=0x1,priority=2,udp"), "{}", lines[3]);
}
