//! What x is, and what the curves are.

use crate::record::{Run, Trial};
use crate::text;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The x axis of a run's figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Axis {
    /// The name in the notation.
    pub name: String,
    /// What the axis is labelled with, its unit included.
    pub title: String,
}

/// A curve: the points that differ in x alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Series {
    /// What sets it apart: the meter, and other axes where there are any.
    pub label: String,
    /// Its points in the order of the grid, as indices.
    pub points: Vec<usize>,
}

impl Axis {
    fn new(name: &str) -> Self {
        let title = match name {
            "rules" => "number of rules",
            "others" => "packets that match no rule, %",
            "rate" => "packets/s offered",
            "flows" => "flows of each class",
            "size" => "packet size, bytes",
            other => other,
        };
        Self { name: name.into(), title: title.into() }
    }

    /// How values on the axis are shown: the factor from the record's value.
    pub fn scale(&self) -> f64 {
        if self.name == "others" { 100.0 } else { 1.0 }
    }

    /// A value as a person says it: `100 rules`, `20 kpps`, `others = 50 %`.
    pub fn say(&self, x: f64) -> String {
        match self.name.as_str() {
            "rules" => format!("{} rule{}", text::count(x as u64), if x == 1.0 { "" } else { "s" }),
            "flows" => format!("{} flow{}", text::count(x as u64), if x == 1.0 { "" } else { "s" }),
            "others" => format!("{} others", text::percent(x)),
            "rate" => text::prefixed(x, "pps"),
            "size" => format!("{} B", text::count(x as u64)),
            other => format!("{other} = {}", text::number(x)),
        }
    }

    /// A value in a table's cell or at a tick.
    pub fn tick(&self, x: f64) -> String {
        match self.name.as_str() {
            "rate" => text::prefixed(x, "").trim_end().replace(' ', ""),
            _ if (x * self.scale()).fract() == 0.0 => text::fixed(x * self.scale(), 0),
            _ => text::number(x * self.scale()),
        }
    }
}

/// The first axis of the sweep on which every trial has a number, and at least two of them.
pub(super) fn choose(run: &Run, trials: &[Trial]) -> Option<Axis> {
    let numbers = |name: &str| -> Option<BTreeSet<u64>> {
        trials.iter().map(|t| t.x.get(name).filter(|x| x.is_finite()).map(|x| x.to_bits())).collect()
    };
    run.axes
        .iter()
        .map(|(name, _)| name)
        .find(|name| numbers(name).is_some_and(|values| values.len() >= 2))
        .map(|name| Axis::new(name))
}

/// The curves, and for every point number the curve that it belongs to.
pub(super) fn series(
    run: &Run,
    trials: &[Trial],
    axis: Option<&Axis>,
) -> (Vec<Series>, BTreeMap<u32, usize>) {
    let coordinates = coordinates(run, trials, axis);
    // Points come in the order of the grid, and so do the curves.
    let first: BTreeMap<u32, &Trial> = trials.iter().rev().map(|t| (t.point, t)).collect();
    let mut series: Vec<Series> = Vec::new();
    let mut place = BTreeMap::new();
    for (point, trial) in first {
        let label = label(trial, &coordinates);
        let at = series.iter().position(|s| s.label == label).unwrap_or_else(|| {
            series.push(Series { label, points: Vec::new() });
            series.len() - 1
        });
        place.insert(point, at);
    }
    (series, place)
}

/// What sets points apart beside x: the meter first, then the axes in their order, then whatever else differs.
fn coordinates(run: &Run, trials: &[Trial], axis: Option<&Axis>) -> Vec<String> {
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, value) in trials.iter().flat_map(|t| &t.at) {
        seen.entry(name).or_default().insert(value);
    }
    let rank = |name: &str| match run.axes.iter().position(|(axis, _)| axis == name) {
        _ if name == "meter" => 0,
        Some(at) => at + 1,
        None => usize::MAX,
    };
    let mut names: Vec<String> = seen
        .into_iter()
        .filter(|(name, values)| values.len() > 1 && axis.is_none_or(|a| a.name != *name))
        .map(|(name, _)| name.to_owned())
        .collect();
    names.sort_by_key(|name| (rank(name), name.clone()));
    names
}

fn label(trial: &Trial, coordinates: &[String]) -> String {
    if coordinates.is_empty() {
        return trial.meter.clone();
    }
    let parts: Vec<String> = coordinates
        .iter()
        .map(|name| {
            let value = trial.at.get(name).map_or("–", String::as_str);
            if name == "meter" { value.to_owned() } else { format!("{name} = {value}") }
        })
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(point: u32, at: &[(&str, &str)]) -> Trial {
        Trial {
            point,
            meter: at.iter().find(|a| a.0 == "meter").map(|a| a.1.into()).unwrap_or_default(),
            at: at.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
            x: at.iter().filter_map(|(k, v)| Some(((*k).into(), v.parse().ok()?))).collect(),
            ..Default::default()
        }
    }

    fn run(axes: &[&str]) -> Run {
        Run { axes: axes.iter().map(|a| ((*a).into(), vec![])).collect(), ..Default::default() }
    }

    #[test]
    fn x_is_the_first_axis_of_numbers_and_the_rest_are_curves() {
        let run = run(&["rate", "rules", "flows"]);
        let trials = [
            trial(0, &[("meter", "a"), ("rate", "max"), ("rules", "0"), ("flows", "1")]),
            trial(1, &[("meter", "a"), ("rate", "max"), ("rules", "10"), ("flows", "1")]),
            trial(2, &[("meter", "b"), ("rate", "5"), ("rules", "0"), ("flows", "1")]),
            trial(3, &[("meter", "b"), ("rate", "5"), ("rules", "10"), ("flows", "1")]),
        ];
        let axis = choose(&run, &trials).unwrap();
        assert_eq!(axis.name, "rules");
        let (series, place) = series(&run, &trials, Some(&axis));
        let labels: Vec<_> = series.iter().map(|s| s.label.as_str()).collect();
        assert_eq!(labels, ["a, rate = max", "b, rate = 5"]);
        assert_eq!(place.into_values().collect::<Vec<_>>(), [0, 0, 1, 1]);
    }

    #[test]
    fn one_point_alone_has_no_axis() {
        let run = run(&["rules"]);
        let trials = [trial(0, &[("meter", "a"), ("rules", "5")])];
        assert_eq!(choose(&run, &trials), None);
        assert_eq!(series(&run, &trials, None).0[0].label, "a");
    }

    #[test]
    fn values_are_said_in_their_unit() {
        assert_eq!(Axis::new("rules").say(1.0), "1 rule");
        assert_eq!(Axis::new("rate").say(20_000.0), "20.0 kpps");
        assert_eq!(Axis::new("others").tick(0.25), "25");
        assert_eq!(Axis::new("rate").tick(1_500_000.0), "1.50M");
    }
}
