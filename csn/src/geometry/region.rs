//! Boxes of packets.

use super::shapes::{ABSENT, SHAPES, Shape};
use crate::field::Field;
use crate::key::Key;
use crate::ruleset::Rule;
use crate::value::{Range, Value, ValueSet};
use std::fmt;

/// A box: packets of one kind whose fields lie in one set each. Never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Region {
    shape: usize,
    /// What is narrower than the shape leaves it, by ascending field.
    dims: Vec<(Field, ValueSet)>,
}

impl Region {
    /// All packets of a shape.
    pub(super) fn whole(shape: usize) -> Self {
        Self { shape, dims: Vec::new() }
    }

    /// The number of the shape.
    pub(super) fn shape_index(&self) -> usize {
        self.shape
    }

    pub(super) fn shape(&self) -> &'static Shape {
        &SHAPES[self.shape]
    }

    /// The fields that are narrower than the kind of packet leaves them.
    pub(super) fn narrowed_fields(&self) -> impl Iterator<Item = Field> + '_ {
        self.dims.iter().map(|(f, _)| *f)
    }

    /// The set of a field, [`ABSENT`] included.
    pub(super) fn raw(&self, field: Field) -> &ValueSet {
        match self.dims.binary_search_by_key(&field, |(f, _)| *f) {
            Ok(i) => &self.dims[i].1,
            Err(_) => self.shape().domain(field),
        }
    }

    /// The IP version of the packets, where they have an IP header.
    pub fn family(&self) -> Option<u8> {
        Some(self.shape().family).filter(|f| *f != 0)
    }

    /// The values that a field has in these packets; empty where none has it.
    pub fn set(&self, field: Field) -> ValueSet {
        let present = |f| self.raw(f).subtract(&ValueSet::single(ABSENT));
        if field == Field::Dscp { dscp_of_tos(&present(Field::Tos)) } else { present(field) }
    }

    /// Whether some of the packets lack the field.
    pub fn may_lack(&self, field: Field) -> bool {
        self.raw(if field == Field::Dscp { Field::Tos } else { field }).contains(ABSENT)
    }

    /// The packets among these that have the field, with a value of `set`; none where there are no such.
    pub fn narrow(&self, field: Field, set: &ValueSet) -> Option<Self> {
        if field == Field::Dscp {
            return self.narrow(Field::Tos, &tos_of_dscp(set));
        }
        self.narrow_raw(field, set)
    }

    pub(super) fn narrow_raw(&self, field: Field, set: &ValueSet) -> Option<Self> {
        let before = self.raw(field);
        let after = before.intersect(set);
        if after.is_empty() {
            return None;
        }
        if after == *before {
            return Some(self.clone());
        }
        let mut out = self.clone();
        match out.dims.binary_search_by_key(&field, |(f, _)| *f) {
            Ok(i) => out.dims[i].1 = after,
            Err(i) => out.dims.insert(i, (field, after)),
        }
        Some(out)
    }

    /// Whether some packet lies in both.
    pub fn intersects(&self, other: &Self) -> bool {
        if self.shape != other.shape {
            return false;
        }
        let (mut i, mut j) = (0, 0);
        while let (Some((f, a)), Some((g, b))) = (self.dims.get(i), other.dims.get(j)) {
            match f.cmp(g) {
                std::cmp::Ordering::Less => i += 1,
                std::cmp::Ordering::Greater => j += 1,
                std::cmp::Ordering::Equal => {
                    if !a.intersects(b) {
                        return false;
                    }
                    i += 1;
                    j += 1;
                }
            }
        }
        true
    }

    /// The packets that lie in both.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        if self.shape != other.shape {
            return None;
        }
        other.dims.iter().try_fold(self.clone(), |r, (f, s)| r.narrow_raw(*f, s))
    }

    /// Whether every packet of `other` lies in `self` too.
    pub fn covers(&self, other: &Self) -> bool {
        self.shape == other.shape && self.open_sides(other) == 0
    }

    /// In how many fields `other` reaches beyond `self`.
    pub(super) fn open_sides(&self, other: &Self) -> usize {
        self.dims.iter().filter(|(f, s)| !other.raw(*f).is_subset(s)).count()
    }

    /// The packets of `self` that do not lie in `other`, as boxes without packets in common.
    pub fn subtract(&self, other: &Self) -> Vec<Self> {
        if !self.intersects(other) {
            return vec![self.clone()];
        }
        let mut out = Vec::new();
        let mut inside = self.clone();
        for (field, set) in &other.dims {
            let outside = inside.raw(*field).subtract(set);
            if outside.is_empty() {
                continue;
            }
            out.extend(inside.narrow_raw(*field, &outside));
            match inside.narrow_raw(*field, set) {
                Some(rest) => inside = rest,
                None => break,
            }
        }
        out
    }

    /// Whether the packet lies in the box. Packets that were cut short may lie in none.
    pub fn contains(&self, key: &Key) -> bool {
        Field::ALL
            .into_iter()
            .filter(|f| *f != Field::Dscp)
            .all(|f| self.raw(f).contains(key.get(f).unwrap_or(ABSENT)))
    }

    /// A packet of the box. `choose` picks a value of each field that the packet has, from a set that is never
    /// empty; a field that may be lacking (VLAN tag, interface) is left out.
    pub fn to_key(&self, choose: &mut impl FnMut(Field, &ValueSet) -> Value) -> Key {
        let mut key = Key::new();
        for field in Field::ALL {
            if field == Field::Dscp || self.may_lack(field) {
                continue;
            }
            let value = choose(field, self.raw(field));
            key.set(field, value);
            if field == Field::Tos {
                key.set_number(Field::Dscp, value.bits >> 2);
            }
        }
        key
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}: {self}]", self.shape)
    }
}

impl fmt::Display for Region {
    /// The narrowed fields, as rules write them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tests = self.narrowed_fields().map(|field| (field, self.set(field))).collect();
        let rule = Rule { class: Default::default(), tests, both: false, span: Default::default() };
        fmt::Display::fmt(&rule, f)
    }
}

/// TOS octets whose upper six bits are in `dscp`.
pub(super) fn tos_of_dscp(dscp: &ValueSet) -> ValueSet {
    ValueSet::from_ranges(
        dscp.ranges().iter().map(|r| Range::numbers(r.lo.bits << 2, (r.hi.bits << 2 | 3).min(255))),
    )
}

fn dscp_of_tos(tos: &ValueSet) -> ValueSet {
    ValueSet::from_ranges(tos.ranges().iter().map(|r| Range::numbers(r.lo.bits >> 2, r.hi.bits >> 2)))
}

/// The box of a conjunction of tests within one shape.
pub(super) fn conjunction(shape: usize, tests: &[(Field, ValueSet)]) -> Option<Region> {
    tests.iter().try_fold(Region::whole(shape), |r, (f, s)| r.narrow(*f, s))
}

/// The packets that a rule matches, earlier rules left aside: boxes, that of a reply last. They may have packets
/// in common where the rule matches `both` directions.
pub fn rule_regions(rule: &Rule) -> Vec<Region> {
    let mut out: Vec<Region> = (0..SHAPES.len()).filter_map(|s| conjunction(s, &rule.tests)).collect();
    if rule.both {
        let reply: Vec<_> = rule.tests.iter().map(|(f, s)| (f.reversed(), s.clone())).collect();
        for region in (0..SHAPES.len()).filter_map(|s| conjunction(s, &reply)) {
            if !out.contains(&region) {
                out.push(region);
            }
        }
    }
    out
}
