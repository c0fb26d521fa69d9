//! A meter's own CPU time, split by itself around its system calls.
//!
//! The kernel splits user and system time by looking at each tick what runs. With evenly paced traffic that
//! aliases badly, so a meter that knows where its system calls are does better by reading the thread's clock
//! right before and after them.

use crate::meter::CpuSplit;
use nix::time::{ClockId, clock_gettime};
use std::cell::Cell;

/// The account of one thread.
#[derive(Debug, Default)]
pub struct Cpu {
    origin: Cell<u64>,
    system: Cell<u64>,
    calls: Cell<u64>,
}

/// CPU time of this thread in nanoseconds.
pub fn thread_time() -> u64 {
    // the clock of the calling thread always exists
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map_or(0, |t| t.tv_sec() as u64 * 1_000_000_000 + t.tv_nsec() as u64)
}

impl Cpu {
    /// Begins to count, from nothing.
    pub fn start(&self) {
        self.origin.set(thread_time());
        self.system.set(0);
        self.calls.set(0);
    }

    /// Runs a function that makes `calls` system calls and little else.
    pub fn inside<T>(&self, calls: u64, f: impl FnOnce() -> T) -> T {
        let start = thread_time();
        let out = f();
        self.system.set(self.system.get() + thread_time().saturating_sub(start));
        // reading the clock is a system call as well
        self.calls.set(self.calls.get() + calls + 2);
        out
    }

    /// CPU time since the start.
    pub fn split(&self) -> CpuSplit {
        let total = thread_time().saturating_sub(self.origin.get());
        let system = self.system.get().min(total);
        CpuSplit { user: total - system, system }
    }

    /// System calls since the start.
    pub fn calls(&self) -> u64 {
        self.calls.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_charged_to_the_side_that_used_it() {
        let spin = |n: u64| (0..n).fold(1u64, |x, i| std::hint::black_box(x.wrapping_mul(i | 1)));
        let cpu = Cpu::default();
        cpu.start();
        cpu.inside(1, || spin(3_000_000));
        let first = cpu.split();
        assert!(first.system > 4 * first.user, "{first:?}");
        spin(9_000_000);
        let second = cpu.split();
        assert_eq!(second.system, first.system);
        assert!(second.user > first.user + first.system, "{second:?}");
        assert_eq!(cpu.calls(), 3);
        cpu.start();
        assert_eq!((cpu.calls(), cpu.split().system), (0, 0));
    }
}
