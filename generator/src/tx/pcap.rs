//! Captures.

use super::{Accepted, Slot, Transmitter, TxError};
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriter};
use pcap_file::{DataLink, Endianness};
use std::io::{BufWriter, Write};

/// A capture file of Ethernet frames, with nanosecond stamps that start at 0: the same job gives the same bytes.
pub struct Pcap<W: Write + Send> {
    writer: PcapWriter<BufWriter<W>>,
    slots: Vec<Slot>,
}

impl<W: Write + Send> Pcap<W> {
    /// Writes the file header.
    pub(super) fn new(writer: W) -> Result<Self, TxError> {
        let header = PcapHeader {
            // what libpcap writes for "whole packets"
            snaplen: 262_144,
            datalink: DataLink::ETHERNET,
            ts_resolution: PcapTsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let writer = PcapWriter::with_header(BufWriter::with_capacity(1 << 18, writer), header)?;
        Ok(Self { writer, slots: Vec::new() })
    }
}

impl<W: Write + Send> Transmitter for Pcap<W> {
    fn name(&self) -> &'static str {
        "pcap"
    }

    fn prepare(&mut self, longest: usize) -> Result<(), TxError> {
        self.slots = Slot::many(longest);
        Ok(())
    }

    fn transmit(&mut self, count: usize, fill: &mut dyn FnMut(&mut [Slot])) -> Result<Accepted, TxError> {
        let slots = &mut self.slots[..count];
        fill(slots);
        for slot in slots {
            let frame = slot.frame();
            let packet = PcapPacket::new(slot.due.to_duration(), frame.len() as u32, frame)
                .map_err(pcap_file::pcap::PcapWriteError::from)?;
            self.writer.write_packet(&packet)?;
        }
        Ok(Accepted::all(count))
    }

    fn finish(&mut self) -> Result<(), TxError> {
        Ok(self.writer.flush()?)
    }
}
