//! What is changed of a recorded frame before it is sent: addresses, and checksums.

use super::addresses::AddressMap;
use crate::frame::{Change, crc32c, fold};
use csn::packet::{EXTENSIONS, FIRST_TYPE, ICMP, ICMPV6, IPV4, IPV6, MAX_EXTENSIONS, MAX_LABELS, MAX_TAGS};
use csn::packet::{MPLS_TYPES, TCP, UDP, VLAN_TYPES};

/// UDP-Lite, DCCP and SCTP.
const UDP_LITE: u8 = 136;
const DCCP: u8 = 33;
const SCTP: u8 = 132;
/// EtherType of ARP.
const ARP: u16 = 0x0806;

/// What is changed.
#[derive(Debug, Default)]
pub struct Rewrite {
    /// Ethernet addresses, source and destination; none to keep the recorded ones.
    pub macs: Option<[[u8; 6]; 2]>,
    /// IP addresses.
    pub addresses: AddressMap,
}

/// Where the parts of an IP packet lie in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    ip: usize,
    is_v6: bool,
    /// The transport header, and where the packet ends by its own length.
    l4: usize,
    end: usize,
    proto: u8,
    fragment: Fragment,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fragment {
    No,
    First,
    Later,
}

impl Rewrite {
    /// Changes a frame. Headers that are cut short or contradict themselves stay as they are.
    ///
    /// Checksums are computed anew, since a capture taken where packets are sent has those that the card was to fill in;
    /// those of fragments follow the change of addresses.
    pub fn apply(&self, frame: &mut [u8]) {
        if let Some([source, destination]) = self.macs
            && frame.len() >= 14
        {
            // a frame for many stays one
            if frame[0] & 1 == 0 {
                frame[0..6].copy_from_slice(&destination);
            }
            frame[6..12].copy_from_slice(&source);
        }
        let Some((at, ethertype)) = behind_link(frame) else { return };
        match ethertype {
            ARP => self.arp(&mut frame[at..]),
            _ => {
                if let Some(place) = locate(frame, at, ethertype) {
                    self.packet(frame, place);
                }
            }
        }
    }

    fn packet(&self, frame: &mut [u8], place: Place) {
        let (at, size) = if place.is_v6 { (place.ip + 8, 16) } else { (place.ip + 12, 4) };
        let before = fold(words(&frame[at..at + 2 * size]));
        for start in [at, at + size] {
            self.address(&mut frame[start..start + size]);
        }
        let after = fold(words(&frame[at..at + 2 * size]));
        if !place.is_v6 {
            let header = &mut frame[place.ip..place.l4];
            header[10..12].fill(0);
            let sum = !fold(words(header));
            header[10..12].copy_from_slice(&sum.to_be_bytes());
        }
        let pseudo = place.proto != ICMP || place.is_v6;
        match place.fragment {
            Fragment::No => transport(frame, place, at, size, pseudo),
            Fragment::First if pseudo => follow(frame, place, before, after),
            Fragment::First | Fragment::Later => {}
        }
    }

    fn arp(&self, b: &mut [u8]) {
        // Ethernet and IPv4: sender's and target's protocol addresses (RFC 826)
        if b.len() >= 28 && b[..6] == [0, 1, 8, 0, 6, 4] {
            self.address(&mut b[14..18]);
            self.address(&mut b[24..28]);
        }
    }

    /// Maps the address in `b`, four octets or sixteen.
    fn address(&self, b: &mut [u8]) {
        if let Ok(four) = <[u8; 4]>::try_from(&*b) {
            b.copy_from_slice(&self.addresses.v4(u32::from_be_bytes(four)).to_be_bytes());
        } else if let Ok(sixteen) = <[u8; 16]>::try_from(&*b) {
            b.copy_from_slice(&self.addresses.v6(u128::from_be_bytes(sixteen)).to_be_bytes());
        }
    }
}

/// Where the IP header of a frame starts; none where there is none that is whole.
pub fn ip_offset(frame: &[u8]) -> Option<usize> {
    let (at, ethertype) = behind_link(frame)?;
    locate(frame, at, ethertype).map(|place| place.ip)
}

/// Where the payload of a frame starts: behind the transport header, or behind the IP header where there is none.
pub fn payload_offset(frame: &[u8]) -> Option<usize> {
    let (at, ethertype) = behind_link(frame)?;
    let place = locate(frame, at, ethertype)?;
    let header = match place.proto {
        _ if place.fragment == Fragment::Later => 0,
        TCP => usize::from(frame.get(place.l4 + 12)? >> 4) * 4,
        UDP | UDP_LITE => 8,
        DCCP | SCTP => 12,
        ICMP | ICMPV6 => 8,
        _ => 0,
    };
    Some((place.l4 + header).min(place.end))
}

/// The sum of the 16-bit words; an odd last octet is padded.
fn words(b: &[u8]) -> u64 {
    let pairs = b.chunks_exact(2);
    let odd = pairs.remainder().first().map_or(0, |x| u64::from(*x) << 8);
    pairs.map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum::<u64>() + odd
}

fn get16(b: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(b.get(at..at + 2)?.try_into().ok()?))
}

/// What follows all tags and labels: where it starts, and its EtherType.
fn behind_link(frame: &[u8]) -> Option<(usize, u16)> {
    let (mut at, mut ethertype) = (14, get16(frame, 12)?);
    let mut tags = 0;
    while VLAN_TYPES.contains(&ethertype) && tags < MAX_TAGS {
        ethertype = get16(frame, at + 2)?;
        at += 4;
        tags += 1;
    }
    if MPLS_TYPES.contains(&ethertype) {
        for _ in 0..MAX_LABELS {
            let bottom = frame.get(at + 2)? & 1 == 1;
            at += 4;
            if bottom {
                let version = if frame.get(at)? >> 4 == 6 { IPV6 } else { IPV4 };
                return Some((at, version));
            }
        }
        return None;
    }
    (ethertype >= FIRST_TYPE).then_some((at, ethertype))
}

/// The parts of the IP packet at `ip`; none where there is none that is whole.
fn locate(frame: &[u8], ip: usize, ethertype: u16) -> Option<Place> {
    let p = frame.get(ip..)?;
    match (ethertype, p.first()? >> 4) {
        (IPV4, 4) if p.len() >= 20 => {
            let (header, total) = (usize::from(p[0] & 0xf) * 4, usize::from(get16(p, 2)?));
            if header < 20 || total < header || total > p.len() {
                return None;
            }
            let fragment = match get16(p, 6)? & 0x3fff {
                0 => Fragment::No,
                0x2000 => Fragment::First,
                _ => Fragment::Later,
            };
            Some(Place { ip, is_v6: false, l4: ip + header, end: ip + total, proto: p[9], fragment })
        }
        (IPV6, 6) if p.len() >= 40 => {
            let end = 40 + usize::from(get16(p, 4)?);
            if end > p.len() {
                return None;
            }
            extensions(&p[..end], ip)
        }
        _ => None,
    }
}

/// Walks through the extension headers of an IPv6 packet.
fn extensions(p: &[u8], ip: usize) -> Option<Place> {
    let (mut next, mut at, mut fragment) = (p[6], 40, Fragment::No);
    for _ in 0..=MAX_EXTENSIONS {
        if !EXTENSIONS.contains(&next) {
            return Some(Place { ip, is_v6: true, l4: ip + at, end: ip + p.len(), proto: next, fragment });
        }
        // segment routing changes the address that the checksum covers: left alone
        if next == 43 {
            return None;
        }
        let header = p.get(at..at + 8)?;
        let octets = match next {
            44 => {
                let field = u16::from_be_bytes([header[2], header[3]]);
                match (field >> 3, field & 1) {
                    (0, 0) => {}
                    (0, _) => fragment = Fragment::First,
                    _ => fragment = Fragment::Later,
                }
                8
            }
            51 => (usize::from(header[1]) + 2) * 4,
            _ => (usize::from(header[1]) + 1) * 8,
        };
        next = header[0];
        at += octets;
        if fragment == Fragment::Later || at > p.len() {
            let place = Place { ip, is_v6: true, l4: ip + at, end: ip + p.len(), proto: next, fragment };
            return (at <= p.len()).then_some(place);
        }
    }
    None
}

/// Where the checksum of a transport header lies.
fn checksum_at(proto: u8, is_v6: bool) -> Option<usize> {
    match proto {
        UDP | UDP_LITE | DCCP => Some(6),
        TCP => Some(16),
        ICMP if !is_v6 => Some(2),
        ICMPV6 if is_v6 => Some(2),
        _ => None,
    }
}

/// Computes the checksum of a whole packet's transport header. `addresses` of twice `size` octets are those of the
/// pseudo header.
fn transport(frame: &mut [u8], place: Place, addresses: usize, size: usize, pseudo: bool) {
    let (head, rest) = frame.split_at_mut(place.l4);
    let segment = &mut rest[..place.end - place.l4];
    if place.proto == SCTP && segment.len() >= 12 {
        segment[8..12].fill(0);
        let crc = crc32c(segment.iter().copied());
        segment[8..12].copy_from_slice(&crc.to_le_bytes());
        return;
    }
    let Some(at) = checksum_at(place.proto, place.is_v6) else { return };
    let Some(old) = get16(segment, at) else { return };
    // how much of the segment is covered
    let covered = match place.proto {
        // none, in IPv4
        UDP if old == 0 && !place.is_v6 => return,
        UDP => usize::from(get16(segment, 4).unwrap_or(0)),
        UDP_LITE => match usize::from(get16(segment, 4).unwrap_or(0)) {
            0 => segment.len(),
            covered => covered,
        },
        // header, and so many words of the data (RFC 4340 section 5.1)
        DCCP => {
            match (segment.get(4).map_or(0, |x| usize::from(*x) * 4), segment.get(5).map_or(0, |x| x & 0xf)) {
                (_, 0) => segment.len(),
                (header, words) => header + (usize::from(words) - 1) * 4,
            }
        }
        _ => segment.len(),
    };
    if covered < at + 2 || covered > segment.len() {
        return;
    }
    segment[at..at + 2].fill(0);
    let mut sum = words(&segment[..covered]);
    if pseudo {
        let length = if place.proto == UDP { covered } else { segment.len() };
        sum += words(&head[addresses..addresses + 2 * size]) + u64::from(place.proto) + length as u64;
    }
    let sum = match !fold(sum) {
        0 if matches!(place.proto, UDP | UDP_LITE) => 0xffff,
        sum => sum,
    };
    segment[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Lets the checksum of a first fragment, which covers the later ones too, follow a change of addresses.
fn follow(frame: &mut [u8], place: Place, before: u16, after: u16) {
    let Some(at) = checksum_at(place.proto, place.is_v6) else { return };
    let Some(old) = get16(&frame[place.l4..place.end], at) else { return };
    if place.proto == UDP && old == 0 && !place.is_v6 {
        return;
    }
    let sum = Change::of(old).word(before, after).checksum();
    let sum = if sum == 0 && place.proto == UDP { 0xffff } else { sum };
    let at = place.l4 + at;
    frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::addresses::{Networks, Seen};
    use super::*;
    use crate::dist::Rng;
    use crate::frame::{Shape, Transport, build};
    use csn::packet::{fragment, parse};
    use csn::{Field, Key, Range, Value, ValueSet};
    use rand::{Rng as _, RngExt, SeedableRng};

    fn any_key(shape: &Shape, rng: &mut Rng) -> Key {
        let mut key = Key::new();
        for field in Field::ALL {
            let Some(domain) = shape.domain(field) else { continue };
            let n = rng.random_range(0..domain.len());
            key.set(field, domain.nth(n).unwrap());
        }
        if let Some(tos) = key.get(Field::Tos) {
            key.set_number(Field::Dscp, tos.bits >> 2);
        }
        key
    }

    fn map(keys: &[Key]) -> AddressMap {
        let mut seen = Seen::default();
        for key in keys {
            for field in [Field::SrcIp, Field::DstIp] {
                key.get(field).into_iter().for_each(|v| seen.add(v));
            }
        }
        let four = Range::prefix(Value::v4([10, 0, 0, 0].into()), 8);
        let six = Range::prefix(Value::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0].into()), 32);
        seen.map(&Networks::of(&ValueSet::from_ranges([four, six])).unwrap()).unwrap()
    }

    #[test]
    fn a_mapped_frame_is_the_frame_built_with_the_mapped_addresses() {
        let mut rng = Rng::seed_from_u64(1);
        let shapes = Shape::all();
        let keys: Vec<Key> = shapes.iter().map(|s| any_key(s, &mut rng)).collect();
        let rewrite = Rewrite { macs: None, addresses: map(&keys) };
        let mut payload = [0; 33];
        rng.fill_bytes(&mut payload);
        for (shape, key) in shapes.iter().zip(&keys) {
            let mut frame = build(shape, key, &payload);
            let mut wanted = parse(&frame, None);
            for field in [Field::SrcIp, Field::DstIp] {
                let Some(value) = key.get(field) else { continue };
                let bits = match value.family {
                    4 => rewrite.addresses.v4(value.bits as u32).into(),
                    _ => rewrite.addresses.v6(value.bits),
                };
                wanted.set(field, Value { bits, ..value });
            }
            // as a sending host captures it, before the card fills in the checksum
            if shape.fragment == fragment::NO && shape.transport_header() > 0 {
                let l4 = shape.link() + shape.ip();
                if let Some(at) = checksum_at(frame[l4 - 1], false).filter(|at| *at == 16) {
                    frame[l4 + at] ^= 0x5a;
                }
            }
            rewrite.apply(&mut frame);
            assert_eq!(parse(&frame, None), wanted, "{shape:?}");
            // sequence numbers and tags of the frame built anew follow its addresses: put the recorded ones back
            let mut anew = build(shape, &wanted, &payload);
            let l4 = shape.link() + shape.ip();
            if shape.transport == Transport::Sctp && shape.fragment != fragment::LATER {
                anew[l4 + 4..l4 + 12].copy_from_slice(&frame[l4 + 4..l4 + 12]);
            }
            if wanted.get(Field::TcpFlags).is_some() {
                anew[l4 + 4..l4 + 12].copy_from_slice(&frame[l4 + 4..l4 + 12]);
                anew[l4 + 16..l4 + 18].copy_from_slice(&frame[l4 + 16..l4 + 18]);
            }
            assert_eq!(frame, anew, "{shape:?}");
        }
    }

    #[test]
    fn what_is_cut_short_stays_and_nothing_panics() {
        let mut rng = Rng::seed_from_u64(2);
        for shape in Shape::all() {
            let key = any_key(&shape, &mut rng);
            let rewrite = Rewrite { macs: Some([[2; 6]; 2]), addresses: map(&[key]) };
            let whole = build(&shape, &key, &[7; 10]);
            for len in 0..whole.len() {
                let mut cut = whole[..len].to_vec();
                rewrite.apply(&mut cut);
                if len > 14 && len < shape.link() + shape.ip() {
                    assert_eq!(cut[12..], whole[12..len], "{shape:?} {len}");
                }
            }
        }
    }

    #[test]
    fn frames_for_many_stay_so() {
        let rewrite = Rewrite { macs: Some([[2; 6], [4; 6]]), addresses: AddressMap::default() };
        let mut frame = [0xff; 60];
        rewrite.apply(&mut frame);
        assert_eq!((&frame[..6], &frame[6..12]), (&[0xff; 6][..], &[2; 6][..]));
        frame[0] = 0;
        rewrite.apply(&mut frame);
        assert_eq!(frame[..6], [4; 6]);
    }
}
