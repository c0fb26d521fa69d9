//! What rules say, without the kernel; `tests/engines` holds them against it.

use super::*;

fn compiled(text: &str) -> RuleSet {
    let read = crate::compile("t.csn", text, &mut crate::NoLoader);
    assert!(!read.has_errors(), "{:?}", read.diagnostics);
    read.scenario.rules
}

fn made(text: &str, form: Form) -> Emitted {
    Iptables.emit(&compiled(text), &Options { form: Some(form), ..Options::default() })
}

fn matches(test: &str, form: Form) -> Vec<String> {
    let made = made(&format!("set: class = 1;\naddrule: {test};\n"), form);
    assert_eq!(made.losses, [], "{test}");
    let inner = |l: &str| Some(l.strip_prefix("-A PREROUTING ")?.strip_suffix(" -j class_1")?.to_owned());
    made.artefact.lines().filter_map(inner).collect()
}

#[test]
fn tests_are_written_as_people_write_them() {
    for (test, wanted) in [
        ("srcip = 10.0.0.0/8, proto = tcp, dstport = 80", vec!["-p tcp -m tcp --dport 80 -s 10.0.0.0/8"]),
        ("proto = udp, srcport = {1, 5..9}", vec!["-p udp -m multiport --sports 1,5:9"]),
        ("proto = tcp, dstport != 80", vec!["-p tcp -m tcp ! --dport 80"]),
        (
            "dstip = 10.0.0.1..10.0.0.6, proto != tcp",
            vec!["! -p tcp -m iprange --dst-range 10.0.0.1-10.0.0.6"],
        ),
        ("proto = icmp, icmptype = 8, icmpcode = 0", vec!["-p icmp -m icmp --icmp-type 8/0"]),
        ("proto = tcp, tcpflags = syn/syn+ack", vec!["-p tcp -m tcp --tcp-flags SYN,ACK SYN"]),
        ("dscp = ef, ttl = 5..9", vec!["-m dscp --dscp 46 -m ttl --ttl-gt 4 -m ttl --ttl-lt 10"]),
        ("length = 40..50", vec!["-m length --length 40:50"]),
        ("fragment = later", vec!["-f"]),
        ("fragment = first", vec!["-m u32 --u32 \"4&0x3FFF=0x2000\""]),
        ("proto = {tcp, udp}, dstport = 53", vec!["-p tcp -m tcp --dport 53", "-p udp -m udp --dport 53"]),
        ("srcmac = 02:00:00:00:00:01", vec!["-m mac --mac-source 02:00:00:00:00:01"]),
        ("srcip = ::1", vec![]),
    ] {
        assert_eq!(matches(test, V4), wanted, "{test}");
    }
    for (test, wanted) in [
        ("ttl = 5, flowlabel = 3", vec!["-m hl --hl-eq 5 -m u32 --u32 \"0&0xFFFFF=0x3\""]),
        (
            "srcip = 2001:db8::/32, fragment = no",
            vec![
                "-s 2001:db8::/32 -m ipv6header ! --header frag --soft",
                "-s 2001:db8::/32 -m frag --fragfirst --fraglast",
            ],
        ),
        (
            "proto = icmpv6, icmptype = 128..129",
            vec!["-p ipv6-icmp -m icmp6 --icmpv6-type 128", "-p ipv6-icmp -m icmp6 --icmpv6-type 129"],
        ),
    ] {
        assert_eq!(matches(test, V6), wanted, "{test}");
    }
}

#[test]
fn a_loss_is_what_iptables_cannot_say() {
    let text = "set: class = 1;\naddrule: interface = 3;\naddrule: vlan = 1;\naddrule: proto = udp;\n\
                addrule: srcmac = 0..7, both;\naddrule: dstmac = 5;\naddrule: mpls = 5;\naddrule: fragment = later;\n\
                addrule: proto = tcp, tcpflags = 0x12;\n";
    let lost = |form| made(text, form).losses.iter().map(|l| l.rule).collect::<Vec<_>>();
    assert_eq!(lost(V4), [0, 1, 3, 4, 5]);
    assert_eq!(lost(V6), [0, 1, 3, 4, 5, 6, 7]);
}

#[test]
fn rules_of_the_other_version_are_noted() {
    let text = "set: class = 1;\naddrule: srcip = ::1;\nset: class = 2;\naddrule: dscp = 3;\n";
    let four = made(text, V4);
    assert_eq!((four.losses.len(), four.entries), (0, 2));
    assert_eq!(four.notes, ["1 rules match no IPv4 packets, and are not in this form"]);
    assert_eq!(made(text, V6).notes, [""; 0]);
    assert!(four.outside_kinds().contains(FrameKind::Ipv6));
}

#[test]
fn names_cannot_break_a_line_or_the_quotes() {
    let mut rules = crate::backends::example_rules();
    rules.classes[1].name = Some("the \"voice\"\n-A \\".into());
    let made = Iptables.emit(&rules, &Options::default());
    assert!(
        made.artefact.contains("-m comment --comment \"the \\\"voice\\\" -A \\\\\" -j ACCEPT"),
        "{}",
        made.artefact
    );
    assert!(made.labels.iter().all(|(l, _)| l.len() <= CHAIN));
}
