//! Captures: files of frames with nanosecond stamps that start at 0, so the same job gives the same bytes.

use super::{Fates, Fill, Slot, Transmitter, TxError};
use csn::Nanos;
use std::io::{self, Write};
use std::sync::atomic::AtomicBool;

/// Bytes that are written at once.
pub(super) const BUFFER: usize = 1 << 18;
/// What libpcap writes for "whole packets".
pub(super) const SNAPLEN: u32 = 262_144;

/// A format of captures.
pub(super) trait Format: Send {
    /// The name in the table of back ends.
    const NAME: &'static str;

    /// Adds a frame.
    fn packet(&mut self, due: Nanos, frame: &[u8]) -> Result<(), TxError>;

    /// Hands over what is buffered.
    fn flush(&mut self) -> Result<(), TxError>;
}

/// A capture file of Ethernet frames. Every frame is taken.
pub(super) struct Capture<F: Format> {
    format: F,
    slots: Vec<Slot>,
}

impl<F: Format> Capture<F> {
    pub(super) fn new(format: F) -> Self {
        Self { format, slots: Vec::new() }
    }
}

impl<F: Format> Transmitter for Capture<F> {
    fn name(&self) -> &'static str {
        F::NAME
    }

    fn prepare(&mut self, longest: usize, _: Option<f64>) -> Result<(), TxError> {
        self.slots = Slot::many(longest);
        Ok(())
    }

    fn transmit(&mut self, count: usize, fill: &mut Fill, fates: &mut Fates) -> Result<(), TxError> {
        let count = fill(&mut self.slots[..count]);
        for slot in &self.slots[..count] {
            self.format.packet(slot.due, slot.frame())?;
        }
        fates.left(count);
        Ok(())
    }

    fn finish(&mut self, _: &AtomicBool, _: &mut Fates) -> Result<(), TxError> {
        self.format.flush()
    }
}

/// Opens a file, or standard output for `-`.
pub(super) fn open<F: Format + 'static>(
    path: &str,
    start: impl FnOnce(Box<dyn Write + Send>) -> Result<F, TxError>,
) -> Result<Box<dyn Transmitter>, TxError> {
    let writer: Box<dyn Write + Send> = if path == "-" {
        Box::new(io::stdout())
    } else {
        Box::new(
            std::fs::File::create(path)
                .map_err(|source| TxError::System { what: format!("{path} cannot be created"), source })?,
        )
    };
    Ok(Box::new(Capture::new(start(writer)?)))
}
