//! Captures, pcap and pcapng, read as a stream: a part of a file is held at a time, whatever its size.

use csn::Nanos;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapReader, PcapTsResolution};
use pcap_file::pcapng::{Block, PcapNgReader};
use std::io::Read;
use std::path::Path;

/// Octets read at once.
const BUFFER: usize = 512 << 10;
/// The first octets of a pcapng file.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// No Ethernet frame is longer: an IP packet of the largest size behind tags and labels, and a check sequence.
pub const LONGEST: usize = 65_535 + 14 + 4 * 4 + 16 * 4 + 4;

/// A packet of a capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The Ethernet frame, as far as it was captured.
    pub bytes: &'a [u8],
    /// Octets that it had before it was cut.
    pub length: u32,
    /// When it was captured, since 1970.
    pub time: Nanos,
}

/// Why a capture cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are no capture that is understood.
    #[error("{path} is no pcap or pcapng file that can be read: {reason}")]
    Broken {
        /// The file.
        path: String,
        /// What is wrong, and where.
        reason: String,
    },
}

/// Calls `each` for every packet of a capture file, in its order, and answers how many there are.
///
/// # Errors
/// A file that cannot be read, is no capture, or was not taken on Ethernet. What came before the fault was handed over.
pub fn read_file(path: &Path, each: impl FnMut(&Packet<'_>)) -> Result<u64, CaptureError> {
    let shown = path.display().to_string();
    match std::fs::File::open(path) {
        Ok(file) => read(file, &shown, each),
        Err(source) => Err(CaptureError::Io { path: shown, source }),
    }
}

/// The same of bytes that come from anywhere; `name` is what messages call them.
///
/// # Errors
/// As [`read_file`].
pub fn read(
    mut source: impl Read,
    name: &str,
    mut each: impl FnMut(&Packet<'_>),
) -> Result<u64, CaptureError> {
    let mut magic = Vec::with_capacity(4);
    let first = source.by_ref().take(4).read_to_end(&mut magic);
    first.map_err(|source| CaptureError::Io { path: name.into(), source })?;
    let whole = std::io::Cursor::new(magic.clone()).chain(source);
    let mut packets = 0;
    let mut counted = |p: &Packet<'_>| {
        packets += 1;
        each(p);
    };
    let read = if magic == PCAPNG { pcapng(whole, &mut counted) } else { pcap(whole, &mut counted) };
    read.map(|()| packets).map_err(|reason| {
        let reason = if packets > 0 { format!("behind packet {packets}, {reason}") } else { reason };
        CaptureError::Broken { path: name.into(), reason }
    })
}

fn pcap(source: impl Read, each: &mut impl FnMut(&Packet<'_>)) -> Result<(), String> {
    let mut reader = PcapReader::with_capacity(source, BUFFER).map_err(|e| e.to_string())?;
    let header = reader.header();
    ethernet(header.datalink)?;
    let unit = if header.ts_resolution == PcapTsResolution::NanoSecond { 1 } else { 1000 };
    while let Some(packet) = reader.next_raw_packet() {
        let packet = packet.map_err(|e| e.to_string())?;
        let time = Nanos(u64::from(packet.ts_sec) * 1_000_000_000 + u64::from(packet.ts_frac) * unit);
        hand_over(&packet.data, packet.orig_len, time, each)?;
    }
    Ok(())
}

fn pcapng(source: impl Read, each: &mut impl FnMut(&Packet<'_>)) -> Result<(), String> {
    let mut reader = PcapNgReader::with_capacity(source, BUFFER).map_err(|e| e.to_string())?;
    let mut last = Nanos(0);
    while let Some(block) = reader.next_block() {
        let (block, _) = block.map_err(|e| e.to_string())?;
        match block {
            Block::EnhancedPacket(p) => {
                last = Nanos(u64::try_from(p.timestamp.as_nanos()).unwrap_or(u64::MAX));
                hand_over(&p.data, p.original_len, last, each)?;
            }
            // this block has no time
            Block::SimplePacket(p) => hand_over(&p.data, p.original_len, last, each)?,
            Block::InterfaceDescription(i) => ethernet(i.linktype)?,
            _ => {}
        }
    }
    Ok(())
}

fn hand_over(
    bytes: &[u8],
    length: u32,
    time: Nanos,
    each: &mut impl FnMut(&Packet<'_>),
) -> Result<(), String> {
    let captured = bytes.len();
    let length = length.max(captured as u32);
    if length as usize > LONGEST {
        return Err(format!("a packet of {length} octets, and no Ethernet frame has more than {LONGEST}"));
    }
    each(&Packet { bytes, length, time });
    Ok(())
}

/// Refuses what was not taken on Ethernet.
fn ethernet(link: DataLink) -> Result<(), String> {
    match link {
        DataLink::ETHERNET => Ok(()),
        other => Err(format!(
            "its packets are {other:?}, only Ethernet is understood; convert it, for instance with `tcprewrite \
             --dlt=enet`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Seen = Vec<(u64, u32, Vec<u8>)>;

    fn all(bytes: &[u8]) -> (Seen, Result<u64, CaptureError>) {
        let mut out = Vec::new();
        let result = read(bytes, "test", |p| out.push((p.time.0, p.length, p.bytes.to_vec())));
        (out, result)
    }

    fn words(list: &[u32]) -> Vec<u8> {
        list.iter().flat_map(|w| w.to_le_bytes()).collect()
    }

    /// A pcap file with one packet of 4 octets out of 60, 7 s and 5 fractions after 1970.
    fn pcap_file(magic: u32, link: u32) -> Vec<u8> {
        let mut out = words(&[magic, 2 | 4 << 16, 0, 0, 65535, link, 7, 5, 4, 60]);
        out.extend([1, 2, 3, 4]);
        out
    }

    /// A pcapng file with one packet at 5 fractions, its interface with these options.
    fn pcapng_file(options: &[u32]) -> Vec<u8> {
        let mut out = words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX, 28]);
        let length = 20 + 4 * options.len() as u32;
        out.extend(words(&[1, length, 1, 65535]));
        out.extend(words(options));
        out.extend(words(&[length, 6, 36, 0, 0, 5, 4, 60]));
        out.extend([1, 2, 3, 4]);
        out.extend(words(&[36]));
        out
    }

    #[test]
    fn both_formats_are_read_in_micro_and_nanoseconds() {
        let packet = |time| vec![(time, 60, vec![1, 2, 3, 4])];
        assert_eq!(all(&pcap_file(0xa1b2_c3d4, 1)).0, packet(7_000_005_000));
        assert_eq!(all(&pcap_file(0xa1b2_3c4d, 1)).0, packet(7_000_000_005));
        assert_eq!(all(&pcapng_file(&[])).0, packet(5_000));
        // the option if_tsresol: ten to the power of minus nine
        assert_eq!(all(&pcapng_file(&[9 | 1 << 16, 9, 0])).0, packet(5));
    }

    #[test]
    fn what_cannot_be_read_says_where_and_why() {
        let said = |bytes: &[u8]| all(bytes).1.unwrap_err().to_string();
        assert!(said(&pcap_file(0xa1b2_c3d4, 113)).contains("only Ethernet"));
        assert!(said(b"no capture").starts_with("test is no pcap"));
        assert!(said(&[]).starts_with("test is no pcap"));
        let mut cut = pcap_file(0xa1b2_c3d4, 1);
        cut.extend(words(&[8, 0, 4, 60]));
        let (packets, result) = all(&cut);
        assert_eq!(packets.len(), 1);
        assert!(result.unwrap_err().to_string().contains("behind packet 1"));
        let mut huge = pcap_file(0xa1b2_c3d4, 1);
        huge.extend(words(&[8, 0, 4, 1 << 30, 0]));
        assert!(said(&huge).contains("behind packet 1"));
    }

    #[test]
    fn no_damage_makes_it_panic() {
        for whole in [pcap_file(0xa1b2_3c4d, 1), pcapng_file(&[9 | 1 << 16, 9, 0])] {
            for at in 0..whole.len() {
                let _ = all(&whole[..at]);
                for value in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut damaged = whole.clone();
                    damaged[at] = value;
                    let _ = all(&damaged);
                }
            }
        }
    }
}
