//! Whose turn it is: shares of packets, kept at every moment and not only in the end.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Deals turns to parts by their shares: the k-th turn of a part is due at (k + ½) / share. After any number of turns
/// this is Webster's apportionment of them, off by a packet or so however long it goes on; equal shares take turns in
/// order. One sift of a heap per turn.
pub struct Turns {
    /// When the next turn of each part is due, as the bits of a positive number, which order as the number does.
    heap: BinaryHeap<Reverse<(u64, u32)>>,
    /// Turns taken, and 1 / share.
    parts: Vec<(u64, f64)>,
}

fn due(taken: u64, inverse: f64) -> u64 {
    ((taken as f64 + 0.5) * inverse).to_bits()
}

impl Turns {
    /// Turns for parts of these shares, all positive, whatever their sum.
    pub fn new(shares: impl IntoIterator<Item = f64>) -> Self {
        let parts: Vec<_> = shares.into_iter().map(|s| (0, 1.0 / s)).collect();
        let heap = parts.iter().enumerate().map(|(i, (n, inv))| Reverse((due(*n, *inv), i as u32))).collect();
        Self { heap, parts }
    }

    /// The part whose turn it is.
    #[inline]
    pub fn take(&mut self) -> usize {
        let Some(mut top) = self.heap.peek_mut() else { return 0 };
        let i = top.0.1 as usize;
        let (taken, inverse) = &mut self.parts[i];
        *taken += 1;
        top.0.0 = due(*taken, *inverse);
        i
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_hold_to_a_packet_or_so_at_every_moment() {
        let many = (1..=50).map(|i| f64::from(i) / 1275.0).collect();
        for shares in
            [many, vec![0.2, 0.5, 0.3], vec![0.01; 100], vec![0.7, 0.1, 0.1, 0.05, 0.05], vec![1.0 / 3.0; 3]]
        {
            let mut turns = Turns::new(shares.iter().copied());
            let mut taken = vec![0u64; shares.len()];
            for n in 1..=20_000 {
                taken[turns.take()] += 1;
                for (t, s) in taken.iter().zip(&shares) {
                    assert!((*t as f64 - s * f64::from(n)).abs() <= 1.25, "{shares:?} after {n}: {taken:?}");
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
