//! The matches of `u32` filters that one direction of a rule needs in a list.

use super::MOST_FILTERS;
use crate::backends::alternatives::Alternative;
use crate::backends::cubes::{Cube, combinations, cubes, product};
use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, IPV4, IPV6, MPLS_TYPES, PORT_PROTOCOLS, TCP, fragment};
use crate::value::{Range, Value, ValueSet};

/// A list of filters: for IPv4, for IPv6, and for all frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer {
    Four,
    Six,
    Link,
}

impl Layer {
    pub(super) const ALL: [Layer; 3] = [Layer::Four, Layer::Six, Layer::Link];

    pub(super) fn protocol(self) -> &'static str {
        match self {
            Layer::Four => "ip",
            Layer::Six => "ipv6",
            Layer::Link => "all",
        }
    }

    /// How the link to a table finds the transport header.
    pub(super) fn offset(self) -> &'static str {
        if self == Layer::Four { " offset at 0 mask 0x0f00 shift 6" } else { "" }
    }

    /// The IP version.
    pub(super) fn family(self) -> Option<u8> {
        match self {
            Layer::Four => Some(4),
            Layer::Six => Some(6),
            Layer::Link => None,
        }
    }

    fn ether_type(self) -> Option<u16> {
        match self {
            Layer::Four => Some(IPV4),
            Layer::Six => Some(IPV6),
            Layer::Link => None,
        }
    }
}

/// The matches of each filter, with a space in front; together they match what the alternative matches among the
/// packets of that layer. The error says what filters cannot test.
pub(super) fn filters(a: &Alternative, layer: Layer) -> Result<Vec<String>, String> {
    if a.test(Field::Interface).is_some() {
        return Err("filters do not test the index of an interface".into());
    }
    if a.test(Field::Vlan).is_some() {
        return Err("the kernel holds VLAN tags beside the packet, where u32 does not see them".into());
    }
    let link_only = a.for_link().is_some();
    let possible = |t: u16| a.test(Field::EtherType).is_none_or(|s| s.contains(Value::number(t.into())));
    if !link_only && (a.test(Field::Mpls).is_some() || behind_labels_only(possible)) {
        return Err("filters do not look behind MPLS labels".into());
    }
    let mut lists = link(a);
    match layer.ether_type() {
        Some(t) if !possible(t) || (link_only && a.test(Field::Mpls).is_some()) => return Ok(Vec::new()),
        Some(_) if link_only => (),
        None if !link_only => return Ok(Vec::new()),
        Some(t) => {
            let family = if t == IPV4 { 4 } else { 6 };
            let Some(network) = a.for_ip(family).and_then(|a| network(&a, family)) else {
                return Ok(Vec::new());
            };
            lists.extend(network);
        }
        None => lists.extend(ether_types(a)),
    }
    let count = combinations(&lists);
    if count > MOST_FILTERS {
        return Err(format!("it would need {count} filters, more than {MOST_FILTERS}"));
    }
    let mut out = Vec::with_capacity(count);
    product(&lists, |keys| {
        let text: String = keys.iter().map(|k| k.as_str()).collect();
        out.push(if text.is_empty() { " match u32 0 0 at -4".into() } else { text });
    });
    Ok(out)
}

fn behind_labels_only(possible: impl Fn(u16) -> bool) -> bool {
    !possible(IPV4) && !possible(IPV6) && MPLS_TYPES.into_iter().any(possible)
}

/// Keys that compare `octets` octets at a place; the value under each mask.
fn keys(octets: usize, at: &str, cubes: impl IntoIterator<Item = Cube>) -> Vec<String> {
    let (bits, digits) = (octets * 8, octets * 2 + 2);
    let one = |c: Cube| match c.mask {
        0 => String::new(),
        mask => format!(" match u{bits} {:#0digits$x} {mask:#0digits$x} at {at}", c.value),
    };
    cubes.into_iter().map(one).collect()
}

/// Link addresses: words of four octets, counted from the network header.
fn link(a: &Alternative) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    let part = |c: &Cube, low: u32, bits: u32| {
        let cut = (1u128 << bits) - 1;
        [Cube { value: c.value >> low & cut, mask: c.mask >> low & cut }]
    };
    if let Some(set) = a.test(Field::DstMac) {
        let one =
            |c: &Cube| keys(2, "-14", part(c, 32, 16)).concat() + &keys(4, "-12", part(c, 0, 32)).concat();
        lists.push(cubes(set, 48).iter().map(one).collect());
    }
    if let Some(set) = a.test(Field::SrcMac) {
        let one =
            |c: &Cube| keys(4, "-8", part(c, 16, 32)).concat() + &keys(2, "-4", part(c, 0, 16)).concat();
        lists.push(cubes(set, 48).iter().map(one).collect());
    }
    lists
}

/// EtherType and MPLS label of a rule that tests nothing behind them.
fn ether_types(a: &Alternative) -> Vec<Vec<String>> {
    let types = a.test(Field::EtherType).cloned().unwrap_or(Field::EtherType.domain());
    let Some(labels) = a.test(Field::Mpls) else {
        return vec![keys(2, "-2", cubes(&types, 16))];
    };
    let mpls = Range::numbers(MPLS_TYPES[0].into(), MPLS_TYPES[1].into());
    let label = |c: Cube| Cube { value: c.value << 12, mask: c.mask << 12 };
    vec![
        keys(2, "-2", cubes(&types.intersect(&mpls.into()), 16)),
        keys(4, "0", cubes(labels, 20).into_iter().map(label)),
    ]
}

/// What is tested from the IP header on; none where nothing of that family can match.
fn network(a: &Alternative, family: u8) -> Option<Vec<Vec<String>>> {
    let transport: Vec<Field> = a.tests.iter().map(|(f, _)| *f).filter(|f| *f >= Field::SrcPort).collect();
    let mut lists = header(a, family)?;
    let protocols = protocols(a, family, &transport);
    let pieces = a.test(Field::Fragment).cloned().unwrap_or(Field::Fragment.domain());
    let pieces = match transport.is_empty() {
        true => pieces,
        false => pieces.intersect(&Range::numbers(fragment::NO, fragment::FIRST).into()),
    };
    if protocols.is_empty() || pieces.is_empty() {
        return None;
    }
    lists.push(keys(1, if family == 4 { "9" } else { "6" }, cubes(&protocols, 8)));
    if family == 4 {
        lists.push(keys(2, "6", fragments(&pieces)));
    } else if !pieces.contains(Value::number(fragment::NO)) {
        // only packets with extension headers are fragments, and they are outside
        return None;
    }
    for field in transport {
        let (octets, at) = match field {
            Field::SrcPort => (2, 0),
            Field::DstPort => (2, 2),
            Field::TcpFlags => (1, 13),
            Field::IcmpType => (1, 0),
            _ => (1, 1),
        };
        let at = if family == 4 { format!("nexthdr+{at}") } else { (40 + at).to_string() };
        lists.push(keys(octets, &at, cubes(a.test(field)?, field.width())));
    }
    Some(lists)
}

/// The protocols that can match.
fn protocols(a: &Alternative, family: u8, transport: &[Field]) -> ValueSet {
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    let of = |numbers: &[u8]| {
        ValueSet::from_ranges(numbers.iter().map(|n| Range::numbers((*n).into(), (*n).into())))
    };
    let said = a.test(Field::Proto).cloned().unwrap_or(Field::Proto.domain());
    transport.iter().fold(said, |left, f| {
        left.intersect(&match f {
            Field::SrcPort | Field::DstPort => of(&PORT_PROTOCOLS),
            Field::TcpFlags => of(&[TCP]),
            _ => of(&[icmp]),
        })
    })
}

/// The fragment word of IPv4: more fragments, and the offset.
fn fragments(pieces: &ValueSet) -> Vec<Cube> {
    let has = |v: u128| pieces.contains(Value::number(v));
    let mut out = match (has(fragment::NO), has(fragment::FIRST)) {
        (true, true) if has(fragment::LATER) => return vec![Cube { value: 0, mask: 0 }],
        (true, true) => vec![Cube { value: 0, mask: 0x1fff }],
        (true, false) => vec![Cube { value: 0, mask: 0x3fff }],
        (false, true) => vec![Cube { value: 0x2000, mask: 0x3fff }],
        (false, false) => Vec::new(),
    };
    if has(fragment::LATER) {
        out.extend(cubes(&Range::numbers(1, 0x1fff).into(), 13));
    }
    out
}

/// Addresses, TOS, TTL, length and flow label; none where nothing can match.
fn header(a: &Alternative, family: u8) -> Option<Vec<Vec<String>>> {
    let mut lists = Vec::new();
    let (width, ip) = if family == 4 { (32, "ip") } else { (128, "ip6") };
    for (field, side) in [(Field::SrcIp, "src"), (Field::DstIp, "dst")] {
        let Some(set) = a.test(field) else { continue };
        let one = |p: &crate::value::Prefix| match p.len {
            0 => String::new(),
            len => format!(" match {ip} {side} {}/{len}", p.value),
        };
        lists.push(set.prefixes(width).iter().map(one).collect());
    }
    let (octets, shift) = if family == 4 { ((1, "1"), 0) } else { ((2, "0"), 4) };
    let tos = |c: Cube| Cube { value: c.value << shift, mask: c.mask << shift };
    lists.push(keys(octets.0, octets.1, cubes(&tos_octets(a), 8).into_iter().map(tos)));
    if let Some(set) = a.test(Field::Ttl) {
        lists.push(keys(1, if family == 4 { "8" } else { "7" }, cubes(set, 8)));
    }
    if let Some(set) = a.test(Field::Length) {
        let set = if family == 4 { set.clone() } else { behind_header(set) };
        lists.push(keys(2, if family == 4 { "2" } else { "4" }, cubes(&set, 16)));
    }
    if let Some(set) = a.test(Field::FlowLabel) {
        lists.push(keys(4, "0", cubes(set, 20)));
    }
    lists.iter().all(|l| !l.is_empty()).then_some(lists)
}

/// The TOS octets that both the tests of DSCP and of TOS accept.
fn tos_octets(a: &Alternative) -> ValueSet {
    let accepts = |field: Field, value: u128| a.test(field).is_none_or(|s| s.contains(Value::number(value)));
    let both = (0..=255u128).filter(|o| accepts(Field::Tos, *o) && accepts(Field::Dscp, o >> 2));
    ValueSet::from_ranges(both.map(|o| Range::numbers(o, o)))
}

/// IPv6 says how much follows its header of 40 octets; [`Field::Length`] has no more than 16 bits.
fn behind_header(lengths: &ValueSet) -> ValueSet {
    let reachable = lengths.ranges().iter().filter(|r| r.hi.bits >= 40);
    ValueSet::from_ranges(reachable.map(|r| {
        let hi = if r.hi.bits == 0xffff { 0xffff } else { r.hi.bits - 40 };
        Range::numbers(r.lo.bits.max(40) - 40, hi)
    }))
}
