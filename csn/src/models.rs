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
        parameters: &[defaulted("length", Takes::Packets, Quantity::Packets(10), "packets of a burst")],
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
        ],
    },
];

/// The names of the models that draw this.
pub fn names(draws: Draws) -> Vec<&'static str> {
    MODELS.iter().filter(|m| m.draws == draws).map(|m| m.name).collect()
}
