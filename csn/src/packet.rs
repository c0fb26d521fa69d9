//! From the bytes of an Ethernet frame to its fields, as a [`Key`] or into a [`Sink`]: the one extraction that oracle, generator and built-in
//! meters share.
//!
//! A header that is cut short by the end of the frame gives no field beyond what is there. A later fragment
//! has no transport header, so no ports, flags or ICMP type.

use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::key::Key;
use crate::value::Value;

/// EtherTypes of VLAN tags: 802.1Q, 802.1ad, and the older QinQ.
pub const VLAN_TYPES: [u16; 3] = [0x8100, 0x88a8, 0x9100];
/// More VLAN tags than this, and nothing behind them is looked at.
pub const MAX_TAGS: usize = 4;
/// More MPLS entries than this, and nothing behind them is looked at.
pub const MAX_LABELS: usize = 16;
/// More IPv6 extension headers than this, and the packet has neither protocol nor ports.
pub const MAX_EXTENSIONS: usize = 8;

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// The first EtherType; below it, the field is a length (IEEE 802.3).
pub const FIRST_TYPE: u16 = 0x0600;
/// EtherTypes of MPLS, unicast and multicast.
pub const MPLS_TYPES: [u16; 2] = [0x8847, 0x8848];

/// ICMP's protocol number in IPv4.
pub const ICMP: u8 = 1;
/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// ICMPv6's protocol number in IPv6.
pub const ICMPV6: u8 = 58;

/// Protocols whose first four octets are the ports: TCP, UDP, DCCP, SCTP, UDP-Lite.
pub const PORT_PROTOCOLS: [u8; 5] = [TCP, UDP, 33, 132, 136];
/// IPv6 extension headers that are walked through: hop-by-hop, routing, fragment, authentication, destination
/// options, mobility, HIP, shim6 (RFC 7045, IANA).
pub const EXTENSIONS: [u8; 8] = [0, 43, 44, 51, 60, 135, 139, 140];

/// Fields that are known of an IPv6 packet only behind its extension headers.
pub const BEHIND_EXTENSIONS: [Field; 7] = [
    Field::Proto,
    Field::Fragment,
    Field::SrcPort,
    Field::DstPort,
    Field::TcpFlags,
    Field::IcmpType,
    Field::IcmpCode,
];

/// The values of [`Field::Fragment`].
pub mod fragment {
    /// Not a fragment.
    pub const NO: u128 = 0;
    /// The first fragment of several.
    pub const FIRST: u128 = 1;
    /// A later fragment.
    pub const LATER: u128 = 2;
}

fn be16(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(b.get(at..at + 2)?.try_into().ok()?))
}

fn be32(b: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(b.get(at..at + 4)?.try_into().ok()?))
}

fn mac(b: &[u8]) -> u64 {
    b.iter().fold(0, |n, x| n << 8 | u64::from(*x))
}

/// What takes the fields that [`extract`] finds. A field can be set again: the later value counts.
///
/// A meter's hot path brings its own sink, so that the packet is laid out once in the form that it needs.
pub trait Sink {
    /// A field that is a number.
    fn number(&mut self, field: Field, value: u64);

    /// An IPv4 address.
    fn v4(&mut self, field: Field, address: u32);

    /// An IPv6 address.
    fn v6(&mut self, field: Field, address: u128);

    /// What kind of frame it is, beside its fields; most sinks do not care.
    #[inline]
    fn kind(&mut self, _: FrameKind) {}
}

impl Sink for Key {
    fn number(&mut self, field: Field, value: u64) {
        self.set_number(field, u128::from(value));
    }

    fn v4(&mut self, field: Field, address: u32) {
        self.set(field, Value { family: 4, bits: u128::from(address) });
    }

    fn v6(&mut self, field: Field, address: u128) {
        self.set(field, Value { family: 6, bits: address });
    }
}

/// The key of an Ethernet frame. `tag` is a VLAN tag control field that the kernel has taken out of the frame
/// and handed over beside it, as packet sockets do; it is then the outermost tag.
pub fn parse(frame: &[u8], tag: Option<u16>) -> Key {
    let mut key = Key::new();
    extract(frame, tag, &mut key);
    key
}

/// Hands the fields of an Ethernet frame to `sink`; `tag` as in [`parse`].
#[inline]
pub fn extract<S: Sink>(frame: &[u8], tag: Option<u16>, sink: &mut S) {
    // a frame without a whole link header has no fields
    if link(frame, tag, sink).is_none() {
        sink.kind(FrameKind::Malformed);
    }
}

#[inline]
fn link<S: Sink>(frame: &[u8], tag: Option<u16>, out: &mut S) -> Option<()> {
    let mut ethertype = be16(frame, 12)?;
    out.number(Field::DstMac, mac(&frame[0..6]));
    out.number(Field::SrcMac, mac(&frame[6..12]));
    if let Some(control) = tag {
        out.number(Field::Vlan, u64::from(control & 0xfff));
    }
    let mut at = 14;
    let mut tags = usize::from(tag.is_some());
    if tags > 0 {
        out.kind(FrameKind::Tagged);
    }
    while VLAN_TYPES.contains(&ethertype) && tags < MAX_TAGS {
        let control = be16(frame, at)?;
        out.kind(if tags == 0 { FrameKind::Tagged } else { FrameKind::Stacked });
        if ethertype == VLAN_TYPES[2] {
            out.kind(FrameKind::OldTag);
        }
        if tags == 0 {
            out.number(Field::Vlan, u64::from(control & 0xfff));
        }
        ethertype = be16(frame, at + 2)?;
        at += 4;
        tags += 1;
    }
    out.number(Field::EtherType, u64::from(ethertype));
    match ethertype {
        IPV4 => ipv4(&frame[at..], out),
        IPV6 => ipv6(&frame[at..], out),
        t if MPLS_TYPES.contains(&t) => {
            out.kind(FrameKind::Labelled);
            let top = be32(frame, at)?;
            out.number(Field::Mpls, u64::from(top >> 12));
            let mut entry = top;
            for _ in 0..MAX_LABELS {
                at += 4;
                if entry >> 8 & 1 == 1 {
                    // bottom of the stack: the first nibble tells what follows (RFC 4928)
                    return match frame.get(at)? >> 4 {
                        4 => ipv4(&frame[at..], out),
                        6 => ipv6(&frame[at..], out),
                        _ => None,
                    };
                }
                entry = be32(frame, at)?;
            }
            None
        }
        t => {
            out.kind(FrameKind::NoIp);
            if t < FIRST_TYPE {
                out.kind(FrameKind::LengthField);
            }
            Some(())
        }
    }
}

#[inline]
fn octet<S: Sink>(out: &mut S, tos: u8, ttl: u8, length: u32) {
    out.number(Field::Tos, u64::from(tos));
    out.number(Field::Dscp, u64::from(tos >> 2));
    out.number(Field::Ttl, u64::from(ttl));
    out.number(Field::Length, u64::from(length));
}

#[inline]
fn ipv4<S: Sink>(p: &[u8], out: &mut S) -> Option<()> {
    if p.len() < 20 || p[0] >> 4 != 4 || p[0] & 0xf < 5 {
        return None;
    }
    let header = usize::from(p[0] & 0xf) * 4;
    let length = be16(p, 2)?;
    out.kind(FrameKind::Ipv4);
    if header > 20 {
        out.kind(FrameKind::Options);
    }
    if usize::from(length) < header || usize::from(length) > p.len() {
        out.kind(FrameKind::Malformed);
    }
    out.v4(Field::SrcIp, be32(p, 12)?);
    out.v4(Field::DstIp, be32(p, 16)?);
    out.number(Field::Proto, u64::from(p[9]));
    octet(out, p[1], p[8], u32::from(length));
    let frag = be16(p, 6)?;
    let fragment = match (frag & 0x1fff, frag & 0x2000) {
        (0, 0) => fragment::NO,
        (0, _) => fragment::FIRST,
        _ => fragment::LATER,
    };
    out.number(Field::Fragment, fragment as u64);
    if fragment != fragment::NO {
        out.kind(FrameKind::Fragment);
    }
    if fragment == fragment::LATER {
        out.kind(FrameKind::LaterFragment);
        return Some(());
    }
    check_length(p.get(header..usize::from(length)), p[9], ICMP, out);
    transport(p.get(header..)?, p[9], ICMP, out)
}

#[inline]
fn ipv6<S: Sink>(p: &[u8], out: &mut S) -> Option<()> {
    if p.len() < 40 || p[0] >> 4 != 6 {
        return None;
    }
    let first = be32(p, 0)?;
    out.v6(Field::SrcIp, u128::from_be_bytes(p[8..24].try_into().ok()?));
    out.v6(Field::DstIp, u128::from_be_bytes(p[24..40].try_into().ok()?));
    out.kind(FrameKind::Ipv6);
    // the header counts too; the field has 16 bits
    let length = 40 + u32::from(be16(p, 4)?);
    let end = length as usize;
    if end > p.len() {
        out.kind(FrameKind::Malformed);
    }
    octet(out, (first >> 20) as u8, p[7], length.min(0xffff));
    out.number(Field::FlowLabel, u64::from(first & 0xf_ffff));
    let mut next = p[6];
    let mut at = 40;
    let mut fragment = fragment::NO;
    let mut pieces = 0;
    for _ in 0..=MAX_EXTENSIONS {
        if !EXTENSIONS.contains(&next) {
            out.number(Field::Fragment, fragment as u64);
            out.number(Field::Proto, u64::from(next));
            check_length(p.get(at..end), next, ICMPV6, out);
            return transport(p.get(at..)?, next, ICMPV6, out);
        }
        out.kind(FrameKind::Extensions);
        if next > 60 || next == 51 {
            out.kind(FrameKind::UnusualExtensions);
        }
        let header = p.get(at..at + 8)?;
        at += match next {
            44 => {
                out.kind(FrameKind::Fragment);
                pieces += 1;
                let offset = be16(header, 2)?;
                if pieces > 1 || offset >> 3 != 0 && EXTENSIONS.contains(&header[0]) {
                    out.kind(FrameKind::UnusualExtensions);
                }
                if offset >> 3 != 0 {
                    out.kind(FrameKind::LaterFragment);
                    if at + 8 > end {
                        out.kind(FrameKind::Malformed);
                    }
                    out.number(Field::Fragment, fragment::LATER as u64);
                    out.number(Field::Proto, u64::from(header[0]));
                    return Some(());
                }
                if offset & 1 == 1 {
                    fragment = fragment::FIRST;
                }
                8
            }
            51 => (usize::from(header[1]) + 2) * 4,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        next = header[0];
    }
    None
}

/// Says so where what the length of the IP packet leaves of the transport header is too short for one.
#[inline]
fn check_length<S: Sink>(within: Option<&[u8]>, proto: u8, icmp: u8, out: &mut S) {
    let least = match proto {
        // ICMP, and ESP (RFC 4303)
        _ if proto == icmp || proto == 50 => 8,
        _ if PORT_PROTOCOLS.contains(&proto) => shortest_header(proto),
        _ => 0,
    };
    let options = |p: &[u8]| if proto == TCP { usize::from(p[12] >> 4) * 4 } else { 0 };
    if within.is_none_or(|p| p.len() < least || p.len() < options(p)) {
        out.kind(FrameKind::Malformed);
    }
}

#[inline]
fn transport<S: Sink>(p: &[u8], proto: u8, icmp: u8, out: &mut S) -> Option<()> {
    let shortest = if proto == icmp { 8 } else { shortest_header(proto) };
    if proto == icmp {
        out.number(Field::IcmpType, u64::from(*p.first()?));
        out.number(Field::IcmpCode, u64::from(*p.get(1)?));
        (p.len() >= shortest).then_some(())
    } else if PORT_PROTOCOLS.contains(&proto) {
        let (source, destination) = (be16(p, 0)?, be16(p, 2)?);
        out.number(Field::SrcPort, u64::from(source));
        out.number(Field::DstPort, u64::from(destination));
        if proto == TCP {
            out.number(Field::TcpFlags, u64::from(*p.get(13)?));
            let header = usize::from(p[12] >> 4) * 4;
            if header < shortest || header > p.len() {
                out.kind(FrameKind::Malformed);
            }
        }
        (p.len() >= shortest).then_some(())
    } else {
        Some(())
    }
}

/// Octets of the shortest header of a protocol with ports (RFC 768, 9293, 4340, 9260, 3828); 0 for other protocols.
const fn shortest_header(proto: u8) -> usize {
    match proto {
        TCP => 20,
        33 | 132 => 12,
        UDP | 136 => 8,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|c| u8::from_str_radix(std::str::from_utf8(c).unwrap(), 16).unwrap()).collect()
    }

    const ETH: &str = "020000000002 020000000001";
    const UDP4: &str = "4500001d0000400040114e99c0000201c633640204d207d00009c60241";

    fn n(k: &Key, f: Field) -> Option<u128> {
        k.get(f).map(|v| v.bits)
    }

    #[test]
    fn udp_over_ipv4() {
        let k = parse(&hex(&format!("{ETH} 0800 {UDP4}")), None);
        assert_eq!(k.get(Field::SrcIp).unwrap().to_string(), "192.0.2.1");
        assert_eq!(k.get(Field::DstIp).unwrap().to_string(), "198.51.100.2");
        assert_eq!((n(&k, Field::SrcPort), n(&k, Field::DstPort)), (Some(1234), Some(2000)));
        assert_eq!(
            (n(&k, Field::Length), n(&k, Field::Ttl), n(&k, Field::Fragment)),
            (Some(29), Some(64), Some(0))
        );
        assert_eq!(n(&k, Field::TcpFlags), None);
        assert_eq!(n(&k, Field::SrcMac), Some(0x020000000001));
    }

    #[test]
    fn tags_and_labels_are_walked_through() {
        let k = parse(&hex(&format!("{ETH} 88a8 0064 8100 2005 0800 {UDP4}")), None);
        assert_eq!((n(&k, Field::Vlan), n(&k, Field::DstPort)), (Some(100), Some(2000)));
        let k = parse(&hex(&format!("{ETH} 8100 2005 0800 {UDP4}")), Some(100));
        assert_eq!((n(&k, Field::Vlan), n(&k, Field::DstPort)), (Some(100), Some(2000)));
        let k = parse(&hex(&format!("{ETH} 8847 00010040 00011140 {UDP4}")), None);
        assert_eq!((n(&k, Field::Mpls), n(&k, Field::DstPort)), (Some(16), Some(2000)));
        assert_eq!(n(&k, Field::EtherType), Some(0x8847));
    }

    #[test]
    fn later_fragments_have_no_ports() {
        let mut f = hex(&format!("{ETH} 0800 {UDP4}"));
        f[20] = 0x20;
        assert_eq!(n(&parse(&f, None), Field::Fragment), Some(1));
        assert_eq!(n(&parse(&f, None), Field::DstPort), Some(2000));
        f[21] = 1;
        assert_eq!(n(&parse(&f, None), Field::Fragment), Some(2));
        assert_eq!(n(&parse(&f, None), Field::DstPort), None);
        assert_eq!(n(&parse(&f, None), Field::Proto), Some(17));
    }

    #[test]
    fn ipv6_extension_headers() {
        let addresses = "20010db8000000000000000000000001 20010db8000000000000000000000002";
        let plain = format!("{ETH} 86dd 6b812345 0009 11 40 {addresses} 04d207d0 00090000 41");
        let k = parse(&hex(&plain), None);
        assert_eq!((n(&k, Field::DstPort), n(&k, Field::FlowLabel)), (Some(2000), Some(0x12345)));
        assert_eq!(
            (n(&k, Field::Tos), n(&k, Field::Dscp), n(&k, Field::Length)),
            (Some(0xb8), Some(46), Some(49))
        );
        let hop =
            format!("{ETH} 86dd 60000000 0011 00 40 {addresses} 11000000 00000000 04d207d0 00090000 41");
        assert_eq!(n(&parse(&hex(&hop), None), Field::DstPort), Some(2000));
        let later =
            format!("{ETH} 86dd 60000000 0011 2c 40 {addresses} 11000009 00000001 04d207d0 00090000 41");
        let k = parse(&hex(&later), None);
        assert_eq!(
            (n(&k, Field::DstPort), n(&k, Field::Proto), n(&k, Field::Fragment)),
            (None, Some(17), Some(2))
        );
    }

    #[test]
    fn what_is_cut_off_is_absent() {
        let whole = hex(&format!("{ETH} 0800 {UDP4}"));
        for len in 0..whole.len() {
            let k = parse(&whole[..len], None);
            assert_eq!(n(&k, Field::DstPort).is_some(), len >= 38, "{len}");
            assert_eq!(k.get(Field::SrcIp).is_some(), len >= 34, "{len}");
            assert_eq!(n(&k, Field::EtherType).is_some(), len >= 14, "{len}");
        }
    }
}
