//! Patterns for regular expression engines, which know nothing of packets: how the QoS manager found flows with a
//! Tarari board (`qos-management`, section III and Fig. 5).
//!
//! **What it says.**
//!
//! - `bytes`: a line for each pattern, `label<TAB>pattern`, over the octets of an Ethernet frame from its first one on.
//!   As in the figure, octets that do not matter are dots, and those that do stand at their place; behind the EtherType
//!   comes an IPv4 header of 20 octets. Unlike there, the header's length is looked at, ranges are classes of octets
//!   and alternatives of them, and IPv6 has patterns of its own. The syntax is what PCRE2, Hyperscan, Python, and Rust's
//!   `regex` share: `(?s)`, `^`, `.{n}`, `\xHH`, `[…]`, `(?:…|…)`. Patterns are for octets, not for UTF-8.
//! - `dfa`: the table of a deterministic automaton over packed keys, see [`crate::dfa`]. Lines that start with `#` are
//!   comments; then `key` with the fields in order, `class N LABEL` for each accepting state N, `start N`, and a line
//!   for every other state, `N: XX>S XX>S …`: octets up to XX, in hexadecimal digits, lead to state S.
//!
//! **First match.** With `bytes`, the first line that matches decides: engines that report all patterns that match
//! (`RegexSet`, Hyperscan) are asked for the least number. A rule for both directions is several lines, and so is one
//! that IPv4 and IPv6 packets can match. The automaton has decided it when it was made.
//!
//! **Lost.** With `bytes`, tests of the interface, and of anything behind a VLAN tag or an MPLS label together with it.
//! With `dfa`, the rules at the end of a list whose automaton would have too many states. An automaton
//! can tell apart every combination of values that rules do, and that can be very many.
//!
//! **Outside.** With `bytes`, what is not at its usual place: frames with tags or labels, IPv4 options before
//! ports, IPv6 extension headers before what is behind them, malformed packets. With `dfa`, nothing.

mod pattern;

use super::alternatives::{Alternative, alternatives};
use super::labels::labels;
use super::{Backend, Compiled, Emitted, Form, Loss, Options, octets};
use crate::dfa::{Dfa, Limit};
use crate::ruleset::{ClassId, RuleSet};
use std::fmt::Write;

/// The back end `regex`.
pub struct Regex;

const BYTES: Form =
    Form { name: "bytes", summary: "a regular expression over the octets of a frame for each rule" };
const DFA: Form = Form { name: "dfa", summary: "one automaton over packed keys for all rules" };

impl Backend for Regex {
    fn name(&self) -> &'static str {
        "regex"
    }

    fn summary(&self) -> &'static str {
        "regular expressions over header octets, or an automaton over packed keys"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.regex")
    }

    fn forms(&self) -> &'static [Form] {
        &[BYTES, DFA]
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let clean = |name: &str| name.chars().map(|c| if c.is_control() { '_' } else { c }).collect();
        let labels = labels(rules, clean);
        if options.form == Some(DFA) {
            automaton(rules, labels, Limit::default())
        } else {
            bytes(rules, labels)
        }
    }
}

type Labels = Vec<(String, ClassId)>;

fn bytes(rules: &RuleSet, labels: Labels) -> Emitted {
    let mut artefact =
        String::from("# label, tab, pattern over an Ethernet frame; the first that matches decides\n");
    let (mut losses, mut entries) = (Vec::<Loss>::new(), 0);
    let mut kept: Vec<Alternative> = Vec::new();
    for a in alternatives(rules) {
        if let Some(reason) = octets::inexpressible(&a) {
            if losses.last().is_none_or(|l| l.rule != a.rule) {
                losses.push(Loss { rule: a.rule, reason: format!("left out: {reason}") });
            }
            continue;
        }
        for pattern in octets::patterns(&a) {
            let _ = writeln!(artefact, "{}\t{}", labels[a.class.index()].0, pattern::text(&pattern));
            entries += 1;
        }
        kept.push(a);
    }
    let taken = rules.rules.len() - losses.len();
    let mut notes = Vec::new();
    if entries > taken {
        notes.push(format!(
            "{taken} rules became {entries} patterns: IPv4 and IPv6 have their own, as have replies"
        ));
    }
    let outside = octets::outside(&kept);
    Emitted { artefact, labels, losses, outside, notes, entries, ..Emitted::default() }
}

fn automaton(rules: &RuleSet, labels: Labels, limit: Limit) -> Emitted {
    let (dfa, taken) = largest(rules, limit);
    let reason = format!(
        "left out: with it the automaton would need more than {} states, or too long to make",
        limit.states
    );
    let lost = taken..rules.rules.len();
    let losses = lost.map(|rule| Loss { rule, reason: reason.clone() }).collect();
    let entries = dfa.states() + dfa.classes() as usize;
    let notes = vec![format!("{taken} rules became {entries} states, {} of which accept", dfa.classes())];
    Emitted {
        artefact: table(&dfa, &labels),
        program: Compiled::Dfa(dfa),
        labels,
        losses,
        notes,
        entries,
        ..Emitted::default()
    }
}

/// The automaton of the rules, or of as many from the first on as stay within the limit, and their number.
fn largest(rules: &RuleSet, limit: Limit) -> (Dfa, usize) {
    let build = |n: usize| Dfa::build(&rules.first(n), limit);
    // without a rule there is one state for each class, and no other
    let (mut best, mut next) = ((build(0).unwrap_or_default(), 0), rules.rules.len());
    let mut beyond = None;
    while next != best.1 {
        match build(next) {
            Ok(dfa) => best = (dfa, next),
            Err(_) => beyond = Some(next),
        }
        next = match beyond {
            None => next,
            // twice as many each time, and then between what was within and what was not
            Some(beyond) if 2 * best.1 < beyond => (2 * best.1).max(FIRST.min(beyond / 2)),
            Some(beyond) if (beyond - best.1) * 4 <= beyond => break,
            Some(beyond) => best.1.midpoint(beyond),
        };
    }
    best
}

/// How many rules are tried first where all are too many.
const FIRST: usize = 512;

/// The automaton as text.
fn table(dfa: &Dfa, labels: &Labels) -> String {
    let mut out = String::from("# automaton over packed keys; state: octets up to XX > next state\nkey");
    for field in dfa.fields() {
        let _ = write!(out, " {field}");
    }
    out.push('\n');
    for (label, class) in labels {
        let _ = writeln!(out, "class {} {label}", class.0);
    }
    let _ = writeln!(out, "start {}", dfa.start());
    for state in (dfa.classes()..).take(dfa.states()) {
        let _ = write!(out, "{state}:");
        for edge in dfa.edges(state).unwrap_or_default() {
            let _ = write!(out, " {:02x}>{}", edge.last, edge.to);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests;
