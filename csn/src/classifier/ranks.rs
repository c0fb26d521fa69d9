//! From the value of a field to its rank: values that all rules treat alike have one rank, and ranks are few.
//!
//! Behind this step every field is a small number, whatever its width and family. Rank 0 is that of an absent field
//! and of all values that no rule names: no rule can tell them apart.

use super::search::Sorted;
use crate::field::Field;
use crate::value::{Value, ValueSet};
use std::collections::HashMap;

/// A rank. Signed, since comparisons of signed lanes are what all vector units have.
pub type Rank = i32;

/// Intervals of ranks, ascending, both ends included.
pub type Runs = Vec<(Rank, Rank)>;

/// Fields of at most this many bits are looked up in a table.
const TABLE_BITS: u32 = 16;

/// How many sets of values can be told apart by the bits of a signature.
const SIGNATURES: usize = 64;

/// The ranks of one field.
#[derive(Clone, Debug)]
pub struct Ranks {
    /// The field.
    pub field: Field,
    /// The largest rank.
    pub last: Rank,
    /// Numbers from 0 on, where the field is narrow.
    table: Vec<u16>,
    /// Numbers.
    number: Sorted<u64>,
    /// IPv4 addresses.
    v4: Sorted<u32>,
    /// IPv6 addresses.
    v6: Sorted<u128>,
    /// Everything, for values that a field should not have.
    any: Sorted<Value>,
}

/// The intervals of a field within which every set has all values or none.
struct Elementary<'a> {
    sets: Vec<&'a ValueSet>,
    /// How many tests use each set.
    uses: Vec<usize>,
    /// First values; what lies in front of the first is in no set.
    starts: Vec<Value>,
}

/// A choice of ranks: of each elementary interval, and of each set.
struct Numbering {
    of_interval: Vec<Rank>,
    of_set: Vec<Runs>,
}

impl Ranks {
    /// The ranks of `field` for the sets that rules test it against, and what these sets become.
    pub fn new<'a>(
        field: Field,
        tests: impl Iterator<Item = &'a ValueSet>,
    ) -> (Self, HashMap<&'a ValueSet, Runs>) {
        let parts = Elementary::new(tests);
        let mut chosen = parts.in_order();
        if let Some(grouped) = parts.grouped()
            && parts.cost(&grouped) < parts.cost(&chosen)
        {
            chosen = grouped;
        }
        let Numbering { of_interval, of_set } = chosen;
        let last = of_interval.iter().copied().max().unwrap_or(0);
        let pairs = || parts.starts.iter().copied().zip(of_interval.iter().copied());
        let family = |wanted| pairs().filter(move |(v, _)| v.family == wanted);
        let any = Sorted::new(0, pairs());
        let before = |family| any.find(Value { family, bits: 0 });
        let narrow = field.width() <= TABLE_BITS && last <= Rank::from(u16::MAX);
        let entries = if narrow { 1u128 << field.width() } else { 0 };
        let ranks = Self {
            field,
            last,
            table: (0..entries).map(|n| any.find(Value::number(n)) as u16).collect(),
            number: Sorted::new(before(0), family(0).filter_map(|(v, r)| Some((v.bits.try_into().ok()?, r)))),
            v4: Sorted::new(before(4), family(4).filter_map(|(v, r)| Some((v.bits.try_into().ok()?, r)))),
            v6: Sorted::new(before(6), family(6).map(|(v, r)| (v.bits, r))),
            any,
        };
        let runs = parts.sets.iter().copied().zip(of_set).collect();
        (ranks, runs)
    }

    /// The rank of what a packet has in this field.
    #[inline]
    pub fn of(&self, value: Option<Value>) -> Rank {
        let Some(value) = value else { return 0 };
        match value.family {
            0 if value.bits <= u128::from(u64::MAX) => self.of_number(value.bits as u64),
            4 if value.bits <= u128::from(u32::MAX) => self.of_v4(value.bits as u32),
            6 => self.of_v6(value.bits),
            _ => self.any.find(value),
        }
    }

    /// The rank of a number.
    #[inline]
    pub fn of_number(&self, value: u64) -> Rank {
        match self.table.get(value as usize) {
            Some(rank) => Rank::from(*rank),
            None => self.number.find(value),
        }
    }

    /// The rank of an IPv4 address.
    #[inline]
    pub fn of_v4(&self, address: u32) -> Rank {
        self.v4.find(address)
    }

    /// The rank of an IPv6 address.
    #[inline]
    pub fn of_v6(&self, address: u128) -> Rank {
        self.v6.find(address)
    }
}

impl<'a> Elementary<'a> {
    fn new(tests: impl Iterator<Item = &'a ValueSet>) -> Self {
        let mut known: HashMap<&ValueSet, usize> = HashMap::new();
        let (mut sets, mut uses) = (Vec::new(), Vec::new());
        for set in tests {
            let at = *known.entry(set).or_insert_with(|| {
                sets.push(set);
                uses.push(0);
                sets.len() - 1
            });
            uses[at] += 1;
        }
        let ranges = || sets.iter().flat_map(|s: &&ValueSet| s.ranges());
        let mut starts: Vec<Value> =
            ranges().map(|r| r.lo).chain(ranges().filter_map(|r| next(r.hi))).collect();
        starts.sort_unstable();
        starts.dedup();
        Self { sets, uses, starts }
    }

    /// The elementary intervals of a set, as ranges of their places.
    fn places(&self, set: &ValueSet) -> impl Iterator<Item = std::ops::Range<usize>> {
        set.ranges().iter().map(|r| {
            let first = self.starts.partition_point(|s| *s < r.lo);
            let end = self.starts.partition_point(|s| *s <= r.hi);
            first..end
        })
    }

    /// Ranks in the order of values.
    fn in_order(&self) -> Numbering {
        let mut change = vec![0isize; self.starts.len() + 1];
        for places in self.sets.iter().flat_map(|s| self.places(s)) {
            change[places.start] += 1;
            change[places.end] -= 1;
        }
        let (mut inside, mut last) = (0, 0);
        let of_interval: Vec<Rank> = change[..self.starts.len()]
            .iter()
            .map(|c| {
                inside += c;
                last += Rank::from(inside > 0);
                if inside > 0 { last } else { 0 }
            })
            .collect();
        let runs = |set: &&ValueSet| {
            let ends = self.places(set).map(|p| (of_interval[p.start], of_interval[p.end - 1]));
            joined(ends)
        };
        let of_set = self.sets.iter().map(runs).collect();
        Numbering { of_interval, of_set }
    }

    /// One rank for all intervals that are in the same sets, where the sets are few: masks of flags are scattered
    /// over many intervals.
    fn grouped(&self) -> Option<Numbering> {
        if self.sets.len() > SIGNATURES {
            return None;
        }
        let mut signatures = vec![0u64; self.starts.len()];
        for (bit, set) in self.sets.iter().enumerate() {
            for places in self.places(set) {
                signatures[places].iter_mut().for_each(|s| *s |= 1 << bit);
            }
        }
        let mut groups = signatures.clone();
        groups.push(0);
        groups.sort_unstable();
        groups.dedup();
        let rank = |s: &u64| groups.partition_point(|g| g < s) as Rank;
        let of_set = (0..self.sets.len())
            .map(|bit| joined(groups.iter().filter(|g| *g >> bit & 1 == 1).map(|g| (rank(g), rank(g)))))
            .collect();
        Some(Numbering { of_interval: signatures.iter().map(rank).collect(), of_set })
    }

    /// How many intervals of ranks all tests together have.
    fn cost(&self, numbering: &Numbering) -> usize {
        numbering.of_set.iter().zip(&self.uses).map(|(runs, uses)| runs.len() * uses).sum()
    }
}

/// Ascending intervals, those that touch made one.
fn joined(intervals: impl Iterator<Item = (Rank, Rank)>) -> Runs {
    let mut out = Runs::new();
    for (lo, hi) in intervals {
        match out.last_mut() {
            Some(last) if lo <= last.1 + 1 => last.1 = last.1.max(hi),
            _ => out.push((lo, hi)),
        }
    }
    out
}

/// The value behind `value` in the order of values; none behind the last.
fn next(value: Value) -> Option<Value> {
    match value.bits.checked_add(1) {
        Some(bits) => Some(Value { bits, ..value }),
        None => Some(Value { family: value.family.checked_add(1)?, bits: 0 }),
    }
}
