//! What a user sees first at the end of a run: plain text of at most a hundred columns.

use super::table::{Columns, Table};
use super::{Document, Format};
use crate::summary::{Point, State, Summary};
use crate::text::{plural, wrap};
use std::io::{self, Write};

/// Columns of a line.
const WIDTH: usize = 100;
/// No more lines of reasons than these; the other formats have all.
const REASONS: usize = 5;

/// Plain text.
pub(super) struct Terminal;

impl Format for Terminal {
    fn name(&self) -> &'static str {
        "terminal"
    }

    fn about(&self) -> &'static str {
        "verdict, tables and findings as plain text"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("summary.txt", move |out| render(summary, out))]
    }
}

fn render(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let figure = s.run.reproduces.as_ref().map_or(String::new(), |f| format!(" ({f})"));
    paragraph(&format!("{}{figure}", s.title()), "", "", out)?;
    paragraph(&format!("{}: {}", s.verdict.word().to_uppercase(), s.because), "", "  ", out)?;
    list("Before believing a number", &s.limits, usize::MAX, out)?;
    for (i, series) in s.series.iter().enumerate() {
        // Without an axis there is one table of all points; with one, a table a curve.
        if s.axis.is_none() && i > 0 {
            break;
        }
        writeln!(out)?;
        if s.axis.is_some() && s.series.len() > 1 {
            paragraph(&series.label, "", "", out)?;
        }
        let points: Vec<&Point> = match s.axis {
            Some(_) => series.points.iter().map(|&p| &s.points[p]).collect(),
            None => s.points.iter().collect(),
        };
        table(&Table::of(s, &points, Columns::Results), out)?;
    }
    list("Findings", &s.findings, usize::MAX, out)?;
    let failed: Vec<String> = s
        .expectations
        .iter()
        .filter(|e| e.state != State::Holds)
        .flat_map(|e| e.detail.iter().map(move |d| format!("{} {}: {d}", e.text, e.state.word())))
        .collect();
    list("Expectations", &failed, REASONS, out)?;
    let invalid: Vec<String> = s
        .invalid
        .iter()
        .map(|i| format!("trial {} ({}): {}", i.trial, s.name(&s.points[i.point]), i.reasons.join("; ")))
        .collect();
    list("No results", &invalid, REASONS, out)?;
    let skipped: Vec<String> =
        s.skipped.iter().map(|k| format!("{}: {}; {}", k.what, k.reason, k.cure)).collect();
    list("Skipped", &skipped, REASONS, out)
}

/// A heading with items below, where there are any.
fn list(title: &str, items: &[String], most: usize, out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    for item in items.iter().take(most) {
        paragraph(item, "  - ", "    ", out)?;
    }
    match items.len().saturating_sub(most) {
        0 => Ok(()),
        more => writeln!(out, "  - and {} more; the page has all", plural(more, "line")),
    }
}

fn paragraph(text: &str, first: &str, then: &str, out: &mut dyn Write) -> io::Result<()> {
    for (i, line) in wrap(text, WIDTH - then.len().max(first.len())).iter().enumerate() {
        writeln!(out, "{}{line}", if i == 0 { first } else { then })?;
    }
    Ok(())
}

/// An aligned table; where it is too wide, intervals go first, from the right but that of the total last, then columns.
fn table(t: &Table, out: &mut dyn Write) -> io::Result<()> {
    let mut head: Vec<[String; 2]> = t.head.iter().map(|c| [c.title.clone(), c.unit.to_owned()]).collect();
    let mut rows = t.rows.clone();
    let mut left: Vec<bool> = t.head.iter().map(|c| c.text).collect();
    let mut order: Vec<usize> = (0..head.len()).rev().collect();
    order.sort_by_key(|&column| head[column][0] == "total");
    for column in order {
        if total(&widths(&head, &rows)) <= WIDTH {
            break;
        }
        for cell in rows.iter_mut().map(|r| &mut r[column]) {
            if let Some((median, _)) = cell.split_once(" [") {
                *cell = median.into();
            }
        }
    }
    while total(&widths(&head, &rows)) > WIDTH && head.len() > 3 {
        let at = head.len() - 2;
        head.remove(at);
        left.remove(at);
        rows.iter_mut().for_each(|r| drop(r.remove(at)));
    }
    let widths = widths(&head, &rows);
    for line in 0..2 {
        let cells: Vec<&str> = head.iter().map(|h| h[line].as_str()).collect();
        self::line(&cells, &widths, &left, out)?;
    }
    for row in &rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        self::line(&cells, &widths, &left, out)?;
    }
    Ok(())
}

fn widths(head: &[[String; 2]], rows: &[Vec<String>]) -> Vec<usize> {
    let count = |t: &str| t.chars().count();
    (0..head.len())
        .map(|c| {
            let cells = rows.iter().map(|r| count(&r[c])).max().unwrap_or(0);
            cells.max(count(&head[c][0])).max(count(&head[c][1]))
        })
        .collect()
}

/// Columns of a line of such cells: two spaces before each.
fn total(widths: &[usize]) -> usize {
    widths.iter().map(|w| w + 2).sum()
}

fn line(cells: &[&str], widths: &[usize], left: &[bool], out: &mut dyn Write) -> io::Result<()> {
    let mut text = String::new();
    for ((cell, width), left) in cells.iter().zip(widths).zip(left) {
        let space = " ".repeat(width - cell.chars().count().min(*width));
        text += &if *left { format!("  {cell}{space}") } else { format!("  {space}{cell}") };
    }
    writeln!(out, "{}", text.trim_end())
}
