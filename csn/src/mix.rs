//! The traffic mix: what the generator sends, as the `load` statements describe it.

use crate::diagnostic::Span;
use crate::field::Field;
use crate::models::{Model, Quantity};
use crate::ruleset::ClassId;
use crate::units::{Layer, Nanos};
use crate::value::ValueSet;
use serde::{Deserialize, Serialize};
use std::fmt;

/// All traffic of a scenario. The shares of the components add up to 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrafficMix {
    /// The parts of the mix: classes in order of their number, single rules, `others` last. Parts without
    /// traffic are left out.
    pub components: Vec<Component>,
}

/// One part of the mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Component {
    /// What its packets must be classified as.
    pub target: Target,
    /// Its share of all packets, or of what `share_of` says; 0 to 1.
    pub share: f64,
    /// What the share counts.
    pub share_of: ShareOf,
    /// How its packets look and come.
    pub traffic: Traffic,
    /// The `load` statement, or the class where there is none.
    pub span: Span,
}

/// What the packets of a component are first matched by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Any rule of a class; its flows go round the rules of the class.
    Class(ClassId),
    /// One rule, by its place in the rule set, from 0.
    Rule(usize),
    /// No rule at all.
    Others(Miss),
}

/// How packets of `others` differ from the rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Miss {
    /// In every field that rules test.
    #[default]
    Far,
    /// In one field of one rule only, the one that is compared last: the worst case.
    Near,
}

/// What a share is a share of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareOf {
    /// Packets.
    #[default]
    Packets,
    /// Flows.
    Flows,
    /// Bytes of frames.
    Bytes,
}

/// How the packets of a component look and come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Default)]
pub struct Traffic {
    /// How many flows; none means one per rule.
    pub flows: Option<u32>,
    /// How long a flow lasts until another takes its place; none means for ever.
    #[serde(default)]
    pub lifetime: Option<Lifetime>,
    /// When flows begin.
    #[serde(default)]
    pub births: Births,
    /// How many flows begin per second. With `flows` it says how long a flow lasts, with `lifetime` how many flows
    /// there are.
    #[serde(default)]
    pub birth_rate: Option<f64>,
    /// How the packets are spread over the flows.
    #[serde(default)]
    pub popularity: Popularity,
    /// Sizes.
    pub size: Size,
    /// Times between packets.
    pub arrival: Arrival,
    /// How the rate changes over time; none means not at all.
    #[serde(default)]
    pub level: Option<Phases>,
    /// In which order the flows take their turns.
    pub order: Order,
    /// What the header fields that the rules leave open are drawn from, once per flow.
    pub open: Vec<(Field, ValueSet)>,
    /// What the bytes behind the headers are.
    pub payload: Payload,
    /// A capture that the packets are taken from.
    pub from: Option<String>,
    /// The networks that the addresses of a capture are mapped into: a prefix of each family, or of one.
    #[serde(default)]
    pub addresses: Option<ValueSet>,
    /// Headers around the packets.
    #[serde(default)]
    pub encapsulation: Encapsulation,
    /// Whether the payload begins with a signature by which a receiver tells loss, order and latency.
    #[serde(default)]
    pub signature: bool,
}

/// Headers beside those that the fields of a packet ask for. What a meter sees are the fields of the outer packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Hash)]
pub struct Encapsulation {
    /// The identifier of a second VLAN tag behind the first.
    pub inner_tag: Option<u16>,
    /// MPLS labels; 0 where the fields decide whether there is one.
    pub labels: u8,
    /// What the packet carries in place of a payload.
    pub tunnel: Option<Tunnel>,
}

/// A tunnel that carries UDP over IPv4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Hash)]
#[serde(rename_all = "lowercase")]
pub enum Tunnel {
    /// GRE (RFC 2784), with a key (RFC 2890) where there is one.
    Gre {
        /// The key.
        key: Option<u32>,
    },
    /// VXLAN (RFC 7348): Ethernet frames over UDP.
    Vxlan {
        /// The network's identifier.
        vni: u32,
    },
}

impl fmt::Display for Encapsulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.inner_tag.map(|id| format!("qinq(inner = {id})")));
        if self.labels > 0 {
            parts.push(format!("mpls-stack(labels = {})", self.labels));
        }
        parts.extend(self.tunnel.map(|t| match t {
            Tunnel::Gre { key: None } => "gre".to_owned(),
            Tunnel::Gre { key: Some(key) } => format!("gre(key = {key})"),
            Tunnel::Vxlan { vni } => format!("vxlan(vni = {vni})"),
        }));
        match parts.as_slice() {
            [one] => f.write_str(one),
            all => write!(f, "{{{}}}", all.join(", ")),
        }
    }
}

/// Packet sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Size {
    /// All the same.
    Fixed {
        /// Bytes at the layer.
        bytes: u32,
        /// What the bytes count.
        layer: Layer,
    },
    /// Uniform between two sizes, both included.
    Range {
        /// Smallest size.
        lo: u32,
        /// Largest size.
        hi: u32,
        /// What the bytes count.
        layer: Layer,
    },
    /// Seven frames of 64, four of 594 and one of 1,518 bytes (Ethernet), shuffled once and repeated.
    Imix,
    /// A mix by its name in [`crate::models::IMIXES`], shuffled once and repeated.
    Mix(String),
    /// Frames (Ethernet) whose sizes are the letters of an IMIX genome (RFC 6985), in this order, repeated.
    Genome(String),
    /// Sizes with their weights, which need not come to 1.
    Values {
        /// Bytes at the layer, and weights.
        values: Vec<(u32, f64)>,
        /// What the bytes count.
        layer: Layer,
    },
    /// A distribution with its parameters.
    Distribution(Model),
    /// Sizes of the packets of a capture.
    Capture(String),
}

impl Default for Size {
    fn default() -> Self {
        Size::Fixed { bytes: 60, layer: Layer::Frame }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Fixed { bytes, layer } => write!(f, "{bytes} B({})", layer.name()),
            Size::Range { lo, hi, layer } => write!(f, "{lo}..{hi} B({})", layer.name()),
            Size::Imix => f.write_str("imix"),
            Size::Mix(name) => write!(f, "imix({name})"),
            Size::Genome(letters) => write!(f, "imix({letters:?})"),
            Size::Values { values, layer } => {
                f.write_str("empirical(")?;
                for (i, (bytes, weight)) in values.iter().enumerate() {
                    write!(f, "{}{bytes} B({}), {weight}", if i > 0 { ", " } else { "" }, layer.name())?;
                }
                f.write_str(")")
            }
            Size::Distribution(model) => model.fmt(f),
            Size::Capture(path) => write!(f, "capture({path:?})"),
        }
    }
}

/// Times between packets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrival {
    /// All gaps alike.
    #[default]
    Constant,
    /// Exponential gaps.
    Poisson,
    /// Another model with its parameters.
    Model(Model),
    /// Recorded gaps in their order, again and again; stretched so that their mean fits the rate.
    Gaps(Vec<Nanos>),
    /// The times between the packets of a capture, stretched to the rate.
    Capture(String),
}

/// How the rate of a component changes over time: levels of its full rate, one phase after the other and then from the
/// first again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// The lowest and highest level of each phase, 1 being the full rate; a level is drawn between them.
    pub levels: Vec<(f64, f64)>,
    /// How long a phase lasts.
    pub every: Nanos,
    /// How often a level is drawn anew within its phase; none means once.
    #[serde(default)]
    pub redraw: Option<Nanos>,
    /// How long the level takes at the start of a phase to get where it goes, from the one before and from nothing at
    /// first; none means no time.
    #[serde(default)]
    pub ramp: Option<Nanos>,
}

impl fmt::Display for Phases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |x: f64| (x * 1e6).round() / 1e4;
        f.write_str("phases(")?;
        for (lo, hi) in &self.levels {
            if lo == hi {
                write!(f, "{}%, ", percent(*lo))?;
            } else {
                write!(f, "{}%..{}%, ", percent(*lo), percent(*hi))?;
            }
        }
        write!(f, "every = {}", self.every)?;
        for (name, time) in [("redraw", self.redraw), ("ramp", self.ramp)] {
            if let Some(time) = time {
                write!(f, ", {name} = {time}")?;
            }
        }
        f.write_str(")")
    }
}

/// How the packets of a component are spread over its flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Popularity {
    /// All flows send alike.
    #[default]
    Uniform,
    /// The k-th flow sends in proportion to k to the power of minus this exponent.
    Zipf(f64),
}

/// How long a flow lasts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lifetime {
    /// Uniform between two lifetimes, both included: both in packets, or both times.
    Range(Quantity, Quantity),
    /// Drawn from a model whose quantities are packets or times.
    Model(Model),
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lifetime::Range(lo, hi) if lo == hi => lo.fmt(f),
            Lifetime::Range(lo, hi) => write!(f, "{lo}..{hi}"),
            Lifetime::Model(model) => model.fmt(f),
        }
    }
}

/// When flows begin, where they end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Births {
    /// One begins where one ends: there are always equally many.
    #[default]
    Constant,
    /// At random, independent of each other; so many on average.
    Poisson,
}

/// In which order the flows of a component take their turns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// One packet of each in turn, as the paper's off-line FIFO.
    #[default]
    Round,
    /// A flow drawn anew for each packet.
    Random,
    /// Trains of packets of one flow, geometrically distributed with this mean; each of a flow drawn anew.
    Runs(u32),
}

/// What the bytes behind the headers are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// Zero bytes.
    #[default]
    Zero,
    /// Random bytes, drawn once per flow.
    Random,
    /// A pattern that is repeated.
    Pattern(Vec<u8>),
}

impl TrafficMix {
    /// The same mix with `others` at `share` (0 to 1) and the rest scaled to what is left. Where the mix has no
    /// `others`, one is added that is like its first component and misses `far`.
    pub fn with_others(&self, share: f64) -> Self {
        let mut out = self.clone();
        if !out.components.iter().any(|c| matches!(c.target, Target::Others(_))) {
            let Some(first) = out.components.first() else {
                return out;
            };
            let like = Component { target: Target::Others(Miss::Far), share: 0.0, ..first.clone() };
            out.components.push(like);
        }
        let is_others = |c: &Component| matches!(c.target, Target::Others(_));
        let named: f64 = out.components.iter().filter(|c| !is_others(c)).map(|c| c.share).sum();
        let missed: f64 = out.components.iter().filter(|c| is_others(c)).map(|c| c.share).sum();
        let (n_named, n_missed) = (
            out.components.iter().filter(|c| !is_others(c)).count().max(1) as f64,
            out.components.iter().filter(|c| is_others(c)).count().max(1) as f64,
        );
        for c in &mut out.components {
            let (part, total, count) =
                if is_others(c) { (share, missed, n_missed) } else { (1.0 - share, named, n_named) };
            c.share = if total > 0.0 { c.share / total * part } else { part / count };
        }
        out.components.retain(|c| c.share > 0.0);
        out
    }

    /// The same mix with `flows` flows in every component. Where births and lifetime would say otherwise, the births
    /// per second follow from the other two.
    pub fn with_flows(&self, flows: u32) -> Self {
        let mut out = self.clone();
        for traffic in out.components.iter_mut().map(|c| &mut c.traffic) {
            traffic.flows = Some(flows);
            if traffic.lifetime.is_some() {
                traffic.birth_rate = None;
            }
        }
        out
    }

    /// The same mix with all packets of that size.
    pub fn with_size(&self, size: &Size) -> Self {
        let mut out = self.clone();
        out.components.iter_mut().for_each(|c| c.traffic.size = size.clone());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(target: Target, share: f64) -> Component {
        Component {
            target,
            share,
            share_of: ShareOf::Packets,
            traffic: Traffic::default(),
            span: Span::default(),
        }
    }

    #[test]
    fn others_take_their_share_and_the_rest_keeps_its_proportions() {
        let mix = TrafficMix {
            components: vec![
                part(Target::Class(ClassId(1)), 0.6),
                part(Target::Class(ClassId(2)), 0.2),
                part(Target::Others(Miss::Near), 0.2),
            ],
        };
        let half = mix.with_others(0.5);
        let shares: Vec<_> = half.components.iter().map(|c| (c.share * 1000.0).round()).collect();
        assert_eq!(shares, [375.0, 125.0, 500.0]);
        assert_eq!(mix.with_others(1.0).components.len(), 1);
        // back from an extreme: classes without any share divide what is left
        assert_eq!(mix.with_others(0.0).components.len(), 2);
    }
}
