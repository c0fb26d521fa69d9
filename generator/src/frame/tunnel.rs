//! What a tunnel carries: UDP over IPv4, in GRE straight behind the outer IP header, in VXLAN as an Ethernet frame
//! behind an outer UDP header.

use csn::mix::Tunnel;
use pnet::packet::ethernet::{EtherType, MutableEthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::ipv4::{self, Ipv4Flags, MutableIpv4Packet};
use pnet::packet::udp::{self, MutableUdpPacket};
use pnet::util::MacAddr;
use std::net::Ipv4Addr;

/// GRE's protocol number.
pub const GRE: u8 = 47;
/// The port of VXLAN (RFC 7348).
pub const VXLAN_PORT: u16 = 4789;

/// Octets of the inner IPv4 and UDP headers.
const INNER: usize = 28;
/// EtherType of IPv4.
const IPV4: u16 = csn::packet::IPV4;
/// The buffer's size follows from the shape.
const ROOM: &str = "the shape leaves room for every header";

/// Octets between the outer headers and the inner IP header.
pub fn before_inner(tunnel: Tunnel) -> usize {
    match tunnel {
        Tunnel::Gre { key: None } => 4,
        Tunnel::Gre { key: Some(_) } => 8,
        Tunnel::Vxlan { .. } => 8 + 14,
    }
}

/// Octets of the tunnel's header and all headers inside.
pub fn octets(tunnel: Tunnel) -> usize {
    before_inner(tunnel) + INNER
}

/// Writes the tunnel's header and the inner headers at the start of `b`, whose rest is the inner payload. Which inner
/// flow it is follows from `seed`.
pub fn write(tunnel: Tunnel, seed: u32, b: &mut [u8]) {
    match tunnel {
        Tunnel::Gre { key } => {
            // the flag of a key, version 0, then what is inside (RFC 2784, 2890)
            b[0] = if key.is_some() { 0x20 } else { 0 };
            b[2..4].copy_from_slice(&IPV4.to_be_bytes());
            if let Some(key) = key {
                b[4..8].copy_from_slice(&key.to_be_bytes());
            }
        }
        Tunnel::Vxlan { vni } => {
            // the flag that says that the identifier is valid, and the identifier (RFC 7348 section 5)
            b[0] = 0x08;
            b[4..8].copy_from_slice(&(vni << 8).to_be_bytes());
            let mut ethernet = MutableEthernetPacket::new(&mut b[8..]).expect(ROOM);
            ethernet.set_source(MacAddr::new(2, 0, 0, 1, 0, 1));
            ethernet.set_destination(MacAddr::new(2, 0, 0, 1, 0, 2));
            ethernet.set_ethertype(EtherType(IPV4));
        }
    }
    inner(seed, &mut b[before_inner(tunnel)..]);
}

fn inner(seed: u32, b: &mut [u8]) {
    let [a, c, d, e] = seed.to_be_bytes();
    // RFC 2544's networks, as outside
    let (source, destination) = (Ipv4Addr::new(198, 18, a, c), Ipv4Addr::new(198, 19, d, e));
    let length = b.len() as u16;
    let mut ip = MutableIpv4Packet::new(b).expect(ROOM);
    ip.set_version(4);
    ip.set_header_length(5);
    ip.set_total_length(length);
    ip.set_flags(Ipv4Flags::DontFragment);
    ip.set_ttl(64);
    ip.set_next_level_protocol(IpNextHeaderProtocols::Udp);
    ip.set_source(source);
    ip.set_destination(destination);
    let sum = ipv4::checksum(&ip.to_immutable());
    ip.set_checksum(sum);
    let mut datagram = MutableUdpPacket::new(&mut b[20..]).expect(ROOM);
    datagram.set_source(0xc000 | (seed >> 7) as u16);
    // whatever is inside means nothing (RFC 863, discard)
    datagram.set_destination(9);
    datagram.set_length(length - 20);
    let sum = udp::ipv4_checksum(&datagram.to_immutable(), &source, &destination);
    datagram.set_checksum(if sum == 0 { 0xffff } else { sum });
}
