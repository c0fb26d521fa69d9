//! A helper process: csnbench itself, started again for work that needs a process of its own. It is spoken to in
//! JSON lines, and ends when its standard input does.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How often a caller that waits for an answer may look around.
const TICK: Duration = Duration::from_millis(100);

/// A running helper. Dropping it ends the process: by the end of its input, and by force when it does not hear.
pub struct Helper {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    buffer: Vec<u8>,
    patience: Duration,
}

impl Helper {
    /// Gives a command the pipes that a helper needs.
    pub fn pipes(command: &mut Command) {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
    }

    /// Takes over a process that was started with [`Helper::pipes`]. When dropped it gets `patience` to end by
    /// itself.
    ///
    /// # Errors
    /// A process without pipes.
    pub fn new(mut child: Child, patience: Duration) -> io::Result<Self> {
        match (child.stdin.take(), child.stdout.take()) {
            (Some(stdin), Some(stdout)) => {
                Ok(Self { child, stdin: Some(stdin), stdout, buffer: vec![], patience })
            }
            _ => {
                let _ = child.kill();
                let _ = child.wait();
                Err(io::Error::other("a helper process needs pipes"))
            }
        }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends one line.
    ///
    /// # Errors
    /// The process is gone.
    pub fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(&line)
    }

    /// Waits at most `limit` for one line. `tick` is called every 100 ms meanwhile and can end the wait.
    ///
    /// # Errors
    /// The time is over, the process is gone, a line that can't be read, or what `tick` gives.
    pub fn receive<T: DeserializeOwned>(
        &mut self,
        limit: Duration,
        tick: &mut dyn FnMut() -> io::Result<()>,
    ) -> io::Result<T> {
        let end = Instant::now() + limit;
        loop {
            if let Some(at) = self.buffer.iter().position(|b| *b == b'\n') {
                let rest = self.buffer.split_off(at + 1);
                let line = std::mem::replace(&mut self.buffer, rest);
                return serde_json::from_slice(&line)
                    .map_err(|e| io::Error::other(format!("{e} in {:?}", String::from_utf8_lossy(&line))));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if readable(&self.stdout, left.min(TICK))? {
                let mut chunk = [0u8; 64 * 1024];
                match self.stdout.read(&mut chunk)? {
                    0 => return Err(self.ended()),
                    n => self.buffer.extend(&chunk[..n]),
                }
            } else {
                tick()?;
            }
        }
    }

    /// How the process ended, as an error.
    fn ended(&mut self) -> io::Error {
        let how = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(e) => e.to_string(),
        };
        io::Error::new(io::ErrorKind::UnexpectedEof, format!("the process ended early ({how})"))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.stdin = None;
        let end = Instant::now() + self.patience;
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until there is something to read.
fn readable(from: &impl AsFd, limit: Duration) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: from.as_fd().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid entry, as the count says.
    let n = unsafe { libc::poll(&raw mut poll, 1, limit.as_millis().max(1) as libc::c_int) };
    match n {
        -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => Ok(false),
        -1 => Err(io::Error::last_os_error()),
        n => Ok(n > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn helper(script: &str, patience: u64) -> Helper {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Helper::pipes(&mut command);
        Helper::new(command.spawn().unwrap(), Duration::from_millis(patience)).unwrap()
    }

    #[test]
    fn lines_go_to_and_fro_one_at_a_time() {
        let mut h = helper("echo 1; echo 2; read x; echo $x", 1000);
        let limit = Duration::from_secs(5);
        assert_eq!(h.receive::<u32>(limit, &mut || Ok(())).unwrap(), 1);
        assert_eq!(h.receive::<u32>(limit, &mut || Ok(())).unwrap(), 2);
        h.send(&7).unwrap();
        assert_eq!(h.receive::<u32>(limit, &mut || Ok(())).unwrap(), 7);
        let end = h.receive::<u32>(limit, &mut || Ok(())).unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn waiting_can_be_ended_and_a_deaf_process_is_killed() {
        let mut h = helper("exec sleep 60", 0);
        let pid = h.pid();
        let stop = h.receive::<u32>(Duration::from_secs(5), &mut || Err(io::ErrorKind::Interrupted.into()));
        assert_eq!(stop.unwrap_err().kind(), io::ErrorKind::Interrupted);
        drop(h);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }
}
