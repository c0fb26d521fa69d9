//! The matches of the flows that one direction of a rule needs.

use super::MOST_FLOWS;
use crate::backends::alternatives::Alternative;
use crate::backends::cubes::{Cube, combinations, cubes, product};
use crate::field::Field;
use crate::packet::{FIRST_TYPE, ICMP, ICMPV6, IPV4, IPV6, MPLS_TYPES, PORT_PROTOCOLS, TCP, UDP, fragment};
use crate::value::{Range, Value, ValueSet};

/// Protocols whose ports Open vSwitch reads: TCP, UDP, SCTP.
const READ_PORTS: [u8; 3] = [TCP, UDP, 132];

/// The matches, each a list of `field=value`; together they match what the alternative matches. None where it can
/// match no packet. The error says what OpenFlow cannot test.
pub(super) fn flows(a: &Alternative) -> Result<Vec<String>, String> {
    if a.test(Field::Interface).is_some() {
        return Err("OpenFlow's port numbers are not interface indexes".into());
    }
    let link = link(a);
    let mut out = Vec::new();
    if a.for_link().is_some() {
        let mut lists = ether_types(a)?;
        lists.extend(link);
        write(&lists, &mut out)?;
        return Ok(out);
    }
    let behind = "Open vSwitch does not look behind MPLS labels";
    if a.test(Field::Mpls).is_some() {
        return Err(behind.into());
    }
    let possible = |t: u16| a.test(Field::EtherType).is_none_or(|s| s.contains(Value::number(t.into())));
    let ip = [(4, IPV4), (6, IPV6)];
    if ip.iter().all(|(_, t)| !possible(*t)) && MPLS_TYPES.into_iter().any(possible) {
        return Err(behind.into());
    }
    for (family, _) in ip.into_iter().filter(|(_, t)| possible(*t)) {
        let Some(a) = a.for_ip(family) else { continue };
        let Some(network) = network(&a, family)? else { continue };
        write(&network.into_iter().chain(link.clone()).collect::<Vec<_>>(), &mut out)?;
    }
    Ok(out)
}

/// Every choice of one item of each list as a match.
fn write(lists: &[Vec<String>], out: &mut Vec<String>) -> Result<(), String> {
    let count = out.len().saturating_add(combinations(lists));
    if count > MOST_FLOWS {
        return Err(format!("it would need {count} flows, more than {MOST_FLOWS}"));
    }
    product(lists, |items| {
        let words: Vec<&str> = items.iter().map(|s| s.as_str()).filter(|s| !s.is_empty()).collect();
        out.push(words.join(","));
    });
    Ok(())
}

/// Whether the test says no more than that the field is there.
fn whole(field: Field, set: &ValueSet) -> bool {
    *set == field.domain()
}

/// Addresses of the link and the VLAN tag: fields with masks.
fn link(a: &Alternative) -> Vec<Vec<String>> {
    let mut lists = Vec::new();
    for (field, name) in [(Field::SrcMac, "dl_src"), (Field::DstMac, "dl_dst")] {
        if let Some(set) = a.test(field).filter(|s| !whole(field, s)) {
            let mac = |bits: u128| {
                bits.to_be_bytes()[10..].iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(":")
            };
            let one = |c: &Cube| match c.mask {
                0xffff_ffff_ffff => format!("{name}={}", mac(c.value)),
                mask => format!("{name}={}/{}", mac(c.value), mac(mask)),
            };
            lists.push(cubes(set, 48).iter().map(one).collect());
        }
    }
    if let Some(set) = a.test(Field::Vlan) {
        // bit 12 stands for "there is a tag"
        let tag = |c: &Cube| match c.mask {
            0xfff => format!("dl_vlan={}", c.value),
            mask => format!("vlan_tci={:#06x}/{:#06x}", 0x1000 | c.value, 0x1000 | mask),
        };
        lists.push(cubes(set, 12).iter().map(tag).collect());
    }
    lists
}

/// EtherType and MPLS label of a rule that tests nothing behind them.
fn ether_types(a: &Alternative) -> Result<Vec<Vec<String>>, String> {
    let types = a.test(Field::EtherType).filter(|s| !whole(Field::EtherType, s));
    let named = |values: Vec<u128>| values.iter().map(|t| format!("dl_type={t:#06x}")).collect::<Vec<_>>();
    if let Some(labels) = a.test(Field::Mpls) {
        let known = MPLS_TYPES.map(u128::from).into_iter();
        let possible = known.filter(|t| types.is_none_or(|s| s.contains(Value::number(*t)))).collect();
        let mut lists = vec![named(possible)];
        if !whole(Field::Mpls, labels) {
            lists.push(values("mpls_label", labels)?);
        }
        return Ok(lists);
    }
    let Some(types) = types else {
        return Ok(Vec::new());
    };
    if types.ranges()[0].lo < Value::number(FIRST_TYPE.into()) {
        return Err("OpenFlow does not test types below 0x600".into());
    }
    Ok(vec![named(singles("dl_type", types)?)])
}

/// The values of a set.
fn singles(name: &str, set: &ValueSet) -> Result<Vec<u128>, String> {
    if set.len() > MOST_FLOWS as u128 {
        return Err(format!("{name} has no mask, and {} values need as many flows", set.len()));
    }
    Ok(set.ranges().iter().flat_map(|r| r.lo.bits..=r.hi.bits).collect())
}

/// Values of a field without masks.
fn values(name: &str, set: &ValueSet) -> Result<Vec<String>, String> {
    Ok(singles(name, set)?.into_iter().map(|v| format!("{name}={v}")).collect())
}

/// Values under masks.
fn masked(name: &str, field: Field, set: &ValueSet) -> Vec<String> {
    let all = (1u128 << field.width()) - 1;
    let one = |c: Cube| match c.mask {
        mask if mask == all && field == Field::TcpFlags => format!("{name}={:#x}/0xff", c.value),
        mask if mask == all => format!("{name}={}", c.value),
        mask => format!("{name}={:#x}/{mask:#x}", c.value),
    };
    cubes(set, field.width()).into_iter().map(one).collect()
}

/// What is tested from the IP header on; none where nothing of that family can match.
fn network(a: &Alternative, family: u8) -> Result<Option<Vec<Vec<String>>>, String> {
    let transport = transport_fields(a);
    let Some(protocols) = protocols(a, family, &transport) else {
        return Ok(None);
    };
    let unread = |p: &u8| PORT_PROTOCOLS.contains(p) && !READ_PORTS.contains(p);
    let narrowed = transport.iter().any(|(f, s)| !whole(*f, s));
    if narrowed && protocols.iter().flatten().any(unread) {
        return Err("Open vSwitch does not read the ports of DCCP and UDP-Lite".into());
    }
    let mut lists = vec![match protocols {
        None => vec![if family == 4 { "ip" } else { "ipv6" }.to_owned()],
        Some(all) => all.iter().map(|p| protocol(family, *p)).collect(),
    }];
    lists.extend(addresses(a, family));
    lists.extend(header(a)?);
    // a later fragment has zeros for what a transport header would tell
    let zeros = transport.iter().all(|(_, s)| s.contains(Value::number(0)));
    let pieces = a.test(Field::Fragment).cloned().unwrap_or(Field::Fragment.domain());
    let pieces = match transport.is_empty() {
        true => pieces,
        false => pieces.intersect(&Range::numbers(fragment::NO, fragment::FIRST).into()),
    };
    if pieces.is_empty() {
        return Ok(None);
    }
    let said = a.test(Field::Fragment).is_some_and(|s| !whole(Field::Fragment, s));
    if said || (zeros && !transport.is_empty()) {
        lists.push(fragments(&pieces));
    }
    for (field, set) in transport.into_iter().filter(|(f, s)| !whole(*f, s)) {
        lists.push(match field {
            Field::SrcPort => masked("tp_src", field, set),
            Field::DstPort => masked("tp_dst", field, set),
            Field::TcpFlags => masked("tcp_flags", field, set),
            Field::IcmpType => values(if family == 4 { "icmp_type" } else { "icmpv6_type" }, set)?,
            _ => values(if family == 4 { "icmp_code" } else { "icmpv6_code" }, set)?,
        });
    }
    Ok(Some(lists))
}

fn transport_fields(a: &Alternative) -> Vec<(Field, &ValueSet)> {
    a.tests.iter().filter(|(f, _)| *f >= Field::SrcPort).map(|(f, s)| (*f, s)).collect()
}

/// The protocols that can match, `Some(None)` for all of them; `None` where there is none.
#[allow(clippy::option_option)]
fn protocols(a: &Alternative, family: u8, transport: &[(Field, &ValueSet)]) -> Option<Option<Vec<u8>>> {
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    let has = |p: u8, field: Field| match field {
        Field::SrcPort | Field::DstPort => PORT_PROTOCOLS.contains(&p),
        Field::TcpFlags => p == TCP,
        _ => p == icmp,
    };
    let said = a.test(Field::Proto).filter(|s| !whole(Field::Proto, s));
    if transport.is_empty() && said.is_none() {
        return Some(None);
    }
    let possible = |p: &u8| {
        said.is_none_or(|s| s.contains(Value::number((*p).into())))
            && transport.iter().all(|(f, _)| has(*p, *f))
    };
    let all: Vec<u8> = (0..=255).filter(possible).collect();
    (!all.is_empty()).then_some(Some(all))
}

fn protocol(family: u8, number: u8) -> String {
    let name = match (family, number) {
        (4, ICMP) => "icmp",
        (4, TCP) => "tcp",
        (4, UDP) => "udp",
        (4, 132) => "sctp",
        (6, ICMPV6) => "icmp6",
        (6, TCP) => "tcp6",
        (6, UDP) => "udp6",
        (6, 132) => "sctp6",
        (4, _) => return format!("ip,nw_proto={number}"),
        _ => return format!("ipv6,nw_proto={number}"),
    };
    name.to_owned()
}

fn addresses(a: &Alternative, family: u8) -> Vec<Vec<String>> {
    let (width, names) =
        if family == 4 { (32, ["nw_src", "nw_dst"]) } else { (128, ["ipv6_src", "ipv6_dst"]) };
    let mut lists = Vec::new();
    for (field, name) in [Field::SrcIp, Field::DstIp].into_iter().zip(names) {
        let Some(set) = a.test(field) else { continue };
        let one = |p: &crate::value::Prefix| match p.len {
            0 => String::new(),
            len if len == width => format!("{name}={}", p.value),
            len => format!("{name}={}/{len}", p.value),
        };
        lists.push(set.prefixes(width).iter().map(one).collect());
    }
    lists
}

/// TOS, TTL, length and flow label.
fn header(a: &Alternative) -> Result<Vec<Vec<String>>, String> {
    let mut lists = Vec::new();
    if a.test(Field::Length).is_some_and(|s| !whole(Field::Length, s)) {
        return Err("OpenFlow does not test the length of packets".into());
    }
    let tos = octets(a);
    if tos.len() < 256 {
        lists.push(tos_values(&tos));
    }
    if let Some(set) = a.test(Field::Ttl).filter(|s| !whole(Field::Ttl, s)) {
        lists.push(values("nw_ttl", set)?);
    }
    if let Some(set) = a.test(Field::FlowLabel).filter(|s| !whole(Field::FlowLabel, s)) {
        lists.push(masked("ipv6_label", Field::FlowLabel, set));
    }
    Ok(lists)
}

/// The TOS octets that both the tests of DSCP and of TOS accept.
fn octets(a: &Alternative) -> Vec<u8> {
    let accepts =
        |field: Field, value: u8| a.test(field).is_none_or(|s| s.contains(Value::number(value.into())));
    (0..=255).filter(|o| accepts(Field::Tos, *o) && accepts(Field::Dscp, o >> 2)).collect()
}

/// `nw_tos` is about the upper six bits, `nw_ecn` about the lower two.
fn tos_values(octets: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    for same in octets.chunk_by(|a, b| a >> 2 == b >> 2) {
        let high = same[0] & 0xfc;
        match same.len() {
            4 => out.push(format!("nw_tos={high}")),
            _ => out.extend(same.iter().map(|o| format!("nw_tos={high},nw_ecn={}", o & 3))),
        }
    }
    out
}

fn fragments(pieces: &ValueSet) -> Vec<String> {
    let has = |v: u128| pieces.contains(Value::number(v));
    let named: &[&str] = match (has(fragment::NO), has(fragment::FIRST), has(fragment::LATER)) {
        (true, true, true) => &[""],
        (true, true, false) => &["ip_frag=not_later"],
        (true, false, true) => &["ip_frag=no", "ip_frag=later"],
        (true, false, false) => &["ip_frag=no"],
        (false, true, true) => &["ip_frag=yes"],
        (false, true, false) => &["ip_frag=first"],
        (false, false, true) => &["ip_frag=later"],
        (false, false, false) => &[],
    };
    named.iter().map(|s| (*s).to_owned()).collect()
}
