//! From the sketches of a component to a part that can be sent.

use super::Streams;
use super::error::PlanError;
use super::flows::Sketch;
use super::part::{Flow, NO_TABLE, Part, Sizing};
use super::pick::Pick;
use super::sizes::Sizes;
use super::targets::Rules;
use crate::dist::{Blocks, Distribution, Rng};
use crate::frame::{Payloads, Template};
use crate::tx::Slot;
use csn::mix::{Component, Payload};
use csn::packet;
use rand::Rng as _;
use rand::RngExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Random payloads are cut from this many bytes, at an offset drawn per flow.
const RANDOM_BYTES: usize = 1 << 14;

/// Payload bytes, once for all components that have the same.
pub struct Stores {
    made: Vec<(Payload, Arc<Payloads>)>,
    /// Octets of the longest payload.
    longest: usize,
}

impl Stores {
    /// Stores that are long enough for all these flows.
    pub fn new<'a>(sketches: impl Iterator<Item = &'a Sketch>) -> Self {
        let of = |s: &Sketch| {
            let own = s.table.as_ref().map_or(0, |t| t.longest());
            s.payloads.iter().map(|(n, _)| *n).max().unwrap_or(0).max(own)
        };
        Self { made: Vec::new(), longest: sketches.map(of).max().unwrap_or(0) }
    }

    fn get(&mut self, payload: &Payload, rng: &mut Rng) -> Arc<Payloads> {
        if let Some((_, store)) = self.made.iter().find(|(p, _)| p == payload) {
            return store.clone();
        }
        let bytes = match payload {
            Payload::Pattern(pattern) if !pattern.is_empty() => {
                pattern.iter().copied().cycle().take(self.longest).collect()
            }
            Payload::Zero | Payload::Pattern(_) => vec![0; self.longest],
            Payload::Random => {
                let mut bytes = vec![0; RANDOM_BYTES + self.longest];
                rng.fill_bytes(&mut bytes);
                bytes
            }
        };
        let store = Arc::new(Payloads::new(bytes));
        self.made.push((payload.clone(), store.clone()));
        store
    }
}

/// Builds the frames of a component.
pub fn assemble(
    component: &Component,
    sketches: Vec<Sketch>,
    (sizes, source): (&Sizes, Box<dyn Distribution>),
    rules: &Rules,
    (stores, streams): (&mut Stores, &mut Streams),
) -> Result<Part, PlanError> {
    let mut rng = streams.split();
    let store = stores.get(&component.traffic.payload, &mut rng);
    let varies = sketches.iter().any(|s| s.payloads.len() > 1);
    let sizing = if varies {
        Sizing::Drawn(Box::new(Blocks::new(source, streams.split())), sizes.layer)
    } else {
        Sizing::Built
    };
    let mut part = Part {
        target: component.target,
        flows: Vec::with_capacity(sketches.len()),
        pick: Pick::new(component.traffic.order, component.traffic.popularity, sketches.len()),
        sizing,
        tables: Vec::new(),
        templates: Vec::new(),
        store,
        rng: streams.split(),
        kinds: Vec::new(),
    };
    let mut kinds = HashMap::new();
    let mut slot = Slot::alone(stores.longest + crate::frame::HEAD);
    for sketch in sketches {
        let random = matches!(component.traffic.payload, Payload::Random);
        let payload_at = if random { rng.random_range(0..RANDOM_BYTES / 2) * 2 } else { 0 };
        add(&mut part, sketch, payload_at, &mut kinds, rules, &mut slot, component)?;
    }
    Ok(part)
}

/// Adds a flow with its frames, which are held against the rules as they are.
fn add(
    part: &mut Part,
    sketch: Sketch,
    payload_at: usize,
    kinds: &mut HashMap<(usize, usize, u32), usize>,
    rules: &Rules,
    slot: &mut Slot,
    component: &Component,
) -> Result<(), PlanError> {
    let shape = sketch.drawn.shape;
    let table = match sketch.table {
        None => NO_TABLE,
        // flows of one rule have the same table
        Some(t) => part.tables.iter().position(|old| *old == t).unwrap_or_else(|| {
            part.tables.push(t);
            part.tables.len() - 1
        }) as u32,
    };
    let own = part.tables.get(table as usize);
    let built = own.map_or(sketch.payloads.first().map_or(0, |(n, _)| *n), |t| t.first());
    let first = part.templates.len();
    let reply = sketch.both.then(|| sketch.drawn.key.reversed());
    for key in std::iter::once(sketch.drawn.key).chain(reply) {
        let mut template = Template::new(&shape, &key, &part.store, payload_at, built);
        template.rule = sketch.rule.map(|r| r as u32);
        template.write(&part.store, built, slot);
        let seen = packet::parse(slot.frame(), None);
        let verdict = rules.classifier.classify(&seen);
        if verdict.rule != sketch.rule {
            return Err(PlanError::new(
                component.span,
                format!("a frame is not classified as planned ({seen})"),
                format!("it was made for {:?} and is {:?}, by rule from 0", sketch.rule, verdict.rule),
                "this is a bug of the generator: please report it with the scenario",
            ));
        }
        part.templates.push(template);
    }
    part.flows.push(Flow { next: first as u32, turn: i32::from(sketch.both), table });
    let kind = *kinds.entry((shape.link(), shape.headers(), table)).or_insert_with(|| {
        let own = part.tables.get(table as usize).map(|t| t.payloads());
        part.kinds.push((first, 0, own.unwrap_or_else(|| sketch.payloads.to_vec())));
        part.kinds.len() - 1
    });
    part.kinds[kind].1 += 1;
    Ok(())
}
