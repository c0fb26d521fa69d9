//! A component at work: whose flow is next, and how large its packet is.

use super::pick::Pick;
use super::sizes::{Payloads as Weighted, Table, payload_for};
use crate::dist::{Blocks, Rng};
use crate::frame::{Payloads, Template};
use crate::tx::Slot;
use csn::{Layer, Target};
use std::sync::Arc;

/// A flow at work.
pub struct Flow {
    /// The template of its next packet.
    pub next: u32,
    /// Added to `next` after each packet of one way, taken off after one of the other; 0 for flows that go one way.
    pub turn: i32,
    /// The place of its own table of sizes, or [`NO_TABLE`].
    pub table: u32,
}

/// A flow that has the sizes of its component.
pub const NO_TABLE: u32 = u32::MAX;

/// Where sizes come from.
pub enum Sizing {
    /// Every packet is as its template was built.
    Built,
    /// Drawn for each packet.
    Drawn(Box<Blocks>, Layer),
}

/// A component at work.
pub struct Part {
    /// What it is aimed at.
    pub target: Target,
    /// Its flows.
    pub flows: Vec<Flow>,
    /// In which order these take their turns.
    pub pick: Pick,
    /// Sizes of the flows that have no table.
    pub sizing: Sizing,
    /// Sizes of flows under a rule on the length.
    pub tables: Vec<Table>,
    /// The frames of its flows.
    pub templates: Vec<Template>,
    /// What is in them.
    pub store: Arc<Payloads>,
    /// Randomness of order and tables.
    pub rng: Rng,
    /// Kinds of flows that have the same sizes: a template, how many flows, payloads with probabilities.
    pub kinds: Vec<(usize, usize, Weighted)>,
}

impl Part {
    /// Writes the next packet and answers its rule.
    #[inline]
    pub fn write(&mut self, slot: &mut Slot) -> Option<u32> {
        let i = self.pick.next(self.flows.len(), &mut self.rng);
        slot.flow = i as u32;
        let flow = &mut self.flows[i];
        let template = &self.templates[flow.next as usize];
        flow.next = flow.next.wrapping_add_signed(flow.turn);
        flow.turn = -flow.turn;
        let payload = if flow.table != NO_TABLE {
            self.tables[flow.table as usize].pick(&mut self.rng)
        } else {
            match &mut self.sizing {
                Sizing::Built => template.built(),
                // sizes that were too small have been refused or raised by the planner
                Sizing::Drawn(sizes, layer) => {
                    payload_for(*layer, sizes.draw(), template.link(), template.headers()).unwrap_or(0)
                }
            }
        };
        template.write(&self.store, payload, slot);
        template.rule
    }

    /// The mean size of its packets at a layer.
    pub fn mean(&self, layer: Layer) -> f64 {
        let flows: usize = self.kinds.iter().map(|k| k.1).sum();
        let sum: f64 = self
            .kinds
            .iter()
            .map(|(template, count, payloads)| {
                let template = &self.templates[*template];
                let mean: f64 = payloads.iter().map(|(n, p)| template.bytes_at(layer, *n) as f64 * p).sum();
                mean * *count as f64
            })
            .sum();
        sum / flows as f64
    }

    /// The longest frame.
    pub fn longest(&self) -> usize {
        let longest = |(template, _, payloads): &(usize, usize, Weighted)| {
            let most = payloads.iter().map(|(n, _)| *n).max().unwrap_or(0);
            self.templates[*template].headers() + most
        };
        self.kinds.iter().map(longest).max().unwrap_or(0)
    }
}
