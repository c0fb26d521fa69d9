//! A built-in meter in a process of its own.

use crate::control::{Event, STOP};
use crate::meter::{Launch, MeterError};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a meter may take to become ready.
const READY: Duration = Duration::from_secs(20);
/// How long it may take to read itself out.
const READOUT: Duration = Duration::from_secs(60);
/// How long it may take to end afterwards.
const END: Duration = Duration::from_secs(5);

/// A process that is led through its standard input and output. Dropping it kills it.
#[derive(Debug)]
pub struct Controlled {
    meter: String,
    child: Child,
    input: Option<ChildStdin>,
    events: Receiver<String>,
    log: PathBuf,
}

impl Controlled {
    /// Starts the command and waits until it says that it is ready. What it writes on standard error goes to `log`.
    ///
    /// # Errors
    /// A command that can't be started, ends, or does not become ready in time.
    pub fn start(
        meter: &str,
        mut command: Command,
        launch: &dyn Launch,
        log: &Path,
    ) -> Result<Self, MeterError> {
        let file = File::create(log)
            .map_err(|source| MeterError::Io { what: format!("make {}", log.display()), source })?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(file);
        let what = format!("start {}", command.get_program().display());
        let mut child = launch.spawn(command).map_err(|source| MeterError::Io { what, source })?;
        let (send, events) = channel();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if send.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        let input = child.stdin.take();
        let mut this = Self { meter: meter.into(), child, input, events, log: log.into() };
        match this.event(READY, "become ready")? {
            Event::Ready => Ok(this),
            other => Err(this.failed(&format!("it said {other:?} before it was ready"))),
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to stop and gives its readout.
    ///
    /// # Errors
    /// A process that has died, or does not answer.
    pub fn stop(mut self) -> Result<Event, MeterError> {
        if let Some(mut input) = self.input.take() {
            // where it has died there is no event either, and that error says more
            let _ = writeln!(input, "{STOP}");
        }
        let event = self.event(READOUT, "read itself out")?;
        let end = Instant::now() + END;
        while Instant::now() < end {
            match self.child.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(event),
                Ok(Some(status)) => return Err(self.failed(&format!("it ended with {status}"))),
                Ok(None) => std::thread::sleep(Duration::from_millis(2)),
                Err(source) => return Err(MeterError::Io { what: "wait for the meter".into(), source }),
            }
        }
        Err(self.failed("it did not end after its readout"))
    }

    fn event(&mut self, limit: Duration, what: &str) -> Result<Event, MeterError> {
        let line = match self.events.recv_timeout(limit) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                return Err(self.failed(&format!("it did not {what} within {} s", limit.as_secs())));
            }
            Err(RecvTimeoutError::Disconnected) => {
                // it has closed its output, so it is about to end, or will never be understood again
                let _ = self.child.kill();
                let status = self.child.wait().map_or_else(|e| e.to_string(), |s| s.to_string());
                return Err(self.failed(&format!("it ended before it could {what} ({status})")));
            }
        };
        serde_json::from_str(&line).map_err(|e| self.failed(&format!("it said `{line}`: {e}")))
    }

    /// An error with what the process wrote on standard error.
    fn failed(&self, reason: &str) -> MeterError {
        let said = std::fs::read_to_string(&self.log).unwrap_or_default();
        let said = said.trim();
        let reason = match said.is_empty() {
            true => reason.to_string(),
            false => format!("{reason}; it wrote:\n{said}"),
        };
        MeterError::Failed { meter: self.meter.clone(), reason }
    }
}

impl Drop for Controlled {
    fn drop(&mut self) {
        // it may have ended by itself: then there is nothing to kill
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Here;

    impl Launch for Here {
        fn spawn(&self, mut command: Command) -> std::io::Result<Child> {
            command.spawn()
        }

        fn again(&self) -> std::io::Result<Box<dyn Launch>> {
            Ok(Box::new(Here))
        }
    }

    fn shell(script: &str) -> (tempfile::TempDir, Result<Controlled, MeterError>) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let started = Controlled::start("x", command, &Here, &folder.path().join("log"));
        (folder, started)
    }

    #[test]
    fn a_meter_is_started_stopped_and_read() {
        let (_folder, meter) = shell(
            r#"echo '{"event":"ready"}'; read line; test "$line" = stop || exit 3
            echo '{"event":"readout","totals":{"received":7},"labels":[],"counters":{"faults":1}}'"#,
        );
        let Event::Readout { totals, .. } = meter.unwrap().stop().unwrap() else { panic!() };
        assert_eq!(totals.received, 7);
    }

    #[test]
    fn a_meter_that_dies_is_an_error_with_its_words() {
        let (_folder, meter) = shell("echo no such thing >&2; exit 3");
        let message = meter.unwrap_err().to_string();
        assert!(message.contains("no such thing") && message.contains("become ready"), "{message}");
        let (_folder, meter) = shell(r#"echo '{"event":"ready"}'; read line; echo broken >&2; exit 4"#);
        let message = meter.unwrap().stop().unwrap_err().to_string();
        assert!(message.contains("broken") && message.contains("read itself out"), "{message}");
    }

    #[test]
    fn dropping_kills() {
        let (_folder, meter) = shell(r#"echo '{"event":"ready"}'; exec sleep 1000"#);
        let meter = meter.unwrap();
        let proc = PathBuf::from(format!("/proc/{}", meter.pid()));
        assert!(proc.exists());
        drop(meter);
        assert!(!proc.exists());
    }
}
