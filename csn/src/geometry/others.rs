//! Packets that no rule matches.

use super::region::{Region, conjunction};
use super::shapes::ABSENT;
use super::{Geometry, Reach, SHAPES};
use crate::field::Field;
use crate::mix::Miss;
use crate::ruleset::Rule;
use crate::value::ValueSet;
use std::cmp::Reverse;

impl Geometry<'_> {
    /// Up to `limit` boxes, without packets in common, of packets that no rule matches.
    ///
    /// `Near`: they satisfy the rule that is compared last but for one of its fields, preferably one that not all
    /// rules test alike; where no such packet exists, the rule before it, and so on. `Far`: they differ from every
    /// rule in every field that rules test, as far as that is possible. Without rules any packet will do. None
    /// where there are no such packets.
    pub fn others_regions(&self, miss: Miss, limit: usize) -> Vec<Region> {
        match miss {
            Miss::Near if !self.rules.rules.is_empty() => self.near(limit),
            _ => self.far(limit),
        }
    }

    /// A near miss of a rule: packets that no rule matches, and that satisfy all tests of this one but the one of a
    /// field, which they have. [`Reach::Covered`] names rules that take all such packets, [`Reach::Empty`] says that
    /// there are none even without them.
    pub fn near_miss(&self, rule: usize) -> Reach {
        let rule = &self.rules.rules[rule];
        let mut areas = Vec::new();
        for (field, _) in &rule.tests {
            areas.extend(self.missing_by(rule, *field).iter().map(|r| self.grid.area_of(r)));
        }
        if areas.is_empty() { Reach::Empty } else { self.outside(areas, self.rules.rules.len()) }
    }

    fn near(&self, limit: usize) -> Vec<Region> {
        let rules = &self.rules.rules;
        let first = &rules[0];
        let alike: Vec<Field> =
            Field::ALL.into_iter().filter(|f| rules.iter().all(|r| r.test(*f) == first.test(*f))).collect();
        for rule in rules.iter().rev() {
            let mut fields: Vec<Field> = rule.tests.iter().map(|(f, _)| *f).collect();
            fields.sort_by_key(|f| (alike.contains(f), Reverse(*f)));
            for field in fields {
                let found = self.remaining(&self.missing_by(rule, field), limit);
                if !found.is_empty() {
                    return found;
                }
            }
        }
        Vec::new()
    }

    /// What all rules leave of some boxes, up to `limit` boxes.
    fn remaining(&self, regions: &[Region], limit: usize) -> Vec<Region> {
        let areas: Vec<_> = regions.iter().map(|r| self.grid.area_of(r)).collect();
        let count = self.rules.rules.len();
        let mut out: Vec<Region> = self.pieces(&areas, count, limit).iter().map(|a| self.region(a)).collect();
        // a search for one is given up later than one for many
        if out.is_empty()
            && !areas.is_empty()
            && let Reach::Reachable(region) = self.outside(areas, count)
        {
            out.push(region);
        }
        out
    }

    /// Packets that satisfy all tests of the rule but the one of `field`, which they have.
    fn missing_by(&self, rule: &Rule, field: Field) -> Vec<Region> {
        let (missed, kept): (Vec<_>, Vec<_>) = rule.tests.iter().cloned().partition(|(f, _)| *f == field);
        let accepted = missed.iter().fold(ValueSet::empty(), |s, (_, t)| s.union(t));
        let outside = field.domain().subtract(&accepted);
        let with_rest = self.shapes.iter().filter_map(|s| conjunction(*s, &kept));
        with_rest.filter_map(|r| r.narrow(field, &outside)).collect()
    }

    fn far(&self, limit: usize) -> Vec<Region> {
        let accepted: Vec<(Field, ValueSet)> = Field::ALL
            .into_iter()
            .map(|f| (f, self.accepted(f)))
            .filter(|(_, accepted)| !accepted.is_empty())
            .collect();
        let usual = self.usual_family();
        let mut candidates: Vec<(Reverse<(usize, bool)>, Region)> = self
            .shapes
            .iter()
            .map(|s| {
                let (differing, region) = differ(Region::whole(*s), &accepted);
                (Reverse((differing, SHAPES[*s].family == usual)), region)
            })
            .collect();
        candidates.sort_by_key(|(score, _)| *score);
        // the best kinds of packet only; the next best where rules take all of them
        while let Some((best, _)) = candidates.first() {
            let best = *best;
            let (first, rest): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(s, _)| *s == best);
            let regions: Vec<Region> = first.into_iter().map(|(_, r)| r).collect();
            let found = self.remaining(&regions, limit);
            if !found.is_empty() {
                return found;
            }
            candidates = rest;
        }
        let all: Vec<Region> = self.shapes.iter().map(|s| Region::whole(*s)).collect();
        self.remaining(&all, limit)
    }

    /// Every value of a field that some rule accepts, in either direction.
    fn accepted(&self, field: Field) -> ValueSet {
        let tests = self.rules.rules.iter().flat_map(|rule| {
            let forward = rule.test(field);
            let reply = rule.test(field.reversed()).filter(|_| rule.both);
            [forward, reply].into_iter().flatten()
        });
        ValueSet::from_ranges(tests.flat_map(|s| s.ranges().iter().copied()))
    }

    /// The IP version that most boxes of rules are of, 4 where there is no difference.
    fn usual_family(&self) -> u8 {
        let of = |family| {
            let shapes =
                (0..SHAPES.len()).filter(|s| SHAPES[*s].family == family).fold(0, |m, s| m | 1u32 << s);
            self.grid.entries.iter().map(|e| (e.shapes & shapes).count_ones() as usize).sum::<usize>()
        };
        if of(6) > of(4) { 6 } else { 4 }
    }
}

/// The part of the box that differs from `accepted` in as many fields as it can, and in how many fields that it has
/// it does.
fn differ(region: Region, accepted: &[(Field, ValueSet)]) -> (usize, Region) {
    let mut differing = 0;
    let mut region = region;
    for (field, values) in accepted {
        let outside = field.domain().subtract(values);
        if let Some(narrowed) = region.narrow(*field, &outside) {
            region = narrowed;
            differing += 1;
        } else if let Some(lacking) = region.narrow_raw(*field, &ValueSet::single(ABSENT)) {
            region = lacking;
        }
    }
    (differing, region)
}
