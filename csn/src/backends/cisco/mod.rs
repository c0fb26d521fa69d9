//! Extended access lists of Cisco IOS, as the import of the same name reads them.
//!
//! **What is made.** A list for IPv4 and one for IPv6; a rule that is about both stands in both. Each entry has a
//! sequence number, by which the router counts (`show ip access-lists`); the label of an entry is its list and that number.
//! Where all classes are called like entries, `EDGE 10 permit`, as the import calls them, the lists get these names,
//! numbers and actions back. Otherwise the lists are called `csn-ipv4` and `csn-ipv6`, and every entry permits.
//!
//! **First match.** A router tries entries by their numbers. A list that is bound to an interface drops what no entry
//! matches.
//!
//! **What is lost.** Everything below IP, rules that match packets without IP, the length, ports of DCCP and UDP-Lite, flags
//! beyond the first six, the lowest bit of TOS, first fragments apart from whole packets, TOS and TTL of IPv6, and
//! rules that would need more than [`MOST_ENTRIES`] entries.
//!
//! **What is outside.** An entry that permits and tests ports, flags or ICMP types also takes the later fragments between
//! its addresses. Where the next rule of the class says just that, the two rules are that entry; where none does,
//! fragments are outside. IPv6 packets with extension headers are outside where a rule asks for any protocol at all,
//! or for one that is an extension header.

mod entries;

use super::alternatives::{Alternative, alternatives};
use super::cubes::expansion;
use super::{Backend, Emitted, Loss, Options, Outside};
use crate::field::Field;
use crate::frame_kind::{FrameKind, FrameKinds};
use crate::packet::{EXTENSIONS, fragment};
use crate::ruleset::{ClassId, Rule, RuleSet};
use crate::value::{Value, ValueSet};
use entries::{Entries, entries};
use std::fmt::Write;

/// The most entries that one direction of a rule may need in a list.
pub const MOST_ENTRIES: usize = 4096;

/// The back end `cisco`.
pub struct Cisco;

impl Backend for Cisco {
    fn name(&self) -> &'static str {
        "cisco"
    }

    fn summary(&self) -> &'static str {
        "extended access lists of Cisco IOS for IPv4 and IPv6"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.cisco")
    }

    fn emit(&self, rules: &RuleSet, _: &Options) -> Emitted {
        let mut out = Emitted::default();
        let units = units(rules, &mut out.losses);
        let mut families = [4, 6];
        // the list of the first entry comes first, as in the text that an import has read
        if units.iter().find_map(|u| u.of.iter().position(|e| !e.is_empty())) == Some(1) {
            families.reverse();
        }
        let named = |family| names(rules, &units, family);
        let [first, second] = families.map(named);
        let distinct = first.as_ref().zip(second.as_ref()).is_none_or(|(a, b)| a.list != b.list);
        for (family, naming) in families.into_iter().zip([first, second]) {
            let naming = naming.filter(|_| distinct);
            list(rules, &units, family, naming, &mut out);
        }
        if units.iter().any(|u| u.any_protocol) {
            let reason = "an entry does not ask whether a protocol is found behind them";
            out.outside.push(Outside { kind: FrameKind::Extensions, reason });
        }
        let why =
            "an entry has one address, protocol and comparison in a place, and a list is of one IP version";
        out.notes.extend(expansion(units.len(), out.entries, "entries", why));
        if out.artefact.is_empty() {
            out.artefact.push_str("!\n");
        }
        out
    }
}

/// What becomes entries together: a rule, or one and its later fragments.
struct Unit {
    class: ClassId,
    /// Entries of the list of IPv4, and of IPv6.
    of: [Vec<String>; 2],
    /// Whether an entry tests the transport header, and no rule takes the later fragments.
    alone: bool,
    /// Whether the rule asks of IPv6 packets that they have any protocol, or an extension header for one.
    any_protocol: bool,
}

fn place(family: u8) -> usize {
    usize::from(family == 6)
}

fn units(rules: &RuleSet, losses: &mut Vec<Loss>) -> Vec<Unit> {
    let mut out = Vec::new();
    let all = alternatives(rules);
    let mut groups = all.chunk_by(|a, b| a.rule == b.rule).peekable();
    while let Some(directions) = groups.next() {
        let place = directions[0].rule;
        match unit(directions) {
            Ok((mut unit, exact)) => {
                let next = rules.rules.get(place + 1);
                if exact && next.is_some_and(|n| is_rest(&rules.rules[place], n)) {
                    groups.next_if(|d| d[0].rule == place + 1);
                    unit.alone = false;
                }
                out.push(unit);
            }
            Err(reason) => losses.push(Loss { rule: place, reason: format!("left out: {reason}") }),
        }
    }
    out
}

/// The entries of a rule, and whether they test what the rule tests beside the transport header.
fn unit(directions: &[Alternative]) -> Result<(Unit, bool), String> {
    let mut out =
        Unit { class: directions[0].class, of: Default::default(), alone: false, any_protocol: false };
    let mut exact = true;
    for a in directions {
        let extension = |s: &ValueSet| EXTENSIONS.iter().any(|e| s.contains(Value::number((*e).into())));
        let asked = a.test(Field::Proto).is_some_and(extension)
            || a.test(Field::Fragment).is_some_and(|s| *s == Field::Fragment.domain());
        out.any_protocol |= asked && a.for_ip(6).is_some();
        for family in [4, 6] {
            let Entries { text, transport, narrowed } = entries(a, family)?;
            out.alone |= transport && !text.is_empty();
            exact &= !narrowed;
            out.of[place(family)].extend(text);
        }
    }
    Ok((out, exact))
}

/// Whether `next` takes the later fragments of what `rule` matches, and nothing else.
fn is_rest(rule: &Rule, next: &Rule) -> bool {
    let later = (Field::Fragment, ValueSet::single(Value::number(fragment::LATER)));
    let header = rule.tests.iter().filter(|(f, _)| *f < Field::SrcPort);
    rule.class == next.class
        && !rule.both
        && !next.both
        && rule.tests.iter().any(|(f, _)| *f >= Field::SrcPort)
        && rule.test(Field::Fragment).is_none()
        && header.chain([&later]).eq(&next.tests)
}

/// The names that an import has given.
struct Naming {
    list: String,
    /// Number and action of each unit with an entry in the list.
    entries: Vec<(u32, bool)>,
}

/// What the entries of that IP version are called by their classes; none where they are called otherwise.
fn names(rules: &RuleSet, units: &[Unit], family: u8) -> Option<Naming> {
    let mut out: Option<Naming> = None;
    for unit in units.iter().filter(|u| !u.of[place(family)].is_empty()) {
        let name = rules.classes[unit.class.index()].name.as_deref()?;
        let [list, number, action @ ("permit" | "deny")] = *name.split(' ').collect::<Vec<_>>() else {
            return None;
        };
        let number: u32 = number.parse().ok()?;
        let naming = out.get_or_insert_with(|| Naming { list: list.into(), entries: Vec::new() });
        let ascending = naming.entries.last().is_none_or(|(n, _)| *n < number);
        let one = unit.of.iter().map(Vec::len).sum::<usize>() == 1;
        if naming.list != list || !ascending || number == 0 || !one {
            return None;
        }
        naming.entries.push((number, action == "permit"));
    }
    out
}

/// Writes the list of an IP version.
fn list(rules: &RuleSet, units: &[Unit], family: u8, naming: Option<Naming>, out: &mut Emitted) {
    let mut of_family = units.iter().filter(|u| !u.of[place(family)].is_empty()).peekable();
    if of_family.peek().is_none() {
        return;
    }
    let name = naming.as_ref().map_or(format!("csn-ipv{family}"), |n| n.list.clone());
    let kind = if family == 4 { "ip access-list extended" } else { "ipv6 access-list" };
    let word = if family == 4 { "" } else { "sequence " };
    let _ = writeln!(out.artefact, "{kind} {name}");
    let mut number = 0;
    let mut last = None;
    for (i, unit) in of_family.enumerate() {
        let said = naming.as_ref().map(|n| n.entries[i]);
        if said.is_none() && last.replace(unit.class) != Some(unit.class) {
            let _ = writeln!(out.artefact, " remark class {}", remark(&rules.label(unit.class)));
        }
        let permit = said.is_none_or(|(_, permit)| permit);
        if permit && unit.alone && out.outside_kinds() == FrameKinds::default() {
            let reason = "an entry that permits takes later fragments whatever their ports";
            out.outside.push(Outside { kind: FrameKind::Fragment, reason });
        }
        for entry in &unit.of[place(family)] {
            number = said.map_or(number + 10, |(n, _)| n);
            let action = if permit { "permit" } else { "deny" };
            let _ = writeln!(out.artefact, " {word}{number} {action} {entry}");
            out.labels.push((format!("{name} {number}"), unit.class));
            out.entries += 1;
        }
    }
}

/// What can stand in a remark, which has up to 100 characters.
fn remark(label: &str) -> String {
    label.chars().map(|c| if c.is_control() { '_' } else { c }).take(80).collect()
}

#[cfg(test)]
mod tests;
