//! Which entries of a grid lie near a box: a tree whose nodes cut one axis into what lies before, across and behind.
//!
//! Every entry stands in one leaf, so the tree is as large as the rules, however wide they are; what lies across a cut
//! is told apart by other axes below. A rule that leaves a field open is never cut along it.

use super::grid::{Grid, Run};
use std::ops::Range;

/// Entries that are not divided further.
const LEAF: usize = 8;
/// Entries that a cut is chosen by.
const SAMPLE: usize = 256;

struct Node {
    items: Range<u32>,
    /// The node behind this one and all below it.
    skip: u32,
    /// First and last rule.
    rules: Run,
}

/// The tree.
pub(super) struct Index {
    axes: usize,
    nodes: Vec<Node>,
    /// The hull of every node, a run for each axis.
    bounds: Vec<Run>,
    /// The entries, leaf by leaf.
    items: Vec<u32>,
    /// The rule and the hull of each of these.
    rules: Vec<u32>,
    hulls: Vec<Run>,
}

/// The hull of an entry, all axes.
pub(super) fn hull(grid: &Grid, entry: u32) -> Vec<Run> {
    let mut out: Vec<Run> = grid.axes.iter().map(|a| (0, a.len())).collect();
    for d in grid.dims(grid.entry(entry)) {
        out[d.axis as usize] = d.hull;
    }
    out
}

/// Which hulls are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Near {
    /// Those that meet the box.
    Meets,
    /// Those that hold all of it.
    Holds,
}

impl Near {
    fn is(self, hull: &[Run], query: &[Run]) -> bool {
        let mut pairs = hull.iter().zip(query);
        match self {
            Near::Meets => pairs.all(|(h, q)| h.0 <= q.1 && q.0 <= h.1),
            Near::Holds => pairs.all(|(h, q)| h.0 <= q.0 && q.1 <= h.1),
        }
    }
}

impl Index {
    /// The tree of all entries.
    pub(super) fn new(grid: &Grid) -> Self {
        let mut tree = Self {
            axes: grid.axes.len(),
            nodes: Vec::new(),
            bounds: Vec::new(),
            items: Vec::with_capacity(grid.entries.len()),
            rules: Vec::with_capacity(grid.entries.len()),
            hulls: Vec::with_capacity(grid.entries.len() * grid.axes.len()),
        };
        let mut items: Vec<u32> = (0..grid.entries.len() as u32).collect();
        let hulls: Vec<Run> = items.iter().flat_map(|e| hull(grid, *e)).collect();
        tree.build(grid, &hulls, &mut items);
        tree
    }

    fn build(&mut self, grid: &Grid, hulls: &[Run], items: &mut [u32]) {
        let Some(first) = items.first() else { return };
        let n = self.axes;
        let of = |e: u32| &hulls[e as usize * n..(e as usize + 1) * n];
        let mut bounds = of(*first).to_vec();
        let mut rules = (u32::MAX, 0);
        for e in items.iter() {
            for (b, h) in bounds.iter_mut().zip(of(*e)) {
                *b = (b.0.min(h.0), b.1.max(h.1));
            }
            let rule = grid.entry(*e).rule;
            rules = (rules.0.min(rule), rules.1.max(rule));
        }
        let at = self.nodes.len();
        let from = self.items.len() as u32;
        self.bounds.extend(bounds);
        self.nodes.push(Node { items: from..from, skip: 0, rules });
        match self.cut(hulls, items) {
            Some((axis, cut)) => {
                let side = |e: &u32| {
                    let h = hulls[*e as usize * n + axis];
                    if h.1 < cut { 0 } else { 1 + usize::from(h.0 >= cut) }
                };
                let (before, rest) = divide(items, |e| side(e) == 0);
                let (across, behind) = divide(rest, |e| side(e) == 1);
                for part in [before, across, behind] {
                    self.build(grid, hulls, part);
                }
            }
            None => {
                // entries of a rule stand in order, and so do rules
                items.sort_unstable();
                for e in items.iter() {
                    self.items.push(*e);
                    self.rules.push(grid.entry(*e).rule);
                    self.hulls.extend_from_slice(of(*e));
                }
                self.nodes[at].items.end = self.items.len() as u32;
            }
        }
        self.nodes[at].skip = self.nodes.len() as u32;
    }

    /// The cut that leaves least to look at; none where that is hardly less.
    fn cut(&self, hulls: &[Run], items: &[u32]) -> Option<(usize, u32)> {
        if items.len() <= LEAF {
            return None;
        }
        let step = items.len().div_ceil(SAMPLE);
        let sample: Vec<u32> = items.iter().copied().step_by(step).collect();
        let mut best: Option<(usize, usize, u32)> = None;
        for axis in 0..self.axes {
            let of = |e: &u32| hulls[*e as usize * self.axes + axis];
            let mut ends: Vec<Run> = sample.iter().map(of).collect();
            ends.sort_unstable();
            let first = ends[ends.len() / 2].0;
            ends.sort_unstable_by_key(|r| r.1);
            let last = ends[ends.len() / 2].1 + 1;
            for cut in [first, last] {
                let before = ends.iter().filter(|r| r.1 < cut).count();
                let behind = ends.iter().filter(|r| r.0 >= cut).count();
                let across = ends.len() - before - behind;
                let cost = across + before.max(behind);
                if cost * 16 <= ends.len() * 15 && best.is_none_or(|(c, ..)| cost < c) {
                    best = Some((cost, axis, cut));
                }
            }
        }
        best.map(|(_, axis, cut)| (axis, cut))
    }

    /// Calls `f` for every entry of these rules whose hull is so near to the box, until it answers false. Answers how
    /// many hulls were compared.
    pub(super) fn visit(
        &self,
        near: Near,
        query: &[Run],
        rules: Range<u32>,
        mut f: impl FnMut(u32) -> bool,
    ) -> u64 {
        let n = self.axes;
        let (mut at, mut compared) = (0, 0);
        while let Some(node) = self.nodes.get(at) {
            compared += 1;
            let outside = node.rules.0 >= rules.end || node.rules.1 < rules.start;
            if outside || !near.is(&self.bounds[at * n..(at + 1) * n], query) {
                at = node.skip as usize;
                continue;
            }
            at += 1;
            for i in node.items.start as usize..node.items.end as usize {
                if self.rules[i] >= rules.end {
                    break;
                }
                compared += 1;
                if self.rules[i] >= rules.start
                    && near.is(&self.hulls[i * n..(i + 1) * n], query)
                    && !f(self.items[i])
                {
                    return compared;
                }
            }
        }
        compared
    }
}

/// Moves what passes the test to the front.
fn divide<T>(items: &mut [T], test: impl Fn(&T) -> bool) -> (&mut [T], &mut [T]) {
    let mut front = 0;
    for i in 0..items.len() {
        if test(&items[i]) {
            items.swap(front, i);
            front += 1;
        }
    }
    items.split_at_mut(front)
}
