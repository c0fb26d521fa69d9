//! Classification without walking the list: a decision structure that is compiled from the rules and gives the
//! verdicts of [`RuleSet::classify`].
//!
//! ```text
//! RuleSet ─ rows ─► boxes of ranks ─ build, cut ─► Tree          once
//! Key ─ ranks ─► a point ─ tree.first ─► row ─► Verdict          per packet, without allocation
//! ```
//!
//! Each field is replaced by its *rank* first: values that no rule can tell apart have one number, whatever the width,
//! the family or the number of intervals. Then every rule is a box of small integers, and a decision tree with
//! many-way cuts leads to a leaf of few of them. The idea of cutting is that of HiCuts (Gupta and McKeown, 1999);
//! rules that a cut would copy into many parts are kept beside it, as in EffiCuts (Vamanan et al., 2010), so that the
//! structure stays within a budget that grows with the number of rules.

mod build;
mod cut;
mod frame;
mod ranks;
mod rows;
mod search;
mod tree;

pub use frame::Ranked;

use crate::field::Field;
use crate::key::Key;
use crate::ruleset::{ClassId, RuleSet, Verdict};
use ranks::{Ranks, Runs};
use rows::Also;
use tree::{Point, Tree};

/// A compiled rule set: answers as the oracle does, in a time that hardly depends on the number of rules.
///
/// Rule sets that no decision structure is good for (many rules, wide in all of their fields, each different)
/// still give the right verdicts, in longer time; the memory stays bounded.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// One entry per slot.
    ranks: Vec<Ranks>,
    /// The slot of each field.
    slots: [u8; Field::COUNT],
    tree: Tree,
    /// What rows need beside their boxes.
    also: Vec<Also>,
    /// Per row its rule and its class.
    verdicts: Vec<(u32, ClassId)>,
}

impl Classifier {
    /// Compiles a rule set. 100,000 rules take seconds.
    pub fn new(rules: &RuleSet) -> Self {
        let (rows, ranks) = rows::Rows::new(rules);
        let tree = build::tree(&rows, &ranks);
        let verdicts = rows.rules.iter().map(|r| (*r, rules.rules[*r as usize].class)).collect();
        Self { slots: frame::slots(&ranks), ranks, tree, also: rows.also, verdicts }
    }

    /// The class of the first rule that matches, else `others`.
    #[inline]
    pub fn classify(&self, key: &Key) -> Verdict {
        self.verdict(&self.point(key))
    }

    #[inline]
    fn verdict(&self, point: &Point) -> Verdict {
        let row = self.tree.first(point, |row| self.accepts(row, point));
        match self.verdicts.get(row as usize) {
            Some((rule, class)) => Verdict { class: *class, rule: Some(*rule as usize) },
            None => Verdict { class: ClassId::OTHERS, rule: None },
        }
    }

    /// Octets that the tree takes; ranks come on top.
    pub fn octets(&self) -> usize {
        self.tree.octets()
    }

    /// The ranks of what a packet has.
    #[inline]
    fn point(&self, key: &Key) -> Point {
        let mut point: Point = [0; 32];
        for (rank, of) in point.iter_mut().zip(&self.ranks) {
            *rank = of.of(key.get(of.field));
        }
        point
    }

    /// Whether a point in the box of a row also passes the tests that the box is too wide for.
    #[inline]
    fn accepts(&self, row: u32, point: &Point) -> bool {
        self.also[row as usize].iter().all(|test| within(test, point))
    }
}

/// Whether the rank in a slot is in one of the intervals.
fn within((slot, runs): &(usize, Runs), point: &Point) -> bool {
    let rank = point[*slot];
    let at = runs.partition_point(|r| r.1 < rank);
    runs.get(at).is_some_and(|r| r.0 <= rank)
}
