//! Sets of packets of one shape, and the flows in them by their number.

use crate::frame::Shape;
use csn::{Field, Key, Range, Rule, ValueSet};

/// What flows are told apart by.
pub const IDENTITY: [Field; 12] = [
    Field::SrcMac,
    Field::DstMac,
    Field::Vlan,
    Field::Mpls,
    Field::SrcIp,
    Field::DstIp,
    Field::Proto,
    Field::FlowLabel,
    Field::SrcPort,
    Field::DstPort,
    Field::IcmpType,
    Field::IcmpCode,
];

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
}

/// Packets of one shape: every combination of one value per axis. Nothing that must be avoided is among them.
#[derive(Clone, Debug)]
pub struct Space {
    /// The shape.
    pub shape: Shape,
    axes: Vec<(Field, ValueSet)>,
}

/// How many flows are counted: more than any run has.
const COUNTED: u64 = 1 << 60;

impl Space {
    /// The space of these axes, none of which is empty.
    pub fn new(shape: Shape, axes: Vec<(Field, ValueSet)>) -> Self {
        Self { shape, axes }
    }

    /// How many flows there are, up to [`COUNTED`].
    fn flows(&self) -> u64 {
        let counts = self.axes.iter().filter(|(f, _)| IDENTITY.contains(f)).map(|(_, s)| s.len());
        counts.fold(1u128, u128::saturating_mul).min(COUNTED.into()) as u64
    }

    /// Lengths of IP packets that are in the space; none where the shape has no length.
    pub fn lengths(&self) -> Option<&ValueSet> {
        self.axes.iter().find(|(f, _)| *f == Field::Length).map(|(_, s)| s)
    }

    /// A packet. Its identity is the `place`-th of the space where there is one, and drawn otherwise; what does not tell
    /// flows apart is drawn in any case. All that is drawn follows from `mix`.
    fn key(&self, mut place: Option<u64>, mix: u64) -> Key {
        let mut key = Key::new();
        for (field, set) in &self.axes {
            let count = set.len();
            let n = match &mut place {
                _ if count == 1 => 0,
                Some(place) if IDENTITY.contains(field) => {
                    // all counts together are below 2^60
                    let count = count as u64;
                    let digit = *place % count;
                    *place /= count;
                    u128::from(digit)
                }
                _ => {
                    let salt = mix ^ (*field as u64 + 1).wrapping_mul(0xd1b5_4a32_d192_ed03);
                    let (hi, lo) = (scramble(salt), scramble(!salt));
                    (u128::from(hi) << 64 | u128::from(lo)) % count
                }
            };
            if let Some(value) = set.nth(n) {
                key.set(*field, value);
            }
        }
        if let Some(tos) = key.get(Field::Tos) {
            key.set_number(Field::Dscp, tos.bits >> 2);
        }
        key
    }
}

/// A number that looks like any other (the finalizer of SplitMix64: Steele, Lea and Flood, 2014).
fn scramble(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The flows of several spaces without packets in common, by number: in an order that looks random, all different until
/// all have come. Nothing is kept of those that have been.
pub struct Flows {
    /// The spaces.
    pub spaces: Vec<Space>,
    /// Flows of all spaces up to each, which is included.
    upto: Vec<u64>,
    /// Whether these are all flows of the space.
    counted: Vec<bool>,
    seed: u64,
}

impl Flows {
    /// The flows of these spaces, of which there is at least one.
    pub fn new(spaces: Vec<Space>, seed: u64) -> Self {
        let each = (COUNTED / spaces.len().max(1) as u64).max(1);
        let counts: Vec<u64> = spaces.iter().map(|s| s.flows().min(each)).collect();
        let counted = counts.iter().map(|n| *n < each).collect();
        let upto = counts.iter().scan(0u64, |sum, n| {
            *sum += n;
            Some(*sum)
        });
        Self { upto: upto.collect(), spaces, counted, seed }
    }

    /// How many different flows there are; none if more than are counted.
    pub fn count(&self) -> Option<u64> {
        self.counted.iter().all(|c| *c).then(|| self.upto.last().copied().unwrap_or(0))
    }

    /// The `n`-th flow: its space and its first packet.
    pub fn flow(&self, n: u64) -> (usize, Key) {
        let total = self.upto.last().copied().unwrap_or(1).max(1);
        let place = permute(n % total, total, self.seed);
        let space = self.upto.partition_point(|u| *u <= place);
        let before = if space == 0 { 0 } else { self.upto[space - 1] };
        let mix = scramble(n ^ self.seed.rotate_left(17));
        // places of a space that is not counted to its end would leave most of it out
        let place = self.counted[space].then_some(place - before);
        (space, self.spaces[space].key(place, mix))
    }
}

/// Another order of the numbers below `count`: a Feistel cipher over the next power of four, gone through until the number is
/// one of them.
fn permute(n: u64, count: u64, seed: u64) -> u64 {
    let half = (64 - (count - 1).leading_zeros()).div_ceil(2).max(1);
    let mask = (1u64 << half) - 1;
    let mut x = n;
    loop {
        let (mut left, mut right) = (x >> half, x & mask);
        for round in 1..=4u64 {
            (left, right) = (right, left ^ (scramble(right ^ seed.wrapping_mul(round)) & mask));
        }
        x = left << half | right;
        if x < count {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn ports(lo: u128, hi: u128) -> ValueSet {
        Range::numbers(lo, hi).into()
    }

    fn space(source: ValueSet, destination: ValueSet, ttl: ValueSet) -> Space {
        let axes = vec![(Field::SrcPort, source), (Field::DstPort, destination), (Field::Ttl, ttl)];
        Space::new(Shape::all()[0], axes)
    }

    #[test]
    fn every_flow_comes_once_before_any_comes_again() {
        let spaces = vec![
            space(ports(0, 6), ports(5, 9), ports(1, 255)),
            space(ports(100, 100), ports(1, 3), ports(64, 64)),
        ];
        let flows = Flows::new(spaces, 7);
        assert_eq!(flows.count(), Some(38));
        let identity = |k: &Key| (k.get(Field::SrcPort), k.get(Field::DstPort));
        let first: Vec<_> = (0..38).map(|n| identity(&flows.flow(n).1)).collect();
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), 38);
        assert!((38..76).all(|n| first.contains(&identity(&flows.flow(n).1))));
        let sorted = first.windows(2).filter(|w| w[0] < w[1]).count();
        assert!((8..30).contains(&sorted), "{sorted}");
        // what tells no flows apart is drawn
        let ttls: HashSet<_> = (0..38).map(|n| flows.flow(n).1.get(Field::Ttl)).collect();
        assert!(ttls.len() > 20);
    }

    #[test]
    fn spaces_beyond_counting_are_drawn_from_all_over() {
        let mut wide = space(ports(0, 65535), ports(0, 65535), ports(64, 64));
        let any = |f: Field| (f, Range::numbers(0, u128::from(u32::MAX)).into());
        wide.axes.extend([any(Field::SrcIp), any(Field::DstIp)]);
        let flows = Flows::new(vec![wide], 3);
        assert_eq!(flows.count(), None);
        let keys: Vec<Key> = (0..100_000).map(|n| flows.flow(n).1).collect();
        assert_eq!(keys.iter().collect::<HashSet<_>>().len(), keys.len());
        for field in [Field::SrcPort, Field::DstPort] {
            let mean = keys.iter().map(|k| k.get(field).unwrap().bits as f64).sum::<f64>() / 1e5;
            assert!((mean / 32767.5 - 1.0).abs() < 0.01, "{field}: {mean}");
        }
    }

    #[test]
    fn permutations_of_any_size_are_ones() {
        for count in [1u64, 2, 3, 4, 5, 100, 1000, 4097] {
            let seen: HashSet<u64> = (0..count).map(|n| permute(n, count, 99)).collect();
            assert!(seen.len() as u64 == count && seen.iter().all(|n| *n < count), "{count}");
        }
    }

    #[test]
    fn code_points_are_octets() {
        let mut c = Conjunction::default();
        c.and(Field::Dscp, &ValueSet::single(csn::Value::number(46)));
        c.and(Field::Tos, &ports(0xb9, 0xff));
        assert_eq!(c.0, [(Field::Tos, ports(0xb9, 0xbb))]);
    }
}
