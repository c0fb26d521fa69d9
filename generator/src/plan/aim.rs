//! What the packets of a flow must be: the values that a rule, a miss and the load leave to each field, in every shape
//! that a frame can have.

use super::sizes::{Payloads, Sizes, ip_lengths};
use super::space::{Axis, Conjunction, Space};
use crate::dist::Rng;
use crate::frame::{Net, Shape};
use csn::{Field, Key, Range, Value, ValueSet};
use rand::RngExt;

/// A condition on a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The field.
    pub field: Field,
    /// Its values.
    pub set: ValueSet,
    /// Whether packets without the field will not do.
    pub required: bool,
    /// Whether somebody wrote it: all values are then drawn alike, however odd.
    pub stated: bool,
}

/// Everything that a component's load says, once for all its aims.
pub struct Context<'a> {
    /// Every shape, the plainest first.
    pub shapes: Vec<Shape>,
    /// Addresses for frames whose rules leave them open.
    pub macs: [[u8; 6]; 2],
    /// What open fields are drawn from.
    pub open: Conjunction,
    /// The sizes asked for.
    pub sizes: &'a Sizes,
    /// Whether any rule, or the load itself, looks at the length.
    pub length_matters: bool,
}

/// A shape that would do, and how far it is from what is wanted.
struct Candidate {
    /// The place of its wishes.
    way: usize,
    shape: Shape,
    cost: u32,
    space: Option<Space>,
}

/// Packets of one kind: those that a rule is the first to match, or that miss all rules in a certain way.
pub struct Aim {
    ways: Vec<Vec<Wish>>,
    avoid: Vec<Conjunction>,
    candidates: Vec<Candidate>,
}

/// A packet that was drawn: its headers, its key, the sizes that the component asks for as payloads of such headers,
/// and the lengths that do not move it elsewhere (where lengths matter).
pub struct Drawn {
    /// The headers.
    pub shape: Shape,
    /// The values; the length is one of many.
    pub key: Key,
    /// Lengths of the IP packet that keep it where it is.
    pub lengths: Option<ValueSet>,
    /// Which of the aim's ways it went.
    way: usize,
}

impl Aim {
    /// Packets that satisfy all wishes of one of the `ways` and that none of `avoid` matches.
    pub fn new(ways: Vec<Vec<Wish>>, avoid: Vec<Conjunction>, context: &Context) -> Self {
        let mut candidates = Vec::new();
        for (way, wishes) in ways.iter().enumerate() {
            candidates.extend(context.shapes.iter().filter_map(|shape| {
                let cost = cost(shape, wishes, context)?;
                Some(Candidate { way, shape: *shape, cost, space: None })
            }));
        }
        candidates.sort_by_key(|c| c.cost);
        Self { ways, avoid, candidates }
    }

    /// Whether any frame at all could do, what must be avoided left aside.
    pub fn is_conceivable(&self) -> bool {
        !self.candidates.is_empty()
    }

    /// Draws a packet: of the shape that is closest to what is wanted, of one of several at random where these are
    /// equally close. None where there is no such packet.
    pub fn draw(&mut self, context: &Context, rng: &mut Rng) -> Option<Drawn> {
        loop {
            let cost = self.candidates.first()?.cost;
            let tied = self.candidates.iter().take_while(|c| c.cost == cost).count();
            let i = rng.random_range(0..tied);
            match self.space(i, context).and_then(|s| Some((s.shape, s.draw(rng)?))) {
                Some((shape, key)) => return Some(self.finish(i, shape, key)),
                // nothing there, nor will there be
                None => drop(self.candidates.remove(i)),
            }
        }
    }

    /// A packet like this one in all but one field, for which `is_new` holds.
    pub fn draw_beside(
        &self,
        drawn: &Drawn,
        limit: u128,
        mut is_new: impl FnMut(&Key) -> bool,
    ) -> Option<Drawn> {
        let i = self.candidates.iter().position(|c| (c.way, c.shape) == (drawn.way, drawn.shape))?;
        let space = self.candidates[i].space.as_ref()?;
        let key = space.neighbours(&drawn.key, limit).find(|k| is_new(k))?;
        Some(self.finish(i, drawn.shape, key))
    }

    fn space(&mut self, i: usize, context: &Context) -> Option<&Space> {
        let candidate = &mut self.candidates[i];
        if candidate.space.is_none() {
            candidate.space = space(&candidate.shape, &self.ways[candidate.way], &self.avoid, context);
        }
        candidate.space.as_ref()
    }

    fn finish(&self, i: usize, shape: Shape, mut key: Key) -> Drawn {
        let lengths = self.candidates[i].space.as_ref().and_then(|s| s.lengths(&key));
        if let Some(tos) = key.get(Field::Tos) {
            key.set_number(Field::Dscp, tos.bits >> 2);
        }
        Drawn { shape, key, lengths, way: self.candidates[i].way }
    }
}

/// How far a shape is from what is wanted; none where it cannot satisfy the wishes.
fn cost(shape: &Shape, wishes: &[Wish], context: &Context) -> Option<u32> {
    let mut cost = 0;
    for wish in wishes {
        match shape.domain(wish.field) {
            Some(domain) if domain.intersects(&wish.set) => {}
            None if !wish.required => cost += 5,
            _ => return None,
        }
    }
    for (field, set) in &context.open.0 {
        let wish = wishes.iter().find(|w| w.field == *field);
        let fits = |d: ValueSet| wish.map_or(d.clone(), |w| d.intersect(&w.set)).intersects(set);
        if !wish.is_some_and(|w| w.stated) && !shape.domain(*field).is_some_and(fits) {
            cost += 1000;
        }
    }
    // what rule or load states is not odd, however rare: all of it is drawn alike
    let stated = |f: Field| wishes.iter().any(|w| w.field == f && w.stated) || context.open.test(f).is_some();
    let mut plain = *shape;
    if stated(Field::SrcIp) || stated(Field::DstIp) || stated(Field::EtherType) {
        plain.net = Net::V4;
    }
    if stated(Field::Proto) {
        plain.transport = crate::frame::Transport::Udp;
    }
    if stated(Field::Fragment) {
        plain.fragment = csn::packet::fragment::NO;
    }
    Some(cost + plain.oddity())
}

/// The space of a shape under wishes and load; none where it is empty from the start.
fn space(shape: &Shape, wishes: &[Wish], avoid: &[Conjunction], context: &Context) -> Option<Space> {
    let mut axes = Vec::new();
    for field in Field::ALL {
        if field == Field::Length && !context.length_matters {
            continue;
        }
        let Some(mut hard) = shape.domain(field) else { continue };
        for wish in wishes.iter().filter(|w| w.field == field) {
            hard = hard.intersect(&wish.set);
        }
        let default = match context.open.test(field).map(|open| hard.intersect(open)) {
            Some(open) if !open.is_empty() => {
                hard = open.clone();
                (field == Field::Length).then(|| preferred_length(shape, &hard, context))
            }
            _ if field == Field::Length => Some(preferred_length(shape, &hard, context)),
            _ => shape.default(field, context.macs),
        };
        if hard.is_empty() {
            return None;
        }
        let preferred = default.map(|d| d.intersect(&hard)).filter(|d| !d.is_empty());
        axes.push((field, Axis { soft: preferred.unwrap_or_else(|| hard.clone()), hard }));
    }
    Some(Space::new(*shape, axes, avoid))
}

/// Lengths that the asked-for sizes give, where these are allowed; else those of usual packets.
fn preferred_length(shape: &Shape, hard: &ValueSet, context: &Context) -> ValueSet {
    // sizes that do not fit the headers are reported when the flow is made
    let payloads: Payloads = context.sizes.payloads(shape, &mut Vec::new()).unwrap_or_default();
    let asked = ip_lengths(shape, &payloads).intersect(hard);
    if asked.is_empty() { Range::new(Value::number(0), Value::number(1500)).into() } else { asked }
}
