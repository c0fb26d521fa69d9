//! The kinds of packets there are: which fields each has, and what they can be.
//!
//! Whether a packet has a field follows from others (ports need a protocol with ports and no later fragment, a
//! flow label needs IPv6, …). Each shape fixes these, so that within a shape every field is free of the others
//! and a rule is a box.

use crate::field::Field;
use crate::packet::{self, EXTENSIONS, PORT_PROTOCOLS, TCP, fragment};
use crate::value::{Range, Value, ValueSet};
use std::sync::LazyLock;

/// Stands for "the packet does not have the field" within the set of a field.
pub(super) const ABSENT: Value = Value { family: u8::MAX, bits: 0 };

/// A kind of packet.
pub(super) struct Shape {
    /// 4, 6, or 0 without an IP header.
    pub(super) family: u8,
    /// Whether there are MPLS labels.
    pub(super) labelled: bool,
    domains: [ValueSet; Field::COUNT],
}

impl Shape {
    /// What a field can be, [`ABSENT`] included. DSCP is six bits of TOS: boxes know TOS only.
    pub(super) fn domain(&self, field: Field) -> &ValueSet {
        &self.domains[field as usize]
    }

    fn with(mut self, field: Field, set: ValueSet) -> Self {
        self.domains[field as usize] = set;
        self
    }

    fn without(self, fields: &[Field]) -> Self {
        fields.iter().fold(self, |shape, f| shape.with(*f, ValueSet::single(ABSENT)))
    }
}

/// Every kind of packet, the common ones first. They exclude each other.
pub(super) static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let mut out = Vec::new();
    for labelled in [false, true] {
        for family in [4, 6] {
            out.extend((0..5).map(|kind| transport(link(family, labelled), kind)));
        }
        out.push(link(0, labelled).without(&NETWORK).without(&TRANSPORT));
    }
    out
});

const NETWORK: [Field; 8] = [
    Field::SrcIp,
    Field::DstIp,
    Field::Proto,
    Field::Tos,
    Field::Ttl,
    Field::Length,
    Field::FlowLabel,
    Field::Fragment,
];

const TRANSPORT: [Field; 5] =
    [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType, Field::IcmpCode];

fn numbers(values: impl IntoIterator<Item = u128>) -> ValueSet {
    ValueSet::from_ranges(values.into_iter().map(|n| Range::numbers(n, n)))
}

/// A packet of that IP version, all its IP fields free.
fn link(family: u8, labelled: bool) -> Shape {
    let absent = ValueSet::single(ABSENT);
    let mut shape = Shape { family, labelled, domains: Field::ALL.map(|f| f.domain()) };
    // known or not, in any packet
    for f in [Field::Interface, Field::Vlan] {
        shape.domains[f as usize] = f.domain().union(&absent);
    }
    let ip_types = numbers([packet::IPV4, packet::IPV6].map(u128::from));
    let mpls_types = numbers(packet::MPLS_TYPES.map(u128::from));
    let shape = match (labelled, family) {
        (true, _) => shape.with(Field::EtherType, mpls_types),
        (_, 4) => shape.with(Field::EtherType, numbers([u128::from(packet::IPV4)])),
        (_, 6) => shape.with(Field::EtherType, numbers([u128::from(packet::IPV6)])),
        _ => {
            let tags = numbers(packet::VLAN_TYPES.map(u128::from));
            let taken = ip_types.union(&mpls_types).union(&tags);
            shape.with(Field::EtherType, Field::EtherType.domain().subtract(&taken))
        }
    };
    let shape = if labelled { shape } else { shape.with(Field::Mpls, absent) };
    if family == 0 {
        return shape;
    }
    let addresses: ValueSet = Range::prefix(Value { family, bits: 0 }, 0).into();
    let shape = shape.with(Field::SrcIp, addresses.clone()).with(Field::DstIp, addresses);
    if family == 4 { shape.without(&[Field::FlowLabel]) } else { shape }
}

/// What stands behind the IP header: ports, TCP, ICMP, another protocol, a later fragment.
fn transport(shape: Shape, kind: usize) -> Shape {
    let (header, icmp) = match shape.family {
        4 => (20, packet::ICMP),
        _ => (40, packet::ICMPV6),
    };
    let tcp = numbers([u128::from(TCP)]);
    let ports = numbers(PORT_PROTOCOLS.map(u128::from));
    let icmp = numbers([u128::from(icmp)]);
    let extensions = numbers(EXTENSIONS.map(u128::from));
    let any = Field::Proto.domain();
    let (protocols, rest, fields): (ValueSet, u128, &[Field]) = match kind {
        0 => (ports.subtract(&tcp), 8, &TRANSPORT[..2]),
        1 => (tcp, 20, &TRANSPORT[..3]),
        2 => (icmp, 8, &TRANSPORT[3..]),
        3 => {
            let other = any.subtract(&ports).subtract(&icmp);
            (if shape.family == 6 { other.subtract(&extensions) } else { other }, 0, &[])
        }
        _ => (any, 0, &[]),
    };
    let pieces = match kind {
        4 => numbers([fragment::LATER]),
        _ => numbers([fragment::NO, fragment::FIRST]),
    };
    let absent: Vec<_> = TRANSPORT.into_iter().filter(|f| !fields.contains(f)).collect();
    shape
        .with(Field::Proto, protocols)
        .with(Field::Fragment, pieces)
        .with(Field::Length, Range::numbers(header + rest, 65_535).into())
        .without(&absent)
}
