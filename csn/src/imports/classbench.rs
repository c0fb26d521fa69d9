//! Filter sets of ClassBench (Taylor and Turner, "ClassBench: A Packet Classification Benchmark", 2005).
//!
//! A line is a filter: `@source/length destination/length low : high low : high protocol/mask flags/mask`, separated by
//! white space; the sixth column is missing in older sets. All of it is about IPv4. The flags are the two octets that
//! seeds take from the transport header: for TCP the flags octet stands in the upper one, for ICMP type and code.

use super::builder::lines;
use super::{Builder, Import, Imported};
use crate::field::Field;
use crate::packet::{ICMP, TCP};
use crate::value::{Range, Value, ValueSet};
use std::net::Ipv4Addr;

/// The import `classbench`.
pub struct ClassBench;

impl Import for ClassBench {
    fn name(&self) -> &'static str {
        "classbench"
    }

    fn summary(&self) -> &'static str {
        "filter sets of ClassBench, a class for each filter"
    }

    fn example(&self) -> &'static str {
        include_str!("examples/example.classbench")
    }

    fn parse(&self, text: &str) -> Imported {
        let mut out = Builder::default();
        for (span, line) in lines(text).filter(|(_, l)| !l.trim().is_empty()) {
            match filter(line) {
                Ok(tests) => {
                    let class = out.unnamed(span);
                    out.rule(class, tests, span);
                }
                Err(Problem::Malformed(what)) => out.malformed(
                    span,
                    what,
                    "a filter is `@10.0.0.0/8 0.0.0.0/0 0 : 65535 80 : 80 0x06/0xFF 0x0000/0x0000`",
                ),
                Err(Problem::Lost(reason)) => out.lost(span, "this filter is not taken over", reason),
            }
        }
        out.finish()
    }
}

enum Problem {
    Malformed(String),
    Lost(&'static str),
}

type Tests = Vec<(Field, ValueSet)>;

fn filter(line: &str) -> Result<Tests, Problem> {
    let malformed = |what: &str| Problem::Malformed(what.to_owned());
    let line = line.trim().strip_prefix('@').ok_or_else(|| malformed("a filter starts with `@`"))?;
    let words: Vec<&str> = line.split_whitespace().filter(|w| *w != ":").collect();
    let ([source, destination, sl, sh, dl, dh, protocol]
    | [source, destination, sl, sh, dl, dh, protocol, _]) = words.as_slice()
    else {
        return Err(malformed("a filter has five or six columns"));
    };
    let (source, destination) = (prefix(source)?, prefix(destination)?);
    let mut tests = Vec::new();
    let everywhere = Range::prefix(Value { family: 4, bits: 0 }, 0);
    for (field, range) in [(Field::SrcIp, source), (Field::DstIp, destination)] {
        if range != everywhere {
            tests.push((field, range.into()));
        }
    }
    if tests.is_empty() {
        // that it is IPv4 must be said once
        tests.push((Field::SrcIp, everywhere.into()));
    }
    for (field, low, high) in [(Field::SrcPort, sl, sh), (Field::DstPort, dl, dh)] {
        let range = ports(low, high)?;
        if range != Range::numbers(0, 0xffff) {
            tests.push((field, range.into()));
        }
    }
    let (protocol, mask) = pair(protocol, 0xff)?;
    let protocol = match mask {
        0 => None,
        0xff => Some(protocol),
        _ => return Err(Problem::Lost("a mask of the protocol that is neither 0x00 nor 0xFF")),
    };
    tests.extend(protocol.map(|p| (Field::Proto, single(p))));
    if let Some(flags) = words.get(7) {
        let (value, mask) = pair(flags, 0xffff)?;
        tests.extend(flag_tests(protocol, value & mask, mask)?);
    }
    Ok(tests)
}

fn single(value: u16) -> ValueSet {
    ValueSet::single(Value::number(u128::from(value)))
}

/// What the two octets of the sixth column mean for a protocol.
fn flag_tests(protocol: Option<u16>, value: u16, mask: u16) -> Result<Tests, Problem> {
    let [high, low] = mask.to_be_bytes();
    let tests = [(high, (value >> 8) as u8), (low, value as u8)];
    let fields = match protocol.and_then(|p| u8::try_from(p).ok()) {
        _ if mask == 0 => return Ok(Vec::new()),
        Some(TCP) if low == 0 => [Field::TcpFlags, Field::TcpFlags],
        Some(ICMP) => [Field::IcmpType, Field::IcmpCode],
        Some(TCP) => return Err(Problem::Lost("the lower octet of the flags has no known meaning for TCP")),
        _ => return Err(Problem::Lost("the flags have a meaning for TCP and ICMP only")),
    };
    let masked = |mask: u8, value: u8| {
        let octets = (0..=255u8).filter(|o| o & mask == value);
        ValueSet::from_ranges(octets.map(|o| Range::numbers(o.into(), o.into())))
    };
    let tested = fields.into_iter().zip(tests).filter(|(_, (mask, _))| *mask != 0);
    Ok(tested.map(|(f, (mask, value))| (f, masked(mask, value))).collect())
}

fn prefix(text: &str) -> Result<Range, Problem> {
    let parsed = text.split_once('/').and_then(|(a, l)| {
        let (address, length): (Ipv4Addr, u32) = (a.parse().ok()?, l.parse().ok()?);
        (length <= 32).then(|| Range::prefix(Value::v4(address), length))
    });
    parsed.ok_or_else(|| Problem::Malformed(format!("`{text}` is not an IPv4 prefix")))
}

fn ports(low: &str, high: &str) -> Result<Range, Problem> {
    match (low.parse::<u16>(), high.parse::<u16>()) {
        (Ok(low), Ok(high)) if low <= high => Ok(Range::numbers(low.into(), high.into())),
        _ => Err(Problem::Malformed(format!("`{low} : {high}` is not a range of ports"))),
    }
}

/// `0x06/0xFF`.
fn pair(text: &str, most: u16) -> Result<(u16, u16), Problem> {
    let number = |t: &str| {
        let digits = t.strip_prefix("0x").or_else(|| t.strip_prefix("0X"))?;
        u16::from_str_radix(digits, 16).ok().filter(|n| *n <= most)
    };
    let parsed = text.split_once('/').and_then(|(a, b)| Some((number(a)?, number(b)?)));
    parsed.ok_or_else(|| {
        Problem::Malformed(format!("`{text}` is not a value and a mask in hexadecimal digits"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::print::test;

    #[test]
    fn all_filters_of_the_three_sets_are_taken_over() {
        for (text, count) in [
            (include_str!("../../testdata/classbench/acl1_1k"), 942),
            (include_str!("../../testdata/classbench/fw1_1k"), 857),
            (include_str!("../../testdata/classbench/ipc1_1k"), 974),
        ] {
            let read = ClassBench.parse(text);
            assert_eq!(read.diagnostics, []);
            assert_eq!(read.rules.rules.len(), count);
        }
    }

    #[test]
    fn columns_mean_what_they_say() {
        let rule = |line: &str| {
            let read = ClassBench.parse(line);
            assert_eq!(read.diagnostics, []);
            let tests: Vec<_> = read.rules.rules[0].tests.iter().map(|(f, s)| test(*f, s)).collect();
            tests.join(", ")
        };
        assert_eq!(
            rule("@10.1.0.0/16\t0.0.0.0/0\t0 : 65535\t80 : 90\t0x06/0xFF\t0x0200/0x1200\t"),
            "srcip = 10.1.0.0/16, proto = tcp, dstport = 80..90, tcpflags = syn/syn+ack"
        );
        assert_eq!(
            rule("@0.0.0.0/0 0.0.0.0/0 0 : 65535 0 : 65535 0x01/0xFF 0x0800/0xff00"),
            "srcip = 0.0.0.0/0, proto = icmp, icmptype = 8"
        );
        assert_eq!(rule("@0.0.0.0/0 1.2.3.4/32 0 : 65535 0 : 65535 0x00/0x00"), "dstip = 1.2.3.4");
    }

    #[test]
    fn what_is_not_taken_over_is_named_by_line() {
        let text = "@0.0.0.0/0 0.0.0.0/0 0 : 65535 0 : 65535 0x11/0xFF 0x0200/0x0200\n\
                    @0.0.0.0/33 0.0.0.0/0 0 : 65535 0 : 65535 0x11/0xFF 0x0000/0x0000\n\
                    @0.0.0.0/0 0.0.0.0/0 9 : 8 0 : 65535 0x11/0xFF 0x0000/0x0000\r\n\
                    @0.0.0.0/0 0.0.0.0/0 0 : 65535 0 : 65535 0x06/0xFC 0x0000/0x0000\n10.0.0.0/8\n";
        let read = ClassBench.parse(text);
        let found: Vec<_> = read.diagnostics.iter().map(|d| d.code).collect();
        assert_eq!(found, ["E502", "E501", "E501", "E502", "E501"]);
        assert!(read.rules.rules.is_empty());
        let third = read.diagnostics[2].span;
        assert!(text[third.start as usize..third.end as usize].contains("9 : 8"));
    }
}
