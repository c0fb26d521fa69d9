//! The loop's time.

use crate::job::Interruptions;
use csn::Nanos;
use quanta::Instant;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds that the clock may jump while the loop does nothing but look at it: longer, and the machine took the
/// CPU away (an interrupt, another process, the hypervisor).
pub const INTERRUPTED: u64 = 3_000;
/// Nanoseconds that a frame may add to a sending call; the receiver's work is done in it.
const CALL_PER_FRAME: u64 = 4_000;
/// A loop that stands still for longer than this was stopped by the machine.
const STALL: u64 = 1_000_000;
/// Longer waits are slept through, but for the last of it.
const SLEEP_ABOVE: u64 = 200_000;
/// What is left of a wait for the busy part; a sleep may be this much too long.
const SPIN: u64 = 150_000;
/// The longest sleep, so that a stop is noticed.
const NAP: u64 = 10_000_000;

/// The time since the start, and whether the loop ran all the while.
///
/// The time-stamp counter, calibrated against the monotonic clock, where the CPU has a steady one: reading it takes a
/// third of a system clock's time, so waits end that much closer to their moment.
pub(super) struct Clock {
    start: Instant,
    last: u64,
    stalls: u64,
    seen: Interruptions,
    disturbed: bool,
}

/// From the loop's time to that since 1970, which other processes have too. It is looked at again now and then, since
/// the two clocks need not go alike.
#[derive(Default)]
pub(super) struct Wall {
    /// What the one is ahead of the other.
    ahead: u64,
    until: u64,
}

impl Wall {
    /// How long the two clocks are taken to go alike, in nanoseconds.
    const ALIKE: u64 = 50_000_000;

    /// What the wall's clock shows at the loop's `now`, which is the present.
    #[inline]
    pub(super) fn at(&mut self, now: u64) -> Nanos {
        if now >= self.until {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            self.ahead = (since.as_nanos() as u64).saturating_sub(now);
            self.until = now + Self::ALIKE;
        }
        Nanos(self.ahead + now)
    }
}

impl Clock {
    pub(super) fn start() -> Self {
        let seen = Interruptions { bound: INTERRUPTED, ..Interruptions::default() };
        Self { start: Instant::now(), last: 0, stalls: 0, seen, disturbed: false }
    }

    #[inline]
    pub(super) fn now(&mut self) -> u64 {
        let now = self.start.elapsed().as_nanos() as u64;
        self.stalls += u64::from(now - self.last > STALL);
        self.last = now;
        now
    }

    /// The moment after a call that handed `frames` over, begun at `before`.
    #[inline]
    pub(super) fn after_call(&mut self, before: u64, frames: usize) -> u64 {
        let now = self.now();
        let took = now - before;
        if took > INTERRUPTED + CALL_PER_FRAME * frames as u64 {
            self.interrupted(took);
        }
        now
    }

    /// Waits for a moment, or for the stop.
    pub(super) fn wait(&mut self, until: u64, stop: &AtomicBool) {
        let mut before = self.now();
        while before < until && !stop.load(Ordering::Relaxed) {
            if until - before > SLEEP_ABOVE {
                self.nap((until - before - SPIN).min(NAP));
                before = self.now();
                continue;
            }
            std::hint::spin_loop();
            let now = self.now();
            if now - before > INTERRUPTED {
                self.interrupted(now - before);
            }
            before = now;
        }
    }

    /// Sleeps.
    pub(super) fn nap(&mut self, nanos: u64) {
        let before = self.now();
        std::thread::sleep(Duration::from_nanos(nanos));
        let woken = self.start.elapsed().as_nanos() as u64;
        // a sleep that was meant is no stall
        self.last = woken.min(before + nanos + SPIN);
    }

    #[cold]
    fn interrupted(&mut self, took: u64) {
        self.seen.count += 1;
        self.seen.total += took;
        self.seen.longest = self.seen.longest.max(took);
        self.disturbed = true;
    }

    /// Whether the loop was interrupted since this was last asked.
    #[inline]
    pub(super) fn take_disturbed(&mut self) -> bool {
        std::mem::take(&mut self.disturbed)
    }

    /// What was seen of interruptions.
    pub(super) fn interruptions(&self) -> Interruptions {
        self.seen.clone()
    }

    /// How often the loop stood still for more than 1 ms.
    pub(super) fn stalls(&self) -> u64 {
        self.stalls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_never_ends_before_its_time_and_long_calls_are_seen() {
        let (mut clock, stop) = (Clock::start(), AtomicBool::new(false));
        for until in [10_000, 300_000, 1_000_000] {
            clock.wait(until, &stop);
            assert!(clock.now() >= until);
        }
        clock.take_disturbed();
        let before = clock.now();
        clock.wait(before + 20_000, &stop);
        clock.after_call(before, 1);
        assert!(clock.take_disturbed() && clock.interruptions().longest >= 20_000);
        stop.store(true, Ordering::Relaxed);
        clock.wait(u64::MAX, &stop);
    }
}
