//! Tests of both passes, of the two directions of flows, and of several rule sets at once.

use super::*;
use crate::builtin::Off;
use crate::builtin::rtfm::engine::tests::{AUTOMATIC, PORTS};
use csn::rtfm::Program;

/// An Ethernet frame with a UDP datagram over IPv4.
fn udp(src: [u8; 4], dst: [u8; 4], ports: (u16, u16)) -> Vec<u8> {
    let mut f = vec![0u8; 60];
    f[12..14].copy_from_slice(&[8, 0]);
    f[14] = 0x45;
    f[16..18].copy_from_slice(&46u16.to_be_bytes());
    f[22..24].copy_from_slice(&[64, 17]);
    f[26..30].copy_from_slice(&src);
    f[30..34].copy_from_slice(&dst);
    f[34..36].copy_from_slice(&ports.0.to_be_bytes());
    f[36..38].copy_from_slice(&ports.1.to_be_bytes());
    f
}

fn matching(sets: &[&str], interface: Option<u32>) -> Matching {
    let engine = |(n, rules)| {
        Engine::new(&Program::parse(&format!("SET {n} RULES {rules}")).unwrap_or_else(|e| panic!("{e:?}")))
            .unwrap_or_else(|e| panic!("{e:?}"))
    };
    let engines = (1..).zip(sets).map(engine).collect();
    Matching::new(engines, FlowTable::new(1000, Nanos::from_secs(600)), interface)
}

fn offer(m: &mut Matching, bytes: &[u8]) {
    let frame = Frame { bytes, length: bytes.len() as u32, tag: None, time: Nanos::from_secs(1) };
    m.packet(&frame, &mut Off);
}

/// Packets to and from of every flow, by label.
fn flows(m: &Matching) -> Vec<(u16, u64, u64)> {
    m.table().flows().map(|(_, r)| (r.label, r.to.packets, r.from.packets)).collect()
}

const A: [u8; 4] = [192, 168, 75, 106];
const B: [u8; 4] = [192, 168, 115, 204];

#[test]
fn replies_count_backwards_on_the_same_flow() {
    let mut m = matching(&[PORTS], None);
    for port in [2000, 2001, 2050] {
        offer(&mut m, &udp(A, B, (1234, port)));
    }
    offer(&mut m, &udp(B, A, (2000, 1234)));
    assert_eq!(flows(&m), [(1, 1, 1), (2, 1, 0), (0, 1, 0)]);
    // a reply that comes first makes the flow, in the rules' direction
    let mut m = matching(&[PORTS], None);
    offer(&mut m, &udp(B, A, (2001, 1234)));
    offer(&mut m, &udp(A, B, (1234, 2001)));
    assert_eq!(flows(&m), [(2, 1, 1)]);
    // neither direction
    offer(&mut m, &udp(A, A, (1234, 2001)));
    assert_eq!((flows(&m).len(), m.totals()[0].ignored, m.totals()[0].counted.packets), (1, 1, 2));
}

/// The trap of §2.7: the rules save the types of the source side only, and the key that is turned round must
/// find the flow all the same.
#[test]
fn a_conversation_is_one_record_with_automatic_distinction() {
    let mut m = matching(&[AUTOMATIC], None);
    for _ in 0..3 {
        offer(&mut m, &udp(A, B, (1234, 80)));
        offer(&mut m, &udp(B, A, (80, 1234)));
    }
    offer(&mut m, &udp(B, A, (80, 1235)));
    assert_eq!(flows(&m), [(0, 3, 3), (0, 1, 0)]);
}

/// RFC 2722 §3.3: two criteria, interface 1 and source address, need three buckets, whose sums answer both
/// questions; or two rule sets with a bucket each.
#[test]
fn two_criteria_need_three_buckets_or_two_rule_sets() {
    let buckets = "
        SourceInterface & 255.255.255.255 = 1: Goto, 4;
        SourcePeerAddress & 255.255.255.255 = 192.168.75.106: GotoAct, 8;
        Null & 0 = 0: Ignore, 0;
        SourcePeerAddress & 255.255.255.255 = 192.168.75.106: GotoAct, 6;
        FlowClass & 0 = 2: PushRuleTo, 9;
        FlowClass & 255 = 1: PushRuleToAct, 9;
        Null & 0 = 0: Ignore, 0;
        FlowClass & 255 = 3: PushRuleToAct, 9;
        Null & 0 = 0: Count, 0;";
    let by_interface = "SourceInterface & 255.255.255.255 = 1: Count, 0; Null & 0 = 0: Ignore, 0;";
    let by_address =
        "SourcePeerAddress & 255.255.255.255 = 192.168.75.106: Count, 0; Null & 0 = 0: Ignore, 0;";
    let traffic = [(1, A, 5), (1, B, 7), (2, A, 11), (2, B, 13)];
    let mut sums = [0u64; 4];
    let mut sets = [0u64; 2];
    for interface in [1, 2] {
        let mut m = matching(&[buckets, by_interface, by_address], Some(interface));
        for (_, source, packets) in traffic.iter().filter(|t| t.0 == interface) {
            for _ in 0..*packets {
                offer(&mut m, &udp(*source, [10, 0, 0, 1], (1, 2)));
            }
        }
        for ((set, label), counts) in m.table().sums() {
            match set {
                0 => sums[usize::from(label)] += counts.packets,
                n => sets[n - 1] += counts.packets,
            }
        }
        let offered: u64 = traffic.iter().filter(|t| t.0 == interface).map(|t| t.2).sum();
        for t in m.totals() {
            assert_eq!(t.counted.packets + t.ignored, offered, "at most once per rule set");
        }
    }
    assert_eq!(sums[1..], [5, 7, 11]);
    assert_eq!((sums[1] + sums[2], sums[1] + sums[3]), (12, 16));
    assert_eq!(sets, [12, 16]);
}

#[test]
fn what_is_not_counted_is_told_apart() {
    let mut m = matching(&[AUTOMATIC, "Null & 0 = 0: Goto, 1;"], None);
    m.table = FlowTable::new(2, Nanos::from_secs(600));
    for port in 1..=5 {
        offer(&mut m, &udp(A, B, (port, 80)));
    }
    let t = m.totals()[0];
    assert_eq!((t.counted.packets, t.flooded, t.faults), (2, 3, 0));
    assert_eq!(m.totals()[1].faults, 5);
}
