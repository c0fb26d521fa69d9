//! The matches of the entries that one direction of a rule needs.

use super::MOST_ENTRIES;
use crate::backends::alternatives::Alternative;
use crate::backends::cubes::{combinations, cubes};
use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, IPV4, IPV6, PORT_PROTOCOLS, TCP, UDP};
use crate::value::{Range, Value, ValueSet};

/// A container of the model's `matches`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Eth,
    Four,
    Six,
    Tcp,
    Udp,
    Icmp,
}

impl Container {
    pub(super) const COUNT: usize = 6;

    pub(super) fn name(self) -> &'static str {
        match self {
            Container::Eth => "eth",
            Container::Four => "ipv4",
            Container::Six => "ipv6",
            Container::Tcp => "tcp",
            Container::Udp => "udp",
            Container::Icmp => "icmp",
        }
    }
}

/// Leaves of a container, as `"name": value`.
pub(super) type Choice = (Container, String);
/// Entries: each takes one of every list. The leaves of a list are of one container; lists are ordered by it.
pub(super) type Choices = Vec<Vec<Choice>>;

/// The entries; together they match what the alternative matches. The error says what the model does not have.
pub(super) fn matches(a: &Alternative) -> Result<Vec<Choices>, String> {
    for (field, what) in [
        (Field::Interface, "the model knows interfaces by name"),
        (Field::Vlan, "the model has no VLAN tags"),
        (Field::Mpls, "the model has no MPLS labels"),
    ] {
        if a.test(field).is_some() {
            return Err(what.into());
        }
    }
    let mut out = Vec::new();
    let eth = eth(a)?;
    if a.for_link().is_some() {
        return limited(vec![eth]);
    }
    for (family, container, ether_type) in [(4, Container::Four, IPV4), (6, Container::Six, IPV6)] {
        let possible = a.test(Field::EtherType).is_none_or(|s| s.contains(Value::number(ether_type.into())));
        let Some(a) = a.for_ip(family).filter(|_| possible) else { continue };
        // the IP version says the EtherType
        let mut common: Choices =
            eth.iter().filter(|l| l.iter().all(|c| !c.1.starts_with("\"ethertype\""))).cloned().collect();
        common.extend(header(&a, family, container)?);
        for protocol in protocols(&a, family)? {
            let mut lists = common.clone();
            if let Some(number) = protocol {
                lists.push(vec![(container, format!("\"protocol\": {number}"))]);
                lists.extend(transport(&a, number)?);
            }
            out.push(lists);
        }
    }
    limited(out)
}

/// The same, where they are not too many.
fn limited(all: Vec<Choices>) -> Result<Vec<Choices>, String> {
    let count = all.iter().fold(0usize, |n, c| n.saturating_add(combinations(c)));
    if count > MOST_ENTRIES {
        return Err(format!("it would need {count} entries, more than {MOST_ENTRIES}"));
    }
    Ok(all)
}

fn tested(a: &Alternative, field: Field) -> Option<&ValueSet> {
    a.test(field).filter(|s| **s != field.domain())
}

/// A leaf for each value.
fn values(container: Container, name: &str, set: &ValueSet) -> Result<Vec<Choice>, String> {
    if set.len() > MOST_ENTRIES as u128 {
        return Err(format!("{name} has one value in an entry, and {} are needed", set.len()));
    }
    let all = set.ranges().iter().flat_map(|r| r.lo.bits..=r.hi.bits);
    Ok(all.map(|v| (container, format!("\"{name}\": {v}"))).collect())
}

fn eth(a: &Alternative) -> Result<Choices, String> {
    let mut lists = Vec::new();
    for (field, name) in [(Field::DstMac, "destination-mac-address"), (Field::SrcMac, "source-mac-address")] {
        let Some(set) = tested(a, field) else { continue };
        let mac = |bits: u128| {
            bits.to_be_bytes()[10..].iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(":")
        };
        let one = |c: &crate::backends::cubes::Cube| match c.mask {
            0xffff_ffff_ffff => format!("\"{name}\": \"{}\"", mac(c.value)),
            mask => format!("\"{name}\": \"{}\", \"{name}-mask\": \"{}\"", mac(c.value), mac(mask)),
        };
        lists.push(cubes(set, 48).iter().map(|c| (Container::Eth, one(c))).collect());
    }
    if let Some(set) = tested(a, Field::EtherType).filter(|_| a.for_link().is_some()) {
        lists.push(values(Container::Eth, "ethertype", set)?);
    }
    Ok(lists)
}

/// Addresses and the other fields of the IP header.
fn header(a: &Alternative, family: u8, ip: Container) -> Result<Choices, String> {
    if tested(a, Field::Fragment).is_some() {
        return Err("the model does not tell fragments from other packets".into());
    }
    let width = if family == 4 { 32 } else { 128 };
    let everywhere = ValueSet::from(Range::prefix(Value { family, bits: 0 }, 0));
    let mut lists = Vec::new();
    for (field, side) in [(Field::SrcIp, "source"), (Field::DstIp, "destination")] {
        // an address that may be any says which version of IP it is
        let set = match a.test(field) {
            None if field == Field::DstIp => continue,
            set => set.unwrap_or(&everywhere),
        };
        let one = |p: &crate::value::Prefix| {
            (ip, format!("\"{side}-ipv{family}-network\": \"{}/{}\"", p.value, p.len))
        };
        lists.push(set.prefixes(width).iter().map(one).collect());
    }
    if tested(a, Field::Dscp).is_some() || tested(a, Field::Tos).is_some() {
        lists.push(tos(a).into_iter().map(|leaves| (ip, leaves)).collect());
    }
    if let Some(set) = tested(a, Field::Ttl) {
        lists.push(values(ip, "ttl", set)?);
    }
    if let Some(set) = tested(a, Field::Length) {
        let set = if family == 4 { set.clone() } else { payload(set) };
        lists.push(values(ip, "length", &set)?);
    }
    if let Some(set) = tested(a, Field::FlowLabel) {
        lists.push(values(ip, "flow-label", set)?);
    }
    Ok(lists)
}

/// What IPv6 says of lengths that count its header of 40 octets; [`Field::Length`] has no more than 16 bits.
fn payload(lengths: &ValueSet) -> ValueSet {
    let reachable = lengths.ranges().iter().filter(|r| r.hi.bits >= 40);
    ValueSet::from_ranges(reachable.map(|r| {
        let hi = if r.hi.bits == 0xffff { 0xffff } else { r.hi.bits - 40 };
        Range::numbers(r.lo.bits.max(40) - 40, hi)
    }))
}

/// Code points, and the two bits below them where they matter.
fn tos(a: &Alternative) -> Vec<String> {
    let accepts =
        |field: Field, value: u8| a.test(field).is_none_or(|s| s.contains(Value::number(value.into())));
    let octets: Vec<u8> =
        (0..=255).filter(|o| accepts(Field::Tos, *o) && accepts(Field::Dscp, o >> 2)).collect();
    let same = octets.chunk_by(|x, y| x >> 2 == y >> 2);
    same.flat_map(|same| match same.len() {
        4 => vec![format!("\"dscp\": {}", same[0] >> 2)],
        _ => same.iter().map(|o| format!("\"dscp\": {}, \"ecn\": {}", o >> 2, o & 3)).collect(),
    })
    .collect()
}

/// The protocols that can match, `None` standing for any.
fn protocols(a: &Alternative, family: u8) -> Result<Vec<Option<u8>>, String> {
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    let fields: Vec<Field> = a.tests.iter().map(|(f, _)| *f).filter(|f| *f >= Field::SrcPort).collect();
    let has = |p: u8, field: &Field| match field {
        Field::SrcPort | Field::DstPort => PORT_PROTOCOLS.contains(&p),
        Field::TcpFlags => p == TCP,
        _ => p == icmp,
    };
    let said = tested(a, Field::Proto);
    if said.is_none() && fields.is_empty() {
        return Ok(vec![None]);
    }
    let accepted = |p: u8| said.is_none_or(|s| s.contains(Value::number(p.into())));
    let all: Vec<u8> = (0..=255).filter(|p| accepted(*p) && fields.iter().all(|f| has(*p, f))).collect();
    let ports = fields.iter().any(|f| matches!(f, Field::SrcPort | Field::DstPort));
    if ports && all.iter().any(|p| ![TCP, UDP].contains(p)) {
        return Err("the model has ports of TCP and UDP only".into());
    }
    Ok(all.into_iter().map(Some).collect())
}

fn transport(a: &Alternative, protocol: u8) -> Result<Choices, String> {
    let mut lists = Vec::new();
    let container = if protocol == TCP { Container::Tcp } else { Container::Udp };
    for (field, name) in [(Field::SrcPort, "source-port"), (Field::DstPort, "destination-port")] {
        if let Some(set) = a.test(field) {
            let one = |leaves: String| (container, format!("\"{name}\": {{{leaves}}}"));
            lists.push(ports(field, set).into_iter().map(one).collect());
        }
    }
    if let Some(set) = a.test(Field::TcpFlags) {
        present(a, &[Field::TcpFlags, Field::SrcPort, Field::DstPort])?;
        if tested(a, Field::TcpFlags).is_some() {
            let all = set.ranges().iter().flat_map(|r| r.lo.bits..=r.hi.bits);
            lists.push(all.map(|v| (Container::Tcp, format!("\"flags\": \"{}\"", flags(v)))).collect());
        }
    }
    for (field, name) in [(Field::IcmpType, "type"), (Field::IcmpCode, "code")] {
        if a.test(field).is_some() {
            present(a, &[Field::IcmpType, Field::IcmpCode])?;
        }
        if let Some(set) = tested(a, field) {
            lists.push(values(Container::Icmp, name, set)?);
        }
    }
    Ok(lists)
}

/// A header is asked for only by a leaf of its container.
fn present(a: &Alternative, fields: &[Field]) -> Result<(), String> {
    let port = |f: Field| matches!(f, Field::SrcPort | Field::DstPort) && a.test(f).is_some();
    match fields.iter().any(|f| tested(a, *f).is_some() || port(*f)) {
        true => Ok(()),
        false => Err("the model cannot ask that a packet has a field, whatever it is".into()),
    }
}

fn ports(field: Field, set: &ValueSet) -> Vec<String> {
    if let Some(missed) = field.domain().subtract(set).as_single() {
        return vec![format!("\"operator\": \"neq\", \"port\": {missed}")];
    }
    let one = |r: &Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => format!("\"operator\": \"eq\", \"port\": {lo}"),
        (lo, hi) => format!("\"lower-port\": {lo}, \"upper-port\": {hi}"),
    };
    set.ranges().iter().map(one).collect()
}

/// The names of the flags that are set, in the order of the model.
fn flags(value: u128) -> String {
    let names = ["cwr", "ece", "urg", "ack", "psh", "rst", "syn", "fin"];
    let set = names.iter().enumerate().filter(|(i, _)| value >> (7 - i) & 1 == 1);
    set.map(|(_, n)| *n).collect::<Vec<_>>().join(" ")
}
