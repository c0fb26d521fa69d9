//! The flow table (RFC 2722 §3 and §6): one bidirectional record per key, for all rule sets together.

use super::slots::slot;
use csn::{Counts, Nanos};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

/// Words that a record holds in itself; longer keys lie elsewhere.
const INLINE: usize = 8;
/// Records that one call of [`FlowTable::sweep`] looks at.
const SWEEP: usize = 512;
/// With a full table, all records are looked at for one to recover at most this often.
const FULL_SWEEP: Nanos = Nanos::from_millis(100);

/// A flow key: the rule set and the shape, and the values of the attributes of that shape.
#[derive(Clone, Debug)]
pub struct FlowKey {
    /// Place of the rule set, and number of the shape there.
    head: u64,
    len: usize,
    words: [u64; slot::COUNT],
}

impl Default for FlowKey {
    fn default() -> Self {
        Self { head: 0, len: 0, words: [0; slot::COUNT] }
    }
}

impl FlowKey {
    /// Becomes the key of that rule set, shape and values.
    #[inline]
    pub fn fill(&mut self, set: usize, shape: u32, words: impl Iterator<Item = u64>) {
        self.head = (set as u64) << 32 | u64::from(shape);
        self.len = 0;
        for (place, word) in self.words.iter_mut().zip(words) {
            *place = word;
            self.len += 1;
        }
    }

    #[inline]
    fn words(&self) -> &[u64] {
        &self.words[..self.len]
    }
}

/// Which counters of a record a packet belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From source to destination: `To*`.
    To,
    /// From destination to source: `From*`.
    From,
}

/// The state of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Free.
    Inactive,
    /// In use.
    Current,
    /// In use, without packets for the inactivity timeout.
    Idle,
}

/// The record of one flow. Its counters only ever grow: reading does not clear them.
#[derive(Debug)]
pub struct Record {
    head: u64,
    hash: u64,
    len: usize,
    inline: [u64; INLINE],
    spilled: Option<Box<[u64]>>,
    state: State,
    /// What a class of the notation makes of it: `FlowKind << 8 | FlowClass`.
    pub label: u16,
    /// From source to destination.
    pub to: Counts,
    /// From destination to source.
    pub from: Counts,
    /// Time of the first packet. A new flow in an old record is told from the old one by it.
    pub first: Nanos,
    /// Time of the last packet.
    pub last: Nanos,
}

impl Record {
    fn new(key: &FlowKey, hash: u64, label: u16, now: Nanos) -> Self {
        let mut inline = [0; INLINE];
        let kept = key.len.min(INLINE);
        inline[..kept].copy_from_slice(&key.words[..kept]);
        let spilled = (key.len > INLINE).then(|| key.words().into());
        let none = Counts::default();
        Self {
            head: key.head,
            hash,
            len: key.len,
            inline,
            spilled,
            state: State::Current,
            label,
            to: none,
            from: none,
            first: now,
            last: now,
        }
    }

    /// Place of the rule set.
    pub fn set(&self) -> usize {
        (self.head >> 32) as usize
    }

    /// Number of the key's shape, in its rule set.
    pub fn shape(&self) -> u32 {
        self.head as u32
    }

    /// Values of the key, in the order of the shape.
    #[inline]
    pub fn words(&self) -> &[u64] {
        self.spilled.as_deref().unwrap_or(&self.inline[..self.len.min(INLINE)])
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }
}

/// When a reader has read. It is registered as long as it stands in the table.
#[derive(Clone, Copy, Debug, Default)]
struct Reader {
    last: Option<Nanos>,
    previous: Option<Nanos>,
    /// It is not registered any more; its number is free.
    gone: bool,
}

/// All flow records.
#[derive(Debug)]
pub struct FlowTable {
    index: HashTable<u32>,
    records: Vec<Record>,
    free: Vec<u32>,
    limit: usize,
    timeout: Nanos,
    readers: Vec<Reader>,
    cursor: usize,
    last_full_sweep: Nanos,
    hasher: DefaultHashBuilder,
    retired: BTreeMap<(usize, u16), Counts>,
    recovered: u64,
}

impl FlowTable {
    /// A table of at most `limit` records that are idle after `timeout` without packets.
    pub fn new(limit: usize, timeout: Nanos) -> Self {
        Self {
            index: HashTable::new(),
            records: Vec::new(),
            free: Vec::new(),
            limit: limit.min(u32::MAX as usize),
            timeout,
            readers: Vec::new(),
            cursor: 0,
            last_full_sweep: Nanos(0),
            hasher: DefaultHashBuilder::default(),
            retired: BTreeMap::new(),
            recovered: 0,
        }
    }

    #[inline]
    fn hash(&self, key: &FlowKey) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(key.head);
        for word in key.words() {
            hasher.write_u64(*word);
        }
        hasher.finish()
    }

    /// The record with that key.
    #[inline]
    pub fn find(&self, key: &FlowKey) -> Option<u32> {
        let same = |i: &u32| {
            let r = &self.records[*i as usize];
            r.head == key.head && r.words() == key.words()
        };
        self.index.find(self.hash(key), same).copied()
    }

    /// Adds a packet to a record. An idle flow that gets a packet is current again.
    #[inline]
    pub fn count(&mut self, record: u32, direction: Direction, bytes: u64, now: Nanos) {
        let r = &mut self.records[record as usize];
        match direction {
            Direction::To => r.to.add(bytes),
            Direction::From => r.from.add(bytes),
        }
        r.last = r.last.max(now);
        r.state = State::Current;
    }

    /// Makes a record for a key that has none: an inactive one, else one that can be recovered. None where the
    /// table is full of flows that are current or not collected yet.
    pub fn create(&mut self, key: &FlowKey, label: u16, now: Nanos) -> Option<u32> {
        let record = Record::new(key, self.hash(key), label, now);
        if self.free.is_empty() && self.records.len() >= self.limit {
            self.sweep_all(now);
        }
        let place = match self.free.pop() {
            Some(place) => {
                self.records[place as usize] = record;
                place
            }
            None if self.records.len() < self.limit => {
                self.records.push(record);
                self.records.len() as u32 - 1
            }
            None => return None,
        };
        let records = &self.records;
        let hash = records[place as usize].hash;
        self.index.insert_unique(hash, place, |i| records[*i as usize].hash);
        Some(place)
    }

    /// Looks at the next records: those without packets for the timeout become idle, and idle ones that every
    /// reader has collected are recovered. To be called now and then.
    pub fn sweep(&mut self, now: Nanos) {
        for _ in 0..SWEEP.min(self.records.len()) {
            self.cursor = (self.cursor + 1) % self.records.len();
            self.age(self.cursor, now);
        }
    }

    fn sweep_all(&mut self, now: Nanos) {
        if now.0.saturating_sub(self.last_full_sweep.0) < FULL_SWEEP.0 && self.last_full_sweep.0 != 0 {
            return;
        }
        self.last_full_sweep = now;
        for place in 0..self.records.len() {
            self.age(place, now);
        }
    }

    fn age(&mut self, place: usize, now: Nanos) {
        let r = &mut self.records[place];
        if r.state == State::Current && now.0.saturating_sub(r.last.0) >= self.timeout.0 {
            r.state = State::Idle;
        }
        let last = r.last;
        if r.state == State::Idle
            && self.readers.iter().all(|reader| reader.gone || reader.previous > Some(last))
        {
            self.recover(place);
        }
    }

    /// Frees a record. What it counted stays in the sums by label.
    fn recover(&mut self, place: usize) {
        let r = &mut self.records[place];
        r.state = State::Inactive;
        let sum = self.retired.entry((r.set(), r.label)).or_default();
        *sum += r.to;
        *sum += r.from;
        if let Ok(entry) = self.index.find_entry(r.hash, |i| *i as usize == place) {
            entry.remove();
        }
        self.free.push(place as u32);
        self.recovered += 1;
    }

    /// Registers a reader: no record is recovered before it has collected it. The answer is its number.
    pub fn register(&mut self) -> usize {
        match self.readers.iter().position(|r| r.gone) {
            Some(free) => {
                self.readers[free] = Reader::default();
                free
            }
            None => {
                self.readers.push(Reader::default());
                self.readers.len() - 1
            }
        }
    }

    /// Forgets a reader: no record waits for it any more.
    pub fn forget(&mut self, reader: usize) {
        self.readers[reader].gone = true;
    }

    /// Notes that a reader begins to collect, and gives the flows that it has to read: those that had packets
    /// since it last did.
    ///
    /// A flow counts as collected when it has been silent since the collection before the last, so that a
    /// reader whose last answer was lost can ask again.
    pub fn collect(&mut self, reader: usize, now: Nanos) -> impl Iterator<Item = (u32, &Record)> {
        let r = &mut self.readers[reader];
        r.previous = r.last;
        r.last = Some(now);
        let since = r.previous;
        self.flows().filter(move |(_, record)| Some(record.last) >= since)
    }

    /// Every flow with its index (from 1), whether current or idle.
    pub fn flows(&self) -> impl Iterator<Item = (u32, &Record)> {
        (1..).zip(&self.records).filter(|(_, r)| r.state != State::Inactive)
    }

    /// Packets by rule set and label, of all flows there ever were.
    pub fn sums(&self) -> BTreeMap<(usize, u16), Counts> {
        let mut sums = self.retired.clone();
        for (_, r) in self.flows() {
            let sum = sums.entry((r.set(), r.label)).or_default();
            *sum += r.to;
            *sum += r.from;
        }
        sums
    }

    /// How many records are in use.
    pub fn active(&self) -> usize {
        self.records.len() - self.free.len()
    }

    /// How many records were recovered.
    pub fn recovered(&self) -> u64 {
        self.recovered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> FlowKey {
        let mut k = FlowKey::default();
        k.fill(0, 1, (0..3 + n % 12).map(|i| n * 100 + i));
        k
    }

    fn packet(t: &mut FlowTable, n: u64, now: u64) -> bool {
        let now = Nanos::from_secs(now);
        let Some(r) = t.find(&key(n)).or_else(|| t.create(&key(n), n as u16, now)) else { return false };
        t.count(r, Direction::To, 100, now);
        true
    }

    #[test]
    fn idle_flows_are_recovered_when_every_reader_has_them() {
        let mut t = FlowTable::new(100, Nanos::from_secs(10));
        let reader = t.register();
        let state = |t: &FlowTable| t.flows().next().map(|(_, r)| r.state());
        packet(&mut t, 1, 1);
        t.sweep(Nanos::from_secs(10));
        assert_eq!(state(&t), Some(State::Current));
        t.sweep(Nanos::from_secs(11));
        assert_eq!(state(&t), Some(State::Idle), "idle, but not collected");
        packet(&mut t, 1, 12);
        assert_eq!(state(&t), Some(State::Current), "a packet wakes it");
        t.sweep(Nanos::from_secs(22));
        for (at, read, left) in [(22, 1, Some(State::Idle)), (23, 0, None)] {
            assert_eq!(t.collect(reader, Nanos::from_secs(at)).count(), read, "{at}");
            t.sweep(Nanos::from_secs(at));
            assert_eq!(state(&t), left, "{at}");
        }
        assert_eq!((t.active(), t.recovered()), (0, 1));
        assert_eq!(t.sums()[&(0, 1)].packets, 2, "what it counted is kept");
    }

    #[test]
    fn nothing_waits_for_a_reader_that_is_forgotten() {
        let mut t = FlowTable::new(100, Nanos::from_secs(10));
        let readers = [t.register(), t.register()];
        packet(&mut t, 1, 1);
        for at in [12, 13] {
            assert_eq!(t.collect(readers[0], Nanos::from_secs(at)).count(), usize::from(at == 12));
        }
        t.sweep(Nanos::from_secs(13));
        assert_eq!(t.active(), 1, "the other reader has not collected it");
        t.forget(readers[1]);
        t.sweep(Nanos::from_secs(13));
        assert_eq!(t.active(), 0);
        assert_eq!(t.register(), readers[1]);
    }

    #[test]
    fn without_a_reader_being_idle_is_enough() {
        let mut t = FlowTable::new(100, Nanos::from_secs(10));
        packet(&mut t, 1, 1);
        t.sweep(Nanos::from_secs(11));
        assert_eq!(t.active(), 0);
    }

    #[test]
    fn a_full_table_recovers_what_it_can_and_refuses_the_rest() {
        let mut t = FlowTable::new(50, Nanos::from_secs(10));
        for n in 0..50 {
            assert!(packet(&mut t, n, 1 + n / 25));
        }
        assert!(!packet(&mut t, 50, 3), "all are current");
        assert!(packet(&mut t, 0, 10));
        assert!(packet(&mut t, 51, 11), "24 are idle by now");
        assert_eq!(t.active(), 27);
        for n in (25..50).chain([0, 51]) {
            assert!(t.find(&key(n)).is_some(), "{n}");
        }
        assert!((1..25).all(|n| t.find(&key(n)).is_none()));
        assert_eq!(t.sums().values().map(|c| c.packets).sum::<u64>(), 52);
    }

    /// The rolling counters of RFC 2722 §3.3: the start time tells a flow that goes on from a new one.
    #[test]
    fn differences_of_rolling_counters_are_exact() {
        // what an analysis application does with two readings of the same key
        let total = |old: &(Nanos, u64), new: &(Nanos, u64)| match old.0 == new.0 {
            true => new.1,
            false => old.1 + new.1,
        };
        let reading = |t: &mut FlowTable, reader, at| {
            t.collect(reader, Nanos::from_secs(at)).map(|(_, r)| (r.first, r.to.packets)).collect::<Vec<_>>()
        };
        let mut t = FlowTable::new(10, Nanos::from_secs(2));
        let reader = t.register();
        (0..2000).for_each(|_| assert!(packet(&mut t, 1, 1)));
        let old = reading(&mut t, reader, 2);
        assert_eq!(old, [(Nanos::from_secs(1), 2000)]);
        (0..1000).for_each(|_| assert!(packet(&mut t, 1, 3)));
        let new = reading(&mut t, reader, 4);
        assert_eq!(new, [(Nanos::from_secs(1), 3000)], "reading clears nothing");
        assert_eq!(total(&old[0], &new[0]), 3000);
        // the same key again, after the record was recovered
        let mut t = FlowTable::new(10, Nanos::from_secs(2));
        let reader = t.register();
        (0..2000).for_each(|_| assert!(packet(&mut t, 1, 1)));
        let old = reading(&mut t, reader, 2);
        reading(&mut t, reader, 4);
        t.sweep(Nanos::from_secs(4));
        (0..1000).for_each(|_| assert!(packet(&mut t, 1, 5)));
        let new = reading(&mut t, reader, 6);
        assert_eq!(new, [(Nanos::from_secs(5), 1000)]);
        assert_eq!(total(&old[0], &new[0]), 3000);
    }
}
