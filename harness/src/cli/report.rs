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

/// On GitHub Actions: adds the run to the summary of the job, and annotates what does not hold.
pub fn tell_ci(summary: &Summary) -> Result<(), Exit> {
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| render(summary, "markdown", &mut file));
        // the run is measured and stored: a summary that can't be written is no reason to fail it
        if let Err(e) = written {
            eprintln!("csnbench: warning: cannot add to the job summary {}: {e}", path.display());
        }
    }
    if std::env::var_os("GITHUB_ACTIONS").is_some_and(|v| v == "true") {
        // commands are read from standard error as well, where they do not mix with records
        render(summary, "annotations", &mut std::io::stderr().lock()).map_err(|_| Exit::Failed)?;
    }
    Ok(())
}

/// Renders the first document of a format.
fn render(summary: &Summary, format: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let documents = formats::find(format).map(|f| f.documents(summary)).unwrap_or_default();
    documents.first().map_or(Ok(()), |d| d.write(out)).and_then(|()| out.flush())
}

/// Prints the first document of a format on standard output.
pub fn print(summary: &Summary, format: &str) -> Result<(), Exit> {
    match render(summary, format, &mut std::io::stdout().lock()) {
        // who reads has read enough
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(e) => {
            eprintln!("csnbench: {e}");
            Err(Exit::Failed)
        }
        Ok(()) => Ok(()),
    }
}
