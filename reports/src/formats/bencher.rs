//! Bencher Metric Format: `{"benchmark": {"measure": {"value", "lower_value", "upper_value"}}}`, for the continuous
//! benchmarking service of that name (`bencher run --adapter json --file …`).
//!
//! A benchmark is a usable point; the bounds are those of the median's interval.

use super::{Document, Format};
use crate::summary::{Metric, Point, Summary};
use serde_json::{Map, Value, json};
use std::io;

/// What Bencher allows for the name of a benchmark, in characters.
const LONGEST_NAME: usize = 1024;

/// One JSON object.
pub(super) struct Bencher;

impl Format for Bencher {
    fn name(&self) -> &'static str {
        "bencher"
    }

    fn about(&self) -> &'static str {
        "medians with bounds in Bencher Metric Format"
    }

    fn is_written(&self) -> bool {
        false
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("bencher.json", move |out| {
            let all: Map<String, Value> = judged(summary).map(|p| (name(summary, p), measures(p))).collect();
            serde_json::to_writer_pretty(&mut *out, &all).map_err(io::Error::other)?;
            out.write_all(b"\n")
        })]
    }
}

/// The points whose numbers may be judged by a program.
pub(super) fn judged(s: &Summary) -> impl Iterator<Item = &Point> {
    s.points.iter().filter(|p| p.usable())
}

/// What a point is called where nothing but its name tells where it comes from.
pub(super) fn name(s: &Summary, p: &Point) -> String {
    format!("{}: {}", s.title(), s.name(p)).chars().take(LONGEST_NAME).collect()
}

fn measures(p: &Point) -> Value {
    let measures: Map<String, Value> = Metric::ALL
        .into_iter()
        .filter(|m| m.better().is_some())
        .filter_map(|m| {
            let e = p.get(m)?;
            let value = json!({"value": e.median, "lower_value": e.low, "upper_value": e.high});
            Some((m.name().replace('_', "-"), value))
        })
        .collect();
    Value::Object(measures)
}
