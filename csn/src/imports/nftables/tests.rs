//! Listings against the rules that they mean.

use super::*;
use crate::backends::{Backend, Nftables as Target, Options};
use crate::field::Field;
use crate::packet;
use crate::print::test;
use crate::ruleset::RuleSet;
use crate::sample::{Frames, Random, rule_set};

/// A listing with one chain.
fn listed(rules: &[&str]) -> String {
    let chain = r#"{"chain": {"family": "inet", "table": "t", "name": "in", "hook": "input"}}"#;
    let rule =
        |r: &&str| format!(r#"{{"rule": {{"family": "inet", "table": "t", "chain": "in", "expr": [{r}]}}}}"#);
    let all: Vec<String> = std::iter::once(chain.to_owned()).chain(rules.iter().map(rule)).collect();
    format!(r#"{{"nftables": [{}]}}"#, all.join(",\n"))
}

fn matching(left: &str, op: &str, right: &str) -> String {
    format!(r#"{{"match": {{"op": "{op}", "left": {left}, "right": {right}}}}}"#)
}

fn payload(protocol: &str, field: &str) -> String {
    format!(r#"{{"payload": {{"protocol": "{protocol}", "field": "{field}"}}}}"#)
}

fn told(rules: &RuleSet) -> Vec<String> {
    let rule =
        |r: &crate::ruleset::Rule| r.tests.iter().map(|(f, s)| test(*f, s)).collect::<Vec<_>>().join(", ");
    rules.rules.iter().map(rule).collect()
}

#[test]
fn comparisons_mean_what_nft_says() {
    let meta = |key: &str| format!(r#"{{"meta": {{"key": "{key}"}}}}"#);
    let ports = |op: &str, right: &str| matching(&payload("tcp", "dport"), op, right);
    let masked = |left: &str, mask: &str, op: &str, right: &str| {
        matching(&format!(r#"{{"&": [{left}, {mask}]}}"#), op, right)
    };
    let raw = |base: &str, offset: u32, len: u32| {
        format!(r#"{{"payload": {{"base": "{base}", "offset": {offset}, "len": {len}}}}}"#)
    };
    let all = |parts: &[String]| parts.join(", ");
    for (tests, wanted) in [
        (ports("==", "22"), "proto = tcp, dstport = 22"),
        (ports("!=", "22"), "proto = tcp, dstport != 22"),
        (ports("<", "22"), "proto = tcp, dstport = 0..21"),
        (ports(">=", "1024"), "proto = tcp, dstport = 1024..65535"),
        (ports("==", r#"{"set": [22, {"range": [80, 90]}]}"#), "proto = tcp, dstport = {22, 80..90}"),
        (ports("==", r#""https""#), "proto = tcp, dstport = 443"),
        (
            matching(&payload("ip", "saddr"), "!=", r#""10.0.0.1""#),
            "srcip = {0.0.0.0..10.0.0.0, 10.0.0.2..255.255.255.255}",
        ),
        (masked(&payload("ip", "daddr"), r#""255.255.0.0""#, "==", r#""10.1.0.0""#), "dstip = 10.1.0.0/16"),
        (matching(&payload("ip6", "hoplimit"), "==", "5"), "srcip = ::/0, ttl = 5"),
        (matching(&meta("nfproto"), "==", "10"), "srcip = ::/0"),
        (matching(&payload("icmpv6", "type"), "==", r#""nd-redirect""#), "proto = icmpv6, icmptype = 137"),
        (matching(&payload("ip6", "flowlabel"), "==", "7"), "flowlabel = 7"),
        (matching(&payload("ip6", "length"), "==", r#"{"range": [0, 10]}"#), "srcip = ::/0, length = 40..50"),
        (
            masked(&payload("tcp", "flags"), r#"["syn", "ack"]"#, "==", r#""syn""#),
            "proto = tcp, tcpflags = syn/syn+ack",
        ),
        (masked(&payload("ip", "frag-off"), "8191", "!=", "0"), "srcip = 0.0.0.0/0, fragment = later"),
        (
            all(&[matching(&meta("protocol"), "==", r#""ip""#), matching(&raw("nh", 8, 8), "==", "184")]),
            "srcip = 0.0.0.0/0, tos = 184",
        ),
        (matching(&meta("protocol"), "==", r#""arp""#), "ethertype = arp"),
        (matching(&payload("vlan", "id"), "==", "5"), "vlan = 5"),
        (
            all(&[
                matching(&meta("l4proto"), "==", r#"{"set": ["tcp", "udp", "dccp", "sctp", "udplite"]}"#),
                matching(&payload("th", "sport"), "==", "53"),
            ]),
            "srcport = 53",
        ),
    ] {
        let text = listed(&[&format!(r#"{tests}, {{"accept": null}}"#)]);
        let read = Nftables.parse(&text);
        assert_eq!(read.diagnostics, [], "{tests}");
        assert_eq!(told(&read.rules), [wanted], "{tests}");
    }
    let any = listed(&[&format!(
        r#"{}, {{"accept": null}}"#,
        matching(&payload("tcp", "flags"), "in", r#"["syn", "rst"]"#)
    )]);
    let read = Nftables.parse(&any).rules;
    let set = read.rules[0].test(Field::TcpFlags).expect("it is tested");
    assert!((0..256u128).all(|o| set.contains(crate::Value::number(o)) == (o & 6 != 0)));
}

#[test]
fn chains_maps_and_sets_are_unfolded_in_place() {
    let text = r#"{"nftables": [
        {"chain": {"family": "inet", "table": "t", "name": "in", "hook": "input", "policy": "drop"}},
        {"chain": {"family": "inet", "table": "t", "name": "web"}},
        {"map": {"family": "inet", "table": "t", "name": "m", "elem": [[53, "dns"], [123, "ntp"]]}},
        {"rule": {"family": "inet", "table": "t", "chain": "web", "expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "saddr"}}, "right": "10.0.0.1"}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "in", "expr": [{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": {"set": [[80, {"jump": {"target": "web"}}], [22, {"drop": null}]]}}}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "in", "expr": [{"counter": {"map": {"key": {"payload": {"protocol": "udp", "field": "dport"}}, "data": "@m"}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "in", "expr": [{"match": {"op": "==", "left": {"concat": [{"payload": {"protocol": "ip", "field": "saddr"}}, {"payload": {"protocol": "tcp", "field": "dport"}}]}, "right": {"set": [{"concat": ["10.0.0.2", 80]}]}}}, {"accept": null}]}},
        {"rule": {"family": "inet", "table": "t", "chain": "in", "expr": [{"counter": {"packets": 0, "bytes": 0}}]}}
    ]}"#;
    let read = Nftables.parse(text);
    assert_eq!(read.diagnostics, []);
    assert_eq!(
        told(&read.rules),
        [
            "srcip = 10.0.0.1, proto = tcp, dstport = 80",
            "proto = tcp, dstport = 22",
            "proto = udp, dstport = 53",
            "proto = udp, dstport = 123",
            "srcip = 10.0.0.2, proto = tcp, dstport = 80"
        ]
    );
    let labels: Vec<_> = read.rules.classes.iter().map(crate::ruleset::Class::label).collect();
    assert_eq!(labels, ["others", "1", "2", "dns", "ntp", "5"]);
}

#[test]
fn what_is_not_taken_over_is_named_by_its_place() {
    let accept = r#"{"accept": null}"#;
    let state = matching(r#"{"ct": {"key": "state"}}"#, "==", r#""new""#);
    let next = matching(&payload("ip6", "nexthdr"), "==", r#""tcp""#);
    let port = matching(&payload("th", "dport"), "==", "53");
    let udp = matching(&payload("udp", "dport"), "==", "53");
    let text = listed(&[
        &format!("{state}, {accept}"),
        &format!("{next}, {accept}"),
        &format!("{port}, {accept}"),
        &format!(r#"{udp}, {{"counter": null}}"#),
        &format!(r#"{udp}, {{"limit": {{"rate": 5}}}}, {accept}"#),
        &format!(r#"{udp}, {{"log": null}}"#),
        &format!("{udp}, {accept}"),
    ]);
    let read = Nftables.parse(&text);
    let found: Vec<_> = read.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(told(&read.rules), ["proto = udp, dstport = 53"]);
    assert_eq!(found, ["E502", "E502", "E502", "E502", "W503", "E502"], "{:?}", read.diagnostics);
}

#[test]
fn what_is_no_json_is_named_by_its_place() {
    let read = Nftables.parse("{\"nftables\": [\n{\"rule\": 5}, }");
    assert_eq!(read.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["E501"]);
    assert_eq!(read.diagnostics[0].span.start, 28);
}

#[test]
fn rules_of_one_chain_only_are_taken_over() {
    let text = listed(&[r#"{"accept": null}"#]);
    let other = r#",{"chain": {"family": "ip", "table": "u", "name": "o", "hook": "output"}},{"rule": {"family": "ip", "table": "u", "chain": "o", "expr": [{"drop": null}]}}]}"#;
    let read = Nftables.parse(&(text.strip_suffix("]}").unwrap_or(&text).to_owned() + other));
    assert_eq!(read.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["E502"]);
    assert!(read.diagnostics[0].message.contains("ip u o"), "{}", read.diagnostics[0].message);
    assert_eq!(read.rules.rules.len(), 1);
}

/// What the back end makes of random rules reads back as rules that classify alike, and those come back unchanged.
#[test]
fn what_is_exported_reads_back() {
    let json = Target.forms().iter().copied().find(|f| f.name == "json");
    let options = Options { form: json, ..Options::default() };
    let mut count = 0;
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let most = 1 + random.below(30);
        let mut rules = rule_set(&mut random, most, &Field::ALL[1..]);
        let lost: Vec<usize> = Target.emit(&rules, &options).losses.iter().map(|l| l.rule).collect();
        let mut place = 0;
        rules.rules.retain(|_| {
            place += 1;
            !lost.contains(&(place - 1))
        });
        let made = Target.emit(&rules, &options);
        let read = Nftables.parse(&made.artefact);
        // DSCP and TOS of a random rule can contradict each other
        assert!(read.diagnostics.iter().all(|d| d.code == "W503"), "{seed}\n{}", made.artefact);
        count += read.rules.rules.len();
        let outside = made.outside_kinds();
        for _ in 0..200 {
            let frame = Frames::new(&rules).draw(&mut random).bytes;
            if crate::FrameKinds::of(&frame, None).intersects(outside) {
                continue;
            }
            let key = packet::parse(&frame, None);
            let wanted = &made.labels[rules.classify(&key).class.index()].0;
            let class = &read.rules.classes[read.rules.classify(&key).class.index()];
            let got = class.name.clone().unwrap_or_else(|| format!("class_{}", class.number));
            assert_eq!(got, *wanted, "{seed}: {key}\n{}", made.artefact);
        }
        let again = Nftables.parse(&Target.emit(&read.rules, &options).artefact);
        assert_eq!(again.diagnostics, []);
        assert_eq!(again.rules.without_places(), read.rules.without_places(), "{seed}");
    }
    assert!(count > 2000, "{count}");
}
