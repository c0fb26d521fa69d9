//! Whose turn it is: shares of packets, kept at every moment and not only in the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// A heap of times, the first on top: the bits of positive numbers order as the numbers do.
type Times = BinaryHeap<Reverse<(u64, u32)>>;

/// Deals turns to parts by their shares, so that after any number of turns every part has had its share of them to less
/// than one turn (Tijdeman, The chairman assignment problem, 1980). Equal shares take turns in order.
pub enum Turns {
    /// Equal shares: how many, and whose turn is next.
    Equal(usize, usize),
    /// Any shares.
    Shares(Shares),
}

/// The state for shares that differ. A part may take its next turn from its release on, and must by its deadline.
pub struct Shares {
    /// Turns taken, and 1 / share.
    parts: Vec<(u64, f64)>,
    /// The parts that may take their next turn, by deadline.
    ready: Times,
    /// Those that may not yet, by release.
    waiting: Times,
    /// How much of a turn must be due before it may be taken.
    slack: f64,
    turns: u64,
}

impl Turns {
    /// Turns for parts of these shares, all positive, whatever their sum.
    pub fn new(shares: impl IntoIterator<Item = f64>) -> Self {
        let shares: Vec<f64> = shares.into_iter().collect();
        let (first, count) = (shares.first().copied().unwrap_or(1.0), shares.len());
        if shares.iter().all(|s| (s / first - 1.0).abs() < 1e-9) {
            return Turns::Equal(count.max(1), 0);
        }
        let total: f64 = shares.iter().sum();
        let mut out = Shares {
            parts: shares.iter().map(|s| (0, total / s)).collect(),
            ready: Times::with_capacity(count),
            waiting: Times::with_capacity(count),
            slack: 1.0 / (2 * count - 2) as f64,
            turns: 0,
        };
        (0..count as u32).for_each(|i| out.wait(i));
        Turns::Shares(out)
    }

    /// The part whose turn it is.
    #[inline]
    pub fn take(&mut self) -> usize {
        match self {
            Turns::Equal(count, next) => {
                let i = *next;
                *next = if i + 1 == *count { 0 } else { i + 1 };
                i
            }
            Turns::Shares(shares) => shares.take(),
        }
    }
}

impl Shares {
    fn wait(&mut self, i: u32) {
        let (taken, inverse) = self.parts[i as usize];
        self.waiting.push(Reverse((((taken as f64 + self.slack) * inverse).to_bits(), i)));
    }

    fn take(&mut self) -> usize {
        self.turns += 1;
        let now = (self.turns as f64).to_bits();
        // where rounding leaves nobody ready, the next one is
        while let Some(Reverse((release, i))) = self.waiting.peek().copied()
            && (release <= now || self.ready.is_empty())
        {
            self.waiting.pop();
            let (taken, inverse) = self.parts[i as usize];
            self.ready.push(Reverse((((taken as f64 + 1.0 - self.slack) * inverse).to_bits(), i)));
        }
        let Some(Reverse((_, i))) = self.ready.pop() else { return 0 };
        self.parts[i as usize].0 += 1;
        self.wait(i);
        i as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Rng;
    use rand::{RngExt, SeedableRng};

    #[test]
    fn shares_hold_to_less_than_a_packet_at_every_moment() {
        let many = (1..=50).map(|i| f64::from(i) / 1275.0).collect();
        let one_large = [vec![0.5], vec![0.005; 100]].concat();
        for shares in [
            many,
            one_large,
            vec![0.2, 0.5, 0.3],
            vec![0.01; 100],
            vec![0.7, 0.1, 0.1, 0.05, 0.05],
            vec![1.0 / 3.0; 3],
        ] {
            let mut turns = Turns::new(shares.iter().copied());
            let mut taken = vec![0u64; shares.len()];
            for n in 1..=20_000 {
                taken[turns.take()] += 1;
                for (t, s) in taken.iter().zip(&shares) {
                    assert!(
                        (*t as f64 - s * f64::from(n)).abs() < 1.0 + 1e-6,
                        "{shares:?} after {n}: {taken:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn ten_thousand_packets_of_a_thousand_classes_are_right_to_one_each() {
        let mut rng = Rng::seed_from_u64(1);
        for spread in [1.0f64, 3.0, 9.0] {
            let raw: Vec<f64> = (0..1000).map(|_| (rng.random::<f64>() * spread).exp()).collect();
            let total: f64 = raw.iter().sum();
            let mut turns = Turns::new(raw.iter().copied());
            let mut taken = vec![0.0; raw.len()];
            for ten_thousand in 1..=5 {
                (0..10_000).for_each(|_| taken[turns.take()] += 1.0);
                for (t, s) in taken.iter().zip(&raw) {
                    let due: f64 = s / total * 10_000.0 * f64::from(ten_thousand);
                    assert!((t - due).abs() < 1.0 + 1e-6, "{t} for {due}");
                }
            }
        }
    }

    #[test]
    fn equal_shares_take_turns_in_order() {
        let mut turns = Turns::new([0.25; 4]);
        let order: Vec<_> = (0..12).map(|_| turns.take()).collect();
        assert_eq!(order, [0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3]);
    }
}
