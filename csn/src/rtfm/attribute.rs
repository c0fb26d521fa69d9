//! Flow attributes by number (RFC 2720, IANA "rtfm", RFC 2722 appendix C), and those of this testbed.

use crate::field::Field;
use serde::{Deserialize, Serialize};

macro_rules! attributes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $octets:literal;)*) => {
        /// An attribute of a flow or packet.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[repr(u16)]
        pub enum Attribute {
            $($(#[$doc])* $name = $number,)*
        }

        impl Attribute {
            /// Every attribute, by ascending number.
            pub const ALL: &'static [Attribute] = &[$(Attribute::$name,)*];

            /// The name, as rule files write it.
            pub const fn name(self) -> &'static str {
                match self { $(Attribute::$name => stringify!($name),)* }
            }

            /// Octets of a value: 16 for peer addresses (IPv4 uses 4), 0 for what cannot be tested.
            pub const fn octets(self) -> u8 {
                match self { $(Attribute::$name => $octets,)* }
            }
        }
    };
}

attributes! {
    /// Tests on it always succeed; pushing it has no effect.
    Null = 0, 2;
    /// Number of the flow record.
    FlowIndex = 1, 0;
    /// State of the flow record.
    FlowStatus = 2, 0;
    /// Time filter of the record.
    FlowTimeMark = 3, 0;
    /// Index of the interface on the source side.
    SourceInterface = 4, 4;
    /// Medium below the source.
    SourceAdjacentType = 5, 1;
    /// Source MAC address.
    SourceAdjacentAddress = 6, 6;
    /// Mask of the source MAC address.
    SourceAdjacentMask = 7, 0;
    /// 1 IPv4, 2 IPv6.
    SourcePeerType = 8, 1;
    /// Source IP address.
    SourcePeerAddress = 9, 16;
    /// Mask of the source IP address.
    SourcePeerMask = 10, 0;
    /// IP protocol.
    SourceTransType = 11, 1;
    /// Source port.
    SourceTransAddress = 12, 2;
    /// Mask of the source port.
    SourceTransMask = 13, 0;
    /// Index of the interface on the destination side.
    DestInterface = 14, 4;
    /// Medium below the destination.
    DestAdjacentType = 15, 1;
    /// Destination MAC address.
    DestAdjacentAddress = 16, 6;
    /// Mask of the destination MAC address.
    DestAdjacentMask = 17, 0;
    /// 1 IPv4, 2 IPv6.
    DestPeerType = 18, 1;
    /// Destination IP address.
    DestPeerAddress = 19, 16;
    /// Mask of the destination IP address.
    DestPeerMask = 20, 0;
    /// IP protocol.
    DestTransType = 21, 1;
    /// Destination port.
    DestTransAddress = 22, 2;
    /// Mask of the destination port.
    DestTransMask = 23, 0;
    /// Scale of packet counters.
    PDUScale = 24, 0;
    /// Scale of octet counters.
    OctetScale = 25, 0;
    /// Number of the rule set that made the flow.
    FlowRuleSet = 26, 0;
    /// Octets from source to destination.
    ToOctets = 27, 0;
    /// Packets from source to destination.
    ToPDUs = 28, 0;
    /// Octets from destination to source.
    FromOctets = 29, 0;
    /// Packets from destination to source.
    FromPDUs = 30, 0;
    /// Time of the first packet, 1/100 s of the meter's uptime.
    FirstTime = 31, 0;
    /// Time of the last packet, likewise.
    LastActiveTime = 32, 0;
    /// Subscriber on the source side.
    SourceSubscriberID = 33, 0;
    /// Subscriber on the destination side.
    DestSubscriberID = 34, 0;
    /// Session.
    SessionID = 35, 0;
    /// Computed by rules.
    SourceClass = 36, 1;
    /// Computed by rules.
    DestClass = 37, 1;
    /// Computed by rules; the low octet of a CSN class.
    FlowClass = 38, 1;
    /// Computed by rules.
    SourceKind = 39, 1;
    /// Computed by rules.
    DestKind = 40, 1;
    /// Computed by rules; the high octet of a CSN class.
    FlowKind = 41, 1;
    /// 1 while matching in the order of the wire.
    MatchingStoD = 50, 1;
    /// A variable that holds an attribute's number.
    V1 = 51, 16;
    /// A variable that holds an attribute's number.
    V2 = 52, 16;
    /// A variable that holds an attribute's number.
    V3 = 53, 16;
    /// A variable that holds an attribute's number.
    V4 = 54, 16;
    /// A variable that holds an attribute's number.
    V5 = 55, 16;
    /// Of this testbed: [`Field::EtherType`].
    EtherType = 1027, 2;
    /// Of this testbed: [`Field::Vlan`].
    Vlan = 1028, 2;
    /// Of this testbed: [`Field::Mpls`].
    MplsLabel = 1029, 4;
    /// Of this testbed: [`Field::Dscp`].
    Dscp = 1033, 1;
    /// Of this testbed: [`Field::Tos`].
    Tos = 1034, 1;
    /// Of this testbed: [`Field::Ttl`].
    Ttl = 1035, 1;
    /// Of this testbed: [`Field::Length`].
    PacketLength = 1036, 2;
    /// Of this testbed: [`Field::FlowLabel`].
    FlowLabel = 1037, 4;
    /// Of this testbed: [`Field::Fragment`].
    Fragment = 1038, 1;
    /// Of this testbed: [`Field::TcpFlags`].
    TcpFlags = 1041, 1;
    /// Of this testbed: [`Field::IcmpType`].
    IcmpType = 1042, 1;
    /// Of this testbed: [`Field::IcmpCode`].
    IcmpCode = 1043, 1;
}

impl Attribute {
    /// The attribute of that number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| *a as u16 == number)
    }

    /// The attribute of that name, whatever the case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name().eq_ignore_ascii_case(name))
    }

    /// The attribute that holds a field of a packet, as seen from its source.
    pub const fn of_field(field: Field) -> Self {
        match field {
            Field::Interface => Attribute::SourceInterface,
            Field::SrcMac => Attribute::SourceAdjacentAddress,
            Field::DstMac => Attribute::DestAdjacentAddress,
            Field::EtherType => Attribute::EtherType,
            Field::Vlan => Attribute::Vlan,
            Field::Mpls => Attribute::MplsLabel,
            Field::SrcIp => Attribute::SourcePeerAddress,
            Field::DstIp => Attribute::DestPeerAddress,
            Field::Proto => Attribute::SourceTransType,
            Field::Dscp => Attribute::Dscp,
            Field::Tos => Attribute::Tos,
            Field::Ttl => Attribute::Ttl,
            Field::Length => Attribute::PacketLength,
            Field::FlowLabel => Attribute::FlowLabel,
            Field::Fragment => Attribute::Fragment,
            Field::SrcPort => Attribute::SourceTransAddress,
            Field::DstPort => Attribute::DestTransAddress,
            Field::TcpFlags => Attribute::TcpFlags,
            Field::IcmpType => Attribute::IcmpType,
            Field::IcmpCode => Attribute::IcmpCode,
        }
    }

    /// Whether rules compute it: zero at the start of each pass.
    pub const fn is_computed(self) -> bool {
        matches!(self as u16, 36..=41)
    }

    /// Whether it is one of the variables v1 to v5.
    pub const fn is_variable(self) -> bool {
        matches!(self as u16, 51..=55)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_back() {
        for &a in Attribute::ALL {
            assert_eq!(Attribute::from_number(a as u16), Some(a));
            assert_eq!(Attribute::from_name(&a.name().to_lowercase()), Some(a));
        }
        assert!(Attribute::ALL.is_sorted());
    }

    #[test]
    fn every_field_has_an_attribute_wide_enough() {
        for f in Field::ALL {
            assert!(u32::from(Attribute::of_field(f).octets()) * 8 >= f.width(), "{f}");
        }
    }
}
