//! Transmit back ends: where frames go.
//!
//! A back end lends slots for the time of one call and answers which of them the device took, so a frame can
//! neither be taken without being sent nor be counted when it was only queued. To add one: a new file, and its line
//! in [`TABLE`].

mod null;
mod packet;
mod pcap;

pub use null::Null;
pub use packet::Packet;
pub use pcap::Pcap;

use crate::frame::HEAD;
use crate::send::Pace;
use csn::Nanos;
use std::io::Write;
use std::path::Path;

/// The most frames that are handed over in one call: what fits the bits of [`Accepted`], and more would only make
/// bursts longer.
pub const MAX_BATCH: usize = 64;

/// Room for one frame.
pub struct Slot {
    buffer: Box<[u8]>,
    len: usize,
    /// When the frame is due, from the start of the load.
    pub due: Nanos,
}

impl Slot {
    /// Slots for frames of up to `longest` bytes.
    fn many(longest: usize) -> Vec<Slot> {
        let room = longest.max(HEAD);
        (0..MAX_BATCH).map(|_| Slot { buffer: vec![0; room].into(), len: 0, due: Nanos(0) }).collect()
    }

    /// Makes this a frame of `len` bytes; the whole room is handed out, the frame is its start.
    #[inline]
    pub fn buffer(&mut self, len: usize) -> &mut [u8] {
        self.len = len;
        &mut self.buffer
    }

    /// The frame.
    #[inline]
    pub fn frame(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// A slot by itself, for whoever wants a frame and no device.
    pub fn alone(longest: usize) -> Slot {
        Slot { buffer: vec![0; longest.max(HEAD)].into(), len: 0, due: Nanos(0) }
    }
}

/// Which frames of a batch the device took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accepted(u64);

impl Accepted {
    /// All of the first `count`.
    pub fn all(count: usize) -> Self {
        Self(if count >= 64 { u64::MAX } else { (1 << count) - 1 })
    }

    /// Adds the frames from `from` on, `count` of them.
    pub fn add(&mut self, from: usize, count: usize) {
        self.0 |= Self::all(count).0 << from;
    }

    /// Whether the device took the `i`-th frame of the batch.
    #[inline]
    pub fn contains(&self, i: usize) -> bool {
        self.0 >> i & 1 == 1
    }

    /// How many the device took.
    pub fn count(&self) -> usize {
        self.0.count_ones() as usize
    }
}

/// A device that takes frames.
pub trait Transmitter: Send {
    /// The name in [`TABLE`].
    fn name(&self) -> &'static str;

    /// Makes ready for frames of up to `longest` bytes.
    fn prepare(&mut self, longest: usize) -> Result<(), TxError>;

    /// Lends `count` slots (1 to [`MAX_BATCH`]) to `fill`, which writes a frame into each, hands the frames to the
    /// device in their order and answers which it took. The rest it refused; they are gone.
    ///
    /// # Errors
    /// Where the device cannot take frames any more.
    fn transmit(&mut self, count: usize, fill: &mut dyn FnMut(&mut [Slot])) -> Result<Accepted, TxError>;

    /// Sees to it that everything accepted is where it belongs.
    fn finish(&mut self) -> Result<(), TxError> {
        Ok(())
    }
}

/// Why a back end cannot be opened or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TxError {
    /// There is no such interface here.
    #[error("no interface {0:?} in this network namespace; `ip link` lists them")]
    NoInterface(String),
    /// Packet sockets are for root.
    #[error(
        "no permission for a packet socket: it takes CAP_NET_RAW, which root has, and everybody in a namespace of \
         their own (`unshare -Urn`)"
    )]
    Permission,
    /// The frames do not fit the interface.
    #[error("frames of {longest} bytes do not fit {interface} with its MTU of {mtu}; `ip link set {interface} mtu {}`, or smaller sizes", longest.saturating_sub(14))]
    TooLong {
        /// The interface.
        interface: String,
        /// The longest frame of the load.
        longest: usize,
        /// What the interface takes behind the link header.
        mtu: usize,
    },
    /// A system call failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The capture cannot be written.
    #[error("the capture cannot be written: {0}")]
    Capture(#[from] pcap_file::pcap::PcapWriteError),
    /// No back end has that name.
    #[error("no transmitter is called {0:?}")]
    Unknown(String),
}

/// What a back end is opened with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The path of a file; `-` is standard output.
    File,
    /// The name of an interface.
    Interface,
    /// Nothing.
    Nothing,
}

/// One line of the table of back ends.
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// What it is opened with.
    pub needs: Needs,
    /// How it is sent to.
    pub pace: Pace,
    /// Opens it.
    pub open: fn(&str) -> Result<Box<dyn Transmitter>, TxError>,
}

/// Every back end.
pub static TABLE: &[Entry] = &[
    Entry {
        name: "pcap",
        doc: "a capture file with nanosecond stamps from the schedule, written as fast as it goes",
        needs: Needs::File,
        pace: Pace::Virtual,
        open: open_capture,
    },
    Entry {
        name: "packet",
        doc: "an interface, by a packet socket that bypasses queueing, up to 64 frames per system call",
        needs: Needs::Interface,
        pace: Pace::Clock,
        open: |interface| Ok(Box::new(open_packet(interface)?)),
    },
    Entry {
        name: "null",
        doc: "nowhere: takes every frame, to measure the generator itself",
        needs: Needs::Nothing,
        pace: Pace::Clock,
        open: |_| Ok(Box::new(Null::new())),
    },
];

/// The back end of that name.
pub fn by_name(name: &str) -> Result<&'static Entry, TxError> {
    TABLE.iter().find(|e| e.name == name).ok_or_else(|| TxError::Unknown(name.into()))
}

/// A packet socket on an interface of this network namespace.
pub fn open_packet(interface: &str) -> Result<Packet, TxError> {
    Packet::open(interface)
}

/// A capture that is written to `writer`, which need not be buffered.
pub fn open_pcap<W: Write + Send>(writer: W) -> Result<Pcap<W>, TxError> {
    Pcap::new(writer)
}

fn open_capture(path: &str) -> Result<Box<dyn Transmitter>, TxError> {
    if path == "-" {
        return Ok(Box::new(open_pcap(std::io::stdout())?));
    }
    let file = std::fs::File::create(Path::new(path))
        .map_err(|source| TxError::System { what: format!("{path} cannot be created"), source })?;
    Ok(Box::new(open_pcap(file)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_documented_and_found() {
        let names: HashSet<_> = TABLE.iter().map(|e| e.name).collect();
        assert_eq!(names.len(), TABLE.len());
        for entry in TABLE {
            assert!(!entry.doc.is_empty());
            assert_eq!(by_name(entry.name).unwrap().doc, entry.doc);
        }
        assert!(by_name("pigeon").is_err());
    }

    #[test]
    fn every_back_end_that_needs_no_interface_takes_a_batch() {
        let folder = tempfile::tempdir().unwrap();
        for entry in TABLE.iter().filter(|e| e.needs != Needs::Interface) {
            let path = folder.path().join(entry.name);
            let mut tx = (entry.open)(path.to_str().unwrap()).unwrap();
            assert_eq!(tx.name(), entry.name);
            tx.prepare(100).unwrap();
            let accepted = tx.transmit(7, &mut |slots| {
                assert_eq!(slots.len(), 7);
                slots.iter_mut().for_each(|s| s.buffer(100).fill(1));
            });
            assert_eq!(accepted.unwrap(), Accepted::all(7));
            tx.finish().unwrap();
            drop(tx);
            if entry.needs == Needs::File {
                assert_eq!(std::fs::metadata(&path).unwrap().len(), 24 + 7 * 116);
            }
        }
    }

    #[test]
    fn accepted_frames_are_counted_one_by_one() {
        let mut some = Accepted::default();
        some.add(0, 3);
        some.add(5, 59);
        assert_eq!(
            (some.count(), some.contains(3), some.contains(4), some.contains(63)),
            (62, false, false, true)
        );
        assert_eq!(Accepted::all(64).count(), 64);
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let error = open_packet("nosuch0").err().unwrap();
        assert!(error.to_string().contains("nosuch0"), "{error}");
    }
}
