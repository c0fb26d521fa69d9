//! A row per trial, invalid ones included, for spreadsheets and statistics programs.

use super::{Document, Format};
use crate::record::{Ledger, Trial};
use crate::summary::{Metric, Summary, reasons};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Comma-separated values (RFC 4180, lines end in a line feed). Shares are 0 to 1, times nanoseconds.
pub(super) struct Csv;

impl Format for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn about(&self) -> &'static str {
        "a row per trial, for spreadsheets and statistics programs"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("trials.csv", move |out| render(summary, out))]
    }
}

fn render(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let axes: BTreeSet<&str> = s.trials.iter().flat_map(|t| t.at.keys()).map(String::as_str).collect();
    let mut head: Vec<&str> = vec!["trial", "point", "repeat", "valid"];
    head.extend(&axes);
    head.push("expected_comparisons");
    head.extend(Ledger::default().stages().map(|(name, ..)| name));
    head.extend(Metric::ALL.map(Metric::name));
    head.push("invalid_because");
    writeln!(out, "{}", head.join(","))?;
    for trial in &s.trials {
        let cells = row(trial, &axes);
        writeln!(out, "{}", cells.iter().map(|c| quoted(c)).collect::<Vec<_>>().join(","))?;
    }
    Ok(())
}

fn row(t: &Trial, axes: &BTreeSet<&str>) -> Vec<String> {
    let reasons = reasons(t).join("; ");
    let mut cells =
        vec![t.index.to_string(), t.point.to_string(), t.repeat.to_string(), reasons.is_empty().to_string()];
    cells.extend(axes.iter().map(|a| t.at.get(*a).cloned().unwrap_or_default()));
    cells.push(t.expected_comparisons.to_string());
    cells.extend(t.ledger.stages().map(|(_, _, packets)| packets.to_string()));
    cells.extend(Metric::ALL.map(|m| m.of(t).map_or(String::new(), |v| v.to_string())));
    cells.push(reasons);
    cells
}

/// A cell, quoted where it must be.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_cells_that_need_it_are_quoted() {
        assert_eq!(super::quoted("rtfm(a = 1, b = \"x\")"), "\"rtfm(a = 1, b = \"\"x\"\")\"");
        assert_eq!(super::quoted("rtfm"), "rtfm");
    }
}
