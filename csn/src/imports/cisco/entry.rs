//! One entry of an access list.

use super::names::{self, number};
use super::options::option;
use super::{Problem, Tests, lost, malformed};
use crate::field::Field;
use crate::packet::{EXTENSIONS, ICMP, ICMPV6, TCP, UDP};
use crate::value::{Range, Value, ValueSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Wildcards with more ranges of addresses than this are not taken over.
const MOST_RANGES: u32 = 1024;

/// An entry.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) permit: bool,
    pub(super) log: bool,
    /// Tests that later fragments can pass.
    pub(super) header: Tests,
    /// Tests of the transport header.
    pub(super) transport: Tests,
}

/// The words of an entry that are not yet read.
pub(super) struct Words<'a>(pub(super) &'a [&'a str]);

impl<'a> Words<'a> {
    pub(super) fn peek(&self) -> Option<&'a str> {
        self.0.first().copied()
    }

    pub(super) fn next(&mut self, what: &str) -> Result<&'a str, Problem> {
        let Some((first, rest)) = self.0.split_first() else {
            return malformed(format!("the entry ends where {what} must follow"));
        };
        self.0 = rest;
        Ok(first)
    }
}

/// What an entry is about: the IP version and the protocol, where it names one.
#[derive(Clone, Copy)]
pub(super) struct About {
    pub(super) family: u8,
    pub(super) protocol: Option<u8>,
}

impl About {
    fn has_ports(self) -> bool {
        self.protocol.is_some_and(|p| [TCP, UDP, 132].contains(&p))
    }

    pub(super) fn is_icmp(self) -> bool {
        self.protocol == Some(if self.family == 4 { ICMP } else { ICMPV6 })
    }
}

/// Reads `permit tcp any any eq 80`.
pub(super) fn entry(words: &[&str], family: u8) -> Result<Entry, Problem> {
    let mut words = Words(words);
    let permit = match words.next("`permit` or `deny`")? {
        "permit" => true,
        "deny" => false,
        "evaluate" | "dynamic" => return lost("entries that a router makes at run time are not known"),
        other => return malformed(format!("`{other}` is neither `permit` nor `deny`")),
    };
    let mut out = Entry { permit, ..Entry::default() };
    let protocol = protocol(words.next("a protocol")?, family)?;
    let about = About { family, protocol };
    out.header.extend(protocol.map(|p| (Field::Proto, single(p.into()))));
    let everywhere = Range::prefix(Value { family, bits: 0 }, 0).into();
    for (address_field, port_field) in [(Field::SrcIp, Field::SrcPort), (Field::DstIp, Field::DstPort)] {
        let set = address(&mut words, family)?;
        if set != everywhere {
            out.header.push((address_field, set));
        }
        if about.has_ports()
            && let Some(set) = comparison(&mut words, 0xffff, |w| names::port(about.protocol, w))?
        {
            out.transport.push((port_field, set));
        }
    }
    if out.header.iter().all(|(f, _)| !f.is_address()) {
        // that it is of this IP version must be said once
        out.header.push((Field::SrcIp, everywhere));
    }
    while words.peek().is_some() {
        option(&mut words, about, &mut out)?;
    }
    let fragments = out.header.iter().any(|(f, _)| *f == Field::Fragment);
    if fragments && !out.transport.is_empty() {
        return malformed("`fragments` does not go with tests of ports, flags or types");
    }
    Ok(out)
}

pub(super) fn single(value: u32) -> ValueSet {
    ValueSet::single(Value::number(value.into()))
}

fn protocol(word: &str, family: u8) -> Result<Option<u8>, Problem> {
    let whole = if family == 4 { "ip" } else { "ipv6" };
    if word == whole {
        return Ok(None);
    }
    if word.starts_with("object-group") {
        return lost("object groups are not followed");
    }
    let number = match (word, family) {
        ("icmp", 6) => Some(u32::from(ICMPV6)),
        _ => number(word, 255, names::PROTOCOLS),
    };
    let Some(number) = number.and_then(|n| u8::try_from(n).ok()) else {
        return malformed(format!("`{word}` is not a protocol"));
    };
    if family == 6 && EXTENSIONS.contains(&number) {
        return lost("it is an extension header of IPv6, which the notation looks behind");
    }
    Ok(Some(number))
}

/// `any`, `host A`, and an address with its wildcard or length.
fn address(words: &mut Words<'_>, family: u8) -> Result<ValueSet, Problem> {
    let first = words.next("an address")?;
    let parse = |text: &str| match family {
        4 => text.parse::<Ipv4Addr>().ok().map(Value::v4),
        _ => text.parse::<Ipv6Addr>().ok().map(Value::v6),
    };
    let width = if family == 4 { 32 } else { 128 };
    let wrong = |text: &str| Problem::Malformed(format!("`{text}` is not an IPv{family} address"));
    match first {
        "any" | "any4" | "any6" => Ok(Range::prefix(Value { family, bits: 0 }, 0).into()),
        "host" => {
            let text = words.next("an address")?;
            Ok(ValueSet::single(parse(text).ok_or_else(|| wrong(text))?))
        }
        "object-group" | "addrgroup" => lost("object groups are not followed"),
        text => match text.split_once('/') {
            Some((address, length)) => {
                let address = parse(address).ok_or_else(|| wrong(text))?;
                let length = length.parse::<u32>().ok().filter(|l| *l <= width).ok_or_else(|| wrong(text))?;
                Ok(Range::prefix(address, length).into())
            }
            None if family == 4 => {
                let address = parse(text).ok_or_else(|| wrong(text))?;
                let wildcard = words.next("a wildcard")?;
                let wildcard = parse(wildcard).ok_or_else(|| wrong(wildcard))?;
                under_wildcard(address.bits as u32, wildcard.bits as u32)
            }
            None => Err(wrong(text)),
        },
    }
}

/// The addresses that equal `address` where the bits of the wildcard are zero.
fn under_wildcard(address: u32, wildcard: u32) -> Result<ValueSet, Problem> {
    let host = wildcard.trailing_ones();
    let within = if host == 32 { u32::MAX } else { (1 << host) - 1 };
    let free = wildcard & !within;
    if free.count_ones() > MOST_RANGES.ilog2() {
        return lost(format!("its wildcard stands for more than {MOST_RANGES} ranges of addresses"));
    }
    let base = address & !wildcard;
    let mut ranges = Vec::new();
    // every subset of the free bits, by counting through them
    let mut subset = 0u32;
    loop {
        let lo = base | subset;
        let value = |bits: u32| Value { family: 4, bits: bits.into() };
        ranges.push(Range::new(value(lo), value(lo | within)));
        subset = (subset | !free).wrapping_add(1) & free;
        if subset == 0 {
            return Ok(ValueSet::from_ranges(ranges));
        }
    }
}

/// `eq 80 443`, `neq 80`, `lt 80`, `gt 80`, `range 80 90`; none where something else follows.
pub(super) fn comparison(
    words: &mut Words<'_>,
    most: u32,
    read: impl Fn(&str) -> Option<u32>,
) -> Result<Option<ValueSet>, Problem> {
    let Some(operator @ ("eq" | "neq" | "lt" | "gt" | "range")) = words.peek() else {
        return Ok(None);
    };
    words.next("an operator")?;
    let value = |words: &mut Words<'_>| {
        let word = words.next("a value")?;
        read(word)
            .filter(|n| *n <= most)
            .ok_or_else(|| Problem::Malformed(format!("`{word}` is not a value here")))
    };
    let first = value(words)?;
    let numbers = |lo: u32, hi: u32| Range::numbers(lo.into(), hi.into());
    let several = |words: &mut Words<'_>| {
        let mut ranges = vec![numbers(first, first)];
        while let Some(next) = words.peek().and_then(&read).filter(|n| *n <= most) {
            words.next("a value")?;
            ranges.push(numbers(next, next));
        }
        Ok(ValueSet::from_ranges(ranges))
    };
    let whole = ValueSet::from(numbers(0, most));
    let set = match operator {
        "eq" => several(words)?,
        "neq" => whole.subtract(&several(words)?),
        "lt" if first > 0 => numbers(0, first - 1).into(),
        "gt" if first < most => numbers(first + 1, most).into(),
        "lt" | "gt" => return malformed(format!("nothing is `{operator} {first}`")),
        _ => {
            let last = value(words)?;
            numbers(first.min(last), first.max(last)).into()
        }
    };
    Ok(Some(set))
}
