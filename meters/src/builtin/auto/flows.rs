//! Flows from their first packet to the record that tells of them: idle and active timeouts, and what happens when more
//! flows come than there is room for.

use super::attributes::{Layout, Seen};
use super::cache::{Cache, Packet};
use super::records::{EndReason, FlowRecord, Records};
use crate::export::Shared;
use crate::meter::MeterError;
use csn::{Field, Nanos};
use std::hash::{BuildHasher, RandomState};

/// What is done when there is no room for another flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overload {
    /// The flow that has been silent the longest, of some that are looked at, ends.
    Evict,
    /// All flows end, and from then on flows have one attribute less: the last.
    Coarse,
    /// All flows end, and from then on half as many packets are metered.
    Sample,
    /// Packets of flows that have no record are not counted.
    Stop,
}

impl Overload {
    /// The names, in order.
    pub const NAMES: [&str; 4] = ["evict", "coarse", "sample", "stop"];
    /// What stands for each name.
    pub const ALL: [Overload; 4] = [Overload::Evict, Overload::Coarse, Overload::Sample, Overload::Stop];
}

/// When flows end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records at once.
    pub flows: usize,
    /// A flow ends when it had no packet for so long.
    pub idle: Nanos,
    /// A flow's record is told when it lasts so long, and a new one begins.
    pub active: Nanos,
    /// What is done when there is no room.
    pub overload: Overload,
}

/// Records that are looked at for one to evict.
const CANDIDATES: usize = 16;
/// All records are looked at once in this time for those whose flows have ended.
const ROUND: Nanos = Nanos::from_secs(1);

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Happened {
    /// Records told, by [`EndReason`].
    pub ended: [u64; EndReason::NAMES.len()],
    /// Changes of attributes or sampling.
    pub changes: u64,
    /// Packets that found no room.
    pub flooded: u64,
    /// Packets left out by sampling.
    pub sampled_out: u64,
}

/// What flows are.
#[derive(Clone)]
pub struct Conditions {
    layouts: [Layout; 2],
    sampling: u64,
}

/// The caches of all flows, and where their records go.
pub struct Flows {
    attributes: Vec<Field>,
    layouts: [Layout; 2],
    caches: [Cache; 2],
    limits: Limits,
    seed: [u64; 2],
    /// One packet of so many is metered.
    sampling: u64,
    random: u64,
    /// Where the search for ended flows, and that for a victim, goes on: cache and place.
    cursor: [(usize, usize); 2],
    swept: Option<Nanos>,
    before: Conditions,
    records: Records,
    /// What happened so far.
    pub happened: Happened,
}

fn layouts(attributes: &[Field]) -> [Layout; 2] {
    [Layout::new(attributes, false), Layout::new(attributes, true)]
}

fn caches(layouts: &[Layout; 2], flows: usize, seed: [u64; 2]) -> [Cache; 2] {
    layouts.each_ref().map(|l| Cache::new(l.words, flows, seed))
}

impl Flows {
    /// No flows yet.
    pub fn new(attributes: &[Field], limits: Limits, records: Records) -> Self {
        let seed = [0u64, 1].map(|n| RandomState::new().hash_one(n));
        let layouts = layouts(attributes);
        Self {
            attributes: attributes.to_vec(),
            caches: caches(&layouts, limits.flows, seed),
            before: Conditions { layouts: layouts.clone(), sampling: 1 },
            layouts,
            limits,
            seed,
            sampling: 1,
            random: seed[0] | 1,
            cursor: [(0, 0); 2],
            swept: None,
            records,
            happened: Happened::default(),
        }
    }

    /// Exports records from now on.
    pub fn export(&mut self, exporter: &Shared) {
        self.records.export(exporter);
    }

    /// Whether the next packet is metered.
    #[inline]
    pub fn select(&mut self) -> bool {
        self.sampling == 1 || self.one_of(self.sampling)
    }

    /// True once in `n` times; `n` is a power of two.
    fn one_of(&mut self, n: u64) -> bool {
        // xorshift64*: which packets are left out must not follow the traffic
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let chosen = self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32 & (n - 1) == 0;
        self.happened.sampled_out += u64::from(!chosen);
        chosen
    }

    /// The key of a packet, and its hash.
    #[inline]
    pub fn pack(&self, seen: &Seen, packet: &mut Packet) {
        packet.wide = seen.v6;
        let which = usize::from(seen.v6);
        self.layouts[which].pack(seen, &mut packet.key);
        packet.hash = self.caches[which].hash(&packet.key);
    }

    /// Looks at what the packets of a group will need; see [`Cache::fetch`].
    #[inline]
    pub fn fetch(&self, group: &[Packet]) {
        std::hint::black_box(self.caches[0].fetch(group, false));
        if group.iter().any(|p| p.wide) {
            std::hint::black_box(self.caches[1].fetch(group, true));
        }
    }

    /// Counts a packet of a group. True where all packets behind it have to be packed and selected again, as what
    /// flows are has changed.
    ///
    /// # Errors
    /// Records that can't be written.
    #[inline]
    pub fn count(&mut self, p: &Packet) -> Result<bool, MeterError> {
        let cache = &mut self.caches[usize::from(p.wide)];
        if let Some(place) = cache.find(&p.key, p.hash) {
            if p.time.0.saturating_sub(cache.first(place).0) >= self.limits.active.0 {
                self.told(usize::from(p.wide), place, EndReason::Active)?;
                self.caches[usize::from(p.wide)].restart(place, p.time);
            }
            self.caches[usize::from(p.wide)].count(place, p.bytes, p.time);
            return Ok(false);
        }
        self.first_packet(p)
    }

    #[cold]
    #[inline(never)]
    fn first_packet(&mut self, p: &Packet) -> Result<bool, MeterError> {
        if self.used() >= self.limits.flows {
            match self.limits.overload {
                Overload::Evict => self.evict()?,
                Overload::Stop => {
                    self.happened.flooded += 1;
                    return Ok(false);
                }
                Overload::Sample => {
                    self.change()?;
                    self.sampling *= 2;
                    // the packet itself falls under what holds from now on
                    if self.one_of(2) {
                        self.insert(p);
                    }
                    return Ok(true);
                }
                Overload::Coarse => {
                    self.change()?;
                    self.attributes.pop();
                    self.layouts = layouts(&self.attributes);
                    self.caches = caches(&self.layouts, self.limits.flows, self.seed);
                    let before = self.before();
                    if let Some(again) = self.again(p, &before) {
                        self.insert(&again);
                    }
                    return Ok(true);
                }
            }
        }
        self.insert(p);
        Ok(false)
    }

    fn insert(&mut self, p: &Packet) {
        let cache = &mut self.caches[usize::from(p.wide)];
        let place = cache.insert(&p.key, p.hash, p.time);
        cache.count(place, p.bytes, p.time);
    }

    /// Ends all flows, so that none goes on under other conditions than it began with, and remembers these.
    fn change(&mut self) -> Result<(), MeterError> {
        self.end_all(EndReason::Resources)?;
        self.before = Conditions { layouts: self.layouts.clone(), sampling: self.sampling };
        self.happened.changes += 1;
        self.records.change();
        Ok(())
    }

    /// What held before the last change.
    pub fn before(&self) -> Conditions {
        self.before.clone()
    }

    /// What a packet becomes that was packed before a change; none where sampling leaves it out by now.
    pub fn again(&mut self, p: &Packet, before: &Conditions) -> Option<Packet> {
        let factor = self.sampling / before.sampling;
        if factor > 1 && !self.one_of(factor) {
            return None;
        }
        let seen = before.layouts[usize::from(p.wide)].unpack(&p.key);
        let mut again = *p;
        self.pack(&seen, &mut again);
        Some(again)
    }

    /// Records in use.
    pub fn used(&self) -> usize {
        self.caches.iter().map(Cache::used).sum()
    }

    /// Tells the record of a flow.
    fn told(&mut self, which: usize, place: usize, end: EndReason) -> Result<(), MeterError> {
        let Some(record) = self.caches[which].get(place) else { return Ok(()) };
        self.happened.ended[end as usize] += 1;
        let key = self.layouts[which].unpack(record.key).key();
        self.records.take(&FlowRecord {
            key: &key,
            counts: record.counts,
            first: record.first,
            last: record.last,
            end,
            sampling: self.sampling,
        })
    }

    fn end(&mut self, which: usize, place: usize, end: EndReason) -> Result<(), MeterError> {
        self.told(which, place, end)?;
        self.caches[which].remove(place);
        Ok(())
    }

    fn end_all(&mut self, end: EndReason) -> Result<(), MeterError> {
        for which in 0..2 {
            for place in 0..self.caches[which].places() {
                if self.caches[which].get(place).is_some() {
                    self.end(which, place, end)?;
                }
            }
        }
        Ok(())
    }

    /// The next place of a walk round all records; none where there are no places.
    fn step(&mut self, walk: usize) -> Option<(usize, usize)> {
        for _ in 0..3 {
            let (which, place) = self.cursor[walk];
            if place < self.caches[which].places() {
                self.cursor[walk].1 += 1;
                return Some((which, place));
            }
            self.cursor[walk] = (1 - which, 0);
        }
        None
    }

    fn evict(&mut self) -> Result<(), MeterError> {
        let mut oldest: Option<(Nanos, usize, usize)> = None;
        let mut looked = 0;
        let places: usize = self.caches.iter().map(Cache::places).sum();
        for _ in 0..places {
            let Some((which, place)) = self.step(1) else { break };
            let Some(record) = self.caches[which].get(place) else { continue };
            let last = record.last;
            if oldest.is_none_or(|(time, ..)| last < time) {
                oldest = Some((last, which, place));
            }
            looked += 1;
            if looked == CANDIDATES {
                break;
            }
        }
        match oldest {
            Some((_, which, place)) => self.end(which, place, EndReason::Resources),
            None => Ok(()),
        }
    }

    /// Ends flows that are due, of as many records as the time since the call before asks for.
    ///
    /// # Errors
    /// Records that can't be written.
    pub fn sweep(&mut self, now: Nanos) -> Result<(), MeterError> {
        let since = now.0.saturating_sub(self.swept.unwrap_or(now).0);
        let places: usize = self.caches.iter().map(Cache::places).sum();
        let share = (since.min(ROUND.0) as u128 * places as u128).div_ceil(u128::from(ROUND.0)) as usize;
        if self.swept.is_some() && share == 0 {
            return Ok(());
        }
        self.swept = Some(now);
        for _ in 0..share {
            let Some((which, place)) = self.step(0) else { break };
            let Some(record) = self.caches[which].get(place) else { continue };
            if now.0.saturating_sub(record.last.0) >= self.limits.idle.0 {
                self.end(which, place, EndReason::Idle)?;
            } else if now.0.saturating_sub(record.first.0) >= self.limits.active.0 {
                self.end(which, place, EndReason::Active)?;
            }
        }
        Ok(())
    }

    /// Ends all flows at the meter's end, and gives what their records came to.
    ///
    /// # Errors
    /// Records that can't be written.
    pub fn finish(&mut self) -> Result<&Records, MeterError> {
        self.end_all(EndReason::Forced)?;
        self.records.finish()?;
        Ok(&self.records)
    }
}
