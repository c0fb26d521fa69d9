//! What expressions accept: conjunctions of tests, and how they are combined.

use super::Problem;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::geometry::rule_regions;
use crate::packet::{ICMP, ICMPV6, IPV4, IPV6, MPLS_TYPES, PORT_PROTOCOLS, TCP, fragment};
use crate::ruleset::{ClassId, Rule};
use crate::value::{Range, Value, ValueSet};

/// A conjunction, by ascending field.
pub(super) type Tests = Vec<(Field, ValueSet)>;

/// A conjunction with what is not certain about it yet.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) tests: Tests,
    /// Octets behind the IP header are the fields of `tests` only for this IP version, these protocols, and where that
    /// header is there.
    needs: Vec<(u8, Vec<u8>)>,
    /// Why no rule can say it, where it accepts anything at all in the end.
    lost: Option<(Span, String)>,
}

/// Conjunctions that an expression may become.
const MOST: usize = 20_000;

/// What an alternative looks like that takes everything.
pub(super) fn all() -> Vec<Piece> {
    vec![Piece { tests: Vec::new(), needs: Vec::new(), lost: None }]
}

/// A conjunction; nothing where it contradicts itself.
pub(super) fn piece(tests: Tests, needs: Option<(u8, Vec<u8>)>) -> Vec<Piece> {
    let mut out = Vec::new();
    for (field, set) in tests {
        narrow(&mut out, field, &set);
    }
    let piece = Piece { tests: out, needs: needs.into_iter().collect(), lost: None };
    if piece.tests.iter().any(|(_, s)| s.is_empty()) { Vec::new() } else { vec![piece] }
}

/// One that no rule can say.
pub(super) fn lost(tests: Tests, span: Span, reason: &str) -> Vec<Piece> {
    let mut out = piece(tests, None);
    out.iter_mut().for_each(|p| p.lost = Some((span, reason.into())));
    out
}

/// All addresses of an IP version.
pub(super) fn family(family: u8) -> ValueSet {
    Range::prefix(Value { family, bits: 0 }, 0).into()
}

pub(super) fn number(n: u64) -> ValueSet {
    ValueSet::single(Value::number(n.into()))
}

fn narrow(tests: &mut Tests, field: Field, set: &ValueSet) {
    match tests.binary_search_by_key(&field, |(f, _)| *f) {
        Ok(i) => tests[i].1 = tests[i].1.intersect(set),
        Err(i) => tests.insert(i, (field, set.clone())),
    }
}

/// Whether any packet satisfies the tests. The length is left aside: expressions do not ask whether it has room for the
/// headers.
fn possible(tests: &Tests) -> bool {
    let shown = tests.iter().filter(|(f, _)| *f != Field::Length).cloned().collect();
    let rule = Rule { class: ClassId::OTHERS, tests: shown, both: false, span: Span::default() };
    tests.iter().all(|(_, s)| !s.is_empty()) && !rule_regions(&rule).is_empty()
}

/// What both accept.
pub(super) fn and(a: &[Piece], b: &[Piece], place: Span) -> Result<Vec<Piece>, Problem> {
    let mut out = Vec::new();
    for left in a {
        for right in b {
            let mut both = left.clone();
            for (field, set) in &right.tests {
                narrow(&mut both.tests, *field, set);
            }
            both.needs.extend(right.needs.iter().cloned());
            both.lost = both.lost.or_else(|| right.lost.clone());
            if possible(&both.tests) {
                out = or(out, vec![both]);
            }
            if out.len() > MOST {
                let reason = format!("it stands for more than {MOST} conjunctions");
                return Err(Problem::Lost(place, reason));
            }
        }
    }
    Ok(out)
}

/// What either accepts. Two that differ in one field are one, addresses of different versions left apart.
pub(super) fn or(mut a: Vec<Piece>, b: Vec<Piece>) -> Vec<Piece> {
    for piece in b {
        a.push(piece);
        while let [.., before, last] = a.as_mut_slice() {
            let alike = before.needs == last.needs
                && before.lost == last.lost
                && before.tests.len() == last.tests.len()
                && before.tests.iter().zip(&last.tests).all(|((f, _), (g, _))| f == g);
            let pairs = before.tests.iter().zip(&last.tests).enumerate();
            let mut differing = pairs.filter(|(_, (a, b))| a != b).map(|(i, _)| i);
            match (alike, differing.next(), differing.next()) {
                (true, None, _) => {}
                (true, Some(i), None) => {
                    let union = before.tests[i].1.union(&last.tests[i].1);
                    let family = |r: &Range| r.lo.family;
                    let mixed = union.ranges().windows(2).any(|w| family(&w[0]) != family(&w[1]));
                    if mixed {
                        break;
                    }
                    before.tests[i].1 = union;
                }
                _ => break,
            }
            a.pop();
        }
    }
    a
}

/// What an expression does not accept.
pub(super) fn not(pieces: &[Piece], place: Span) -> Result<Vec<Piece>, Problem> {
    let mut out = all();
    for piece in pieces {
        if let Some((span, reason)) = &piece.lost {
            // what is outside of it cannot be said either, but for what lies outside of its tests
            let mut outside = outside_of(&piece.tests, place);
            outside.extend(lost(piece.tests.clone(), *span, reason));
            out = and(&out, &outside, place)?;
            continue;
        }
        if !piece.needs.is_empty() && !settled(piece) {
            let reason = "the octets behind the IP header are no field without a test of the protocol";
            return Err(Problem::Lost(place, reason.into()));
        }
        out = and(&out, &outside_of(&piece.tests, place), place)?;
    }
    Ok(out)
}

/// The alternatives of packets that fail some test: with another value, or without the field.
fn outside_of(tests: &Tests, place: Span) -> Vec<Piece> {
    let mut out = Vec::new();
    for (field, set) in tests {
        let rest = field.domain().subtract(set);
        // each version of IP by itself
        for part in [0, 4, 6] {
            let own = ValueSet::from_ranges(rest.ranges().iter().filter(|r| r.lo.family == part).copied());
            out.extend(piece(vec![(*field, own)], None));
        }
        if *field == Field::Vlan {
            out.extend(lost(Vec::new(), place, "no test asks whether a frame has no VLAN tag"));
        }
        for tests in lacking(*field) {
            out.extend(piece(tests, None));
        }
    }
    out
}

/// How rules say that a packet does not have a field. VLAN tags, labels and interfaces have no such tests.
fn lacking(field: Field) -> Vec<Tests> {
    let types = [IPV4, IPV6].into_iter().chain(MPLS_TYPES).map(|t| number(t.into()));
    let other = types.fold(Field::EtherType.domain(), |all, t| all.subtract(&t));
    let no_ip = vec![(Field::EtherType, other)];
    let not_of = |of: u8, protocols: &[u8]| {
        let known = protocols.iter().fold(ValueSet::empty(), |s, p| s.union(&number((*p).into())));
        vec![(Field::SrcIp, family(of)), (Field::Proto, Field::Proto.domain().subtract(&known))]
    };
    let later = vec![(Field::Fragment, number(fragment::LATER as u64))];
    match field {
        f if f < Field::SrcIp => Vec::new(),
        Field::SrcPort | Field::DstPort => {
            vec![not_of(4, &PORT_PROTOCOLS), not_of(6, &PORT_PROTOCOLS), later, no_ip]
        }
        Field::TcpFlags => vec![not_of(4, &[TCP]), not_of(6, &[TCP]), later, no_ip],
        Field::IcmpType | Field::IcmpCode => vec![not_of(4, &[ICMP]), not_of(6, &[ICMPV6]), later, no_ip],
        Field::FlowLabel => vec![vec![(Field::SrcIp, family(4))], no_ip],
        _ => vec![no_ip],
    }
}

fn test(tests: &Tests, field: Field) -> Option<&ValueSet> {
    tests.iter().find(|(f, _)| *f == field).map(|(_, s)| s)
}

/// Whether octets behind the IP header are what they were taken for.
fn settled(piece: &Piece) -> bool {
    let whole = number(0).union(&number(1));
    piece.needs.iter().all(|(family, protocols)| {
        let known = protocols.iter().fold(ValueSet::empty(), |s, p| s.union(&number((*p).into())));
        let fragment =
            *family == 6 || test(&piece.tests, Field::Fragment).is_some_and(|s| s.is_subset(&whole));
        fragment && test(&piece.tests, Field::Proto).is_some_and(|s| s.is_subset(&known))
    })
}

/// The rules of an expression: those without an IP header first, then IPv4, then IPv6.
pub(super) fn rules(pieces: Vec<Piece>, place: Span) -> Result<Vec<Tests>, Problem> {
    let mut out: [Vec<Piece>; 3] = Default::default();
    for mut piece in pieces {
        if let Some((span, reason)) = piece.lost {
            return Err(Problem::Lost(span, reason));
        }
        if !settled(&piece) {
            let reason = "octets behind the IP header are tested without the protocol, or in later fragments";
            return Err(Problem::Lost(place, reason.into()));
        }
        piece.needs.clear();
        simplify(&mut piece.tests);
        let of = [Field::SrcIp, Field::DstIp].iter().find_map(|f| test(&piece.tests, *f));
        let version = match of.and_then(|s| s.ranges().first()).map(|r| r.lo.family) {
            Some(4) => 1,
            Some(_) => 2,
            None => 0,
        };
        out[version] = or(std::mem::take(&mut out[version]), vec![piece]);
    }
    // what takes all packets of a kind leaves nothing for other rules
    if out[0].iter().any(|p| p.tests.is_empty()) {
        return Ok(vec![Vec::new()]);
    }
    for (place, version) in [(1, 4), (2, 6)] {
        let whole = vec![(Field::SrcIp, family(version))];
        if out[place].iter().any(|p| p.tests == whole) {
            out[place].retain(|p| p.tests == whole);
        }
    }
    Ok(out.into_iter().flatten().map(|p| p.tests).collect())
}

/// Leaves out what other tests say already.
fn simplify(tests: &mut Tests) {
    for family_tests in [Field::SrcIp, Field::DstIp] {
        let other = family_tests.reversed();
        let own = test(tests, family_tests).cloned();
        for version in [4, 6] {
            // both addresses are of one version
            if own.as_ref().is_some_and(|s| s.is_subset(&family(version))) && test(tests, other).is_some() {
                narrow(tests, other, &family(version));
            }
        }
    }
    let whole = |s: &ValueSet| [4, 6].iter().any(|v| *s == family(*v));
    for (field, other) in [(Field::DstIp, Field::SrcIp), (Field::SrcIp, Field::DstIp)] {
        if test(tests, other).is_some() && test(tests, field).is_some_and(whole) {
            tests.retain(|(f, _)| *f != field);
        }
    }
    if let Some(s) =
        test(tests, Field::DstIp).filter(|s| whole(s) && test(tests, Field::SrcIp).is_none()).cloned()
    {
        tests.retain(|(f, _)| *f != Field::DstIp);
        narrow(tests, Field::SrcIp, &s);
    }
    // what an address says of the EtherType
    for (version, own) in [(4, IPV4), (6, IPV6)] {
        let is = |f| test(tests, f).is_some_and(|s| s.is_subset(&family(version)));
        if is(Field::SrcIp) || is(Field::DstIp) {
            let types = [own].into_iter().chain(MPLS_TYPES);
            let implied = types.fold(ValueSet::empty(), |all, t| all.union(&number(t.into())));
            tests.retain(|(f, s)| *f != Field::EtherType || !implied.is_subset(s));
        }
    }
    let transport = tests.iter().any(|(f, _)| *f >= Field::SrcPort);
    if transport {
        let whole = number(0).union(&number(1));
        tests.retain(|(f, s)| *f != Field::Fragment || !whole.is_subset(s));
    }
}
