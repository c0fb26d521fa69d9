//! Patterns of `IPClassifier`.

use crate::backends::alternatives::Alternative;
use crate::backends::octets::{as_cube, octets_of};
use crate::field::Field;
use crate::packet::{ICMP, IPV4, PORT_PROTOCOLS, TCP, UDP};
use crate::value::{Range, Value, ValueSet};

/// Of a later fragment nothing behind the IP header is known.
const NOT_LATER: &str = "ip[6:2] & 0x1fff == 0";

/// The alternative for packets of IPv4; none where it cannot match them.
pub(super) fn pattern(alternative: &Alternative) -> Option<String> {
    let four = alternative.for_ip(4)?;
    let mut terms = Vec::new();
    for (field, set) in &four.tests {
        terms.push(match field {
            Field::Interface | Field::Vlan | Field::Mpls | Field::FlowLabel => return None,
            Field::EtherType if set.contains(Value::number(IPV4.into())) => continue,
            Field::EtherType => return None,
            _ => term(*field, set, &four)?,
        });
    }
    Some(if terms.is_empty() { "-".into() } else { terms.join(" and ") })
}

fn term(field: Field, set: &ValueSet, rule: &Alternative) -> Option<String> {
    Some(match field {
        Field::SrcMac => mac("src", set),
        Field::DstMac => mac("dst", set),
        Field::SrcIp => address("src", set),
        Field::DstIp => address("dst", set),
        Field::Proto => number("ip proto", field, set),
        Field::Tos => number("ip tos", field, set),
        Field::Dscp if as_cube(set, 6).is_some() => number("ip dscp", field, set),
        Field::Dscp => number("ip tos", Field::Tos, &octets_of(set)),
        Field::Ttl => number("ip ttl", field, set),
        Field::Length => number("ip len", field, set),
        Field::Fragment => fragment(set),
        Field::SrcPort => port("src", "transp[0:2]", set, rule)?,
        Field::DstPort => port("dst", "transp[2:2]", set, rule)?,
        Field::TcpFlags => behind(TCP, "tcp[13]", field, set),
        Field::IcmpType => behind(ICMP, "icmp type", field, set),
        Field::IcmpCode => behind(ICMP, "icmp[1]", field, set),
        Field::Interface | Field::EtherType | Field::Vlan | Field::Mpls | Field::FlowLabel => return None,
    })
}

/// Any of the pieces.
fn any(pieces: Vec<String>) -> String {
    if pieces.len() == 1 { pieces.concat() } else { format!("({})", pieces.join(" or ")) }
}

/// A number against a set that is not empty.
fn number(what: &str, field: Field, set: &ValueSet) -> String {
    let most = (1u128 << field.width()) - 1;
    if let Some(cube) = as_cube(set, field.width())
        && cube.mask != most
        && cube.mask != 0
    {
        return format!("{what} & {:#x} == {}", cube.mask, cube.value);
    }
    if let Some(v) = field.domain().subtract(set).as_single() {
        return format!("{what} != {}", v.bits);
    }
    let one = |r: &Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => format!("{what} {lo}"),
        (0, hi) if hi == most => "true".into(),
        (0, hi) => format!("{what} <= {hi}"),
        (lo, hi) if hi == most => format!("{what} >= {lo}"),
        (lo, hi) => format!("({what} >= {lo} and {what} <= {hi})"),
    };
    any(set.ranges().iter().map(one).collect())
}

/// A number behind the IP header of packets with that protocol.
fn behind(protocol: u8, what: &str, field: Field, set: &ValueSet) -> String {
    if *set == field.domain() {
        return format!("ip proto {protocol} and {NOT_LATER}");
    }
    number(what, field, set)
}

fn mac(side: &str, set: &ValueSet) -> String {
    let text = |bits: u128| {
        bits.to_be_bytes()[10..].iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(":")
    };
    let one = |p: &crate::value::Prefix| match p.len {
        0 => "true".into(),
        48 => format!("{side} ether host {}", text(p.value.bits)),
        _ => format!("{side} ether host & {} {}", text(p.mask(48)), text(p.value.bits)),
    };
    positive_or_not(set, &Range::numbers(0, (1 << 48) - 1).into(), 48, one)
}

fn address(side: &str, set: &ValueSet) -> String {
    let one = |p: &crate::value::Prefix| match p.len {
        0 => "true".into(),
        32 => format!("{side} host {}", p.value),
        n => format!("{side} net {}/{n}", p.value),
    };
    positive_or_not(set, &Range::prefix(Value { family: 4, bits: 0 }, 0).into(), 32, one)
}

/// The prefixes of the set, or none of those of its complement, whichever are fewer.
fn positive_or_not(
    set: &ValueSet,
    whole: &ValueSet,
    width: u32,
    one: impl Fn(&crate::value::Prefix) -> String,
) -> String {
    let (inside, rest) = (set.prefixes(width), whole.subtract(set).prefixes(width));
    if !rest.is_empty() && rest.len() < inside.len() {
        return format!("not ({})", rest.iter().map(one).collect::<Vec<_>>().join(" or "));
    }
    any(inside.iter().map(one).collect())
}

fn fragment(set: &ValueSet) -> String {
    let words = ["ip unfrag", "ip[6:2] & 0x3fff == 0x2000", "ip[6:2] & 0x1fff != 0"];
    let accepted = (0..3u128).filter(|n| set.contains(Value::number(*n)));
    any(accepted.map(|n| words[n as usize].to_string()).collect())
}

/// A port: by name where the rule has protocols that Click knows the ports of, else by its place.
fn port(side: &str, place: &str, set: &ValueSet, rule: &Alternative) -> Option<String> {
    let possible = |p: &u8| rule.test(Field::Proto).is_none_or(|s| s.contains(Value::number((*p).into())));
    let protocols: Vec<u8> = PORT_PROTOCOLS.into_iter().filter(possible).collect();
    let named = match protocols.as_slice() {
        [] => return None,
        [TCP] => Some("tcp port"),
        [UDP] => Some("udp port"),
        [TCP, UDP] => Some("port"),
        _ => None,
    };
    let which = || any(protocols.iter().map(|p| format!("ip proto {p}")).collect());
    Some(match named {
        _ if *set == Field::SrcPort.domain() => format!("{} and {NOT_LATER}", which()),
        Some(name) => number(&format!("{side} {name}"), Field::SrcPort, set),
        None => format!("{} and {}", which(), number(place, Field::SrcPort, set)),
    })
}
