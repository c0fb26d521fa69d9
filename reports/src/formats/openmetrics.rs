//! OpenMetrics text, for Prometheus and what reads its exposition: a gauge per metric, a sample per usable point and
//! end of the interval.

use super::bencher::judged;
use super::{Document, Format};
use crate::summary::{Metric, Point, Summary};
use std::io::{self, Write};

/// OpenMetrics 1.0 text.
pub(super) struct OpenMetrics;

impl Format for OpenMetrics {
    fn name(&self) -> &'static str {
        "openmetrics"
    }

    fn about(&self) -> &'static str {
        "medians and their intervals as OpenMetrics text"
    }

    fn is_written(&self) -> bool {
        false
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("metrics.txt", move |out| render(summary, out))]
    }
}

fn render(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let points: Vec<(&Point, String)> = judged(s).map(|p| (p, labels(s, p))).collect();
    for metric in Metric::ALL {
        let samples: Vec<_> = points.iter().filter_map(|(p, l)| Some((p.get(metric)?, l))).collect();
        if samples.is_empty() {
            continue;
        }
        let name = format!("csnbench_{}", metric.name());
        writeln!(out, "# TYPE {name} gauge")?;
        writeln!(out, "# HELP {name} {} ({})", metric.title(), unit(metric))?;
        for (e, labels) in samples {
            for (end, value) in [("median", e.median), ("low", e.low), ("high", e.high)] {
                writeln!(out, "{name}{{{labels},interval=\"{end}\"}} {value}")?;
            }
        }
    }
    writeln!(out, "# EOF")
}

/// What stored values are counted in: shares are not percent here.
fn unit(metric: Metric) -> &'static str {
    if metric.unit().scale() == 1.0 { metric.unit().sign() } else { "share, 0 to 1" }
}

/// Labels that tell the run and the point apart. An axis may be called as anything, so its name is made safe.
fn labels(s: &Summary, p: &Point) -> String {
    let mut all = vec![format!("scenario=\"{}\"", escaped(s.title()))];
    all.extend(p.at.iter().map(|(axis, value)| {
        let axis: String = axis.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("at_{axis}=\"{}\"", escaped(value))
    }));
    all.join(",")
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
