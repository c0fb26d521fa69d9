//! What became of frames.

use csn::Nanos;

/// When a frame left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The moment, from the start of the load.
    pub at: Nanos,
    /// Whether the machine took the CPU away since the frame before.
    pub disturbed: bool,
}

/// What became of frames, the oldest first; those still under way are not in it.
///
/// A back end may answer for a frame in the call that took it or in a later one, but always in the order in which
/// frames were handed over: so the loop knows which packet each answer is about.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Fates {
    runs: Vec<(bool, u32)>,
    stamps: Vec<Stamp>,
}

impl Fates {
    /// The next `count` frames left, as the device or the kernel said at completion.
    #[inline]
    pub fn left(&mut self, count: usize) {
        self.push(true, count);
    }

    /// The next frame left at a moment that the back end itself has seen, from the start of the load.
    #[inline]
    pub fn left_at(&mut self, at: Nanos, disturbed: bool) {
        self.push(true, 1);
        self.stamps.push(Stamp { at, disturbed });
    }

    /// The device refused the next `count` frames; they are gone.
    #[inline]
    pub fn refused(&mut self, count: usize) {
        self.push(false, count);
    }

    #[inline]
    fn push(&mut self, left: bool, count: usize) {
        match self.runs.last_mut() {
            Some(run) if run.0 == left => run.1 += count as u32,
            _ if count == 0 => {}
            _ => self.runs.push((left, count as u32)),
        }
    }

    /// Runs of frames, the oldest first: whether they left, and how many they are.
    pub fn runs(&self) -> &[(bool, u32)] {
        &self.runs
    }

    /// When frames left, of those that left; empty where the back end does not see it.
    pub fn stamps(&self) -> &[Stamp] {
        &self.stamps
    }

    /// How many frames left.
    pub fn count_left(&self) -> u64 {
        self.runs.iter().filter(|r| r.0).map(|r| u64::from(r.1)).sum()
    }

    /// Forgets all, for the next call.
    #[inline]
    pub fn clear(&mut self) {
        self.runs.clear();
        self.stamps.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fates_are_kept_in_order_and_in_runs() {
        let mut fates = Fates::default();
        fates.left(3);
        fates.left(0);
        fates.left_at(Nanos(7), false);
        fates.refused(1);
        fates.refused(0);
        fates.left(2);
        assert_eq!(fates.runs(), [(true, 4), (false, 1), (true, 2)]);
        assert_eq!(
            (fates.stamps(), fates.count_left()),
            (&[Stamp { at: Nanos(7), disturbed: false }][..], 6)
        );
        fates.clear();
        assert_eq!(fates, Fates::default());
    }
}
