//! The pattern queue's entries and the shapes of flow keys that they add up to.
//!
//! A key is the rule set, the attributes saved with their masks, and their values. What does not depend on the
//! packet, that is all but the values, is a [`Shape`] with a number. Saving an entry moves from shape to shape
//! by one look into a table, which fills as packets need it; the order of saving does not matter.

use super::slots::{Slot, reversed, slot, slot_of};
use csn::rtfm::Attribute;
use std::collections::BTreeMap;

/// The number that stands for no entry.
pub const NO_PATTERN: u32 = u32::MAX;
/// The shape of a key without attributes.
pub const EMPTY: u32 = 0;
/// Stands for a shape that has not been made yet.
const UNKNOWN: u32 = u32::MAX;

/// The three words of an IPv6 address, by the place of the IPv4 one.
pub fn v6_slots(place: Slot) -> [Slot; 3] {
    let base = if place == slot::SOURCE_V4 { slot::SOURCE_V6 } else { slot::DEST_V6 };
    [base, base + 1, base + 2]
}

/// An attribute that is saved, under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// The place of the attribute; of an address, its IPv4 place.
    pub place: Slot,
    /// Octets of the mask.
    pub octets: u8,
    /// The mask.
    pub mask: u128,
}

impl Pattern {
    /// The words that hold its value.
    pub fn slots(&self) -> impl Iterator<Item = Slot> {
        let (first, count) = if self.octets == 16 { (v6_slots(self.place)[0], 3) } else { (self.place, 1) };
        first..first + count
    }

    fn reversed(self) -> Self {
        Self { place: reversed(self.place), ..self }
    }
}

/// Every entry that a program can save, each with a number, and the same for the opposite direction.
#[derive(Debug, Default)]
pub struct Patterns {
    list: Vec<Pattern>,
    numbers: BTreeMap<Pattern, u32>,
}

impl Patterns {
    /// The number of an entry; [`NO_PATTERN`] for attributes that have no place.
    pub fn intern(&mut self, attribute: Attribute, octets: u8, mask: u128) -> u32 {
        let Some(place) = slot_of(attribute) else { return NO_PATTERN };
        let pattern = Pattern { place, octets, mask };
        self.number(pattern.reversed());
        self.number(pattern)
    }

    fn number(&mut self, pattern: Pattern) -> u32 {
        *self.numbers.entry(pattern).or_insert_with(|| {
            self.list.push(pattern);
            self.list.len() as u32 - 1
        })
    }
}

/// The part of a flow key that does not depend on the packet.
#[derive(Debug)]
pub struct Shape {
    /// The words that make up the key, in order.
    pub slots: Box<[Slot]>,
    /// The attributes, in order of their places.
    pub patterns: Vec<Pattern>,
    /// The shape of the key turned round, once it is known.
    reverse: u32,
}

/// All shapes that a program's packets have had.
#[derive(Debug)]
pub struct Shapes {
    patterns: Patterns,
    shapes: Vec<Shape>,
    numbers: BTreeMap<Vec<Pattern>, u32>,
    /// Shape after saving an entry: a row per shape, a column per entry.
    next: Vec<u32>,
}

impl Shapes {
    /// The empty shape, and a way to all others.
    pub fn new(patterns: Patterns) -> Self {
        let mut out = Self { patterns, shapes: vec![], numbers: BTreeMap::new(), next: vec![] };
        out.number(vec![]);
        out
    }

    /// A shape by its number.
    #[inline(always)]
    pub fn get(&self, shape: u32) -> &Shape {
        &self.shapes[shape as usize]
    }

    /// The shape after saving `pattern`: an earlier entry of the same attribute is replaced.
    #[inline(always)]
    pub fn after(&mut self, shape: u32, pattern: u32) -> u32 {
        let at = shape as usize * self.patterns.list.len() + pattern as usize;
        match self.next[at] {
            UNKNOWN => self.learn(shape, pattern, at),
            known => known,
        }
    }

    #[cold]
    fn learn(&mut self, shape: u32, pattern: u32, at: usize) -> u32 {
        let new = self.patterns.list[pattern as usize];
        let mut all = self.get(shape).patterns.clone();
        all.retain(|p| p.place != new.place);
        all.push(new);
        let number = self.number(all);
        self.next[at] = number;
        number
    }

    /// The shape of the key turned round.
    #[inline]
    pub fn reverse(&mut self, shape: u32) -> u32 {
        match self.get(shape).reverse {
            UNKNOWN => {
                let turned = self.get(shape).patterns.iter().map(|p| p.reversed()).collect();
                let number = self.number(turned);
                self.shapes[shape as usize].reverse = number;
                number
            }
            known => known,
        }
    }

    fn number(&mut self, mut patterns: Vec<Pattern>) -> u32 {
        patterns.sort_unstable();
        if let Some(&known) = self.numbers.get(&patterns) {
            return known;
        }
        let number = self.shapes.len() as u32;
        let slots = patterns.iter().flat_map(Pattern::slots).collect();
        self.shapes.push(Shape { slots, patterns: patterns.clone(), reverse: UNKNOWN });
        self.numbers.insert(patterns, number);
        self.next.resize(self.next.len() + self.patterns.list.len(), UNKNOWN);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_saving_does_not_matter_and_turning_keeps_the_types() {
        let mut p = Patterns::default();
        let source = p.intern(Attribute::SourcePeerAddress, 4, 0xffff_ff00);
        let dest = p.intern(Attribute::DestPeerAddress, 4, 0xffff_ffff);
        let kind = p.intern(Attribute::SourcePeerType, 1, 255);
        let v6 = p.intern(Attribute::SourcePeerAddress, 16, u128::MAX);
        assert_eq!(kind, p.intern(Attribute::DestPeerType, 1, 255));
        let mut s = Shapes::new(p);
        let mut walk = |order: &[u32]| order.iter().fold(EMPTY, |shape, p| s.after(shape, *p));
        let both = walk(&[source, kind, dest]);
        assert_eq!(both, walk(&[kind, dest, source]));
        assert_eq!(both, walk(&[v6, dest, kind, source]), "a later entry replaces an earlier one");
        assert_eq!(s.get(both).slots.len(), 3);
        let turned = s.reverse(both);
        assert_ne!(turned, both, "the masks differ");
        assert_eq!(s.reverse(turned), both);
        let wide = s.after(EMPTY, v6);
        assert_eq!(&*s.get(wide).slots, [slot::SOURCE_V6, slot::SOURCE_V6 + 1, slot::SOURCE_V6 + 2]);
    }
}
