//! Calibration of every source of CPU time against a known duty, before anything is measured with it.
//!
//! A thread on the meter's CPU is busy for 10, 50 and 90 % of short periods by the wall clock; each source is read at
//! their ends. Periods in which the scheduler took the thread off its CPU say nothing of the sources and are left out.

use crate::lab::Pinned;
use reports::record::Calibration;
use std::fs;
use std::time::{Duration, Instant};

/// The duties, as shares of one core.
const DUTIES: [f64; 3] = [0.1, 0.5, 0.9];
/// A period; ten of the kernel's ticks would be a source's own error, so there are many.
const PERIOD: Duration = Duration::from_millis(10);
/// Periods per duty.
const PERIODS: usize = 12;
/// A source that is off by more than this (of one core) is not to be believed.
pub const BOUND: f64 = 0.01;

/// A source of the calling thread's CPU time.
struct Source {
    name: &'static str,
    /// Nanoseconds so far; none where the system does not have it.
    read: fn() -> Option<u64>,
    /// It counts whole ticks, so single periods mean nothing.
    ticks: bool,
}

const SOURCES: [Source; 3] = [
    Source { name: "thread clock", read: thread_clock, ticks: false },
    Source { name: "schedstat", read: schedstat, ticks: false },
    Source { name: "rusage", read: rusage, ticks: true },
];

/// What each source shows of each duty, on that CPU where it is given. None of a duty whose periods were all disturbed.
pub fn calibrate(cpu: Option<u32>) -> Vec<Calibration> {
    let run = move || {
        let _pinned = cpu.and_then(Pinned::to);
        DUTIES.into_iter().flat_map(shown).collect()
    };
    // a thread of its own, so that nothing else of this process counts
    std::thread::spawn(run).join().unwrap_or_default()
}

/// What a reader must know of a calibration.
pub fn warnings(calibrations: &[Calibration]) -> Vec<String> {
    if calibrations.is_empty() {
        return vec![
            "the sources of CPU time could not be calibrated: the machine was never quiet for 10 ms".into(),
        ];
    }
    calibrations
        .iter()
        .filter(|c| !c.ticks && (c.shown - c.busy).abs() > BOUND)
        .map(|c| {
            format!(
                "{} shows {:.1} % of one core where {:.0} % were used: CPU times from it are doubtful",
                c.source,
                c.shown * 100.0,
                c.busy * 100.0
            )
        })
        .collect()
}

/// One duty, as each source shows it.
fn shown(duty: f64) -> Vec<Calibration> {
    let mut shares: [Vec<f64>; SOURCES.len()] = Default::default();
    for _ in 0..PERIODS {
        let (start, taken) = (Instant::now(), switches());
        let before = SOURCES.map(|s| (s.read)());
        while start.elapsed() < PERIOD.mul_f64(duty) {
            std::hint::spin_loop();
        }
        let busy = start.elapsed();
        let after = SOURCES.map(|s| (s.read)());
        let disturbed = switches() != taken;
        std::thread::sleep(PERIOD.saturating_sub(start.elapsed()));
        if disturbed {
            continue;
        }
        // the share of the time in which it was busy, which overshoots a little
        let scale = duty / busy.as_nanos() as f64;
        for ((shares, before), after) in shares.iter_mut().zip(before).zip(after) {
            shares.extend(before.zip(after).map(|(a, b)| b.saturating_sub(a) as f64 * scale));
        }
    }
    SOURCES
        .iter()
        .zip(shares)
        .filter_map(|(source, shares)| {
            let shown = match source.ticks {
                true => (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64)?,
                false => reports::stats::median(&shares)?,
            };
            Some(Calibration { source: source.name.into(), busy: duty, shown, ticks: source.ticks })
        })
        .collect()
}

fn thread_clock() -> Option<u64> {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is valid for writing.
    let code = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut t) };
    (code == 0).then(|| t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
}

fn schedstat() -> Option<u64> {
    fs::read_to_string("/proc/thread-self/schedstat").ok()?.split_ascii_whitespace().next()?.parse().ok()
}

fn usage() -> Option<libc::rusage> {
    // SAFETY: all zeros is a valid structure, which the call fills.
    unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::getrusage(libc::RUSAGE_THREAD, &raw mut usage) == 0).then_some(usage)
    }
}

fn rusage() -> Option<u64> {
    let nanos = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    usage().map(|u| nanos(u.ru_utime) + nanos(u.ru_stime))
}

/// How often the scheduler took the thread off its CPU.
fn switches() -> Option<i64> {
    usage().map(|u| u.ru_nivcsw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_busy_all_the_time_is_shown_as_that() {
        // counts, not times: a thread that was not taken off its CPU used all of the time that it was busy
        let start = thread_clock().unwrap();
        let scheduled = schedstat();
        while thread_clock().unwrap() < start + 20_000_000 {}
        if let (Some(a), Some(b)) = (scheduled, schedstat()) {
            assert!(b - a >= 15_000_000, "{a} to {b}");
        }
    }

    #[test]
    fn a_source_that_is_off_is_warned_of() {
        let c = |shown: f64, ticks: bool| Calibration { source: "x".into(), busy: 0.5, shown, ticks };
        assert!(warnings(&[c(0.505, false), c(0.4, true)]).is_empty());
        assert!(warnings(&[c(0.45, false)])[0].contains("45.0 %"));
        assert!(warnings(&[])[0].contains("could not be calibrated"));
    }
}
