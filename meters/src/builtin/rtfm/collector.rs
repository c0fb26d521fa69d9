//! How flow data leave the meter over a socket: the meter's side, and the meter reader's.
//!
//! A reader connects over TCP (`HOST:PORT`) or a UNIX socket (`unix:PATH`) and sends lines; each is answered by
//! lines of which the last begins with `ok` or `error`:
//!
//! | line | answer |
//! |---|---|
//! | `register [SECONDS]` | `ok READER`: no record is recovered any more before this reader has collected it. A reader that does not collect for so many seconds is forgotten; without a number, only when its connection ends |
//! | `collect [ATTRIBUTE …]` | a line for each flow that had packets since the reader last collected: the values of the attributes, apart by blanks; then `ok N at T`, T in 1/100 s since the meter's start |
//! | `status` | `ok` and pairs `name=number`: records in use and recovered, the rule sets that run, whether a standby set does |
//! | `reset` | `ok`: the manager's part: the task goes back from its standby set to its current one |
//!
//! This is the package idea of the meter MIB (RFC 2720): the reader says which columns it wants. Counters only ever grow,
//! reading clears nothing; a new flow in an old place is told by its `FirstTime`.

use crate::meter::MeterError;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Octets of the longest line that a reader may send.
const LONGEST: u64 = 4096;
/// Readers that may be connected at once.
const MOST: usize = 64;
/// A reader that takes none of its answer for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line of a reader, and where the answer goes. An empty answer is never sent.
pub struct Request {
    /// The connection that it came by.
    pub connection: usize,
    /// The line; none at the connection's end.
    pub line: Option<String>,
    answer: Sender<String>,
}

impl Request {
    /// Answers.
    pub fn answer(self, text: String) {
        // a reader that has gone wants no answer
        let _ = self.answer.send(text);
    }
}

/// The meter's side: listens in threads of its own, so that a slow reader never holds the meter up.
pub struct Listening {
    requests: Receiver<Request>,
    /// The address, with the port that was chosen for port 0.
    pub address: String,
    /// A UNIX socket's path, to be removed.
    path: Option<PathBuf>,
}

/// A connection, whatever its kind.
trait Stream: Read + Write + Send {
    fn second(&self) -> io::Result<Box<dyn Stream>>;
}

impl Stream for TcpStream {
    fn second(&self) -> io::Result<Box<dyn Stream>> {
        self.set_write_timeout(Some(PATIENCE))?;
        self.set_nodelay(true)?;
        Ok(Box::new(self.try_clone()?))
    }
}

impl Stream for UnixStream {
    fn second(&self) -> io::Result<Box<dyn Stream>> {
        self.set_write_timeout(Some(PATIENCE))?;
        Ok(Box::new(self.try_clone()?))
    }
}

impl Listening {
    /// Listens at an address.
    ///
    /// # Errors
    /// An address that can't be had.
    pub fn at(address: &str) -> Result<Self, MeterError> {
        let failed = |source| MeterError::Io { what: format!("listen at {address}"), source };
        let (send, requests) = channel();
        let mut path = None;
        let mut shown = address.to_string();
        match address.strip_prefix("unix:") {
            Some(name) => {
                let listener = UnixListener::bind(name).map_err(failed)?;
                path = Some(PathBuf::from(name));
                let accept = move || listener.accept().map(|(s, _)| Box::new(s) as Box<dyn Stream>);
                std::thread::spawn(move || serve(accept, &send));
            }
            None => {
                let listener = TcpListener::bind(address).map_err(failed)?;
                shown = listener.local_addr().map_err(failed)?.to_string();
                let accept = move || listener.accept().map(|(s, _)| Box::new(s) as Box<dyn Stream>);
                std::thread::spawn(move || serve(accept, &send));
            }
        }
        Ok(Self { requests, address: shown, path })
    }

    /// What readers have asked since the call before.
    pub fn requests(&self) -> impl Iterator<Item = Request> + '_ {
        self.requests.try_iter()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            // nobody could be told that it is gone already
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Accepts connections until the process ends.
fn serve(accept: impl Fn() -> io::Result<Box<dyn Stream>>, send: &Sender<Request>) {
    let connected = Arc::new(AtomicUsize::new(0));
    for connection in 0.. {
        let Ok(mut stream) = accept() else {
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if connected.fetch_add(1, Ordering::Relaxed) >= MOST {
            connected.fetch_sub(1, Ordering::Relaxed);
            let _ = writeln!(stream, "error: {MOST} readers are connected already; try again later");
            continue;
        }
        let (send, connected) = (send.clone(), Arc::clone(&connected));
        std::thread::spawn(move || {
            // its error is that of a reader that has gone
            let _ = talk(connection, stream, &send);
            let _ = send.send(Request { connection, line: None, answer: channel().0 });
            connected.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

/// Passes a reader's lines on, and the answers back.
fn talk(connection: usize, mut stream: Box<dyn Stream>, send: &Sender<Request>) -> io::Result<()> {
    let mut lines = BufReader::new(stream.second()?);
    let mut text = Vec::new();
    loop {
        text.clear();
        if lines.by_ref().take(LONGEST).read_until(b'\n', &mut text)? == 0 {
            return Ok(());
        }
        if text.last() != Some(&b'\n') {
            return writeln!(stream, "error: a line of at most {LONGEST} octets, please");
        }
        let line = String::from_utf8_lossy(&text).trim().to_string();
        let (answer, answered) = channel();
        if send.send(Request { connection, line: Some(line), answer }).is_err() {
            return Ok(());
        }
        let Ok(text) = answered.recv() else { return Ok(()) };
        stream.write_all(text.as_bytes())?;
        stream.flush()?;
    }
}

/// The meter reader's side.
pub struct Reader {
    lines: BufReader<Box<dyn Stream>>,
    out: Box<dyn Stream>,
    address: String,
}

/// What one collection gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// Time of the meter, in 1/100 s since its start.
    pub time: u64,
    /// A row for each flow, a value for each attribute that was asked for.
    pub rows: Vec<Vec<String>>,
}

impl Reader {
    /// Connects to a meter, and registers; `timeout` is when the meter may forget the reader, in seconds.
    ///
    /// # Errors
    /// An address where no meter listens, a meter that refuses.
    pub fn connect(address: &str, timeout: Option<u64>) -> Result<Self, MeterError> {
        let io = |source| MeterError::Io { what: format!("connect to a meter at {address}"), source };
        let out: Box<dyn Stream> = match address.strip_prefix("unix:") {
            Some(path) => Box::new(UnixStream::connect(path).map_err(io)?),
            None => Box::new(TcpStream::connect(address).map_err(io)?),
        };
        let lines = BufReader::new(out.second().map_err(io)?);
        let mut reader = Self { lines, out, address: address.into() };
        let seconds = timeout.map_or(String::new(), |s| format!(" {s}"));
        reader.ask(&format!("register{seconds}"))?;
        Ok(reader)
    }

    /// Asks, and gives the lines of the answer; the last without its `ok`.
    fn ask(&mut self, line: &str) -> Result<Vec<String>, MeterError> {
        let address = self.address.clone();
        let io = |source| MeterError::Io { what: format!("talk to the meter at {address}"), source };
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).map_err(io)?;
        let mut answer = Vec::new();
        loop {
            let mut text = String::new();
            if self.lines.read_line(&mut text).map_err(io)? == 0 {
                return Err(io(io::ErrorKind::UnexpectedEof.into()));
            }
            let text = text.trim_end();
            if let Some(end) = text.strip_prefix("ok") {
                answer.push(end.trim().to_string());
                return Ok(answer);
            }
            if let Some(reason) = text.strip_prefix("error") {
                let reason = reason.trim_start_matches([':', ' ']).to_string();
                return Err(MeterError::Input { what: format!("`{line}`"), reason });
            }
            answer.push(text.to_string());
        }
    }

    /// Collects these attributes of the flows that had packets since the call before.
    ///
    /// # Errors
    /// A meter that has ended, or that does not know an attribute.
    pub fn collect(&mut self, attributes: &[&str]) -> Result<Collection, MeterError> {
        let mut lines = self.ask(&format!("collect {}", attributes.join(" ")))?;
        let end = lines.pop().unwrap_or_default();
        let time = end.rsplit(' ').next().and_then(|t| t.parse().ok()).unwrap_or(0);
        let row = |line: &String| line.split(' ').map(str::to_string).collect();
        Ok(Collection { time, rows: lines.iter().map(row).collect() })
    }

    /// The meter's figures: pairs `name=number`.
    ///
    /// # Errors
    /// A meter that has ended.
    pub fn status(&mut self) -> Result<String, MeterError> {
        Ok(self.ask("status")?.pop().unwrap_or_default())
    }

    /// Has the task run its current rule set again instead of the standby set.
    ///
    /// # Errors
    /// A meter that has ended.
    pub fn reset(&mut self) -> Result<(), MeterError> {
        self.ask("reset").map(|_| ())
    }
}
