//! A capture file, pcap or pcapng.

use super::{Batch, Capture, Cpu, Frame, Statistics};
use crate::meter::MeterError;
use crate::prefilter::Prefilter;
use csn::Nanos;
use pcap_file::DataLink;
use pcap_file::pcap::{PcapReader, PcapTsResolution};
use pcap_file::pcapng::{Block, PcapNgReader};
use std::io::{self, Read, Seek};
use std::path::Path;
use std::rc::Rc;

/// Octets read at once: many packets, and still inside a processor's second cache.
const BUFFER: usize = 512 << 10;
/// Packets handed over at once.
const PACKETS: usize = 1024;
/// The first octets of a pcapng file.
const PCAPNG: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

/// The file, whose reads are accounted as system time.
#[derive(Debug)]
struct Source {
    file: std::fs::File,
    cpu: Rc<Cpu>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = &mut self.file;
        self.cpu.inside(1, || file.read(buffer))
    }
}

/// The two formats.
#[derive(Debug)]
enum Reader {
    Pcap { reader: PcapReader<Source>, nanoseconds: bool },
    PcapNg(PcapNgReader<Source>),
}

/// Packets of a capture file.
#[derive(Debug)]
pub struct File {
    reader: Reader,
    path: String,
    filter: Option<Prefilter>,
    statistics: Statistics,
    packets: u64,
    last: Nanos,
}

impl File {
    /// Opens a capture file. The filter is run here, as the kernel would do it.
    ///
    /// # Errors
    /// A file that can't be read, is no capture, or was not taken on Ethernet.
    pub fn open(path: &Path, filter: Option<Prefilter>, cpu: Rc<Cpu>) -> Result<Self, MeterError> {
        let shown = path.display().to_string();
        let io = |source| MeterError::Io { what: format!("read {shown}"), source };
        let mut file = std::fs::File::open(path).map_err(io)?;
        let mut magic = [0; 4];
        let got = file.read(&mut magic).map_err(io)?;
        file.rewind().map_err(io)?;
        let source = Source { file, cpu };
        let broken = |why: String| failed(&shown, &why);
        let reader = if got == 4 && magic == PCAPNG {
            let reader = PcapNgReader::with_capacity(source, BUFFER).map_err(|e| broken(e.to_string()))?;
            Reader::PcapNg(reader)
        } else {
            let reader = PcapReader::with_capacity(source, BUFFER).map_err(|e| broken(e.to_string()))?;
            let header = reader.header();
            ethernet(header.datalink).map_err(broken)?;
            Reader::Pcap { reader, nanoseconds: header.ts_resolution == PcapTsResolution::NanoSecond }
        };
        Ok(Self {
            reader,
            path: shown,
            filter,
            statistics: Statistics::default(),
            packets: 0,
            last: Nanos(0),
        })
    }
}

fn failed(path: &str, why: &str) -> MeterError {
    MeterError::Input {
        what: format!("the capture {path}"),
        reason: format!("it is not a pcap or pcapng file that can be read: {why}"),
    }
}

/// Refuses what was not taken on Ethernet.
fn ethernet(link: DataLink) -> Result<(), String> {
    match link {
        DataLink::ETHERNET => Ok(()),
        other => Err(format!(
            "its packets are {other:?}, only Ethernet is understood; convert it, for instance with \
             `tcprewrite --dlt=enet`"
        )),
    }
}

/// What happens to each packet of either format.
struct Sink<'a, F> {
    filter: Option<&'a Prefilter>,
    statistics: &'a mut Statistics,
    last: &'a mut Nanos,
    each: F,
}

impl<F: FnMut(&Frame<'_>)> Sink<'_, F> {
    #[inline]
    fn packet(&mut self, bytes: &[u8], length: u32, time: Nanos) {
        *self.last = time;
        let kept = match self.filter {
            None => bytes.len(),
            Some(filter) => filter.run(bytes) as usize,
        };
        if kept > 0 || self.filter.is_none() {
            self.statistics.admitted += 1;
            let bytes = &bytes[..bytes.len().min(kept)];
            (self.each)(&Frame { bytes, length, tag: None, time });
        }
    }
}

impl Capture for File {
    #[inline]
    fn batch(&mut self, each: &mut impl FnMut(&Frame<'_>)) -> Result<Batch, MeterError> {
        let Self { reader, path, filter, statistics, packets, last } = self;
        let before = statistics.admitted;
        let mut sink = Sink { filter: filter.as_ref(), statistics, last, each };
        let mut more = true;
        for _ in 0..PACKETS {
            let next = match reader {
                Reader::Pcap { reader, nanoseconds } => next_pcap(reader, *nanoseconds, &mut sink),
                Reader::PcapNg(reader) => next_pcapng(reader, &mut sink),
            };
            match next {
                None => {
                    more = false;
                    break;
                }
                Some(Ok(())) => *packets += 1,
                Some(Err(why)) => return Err(failed(path, &format!("behind packet {packets}, {why}"))),
            }
        }
        let count = sink.statistics.admitted - before;
        Ok(if more || count > 0 { Batch::Packets(count) } else { Batch::End })
    }

    fn wait(&mut self, _: Nanos) -> Result<(), MeterError> {
        Ok(())
    }

    fn statistics(&mut self) -> Result<Statistics, MeterError> {
        Ok(self.statistics)
    }

    fn interface(&self) -> Option<u32> {
        None
    }

    fn now(&self) -> Nanos {
        self.last
    }
}

/// The next packet; none at the end.
#[inline]
fn next_pcap<F: FnMut(&Frame<'_>)>(
    reader: &mut PcapReader<Source>,
    nanoseconds: bool,
    sink: &mut Sink<'_, F>,
) -> Option<Result<(), String>> {
    let packet = match reader.next_raw_packet()? {
        Ok(p) => p,
        Err(e) => return Some(Err(e.to_string())),
    };
    let fraction = u64::from(packet.ts_frac) * if nanoseconds { 1 } else { 1000 };
    let time = Nanos(u64::from(packet.ts_sec) * 1_000_000_000 + fraction);
    sink.packet(&packet.data, packet.orig_len.max(packet.incl_len), time);
    Some(Ok(()))
}

/// The next block, which may be none of a packet; none at the end.
#[inline]
fn next_pcapng<F: FnMut(&Frame<'_>)>(
    reader: &mut PcapNgReader<Source>,
    sink: &mut Sink<'_, F>,
) -> Option<Result<(), String>> {
    let block = match reader.next_block()? {
        Ok((block, _)) => block,
        Err(e) => return Some(Err(e.to_string())),
    };
    match block {
        Block::EnhancedPacket(p) => {
            sink.packet(&p.data, p.original_len, Nanos(p.timestamp.as_nanos() as u64));
        }
        Block::SimplePacket(p) => {
            // this block has no time
            let time = *sink.last;
            sink.packet(&p.data, p.original_len, time);
        }
        Block::InterfaceDescription(i) => {
            if let Err(why) = ethernet(i.linktype) {
                return Some(Err(why));
            }
        }
        _ => {}
    }
    Some(Ok(()))
}
