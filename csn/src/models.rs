//! The models of sizes, gaps and lifetimes that a scenario can name, and what they take. What this version makes of
//! them is the generator's; a name or a parameter that no model has is a mistake for everybody.

use crate::units::{Layer, Nanos};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A model with its parameters, in the order of its table; those with a default are all there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The name in [`MODELS`].
    pub name: String,
    /// Names and values.
    pub parameters: Vec<(String, Quantity)>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// A number without unit.
    Number(f64),
    /// Packets.
    Packets(u64),
    /// A time.
    Time(Nanos),
    /// Bytes of a layer.
    Bytes(u32, Layer),
}

impl Model {
    /// The value of a parameter; none where it is left out and has no default.
    pub fn parameter(&self, name: &str) -> Option<Quantity> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, q)| *q)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Quantity::Number(x) => x.fmt(f),
            Quantity::Packets(1) => f.write_str("1 packet"),
            Quantity::Packets(n) => write!(f, "{n} packets"),
            Quantity::Time(t) => t.fmt(f),
            Quantity::Bytes(n, layer) => write!(f, "{n} B({})", layer.name()),
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (i, (name, value)) in self.parameters.iter().enumerate() {
            write!(f, "{}{name} = {value}", if i > 0 { ", " } else { "" })?;
        }
        f.write_str(")")
    }
}

/// What a model draws.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draws {
    /// Sizes and lifetimes: quantities of any kind.
    Quantities,
    /// Times between packets.
    Gaps,
    /// Which flow, by its rank.
    Ranks,
    /// Whose turn it is.
    Turns,
    /// Nothing: headers around the packet.
    Headers,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Takes {
    /// What is drawn: bytes for sizes, packets or a time for lifetimes.
    Drawn,
    /// Packets.
    Packets,
    /// A time.
    Time,
    /// A number without unit above the first bound, up to the second.
    Number(f64, f64),
    /// A whole number without unit, both bounds included.
    Whole(u32, u32),
}

/// A parameter of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// Whether it must be given.
    pub needed: bool,
    /// The value where it is left out.
    pub default: Option<Quantity>,
    /// One line of documentation.
    pub doc: &'static str,
}

/// A line of the table of models.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// The name.
    pub name: &'static str,
    /// What it draws.
    pub draws: Draws,
    /// One line of documentation.
    pub doc: &'static str,
    /// What it takes.
    pub parameters: &'static [Parameter],
}

const fn needed(name: &'static str, takes: Takes, doc: &'static str) -> Parameter {
    Parameter { name, takes, needed: true, default: None, doc }
}

const fn optional(name: &'static str, takes: Takes, doc: &'static str) -> Parameter {
    Parameter { name, takes, needed: false, default: None, doc }
}

const fn defaulted(name: &'static str, takes: Takes, default: Quantity, doc: &'static str) -> Parameter {
    Parameter { name, takes, needed: false, default: Some(default), doc }
}

const MEAN: Parameter = needed("mean", Takes::Drawn, "the mean");
const MIN: Parameter = optional("min", Takes::Drawn, "nothing smaller is drawn");
const MAX: Parameter = optional("max", Takes::Drawn, "nothing larger is drawn");

/// Every model that takes parameters.
pub static MODELS: &[Entry] = &[
    Entry {
        name: "exponential",
        draws: Draws::Quantities,
        doc: "many small, few large",
        parameters: &[MEAN, MIN, MAX],
    },
    Entry {
        name: "normal",
        draws: Draws::Quantities,
        doc: "around a mean",
        parameters: &[MEAN, needed("deviation", Takes::Drawn, "the standard deviation"), MIN, MAX],
    },
    Entry {
        name: "lognormal",
        draws: Draws::Quantities,
        doc: "its logarithm is normal: the body of file and flow sizes",
        parameters: &[
            MEAN,
            needed("sigma", Takes::Number(0.0, 10.0), "the standard deviation of the logarithm"),
            MIN,
            MAX,
        ],
    },
    Entry {
        name: "pareto",
        draws: Draws::Quantities,
        doc: "a heavy tail from `min` on: the tail of file and flow sizes",
        parameters: &[
            needed("min", Takes::Drawn, "the smallest value"),
            needed("alpha", Takes::Number(0.0, 100.0), "the shape: the smaller, the heavier the tail"),
            MAX,
        ],
    },
    Entry {
        name: "burst",
        draws: Draws::Gaps,
        doc: "bursts of packets back to back, evenly spaced",
        parameters: &[
            defaulted("length", Takes::Packets, Quantity::Packets(10), "packets of a burst"),
            optional("gap", Takes::Time, "the time between packets of a burst; none where it is left out"),
        ],
    },
    Entry {
        name: "onoff",
        draws: Draws::Gaps,
        doc: "times with and without packets, Pareto distributed: self-similar traffic",
        parameters: &[
            defaulted(
                "on",
                Takes::Time,
                Quantity::Time(Nanos::from_millis(500)),
                "the mean time with packets",
            ),
            defaulted("off", Takes::Time, Quantity::Time(Nanos::from_millis(500)), "the mean time without"),
            defaulted(
                "alpha",
                Takes::Number(1.0, 2.0),
                Quantity::Number(1.5),
                "the shape of both: the nearer to 1, the heavier the tail",
            ),
            defaulted(
                "sources",
                Takes::Whole(1, 100_000),
                Quantity::Number(50.0),
                "how many such sources send together",
            ),
        ],
    },
    Entry {
        name: "mmpp",
        draws: Draws::Gaps,
        doc: "Poisson with two rates that take turns at random",
        parameters: &[
            defaulted(
                "ratio",
                Takes::Number(0.0, 1e6),
                Quantity::Number(10.0),
                "the high rate divided by the low one",
            ),
            defaulted(
                "high",
                Takes::Time,
                Quantity::Time(Nanos::from_millis(100)),
                "the mean time at the high rate",
            ),
            defaulted(
                "low",
                Takes::Time,
                Quantity::Time(Nanos::from_millis(900)),
                "the mean time at the low rate",
            ),
        ],
    },
    Entry {
        name: "zipf",
        draws: Draws::Ranks,
        doc: "few flows send most of the packets",
        parameters: &[defaulted(
            "s",
            Takes::Number(0.0, 10.0),
            Quantity::Number(1.0),
            "the exponent: the larger, the fewer flows matter",
        )],
    },
    Entry {
        name: "runs",
        draws: Draws::Turns,
        doc: "trains of packets of one flow",
        parameters: &[defaulted(
            "length",
            Takes::Packets,
            Quantity::Packets(8),
            "the mean length of a train; lengths are geometric",
        )],
    },
    Entry {
        name: "qinq",
        draws: Draws::Headers,
        doc: "a service tag before the VLAN tag (IEEE 802.1ad); `vlan` is the service tag's",
        parameters: &[defaulted(
            "inner",
            Takes::Whole(0, 4095),
            Quantity::Number(1.0),
            "VLAN identifier of the inner tag",
        )],
    },
    Entry {
        name: "mpls-stack",
        draws: Draws::Headers,
        doc: "a stack of MPLS labels (RFC 3032); `mpls` is the top one",
        parameters: &[defaulted(
            "labels",
            Takes::Whole(1, 16),
            Quantity::Number(2.0),
            "how many labels there are",
        )],
    },
    Entry {
        name: "gre",
        draws: Draws::Headers,
        doc: "a GRE tunnel (RFC 2784) that carries UDP over IPv4",
        parameters: &[optional("key", Takes::Whole(0, u32::MAX), "the key (RFC 2890); none by default")],
    },
    Entry {
        name: "vxlan",
        draws: Draws::Headers,
        doc: "a VXLAN tunnel (RFC 7348) that carries Ethernet frames with UDP over IPv4",
        parameters: &[defaulted(
            "vni",
            Takes::Whole(0, 0xff_ffff),
            Quantity::Number(1.0),
            "the network's identifier",
        )],
    },
];

/// A mix of frame sizes that goes by a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imix {
    /// The name.
    pub name: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
    /// Ethernet frames in bytes, and how many of each make a deck.
    pub deck: &'static [(u32, u32)],
}

/// Every mix with a name; no standard defines *the* Internet mix.
pub static IMIXES: &[Imix] = &[
    Imix { name: "simple", doc: "7 of 64, 4 of 594, 1 of 1518", deck: &[(64, 7), (594, 4), (1518, 1)] },
    Imix { name: "simple570", doc: "the same with 570 in the middle", deck: &[(64, 7), (570, 4), (1518, 1)] },
    Imix {
        name: "tcp",
        doc: "58.67% of 90, 2% of 92, 23.66% of 594, 15.67% of 1518",
        deck: &[(90, 5867), (92, 200), (594, 2366), (1518, 1567)],
    },
    Imix {
        name: "ipsec",
        doc: "the same with 1418 at the top",
        deck: &[(90, 5867), (92, 200), (594, 2366), (1418, 1567)],
    },
];

/// The frame that a letter of an IMIX genome stands for, in bytes (Ethernet); RFC 6985, section 4. `z` is the largest
/// frame that usual Ethernet carries.
pub const fn genome_size(letter: char) -> Option<u32> {
    Some(match letter {
        'a' => 64,
        'b' => 128,
        'c' => 256,
        'd' => 512,
        'e' => 1024,
        'f' => 1280,
        'g' | 'z' => 1518,
        'h' => 2112,
        'i' => 9000,
        'j' => 16000,
        _ => return None,
    })
}

/// The names of the models that draw this.
pub fn names(draws: Draws) -> Vec<&'static str> {
    MODELS.iter().filter(|m| m.draws == draws).map(|m| m.name).collect()
}
