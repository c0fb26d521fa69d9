//! Meters that know flows and no classes: their records, mapped to classes by the oracle.

use crate::meter::{Link, MeterError};
use csn::{Classifier, Counts, Field, Key, RuleSet, Value};
use std::net::{IpAddr, Ipv4Addr};

/// What the records of the usual probes tell of a packet. Rules on anything else can't be decided by them.
const KNOWN: [Field; 7] = [
    Field::SrcIp,
    Field::DstIp,
    Field::Proto,
    Field::SrcPort,
    Field::DstPort,
    Field::IcmpType,
    Field::IcmpCode,
];

/// Addresses of frames that only push others out of a meter: of the block for documentation (RFC 5737), and the port
/// `discard` (RFC 863).
const SENTINEL: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10))];
const DISCARD: u16 = 9;

/// A flow of a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Source and destination.
    pub addresses: [IpAddr; 2],
    /// Protocol number.
    pub protocol: u8,
    /// Source and destination port, where the protocol has ports; type and code for ICMP.
    pub ports: [u16; 2],
    /// What it counted.
    pub counts: Counts,
}

impl Flow {
    /// What a rule sees of its packets.
    fn key(&self) -> Key {
        let mut key = Key::new();
        key.set(Field::SrcIp, Value::ip(self.addresses[0]));
        key.set(Field::DstIp, Value::ip(self.addresses[1]));
        key.set_number(Field::Proto, self.protocol.into());
        let fields = match self.protocol {
            1 | 58 => [Field::IcmpType, Field::IcmpCode],
            6 | 17 | 33 | 132 | 136 => [Field::SrcPort, Field::DstPort],
            _ => return key,
        };
        for (field, value) in fields.into_iter().zip(self.ports) {
            key.set_number(field, value.into());
        }
        key
    }

    /// Whether it is made of the frames of [`sentinel`].
    pub fn is_sentinel(&self) -> bool {
        self.addresses == SENTINEL && self.ports == [DISCARD; 2]
    }
}

/// Whether flows decide each of the rules.
///
/// # Errors
/// [`MeterError::Loss`] for the first rule that they don't decide.
pub fn decide(meter: &str, rules: &RuleSet) -> Result<(), MeterError> {
    for (i, rule) in rules.rules.iter().enumerate() {
        if let Some((field, _)) = rule.tests.iter().find(|(f, _)| !KNOWN.contains(f)) {
            let reason = format!("it counts flows, and their records do not tell `{field}`");
            return Err(MeterError::Loss { meter: meter.into(), rule: i + 1, reason });
        }
    }
    Ok(())
}

/// Gives each flow its class; those of sentinels are left out.
pub fn classes(flows: &[Flow], rules: &RuleSet, loaded: usize) -> Vec<Counts> {
    let classifier = Classifier::new(&rules.first(loaded));
    let mut out = vec![Counts::default(); rules.classes.len()];
    for flow in flows.iter().filter(|f| !f.is_sentinel()) {
        if let Some(counts) = out.get_mut(classifier.classify(&flow.key()).class.index()) {
            *counts += flow.counts;
        }
    }
    out
}

/// The filter that lets the frames of [`sentinel`] pass, for libpcap.
pub fn sentinel_filter() -> String {
    format!("src host {} and dst host {} and udp port {DISCARD}", SENTINEL[0], SENTINEL[1])
}

/// A frame that a meter counts as a flow of its own: UDP with 1,400 octets, so that few fill a block of a ring.
pub fn sentinel(link: &Link) -> Vec<u8> {
    const PAYLOAD: usize = 1400;
    let mut out = [link.traffic[1], link.traffic[0]].concat();
    out.extend([8, 0]);
    let length = (PAYLOAD + 28) as u16;
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 0, 0, 0, 64, 17, 0, 0]);
    for address in SENTINEL {
        if let IpAddr::V4(address) = address {
            header.extend(address.octets());
        }
    }
    let sum: u32 = header.chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    out.extend(header);
    for number in [DISCARD, DISCARD, (PAYLOAD + 8) as u16, 0] {
        out.extend(number.to_be_bytes());
    }
    out.resize(out.len() + PAYLOAD, 0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::backends::example_rules;
    use csn::{FrameKind, FrameKinds, packet};

    fn flow(port: u16, packets: u64) -> Flow {
        let addresses = ["192.168.75.106", "192.168.115.204"].map(|a| a.parse().unwrap());
        Flow { addresses, protocol: 17, ports: [1, port], counts: Counts { packets, bytes: 100 * packets } }
    }

    #[test]
    fn flows_get_the_class_of_their_packets() {
        let rules = example_rules();
        let sent = Flow { addresses: SENTINEL, ports: [9, 9], ..flow(0, 100) };
        let flows = [flow(2000, 3), flow(2001, 4), flow(2000, 5), flow(2002, 6), sent];
        let packets = |loaded| classes(&flows, &rules, loaded).iter().map(|c| c.packets).collect::<Vec<_>>();
        assert_eq!(packets(2), [6, 8, 4]);
        assert_eq!(packets(1), [10, 8, 0]);
    }

    #[test]
    fn rules_that_flows_do_not_decide_are_refused() {
        let mut rules = example_rules();
        decide("x", &rules).unwrap();
        rules.rules[1].tests.push((Field::Ttl, csn::ValueSet::single(Value::number(3))));
        assert!(matches!(decide("x", &rules), Err(MeterError::Loss { rule: 2, .. })));
    }

    #[test]
    fn a_sentinel_is_a_sound_packet_and_known_again() {
        let link =
            Link { generator: [0; 6], meter: [0; 6], traffic: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]] };
        let frame = sentinel(&link);
        assert_eq!(FrameKinds::of(&frame, None), FrameKinds::from_iter([FrameKind::Ipv4]));
        let key = packet::parse(&frame, None);
        assert_eq!(key.get(Field::SrcIp), Some(Value::ip(SENTINEL[0])));
        assert_eq!(key.get(Field::DstPort), Some(Value::number(DISCARD.into())));
        // a header with a right sum adds up to all ones
        let sum: u32 = frame[14..34].chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
    }
}
