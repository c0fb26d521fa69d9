//! Lists against the oracle: an evaluator reads the JSON as the model describes it.

use super::*;
use crate::backends::example_rules;
use crate::sample::{Frames, Random, rule_set};
use crate::value::{Value, ValueSet};
use crate::{FrameKinds, Key, packet};
use serde_json::Value as Json;
use std::collections::HashSet;

/// The first entry of the list that matches.
fn first_match(list: &Json, key: &Key) -> String {
    let aces = list["ietf-access-control-list:acls"]["acl"][0]["aces"]["ace"].as_array().unwrap();
    let matching = |ace: &&Json| {
        let Some(matches) = ace.get("matches") else { return true };
        matches.as_object().unwrap().iter().all(|(container, leaves)| {
            leaves.as_object().unwrap().iter().all(|(leaf, value)| holds(container, leaf, value, leaves, key))
        })
    };
    aces.iter().find(matching).unwrap()["name"].as_str().unwrap().to_owned()
}

fn number(key: &Key, field: Field) -> Option<u128> {
    key.get(field).map(|v| v.bits)
}

fn holds(container: &str, leaf: &str, value: &Json, leaves: &Json, key: &Key) -> bool {
    let is = |field| number(key, field) == value.as_u64().map(u128::from);
    let family = key.get(Field::SrcIp).map(|v| v.family);
    match (container, leaf) {
        ("eth", "ethertype") => is(Field::EtherType),
        ("eth", mask) if mask.ends_with("-mask") => true,
        ("eth", side) => {
            let bits = |t: &Json| {
                let text: String = t.as_str().unwrap().split(':').collect();
                u128::from_str_radix(&text, 16).unwrap()
            };
            let mask = leaves.get(format!("{side}-mask")).map_or(u128::MAX, bits);
            let field = if side.starts_with("source") { Field::SrcMac } else { Field::DstMac };
            number(key, field).is_some_and(|n| n & mask == bits(value))
        }
        ("ipv4" | "ipv6", network) if network.ends_with("-network") => {
            let field = if network.starts_with("source") { Field::SrcIp } else { Field::DstIp };
            let (address, len) = value.as_str().unwrap().split_once('/').unwrap();
            let base = Value::ip(address.parse().unwrap());
            let host = if base.family == 4 { 32 } else { 128 } - len.parse::<u32>().unwrap();
            let cut = |bits: u128| bits.checked_shr(host).unwrap_or(0);
            key.get(field).is_some_and(|v| v.family == base.family && cut(v.bits) == cut(base.bits))
        }
        ("ipv4" | "ipv6", "protocol") => is(Field::Proto),
        ("ipv4" | "ipv6", "dscp") => is(Field::Dscp),
        ("ipv4" | "ipv6", "ecn") => number(key, Field::Tos).map(|t| t & 3) == value.as_u64().map(u128::from),
        ("ipv4" | "ipv6", "ttl") => is(Field::Ttl),
        ("ipv4", "length") => is(Field::Length),
        // the key saturates
        ("ipv6", "length") => {
            let whole = (u128::from(value.as_u64().unwrap()) + 40).min(0xffff);
            family == Some(6) && number(key, Field::Length) == Some(whole)
        }
        ("ipv6", "flow-label") => is(Field::FlowLabel),
        ("tcp" | "udp", "source-port" | "destination-port") => {
            let field = if leaf == "source-port" { Field::SrcPort } else { Field::DstPort };
            let of = |name: &str| value.get(name).and_then(Json::as_u64).map(u128::from);
            number(key, field).is_some_and(|p| match value.get("operator").and_then(Json::as_str) {
                Some("eq") => Some(p) == of("port"),
                Some("neq") => Some(p) != of("port"),
                None => of("lower-port").unwrap() <= p && p <= of("upper-port").unwrap(),
                other => panic!("{other:?}"),
            })
        }
        ("tcp", "flags") => {
            let bit = |name: &str| match name {
                "fin" => 1,
                "syn" => 2,
                "rst" => 4,
                "psh" => 8,
                "ack" => 16,
                "urg" => 32,
                "ece" => 64,
                "cwr" => 128,
                other => panic!("{other}"),
            };
            let wanted: u128 = value.as_str().unwrap().split_whitespace().map(bit).sum();
            number(key, Field::TcpFlags) == Some(wanted)
        }
        ("icmp", "type") => is(Field::IcmpType),
        ("icmp", "code") => is(Field::IcmpCode),
        other => panic!("{other:?}"),
    }
}

#[test]
fn random_rules_mean_the_same_as_lists() {
    let mut random = Random::new(8);
    let (mut all, mut kept, mut compared) = (0, 0, 0);
    for set in 0..200 {
        let count = 1 + random.below(12);
        let mut rules = rule_set(&mut random, count, &Field::ALL);
        all += rules.rules.len();
        let lost: HashSet<usize> =
            Acl.emit(&rules, &Options::default()).losses.iter().map(|l| l.rule).collect();
        let mut place = 0;
        rules.rules.retain(|_| {
            place += 1;
            !lost.contains(&(place - 1))
        });
        kept += rules.rules.len();
        let made = Acl.emit(&rules, &Options::default());
        assert_eq!(made.losses, []);
        let list: Json = serde_json::from_str(&made.artefact).unwrap();
        let labels: HashMap<String, ClassId> = made.labels.iter().cloned().collect();
        assert_eq!(labels.len(), made.entries);
        let frames = Frames::new(&rules);
        for _ in 0..60 {
            let frame = frames.draw(&mut random).bytes;
            if FrameKinds::of(&frame, None).intersects(made.outside_kinds()) {
                continue;
            }
            let key = packet::parse(&frame, None);
            let class = labels[&first_match(&list, &key)];
            assert_eq!(class, rules.classify(&key).class, "set {set}: {key}\n{}", made.artefact);
            compared += 1;
        }
    }
    assert!(kept * 3 > all, "{kept} of {all}");
    assert!(compared > 4000, "{compared}");
}

#[test]
fn the_classbench_sets_survive() {
    use crate::imports::{ClassBench, Import};
    let rules = ClassBench.parse(include_str!("../../../testdata/classbench/acl1_1k")).rules;
    let made = Acl.emit(&rules, &Options::default());
    assert_eq!(made.losses, []);
    assert!(made.artefact.contains("\"type\": \"ipv4-acl-type\""));
}

#[test]
fn names_of_entries_are_given_once_and_fit() {
    let mut rules = example_rules();
    rules.classes[1].name = Some("a-2".into());
    rules.classes[2].name = Some("a".into());
    let one = rules.rules[1].clone();
    rules.rules.extend([one.clone(), one]);
    let made = Acl.emit(&rules, &Options::default());
    let names: Vec<_> = made.labels.iter().map(|(l, _)| l.as_str()).collect();
    assert_eq!(names, ["a-2", "a", "a-3", "a-4", "others"]);
    rules.classes[1].name = Some("\"\\\n".repeat(40));
    let made = Acl.emit(&rules, &Options::default());
    let list: Json = serde_json::from_str(&made.artefact).unwrap();
    let name = &list["ietf-access-control-list:acls"]["acl"][0]["aces"]["ace"][0]["name"];
    assert!(name.as_str().unwrap().chars().count() <= LONGEST_NAME);
    assert_eq!(name.as_str(), Some(made.labels[0].0.as_str()));
}

#[test]
fn what_the_model_does_not_have_is_a_loss_of_that_rule() {
    let reason = |tests: Vec<(Field, ValueSet)>| {
        let mut rules = example_rules();
        rules.rules.truncate(1);
        rules.rules[0].tests = tests;
        Acl.emit(&rules, &Options::default()).losses.into_iter().map(|l| l.reason).collect::<String>()
    };
    let one = |f: Field, n: u128| (f, ValueSet::single(Value::number(n)));
    assert!(reason(vec![one(Field::Interface, 1)]).contains("by name"));
    assert!(reason(vec![one(Field::Vlan, 1)]).contains("VLAN"));
    assert!(reason(vec![one(Field::Mpls, 1)]).contains("MPLS"));
    assert!(reason(vec![one(Field::DstPort, 80)]).contains("TCP and UDP"));
    assert!(reason(vec![one(Field::Fragment, 0)]).contains("fragments"));
    assert!(reason(vec![(Field::TcpFlags, Field::TcpFlags.domain())]).contains("whatever"));
    assert_eq!(reason(vec![one(Field::Proto, 6), one(Field::DstPort, 80)]), "");
}
