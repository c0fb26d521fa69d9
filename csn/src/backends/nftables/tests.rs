//! What tables say, without the kernel; `tests/engines` holds them against it.

use super::*;
use crate::backends::example_rules;
use crate::value::ValueSet;

fn compiled(text: &str) -> RuleSet {
    let read = crate::compile("t.csn", text, &mut crate::NoLoader);
    assert!(!read.has_errors(), "{:?}", read.diagnostics);
    read.scenario.rules
}

fn rules_of(text: &str, form: Form) -> Vec<String> {
    let made = Nftables.emit(&compiled(text), &Options { form: Some(form), ..Options::default() });
    assert_eq!(made.losses, []);
    let lines = made.artefact.lines().map(str::trim).skip_while(|l| !l.starts_with("type ")).skip(1);
    lines.take_while(|l| !l.starts_with("counter name \"others\"")).map(str::to_owned).collect()
}

#[test]
fn tests_are_written_as_people_write_them() {
    for (test, wanted) in [
        (
            "srcip = 10.1.0.0/16, proto = tcp, dstport = {80, 443}",
            vec!["ip saddr 10.1.0.0/16 tcp dport { 80, 443 }"],
        ),
        ("dstport = 53", vec!["meta l4proto { 6, 17, 33, 132, 136 } th dport 53"]),
        ("proto = {tcp, udp}, dstport != 53", vec!["meta l4proto { 6, 17 } th dport != 53"]),
        ("srcip = 0.0.0.0/0, proto = udp, dstport = 1..9", vec!["ip protocol 17 udp dport 1-9"]),
        ("srcip = 0.0.0.0/0", vec!["ip version 4"]),
        ("dscp = ef", vec!["ip dscp 46", "ip6 dscp 46"]),
        ("tos = 4, ethertype = 0x86dd", vec!["ip6 version 6 @nh,0,16 & 0xff0 == 64 meta protocol 34525"]),
        ("length = 40..50, dstip = ::1", vec!["ip6 daddr ::1 ip6 length 0-10"]),
        ("proto = udp, srcport != 5, dstport != 6", vec!["udp sport != 5 udp dport { 0-5, 7-65535 }"]),
        ("icmptype = 8", vec!["icmp type 8", "icmpv6 type 8"]),
        ("proto = tcp, tcpflags = syn", vec!["meta l4proto 6 @th,104,8 == 2"]),
        ("srcip = 10.0.0.1, fragment = later", vec!["ip saddr 10.0.0.1 ip frag-off & 0x1fff != 0"]),
        (
            "srcip = ::1, fragment = no",
            vec!["ip6 saddr ::1 exthdr frag missing", "ip6 saddr ::1 frag frag-off 0 frag more-fragments 0"],
        ),
        ("vlan = 1..5", vec!["@ll,96,16 == { 33024, 34984, 37120 } @ll,112,16 & 0xfff == 1-5"]),
        ("mpls = 3", vec!["meta protocol 34887-34888 @nh,0,24 & 0xfffff0 == 48"]),
        ("srcmac = 02:00:00:00:00:01", vec!["ether saddr 02:00:00:00:00:01"]),
    ] {
        let text = format!("set: class = 1;\naddrule: {test};\n");
        let wanted: Vec<_> = wanted.iter().map(|w| format!("{w} counter name \"class_1\" accept")).collect();
        assert_eq!(rules_of(&text, ORDERED), wanted, "{test}");
    }
}

#[test]
fn a_loss_is_what_nftables_cannot_say() {
    let text = "set: class = 1;\naddrule: interface = 3;\naddrule: mpls = 1, proto = udp;\naddrule: mpls = 1;\n\
                addrule: ethertype = 0x8847, dstip = 10.0.0.1;\naddrule: proto = udp, both, interface = 3;\n";
    let made = Nftables.emit(&compiled(text), &Options::default());
    assert_eq!(made.losses.iter().map(|l| l.rule).collect::<Vec<_>>(), [0, 1, 3, 4]);
}

#[test]
fn rules_that_differ_in_one_field_are_one_map() {
    let text = "set: class = 1..3;\naddrule: srcip = 10.0.0.1, dstip = 10.0.0.2, proto = udp, dstport = each 2000..2002, both;\n\
                set: class = 9;\naddrule: proto = tcp;\n";
    let lines = rules_of(text, MAP);
    assert_eq!(
        lines,
        [
            "ip saddr 10.0.0.1 ip daddr 10.0.0.2 counter name udp dport map {",
            "2000 : \"class_1\",",
            "2001 : \"class_2\",",
            "2002 : \"class_3\",",
            "} accept",
            "ip saddr 10.0.0.2 ip daddr 10.0.0.1 counter name udp sport map {",
            "2000 : \"class_1\",",
            "2001 : \"class_2\",",
            "2002 : \"class_3\",",
            "} accept",
            "meta l4proto 6 counter name \"class_9\" accept",
        ]
    );
}

#[test]
fn rules_that_overlap_stay_in_order() {
    let rule = |class: u32, test: &str| format!("set: class = {class};\naddrule: {test};\n");
    let text = rule(1, "proto = udp, dstport = 1..9")
        + &rule(2, "proto = udp, dstport = 5..12")
        + &rule(3, "proto = udp, dstport = 13")
        + &rule(4, "srcip = 10.0.0.1, proto = udp, dstport = 4")
        + &rule(5, "proto = udp, dstport = 20");
    let lines = rules_of(&text, MAP);
    let names = |l: &String| l.split('"').nth(1).unwrap_or("").to_owned();
    assert_eq!(
        lines.iter().map(names).collect::<Vec<_>>(),
        ["class_1", "", "class_2", "class_3", "class_5", "", "class_4"]
    );
}

#[test]
fn several_fields_are_a_concatenation() {
    let text = "set: class = 1;\naddrule: srcip = 10.0.0.1, proto = udp, dstport = 5;\n\
                set: class = 2;\naddrule: srcip = 10.0.0.1, proto = udp, dstport = 6;\n\
                set: class = 3;\naddrule: srcip = 10.0.0.2, proto = udp, dstport = 5;\n";
    assert_eq!(
        rules_of(text, MAP),
        [
            "counter name ip saddr . udp dport map {",
            "10.0.0.1 . 5 : \"class_1\",",
            "10.0.0.1 . 6 : \"class_2\",",
            "10.0.0.2 . 5 : \"class_3\",",
            "} accept"
        ]
    );
}

#[test]
fn json_is_json_whatever_the_names() {
    let mut rules = example_rules();
    rules.classes[1].name = Some("the \"voice\" \\ \u{1}".into());
    let options = Options { form: Some(JSON), interface: "e\"th0".into(), ..Options::default() };
    let made = Nftables.emit(&rules, &options);
    let value: serde_json::Value = serde_json::from_str(&made.artefact).expect("it is JSON");
    assert_eq!(value["nftables"][3]["counter"]["comment"], "the \"voice\" \\ \u{1}");
    assert_eq!(value["nftables"][5]["chain"]["dev"], "eth0");
    assert_eq!(made.labels[1].0, "c_the__voice_____");
}

#[test]
fn what_needs_no_deep_look_has_little_outside() {
    let mut rules = example_rules();
    rules.rules.truncate(1);
    rules.rules[0].tests = vec![(Field::SrcMac, ValueSet::single(Value::number(5)))];
    let kinds: Vec<_> = Nftables.emit(&rules, &Options::default()).outside.iter().map(|o| o.kind).collect();
    assert_eq!(kinds, [FrameKind::Malformed]);
}
