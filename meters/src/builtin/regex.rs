//! The regular-expression agent of the QoS management paper (section III), in software: all rules as patterns over the
//! octets of header fields, in one deterministic automaton that a packet's key runs through.
//!
//! ```text
//! capture ─► key, as octets ─► automaton ─► counts
//! receive    parse             match        count
//! ```
//!
//! As with the paper's board there are two modes. In *parsing* mode a packet has one label, that of the first rule that
//! matches; the walk ends as soon as that is known. In *matching* mode all patterns that match are told, and each has a
//! counter (`rule 3`); classes are still those of the first, as everywhere.
//!
//! A walk costs a step for each octet, whatever the number of rules. What grows with the rules is the automaton, and in
//! matching mode much faster, as no rule hides another; rules whose automaton would be too large are refused.

use super::options::{COMMON, Common, error, one_of, with_common};
use super::pipeline::{self, Account, End, RECEIVE, Work};
use super::{Builtin, Probe, Session};
use crate::capture::Frame;
use crate::meter::{MeterError, OptionDoc, Readout};
use csn::dfa::{Dfa, Limit, Matches, TooLarge};
use csn::{ClassId, Counts, Field, MeterSpec, RuleSet, packet};

/// The meter `regex`.
pub struct Regex;

static OPTIONS: [OptionDoc; COMMON.len() + 1] = with_common([OptionDoc {
    name: "mode",
    values: "parsing | matching",
    doc: "whether the first pattern that matches is told, or all of them; default parsing",
}]);

/// States of an automaton that is laid out as a table: 256 numbers each.
const TABLE_STATES: usize = 1 << 14;

/// Both kinds of automata, and what their accepting states mean.
struct Automaton {
    dfa: Dfa,
    /// By state and octet, where the automaton is small enough.
    table: Vec<u32>,
    /// By accepting state: the class, and the rules whose patterns match.
    ends: Vec<(ClassId, Vec<u32>)>,
}

impl Automaton {
    fn new(rules: &RuleSet, matching: bool) -> Result<Self, TooLarge> {
        let (dfa, ends) = if matching {
            let all = Matches::build(rules, Limit::default())?;
            let end = |set| {
                let matched = all.rules(ClassId(set)).to_vec();
                let class = matched.first().map_or(ClassId::OTHERS, |r| rules.rules[*r as usize].class);
                (class, matched)
            };
            let ends = (0..all.automaton.classes()).map(end).collect();
            (all.automaton, ends)
        } else {
            let dfa = Dfa::build(rules, Limit::default())?;
            let ends = (0..dfa.classes()).map(|c| (ClassId(c), vec![])).collect();
            (dfa, ends)
        };
        Ok(Self { table: table(&dfa), dfa, ends })
    }

    /// The accepting state that a packed key leads to.
    #[inline]
    fn walk(&self, packed: &[u8]) -> usize {
        if self.table.is_empty() {
            return self.dfa.walk(packed).index();
        }
        let accepting = self.dfa.classes();
        let mut state = self.dfa.start();
        for octet in packed {
            if state < accepting {
                break;
            }
            state = self.table[(state - accepting) as usize * 256 + usize::from(*octet)];
        }
        // a packed key is whole, so that the walk has come to its end
        state as usize
    }
}

fn table(dfa: &Dfa) -> Vec<u32> {
    if dfa.states() > TABLE_STATES {
        return Vec::new();
    }
    let mut table = Vec::with_capacity(dfa.states() * 256);
    for state in (dfa.classes()..).take(dfa.states()) {
        for edge in dfa.edges(state).unwrap_or_default() {
            let row = (state - dfa.classes()) as usize * 256;
            table.resize(row + usize::from(edge.last) + 1, edge.to);
        }
    }
    table
}

fn automaton(spec: &MeterSpec, rules: &RuleSet) -> Result<Automaton, MeterError> {
    let matching = one_of(spec, "mode", &["parsing", "matching"])? == 1;
    Automaton::new(rules, matching).map_err(|TooLarge| match matching {
        true => {
            let reason = "the automaton that tells all patterns would be too large".into();
            error(spec, "mode", reason, "mode = parsing, or fewer rules")
        }
        false => MeterError::Loss {
            meter: spec.name.clone(),
            rule: rules.rules.len(),
            reason: format!("with it the automaton would have more than {} states", Limit::default().states),
        },
    })
}

impl Builtin for Regex {
    fn name(&self) -> &'static str {
        "regex"
    }

    fn summary(&self) -> &'static str {
        "regular expressions over header octets, all in one automaton: one label, or all patterns"
    }

    fn options(&self) -> &'static [OptionDoc] {
        &OPTIONS
    }

    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        Common::parse(spec, &OPTIONS)?;
        automaton(spec, rules).map(|_| ())
    }

    fn run(&self, session: Session) -> Result<Readout, MeterError> {
        let common = Common::parse(&session.options, &OPTIONS)?;
        let (rules, loaded) = session.rules.of_notation(&session.options)?;
        let automaton = automaton(&session.options, &rules.first(loaded))?;
        let classes = rules.classes.len();
        pipeline::run(&session, &common, |start| {
            let counts = vec![Counts::default(); automaton.ends.len()];
            Ok(Agent {
                automaton,
                counts,
                classes,
                packed: Vec::with_capacity(128),
                interface: start.interface,
            })
        })
    }
}

/// A meter at work.
struct Agent {
    automaton: Automaton,
    /// By accepting state.
    counts: Vec<Counts>,
    classes: usize,
    /// The key of the packet at hand, as octets.
    packed: Vec<u8>,
    interface: Option<u32>,
}

impl Work for Agent {
    const ELEMENTS: &'static [&'static str] = &[RECEIVE, "parse", "match", "count"];

    #[inline]
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        probe.lap(0);
        let mut key = packet::parse(frame.bytes, frame.tag);
        if let Some(index) = self.interface {
            key.set_number(Field::Interface, index.into());
        }
        self.automaton.dfa.pack(&key, &mut self.packed);
        probe.lap(1);
        let end = self.automaton.walk(&self.packed);
        probe.lap(2);
        if let Some(counts) = self.counts.get_mut(end) {
            counts.add(frame.length.into());
        }
        probe.lap(3);
        probe.packet();
        probe.done(1);
    }

    fn finish(&mut self, _: &End) -> Result<Account, MeterError> {
        let mut account = Account { classes: vec![Counts::default(); self.classes], ..Account::default() };
        for ((class, rules), counts) in self.automaton.ends.iter().zip(&self.counts) {
            account.classes[class.index()] += *counts;
            for rule in rules {
                *account.counters.entry(format!("rule {}", rule + 1)).or_default() += counts.packets;
            }
        }
        Ok(account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::sample::{Frames, Random, rule_set};

    #[test]
    fn both_modes_tell_what_the_rules_say() {
        let mut random = Random::new(2);
        let mut several = 0;
        for _ in 0..40 {
            let rules = rule_set(&mut random, 10, &Field::ALL[1..]);
            let frames = Frames::new(&rules);
            let [first, all] = [false, true].map(|m| Automaton::new(&rules, m).unwrap());
            assert!(!first.table.is_empty() && !all.table.is_empty());
            let mut packed = Vec::new();
            for _ in 0..300 {
                let key = packet::parse(&frames.draw(&mut random).bytes, None);
                let verdict = rules.classify(&key);
                first.dfa.pack(&key, &mut packed);
                assert_eq!(first.ends[first.walk(&packed)].0, verdict.class, "{key}");
                all.dfa.pack(&key, &mut packed);
                let (class, matched) = &all.ends[all.walk(&packed)];
                assert_eq!(*class, verdict.class, "{key}");
                let wanted: Vec<u32> =
                    (0..).zip(&rules.rules).filter(|(_, r)| r.matches(&key)).map(|(i, _)| i).collect();
                assert_eq!(*matched, wanted, "{key}");
                several += usize::from(wanted.len() > 1);
            }
        }
        assert!(several > 100, "{several}");
    }
}
