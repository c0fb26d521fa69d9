//! JSON in the shape of hyperfine's `--export-json`, for the scripts that plot it: a result per usable point, whose
//! times are the CPU seconds of the meter in each trial.

use super::bencher::{judged, name};
use super::{Document, Format};
use crate::record::Trial;
use crate::stats::median;
use crate::summary::{Point, Summary};
use serde_json::{Value, json};
use std::io;

/// One JSON object.
pub(super) struct Hyperfine;

impl Format for Hyperfine {
    fn name(&self) -> &'static str {
        "hyperfine"
    }

    fn about(&self) -> &'static str {
        "the meter's CPU seconds per trial in the shape of hyperfine's JSON"
    }

    fn is_written(&self) -> bool {
        false
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("hyperfine.json", move |out| {
            let results: Vec<Value> = judged(summary).map(|p| result(summary, p)).collect();
            serde_json::to_writer_pretty(&mut *out, &json!({ "results": results }))
                .map_err(io::Error::other)?;
            out.write_all(b"\n")
        })]
    }
}

fn result(s: &Summary, p: &Point) -> Value {
    let trials: Vec<&Trial> = s.results().filter(|t| t.point == p.number).collect();
    let seconds = |of: fn(&Trial) -> u64| trials.iter().map(|t| of(t) as f64 * 1e-9).collect::<Vec<f64>>();
    let times = seconds(|t| t.cpu.total);
    let (mean, deviation) = moments(&times);
    json!({
        "command": name(s, p),
        "mean": mean,
        "stddev": deviation,
        "median": median(&times),
        "user": moments(&seconds(|t| t.cpu.user)).0,
        "system": moments(&seconds(|t| t.cpu.system)).0,
        "min": times.iter().copied().reduce(f64::min),
        "max": times.iter().copied().reduce(f64::max),
        "times": times,
        "memory_usage_byte": trials.iter().map(|t| t.cpu.memory).collect::<Vec<_>>(),
        "exit_codes": vec![0; trials.len()],
        "parameters": p.at,
    })
}

/// The mean, and the standard deviation of the sample; none for a single value.
fn moments(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (mean, (n > 1.0).then(|| (squares / (n - 1.0)).sqrt()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn moments_are_those_of_a_sample() {
        assert_eq!(super::moments(&[2.0, 4.0, 6.0]), (4.0, Some(2.0)));
        assert_eq!(super::moments(&[3.0]), (3.0, None));
    }
}
