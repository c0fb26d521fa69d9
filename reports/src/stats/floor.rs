//! A/A: what a comparison of something with itself shows. Repetitions of one point are fresh starts in random order, so
//! that two samples drawn from them are what two equal points would have given. Their spread is the floor below which no
//! difference is claimed.

use super::median;
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng;
use serde::Serialize;

/// Comparisons that are drawn per group.
const DRAWN: usize = 500;
/// Groups with fewer values say nothing.
const FEWEST: usize = 4;
/// So many of a hundred comparisons of equals stay below the floor.
const SHARE: f64 = 0.95;

/// The spread of a comparison of equals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Floor {
    /// 95 % of all comparisons of equals lie nearer to 1 than this, as a share.
    pub share: f64,
    /// How many groups it comes from.
    pub groups: usize,
}

impl Floor {
    /// The floor of a run whose groups hold the values of one point each; none where no group has four values above
    /// zero. Everything random comes from `seed`.
    pub fn of(groups: &[Vec<f64>], seed: u64) -> Option<Self> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed ^ 0x0041_2f41);
        let usable: Vec<&Vec<f64>> = groups
            .iter()
            .filter(|g| g.len() >= FEWEST && g.iter().all(|v| *v > 0.0 && v.is_finite()))
            .collect();
        let mut apart: Vec<f64> = vec![];
        for group in &usable {
            for _ in 0..DRAWN {
                let [a, b] = [drawn(group, &mut rng), drawn(group, &mut rng)];
                apart.push((b / a).ln().abs());
            }
        }
        apart.sort_by(f64::total_cmp);
        let at = (SHARE * apart.len() as f64).ceil() as usize;
        let share = apart.get(at.saturating_sub(1))?.exp() - 1.0;
        Some(Self { share, groups: usable.len() })
    }

    /// Whether a ratio lies beyond what equals show.
    pub fn is_passed(&self, ratio: f64) -> bool {
        ratio > 0.0 && ratio.ln().abs() > self.share.ln_1p()
    }
}

/// The median of as many values as there are, drawn with replacement. A bootstrap sample of n values varies a little
/// less than a fresh one, by (n - 1) / n in the variance, which the factor makes up for.
fn drawn(group: &[f64], rng: &mut Xoshiro256PlusPlus) -> f64 {
    let n = group.len();
    let centre = median(group).unwrap_or_default();
    let sample: Vec<f64> =
        (0..n).map(|_| group[((u64::from(rng.next_u32()) * n as u64) >> 32) as usize]).collect();
    let wider = (n as f64 / (n as f64 - 1.0)).sqrt();
    centre * (median(&sample).unwrap_or_default() / centre).powf(wider)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(rng: &mut Xoshiro256PlusPlus) -> f64 {
        100.0 + (0..12).map(|_| f64::from(rng.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0
    }

    #[test]
    fn equals_stay_below_the_floor_about_as_often_as_it_says() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut sample = || (0..9).map(|_| noise(&mut rng)).collect::<Vec<f64>>();
        let groups: Vec<Vec<f64>> = (0..6).map(|_| sample()).collect();
        let floor = Floor::of(&groups, 1).unwrap();
        assert_eq!(floor.groups, 6);
        let rounds = 1000;
        let passed = (0..rounds)
            .filter(|_| floor.is_passed(median(&sample()).unwrap() / median(&sample()).unwrap()))
            .count();
        assert!((5..120).contains(&passed), "{passed} of {rounds}, {floor:?}");
        assert!(floor.is_passed(1.05) && floor.is_passed(0.95) && !floor.is_passed(1.001));
    }

    #[test]
    fn too_few_values_have_no_floor() {
        assert_eq!(Floor::of(&[vec![1.0, 2.0, 3.0]], 1), None);
        assert_eq!(Floor::of(&[vec![0.0; 9]], 1), None);
        assert_eq!(Floor::of(&[vec![5.0; 9]], 1), Some(Floor { share: 0.0, groups: 1 }));
    }
}
