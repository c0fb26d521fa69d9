//! Whether a rule can be the first to match a packet, and where such packets lie.

use super::grid::{Area, Axis, Entry, Run};
use super::index::{Near, hull};
use super::region::Region;
use super::search::Search;
use super::shapes::SHAPES;
use super::{BUDGET, Geometry, Reach};
use crate::value::Value;

/// Packets that are tried before a search.
const TRIES: usize = 6;
/// What an easy answer costs besides comparisons.
const EASY: u64 = 30;
/// Covers from which on packets are tried first.
const MANY: usize = 24;

/// As [`Reach`], without the packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Reachable,
    Covered(Vec<usize>),
    Empty,
    Unknown,
}

impl Status {
    /// Whether it is certain that the rule is the first to match no packet.
    pub(super) fn is_dead(&self) -> bool {
        matches!(self, Status::Covered(_) | Status::Empty)
    }
}

/// The shapes whose bits are set.
pub(super) fn shapes_of(bits: u32) -> impl Iterator<Item = usize> {
    (0..SHAPES.len()).filter(move |s| bits >> s & 1 == 1)
}

impl Geometry<'_> {
    /// Whether a rule is the first to match any packet.
    pub fn reach(&self, rule: usize) -> Reach {
        let areas = self.areas(rule);
        if areas.is_empty() { Reach::Empty } else { self.outside(areas, rule) }
    }

    /// Whether there are packets that no rule matches.
    pub fn others(&self) -> Reach {
        let whole = self.shapes.iter().map(|s| self.grid.area_of(&Region::whole(*s))).collect();
        self.outside(whole, self.rules.rules.len())
    }

    /// The areas of a rule, one after the other direction.
    pub(super) fn areas(&self, rule: usize) -> Vec<Area> {
        let entries = self.grid.of_rule(rule).map(|e| self.grid.entry(e));
        entries.flat_map(|e| shapes_of(e.shapes).map(|s| self.grid.area(e, s))).collect()
    }

    /// The entries of the first `rules` rules near an area.
    pub(super) fn near_area(&self, area: &Area, rules: usize) -> Vec<u32> {
        let mut out = Vec::new();
        if area.sets.iter().any(Vec::is_empty) {
            return out;
        }
        let query: Vec<Run> = area.sets.iter().map(|s| (s[0].0, s[s.len() - 1].1)).collect();
        self.index.visit(Near::Meets, &query, 0..rules as u32, |e| {
            out.push(e);
            true
        });
        out
    }

    /// Looks for packets of the areas outside of the first `rules` rules.
    pub(super) fn outside(&self, areas: Vec<Area>, rules: usize) -> Reach {
        let mut search = Search::new(&self.grid, 1, BUDGET);
        let mut given_up = false;
        for area in &areas {
            let near = self.near_area(area, rules);
            let tried = (near.len() > MANY).then(|| self.try_packets(area, |p| self.hit(p, &near))).flatten();
            match tried {
                Some(found) => search.found.push(found),
                None => search.look_outside(area, near.into_iter(), (rules, &[])),
            }
            if let Some(found) = search.found.pop() {
                return Reach::Reachable(self.region(&found));
            }
            // another shape may be simpler
            given_up |= std::mem::take(&mut search.given_up);
            search.budget = search.budget.max(BUDGET / 8);
        }
        if given_up { Reach::Unknown } else { Reach::Covered(search.used.into_iter().collect()) }
    }

    pub(super) fn region(&self, area: &Area) -> Region {
        self.grid.region(area)
    }

    /// The status of a rule whose overlapping earlier entries are known; takes from the budget what it costs.
    pub(super) fn status(&self, rule: usize, near: &[u32], budget: &mut u64) -> Status {
        let own = self.grid.of_rule(rule);
        if own.is_empty() {
            return Status::Empty;
        }
        if near.is_empty() {
            return Status::Reachable;
        }
        if let [only] = own.clone().collect::<Vec<_>>()[..]
            && let Some(by) = self.single_cover(self.grid.entry(only), near)
        {
            return Status::Covered(vec![by]);
        }
        let mut used = std::collections::BTreeSet::new();
        let mut given_up = false;
        for entry in own.map(|e| self.grid.entry(e)) {
            for shape in shapes_of(entry.shapes) {
                let area = self.grid.area(entry, shape);
                if near.len() > MANY && self.try_packets(&area, |p| self.hit(p, near)).is_some() {
                    return Status::Reachable;
                }
                let own = (*budget).min(BUDGET);
                let mut search = Search::new(&self.grid, 1, own);
                search.look_outside(&area, near.iter().copied(), (rule, &[]));
                *budget -= own - search.budget.min(own);
                if !search.found.is_empty() {
                    return Status::Reachable;
                }
                given_up |= search.given_up;
                used.append(&mut search.used);
            }
        }
        if given_up { Status::Unknown } else { Status::Covered(used.into_iter().collect()) }
    }

    /// The first rule that matches all that the entry does.
    fn single_cover(&self, entry: &Entry, near: &[u32]) -> Option<usize> {
        let covering = near.iter().map(|e| self.grid.entry(*e)).filter(|e| self.grid.covers(e, entry));
        covering.map(|e| e.rule as usize).min()
    }

    /// A packet outside of the entries among some of the area: its first and last cells, and others that are drawn by
    /// value, so that what is narrow is seldom hit.
    fn try_packets(&self, area: &Area, taken: impl Fn(&Area) -> bool) -> Option<Area> {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut draw = || {
            // xorshift: the same answer in every run
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        (0..TRIES).find_map(|i| {
            let cell = |(axis, runs): (&Axis, &Vec<Run>)| {
                let cell = match i {
                    0 => runs[0].0,
                    1 => runs[runs.len() - 1].1,
                    _ => {
                        let values = axis.values(runs[draw() as usize % runs.len()]);
                        let past = (u128::from(draw()) << 64 | u128::from(draw())) % values.len();
                        axis.rank(Value { bits: values.lo.bits + past, ..values.lo })
                    }
                };
                vec![(cell, cell)]
            };
            let sets = self.grid.axes.iter().zip(&area.sets).map(cell).collect();
            let packet = Area { shape: area.shape, sets };
            (!taken(&packet)).then_some(packet)
        })
    }

    /// Whether some of the entries matches the packet, an area of one cell.
    fn hit(&self, packet: &Area, entries: &[u32]) -> bool {
        entries.iter().any(|e| self.grid.meets(self.grid.entry(*e), packet))
    }

    /// The status of a rule that shows without all that it overlaps: where one earlier rule covers it, or a packet that
    /// is tried reaches it. What it costs comes off the budget.
    pub(super) fn easy_status(&self, rule: usize, budget: &mut u64) -> Option<Status> {
        let own = self.grid.of_rule(rule);
        if own.is_empty() {
            return Some(Status::Empty);
        }
        let spent = std::cell::Cell::new(EASY);
        if own.len() == 1 {
            let (entry, query) = (self.grid.entry(own.start), hull(&self.grid, own.start));
            let mut by = None;
            let compared = self.index.visit(Near::Holds, &query, 0..rule as u32, |e| {
                let other = self.grid.entry(e);
                by = self.grid.covers(other, entry).then_some(other.rule as usize);
                by.is_none()
            });
            spent.set(spent.get() + compared);
            if let Some(by) = by {
                *budget = budget.saturating_sub(spent.get());
                return Some(Status::Covered(vec![by]));
            }
        }
        let taken = |packet: &Area| {
            let query: Vec<Run> = packet.sets.iter().map(|s| s[0]).collect();
            let mut taken = false;
            let compared = self.index.visit(Near::Holds, &query, 0..rule as u32, |e| {
                taken = self.grid.meets(self.grid.entry(e), packet);
                !taken
            });
            spent.set(spent.get() + compared);
            taken
        };
        let reached = self.areas(rule).iter().any(|a| self.try_packets(a, taken).is_some());
        *budget = budget.saturating_sub(spent.get());
        reached.then_some(Status::Reachable)
    }

    /// Up to `limit` boxes, without packets in common, of packets that the rule is the first to match. None where
    /// it cannot be reached, or where that was not found out.
    pub fn witness_regions(&self, rule: usize, limit: usize) -> Vec<Region> {
        let found = self.pieces(&self.areas(rule), rule, limit);
        let mut out: Vec<Region> = found.iter().map(|a| self.region(a)).collect();
        if out.is_empty()
            && let Reach::Reachable(region) = self.reach(rule)
        {
            out.push(region);
        }
        out
    }

    /// Up to `limit` areas that make up what lies in `areas` and outside of the first `rules` rules.
    pub(super) fn pieces(&self, areas: &[Area], rules: usize, limit: usize) -> Vec<Area> {
        let mut search = Search::new(&self.grid, limit, BUDGET);
        for (i, area) in areas.iter().enumerate() {
            // the areas of `both` rules may overlap each other
            search.look_outside(area, self.near_area(area, rules).into_iter(), (rules, &areas[..i]));
        }
        search.found
    }
}
