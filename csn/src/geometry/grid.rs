//! Rules in the coordinates of a grid: every field that rules test is an axis, cut at the ends of all intervals, and a
//! set of values is a list of runs of its cells. No rule tells two values of one cell apart, so answers about cells
//! are answers about packets, in small integers.

use super::region::{Region, tos_of_dscp};
use super::shapes::{ABSENT, SHAPES};
use crate::field::Field;
use crate::ruleset::{Rule, RuleSet};
use crate::value::{Range, Value, ValueSet};
use std::borrow::Cow;

/// Cells of an axis from the first to the last, both included.
pub(super) type Run = (u32, u32);

/// One field's values, cut into cells.
pub(super) struct Axis {
    pub(super) field: Field,
    /// The first value of every cell, ascending. Cells that no packet has lie between address families.
    starts: Vec<Value>,
    /// What the field can be, by shape.
    domains: Vec<Vec<Run>>,
    /// Shapes whose domain is more than one run, [`ABSENT`] left aside.
    split: u32,
}

/// A rule's test on one axis.
#[derive(Clone, Copy)]
pub(super) struct Dim {
    pub(super) axis: u8,
    /// From the first cell to the last.
    pub(super) hull: Run,
    /// Where the set is more than one run: these of [`Grid::runs`].
    more: Option<(u32, u32)>,
}

/// What a rule matches in one direction.
pub(super) struct Entry {
    pub(super) rule: u32,
    /// The shapes of packets that it can match, a bit each.
    pub(super) shapes: u32,
    dims: (u32, u32),
    /// Some test is more than one run.
    many: bool,
    /// Shapes in which a tested field can be more than one run of values.
    split: u32,
}

/// A box within one shape: a list of runs for every axis.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Area {
    pub(super) shape: usize,
    pub(super) sets: Vec<Vec<Run>>,
}

/// All rules of a set.
pub(super) struct Grid {
    pub(super) axes: Vec<Axis>,
    pub(super) entries: Vec<Entry>,
    dims: Vec<Dim>,
    runs: Vec<Run>,
    /// The first entry of every rule, and the end.
    of_rule: Vec<u32>,
}

/// The value behind `v`, whether or not it is of the same family.
fn behind(v: Value) -> Value {
    match v.bits.checked_add(1) {
        Some(bits) => Value { bits, ..v },
        None => Value { family: v.family + 1, bits: 0 },
    }
}

impl Axis {
    fn new(field: Field, mut starts: Vec<Value>) -> Self {
        for shape in SHAPES.iter() {
            starts.extend(shape.domain(field).ranges().iter().flat_map(|r| [r.lo, behind(r.hi)]));
        }
        starts.sort_unstable();
        starts.dedup();
        let mut axis = Self { field, starts, domains: Vec::new(), split: 0 };
        axis.domains = SHAPES.iter().map(|s| axis.runs(s.domain(field))).collect();
        let absent = axis.rank(ABSENT);
        for (i, runs) in axis.domains.iter().enumerate() {
            axis.split |= u32::from(runs.iter().filter(|r| r.0 != absent).count() > 1) << i;
        }
        axis
    }

    /// How many cells there are.
    pub(super) fn len(&self) -> u32 {
        self.starts.len() as u32
    }

    /// The cell of a value.
    pub(super) fn rank(&self, v: Value) -> u32 {
        self.starts.partition_point(|s| *s <= v).saturating_sub(1) as u32
    }

    fn run(&self, r: &Range) -> Run {
        let lo = self.rank(r.lo);
        if r.lo == r.hi { (lo, lo) } else { (lo, self.rank(r.hi)) }
    }

    /// The cells of a set whose intervals end where cells do.
    pub(super) fn runs(&self, set: &ValueSet) -> Vec<Run> {
        set.ranges().iter().map(|r| self.run(r)).collect()
    }

    /// The values of a cell, first and last.
    pub(super) fn values(&self, run: Run) -> Range {
        let lo = self.starts[run.0 as usize];
        let hi = match self.starts.get(run.1 as usize + 1) {
            Some(next) if next.family == lo.family => Value { bits: next.bits - 1, ..lo },
            _ => Value { bits: u128::MAX, ..lo },
        };
        Range { lo, hi }
    }
}

/// Whether two lists of runs have a cell in common.
pub(super) fn meet(a: &[Run], b: &[Run]) -> bool {
    let (mut i, mut j) = (0, 0);
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        if x.0 <= y.1 && y.0 <= x.1 {
            return true;
        }
        if x.1 < y.1 { i += 1 } else { j += 1 }
    }
    false
}

/// The cells in both lists.
pub(super) fn common(a: &[Run], b: &[Run]) -> Vec<Run> {
    let (mut i, mut j) = (0, 0);
    let mut out = Vec::new();
    while let (Some(x), Some(y)) = (a.get(i), b.get(j)) {
        let (lo, hi) = (x.0.max(y.0), x.1.min(y.1));
        if lo <= hi {
            out.push((lo, hi));
        }
        if x.1 < y.1 { i += 1 } else { j += 1 }
    }
    out
}

/// Whether every cell of `a` is one of `b`.
pub(super) fn within(a: &[Run], b: &[Run]) -> bool {
    let mut j = 0;
    a.iter().all(|x| {
        while b.get(j).is_some_and(|y| y.1 < x.0) {
            j += 1;
        }
        // runs next to each other may stand for one interval that is cut
        let (mut from, mut k) = (x.0, j);
        while let Some(y) = b.get(k).filter(|y| y.0 <= from) {
            if y.1 >= x.1 {
                return true;
            }
            from = y.1 + 1;
            k += 1;
        }
        false
    })
}

/// A test of the code point as one of the octet; any other as it is.
fn as_octet(field: Field, set: &ValueSet) -> (Field, Cow<'_, ValueSet>) {
    match field {
        Field::Dscp => (Field::Tos, Cow::Owned(tos_of_dscp(set))),
        other => (other, Cow::Borrowed(set)),
    }
}

/// A rule's tests with the code point as part of the octet, in one direction.
fn tests(rule: &Rule, reply: bool) -> Vec<(Field, Cow<'_, ValueSet>)> {
    let mut out: Vec<(Field, Cow<'_, ValueSet>)> = Vec::with_capacity(rule.tests.len());
    for (field, set) in &rule.tests {
        let (field, set) = as_octet(if reply { field.reversed() } else { *field }, set);
        match out.iter_mut().find(|(f, _)| *f == field) {
            Some((_, known)) => *known = Cow::Owned(known.intersect(&set)),
            None => out.push((field, set)),
        }
    }
    out.sort_by_key(|(f, _)| *f);
    out
}

impl Grid {
    /// The grid of a rule set, with packets of these shapes.
    pub(super) fn new(rules: &RuleSet, shapes: u32) -> Self {
        let mut starts: Vec<Vec<Value>> = vec![Vec::new(); Field::COUNT];
        let mut tested = [false; Field::COUNT];
        for rule in &rules.rules {
            // octet and code point one by one: near misses pass one of them
            for (field, set) in &rule.tests {
                let (field, set) = as_octet(*field, set);
                for f in [field, field.reversed()].into_iter().take(1 + usize::from(rule.both)) {
                    tested[f as usize] = true;
                    let starts = &mut starts[f as usize];
                    set.ranges().iter().for_each(|r| starts.extend([r.lo, behind(r.hi)]));
                }
            }
        }
        let mut axes: Vec<Axis> = Vec::new();
        let mut axis_of = [u8::MAX; Field::COUNT];
        for (i, starts) in starts.into_iter().enumerate().filter(|(i, _)| tested[*i]) {
            axis_of[i] = axes.len() as u8;
            axes.push(Axis::new(Field::ALL[i], starts));
        }
        let mut grid =
            Self { axes, entries: Vec::new(), dims: Vec::new(), runs: Vec::new(), of_rule: vec![0] };
        for (i, rule) in rules.rules.iter().enumerate() {
            grid.add(i as u32, &tests(rule, false), &axis_of, shapes);
            if rule.both {
                grid.add(i as u32, &tests(rule, true), &axis_of, shapes);
            }
            grid.of_rule.push(grid.entries.len() as u32);
        }
        grid
    }

    /// Adds an entry unless it matches nothing, or the same as the entry before of the same rule.
    fn add(
        &mut self,
        rule: u32,
        tests: &[(Field, Cow<'_, ValueSet>)],
        axis_of: &[u8; Field::COUNT],
        shapes: u32,
    ) {
        let start = self.dims.len();
        let mut shapes = shapes;
        for (field, set) in tests {
            let axis = axis_of[*field as usize];
            let a = &self.axes[axis as usize];
            let from = self.runs.len();
            self.runs.extend(set.ranges().iter().map(|r| a.run(r)));
            let runs = &self.runs[from..];
            let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
                shapes = 0;
                break;
            };
            let hull = (first.0, last.1);
            for (s, domain) in a.domains.iter().enumerate() {
                if shapes >> s & 1 == 1 && !meet(domain, runs) {
                    shapes &= !(1 << s);
                }
            }
            let more = (runs.len() > 1).then_some((from as u32, self.runs.len() as u32));
            if more.is_none() {
                self.runs.truncate(from);
            }
            self.dims.push(Dim { axis, hull, more });
        }
        let own = &self.dims[start..];
        let many = own.iter().any(|d| d.more.is_some());
        let split = own.iter().fold(0, |m, d| m | self.axes[d.axis as usize].split);
        let entry = Entry { rule, shapes, dims: (start as u32, self.dims.len() as u32), many, split };
        let twice = self.entries.last().is_some_and(|last| {
            let (a, b) = (self.dims(last), self.dims(&entry));
            let alike = |(x, y): (&Dim, &Dim)| x.axis == y.axis && self.runs(x) == self.runs(y);
            last.rule == rule && a.len() == b.len() && a.iter().zip(b).all(alike)
        });
        if shapes == 0 || twice {
            self.dims.truncate(start);
            return;
        }
        self.entries.push(entry);
    }

    /// The entries of a rule: none where it matches nothing, two where it matches both directions.
    pub(super) fn of_rule(&self, rule: usize) -> std::ops::Range<u32> {
        self.of_rule[rule]..self.of_rule[rule + 1]
    }

    pub(super) fn entry(&self, entry: u32) -> &Entry {
        &self.entries[entry as usize]
    }

    /// The tests of an entry, by ascending axis.
    pub(super) fn dims(&self, entry: &Entry) -> &[Dim] {
        &self.dims[entry.dims.0 as usize..entry.dims.1 as usize]
    }

    /// The cells of a test.
    pub(super) fn runs<'a>(&'a self, dim: &'a Dim) -> &'a [Run] {
        match dim.more {
            Some((from, to)) => &self.runs[from as usize..to as usize],
            None => std::slice::from_ref(&dim.hull),
        }
    }

    /// Whether two entries whose hulls meet match a packet in common.
    pub(super) fn intersects(&self, a: &Entry, b: &Entry) -> bool {
        let mut shapes = a.shapes & b.shapes;
        if shapes == 0 || (!a.many && !b.many && shapes & !(a.split & b.split) != 0) {
            return shapes != 0;
        }
        let (x, y) = (self.dims(a), self.dims(b));
        let (mut i, mut j) = (0, 0);
        while let (Some(p), Some(q)) = (x.get(i), y.get(j)) {
            if p.axis != q.axis {
                if p.axis < q.axis {
                    i += 1
                } else {
                    j += 1
                }
                continue;
            }
            shapes &= self.shapes_of_both(p, q, shapes);
            if shapes == 0 {
                return false;
            }
            i += 1;
            j += 1;
        }
        shapes != 0
    }

    /// Those of the shapes in which a field can pass both tests.
    fn shapes_of_both(&self, p: &Dim, q: &Dim, shapes: u32) -> u32 {
        let axis = &self.axes[p.axis as usize];
        let single = p.more.is_none() && q.more.is_none();
        // three intervals that meet in pairs have a point in common (Helly)
        let doubtful = if single { shapes & axis.split } else { shapes };
        let nested = |p: &Dim, q: &Dim| p.hull.0 >= q.hull.0 && p.hull.1 <= q.hull.1;
        if single && (nested(p, q) || nested(q, p)) {
            // what both accept is what one of them does, in a shape that it can match
            return shapes;
        }
        if doubtful == 0 {
            return shapes;
        }
        let both = common(self.runs(p), self.runs(q));
        let fails = |s: &usize| doubtful >> s & 1 == 1 && !meet(&both, &axis.domains[*s]);
        shapes & !(0..SHAPES.len()).filter(fails).fold(0, |m, s| m | 1 << s)
    }

    /// Whether every packet that `inner` matches is matched by `outer`.
    pub(super) fn covers(&self, outer: &Entry, inner: &Entry) -> bool {
        if inner.shapes & !outer.shapes != 0 {
            return false;
        }
        let own = self.dims(inner);
        self.dims(outer).iter().all(|q| {
            let p = own.iter().find(|p| p.axis == q.axis);
            if p.is_some_and(|p| within(self.runs(p), self.runs(q))) {
                return true;
            }
            // the shape may narrow the field to what the test accepts
            let axis = &self.axes[q.axis as usize];
            (0..SHAPES.len()).filter(|s| inner.shapes >> s & 1 == 1).all(|s| {
                let domain = &axis.domains[s];
                match p {
                    Some(p) => within(&common(self.runs(p), domain), self.runs(q)),
                    None => within(domain, self.runs(q)),
                }
            })
        })
    }

    /// The part of an entry that is of one shape, which it can match.
    pub(super) fn area(&self, entry: &Entry, shape: usize) -> Area {
        let mut sets: Vec<Vec<Run>> = self.axes.iter().map(|a| a.domains[shape].clone()).collect();
        for d in self.dims(entry) {
            let set = &mut sets[d.axis as usize];
            *set = common(set, self.runs(d));
        }
        Area { shape, sets }
    }

    /// The area of a box whose sides lie at the ends of cells.
    pub(super) fn area_of(&self, region: &Region) -> Area {
        let sets = self.axes.iter().map(|a| a.runs(region.raw(a.field))).collect();
        Area { shape: region.shape_index(), sets }
    }

    /// Whether the entry matches packets of the area.
    pub(super) fn meets(&self, entry: &Entry, area: &Area) -> bool {
        entry.shapes >> area.shape & 1 == 1
            && self.dims(entry).iter().all(|d| meet(self.runs(d), &area.sets[d.axis as usize]))
    }

    /// The box of an area.
    pub(super) fn region(&self, area: &Area) -> Region {
        self.axes.iter().zip(&area.sets).fold(Region::whole(area.shape), |region, (axis, runs)| {
            let set = ValueSet::from_ranges(runs.iter().map(|r| axis.values(*r)));
            region.narrow_raw(axis.field, &set).unwrap_or(region)
        })
    }
}
