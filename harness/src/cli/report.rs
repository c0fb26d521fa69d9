//! `csnbench report`: renders stored records again, no lab needed.

use super::exit::Exit;
use reports::formats;
use reports::store::Stored;
use reports::summary::Summary;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

/// Arguments of `report`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench report csnbench-results/number-of-rules
  csnbench report csnbench-results/number-of-rules --to csv > trials.csv")]
pub struct Args {
    /// A folder that `csnbench run` has written
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Only this format, onto standard output; see `csnbench list formats`
    #[arg(long, value_name = "FORMAT")]
    to: Option<String>,
    /// The same as --to json
    #[arg(long, conflicts_with = "to")]
    json: bool,
}

/// Renders one format, or all of them into the folder.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let format = if args.json { Some("json") } else { args.to.as_deref() };
    if let Some(name) = format.filter(|name| formats::find(name).is_none()) {
        let names: Vec<_> = formats::FORMATS.iter().map(|f| f.name()).collect();
        eprintln!("csnbench: no format `{name}`; there are: {}", names.join(", "));
        return Err(Exit::Usage);
    }
    let summary = summary(&args.folder)?;
    match format {
        Some(name) => print(&summary, name)?,
        None => {
            write_all(&summary, &args.folder)?;
            print(&summary, "terminal")?;
        }
    }
    Ok(Exit::Done)
}

/// Reads a run's records back and sums them up.
pub fn summary(folder: &Path) -> Result<Summary, Exit> {
    let path = folder.join("records.jsonl");
    let file = std::fs::File::open(&path).map_err(|e| {
        eprintln!(
            "csnbench: cannot read {}: {e}\n  cure: name a folder that `csnbench run` has written",
            path.display()
        );
        Exit::Failed
    })?;
    let stored = Stored::read(BufReader::new(file)).map_err(|e| {
        eprintln!("csnbench: {}: {e}", path.display());
        Exit::Input
    })?;
    Ok(Summary::of(&stored))
}

/// Writes all formats into a run's folder.
pub fn write_all(summary: &Summary, folder: &Path) -> Result<(), Exit> {
    let written = formats::render_all(summary, &mut |file, bytes| std::fs::write(folder.join(file), bytes));
    written.map_err(|e| {
        eprintln!("csnbench: cannot write the report into {}: {e}", folder.display());
        Exit::Failed
    })
}

/// Prints the first document of a format on standard output.
pub fn print(summary: &Summary, format: &str) -> Result<(), Exit> {
    let mut out = std::io::stdout().lock();
    let documents = formats::find(format).map(|f| f.documents(summary)).unwrap_or_default();
    let printed = documents.first().map_or(Ok(()), |d| d.write(&mut out)).and_then(|()| out.flush());
    match printed {
        // who reads has read enough
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => {
            eprintln!("csnbench: {e}");
            Err(Exit::Failed)
        }
        Ok(()) => Ok(()),
    }
}
