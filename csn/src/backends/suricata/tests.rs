//! What rules of Suricata say.

use super::*;
use crate::sample::{Random, rule_set};

fn emit(text: &str) -> Emitted {
    let outcome = crate::compile("t.csn", text, &mut crate::NoLoader);
    assert!(!outcome.has_errors(), "{:?}", outcome.diagnostics);
    Suricata.emit(&outcome.scenario.rules, &Options::default())
}

#[test]
fn sets_are_lists_or_several_rules_with_numbers_in_order() {
    let made = emit(
        "set: class = 1, name = \"a;\\\"b\";
         addrule: srcip = {10.0.0.0/8, 2001:db8::/32}, proto = {tcp, udp}, dstport = {80, 1000..2000};
         addrule: srcip = 0.0.0.0/0, ttl = {0..9, 64, 200..255}, proto = 40..50;
         set: class = 2;\naddrule: tcpflags = syn/syn+ack;\naddrule: icmptype = 8, proto = icmp, both;",
    );
    assert_eq!(made.losses, []);
    let lines: Vec<_> = made.artefact.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "alert tcp [10.0.0.0/8,2001:db8::/32] any -> any [80,1000:2000] (msg:\"class a__b\"; flow:no_stream; sid:1; rev:1;)",
            "alert udp [10.0.0.0/8,2001:db8::/32] any -> any [80,1000:2000] (msg:\"class a__b\"; flow:no_stream; sid:2; rev:1;)",
            "alert ip [0.0.0.0/1,128.0.0.0/1] any -> any any (msg:\"class a__b\"; flow:no_stream; ip_proto:>39; ip_proto:<51; ttl:<10; sid:3; rev:1;)",
            "alert ip [0.0.0.0/1,128.0.0.0/1] any -> any any (msg:\"class a__b\"; flow:no_stream; ip_proto:>39; ip_proto:<51; ttl:64; sid:4; rev:1;)",
            "alert ip [0.0.0.0/1,128.0.0.0/1] any -> any any (msg:\"class a__b\"; flow:no_stream; ip_proto:>39; ip_proto:<51; ttl:>199; sid:5; rev:1;)",
            "alert tcp any any -> any any (msg:\"class 2\"; flow:no_stream; tcp.flags:S,FRPUEC; sid:6; rev:1;)",
            "alert icmpv4 any any -> any any (msg:\"class 2\"; flow:no_stream; itype:8; sid:7; rev:1;)",
        ]
    );
    assert_eq!(made.labels[4], ("5".to_string(), ClassId(1)));
}

#[test]
fn what_no_rule_of_suricata_can_say_is_lost() {
    let made = emit(
        "set: class = 1;\naddrule: dstport = 80;\naddrule: srcip = any;\naddrule: vlan = 5;\n
         addrule: tcpflags != {0, 3, 5, 6}, ttl != {1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31}, proto = tcp;",
    );
    let lost: Vec<_> = made.losses.iter().map(|l| l.rule).collect();
    assert_eq!(lost, [0, 1, 2, 3], "{:?}", made.losses);
}

#[test]
fn a_hundred_thousand_rules_are_written() {
    let mut random = Random::new(1);
    let rules = rule_set(&mut random, 100_000, &KNOWN);
    let made = Suricata.emit(&rules, &Options::default());
    assert!(made.entries > 50_000);
}
