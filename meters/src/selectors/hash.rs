//! The hash functions of RFC 5475, and what of a packet they are computed from.
//!
//! Two meters on a packet's way must hash the same octets: nothing goes in that routers change (time to live, header
//! checksum, DSCP), nor what only one of them sees (tags, labels, the link's addresses).

use csn::packet::{IPV4, IPV6, MPLS_TYPES, VLAN_TYPES};

/// The hash function BOB (RFC 5475, A.2; B. Jenkins, 1996) of octets and an initial value.
pub fn bob(octets: &[u8], initial: u32) -> u32 {
    const RATIO: u32 = 0x9e37_79b9;
    let word = |b: &[u8]| b.iter().rev().fold(0u32, |n, x| n << 8 | u32::from(*x));
    let mut state = [RATIO, RATIO, initial];
    let mut groups = octets.chunks_exact(12);
    for group in &mut groups {
        for (s, b) in state.iter_mut().zip(group.chunks(4)) {
            *s = s.wrapping_add(word(b));
        }
        mix(&mut state);
    }
    // the lowest octet of the last word is kept for the length
    let rest = groups.remainder();
    let (ab, c) = rest.split_at(rest.len().min(8));
    for (s, b) in state.iter_mut().zip(ab.chunks(4)) {
        *s = s.wrapping_add(word(b));
    }
    state[2] = state[2].wrapping_add(octets.len() as u32).wrapping_add(word(c) << 8);
    mix(&mut state);
    state[2]
}

/// Three rounds over the three words: each is reduced by both others and mixed with a shift of the one before.
fn mix(s: &mut [u32; 3]) {
    // how far the one before is shifted for each word: right, left, right
    for [a, b, c] in [[13, 8, 13], [12, 16, 5], [3, 10, 15]] {
        s[0] = s[0].wrapping_sub(s[1]).wrapping_sub(s[2]) ^ (s[2] >> a);
        s[1] = s[1].wrapping_sub(s[2]).wrapping_sub(s[0]) ^ (s[0] << b);
        s[2] = s[2].wrapping_sub(s[0]).wrapping_sub(s[1]) ^ (s[1] >> c);
    }
}

/// The hash function IPSX (RFC 5475, A.1): shifts and exclusive or of four words of a packet; 16 bits. The words are the
/// IPv4 header's second (identification, flags, fragment offset), the addresses, and the second one of the payload.
pub fn ipsx([second, source, destination, payload]: [u32; 4]) -> u16 {
    let (v1, v2) = (second ^ source, destination ^ payload);
    let first = (v1 << 8) ^ (v1 >> 4) ^ (v1 >> 12) ^ (v1 >> 16);
    (first ^ (v2 << 6) ^ (v2 << 10) ^ (v2 << 14) ^ (v2 >> 7)) as u16
}

/// CRC-32 (IEEE 802.3) of octets.
pub fn crc32(octets: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    !octets.iter().fold(!0, |crc, b| (crc >> 8) ^ TABLE[(crc as u8 ^ b) as usize])
}

const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = i as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
            bit += 1;
        }
        table[i] = crc;
        i += 1;
    }
    table
}

/// The IP packet in a frame: behind tags and labels.
pub fn ip(frame: &[u8]) -> Option<&[u8]> {
    let be16 = |at: usize| Some(u16::from_be_bytes(frame.get(at..at + 2)?.try_into().ok()?));
    let mut at = 12;
    while VLAN_TYPES.contains(&be16(at)?) {
        at += 4;
    }
    let ethertype = be16(at)?;
    at += 2;
    if MPLS_TYPES.contains(&ethertype) {
        while frame.get(at + 2)? & 1 == 0 {
            at += 4;
        }
        at += 4;
    } else if ethertype != IPV4 && ethertype != IPV6 {
        return None;
    }
    frame.get(at..)
}

/// Octets of a packet that BOB and CRC are computed from, at most.
pub const MOST: usize = 40 + 256;

/// Puts together what BOB and CRC are computed from: of the header what no router changes, then `size` octets of the IP
/// payload from `offset`, or as many as there are. Gives the number of octets; none for what is not IP.
pub fn input(packet: &[u8], offset: usize, size: usize, out: &mut [u8; MOST]) -> Option<usize> {
    let (header, payload) = match packet.first()? >> 4 {
        4 => {
            let length = usize::from(packet[0] & 0xf) * 4;
            // total length, identification, flags and offset; protocol; addresses
            out[..6].copy_from_slice(packet.get(2..8)?);
            out[6] = *packet.get(9)?;
            out[7..15].copy_from_slice(packet.get(12..20)?);
            (15, packet.get(length..).unwrap_or(&[]))
        }
        6 => {
            // payload length, next header; addresses
            out[..3].copy_from_slice(packet.get(4..7)?);
            out[3..35].copy_from_slice(packet.get(8..40)?);
            (35, packet.get(40..).unwrap_or(&[]))
        }
        _ => return None,
    };
    let payload = payload.get(offset..).unwrap_or(&[]);
    let payload = &payload[..payload.len().min(size)];
    out[header..header + payload.len()].copy_from_slice(payload);
    Some(header + payload.len())
}

/// The words of an IPv4 packet that IPSX is computed from. What is not there is 0; none for what is not IPv4.
pub fn words(packet: &[u8]) -> Option<[u32; 4]> {
    if packet.first()? >> 4 != 4 {
        return None;
    }
    let word = |at: usize| Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?));
    let payload = usize::from(packet[0] & 0xf) * 4;
    Some([word(4)?, word(12)?, word(16)?, word(payload + 4).unwrap_or(0)])
}
