//! Programs in SRL, the Simple Ruleset Language (RFC 2723), from which RTFM managers make rule sets.
//!
//! A rule is one `if` with the conjunction of its tests; a set of values is a list in brackets, a range the prefixes
//! that make it up. What an `if` takes is counted at once, so the first match wins; what none takes is counted as
//! class 0. A flow record belongs to the class `FlowKind << 8 | FlowClass`, as for the back end `rtfm`:
//!
//! ```text
//! if SourceTransType == 17 && DestTransAddress == (2000, 2016/12) {
//!   store FlowClass := 1; count;
//! }
//! ```
//!
//! Attributes beyond those of RFC 2720 (EtherType, Vlan, TcpFlags, …) are those of this testbed's meter; a rule that
//! needs one is said in a note, since other compilers do not know it.

use super::alternatives::{Alternative, alternatives};
use super::rtfm::{MAX_CLASS, Pattern, class_labels, patterns, too_many_classes};
use super::{Backend, Emitted, Options};
use crate::field::Field;
use crate::rtfm::Attribute;
use crate::ruleset::{ClassId, RuleSet};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The back end `srl`.
pub struct Srl;

/// Attributes with larger numbers are of this testbed.
const LAST_STANDARD: u16 = 55;

impl Backend for Srl {
    fn name(&self) -> &'static str {
        "srl"
    }

    fn summary(&self) -> &'static str {
        "program in the Simple Ruleset Language of RTFM managers (RFC 2723)"
    }

    fn example(&self) -> &'static str {
        include_str!("examples/example.srl")
    }

    fn emit(&self, rules: &RuleSet, _: &Options) -> Emitted {
        let (kept, lost): (Vec<_>, Vec<_>) =
            alternatives(rules).into_iter().partition(|a| a.class.0 <= MAX_CLASS);
        let mut out =
            format!("# {} rules, {} classes and others\n", rules.rules.len(), rules.classes.len() - 1);
        let mut operands = 0;
        for a in &kept {
            operands += statement(rules, a, &mut out);
        }
        let _ = write!(out, "# others\n{}", ending(ClassId::OTHERS));
        let own: BTreeSet<&str> =
            kept.iter().flat_map(|a| &a.tests).filter_map(|(f, _)| own_name(*f)).collect();
        let mut notes = Vec::new();
        if !own.is_empty() {
            let own: Vec<_> = own.into_iter().collect();
            notes.push(format!("only this testbed's meter knows the attributes {}", own.join(", ")));
        }
        if operands > kept.len() {
            notes.push(format!("{} rules became {operands} values under masks", rules.rules.len()));
        }
        Emitted {
            artefact: out,
            labels: class_labels(rules),
            losses: too_many_classes(&lost),
            entries: kept.len(),
            notes,
            ..Emitted::default()
        }
    }
}

fn own_name(field: Field) -> Option<&'static str> {
    let attribute = Attribute::of_field(field);
    (attribute as u16 > LAST_STANDARD).then(|| attribute.name())
}

/// The `if` of one alternative; answers how many values it lists.
fn statement(rules: &RuleSet, a: &Alternative, out: &mut String) -> usize {
    let _ = writeln!(out, "# class {}", rules.label(a.class).replace(['\n', '\r'], " "));
    if a.tests.is_empty() {
        out.push_str(&ending(a.class));
        return 1;
    }
    let mut operands = 0;
    let factors: Vec<String> = a
        .tests
        .iter()
        .map(|(field, set)| {
            let values: Vec<String> = patterns(*field, set).into_iter().map(operand).collect();
            operands += values.len();
            let name = Attribute::of_field(*field).name();
            match values.as_slice() {
                [one] => format!("{name} == {one}"),
                many => format!("{name} == ({})", many.join(", ")),
            }
        })
        .collect();
    let body: String = ending(a.class).lines().map(|l| format!("  {l}\n")).collect();
    let _ = write!(out, "if {} {{\n{body}}}\n", factors.join(" && "));
    operands
}

/// Stores the class and counts.
fn ending(class: ClassId) -> String {
    let kind =
        if class.0 >> 8 == 0 { String::new() } else { format!("store FlowKind := {}; ", class.0 >> 8) };
    format!("{kind}store FlowClass := {}; count;\n", class.0 & 0xff)
}

/// A value, with the number of leading bits that count where that is not all.
fn operand((_, octets, mask, value): Pattern) -> String {
    let bits = 8 * u32::from(octets);
    let width = mask.count_ones();
    let value = literal(octets, value);
    if width == bits { value } else { format!("{value}/{width}") }
}

/// The octets as the language writes them: ports and short numbers as one number, IPv4 addresses with dots, longer
/// values as hexadecimal octets with dashes, IPv6 addresses in their own form.
fn literal(octets: u8, value: u128) -> String {
    let bytes = &value.to_be_bytes()[16 - usize::from(octets)..];
    match octets {
        1 | 2 => value.to_string(),
        16 => std::net::Ipv6Addr::from_bits(value).to_string(),
        4 => bytes.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        _ => bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join("-"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(text: &str) -> Emitted {
        let outcome = crate::compile("t.csn", text, &mut crate::NoLoader);
        assert!(!outcome.has_errors(), "{:?}", outcome.diagnostics);
        Srl.emit(&outcome.scenario.rules, &Options::default())
    }

    #[test]
    fn sets_are_lists_and_ranges_are_prefixes() {
        let made = program(
            "set: class = 1;\naddrule: srcip = 10.0.0.0/8, proto = {udp, tcp}, dstport = 2000..2003, both;\n\
             set: class = 2;\naddrule: vlan = 5, srcmac = 02:00:00:00:00:01;\n",
        );
        assert!(made.artefact.contains("SourcePeerAddress == 10.0.0.0/8 && SourceTransType == (6, 17)"));
        assert!(made.artefact.contains("DestTransAddress == 2000/14 {"), "{}", made.artefact);
        assert!(made.artefact.contains("DestPeerAddress == 10.0.0.0/8"), "the reply direction");
        assert!(made.artefact.contains("SourceAdjacentAddress == 02-00-00-00-00-01 && Vlan == 5 {"));
        assert!(made.notes[0].contains("Vlan"), "{:?}", made.notes);
        assert_eq!(made.entries, 3);
    }

    #[test]
    fn classes_beyond_one_octet_take_two_variables() {
        let made = program("set: class = 1..300;\naddrule: dstport = each 2000..2299;\n");
        assert!(made.artefact.contains("store FlowKind := 1; store FlowClass := 44; count;"));
        assert_eq!(made.losses, []);
    }
}
