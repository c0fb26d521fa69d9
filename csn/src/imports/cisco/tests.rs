use super::*;
use crate::print::test;

/// What the entries of an IPv4 list mean, rule by rule.
fn rules(entries: &str) -> Vec<String> {
    let read = Cisco.parse(&format!("ip access-list extended T\n{entries}\n"));
    assert_eq!(read.diagnostics, []);
    let one = |r: &crate::Rule| r.tests.iter().map(|(f, s)| test(*f, s)).collect::<Vec<_>>().join(", ");
    read.rules.rules.iter().map(one).collect()
}

#[test]
fn entries_mean_what_they_say() {
    assert_eq!(
        rules("deny tcp 10.0.0.0 0.0.0.255 any eq 80 443"),
        ["srcip = 10.0.0.0/24, proto = tcp, dstport = {80, 443}"]
    );
    assert_eq!(rules("deny tcp any neq www host 10.0.0.1"), ["dstip = 10.0.0.1, proto = tcp, srcport != 80"]);
    assert_eq!(
        rules("deny udp any lt 10 any gt 65000"),
        ["srcip = 0.0.0.0/0, proto = udp, srcport = 0..9, dstport = 65001..65535"]
    );
    assert_eq!(rules("deny ip 10.0.0.0 0.0.3.0 any"), ["srcip = {10.0.0.0, 10.0.1.0, 10.0.2.0, 10.0.3.0}"]);
    assert_eq!(rules("deny tcp any any ack"), ["srcip = 0.0.0.0/0, proto = tcp, tcpflags = ack/ack"]);
    assert_eq!(rules("deny ip any any precedence 5"), ["srcip = 0.0.0.0/0, tos = 160..191"]);
    assert_eq!(
        rules("deny icmp any any 3 4"),
        ["srcip = 0.0.0.0/0, proto = icmp, icmptype = 3, icmpcode = 4"]
    );
    assert_eq!(rules("deny ip any any ttl range 5 9"), ["srcip = 0.0.0.0/0, ttl = 5..9"]);
}

#[test]
fn later_fragments_match_what_is_permitted_by_address() {
    assert_eq!(
        rules("permit tcp any any eq 80"),
        ["srcip = 0.0.0.0/0, proto = tcp, dstport = 80", "srcip = 0.0.0.0/0, proto = tcp, fragment = later"]
    );
    assert_eq!(rules("permit tcp any any dscp ef"), ["srcip = 0.0.0.0/0, proto = tcp, dscp = ef"]);
    assert_eq!(rules("deny tcp any any fragments"), ["srcip = 0.0.0.0/0, proto = tcp, fragment = later"]);
}

#[test]
fn entries_are_tried_by_their_sequence_numbers() {
    let text = "ip access-list extended A\n 20 permit udp any any\n 5 deny tcp any any\n permit ip any any\n\
                ipv6 access-list B\n sequence 7 permit ipv6 any 2001:db8::/32\n";
    let read = Cisco.parse(text);
    assert_eq!(read.diagnostics, []);
    let names: Vec<_> = read.rules.classes.iter().filter_map(|c| c.name.as_deref()).collect();
    assert_eq!(names, ["others", "A 5 deny", "A 15 permit", "A 20 permit", "B 7 permit"]);
    let numbered = Cisco.parse("access-list 101 remark web\naccess-list 101 permit tcp any any eq www\n");
    assert_eq!(numbered.diagnostics, []);
    assert_eq!(numbered.rules.classes[1].name.as_deref(), Some("101 10 permit"));
}

#[test]
fn what_is_not_taken_over_is_named_by_line() {
    let codes = |text: &str| Cisco.parse(text).diagnostics.iter().map(|d| d.code).collect::<Vec<_>>();
    let entry = |text: &str| codes(&format!("ip access-list extended T\n{text}\n"));
    for lost in [
        "permit ip any any time-range night",
        "permit tcp any any reflect R",
        "permit ip any any option any-options",
        "permit tcp object-group A any",
        "permit ip 10.0.0.0 85.85.85.84 any",
        "permit tcp any any syn ack",
    ] {
        assert_eq!(entry(lost), ["E502"], "{lost}");
    }
    for malformed in [
        "permit",
        "permit tcp any",
        "permit xyz any any",
        "permit tcp any any eq",
        "permit tcp any any eq 65536",
        "permit tcp any any lt 0",
        "permit ip any any eq 80",
        "permit tcp any any eq 80 fragments",
        "permit tcp any any match-all",
        "permit ip 10.0.0.0 any",
        "permit ip 10.0.0.0/33 any",
        "permit ip any any dscp 64",
        "permit icmp any any bogus",
        "0 permit ip any any",
        "5 permit ip any any\n5 deny ip any any",
    ] {
        assert_eq!(entry(malformed), ["E501"], "{malformed}");
    }
    assert_eq!(codes("permit ip any any"), ["E501"]);
    assert_eq!(codes("access-list 10 permit 10.0.0.0 0.0.0.255"), ["E502"]);
    assert_eq!(codes("access-list 101 permit ip any any\naccess-list 102 permit ip any any"), ["E502"]);
    assert_eq!(entry("permit ip any any log"), ["W503"]);
    assert_eq!(entry("interface Gi0/1\n ip access-group T in"), ["W503", "W503"]);
    assert_eq!(entry("permit ip any any\nipv6 access-list T\npermit ipv6 any any"), ["E502"]);
    let extension = "ipv6 access-list T\npermit ahp any any";
    assert_eq!(codes(extension), ["E502"]);
}
