//! Classifying frames without a [`crate::Key`] in between: each field becomes its rank where it is found.

use super::ranks::Ranks;
use super::tree::Point;
use super::{Classifier, Verdict};
use crate::field::Field;
use crate::packet::{Sink, extract};

/// The place of a field that no rule tests: beyond all slots.
pub const NO_SLOT: u8 = u8::MAX;

/// What rules can tell of one frame.
#[derive(Clone, Copy, Debug)]
pub struct Ranked(Point);

/// The slot of each field.
pub fn slots(ranks: &[Ranks]) -> [u8; Field::COUNT] {
    let mut slots = [NO_SLOT; Field::COUNT];
    for (slot, of) in ranks.iter().enumerate() {
        slots[of.field as usize] = slot as u8;
    }
    slots
}

/// Takes the fields of a frame.
struct Ranking<'a> {
    classifier: &'a Classifier,
    point: Point,
}

impl Ranking<'_> {
    /// The ranks of a field, and where its rank belongs.
    #[inline(always)]
    fn slot(&mut self, field: Field) -> Option<(&Ranks, &mut i32)> {
        let slot = usize::from(self.classifier.slots[field as usize]);
        Some((self.classifier.ranks.get(slot)?, &mut self.point[slot & 31]))
    }
}

impl Sink for Ranking<'_> {
    #[inline(always)]
    fn number(&mut self, field: Field, value: u64) {
        if let Some((ranks, rank)) = self.slot(field) {
            *rank = ranks.of_number(value);
        }
    }

    #[inline(always)]
    fn v4(&mut self, field: Field, address: u32) {
        if let Some((ranks, rank)) = self.slot(field) {
            *rank = ranks.of_v4(address);
        }
    }

    #[inline(always)]
    fn v6(&mut self, field: Field, address: u128) {
        if let Some((ranks, rank)) = self.slot(field) {
            *rank = ranks.of_v6(address);
        }
    }
}

impl Classifier {
    /// What the rules can tell of an Ethernet frame that came in on `interface`; `tag` as in
    /// [`crate::packet::parse`].
    #[inline]
    pub fn rank(&self, frame: &[u8], tag: Option<u16>, interface: Option<u32>) -> Ranked {
        let mut ranking = Ranking { classifier: self, point: [0; 32] };
        if let Some(index) = interface {
            ranking.number(Field::Interface, u64::from(index));
        }
        extract(frame, tag, &mut ranking);
        Ranked(ranking.point)
    }

    /// The class of the first rule that matches, else `others`.
    #[inline]
    pub fn decide(&self, ranked: &Ranked) -> Verdict {
        self.verdict(&ranked.0)
    }
}
