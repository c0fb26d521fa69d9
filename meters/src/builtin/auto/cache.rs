//! The flow cache: records by key, laid out so that a packet touches two lines of memory, and so that the lines of many
//! packets are fetched at once.
//!
//! ```text
//! hash ─► bucket (a line: 7 slots of tag and record, a count of records that went on) ─► record (a line or two)
//! ```
//!
//! With a million flows nearly every packet misses the processor's caches, twice, one after the other. So packets are
//! taken in groups: [`Cache::fetch`] looks into the buckets of all, then into the records of all. The loads of a loop do
//! not depend on each other, and the processor has many of them on the way at once.

use super::attributes::MOST_WORDS;
use csn::{Counts, Nanos};

/// Packets that are looked up together.
pub const GROUP: usize = 32;
/// Words of a line of the processor's caches, and octets.
const LINE: usize = 8;
const LINE_OCTETS: usize = 64;
/// Slots of a bucket; the word behind them counts the records that found it full and went on.
const SLOTS: usize = LINE - 1;
/// Words of a record behind its key: packets, octets, first and last time.
const COUNTERS: usize = 4;

/// A packet that is to be counted.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Its key; words behind the layout's mean nothing.
    pub key: [u64; MOST_WORDS],
    /// The key's hash.
    pub hash: u64,
    /// Octets.
    pub bytes: u64,
    /// When it came.
    pub time: Nanos,
    /// Whether it belongs into the cache of IPv6 flows.
    pub wide: bool,
}

impl Packet {
    /// None.
    pub const NONE: Packet = Packet { key: [0; MOST_WORDS], hash: 0, bytes: 0, time: Nanos(0), wide: false };
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// The key.
    pub key: &'a [u64],
    /// Packets and octets.
    pub counts: Counts,
    /// Time of the first packet.
    pub first: Nanos,
    /// Time of the last packet.
    pub last: Nanos,
}

/// Records of keys of one length.
#[derive(Debug)]
pub struct Cache {
    /// Words of a key.
    words: usize,
    /// Words of a record: whole lines.
    stride: usize,
    buckets: Vec<u64>,
    /// Where the first line of `buckets` begins.
    buckets_at: usize,
    mask: u64,
    records: Vec<u64>,
    records_at: usize,
    free: Vec<u32>,
    /// Two numbers that nobody outside knows.
    seed: [u64; 2],
}

impl Cache {
    /// For keys of so many words, with room for `limit` records. Memory is used as records come.
    pub fn new(words: usize, limit: usize, seed: [u64; 2]) -> Self {
        let stride = (words + COUNTERS).next_multiple_of(LINE);
        // a little more than half full at most, so that few records go on to the next bucket
        let count = (limit + limit / 2).div_ceil(SLOTS).next_power_of_two().max(4);
        let buckets = vec![0; (count + 1) * LINE];
        let mut records = Vec::with_capacity(limit.saturating_mul(stride).saturating_add(LINE));
        let records_at = first_line(&records);
        records.resize(records_at, 0);
        Self {
            words,
            stride,
            buckets_at: first_line(&buckets),
            buckets,
            mask: count as u64 - 1,
            records,
            records_at,
            free: Vec::new(),
            // an even factor would lose bits
            seed: [seed[0], seed[1] | 1],
        }
    }

    /// The hash of a key.
    #[inline]
    pub fn hash(&self, key: &[u64; MOST_WORDS]) -> u64 {
        let mut hash = self.seed[0];
        for word in &key[..self.words] {
            hash = folded(hash ^ word, self.seed[1]);
        }
        hash
    }

    #[inline(always)]
    fn bucket(&self, bucket: u64) -> &[u64] {
        &self.buckets[self.buckets_at + bucket as usize * LINE..][..LINE]
    }

    #[inline(always)]
    fn bucket_mut(&mut self, bucket: u64) -> &mut [u64] {
        &mut self.buckets[self.buckets_at + bucket as usize * LINE..][..LINE]
    }

    #[inline(always)]
    fn record(&self, place: usize) -> &[u64] {
        &self.records[self.records_at + place * self.stride..][..self.stride]
    }

    #[inline(always)]
    fn record_mut(&mut self, place: usize) -> &mut [u64] {
        &mut self.records[self.records_at + place * self.stride..][..self.stride]
    }

    /// Looks at what the packets of a group will need, and answers something that depends on all of it, so that no
    /// load is left out.
    #[inline]
    pub fn fetch(&self, packets: &[Packet], wide: bool) -> u64 {
        let mut places = [0u32; GROUP];
        for (place, p) in places.iter_mut().zip(packets) {
            let tag = tag(p.hash);
            let mut found = 0;
            for slot in &self.bucket(p.hash & self.mask)[..SLOTS] {
                // at most one in practice; a wrong one costs a needless load
                found |= if slot >> 32 == tag { *slot as u32 } else { 0 };
            }
            *place = if p.wide == wide { found } else { 0 };
        }
        let mut sum = 0;
        for place in &places[..packets.len().min(GROUP)] {
            let at = self.records_at + (*place as usize).saturating_sub(1) * self.stride;
            sum ^= self.records.get(at).copied().unwrap_or(0);
        }
        sum
    }

    /// The place of the record with that key.
    #[inline]
    pub fn find(&self, key: &[u64; MOST_WORDS], hash: u64) -> Option<usize> {
        let tag = tag(hash);
        let mut bucket = hash & self.mask;
        for _ in 0..=self.mask {
            let line = self.bucket(bucket);
            for slot in &line[..SLOTS] {
                if slot >> 32 == tag {
                    let place = (*slot as u32 - 1) as usize;
                    if self.record(place)[..self.words] == key[..self.words] {
                        return Some(place);
                    }
                }
            }
            if line[SLOTS] == 0 {
                return None;
            }
            bucket = (bucket + 1) & self.mask;
        }
        None
    }

    /// Adds a packet to a record.
    #[inline]
    pub fn count(&mut self, place: usize, bytes: u64, now: Nanos) {
        let words = self.words;
        let counters = &mut self.record_mut(place)[words..words + COUNTERS];
        counters[0] += 1;
        counters[1] += bytes;
        counters[3] = counters[3].max(now.0);
    }

    /// The first packet's time.
    #[inline]
    pub fn first(&self, place: usize) -> Nanos {
        Nanos(self.record(place)[self.words + 2])
    }

    /// Lets a record begin anew, without packets.
    pub fn restart(&mut self, place: usize, now: Nanos) {
        let words = self.words;
        self.record_mut(place)[words..words + COUNTERS].copy_from_slice(&[0, 0, now.0, now.0]);
    }

    /// Makes a record for a key that has none. It has no packets yet.
    pub fn insert(&mut self, key: &[u64; MOST_WORDS], hash: u64, now: Nanos) -> usize {
        let place = match self.free.pop() {
            Some(place) => place as usize,
            None => {
                self.records.resize(self.records.len() + self.stride, 0);
                self.places() - 1
            }
        };
        let words = self.words;
        self.record_mut(place)[..words].copy_from_slice(&key[..words]);
        self.restart(place, now);
        let mut bucket = hash & self.mask;
        // there are more slots than records, so one is free
        loop {
            let line = self.bucket_mut(bucket);
            if let Some(slot) = line[..SLOTS].iter_mut().find(|s| **s == 0) {
                *slot = tag(hash) << 32 | (place as u64 + 1);
                return place;
            }
            line[SLOTS] += 1;
            bucket = (bucket + 1) & self.mask;
        }
    }

    /// Takes a record out.
    pub fn remove(&mut self, place: usize) {
        let mut key = [0; MOST_WORDS];
        key[..self.words].copy_from_slice(&self.record(place)[..self.words]);
        let hash = self.hash(&key);
        let wanted = tag(hash) << 32 | (place as u64 + 1);
        let mut bucket = hash & self.mask;
        for _ in 0..=self.mask {
            let line = self.bucket_mut(bucket);
            if let Some(slot) = line[..SLOTS].iter_mut().find(|s| **s == wanted) {
                *slot = 0;
                self.restart(place, Nanos(0));
                self.free.push(place as u32);
                return;
            }
            line[SLOTS] -= 1;
            bucket = (bucket + 1) & self.mask;
        }
    }

    /// Places for records, free ones included.
    pub fn places(&self) -> usize {
        (self.records.len() - self.records_at) / self.stride
    }

    /// Records in use.
    pub fn used(&self) -> usize {
        self.places() - self.free.len()
    }

    /// What a record holds; none where it is free.
    pub fn get(&self, place: usize) -> Option<Record<'_>> {
        let words = self.record(place);
        let c = &words[self.words..self.words + COUNTERS];
        (c[0] > 0).then(|| Record {
            key: &words[..self.words],
            counts: Counts { packets: c[0], bytes: c[1] },
            first: Nanos(c[2]),
            last: Nanos(c[3]),
        })
    }
}

/// The first place of a vector that begins a line.
fn first_line(words: &[u64]) -> usize {
    words.as_ptr().align_offset(LINE_OCTETS).min(LINE)
}

/// What a slot holds of a hash; the bucket comes from other bits.
#[inline(always)]
fn tag(hash: u64) -> u64 {
    // never 0, as free slots are
    hash >> 32 | 1
}

/// Both halves of the product: every bit of the result depends on every bit of the factors.
#[inline(always)]
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::sample::Random;
    use std::collections::HashMap;

    fn key(n: u64) -> [u64; MOST_WORDS] {
        let mut key = [u64::MAX; MOST_WORDS];
        (key[0], key[1]) = (n % 17, n);
        key
    }

    /// Beside a map of the standard library, through many insertions and removals, with buckets that run over.
    #[test]
    fn it_holds_what_a_map_holds() {
        let limit = 300;
        let mut cache = Cache::new(2, limit, [1, 2]);
        let mut map: HashMap<u64, Counts> = HashMap::new();
        let mut random = Random::new(7);
        let mut went_on = 0;
        for step in 0..60_000u64 {
            let n = random.below(400) as u64;
            let hash = cache.hash(&key(n));
            let found = cache.find(&key(n), hash);
            assert_eq!(found.is_some(), map.contains_key(&n), "step {step}");
            match found {
                Some(place) if random.chance(40) => {
                    assert_eq!(cache.get(place).map(|r| r.counts), map.remove(&n));
                    cache.remove(place);
                    assert_eq!(cache.get(place), None);
                }
                Some(place) => {
                    cache.count(place, n, Nanos(step));
                    map.entry(n).or_default().add(n);
                }
                None if map.len() < limit => {
                    let place = cache.insert(&key(n), hash, Nanos(step));
                    cache.count(place, n, Nanos(step));
                    map.entry(n).or_default().add(n);
                }
                None => {}
            }
            went_on += cache.bucket(hash & cache.mask)[SLOTS];
            assert_eq!(cache.used(), map.len());
        }
        assert!(went_on > 0, "no bucket was ever full: {}", cache.mask + 1);
        let all: u64 = (0..cache.places()).filter_map(|p| cache.get(p)).map(|r| r.counts.packets).sum();
        assert_eq!(all, map.values().map(|c| c.packets).sum::<u64>());
    }

    #[test]
    fn records_of_usual_keys_fill_one_line_each() {
        let cache = Cache::new(2, 100, [1, 2]);
        assert_eq!(cache.stride, LINE);
        let at = cache.records.as_ptr().wrapping_add(cache.records_at) as usize;
        assert_eq!((at % LINE_OCTETS, cache.places()), (0, 0));
    }
}
