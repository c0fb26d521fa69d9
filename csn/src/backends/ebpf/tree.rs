//! A decision tree over the rules: where the fields of a packet lie, until few rules are left.
//!
//! A node splits the values of one field in two; rules that lie in both halves are copied into both. The cut is the
//! median of the ends of the rules' intervals, in the field that leaves the fewest comparisons (as HyperSplit does: Qi
//! et al., "Packet Classification Algorithms: From Theory to Practice", INFOCOM 2009). What nearly all rules
//! ask alike is asked first. Where the rules that are left differ in one field of at most 16 bits, its value is looked up
//! in a table. A budget of copies keeps the tree in proportion to the rules; beyond it the rules are compared in order.

use super::chain::{Form, Kind, Rule, form, intervals, largest, line_end};
use crate::field::Field;
use crate::ruleset::ClassId;
use crate::value::{Range, Value, ValueSet};
use std::collections::BTreeMap;

/// A decision.
#[derive(Debug)]
pub(super) enum Node {
    /// These rules one after the other, with the tests that are not settled.
    Leaf(Vec<Rule>),
    /// Whether a field's number is at least `from`.
    Cut { field: Field, from: u128, below: Box<Node>, above: Box<Node> },
    /// Whether a field's value is in a set.
    Ask { field: Field, set: ValueSet, inside: Box<Node>, outside: Box<Node> },
    /// The class of each value of a field, and of packets that do not have it.
    Table { field: Field, classes: Vec<ClassId>, absent: ClassId },
}

/// What a tree is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Decisions on the longest way.
    pub(super) depth: usize,
    /// The most rules that are compared one after the other.
    pub(super) longest: usize,
    /// Tables.
    pub(super) tables: usize,
}

/// So few rules are compared one after the other without more ado.
const FEW: usize = 3;
/// A table pays from so many rules on.
const TABLE_LEAST: usize = 8;
/// Tables of a program at most.
const TABLES: usize = 16;
/// Decisions on a way at most.
const DEPTH: usize = 64;
/// The intervals in which a way through the tree leaves the fields.
#[derive(Clone)]
struct Region {
    kind: Kind,
    ends: [(u128, u128); Field::COUNT],
}

impl Region {
    fn of(&self, field: Field) -> (u128, u128) {
        self.ends[field as usize]
    }

    fn with(&self, field: Field, ends: (u128, u128)) -> Self {
        let mut out = self.clone();
        out.ends[field as usize] = ends;
        out
    }

    /// Whether every value here is in the set; none where no value is.
    fn settles(&self, field: Field, set: &ValueSet) -> Option<bool> {
        let (lo, hi) = self.of(field);
        let ranges = set.ranges();
        // the first range that ends at or behind the region's start
        let at = ranges.partition_point(|r| r.hi.bits < lo);
        let range = ranges.get(at).filter(|r| r.lo.bits <= hi)?;
        Some(range.lo.bits <= lo && hi <= range.hi.bits)
    }
}

/// Makes trees; the tables of all count together.
pub(super) struct Planner {
    kind: Kind,
    copies: usize,
    pub(super) shape: Shape,
}

impl Planner {
    /// A planner that may make so many copies of a rule, on the average and in per cent, where `tables` are there by now.
    pub(super) fn new(kind: Kind, copies: usize, tables: usize) -> Self {
        Self { kind, copies, shape: Shape { tables, ..Shape::default() } }
    }

    /// The tree for all rules.
    pub(super) fn plan(&mut self, rules: &[Rule]) -> Node {
        let mut ends = [(0, 0); Field::COUNT];
        for field in Field::ALL {
            ends[field as usize] = (0, line_end(self.kind, field));
        }
        let region = Region { kind: self.kind, ends };
        let all: Vec<&Rule> = rules.iter().collect();
        let budget = self.copies * rules.len() / 100 + 64;
        self.node(&all, &region, budget, 0)
    }

    fn node(&mut self, among: &[&Rule], region: &Region, budget: usize, depth: usize) -> Node {
        let left = remaining(among, region);
        let fields = open_tests(&left, region);
        if left.len() <= FEW || depth >= DEPTH || left[0].tests.iter().all(|t| settled(t, region)) {
            return self.leaf(&left, region, depth);
        }
        if let [field] = fields.keys().copied().collect::<Vec<_>>()[..]
            && left.len() >= TABLE_LEAST
            && self.shape.tables < TABLES
            && form(self.kind, field) == Form::Word
            && largest(self.kind, field) <= 0xffff
        {
            self.shape.tables += 1;
            self.shape.depth = self.shape.depth.max(depth + 1);
            let (classes, absent) = table(&left, field, largest(self.kind, field) as usize);
            return Node::Table { field, classes, absent };
        }
        if let Some((field, set)) = asked_alike(&left, &fields, region) {
            let range = set.ranges()[0];
            let narrow = region.with(field, (range.lo.bits, range.hi.bits));
            let others: Vec<&Rule> = left.iter().copied().filter(|r| !asks(r, field)).collect();
            let inside = Box::new(self.node(&left, &narrow, budget, depth + 1));
            let outside = Box::new(self.node(&others, region, budget.min(others.len() + 64), depth + 1));
            return Node::Ask { field, set, inside, outside };
        }
        let Some(cut) = best_cut(&left, &fields, region) else { return self.leaf(&left, region, depth) };
        let both = cut.below + cut.above;
        if both > budget {
            return self.leaf(&left, region, depth);
        }
        let (lo, hi) = region.of(cut.field);
        let share = |n: usize| (budget as u128 * n as u128 / both as u128) as usize;
        let below = region.with(cut.field, (lo, cut.from - 1));
        let above = region.with(cut.field, (cut.from, hi));
        Node::Cut {
            field: cut.field,
            from: cut.from,
            below: Box::new(self.node(&left, &below, share(cut.below), depth + 1)),
            above: Box::new(self.node(&left, &above, share(cut.above), depth + 1)),
        }
    }

    fn leaf(&mut self, left: &[&Rule], region: &Region, depth: usize) -> Node {
        self.shape.depth = self.shape.depth.max(depth);
        self.shape.longest = self.shape.longest.max(left.len());
        let open = |r: &&Rule| Rule {
            class: r.class,
            tests: r.tests.iter().filter(|t| !settled(t, region)).cloned().collect(),
        };
        Node::Leaf(left.iter().map(open).collect())
    }
}

fn settled((field, set): &(Field, ValueSet), region: &Region) -> bool {
    region.settles(*field, set) == Some(true)
}

fn asks(rule: &Rule, field: Field) -> bool {
    rule.tests.iter().any(|(f, _)| *f == field)
}

/// The rules that can match in the region, up to the first that matches all of it.
fn remaining<'r>(among: &[&'r Rule], region: &Region) -> Vec<&'r Rule> {
    let mut out = Vec::new();
    for rule in among {
        let mut covers = true;
        let possible = rule.tests.iter().all(|(field, set)| match region.settles(*field, set) {
            None => false,
            Some(whole) => {
                covers &= whole;
                true
            }
        });
        if possible {
            out.push(*rule);
            if covers {
                break;
            }
        }
    }
    out
}

/// The fields that are not settled for all rules, and how many rules ask for them.
fn open_tests(rules: &[&Rule], region: &Region) -> BTreeMap<Field, usize> {
    let mut out = BTreeMap::new();
    for test in rules.iter().flat_map(|r| &r.tests).filter(|t| !settled(t, region)) {
        *out.entry(test.0).or_default() += 1;
    }
    out
}

/// A test of one interval that at least three of four rules make, where no rule makes another one of that field.
fn asked_alike(
    rules: &[&Rule],
    fields: &BTreeMap<Field, usize>,
    region: &Region,
) -> Option<(Field, ValueSet)> {
    fields.iter().filter(|(_, n)| 4 * **n >= 3 * rules.len()).find_map(|(field, _)| {
        let mut sets = rules.iter().flat_map(|r| &r.tests).filter(|(f, _)| f == field).map(|(_, s)| s);
        let first = sets.next()?;
        let (lo, hi) = region.of(*field);
        let [range] = first.ranges() else { return None };
        // a set that reaches beyond the region would widen it
        let within = lo <= range.lo.bits && range.hi.bits <= hi;
        (within && sets.all(|s| s == first)).then(|| (*field, first.clone()))
    })
}

struct Cut {
    field: Field,
    from: u128,
    below: usize,
    above: usize,
}

/// The cut that leaves the fewest comparisons, if it leaves fewer than there are.
fn best_cut(rules: &[&Rule], fields: &BTreeMap<Field, usize>, region: &Region) -> Option<Cut> {
    let cost = |c: &Cut| {
        // a comparison of 128 bits is as much work as two or three rules
        let work = if form(region.kind, c.field) == Form::Wide { 9 } else { 8 };
        (c.below * c.below + c.above * c.above) * work
    };
    let best = fields.keys().filter_map(|f| median_cut(rules, *f, region)).min_by_key(cost)?;
    (best.below < rules.len() || best.above < rules.len()).then_some(best)
}

/// Rules that are looked at to find the middle.
const SAMPLE: usize = 2000;

fn median_cut(rules: &[&Rule], field: Field, region: &Region) -> Option<Cut> {
    let (lo, hi) = region.of(field);
    let mut ends: Vec<u128> = Vec::new();
    for rule in rules.iter().step_by(rules.len().div_ceil(SAMPLE)) {
        let Some((_, set)) = rule.tests.iter().find(|(f, _)| *f == field) else { continue };
        for (from, to) in intervals(set).filter(|(a, b)| *b >= lo && *a <= hi) {
            ends.extend((from > lo).then_some(from));
            ends.extend((to < hi).then(|| to + 1));
        }
    }
    ends.sort_unstable();
    let from = *ends.get(ends.len() / 2)?;
    let (mut below, mut above) = (0, 0);
    for rule in rules {
        let Some((_, set)) = rule.tests.iter().find(|(f, _)| *f == field) else {
            (below, above) = (below + 1, above + 1);
            continue;
        };
        let meets = |a: u128, b: u128| intervals(set).any(|(from, to)| from <= b && a <= to);
        below += usize::from(meets(lo, from - 1));
        above += usize::from(meets(from, hi));
    }
    Some(Cut { field, from, below, above })
}

/// The class of each value, the first rule that has it counting.
fn table(rules: &[&Rule], field: Field, most: usize) -> (Vec<ClassId>, ClassId) {
    let mut classes = vec![ClassId::OTHERS; most + 1];
    // for each value the next one, itself included, that no rule has yet
    let mut free: Vec<usize> = (0..=most + 1).collect();
    let find = |free: &mut Vec<usize>, mut at: usize| {
        while free[at] != at {
            free[at] = free[free[at]];
            at = free[at];
        }
        at
    };
    let whole = ValueSet::from(Range::new(Value::number(0), Value::number(most as u128)));
    let mut absent = ClassId::OTHERS;
    for rule in rules {
        let test = rule.tests.iter().find(|(f, _)| *f == field).map(|(_, s)| s);
        for (lo, hi) in intervals(test.unwrap_or(&whole)) {
            let mut at = find(&mut free, lo as usize);
            while at <= hi as usize {
                classes[at] = rule.class;
                free[at] = at + 1;
                at = find(&mut free, at);
            }
        }
        if test.is_none() {
            absent = rule.class;
            break;
        }
    }
    (classes, absent)
}
