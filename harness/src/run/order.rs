//! In which order trials are run: every round of repeats is a random permutation of all points, so that drift of the
//! machine and noisy neighbours hit all points alike.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;

/// Keeps the order's random numbers apart from those of the traffic, which come from the same seed.
const STREAM: u64 = 0x006f_7264_6572;

/// A trial to be run: number of the point and of the repeat.
pub type Slot = (u32, u32);

/// All trials of `points` points and `repeat` repeats in the order of running.
pub fn interleaved(points: u32, repeat: u32, seed: u64) -> Vec<Slot> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ STREAM);
    let mut order = Vec::with_capacity(points as usize * repeat as usize);
    for round in 0..repeat {
        let mut permutation: Vec<Slot> = (0..points).map(|point| (point, round)).collect();
        permutation.shuffle(&mut rng);
        order.extend(permutation);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_holds_every_point_once_and_rounds_differ() {
        let order = interleaved(6, 4, 1);
        for (round, slots) in order.chunks(6).enumerate() {
            assert!(slots.iter().all(|(_, r)| *r as usize == round));
            let mut points: Vec<_> = slots.iter().map(|(p, _)| *p).collect();
            points.sort_unstable();
            assert_eq!(points, [0, 1, 2, 3, 4, 5]);
        }
        let points = |n: usize| order[n * 6..(n + 1) * 6].iter().map(|(p, _)| *p).collect::<Vec<_>>();
        assert!((1..4).any(|n| points(n) != points(0)));
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(interleaved(20, 3, 7), interleaved(20, 3, 7));
        assert_ne!(interleaved(20, 3, 7), interleaved(20, 3, 8));
    }
}
