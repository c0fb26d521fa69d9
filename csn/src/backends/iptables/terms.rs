//! From one direction of a rule to the matches of iptables that make it up.

use crate::backends::Alternative;
use crate::backends::cubes::{Cube, cubes};
use crate::field::Field;
use crate::packet::{EXTENSIONS, ICMP, ICMPV6, IPV4, IPV6, PORT_PROTOCOLS, TCP, UDP, fragment};
use crate::value::{Range, Value, ValueSet};

/// More rules than this for one rule of the notation, and it is declared as lost.
pub(super) const MOST: usize = 1_000;
/// Intervals that the match `u32` takes in one comparison (xt_u32.h).
const U32_RANGES: usize = 10;
/// Ports that the match `multiport` takes; an interval counts twice (xt_multiport.h).
const MULTIPORT: usize = 15;

/// Matches any of which must hold; each a piece of a rule.
type Any = Vec<String>;

/// The rules that match what the alternative matches among packets of one IP version; none where it can match nothing.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn variants(a: &Alternative, family: u8) -> Result<Vec<String>, String> {
    let why = match () {
        _ if a.test(Field::Interface).is_some() => "iptables knows interfaces by their names",
        _ if a.test(Field::Vlan).is_some() => "a host does not hand over frames with VLAN tags",
        _ if a.test(Field::Mpls).is_some() => "a host does not hand over frames with MPLS labels",
        _ if a.test(Field::DstMac).is_some() => "iptables does not know the destination's MAC address",
        _ => "",
    };
    if !why.is_empty() {
        return Err(why.into());
    }
    let kind = if family == 4 { IPV4 } else { IPV6 };
    let type_fits = a.test(Field::EtherType).is_none_or(|s| s.contains(Value::number(kind.into())));
    let Some(mut a) = a.for_ip(family).filter(|_| type_fits) else { return Ok(Vec::new()) };
    // both look at the same octet: one match of it is enough
    if let (Some(dscp), Some(tos)) = (a.test(Field::Dscp), a.test(Field::Tos)) {
        let octets = tos.intersect(&tos_of_dscp(dscp));
        a.tests.retain(|(f, _)| *f != Field::Dscp);
        a.tests.iter_mut().filter(|(f, _)| *f == Field::Tos).for_each(|(_, s)| *s = octets.clone());
    }
    let mut all: Vec<Any> = vec![transport(&a, family)?];
    for (field, set) in &a.tests {
        all.push(network(*field, set, family)?);
    }
    if all.iter().any(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let count = all.iter().fold(1usize, |n, any| n.saturating_mul(any.len()));
    if count > MOST {
        return Err(format!("it would need {count} rules of iptables, and more than {MOST} are not made"));
    }
    let mut out = vec![String::new()];
    for any in all {
        let join = |so_far: &String| any.iter().map(|piece| so_far.clone() + piece).collect::<Vec<_>>();
        out = out.iter().flat_map(join).collect();
    }
    Ok(out)
}

fn always() -> Any {
    vec![String::new()]
}

/// One match for each interval, or where that is fewer, one rule with a `!` match for each interval that is left out.
fn intervals(set: &ValueSet, domain: &ValueSet, one: impl Fn(&str, &Range) -> String) -> Any {
    let rest = domain.subtract(set);
    if rest.is_empty() {
        return always();
    }
    if rest.ranges().len() < set.ranges().len() {
        return vec![rest.ranges().iter().map(|r| one("! ", r)).collect()];
    }
    set.ranges().iter().map(|r| one("", r)).collect()
}

/// What the IP header says, but for the protocol.
fn network(field: Field, set: &ValueSet, family: u8) -> Result<Any, String> {
    let domain = field.domain();
    Ok(match field {
        Field::SrcMac => mac(set)?,
        Field::SrcIp | Field::DstIp => addresses(field, set, family),
        Field::Dscp => match set.as_single().or(domain.subtract(set).as_single()) {
            Some(v) if set.contains(v) => vec![format!(" -m dscp --dscp {}", v.bits)],
            Some(v) => vec![format!(" -m dscp ! --dscp {}", v.bits)],
            None => tos(&tos_of_dscp(set)),
        },
        Field::Tos => tos(set),
        Field::Ttl => {
            let (name, option) = if family == 4 { ("ttl", "ttl") } else { ("hl", "hl") };
            let single = domain.subtract(set).as_single();
            match single {
                Some(v) => vec![format!(" -m {name} ! --{option}-eq {}", v.bits)],
                None => set.ranges().iter().map(|r| ttl(name, option, r)).collect(),
            }
        }
        Field::Length => {
            intervals(set, &domain, |not, r| format!(" -m length {not}--length {}:{}", r.lo.bits, r.hi.bits))
        }
        Field::FlowLabel => u32_of("0&0xFFFFF", set),
        Field::Fragment => pieces(set, family)?,
        _ => always(),
    })
}

fn mac(set: &ValueSet) -> Result<Any, String> {
    let option = |not: &str, r: &Range| {
        let octets: Vec<String> = r.lo.bits.to_be_bytes()[10..].iter().map(|o| format!("{o:02x}")).collect();
        format!(" -m mac {not}--mac-source {}", octets.join(":"))
    };
    let rest = Field::SrcMac.domain().subtract(set);
    let whole = |s: &ValueSet| s.ranges().iter().all(|r| r.lo == r.hi);
    match () {
        _ if rest.is_empty() => Ok(always()),
        _ if whole(set) => Ok(set.ranges().iter().map(|r| option("", r)).collect()),
        _ if whole(&rest) => Ok(vec![rest.ranges().iter().map(|r| option("! ", r)).collect()]),
        _ => Err("iptables compares whole MAC addresses, not ranges".into()),
    }
}

fn addresses(field: Field, set: &ValueSet, family: u8) -> Any {
    let all: ValueSet = Range::prefix(Value { family, bits: 0 }, 0).into();
    let width = if family == 4 { 32 } else { 128 };
    let (short, long) = if field == Field::SrcIp { ("-s", "src") } else { ("-d", "dst") };
    let prefix = |r: &Range| match ValueSet::from(*r).prefixes(width).as_slice() {
        [one] => Some(format!("{}/{}", one.value, one.len)),
        _ => None,
    };
    // of several `-s` only one is taken
    let rest = all.subtract(set);
    let several = rest.ranges().len() > 1 && rest.ranges().len() < set.ranges().len();
    intervals(set, &all, |not, r| match prefix(r).filter(|_| !several) {
        Some(prefix) => format!(" {not}{short} {prefix}"),
        None => format!(" -m iprange {not}--{long}-range {}-{}", r.lo, r.hi),
    })
}

/// The masks that make up a set of TOS octets; `false` where it is less to name those of what is left out.
fn tos_masks(set: &ValueSet) -> (bool, Vec<Cube>) {
    let (within, without) = (cubes(set, 8), cubes(&Field::Tos.domain().subtract(set), 8));
    if without.len() < within.len() { (false, without) } else { (true, within) }
}

fn tos(set: &ValueSet) -> Any {
    let option = |not: &str, c: &Cube| format!(" -m tos {not}--tos {:#x}/{:#x}", c.value, c.mask);
    match tos_masks(set) {
        (false, masks) => vec![masks.iter().map(|c| option("! ", c)).collect()],
        (true, masks) => masks.iter().map(|c| option("", c)).collect(),
    }
}

/// The sets of TOS octets that one rule of iptables each can ask for, and that together make up `set`.
pub(crate) fn tos_parts(set: &ValueSet) -> Vec<ValueSet> {
    let octets = |c: &Cube| {
        let fit = (0..256).filter(|o| o & c.mask == c.value);
        ValueSet::from_ranges(fit.map(|o| Range::numbers(o, o)))
    };
    match tos_masks(set) {
        (false, _) => vec![set.clone()],
        (true, masks) => masks.iter().map(octets).collect(),
    }
}

/// The TOS octets with these code points.
pub(crate) fn tos_of_dscp(set: &ValueSet) -> ValueSet {
    ValueSet::from_ranges(set.ranges().iter().map(|r| Range::numbers(r.lo.bits << 2, r.hi.bits << 2 | 3)))
}

/// Whether the match `dscp` can ask for these code points: it takes one, or all but one.
pub(crate) fn is_dscp_match(set: &ValueSet) -> bool {
    set.as_single().or(Field::Dscp.domain().subtract(set).as_single()).is_some()
}

fn ttl(name: &str, option: &str, r: &Range) -> String {
    let (lo, hi) = (r.lo.bits, r.hi.bits);
    if lo == hi {
        return format!(" -m {name} --{option}-eq {lo}");
    }
    let above = if lo > 0 { format!(" -m {name} --{option}-gt {}", lo - 1) } else { String::new() };
    let below = if hi < 255 { format!(" -m {name} --{option}-lt {}", hi + 1) } else { String::new() };
    above + &below
}

/// Bits of the packet, from the IP header on, within a set.
fn u32_of(place: &str, set: &ValueSet) -> Any {
    let range = |r: &Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => format!("{lo:#x}"),
        (lo, hi) => format!("{lo:#x}:{hi:#x}"),
    };
    let some = set.ranges().chunks(U32_RANGES);
    some.map(|rs| {
        let list: Vec<String> = rs.iter().map(range).collect();
        format!(" -m u32 --u32 \"{place}={}\"", list.join(","))
    })
    .collect()
}

fn pieces(set: &ValueSet, family: u8) -> Result<Any, String> {
    let has = |n| set.contains(Value::number(n));
    let accepted = [fragment::NO, fragment::FIRST, fragment::LATER].map(has);
    if family == 6 {
        let none = " -m ipv6header ! --header frag --soft".to_owned();
        let whole = " -m frag --fragfirst --fraglast".to_owned();
        return match accepted {
            [true, true, true] => Ok(always()),
            [true, true, false] => Ok(vec![none, " -m frag --fragfirst".into()]),
            [true, false, false] => Ok(vec![none, whole]),
            [false, true, false] => Ok(vec![" -m frag --fragfirst --fragmore".into()]),
            _ => Err("ip6tables cannot ask for later fragments".into()),
        };
    }
    let fields = |ranges: &str| vec![format!(" -m u32 --u32 \"4&0x3FFF={ranges}\"")];
    Ok(match accepted {
        [true, false, false] => fields("0"),
        [false, true, false] => fields("0x2000"),
        [false, false, true] => vec![" -f".into()],
        [true, true, false] => vec![" ! -f".into()],
        [true, false, true] => fields("0:0x1fff,0x2001:0x3fff"),
        [false, true, true] => fields("1:0x3fff"),
        _ => always(),
    })
}

fn protocol(p: u8) -> String {
    let named = [(TCP, "tcp"), (UDP, "udp"), (ICMP, "icmp"), (ICMPV6, "ipv6-icmp")];
    let name = named.iter().find(|(n, _)| *n == p).map(|(_, name)| (*name).to_owned());
    format!(" -p {}", name.unwrap_or_else(|| p.to_string()))
}

/// Protocol and transport header.
fn transport(a: &Alternative, family: u8) -> Result<Any, String> {
    let of = |p: u8| a.test(Field::Proto).is_none_or(|s| s.contains(Value::number(p.into())));
    let ports = a.test(Field::SrcPort).is_some() || a.test(Field::DstPort).is_some();
    let flags = a.test(Field::TcpFlags);
    if a.test(Field::IcmpType).is_some() || a.test(Field::IcmpCode).is_some() {
        let icmp = if family == 4 { ICMP } else { ICMPV6 };
        return if ports || flags.is_some() || !of(icmp) { Ok(Vec::new()) } else { self::icmp(a, family) };
    }
    if !ports && flags.is_none() {
        return a.test(Field::Proto).map_or(Ok(always()), |set| protocols(set, family));
    }
    let candidates: &[u8] = if flags.is_some() { &[TCP] } else { &PORT_PROTOCOLS };
    let flags = flags.map_or(Ok(always()), |set| tcp_flags(set, family))?;
    let mut out = Vec::new();
    for p in candidates.iter().copied().filter(|p| of(*p)) {
        let mut parts = vec![protocol(p)];
        for (field, side) in [(Field::SrcPort, 's'), (Field::DstPort, 'd')] {
            if let Some(set) = a.test(field) {
                let pieces = port(p, side, set);
                parts = parts
                    .iter()
                    .flat_map(|so_far| pieces.iter().map(move |x| format!("{so_far}{x}")))
                    .collect();
            }
        }
        out.extend(parts.iter().flat_map(|so_far| flags.iter().map(move |x| format!("{so_far}{x}"))));
    }
    Ok(out)
}

fn protocols(set: &ValueSet, family: u8) -> Result<Any, String> {
    let domain = Field::Proto.domain();
    // no IPv6 packet has the number of an extension header as its protocol
    let extensions =
        ValueSet::from_ranges(EXTENSIONS.iter().map(|p| Range::numbers((*p).into(), (*p).into())));
    let (set, domain) = match family {
        6 => (set.subtract(&extensions), domain.subtract(&extensions)),
        _ => (set.clone(), domain),
    };
    let rest = domain.subtract(&set);
    let name = |v: Value| protocol(v.bits as u8);
    if let Some(v) = rest.as_single().filter(|v| v.bits != 0) {
        return Ok(vec![format!(" !{}", name(v))]);
    }
    if rest.is_empty() && family == 4 {
        return Ok(always());
    }
    if family == 4 && (set.len() > 3 || set.contains(Value::number(0))) {
        // iptables reads `-p 0` as any protocol
        return Ok(u32_of("6&0xFF", &set));
    }
    let values = (0..set.len()).filter_map(|n| set.nth(n));
    Ok(values.map(name).collect())
}

/// Ports of a protocol.
fn port(p: u8, side: char, set: &ValueSet) -> Any {
    let domain = Field::SrcPort.domain();
    let rest = domain.subtract(set);
    let text = |r: &Range| match (r.lo.bits, r.hi.bits) {
        (lo, hi) if lo == hi => lo.to_string(),
        (lo, hi) => format!("{lo}:{hi}"),
    };
    let own = match p {
        TCP => Some("tcp"),
        UDP => Some("udp"),
        _ => None,
    };
    match (own, set.ranges(), rest.ranges()) {
        (Some(name), [one], [_, ..]) => return vec![format!(" -m {name} --{side}port {}", text(one))],
        (Some(name), _, [one]) => return vec![format!(" -m {name} ! --{side}port {}", text(one))],
        _ => (),
    }
    let lists = |set: &ValueSet| {
        let mut lists: Vec<(usize, Vec<String>)> = Vec::new();
        for r in set.ranges() {
            let size = if r.lo == r.hi { 1 } else { 2 };
            match lists.last_mut().filter(|(n, _)| n + size <= MULTIPORT) {
                Some((n, list)) => {
                    *n += size;
                    list.push(text(r));
                }
                None => lists.push((size, vec![text(r)])),
            }
        }
        lists.into_iter().map(|(_, list)| list.join(",")).collect::<Vec<_>>()
    };
    let (yes, no) = (lists(set), lists(&rest));
    if !no.is_empty() && rest.ranges().len() < set.ranges().len() {
        return vec![no.iter().map(|l| format!(" -m multiport ! --{side}ports {l}")).collect()];
    }
    yes.iter().map(|l| format!(" -m multiport --{side}ports {l}")).collect()
}

/// The flags octet: `--tcp-flags` knows six of its bits.
fn tcp_flags(set: &ValueSet, family: u8) -> Result<Any, String> {
    const NAMES: [(u128, &str); 6] =
        [(1, "FIN"), (2, "SYN"), (4, "RST"), (8, "PSH"), (16, "ACK"), (32, "URG")];
    let list = |bits: u128| {
        let names: Vec<&str> = NAMES.iter().filter(|(b, _)| bits & b != 0).map(|(_, n)| *n).collect();
        if names.is_empty() { "NONE".to_owned() } else { names.join(",") }
    };
    let rest = Field::TcpFlags.domain().subtract(set);
    if rest.is_empty() {
        // any packet with a header of TCP
        return Ok(vec![" -m multiport --sports 0:65535".into()]);
    }
    for (not, set) in [("", set), ("! ", &rest)] {
        if let Some((value, mask)) = cube(set).filter(|(_, mask)| mask & 0xc0 == 0) {
            return Ok(vec![format!(" -m tcp {not}--tcp-flags {} {}", list(mask), list(value))]);
        }
    }
    if family == 6 {
        return Err("ip6tables cannot ask for the flags CWR and ECE, or for such sets of flags".into());
    }
    Ok(behind_four("12>>16&0xFF", set))
}

/// Bits behind the IPv4 header of packets that are no later fragments.
fn behind_four(place: &str, set: &ValueSet) -> Any {
    let at = format!("4&0x1FFF=0&&0>>22&0x3C@{place}");
    u32_of(&at, set)
}

/// The value and the mask that make up a set of octets.
fn cube(set: &ValueSet) -> Option<(u128, u128)> {
    let octets = || set.ranges().iter().flat_map(|r| r.lo.bits..=r.hi.bits);
    let (all, any) = octets().fold((0xff, 0), |(all, any), o| (all & o, any | o));
    let mask = 0xff & !(all ^ any);
    (set.len() == 1 << (8 - mask.count_ones())).then_some((all & mask, mask))
}

fn icmp(a: &Alternative, family: u8) -> Result<Any, String> {
    let (name, option, p) =
        if family == 4 { ("icmp", "icmp-type", ICMP) } else { ("icmp6", "icmpv6-type", ICMPV6) };
    let (types, codes) = (a.test(Field::IcmpType), a.test(Field::IcmpCode));
    let one = |set: &ValueSet| set.as_single().map(|v| v.bits);
    let head = protocol(p);
    let single = types.and_then(one).filter(|t| family == 6 || *t != 255);
    match (single, codes.map(one)) {
        (Some(t), None) => return Ok(vec![format!("{head} -m {name} --{option} {t}")]),
        (Some(t), Some(Some(c))) => return Ok(vec![format!("{head} -m {name} --{option} {t}/{c}")]),
        _ => (),
    }
    if family == 4 {
        // iptables reads type 255 as any type, and knows no ranges
        let of_type = types.map_or(always(), |set| behind_four("0>>24", set));
        let of_code = codes.map_or(always(), |set| behind_four("0>>16&0xFF", set));
        let pairs = of_type.iter().flat_map(|t| of_code.iter().map(move |c| format!("{t}{c}")));
        return Ok(pairs.map(|x| format!("{head}{x}")).collect());
    }
    let all = Field::IcmpType.domain();
    let types = types.unwrap_or(&all);
    let count = types.len().saturating_mul(codes.map_or(1, ValueSet::len));
    if count > MOST as u128 {
        return Err(format!("it would need {count} rules of ip6tables, and more than {MOST} are not made"));
    }
    let mut out = Vec::new();
    for t in (0..types.len()).filter_map(|n| types.nth(n)) {
        match codes {
            None => out.push(format!("{head} -m {name} --{option} {}", t.bits)),
            Some(codes) => out.extend(
                (0..codes.len())
                    .filter_map(|n| codes.nth(n))
                    .map(|c| format!("{head} -m {name} --{option} {}/{}", t.bits, c.bits)),
            ),
        }
    }
    Ok(out)
}
