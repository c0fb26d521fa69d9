//! From one direction of a rule to the comparisons that make it up.

use super::matches::{Left, Match};
use crate::backends::Alternative;
use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, IPV4, IPV6, MPLS_TYPES, PORT_PROTOCOLS, TCP, VLAN_TYPES, fragment};
use crate::value::{Range, Value, ValueSet};

/// Why the alternative cannot be written.
pub(super) fn inexpressible(a: &Alternative) -> Option<&'static str> {
    let network = a.for_link().is_none();
    if a.test(Field::Interface).is_some() {
        return Some("nftables knows interfaces by their names, and the chain is bound to one");
    }
    if network && a.test(Field::Mpls).is_some() {
        return Some("nftables does not look behind MPLS labels");
    }
    let types = a.test(Field::EtherType)?;
    let behind_labels = MPLS_TYPES.iter().any(|t| types.contains(number(*t)));
    let plain = [IPV4, IPV6].iter().any(|t| types.contains(number(*t)));
    (network && behind_labels && !plain).then_some("nftables does not look behind MPLS labels")
}

/// Whether it tests anything of the IP header or behind it.
pub(super) fn is_network(a: &Alternative) -> bool {
    a.for_link().is_none()
}

/// The rules of nftables that match what the alternative matches; none where it matches nothing that is no MPLS.
pub(super) fn variants(a: &Alternative) -> Vec<Vec<Match>> {
    let mut link = link(a);
    if !is_network(a) {
        keep_apart(&mut link);
        return vec![link];
    }
    let both_families = a.tests.iter().all(|(f, _)| match f {
        Field::Proto | Field::SrcPort | Field::DstPort | Field::TcpFlags => true,
        f => *f < Field::SrcIp && *f != Field::EtherType,
    });
    let mut out = Vec::new();
    for family in if both_families { &[0][..] } else { &[4, 6] } {
        let of_type = |t: u16| a.test(Field::EtherType).is_none_or(|s| s.contains(number(t)));
        let possible = match family {
            4 => of_type(IPV4),
            6 => of_type(IPV6),
            _ => true,
        };
        let left = if *family == 0 { Some(a.clone()) } else { a.for_ip(*family) };
        let Some(a) = left.filter(|_| possible) else { continue };
        let (Some(mut network), Some(transport)) = (network(&a, *family), transport(&a, *family)) else {
            continue;
        };
        // behind a test of an address of Ethernet, nft would ask for the version by the type in the link header, which
        // is that of a VLAN tag where there is one
        let ethernet = link.iter().any(|m| matches!(m.left, Left::Payload("ether", _)));
        if *family != 0 && (ethernet || !network.iter().chain(&transport).any(ties)) {
            network.insert(0, version(*family));
        }
        let pieces = if *family == 6 { pieces(&a) } else { vec![Vec::new()] };
        for piece in pieces {
            let mut matches = [network.clone(), piece, transport.clone(), link.clone()].concat();
            keep_apart(&mut matches);
            out.push(matches);
        }
    }
    out
}

/// nft 1.0.6 makes one comparison of two that are next to each other in a header, which is wrong for `!=`: all but the
/// first of them say what they accept instead.
fn keep_apart(matches: &mut [Match]) {
    let excluded = |m: &&mut Match| m.not && m.set.as_single().is_some();
    for m in matches.iter_mut().filter(excluded).skip(1) {
        let width = match m.left {
            Left::Payload("ether", _) => 48,
            Left::Payload("ip", "length") | Left::Payload("ip6", "length") => 16,
            Left::Payload(_, "sport" | "dport") => 16,
            Left::Payload(_, "ttl" | "hoplimit" | "protocol" | "type" | "code") => 8,
            Left::Payload("ip", "saddr" | "daddr") => 32,
            Left::Payload("ip6", "saddr" | "daddr") => 128,
            _ => continue,
        };
        let family = m.set.ranges().first().map_or(0, |r| r.lo.family);
        let most = u128::MAX >> (128 - width);
        let all = Range::new(Value { family, bits: 0 }, Value { family, bits: most });
        m.set = ValueSet::from(all).subtract(&m.set);
        m.not = false;
    }
}

fn number(n: u16) -> Value {
    Value::number(u128::from(n))
}

fn numbers(range: std::ops::RangeInclusive<u128>) -> ValueSet {
    Range::numbers(*range.start(), *range.end()).into()
}

/// Whether nft adds a test of the IP version to this one by itself.
fn ties(m: &Match) -> bool {
    let versions = |header: &str| ["ip", "ip6", "icmp", "icmpv6"].contains(&header);
    match &m.left {
        Left::Payload(header, _) | Left::Masked(header, ..) => versions(header),
        _ => false,
    }
}

fn version(family: u8) -> Match {
    let header = if family == 4 { "ip" } else { "ip6" };
    Match::new(Left::Payload(header, "version"), ValueSet::single(Value::number(family.into())))
}

/// The same set with every value moved up by some bits.
fn shifted(set: &ValueSet, bits: u32) -> ValueSet {
    ValueSet::from_ranges(set.ranges().iter().map(|r| Range::numbers(r.lo.bits << bits, r.hi.bits << bits)))
}

/// A field that is not at whole octets: its octets under a mask. The values in between two of the field cannot come
/// out of the mask, so that it is enough to move the ends of intervals.
fn raw(
    (base, offset, bits): (&'static str, u32, u32),
    (width, shift): (u32, u32),
    set: &ValueSet,
    domain: &ValueSet,
) -> Match {
    let mask = ((1u64 << width) - 1) << shift;
    let mut made = Match::shorter(Left::Raw { base, offset, bits, mask: mask as u32 }, set, domain);
    made.set = shifted(&made.set, shift);
    made
}

/// The link header. The kernel has taken one VLAN tag out of the frame, and shows nft the header as if it were there.
fn link(a: &Alternative) -> Vec<Match> {
    let mut out = Vec::new();
    for (field, set) in &a.tests {
        let domain = field.domain();
        match field {
            Field::SrcMac => out.push(Match::shorter(Left::Payload("ether", "saddr"), set, &domain)),
            Field::DstMac => out.push(Match::shorter(Left::Payload("ether", "daddr"), set, &domain)),
            Field::EtherType => out.push(Match::shorter(Left::Meta("protocol"), set, &domain)),
            Field::Vlan => {
                let types = VLAN_TYPES.iter().map(|t| Range::new(number(*t), number(*t)));
                let left = Left::Raw { base: "ll", offset: 96, bits: 16, mask: 0xffff };
                out.push(Match::new(left, ValueSet::from_ranges(types)));
                out.push(raw(("ll", 112, 16), (12, 0), set, &domain));
            }
            Field::Mpls => {
                let [lo, hi] = MPLS_TYPES.map(number);
                out.push(Match::new(Left::Meta("protocol"), Range::new(lo, hi).into()));
                out.push(raw(("nh", 0, 24), (20, 4), set, &domain));
            }
            _ => (),
        }
    }
    out
}

/// The IP header without protocol and fragmentation of IPv6; none where nothing can match.
fn network(a: &Alternative, family: u8) -> Option<Vec<Match>> {
    let mut out = Vec::new();
    let six = family == 6;
    let header = if six { "ip6" } else { "ip" };
    for (field, set) in &a.tests {
        let domain = field.domain();
        // a whole header has the field, so all that is asked is the version
        let whole = *set == domain;
        match field {
            Field::SrcIp | Field::DstIp => {
                let all = Range::prefix(Value { family, bits: 0 }, 0).into();
                if *set != all {
                    let side = if *field == Field::SrcIp { "saddr" } else { "daddr" };
                    out.push(Match::shorter(Left::Payload(header, side), set, &all));
                }
            }
            Field::Dscp | Field::Tos | Field::Ttl | Field::Length | Field::FlowLabel if whole => (),
            Field::Dscp => out.push(Match::shorter(Left::Payload(header, "dscp"), set, &domain)),
            // never as `!=`, which nft 1.0.6 lists as one of DSCP and one of ECN
            Field::Tos if six => out.push(raw(("nh", 0, 16), (8, 4), set, set)),
            Field::Tos => out.push(raw(("nh", 8, 8), (8, 0), set, set)),
            Field::Ttl => {
                let name = if six { "hoplimit" } else { "ttl" };
                out.push(Match::shorter(Left::Payload(header, name), set, &domain));
            }
            // that of IPv6 counts what follows the header
            Field::Length if six => {
                let within = set.intersect(&numbers(40..=0xffff));
                let less = |r: &Range| Range::numbers(r.lo.bits - 40, r.hi.bits - 40);
                let mut ranges: Vec<Range> = within.ranges().iter().map(less).collect();
                if let Some(last) = ranges.last_mut().filter(|r| r.hi.bits == 0xffff - 40) {
                    last.hi = Value::number(0xffff);
                }
                let left = Left::Payload("ip6", "length");
                out.push(Match::shorter(left, &ValueSet::from_ranges(ranges), &domain));
            }
            Field::Length => out.push(Match::shorter(Left::Payload("ip", "length"), set, &domain)),
            Field::FlowLabel => out.push(Match::shorter(Left::Payload("ip6", "flowlabel"), set, &domain)),
            Field::Fragment if !six => out.extend(fragment_of_four(set)),
            _ => (),
        }
    }
    // a rule for no value, or for IPv6 packets that are shorter than their header
    out.iter().all(|m: &Match| !m.set.is_empty()).then_some(out)
}

fn single(n: u128) -> ValueSet {
    ValueSet::single(Value::number(n))
}

/// Offset and the bit for more fragments, RFC 791.
fn fragment_of_four(set: &ValueSet) -> Option<Match> {
    let has = |n| set.contains(Value::number(n));
    let (mask, not, value) = match [fragment::NO, fragment::FIRST, fragment::LATER].map(has) {
        [true, false, false] => (0x3fff, false, 0),
        [false, true, false] => (0x3fff, false, 0x2000),
        [false, false, true] => (0x1fff, true, 0),
        [true, true, false] => (0x1fff, false, 0),
        [true, false, true] => (0x3fff, true, 0x2000),
        [false, true, true] => (0x3fff, true, 0),
        _ => return None,
    };
    Some(Match { left: Left::Masked("ip", "frag-off", mask), not, set: single(value) })
}

/// The ways in which an IPv6 packet is a fragment as the rule wants it: no fragment header, or one with these values.
fn pieces(a: &Alternative) -> Vec<Vec<Match>> {
    let Some(set) = a.test(Field::Fragment) else { return vec![Vec::new()] };
    let there = |n| Match::new(Left::Exists("frag"), single(n));
    let more = |n| Match::new(Left::Extension("frag", "more-fragments"), single(n));
    let start = |not| Match { left: Left::Extension("frag", "frag-off"), not, set: single(0) };
    let has = |n| set.contains(Value::number(n));
    let (no, first, later) = (has(fragment::NO), has(fragment::FIRST), has(fragment::LATER));
    if no && first && later {
        return vec![Vec::new()];
    }
    let mut out = Vec::new();
    if no {
        out.push(vec![there(0)]);
    }
    match (no, first) {
        (true, true) => out.push(vec![start(false)]),
        (true, false) => out.push(vec![start(false), more(0)]),
        (false, true) => out.push(vec![start(false), more(1)]),
        _ => (),
    }
    if later {
        out.push(vec![start(true)]);
    }
    out
}

/// Protocol and transport header; none where nothing can match. `family` 0 is for either version.
fn transport(a: &Alternative, family: u8) -> Option<Vec<Match>> {
    let proto = a.test(Field::Proto);
    let of = |p: u8| proto.is_none_or(|s| s.contains(Value::number(p.into())));
    let ports = a.test(Field::SrcPort).is_some() || a.test(Field::DstPort).is_some();
    let flags = a.test(Field::TcpFlags);
    let icmp = a.test(Field::IcmpType).is_some() || a.test(Field::IcmpCode).is_some();
    let mut out = Vec::new();
    if icmp {
        let (number, header) = if family == 4 { (ICMP, "icmp") } else { (ICMPV6, "icmpv6") };
        if ports || flags.is_some() || !of(number) {
            return None;
        }
        for (field, name) in [(Field::IcmpType, "type"), (Field::IcmpCode, "code")] {
            if let Some(set) = a.test(field) {
                out.push(Match::shorter(Left::Payload(header, name), set, &field.domain()));
            }
        }
        return Some(out);
    }
    let tied = a.tests.iter().any(|(f, s)| match f {
        Field::SrcIp | Field::DstIp => *s != Range::prefix(Value { family, bits: 0 }, 0).into(),
        _ => *f > Field::DstIp && *f != Field::Proto && *f < Field::SrcPort,
    });
    let left = if family == 4 && !tied { Left::Payload("ip", "protocol") } else { Left::Meta("l4proto") };
    let candidates: &[u8] = if flags.is_some() { &[TCP] } else { &PORT_PROTOCOLS };
    let possible: Vec<u8> = candidates.iter().copied().filter(|p| of(*p)).collect();
    let header = match possible.as_slice() {
        _ if !ports && flags.is_none() => {
            out.extend(proto.map(|s| Match::shorter(left, s, &Field::Proto.domain())));
            return Some(out);
        }
        [] => return None,
        [one] => {
            let named = [(TCP, "tcp"), (17, "udp"), (33, "dccp"), (132, "sctp"), (136, "udplite")];
            if matches!(left, Left::Payload(..)) {
                out.push(Match::new(left, single((*one).into())));
            }
            named.iter().find(|(p, _)| p == one).map_or("th", |(_, name)| *name)
        }
        many => {
            let each = many.iter().map(|p| Range::numbers((*p).into(), (*p).into()));
            out.push(Match::new(left, ValueSet::from_ranges(each)));
            "th"
        }
    };
    for (field, name) in [(Field::SrcPort, "sport"), (Field::DstPort, "dport")] {
        if let Some(set) = a.test(field) {
            out.push(Match::shorter(Left::Payload(header, name), set, &field.domain()));
        }
    }
    // by bits and not by name: intervals of flags have no text
    let octet = Left::Raw { base: "th", offset: 104, bits: 8, mask: 0xff };
    if let Some(set) = flags {
        if out.is_empty() {
            out.push(Match::new(Left::Meta("l4proto"), single(TCP.into())));
        }
        out.push(Match::shorter(octet, set, &Field::TcpFlags.domain()));
    }
    Some(out)
}
