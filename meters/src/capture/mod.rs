//! Where packets come from: an interface or a capture file.
//!
//! A source hands over packets in batches, through a closure that is compiled into its loop; what happens once per
//! batch may cost system calls, what happens per packet may not.

mod cpu;
mod file;
mod ring;

pub use cpu::{Cpu, thread_time};
pub use file::File;
pub use ring::{Ring, RingOptions, interface_index};

use crate::meter::MeterError;
use csn::Nanos;

/// A packet as a source hands it over.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The Ethernet frame, as far as it was captured.
    pub bytes: &'a [u8],
    /// Octets that it had before it was cut.
    pub length: u32,
    /// A VLAN tag control field that the kernel has taken out of the frame.
    pub tag: Option<u16>,
    /// When it was captured, since 1970.
    pub time: Nanos,
}

/// What a source had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Batch {
    /// So many packets.
    Packets(u64),
    /// Nothing at the moment.
    Empty,
    /// Nothing, and nothing will come.
    End,
}

/// What a source lost and let through since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets that passed the filter, those dropped afterwards included.
    pub admitted: u64,
    /// Packets dropped because the buffer was full.
    pub dropped: u64,
}

/// A source of packets.
pub trait Capture {
    /// Calls `each` for the packets that are there, some thousand at most.
    ///
    /// # Errors
    /// What the system or the file's reader says.
    fn batch(&mut self, each: &mut impl FnMut(&Frame<'_>)) -> Result<Batch, MeterError>;

    /// Waits until there is more, at most for `limit`.
    ///
    /// # Errors
    /// What the system says.
    fn wait(&mut self, limit: Nanos) -> Result<(), MeterError>;

    /// The counters.
    ///
    /// # Errors
    /// What the system says.
    fn statistics(&mut self) -> Result<Statistics, MeterError>;

    /// The index of the interface that packets come from, where there is one.
    fn interface(&self) -> Option<u32>;

    /// The time of the last packet, or now: the clock that flows age by.
    fn now(&self) -> Nanos;
}
