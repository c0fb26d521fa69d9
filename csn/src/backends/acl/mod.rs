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
use std::collections::{HashMap, HashSet};
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
        let mut names = Names::default();
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
                    let base = Names::base(&rules.label(class));
                    for choices in made.concat() {
                        product(&choices, |leaves| {
                            leaves.iter().for_each(|(c, _)| used[*c as usize] = true);
                            let name = names.unique(&base);
                            ace(&mut text, &name, leaves);
                            text += ",\n";
                            out.labels.push((name, class));
                        });
                    }
                }
                Err(reason) => out.losses.push(Loss { rule, reason: format!("left out: {reason}") }),
            }
        }
        out.notes.extend(expansion(written, out.labels.len(), "entries", WHY));
        let rest = names.unique(&Names::base(&rules.label(ClassId::OTHERS)));
        ace(&mut text, &rest, &[]);
        out.labels.push((rest, ClassId::OTHERS));
        out.entries = out.labels.len();
        out.outside = outside(&kept);
        out.artefact = format!(
            "{{\"ietf-access-control-list:acls\": {{\"acl\": [{{\"name\": \"csn\", \"type\": \"{}\", \
             \"aces\": {{\"ace\": [\n{text}\n]}}}}]}}}}\n",
            kind(used)
        );
        out
    }
}

const WHY: &str = "a leaf has one value, and an entry is of one IP version";

/// Writes an entry.
fn ace(out: &mut String, name: &str, leaves: &[&Choice]) {
    let _ = write!(out, "{{\"name\": {}", quoted(name));
    let mut open = ", \"matches\": {";
    for container in Container::ALL {
        let mut sign = "{";
        for (_, leaf) in leaves.iter().filter(|(c, _)| *c == container) {
            if sign == "{" {
                let _ = write!(out, "{open}\"{}\": ", container.name());
                open = ", ";
            }
            out.push_str(sign);
            out.push_str(leaf);
            sign = ", ";
        }
        out.push_str(if sign == "{" { "" } else { "}" });
    }
    let end = if open == ", " { "}" } else { "" };
    let _ = write!(out, "{end}, \"actions\": {{\"forwarding\": \"accept\"}}}}");
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

/// Names of entries, each given once.
#[derive(Default)]
struct Names {
    given: HashSet<String>,
    /// How often a label was used.
    counts: HashMap<String, usize>,
}

impl Names {
    /// What a label becomes: without control characters, and with room for a number.
    fn base(label: &str) -> String {
        let clean = |c: char| if c.is_control() { '_' } else { c };
        let base: String = label.chars().map(clean).take(LONGEST_NAME - 12).collect();
        if base.is_empty() { "class".to_owned() } else { base }
    }

    fn unique(&mut self, base: &str) -> String {
        let count = self.counts.entry(base.to_owned()).or_default();
        loop {
            *count += 1;
            let name = if *count == 1 { base.to_owned() } else { format!("{base}-{count}") };
            if self.given.insert(name.clone()) {
                return name;
            }
        }
    }
}

/// A JSON string; control characters are gone.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
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
