//! Sequences of records that are longer than memory should be: written once, then read in a circle.
//!
//! All lanes of a spool share one store. Each gathers a block before it goes there, so that reading a lane is reading
//! block by block; what is held of a lane while it is read is one block. A small spool stays in memory, a large one goes
//! to a file without a name in the folder for temporary files (`TMPDIR`), which is gone with the process.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// Octets that stay in memory; beyond, the store is a file.
const IN_MEMORY: usize = 32 << 20;
/// Octets that all lanes gather together before blocks are written.
const GATHERED: usize = 16 << 20;
/// Octets of a block: enough to make a read cheap, and at least this where there are many lanes.
const LARGEST_BLOCK: usize = 256 << 10;
const SMALLEST_BLOCK: usize = 4 << 10;

/// Writes lanes.
pub struct Writer {
    memory: Vec<u8>,
    file: Option<File>,
    /// Octets in the store.
    end: u64,
    block: usize,
    lanes: Vec<LaneWriter>,
}

#[derive(Default)]
struct LaneWriter {
    gathered: Vec<u8>,
    blocks: Vec<Block>,
    records: u64,
}

/// A block in the store, of whole records.
#[derive(Clone, Copy, Debug)]
struct Block {
    at: u64,
    octets: u32,
}

/// Where blocks are.
enum Store {
    Memory(Vec<u8>),
    File(File),
}

/// A lane that is read in a circle.
pub struct Lane {
    store: Arc<Store>,
    blocks: Vec<Block>,
    /// The block that is read next.
    next: usize,
    buffer: Vec<u8>,
    at: usize,
    records: u64,
}

impl Writer {
    /// A writer of so many lanes.
    pub fn new(lanes: usize) -> Self {
        let block = (GATHERED / lanes.max(1)).clamp(SMALLEST_BLOCK, LARGEST_BLOCK);
        let lanes = (0..lanes).map(|_| LaneWriter::default()).collect();
        Self { memory: Vec::new(), file: None, end: 0, block, lanes }
    }

    /// Appends a record to a lane: a number and octets, at most 2^32 - 1 of them.
    ///
    /// # Errors
    /// Where the file for it cannot be written.
    pub fn push(&mut self, lane: usize, number: u64, octets: &[u8]) -> io::Result<()> {
        let place = &mut self.lanes[lane];
        place.gathered.extend_from_slice(&number.to_le_bytes());
        place.gathered.extend_from_slice(&(octets.len() as u32).to_le_bytes());
        place.gathered.extend_from_slice(octets);
        place.records += 1;
        if place.gathered.len() >= self.block { self.flush(lane) } else { Ok(()) }
    }

    fn flush(&mut self, lane: usize) -> io::Result<()> {
        let lane = &mut self.lanes[lane];
        let octets = lane.gathered.len();
        if octets == 0 {
            return Ok(());
        }
        lane.blocks.push(Block { at: self.end, octets: octets as u32 });
        self.end += octets as u64;
        if self.file.is_none() && self.memory.len() + octets > IN_MEMORY {
            let mut file = unnamed()?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        match &mut self.file {
            Some(file) => file.write_all(&lane.gathered)?,
            None => self.memory.extend_from_slice(&lane.gathered),
        }
        lane.gathered.clear();
        Ok(())
    }

    /// The lanes, ready to be read.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn finish(mut self) -> io::Result<Vec<Lane>> {
        for lane in 0..self.lanes.len() {
            self.flush(lane)?;
            self.lanes[lane].gathered = Vec::new();
        }
        let store = Arc::new(match self.file {
            Some(file) => Store::File(file),
            None => Store::Memory(self.memory),
        });
        let lane = |w: LaneWriter| Lane {
            store: Arc::clone(&store),
            blocks: w.blocks,
            next: 0,
            buffer: Vec::new(),
            at: 0,
            records: w.records,
        };
        Ok(self.lanes.into_iter().map(lane).collect())
    }
}

/// A file that nobody else can open, and that is gone with its last descriptor.
fn unnamed() -> io::Result<File> {
    let folder = std::env::temp_dir();
    tempfile::tempfile_in(&folder).map_err(|e| {
        let why = format!("no temporary file in {}: {e}; TMPDIR names another folder", folder.display());
        io::Error::new(e.kind(), why)
    })
}

impl Lane {
    /// Records of one round.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// The next record, the first behind the last; none where the lane is empty.
    ///
    /// # Errors
    /// Where the file cannot be read.
    #[inline]
    pub fn next(&mut self) -> io::Result<Option<(u64, &[u8])>> {
        if self.at == self.buffer.len() && !self.refill()? {
            return Ok(None);
        }
        let head = &self.buffer[self.at..self.at + 12];
        let number = u64::from_le_bytes(head[..8].try_into().expect("eight octets"));
        let octets = u32::from_le_bytes(head[8..].try_into().expect("four octets")) as usize;
        let start = self.at + 12;
        self.at = start + octets;
        Ok(Some((number, &self.buffer[start..start + octets])))
    }

    fn refill(&mut self) -> io::Result<bool> {
        let Some(block) = self.blocks.get(self.next).copied() else { return Ok(false) };
        self.buffer.resize(block.octets as usize, 0);
        match &*self.store {
            Store::Memory(octets) => {
                let from = block.at as usize;
                self.buffer.copy_from_slice(&octets[from..from + block.octets as usize]);
            }
            Store::File(file) => file.read_exact_at(&mut self.buffer, block.at)?,
        }
        self.next = if self.next + 1 == self.blocks.len() { 0 } else { self.next + 1 };
        self.at = 0;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_come_back_in_order_and_in_a_circle() {
        let mut writer = Writer::new(3);
        for i in 0..5000u64 {
            writer.push((i % 2) as usize, i, &vec![i as u8; (i % 300) as usize]).unwrap();
        }
        let mut lanes = writer.finish().unwrap();
        assert!(lanes[2].next().unwrap().is_none());
        assert_eq!(lanes[0].records(), 2500);
        for (lane, first) in [(0, 0u64), (1, 1)] {
            for round in 0..6000 {
                let i = first + 2 * (round % 2500);
                let (number, octets) = lanes[lane].next().unwrap().unwrap();
                assert_eq!((number, octets.len()), (i, (i % 300) as usize));
                assert!(octets.iter().all(|o| *o == i as u8));
            }
        }
    }

    #[test]
    fn a_large_spool_leaves_memory_and_reads_the_same() {
        let mut writer = Writer::new(2);
        let record = vec![7u8; 100_000];
        let records = 2 * IN_MEMORY as u64 / 100_000;
        for i in 0..records {
            writer.push(usize::from(i % 10 == 0), i, &record).unwrap();
        }
        assert!(writer.file.is_some() && writer.memory.is_empty());
        let mut lanes = writer.finish().unwrap();
        for i in (0..records).filter(|i| i % 10 == 0) {
            let (number, octets) = lanes[1].next().unwrap().unwrap();
            assert_eq!((number, octets), (i, &record[..]));
        }
        assert!(lanes[1].buffer.capacity() < 2 * LARGEST_BLOCK + 200_000);
    }
}
