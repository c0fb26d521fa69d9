//! Exact reasoning over rules as boxes of packets: which rules can be reached, which overlap, and where the
//! packets lie that a given rule, or none, is the first to match.
//!
//! All of it is about whole, well-formed packets: that a frame may be cut short behind its protocol field, and
//! so have no ports, makes no rule reachable.

mod cover;
mod diagnose;
mod others;
mod region;
mod shapes;

pub use diagnose::diagnostics;
pub use region::{Region, rule_regions};

use crate::field::Field;
use crate::ruleset::{Rule, RuleSet};
use cover::{Cover, Search, sample_outside};
use shapes::SHAPES;

/// Comparisons of two boxes that are spent on the question whether one rule can be reached; some tenths of a
/// second. Beyond it the answer is [`Reach::Unknown`].
pub const BUDGET: u64 = 4_000_000;

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
pub struct Geometry {
    /// The shapes that matter: two that no rule tells apart are looked at once.
    shapes: Vec<usize>,
    tests: Vec<Rule>,
    boxes: Vec<Vec<Region>>,
}

impl Geometry {
    /// Works out the boxes of all rules.
    pub fn new(rules: &RuleSet) -> Self {
        let fields = rules.fields();
        let labels = fields.contains(&Field::EtherType) || fields.contains(&Field::Mpls);
        let shapes: Vec<usize> = (0..SHAPES.len()).filter(|s| labels || !SHAPES[*s].labelled).collect();
        let boxes = rules
            .rules
            .iter()
            .map(|r| rule_regions(r).into_iter().filter(|b| shapes.contains(&b.shape_index())).collect())
            .collect();
        Self { shapes, tests: rules.rules.clone(), boxes }
    }

    /// The boxes of a rule, earlier rules left aside; those of packets with MPLS labels are left out where no rule
    /// looks at them.
    pub fn regions(&self, rule: usize) -> &[Region] {
        &self.boxes[rule]
    }

    /// The boxes of the first `rules` rules that have packets in common with `region`.
    fn covers(&self, region: &Region, rules: usize) -> Vec<Cover<'_>> {
        let all = self.boxes[..rules].iter().enumerate();
        all.flat_map(|(rule, boxes)| boxes.iter().map(move |region| Cover { rule, region }))
            .filter(|c| c.region.intersects(region))
            .collect()
    }

    /// Whether a rule is the first to match any packet.
    pub fn reach(&self, rule: usize) -> Reach {
        if self.boxes[rule].is_empty() {
            return Reach::Empty;
        }
        self.outside(&self.boxes[rule], rule)
    }

    /// Whether there are packets that no rule matches.
    pub fn others(&self) -> Reach {
        let all: Vec<Region> = self.shapes.iter().map(|s| Region::whole(*s)).collect();
        self.outside(&all, self.boxes.len())
    }

    /// Looks for packets of `regions` outside of the first `rules` rules.
    fn outside(&self, regions: &[Region], rules: usize) -> Reach {
        let mut search = Search::new(1, BUDGET);
        for region in regions {
            search.look_outside(region.clone(), &self.covers(region, rules));
        }
        if let Some(found) = search.found.pop() {
            return Reach::Reachable(found);
        }
        if !search.given_up {
            return Reach::Covered(search.used.into_iter().collect());
        }
        regions
            .iter()
            .find_map(|r| sample_outside(r, &self.covers(r, rules)))
            .map_or(Reach::Unknown, Reach::Reachable)
    }

    /// Up to `limit` boxes, without packets in common, of packets that the rule is the first to match. None where
    /// it cannot be reached, or where that was not found out.
    pub fn witness_regions(&self, rule: usize, limit: usize) -> Vec<Region> {
        let mut found = self.pieces(&self.boxes[rule], rule, limit);
        if found.is_empty() {
            let boxes = &self.boxes[rule];
            found.extend(boxes.iter().find_map(|b| sample_outside(b, &self.covers(b, rule))));
        }
        found
    }

    /// Up to `limit` boxes that make up what lies in `regions` and outside of the first `rules` rules.
    fn pieces(&self, regions: &[Region], rules: usize, limit: usize) -> Vec<Region> {
        let mut out: Vec<Region> = Vec::new();
        for (i, region) in regions.iter().enumerate() {
            let mut covers = self.covers(region, rules);
            // the boxes of `both` rules may overlap each other
            covers.extend(regions[..i].iter().map(|region| Cover { rule: rules, region }));
            let mut search = Search::new(limit.saturating_sub(out.len()), BUDGET / 16);
            search.look_outside(region.clone(), &covers);
            out.append(&mut search.found);
        }
        out
    }

    /// Pairs of rules that match packets in common, the earlier first, in ascending order.
    pub fn overlaps(&self) -> Vec<(usize, usize)> {
        let mut out = Vec::new();
        for later in 0..self.boxes.len() {
            for earlier in 0..later {
                if self.common(earlier, later).is_some() {
                    out.push((earlier, later));
                }
            }
        }
        out.sort_unstable();
        out
    }

    /// Packets that two rules both match.
    fn common(&self, earlier: usize, later: usize) -> Option<(&Region, &Region)> {
        let pairs = self.boxes[later].iter().flat_map(|b| self.boxes[earlier].iter().map(move |a| (a, b)));
        pairs.into_iter().find(|(a, b)| a.intersects(b))
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
mod tests;
