//! What the packets of a flow must be: the values that a rule, a miss and the load leave to each field, in every shape
//! that a frame can have.

use super::sizes::{Sizes, ip_lengths};
use super::space::{Conjunction, Space};
use crate::frame::{Net, Shape, Transport};
use csn::geometry::Geometry;
use csn::mix::Encapsulation;
use csn::{Field, Range, Value, ValueSet};

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

/// A shape with what its fields can be.
pub struct Known {
    shape: Shape,
    domains: [Option<ValueSet>; Field::COUNT],
}

/// Every shape within an encapsulation, the plainest first; worked out once for a load.
pub fn shapes(around: Encapsulation) -> Vec<Known> {
    let known = |shape: Shape| Known { shape, domains: Field::ALL.map(|f| shape.domain(f)) };
    Shape::within(around).into_iter().map(known).collect()
}

/// Everything that a component's load says, once for all its aims.
pub struct Context<'a> {
    /// Every shape.
    pub shapes: &'a [Known],
    /// Addresses for frames whose rules leave them open.
    pub macs: [[u8; 6]; 2],
    /// What open fields are drawn from.
    pub open: Conjunction,
    /// The sizes asked for.
    pub sizes: &'a Sizes,
    /// Whether any rule, or the load itself, looks at the length.
    pub length_matters: bool,
}

/// Rules whose packets are none of the aim's: the first so many of a set.
#[derive(Clone, Copy)]
pub struct Outside<'a> {
    /// The set.
    pub geometry: &'a Geometry<'a>,
    /// How many.
    pub rules: usize,
}

/// Packets of one kind: those that a rule is the first to match, or that miss all rules in a certain way.
pub struct Aim<'a> {
    ways: Vec<Vec<Wish>>,
    outside: Option<Outside<'a>>,
}

/// The most boxes that packets of one shape are taken from.
const BOXES: usize = 16;

/// The values of one field.
struct Axis {
    /// What the field may be.
    hard: ValueSet,
    /// What it is drawn from where nothing speaks against it; a part of `hard`, not empty.
    soft: ValueSet,
}

impl<'a> Aim<'a> {
    /// Packets that satisfy all wishes of one of the `ways`, outside of some rules where these are given.
    pub fn new(ways: Vec<Vec<Wish>>, outside: Option<Outside<'a>>) -> Self {
        Self { ways, outside }
    }

    /// The shapes that would do, what lies outside left aside; those closest to what is wanted first.
    fn candidates<'c>(&self, context: &'c Context) -> Vec<(u32, usize, &'c Known)> {
        let mut out = Vec::new();
        for (way, wishes) in self.ways.iter().enumerate() {
            let plainness = Plainness::new(wishes, context);
            let of_way = context.shapes.iter();
            out.extend(
                of_way.filter_map(|known| Some((cost(known, wishes, &plainness, context)?, way, known))),
            );
        }
        out.sort_by_key(|c| c.0);
        out
    }

    /// Whether any frame at all could do, what lies outside left aside.
    pub fn is_conceivable(&self, context: &Context) -> bool {
        self.ways.iter().any(|wishes| {
            let plainness = Plainness::new(wishes, context);
            context.shapes.iter().any(|known| cost(known, wishes, &plainness, context).is_some())
        })
    }

    /// The packets: of the shape that is closest to what is wanted, of all that are equally close. None where there
    /// are no such packets.
    pub fn spaces(&self, context: &Context) -> Vec<Space> {
        let candidates = self.candidates(context);
        for alike in candidates.chunk_by(|a, b| a.0 == b.0) {
            let spaces: Vec<Space> = alike
                .iter()
                .flat_map(|(_, way, known)| self.spaces_of(known, &self.ways[*way], context))
                .collect();
            if !spaces.is_empty() {
                return spaces;
            }
        }
        Vec::new()
    }

    /// The packets of one shape: from preferred values where these leave any.
    fn spaces_of(&self, known: &Known, wishes: &[Wish], context: &Context) -> Vec<Space> {
        let Some(axes) = axes(known, wishes, context) else { return Vec::new() };
        let side = |pick: fn(&Axis) -> &ValueSet| axes.iter().map(|(f, a)| (*f, pick(a).clone())).collect();
        let preferred: Vec<(Field, ValueSet)> = side(|a| &a.soft);
        let Some(outside) = self.outside else { return vec![Space::new(known.shape, preferred)] };
        let left = |sides: &[(Field, ValueSet)]| outside.geometry.left_of(sides, outside.rules, BOXES);
        let mut boxes = left(&preferred);
        if boxes.is_empty() {
            boxes = left(&side(|a| &a.hard));
            let soften = |((_, set), (_, axis)): (&mut (Field, ValueSet), &(Field, Axis))| {
                let soft = axis.soft.intersect(set);
                if !soft.is_empty() {
                    *set = soft;
                }
            };
            boxes.iter_mut().for_each(|b| b.iter_mut().zip(&axes).for_each(soften));
        }
        boxes.into_iter().map(|sides| Space::new(known.shape, sides)).collect()
    }
}

/// What is not odd in a component, however rare: all of it is drawn alike, since rule or load state it.
struct Plainness {
    net: bool,
    transport: bool,
    fragment: bool,
}

impl Plainness {
    fn new(wishes: &[Wish], context: &Context) -> Self {
        let stated =
            |f: Field| wishes.iter().any(|w| w.field == f && w.stated) || context.open.test(f).is_some();
        Self {
            net: stated(Field::SrcIp) || stated(Field::DstIp) || stated(Field::EtherType),
            transport: stated(Field::Proto),
            fragment: stated(Field::Fragment),
        }
    }

    fn oddity(&self, shape: &Shape) -> u32 {
        let mut plain = *shape;
        if self.net {
            plain.net = Net::V4;
        }
        if self.transport {
            plain.transport = Transport::Udp;
        }
        if self.fragment {
            plain.fragment = csn::packet::fragment::NO;
        }
        plain.oddity()
    }
}

/// How far a shape is from what is wanted; none where it cannot satisfy the wishes.
fn cost(known: &Known, wishes: &[Wish], plainness: &Plainness, context: &Context) -> Option<u32> {
    let mut cost = 0;
    let domain = |f: Field| known.domains[f as usize].as_ref();
    for wish in wishes {
        match domain(wish.field) {
            Some(domain) if domain.intersects(&wish.set) => {}
            None if !wish.required => cost += 5,
            _ => return None,
        }
    }
    for (field, set) in &context.open.0 {
        let wish = wishes.iter().find(|w| w.field == *field);
        let fits = |d: &ValueSet| wish.map_or(d.intersects(set), |w| d.intersect(&w.set).intersects(set));
        if !wish.is_some_and(|w| w.stated) && !domain(*field).is_some_and(fits) {
            cost += 1000;
        }
    }
    Some(cost + plainness.oddity(&known.shape))
}

/// The axes of a shape under wishes and load; none where one is empty.
fn axes(known: &Known, wishes: &[Wish], context: &Context) -> Option<Vec<(Field, Axis)>> {
    let mut axes = Vec::new();
    for field in Field::ALL {
        let Some(mut hard) = known.domains[field as usize].clone() else { continue };
        if field == Field::Length && !context.length_matters {
            axes.push((field, Axis { soft: hard.clone(), hard }));
            continue;
        }
        for wish in wishes.iter().filter(|w| w.field == field) {
            hard = hard.intersect(&wish.set);
        }
        let default = match context.open.test(field).map(|open| hard.intersect(open)) {
            Some(open) if !open.is_empty() => {
                hard = open.clone();
                (field == Field::Length).then(|| preferred_length(&known.shape, &hard, context))
            }
            _ if field == Field::Length => Some(preferred_length(&known.shape, &hard, context)),
            _ => known.shape.default(field, context.macs),
        };
        if hard.is_empty() {
            return None;
        }
        let preferred = default.map(|d| d.intersect(&hard)).filter(|d| !d.is_empty());
        axes.push((field, Axis { soft: preferred.unwrap_or_else(|| hard.clone()), hard }));
    }
    Some(axes)
}

/// Lengths that the asked-for sizes give, where these are allowed; else those of usual packets.
fn preferred_length(shape: &Shape, hard: &ValueSet, context: &Context) -> ValueSet {
    // sizes that do not fit the headers are reported when the flow is made
    let payloads = context.sizes.payloads(shape, &mut Vec::new()).unwrap_or_default();
    let asked = ip_lengths(shape, &payloads).intersect(hard);
    if asked.is_empty() { Range::new(Value::number(0), Value::number(1500)).into() } else { asked }
}
