//! One test of a rule as a piece of an expression.

use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, PORT_PROTOCOLS, TCP};
use crate::value::{Range, Value, ValueSet};

/// What a part of the expression is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// Any frame.
    Link,
    /// IPv4.
    Four,
    /// IPv6.
    Six,
}

impl Header {
    pub(super) fn keyword(self) -> Option<&'static str> {
        match self {
            Header::Link => None,
            Header::Four => Some("ip"),
            Header::Six => Some("ip6"),
        }
    }
}

/// The test of `field` within packets of `header`; `all` are the tests of the whole rule.
pub(super) fn term(header: Header, field: Field, set: &ValueSet, all: &[(Field, ValueSet)]) -> String {
    let six = header == Header::Six;
    match field {
        Field::SrcMac => mac("src", (6, 8), set),
        Field::DstMac => mac("dst", (0, 2), set),
        Field::EtherType => number("ether[12:2]", field, set),
        Field::Vlan => {
            let tagged = "(ether[12:2] = 0x8100 or ether[12:2] = 0x88a8 or ether[12:2] = 0x9100)";
            both(tagged, &number("ether[14:2] & 0xfff", field, set))
        }
        Field::Mpls => {
            let labelled = "(ether[12:2] = 0x8847 or ether[12:2] = 0x8848)";
            both(labelled, &number("ether[14:4] >> 12", field, set))
        }
        Field::SrcIp => address(header, "src", set),
        Field::DstIp => address(header, "dst", set),
        Field::Proto => number(protocol(header), field, set),
        Field::Tos if six => number("(ip6[0:2] >> 4) & 0xff", field, set),
        Field::Tos => number("ip[1]", field, set),
        Field::Dscp if six => number("(ip6[0:2] >> 6) & 0x3f", field, set),
        Field::Dscp => number("ip[1] >> 2", field, set),
        Field::Ttl => number(if six { "ip6[7]" } else { "ip[8]" }, field, set),
        Field::Length if six => number("ip6[4:2] + 40", field, set),
        Field::Length => number("ip[2:2]", field, set),
        Field::FlowLabel => number("ip6[0:4] & 0xfffff", field, set),
        Field::Fragment => fragment(six, set),
        Field::SrcPort | Field::DstPort => port(header, field, set, all),
        Field::TcpFlags => behind(header, &[TCP], 13, 1, field, set),
        Field::IcmpType => behind(header, &[if six { ICMPV6 } else { ICMP }], 0, 1, field, set),
        Field::IcmpCode => behind(header, &[if six { ICMPV6 } else { ICMP }], 1, 1, field, set),
        // rules on it are left out
        Field::Interface => "len < 0".into(),
    }
}

fn both(a: &str, b: &str) -> String {
    format!("({a} and {b})")
}

fn protocol(header: Header) -> &'static str {
    if header == Header::Six { "ip6[6]" } else { "ip[9]" }
}

/// Any of the pieces.
fn any(pieces: Vec<String>) -> String {
    if pieces.len() == 1 { pieces.concat() } else { format!("({})", pieces.join(" or ")) }
}

/// A number against a set.
fn number(expression: &str, field: Field, set: &ValueSet) -> String {
    let most = field.domain().ranges().last().map_or(0, |r| r.hi.bits);
    let gap = field.domain().subtract(set);
    if let Some(v) = gap.as_single() {
        return format!("{expression} != {}", v.bits);
    }
    let one = |r: &Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => format!("{expression} = {lo}"),
        // whatever the packet has there
        (0, hi) if hi == most => format!("{expression} >= 0"),
        (0, hi) => format!("{expression} <= {hi}"),
        (lo, hi) if hi == most => format!("{expression} >= {lo}"),
        (lo, hi) => format!("({expression} >= {lo} and {expression} <= {hi})"),
    };
    any(set.ranges().iter().map(one).collect())
}

fn mac(side: &str, (high, low): (u32, u32), set: &ValueSet) -> String {
    let prefixes = set.prefixes(48);
    let pieces = prefixes.iter().map(|p| {
        let mask = p.mask(48);
        let part = |at: u32, octets: u32, shift: u32| {
            let all = (1u128 << (8 * octets)) - 1;
            match mask >> shift & all {
                0 => None,
                m if m == all => Some(format!("ether[{at}:{octets}] = {:#x}", p.value.bits >> shift & all)),
                m => Some(format!("ether[{at}:{octets}] & {m:#x} = {:#x}", p.value.bits >> shift & all)),
            }
        };
        if p.len == 48 {
            let octets: Vec<String> =
                p.value.bits.to_be_bytes()[10..].iter().map(|o| format!("{o:02x}")).collect();
            return format!("ether {side} {}", octets.join(":"));
        }
        match (part(high, 2, 32), part(low, 4, 0)) {
            (Some(a), Some(b)) => both(&a, &b),
            (Some(a), None) => a,
            _ => "len >= 0".into(),
        }
    });
    any(pieces.collect())
}

fn address(header: Header, side: &str, set: &ValueSet) -> String {
    let (keyword, width) = if header == Header::Six { ("ip6", 128) } else { ("ip", 32) };
    let whole: ValueSet = Range::prefix(Value { family: if width == 32 { 4 } else { 6 }, bits: 0 }, 0).into();
    let positive = |set: &ValueSet| {
        let pieces = set.prefixes(width).into_iter().map(|p| match p.len {
            0 => keyword.to_string(),
            n if n == width => format!("{keyword} {side} host {}", p.value),
            n => format!("{keyword} {side} net {}/{n}", p.value),
        });
        any(pieces.collect())
    };
    let outside = whole.subtract(set);
    if !outside.is_empty() && outside.prefixes(width).len() < set.prefixes(width).len() {
        return format!("not {}", positive(&outside));
    }
    positive(set)
}

fn fragment(six: bool, set: &ValueSet) -> String {
    let words = match six {
        false => ["ip[6:2] & 0x3fff = 0", "ip[6:2] & 0x3fff = 0x2000", "ip[6:2] & 0x1fff != 0"],
        true => [
            "(ip6[6] != 44 or ip6[42:2] & 0xfff9 = 0)",
            "(ip6[6] = 44 and ip6[42:2] & 0xfff9 = 1)",
            "(ip6[6] = 44 and ip6[42:2] & 0xfff8 != 0)",
        ],
    };
    let accepted = (0..3u128).filter(|n| set.contains(Value::number(*n)));
    any(accepted.map(|n| words[n as usize].to_string()).collect())
}

/// A port: by name where the rule has one protocol that libpcap knows, else by its place.
fn port(header: Header, field: Field, set: &ValueSet, all: &[(Field, ValueSet)]) -> String {
    let side = if field == Field::SrcPort { "src" } else { "dst" };
    let of_rule = all.iter().find(|(f, _)| *f == Field::Proto).map(|(_, s)| s);
    let known = match of_rule.and_then(ValueSet::as_single).map(|v| v.bits) {
        Some(6) => "tcp",
        Some(17) => "udp",
        Some(132) => "sctp",
        _ => {
            let possible = |p: &u8| of_rule.is_none_or(|s| s.contains(Value::number(u128::from(*p))));
            let protocols: Vec<u8> = PORT_PROTOCOLS.into_iter().filter(possible).collect();
            let at = if field == Field::SrcPort { 0 } else { 2 };
            return behind(header, &protocols, at, 2, field, set);
        }
    };
    let one = |r: &Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => format!("{known} {side} port {lo}"),
        (lo, hi) => format!("{known} {side} portrange {lo}-{hi}"),
    };
    let gap = field.domain().subtract(set);
    match gap.ranges() {
        [r] if set.ranges().len() > 1 => format!("({known} {side} portrange 0-65535 and not {})", one(r)),
        _ => any(set.ranges().iter().map(one).collect()),
    }
}

/// Octets behind the IP header, where the protocol is one of those.
fn behind(header: Header, protocols: &[u8], at: u32, octets: u32, field: Field, set: &ValueSet) -> String {
    let protocol = protocol(header);
    if protocols.is_empty() {
        return "len < 0".into();
    }
    let which = any(protocols.iter().map(|p| format!("{protocol} = {p}")).collect());
    let size = if octets > 1 { format!(":{octets}") } else { String::new() };
    if header == Header::Six {
        let place = format!("ip6[{}{size}]", 40 + at);
        return both(&which, &number(&place, field, set));
    }
    let place = format!("ip[((ip[0] & 0xf) << 2) + {at}{size}]");
    let whole = "ip[6:2] & 0x1fff = 0";
    format!("({which} and {whole} and {})", number(&place, field, set))
}
