//! Sets of packets of one shape, and points in them that lie outside other sets.

use crate::dist::Rng;
use crate::frame::Shape;
use csn::{Field, Key, Range, Rule, Value, ValueSet};
use rand::RngExt;

/// A conjunction of tests, [`Field::Dscp`] expressed as [`Field::Tos`]. Fields are listed once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conjunction(pub Vec<(Field, ValueSet)>);

/// The TOS octets whose code point is in `dscp`.
fn tos_of_dscp(dscp: &ValueSet) -> ValueSet {
    ValueSet::from_ranges(dscp.ranges().iter().map(|r| Range::numbers(r.lo.bits << 2, r.hi.bits << 2 | 3)))
}

impl Conjunction {
    /// What a rule matches forward.
    pub fn of(rule: &Rule) -> Self {
        let mut out = Self::default();
        rule.tests.iter().for_each(|(field, set)| out.and(*field, set));
        out
    }

    /// Everything that a rule matches: one conjunction, or two where it matches both directions.
    pub fn all_of(rule: &Rule) -> Vec<Self> {
        let forward = Self::of(rule);
        let reply = Self::of(&rule.reversed());
        if rule.both && reply != forward { vec![forward, reply] } else { vec![forward] }
    }

    /// Adds a test.
    pub fn and(&mut self, field: Field, set: &ValueSet) {
        let (field, set) = match field {
            Field::Dscp => (Field::Tos, tos_of_dscp(set)),
            other => (other, set.clone()),
        };
        match self.0.iter_mut().find(|(f, _)| *f == field) {
            Some((_, old)) => *old = old.intersect(&set),
            None => self.0.push((field, set)),
        }
    }

    /// The test of a field.
    pub fn test(&self, field: Field) -> Option<&ValueSet> {
        self.0.iter().find(|(f, _)| *f == field).map(|(_, s)| s)
    }

    /// Whether all tests hold.
    pub fn matches(&self, key: &Key) -> bool {
        self.0.iter().all(|(f, s)| key.get(*f).is_some_and(|v| s.contains(v)))
    }

    /// Whether all tests but those of `left_out` hold.
    pub fn matches_but(&self, key: &Key, left_out: Field) -> bool {
        self.0.iter().all(|(f, s)| *f == left_out || key.get(*f).is_some_and(|v| s.contains(v)))
    }
}

/// The values of one field.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What the field may be.
    pub hard: ValueSet,
    /// What it is drawn from where nothing speaks against it; a part of `hard`, not empty.
    pub soft: ValueSet,
}

/// Packets of one shape: every combination of one value per axis.
#[derive(Clone, Debug)]
pub struct Space {
    /// The shape.
    pub shape: Shape,
    axes: Vec<(Field, Axis)>,
    /// What no packet may match, so far as it overlaps the space at all.
    avoid: Vec<Conjunction>,
}

/// How often a drawn point is moved out of what it must avoid before the space is searched step by step.
const MOVES: usize = 256;
/// How many boxes the search looks at before it gives up.
const BOXES: usize = 20_000;

impl Space {
    /// The space of these axes without the packets that any of `avoid` matches.
    pub fn new<'a>(
        shape: Shape,
        axes: Vec<(Field, Axis)>,
        avoid: impl IntoIterator<Item = &'a Conjunction>,
    ) -> Self {
        let overlaps = |c: &&Conjunction| {
            c.0.iter().all(|(f, s)| axes.iter().any(|(g, a)| f == g && a.hard.intersects(s)))
        };
        let avoid = avoid.into_iter().filter(overlaps).cloned().collect();
        Self { shape, axes, avoid }
    }

    /// The axis of a field, where the shape has the field.
    pub fn axis(&self, field: Field) -> Option<&Axis> {
        self.axes.iter().find(|(f, _)| *f == field).map(|(_, a)| a)
    }

    /// A point of the space: first from what is preferred, moved out of what it must avoid one field at a time; where
    /// that does not end, from a box that a systematic search finds. None where the space is empty, or so rugged
    /// that the search was given up.
    pub fn draw(&self, rng: &mut Rng) -> Option<Key> {
        let mut key = Key::new();
        for (field, axis) in &self.axes {
            key.set(*field, pick(&axis.soft, rng));
        }
        for _ in 0..MOVES {
            let Some(hit) = self.avoid.iter().find(|c| c.matches(&key)) else { return Some(key) };
            if !self.step_out(hit, &mut key, rng) {
                return None;
            }
        }
        let mut room: Vec<ValueSet> = self.axes.iter().map(|(_, a)| a.hard.clone()).collect();
        self.carve(&mut room, &self.avoid, &mut BOXES.clone()).then(|| {
            for ((field, axis), set) in self.axes.iter().zip(&room) {
                let soft = axis.soft.intersect(set);
                key.set(*field, pick(if soft.is_empty() { set } else { &soft }, rng));
            }
            key
        })
    }

    /// Gives one of the fields that `hit` tests a value that it does not accept. False where `hit` accepts the whole
    /// space.
    fn step_out(&self, hit: &Conjunction, key: &mut Key, rng: &mut Rng) -> bool {
        let mut ways = Vec::new();
        for (field, set) in &hit.0 {
            let Some(axis) = self.axis(*field) else { continue };
            let soft = axis.soft.subtract(set);
            if !soft.is_empty() {
                ways.push((0, *field, soft));
                continue;
            }
            let hard = axis.hard.subtract(set);
            if !hard.is_empty() {
                ways.push((1, *field, hard));
            }
        }
        // rather a preferred value, but not always, so that no cycle is for ever
        let best = ways.iter().map(|w| w.0).min();
        if rng.random_range(0..4) > 0 {
            ways.retain(|w| Some(w.0) == best);
        }
        if ways.is_empty() {
            return false;
        }
        let (_, field, set) = &ways[rng.random_range(0..ways.len())];
        key.set(*field, pick(set, rng));
        true
    }

    /// Cuts `room` down to a box that overlaps none of `avoid`, depth first; `budget` bounds the boxes looked at.
    fn carve(&self, room: &mut [ValueSet], avoid: &[Conjunction], budget: &mut usize) -> bool {
        let place = |field: Field| self.axes.iter().position(|(f, _)| *f == field);
        let overlaps = |c: &&Conjunction, room: &[ValueSet]| {
            c.0.iter().all(|(f, s)| place(*f).is_some_and(|i| room[i].intersects(s)))
        };
        let Some(next) = avoid.iter().position(|c| overlaps(&c, room)) else { return true };
        if *budget == 0 {
            return false;
        }
        *budget -= 1;
        let before: Vec<ValueSet> = room.to_vec();
        for (field, set) in &avoid[next].0 {
            let Some(i) = place(*field) else { continue };
            let outside = room[i].subtract(set);
            if !outside.is_empty() {
                let inside = std::mem::replace(&mut room[i], outside);
                let mut part = room.to_vec();
                if self.carve(&mut part, &avoid[next + 1..], budget) {
                    room.clone_from_slice(&part);
                    return true;
                }
                room[i] = inside;
            }
            // what is left to look at agrees with the test of this field
            room[i] = room[i].intersect(set);
        }
        room.clone_from_slice(&before);
        false
    }

    /// The lengths of IP packets that keep a drawn key where it is, the other fields being as they are; none where the
    /// shape has no length.
    pub fn lengths(&self, key: &Key) -> Option<ValueSet> {
        let mut out = self.axis(Field::Length)?.hard.clone();
        for c in &self.avoid {
            if let Some(set) = c.test(Field::Length)
                && c.matches_but(key, Field::Length)
            {
                out = out.subtract(set);
            }
        }
        Some(out)
    }

    /// Keys that differ from `key` in one field only, by what a flow is told apart, and lie in the space as well:
    /// `limit` of each such field, in ascending order.
    pub fn neighbours<'a>(&'a self, key: &'a Key, limit: u128) -> impl Iterator<Item = Key> + 'a {
        let varied = self.axes.iter().filter(|(f, _)| super::flows::IDENTITY.contains(f));
        varied
            .flat_map(move |(field, axis)| {
                let count = axis.soft.len().min(limit);
                (0..count).filter_map(|n| Some((*field, axis.soft.nth(n)?)))
            })
            .map(move |(field, value)| {
                let mut near = *key;
                near.set(field, value);
                near
            })
            .filter(|k| !self.avoid.iter().any(|c| c.matches(k)))
    }
}

/// A value of the set, all equally likely (up to 2^64 of them; a multiple of that step beyond).
fn pick(set: &ValueSet, rng: &mut Rng) -> Value {
    let count = set.len();
    let n = rng.random_range(0..count);
    set.nth(n).expect("n is below the number of values")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn ports(lo: u128, hi: u128) -> ValueSet {
        Range::numbers(lo, hi).into()
    }

    fn space(avoid: &[Conjunction]) -> Space {
        let axis = |set: ValueSet| Axis { soft: set.clone(), hard: set };
        let axes = vec![
            (Field::SrcPort, axis(ports(0, 65535))),
            (Field::DstPort, Axis { hard: ports(0, 65535), soft: ports(0, 9) }),
        ];
        Space::new(Shape::all()[0], axes, avoid)
    }

    fn c(src: ValueSet, dst: ValueSet) -> Conjunction {
        Conjunction(vec![(Field::SrcPort, src), (Field::DstPort, dst)])
    }

    #[test]
    fn the_one_point_that_is_left_is_found() {
        let all = ports(0, 65535);
        let avoid =
            [c(all.clone(), ports(0, 4999)), c(all, ports(5001, 65535)), c(ports(1, 65535), ports(0, 65535))];
        let key = space(&avoid).draw(&mut Rng::seed_from_u64(1)).unwrap();
        assert_eq!(key.to_string(), "srcport = 0, dstport = 5000");
    }

    #[test]
    fn a_space_that_is_covered_only_together_is_empty() {
        let avoid = [c(ports(0, 40000), ports(0, 65535)), c(ports(40001, 65535), ports(0, 65535))];
        assert!(space(&avoid).draw(&mut Rng::seed_from_u64(1)).is_none());
    }

    #[test]
    fn preferred_values_are_taken_where_they_can_be() {
        let s = space(&[c(ports(0, 65535), ports(0, 8))]);
        let mut rng = Rng::seed_from_u64(3);
        let preferred = (0..100)
            .filter(|_| s.draw(&mut rng).unwrap().get(Field::DstPort) == Some(Value::number(9)))
            .count();
        assert!(preferred > 50, "{preferred}");
    }

    #[test]
    fn code_points_are_octets() {
        let mut c = Conjunction::default();
        c.and(Field::Dscp, &ValueSet::single(Value::number(46)));
        c.and(Field::Tos, &ports(0xb9, 0xff));
        assert_eq!(c.0, [(Field::Tos, ports(0xb9, 0xbb))]);
    }
}
