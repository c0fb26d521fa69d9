//! A meter in processes of its own: its log, whether it is ready, its end.

use crate::meter::{Launch, MeterError};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How long a meter may take to become ready: maps of thousands of filters take pmacctd seconds.
pub const READY: Duration = Duration::from_secs(60);
/// How long it may take to flush and end.
pub const END: Duration = Duration::from_secs(30);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// A process that uses no CPU for so long has done what it had to do.
const STILL: Duration = Duration::from_millis(150);
/// The longest wait for that.
const SETTLING: Duration = Duration::from_secs(5);

/// A running program with its log. Dropping it kills it and all that it started.
pub struct Daemon {
    meter: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts the command; what it prints goes to `log`.
    ///
    /// # Errors
    /// A command that can't be started.
    pub fn start(
        meter: &str,
        mut command: Command,
        launch: &dyn Launch,
        log: &Path,
    ) -> Result<Self, MeterError> {
        let io = |what: String| move |source| MeterError::Io { what, source };
        let file = File::create(log).map_err(io(format!("make {}", log.display())))?;
        let copy = file.try_clone().map_err(io(format!("make {}", log.display())))?;
        command.stdin(Stdio::null()).stdout(file).stderr(copy);
        let what = format!("start {}", command.get_program().display());
        let child = launch.spawn(command).map_err(io(what))?;
        Ok(Self { meter: meter.into(), child, log: log.into() })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The process and all that it started.
    pub fn family(&self) -> Vec<u32> {
        let mut out = vec![self.pid()];
        let mut next = 0;
        while let Some(pid) = out.get(next) {
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            let children = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("children")).ok());
            let found: Vec<u32> = children
                .flat_map(|c| c.split_whitespace().filter_map(|p| p.parse().ok()).collect::<Vec<_>>())
                .collect();
            out.extend(found);
            next += 1;
        }
        out
    }

    /// Waits until `ready` holds.
    ///
    /// # Errors
    /// A process that ends before, that takes too long, or what `ready` gives.
    pub fn wait_until(
        &mut self,
        what: &str,
        limit: Duration,
        ready: &mut dyn FnMut() -> Result<bool, MeterError>,
    ) -> Result<(), MeterError> {
        let end = Instant::now() + limit;
        loop {
            if ready()? {
                return Ok(());
            }
            if let Some(status) = self.status()? {
                return Err(self.failed(&format!("it ended before it could {what} ({status})")));
            }
            if Instant::now() > end {
                return Err(self.failed(&format!("it did not {what} within {} s", limit.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Waits until its processes have nothing left to do, where they do not say so themselves.
    pub fn settle(&self) {
        let used = || self.family().into_iter().map(busy).sum::<u64>();
        let end = Instant::now() + SETTLING;
        let (mut seen, mut since) = (used(), Instant::now());
        while since.elapsed() < STILL && Instant::now() < end {
            std::thread::sleep(STILL / 10);
            let now = used();
            // what looking around costs is no work
            if now.saturating_sub(seen) > 1_000_000 {
                since = Instant::now();
            }
            seen = now;
        }
    }

    /// Sends a signal. A process that is gone shows when it is waited for.
    pub fn signal(&self, signal: Signal) {
        let _ = kill(Pid::from_raw(self.pid() as i32), signal);
    }

    /// Waits for the end of the process.
    ///
    /// # Errors
    /// It takes too long.
    pub fn ended(&mut self, limit: Duration) -> Result<ExitStatus, MeterError> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.status()? {
                return Ok(status);
            }
            if Instant::now() > end {
                return Err(self.failed(&format!("it did not end within {} s", limit.as_secs())));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Has it end by a signal and waits for that.
    ///
    /// # Errors
    /// As [`Daemon::ended`].
    pub fn stop(&mut self, signal: Signal) -> Result<ExitStatus, MeterError> {
        self.signal(signal);
        self.ended(END)
    }

    /// What it has printed so far.
    pub fn said(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// An error with what it printed last.
    pub fn failed(&self, reason: &str) -> MeterError {
        let said = self.said();
        let lines: Vec<&str> = said.trim().lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        let reason = if last.is_empty() { reason.to_owned() } else { format!("{reason}; it wrote:\n{last}") };
        MeterError::Failed { meter: self.meter.clone(), reason }
    }

    fn status(&mut self) -> Result<Option<ExitStatus>, MeterError> {
        self.child.try_wait().map_err(|source| MeterError::Io { what: "wait for the meter".into(), source })
    }
}

/// CPU time that a process has used, in nanoseconds.
fn busy(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let times = tasks.filter_map(|t| {
        std::fs::read_to_string(t.path().join("schedstat"))
            .ok()?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    });
    times.sum()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.child.try_wait() {
            return;
        }
        for pid in self.family().into_iter().skip(1) {
            let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
