//! Whether what the scenario expects holds.

use super::{Metric, Point, Summary};
use crate::record::Expect;
use crate::text::{count, plural};
use serde::Serialize;

/// What a run comes to. Exit codes are made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that was expected holds, and every point has results.
    Holds,
    /// An expectation does not hold in valid trials.
    ExpectationFails,
    /// Some point has too few valid trials, or trials are missing: nothing can be said of the whole.
    Invalid,
    /// Nothing was run.
    Nothing,
}

impl Verdict {
    /// A word for tables.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::ExpectationFails => "expectation fails",
            Verdict::Invalid => "invalid",
            Verdict::Nothing => "nothing was run",
        }
    }
}

/// What became of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds at every point.
    Holds,
    /// It fails somewhere.
    Fails,
    /// It can't be decided: no valid trial has the metric.
    Undecided,
}

impl State {
    /// A word for tables.
    pub const fn word(self) -> &'static str {
        match self {
            State::Holds => "holds",
            State::Fails => "fails",
            State::Undecided => "undecided",
        }
    }
}

/// An expectation with what became of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// As the scenario writes it: `loss = 0`.
    pub text: String,
    /// What became of it.
    pub state: State,
    /// Where it fails and by how much, or why it can't be decided.
    pub detail: Vec<String>,
}

/// Checks every expectation at every point.
///
/// `loss` and `misclassified` must hold in each valid trial: a packet lost once is lost. The others are noisy and
/// must hold for the median of each point.
pub(super) fn check(summary: &Summary) -> Vec<Checked> {
    summary.run.expect.iter().map(|expect| check_one(expect, summary)).collect()
}

fn check_one(expect: &Expect, summary: &Summary) -> Checked {
    let undecided = |why: String| Checked { text: say(expect), state: State::Undecided, detail: vec![why] };
    let Some(metric) = metric(&expect.metric) else {
        return undecided(format!("this version does not know the metric `{}`", expect.metric));
    };
    if !["=", "<", "<=", ">", ">="].contains(&expect.relation.as_str()) {
        return undecided(format!("this version does not know the relation `{}`", expect.relation));
    }
    let measured: Vec<&Point> = summary.points.iter().filter(|p| p.get(metric).is_some()).collect();
    if measured.is_empty() {
        return undecided("no valid trial has this metric".into());
    }
    let detail: Vec<String> = measured
        .iter()
        .filter_map(|p| violation(expect, metric, p).map(|v| format!("{}: {v}", summary.name(p))))
        .collect();
    let state = if detail.is_empty() { State::Holds } else { State::Fails };
    Checked { text: say(expect), state, detail }
}

/// What is wrong at a point, if anything is.
fn violation(expect: &Expect, metric: Metric, point: &Point) -> Option<String> {
    let e = point.get(metric)?;
    let holds = |v: &f64| match expect.relation.as_str() {
        "=" => *v == expect.value,
        "<" => *v < expect.value,
        "<=" => *v <= expect.value,
        ">" => *v > expect.value,
        _ => *v >= expect.value,
    };
    if matches!(metric, Metric::Loss | Metric::Misclassified) {
        let bad: Vec<f64> = e.values.iter().copied().filter(|v| !holds(v)).collect();
        let off = |v: &f64| (v - expect.value).abs();
        let worst = bad.iter().copied().max_by(|a, b| off(a).total_cmp(&off(b)))?;
        return Some(format!(
            "{}{} in {} of {}",
            if bad.len() == 1 { "" } else { "up to " },
            metric.unit().show(worst),
            bad.len(),
            plural(e.values.len(), "valid trial")
        ));
    }
    (!holds(&e.median)).then(|| format!("the median is {}", metric.unit().show(e.median)))
}

/// The metric that a name in the notation means.
fn metric(name: &str) -> Option<Metric> {
    Some(match name {
        "loss" => Metric::Loss,
        "misclassified" => Metric::Misclassified,
        "cpu" => Metric::TotalShare,
        "cpu_per_packet" => Metric::TotalNs,
        "memory" => Metric::Memory,
        _ => return None,
    })
}

fn say(expect: &Expect) -> String {
    let value = match metric(&expect.metric).filter(|_| expect.value != 0.0) {
        Some(Metric::Misclassified) | None => format!("{}", expect.value),
        Some(m) => m.unit().show(expect.value),
    };
    format!("{} {} {value}", expect.metric, expect.relation)
}

/// The verdict with its reason. A failed expectation counts before invalid points: what valid trials show is so.
pub(super) fn verdict(summary: &Summary) -> (Verdict, String) {
    let s = summary;
    if s.trials.is_empty() {
        let skipped =
            if s.skipped.is_empty() { String::new() } else { format!(" {} skipped.", s.skipped.len()) };
        return (Verdict::Nothing, format!("No trial was run.{skipped}"));
    }
    if let Some(failed) = s.expectations.iter().find(|e| e.state == State::Fails) {
        let others = failed.detail.len() - 1;
        let more =
            if others == 0 { String::new() } else { format!(", and at {}", plural(others, "more point")) };
        return (
            Verdict::ExpectationFails,
            format!("`{}` does not hold: {}{more}.", failed.text, failed.detail[0]),
        );
    }
    if let Some(point) = s.points.iter().find(|p| !p.usable()) {
        let why = s.invalid.iter().find(|i| s.points[i.point].number == point.number);
        let why = why.and_then(|i| i.reasons.first()).map_or(String::new(), |r| format!(" ({r})"));
        return (
            Verdict::Invalid,
            format!(
                "{} of {} at {} are valid{why}.",
                point.valid,
                plural(point.trials, "trial"),
                s.name(point)
            ),
        );
    }
    if !s.complete {
        return (
            Verdict::Invalid,
            format!(
                "Only {} of {} were run: `csnbench run --resume` goes on.",
                s.trials.len(),
                plural(s.run.planned as usize, "planned trial")
            ),
        );
    }
    if let Some(open) = s.expectations.iter().find(|e| e.state == State::Undecided) {
        return (Verdict::Invalid, format!("`{}` can't be decided: {}.", open.text, open.detail[0]));
    }
    let trials = format!("{} of {} valid", count(s.valid() as u64), plural(s.trials.len(), "trial"));
    let because = match s.expectations.len() {
        0 => format!("{trials}; the scenario expects nothing."),
        _ => {
            let all: Vec<String> = s.expectations.iter().map(|e| format!("`{}`", e.text)).collect();
            format!("{} at every point; {trials}.", all.join(", "))
        }
    };
    (Verdict::Holds, because)
}
