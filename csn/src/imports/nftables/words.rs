//! Names that nft gives values.

use super::values::Names;
use crate::field::Field;
use crate::resolve::words as notation;

type Words = &'static [(&'static str, u32)];

/// Types of ICMP, as nft names them (nft(8), ICMP TYPE TYPE).
const TYPES: Words = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("source-quench", 4),
    ("redirect", 5),
    ("echo-request", 8),
    ("router-advertisement", 9),
    ("router-solicitation", 10),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
    ("timestamp-request", 13),
    ("timestamp-reply", 14),
    ("info-request", 15),
    ("info-reply", 16),
    ("address-mask-request", 17),
    ("address-mask-reply", 18),
];

/// Codes of ICMP (nft(8), ICMP CODE TYPE).
const CODES: Words = &[
    ("net-unreachable", 0),
    ("host-unreachable", 1),
    ("prot-unreachable", 2),
    ("port-unreachable", 3),
    ("frag-needed", 4),
    ("net-prohibited", 9),
    ("host-prohibited", 10),
    ("admin-prohibited", 13),
];

/// Types of ICMPv6 (nft(8), ICMPV6 TYPE TYPE).
const TYPES_6: Words = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("mld-listener-query", 130),
    ("mld-listener-report", 131),
    ("mld-listener-done", 132),
    ("mld-listener-reduction", 132),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
    ("nd-redirect", 137),
    ("router-renumbering", 138),
    ("ind-neighbor-solicit", 141),
    ("ind-neighbor-advert", 142),
    ("mld2-listener-report", 143),
];

/// Codes of ICMPv6 (nft(8), ICMPV6 CODE TYPE).
const CODES_6: Words = &[
    ("no-route", 0),
    ("admin-prohibited", 1),
    ("addr-unreachable", 3),
    ("port-unreachable", 4),
    ("policy-fail", 5),
    ("reject-route", 6),
];

/// Protocols by their names in /etc/protocols, where the notation calls them otherwise.
const PROTOCOLS: Words = &[
    ("ip", 0),
    ("hopopt", 0),
    ("ipencap", 4),
    ("st", 5),
    ("pup", 12),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("vmtp", 81),
    ("ospfigp", 89),
    ("ax.25", 93),
    ("ipip", 94),
    ("encap", 98),
    ("comp", 108),
    ("isis", 124),
    ("fc", 133),
    ("mobility-header", 135),
    ("mpls-in-ip", 137),
    ("manet", 138),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
    ("ethernet", 143),
];

/// EtherTypes, where the notation calls them otherwise.
const ETHERTYPES: Words = &[("ip6", 0x86dd), ("vlan", 0x8100), ("8021q", 0x8100), ("8021ad", 0x88a8)];

/// Congestion notification (RFC 3168).
const ECN: Words = &[("not-ect", 0), ("ect1", 1), ("ect0", 2), ("ce", 3)];

/// The number of a name.
pub(super) fn find(names: Names, text: &str) -> Option<u32> {
    let in_table = |table: Words| table.iter().find(|(w, _)| w.eq_ignore_ascii_case(text)).map(|(_, n)| *n);
    match names {
        Names::Icmp { six, code } => in_table(match (six, code) {
            (false, false) => TYPES,
            (false, true) => CODES,
            (true, false) => TYPES_6,
            (true, true) => CODES_6,
        }),
        Names::Of(Field::Proto) => in_table(PROTOCOLS).or_else(|| notation::find(Field::Proto, text)),
        Names::Of(Field::EtherType) => {
            in_table(ETHERTYPES).or_else(|| notation::find(Field::EtherType, text))
        }
        // RFC 8622 by another name
        Names::Of(Field::Dscp) if text == "lephb" => Some(1),
        Names::Of(field) => notation::find(field, text),
        Names::Ecn => in_table(ECN),
        Names::Mac | Names::Truth => None,
    }
}
