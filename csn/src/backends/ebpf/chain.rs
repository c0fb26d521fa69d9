//! The rules as packets of one kind see them, and where the fields of a packet are kept while they are compared.

use crate::backends::alternatives::Alternative;
use crate::field::Field;
use crate::ruleset::ClassId;
use crate::value::{Range, Value, ValueSet};

/// The packets that a chain is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Too short for a link header.
    Stub,
    /// No IP header.
    Link,
    /// IPv4.
    Four,
    /// IPv6.
    Six,
}

/// One direction of a rule: its class, and the tests that are not settled by the kind of packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) class: ClassId,
    pub(super) tests: Vec<(Field, ValueSet)>,
}

/// The rules for packets of one kind, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) rules: Vec<Rule>,
}

/// Fields behind the IP header.
pub(super) const TRANSPORT: [Field; 5] =
    [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType, Field::IcmpCode];

/// The largest 32-bit number stands for a field that the packet does not have.
pub(super) const ABSENT: u32 = u32::MAX;

impl Chain {
    /// The rules that can match packets of that kind, up to the first that matches them all.
    pub(super) fn new(kind: Kind, all: &[Alternative]) -> Self {
        let mut rules = Vec::new();
        for alternative in all {
            let Some(rule) = fit(kind, alternative) else { continue };
            let catches_all = rule.tests.is_empty();
            rules.push(rule);
            if catches_all {
                break;
            }
        }
        Self { rules }
    }

    /// Whether any rule looks at one of the fields.
    pub(super) fn uses(&self, fields: &[Field]) -> bool {
        self.rules.iter().any(|r| r.tests.iter().any(|(f, _)| fields.contains(f)))
    }
}

fn fit(kind: Kind, alternative: &Alternative) -> Option<Rule> {
    let fitting = match kind {
        Kind::Stub => {
            alternative.for_link().filter(|a| a.tests.iter().all(|(f, _)| *f == Field::Interface))?
        }
        Kind::Link => alternative.for_link()?,
        Kind::Four => alternative.for_ip(4)?,
        Kind::Six => alternative.for_ip(6)?,
    };
    let mut tests = Vec::with_capacity(fitting.tests.len());
    for (field, mut set) in fitting.tests {
        if field == Field::Interface {
            // no interface has the number 0: it stands for a packet of this machine's own
            set = set.subtract(&ValueSet::single(Value::number(0)));
            if set.is_empty() {
                return None;
            }
        }
        if !(always_present(kind, field) && covers_domain(kind, field, &set)) {
            tests.push((field, set));
        }
    }
    Some(Rule { class: fitting.class, tests })
}

/// Whether every packet of the kind has the field.
fn always_present(kind: Kind, field: Field) -> bool {
    match field {
        Field::SrcMac | Field::DstMac => kind != Kind::Stub,
        Field::EtherType => matches!(kind, Kind::Four | Kind::Six),
        Field::SrcIp | Field::DstIp | Field::Dscp | Field::Tos | Field::Ttl | Field::Length => true,
        Field::FlowLabel => kind == Kind::Six,
        Field::Proto | Field::Fragment => kind == Kind::Four,
        _ => false,
    }
}

fn covers_domain(kind: Kind, field: Field, set: &ValueSet) -> bool {
    matches!(set.ranges(), [r] if r.lo.bits == 0 && r.hi.bits == largest(kind, field))
}

/// The largest value of a field.
pub(super) fn largest(kind: Kind, field: Field) -> u128 {
    match field {
        Field::Fragment => 2,
        f if f.is_address() && kind == Kind::Four => u128::from(u32::MAX),
        f if f.width() == 128 => u128::MAX,
        f => (1 << f.width()) - 1,
    }
}

/// The largest number that a field's place in the key can hold: its largest value, or what stands for none.
pub(super) fn line_end(kind: Kind, field: Field) -> u128 {
    match always_present(kind, field) {
        true => largest(kind, field),
        false => largest(kind, field).max(u128::from(ABSENT)),
    }
}

/// How a field lies in the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// 32 bits; [`ABSENT`] where the packet does not have it.
    Word,
    /// 64 bits.
    Long,
    /// 128 bits, the upper half first.
    Wide,
}

/// The form of a field in packets of that kind.
pub(super) fn form(kind: Kind, field: Field) -> Form {
    match field {
        Field::SrcMac | Field::DstMac => Form::Long,
        Field::SrcIp | Field::DstIp if kind == Kind::Six => Form::Wide,
        _ => Form::Word,
    }
}

/// Octets of the key.
pub(super) const KEY_SIZE: usize = 128;
/// Where the class is put, for the map that counts.
pub(super) const CLASS: i16 = 0;
/// Where the octets of the frame are.
pub(super) const OCTETS: i16 = 4;
/// Holds the fragment field of IPv6 until the last extension header is seen.
pub(super) const PENDING: i16 = 8;

/// Where a field is in the key.
pub(super) const fn place(field: Field) -> i16 {
    match field {
        Field::Interface => 12,
        Field::EtherType => 16,
        Field::Vlan => 20,
        Field::Mpls => 24,
        Field::Proto => 28,
        Field::Dscp => 32,
        Field::Tos => 36,
        Field::Ttl => 40,
        Field::Length => 44,
        Field::FlowLabel => 48,
        Field::Fragment => 52,
        Field::SrcPort => 56,
        Field::DstPort => 60,
        Field::TcpFlags => 64,
        Field::IcmpType => 68,
        Field::IcmpCode => 72,
        Field::SrcMac => 80,
        Field::DstMac => 88,
        Field::SrcIp => 96,
        Field::DstIp => 112,
    }
}

/// Numbers of a set as intervals.
pub(super) fn intervals(set: &ValueSet) -> impl ExactSizeIterator<Item = (u128, u128)> + '_ {
    set.ranges().iter().map(|r: &Range| (r.lo.bits, r.hi.bits))
}

/// A set of several intervals of an octet or less as bits that count, and their values: how TCP flags are tested.
pub(super) fn masked(field: Field, set: &ValueSet) -> Option<(u8, u8)> {
    if field.width() > 8 || field == Field::Fragment || set.ranges().len() < 3 {
        return None;
    }
    let octets = || intervals(set).flat_map(|(lo, hi)| lo as u8..=hi as u8);
    let (ones, any) = octets().fold((u8::MAX, 0), |(ones, any), o| (ones & o, any | o));
    let whole = u8::MAX >> (8 - field.width());
    let mask = (ones | !any) & whole;
    let free = whole.count_ones() - mask.count_ones();
    (octets().count() == 1 << free).then_some((mask, ones & mask))
}

/// About how many comparisons it takes to test a field against a set.
pub(super) fn comparisons(field: Field, set: &ValueSet) -> usize {
    if masked(field, set).is_some() { 1 } else { set.ranges().len() }
}
