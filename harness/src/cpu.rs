//! What the meter and the machine have used, as differences of two readings.
//!
//! Totals are exact: a process's CPU clock is the scheduler's own sum over all its threads, those that have ended
//! included. Every split into user, system and softirq comes from ticks (`/proc/PID/stat`, `/proc/stat`) and is
//! called sampled, unless the meter times its system calls itself.

use meters::meter::CpuSplit;
use reports::record;
use std::fs;
use std::io;

/// Nanoseconds of the monotonic clock.
pub fn monotonic() -> u64 {
    clock(libc::CLOCK_MONOTONIC).unwrap_or(0)
}

/// Nanoseconds of a clock.
fn clock(id: libc::clockid_t) -> io::Result<u64> {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is valid for writing.
    if unsafe { libc::clock_gettime(id, &raw mut t) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(t.tv_sec as u64 * 1_000_000_000 + t.tv_nsec as u64)
}

/// CPU time of a process in nanoseconds, all its threads together.
///
/// # Errors
/// The process is gone.
pub fn process_time(pid: u32) -> io::Result<u64> {
    let mut id: libc::clockid_t = 0;
    // SAFETY: the number is valid for writing.
    match unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut id) } {
        0 => clock(id),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// What processes have used since they started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Process {
    total: u64,
    user: u64,
    system: u64,
    voluntary: u64,
    involuntary: u64,
    memory: u64,
}

impl Process {
    /// Reads one process.
    fn read(pid: u32) -> io::Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // fields behind the name in parentheses; the 14th and 15th of all are user and system ticks
        let field = |n: usize| -> u64 {
            stat.rsplit_once(')')
                .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(n)?.parse().ok())
                .unwrap_or(0)
        };
        let mut out = Self { user: ticks(field(11)), system: ticks(field(12)), ..Self::default() };
        out.memory = status_value(&fs::read_to_string(format!("/proc/{pid}/status"))?, "VmHWM:") * 1024;
        for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            // a thread may end between the listing and the reading
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            out.voluntary += status_value(&status, "voluntary_ctxt_switches:");
            out.involuntary += status_value(&status, "nonvoluntary_ctxt_switches:");
        }
        out.total = process_time(pid)?;
        Ok(out)
    }

    /// Several together.
    fn read_all(pids: &[u32]) -> io::Result<Self> {
        let mut sum = Self::default();
        for &pid in pids {
            let p = Self::read(pid)?;
            sum.total += p.total;
            sum.user += p.user;
            sum.system += p.system;
            sum.voluntary += p.voluntary;
            sum.involuntary += p.involuntary;
            sum.memory += p.memory;
        }
        Ok(sum)
    }
}

/// The number behind a name in `/proc/PID/status`.
fn status_value(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|l| l.strip_prefix(name))
        .and_then(|v| v.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Ticks in nanoseconds.
fn ticks(n: u64) -> u64 {
    // SAFETY: takes a number only.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.max(1) as u64;
    n * (1_000_000_000 / per_second)
}

/// Time of one CPU, or of all together, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CpuTimes {
    idle: u64,
    softirq: u64,
    steal: u64,
}

/// Reads the line of `/proc/stat` that starts with `name`: `cpu` for all, `cpu1` for one.
fn cpu_times(stat: &str, name: &str) -> CpuTimes {
    let fields: Vec<u64> = stat
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '))
        .map(|l| l.split_ascii_whitespace().map(|n| ticks(n.parse().unwrap_or(0))).collect())
        .unwrap_or_default();
    let at = |i: usize| fields.get(i).copied().unwrap_or(0);
    // user nice system idle iowait irq softirq steal
    CpuTimes { idle: at(3) + at(4), softirq: at(6), steal: at(7) }
}

/// One reading of everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    time: u64,
    process: Process,
    machine: CpuTimes,
    meter_cpu: Option<CpuTimes>,
}

impl Sample {
    /// Reads the meter's processes, its CPU and the machine, in that order when the window opens or closes.
    ///
    /// # Errors
    /// A process that is gone.
    pub fn take(pids: &[u32], meter_cpu: Option<u32>) -> io::Result<Self> {
        let stat = fs::read_to_string("/proc/stat")?;
        Ok(Self {
            process: Process::read_all(pids)?,
            time: monotonic(),
            machine: cpu_times(&stat, "cpu"),
            meter_cpu: meter_cpu.map(|n| cpu_times(&stat, &format!("cpu{n}"))),
        })
    }

    /// What was used between this reading and a later one. `split` is the meter's own, where it takes one.
    pub fn until(&self, end: &Self, split: Option<CpuSplit>, syscalls: Option<u64>) -> record::Cpu {
        let window = end.time.saturating_sub(self.time);
        let total = end.process.total.saturating_sub(self.process.total);
        let (user, system, kind) = match split {
            Some(s) => (s.user, s.system, "self-timed"),
            None => {
                let part = |f: fn(&Process) -> u64| f(&end.process).saturating_sub(f(&self.process));
                let (user, system) = divide(total, part(|p| p.user), part(|p| p.system));
                (user, system, "sampled")
            }
        };
        let (a, b) = (self.meter_cpu.unwrap_or_default(), end.meter_cpu.unwrap_or_default());
        let known = self.meter_cpu.is_some();
        let rest = b.idle.saturating_sub(a.idle) + b.steal.saturating_sub(a.steal) + total;
        record::Cpu {
            window,
            total,
            user,
            system,
            split: kind.into(),
            softirq: end.machine.softirq.saturating_sub(self.machine.softirq),
            softirq_meter_cpu: b.softirq.saturating_sub(a.softirq),
            steal: end.machine.steal.saturating_sub(self.machine.steal),
            foreign: if known { window.saturating_sub(rest) } else { 0 },
            voluntary: end.process.voluntary.saturating_sub(self.process.voluntary),
            involuntary: end.process.involuntary.saturating_sub(self.process.involuntary),
            syscalls,
            memory: end.process.memory,
        }
    }
}

/// Divides an exact total as the sampled ticks are divided. Without a tick all is called user time.
fn divide(total: u64, user_ticks: u64, system_ticks: u64) -> (u64, u64) {
    let sum = user_ticks + system_ticks;
    if sum == 0 {
        return (total, 0);
    }
    let system = (u128::from(total) * u128::from(system_ticks) / u128::from(sum)) as u64;
    (total - system, system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spin_of_known_length_is_seen_in_full() {
        let me = [std::process::id()];
        let before = Sample::take(&me, None).unwrap();
        let start = process_time(me[0]).unwrap();
        while process_time(me[0]).unwrap() < start + 30_000_000 {}
        let cpu = before.until(&Sample::take(&me, None).unwrap(), None, None);
        assert!(cpu.total >= 30_000_000, "{cpu:?}");
        assert_eq!(cpu.user + cpu.system, cpu.total);
        assert!(cpu.memory > 100_000);
    }

    #[test]
    fn machine_lines_are_told_apart() {
        let stat = "cpu  10 0 10 50 5 0 7 3 0 0\ncpu0 1 0 1 5 0 0 4 1 0 0\ncpu1 9 0 9 45 5 0 3 2 0 0\n";
        assert_eq!(cpu_times(stat, "cpu").softirq, ticks(7));
        assert_eq!(cpu_times(stat, "cpu1"), CpuTimes { idle: ticks(50), softirq: ticks(3), steal: ticks(2) });
    }

    #[test]
    fn what_is_neither_the_meter_s_nor_idle_is_foreign() {
        let at = |time, total, idle| Sample {
            time,
            process: Process { total, ..Process::default() },
            machine: CpuTimes::default(),
            meter_cpu: Some(CpuTimes { idle, softirq: 0, steal: 0 }),
        };
        let cpu = at(0, 0, 0).until(&at(1000, 300, 600), None, None);
        assert_eq!((cpu.window, cpu.total, cpu.foreign), (1000, 300, 100));
    }

    #[test]
    fn totals_are_divided_as_ticks_are() {
        assert_eq!(divide(90, 10, 20), (30, 60));
        assert_eq!(divide(90, 0, 0), (90, 0));
    }

    #[test]
    fn a_process_that_is_gone_is_an_error() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = child.id();
        child.wait().unwrap();
        assert!(Sample::take(&[pid], None).is_err());
    }
}
