//! The search for packets of an area outside of all covers.
//!
//! One axis after another is divided into groups of cells that lie in the same covers. A group with no cover left is
//! found; one with a cover that leaves all further axes open has nothing. The groups are disjoint, so that what is
//! found without a limit is all there is, each packet once.

use super::grid::{Area, Grid, Run, common, within};
use std::collections::{BTreeSet, HashMap, HashSet};

/// Members of groups that are listed together before they are looked at.
const LISTED: usize = 4_000_000;
/// Groups without packets that others are compared with.
const KEPT: usize = 64;

/// The state of a search.
pub(super) struct Search<'g> {
    grid: &'g Grid,
    /// How many covers may still be looked at.
    pub(super) budget: u64,
    /// How many areas are wanted.
    limit: usize,
    /// Areas outside of all covers, without packets in common.
    pub(super) found: Vec<Area>,
    /// The rules that are why there is nothing elsewhere: together they cover it.
    pub(super) used: BTreeSet<usize>,
    /// Whether the search was given up: there may be more.
    pub(super) given_up: bool,
}

/// The covers of one area.
struct Covers {
    area: Area,
    axes: usize,
    rules: Vec<u32>,
    /// The axes, a bit each, along which the area reaches beyond the cover.
    open: Vec<u32>,
    /// For every cover and axis, where its runs within the area stand.
    at: Vec<(u32, u32)>,
    runs: Vec<Run>,
    /// Covers and axes that are known to leave nothing.
    dead: HashSet<(u128, u32)>,
}

/// Cells of one axis that lie in the same covers.
struct Group {
    runs: Vec<Run>,
    count: usize,
}

/// A number for a set of covers: the exclusive or of one of 128 bits for each, so that two sets of one number are not
/// to be expected in the age of the universe.
fn key(cover: u32) -> u128 {
    let mix = |x: u64| {
        let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    };
    let x = u64::from(cover) + 1;
    let (hi, lo) = (x.wrapping_mul(0x9e37_79b9_7f4a_7c15), x.wrapping_mul(0xd1b5_4a32_d192_ed03));
    u128::from(mix(hi)) << 64 | u128::from(mix(lo))
}

fn key_of(covers: &[u32]) -> u128 {
    covers.iter().fold(0, |k, c| k ^ key(*c))
}

impl Covers {
    /// Those of the entries that have packets in the area.
    fn new(grid: &Grid, area: &Area, entries: impl Iterator<Item = u32>) -> Self {
        let axes = grid.axes.len();
        let mut out = Self {
            area: area.clone(),
            axes,
            rules: Vec::new(),
            open: Vec::new(),
            at: Vec::new(),
            runs: Vec::new(),
            dead: HashSet::new(),
        };
        for entry in entries.map(|e| grid.entry(e)).filter(|e| e.shapes >> area.shape & 1 == 1) {
            let (runs, slots) = (out.runs.len(), out.at.len());
            let mut open = 0;
            out.at.resize(slots + axes, (0, 0));
            let meets = grid.dims(entry).iter().all(|d| {
                let (own, set) = (&area.sets[d.axis as usize], grid.runs(d));
                if within(own, set) {
                    return true;
                }
                open |= 1 << d.axis;
                let from = out.runs.len();
                out.runs.extend(common(own, set));
                out.at[slots + d.axis as usize] = (from as u32, out.runs.len() as u32);
                out.runs.len() > from
            });
            if meets {
                out.rules.push(entry.rule);
                out.open.push(open);
            } else {
                out.runs.truncate(runs);
                out.at.truncate(slots);
            }
        }
        out
    }

    /// One more cover, of a rule and all of whose sides are given.
    fn add(&mut self, rule: usize, area: &Area) {
        let (runs, slots) = (self.runs.len(), self.at.len());
        let mut open = 0;
        self.at.resize(slots + self.axes, (0, 0));
        for (axis, own) in self.area.sets.iter().enumerate() {
            if within(own, &area.sets[axis]) {
                continue;
            }
            open |= 1 << axis;
            let from = self.runs.len();
            self.runs.extend(common(own, &area.sets[axis]));
            if self.runs.len() == from {
                self.runs.truncate(runs);
                self.at.truncate(slots);
                return;
            }
            self.at[slots + axis] = (from as u32, self.runs.len() as u32);
        }
        self.rules.push(rule as u32);
        self.open.push(open);
    }

    fn runs(&self, cover: u32, axis: usize) -> &[Run] {
        let (from, to) = self.at[cover as usize * self.axes + axis];
        &self.runs[from as usize..to as usize]
    }

    fn is_open(&self, cover: u32, axis: usize) -> bool {
        self.open[cover as usize] >> axis & 1 == 1
    }

    /// Whether the cover holds the cell.
    fn holds(&self, cover: u32, axis: usize, cell: u32) -> bool {
        !self.is_open(cover, axis) || self.runs(cover, axis).iter().any(|r| r.0 <= cell && cell <= r.1)
    }

    /// Where covers begin and end along an axis: place, cover, whether it begins.
    fn events(&self, covers: &[u32], axis: usize) -> Vec<(u32, u32, bool)> {
        let mut out: Vec<(u32, u32, bool)> = Vec::with_capacity(covers.len() * 2);
        for &c in covers.iter().filter(|c| self.is_open(**c, axis)) {
            out.extend(self.runs(c, axis).iter().flat_map(|r| [(r.0, c, true), (r.1 + 1, c, false)]));
        }
        out.sort_unstable();
        out
    }

    /// Goes along an axis: `event` for every beginning and end of a cover, `cells` for every run between them.
    fn sweep(
        &self,
        axis: usize,
        events: &[(u32, u32, bool)],
        mut step: impl FnMut(Option<(u32, bool)>, Run),
    ) {
        let mut next = 0;
        for &(lo, hi) in &self.area.sets[axis] {
            let mut from = lo;
            while from <= hi {
                while let Some((_, cover, begins)) = events.get(next).filter(|e| e.0 <= from) {
                    step(Some((*cover, *begins)), (0, 0));
                    next += 1;
                }
                let to = events.get(next).map_or(hi, |e| hi.min(e.0 - 1));
                step(None, (from, to));
                from = to + 1;
            }
        }
    }

    /// How little an axis leaves to do: nothing if some cell is in no cover; else the sum of squares of how many covers
    /// each run of cells is in.
    fn cost(&self, covers: &[u32], axis: usize) -> u64 {
        let events = self.events(covers, axis);
        let all = covers.iter().filter(|c| !self.is_open(**c, axis)).count() as u64;
        let (mut now, mut sum, mut least) = (all, 0u64, u64::MAX);
        self.sweep(axis, &events, |event, _| match event {
            Some((_, true)) => now += 1,
            Some((_, false)) => now -= 1,
            None => {
                least = least.min(now);
                sum = sum.saturating_add(now * now);
            }
        });
        if least == 0 { 0 } else { sum }
    }

    /// The groups of an axis, those in the fewest covers first.
    fn groups(&self, events: &[(u32, u32, bool)], axis: usize, all: usize) -> Vec<Group> {
        let mut places: HashMap<u128, usize> = HashMap::new();
        let mut out: Vec<Group> = Vec::new();
        let (mut now, mut count) = (0u128, all);
        self.sweep(axis, events, |event, run| match event {
            Some((cover, begins)) => {
                now ^= key(cover);
                count = if begins { count + 1 } else { count - 1 };
            }
            None => {
                let at = *places.entry(now).or_insert_with(|| {
                    out.push(Group { runs: Vec::new(), count });
                    out.len() - 1
                });
                match out[at].runs.last_mut() {
                    Some(last) if last.1 + 1 == run.0 => last.1 = run.1,
                    _ => out[at].runs.push(run),
                }
            }
        });
        out.sort_by_key(|g| (g.count, g.runs[0]));
        out
    }

    /// The covers of all groups, listed in one go along the axis.
    fn members(
        &self,
        covers: &[u32],
        events: &[(u32, u32, bool)],
        axis: usize,
        groups: &[Group],
    ) -> Vec<Vec<u32>> {
        let all: Vec<u32> = covers.iter().copied().filter(|c| !self.is_open(*c, axis)).collect();
        let first: HashMap<u32, usize> = groups.iter().enumerate().map(|(i, g)| (g.runs[0].0, i)).collect();
        let mut out = vec![Vec::new(); groups.len()];
        let mut active: Vec<u32> = Vec::new();
        let mut place: HashMap<u32, usize> = HashMap::new();
        self.sweep(axis, events, |event, run| match event {
            Some((cover, true)) => {
                place.insert(cover, active.len());
                active.push(cover);
            }
            Some((cover, false)) => {
                if let Some(at) = place.remove(&cover) {
                    active.swap_remove(at);
                    if let Some(moved) = active.get(at) {
                        place.insert(*moved, at);
                    }
                }
            }
            None => {
                if let Some(i) = first.get(&run.0) {
                    out[*i] = all.iter().chain(&active).copied().collect();
                    out[*i].sort_unstable();
                }
            }
        });
        out
    }
}

impl<'g> Search<'g> {
    pub(super) fn new(grid: &'g Grid, limit: usize, budget: u64) -> Self {
        Self { grid, budget, limit, found: Vec::new(), used: BTreeSet::new(), given_up: false }
    }

    pub(super) fn is_over(&self) -> bool {
        self.found.len() >= self.limit || self.given_up
    }

    /// Adds what is left of the area when these entries, and these areas of a rule, are taken away.
    pub(super) fn look_outside(
        &mut self,
        area: &Area,
        entries: impl Iterator<Item = u32>,
        further: (usize, &[Area]),
    ) {
        if self.is_over() {
            return;
        }
        let mut covers = Covers::new(self.grid, area, entries);
        for a in further.1.iter().filter(|a| a.shape == area.shape) {
            covers.add(further.0, a);
        }
        let all: Vec<u32> = (0..covers.rules.len() as u32).collect();
        let axes = (1u32 << covers.axes) - 1;
        self.divide(&mut covers, &all, axes, &mut Vec::new());
    }

    /// Looks at what lies in all of `covers` so far; `axes` are still to be divided. Answers whether anything was
    /// found.
    fn divide(
        &mut self,
        all: &mut Covers,
        covers: &[u32],
        axes: u32,
        chosen: &mut Vec<(usize, Vec<Run>)>,
    ) -> bool {
        if covers.is_empty() {
            let mut area = all.area.clone();
            chosen.iter().for_each(|(axis, runs)| area.sets[*axis].clone_from(runs));
            self.found.push(area);
            return true;
        }
        let mut over = covers.iter().filter(|c| all.open[**c as usize] & axes == 0);
        if let Some(first) = over.next() {
            let rule = |c: &u32| all.rules[*c as usize] as usize;
            if !self.used.contains(&rule(first)) && !over.any(|c| self.used.contains(&rule(c))) {
                self.used.insert(rule(first));
            }
            return false;
        }
        let state = (key_of(covers), axes);
        if all.dead.contains(&state) || !self.spend(covers.len() as u64 * 4) {
            return false;
        }
        let left = covers.iter().fold(0, |m, c| m | all.open[*c as usize]) & axes;
        let candidates = (0..all.axes).filter(|a| left >> a & 1 == 1);
        let Some(axis) = candidates.min_by_key(|a| (all.cost(covers, *a), *a)) else { return false };
        let some = self.along(all, covers, axis, axes & !(1 << axis), chosen);
        if !some && !self.given_up {
            all.dead.insert(state);
        }
        some
    }

    /// Divides one axis.
    fn along(
        &mut self,
        all: &mut Covers,
        covers: &[u32],
        axis: usize,
        axes: u32,
        chosen: &mut Vec<(usize, Vec<Run>)>,
    ) -> bool {
        let events = all.events(covers, axis);
        let always = covers.iter().filter(|c| !all.is_open(**c, axis)).count();
        let groups = all.groups(&events, axis, always);
        let size: usize = groups.iter().map(|g| g.count).sum();
        let mut lists: Option<Vec<Vec<u32>>> = None;
        let mut without: Vec<(u64, Vec<u32>)> = Vec::new();
        let mut some = false;
        for (i, group) in groups.iter().enumerate() {
            if self.is_over() {
                break;
            }
            if i == 1 && size <= LISTED {
                if !self.spend(size as u64) {
                    break;
                }
                lists = Some(all.members(covers, &events, axis, &groups));
            }
            let members = match &mut lists {
                Some(lists) => std::mem::take(&mut lists[i]),
                None if !self.spend(covers.len() as u64) => break,
                None => covers.iter().copied().filter(|c| all.holds(*c, axis, group.runs[0].0)).collect(),
            };
            // where fewer covers left nothing, more of them leave nothing
            let mark = members.iter().fold(0u64, |m, c| m | 1 << (key(*c) as u64 & 63));
            if without.iter().any(|(m, few)| m & !mark == 0 && is_part(few, &members)) {
                continue;
            }
            chosen.push((axis, group.runs.clone()));
            let found = self.divide(all, &members, axes, chosen);
            chosen.pop();
            some |= found;
            if !found && without.len() < KEPT {
                without.push((mark, members));
            }
        }
        some
    }

    /// Takes from the budget; false where it is at its end.
    fn spend(&mut self, steps: u64) -> bool {
        match self.budget.checked_sub(steps + 1) {
            Some(left) => self.budget = left,
            None => self.given_up = true,
        }
        !self.given_up
    }
}

/// Whether all of `few` are in `many`, both ascending.
fn is_part(few: &[u32], many: &[u32]) -> bool {
    let mut rest = many.iter();
    few.iter().all(|c| rest.any(|d| d == c))
}
