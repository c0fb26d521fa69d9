//! CSV, a column for each attribute, and JSON, an object a line.

use super::Exported;
use super::attributes::{Attribute, Constants};
use crate::flows::{Datum, Flow};
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// A file of flows.
pub struct Text {
    out: BufWriter<Box<dyn Write>>,
    json: bool,
    line: String,
}

fn open(path: &Path) -> io::Result<BufWriter<Box<dyn Write>>> {
    let out: Box<dyn Write> =
        if path == Path::new("-") { Box::new(io::stdout()) } else { Box::new(File::create(path)?) };
    Ok(BufWriter::with_capacity(1 << 16, out))
}

impl Text {
    /// A file of comma-separated values with the names of the attributes in its first line.
    pub fn csv(path: &Path, attributes: &[&'static Attribute]) -> io::Result<Self> {
        let mut this = Self { out: open(path)?, json: false, line: String::new() };
        let names: Vec<_> = attributes.iter().map(|a| a.name).collect();
        writeln!(this.out, "{}", names.join(","))?;
        Ok(this)
    }

    /// A file of JSON Lines.
    pub fn json(path: &Path) -> io::Result<Self> {
        Ok(Self { out: open(path)?, json: true, line: String::new() })
    }

    /// Writes a flow.
    pub fn flow(
        &mut self,
        flow: &Flow,
        attributes: &[&'static Attribute],
        constants: &Constants,
        exported: &mut Exported,
    ) -> io::Result<()> {
        let values = attributes.iter().map(|a| (a.name, a.of(flow, constants).map(|(_, v)| v)));
        self.line.clear();
        if self.json {
            let object: Map<String, Value> = values
                .filter_map(|(name, v)| Some((name.to_owned(), serde_json::to_value(v?).ok()?)))
                .collect();
            self.line = serde_json::to_string(&object)?;
        } else {
            for (i, (_, value)) in values.enumerate() {
                if i > 0 {
                    self.line.push(',');
                }
                match value {
                    Some(Datum::Text(text)) if text.contains(['"', ',', '\n', '\r']) => {
                        self.line.push_str(&format!("\"{}\"", text.replace('"', "\"\"")));
                    }
                    Some(value) => self.line.push_str(&value.to_string()),
                    None => {}
                }
            }
        }
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())?;
        exported.flows += 1;
        exported.octets += self.line.len() as u64;
        Ok(())
    }

    /// Writes what is pending.
    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
