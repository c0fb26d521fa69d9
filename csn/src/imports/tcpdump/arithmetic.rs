//! Octets of a packet, and what is calculated with them.

use super::parser::Parser;
use super::sets::{self, Piece, Tests};
use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, TCP};
use crate::value::{Range, Value, ValueSet};

/// A number that an expression calculates.
#[derive(Clone, Debug)]
pub(super) enum Number {
    Constant(u64),
    /// The length of the frame.
    Length,
    /// Octets of a header, and what is done with them from left to right.
    Octets {
        header: String,
        at: u64,
        octets: u64,
        steps: Vec<(char, u64)>,
    },
}

/// How deep brackets may stand in each other.
const MOST_NESTED: usize = 50;
/// Fields up to this many bits are tried value by value where something is calculated.
const MOST_TRIED: u32 = 16;

const NAMES: [(&str, u64); 12] = [
    ("tcpflags", 13),
    ("icmptype", 0),
    ("icmpcode", 1),
    ("tcp-fin", 1),
    ("tcp-syn", 2),
    ("tcp-rst", 4),
    ("tcp-push", 8),
    ("tcp-ack", 16),
    ("tcp-urg", 32),
    ("tcp-ece", 64),
    ("tcp-cwr", 128),
    ("icmp-echo", 8),
];

/// A number, as written or by its name.
pub(super) fn constant(text: &str) -> Option<u64> {
    if let Some((_, n)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(*n);
    }
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().filter(|n| *n <= u64::from(u32::MAX)),
        None => text.parse::<u32>().ok().map(u64::from),
    }
}

fn apply(operator: char, a: u64, b: u64) -> u64 {
    let out = match operator {
        '+' => a + b,
        '&' => a & b,
        '|' => a | b,
        '<' => a.checked_shl(b.min(63) as u32).unwrap_or(0),
        _ => a.checked_shr(b.min(63) as u32).unwrap_or(0),
    };
    // registers have 32 bits
    out & u64::from(u32::MAX)
}

impl Parser<'_, '_> {
    /// A number; none where no number stands here.
    pub(super) fn number(&mut self, depth: usize) -> Option<Number> {
        self.operators(&["|", "&"], |p| {
            p.operators(&["<<", ">>"], |p| p.operators(&["+"], |p| p.operand(depth)))
        })
    }

    fn operators(
        &mut self,
        operators: &[&str],
        mut next: impl FnMut(&mut Self) -> Option<Number>,
    ) -> Option<Number> {
        let mut left = next(self)?;
        while let Some(o) = operators.iter().find(|o| self.take(o)) {
            let operator = o.chars().next()?;
            left = match (left, next(self)?) {
                (Number::Constant(a), Number::Constant(b)) => Number::Constant(apply(operator, a, b)),
                (Number::Octets { header, at, octets, mut steps }, Number::Constant(b)) => {
                    steps.push((operator, b));
                    Number::Octets { header, at, octets, steps }
                }
                _ => return None,
            };
        }
        Some(left)
    }

    fn operand(&mut self, depth: usize) -> Option<Number> {
        if depth > MOST_NESTED {
            return None;
        }
        if self.take("(") {
            let inner = self.number(depth + 1)?;
            return self.take(")").then_some(inner);
        }
        if self.take("len") {
            return Some(Number::Length);
        }
        let word = self.peek()?;
        if let Some(n) = constant(word) {
            self.take(word);
            return Some(Number::Constant(n));
        }
        let header =
            ["ether", "ip", "ip6", "tcp", "udp", "sctp", "icmp", "icmp6"].into_iter().find(|h| *h == word)?;
        self.take(header);
        self.take("[").then_some(())?;
        let (at, octets) = self.place(depth)?;
        self.take("]").then_some(())?;
        let (header, at) = match at {
            Number::Constant(at) => (header.to_string(), at),
            // behind the IPv4 header, whatever its length
            Number::Octets { header: h, at: 0, octets: 1, steps } if h == "ip" && header == "ip" => {
                match steps.as_slice() {
                    [('&', 0xf), ('<', 2)] => ("behind".into(), 0),
                    [('&', 0xf), ('<', 2), ('+', at)] => ("behind".into(), *at),
                    _ => return None,
                }
            }
            _ => return None,
        };
        Some(Number::Octets { header, at, octets, steps: Vec::new() })
    }

    /// `9`, `2:2`, `((ip[0] & 0xf) << 2) + 13`: where octets begin and how many they are.
    fn place(&mut self, depth: usize) -> Option<(Number, u64)> {
        let before = self.at;
        // a length sticks to the number in front of it
        let mut inner = 0usize;
        let mut end = before;
        while let Some(w) = self.words.get(end) {
            match w.text {
                "[" => inner += 1,
                "]" if inner == 0 => break,
                "]" => inner -= 1,
                t if inner == 0 && t.contains(':') => break,
                _ => {}
            }
            end += 1;
        }
        let Some((last, octets)) = self.words.get(end).and_then(|w| w.text.split_once(':')) else {
            return Some((self.number(depth + 1)?, 1));
        };
        let octets = constant(octets)?;
        let at = if last.is_empty() {
            self.number_up_to(end, depth + 1)?
        } else if end == before {
            Number::Constant(constant(last)?)
        } else {
            // `… + 2:2`: what stands in front of the sign, and the number behind it
            (self.words.get(end - 1)?.text == "+").then_some(())?;
            let Number::Octets { header, at, octets, mut steps } = self.number_up_to(end - 1, depth + 1)?
            else {
                return None;
            };
            steps.push(('+', constant(last)?));
            Number::Octets { header, at, octets, steps }
        };
        self.at = end + 1;
        [1, 2, 4].contains(&octets).then_some((at, octets))
    }

    fn number_up_to(&mut self, end: usize, depth: usize) -> Option<Number> {
        let words = &self.words[..end];
        let mut inner =
            Parser { words, at: self.at, end: self.end, qualifiers: Default::default(), depth: 0 };
        let number = inner.number(depth)?;
        (inner.at == end).then_some(number)
    }
}

/// What `left relation right` accepts.
///
/// # Errors
/// Why no rule can say it.
pub(super) fn relation(left: Number, relation: &str, right: u64) -> Result<Vec<Piece>, String> {
    let holds = |n: u64| match relation {
        "=" | "==" => n == right,
        "!=" => n != right,
        "<" => n < right,
        "<=" => n <= right,
        ">" => n > right,
        _ => n >= right,
    };
    match left {
        Number::Constant(n) => Ok(if holds(n) { sets::all() } else { Vec::new() }),
        // every frame has more octets than none
        Number::Length if right == 0 && [">=", "<"].contains(&relation) => {
            Ok(if relation == ">=" { sets::all() } else { Vec::new() })
        }
        Number::Length => Err("no field holds the length of the frame".into()),
        Number::Octets { header, at, octets, steps } => {
            let unknown = || format!("no field holds {header}[{at}:{octets}] as it is used here");
            let calculated = |n: u64| steps.iter().fold(n, |n, (o, b)| apply(*o, n, *b));
            if header == "ip" && (at, octets) == (6, 2) {
                return fragment(&calculated, &holds).ok_or_else(unknown);
            }
            let (family, field, shift) = place(&header, at, octets, &steps).ok_or_else(unknown)?;
            let plain = steps.is_empty() || shift == Shift::Label;
            let set = match shift {
                Shift::Class => class(&calculated, &holds).ok_or_else(unknown)?,
                _ if plain => ordered(field, relation, right),
                _ if field.width() <= MOST_TRIED => {
                    let less = if shift == Shift::Length { 40 } else { 0 };
                    let most = (1u64 << field.width()) - 1;
                    numbers((less..=most).filter(|n| holds(calculated(n - less))))
                }
                _ => return Err(unknown()),
            };
            let mut tests: Tests = vec![(field, set)];
            let behind = header == "behind" || header == "ip6" && at >= 40;
            if let Some(family) = family {
                tests.push((Field::SrcIp, sets::family(family)));
            }
            let protocols: &[u8] = match header.as_str() {
                "tcp" => &[TCP],
                "udp" => &[17],
                "sctp" => &[132],
                "icmp" => &[ICMP],
                "icmp6" => &[ICMPV6],
                _ => &[],
            };
            if !protocols.is_empty() {
                tests.push((Field::Proto, numbers(protocols.iter().map(|p| u64::from(*p)))));
            }
            let needs = if behind { needed(&header, at, octets) } else { None };
            Ok(sets::piece(tests, needs))
        }
    }
}

/// What a number stands for beside a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shift {
    None,
    /// The length without the IPv6 header.
    Length,
    /// The traffic class within the first two octets of IPv6.
    Class,
    /// The flow label, already cut out.
    Label,
}

/// The protocols and the family that make octets behind an IP header the field that was taken for them.
fn needed(header: &str, at: u64, octets: u64) -> Option<(u8, Vec<u8>)> {
    let family = if header == "behind" { 4 } else { 6 };
    let at = if family == 6 { at - 40 } else { at };
    let icmp = if family == 4 { ICMP } else { ICMPV6 };
    Some((
        family,
        match (at, octets) {
            (0 | 2, 2) => crate::packet::PORT_PROTOCOLS.to_vec(),
            (13, 1) => vec![TCP],
            _ => vec![icmp],
        },
    ))
}

fn place(header: &str, at: u64, octets: u64, steps: &[(char, u64)]) -> Option<(Option<u8>, Field, Shift)> {
    use Field::*;
    let behind = |at| match (at, octets) {
        (0, 2) => Some(SrcPort),
        (2, 2) => Some(DstPort),
        (13, 1) => Some(TcpFlags),
        (0, 1) => Some(IcmpType),
        (1, 1) => Some(IcmpCode),
        _ => None,
    };
    let is = |family: Option<u8>, field| Some((family, field, Shift::None));
    match (header, at, octets) {
        ("ether", 12, 2) => is(None, EtherType),
        ("ip", 1, 1) => is(Some(4), Tos),
        ("ip", 8, 1) => is(Some(4), Ttl),
        ("ip", 9, 1) => is(Some(4), Proto),
        ("ip", 2, 2) => is(Some(4), Length),
        ("ip6", 6, 1) => is(Some(6), Proto),
        ("ip6", 7, 1) => is(Some(6), Ttl),
        ("ip6", 4, 2) if steps == [('+', 40)] => Some((Some(6), Length, Shift::Length)),
        ("ip6", 0, 2) => Some((Some(6), Tos, Shift::Class)),
        ("ip6", 0, 4) if steps == [('&', 0xf_ffff)] => Some((Some(6), FlowLabel, Shift::Label)),
        ("behind", at, _) => is(Some(4), behind(at)?),
        ("ip6", at, _) if at >= 40 => is(Some(6), behind(at - 40)?),
        // these keywords of libpcap are about IPv4
        ("tcp", 0 | 2 | 13, _) | ("udp" | "sctp", 0 | 2, 2) => is(Some(4), behind(at)?),
        ("icmp", 0 | 1, 1) => is(Some(4), behind(at)?),
        ("icmp6", 0 | 1, 1) => is(Some(6), behind(at)?),
        _ => None,
    }
}

/// The values of a field that stand so to a number.
fn ordered(field: Field, relation: &str, right: u64) -> ValueSet {
    let most = (1u128 << field.width()) - 1;
    let right = u128::from(right);
    let upto = |n: u128| ValueSet::from(Range::numbers(0, n.min(most)));
    let below = |n: u128| if n == 0 { ValueSet::empty() } else { upto(n - 1) };
    let own = ValueSet::single(Value::number(right)).intersect(&field.domain());
    let all = field.domain();
    match relation {
        "=" | "==" => own,
        "!=" => all.subtract(&own),
        "<" => below(right),
        "<=" => upto(right),
        ">" => all.subtract(&upto(right)),
        _ => all.subtract(&below(right)),
    }
}

fn numbers(all: impl Iterator<Item = u64>) -> ValueSet {
    ValueSet::from_ranges(all.map(|n| Range::numbers(n.into(), n.into())))
}

/// A test of the first two octets of IPv6 as one of the traffic class; none where the flow label matters.
fn class(calculated: &dyn Fn(u64) -> u64, holds: &dyn Fn(u64) -> bool) -> Option<ValueSet> {
    let mut accepted = Vec::new();
    for class in 0..256u64 {
        let all: Vec<bool> = (0..16).map(|label| holds(calculated(0x6000 | class << 4 | label))).collect();
        if all.iter().any(|h| *h != all[0]) {
            return None;
        }
        accepted.extend(all[0].then_some(class));
    }
    Some(numbers(accepted.into_iter()))
}

/// A test of flags and offset of IPv4 as one of what kind of fragment it is; none where it is of something else.
fn fragment(calculated: &dyn Fn(u64) -> u64, holds: &dyn Fn(u64) -> bool) -> Option<Vec<Piece>> {
    let mut kinds = [None; 3];
    for n in 0..=0xffffu64 {
        let kind = match (n & 0x1fff, n & 0x2000) {
            (0, 0) => 0,
            (0, _) => 1,
            _ => 2,
        };
        let held = holds(calculated(n));
        if kinds[kind].is_some_and(|k| k != held) {
            return None;
        }
        kinds[kind] = Some(held);
    }
    let set = numbers((0..3u64).filter(|k| kinds[*k as usize] == Some(true)));
    Some(sets::piece(vec![(Field::Fragment, set), (Field::SrcIp, sets::family(4))], None))
}
