//! pcap.

use super::TxError;
use super::capture::{BUFFER, Format, SNAPLEN};
use csn::Nanos;
use pcap_file::pcap::{PcapHeader, PcapPacket, PcapTsResolution, PcapWriter};
use pcap_file::{DataLink, Endianness};
use std::io::{BufWriter, Write};

/// The format that everything reads, with the magic number for nanoseconds.
pub(super) struct Pcap<W: Write + Send>(PcapWriter<BufWriter<W>>);

impl<W: Write + Send> Pcap<W> {
    /// Writes the file header.
    pub(super) fn new(writer: W) -> Result<Self, TxError> {
        let header = PcapHeader {
            snaplen: SNAPLEN,
            datalink: DataLink::ETHERNET,
            ts_resolution: PcapTsResolution::NanoSecond,
            endianness: Endianness::Little,
            ..PcapHeader::default()
        };
        let writer = BufWriter::with_capacity(BUFFER, writer);
        PcapWriter::with_header(writer, header).map(Self).map_err(TxError::capture)
    }
}

impl<W: Write + Send> Format for Pcap<W> {
    const NAME: &'static str = "pcap";

    fn packet(&mut self, due: Nanos, frame: &[u8]) -> Result<(), TxError> {
        let packet =
            PcapPacket::new(due.to_duration(), frame.len() as u32, frame).map_err(TxError::capture)?;
        self.0.write_packet(&packet).map(drop).map_err(TxError::capture)
    }

    fn flush(&mut self) -> Result<(), TxError> {
        self.0.flush().map_err(TxError::capture)
    }
}
