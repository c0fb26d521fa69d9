//! From the sources of a component to a part that can be sent.

use super::Streams;
use super::churn;
use super::error::PlanError;
use super::flows::Source;
use super::make::{Maker, RANDOM_BYTES};
use super::memory;
use super::part::{Kind, NO_TABLE, Part, Sizing};
use super::pick::Pick;
use super::sizes::Sizes;
use super::targets::Rules;
use crate::dist::{self, Blocks};
use crate::frame::{Payloads, Template};
use crate::tx::Slot;
use csn::mix::{Component, Payload};
use csn::packet;
use rand::Rng as _;
use std::sync::Arc;

/// Payload bytes, once for all components that have the same.
pub struct Stores {
    made: Vec<(Payload, Arc<Payloads>)>,
    /// Octets of the longest payload.
    longest: usize,
}

impl Stores {
    /// Stores that are long enough for the flows of all these sources.
    pub fn new<'a>(sources: impl Iterator<Item = &'a Source>) -> Self {
        let of = |source: &Source| {
            let kinds = source.kinds.iter().map(|k| {
                let own = k.table.as_ref().map_or(0, |t| t.longest());
                k.payloads.iter().map(|(n, _)| *n).max().unwrap_or(0).max(own)
            });
            kinds.max().unwrap_or(0)
        };
        Self { made: Vec::new(), longest: sources.map(of).max().unwrap_or(0) }
    }

    fn get(&mut self, payload: &Payload, streams: &mut Streams) -> Arc<Payloads> {
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
                streams.split().fill_bytes(&mut bytes);
                bytes
            }
        };
        let store = Arc::new(Payloads::new(bytes));
        self.made.push((payload.clone(), store.clone()));
        store
    }
}

/// A component before its frames are built.
pub struct Draft<'a> {
    /// What it says.
    pub component: &'a Component,
    /// How many flows it has.
    pub count: u32,
    /// Where they come from.
    pub sources: Vec<Source>,
    /// How they end.
    pub churn: Option<churn::Plan>,
}

/// Builds the frames of a component.
pub fn assemble(
    draft: Draft,
    sizes: &Sizes,
    rules: &Rules,
    (stores, streams): (&mut Stores, &mut Streams),
) -> Result<Part, PlanError> {
    let Draft { component, count, sources, churn } = draft;
    let store = stores.get(&component.traffic.payload, streams);
    let varies = sources.iter().flat_map(|s| &s.kinds).any(|k| k.payloads.len() > 1);
    let sizing = match dist::sizes(&component.traffic.size).filter(|_| varies) {
        Some(source) => Sizing::Drawn(Box::new(Blocks::new(source, streams.split())), sizes.layer),
        None => Sizing::Built,
    };
    let offsets = Maker::offsets(&component.traffic.payload, streams.split());
    let mut maker =
        Maker { sources, tables: Vec::new(), built: Vec::new(), store: store.clone(), offsets, made: 0 };
    let mut part = Part {
        target: component.target,
        flows: Vec::with_capacity(count as usize),
        templates: Vec::new(),
        stride: 1 + usize::from(maker.sources.iter().any(|s| s.both)),
        plain: false,
        pick: Pick::new(component.traffic.order, component.traffic.popularity, count as usize),
        churn: None,
        sizing,
        tables: Vec::new(),
        store,
        rng: streams.split(),
        recorded: None,
        signature: None,
        kinds: Vec::new(),
    };
    let first_kind = settle(&mut part, &mut maker);
    part.templates.reserve_exact(count as usize * part.stride);
    memory::ask_for_large_pages(&mut part.templates);
    memory::ask_for_large_pages(&mut part.flows);
    part.plain = maker.is_plain() && churn.is_none();
    let mut churn = churn.map(|c| c.start(count as usize, streams.split()));
    let mut slot = Slot::alone(stores.longest + crate::frame::HEAD);
    for _ in 0..count {
        let made = maker.next();
        let (source, space) = made.place;
        part.kinds[first_kind[source] + space].flows += 1;
        let rule = maker.sources[source].rule;
        for template in made.templates.iter().flatten() {
            check(template, rule, &part, rules, &mut slot, component)?;
        }
        let ends = churn.as_mut().map_or(u64::MAX, |c| c.rest());
        part.add(made, ends);
    }
    part.churn = churn.map(|c| Box::new((c, maker)));
    Ok(part)
}

/// Sizes of every source and space: tables, each once, and kinds. Answers the first kind of every source.
fn settle(part: &mut Part, maker: &mut Maker) -> Vec<usize> {
    let mut first_kind = Vec::with_capacity(maker.sources.len());
    for source in &mut maker.sources {
        first_kind.push(part.kinds.len());
        let (mut tables, mut built) = (Vec::new(), Vec::new());
        for (kind, space) in source.kinds.iter_mut().zip(&source.flows.spaces) {
            let table = kind.table.take();
            let payloads = table.as_ref().map_or_else(|| kind.payloads.clone(), |t| Arc::new(t.payloads()));
            let first = payloads.first().map_or(0, |(n, _)| *n);
            built.push(table.as_ref().map_or(first, |t| t.first()));
            let shape = &space.shape;
            part.kinds.push(Kind { link: shape.link(), headers: shape.headers(), flows: 0, payloads });
            tables.push(match table {
                None => NO_TABLE,
                // spaces of one rule mostly have the same table
                Some(t) => part.tables.iter().position(|old| *old == t).unwrap_or_else(|| {
                    part.tables.push(t);
                    part.tables.len() - 1
                }) as u32,
            });
        }
        maker.tables.push(tables);
        maker.built.push(built);
    }
    first_kind
}

/// Holds a frame against the rules as it is.
fn check(
    template: &Template,
    rule: Option<usize>,
    part: &Part,
    rules: &Rules,
    slot: &mut Slot,
    component: &Component,
) -> Result<(), PlanError> {
    template.clone().write(&part.store, template.built(), slot);
    let seen = packet::parse(slot.frame(), None);
    let verdict = rules.classifier.classify(&seen);
    if verdict.rule == rule {
        return Ok(());
    }
    Err(PlanError::new(
        component.span,
        format!("a frame is not classified as planned ({seen})"),
        format!("it was made for {rule:?} and is {:?}, by rule from 0", verdict.rule),
        "this is a bug of the generator: please report it with the scenario",
    ))
}
