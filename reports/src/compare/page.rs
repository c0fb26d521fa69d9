//! A comparison as one page that needs nothing beside it.

use super::{Change, Comparison, Verdict};
use crate::formats::{html_page, html_table};
use crate::stats::Estimate;
use crate::summary::Unit;
use crate::text::{self, escape};
use std::io::{self, Write};

/// The widest change that a bar shows: everything beyond ends there.
const REACH: f64 = 0.5;

/// A self-contained HTML page: verdict, and every cell with its interval as a bar around no change.
///
/// # Errors
/// Those of the writer.
pub fn page(c: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let class = match c.verdict {
        Verdict::Passes => "good",
        Verdict::Regression => "bad",
        Verdict::Invalid | Verdict::NoBaseline => "unsure",
    };
    let when = |(title, time): &(String, f64)| format!("{} of {}", escape(title), text::time(*time));
    let mut body = format!(
        "<header>\n<h1>{}</h1>\n<p class=\"under\">{} · against {}</p>\n\
         <p class=\"verdict {class}\"><strong>{}</strong> {}</p>\n</header>\n",
        escape(&c.new.0),
        when(&c.new),
        when(&c.base),
        c.verdict.word(),
        escape(&c.because)
    );
    let mut known: Vec<String> =
        c.refusals.iter().map(|r| format!("{}; {}", escape(&r.reason), escape(&r.cure))).collect();
    known.extend(c.notes.iter().map(|n| escape(n)));
    if !c.cells.is_empty() {
        known.push(super::render::floor(c));
    }
    let items: String = known.iter().map(|k| format!("<li>{k}</li>\n")).collect();
    if !items.is_empty() {
        body += &format!("<section>\n<h2>Before believing it</h2>\n<ul>\n{items}</ul>\n</section>\n");
    }
    if !c.cells.is_empty() {
        body += &format!("<section>\n<h2>Point by point</h2>\n{}{NOTE}</section>\n", cells(c));
    }
    out.write_all(html_page(&format!("{} · comparison", c.new.0), &body).as_bytes())
}

const NOTE: &str = "<p class=\"note\">The bar is the 95 % interval of the Hodges-Lehmann ratio, the line in its middle is no \
                    change, and the frame ends at 50 % more or less. p comes from Mann-Whitney's test after Holm's \
                    correction. A click on a head sorts.</p>\n";

fn cells(c: &Comparison) -> String {
    let head = [
        ("point", ""),
        ("metric", ""),
        ("before", ""),
        ("now", ""),
        ("change", "%"),
        ("", "−50 % … +50 %"),
        ("p", "corrected"),
        ("", ""),
    ];
    let rows: Vec<Vec<String>> = c
        .cells
        .iter()
        .map(|cell| {
            let unit = cell.metric.unit();
            let ratio = cell.shift.and_then(|s| s.ratio);
            let change = match (ratio, cell.shift) {
                (Some(r), _) => format!("{:+.1}", (r.value - 1.0) * 100.0),
                (None, Some(s)) if s.difference.value != 0.0 => {
                    format!(
                        "{}{}",
                        if s.difference.value < 0.0 { "−" } else { "+" },
                        unit.show(s.difference.value.abs())
                    )
                }
                _ => "–".into(),
            };
            vec![
                escape(&cell.point),
                escape(cell.metric.title()),
                estimate(cell.base.as_ref(), unit),
                estimate(cell.new.as_ref(), unit),
                change,
                ratio.map_or(String::new(), |r| bar(r.low, r.high, cell.change)),
                cell.p.map_or("–".into(), |p| if p < 0.001 { "< 0.001".into() } else { format!("{p:.3}") }),
                format!("<span class=\"mark {}\">{}</span>", mark(cell.change), cell.change.word()),
            ]
        })
        .collect();
    html_table(&head, &[0, 1, 5, 7], &rows)
}

fn estimate(e: Option<&Estimate>, unit: Unit) -> String {
    e.map_or("–".into(), |e| escape(&unit.show(e.median)))
}

fn mark(change: Change) -> &'static str {
    match change {
        Change::Same => "",
        Change::Better => "good",
        Change::Regressed => "bad",
        Change::Worse | Change::Unconfirmed | Change::Invalid | Change::NoBaseline => "unsure",
    }
}

/// The interval of a ratio around no change.
fn bar(low: f64, high: f64, change: Change) -> String {
    const WIDTH: f64 = 160.0;
    let x = |ratio: f64| ((ratio - 1.0) / REACH).clamp(-1.0, 1.0) * WIDTH / 2.0 + WIDTH / 2.0;
    let (from, to) = (x(low), x(high));
    format!(
        "<svg class=\"bar\" width=\"{WIDTH}\" height=\"14\" role=\"img\" aria-label=\"{:+.1} % to {:+.1} %\">\
         <rect class=\"{}\" x=\"{from:.1}\" y=\"3\" width=\"{:.1}\" height=\"8\"/>\
         <line x1=\"80\" x2=\"80\" y1=\"0\" y2=\"14\"/></svg>",
        (low - 1.0) * 100.0,
        (high - 1.0) * 100.0,
        mark(change),
        (to - from).max(1.5)
    )
}
