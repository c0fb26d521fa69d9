//! Mixes of frame sizes: decks that are shuffled once and dealt again and again, and genomes, whose order is given. Either
//! way the mean is exact after every period.

use super::{Distribution, Rng};
use csn::mix::Size;
use csn::models::{IMIXES, Imix, genome_size};
use rand::seq::SliceRandom;

struct Deck {
    /// Small, since every class has a deck of its own.
    cards: Vec<u16>,
    /// None before the deck is shuffled.
    next: Option<usize>,
}

fn deck(name: &str) -> Option<Box<dyn Distribution>> {
    let mix: &Imix = IMIXES.iter().find(|m| m.name == name)?;
    let cards = mix.deck.iter().flat_map(|(size, n)| std::iter::repeat_n(*size as u16, *n as usize));
    Some(Box::new(Deck { cards: cards.collect(), next: None }))
}

pub(super) fn make(size: &Size) -> Option<Box<dyn Distribution>> {
    match size {
        Size::Imix => deck("simple"),
        Size::Mix(name) => deck(name),
        _ => None,
    }
}

pub(super) fn genome(size: &Size) -> Option<Box<dyn Distribution>> {
    let Size::Genome(letters) = size else { return None };
    let cards: Vec<u16> = letters.chars().map(|c| genome_size(c).map(|n| n as u16)).collect::<Option<_>>()?;
    (!cards.is_empty()).then(|| Box::new(Deck { cards, next: Some(0) }) as Box<dyn Distribution>)
}

impl Distribution for Deck {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        let mut next = self.next.unwrap_or_else(|| {
            self.cards.shuffle(rng);
            0
        });
        for v in out {
            *v = self.cards[next].into();
            next = if next + 1 == self.cards.len() { 0 } else { next + 1 };
        }
        self.next = Some(next);
    }

    fn mean(&self) -> f64 {
        self.cards.iter().map(|c| f64::from(*c)).sum::<f64>() / self.cards.len() as f64
    }

    fn support(&self) -> Vec<(u64, f64)> {
        let mut sorted = self.cards.clone();
        sorted.sort_unstable();
        let share = |same: &[u16]| (u64::from(same[0]), same.len() as f64 / self.cards.len() as f64);
        sorted.chunk_by(|a, b| a == b).map(share).collect()
    }
}
