//! A whole frame from its key: done once per flow, so plain rather than fast.

use super::checksum::crc32c;
use super::shape::{Net, Shape, Transport};
use super::tunnel;
use csn::packet::fragment;
use csn::{Field, Key};
use pnet::packet::ethernet::{EtherType, MutableEthernetPacket};
use pnet::packet::icmp::{IcmpCode, IcmpType, MutableIcmpPacket};
use pnet::packet::ip::{IpNextHeaderProtocol, IpNextHeaderProtocols};
use pnet::packet::ipv4::{self, Ipv4Flags, MutableIpv4Packet};
use pnet::packet::ipv6::{MutableFragmentPacket, MutableIpv6Packet};
use pnet::packet::tcp::MutableTcpPacket;
use pnet::packet::udp::MutableUdpPacket;
use pnet::packet::vlan::MutableVlanPacket;
use pnet::util::{self, MacAddr};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where later fragments start, in octets: behind a first one that fills an Ethernet frame, in both IP versions a
/// multiple of eight.
const LATER_OFFSET: u16 = 1440;
/// TCP's flag that makes the acknowledgement valid (RFC 9293).
pub const ACK: u8 = 0x10;
/// The identification of fragments. Whole packets have 0 (RFC 6864).
const FRAGMENT_ID: u16 = 1;

/// The bytes of a frame of `shape` whose key is `key`, with `payload` behind the headers; all lengths follow from it
/// and all checksums are right. Fields that the key lacks are zero. Fragments carry a whole transport header and a
/// checksum over what is there.
pub fn build(shape: &Shape, key: &Key, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; shape.headers()];
    frame.extend_from_slice(payload);
    let (link, packet) = frame.split_at_mut(shape.link());
    write_link(shape, key, link);
    match shape.net {
        Net::V4 => write_ipv4(shape, key, packet),
        Net::V6 => write_ipv6(shape, key, packet),
        Net::Other => {}
    }
    if let Some(kind) = shape.around.tunnel {
        let seed = crc32c(outer(key));
        tunnel::write(kind, seed, &mut packet[shape.ip() + shape.transport_header()..]);
    }
    if shape.transport_header() > 0 {
        let (_, l4) = packet.split_at_mut(shape.ip());
        write_transport(shape, key, l4);
        write_checksum(shape, key, l4);
    }
    frame
}

/// What tells flows apart, as octets.
fn outer(key: &Key) -> impl Iterator<Item = u8> {
    let fields = [Field::SrcIp, Field::DstIp, Field::SrcPort, Field::DstPort, Field::Proto];
    fields.map(|f| bits(key, f).to_be_bytes()).into_iter().flatten()
}

fn bits(key: &Key, field: Field) -> u128 {
    key.get(field).map_or(0, |v| v.bits)
}

/// The header's place in the buffer, whose size follows from the shape.
const ROOM: &str = "the shape leaves room for every header";

fn write_link(shape: &Shape, key: &Key, mut b: &mut [u8]) {
    let mac = |field| {
        let m = bits(key, field).to_be_bytes();
        MacAddr::new(m[10], m[11], m[12], m[13], m[14], m[15])
    };
    let ethertype = EtherType(bits(key, Field::EtherType) as u16);
    let mut ethernet = MutableEthernetPacket::new(b).expect(ROOM);
    ethernet.set_source(mac(Field::SrcMac));
    ethernet.set_destination(mac(Field::DstMac));
    let outer = bits(key, Field::Vlan) as u16;
    // a service tag outside, a customer's inside (IEEE 802.1ad)
    let tags: &[(u16, u16)] = match shape.around.inner_tag {
        Some(inner) => &[(0x88a8, outer), (0x8100, inner)],
        None => &[(0x8100, outer)],
    };
    let tags = &tags[..shape.tags()];
    ethernet.set_ethertype(tags.first().map_or(ethertype, |t| EtherType(t.0)));
    b = &mut b[14..];
    for (i, (_, id)) in tags.iter().enumerate() {
        let mut tag = MutableVlanPacket::new(b).expect(ROOM);
        tag.set_vlan_identifier(*id);
        tag.set_ethertype(tags.get(i + 1).map_or(ethertype, |t| EtherType(t.0)));
        b = &mut b[4..];
    }
    let top = bits(key, Field::Mpls) as u32;
    for (i, place) in b.chunks_exact_mut(4).enumerate() {
        // labels below the top one count on from the first that is not reserved
        let label = if i == 0 { top } else { 15 + i as u32 };
        let bottom = u32::from(i + 1 == shape.labels());
        // label, no traffic class, bottom of the stack, time to live (RFC 3032 section 2.1)
        place.copy_from_slice(&(label << 12 | bottom << 8 | 64).to_be_bytes());
    }
}

fn write_ipv4(shape: &Shape, key: &Key, b: &mut [u8]) {
    let len = b.len() as u16;
    let tos = bits(key, Field::Tos) as u8;
    let mut ip = MutableIpv4Packet::new(b).expect(ROOM);
    ip.set_version(4);
    ip.set_header_length(5);
    ip.set_total_length(len);
    ip.set_dscp(tos >> 2);
    ip.set_ecn(tos & 3);
    ip.set_ttl(bits(key, Field::Ttl) as u8);
    ip.set_next_level_protocol(IpNextHeaderProtocol(bits(key, Field::Proto) as u8));
    ip.set_source(Ipv4Addr::from_bits(bits(key, Field::SrcIp) as u32));
    ip.set_destination(Ipv4Addr::from_bits(bits(key, Field::DstIp) as u32));
    match shape.fragment {
        fragment::NO => ip.set_flags(Ipv4Flags::DontFragment),
        fragment::FIRST => ip.set_flags(Ipv4Flags::MoreFragments),
        _ => ip.set_fragment_offset(LATER_OFFSET / 8),
    }
    if shape.fragment != fragment::NO {
        ip.set_identification(FRAGMENT_ID);
    }
    let sum = ipv4::checksum(&ip.to_immutable());
    ip.set_checksum(sum);
}

fn write_ipv6(shape: &Shape, key: &Key, b: &mut [u8]) {
    let len = (b.len() - 40) as u16;
    let proto = IpNextHeaderProtocol(bits(key, Field::Proto) as u8);
    let mut ip = MutableIpv6Packet::new(b).expect(ROOM);
    ip.set_version(6);
    ip.set_traffic_class(bits(key, Field::Tos) as u8);
    ip.set_flow_label(bits(key, Field::FlowLabel) as u32);
    ip.set_payload_length(len);
    ip.set_hop_limit(bits(key, Field::Ttl) as u8);
    ip.set_source(Ipv6Addr::from_bits(bits(key, Field::SrcIp)));
    ip.set_destination(Ipv6Addr::from_bits(bits(key, Field::DstIp)));
    ip.set_next_header(proto);
    if shape.fragment != fragment::NO {
        ip.set_next_header(IpNextHeaderProtocols::Ipv6Frag);
        let mut header = MutableFragmentPacket::new(&mut b[40..]).expect(ROOM);
        header.set_next_header(proto);
        header.set_id(u32::from(FRAGMENT_ID));
        header.set_fragment_offset_with_flags(if shape.fragment == fragment::FIRST {
            1
        } else {
            LATER_OFFSET
        });
    }
}

fn write_transport(shape: &Shape, key: &Key, b: &mut [u8]) {
    let len = b.len() as u16;
    let (src, dst) = (bits(key, Field::SrcPort) as u16, bits(key, Field::DstPort) as u16);
    match shape.transport {
        Transport::Udp => {
            let mut udp = MutableUdpPacket::new(b).expect(ROOM);
            udp.set_source(src);
            udp.set_destination(dst);
            udp.set_length(len);
        }
        Transport::Tcp => {
            let mut tcp = MutableTcpPacket::new(b).expect(ROOM);
            tcp.set_source(src);
            tcp.set_destination(dst);
            tcp.set_data_offset(5);
            let flags = bits(key, Field::TcpFlags) as u8;
            tcp.set_flags(flags);
            // initial sequence numbers, of which either end knows the other's
            tcp.set_sequence(crc32c(outer(key)));
            if flags & ACK != 0 {
                tcp.set_acknowledgement(crc32c(outer(&key.reversed())));
            }
            tcp.set_window(0xffff);
        }
        Transport::Icmp => {
            let mut icmp = MutableIcmpPacket::new(b).expect(ROOM);
            icmp.set_icmp_type(IcmpType(bits(key, Field::IcmpType) as u8));
            icmp.set_icmp_code(IcmpCode(bits(key, Field::IcmpCode) as u8));
            // an identifier: the checksum of nothing but zeros could not be followed incrementally (RFC 1624
            // section 3)
            if b[..2] == [0, 0] {
                b[5] = 1;
            }
        }
        Transport::Sctp | Transport::UdpLite | Transport::Dccp => {
            b[0..2].copy_from_slice(&src.to_be_bytes());
            b[2..4].copy_from_slice(&dst.to_be_bytes());
            if shape.transport == Transport::Sctp {
                b[4..8].copy_from_slice(&crc32c(outer(key)).to_be_bytes());
                // data, all of a message in one chunk: its beginning and its end
                b[13] = 3;
                b[14..16].copy_from_slice(&(len - 12).to_be_bytes());
            }
            if shape.transport == Transport::Dccp {
                // data offset in words; type 2, DataAck's simpler sibling Data (RFC 4340 section 5.1)
                b[4] = 3;
                b[8] = 2 << 1;
            }
        }
        Transport::Rest => {}
    }
}

fn write_checksum(shape: &Shape, key: &Key, b: &mut [u8]) {
    if shape.transport == Transport::Sctp {
        let crc = crc32c(b.iter().copied());
        b[8..12].copy_from_slice(&crc.to_le_bytes());
        return;
    }
    let Some(at) = checksum_offset(shape.transport) else { return };
    let proto = IpNextHeaderProtocol(bits(key, Field::Proto) as u8);
    let word = at / 2;
    let sum = match (
        key.get(Field::SrcIp).and_then(|v| v.as_ip()),
        key.get(Field::DstIp).and_then(|v| v.as_ip()),
    ) {
        (Some(IpAddr::V4(src)), Some(IpAddr::V4(dst))) if shape.transport != Transport::Icmp => {
            util::ipv4_checksum(b, word, &[], &src, &dst, proto)
        }
        (Some(IpAddr::V6(src)), Some(IpAddr::V6(dst))) => {
            util::ipv6_checksum(b, word, &[], &src, &dst, proto)
        }
        _ => util::checksum(b, word),
    };
    let sum = if sum == 0 && never_zero(shape.transport) { 0xffff } else { sum };
    b[at..at + 2].copy_from_slice(&sum.to_be_bytes());
}

/// Where the Internet checksum of a transport header lies.
pub fn checksum_offset(transport: Transport) -> Option<usize> {
    match transport {
        Transport::Udp | Transport::UdpLite | Transport::Dccp => Some(6),
        Transport::Tcp => Some(16),
        Transport::Icmp => Some(2),
        Transport::Sctp | Transport::Rest => None,
    }
}

/// Whether a checksum of zero means that there is none, so that a computed zero is written as 0xffff
/// (RFC 768, RFC 3828).
pub fn never_zero(transport: Transport) -> bool {
    matches!(transport, Transport::Udp | Transport::UdpLite)
}
