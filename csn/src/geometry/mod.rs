//! Exact reasoning over rules as boxes of packets: which rules can be reached, which overlap, which could be one, and
//! where the packets lie that a given rule, or none, is the first to match.
//!
//! All of it is about whole, well-formed packets: that a frame may be cut short behind its protocol field, and
//! so have no ports, makes no rule reachable.
//!
//! | in | what |
//! |---|---|
//! | `shapes`, `region` | kinds of packets, and boxes of packets of one kind |
//! | `grid` | rules in small integers: cells between the ends of intervals |
//! | `index` | which rules lie near a box, without looking at all of them |
//! | `search` | what is left of a box outside of others |
//! | `reach` | the answers about one rule |
//! | `survey` | the answers about all rules, within bounds |
//! | `others` | packets that no rule matches, and near misses |
//! | `left` | what rules leave of boxes that somebody else describes |
//! | `merge`, `order` | rules that could be one, and a better order |
//! | `diagnose`, `advise` | what is said about it |

mod advise;
mod diagnose;
mod grid;
mod index;
mod left;
mod merge;
mod order;
mod others;
mod reach;
mod region;
mod search;
mod shapes;
mod survey;

pub use advise::{Advice, advice};
pub use diagnose::{diagnostics, finds};
pub use left::Sides;
pub use merge::Merge;
pub use order::{Order, shares};
pub use region::{Region, rule_regions};

use crate::field::Field;
use crate::ruleset::RuleSet;
use grid::Grid;
use index::{Index, Near, hull};
use shapes::SHAPES;

/// Covers that are looked at for the question whether one rule can be reached; some tenths of a second. Beyond it the
/// answer is [`Reach::Unknown`].
pub const BUDGET: u64 = 20_000_000;

/// Whether a rule is the first to match any packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Packets that it is the first to match.
    Reachable(Region),
    /// It matches packets, but these earlier rules take all of them.
    Covered(Vec<usize>),
    /// No packet satisfies its tests.
    Empty,
    /// Not found out within [`BUDGET`].
    Unknown,
}

/// The boxes of a rule set.
pub struct Geometry<'r> {
    rules: &'r RuleSet,
    /// The shapes that matter: two that no rule tells apart are looked at once.
    shapes: Vec<usize>,
    grid: Grid,
    index: Index,
}

impl<'r> Geometry<'r> {
    /// Works out the boxes of all rules, in n log n.
    pub fn new(rules: &'r RuleSet) -> Self {
        let labels = [Field::EtherType, Field::Mpls];
        let labels = rules.rules.iter().any(|r| r.tests.iter().any(|(f, _)| labels.contains(f)));
        let shapes: Vec<usize> = (0..SHAPES.len()).filter(|s| labels || !SHAPES[*s].labelled).collect();
        let grid = Grid::new(rules, shapes.iter().fold(0, |m, s| m | 1 << s));
        let index = Index::new(&grid);
        Self { rules, shapes, grid, index }
    }

    /// The boxes of a rule, earlier rules left aside; those of packets with MPLS labels are left out where no rule
    /// looks at them.
    pub fn regions(&self, rule: usize) -> Vec<Region> {
        let of_rule = rule_regions(&self.rules.rules[rule]);
        of_rule.into_iter().filter(|b| self.shapes.contains(&b.shape_index())).collect()
    }

    /// Pairs of rules that match packets in common, the earlier first, in ascending order.
    pub fn overlaps(&self) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        for later in 0..self.rules.rules.len() {
            out.extend(self.overlapped(later).into_iter().map(|earlier| (earlier, later)));
        }
        out.sort_unstable();
        out
    }

    /// The earlier rules that match packets in common with this one, ascending.
    pub fn overlapped(&self, rule: usize) -> Vec<usize> {
        let mut out = Vec::new();
        for own in self.grid.of_rule(rule) {
            let (entry, query) = (self.grid.entry(own), hull(&self.grid, own));
            self.index.visit(Near::Meets, &query, 0..rule as u32, |e| {
                let other = self.grid.entry(e);
                if self.grid.intersects(other, entry) {
                    out.push(other.rule as usize);
                }
                true
            });
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// Packets that two rules both match.
    pub fn common(&self, a: usize, b: usize) -> Option<Region> {
        let (a, b) = (self.regions(a), self.regions(b));
        a.iter().find_map(|a| b.iter().find_map(|b| a.intersect(b)))
    }
}

/// The comparisons of rules that a linear meter makes per packet, on average: the place of the first match counted
/// from 1, and all rules for packets that none matches (the paper's "theoretical" curve).
///
/// `shares` are the parts of the traffic that each rule is the first to match; parts of rules beyond those of
/// `rules` match none, and neither does `others`. The parts need not add up to 1.
pub fn expected_comparisons(rules: &RuleSet, shares: &[f64], others: f64) -> f64 {
    let count = rules.rules.len();
    let compared = |i: usize| (i + 1).min(count) as f64;
    let total = shares.iter().sum::<f64>() + others;
    let sum: f64 = shares.iter().enumerate().map(|(i, s)| s * compared(i)).sum();
    if total > 0.0 { (sum + others * count as f64) / total } else { 0.0 }
}

#[cfg(test)]
mod brute_force;
#[cfg(test)]
mod tests;
