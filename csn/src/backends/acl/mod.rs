//! Access control lists of the YANG model of RFC 8519, in JSON (RFC 7951).
//!
//! **What is made.** One list whose entries accept; devices count by entry (`matched-packets`), and the label is the name of
//! an entry: that of its class, with a number where a class has several. The last entry, `others`, matches all. The type of
//! the list is the narrowest that has what the entries test.
//!
//! **First match.** Entries are ordered by the user: the first that matches decides.
//!
//! **How the leaves are read.** A leaf is equal to the field: the flags of TCP are all of them, so that a set of flags
//! becomes an entry for each value, as do sets of any field but addresses and ports. An address that is any still
//! says which IP version it is. `length` counts the payload of IPv6 without its header.
//!
//! **What is lost.** The interface (the model knows names), VLAN tags, MPLS labels, fragments (their offset starts at 20 in
//! the model), ports of SCTP, DCCP and UDP-Lite, the presence of flags and ICMP types whatever they are, and rules that
//! would need more than [`MOST_ENTRIES`] entries.
//!
//! **What is outside.** The model leaves open what devices do with frames that have VLAN tags or MPLS labels, and
//! with the ports of fragments. IPv6 packets with extension headers are outside where a rule asks for any protocol at all.

mod aces;

use super::cubes::{expansion, product};
use super::{Backend, Emitted, Loss, Options, Outside};
use crate::backends::alternatives::{Alternative, alternatives};
use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::ruleset::{ClassId, RuleSet};
use aces::{Choice, Container, matches};
use std::collections::HashMap;
use std::fmt::Write;

/// The most entries that one direction of a rule may need.
pub const MOST_ENTRIES: usize = 4096;
/// Characters of the name of an entry.
const LONGEST_NAME: usize = 64;

/// The back end `acl`.
pub struct Acl;

impl Backend for Acl {
    fn name(&self) -> &'static str {
        "acl"
    }

    fn summary(&self) -> &'static str {
        "access control list after RFC 8519, as JSON"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.acl")
    }

    fn emit(&self, rules: &RuleSet, _: &Options) -> Emitted {
        let mut out = Emitted::default();
        let mut names = Names::new(rules);
        let mut used = [false; Container::COUNT];
        let mut text = String::new();
        let all = alternatives(rules);
        let mut kept: Vec<&Alternative> = Vec::new();
        let mut written = 0;
        for of_rule in all.chunk_by(|a, b| a.rule == b.rule) {
            let (rule, class) = (of_rule[0].rule, of_rule[0].class);
            match of_rule.iter().map(matches).collect::<Result<Vec<_>, _>>() {
                Ok(made) => {
                    written += 1;
                    kept.extend(of_rule);
                    for choices in made.into_iter().flatten() {
                        choices.iter().flatten().for_each(|(c, _)| used[*c as usize] = true);
                        let frame = Frame::new(&choices);
                        product(&choices, |leaves| {
                            let name = names.next(class);
                            frame.write(&mut text, &name, leaves);
                            text += ",\n";
                            out.labels.push((name, class));
                        });
                    }
                }
                Err(reason) => out.losses.push(Loss { rule, reason: format!("left out: {reason}") }),
            }
        }
        out.notes.extend(expansion(written, out.labels.len(), "entries", WHY));
        let rest = names.next(ClassId::OTHERS);
        Frame::new(&[]).write(&mut text, &rest, &[]);
        out.labels.push((rest, ClassId::OTHERS));
        out.entries = out.labels.len();
        out.outside = outside(&kept);
        let head = format!(
            "{{\"ietf-access-control-list:acls\": {{\"acl\": [{{\"name\": \"csn\", \"type\": \"{}\", \
             \"aces\": {{\"ace\": [\n",
            kind(used)
        );
        text.insert_str(0, &head);
        out.artefact = text + "\n]}}]}}\n";
        out
    }
}

const WHY: &str = "a leaf has one value, and an entry is of one IP version";

/// What all entries of some choices have in common: a set of flags can make a hundred entries of a rule.
struct Frame {
    /// What stands in front of each leaf.
    before: Vec<String>,
    /// What stands behind the last.
    end: &'static str,
}

impl Frame {
    /// The frame of choices whose lists are ordered by container.
    fn new(choices: &[Vec<Choice>]) -> Self {
        let mut open: Option<Container> = None;
        let containers = choices.iter().filter_map(|list| list.first()).map(|(c, _)| *c);
        let before = containers.map(|c| match open.replace(c) {
            Some(same) if same == c => ", ".to_owned(),
            Some(_) => format!("}}, \"{}\": {{", c.name()),
            None => format!(", \"matches\": {{\"{}\": {{", c.name()),
        });
        Self { before: before.collect(), end: if choices.is_empty() { "" } else { "}}" } }
    }

    /// Writes an entry.
    fn write(&self, out: &mut String, name: &str, leaves: &[&Choice]) {
        out.push_str("{\"name\": ");
        quote(out, name);
        for (before, (_, leaf)) in self.before.iter().zip(leaves) {
            out.push_str(before);
            out.push_str(leaf);
        }
        out.push_str(self.end);
        out.push_str(", \"actions\": {\"forwarding\": \"accept\"}}");
    }
}

/// The type of a list whose entries have these containers.
fn kind(used: [bool; Container::COUNT]) -> &'static str {
    let has = |c: Container| used[c as usize];
    match (has(Container::Eth), has(Container::Four), has(Container::Six)) {
        (false, true, false) => "ipv4-acl-type",
        (false, false, true) => "ipv6-acl-type",
        (_, false, false) => "eth-acl-type",
        (true, true, false) => "mixed-eth-ipv4-acl-type",
        (true, false, true) => "mixed-eth-ipv6-acl-type",
        // there is none for both versions of IP without Ethernet
        (_, true, true) => "mixed-eth-ipv4-ipv6-acl-type",
    }
}

/// Names of entries, each given once: that of the class, then that with a number behind it.
struct Names {
    /// The place of each class in `bases`: labels that are alike without their ends share one.
    of_class: Vec<usize>,
    /// What labels become, and how many names were made of it.
    bases: Vec<(String, usize)>,
    /// The places of `bases`.
    known: HashMap<String, usize>,
}

impl Names {
    fn new(rules: &RuleSet) -> Self {
        let mut out = Self { of_class: Vec::new(), bases: Vec::new(), known: HashMap::new() };
        for class in (0..rules.classes.len() as u32).map(ClassId) {
            let base = Self::base(&rules.label(class));
            let at = *out.known.entry(base.clone()).or_insert(out.bases.len());
            if at == out.bases.len() {
                out.bases.push((base, 0));
            }
            out.of_class.push(at);
        }
        out
    }

    /// What a label becomes: without control characters, and with room for a number.
    fn base(label: &str) -> String {
        let clean = |c: char| if c.is_control() { '_' } else { c };
        let base: String = label.chars().map(clean).take(LONGEST_NAME - 12).collect();
        if base.is_empty() { "class".to_owned() } else { base }
    }

    /// The name of one more entry of a class. No two bases make the same name with their numbers, but a base can be
    /// what another makes.
    fn next(&mut self, class: ClassId) -> String {
        let (base, count) = &mut self.bases[self.of_class[class.index()]];
        loop {
            *count += 1;
            if *count == 1 {
                return base.clone();
            }
            let mut name = String::with_capacity(base.len() + 8);
            let _ = write!(name, "{base}-{count}");
            if !self.known.contains_key(&name) {
                return name;
            }
        }
    }
}

/// Writes a JSON string; control characters are gone.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if matches!(c, '\\' | '"') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// The frames that devices may see otherwise than these rules mean.
fn outside(all: &[&Alternative]) -> Vec<Outside> {
    let any = |f: &dyn Fn(&Alternative) -> bool| all.iter().any(|a| f(a));
    let behind = |a: &Alternative| a.for_link().is_none() || a.test(Field::EtherType).is_some();
    let transport = |a: &Alternative| a.tests.iter().any(|(f, _)| *f >= Field::SrcPort);
    let asked = |a: &Alternative, f: Field| a.test(f).is_some_and(|s| *s == f.domain());
    let any_protocol =
        |a: &Alternative| a.for_ip(6).is_some() && (asked(a, Field::Proto) || asked(a, Field::Fragment));
    let open = "the model leaves open whether devices look behind them";
    [
        (any(&behind), FrameKind::Tagged, open),
        (any(&|a| a.for_link().is_none()), FrameKind::Labelled, open),
        (
            any(&any_protocol),
            FrameKind::Extensions,
            "an entry does not ask whether a protocol is found behind them",
        ),
        (any(&transport), FrameKind::Fragment, "the model leaves open which ports later fragments have"),
    ]
    .into_iter()
    .filter_map(|(differs, kind, reason)| differs.then_some(Outside { kind, reason }))
    .collect()
}

#[cfg(test)]
mod tests;
