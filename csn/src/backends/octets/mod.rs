//! Rules as tests on octets at fixed places of an Ethernet frame: what targets ask for that know no headers.
//!
//! A place is fixed where nothing stands in front of it that can be longer or shorter. So there are no VLAN tags or
//! MPLS labels before an IP header, no options before the ports of IPv4, and no extension headers in IPv6; frames on
//! which that makes a difference are named by [`outside`].

mod cubes;

pub(super) use cubes::{Cover, Cube, as_cube, cover};

use super::Outside;
use super::alternatives::Alternative;
use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::packet::{
    BEHIND_EXTENSIONS, EXTENSIONS, ICMP, ICMPV6, IPV4, IPV6, MPLS_TYPES, PORT_PROTOCOLS, TCP, VLAN_TYPES,
};
use crate::value::{Range, Value, ValueSet};

/// Some bits of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The first octet, from the start of the frame.
    pub at: usize,
    /// How many octets; at most 16.
    pub octets: usize,
    /// Bits behind the value in the last octet.
    pub shift: u32,
    /// Bits of the value.
    pub width: u32,
}

impl Place {
    /// Whole octets.
    const fn whole(at: usize, octets: usize) -> Self {
        Self { at, octets, shift: 0, width: 8 * octets as u32 }
    }
}

/// A conjunction of tests by ascending place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    /// What the bits may be, as plain numbers; no set is empty, and none holds every value.
    pub tests: Vec<(Place, ValueSet)>,
}

/// The IP header that a pattern is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// IPv4.
    Four,
    /// IPv6.
    Six,
}

const LINK_TYPE: Place = Place::whole(12, 2);
const TAG: Place = Place { at: 14, octets: 2, shift: 0, width: 12 };
const LABEL: Place = Place { at: 14, octets: 3, shift: 4, width: 20 };

/// Why the alternative cannot be said by octets at fixed places.
pub(super) fn inexpressible(alternative: &Alternative) -> Option<&'static str> {
    let tests = |f| alternative.test(f).is_some();
    let tagged = tests(Field::Vlan) || tests(Field::Mpls);
    let network = is_network(alternative);
    let ip = |set: &ValueSet| [IPV4, IPV6].iter().any(|t| set.contains(number(*t)));
    if tests(Field::Interface) {
        return Some("a frame does not hold its interface");
    }
    if tagged && network || tests(Field::Vlan) && (tests(Field::EtherType) || tests(Field::Mpls)) {
        return Some("what is behind a tag or label has no fixed place");
    }
    (network && alternative.test(Field::EtherType).is_some_and(|s| !ip(s)))
        .then_some("an IP header behind another one has no fixed place")
}

/// Whether anything behind the link header is tested.
pub(super) fn is_network(alternative: &Alternative) -> bool {
    alternative.for_link().is_none()
}

/// What matches the alternative: one pattern without an IP header, or one for each IP version that it can match.
pub(super) fn patterns(alternative: &Alternative) -> Vec<Pattern> {
    if !is_network(alternative) {
        return link(alternative).into_iter().collect();
    }
    [Header::Four, Header::Six].into_iter().filter_map(|h| pattern(alternative, h)).collect()
}

/// The alternative for packets with that header; none where it cannot match them.
pub(super) fn pattern(alternative: &Alternative, header: Header) -> Option<Pattern> {
    let (family, ethertype) = match header {
        Header::Four => (4, IPV4),
        Header::Six => (6, IPV6),
    };
    let alternative = alternative.for_ip(family)?;
    let mut out = link(&alternative)?;
    out.add(LINK_TYPE, &single(ethertype))?;
    for (field, set) in alternative.tests.iter().filter(|(f, _)| *f >= Field::SrcIp) {
        match header {
            Header::Four => four(*field, set, &mut out)?,
            Header::Six => six(*field, set, &mut out)?,
        }
    }
    Some(out)
}

/// The tests of the link header.
pub(super) fn link(alternative: &Alternative) -> Option<Pattern> {
    let mut out = Pattern::default();
    for (field, set) in &alternative.tests {
        match field {
            Field::DstMac => out.add(Place::whole(0, 6), set)?,
            Field::SrcMac => out.add(Place::whole(6, 6), set)?,
            Field::EtherType => out.add(LINK_TYPE, set)?,
            Field::Vlan => {
                out.add(LINK_TYPE, &numbers(&VLAN_TYPES))?;
                out.add(TAG, set)?;
            }
            Field::Mpls => {
                out.add(LINK_TYPE, &numbers(&MPLS_TYPES))?;
                out.add(LABEL, set)?;
            }
            _ => (),
        }
    }
    Some(out)
}

/// A test of IPv4.
fn four(field: Field, set: &ValueSet, out: &mut Pattern) -> Option<()> {
    let behind = |at: usize, octets, protocols: &[u8], out: &mut Pattern| {
        // no options, and not a later fragment
        out.add(Place::whole(14, 1), &single(0x45u8))?;
        out.add(FRAGMENT, &numbers(&[0u16, 0x2000]))?;
        out.add(Place::whole(23, 1), &numbers(protocols))?;
        out.add(Place::whole(34 + at, octets), set)
    };
    match field {
        Field::SrcIp => out.add(Place::whole(26, 4), &plain(set)),
        Field::DstIp => out.add(Place::whole(30, 4), &plain(set)),
        Field::Proto => out.add(Place::whole(23, 1), set),
        Field::Tos => out.add(Place::whole(15, 1), set),
        Field::Dscp => out.add(Place::whole(15, 1), &octets_of(set)),
        Field::Ttl => out.add(Place::whole(22, 1), set),
        Field::Length => out.add(Place::whole(16, 2), set),
        Field::Fragment => out.add(FRAGMENT, &fragment(set)),
        Field::SrcPort => behind(0, 2, &PORT_PROTOCOLS, out),
        Field::DstPort => behind(2, 2, &PORT_PROTOCOLS, out),
        Field::TcpFlags => behind(13, 1, &[TCP], out),
        Field::IcmpType => behind(0, 1, &[ICMP], out),
        Field::IcmpCode => behind(1, 1, &[ICMP], out),
        _ => None,
    }
}

/// The flag "more fragments" and the offset of IPv4.
const FRAGMENT: Place = Place { at: 20, octets: 2, shift: 0, width: 14 };

/// A test of IPv6.
fn six(field: Field, set: &ValueSet, out: &mut Pattern) -> Option<()> {
    const NEXT: Place = Place::whole(20, 1);
    const CLASS: Place = Place { at: 14, octets: 2, shift: 4, width: 8 };
    if BEHIND_EXTENSIONS.contains(&field) {
        out.add(NEXT, &Field::Proto.domain().subtract(&numbers(&EXTENSIONS)))?;
    }
    let behind = |at: usize, octets, protocols: &[u8], out: &mut Pattern| {
        out.add(NEXT, &numbers(protocols))?;
        out.add(Place::whole(54 + at, octets), set)
    };
    match field {
        Field::SrcIp => out.add(Place::whole(22, 16), &plain(set)),
        Field::DstIp => out.add(Place::whole(38, 16), &plain(set)),
        Field::Proto => out.add(NEXT, set),
        Field::Tos => out.add(CLASS, set),
        Field::Dscp => out.add(CLASS, &octets_of(set)),
        Field::Ttl => out.add(Place::whole(21, 1), set),
        Field::Length => out.add(Place::whole(18, 2), &payload_lengths(set)),
        Field::FlowLabel => out.add(Place { at: 15, octets: 3, shift: 0, width: 20 }, set),
        Field::Fragment => set.contains(Value::number(crate::packet::fragment::NO)).then_some(()),
        Field::SrcPort => behind(0, 2, &PORT_PROTOCOLS, out),
        Field::DstPort => behind(2, 2, &PORT_PROTOCOLS, out),
        Field::TcpFlags => behind(13, 1, &[TCP], out),
        Field::IcmpType => behind(0, 1, &[ICMPV6], out),
        Field::IcmpCode => behind(1, 1, &[ICMPV6], out),
        _ => None,
    }
}

impl Pattern {
    /// One more test; none where nothing can pass it and those before.
    fn add(&mut self, place: Place, set: &ValueSet) -> Option<()> {
        let most = if place.width == 128 { u128::MAX } else { (1 << place.width) - 1 };
        let set = set.intersect(&Range::numbers(0, most).into());
        let key = |p: &Place| (p.at, p.octets, p.shift);
        match self.tests.binary_search_by_key(&key(&place), |(p, _)| key(p)) {
            Ok(i) => self.tests[i].1 = self.tests[i].1.intersect(&set),
            Err(_) if set.ranges() == [Range::numbers(0, most)] => return Some(()),
            Err(i) => self.tests.insert(i, (place, set.clone())),
        }
        (!set.is_empty() && self.tests.iter().all(|(_, s)| !s.is_empty())).then_some(())
    }
}

fn number(n: impl Into<u128>) -> Value {
    Value::number(n.into())
}

fn single(n: impl Into<u128>) -> ValueSet {
    ValueSet::single(number(n))
}

fn numbers<N: Copy + Into<u128>>(all: &[N]) -> ValueSet {
    ValueSet::from_ranges(all.iter().map(|n| Range::numbers((*n).into(), (*n).into())))
}

/// Addresses of one version as numbers.
pub(super) fn plain(set: &ValueSet) -> ValueSet {
    ValueSet::from_ranges(set.ranges().iter().map(|r| Range::numbers(r.lo.bits, r.hi.bits)))
}

/// The octets whose upper six bits are in the set.
pub(super) fn octets_of(set: &ValueSet) -> ValueSet {
    ValueSet::from_ranges(set.ranges().iter().map(|r| Range::numbers(r.lo.bits << 2, r.hi.bits << 2 | 3)))
}

/// The flag "more fragments" and the offset, where these kinds are accepted.
fn fragment(set: &ValueSet) -> ValueSet {
    let kinds: [&[(u128, u128)]; 3] = [&[(0, 0)], &[(0x2000, 0x2000)], &[(1, 0x1fff), (0x2001, 0x3fff)]];
    let accepted = kinds.iter().enumerate().filter(|(kind, _)| set.contains(number(*kind as u32)));
    ValueSet::from_ranges(accepted.flat_map(|(_, ranges)| ranges.iter().map(|r| Range::numbers(r.0, r.1))))
}

/// IPv6 counts the octets behind its header; the notation counts all, up to 65,535.
fn payload_lengths(set: &ValueSet) -> ValueSet {
    let less = |n: u128| if n == 0xffff { n } else { n - 40 };
    let lengths = set.intersect(&Range::numbers(40, 0xffff).into());
    let of = |r: &Range| Range::numbers(r.lo.bits - 40, less(r.hi.bits));
    ValueSet::from_ranges(lengths.ranges().iter().map(of))
}

/// The frames that a target sees otherwise than these rules mean, where it looks at fixed places only.
pub(super) fn outside(all: &[Alternative]) -> Vec<Outside> {
    let any = |f: &dyn Fn(&Alternative) -> bool| all.iter().any(f);
    let tests = |a: &Alternative, fields: &[Field]| fields.iter().any(|f| a.test(*f).is_some());
    let labelled = |a: &Alternative| {
        a.test(Field::EtherType).is_none_or(|s| MPLS_TYPES.iter().any(|t| s.contains(number(*t))))
    };
    let transport = [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType, Field::IcmpCode];
    [
        (
            any(&|a| is_network(a) || tests(a, &[Field::EtherType, Field::Mpls])),
            FrameKind::Tagged,
            "what is behind a tag has no fixed place",
        ),
        (
            any(&|a| is_network(a) && labelled(a)),
            FrameKind::Labelled,
            "what is behind a label has no fixed place",
        ),
        (
            any(&|a| a.for_ip(4).is_some() && tests(a, &transport)),
            FrameKind::Options,
            "ports, flags and ICMP types are looked for behind a header without options",
        ),
        (
            any(&|a| a.for_ip(6).is_some() && tests(a, &BEHIND_EXTENSIONS)),
            FrameKind::Extensions,
            "what is behind an extension header has no fixed place",
        ),
        (
            any(&|a| is_network(a) || tests(a, &[Field::Vlan, Field::Mpls])),
            FrameKind::Malformed,
            "headers are not checked for their version and length",
        ),
    ]
    .into_iter()
    .filter_map(|(differs, kind, reason)| differs.then_some(Outside { kind, reason }))
    .collect()
}

#[cfg(test)]
mod tests;
