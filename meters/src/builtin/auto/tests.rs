//! Flows beside a map of the standard library, their timeouts, and what overload does.

use super::*;
use crate::builtin::Off;
use csn::sample::Random;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A UDP packet between hosts and ports of these numbers.
fn frame(flow: u32) -> Vec<u8> {
    let mut f = vec![0u8; 60];
    f[12..14].copy_from_slice(&[8, 0]);
    f[14] = 0x45;
    f[16..18].copy_from_slice(&46u16.to_be_bytes());
    f[22..24].copy_from_slice(&[64, 17]);
    f[26..30].copy_from_slice(&(0x0a00_0000 + flow / 50).to_be_bytes());
    f[30..34].copy_from_slice(&[10, 99, 0, 1]);
    f[34..36].copy_from_slice(&(1024 + flow as u16 % 50).to_be_bytes());
    f[36..38].copy_from_slice(&80u16.to_be_bytes());
    f
}

fn meter(options: &[(&str, &str)], path: Option<&Path>) -> Meter {
    let spec = super::super::options::tests::spec("auto", options);
    let settings = Settings::parse(&spec).unwrap();
    let records = Records::new((&RuleSet::default(), 0), &settings.attributes, path).unwrap();
    Meter {
        flows: Flows::new(&settings.attributes, settings.limits, records),
        seen: Seen::default(),
        group: [Packet::NONE; GROUP],
        pending: 0,
        interface: None,
        failed: None,
    }
}

fn send(meter: &mut Meter, flow: u32, at: Nanos) {
    let bytes = frame(flow);
    meter.packet(&Frame { bytes: &bytes, length: 60, tag: None, time: at }, &mut Off);
}

fn end(meter: &mut Meter) -> Account {
    meter.flush(&mut Off);
    meter.finish(&End { now: Nanos(0), details: false }).unwrap()
}

/// Records of a file, column by column.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|l| l.split(',').map(str::to_string).collect::<Vec<_>>());
    let head = lines.next().unwrap();
    lines.map(|l| head.iter().cloned().zip(l).collect()).collect()
}

fn packets(row: &BTreeMap<String, String>) -> u64 {
    row["packets"].parse().unwrap()
}

#[test]
fn each_flow_has_its_packets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows");
    let mut m = meter(&[], Some(&path));
    let mut random = Random::new(3);
    let mut expected: HashMap<(String, String), u64> = HashMap::new();
    for n in 0..20_000u64 {
        let flow = random.below(700) as u32;
        send(&mut m, flow, Nanos(n * 1000));
        let source = format!("10.0.0.{}", flow / 50);
        *expected.entry((source, (1024 + flow % 50).to_string())).or_default() += 1;
    }
    let account = end(&mut m);
    let rows = rows(&path);
    assert_eq!((rows.len(), account.flows), (expected.len(), expected.len() as u64));
    for row in &rows {
        assert_eq!(expected[&(row["srcip"].clone(), row["srcport"].clone())], packets(row), "{row:?}");
        assert_eq!((row["end"].as_str(), row["proto"].as_str()), ("forced", "17"));
        assert_eq!(row["octets"], (60 * packets(row)).to_string());
    }
    assert_eq!(account.classes[0].packets, 20_000);
}

#[test]
fn a_million_flows_are_told_apart() {
    let mut m = meter(&[("flows", "1000000")], None);
    let mut f = frame(0);
    for round in 0..2u64 {
        for flow in 0..1_000_000u32 {
            f[26..30].copy_from_slice(&(0x0a00_0000 + flow).to_be_bytes());
            let time = Nanos(round * 1000 + 1);
            m.packet(&Frame { bytes: &f, length: 60, tag: None, time }, &mut Off);
        }
    }
    m.flush(&mut Off);
    assert_eq!(m.flows.used(), 1_000_000);
    let account = end(&mut m);
    assert_eq!((account.flows, account.classes[0].packets), (1_000_000, 2_000_000));
    assert_eq!(account.counters["ended resources"], 0);
}

#[test]
fn flows_end_when_they_are_silent_or_last_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows");
    let mut m = meter(&[("idle", "10"), ("active", "30")], Some(&path));
    let second = Nanos::from_secs;
    send(&mut m, 1, second(100));
    for at in 0..45 {
        send(&mut m, 2, second(100 + at));
        m.flush(&mut Off);
        m.housekeeping(second(100 + at)).unwrap();
    }
    end(&mut m);
    let of = |port: &str| -> Vec<_> {
        rows(&path).iter().filter(|r| r["srcport"] == port).map(|r| (packets(r), r["end"].clone())).collect()
    };
    assert_eq!(of("1025"), [(1, "idle".to_string())]);
    assert_eq!(of("1026"), [(30, "active".to_string()), (15, "forced".to_string())]);
}

/// More flows than records, in every way of dealing with that: no packet is counted twice, and none is lost but those
/// that are told of.
#[test]
fn what_overload_does_is_told_and_mixes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for overload in Overload::NAMES {
        let path = folder.path().join(overload);
        let mut m = meter(&[("flows", "200"), ("overload", overload)], Some(&path));
        let mut random = Random::new(9);
        for n in 0..20_000u64 {
            send(&mut m, random.below(1000) as u32, Nanos(1_000_000 + n));
            assert!(m.flows.used() <= 200, "{overload}");
        }
        let account = end(&mut m);
        let rows = rows(&path);
        let told: u64 = rows.iter().map(packets).sum();
        let (flooded, sampled_out) = (account.counters["flooded"], account.counters["sampled out"]);
        assert_eq!(told + flooded + sampled_out, 20_000, "{overload}");
        assert_eq!(account.ignored, sampled_out);
        let changes = account.counters["changes"];
        match overload {
            "evict" => assert!(account.counters["ended resources"] > 1000 && changes == 0),
            "stop" => assert!(flooded > 10_000 && rows.len() == 200),
            "coarse" => {
                // destination port, then source port: then there are 20 hosts
                assert_eq!(changes, 2);
                for row in &rows {
                    let left =
                        usize::from(!row["srcport"].is_empty()) + usize::from(!row["dstport"].is_empty());
                    assert_eq!(left.to_string(), (2 - row["change"].parse::<usize>().unwrap()).to_string());
                }
            }
            _ => {
                assert!(changes > 1 && sampled_out > 5000, "{changes}, {sampled_out}");
                for row in &rows {
                    assert_eq!(row["sampling"], (1u64 << row["change"].parse::<u32>().unwrap()).to_string());
                }
            }
        }
    }
}

#[test]
fn rules_must_not_ask_for_what_flows_do_not_tell() {
    let spec = |o: &[(&str, &str)]| super::super::options::tests::spec("auto", o);
    let rules = csn::backends::example_rules();
    Auto.check(&spec(&[]), &rules).unwrap();
    let e = Auto.check(&spec(&[("attributes", "hosts")]), &rules).unwrap_err().to_string();
    assert!(e.contains("dstport") && e.contains("{srcip, dstip, proto, dstport}"), "{e}");
    let mut both = rules.clone();
    both.rules.truncate(1);
    both.rules[0].both = true;
    both.rules[0].tests.retain(|(f, _)| *f == Field::DstPort);
    let e = Auto.check(&spec(&[("attributes", "{dstport}")]), &both).unwrap_err().to_string();
    assert!(e.contains("rules test srcport"), "{e}");
    assert!(Auto.check(&spec(&[("attributes", "{srcip, port}")]), &rules).is_err());
    assert!(Auto.check(&spec(&[("overload", "panic")]), &rules).is_err());
}
