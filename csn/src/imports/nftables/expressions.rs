//! Comparisons of nft rules, read into what the notation tests.

use super::conjunction::{Conjunction, Pieces};
use super::values::{Domain, Names, Sets, elements};
use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, TCP};
use crate::value::{Range, Value, ValueSet};
use serde_json::Value as Json;

/// Why something is not taken over.
pub(super) type Reason = String;

/// What a rule's comparisons are read against.
pub(super) struct Context<'a> {
    pub(super) sets: &'a Sets,
    /// Family and name of the table.
    pub(super) table: &'a str,
}

/// What the left side of a comparison reads.
#[derive(Clone, Debug, PartialEq)]
enum Read {
    /// A field, within an IP version and protocol where it implies one.
    Field {
        field: Field,
        family: u8,
        protocol: Option<u8>,
    },
    /// A port of any protocol.
    AnyPort(Field),
    /// The length behind the header of IPv6.
    Length6,
    /// The IP version by itself.
    Version(u8),
    /// The IP version of the packet.
    Family,
    /// Offset and flags of IPv4.
    Fragment,
    /// The two low bits of the TOS octet.
    Ecn(u8),
    /// That the IPv6 fragment header is there, its offset, its flag.
    Exists,
    Offset,
    More,
    /// Octets.
    Raw(String, u32, u32),
}

fn lost<T>(what: &str) -> Result<T, Reason> {
    Err(format!("{what} is no field of the notation"))
}

/// The comparison `{"op", "left", "right"}` as the conjunctions any of which must hold, each added to one of `so_far`.
pub(super) fn compare(m: &Json, so_far: &[Conjunction], c: &Context) -> Result<Vec<Conjunction>, Reason> {
    let op = m.get("op").and_then(Json::as_str).unwrap_or("==");
    let (Some(left), Some(right)) = (m.get("left"), m.get("right")) else {
        return Err("it has no left or right side".into());
    };
    if let Some(parts) = left.get("concat").and_then(Json::as_array) {
        if op != "==" {
            return Err("a concatenation is compared by something else than `==`".into());
        }
        let all = match right.as_str().and_then(|s| s.strip_prefix('@')) {
            Some(name) => c.sets.get(&super::values::key(c.table, name)).map(Vec::as_slice),
            None => right.get("set").map_or(Some(std::slice::from_ref(right)), elements),
        };
        let all = all.ok_or("the set is not in the text")?;
        let one = |element: &Json| key_element(parts, element, so_far, c);
        return Ok(all.iter().map(one).collect::<Result<Vec<_>, _>>()?.concat());
    }
    let mut out = so_far.to_vec();
    for conjunction in &mut out {
        apply(left, op, right, conjunction, c)?;
    }
    Ok(out)
}

/// One element of a set or map with a key of several parts.
fn key_element(
    parts: &[Json],
    element: &Json,
    so_far: &[Conjunction],
    c: &Context,
) -> Result<Vec<Conjunction>, Reason> {
    let element = element.get("elem").and_then(|e| e.get("val")).unwrap_or(element);
    let values = element.get("concat").and_then(Json::as_array).ok_or("an element is no concatenation")?;
    if values.len() != parts.len() {
        return Err("an element has other parts than the key".into());
    }
    let mut out = so_far.to_vec();
    for conjunction in &mut out {
        for (part, value) in parts.iter().zip(values) {
            apply(part, "==", value, conjunction, c)?;
        }
    }
    Ok(out)
}

/// The same for the key of a map, which may have one part.
pub(super) fn element(
    key: &Json,
    value: &Json,
    so_far: &[Conjunction],
    c: &Context,
) -> Result<Vec<Conjunction>, Reason> {
    match key.get("concat").and_then(Json::as_array) {
        Some(parts) => key_element(parts, value, so_far, c),
        None => {
            let mut out = so_far.to_vec();
            out.iter_mut().try_for_each(|conjunction| apply(key, "==", value, conjunction, c))?;
            Ok(out)
        }
    }
}

fn apply(left: &Json, op: &str, right: &Json, out: &mut Conjunction, c: &Context) -> Result<(), Reason> {
    let masked = left.get("&").and_then(Json::as_array);
    let (inner, mask) = match masked.map(Vec::as_slice) {
        Some([inner, mask]) => (inner, Some(mask)),
        _ => (left, None),
    };
    let (read, domain) = read(inner)?;
    let unread = || format!("`{right}` cannot be read as a value of it");
    let set = domain.set(right, c.sets, c.table).ok_or_else(unread)?;
    let ends = (set.ranges().first(), set.ranges().last());
    let (Some(first), Some(last)) = ends else { return Err("it compares with an empty set".into()) };
    let all = domain.all();
    let below = |v: Value| all.ranges().iter().filter(move |r| r.lo < v).map(move |r| Range::new(r.lo, v));
    let upto = |v: Value| ValueSet::from_ranges(below(v)).union(&ValueSet::single(v));
    let mask = mask.map(|m| domain.set(m, c.sets, c.table).and_then(|s| s.as_single()).ok_or_else(unread));
    let mask = mask.transpose()?.map(|v| v.bits);
    let set = match op {
        "==" => set,
        // of flags: any of them; of all else, the same as `==`
        "in" if domain.names == Names::Of(Field::TcpFlags) && mask.is_none() => {
            let bits = first.lo.bits;
            let any = (0..256).filter(|o| o & bits != 0).map(|o| Range::numbers(o, o));
            ValueSet::from_ranges(any)
        }
        "in" => set,
        "!=" => all.subtract(&set),
        "<=" => upto(last.hi),
        "<" => upto(first.lo).subtract(&ValueSet::single(first.lo)),
        ">" => all.subtract(&upto(last.hi)),
        ">=" => all.subtract(&upto(first.lo)).union(&ValueSet::single(first.lo)),
        other => return Err(format!("the operator `{other}` is not known")),
    };
    add(read, domain, mask, set, out)
}

/// What is read, and the values that it can have.
fn read(left: &Json) -> Result<(Read, Domain), Reason> {
    if let Some(key) = left.get("meta").and_then(|m| m.get("key")).and_then(Json::as_str) {
        let plain = |field| (Read::Field { field, family: 0, protocol: None }, Domain::of(field));
        return match key {
            "l4proto" => Ok(plain(Field::Proto)),
            "protocol" => Ok(plain(Field::EtherType)),
            "nfproto" => Ok((Read::Family, Domain { names: Names::Truth, width: 8, family: 0 })),
            other => lost(&format!("`meta {other}`")),
        };
    }
    if let Some(header) = left.get("exthdr") {
        let domain = Domain { names: Names::Truth, width: 16, family: 0 };
        return match (header.get("name").and_then(Json::as_str), header.get("field").and_then(Json::as_str)) {
            (Some("frag"), None) => Ok((Read::Exists, domain)),
            (Some("frag"), Some("frag-off")) => Ok((Read::Offset, domain)),
            (Some("frag"), Some("more-fragments")) => Ok((Read::More, Domain { width: 1, ..domain })),
            _ => lost("that extension header"),
        };
    }
    let Some(payload) = left.get("payload") else {
        let name = left.as_object().and_then(|o| o.keys().next().cloned()).unwrap_or_default();
        return lost(&format!("`{name}`"));
    };
    let text = |name: &str| payload.get(name).and_then(Json::as_str);
    let integer = |name: &str| payload.get(name).and_then(Json::as_u64).and_then(|n| u32::try_from(n).ok());
    if let (Some(base), Some(offset), Some(bits)) = (text("base"), integer("offset"), integer("len")) {
        if !(1..=64).contains(&bits) {
            return lost("so many octets");
        }
        let domain = Domain { names: Names::Truth, width: bits, family: 0 };
        return Ok((Read::Raw(base.into(), offset, bits), domain));
    }
    header_field(text("protocol").unwrap_or(""), text("field").unwrap_or(""))
}

fn header_field(header: &str, name: &str) -> Result<(Read, Domain), Reason> {
    let version = if header.ends_with('6') { 6 } else { 4 };
    let of = |field, family, protocol| Ok((Read::Field { field, family, protocol }, Domain::of(field)));
    let number = |width| Domain { names: Names::Truth, width, family: 0 };
    match (header, name) {
        ("ether", "saddr" | "daddr") => {
            let field = if name == "saddr" { Field::SrcMac } else { Field::DstMac };
            let domain = Domain { names: Names::Mac, width: 48, family: 0 };
            Ok((Read::Field { field, family: 0, protocol: None }, domain))
        }
        // what stands in the link header, so the type of a VLAN tag where there is one
        ("ether", "type") => Ok((Read::Raw("ll".into(), 96, 16), Domain::of(Field::EtherType))),
        ("vlan", "id") => of(Field::Vlan, 0, None),
        ("ip" | "ip6", "saddr" | "daddr") => {
            let field = if name == "saddr" { Field::SrcIp } else { Field::DstIp };
            let width = if version == 4 { 32 } else { 128 };
            let domain = Domain { names: Names::Of(field), width, family: version };
            Ok((Read::Field { field, family: version, protocol: None }, domain))
        }
        ("ip" | "ip6", "version") => Ok((Read::Version(version), number(4))),
        ("ip" | "ip6", "dscp") => of(Field::Dscp, version, None),
        ("ip" | "ip6", "ecn") => Ok((Read::Ecn(version), Domain { names: Names::Ecn, width: 2, family: 0 })),
        ("ip", "ttl") | ("ip6", "hoplimit") => of(Field::Ttl, version, None),
        ("ip", "length") => of(Field::Length, 4, None),
        ("ip6", "length") => Ok((Read::Length6, number(16))),
        ("ip6", "flowlabel") => of(Field::FlowLabel, 6, None),
        ("ip", "protocol") => of(Field::Proto, 4, None),
        ("ip6", "nexthdr") => Err("`ip6 nexthdr` looks at the first header only; `meta l4proto` is \
             what the notation tests"
            .into()),
        ("ip", "frag-off") => Ok((Read::Fragment, number(16))),
        ("tcp", "flags") => of(Field::TcpFlags, 0, Some(TCP)),
        ("th", "sport") => Ok((Read::AnyPort(Field::SrcPort), Domain::of(Field::SrcPort))),
        ("th", "dport") => Ok((Read::AnyPort(Field::DstPort), Domain::of(Field::DstPort))),
        ("tcp" | "udp" | "udplite" | "sctp" | "dccp", "sport" | "dport") => {
            let field = if name == "sport" { Field::SrcPort } else { Field::DstPort };
            let protocol = match header {
                "tcp" => TCP,
                "udp" => 17,
                "udplite" => 136,
                "sctp" => 132,
                _ => 33,
            };
            of(field, 0, Some(protocol))
        }
        ("icmp" | "icmpv6", "type" | "code") => {
            let code = name == "code";
            let field = if code { Field::IcmpCode } else { Field::IcmpType };
            let protocol = if version == 4 { ICMP } else { ICMPV6 };
            let domain = Domain { names: Names::Icmp { six: version == 6, code }, width: 8, family: 0 };
            Ok((Read::Field { field, family: version, protocol: Some(protocol) }, domain))
        }
        _ => lost(&format!("`{header} {name}`")),
    }
}

/// Adds what is read to a conjunction.
fn add(
    read: Read,
    domain: Domain,
    mask: Option<u128>,
    set: ValueSet,
    out: &mut Conjunction,
) -> Result<(), Reason> {
    let has = |n: u128| set.contains(Value::number(n));
    match (read, mask) {
        (Read::Raw(base, offset, bits), mask) => {
            let all = u64::MAX >> (64 - bits);
            let mask = mask.map_or(Some(all), |m| u64::try_from(m).ok()).ok_or("the mask is too long")?;
            // what the mask takes out can be no value
            out.raw(&base, offset, bits, mask, set.intersect(&Range::numbers(0, u128::from(mask)).into()));
        }
        (Read::Fragment, Some(mask)) => {
            out.family(4);
            out.test(Field::Fragment, fragment_of_four(mask, &set)?);
        }
        (Read::Field { field, family, protocol }, mask) => {
            let set = match mask {
                None => set,
                Some(mask) => unmasked(domain, mask, &set)?,
            };
            if family != 0 {
                out.family(family);
            }
            match protocol {
                Some(protocol) => out.of_protocol(protocol, field, set),
                None => out.test(field, set),
            }
        }
        (_, Some(_)) => return lost("that mask"),
        (Read::AnyPort(field), None) => out.any_port(field, set),
        (Read::Ecn(family), None) => {
            out.family(family);
            out.ecn(set);
        }
        (Read::Length6, None) => {
            out.family(6);
            let more = |r: &Range| Range::numbers((r.lo.bits + 40).min(0xffff), (r.hi.bits + 40).min(0xffff));
            out.test(Field::Length, ValueSet::from_ranges(set.ranges().iter().map(more)));
        }
        (Read::Version(family), None) if has(family.into()) => out.family(family),
        (Read::Family, None) => match (has(2), has(10)) {
            (true, false) => out.family(4),
            (false, true) => out.family(6),
            _ => return lost("that family"),
        },
        (Read::Exists, None) => {
            let there = has(1);
            out.pieces(Pieces { none: !there, whole: there, first: there, later: there });
        }
        (Read::More, None) => match (has(0), has(1)) {
            // a later fragment can have the flag or not
            (false, true) => out.pieces(Pieces { none: false, whole: false, first: true, later: true }),
            (true, false) => out.pieces(Pieces { none: false, whole: true, first: false, later: true }),
            _ => return lost("that flag"),
        },
        (Read::Offset, None) => {
            let zero = has(0);
            let rest = ValueSet::from(Range::numbers(1, 0xffff));
            if set.intersects(&rest) && !rest.is_subset(&set) {
                return lost("a fragment's offset");
            }
            out.pieces(Pieces { none: false, whole: zero, first: zero, later: !zero });
        }
        _ => return lost("that value"),
    }
    Ok(())
}

/// All values that are in the set under the mask.
fn unmasked(domain: Domain, mask: u128, set: &ValueSet) -> Result<ValueSet, Reason> {
    let all = domain.all();
    if domain.width <= 8 {
        let kept = |n: &u128| set.contains(Value::number(n & mask));
        return Ok(ValueSet::from_ranges((0..1 << domain.width).filter(kept).map(|n| Range::numbers(n, n))));
    }
    let most = u128::MAX >> (128 - domain.width);
    let host = most & !mask;
    let contiguous = host & host.wrapping_add(1) == 0;
    match (set.as_single(), all.subtract(set).as_single()) {
        (Some(v), _) if contiguous && v.bits & host == 0 => {
            Ok(Range::new(v, Value { bits: v.bits | host, ..v }).into())
        }
        (_, Some(v)) if contiguous && v.bits & host == 0 => {
            Ok(all.subtract(&Range::new(v, Value { bits: v.bits | host, ..v }).into()))
        }
        _ => lost("that mask"),
    }
}

/// What a test of the offset and flags of IPv4 says about fragments.
fn fragment_of_four(mask: u128, set: &ValueSet) -> Result<ValueSet, Reason> {
    let has = |n| set.contains(Value::number(n));
    let (first, later) = match mask {
        0x1fff => (0, vec![Range::numbers(1, 0x1fff)]),
        0x3fff => (0x2000, vec![Range::numbers(1, 0x1fff), Range::numbers(0x2001, 0x3fff)]),
        _ => return lost("that part of a fragment's offset and flags"),
    };
    let later = ValueSet::from_ranges(later);
    let is_later = later.is_subset(set);
    if !is_later && later.intersects(set) {
        return lost("a fragment's offset");
    }
    let accepted = [(has(0), 0), (has(first), 1), (is_later, 2)];
    Ok(ValueSet::from_ranges(accepted.into_iter().filter(|(yes, _)| *yes).map(|(_, n)| Range::numbers(n, n))))
}
