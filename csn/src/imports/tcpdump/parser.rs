//! From words to what an expression accepts.

use super::Problem;
use super::arithmetic::{Number, constant, relation};
use super::lexer::Word;
use super::sets::{self, Piece, Tests, and, not, or};
use crate::diagnostic::Span;
use crate::field::Field;
use crate::packet::{ICMP, ICMPV6, IPV4, IPV6, TCP, UDP};
use crate::value::{Range, Value, ValueSet};
use std::net::{IpAddr, Ipv4Addr};

/// Brackets within each other.
const MOST_NESTED: usize = 100;
/// Octets of a MAC address.
const MAC: usize = 6;

/// The words in front of an address or number; those that come next without any take the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Qualifiers {
    protocol: String,
    /// `src`, `dst`, `src or dst`, `src and dst`.
    direction: String,
    kind: String,
}

pub(super) struct Parser<'w, 'a> {
    pub(super) words: &'w [Word<'a>],
    pub(super) at: usize,
    pub(super) end: Span,
    pub(super) qualifiers: Qualifiers,
    pub(super) depth: usize,
}

type Read = Result<Vec<Piece>, Problem>;

/// Reads an expression that stands at `line`.
pub(super) fn parse(words: &[Word], line: Span) -> Read {
    let end = Span { start: line.end, ..line };
    let mut parser = Parser { words, at: 0, end, qualifiers: Qualifiers::default(), depth: 0 };
    let out = parser.expression()?;
    if parser.at < words.len() {
        return Err(parser.malformed("`and`, `or` or the end is expected here"));
    }
    Ok(out)
}

impl<'a> Parser<'_, 'a> {
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).map(|w| w.text)
    }

    /// Takes that word, where it comes next.
    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.peek() == Some(text);
        self.at += usize::from(found);
        found
    }

    fn any_of(&mut self, words: &[&'static str]) -> Option<&'static str> {
        words.iter().copied().find(|w| self.take(w))
    }

    fn here(&self) -> Span {
        self.words.get(self.at).map_or(self.end, |w| w.span)
    }

    fn malformed(&self, what: &str) -> Problem {
        let found = self.peek().map_or("the end".to_string(), |w| format!("`{w}`"));
        Problem::Malformed(self.here(), format!("{what}, not {found}"))
    }

    /// `and` and `or` bind alike.
    fn expression(&mut self) -> Read {
        let mut out = self.factor()?;
        loop {
            let place = self.here();
            if self.any_of(&["and", "&&"]).is_some() {
                let right = self.factor()?;
                out = and(&out, &right, place)?;
            } else if self.any_of(&["or", "||"]).is_some() {
                let right = self.factor()?;
                out = or(out, right);
            } else {
                return Ok(out);
            }
        }
    }

    fn factor(&mut self) -> Read {
        let place = self.here();
        let mut negated = false;
        while self.any_of(&["not", "!"]).is_some() {
            negated = !negated;
        }
        let inner = self.primary()?;
        if negated { not(&inner, place) } else { Ok(inner) }
    }

    fn primary(&mut self) -> Read {
        if let Some(out) = self.comparison()? {
            return Ok(out);
        }
        if self.peek() != Some("(") {
            return self.primitive();
        }
        if self.depth >= MOST_NESTED {
            return Err(Problem::Malformed(self.here(), "brackets stand in each other too deep".into()));
        }
        self.take("(");
        self.depth += 1;
        let out = self.expression()?;
        self.depth -= 1;
        if self.take(")") { Ok(out) } else { Err(self.malformed("`)` is expected here")) }
    }

    /// `ip[9] = 17`; none where no comparison stands here.
    fn comparison(&mut self) -> Result<Option<Vec<Piece>>, Problem> {
        let start = self.at;
        let place = self.here();
        let left = self.number(0);
        let relations = ["<=", ">=", "!=", "==", "=", "<", ">"];
        let (Some(left), Some(sign)) = (left, self.any_of(&relations)) else {
            self.at = start;
            return Ok(None);
        };
        let Some(Number::Constant(right)) = self.number(0) else {
            return Err(Problem::Lost(place, "no rule compares two fields of a packet".into()));
        };
        let place = place.to(self.words.get(self.at - 1).map_or(place, |w| w.span));
        relation(left, sign, right).map(Some).map_err(|reason| Problem::Lost(place, reason))
    }

    fn primitive(&mut self) -> Read {
        let place = self.here();
        if self.take("vlan") {
            let id = self.peek().and_then(constant).filter(|n| *n < 4096);
            self.at += usize::from(id.is_some());
            return Ok(one(Field::Vlan, id.map_or(Field::Vlan.domain(), sets::number)));
        }
        let unknown = ["less", "greater", "broadcast", "multicast", "gateway", "mpls", "inbound", "outbound"];
        if let Some(word) = self.any_of(&unknown) {
            return Err(Problem::Lost(place, format!("no field holds what `{word}` asks for")));
        }
        let protocols = ["ether", "ip6", "ip", "arp", "rarp", "tcp", "udp", "sctp", "icmp6", "icmp"];
        let protocol = self.any_of(&protocols);
        let direction = self.direction();
        let kind = self.any_of(&["host", "net", "portrange", "port", "proto"]);
        if protocol.is_none() && direction.is_none() && kind.is_none() {
            // a value alone has the words of the one before
            if self.qualifiers.kind.is_empty() && self.qualifiers.direction.is_empty() {
                return Err(self.malformed("a primitive such as `host`, `port` or `ip` is expected here"));
            }
        } else if let (Some(p), None, None) = (protocol, &direction, kind) {
            return Ok(of_protocol(p));
        } else {
            self.qualifiers = Qualifiers {
                protocol: protocol.unwrap_or("").into(),
                direction: direction.unwrap_or_default(),
                kind: kind.unwrap_or("host").into(),
            };
        }
        let Some(value) = self.peek() else { return Err(self.malformed("a value is expected here")) };
        let place = place.to(self.here());
        let q = self.qualifiers.clone();
        let pieces = value_of(&q, value.trim_start_matches('\\'), place)?;
        self.at += 1;
        Ok(pieces)
    }

    fn direction(&mut self) -> Option<String> {
        let first = self.any_of(&["src", "dst"])?;
        let second = if first == "src" { "dst" } else { "src" };
        let next = |i: usize| self.words.get(self.at + i).map(|w| w.text);
        for joint in ["or", "and"] {
            if next(0) == Some(joint) && next(1) == Some(second) {
                let behind = next(2);
                // `src or dst port 53`, not `src host a or dst host b`
                if behind.is_some() {
                    self.at += 2;
                    return Some(joint.into());
                }
            }
        }
        Some(first.into())
    }
}

fn one(field: Field, set: ValueSet) -> Vec<Piece> {
    sets::piece(vec![(field, set)], None)
}

/// IPv4 and IPv6 packets of these protocols.
fn of_ip(versions: &[u8], protocols: &[u8], rest: &[(Field, ValueSet)]) -> Vec<Piece> {
    let set = protocols.iter().fold(ValueSet::empty(), |s, p| s.union(&sets::number((*p).into())));
    let mut out = Vec::new();
    for v in versions {
        let mut tests: Tests = vec![(Field::SrcIp, sets::family(*v)), (Field::Proto, set.clone())];
        tests.extend_from_slice(rest);
        out = or(out, sets::piece(tests, None));
    }
    out
}

fn of_protocol(name: &str) -> Vec<Piece> {
    match name {
        "ip" => one(Field::SrcIp, sets::family(4)),
        "ip6" => one(Field::SrcIp, sets::family(6)),
        "arp" => one(Field::EtherType, sets::number(0x0806)),
        "rarp" => one(Field::EtherType, sets::number(0x8035)),
        "tcp" => of_ip(&[4, 6], &[TCP], &[]),
        "udp" => of_ip(&[4, 6], &[UDP], &[]),
        "sctp" => of_ip(&[4, 6], &[132], &[]),
        "icmp" => of_ip(&[4], &[ICMP], &[]),
        "icmp6" => of_ip(&[6], &[ICMPV6], &[]),
        _ => sets::all(),
    }
}

fn wrong<T>(place: Span, message: String) -> Result<T, Problem> {
    Err(Problem::Malformed(place, message))
}

fn value_of(q: &Qualifiers, value: &str, place: Span) -> Read {
    match (q.kind.as_str(), q.protocol.as_str()) {
        ("port" | "portrange", protocol) => {
            let Some(range) = ports(value, q.kind == "portrange") else {
                return wrong(
                    place,
                    format!("`{value}` is not a number of a port, or a range such as 80-90"),
                );
            };
            let protocols: &[u8] = match protocol {
                "tcp" => &[TCP],
                "udp" => &[UDP],
                "sctp" => &[132],
                "" => &[TCP, UDP, 132],
                other => return wrong(place, format!("`{other}` has no ports")),
            };
            let of = |field| of_ip(&[4, 6], protocols, &[(field, range.into())]);
            directed(q, of(Field::SrcPort), of(Field::DstPort), place)
        }
        ("proto", protocol) => protocol_number(protocol, value, place),
        (_, "ether") => match mac(value) {
            Some(bits) => {
                let of = |field| one(field, ValueSet::single(Value::number(bits)));
                directed(q, of(Field::SrcMac), of(Field::DstMac), place)
            }
            None => wrong(place, format!("`{value}` is not a MAC address")),
        },
        (kind, protocol) => {
            let Some(range) = network(value, kind == "net") else {
                return wrong(place, format!("`{value}` is not an address or network written in digits"));
            };
            let mut pieces = address(q, protocol, range, place)?;
            if range.lo.family == 4 && protocol.is_empty() {
                for of_arp in [0x0806, 0x8035] {
                    let tests = vec![(Field::EtherType, sets::number(of_arp))];
                    let reason = "an address alone may stand in ARP, which no field holds: write `ip host`";
                    pieces.extend(sets::lost(tests, place, reason));
                }
            }
            Ok(pieces)
        }
    }
}

fn address(q: &Qualifiers, protocol: &str, range: Range, place: Span) -> Read {
    let of = |field| one(field, range.into());
    let pieces = directed(q, of(Field::SrcIp), of(Field::DstIp), place)?;
    match (protocol, range.lo.family) {
        ("" | "ip", 4) | ("" | "ip6", 6) => Ok(pieces),
        ("arp" | "rarp", _) => Err(Problem::Lost(place, "no field holds addresses in ARP".into())),
        ("ip" | "ip6", _) => wrong(place, "the address is of the other version of IP".into()),
        // `tcp src host` and the like
        (other, _) => and(&pieces, &of_protocol(other), place),
    }
}

fn directed(q: &Qualifiers, source: Vec<Piece>, destination: Vec<Piece>, place: Span) -> Read {
    match q.direction.as_str() {
        "src" => Ok(source),
        "dst" => Ok(destination),
        "and" => and(&source, &destination, place),
        _ => Ok(or(source, destination)),
    }
}

fn protocol_number(protocol: &str, value: &str, place: Span) -> Read {
    let named = [
        ("icmp", 1),
        ("tcp", 6),
        ("udp", 17),
        ("icmp6", 58),
        ("sctp", 132),
        ("ip", 0x0800),
        ("ip6", 0x86dd),
        ("arp", 0x0806),
    ];
    let number = named.iter().find(|(n, _)| *n == value).map(|(_, n)| *n).or_else(|| constant(value));
    let Some(number) = number.filter(|n| *n <= 0xffff) else {
        return wrong(place, format!("`{value}` is not a protocol"));
    };
    if protocol == "ether" {
        return Ok(match number as u16 {
            IPV4 => of_protocol("ip"),
            IPV6 => of_protocol("ip6"),
            n => one(Field::EtherType, sets::number(n.into())),
        });
    }
    let Ok(number) = u8::try_from(number) else {
        return wrong(place, format!("`{value}` is not a protocol of IP"));
    };
    match protocol {
        "ip" => Ok(of_ip(&[4], &[number], &[])),
        "ip6" => Ok(of_ip(&[6], &[number], &[])),
        "" => Ok(of_ip(&[4, 6], &[number], &[])),
        other => wrong(place, format!("`{other} proto` means nothing")),
    }
}

fn ports(text: &str, range: bool) -> Option<Range> {
    let (low, high) = if range { text.split_once('-')? } else { (text, text) };
    let (low, high): (u16, u16) = (low.parse().ok()?, high.parse().ok()?);
    (low <= high).then(|| Range::numbers(low.into(), high.into()))
}

fn mac(text: &str) -> Option<u128> {
    let octets: Vec<u8> =
        text.split([':', '-', '.']).map(|o| u8::from_str_radix(o, 16).ok()).collect::<Option<_>>()?;
    (octets.len() == MAC).then(|| octets.iter().fold(0, |n, o| n << 8 | u128::from(*o)))
}

/// An address, or a network: `10`, `10.1`, `10.0.0.0/8`, `2001:db8::/32`. Bits behind the prefix are an error.
fn network(text: &str, net: bool) -> Option<Range> {
    let (base, length) = match text.split_once('/') {
        Some((base, length)) => (base, Some(length.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let parts = base.split('.').count() as u32;
    let dotted = !base.contains(':') && parts < 4;
    let filled = if dotted { format!("{base}{}", ".0".repeat(4 - parts as usize)) } else { base.into() };
    if dotted && !net {
        return None;
    }
    let address: IpAddr = filled.parse().ok().or_else(|| filled.parse::<Ipv4Addr>().ok().map(IpAddr::V4))?;
    let value = Value::ip(address);
    let width = if value.family == 4 { 32 } else { 128 };
    let length = length.unwrap_or(if dotted { 8 * parts } else { width });
    let range = (length <= width).then(|| Range::prefix(value, length))?;
    (range.lo == value).then_some(range)
}
