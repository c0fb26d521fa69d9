//! Packets that no rule matches.

use super::region::{Region, conjunction};
use super::shapes::ABSENT;
use super::{Geometry, SHAPES};
use crate::field::Field;
use crate::mix::Miss;
use crate::ruleset::Rule;
use crate::value::ValueSet;
use std::cmp::Reverse;

impl Geometry {
    /// Up to `limit` boxes, without packets in common, of packets that no rule matches.
    ///
    /// `Near`: they satisfy the rule that is compared last but for one of its fields, preferably one that not all
    /// rules test alike; where no such packet exists, the rule before it, and so on. `Far`: they differ from every
    /// rule in every field that rules test, as far as that is possible. Without rules any packet will do. None
    /// where there are no such packets.
    pub fn others_regions(&self, miss: Miss, limit: usize) -> Vec<Region> {
        match miss {
            Miss::Near if !self.tests.is_empty() => self.near(limit),
            _ => self.far(limit),
        }
    }

    fn near(&self, limit: usize) -> Vec<Region> {
        for rule in self.tests.iter().rev() {
            let alike = |f: &Field| self.tests.iter().all(|r| r.test(*f) == rule.test(*f));
            let mut fields: Vec<Field> = rule.tests.iter().map(|(f, _)| *f).collect();
            fields.sort_by_key(|f| (alike(f), Reverse(*f)));
            for field in fields {
                let found = self.pieces(&self.missing_by(rule, field), self.boxes.len(), limit);
                if !found.is_empty() {
                    return found;
                }
            }
        }
        Vec::new()
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
            let found = self.pieces(&regions, self.boxes.len(), limit);
            if !found.is_empty() {
                return found;
            }
            candidates = rest;
        }
        let all: Vec<Region> = self.shapes.iter().map(|s| Region::whole(*s)).collect();
        self.pieces(&all, self.boxes.len(), limit)
    }

    /// Every value of a field that some rule accepts, in either direction.
    fn accepted(&self, field: Field) -> ValueSet {
        self.tests.iter().fold(ValueSet::empty(), |all, rule| {
            let forward = rule.test(field);
            let reply = rule.test(field.reversed()).filter(|_| rule.both);
            [forward, reply].into_iter().flatten().fold(all, |all, s| all.union(s))
        })
    }

    /// The IP version that most boxes of rules are of, 4 where there is no difference.
    fn usual_family(&self) -> u8 {
        let of = |family| self.boxes.iter().flatten().filter(|b| b.shape().family == family).count();
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
