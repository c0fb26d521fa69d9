//! The result table: which columns there are and what stands in them, whatever the format.

use crate::summary::{Metric, Point, Summary};
use crate::text::{self, interval};

/// A table of text.
pub(super) struct Table {
    /// Heads of the columns.
    pub(super) head: Vec<Column>,
    /// Cells, a row per point.
    pub(super) rows: Vec<Vec<String>>,
}

/// A column.
#[derive(Clone)]
pub(super) struct Column {
    /// What is in it.
    pub(super) title: String,
    /// In which unit; may be empty.
    pub(super) unit: &'static str,
    /// Whether its cells are text, and stand left.
    pub(super) text: bool,
}

/// Which columns a table has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Columns {
    /// What the meter cost and what it lost.
    Results,
    /// What else was measured.
    Beside,
}

/// Columns of metrics: title, metric, and whether the column is there even when every cell is 0 or missing.
const RESULTS: [(&str, Metric, bool); 6] = [
    ("user", Metric::UserNs, true),
    ("system", Metric::SystemNs, true),
    ("total", Metric::TotalNs, true),
    ("CPU", Metric::TotalShare, true),
    ("loss", Metric::Loss, true),
    ("misclassified", Metric::Misclassified, false),
];

/// Columns beside the results.
const BESIDE: [(&str, Metric, bool); 8] = [
    ("achieved", Metric::Achieved, true),
    ("late, 99 %", Metric::LateP99, true),
    ("memory", Metric::Memory, false),
    ("softirq", Metric::SoftirqNs, false),
    ("switches", Metric::Switches, false),
    ("system calls", Metric::Syscalls, false),
    ("stolen", Metric::Steal, false),
    ("others on its CPU", Metric::Foreign, false),
];

impl Table {
    /// A table of points, a row each.
    pub(super) fn of(s: &Summary, points: &[&Point], columns: Columns) -> Self {
        let mut head = vec![Column { title: first_title(s), unit: "", text: s.axis.is_none() }];
        let mut rows: Vec<Vec<String>> = points.iter().map(|p| vec![first_cell(s, p)]).collect();
        let mut add = |title: &str, unit: &'static str, cell: &dyn Fn(&Point) -> String| {
            head.push(Column { title: title.into(), unit, text: false });
            rows.iter_mut().zip(points).for_each(|(row, p)| row.push(cell(p)));
        };
        let results = columns == Columns::Results;
        if results && points.iter().any(|p| p.comparisons > 0.0) {
            add("compared", "rules", &|p| text::fixed(p.comparisons, 1));
        }
        for &(title, metric, always) in if results { &RESULTS[..] } else { &BESIDE[..] } {
            let zero = |p: &&Point| p.get(metric).is_none_or(|e| e.values.iter().all(|v| *v == 0.0));
            if always || !points.iter().all(zero) {
                add(title, head_unit(metric), &|p| cell(p, metric));
            }
        }
        if results {
            add("valid", "trials", &|p| format!("{}/{}", p.valid, p.trials));
        }
        Self { head, rows }
    }
}

fn head_unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Memory => "MiB",
        Metric::Achieved => "kpps",
        Metric::LateP99 => "µs",
        other => other.unit().sign(),
    }
}

fn cell(p: &Point, metric: Metric) -> String {
    let scale = match metric {
        Metric::Memory => 1.0 / 1_048_576.0,
        Metric::Achieved | Metric::LateP99 => 1e-3,
        other => other.unit().scale(),
    };
    p.get(metric).map_or("–".into(), |e| interval(e, scale))
}

fn first_title(s: &Summary) -> String {
    s.axis
        .as_ref()
        .map_or("point".into(), |a| if a.name == "others" { "others, %".into() } else { a.name.clone() })
}

fn first_cell(s: &Summary, p: &Point) -> String {
    match (&s.axis, p.x) {
        (Some(axis), Some(x)) => axis.tick(x),
        _ => s.series[p.series].label.clone(),
    }
}
