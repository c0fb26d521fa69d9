//! From the sketches of a component to a part that can be sent.

use super::Streams;
use super::error::PlanError;
use super::flows::Sketch;
use super::part::{Flow, NO_TABLE, Part, Sizing};
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

/// Random payloads are cut from this many bytes, at an offset drawn per flow.
const RANDOM_BYTES: usize = 1 << 16;

/// Builds the frames of a component.
pub fn assemble(
    component: &Component,
    sketches: Vec<Sketch>,
    (sizes, source): (&Sizes, Box<dyn Distribution>),
    rules: &Rules,
    streams: &mut Streams,
) -> Result<Part, PlanError> {
    let most = |s: &Sketch| s.payloads.iter().map(|(n, _)| *n).chain(s.table.iter().flat_map(own)).max();
    let longest = sketches.iter().filter_map(most).max().unwrap_or(0);
    let mut rng = streams.split();
    let store = store(&component.traffic.payload, longest, &mut rng);
    let varies = sketches.iter().any(|s| s.payloads.len() > 1);
    let sizing =
        if varies { Sizing::Drawn(Blocks::new(source, streams.split()), sizes.layer) } else { Sizing::Built };
    let mut part = Part {
        target: component.target,
        flows: Vec::with_capacity(sketches.len()),
        order: component.traffic.order,
        sizing,
        tables: Vec::new(),
        templates: Vec::new(),
        store,
        turn: 0,
        rng: streams.split(),
        kinds: Vec::new(),
    };
    let mut kinds = HashMap::new();
    let mut slot = Slot::alone(longest + crate::frame::HEAD);
    for sketch in sketches {
        let random = matches!(component.traffic.payload, Payload::Random);
        let payload_at = if random { rng.random_range(0..RANDOM_BYTES / 2) * 2 } else { 0 };
        add(&mut part, sketch, payload_at, &mut kinds, rules, &mut slot, component)?;
    }
    Ok(part)
}

fn own(table: &super::sizes::Table) -> Vec<usize> {
    table.payloads().into_iter().map(|(n, _)| n).collect()
}

/// Payload bytes for packets of up to `longest` of them.
fn store(payload: &Payload, longest: usize, rng: &mut Rng) -> Payloads {
    Payloads::new(match payload {
        Payload::Pattern(pattern) if !pattern.is_empty() => {
            pattern.iter().copied().cycle().take(longest).collect()
        }
        Payload::Zero | Payload::Pattern(_) => vec![0; longest],
        Payload::Random => {
            let mut bytes = vec![0; RANDOM_BYTES + longest];
            rng.fill_bytes(&mut bytes);
            bytes
        }
    })
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
    let payloads = match part.tables.get(table as usize) {
        Some(t) => t.payloads(),
        None => sketch.payloads,
    };
    let built = payloads.first().map_or(0, |(n, _)| *n);
    let first = part.templates.len();
    let reply = sketch.both.then(|| sketch.drawn.key.reversed());
    for key in std::iter::once(sketch.drawn.key).chain(reply) {
        let mut template = Template::new(&shape, &key, &part.store, payload_at, built);
        template.rule = sketch.rule.map(|r| r as u32);
        template.write(&part.store, built, slot);
        let seen = packet::parse(slot.frame(), None);
        let verdict = rules.set.classify(&seen);
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
        part.kinds.push((first, 0, payloads));
        part.kinds.len() - 1
    });
    part.kinds[kind].1 += 1;
    Ok(())
}
