//! The experiment: what the harness varies, measures and expects.

use crate::diagnostic::Span;
use crate::mix::{Size, TrafficMix};
use crate::ruleset::RuleSet;
use crate::search::Search;
use crate::units::{Nanos, Rate};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A whole scenario: rules, traffic and experiment of one CSN file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// The rules and classes.
    pub rules: RuleSet,
    /// The traffic.
    pub mix: TrafficMix,
    /// What is done with them.
    pub experiment: Experiment,
}

/// Title, meters, run, sweep and expectations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Experiment {
    /// `scenario: title = …`.
    pub title: Option<String>,
    /// `scenario: reproduces = …`: a figure or section of a publication.
    pub reproduces: Option<String>,
    /// `scenario: tags = {…}`.
    pub tags: Vec<String>,
    /// The meters under test.
    pub meters: Vec<MeterSpec>,
    /// How one trial is run.
    pub run: RunSpec,
    /// The axes of the sweep, in file order.
    pub vary: Vec<Axis>,
    /// What must hold.
    pub expect: Vec<Expectation>,
}

/// A meter with its options, as written: `rtfm(prefilter = bpf)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterSpec {
    /// The name in the table of meters.
    pub name: String,
    /// The options in the order of writing. Values are the source text without quotes.
    pub options: Vec<(String, String)>,
    /// The place.
    pub span: Span,
}

impl MeterSpec {
    /// The value of an option.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl fmt::Display for MeterSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for (i, (name, value)) in self.options.iter().enumerate() {
            write!(f, "{}{name} = {value}", if i == 0 { "(" } else { ", " })?;
        }
        if self.options.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

/// How one trial is run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSpec {
    /// The rate of all traffic together.
    pub rate: RateSpec,
    /// How long packets are sent.
    pub time: Nanos,
    /// How many trials each point gets; at most, where `within` says when there are enough.
    pub repeat: u32,
    /// `until(±2%)`: a point has enough trials when the interval of its median reaches no farther than this share of it.
    pub within: Option<f64>,
    /// Where everything random comes from.
    pub seed: u64,
    /// The `run` statement.
    pub span: Span,
}

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            rate: RateSpec::Fixed(Rate::Pps(100_000.0)),
            time: Nanos::from_secs(2),
            repeat: 5,
            within: None,
            seed: 1,
            span: Span::default(),
        }
    }
}

/// How fast packets are sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RateSpec {
    /// A stated rate.
    Fixed(Rate),
    /// As fast as the generator can.
    Max,
    /// The highest rate at which no more than some loss shows.
    Search(Search),
}

impl fmt::Display for RateSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RateSpec::Fixed(r) => r.fmt(f),
            RateSpec::Max => f.write_str("max"),
            RateSpec::Search(search) => search.fmt(f),
        }
    }
}

/// One axis of the sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// How many of the file's rules the meter loads, from the first.
    Rules(Vec<u32>),
    /// Meters, beside those of the `meter` statement.
    Meter(Vec<MeterSpec>),
    /// The share of packets that match nothing, 0 to 1.
    Others(Vec<f64>),
    /// The rate.
    Rate(Vec<RateSpec>),
    /// Flows of each class.
    Flows(Vec<u32>),
    /// Packet sizes.
    Size(Vec<Size>),
}

/// What must hold for every point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    /// What is looked at.
    pub metric: Metric,
    /// How it is compared.
    pub relation: Relation,
    /// With what: shares from 0 to 1, nanoseconds, or packets, as the metric says.
    pub value: f64,
    /// The place.
    pub span: Span,
}

/// What an expectation looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// Share of the offered packets that the meter should have counted and did not.
    Loss,
    /// Packets counted as another class than theirs.
    Misclassified,
    /// CPU share of the meter's process, 1 = one core.
    Cpu,
    /// CPU time of the meter's process per packet offered, in nanoseconds.
    CpuPerPacket,
    /// Peak resident memory of the meter's process, in bytes.
    Memory,
}

impl Metric {
    /// Every metric with its name in the notation.
    pub const ALL: [(&'static str, Metric); 5] = [
        ("loss", Metric::Loss),
        ("misclassified", Metric::Misclassified),
        ("cpu", Metric::Cpu),
        ("cpu_per_packet", Metric::CpuPerPacket),
        ("memory", Metric::Memory),
    ];

    /// The name in the notation.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].0
    }
}

/// How an expectation compares: `=`, `<`, `<=`, `>`, `>=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// Equal.
    Equal,
    /// Less than.
    Less,
    /// At most.
    AtMost,
    /// More than.
    More,
    /// At least.
    AtLeast,
}

impl Relation {
    /// Whether `left` stands in this relation to `right`.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Relation::Equal => left == right,
            Relation::Less => left < right,
            Relation::AtMost => left <= right,
            Relation::More => left > right,
            Relation::AtLeast => left >= right,
        }
    }

    /// The sign in the notation.
    pub const fn sign(self) -> &'static str {
        match self {
            Relation::Equal => "=",
            Relation::Less => "<",
            Relation::AtMost => "<=",
            Relation::More => ">",
            Relation::AtLeast => ">=",
        }
    }
}

/// One point of the grid that the axes span. What an axis does not set stays as the scenario says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The meter.
    pub meter: MeterSpec,
    /// How many rules are loaded; none means all.
    pub rules: Option<u32>,
    /// Share of unmatched packets.
    pub others: Option<f64>,
    /// The rate.
    pub rate: Option<RateSpec>,
    /// Flows of each class.
    pub flows: Option<u32>,
    /// Packet size.
    pub size: Option<Size>,
}

/// What one trial runs: the scenario at one point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setting {
    /// The rules that the meter loads.
    pub loaded: RuleSet,
    /// The traffic that is sent, made from all rules of the file.
    pub mix: TrafficMix,
    /// How fast it is sent.
    pub rate: RateSpec,
}

impl Scenario {
    /// All points of the sweep, the last axis turning fastest; meters turn slowest.
    pub fn grid(&self) -> Vec<Point> {
        let mut meters = self.experiment.meters.clone();
        for axis in &self.experiment.vary {
            if let Axis::Meter(more) = axis {
                meters.extend(more.iter().cloned());
            }
        }
        let mut points: Vec<Point> = meters
            .into_iter()
            .map(|meter| Point { meter, rules: None, others: None, rate: None, flows: None, size: None })
            .collect();
        for axis in &self.experiment.vary {
            points = points.iter().flat_map(|p| axis.along(p)).collect();
        }
        points
    }

    /// The scenario at one point.
    pub fn at(&self, point: &Point) -> Setting {
        let mut mix = self.mix.clone();
        if let Some(share) = point.others {
            mix = mix.with_others(share);
        }
        if let Some(flows) = point.flows {
            mix = mix.with_flows(flows);
        }
        if let Some(size) = &point.size {
            mix = mix.with_size(size);
        }
        let loaded = point.rules.map_or_else(|| self.rules.clone(), |n| self.rules.first(n as usize));
        Setting { loaded, mix, rate: point.rate.unwrap_or(self.experiment.run.rate) }
    }
}

impl Axis {
    /// The name in the notation.
    pub const fn name(&self) -> &'static str {
        match self {
            Axis::Rules(_) => "rules",
            Axis::Meter(_) => "meter",
            Axis::Others(_) => "others",
            Axis::Rate(_) => "rate",
            Axis::Flows(_) => "flows",
            Axis::Size(_) => "size",
        }
    }

    /// The points that the axis makes of one.
    fn along(&self, p: &Point) -> Vec<Point> {
        match self {
            Axis::Rules(v) => v.iter().map(|&n| Point { rules: Some(n), ..p.clone() }).collect(),
            Axis::Meter(_) => vec![p.clone()],
            Axis::Others(v) => v.iter().map(|&s| Point { others: Some(s), ..p.clone() }).collect(),
            Axis::Rate(v) => v.iter().map(|&r| Point { rate: Some(r), ..p.clone() }).collect(),
            Axis::Flows(v) => v.iter().map(|&n| Point { flows: Some(n), ..p.clone() }).collect(),
            Axis::Size(v) => v.iter().map(|s| Point { size: Some(s.clone()), ..p.clone() }).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_span_a_grid() {
        let meter = |name: &str| MeterSpec { name: name.into(), options: vec![], span: Span::default() };
        let mut s = Scenario::default();
        s.experiment.meters = vec![meter("rtfm")];
        s.experiment.vary =
            vec![Axis::Rules(vec![0, 10, 20]), Axis::Meter(vec![meter("count")]), Axis::Flows(vec![1, 2])];
        let grid = s.grid();
        assert_eq!(grid.len(), 12);
        assert_eq!((grid[0].rules, grid[0].flows), (Some(0), Some(1)));
        assert_eq!((grid[1].rules, grid[1].flows), (Some(0), Some(2)));
        assert_eq!(grid[6].meter.name, "count");
    }

    #[test]
    fn meters_print_as_they_are_written() {
        let m = MeterSpec {
            name: "rtfm".into(),
            options: vec![("prefilter".into(), "bpf".into())],
            span: Span::default(),
        };
        assert_eq!(m.to_string(), "rtfm(prefilter = bpf)");
    }
}
