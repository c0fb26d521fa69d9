//! From a frame to the counters of its flows: both passes of packet matching (RFC 2722 §4.3), for every rule set.

use super::engine::{Engine, Outcome};
use super::slots::{Slots, reversed, slot};
use super::table::{Direction, FlowKey, FlowTable};
use crate::builtin::{Probe, RECEIVE};
use crate::capture::Frame;
use csn::{Counts, Nanos};

/// The elements of the meter, and their places.
pub const ELEMENTS: [&str; 4] = [RECEIVE, "parse", "match", "flow table"];
const PARSE: usize = 1;
const MATCH: usize = 2;
const FLOW_TABLE: usize = 3;

/// What became of the packets that one rule set was offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Counted in a flow.
    pub counted: Counts,
    /// Left aside by the rules.
    pub ignored: u64,
    /// Not counted, as the rules went round and round.
    pub faults: u64,
    /// Not counted, as the flow table was full.
    pub flooded: u64,
}

/// Engines, flow table, and the packet at hand.
#[derive(Debug)]
pub struct Matching {
    engines: Vec<Engine>,
    totals: Vec<Totals>,
    /// Which rule sets packets are offered to.
    running: Vec<bool>,
    table: FlowTable,
    interface: Option<u32>,
    slots: Slots,
    key: FlowKey,
}

impl Matching {
    /// For packets that come in on `interface`.
    pub fn new(engines: Vec<Engine>, table: FlowTable, interface: Option<u32>) -> Self {
        let totals = vec![Totals::default(); engines.len()];
        let running = vec![true; engines.len()];
        Self { engines, totals, running, table, interface, slots: Slots::default(), key: FlowKey::default() }
    }

    /// Offers a packet to every rule set. Each counts it at most once.
    #[inline]
    pub fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        probe.lap(0);
        self.slots.load(frame.bytes, frame.tag, self.interface);
        probe.lap(PARSE);
        for set in 0..self.engines.len() {
            if !self.running[set] {
                continue;
            }
            let forward = self.engines[set].run(&mut self.slots, true);
            probe.lap(MATCH);
            match forward {
                Outcome::NoMatch => self.second_pass(set, frame, probe),
                Outcome::Count(shape) => {
                    let record = self.forward_record(set, shape, frame.time);
                    self.count(set, record, frame);
                    probe.lap(FLOW_TABLE);
                }
                other => self.leave(set, other),
            }
        }
        probe.packet();
        probe.done(1);
    }

    /// The rules with source and destination exchanged. There is never a third pass.
    fn second_pass<P: Probe>(&mut self, set: usize, frame: &Frame<'_>, probe: &mut P) {
        self.slots.reverse();
        let backward = self.engines[set].run(&mut self.slots, false);
        self.slots.reverse();
        probe.lap(MATCH);
        let Outcome::Count(shape) = backward else { return self.leave(set, backward) };
        self.fill(set, shape);
        let record = self.table.find(&self.key).or_else(|| self.create(set, shape, frame.time));
        self.count(set, record.map(|r| (r, Direction::From)), frame);
        probe.lap(FLOW_TABLE);
    }

    fn leave(&mut self, set: usize, outcome: Outcome) {
        match outcome {
            Outcome::Fault => self.totals[set].faults += 1,
            _ => self.totals[set].ignored += 1,
        }
    }

    fn count(&mut self, set: usize, record: Option<(u32, Direction)>, frame: &Frame<'_>) {
        match record {
            Some((record, direction)) => {
                self.table.count(record, direction, frame.length.into(), frame.time);
                self.totals[set].counted.add(frame.length.into());
            }
            None => self.totals[set].flooded += 1,
        }
    }

    /// The record of a packet that matched in the order of the wire: its own, that of the opposite direction, or
    /// a new one.
    #[inline]
    fn forward_record(&mut self, set: usize, shape: u32, now: Nanos) -> Option<(u32, Direction)> {
        self.fill(set, shape);
        if let Some(record) = self.table.find(&self.key) {
            return Some((record, Direction::To));
        }
        let turned = self.engines[set].reverse(shape);
        let engine = &self.engines[set];
        let slots = engine.shapes().get(turned).slots.iter();
        self.key.fill(set, turned, slots.map(|s| engine.word(reversed(*s))));
        if let Some(record) = self.table.find(&self.key) {
            return Some((record, Direction::From));
        }
        self.fill(set, shape);
        self.create(set, shape, now).map(|r| (r, Direction::To))
    }

    #[inline]
    fn fill(&mut self, set: usize, shape: u32) {
        let engine = &self.engines[set];
        self.key.fill(set, shape, engine.shapes().get(shape).slots.iter().map(|s| engine.word(*s)));
    }

    fn create(&mut self, set: usize, shape: u32, now: Nanos) -> Option<u32> {
        let engine = &self.engines[set];
        let slots = &engine.shapes().get(shape).slots;
        let octet = |place| if slots.contains(&place) { engine.word(place) as u16 & 0xff } else { 0 };
        let label = octet(slot::FLOW_KIND) << 8 | octet(slot::FLOW_CLASS);
        self.table.create(&self.key, label, now)
    }

    /// Stops a rule set, and starts another.
    pub fn switch(&mut self, stop: usize, start: Option<usize>) {
        self.running[stop] = false;
        if let Some(start) = start {
            self.running[start] = true;
        }
    }

    /// Starts a rule set.
    pub fn start(&mut self, set: usize) {
        self.running[set] = true;
    }

    /// Which rule sets run.
    pub fn running(&self) -> &[bool] {
        &self.running
    }

    /// What became of the packets, per rule set.
    pub fn totals(&self) -> &[Totals] {
        &self.totals
    }

    /// The rule sets.
    pub fn engines(&self) -> &[Engine] {
        &self.engines
    }

    /// The flows.
    pub fn table(&self) -> &FlowTable {
        &self.table
    }

    /// The flows to collect, and the rule sets that tell what they mean.
    pub fn collecting(&mut self) -> (&mut FlowTable, &[Engine]) {
        (&mut self.table, &self.engines)
    }

    /// The flows, to sweep them.
    pub fn table_mut(&mut self) -> &mut FlowTable {
        &mut self.table
    }
}

#[cfg(test)]
#[path = "matching_tests.rs"]
mod tests;
