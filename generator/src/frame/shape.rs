//! Which headers a frame has: what decides the fields of its key and the place of every byte.

use super::tunnel;
use csn::mix::{Encapsulation, Tunnel};
use csn::packet::{self, fragment};
use csn::{Field, Range, Value, ValueSet};

/// The network layer of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// IPv4 without options.
    V4,
    /// IPv6, with a fragment header where the packet is a fragment.
    V6,
    /// Anything else: bytes behind the EtherType.
    Other,
}

/// The transport header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP without options.
    Tcp,
    /// ICMP in IPv4, ICMPv6 in IPv6: an eight-octet header.
    Icmp,
    /// SCTP with one chunk of data.
    Sctp,
    /// UDP-Lite, all of it covered by the checksum.
    UdpLite,
    /// DCCP's generic header with short sequence numbers.
    Dccp,
    /// No header that anyone looks at.
    Rest,
}

impl Transport {
    const ALL: [Transport; 7] = [
        Transport::Udp,
        Transport::Tcp,
        Transport::Icmp,
        Transport::Sctp,
        Transport::UdpLite,
        Transport::Dccp,
        Transport::Rest,
    ];

    /// The IP protocol, where the transport is one.
    fn proto(self, net: Net) -> Option<u8> {
        match self {
            Transport::Udp => Some(packet::UDP),
            Transport::Tcp => Some(packet::TCP),
            Transport::Icmp if net == Net::V6 => Some(packet::ICMPV6),
            Transport::Icmp => Some(packet::ICMP),
            Transport::Sctp => Some(132),
            Transport::UdpLite => Some(136),
            Transport::Dccp => Some(33),
            Transport::Rest => None,
        }
    }
}

/// The headers of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// A VLAN tag: 802.1Q's, or a service tag where another one follows.
    pub tagged: bool,
    /// MPLS entries: one, or as many as the encapsulation has.
    pub labelled: bool,
    /// The network layer.
    pub net: Net,
    /// As [`Field::Fragment`] has it.
    pub fragment: u128,
    /// The transport layer.
    pub transport: Transport,
    /// Headers beside these.
    pub around: Encapsulation,
}

fn number(n: impl Into<u128>) -> ValueSet {
    ValueSet::single(Value::number(n.into()))
}

fn numbers(list: impl IntoIterator<Item = u16>) -> ValueSet {
    ValueSet::from_ranges(list.into_iter().map(|n| Range::numbers(n.into(), n.into())))
}

impl Shape {
    /// Every shape, the plainest first: untagged IPv4 with UDP, not fragmented.
    pub fn all() -> Vec<Shape> {
        let mut out = Vec::new();
        let around = Encapsulation::default();
        for tagged in [false, true] {
            out.push(Shape {
                tagged,
                labelled: false,
                net: Net::Other,
                fragment: fragment::NO,
                transport: Transport::Rest,
                around,
            });
            for labelled in [false, true] {
                for net in [Net::V4, Net::V6] {
                    for fragment in [fragment::NO, fragment::FIRST, fragment::LATER] {
                        for transport in Transport::ALL {
                            out.push(Shape { tagged, labelled, net, fragment, transport, around });
                        }
                    }
                }
            }
        }
        out.sort_by_key(Shape::oddity);
        out
    }

    /// Every shape that an encapsulation can be around, the plainest first.
    pub fn within(around: Encapsulation) -> Vec<Shape> {
        let fits = |s: &Shape| {
            let carries = match around.tunnel {
                None => true,
                Some(Tunnel::Gre { .. }) => s.net != Net::Other && s.transport == Transport::Rest,
                Some(Tunnel::Vxlan { .. }) => s.transport == Transport::Udp,
            };
            carries
                && (around.inner_tag.is_none() || s.tagged)
                && (around.labels == 0 || s.labelled)
                && (around.tunnel.is_none() || s.fragment == fragment::NO)
        };
        Shape::all().into_iter().filter(fits).map(|s| Shape { around, ..s }).collect()
    }

    /// How many VLAN tags there are.
    pub fn tags(&self) -> usize {
        usize::from(self.tagged) + usize::from(self.around.inner_tag.is_some())
    }

    /// How many MPLS entries there are.
    pub fn labels(&self) -> usize {
        usize::from(self.around.labels).max(usize::from(self.labelled))
    }

    /// How far the shape is from the plainest.
    pub fn oddity(&self) -> u32 {
        let net = match self.net {
            Net::V4 => 0,
            Net::V6 => 10,
            Net::Other => 200,
        };
        net + 20 * u32::from(self.tagged)
            + 40 * u32::from(self.labelled)
            + 80 * self.fragment as u32
            + self.transport as u32
    }

    /// Octets before the IP header.
    pub fn link(&self) -> usize {
        14 + 4 * self.tags() + 4 * self.labels()
    }

    /// Octets of the IP header with its extensions.
    pub fn ip(&self) -> usize {
        match self.net {
            Net::V4 => 20,
            Net::V6 if self.fragment == fragment::NO => 40,
            Net::V6 => 48,
            Net::Other => 0,
        }
    }

    /// Octets of the transport header.
    pub fn transport_header(&self) -> usize {
        match self.transport {
            _ if self.fragment == fragment::LATER => 0,
            Transport::Udp | Transport::UdpLite | Transport::Icmp => 8,
            // the common header, and that of a chunk (RFC 9260 sections 3.1, 3.3.1)
            Transport::Sctp => 12 + 16,
            Transport::Dccp => 12,
            Transport::Tcp => 20,
            Transport::Rest => 0,
        }
    }

    /// Octets of the headers between the transport header, or the IP header where there is none, and the payload.
    pub fn tunnel(&self) -> usize {
        self.around.tunnel.map_or(0, tunnel::octets)
    }

    /// Octets of all headers.
    pub fn headers(&self) -> usize {
        self.link() + self.ip() + self.transport_header() + self.tunnel()
    }

    /// The values that a field can have in frames of this shape; none where they do not have the field.
    /// [`Field::Dscp`] is left to [`Field::Tos`], whose high bits it is.
    pub fn domain(&self, field: Field) -> Option<ValueSet> {
        let is_ip = self.net != Net::Other;
        let whole = self.fragment != fragment::LATER;
        let present = match field {
            Field::Interface | Field::Dscp => false,
            Field::SrcMac | Field::DstMac | Field::EtherType => true,
            Field::Vlan => self.tagged,
            Field::Mpls => self.labelled,
            Field::SrcIp | Field::DstIp | Field::Proto | Field::Tos | Field::Ttl | Field::Length => is_ip,
            Field::Fragment => is_ip,
            Field::FlowLabel => self.net == Net::V6,
            Field::SrcPort | Field::DstPort => {
                is_ip && whole && !matches!(self.transport, Transport::Icmp | Transport::Rest)
            }
            Field::TcpFlags => is_ip && whole && self.transport == Transport::Tcp,
            Field::IcmpType | Field::IcmpCode => is_ip && whole && self.transport == Transport::Icmp,
        };
        present.then(|| match field {
            Field::EtherType => self.ethertypes(),
            Field::Proto => self.protocols(),
            Field::Fragment => number(self.fragment),
            Field::SrcIp | Field::DstIp => {
                let family = if self.net == Net::V4 { 4 } else { 6 };
                Range::prefix(Value { family, bits: 0 }, 0).into()
            }
            Field::Length => Range::numbers((self.headers() - self.link()) as u128, 0xffff).into(),
            Field::DstPort if matches!(self.around.tunnel, Some(Tunnel::Vxlan { .. })) => {
                number(tunnel::VXLAN_PORT)
            }
            other => other.domain(),
        })
    }

    fn ethertypes(&self) -> ValueSet {
        match self.net {
            _ if self.labelled => numbers(packet::MPLS_TYPES),
            Net::V4 => number(packet::IPV4),
            Net::V6 => number(packet::IPV6),
            Net::Other => {
                let known = numbers(packet::VLAN_TYPES)
                    .union(&numbers(packet::MPLS_TYPES))
                    .union(&numbers([packet::IPV4, packet::IPV6]));
                Field::EtherType.domain().subtract(&known)
            }
        }
    }

    fn protocols(&self) -> ValueSet {
        if let Some(Tunnel::Gre { .. }) = self.around.tunnel {
            return number(tunnel::GRE);
        }
        if let Some(proto) = self.transport.proto(self.net) {
            return number(proto);
        }
        let mut known: Vec<u16> =
            Transport::ALL.iter().filter_map(|t| t.proto(self.net)).map(u16::from).collect();
        if self.net == Net::V6 {
            known.extend(packet::EXTENSIONS.map(u16::from));
        }
        Field::Proto.domain().subtract(&numbers(known))
    }

    /// What a field that neither rule nor load settles is drawn from; a subset of the domain. `macs` are source
    /// and destination.
    pub fn default(&self, field: Field, macs: [[u8; 6]; 2]) -> Option<ValueSet> {
        let mac = |m: [u8; 6]| number(m.iter().fold(0u128, |n, b| n << 8 | u128::from(*b)));
        // RFC 2544's and RFC 5180's benchmarking networks, a half for each side
        let network = |half: u16| match self.net {
            Net::V4 => Range::prefix(Value::v4([198, 18 + half as u8, 0, 0].into()), 16).into(),
            _ => Range::prefix(Value::v6([0x2001, 2, 0, half, 0, 0, 0, 0].into()), 64).into(),
        };
        let preferred: ValueSet = match field {
            Field::SrcMac => mac(macs[0]),
            Field::DstMac => mac(macs[1]),
            // the first of IEEE 802's local experimental EtherTypes
            Field::EtherType if self.net == Net::Other => number(0x88b5u16),
            Field::EtherType if self.labelled => number(packet::MPLS_TYPES[0]),
            Field::Vlan => number(1u8),
            // the first label that is not reserved
            Field::Mpls => number(16u8),
            Field::SrcIp => network(0),
            Field::DstIp => network(1),
            // RFC 3692's number for experiments
            Field::Proto if self.transport == Transport::Rest && self.around.tunnel.is_none() => {
                number(253u8)
            }
            Field::Tos | Field::FlowLabel => number(0u8),
            Field::Ttl => number(64u8),
            Field::DstPort if self.around.tunnel.is_some() => return self.domain(field),
            Field::SrcPort | Field::DstPort => Range::numbers(1024, 65535).into(),
            Field::TcpFlags => number(0x10u8),
            // echo requests
            Field::IcmpType if self.net == Net::V6 => number(128u8),
            Field::IcmpType => number(8u8),
            Field::IcmpCode => number(0u8),
            _ => return self.domain(field),
        };
        Some(preferred.intersect(&self.domain(field)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plainest_is_udp_over_ipv4_and_headers_have_their_textbook_sizes() {
        let all = Shape::all();
        assert_eq!((all[0].net, all[0].transport, all[0].headers()), (Net::V4, Transport::Udp, 42));
        assert_eq!(all.iter().map(Shape::headers).max(), Some(22 + 48 + 28));
    }

    #[test]
    fn defaults_are_values_that_the_field_can_have() {
        for shape in Shape::all() {
            for field in Field::ALL {
                let default = shape.default(field, [[2; 6]; 2]);
                assert_eq!(default.is_some(), shape.domain(field).is_some(), "{shape:?} {field}");
                if let Some(set) = default {
                    assert!(!set.is_empty(), "{shape:?} {field}");
                }
            }
        }
    }
}
