//! What is left of a box when others are taken away.

use super::region::Region;
use crate::field::Field;
use crate::value::{Range, Value, ValueSet};
use std::collections::BTreeSet;

/// A box of a rule.
#[derive(Clone, Copy)]
pub(super) struct Cover<'a> {
    pub(super) rule: usize,
    pub(super) region: &'a Region,
}

/// The state of a search for packets outside of all covers.
pub(super) struct Search {
    /// How many comparisons of boxes are left.
    budget: u64,
    /// How many boxes are wanted.
    limit: usize,
    /// Boxes outside of all covers, without packets in common.
    pub(super) found: Vec<Region>,
    /// The rules that took something away.
    pub(super) used: BTreeSet<usize>,
    /// Whether the search was given up: there may be more.
    pub(super) given_up: bool,
}

impl Search {
    pub(super) fn new(limit: usize, budget: u64) -> Self {
        Self { budget, limit, found: Vec::new(), used: BTreeSet::new(), given_up: false }
    }

    pub(super) fn is_over(&self) -> bool {
        self.found.len() >= self.limit || self.given_up
    }

    /// Adds what is left of `region` to what was found.
    pub(super) fn look_outside(&mut self, region: Region, covers: &[Cover]) {
        if self.is_over() {
            return;
        }
        let Some(left) = self.budget.checked_sub(covers.len() as u64 + 1) else {
            self.given_up = true;
            return;
        };
        self.budget = left;
        let mut covers: Vec<Cover> =
            covers.iter().filter(|c| c.region.intersects(&region)).copied().collect();
        if covers.is_empty() {
            self.found.push(region);
            return;
        }
        // cut along the cover with the fewest sides inside the box: none means that nothing is left
        let sides: Vec<usize> = covers.iter().map(|c| c.region.open_sides(&region)).collect();
        let best = (0..covers.len()).min_by_key(|i| (sides[*i], covers[*i].rule)).unwrap_or(0);
        let cut = covers.swap_remove(best);
        self.used.insert(cut.rule);
        for piece in region.subtract(cut.region) {
            self.look_outside(piece, &covers);
        }
    }
}

/// How many packets [`sample_outside`] tries.
const SAMPLES: usize = 4096;

/// One packet of the box that lies outside of all covers, by trying values at the edges of covers: cheap, and
/// finds most of what a search within bounds does not.
pub(super) fn sample_outside(region: &Region, covers: &[Cover]) -> Option<Region> {
    let fields: BTreeSet<Field> = covers.iter().flat_map(|c| c.region.narrowed_fields()).collect();
    let edges: Vec<(Field, Vec<Value>)> = fields
        .into_iter()
        .map(|f| (f, edges(region.raw(f), covers.iter().map(|c| c.region.raw(f)))))
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut draw = |n: usize| {
        // xorshift: the same answer in every run
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as usize % n
    };
    (0..SAMPLES).find_map(|_| {
        let point = edges.iter().try_fold(region.clone(), |r, (f, values)| {
            r.narrow_raw(*f, &ValueSet::single(values[draw(values.len())]))
        })?;
        covers.iter().all(|c| !c.region.intersects(&point)).then_some(point)
    })
}

/// First and last values of the intervals of `own`, and the values of `own` just outside the others.
fn edges<'a>(own: &ValueSet, others: impl Iterator<Item = &'a ValueSet>) -> Vec<Value> {
    let ends = |r: &Range| [r.lo, r.hi];
    let mut out: BTreeSet<Value> = own.ranges().iter().flat_map(ends).collect();
    for r in others.flat_map(|s| s.ranges()) {
        let before = r.lo.bits.checked_sub(1).map(|bits| Value { bits, ..r.lo });
        let behind = r.hi.bits.checked_add(1).map(|bits| Value { bits, ..r.hi });
        out.extend([before, behind].into_iter().flatten().filter(|v| own.contains(*v)));
    }
    out.into_iter().collect()
}
