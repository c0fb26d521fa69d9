//! From values to places, and the ticks between.

/// A map from values to a span of the drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    from: (f64, f64),
    to: (f64, f64),
    log: bool,
}

impl Scale {
    /// A linear scale: `from` values `to` places.
    pub(super) fn linear(from: (f64, f64), to: (f64, f64)) -> Self {
        Self { from, to, log: false }
    }

    /// A scale for such values: logarithmic where they are positive and span two decades or more. A little room is
    /// left at both ends.
    pub(super) fn spanning(values: &[f64], to: (f64, f64)) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let log = low > 0.0 && high / low >= 100.0;
        let (a, b) = if log { (low.log10(), high.log10()) } else { (low, high) };
        let room = if b > a { 0.03 * (b - a) } else { 0.5 };
        Self { from: (a - room, b + room), to, log }
    }

    /// The place of a value; none where it lies outside.
    pub(super) fn place(&self, value: f64) -> Option<f64> {
        let v = if self.log { value.log10() } else { value };
        let share = (v - self.from.0) / (self.from.1 - self.from.0);
        (-1e-9..=1.0 + 1e-9).contains(&share).then_some(self.to.0 + share * (self.to.1 - self.to.0))
    }
}

/// Round values from 0 on, of which the last is no less than `reach`: steps of 1, 2 or 5 times a power of ten.
pub(super) fn ticks(reach: f64, about: usize) -> Vec<f64> {
    let reach = if reach.is_finite() && reach > 0.0 { reach } else { 1.0 };
    let raw = reach / about as f64;
    let power = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= raw * 0.999).unwrap_or(power);
    let steps = (reach / step - 1e-9).ceil() as usize;
    (0..=steps.max(1)).map(|i| i as f64 * step).collect()
}

/// Moves places apart so that neighbours keep a distance, as little as need be, within bounds.
pub(super) fn spread(places: &[f64], distance: f64, bounds: (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by(|a, b| places[*a].total_cmp(&places[*b]));
    let mut moved = places.to_vec();
    // Relaxation: each pair that is too near is pushed apart evenly; a handful of labels settles quickly.
    for _ in 0..200 {
        let mut still = true;
        for pair in order.windows(2) {
            let gap = moved[pair[1]] - moved[pair[0]];
            if gap < distance - 1e-6 {
                let push = (distance - gap) / 2.0;
                moved[pair[0]] -= push;
                moved[pair[1]] += push;
                still = false;
            }
        }
        for m in &mut moved {
            *m = m.clamp(bounds.0, bounds.1);
        }
        if still {
            break;
        }
    }
    moved
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(ticks(96.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(1.0, 5).last(), Some(&1.0));
        for reach in [0.0003, 0.9, 7.0, 12.0, 49.0, 1234.0, f64::NAN, 0.0] {
            let t = ticks(reach, 5);
            assert!(t.len() >= 2 && t.len() <= 7, "{reach}: {t:?}");
            assert!(reach.is_nan() || *t.last().unwrap() >= reach);
        }
    }

    #[test]
    fn what_lies_outside_has_no_place() {
        let s = Scale::linear((0.0, 10.0), (100.0, 0.0));
        assert_eq!(
            (s.place(5.0), s.place(10.0), s.place(10.1), s.place(-1.0)),
            (Some(50.0), Some(0.0), None, None)
        );
        let log = Scale::spanning(&[1.0, 10.0, 100.0], (0.0, 106.0));
        assert!((log.place(10.0).unwrap() - 53.0).abs() < 1e-9);
        assert_eq!(log.place(0.0), None);
        assert!(Scale::spanning(&[0.0, 1000.0], (0.0, 1.0)).place(0.0).is_some());
    }

    #[test]
    fn labels_keep_their_distance() {
        let s = spread(&[50.0, 51.0, 52.0, 10.0], 10.0, (0.0, 100.0));
        let mut sorted = s.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|w| w[1] - w[0] >= 9.99), "{s:?}");
        assert_eq!(s[3], 10.0);
        let low = spread(&[99.0, 100.0, 98.0], 10.0, (0.0, 100.0));
        assert!(low.iter().all(|v| *v <= 100.0) && (low[1] - low[2] - 20.0).abs() < 0.1, "{low:?}");
    }
}
