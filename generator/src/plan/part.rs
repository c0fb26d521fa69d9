//! A component at work: whose flow is next, and how large its packet is.

use super::churn::Churn;
use super::make::Maker;
use super::pick::Pick;
use super::sizes::{Payloads as Weighted, Table, payload_for};
use crate::dist::{Blocks, Rng};
use crate::frame::{Payloads, Template};
use crate::recorded::Recorded;
use crate::tx::Slot;
use csn::{Layer, Target};
use std::hint::black_box;
use std::sync::Arc;

/// A flow at work.
pub struct Flow {
    /// Packets that it still has, or when it ends, in nanoseconds; of no meaning where flows do not end.
    pub ends: u64,
    /// The place of its own table of sizes, or [`NO_TABLE`].
    pub table: u32,
    /// Which flow of the component it is, of all that there are in the course of a load.
    pub number: u32,
    /// Whether it goes both ways.
    pub both: bool,
    /// Whether its next packet is one of the reply.
    pub reply: bool,
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

/// Flows that have the same sizes.
pub struct Kind {
    /// Octets before the IP header, and of all headers.
    pub link: usize,
    /// As said.
    pub headers: usize,
    /// How many flows.
    pub flows: usize,
    /// Payloads with their probabilities.
    pub payloads: Arc<Weighted>,
}

/// A component at work.
pub struct Part {
    /// What it is aimed at.
    pub target: Target,
    /// Its flows.
    pub flows: Vec<Flow>,
    /// The frames of its flows: one for each, or two where any goes both ways.
    pub templates: Vec<Template>,
    /// How many templates a flow has.
    pub stride: usize,
    /// Whether all flows are alike but for their templates, so that these need not be looked at.
    pub plain: bool,
    /// In which order these take their turns.
    pub pick: Pick,
    /// Where flows end: when, and what comes behind them.
    pub churn: Option<Box<(Churn, Maker)>>,
    /// Sizes of the flows that have no table.
    pub sizing: Sizing,
    /// Sizes of flows under a rule on the length.
    pub tables: Vec<Table>,
    /// What is in the frames.
    pub store: Arc<Payloads>,
    /// Randomness of order and tables.
    pub rng: Rng,
    /// Packets of a recording in place of all these.
    pub recorded: Option<Recorded>,
    /// Class, next number and step of numbers that flows are signed with, where they are.
    pub signature: Option<(u16, u32, u32)>,
    /// What its packets are, for their mean.
    pub kinds: Vec<Kind>,
}

impl Part {
    /// Chooses the flow of a packet some packets ahead, and sees to it that its frame is in the cache by then. Where
    /// flows end it is chosen when the packet is due, and 0 here.
    #[inline]
    pub fn choose(&mut self) -> u32 {
        if self.churn.is_some() || self.recorded.is_some() {
            return 0;
        }
        let i = self.pick.next(self.flows.len(), &mut self.rng);
        if !self.plain {
            black_box(self.flows[i].table);
        }
        self.templates[i * self.stride].touch();
        i as u32
    }

    /// Writes a packet of the flow that was chosen and answers its rule.
    #[inline]
    pub fn write(&mut self, chosen: u32, slot: &mut Slot) -> Option<u32> {
        if let Some(recorded) = &mut self.recorded {
            return recorded.write(slot);
        }
        let i = if self.churn.is_some() { self.living(slot.due.0) } else { chosen as usize };
        slot.flow = i as u32;
        let (at, table, other) = if self.plain {
            (i, NO_TABLE, None)
        } else {
            let flow = &mut self.flows[i];
            slot.flow = flow.number;
            let (first, reply) = (i * self.stride, usize::from(flow.reply));
            flow.reply ^= flow.both;
            (first + reply, flow.table, flow.both.then_some(first + 1 - reply))
        };
        let template = &mut self.templates[at];
        let payload = if table != NO_TABLE {
            self.tables[table as usize].pick(&mut self.rng)
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
        let rule = template.rule;
        if let (Some(other), Some(end)) = (other, template.sequence()) {
            self.templates[other].acknowledge(end);
        }
        rule
    }

    /// The mean size of its packets at a layer.
    pub fn mean(&self, layer: Layer) -> f64 {
        if let Some(recorded) = &self.recorded {
            return recorded.mean(layer);
        }
        let flows: usize = self.kinds.iter().map(|k| k.flows).sum();
        let of_kind = |k: &Kind| {
            let bytes =
                |n: usize| layer.bytes_of_frame((k.headers + n) as u64, k.link as u64, k.headers as u64);
            let mean: f64 = k.payloads.iter().map(|(n, p)| bytes(*n) as f64 * p).sum();
            mean * k.flows as f64
        };
        self.kinds.iter().filter(|k| k.flows > 0).map(of_kind).sum::<f64>() / flows as f64
    }

    /// The longest frame.
    pub fn longest(&self) -> usize {
        if let Some(recorded) = &self.recorded {
            return recorded.longest;
        }
        let longest = |k: &Kind| k.headers + k.payloads.iter().map(|(n, _)| *n).max().unwrap_or(0);
        self.kinds.iter().map(longest).max().unwrap_or(0)
    }
}
