//! Loads that change over time: from the time at the full rate to the time of the load.

use crate::dist::Rng;
use csn::mix::Phases;
use rand::RngExt;

/// A level that goes up or down does so in this many steps.
const STEPS: u32 = 64;

/// A time in which the level stays as it is; nanoseconds.
struct Piece {
    level: f64,
    lasts: f64,
}

/// The levels of a load, piece by piece, without end.
struct Levels {
    phases: Phases,
    /// The phase after these pieces.
    next: usize,
    /// The level that the last piece left.
    last: f64,
    /// Pieces of the phase, the last first.
    pieces: Vec<Piece>,
}

impl Levels {
    fn new(phases: &Phases) -> Self {
        Self { phases: phases.clone(), next: 0, last: 0.0, pieces: Vec::new() }
    }

    /// The next piece. `draw` is a level between two.
    fn piece(&mut self, mut draw: impl FnMut(f64, f64) -> f64) -> Piece {
        loop {
            if let Some(piece) = self.pieces.pop() {
                return piece;
            }
            let (lo, hi) = self.phases.levels[self.next];
            self.next = (self.next + 1) % self.phases.levels.len();
            let mut level = draw(lo, hi);
            let ramp = self.phases.ramp.map_or(0.0, |t| t.0 as f64);
            let mut left = self.phases.every.0 as f64 - ramp;
            if ramp > 0.0 {
                let (from, steps) = (self.last, f64::from(STEPS));
                let step = |k| from + (level - from) * (f64::from(k) + 0.5) / steps;
                self.pieces.extend((0..STEPS).map(|k| Piece { level: step(k), lasts: ramp / steps }));
            }
            self.last = level;
            let each = self.phases.redraw.map_or(f64::INFINITY, |t| t.0 as f64);
            while left > 0.0 {
                self.pieces.push(Piece { level, lasts: left.min(each) });
                self.last = level;
                left -= each;
                level = draw(lo, hi);
            }
            self.pieces.reverse();
        }
    }
}

/// The mean level of the first `time` nanoseconds, or of one round where there is no such time; levels that are drawn
/// count as the middle of what they are drawn from.
pub fn mean(phases: &Phases, time: Option<u64>) -> f64 {
    let round = phases.every.0 as f64 * phases.levels.len() as f64;
    let until = time.map_or(round, |t| t as f64);
    // after many rounds it is the mean of a round
    let until = if until > 1000.0 * round { round } else { until.max(1.0) };
    let mut levels = Levels::new(phases);
    let (mut now, mut sum) = (0.0, 0.0);
    while now < until {
        let piece = levels.piece(|lo, hi| (lo + hi) / 2.0);
        let lasts = piece.lasts.min(until - now);
        sum += piece.level * lasts;
        now += lasts;
    }
    sum / until
}

/// From the time at the full rate to the time of the load: packets that would be evenly spaced come faster or slower, as
/// the level says.
pub struct Warp {
    levels: Levels,
    rng: Rng,
    level: f64,
    /// Where the piece starts and ends, in time at the full rate.
    from: f64,
    to: f64,
    /// When it starts and ends.
    start: f64,
    end: f64,
}

impl Warp {
    /// The levels of these phases.
    pub fn new(phases: &Phases, rng: Rng) -> Self {
        Self { levels: Levels::new(phases), rng, level: 0.0, from: 0.0, to: 0.0, start: 0.0, end: 0.0 }
    }

    /// The time of the load at a time of the full rate, which never goes back.
    #[inline]
    pub fn time(&mut self, at: u64) -> u64 {
        let at = at as f64;
        while at >= self.to {
            let rng = &mut self.rng;
            let draw = |lo, hi| if lo < hi { rng.random_range(lo..=hi) } else { lo };
            let piece = self.levels.piece(draw);
            (self.start, self.from, self.level) = (self.end, self.to, piece.level);
            self.end += piece.lasts;
            self.to += piece.lasts * piece.level;
        }
        (self.start + (at - self.from) / self.level) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::Nanos;
    use rand::SeedableRng;

    fn phases(levels: &[(f64, f64)], redraw: Option<u64>, ramp: Option<u64>) -> Phases {
        let time = |t: Option<u64>| t.map(Nanos::from_millis);
        let every = Nanos::from_millis(100);
        Phases { levels: levels.to_vec(), every, redraw: time(redraw), ramp: time(ramp) }
    }

    /// How many packets of a full rate of 1 MHz fall into each of so many milliseconds.
    fn counts(phases: &Phases, millis: usize) -> Vec<f64> {
        let mut warp = Warp::new(phases, Rng::seed_from_u64(1));
        let mut out = vec![0.0; millis];
        for k in 0.. {
            match out.get_mut((warp.time(k * 1000) / 1_000_000) as usize) {
                Some(n) => *n += 1.0,
                None => return out,
            }
        }
        out
    }

    #[test]
    fn the_rate_is_the_level_in_every_phase_and_phases_come_again() {
        let seen = counts(&phases(&[(0.25, 0.25), (0.0, 0.0), (1.0, 1.0)], None, None), 600);
        for (i, level) in [250.0, 0.0, 1000.0].iter().cycle().take(6).enumerate() {
            assert!(seen[i * 100..][..100].iter().all(|n| (n - level).abs() <= 1.0), "phase {i}");
        }
    }

    #[test]
    fn levels_are_drawn_anew_within_their_range() {
        let seen = counts(&phases(&[(0.2, 0.8)], Some(10), None), 1000);
        let tens: Vec<f64> = seen.chunks(10).map(|c| c.iter().sum::<f64>() / 10_000.0).collect();
        assert!(tens.iter().all(|l| (0.199..0.801).contains(l)), "{tens:?}");
        let different = tens.windows(2).filter(|w| (w[0] - w[1]).abs() > 0.01).count();
        assert!(different > 80, "{different}");
        let mean = tens.iter().sum::<f64>() / 100.0;
        assert!((mean - 0.5).abs() < 0.06, "{mean}");
    }

    #[test]
    fn ramps_go_up_evenly_and_means_count_them() {
        let ramped = phases(&[(1.0, 1.0), (0.5, 0.5)], None, Some(100));
        let seen = counts(&ramped, 200);
        assert!((seen[10] - 105.0).abs() < 10.0 && (seen[50] - 505.0).abs() < 10.0, "{seen:?}");
        assert!((seen[150] - 750.0).abs() < 10.0, "{}", seen[150]);
        let total = seen.iter().sum::<f64>() / 200_000.0;
        assert!((total - mean(&ramped, Some(200_000_000))).abs() < 1e-3);
        assert!((mean(&ramped, Some(100_000_000)) - 0.5).abs() < 1e-6);
        assert!((mean(&phases(&[(0.2, 0.4), (1.0, 1.0)], None, None), None) - 0.65).abs() < 1e-9);
    }
}
