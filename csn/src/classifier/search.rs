//! Which interval a value lies in, of many that follow each other.

use super::ranks::Rank;

/// Intervals by their first values, each with a rank.
#[derive(Clone, Debug)]
pub struct Sorted<T> {
    starts: Vec<T>,
    /// One more than starts: the first is that of everything in front.
    ranks: Vec<Rank>,
}

impl<T: Copy + Ord> Sorted<T> {
    /// Intervals from their first values, ascending, and the rank of what lies in front of them.
    pub fn new(before: Rank, intervals: impl Iterator<Item = (T, Rank)>) -> Self {
        let (mut starts, mut ranks) = (Vec::new(), vec![before]);
        for (start, rank) in intervals {
            starts.push(start);
            ranks.push(rank);
        }
        Self { starts, ranks }
    }

    /// The rank of a value.
    #[inline]
    pub fn find(&self, value: T) -> Rank {
        self.ranks[self.starts.partition_point(|s| *s <= value)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Random;

    #[test]
    fn a_value_lies_in_the_interval_that_a_scan_finds() {
        let mut random = Random::new(3);
        for count in [0, 1, 15, 16, 17, 255, 256, 257, 5000] {
            let mut starts: Vec<u32> = (0..count).map(|_| random.bits() as u32).collect();
            starts.extend([0, u32::MAX].iter().filter(|_| random.chance(50)));
            starts.sort_unstable();
            starts.dedup();
            let pairs = || starts.iter().copied().zip(1..);
            let sorted = Sorted::new(0, pairs());
            let near = starts.iter().flat_map(|s| [s.wrapping_sub(1), *s, s.wrapping_add(1)]);
            for value in near.chain([0, 1, u32::MAX - 1, u32::MAX]) {
                let wanted = starts.iter().take_while(|s| **s <= value).count() as Rank;
                assert_eq!(sorted.find(value), wanted, "{value} among {count}");
            }
        }
    }
}
