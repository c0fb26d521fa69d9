//! Checks of what rules mean.

use crate::codes;
use crate::diagnostic::{Diagnostic, Span};
use crate::field::Field;
use crate::geometry;
use crate::mix::TrafficMix;
use crate::packet::{self, ICMP, ICMPV6, IPV4, IPV6, MPLS_TYPES, PORT_PROTOCOLS, TCP, fragment};
use crate::ruleset::{ClassId, RuleSet};
use crate::value::{Range, Value, ValueSet};

/// What a test of one field says about packets as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aspect {
    /// The IP version, 4 or 6.
    Version,
    /// The EtherType behind VLAN tags.
    EtherType,
    /// The IP protocol.
    Proto,
    /// The value of [`Field::Fragment`].
    Fragment,
    /// The code point.
    Dscp,
}

fn numbers(of: impl IntoIterator<Item = u128>) -> ValueSet {
    ValueSet::from_ranges(of.into_iter().map(|n| Range::numbers(n, n)))
}

/// IP versions among the addresses of a set.
fn versions(set: &ValueSet) -> ValueSet {
    numbers(set.ranges().iter().map(|r| u128::from(r.lo.family)))
}

/// What packets must be that have the field with one of these values (see [`crate::packet`]).
fn implied(field: Field, set: &ValueSet) -> Vec<(Aspect, ValueSet)> {
    let unfragmented = (Aspect::Fragment, numbers([fragment::NO, fragment::FIRST]));
    let mut out = Vec::new();
    match field {
        Field::SrcIp | Field::DstIp => out.push((Aspect::Version, versions(set))),
        Field::EtherType => out.push((Aspect::EtherType, set.clone())),
        Field::Proto => out.push((Aspect::Proto, set.clone())),
        Field::Fragment => out.push((Aspect::Fragment, set.clone())),
        Field::Dscp => out.push((Aspect::Dscp, set.clone())),
        Field::Tos => {
            let octets = set.ranges().iter().map(|r| Range::numbers(r.lo.bits >> 2, r.hi.bits >> 2));
            out.push((Aspect::Dscp, ValueSet::from_ranges(octets)));
        }
        Field::FlowLabel => out.push((Aspect::Version, numbers([6]))),
        Field::Mpls => out.push((Aspect::EtherType, numbers(MPLS_TYPES.map(u128::from)))),
        Field::SrcPort | Field::DstPort => {
            out.push((Aspect::Proto, numbers(PORT_PROTOCOLS.map(u128::from))));
            out.push(unfragmented);
        }
        Field::TcpFlags => {
            out.push((Aspect::Proto, numbers([u128::from(TCP)])));
            out.push(unfragmented);
        }
        Field::IcmpType | Field::IcmpCode => {
            out.push((Aspect::Proto, numbers([ICMP, ICMPV6].map(u128::from))));
            out.push(unfragmented);
        }
        _ => {}
    }
    if is_ip(field) {
        let carriers = [IPV4, IPV6, MPLS_TYPES[0], MPLS_TYPES[1]];
        out.push((Aspect::EtherType, numbers(carriers.map(u128::from))));
    }
    out
}

/// Whether only IP packets have the field.
fn is_ip(field: Field) -> bool {
    field >= Field::SrcIp
}

/// What several aspects together say about another.
fn derived(known: &[(Aspect, ValueSet)], has_icmp: bool) -> Vec<(Aspect, ValueSet)> {
    let single =
        |aspect| known.iter().find(|(a, _)| *a == aspect).and_then(|(_, s)| s.as_single()).map(|v| v.bits);
    let mut out = Vec::new();
    match single(Aspect::EtherType) {
        Some(t) if t == u128::from(IPV4) => out.push((Aspect::Version, numbers([4]))),
        Some(t) if t == u128::from(IPV6) => out.push((Aspect::Version, numbers([6]))),
        _ => {}
    }
    if has_icmp {
        match single(Aspect::Version) {
            Some(4) => out.push((Aspect::Proto, numbers([u128::from(ICMP)]))),
            Some(6) => out.push((Aspect::Proto, numbers([u128::from(ICMPV6)]))),
            _ => {}
        }
    }
    out
}

/// The first two tests of a rule that exclude each other in every packet. `spans` holds their places.
pub(crate) fn contradiction(tests: &[(Field, ValueSet)], spans: &[(Field, Span)]) -> Option<Diagnostic> {
    let mut known: Vec<(Aspect, ValueSet)> = Vec::new();
    let has_icmp = tests.iter().any(|(f, _)| matches!(f, Field::IcmpType | Field::IcmpCode));
    // in the order of writing: the later of the two is where the mistake shows
    for (at, (field, span)) in spans.iter().enumerate() {
        let (_, set) = tests.iter().find(|(f, _)| f == field)?;
        let mut news = implied(*field, set);
        for _ in 0..2 {
            for (aspect, set) in std::mem::take(&mut news) {
                let left = match known.iter_mut().find(|(a, _)| *a == aspect) {
                    Some((_, k)) => {
                        *k = k.intersect(&set);
                        k.is_empty()
                    }
                    None => {
                        known.push((aspect, set));
                        false
                    }
                };
                if left {
                    return Some(contradict(tests, &spans[..at], aspect, *field, *span));
                }
            }
            news = derived(&known, has_icmp);
        }
        for (aspect, set) in news {
            if known.iter().any(|(a, k)| *a == aspect && k.intersect(&set).is_empty()) {
                return Some(contradict(tests, &spans[..at], aspect, *field, *span));
            }
        }
    }
    None
}

fn contradict(
    tests: &[(Field, ValueSet)],
    earlier: &[(Field, Span)],
    aspect: Aspect,
    field: Field,
    span: Span,
) -> Diagnostic {
    let says = |f: &Field| {
        let set = tests.iter().find(|(t, _)| t == f).map(|(_, s)| s);
        set.is_some_and(|s| implied(*f, s).iter().any(|(a, _)| *a == aspect))
    };
    // the test that says something about the same, else the one before
    let other = earlier.iter().find(|(f, _)| says(f)).or(earlier.last());
    let about = match aspect {
        Aspect::Version => "one needs IPv4, the other IPv6",
        Aspect::EtherType => "the EtherType does not carry the other field",
        Aspect::Proto if field == Field::Proto || other.is_some_and(|(f, _)| *f == Field::Proto) => {
            "packets of the protocol do not have the other field"
        }
        Aspect::Proto => "no protocol has both fields",
        Aspect::Fragment => "later fragments have no transport header",
        Aspect::Dscp => "the code point is part of the octet",
    };
    let mut found = Diagnostic::new(
        &codes::CONTRADICTION,
        span,
        match other {
            Some((f, _)) => format!("`{field}` and `{f}` exclude each other here"),
            None => format!("`{field}` excludes itself here"),
        },
        about,
        "take one of the tests out, or make two rules",
    );
    if let Some((_, place)) = other {
        found.relate(*place, "the other test");
    }
    found
}

/// The EtherType of packets with that address.
pub(crate) fn ether_type_of(address: Value) -> u16 {
    if address.family == 4 { packet::IPV4 } else { packet::IPV6 }
}

/// Checks of a whole rule set and its traffic, made once all rules stand: classes without rules, and what takes
/// geometry (rules that earlier ones cover, overlaps, traffic that cannot be made). `complete` says that no rule is
/// missing because of an error.
pub(crate) fn rule_set(rules: &RuleSet, mix: &TrafficMix, complete: bool, out: &mut Vec<Diagnostic>) {
    if !complete {
        return;
    }
    let mut has_rule = vec![false; rules.classes.len()];
    has_rule[ClassId::OTHERS.index()] = true;
    rules.rules.iter().for_each(|r| has_rule[r.class.index()] = true);
    for (class, _) in rules.classes.iter().zip(&has_rule).filter(|(_, has)| !**has) {
        out.push(Diagnostic::new(
            &codes::EMPTY_CLASS,
            class.span,
            format!("class {} has no rule", class.label()),
            "nothing is counted as it, and it gets no traffic",
            "add a rule, or take the class out",
        ));
    }
    out.extend(geometry::diagnostics(rules, mix));
}
