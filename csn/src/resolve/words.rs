//! The words that fields know: names of protocols, code points, services, flags, EtherTypes and fragments.

use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, TCP, UDP, fragment};

/// A table of words and their numbers.
pub(crate) type Words = &'static [(&'static str, u32)];

/// IP protocols (IANA protocol numbers).
const PROTOCOLS: Words = &[
    ("icmp", ICMP as u32),
    ("igmp", 2),
    ("ipip", 4),
    ("tcp", TCP as u32),
    ("egp", 8),
    ("igp", 9),
    ("udp", UDP as u32),
    ("dccp", 33),
    ("ipv6", 41),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", ICMPV6 as u32),
    ("eigrp", 88),
    ("ospf", 89),
    ("etherip", 97),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("sctp", 132),
    ("udplite", 136),
    ("mpls", 137),
];

/// Code points: class selectors (RFC 2474), assured forwarding (RFC 2597), expedited forwarding (RFC 3246),
/// voice admit (RFC 5865), lower effort (RFC 8622).
const DSCP: Words = &[
    ("be", 0),
    ("df", 0),
    ("le", 1),
    ("cs0", 0),
    ("cs1", 8),
    ("cs2", 16),
    ("cs3", 24),
    ("cs4", 32),
    ("cs5", 40),
    ("cs6", 48),
    ("cs7", 56),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("va", 44),
    ("ef", 46),
];

/// Services that people write in rules (IANA service names and what is usual beside them).
const SERVICES: Words = &[
    ("ftp-data", 20),
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("dns", 53),
    ("bootps", 67),
    ("bootpc", 68),
    ("tftp", 69),
    ("http", 80),
    ("kerberos", 88),
    ("pop3", 110),
    ("sunrpc", 111),
    ("nntp", 119),
    ("ntp", 123),
    ("imap", 143),
    ("snmp", 161),
    ("snmptrap", 162),
    ("bgp", 179),
    ("ldap", 389),
    ("https", 443),
    ("isakmp", 500),
    ("syslog", 514),
    ("rtsp", 554),
    ("submission", 587),
    ("ldaps", 636),
    ("imaps", 993),
    ("pop3s", 995),
    ("l2tp", 1701),
    ("radius", 1812),
    ("radius-acct", 1813),
    ("netflow", 2055),
    ("nfs", 2049),
    ("mysql", 3306),
    ("rdp", 3389),
    ("nats", 4222),
    ("ipsec-nat-t", 4500),
    ("ipfix", 4739),
    ("vxlan", 4789),
    ("sip", 5060),
    ("sips", 5061),
    ("postgresql", 5432),
    ("sflow", 6343),
    ("http-alt", 8080),
];

/// Flags of TCP by their bits (RFC 9293).
const FLAGS: Words = &[
    ("none", 0),
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ece", 0x40),
    ("cwr", 0x80),
];

/// EtherTypes behind VLAN tags.
const ETHERTYPES: Words = &[
    ("ipv4", 0x0800),
    ("ip", 0x0800),
    ("arp", 0x0806),
    ("ipv6", 0x86dd),
    ("mpls", 0x8847),
    ("mpls-multicast", 0x8848),
    ("pppoe", 0x8864),
    ("eapol", 0x888e),
    ("lldp", 0x88cc),
    ("ptp", 0x88f7),
];

/// Values of [`Field::Fragment`].
const FRAGMENTS: Words =
    &[("no", fragment::NO as u32), ("first", fragment::FIRST as u32), ("later", fragment::LATER as u32)];

/// The words that a field knows.
pub(crate) const fn of(field: Field) -> Words {
    match field {
        Field::Proto => PROTOCOLS,
        Field::Dscp => DSCP,
        Field::SrcPort | Field::DstPort => SERVICES,
        Field::TcpFlags => FLAGS,
        Field::EtherType => ETHERTYPES,
        Field::Fragment => FRAGMENTS,
        _ => &[],
    }
}

/// The number of a word, whatever the case.
pub(crate) fn find(field: Field, word: &str) -> Option<u32> {
    of(field).iter().find(|(w, _)| w.eq_ignore_ascii_case(word)).map(|(_, n)| *n)
}

/// The first field that knows a word.
pub(crate) fn known_by(word: &str) -> Option<Field> {
    Field::ALL.into_iter().find(|f| find(*f, word).is_some())
}

/// What fields are called in other notations, lower case, and what they are called here.
const ELSEWHERE: &[(&[&str], &[&str])] = &[
    (&["src", "saddr", "sip", "source", "src_ip", "srcaddr", "ipsrc", "src-ip"], &["srcip"]),
    (&["dst", "daddr", "dip", "destination", "dst_ip", "dstaddr", "ipdst", "dst-ip"], &["dstip"]),
    (&["host", "net", "addr", "address"], &["srcip", "dstip"]),
    (&["sport", "src_port", "src-port", "source-port"], &["srcport"]),
    (&["dport", "dst_port", "dst-port", "destination-port"], &["dstport"]),
    (&["port", "ports"], &["srcport", "dstport"]),
    (&["protocol", "ip_proto", "nw_proto", "prot"], &["proto"]),
    (&["flags", "tcp_flags", "tcp-flags"], &["tcpflags"]),
    (&["ds", "dsfield", "diffserv"], &["dscp"]),
    (&["hoplimit", "hop-limit"], &["ttl"]),
    (&["ether", "etype", "eth_type", "dl_type"], &["ethertype"]),
    (&["vid", "vlan_id", "vlanid", "dl_vlan"], &["vlan"]),
    (&["iface", "iif", "in_port", "dev"], &["interface"]),
    (&["mac"], &["srcmac", "dstmac"]),
    (&["len", "iplen"], &["length"]),
    (&["frag"], &["fragment"]),
];

/// The fields that people who know other notations mean by a word.
pub(crate) fn elsewhere(word: &str) -> &'static [&'static str] {
    let meant = ELSEWHERE.iter().find(|(names, _)| names.iter().any(|n| n.eq_ignore_ascii_case(word)));
    meant.map_or(&[], |(_, fields)| fields)
}

/// Words that definitions cannot take, beside the names of fields.
pub(crate) const RESERVED: [&str; 9] =
    ["each", "both", "any", "others", "all", "max", "class", "rule", "scrip"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_elsewhere_lead_to_fields_and_are_none_themselves() {
        for (names, fields) in ELSEWHERE {
            assert!(fields.iter().all(|f| Field::from_name(f).is_some()), "{fields:?}");
            assert!(names.iter().all(|n| Field::from_name(n).is_none()), "{names:?}");
        }
        assert_eq!(elsewhere("SPORT"), ["srcport"]);
        assert!(elsewhere("srcip").is_empty());
    }

    #[test]
    fn every_word_fits_its_field_and_stands_once() {
        for field in Field::ALL {
            for (i, (word, number)) in of(field).iter().enumerate() {
                assert!(of(field)[..i].iter().all(|(w, _)| w != word), "{field}: {word} twice");
                assert!(field.domain().contains(crate::Value::number(u128::from(*number))), "{word}");
            }
        }
        assert_eq!(find(Field::Dscp, "EF"), Some(46));
        assert_eq!(find(Field::DstPort, "ef"), None);
    }
}
