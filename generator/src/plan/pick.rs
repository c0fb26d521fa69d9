//! Whose packet of a component is next.

use crate::dist::{Ranks, Rng};
use csn::mix::{Order, Popularity};
use rand_distr::{Distribution as _, Geometric};

/// The order of a component's flows.
pub struct Pick {
    kind: Kind,
    ranks: Ranks,
    /// The flow of the last packet, or the next one in round order.
    at: usize,
}

enum Kind {
    Round,
    Random,
    /// Trains of one flow: how many more packets than one, and how many are left.
    Runs(Geometric, u64),
}

impl Pick {
    /// The order of `count` flows. Flows that are not alike popular are drawn, whatever the order.
    pub fn new(order: Order, popularity: Popularity, count: usize) -> Self {
        let kind = match order {
            Order::Round if popularity == Popularity::Uniform => Kind::Round,
            Order::Round | Order::Random => Kind::Random,
            Order::Runs(mean) => match Geometric::new(1.0 / f64::from(mean.max(1))) {
                Ok(more) => Kind::Runs(more, 0),
                Err(_) => Kind::Random,
            },
        };
        Self { kind, ranks: Ranks::new(popularity, count), at: 0 }
    }

    /// The next flow of `count`.
    #[inline]
    pub fn next(&mut self, count: usize, rng: &mut Rng) -> usize {
        match &mut self.kind {
            Kind::Round => {
                let at = if self.at < count { self.at } else { 0 };
                self.at = at + 1;
                at
            }
            Kind::Random => {
                self.ranks.resize(count);
                self.ranks.draw(rng)
            }
            Kind::Runs(more, left) => {
                if *left > 0 && self.at < count {
                    *left -= 1;
                } else {
                    self.ranks.resize(count);
                    self.at = self.ranks.draw(rng);
                    *left = more.sample(rng);
                }
                self.at
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn order(order: Order, popularity: Popularity, packets: usize) -> Vec<usize> {
        let mut rng = Rng::seed_from_u64(1);
        let mut pick = Pick::new(order, popularity, 100);
        (0..packets).map(|_| pick.next(100, &mut rng)).collect()
    }

    #[test]
    fn round_goes_round_and_does_not_stumble_over_a_flow_that_has_ended() {
        assert_eq!(order(Order::Round, Popularity::Uniform, 201)[98..103], [98, 99, 0, 1, 2]);
        let mut pick = Pick::new(Order::Round, Popularity::Uniform, 3);
        let rng = &mut Rng::seed_from_u64(1);
        let seen: Vec<_> = [3, 3, 3, 2, 2, 1, 1].map(|n| pick.next(n, rng)).to_vec();
        assert_eq!(seen, [0, 1, 2, 0, 1, 0, 0]);
    }

    #[test]
    fn trains_are_geometric_with_their_mean() {
        let flows = order(Order::Runs(8), Popularity::Uniform, 1_000_000);
        let trains: Vec<usize> = flows.chunk_by(|a, b| a == b).map(<[usize]>::len).collect();
        let n = trains.len() as f64;
        let mean = trains.iter().sum::<usize>() as f64 / n;
        // one train in a hundred is followed by another of the same flow
        assert!((mean - 8.0 / 0.99).abs() < 0.1, "{mean}");
        let p = 0.99 / 8.0;
        for length in 1..30 {
            let share = trains.iter().filter(|t| **t == length).count() as f64 / n;
            let theory = p * (1.0f64 - p).powi(length as i32 - 1);
            assert!((share - theory).abs() < 5.0 * (theory / n).sqrt(), "{length}: {share}, not {theory}");
        }
    }

    #[test]
    fn popular_flows_get_their_share_in_any_order() {
        for kind in [Order::Round, Order::Random, Order::Runs(4)] {
            let flows = order(kind, Popularity::Zipf(1.0), 1_000_000);
            let first = flows.iter().filter(|f| **f == 0).count() as f64 / 1e6;
            // 1 over the harmonic number of 100
            assert!((first - 0.192_8).abs() < 0.004, "{kind:?}: {first}");
        }
    }
}
