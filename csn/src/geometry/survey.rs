//! What is to be found out about all rules of a set, within bounds.

use super::index::{Near, hull};
use super::reach::Status;
use super::{BUDGET, Geometry};

/// How much work a survey may do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Comparisons of rules with rules.
    pub(super) pairs: u64,
    /// Covers that searches look at, in all.
    pub(super) covers: u64,
}

impl Bounds {
    /// For a check that people wait for: about a second.
    pub(super) const CHECK: Self = Self { pairs: 60_000_000, covers: 40_000_000 };
    /// For advice that is asked for: some tens of seconds.
    pub(super) const ADVICE: Self = Self { pairs: 2_000_000_000, covers: 100 * BUDGET };
}

/// Earlier rules of other classes that a rule overlaps.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlapped {
    /// How many there are.
    pub(super) count: usize,
    /// The first ones.
    pub(super) first: Vec<usize>,
}

/// The first ones that are kept.
const FIRST: usize = 4;

impl Overlapped {
    fn add(&mut self, rule: usize) {
        self.count += 1;
        let at = self.first.partition_point(|r| *r < rule);
        if at < FIRST {
            self.first.truncate(FIRST - 1);
            self.first.insert(at, rule);
        }
    }
}

/// The answers.
pub(super) struct Survey {
    pub(super) status: Vec<Status>,
    /// How many rules, from the first, were compared with all before them.
    pub(super) compared: usize,
    /// For every compared rule, the overlaps with rules that can match.
    pub(super) overlapped: Vec<Overlapped>,
    /// For every compared rule, the last of the earlier rules of other classes that it overlaps.
    pub(super) blocked: Vec<Option<usize>>,
}

impl Geometry<'_> {
    /// Compares rules with those before them, from the first on, as far as the bounds allow; whether the others can be
    /// reached is found out where trying some packets is enough.
    pub(super) fn survey(&self, bounds: Bounds) -> Survey {
        let rules = &self.rules.rules;
        let Bounds { mut pairs, mut covers } = bounds;
        let mut out = Survey {
            status: Vec::with_capacity(rules.len()),
            compared: rules.len(),
            overlapped: Vec::new(),
            blocked: Vec::new(),
        };
        let both = rules.iter().any(|r| r.both);
        let mut near: Vec<u32> = Vec::new();
        for rule in 0..rules.len() {
            near.clear();
            if out.compared < rule {
                out.status.push(self.status_alone(rule, &mut near, &mut covers));
                continue;
            }
            let spent = self.overlapping(rule, &mut near);
            match pairs.checked_sub(spent) {
                Some(left) => pairs = left,
                None => out.compared = rule,
            }
            let status = self.status(rule, &near, &mut covers);
            let dead = status.is_dead();
            out.status.push(status);
            if out.compared == rule {
                continue;
            }
            let (mut overlapped, mut blocked) = (Overlapped::default(), None);
            let mut earlier: Vec<usize> = near.iter().map(|e| self.grid.entry(*e).rule as usize).collect();
            if both {
                earlier.sort_unstable();
                earlier.dedup();
            }
            for e in earlier {
                if rules[e].class == rules[rule].class {
                    continue;
                }
                blocked = blocked.max(Some(e));
                if !dead && !out.status[e].is_dead() {
                    overlapped.add(e);
                }
            }
            out.overlapped.push(overlapped);
            out.blocked.push(blocked);
        }
        out
    }

    /// The status of a rule whose overlaps are not asked for.
    fn status_alone(&self, rule: usize, near: &mut Vec<u32>, covers: &mut u64) -> Status {
        if *covers == 0 {
            return Status::Unknown;
        }
        if let Some(easy) = self.easy_status(rule, covers) {
            return easy;
        }
        *covers = covers.saturating_sub(self.overlapping(rule, near));
        self.status(rule, near, covers)
    }

    /// Adds the entries of earlier rules that match packets in common with the rule; answers how many comparisons that
    /// took.
    fn overlapping(&self, rule: usize, near: &mut Vec<u32>) -> u64 {
        let mut spent = 0;
        let own = self.grid.of_rule(rule);
        let directions = own.len();
        for own in own {
            let (entry, query) = (self.grid.entry(own), hull(&self.grid, own));
            let compared = self.index.visit(Near::Meets, &query, 0..rule as u32, |e| {
                if self.grid.intersects(self.grid.entry(e), entry) {
                    near.push(e);
                }
                true
            });
            spent += compared + 2 * near.len() as u64;
        }
        if directions > 1 {
            near.sort_unstable();
            near.dedup();
        }
        spent
    }
}
