//! `csnbench list`: the tables of parts.

use super::exit::Exit;

/// Arguments of `list`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  csnbench list meters")]
pub struct Args {
    /// What to list
    #[arg(value_enum)]
    what: Table,
    /// JSON Lines
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Table {
    /// Meters that can be put under test, with their options
    Meters,
    /// What rules can be compiled to
    Backends,
    /// What rules can be taken over from
    Imports,
    /// Distributions of sizes and gaps
    Distributions,
    /// Ways for packets to leave
    Transmitters,
    /// What can be told of a flow that is exported: the words of the option `template`
    Attributes,
    /// Report formats
    Formats,
    /// Ways to search for the highest rate
    Searches,
    /// Codes of diagnostics; `csnbench explain CODE` shows the page of one
    Codes,
}

/// A row: name, what it is, further lines.
struct Row(&'static str, &'static str, Vec<String>);

fn rows(table: Table) -> Vec<Row> {
    match table {
        Table::Meters => meters::METERS
            .iter()
            .map(|m| {
                let options = m.options().iter().map(|o| format!("{} = {}: {}", o.name, o.values, o.doc));
                let counts = format!("classes by {}", m.tells_classes().words());
                let known = m.deviations().lines().filter_map(|l| l.strip_prefix("- "));
                let known = known.map(|l| format!("known: {l}"));
                Row(m.name(), m.summary(), options.chain([counts]).chain(known).collect())
            })
            .collect(),
        Table::Backends => {
            let forms = |b: &dyn csn::backends::Backend| {
                b.forms().iter().map(|f| format!("--form {}: {}", f.name, f.summary)).collect()
            };
            csn::backends::BACKENDS.iter().map(|b| Row(b.name(), b.summary(), forms(*b))).collect()
        }
        Table::Imports => csn::imports::IMPORTS.iter().map(|i| Row(i.name(), i.summary(), vec![])).collect(),
        Table::Distributions => {
            generator::dist::TABLE.iter().map(|d| Row(d.name, d.doc, vec![d.example.into()])).collect()
        }
        Table::Transmitters => generator::tx::TABLE.iter().map(|t| Row(t.name, t.doc, vec![])).collect(),
        Table::Attributes => meters::export::ATTRIBUTES
            .iter()
            .map(|a| {
                let required = match a.required {
                    0 => vec![],
                    n @ 1..=16 => vec![format!("mandatory attribute {n} of RFC 3917")],
                    n => vec![format!("attribute {n} of RFC 3917")],
                };
                Row(a.name, a.doc, required)
            })
            .collect(),
        Table::Formats => {
            reports::formats::FORMATS.iter().map(|f| Row(f.name(), f.about(), vec![])).collect()
        }
        Table::Searches => {
            harness::search::ALGORITHMS.iter().map(|a| Row(a.name(), a.summary(), vec![])).collect()
        }
        Table::Codes => csn::CODES.iter().map(|c| Row(c.code, c.title, vec![])).collect(),
    }
}

/// Lists one table.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    for Row(name, summary, more) in rows(args.what) {
        if args.json {
            println!("{}", serde_json::json!({"name": name, "summary": summary, "details": more}));
        } else {
            println!("{name:<14} {summary}");
            more.iter().for_each(|line| println!("{:<14}   {line}", ""));
        }
    }
    Ok(Exit::Done)
}
