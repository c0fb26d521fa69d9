//! A comparison for people.

use super::{Change, Comparison};
use crate::text;
use std::io::{self, Write};

/// Columns of a terminal.
const WIDTH: usize = 100;

/// Heads of the columns of cells.
const HEAD: [&str; 6] = ["point", "metric", "before", "now", "change", ""];

/// Plain text of at most a hundred columns; unchanged cells are counted, not listed, unless `all` is asked for.
///
/// # Errors
/// Those of the writer.
pub fn text(c: &Comparison, all: bool, out: &mut dyn Write) -> io::Result<()> {
    for line in text::wrap(&format!("{} against the run before", c.new.0), WIDTH) {
        writeln!(out, "{line}")?;
    }
    for line in text::wrap(&format!("{}: {}", c.verdict.word().to_uppercase(), c.because), WIDTH) {
        writeln!(out, "{line}")?;
    }
    for r in &c.refusals {
        writeln!(out, "  - {}\n    cure: {}", r.reason, r.cure)?;
    }
    for note in &c.notes {
        writeln!(out, "  note: {note}")?;
    }
    if c.cells.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", floor(c))?;
    let rows: Vec<[String; 6]> = rows(c, all);
    let head: &[[String; 6]] = if rows.is_empty() { &[] } else { &[HEAD.map(String::from)] };
    let width = |i: usize| rows.iter().chain(head).map(|r| r[i].chars().count()).max().unwrap_or(0);
    let widths: [usize; 6] = std::array::from_fn(width);
    for row in head.iter().chain(&rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(
                |(i, (cell, w))| {
                    if matches!(i, 2 | 3) { format!("{cell:>w$}") } else { format!("{cell:<w$}") }
                },
            )
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    let same = c.cells.iter().filter(|c| c.change == Change::Same).count();
    if !all && same > 0 {
        writeln!(out, "{same} of {} cells show no difference that could be claimed", c.cells.len())?;
    }
    Ok(())
}

/// GitHub-flavoured Markdown, every cell.
///
/// # Errors
/// Those of the writer.
pub fn markdown(c: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let plain = |t: &str| text::escape(t).replace('|', "\\|");
    writeln!(out, "# {}: {}\n\n{}\n", plain(&c.new.0), c.verdict.word(), plain(&c.because))?;
    for r in &c.refusals {
        writeln!(out, "- {}; {}", plain(&r.reason), plain(&r.cure))?;
    }
    for note in &c.notes {
        writeln!(out, "- note: {}", plain(note))?;
    }
    if c.cells.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}\n", floor(c))?;
    writeln!(out, "| point | metric | before | now | change | |\n|---|---|---:|---:|---|---|")?;
    for row in rows(c, true) {
        writeln!(out, "| {} |", row.map(|cell| plain(&cell)).join(" | "))?;
    }
    Ok(())
}

fn rows(c: &Comparison, all: bool) -> Vec<[String; 6]> {
    c.cells
        .iter()
        .filter(|cell| all || cell.change != Change::Same)
        .map(|cell| {
            let show = |e: &Option<crate::stats::Estimate>| {
                e.as_ref().map_or("–".into(), |e| cell.metric.unit().show(e.median))
            };
            let change = match cell.shift {
                None => "–".into(),
                Some(s) => match s.ratio {
                    Some(r) => format!("{} [{}, {}]", signed(r.value), signed(r.low), signed(r.high)),
                    None => {
                        let unit = cell.metric.unit();
                        let sign = if s.difference.value < 0.0 { "-" } else { "+" };
                        format!("{sign}{}", unit.show(s.difference.value.abs()))
                    }
                },
            };
            let (base, new) = (show(&cell.base), show(&cell.new));
            [cell.point.clone(), cell.metric.title().into(), base, new, change, cell.change.word().into()]
        })
        .collect()
}

/// A ratio as a change in percent.
fn signed(ratio: f64) -> String {
    format!("{:+.1} %", (ratio - 1.0) * 100.0)
}

/// What smaller changes are not claimed.
pub(super) fn floor(c: &Comparison) -> String {
    match c.noise {
        0.0 => "No point has trials enough (6) to say what the runs differ by in themselves.".into(),
        noise => format!(
            "The runs' own trials differ by {} between halves: no smaller change is claimed.",
            percent(noise)
        ),
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
