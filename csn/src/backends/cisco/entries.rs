//! The entries that one direction of a rule needs in a list.

use super::MOST_ENTRIES;
use crate::backends::alternatives::Alternative;
use crate::backends::cubes::{Cube, combinations, cubes, one_cube, product};
use crate::field::Field;
use crate::packet::{EXTENSIONS, ICMP, ICMPV6, PORT_PROTOCOLS, TCP, UDP, fragment};
use crate::value::{Value, ValueSet};

/// Entries without number and action.
#[derive(Default)]
pub(super) struct Entries {
    pub(super) text: Vec<String>,
    /// Whether they test the transport header.
    pub(super) transport: bool,
    /// Whether they name protocols that the rule does not.
    pub(super) narrowed: bool,
}

/// Values that one comparison can name.
const MOST_VALUES: usize = 10;
/// The flags that have a name, by their bits.
const FLAGS: [(u128, &str); 6] =
    [(0x20, "urg"), (0x10, "ack"), (0x08, "psh"), (0x04, "rst"), (0x02, "syn"), (0x01, "fin")];

/// The entries that together match what the alternative matches among packets of the IP version; none where it
/// matches none. The error says what entries cannot test.
pub(super) fn entries(a: &Alternative, family: u8) -> Result<Entries, String> {
    if a.tests.iter().any(|(f, _)| *f < Field::SrcIp) {
        return Err("an access list of IP tests nothing below IP".into());
    }
    if a.tests.is_empty() {
        return Err("the rule matches packets without IP too".into());
    }
    let Some(a) = a.for_ip(family) else {
        return Ok(Entries::default());
    };
    let transport = a.tests.iter().any(|(f, _)| *f >= Field::SrcPort);
    let (protocols, narrowed) = protocols(&a, family)?;
    let mut lists = vec![protocols];
    for (address, port) in [(Field::SrcIp, Field::SrcPort), (Field::DstIp, Field::DstPort)] {
        lists.push(addresses(&a, address, family));
        lists.push(match a.test(port) {
            Some(set) => comparisons(set, 0xffff, MOST_VALUES),
            None => vec![String::new()],
        });
    }
    lists.push(icmp(&a)?);
    lists.push(flags(&a)?);
    lists.extend(header(&a, family)?);
    lists.push(fragments(&a, transport)?);
    let count = combinations(&lists);
    if count > MOST_ENTRIES {
        return Err(format!("it would need {count} entries, more than {MOST_ENTRIES}"));
    }
    let mut text = Vec::with_capacity(count);
    product(&lists, |words| {
        let words: Vec<&str> = words.iter().map(|w| w.as_str()).filter(|w| !w.is_empty()).collect();
        text.push(words.join(" "));
    });
    Ok(Entries { text, transport, narrowed })
}

fn whole(field: Field, set: &ValueSet) -> bool {
    *set == field.domain()
}

/// Words for the protocols that can match, and whether the rule itself says less of them.
fn protocols(a: &Alternative, family: u8) -> Result<(Vec<String>, bool), String> {
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    let said = a.test(Field::Proto).filter(|s| !whole(Field::Proto, s));
    let tests = |f: Field| a.test(f).is_some();
    let (ports, flags) = (tests(Field::SrcPort) || tests(Field::DstPort), tests(Field::TcpFlags));
    let types = tests(Field::IcmpType) || tests(Field::IcmpCode);
    let accepted = |p: u8| said.is_none_or(|s| s.contains(Value::number(p.into())));
    let possible =
        |p: u8| (!ports || PORT_PROTOCOLS.contains(&p)) && (!flags || p == TCP) && (!types || p == icmp);
    if !ports && !flags && !types && said.is_none() {
        return Ok((vec![if family == 4 { "ip" } else { "ipv6" }.into()], false));
    }
    // of an IPv6 packet the notation sees the protocol behind the extension headers
    let extension = |p: u8| family == 6 && EXTENSIONS.contains(&p);
    let all: Vec<u8> = (0..=255).filter(|p| accepted(*p) && possible(*p) && !extension(*p)).collect();
    if ports && all.iter().any(|p| ![TCP, UDP, 132].contains(p)) {
        return Err("there are no ports of DCCP and UDP-Lite".into());
    }
    let narrowed = (0..=255).any(|p| accepted(p) && !possible(p));
    let name = |p: &u8| match *p {
        TCP => "tcp".into(),
        UDP => "udp".into(),
        132 => "sctp".into(),
        p if p == icmp => "icmp".into(),
        p => p.to_string(),
    };
    Ok((all.iter().map(name).collect(), narrowed))
}

fn addresses(a: &Alternative, field: Field, family: u8) -> Vec<String> {
    let Some(set) = a.test(field) else {
        return vec!["any".into()];
    };
    if family == 6 {
        let one = |p: &crate::value::Prefix| match p.len {
            0 => "any".into(),
            128 => format!("host {}", p.value),
            len => format!("{}/{len}", p.value),
        };
        return set.prefixes(128).iter().map(one).collect();
    }
    let address = |bits: u128| Value { family: 4, bits }.to_string();
    let one = |c: Cube| match c.mask {
        0 => "any".into(),
        0xffff_ffff => format!("host {}", address(c.value)),
        mask => format!("{} {}", address(c.value), address(0xffff_ffff & !mask)),
    };
    cubes(set, 32).into_iter().map(one).collect()
}

/// Comparisons that together accept the set; at most `values` values stand behind `eq` and `neq`.
fn comparisons(set: &ValueSet, most: u128, values: usize) -> Vec<String> {
    let everything = ValueSet::from(crate::Range::numbers(0, most));
    let few = |s: &ValueSet| {
        let words = || singles(s).iter().map(u128::to_string).collect::<Vec<_>>().join(" ");
        (1..=values as u128).contains(&s.len()).then(words)
    };
    if let Some(words) = few(set).filter(|_| set.len() == 1 || set.ranges().len() > 1) {
        return vec![format!("eq {words}")];
    }
    if let Some(words) = few(&everything.subtract(set)) {
        return vec![format!("neq {words}")];
    }
    let one = |r: &crate::Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => format!("eq {lo}"),
        (0, hi) if hi < most => format!("lt {}", hi + 1),
        (lo, hi) if hi == most && lo > 0 => format!("gt {}", lo - 1),
        (lo, hi) => format!("range {lo} {hi}"),
    };
    set.ranges().iter().map(one).collect()
}

fn singles(set: &ValueSet) -> Vec<u128> {
    set.ranges().iter().flat_map(|r| r.lo.bits..=r.hi.bits).collect()
}

const PRESENCE: &str = "an entry cannot ask that a packet has a field, whatever it is";

fn icmp(a: &Alternative) -> Result<Vec<String>, String> {
    let test = |f: Field| a.test(f).filter(|s| !whole(f, s));
    match (test(Field::IcmpType), test(Field::IcmpCode)) {
        (None, None) if a.test(Field::IcmpType).or(a.test(Field::IcmpCode)).is_some() => Err(PRESENCE.into()),
        (None, None) => Ok(vec![String::new()]),
        (Some(types), None) => Ok(singles(types).iter().map(u128::to_string).collect()),
        (types, Some(codes)) => {
            let types = types.map_or((0..=255).collect(), singles);
            let codes = singles(codes);
            Ok(types.iter().flat_map(|t| codes.iter().map(move |c| format!("{t} {c}"))).collect())
        }
    }
}

fn flags(a: &Alternative) -> Result<Vec<String>, String> {
    let Some(set) = a.test(Field::TcpFlags) else {
        return Ok(vec![String::new()]);
    };
    if whole(Field::TcpFlags, set) {
        return Err(PRESENCE.into());
    }
    let words = |c: &Cube, turned: bool| {
        if c.mask > 0x3f {
            return Err("entries do not test the flags CWR and ECE".to_owned());
        }
        let sign = |bit: u128| if (c.value & bit != 0) != turned { '+' } else { '-' };
        let of_mask = FLAGS.iter().filter(|(bit, _)| c.mask & bit != 0);
        Ok(of_mask.map(|(bit, name)| format!(" {}{name}", sign(*bit))).collect::<String>())
    };
    let missed = Field::TcpFlags.domain().subtract(set);
    let Some(cube) = one_cube(&missed, 8).filter(|c| c.mask.count_ones() > 1) else {
        return cubes(set, 8).iter().map(|c| Ok(format!("match-all{}", words(c, false)?))).collect();
    };
    // ACK or RST
    if (cube.value, cube.mask) == (0, 0x14) {
        return Ok(vec!["established".into()]);
    }
    Ok(vec![format!("match-any{}", words(&cube, true)?)])
}

/// TOS, TTL, length and flow label.
fn header(a: &Alternative, family: u8) -> Result<Vec<Vec<String>>, String> {
    let test = |f: Field| a.test(f).filter(|s| !whole(f, s));
    if test(Field::Length).is_some() {
        return Err("entries do not test the length".into());
    }
    let mut lists = Vec::new();
    if test(Field::Tos).is_some() || test(Field::Dscp).is_some() {
        lists.push(tos(a, family)?);
    }
    if let Some(set) = test(Field::Ttl) {
        if family == 6 {
            return Err("entries of IPv6 do not test the hop limit".into());
        }
        lists.push(comparisons(set, 255, 1).iter().map(|c| format!("ttl {c}")).collect());
    }
    if let Some(set) = test(Field::FlowLabel) {
        if set.len() > MOST_ENTRIES as u128 {
            return Err(format!("it would need more than {MOST_ENTRIES} entries for its flow labels"));
        }
        lists.push(singles(set).iter().map(|n| format!("flow-label {n}")).collect());
    } else if a.test(Field::FlowLabel).is_some() && family == 4 {
        lists.push(Vec::new());
    }
    Ok(lists)
}

/// The octets that both tests accept, as precedence, type of service or code points.
fn tos(a: &Alternative, family: u8) -> Result<Vec<String>, String> {
    let accepts =
        |field: Field, value: u8| a.test(field).is_none_or(|s| s.contains(Value::number(value.into())));
    let accepted: Vec<bool> =
        (0..=255u8).map(|o| accepts(Field::Tos, o) && accepts(Field::Dscp, o >> 2)).collect();
    let same = |octets: usize| accepted.chunks(octets).all(|c| c.iter().all(|a| *a == c[0]));
    let only = |of: &dyn Fn(usize) -> bool| (0..256).all(|o| accepted[o] == of(o));
    let types = |o: usize| o >> 1 & 0xf;
    if family == 4 {
        if let Some(p) = (0..8).find(|p| only(&|o| o >> 5 == *p)) {
            return Ok(vec![format!("precedence {p}")]);
        }
        if let Some(t) = (0..16).find(|t| only(&|o| types(o) == *t)) {
            return Ok(vec![format!("tos {t}")]);
        }
    }
    if same(4) {
        let points = (0..64).filter(|d| accepted[d * 4]);
        return Ok(points.map(|d| format!("dscp {d}")).collect());
    }
    if family == 6 {
        return Err("entries of IPv6 do not test the two lower bits of the traffic class".into());
    }
    if !same(2) {
        return Err("entries do not test the lowest bit of TOS".into());
    }
    let octets = (0..256).step_by(2).filter(|o| accepted[*o]);
    Ok(octets.map(|o| format!("precedence {} tos {}", o >> 5, types(o))).collect())
}

fn fragments(a: &Alternative, transport: bool) -> Result<Vec<String>, String> {
    let Some(set) = a.test(Field::Fragment).filter(|s| !whole(Field::Fragment, s)) else {
        return Ok(vec![String::new()]);
    };
    let has = |v: u128| set.contains(Value::number(v));
    match (has(fragment::NO), has(fragment::FIRST), has(fragment::LATER)) {
        (false, false, true) if !transport => Ok(vec!["fragments".into()]),
        (false, false, _) => Ok(Vec::new()),
        (true, true, _) if transport => Ok(vec![String::new()]),
        _ => Err("entries do not tell first fragments from whole packets".into()),
    }
}
