//! Flow data files in the style of NeTraMet's: lines that begin with `#` say what follows, every other line is a
//! flow.
//!
//! ```text
//! ##csnbench rtfm 0.1.0
//! #Ruleset: 3
//! #Format: FlowIndex FirstTime " " FlowClass " " ToPDUs
//! #Time: 500 Flows from 0 to 500
//! 1 12 1 4000
//! #EndData: 500
//! #Stats: active=1 recovered=0 …
//! ```
//!
//! Times are in 1/100 s since the meter's start.

use super::attributes::Flow;
use super::matching::Matching;
use crate::meter::MeterError;
use csn::Nanos;
use csn::rtfm::{Attribute, Column, Program};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A flow data file, and the reader that collects for it.
pub struct FlowData {
    out: BufWriter<Box<dyn Write>>,
    name: String,
    /// The reader's number in the flow table.
    reader: usize,
    /// Per rule set.
    formats: Vec<Vec<Column>>,
    statistics: bool,
    start: Nanos,
    last: Nanos,
}

/// What is written for rule sets without `FORMAT`.
fn usual() -> Vec<Column> {
    use Attribute::*;
    let columns = [
        vec![FlowRuleSet, FlowIndex, FirstTime, LastActiveTime],
        vec![SourcePeerType, SourcePeerAddress, DestPeerAddress],
        vec![SourceTransType, SourceTransAddress, DestTransAddress],
        vec![FlowKind, FlowClass],
        vec![ToPDUs, FromPDUs],
        vec![ToOctets, FromOctets],
    ];
    let groups = columns.into_iter().map(|g| g.into_iter().map(Column::Attribute).collect::<Vec<_>>());
    groups.collect::<Vec<_>>().join(&Column::Text("  ".into()))
}

impl FlowData {
    /// Opens the file and registers its reader; `-` is standard output.
    ///
    /// # Errors
    /// A file that can't be made or written.
    pub fn open(
        path: &Path,
        programs: &[Program],
        matching: &mut Matching,
        start: Nanos,
    ) -> Result<Self, MeterError> {
        let name = path.display().to_string();
        let out: Box<dyn Write> = match name.as_str() {
            "-" => Box::new(io::stdout()),
            _ => Box::new(
                File::create(path)
                    .map_err(|source| MeterError::Io { what: format!("make {name}"), source })?,
            ),
        };
        let formats: Vec<_> =
            programs.iter().map(|p| if p.format.is_empty() { usual() } else { p.format.clone() }).collect();
        let mut file = Self {
            out: BufWriter::new(out),
            name,
            reader: matching.table_mut().register(),
            formats,
            statistics: programs.iter().any(|p| p.statistics),
            start,
            last: start,
        };
        file.written(|f| f.header(programs))?;
        Ok(file)
    }

    fn written(&mut self, f: impl FnOnce(&mut Self) -> io::Result<()>) -> Result<(), MeterError> {
        f(self).map_err(|source| MeterError::Io { what: format!("write {}", self.name), source })
    }

    fn header(&mut self, programs: &[Program]) -> io::Result<()> {
        writeln!(self.out, "##csnbench rtfm {}", env!("CARGO_PKG_VERSION"))?;
        for (program, format) in programs.iter().zip(&self.formats) {
            let columns: Vec<_> = format
                .iter()
                .map(|c| match c {
                    Column::Attribute(a) => a.name().into(),
                    Column::Text(t) => format!("\"{t}\""),
                })
                .collect();
            writeln!(self.out, "#Ruleset: {}\n#Format: {}", program.set, columns.join(" "))?;
        }
        Ok(())
    }

    /// Collects: writes the flows that had packets since the last time.
    ///
    /// # Errors
    /// What the system says of the file.
    pub fn collect(&mut self, matching: &mut Matching, now: Nanos) -> Result<(), MeterError> {
        self.written(|f| f.rows(matching, now))
    }

    fn rows(&mut self, matching: &mut Matching, now: Nanos) -> io::Result<()> {
        let uptime = |t: Nanos| t.0.saturating_sub(self.start.0) / 10_000_000;
        let (from, to) = (uptime(self.last), uptime(now));
        self.last = now;
        writeln!(self.out, "#Time: {to} Flows from {from} to {to}")?;
        let (table, engines) = matching.collecting();
        for (index, record) in table.collect(self.reader, now) {
            let flow = Flow { index, record, engine: &engines[record.set()], start: self.start };
            row(&mut self.out, &self.formats[record.set()], &flow)?;
        }
        writeln!(self.out, "#EndData: {to}")?;
        if self.statistics {
            let table = matching.table();
            write!(self.out, "#Stats: active={} recovered={}", table.active(), table.recovered())?;
            for (engine, t) in matching.engines().iter().zip(matching.totals()) {
                write!(
                    self.out,
                    " ruleset={} counted={} ignored={} faults={} flooded={} steps={}",
                    engine.set(),
                    t.counted.packets,
                    t.ignored,
                    t.faults,
                    t.flooded,
                    engine.steps()
                )?;
            }
            writeln!(self.out)?;
        }
        self.out.flush()
    }
}

/// One flow: adjacent attributes are separated by a space, others by their text.
fn row(out: &mut impl Write, format: &[Column], flow: &Flow<'_>) -> io::Result<()> {
    let mut after_attribute = false;
    for column in format {
        match column {
            Column::Attribute(a) => {
                let space = if after_attribute { " " } else { "" };
                write!(out, "{space}{}", flow.value(*a))?;
            }
            Column::Text(t) => write!(out, "{t}")?,
        }
        after_attribute = matches!(column, Column::Attribute(_));
    }
    writeln!(out)
}
