//! pcapng.

use super::TxError;
use super::capture::{BUFFER, Format, SNAPLEN};
use csn::Nanos;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::{DataLink, Endianness};
use std::borrow::Cow;
use std::io::{BufWriter, Write};

/// One section with one Ethernet interface, whose stamps are in nanoseconds (`if_tsresol` = 9).
pub(super) struct PcapNg<W: Write + Send>(PcapNgWriter<BufWriter<W>>);

impl<W: Write + Send> PcapNg<W> {
    /// Writes the section header and the description of the interface.
    pub(super) fn new(writer: W) -> Result<Self, TxError> {
        let resolution = InterfaceTsResolution::new(false, 9).map_err(TxError::capture)?;
        let interface = InterfaceDescriptionBlock {
            options: vec![InterfaceDescriptionOption::IfTsResol(resolution)],
            ..InterfaceDescriptionBlock::new(DataLink::ETHERNET, SNAPLEN)
        };
        let writer = BufWriter::with_capacity(BUFFER, writer);
        let mut writer =
            PcapNgWriter::with_endianness(writer, Endianness::Little).map_err(TxError::capture)?;
        writer.write_pcapng_block(interface).map_err(TxError::capture)?;
        Ok(Self(writer))
    }
}

impl<W: Write + Send> Format for PcapNg<W> {
    const NAME: &'static str = "pcapng";

    fn packet(&mut self, due: Nanos, frame: &[u8]) -> Result<(), TxError> {
        let packet = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: due.to_duration(),
            original_len: frame.len() as u32,
            data: Cow::Borrowed(frame),
            // an empty vector is no allocation
            options: Vec::new(),
        };
        self.0.write_pcapng_block(packet).map(drop).map_err(TxError::capture)
    }

    fn flush(&mut self) -> Result<(), TxError> {
        self.0.get_mut().flush().map_err(TxError::capture)
    }
}
