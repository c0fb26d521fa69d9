//! Every trial by itself, behind a click on its point.

use super::table as html_table;
use crate::record::Trial;
use crate::summary::{Metric, Point, Summary, reasons};
use crate::text::{self, escape, plural};

/// Metrics of a trial's row, with the factor that they are shown by and the unit.
const SHOWN: [(Metric, f64, &str); 8] = [
    (Metric::UserNs, 1.0, "ns/packet"),
    (Metric::SystemNs, 1.0, "ns/packet"),
    (Metric::TotalNs, 1.0, "ns/packet"),
    (Metric::Loss, 100.0, "%"),
    (Metric::Achieved, 1e-3, "kpps"),
    (Metric::LateP99, 1e-3, "µs"),
    (Metric::Steal, 100.0, "%"),
    (Metric::Foreign, 100.0, "%"),
];

/// A table of trials for each point, in the order of running.
pub(super) fn trials(s: &Summary) -> String {
    s.points.iter().map(|p| point(s, p)).collect()
}

fn point(s: &Summary, p: &Point) -> String {
    let mut head = vec![("trial", ""), ("started", "UTC"), ("", "")];
    head.extend(SHOWN.map(|(m, _, unit)| (m.title(), unit)));
    head.push(("what to know of it", ""));
    let rows: Vec<Vec<String>> = s.trials.iter().filter(|t| t.point == p.number).map(row).collect();
    let last = head.len() - 1;
    format!(
        "<details><summary>{}: {}, {} valid</summary>\n{}</details>\n",
        escape(&s.name(p)),
        plural(p.trials, "trial"),
        p.valid,
        html_table(&head, &[1, 2, last], &rows)
    )
}

fn row(t: &Trial) -> Vec<String> {
    let reasons = reasons(t);
    let mark = if reasons.is_empty() {
        "<span class=\"mark good\">valid</span>"
    } else {
        "<span class=\"mark unsure\">invalid</span>"
    };
    let mut cells = vec![t.index.to_string(), escape(&text::time(t.time)), mark.to_owned()];
    cells.extend(SHOWN.map(|(m, scale, _)| m.of(t).map_or("–".into(), |v| text::number(v * scale))));
    let known: Vec<String> = reasons.iter().chain(&t.warnings).map(|w| escape(w)).collect();
    cells.push(known.join("<br>"));
    cells
}
