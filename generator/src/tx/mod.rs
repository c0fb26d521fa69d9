//! Transmit back ends: where frames go.
//!
//! A back end lends slots for the time of one call and answers, then or later, what became of each frame; so a frame
//! can neither be taken without being sent nor be counted when it was only queued. To add one: a new file, and its line
//! in [`TABLE`].

mod auto;
mod capture;
mod device;
mod fates;
mod live;
pub(crate) mod mapping;
mod null;
mod packet;
mod pcap;
mod pcapng;
mod xdp;
mod xsk;

pub use auto::AUTO;
pub use fates::{Fates, Stamp};
pub use live::Live;
pub use null::Null;
pub use packet::Packet;
pub use xdp::Xdp;

use crate::frame::HEAD;
use crate::job::Interruptions;
use crate::send::Pace;
use csn::Nanos;
use std::io::Write;
use std::sync::atomic::AtomicBool;

/// The most frames that are handed over in one call: more is not faster, and would only make bursts longer.
pub const MAX_BATCH: usize = 64;

/// Room for one frame.
pub struct Slot {
    buffer: Box<[u8]>,
    len: usize,
    /// When the frame is due, from the start of the load.
    pub due: Nanos,
    /// The flow that the frame is of, as a number that other flows hardly share.
    pub flow: u32,
    /// What a signed frame says of when it was sent; set by [`crate::Plan`].
    pub(crate) stamp: Nanos,
}

impl Slot {
    /// Slots for frames of up to `longest` bytes.
    fn many(longest: usize) -> Vec<Slot> {
        let room = longest.max(HEAD);
        (0..MAX_BATCH).map(|_| Slot::alone(room)).collect()
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
        Slot { buffer: vec![0; longest.max(HEAD)].into(), len: 0, due: Nanos(0), flow: 0, stamp: Nanos(0) }
    }
}

/// Writes frames into slots, from the first on, and answers how many it wrote.
pub type Fill<'a> = dyn FnMut(&mut [Slot]) -> usize + 'a;

/// A device that takes frames.
pub trait Transmitter: Send {
    /// The name in [`TABLE`].
    fn name(&self) -> &'static str;

    /// Makes ready for frames of up to `longest` bytes, at `pps` packets per second; none where they have no send
    /// times.
    fn prepare(&mut self, longest: usize, pps: Option<f64>) -> Result<(), TxError>;

    /// How many frames it takes now. A back end that is sent to ahead of time has no room at times.
    fn room(&mut self, _fates: &mut Fates) -> usize {
        MAX_BATCH
    }

    /// Lends `count` slots (1 to [`MAX_BATCH`]) to `fill`, hands the frames written to the device in their order, and
    /// adds to `fates` what became of frames by now, these or earlier ones. What is counted has left: queued is not
    /// counted.
    ///
    /// # Errors
    /// Where the device cannot take frames any more.
    fn transmit(&mut self, count: usize, fill: &mut Fill, fates: &mut Fates) -> Result<(), TxError>;

    /// Waits for the frames under way, or for `stop`. What has no fate then did not leave.
    fn finish(&mut self, _stop: &AtomicBool, _fates: &mut Fates) -> Result<(), TxError> {
        Ok(())
    }

    /// When the machine took the CPU away, where the back end keeps the time and not the loop.
    fn interruptions(&self) -> Option<Interruptions> {
        None
    }

    /// From the first to the last frame, where the back end knows better than the loop.
    fn span(&self) -> Option<Nanos> {
        None
    }

    /// How it goes about it on this machine, for people: one line each.
    fn notes(&self) -> Vec<String> {
        Vec::new()
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
    /// The frames do not fit what the back end can hand over.
    #[error(
        "frames of {longest} bytes are too long for `{transmitter}`, which takes {most}; use `packet`, or smaller sizes"
    )]
    TooLongFor {
        /// The back end.
        transmitter: &'static str,
        /// The longest frame of the load.
        longest: usize,
        /// What it takes.
        most: usize,
    },
    /// The machine lacks what the back end needs.
    #[error("no `{transmitter}` here: {reason}; {cure}")]
    Missing {
        /// The back end.
        transmitter: &'static str,
        /// What is missing.
        reason: String,
        /// What would mend it.
        cure: String,
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
    Capture(Box<dyn std::error::Error + Send + Sync>),
    /// No back end has that name.
    #[error("no transmitter is called {0:?}")]
    Unknown(String),
}

impl TxError {
    fn capture(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        TxError::Capture(Box::new(error))
    }
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

/// Opens a back end on a file or an interface, for the sending thread of that number.
pub type Open = fn(&str, u32) -> Result<Box<dyn Transmitter>, TxError>;

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
    /// Opens it; the number is that of the sending thread, for devices with several queues.
    pub open: Open,
}

/// Every back end.
pub static TABLE: &[Entry] = &[
    Entry {
        name: "pcap",
        doc: "a capture file with nanosecond stamps from the schedule, written as fast as it goes",
        needs: Needs::File,
        pace: Pace::Virtual,
        open: |path, _| capture::open(path, pcap::Pcap::new),
    },
    Entry {
        name: "pcapng",
        doc: "a capture file of the newer format, with nanosecond stamps from the schedule",
        needs: Needs::File,
        pace: Pace::Virtual,
        open: |path, _| capture::open(path, pcapng::PcapNg::new),
    },
    Entry {
        name: AUTO,
        doc: "an interface, by the fastest of `live`, `xdp` and `packet` that works there",
        needs: Needs::Interface,
        pace: Pace::Clock,
        open: |interface, queue| Ok(auto::open(interface, queue, 0)?.tx),
    },
    Entry {
        name: "packet",
        doc: "an interface, by a packet socket that bypasses queueing, up to 64 frames per system call",
        needs: Needs::Interface,
        pace: Pace::Clock,
        open: |interface, _| Ok(Box::new(open_packet(interface)?)),
    },
    Entry {
        name: "xdp",
        doc: "an interface, by an AF_XDP socket: the fastest way for frames that are written one by one",
        needs: Needs::Interface,
        pace: Pace::Clock,
        open: |interface, queue| Ok(Box::new(open_xdp(interface, queue)?)),
    },
    Entry {
        name: "live",
        doc: "an interface, by XDP programs on live frames: several times the rate, for root and into interfaces that \
              take such frames",
        needs: Needs::Interface,
        pace: Pace::Ahead,
        open: |interface, _| Ok(Box::new(Live::open(interface)?)),
    },
    Entry {
        name: "null",
        doc: "nowhere: takes every frame, to measure the generator itself",
        needs: Needs::Nothing,
        pace: Pace::Clock,
        open: |_, _| Ok(Box::new(Null::new())),
    },
];

/// The back end of that name.
pub fn by_name(name: &str) -> Result<&'static Entry, TxError> {
    TABLE.iter().find(|e| e.name == name).ok_or_else(|| TxError::Unknown(name.into()))
}

/// A back end that is open.
pub struct Opened {
    /// The back end.
    pub tx: Box<dyn Transmitter>,
    /// How it is sent to.
    pub pace: Pace,
    /// Why it was chosen, where it was.
    pub why: Vec<String>,
}

/// Opens the back end of that name on a file or an interface, for frames of up to `longest` bytes.
///
/// # Errors
/// Where there is none of that name, or it cannot be opened.
pub fn open(name: &str, target: &str, longest: usize) -> Result<Opened, TxError> {
    open_queue(name, target, 0, longest)
}

/// [`open`] for one of several sending threads, which are numbered from 0.
///
/// # Errors
/// Those of [`open`], and where the device has fewer queues.
pub fn open_queue(name: &str, target: &str, queue: u32, longest: usize) -> Result<Opened, TxError> {
    if name == AUTO {
        return auto::open(target, queue, longest);
    }
    let entry = by_name(name)?;
    Ok(Opened { tx: (entry.open)(target, queue)?, pace: entry.pace, why: Vec::new() })
}

/// A packet socket on an interface of this network namespace.
pub fn open_packet(interface: &str) -> Result<Packet, TxError> {
    Packet::open(interface)
}

/// An AF_XDP socket on a queue of an interface of this network namespace.
pub fn open_xdp(interface: &str, queue: u32) -> Result<Xdp, TxError> {
    Xdp::open(interface, queue)
}

/// A pcap capture that is written to `writer`, which need not be buffered.
pub fn open_pcap<W: Write + Send>(writer: W) -> Result<impl Transmitter, TxError> {
    Ok(capture::Capture::new(pcap::Pcap::new(writer)?))
}

/// A pcapng capture that is written to `writer`, which need not be buffered.
pub fn open_pcapng<W: Write + Send>(writer: W) -> Result<impl Transmitter, TxError> {
    Ok(capture::Capture::new(pcapng::PcapNg::new(writer)?))
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
            let mut tx = (entry.open)(path.to_str().unwrap(), 0).unwrap();
            assert_eq!(tx.name(), entry.name);
            tx.prepare(100, None).unwrap();
            let mut fates = Fates::default();
            let mut fill = |slots: &mut [Slot]| {
                assert_eq!(slots.len(), 7);
                slots.iter_mut().for_each(|s| s.buffer(100).fill(1));
                7
            };
            tx.transmit(7, &mut fill, &mut fates).unwrap();
            tx.finish(&AtomicBool::new(false), &mut fates).unwrap();
            assert_eq!(fates.runs(), [(true, 7)]);
            drop(tx);
            if entry.needs == Needs::File {
                // file headers, and what the format puts around each frame
                let (start, each) = if entry.name == "pcap" { (24, 16) } else { (28 + 32, 32) };
                assert_eq!(
                    std::fs::metadata(&path).unwrap().len(),
                    start + 7 * (100 + each),
                    "{}",
                    entry.name
                );
            }
        }
    }

    #[test]
    fn an_interface_that_is_not_there_is_named() {
        let error = open_packet("nosuch0").err().unwrap();
        assert!(error.to_string().contains("nosuch0"), "{error}");
    }
}
