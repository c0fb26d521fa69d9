//! Random frames that lie at the edges of rules.

use super::Random;
use crate::field::Field;
use crate::key::Key;
use crate::packet::{self, EXTENSIONS, ICMP, ICMPV6, PORT_PROTOCOLS, TCP, VLAN_TYPES, fragment};
use crate::ruleset::{Rule, RuleSet};
use crate::value::{Value, ValueSet};

/// A frame as a packet socket or a capture file hands it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The bytes from the link header on.
    pub bytes: Vec<u8>,
}

/// What a frame has beside the fields of its key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// VLAN tags: type and control field, outermost first. The key's VLAN replaces that of the first.
    pub tags: Vec<(u16, u16)>,
    /// MPLS labels below the top one, where the key has one.
    pub labels: usize,
    /// 32-bit words of IPv4 options.
    pub options: usize,
    /// IPv6 extension headers by number, in front of the key's protocol.
    pub extensions: Vec<u8>,
    /// Octets behind the transport header.
    pub payload: usize,
}

/// Draws frames for a rule set.
pub struct Frames<'a> {
    rules: &'a RuleSet,
}

impl<'a> Frames<'a> {
    /// Frames that lie at the edges of these rules.
    pub fn new(rules: &'a RuleSet) -> Self {
        Self { rules }
    }

    /// A frame, now and then cut short or with a wrong bit.
    pub fn draw(&self, random: &mut Random) -> Frame {
        let mut frame = self.draw_whole(random);
        let bytes = &mut frame.bytes;
        if random.chance(12) {
            bytes.truncate(random.below(bytes.len() + 1));
        }
        if random.chance(6) && !bytes.is_empty() {
            let at = random.below(bytes.len().min(60));
            bytes[at] ^= 1 << random.below(8);
        }
        frame
    }

    /// A frame with all of its headers.
    pub fn draw_whole(&self, random: &mut Random) -> Frame {
        let mut key = base(random);
        if !self.rules.rules.is_empty() {
            // one rule on top of another: where they overlap, both match
            for strict in [false, true] {
                let rule = random.pick(&self.rules.rules);
                if strict || random.chance(50) {
                    aim(random, rule, &mut key);
                }
            }
        }
        Frame { bytes: encode(&key, &layout(random)) }
    }
}

impl Frame {
    /// What rules see of the frame.
    pub fn key(&self) -> Key {
        packet::parse(&self.bytes, None)
    }
}

/// Sets what the rule tests, mostly to accepted values, at or next to the ends of its intervals. In half of the
/// cases one test misses.
fn aim(random: &mut Random, rule: &Rule, key: &mut Key) {
    let reply = rule.both && random.chance(50);
    let missed = random.below(2 * rule.tests.len().max(1));
    for (i, (field, set)) in rule.tests.iter().enumerate() {
        let field = if reply { field.reversed() } else { *field };
        let wanted = if i == missed { field.domain().subtract(set) } else { set.clone() };
        if let Some(v) = at_edge(random, &wanted) {
            key.set(field, v);
        }
    }
}

fn at_edge(random: &mut Random, set: &ValueSet) -> Option<Value> {
    if set.is_empty() {
        return None;
    }
    let r = *random.pick(set.ranges());
    let bits = match random.below(5) {
        0 | 1 => r.lo.bits,
        2 | 3 => r.hi.bits,
        _ => r.lo.bits + random.wide() % r.len(),
    };
    Some(Value { bits, ..r.lo })
}

/// A usual packet.
fn base(random: &mut Random) -> Key {
    let mut key = Key::new();
    let family = if random.chance(60) { 4 } else { 6 };
    let cut = if family == 4 { 0xffff_ffff } else { u128::MAX };
    key.set(Field::SrcIp, Value { family, bits: random.wide() & cut });
    key.set(Field::DstIp, Value { family, bits: random.wide() & cut });
    for f in [Field::SrcMac, Field::DstMac, Field::Tos, Field::Ttl, Field::FlowLabel] {
        key.set_number(f, random.wide() & ((1 << f.width()) - 1));
    }
    for f in [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType, Field::IcmpCode] {
        key.set_number(f, random.wide() & ((1 << f.width()) - 1));
    }
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    key.set_number(Field::Proto, u128::from(*random.pick(&[TCP, 17, 17, 17, icmp, 132, 47])));
    if random.chance(15) {
        key.set_number(Field::Fragment, random.below(3) as u128);
    }
    if random.chance(15) {
        key.set_number(Field::Vlan, random.below(4096) as u128);
    }
    if random.chance(7) {
        key.set_number(Field::Mpls, random.below(1 << 20) as u128);
    }
    key
}

/// A number below `usual`, now and then one below `most`.
fn few(random: &mut Random, usual: usize, most: usize) -> usize {
    let rare = random.chance(20);
    random.below(if rare { most } else { usual })
}

fn layout(random: &mut Random) -> Layout {
    let mut out = Layout { payload: random.below(20), ..Layout::default() };
    if random.chance(20) {
        let tags = 1 + few(random, 2, 6);
        out.tags = (0..tags).map(|_| (*random.pick(&VLAN_TYPES), random.bits() as u16)).collect();
    }
    if random.chance(20) {
        out.options = random.below(11);
    }
    if random.chance(25) {
        let count = 1 + few(random, 3, 10);
        out.extensions = (0..count).map(|_| *random.pick(&EXTENSIONS)).collect();
    }
    if random.chance(30) {
        out.labels = few(random, 3, 18);
    }
    out
}

fn number(key: &Key, field: Field) -> u128 {
    key.get(field).map_or(0, |v| v.bits)
}

/// The bytes of a frame that has the fields of `key` as far as they go together: the transport header follows the
/// protocol, the family the source address. Lengths are right unless the key has one; checksums are zero.
pub fn encode(key: &Key, layout: &Layout) -> Vec<u8> {
    let family = key.get(Field::SrcIp).or(key.get(Field::DstIp)).map_or(0, |v| v.family);
    let mut out = number(key, Field::DstMac).to_be_bytes()[10..].to_vec();
    out.extend(&number(key, Field::SrcMac).to_be_bytes()[10..]);
    let mut tags = layout.tags.clone();
    if let Some(vlan) = key.get(Field::Vlan) {
        match tags.first_mut() {
            Some((_, control)) => *control = *control & 0xf000 | vlan.bits as u16,
            None => tags.push((VLAN_TYPES[0], vlan.bits as u16)),
        }
    }
    for (kind, control) in tags {
        out.extend(kind.to_be_bytes());
        out.extend(control.to_be_bytes());
    }
    let ip_type = match family {
        4 => packet::IPV4,
        6 => packet::IPV6,
        _ => 0x0806,
    };
    let labels = key.get(Field::Mpls);
    let usual = if labels.is_some() { packet::MPLS_TYPES[0] } else { ip_type };
    out.extend(key.get(Field::EtherType).map_or(usual, |v| v.bits as u16).to_be_bytes());
    if let Some(top) = labels {
        for i in 0..=layout.labels {
            let bottom = u32::from(i == layout.labels);
            let label = if i == 0 { top.bits as u32 } else { i as u32 };
            out.extend((label << 12 | bottom << 8 | 64).to_be_bytes());
        }
    }
    let proto = number(key, Field::Proto) as u8;
    let behind = transport(key, proto, if family == 4 { ICMP } else { ICMPV6 }, layout.payload);
    match family {
        4 => ipv4(key, layout, proto, &behind, &mut out),
        6 => ipv6(key, layout, proto, &behind, &mut out),
        _ => out.extend(behind),
    }
    out
}

/// The TOS octet: DSCP, where the key has it, goes first.
fn tos(key: &Key) -> u8 {
    let tos = number(key, Field::Tos) as u8;
    key.get(Field::Dscp).map_or(tos, |d| (d.bits as u8) << 2 | tos & 3)
}

fn ipv4(key: &Key, layout: &Layout, proto: u8, behind: &[u8], out: &mut Vec<u8>) {
    let words = 5 + layout.options.min(10);
    let length = key.get(Field::Length).map_or(words * 4 + behind.len(), |v| v.bits as usize);
    let pieces: u16 = match number(key, Field::Fragment) {
        fragment::NO => 0x4000,
        fragment::FIRST => 0x2000,
        _ => 0x00b9,
    };
    out.extend([0x40 | words as u8, tos(key)]);
    out.extend((length as u16).to_be_bytes());
    out.extend([0, 1]);
    out.extend(pieces.to_be_bytes());
    out.extend([number(key, Field::Ttl) as u8, proto, 0, 0]);
    out.extend((number(key, Field::SrcIp) as u32).to_be_bytes());
    out.extend((number(key, Field::DstIp) as u32).to_be_bytes());
    out.extend(std::iter::repeat_n(1, (words - 5) * 4));
    out.extend(behind);
}

fn ipv6(key: &Key, layout: &Layout, proto: u8, behind: &[u8], out: &mut Vec<u8>) {
    let mut extensions = layout.extensions.clone();
    let pieces = number(key, Field::Fragment);
    if pieces != fragment::NO && !extensions.contains(&44) {
        extensions.push(44);
    }
    let mut headers = Vec::new();
    for (i, kind) in extensions.iter().enumerate() {
        let next = extensions.get(i + 1).copied().unwrap_or(proto);
        match kind {
            44 => {
                let field: u16 = match pieces {
                    fragment::NO => 0,
                    fragment::FIRST => 1,
                    _ => 0x0148,
                };
                headers.extend([next, 0]);
                headers.extend(field.to_be_bytes());
                headers.extend([0, 0, 0, 7]);
            }
            // authentication counts in words of 4 octets, less 2
            51 => headers.extend([next, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]),
            _ if i % 2 == 1 => headers.extend([next, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            _ => headers.extend([next, 0, 1, 4, 0, 0, 0, 0]),
        }
    }
    let length =
        key.get(Field::Length).map_or(headers.len() + behind.len(), |v| (v.bits as usize).saturating_sub(40));
    let first = 6 << 28 | u32::from(tos(key)) << 20 | number(key, Field::FlowLabel) as u32;
    out.extend(first.to_be_bytes());
    out.extend((length as u16).to_be_bytes());
    out.extend([extensions.first().copied().unwrap_or(proto), number(key, Field::Ttl) as u8]);
    out.extend(number(key, Field::SrcIp).to_be_bytes());
    out.extend(number(key, Field::DstIp).to_be_bytes());
    out.extend(headers);
    out.extend(behind);
}

fn transport(key: &Key, proto: u8, icmp: u8, payload: usize) -> Vec<u8> {
    let mut out = Vec::new();
    if proto == icmp {
        out.extend([number(key, Field::IcmpType) as u8, number(key, Field::IcmpCode) as u8]);
        out.extend([0; 6]);
    } else if PORT_PROTOCOLS.contains(&proto) {
        out.extend((number(key, Field::SrcPort) as u16).to_be_bytes());
        out.extend((number(key, Field::DstPort) as u16).to_be_bytes());
        if proto == TCP {
            out.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, number(key, Field::TcpFlags) as u8]);
            out.extend([0xff, 0xff, 0, 0, 0, 0]);
        } else {
            out.extend(((8 + payload) as u16).to_be_bytes());
            out.extend([0, 0]);
        }
    }
    out.extend((0..payload).map(|i| i as u8));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{is_edge, rule_set};

    #[test]
    fn a_frame_has_the_fields_of_its_key() {
        let mut random = Random::new(1);
        for _ in 0..2000 {
            let mut key = base(&mut random);
            key.clear(Field::Mpls);
            let frame = Frame { bytes: encode(&key, &Layout { payload: 9, ..Layout::default() }) };
            let seen = frame.key();
            for (field, value) in key.fields() {
                if let Some(v) = seen.get(field) {
                    assert_eq!(v, value, "{field} of {key}");
                }
            }
            assert_eq!(seen.get(Field::DstPort).is_some(), {
                let later = number(&key, Field::Fragment) == fragment::LATER;
                PORT_PROTOCOLS.contains(&(number(&key, Field::Proto) as u8)) && !later
            });
        }
    }

    #[test]
    fn most_frames_lie_at_an_edge() {
        let mut random = Random::new(7);
        let mut edges = 0;
        for _ in 0..100 {
            let count = 1 + random.below(200);
            let rules = rule_set(&mut random, count, &Field::ALL[1..]);
            let frames = Frames::new(&rules);
            edges += (0..20).filter(|_| is_edge(&rules, &frames.draw(&mut random).key())).count();
        }
        assert!(edges > 1000, "{edges} of 2000");
    }
}
