//! Rules as boxes of ranks.

use super::ranks::{Rank, Ranks, Runs};
use crate::field::Field;
use crate::ruleset::{Rule, RuleSet};

/// A test of several intervals becomes several boxes, up to this many for one rule in one direction.
const BOXES: usize = 8;

/// Boxes of ranks, one interval per slot, in the order of the rules. A slot is a field that rules test.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    slots: usize,
    /// Row by row, slot by slot: first and last rank.
    intervals: Vec<(Rank, Rank)>,
    /// The rule of each row, from 0.
    pub rules: Vec<u32>,
    /// What each row needs beside its box, where that is wider than the rule.
    pub also: Vec<Also>,
}

/// Tests against more intervals than boxes are made of.
pub type Also = Vec<(usize, Runs)>;

impl Rows {
    /// The rows of all rules, and the ranks of the fields that these test, one per slot.
    pub fn new(set: &RuleSet) -> (Self, Vec<Ranks>) {
        let replies: Vec<Option<Rule>> = set.rules.iter().map(|r| r.both.then(|| r.reversed())).collect();
        let rules: Vec<(u32, &Rule)> = set
            .rules
            .iter()
            .zip(&replies)
            .enumerate()
            .flat_map(|(i, (r, reply))| [Some(r), reply.as_ref()].map(|r| Some((i as u32, r?))))
            .flatten()
            .collect();
        let (mut ranks, mut runs) = (Vec::new(), Vec::new());
        for field in Field::ALL {
            let mut tests = rules.iter().filter_map(|(_, r)| r.test(field)).peekable();
            if tests.peek().is_some() {
                let (of_values, of_sets) = Ranks::new(field, tests);
                ranks.push(of_values);
                runs.push(of_sets);
            }
        }
        let everything: Vec<(Rank, Rank)> = ranks.iter().map(|r| (0, r.last)).collect();
        let mut rows = Self { slots: ranks.len(), ..Self::default() };
        // so that sets of many intervals can't make the structure many times as large as the rules
        let mut spare = 2 * rules.len() + 1024;
        for (i, rule) in rules {
            let tests = ranks.iter().zip(&runs).enumerate().filter_map(|(slot, (ranks, runs))| {
                let set = rule.test(ranks.field)?;
                Some((slot, &runs[set]))
            });
            let added = rows.add(i, tests.collect(), &everything, spare.min(BOXES));
            spare = spare.saturating_sub(added.saturating_sub(1));
        }
        (rows, ranks)
    }

    /// Adds the boxes of a rule, at most `most` of them, and answers how many.
    fn add(
        &mut self,
        rule: u32,
        tests: Vec<(usize, &Runs)>,
        everything: &[(Rank, Rank)],
        most: usize,
    ) -> usize {
        if tests.iter().any(|(_, runs)| runs.is_empty()) {
            return 0;
        }
        let mut boxes = vec![everything.to_vec()];
        let mut also = Also::new();
        for (slot, runs) in tests {
            if boxes.len() * runs.len() <= most.max(1) {
                let with = |run: &(Rank, Rank)| {
                    let mut narrowed = boxes.clone();
                    narrowed.iter_mut().for_each(|b| b[slot] = *run);
                    narrowed
                };
                boxes = runs.iter().flat_map(with).collect();
            } else {
                let hull = (runs[0].0, runs[runs.len() - 1].1);
                boxes.iter_mut().for_each(|b| b[slot] = hull);
                also.push((slot, runs.clone()));
            }
        }
        for b in &boxes {
            self.rules.push(rule);
            self.also.push(also.clone());
            self.intervals.extend(b);
        }
        boxes.len()
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// The ranks that a row accepts in a slot: all of its box.
    #[inline]
    pub fn interval(&self, row: u32, slot: usize) -> (Rank, Rank) {
        self.intervals[row as usize * self.slots + slot]
    }

    /// Whether a row accepts every rank from `lo` to `hi` in a slot, as far as its box says.
    #[inline]
    pub fn spans(&self, row: u32, slot: usize, (lo, hi): (Rank, Rank)) -> bool {
        let own = self.interval(row, slot);
        own.0 <= lo && hi <= own.1
    }
}
