//! Flow keys in XML: the file from which the QoS manager's flow creator makes its regular expressions
//! (`qos-management`, section III.B and Fig. 4); see the import of the same name for what the keys mean.
//!
//! **What it says.** A `FLOW` for every rule, named by its class, with a `FLOWKEY` for every test. The keys are MAC
//! addresses, EtherType, protocol, IPv4 addresses, and ports of TCP and UDP.
//!
//! **First match.** Flows are tried in the order of the file. A rule for both directions is two flows.
//!
//! **Lost.** A key has one value or any, so that ranges, prefixes and sets are losses; so are all other fields, IPv6,
//! ports of a rule without a protocol, and rules behind the link header that IPv6 packets match too, since the format
//! is about IPv4. A rule without a test is a flow without a key, which matches everything.
//!
//! **Outside.** Nothing: the file says what is meant; what a meter does with options and tags is up to the meter. For
//! regular expressions of the same kind see the back end `regex`.

use super::alternatives::{Alternative, alternatives};
use super::labels::labels;
use super::{Backend, Emitted, Loss, Options};
use crate::field::Field;
use crate::imports::flow_keys::KEYS;
use crate::packet::IPV4;
use crate::ruleset::RuleSet;
use crate::value::{Range, Value, ValueSet};
use std::fmt::Write;

/// The back end `flow-keys`.
pub struct FlowKeys;

impl Backend for FlowKeys {
    fn name(&self) -> &'static str {
        "flow-keys"
    }

    fn summary(&self) -> &'static str {
        "flow keys in XML, a flow for each rule of exact values"
    }

    fn example(&self) -> &'static str {
        include_str!("examples/example.flow-keys")
    }

    fn emit(&self, rules: &RuleSet, _: &Options) -> Emitted {
        let labels = labels(rules, name);
        let mut artefact = String::from("<?xml version=\"1.0\"?>\n<FLOWDATA>\n");
        let (mut losses, mut entries) = (Vec::new(), 0);
        for both in alternatives(rules).chunk_by(|a, b| a.rule == b.rule) {
            match both.iter().map(keys).collect::<Result<Vec<_>, _>>() {
                Ok(flows) => {
                    entries += flows.len();
                    for keys in flows {
                        let name = escaped(&labels[both[0].class.index()].0);
                        let _ = writeln!(artefact, "  <FLOW FLOWNAME=\"{name}\">\n{keys}  </FLOW>");
                    }
                }
                Err(reason) => {
                    losses.push(Loss { rule: both[0].rule, reason: format!("left out: {reason}") })
                }
            }
        }
        artefact.push_str("</FLOWDATA>\n");
        Emitted { artefact, labels, losses, entries, ..Emitted::default() }
    }
}

/// A name without blanks at its ends, which readers leave aside, and other than that of the defaults.
fn name(class: &str) -> String {
    match class.trim() {
        "" => "_".into(),
        "DEFAULT" => "DEFAULT_".into(),
        name => name.chars().map(|c| if c.is_control() { '_' } else { c }).collect(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The keys of a flow, a line each.
fn keys(alternative: &Alternative) -> Result<String, String> {
    let four = ValueSet::single(Value::number(IPV4.into()));
    let everywhere = ValueSet::from(Range::prefix(Value { family: 4, bits: 0 }, 0));
    let network = alternative.tests.iter().any(|(f, _)| *f >= Field::SrcIp);
    let addresses = [Field::SrcIp, Field::DstIp].map(|f| alternative.test(f));
    let four_only = |s: &ValueSet| s.ranges().iter().all(|r| r.lo.family == 4);
    let is_four =
        alternative.test(Field::EtherType) == Some(&four) || addresses.iter().flatten().any(|s| four_only(s));
    if addresses.iter().flatten().any(|s| !four_only(s)) {
        return Err("there is no key for addresses of IPv6".into());
    }
    if network && !is_four {
        return Err("it matches IPv6 too, and the format is about IPv4".into());
    }
    let protocol = alternative.test(Field::Proto).and_then(ValueSet::as_single).map(|v| v.bits);
    let mut out = String::new();
    for (field, set) in &alternative.tests {
        let of = |says: Option<u8>| says.is_none_or(|p| Some(u128::from(p)) == protocol);
        let Some((key, ..)) = KEYS.iter().find(|(_, f, says)| f == field && of(*says)) else {
            return Err(match field {
                Field::SrcPort | Field::DstPort => format!("{field} without `proto = tcp` or `proto = udp`"),
                _ => format!("there is no key for {field}"),
            });
        };
        let any = *set == field.domain() || field.is_address() && *set == everywhere;
        let value = match set.as_single() {
            _ if any => anything(*field),
            Some(value) => text(*field, value),
            None => return Err(format!("a key has one value, and {field} has several")),
        };
        let _ = writeln!(out, "    <FLOWKEY NAME=\"{key}\" VALUE=\"{value}\"/>");
    }
    Ok(out)
}

/// Octets of any value.
fn anything(field: Field) -> String {
    let octets = if field.is_address() { 4 } else { field.width().div_ceil(8) };
    format!("{{ANYBYTE}}{{{octets}}}")
}

/// MAC addresses and types as octets, all else in decimal digits, as in the figure.
fn text(field: Field, value: Value) -> String {
    match field {
        Field::SrcMac | Field::DstMac | Field::EtherType => {
            let octets = field.width() as usize / 8;
            value.bits.to_be_bytes()[16 - octets..].iter().map(|o| format!("\\x{o:02x}")).collect()
        }
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backends::example_rules;
    use crate::imports::{self, Import};
    use crate::sample::{Random, rule_set};

    #[test]
    fn what_is_written_reads_as_the_same_rules() {
        let mut rules = example_rules();
        rules.classes[1].name = Some("<a> & \"b\"".into());
        rules.classes[2].name = Some("DEFAULT".into());
        let made = FlowKeys.emit(&rules, &Options::default());
        assert_eq!(made.losses, []);
        let read = imports::FlowKeys.parse(&made.artefact);
        assert_eq!(read.diagnostics, []);
        assert_eq!(read.rules.label(crate::ClassId(1)), "<a> & \"b\"");
        assert_eq!(read.rules.label(crate::ClassId(2)), made.labels[2].0);
        let tests = |r: &RuleSet| r.rules.iter().map(|r| r.tests.clone()).collect::<Vec<_>>();
        assert_eq!(tests(&read.rules), tests(&rules));
    }

    #[test]
    fn what_is_written_without_loss_classifies_alike() {
        let fields: Vec<Field> = KEYS.iter().map(|(_, f, _)| *f).collect();
        let (mut kept, mut matched) = (0, 0);
        for seed in 0..2000 {
            let mut random = Random::new(seed);
            let mut rules = rule_set(&mut random, 3, &fields[..8]);
            let losses = FlowKeys.emit(&rules, &Options::default()).losses;
            let mut place = 0;
            rules.rules.retain(|_| {
                place += 1;
                losses.iter().all(|l| l.rule != place - 1)
            });
            let made = FlowKeys.emit(&rules, &Options::default());
            let read = imports::FlowKeys.parse(&made.artefact);
            assert_eq!(read.diagnostics, []);
            kept += rules.rules.len();
            let frames = crate::sample::Frames::new(&rules);
            for _ in 0..20 {
                let frame = frames.draw(&mut random);
                if frame.bytes.len() < 14 {
                    continue;
                }
                let key = frame.key();
                let (wanted, found) = (rules.classify(&key).class, read.rules.classify(&key).class);
                assert_eq!(read.rules.label(found), rules.label(wanted), "{key}\n{}", made.artefact);
                matched += usize::from(wanted != crate::ClassId::OTHERS);
            }
        }
        assert!(kept > 500 && matched > 500, "{kept} rules, {matched} frames");
    }

    #[test]
    fn what_has_no_key_is_a_loss_with_its_reason() {
        let reason = |field: Field, set: ValueSet| {
            let mut rules = example_rules();
            rules.rules.truncate(1);
            let tests = &mut rules.rules[0].tests;
            tests.retain(|(f, _)| *f != field);
            tests.push((field, set));
            tests.sort_by_key(|(f, _)| *f);
            FlowKeys.emit(&rules, &Options::default()).losses.first().map(|l| l.reason.clone())
        };
        let range = |lo, hi| ValueSet::from(Range::numbers(lo, hi));
        assert_eq!(reason(Field::SrcPort, range(5, 5)), None);
        assert!(reason(Field::SrcPort, range(5, 6)).is_some_and(|r| r.contains("several")));
        assert!(reason(Field::Ttl, range(5, 5)).is_some_and(|r| r.contains("no key for ttl")));
        assert!(reason(Field::Proto, range(132, 132)).is_some_and(|r| r.contains("without `proto = tcp`")));
    }
}
