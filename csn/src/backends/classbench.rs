//! Filter sets of ClassBench, as the import of the same name reads them.
//!
//! **What is made.** A line for each combination of an IPv4 prefix, a range of ports, a protocol and a value under a mask
//! of the TCP flags or of ICMP type and code. The lines stand in the order of the rules, and the first that matches
//! decides. The label of a line is its number, from 1: several lines can be of one class.
//!
//! **What is lost.** The format knows IPv4 only, so a rule must have a test of an address, and no packet of IPv6 may pass
//! it. It knows no fields but addresses, protocol, ports, TCP flags, ICMP type and code; and where ports or flags may have any
//! value, it does not ask that the packet has them.

use super::alternatives::{Alternative, alternatives};
use super::cubes::{Cube, combinations, cubes, expansion, product};
use super::{Backend, Emitted, Loss, Options};
use crate::field::Field;
use crate::packet::{ICMP, TCP};
use crate::ruleset::RuleSet;
use crate::value::{Range, Value, ValueSet};

/// The most lines that one direction of a rule may need.
pub const MOST_LINES: usize = 4096;

/// The back end `classbench`.
pub struct ClassBench;

impl Backend for ClassBench {
    fn name(&self) -> &'static str {
        "classbench"
    }

    fn summary(&self) -> &'static str {
        "filter set of ClassBench, with a line or more for each rule"
    }

    fn example(&self) -> &'static str {
        include_str!("examples/example.classbench")
    }

    fn emit(&self, rules: &RuleSet, _: &Options) -> Emitted {
        let mut out = Emitted::default();
        let mut written = 0;
        for of_rule in alternatives(rules).chunk_by(|a, b| a.rule == b.rule) {
            let (rule, class) = (of_rule[0].rule, of_rule[0].class);
            match of_rule.iter().map(lines).collect::<Result<Vec<_>, _>>() {
                Ok(lines) => {
                    written += 1;
                    for line in lines.concat() {
                        out.artefact += &line;
                        out.entries += 1;
                        out.labels.push((out.entries.to_string(), class));
                    }
                }
                Err(reason) => out.losses.push(Loss { rule, reason: format!("left out: {reason}") }),
            }
        }
        let why = "a line has one prefix, range or mask in a column";
        out.notes.extend(expansion(written, out.entries, "lines", why));
        if out.artefact.is_empty() {
            out.artefact.push('\n');
        }
        out
    }
}

fn lines(a: &Alternative) -> Result<Vec<String>, String> {
    if let Some((f, _)) = a.tests.iter().find(|(f, s)| !column(*f) && !always(*f, s)) {
        return Err(format!("there is no column for {f}"));
    }
    let four_only = |f: Field| a.test(f).is_some_and(|s| s.ranges().iter().all(|r| r.lo.family == 4));
    if !four_only(Field::SrcIp) && !four_only(Field::DstIp) {
        return Err("the filters are about IPv4 only, and the rule matches other packets too".into());
    }
    let Some(a) = a.for_ip(4) else {
        return Ok(Vec::new());
    };
    let networks = |f: Field| match a.test(f) {
        Some(set) => set.prefixes(32).iter().map(|p| format!("{}/{}", p.value, p.len)).collect(),
        None => vec!["0.0.0.0/0".to_owned()],
    };
    let lists = [
        networks(Field::SrcIp),
        networks(Field::DstIp),
        ports(&a, Field::SrcPort),
        ports(&a, Field::DstPort),
    ];
    presence(&a)?;
    let lists = [lists.to_vec(), vec![protocols_and_flags(&a)]].concat();
    let count = combinations(&lists);
    if count > MOST_LINES {
        return Err(format!("it would need {count} lines, more than {MOST_LINES}"));
    }
    let mut out = Vec::with_capacity(count);
    product(&lists, |items| {
        let columns: Vec<&str> = items.iter().map(|s| s.as_str()).collect();
        out.push(format!("@{}\t\n", columns.join("\t")));
    });
    Ok(out)
}

/// Whether a column is about the field.
fn column(field: Field) -> bool {
    use Field::*;
    matches!(field, SrcIp | DstIp | Proto | SrcPort | DstPort | TcpFlags | IcmpType | IcmpCode)
}

/// Whether every IPv4 packet passes the test.
fn always(field: Field, set: &ValueSet) -> bool {
    matches!(field, Field::Dscp | Field::Tos | Field::Ttl | Field::Length | Field::Fragment)
        && *set == field.domain()
}

/// A test that any value passes is no test in the format, unless another one asks for the same header.
fn presence(a: &Alternative) -> Result<(), String> {
    for headers in
        [&[Field::SrcPort, Field::DstPort][..], &[Field::TcpFlags], &[Field::IcmpType, Field::IcmpCode]]
    {
        let tests: Vec<_> = headers.iter().filter_map(|f| Some((f, a.test(*f)?))).collect();
        if let Some((f, _)) = tests.first().filter(|_| tests.iter().all(|(f, s)| **s == f.domain())) {
            return Err(format!("the format cannot ask that a packet has a {f}, whatever it is"));
        }
    }
    Ok(())
}

fn ports(a: &Alternative, field: Field) -> Vec<String> {
    let everything = ValueSet::from(Range::numbers(0, 0xffff));
    let set = a.test(field).unwrap_or(&everything);
    set.ranges().iter().map(|r| format!("{} : {}", r.lo.bits, r.hi.bits)).collect()
}

/// The last two columns: what the flags mean depends on the protocol.
fn protocols_and_flags(a: &Alternative) -> Vec<String> {
    let said = a.test(Field::Proto).cloned().unwrap_or(Field::Proto.domain());
    let is = |p: u8| said.contains(Value::number(p.into()));
    let tests = |f: Field| a.test(f).is_some();
    let any = [Cube { value: 0, mask: 0 }];
    let masks = |f: Field| a.test(f).map_or(any.to_vec(), |s| cubes(s, 8));
    let column = |protocol: u8, high: &Cube, low: &Cube| {
        let (value, mask) = (high.value << 8 | low.value, high.mask << 8 | low.mask);
        format!("0x{protocol:02x}/0xFF\t0x{value:04x}/0x{mask:04x}")
    };
    let (tcp, icmp) = (tests(Field::TcpFlags), tests(Field::IcmpType) || tests(Field::IcmpCode));
    match (tcp, icmp) {
        (true, true) => Vec::new(),
        (true, false) if !is(TCP) => Vec::new(),
        (true, false) => masks(Field::TcpFlags).iter().map(|c| column(TCP, c, &any[0])).collect(),
        (false, true) if !is(ICMP) => Vec::new(),
        (false, true) => {
            let codes = masks(Field::IcmpCode);
            let types = masks(Field::IcmpType);
            types.iter().flat_map(|t| codes.iter().map(|c| column(ICMP, t, c))).collect()
        }
        (false, false) if said == Field::Proto.domain() => vec!["0x00/0x00\t0x0000/0x0000".into()],
        (false, false) => (0..=255).filter(|p| is(*p)).map(|p| column(p, &any[0], &any[0])).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imports::{self, Import};
    use crate::packet;
    use crate::sample::{Frames, Random, rule_set};

    fn sets() -> [&'static str; 3] {
        [
            include_str!("../../testdata/classbench/acl1_1k"),
            include_str!("../../testdata/classbench/fw1_1k"),
            include_str!("../../testdata/classbench/ipc1_1k"),
        ]
    }

    #[test]
    fn the_three_sets_come_out_as_they_went_in() {
        for text in sets() {
            let read = imports::ClassBench.parse(text);
            let made = ClassBench.emit(&read.rules, &Options::default());
            assert_eq!(made.losses, []);
            assert_eq!(made.notes, Vec::<String>::new());
            let again = imports::ClassBench.parse(&made.artefact);
            assert_eq!(again.rules.without_places(), read.rules.without_places());
            for (was, is) in text.lines().zip(made.artefact.lines()) {
                assert_eq!(normal(was), normal(is));
            }
        }
    }

    /// A line with its addresses cut to their prefix, and its flags to their mask: what both mean is the same.
    fn normal(line: &str) -> String {
        let mut words: Vec<String> =
            line.trim_start_matches('@').split_whitespace().map(String::from).collect();
        for word in &mut words[..2] {
            let (address, len) = word.split_once('/').unwrap();
            let bits = u64::from(address.parse::<std::net::Ipv4Addr>().unwrap().to_bits());
            let host = 32 - len.parse::<u32>().unwrap();
            *word = format!("{}/{len}", bits >> host << host);
        }
        let flags = words.len() - 1;
        let number = |t: &str| u32::from_str_radix(t.trim_start_matches("0x"), 16).unwrap();
        for word in &mut words[flags - 1..] {
            let (value, mask) = word.split_once('/').unwrap();
            let mask = number(mask);
            *word = format!("{}/{mask}", number(value) & mask);
        }
        words.join(" ")
    }

    /// The import is the reader: what it says of a frame is what the rules say.
    #[test]
    fn random_rules_mean_the_same_as_filters() {
        let mut random = Random::new(5);
        let fields: Vec<Field> = Field::ALL.into_iter().filter(|f| column(*f)).collect();
        let (mut kept, mut all) = (0, 0);
        for set in 0..300 {
            let count = 1 + random.below(20);
            let mut rules = rule_set(&mut random, count, &fields);
            all += rules.rules.len();
            let made = ClassBench.emit(&rules, &Options::default());
            let mut place = 0;
            rules.rules.retain(|_| {
                place += 1;
                made.losses.iter().all(|l| l.rule != place - 1)
            });
            kept += rules.rules.len();
            let read = imports::ClassBench.parse(&made.artefact);
            assert_eq!(read.diagnostics, []);
            let frames = Frames::new(&rules);
            for _ in 0..100 {
                let key = packet::parse(&frames.draw(&mut random).bytes, None);
                let line = read.rules.classify(&key).rule;
                let class = line.map_or(crate::ClassId::OTHERS, |l| made.labels[l].1);
                assert_eq!(class, rules.classify(&key).class, "set {set}: {key}\n{}", made.artefact);
            }
        }
        assert!(kept * 5 > all, "{kept} of {all}");
    }

    #[test]
    fn what_the_columns_cannot_say_is_a_loss() {
        let reason = |tests: Vec<(Field, ValueSet)>| {
            let mut rules = crate::backends::example_rules();
            rules.rules.truncate(1);
            rules.rules[0].tests = tests;
            let made = ClassBench.emit(&rules, &Options::default());
            made.losses.first().map(|l| l.reason.clone())
        };
        let four = (Field::SrcIp, ValueSet::from(Range::prefix(Value { family: 4, bits: 0 }, 0)));
        let port = |n| (Field::DstPort, ValueSet::single(Value::number(n)));
        assert_eq!(reason(vec![four.clone(), port(80)]), None);
        assert!(reason(vec![port(80)]).unwrap().contains("IPv4 only"));
        assert!(reason(vec![(Field::SrcIp, Field::SrcIp.domain())]).unwrap().contains("IPv4 only"));
        let ttl = (Field::Ttl, ValueSet::single(Value::number(64)));
        assert!(reason(vec![four.clone(), ttl]).unwrap().contains("column for ttl"));
        assert_eq!(reason(vec![four.clone(), (Field::Ttl, Field::Ttl.domain())]), None);
        assert!(
            reason(vec![four, (Field::DstPort, Field::DstPort.domain())]).unwrap().contains("has a dstport")
        );
    }
}
