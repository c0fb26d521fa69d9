//! `csnbench fmt`: canonical layout, comments kept.

use super::exit::Exit;
use super::render::{self, Style};
use super::{load, replace};
use std::path::{Path, PathBuf};

/// Arguments of `fmt`.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  csnbench fmt --check scenarios/paper/*.csn")]
pub struct Args {
    /// Only say which files would change; exit 65 where any would
    #[arg(long)]
    check: bool,
    /// Scenario files; `-` goes from standard input to standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Formats all files in place.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let mut worst = Exit::Done;
    for file in &args.files {
        if let Err(exit) = one(file, args.check) {
            worst = exit;
        }
    }
    if worst == Exit::Done { Ok(worst) } else { Err(worst) }
}

fn one(file: &Path, check: bool) -> Result<(), Exit> {
    let text = load::read(file)?;
    let formatted = csn::format(&text).map_err(|diagnostics| {
        let mut sources = csn::Sources::new();
        sources.add(file.display().to_string(), text.as_str());
        render::show(&sources, &diagnostics, Style::Text);
        Exit::Input
    })?;
    if check {
        if formatted != text {
            println!("{}", file.display());
            return Err(Exit::Input);
        }
    } else if file == Path::new("-") {
        print!("{formatted}");
    } else if formatted != text {
        replace::replace(file, &formatted).map_err(|e| {
            eprintln!("csnbench: cannot write {}: {e}", file.display());
            Exit::Failed
        })?;
    }
    Ok(())
}
