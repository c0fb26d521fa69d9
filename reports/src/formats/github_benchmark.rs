//! Custom results of github-action-benchmark: an array of `{name, unit, value, range}`. The action knows one direction
//! per file, so costs and rates are two formats.

use super::bencher::{judged, name};
use super::{Document, Format};
use crate::summary::{Better, Metric, Summary};
use crate::text;
use serde_json::{Value, json};
use std::io;

/// Costs and losses, for `tool: customSmallerIsBetter`.
pub(super) struct Smaller;
/// Rates, for `tool: customBiggerIsBetter`.
pub(super) struct Bigger;

impl Format for Smaller {
    fn name(&self) -> &'static str {
        "github-smaller"
    }

    fn about(&self) -> &'static str {
        "costs and losses for github-action-benchmark (customSmallerIsBetter)"
    }

    fn is_written(&self) -> bool {
        false
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![document("github-smaller.json", summary, Better::Less)]
    }
}

impl Format for Bigger {
    fn name(&self) -> &'static str {
        "github-bigger"
    }

    fn about(&self) -> &'static str {
        "rates for github-action-benchmark (customBiggerIsBetter)"
    }

    fn is_written(&self) -> bool {
        false
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![document("github-bigger.json", summary, Better::More)]
    }
}

fn document<'a>(file: &str, s: &'a Summary, better: Better) -> Document<'a> {
    Document::new(file, move |out| {
        let all: Vec<Value> = judged(s)
            .flat_map(|p| Metric::ALL.into_iter().map(move |m| (p, m)))
            .filter(|(_, m)| m.better() == Some(better))
            .filter_map(|(p, m)| {
                let (e, scale) = (p.get(m)?, m.unit().scale());
                Some(json!({
                    "name": format!("{}: {}", name(s, p), m.title()),
                    "unit": m.unit().sign(),
                    "value": e.median * scale,
                    "range": format!("{} – {}", text::number(e.low * scale), text::number(e.high * scale)),
                }))
            })
            .collect();
        serde_json::to_writer_pretty(&mut *out, &all).map_err(io::Error::other)?;
        out.write_all(b"\n")
    })
}
