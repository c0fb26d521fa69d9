//! Where the records of flows go: into counts per class, and into a file where one is asked for.

use super::export::Export;
use crate::export::Shared;
use crate::meter::MeterError;
use csn::{Class, Classifier, Counts, Field, Key, Nanos, RuleSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Why a record was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// No packet for the idle timeout.
    Idle,
    /// The flow lasted longer than the active timeout; it may go on in another record.
    Active,
    /// The meter ended.
    Forced,
    /// There was no room, or what flows are was changed.
    Resources,
}

impl EndReason {
    /// The names, as IPFIX has them for element 136.
    pub const NAMES: [&str; 4] = ["idle", "active", "forced", "resources"];
}

/// What is told of a flow.
#[derive(Clone, Copy, Debug)]
pub struct FlowRecord<'a> {
    /// The values of the attributes.
    pub key: &'a Key,
    /// Packets and octets that were metered.
    pub counts: Counts,
    /// Time of the first packet.
    pub first: Nanos,
    /// Time of the last packet.
    pub last: Nanos,
    /// Why it is told.
    pub end: EndReason,
    /// One packet of so many was metered.
    pub sampling: u64,
}

/// A file of comma-separated values: a line for each record.
struct Table {
    out: BufWriter<Box<dyn Write>>,
    name: String,
    /// The attributes at the start: the columns.
    columns: Vec<Field>,
}

/// Takes records.
pub struct Records {
    classifier: Option<Classifier>,
    counts: Vec<Counts>,
    table: Option<Table>,
    /// The classes, where rules are loaded.
    classes: Vec<Class>,
    export: Option<Export>,
    /// Changes of what flows are, so far.
    changes: u32,
    taken: u64,
}

impl Records {
    /// Counts classes by the first `loaded` of these rules; writes a line for each record to `path`, where `-` is
    /// standard output.
    ///
    /// # Errors
    /// A file that can't be made.
    pub fn new(
        (rules, loaded): (&RuleSet, usize),
        attributes: &[Field],
        path: Option<&Path>,
    ) -> Result<Self, MeterError> {
        let rules_loaded = rules.first(loaded);
        let table = path.map(|path| Table::open(path, attributes)).transpose()?;
        Ok(Self {
            // without rules all is of one class
            classifier: (!rules_loaded.rules.is_empty()).then(|| Classifier::new(&rules_loaded)),
            counts: vec![Counts::default(); rules.classes.len()],
            table,
            classes: if rules_loaded.rules.is_empty() { vec![] } else { rules.classes.clone() },
            export: None,
            changes: 0,
            taken: 0,
        })
    }

    /// Takes a record.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn take(&mut self, record: &FlowRecord<'_>) -> Result<(), MeterError> {
        let class = self.classifier.as_ref().map_or(0, |c| c.classify(record.key).class.index());
        self.counts[class] += record.counts;
        self.taken += 1;
        if let Some(export) = &self.export {
            export.take(record, class)?;
        }
        match &mut self.table {
            Some(table) => table.row(record, self.changes),
            None => Ok(()),
        }
    }

    /// Exports records from now on.
    pub fn export(&mut self, exporter: &Shared) {
        self.export = Some(Export::new(exporter.clone(), self.classes.clone()));
    }

    /// What flows are is another thing from now on.
    pub fn change(&mut self) {
        self.changes += 1;
    }

    /// Writes what is still to be written.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn finish(&mut self) -> Result<(), MeterError> {
        match &mut self.table {
            Some(table) => table.written(|out| out.flush()),
            None => Ok(()),
        }
    }

    /// Packets and octets of every class.
    pub fn counts(&self) -> &[Counts] {
        &self.counts
    }

    /// How many records there were.
    pub fn taken(&self) -> u64 {
        self.taken
    }
}

impl Table {
    fn open(path: &Path, attributes: &[Field]) -> Result<Self, MeterError> {
        let name = path.display().to_string();
        let out: Box<dyn Write> = match name.as_str() {
            "-" => Box::new(io::stdout()),
            _ => Box::new(
                File::create(path)
                    .map_err(|source| MeterError::Io { what: format!("make {name}"), source })?,
            ),
        };
        let mut table = Self { out: BufWriter::new(out), name, columns: attributes.to_vec() };
        let columns: Vec<&str> = attributes.iter().map(|f| f.name()).collect();
        let comma = if columns.is_empty() { "" } else { "," };
        table.written(|out| {
            writeln!(out, "{}{comma}packets,octets,first,last,end,sampling,change", columns.join(","))
        })?;
        Ok(table)
    }

    fn written(&mut self, f: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), MeterError> {
        f(&mut self.out).map_err(|source| MeterError::Io { what: format!("write {}", self.name), source })
    }

    /// Times are seconds since 1970.
    fn row(&mut self, r: &FlowRecord<'_>, change: u32) -> Result<(), MeterError> {
        let columns = std::mem::take(&mut self.columns);
        let done = self.written(|out| {
            for field in &columns {
                if let Some(value) = r.key.get(*field) {
                    write!(out, "{value}")?;
                }
                write!(out, ",")?;
            }
            let seconds = |t: Nanos| format!("{}.{:09}", t.0 / 1_000_000_000, t.0 % 1_000_000_000);
            let end = EndReason::NAMES[r.end as usize];
            let Counts { packets, bytes } = r.counts;
            let (first, last) = (seconds(r.first), seconds(r.last));
            writeln!(out, "{packets},{bytes},{first},{last},{end},{},{change}", r.sampling)
        });
        self.columns = columns;
        done
    }
}
