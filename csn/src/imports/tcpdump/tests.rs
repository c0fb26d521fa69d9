//! Expressions as rules, and back.

use super::*;
use crate::backends::{Options, by_name};
use crate::cbpf::{Ancillary, Instruction, Interpreter};
use crate::imports::ClassBench;
use crate::packet;
use crate::ruleset::{ClassId, RuleSet};
use crate::sample::{Frames, Layout, Random, encode, rule_set};
use crate::{Field, FrameKind, FrameKinds};
use std::process::Command;

fn rules(text: &str) -> Vec<String> {
    let read = Tcpdump.parse(text);
    assert_eq!(read.diagnostics, [], "{text}");
    read.rules.rules.iter().map(ToString::to_string).collect()
}

fn problem(text: &str) -> String {
    let read = Tcpdump.parse(text);
    let [one] = read.diagnostics.as_slice() else { panic!("{text}: {:?}", read.diagnostics) };
    format!("{}: {} ({})", one.code, one.message, one.reason)
}

/// What the back end makes of rules of one class, read again.
fn again(rules: &RuleSet) -> Result<RuleSet, String> {
    let made = by_name("tcpdump").unwrap().emit(rules, &Options::default());
    assert_eq!(made.losses, []);
    let read = Tcpdump.parse(&made.artefact);
    match read.diagnostics.first() {
        Some(d) => Err(format!("{d:?}\n{}", made.artefact)),
        None => Ok(read.rules),
    }
}

fn one_class(mut rules: RuleSet) -> RuleSet {
    rules.classes.truncate(2);
    rules.rules.iter_mut().for_each(|r| r.class = ClassId(1));
    rules
}

const V4: &str = "0.0.0.0..255.255.255.255";
const V6: &str = "::..ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";

#[test]
fn primitives_mean_what_libpcap_means() {
    assert_eq!(rules("ip"), [format!("srcip = {V4}")]);
    assert_eq!(
        rules("dst port 53"),
        [
            format!("srcip = {V4}, proto = {{6, 17, 132}}, dstport = 53"),
            format!("srcip = {V6}, proto = {{6, 17, 132}}, dstport = 53")
        ]
    );
    assert_eq!(rules("ip host 10.0.0.1"), ["srcip = 10.0.0.1", "dstip = 10.0.0.1"]);
    assert_eq!(
        rules("ip src and dst net 10.1"),
        ["srcip = 10.1.0.0..10.1.255.255, dstip = 10.1.0.0..10.1.255.255"]
    );
    assert_eq!(rules("host 10.0.0.1 and icmp").len(), 2, "ARP is out of the question");
    assert_eq!(rules("tcp src port 80 or 443"), rules("tcp src port 80 or tcp src port 443"));
    assert_eq!(rules("vlan 5 and ether src 02:00:00:00:00:01"), ["srcmac = 2199023255553, vlan = 5"]);
    assert_eq!(
        rules("arp or ip6 proto 58"),
        ["ethertype = 2054".to_string(), format!("srcip = {V6}, proto = 58")]
    );
    assert_eq!(rules("icmp[icmptype] = icmp-echo"), [format!("srcip = {V4}, proto = 1, icmptype = 8")]);
    assert_eq!(rules("len >= 0"), [""]);
    assert_eq!(rules("udp and not udp"), [""; 0]);
}

#[test]
fn both_joints_bind_alike_and_not_binds_closer() {
    assert_eq!(rules("ip src host 10.0.0.1 or ip src host 10.0.0.2 and ip dst host 10.0.0.3").len(), 1);
    assert_eq!(
        rules("ip and not ip src host 0.0.0.0 and ip[8] > 9"),
        ["srcip = 0.0.0.1..255.255.255.255, ttl = 10..255"]
    );
    assert_eq!(
        rules("not ip"),
        [
            "ethertype = {0..2047, 2049..34524, 34526..34886, 34889..65535}".to_string(),
            format!("srcip = {V6}")
        ]
    );
}

#[test]
fn what_no_rule_can_say_and_what_is_no_expression_are_named() {
    assert!(problem("host 10.0.0.1").contains("ARP"));
    assert!(problem("broadcast").starts_with("E502"));
    assert!(problem("ip[20] = 3").starts_with("E502"));
    assert!(problem("len > 100").starts_with("E502"));
    assert!(problem("ip[((ip[0] & 0xf) << 2):2] = 80").starts_with("E502"), "the protocol is not tested");
    assert!(problem("ip[2:2] = ip[4:2]").starts_with("E502"));
    assert!(problem("not vlan 5").starts_with("E502"));
    for text in [
        "port",
        "port x",
        "ip and",
        "(ip",
        "ip)",
        "host 1.2.3",
        "net 10.1.2.3/8",
        "icmp port 3",
        "ether src 1",
        "é",
    ] {
        assert!(problem(text).starts_with("E501"), "{text}: {}", problem(text));
    }
    assert!(problem(&"(".repeat(10_000)).starts_with("E501"));
    assert_eq!(Tcpdump.parse("ip\n# one\n\nip6\n").rules.classes.len(), 3);
}

#[test]
fn expressions_of_the_back_end_come_back() {
    use Field::*;
    let fields = [
        EtherType, SrcIp, DstIp, Proto, Tos, Dscp, Ttl, Length, FlowLabel, SrcPort, DstPort, TcpFlags,
        IcmpType, IcmpCode,
    ];
    let (mut matched, mut compared) = (0, 0);
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let count = 1 + random.below(6);
        let source = one_class(rule_set(&mut random, count, &fields));
        let once = again(&source).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        for _ in 0..200 {
            let key = Frames::new(&source).draw_whole(&mut random).key();
            let frame = encode(&key, &Layout { payload: 40, ..Layout::default() });
            let kinds = FrameKinds::of(&frame, None);
            let outside =
                [FrameKind::Tagged, FrameKind::Labelled, FrameKind::Extensions, FrameKind::Malformed];
            if outside.iter().any(|k| kinds.contains(*k)) {
                continue;
            }
            let key = packet::parse(&frame, None);
            let wanted = source.classify(&key).class;
            assert_eq!(once.classify(&key).class, wanted, "seed {seed}: {key}\n{once:?}");
            matched += usize::from(wanted.0 > 0);
            compared += 1;
        }
        let twice = again(&once).unwrap_or_else(|e| panic!("seed {seed}: {e}"));
        let shown = |r: &RuleSet| r.rules.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&twice), shown(&once), "seed {seed}");
        assert_eq!(twice.without_places(), once.without_places(), "seed {seed}");
    }
    assert!(compared > 10_000 && matched > compared / 4, "{matched} of {compared}");
}

#[test]
fn all_rules_of_the_classbench_sets_come_back() {
    for text in [
        include_str!("../../../testdata/classbench/acl1_1k"),
        include_str!("../../../testdata/classbench/fw1_1k"),
        include_str!("../../../testdata/classbench/ipc1_1k"),
    ] {
        let source = one_class(ClassBench.parse(text).rules);
        let once = again(&source).unwrap();
        let mut random = Random::new(1);
        for _ in 0..2000 {
            let key = Frames::new(&source).draw_whole(&mut random).key();
            if key.get(Field::SrcIp).is_some_and(|a| a.family == 4) {
                assert_eq!(once.classify(&key).class, source.classify(&key).class, "{key}");
            }
        }
        assert_eq!(again(&once).unwrap().without_places(), once.without_places());
    }
}

/// Expressions that people write.
const WRITTEN: &[&str] = &[
    "udp port 53",
    "tcp and not port 22",
    "not tcp and not arp",
    "ip and tcp dst portrange 8000-8080 or icmp",
    "not (ip src net 10.0.0.0/8 and udp) and ip",
    "ip6 and not (tcp or udp or icmp6)",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0 and not src and dst net 10.0.0.0/8 and ip",
    "tcp[13] = 2 or tcp[13] = 18",
    "ip[8] < 5 or ip6[7] < 5",
    "ip[1] & 0xfc = 0xb8",
    "ip[6:2] & 0x1fff = 0 and ip and not udp",
    "not src port 53 and udp",
    "ether src 02:00:00:00:00:01 or ether proto 0x0806",
    "ip proto 17 and ip dst host 10.0.0.1",
    "icmp[icmptype] != icmp-echo",
    "ip[2:2] > 60 and ip[2:2] <= 1500",
    "proto 132 or sctp src port 5",
    "host 10.0.0.1 and udp",
    "ip6 src net 2001:db8::/32 and not ip6 dst host 2001:db8::1",
];

#[test]
fn expressions_mean_what_tcpdump_compiles_them_to() {
    let mut random = Random::new(5);
    for text in WRITTEN {
        let read = Tcpdump.parse(text);
        assert_eq!(read.diagnostics, [], "{text}");
        let Ok(made) = Command::new("tcpdump").args(["-y", "EN10MB", "-ddd", text]).output() else {
            println!("skipped: tcpdump cannot be run (apt-get install tcpdump)");
            return;
        };
        let listing = String::from_utf8(made.stdout).unwrap();
        let numbers = |line: &str| line.split(' ').map(|n| n.parse().unwrap()).collect::<Vec<u32>>();
        let program: Vec<Instruction> = listing
            .lines()
            .skip(1)
            .map(numbers)
            .map(|n| Instruction { code: n[0] as u16, jt: n[1] as u8, jf: n[2] as u8, k: n[3] })
            .collect();
        let machine = Interpreter::new(&program).unwrap();
        let frames = Frames::new(&read.rules);
        let mut matched = 0;
        for _ in 0..2000 {
            let key = frames.draw_whole(&mut random).key();
            let frame = encode(&key, &Layout { payload: 40, ..Layout::default() });
            let kinds = FrameKinds::of(&frame, None);
            let outside =
                [FrameKind::Tagged, FrameKind::Labelled, FrameKind::Extensions, FrameKind::Malformed];
            if outside.iter().any(|k| kinds.contains(*k)) {
                continue;
            }
            let key = packet::parse(&frame, None);
            let accepted = machine.run(&frame, &Ancillary::default()) != 0;
            assert_eq!(read.rules.classify(&key).rule.is_some(), accepted, "{text}: {key}");
            matched += usize::from(accepted);
        }
        assert!(matched > 50, "{text}: {matched}");
    }
}
