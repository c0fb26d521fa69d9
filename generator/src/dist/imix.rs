//! The simple Internet mix: a deck of twelve Ethernet frames, shuffled once and dealt again and again, so that the
//! mean is exact after every dozen.

use super::{Distribution, Rng};
use csn::mix::Size;
use rand::seq::SliceRandom;

const SIZES: [(u64, usize); 3] = [(64, 7), (594, 4), (1518, 1)];

struct Imix {
    deck: Vec<u64>,
    /// None before the deck is shuffled.
    next: Option<usize>,
}

pub(super) fn make(size: &Size) -> Option<Box<dyn Distribution>> {
    let deck = || SIZES.iter().flat_map(|(size, n)| std::iter::repeat_n(*size, *n)).collect();
    matches!(size, Size::Imix).then(|| Box::new(Imix { deck: deck(), next: None }) as Box<dyn Distribution>)
}

impl Distribution for Imix {
    fn fill(&mut self, rng: &mut Rng, out: &mut [u64]) {
        let mut next = self.next.unwrap_or_else(|| {
            self.deck.shuffle(rng);
            0
        });
        for v in out {
            *v = self.deck[next];
            next = (next + 1) % self.deck.len();
        }
        self.next = Some(next);
    }

    fn mean(&self) -> f64 {
        self.deck.iter().sum::<u64>() as f64 / self.deck.len() as f64
    }

    fn support(&self) -> Vec<(u64, f64)> {
        SIZES.iter().map(|(size, n)| (*size, *n as f64 / self.deck.len() as f64)).collect()
    }
}
