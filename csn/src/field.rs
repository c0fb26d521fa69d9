//! The fields of a packet that rules can test.

use crate::value::{Range, Value, ValueSet};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A field of a packet. The order is the order of the layers, and that in which things are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Field {
    /// The interface that received the packet, by its index.
    Interface,
    /// Source MAC address, 48 bits.
    SrcMac,
    /// Destination MAC address, 48 bits.
    DstMac,
    /// EtherType behind all VLAN tags; 0x8847 or 0x8848 where an MPLS stack follows.
    EtherType,
    /// VLAN identifier of the outermost tag.
    Vlan,
    /// Label of the top entry of the MPLS stack.
    Mpls,
    /// Source address, IPv4 or IPv6.
    SrcIp,
    /// Destination address, IPv4 or IPv6.
    DstIp,
    /// IPv4 protocol, or the first next-header value of IPv6 that is not an extension header.
    Proto,
    /// The six high bits of the IPv4 TOS or IPv6 traffic class octet (RFC 2474).
    Dscp,
    /// The whole IPv4 TOS or IPv6 traffic class octet.
    Tos,
    /// IPv4 time to live or IPv6 hop limit.
    Ttl,
    /// Octets of the IP packet, header included; at most 65,535.
    Length,
    /// IPv6 flow label, 20 bits.
    FlowLabel,
    /// 0 `no`, 1 `first`, 2 `later`: not a fragment, the first, a later one.
    Fragment,
    /// Source port of TCP, UDP, UDP-Lite, SCTP or DCCP.
    SrcPort,
    /// Destination port, likewise.
    DstPort,
    /// The flags octet of TCP: CWR ECE URG ACK PSH RST SYN FIN from bit 7 to bit 0.
    TcpFlags,
    /// ICMP or ICMPv6 type.
    IcmpType,
    /// ICMP or ICMPv6 code.
    IcmpCode,
}

/// What is fixed about a field.
struct Facts {
    name: &'static str,
    width: u32,
    doc: &'static str,
}

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = 20;

    /// Every field, in order.
    pub const ALL: [Field; Self::COUNT] = [
        Field::Interface,
        Field::SrcMac,
        Field::DstMac,
        Field::EtherType,
        Field::Vlan,
        Field::Mpls,
        Field::SrcIp,
        Field::DstIp,
        Field::Proto,
        Field::Dscp,
        Field::Tos,
        Field::Ttl,
        Field::Length,
        Field::FlowLabel,
        Field::Fragment,
        Field::SrcPort,
        Field::DstPort,
        Field::TcpFlags,
        Field::IcmpType,
        Field::IcmpCode,
    ];

    const fn facts(self) -> Facts {
        let (name, width, doc) = match self {
            Field::Interface => ("interface", 32, "index of the receiving interface"),
            Field::SrcMac => ("srcmac", 48, "source MAC address"),
            Field::DstMac => ("dstmac", 48, "destination MAC address"),
            Field::EtherType => ("ethertype", 16, "EtherType behind all VLAN tags"),
            Field::Vlan => ("vlan", 12, "VLAN identifier of the outermost tag"),
            Field::Mpls => ("mpls", 20, "label of the top MPLS entry"),
            Field::SrcIp => ("srcip", 128, "source address, IPv4 or IPv6"),
            Field::DstIp => ("dstip", 128, "destination address, IPv4 or IPv6"),
            Field::Proto => ("proto", 8, "IP protocol (IPv6: behind the extension headers)"),
            Field::Dscp => ("dscp", 6, "differentiated services code point"),
            Field::Tos => ("tos", 8, "TOS or traffic class octet"),
            Field::Ttl => ("ttl", 8, "time to live or hop limit"),
            Field::Length => ("length", 16, "octets of the IP packet"),
            Field::FlowLabel => ("flowlabel", 20, "IPv6 flow label"),
            Field::Fragment => ("fragment", 2, "no, first or later"),
            Field::SrcPort => ("srcport", 16, "source port"),
            Field::DstPort => ("dstport", 16, "destination port"),
            Field::TcpFlags => ("tcpflags", 8, "flags octet of TCP"),
            Field::IcmpType => ("icmptype", 8, "ICMP or ICMPv6 type"),
            Field::IcmpCode => ("icmpcode", 8, "ICMP or ICMPv6 code"),
        };
        Facts { name, width, doc }
    }

    /// The name in the notation.
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Width in bits; 128 for addresses, whose IPv4 values use 32.
    pub const fn width(self) -> u32 {
        self.facts().width
    }

    /// One line of documentation.
    pub const fn doc(self) -> &'static str {
        self.facts().doc
    }

    /// The field of that name, whatever the case; the paper's `scrip` is not one (see the front end).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name().eq_ignore_ascii_case(name))
    }

    /// Whether values are IP addresses.
    pub const fn is_address(self) -> bool {
        matches!(self, Field::SrcIp | Field::DstIp)
    }

    /// The field that holds the same thing in packets of the reply direction.
    pub const fn reversed(self) -> Self {
        match self {
            Field::SrcMac => Field::DstMac,
            Field::DstMac => Field::SrcMac,
            Field::SrcIp => Field::DstIp,
            Field::DstIp => Field::SrcIp,
            Field::SrcPort => Field::DstPort,
            Field::DstPort => Field::SrcPort,
            other => other,
        }
    }

    /// Every value that the field can have.
    pub fn domain(self) -> ValueSet {
        if self.is_address() {
            ValueSet::from_ranges([
                Range::prefix(Value { family: 4, bits: 0 }, 0),
                Range::prefix(Value { family: 6, bits: 0 }, 0),
            ])
        } else if self == Field::Fragment {
            Range::numbers(0, 2).into()
        } else {
            Range::numbers(0, (1u128 << self.width()) - 1).into()
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent() {
        for (i, f) in Field::ALL.into_iter().enumerate() {
            assert_eq!(f as usize, i, "{f}");
            assert_eq!(Field::from_name(&f.name().to_uppercase()), Some(f));
            assert_eq!(f.reversed().reversed(), f);
            assert!(!f.doc().is_empty());
        }
    }
}
