//! Deterministic finite automata over packed keys: a whole rule list as one walk over the octets of the tested fields.
//!
//! A packed key is a string of octets: for each field of [`Dfa::fields`], in that order, a mark, and then the value in
//! network order. The mark is 0 where the packet does not have the field, and nothing follows; 4 or 6 before an
//! address of that IP version (4 or 16 octets); and 1 before any other value (as many octets as its bits need).
//!
//! [`Matches`] is an automaton whose walks end in the set of all rules that match.
//!
//! The states are numbered; the first of them, one for each class, accept: a walk that reaches one ends there, whatever
//! follows. Which rule matches first is decided when the automaton is made, so that a walk costs as much for the last
//! rule as for the first. The price is the number of states, which can grow with every combination of values that rules
//! tell apart; [`Dfa::build`] gives up at a limit.

mod build;
mod octets;

pub(crate) use octets::split;

use crate::field::Field;
use crate::key::Key;
use crate::ruleset::{ClassId, RuleSet};

/// An automaton that classifies packed keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dfa {
    fields: Vec<Field>,
    classes: u32,
    start: u32,
    /// Where the edges of each state begin in `edges`, accepting states left out; one more at the end.
    first: Vec<u32>,
    edges: Vec<Edge>,
}

/// Octets that lead to another state: those from the end of the edge before up to `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Edge {
    /// The last of the octets.
    pub last: u8,
    /// The state.
    pub to: u32,
}

/// What an automaton may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// States, accepting ones left out.
    pub states: usize,
    /// Steps while it is made: rules looked at, over all combinations of values.
    pub steps: usize,
}

impl Default for Limit {
    fn default() -> Self {
        Self { states: 1 << 20, steps: 1 << 24 }
    }
}

/// The automaton would go beyond its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the automaton needs more states or steps than it may")]
pub struct TooLarge;

/// Octets of a value behind its mark.
pub(crate) const fn octets(field: Field, family: u8) -> usize {
    match family {
        4 => 4,
        6 => 16,
        _ => field.width().div_ceil(8) as usize,
    }
}

impl Dfa {
    /// The automaton of a rule list.
    ///
    /// # Errors
    /// Where it goes beyond the limit.
    pub fn build(rules: &RuleSet, limit: Limit) -> Result<Self, TooLarge> {
        build::build(rules, limit)
    }

    /// The fields of a packed key, in order.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// How many states accept: as many as there are classes. State `n` is that of class `n`.
    pub fn classes(&self) -> u32 {
        self.classes
    }

    /// The state that a walk starts in.
    pub fn start(&self) -> u32 {
        self.start
    }

    /// States that do not accept.
    pub fn states(&self) -> usize {
        self.first.len().saturating_sub(1)
    }

    /// The edges of a state, by ascending octets; together they have every octet. None where the state accepts.
    pub fn edges(&self, state: u32) -> Option<&[Edge]> {
        let place = state.checked_sub(self.classes)? as usize;
        let (from, to) = (*self.first.get(place)?, *self.first.get(place + 1)?);
        self.edges.get(from as usize..to as usize)
    }

    /// Writes the packed key of a packet into `out`, whatever was there before.
    pub fn pack(&self, key: &Key, out: &mut Vec<u8>) {
        out.clear();
        for field in &self.fields {
            match key.get(*field) {
                None => out.push(0),
                Some(value) => {
                    out.push(value.family.max(1));
                    out.extend(&value.bits.to_be_bytes()[16 - octets(*field, value.family)..]);
                }
            }
        }
    }

    /// The class of a packed key.
    pub fn walk(&self, packed: &[u8]) -> ClassId {
        let mut state = self.start;
        let mut rest = packed.iter();
        while let Some(edges) = self.edges(state) {
            let Some(octet) = rest.next() else { return ClassId::OTHERS };
            state = edges[edges.partition_point(|e| e.last < *octet)].to;
        }
        ClassId(state)
    }
}

/// An automaton that tells all rules that match, not only the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// The automaton; its accepting states are the sets of rules.
    pub automaton: Dfa,
    sets: Vec<Vec<u32>>,
}

impl Matches {
    /// The automaton of a rule list. It has more states than that of the first match, since no rule hides another.
    ///
    /// # Errors
    /// Where it goes beyond the limit.
    pub fn build(rules: &RuleSet, limit: Limit) -> Result<Self, TooLarge> {
        let (automaton, sets) = build::build_all(rules, limit)?;
        Ok(Self { automaton, sets })
    }

    /// The rules of an accepting state, from 0, ascending.
    pub fn rules(&self, set: ClassId) -> &[u32] {
        self.sets.get(set.index()).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests;
