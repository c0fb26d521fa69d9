//! The plan of a load: every packet of it, decided by the job alone.
//!
//! ```text
//! rules + load ─ targets ─► Aim ─ geometry ─► Space (boxes of packets) ─ flow number ─► Key ─ frame ─► Template
//! shares ─► Turns (whose packet is next)          sizes ─► dist       rate ─► streams ─► Schedule (when)
//! ```
//!
//! A packet for a rule lies inside that rule and outside all earlier ones; one for `others` lies outside all. The
//! geometry of the rules says where that is, as boxes; a flow is a number, from which its place in a box follows, so
//! nothing is kept of flows that have ended. The template of every flow that there is at the start is parsed back
//! and shown to the classifier before the plan is used; later flows come from the same boxes.

mod aim;
mod assemble;
mod churn;
mod error;
mod flows;
mod level;
mod make;
mod memory;
mod part;
mod pick;
mod queue;
mod schedule;
mod signed;
mod sizes;
mod space;
mod streams;
mod targets;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_churn;
mod turns;

pub use error::PlanError;

use crate::dist::Rng;
use crate::job::Job;
use crate::recorded;
use crate::tx::Slot;
use aim::{Context, Known};
use assemble::{Draft, Stores};
use csn::mix::{Component, Encapsulation, ShareOf, Target};
use csn::{Layer, Nanos, RateSpec};
use part::Part;
use queue::Queue;
use rand::SeedableRng;
use schedule::Schedule;
use sizes::Sizes;
use space::Conjunction;
use std::collections::HashMap;
use std::rc::Rc;
use targets::Rules;

/// A load, ready to be sent: its flows with their frames, the order of its packets and their send times.
///
/// Deterministic: the same job gives the same packets at the same times, to the byte. A plan is used up by what reads
/// packets from it, [`crate::send()`] or [`Plan::frames`].
pub struct Plan {
    parts: Vec<Part>,
    /// The packets of each stream of the schedule.
    queues: Vec<Queue>,
    pub(crate) schedule: Schedule,
    rules: usize,
    pps: Option<f64>,
    /// Shares of packets of the parts; together 1.
    shares: Vec<f64>,
    notes: Vec<String>,
    /// What signed packets say of when they were sent; none for the time that they are due.
    stamp: Option<Nanos>,
}

/// One packet of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it is due, from the start of the load.
    pub due: Nanos,
    /// The rule that is the first to match it, from 0; none for `others`.
    pub rule: Option<usize>,
    /// The frame as a packet socket takes it.
    pub bytes: Vec<u8>,
}

/// Independent streams of randomness from one seed, 2^128 numbers apart.
pub(crate) struct Streams(Rng);

impl Streams {
    fn new(seed: u64) -> Self {
        Self(Rng::seed_from_u64(seed))
    }

    fn split(&mut self) -> Rng {
        let stream = self.0.clone();
        self.0.jump();
        stream
    }
}

impl Plan {
    /// Plans a load.
    ///
    /// # Errors
    /// Where packets that the mix asks for cannot be made.
    pub fn new(job: &Job) -> Result<Plan, PlanError> {
        let mut streams = Streams::new(job.seed);
        let mirrored = targets::mirrored(&job.rules);
        let rules = Rules::new(&job.rules, &mirrored);
        let mut notes = Vec::new();
        if job.rules.rules.iter().any(|r| r.test(csn::Field::Interface).is_some()) {
            notes.push("rules that test the interface are taken to match none of these packets".into());
        }
        let components: Vec<&Component> = job.mix.components.iter().filter(|c| c.share > 0.0).collect();
        let paced = job.rate != RateSpec::Max;
        let churns = components.iter().map(|c| churn::plan(c, paced)).collect::<Result<Vec<_>, _>>()?;
        let counts = flow_counts(&components, &churns, &rules);
        let (shapes, length_matters) = (shapes(&components), rules.test_length());
        let recordings = recorded::split(job, &components, &rules.classifier, &mut notes)?;
        let mut keys = streams.split();
        let mut known_sizes: HashMap<String, Rc<Sizes>> = HashMap::new();
        let mut drafts = Vec::with_capacity(components.len());
        for ((component, count), churn) in components.iter().zip(counts).zip(churns) {
            let sizes = match known_sizes.get(&format!("{:?}", component.traffic.size)) {
                Some(sizes) => sizes.clone(),
                None => {
                    let sizes = Rc::new(Sizes::new(&component.traffic.size, component.span)?);
                    known_sizes.insert(format!("{:?}", component.traffic.size), sizes.clone());
                    sizes
                }
            };
            let context =
                context(job, component, (&shapes[&component.traffic.encapsulation], length_matters), &sizes);
            let flows = (count, churn.is_some());
            let sources =
                flows::sources(&rules, component, flows, (&context, &sizes), &mut notes, &mut keys)?;
            drafts.push((sizes, Draft { component, count, sources, churn }));
        }
        let mut stores = Stores::new(drafts.iter().flat_map(|d| &d.1.sources));
        let mut parts = Vec::with_capacity(components.len());
        for (sizes, draft) in drafts {
            parts.push(assemble::assemble(draft, &sizes, &rules, (&mut stores, &mut streams))?);
        }
        if parts.is_empty() {
            return Err(PlanError::new(
                Default::default(),
                "nothing is to be sent",
                "no part of the mix has a share",
                "give a class or `others` a load",
            ));
        }
        for (part, recording) in parts.iter_mut().zip(recordings) {
            part.recorded = recording;
        }
        signed::sign(&components, &mut parts, &job.rules)?;
        let shares = packet_shares(&components, &parts);
        let mean = |layer: Layer| parts.iter().zip(&shares).map(|(p, s)| p.mean(layer) * s).sum::<f64>();
        let pps = match job.rate {
            RateSpec::Fixed(rate) => Some(rate.pps(mean)),
            RateSpec::Max => None,
            RateSpec::Search(_) => {
                return Err(PlanError::new(
                    components[0].span,
                    "a search is not a rate",
                    "one load has one rate; a search is many loads",
                    "give a rate, or `run` the scenario",
                ));
            }
        };
        let load = streams::load(&components, &shares, (pps, job.amount), &mut streams)?;
        Ok(Plan {
            queues: load.queues,
            schedule: Schedule::new(load.streams, job.amount),
            rules: job.rules.rules.len(),
            parts,
            pps: pps.map(|pps| pps * load.level),
            shares: load.shares,
            notes,
            stamp: None,
        })
    }

    /// Whether the load ends by itself without a clock: it has a rate, or a number of packets.
    pub fn is_bounded(&self) -> bool {
        self.schedule.is_bounded()
    }

    /// Packets per second; none to send as fast as possible.
    pub fn pps(&self) -> Option<f64> {
        self.pps
    }

    /// The mean size of all packets at a layer, in bytes.
    pub fn mean_size(&self, layer: Layer) -> f64 {
        self.parts.iter().zip(&self.shares).map(|(p, s)| p.mean(layer) * s).sum()
    }

    /// How many flows there are at a time; one that goes both ways is one.
    pub fn flows(&self) -> usize {
        self.parts.iter().map(|p| p.recorded.as_ref().map_or(p.flows.len(), |r| r.flows)).sum()
    }

    /// The parts of the mix that have packets, with their shares of all packets.
    pub fn shares(&self) -> impl Iterator<Item = (Target, f64)> + '_ {
        self.parts.iter().zip(&self.shares).map(|(p, s)| (p.target, *s))
    }

    /// What the planner did otherwise than one might think, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The longest frame, in bytes.
    pub fn longest(&self) -> usize {
        self.parts.iter().map(Part::longest).max().unwrap_or(0)
    }

    /// How many rules the ledger has.
    pub(crate) fn rules(&self) -> usize {
        self.rules
    }

    /// Writes the next packet into the slot, which says when it is due, and answers its rule.
    #[inline]
    pub(crate) fn write(&mut self, slot: &mut Slot) -> Option<u32> {
        slot.stamp = self.stamp.unwrap_or(slot.due);
        let (part, flow) = self.queues[self.schedule.stream()].next(&mut self.parts);
        let rule = self.parts[part].write(flow, slot);
        // the golden ratio, so that the first flows of parts do not fall together
        slot.flow = slot.flow.wrapping_add((part as u32).wrapping_mul(0x9e37_79b1));
        rule
    }

    /// Signed packets that are written from here on say that they were sent at `time`, since 1970.
    #[inline]
    pub(crate) fn stamp(&mut self, time: Nanos) {
        self.stamp = Some(time);
    }

    /// The packets that are left, in their order; without end where neither a rate nor a number of packets ends them.
    pub fn frames(&mut self) -> impl Iterator<Item = Frame> + '_ {
        let mut slot = Slot::alone(self.longest());
        let mut due = [0];
        std::iter::from_fn(move || {
            (self.schedule.take(u64::MAX - 1, &mut due) == 1).then(|| {
                slot.due = Nanos(due[0]);
                let rule = self.write(&mut slot).map(|r| r as usize);
                Frame { due: Nanos(due[0]), rule, bytes: slot.frame().to_vec() }
            })
        })
    }
}

/// How many flows each component has: as it says, else one per rule; a share of flows is one of all that are asked
/// for.
fn flow_counts(components: &[&Component], churns: &[Option<churn::Plan>], rules: &Rules) -> Vec<u32> {
    let asked = |(c, churn): (&&Component, &Option<churn::Plan>)| {
        if let Some(flows) = churn.as_ref().and_then(|c| c.flows) {
            return flows;
        }
        let rules = match c.target {
            Target::Class(class) => rules.of_class(class).len(),
            Target::Rule(_) => 1,
            Target::Others(_) => rules.set.rules.len(),
        };
        c.traffic.flows.unwrap_or(rules as u32).max(1)
    };
    let asked: Vec<u32> = components.iter().zip(churns).map(asked).collect();
    let total: f64 = asked.iter().map(|n| f64::from(*n)).sum();
    components
        .iter()
        .zip(asked)
        .map(|(c, asked)| match c.share_of {
            _ if c.traffic.from.is_some() => 0,
            ShareOf::Flows => (c.share * total).round().max(1.0) as u32,
            _ => asked,
        })
        .collect()
}

/// Shares of packets. All flows send alike, so a share of flows is one of packets; components with shares of bytes
/// divide what these shares are together so that their bytes are as their shares.
fn packet_shares(components: &[&Component], parts: &[Part]) -> Vec<f64> {
    let by_bytes = |c: &Component| c.share_of == ShareOf::Bytes;
    let weights: Vec<f64> = components
        .iter()
        .zip(parts)
        .map(|(c, p)| if by_bytes(c) { c.share / p.mean(Layer::Frame) } else { c.share })
        .collect();
    let of_bytes = |w: &dyn Fn(usize) -> f64| -> f64 {
        (0..components.len()).filter(|i| by_bytes(components[*i])).map(w).sum()
    };
    let scale = of_bytes(&|i| components[i].share) / of_bytes(&|i| weights[i]);
    let scaled: Vec<f64> =
        components.iter().zip(&weights).map(|(c, w)| if by_bytes(c) { w * scale } else { *w }).collect();
    let total: f64 = scaled.iter().sum();
    scaled.iter().map(|s| s / total).collect()
}

/// The shapes of each encapsulation.
fn shapes(components: &[&Component]) -> HashMap<Encapsulation, Vec<Known>> {
    let kinds = components.iter().map(|c| c.traffic.encapsulation);
    kinds.map(|around| (around, aim::shapes(around))).collect()
}

fn context<'a>(
    job: &Job,
    component: &Component,
    (shapes, length_matters): (&'a [Known], bool),
    sizes: &'a Sizes,
) -> Context<'a> {
    let mut open = Conjunction::default();
    component.traffic.open.iter().for_each(|(field, set)| open.and(*field, set));
    let length_matters = length_matters || open.test(csn::Field::Length).is_some();
    Context { shapes, macs: job.macs, open, sizes, length_matters }
}
