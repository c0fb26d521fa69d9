//! `csnbench import`: rule sets that people already have.

use super::exit::Exit;
use super::load;
use super::render::{self, Style};
use csn::imports;
use csn::{Severity, Sources};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `import`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench import classbench acl1_1k -o acl1.csn
  iptables-save | csnbench import iptables - --allow-loss | csnbench check -")]
pub struct Args {
    /// The format; see `csnbench list imports`
    #[arg(value_name = "FORMAT")]
    format: String,
    /// The rule set; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write; `-` is standard output
    #[arg(short, long, value_name = "X.csn", default_value = "-")]
    output: PathBuf,
    /// Leave out what cannot be taken over
    #[arg(long)]
    allow_loss: bool,
    /// Findings as JSON Lines on standard output; the rules go to a file
    #[arg(long)]
    json: bool,
}

/// Reads a rule set and writes it as CSN; what cannot be taken over goes to standard error and ends the verb unless
/// that is allowed.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let Some(import) = imports::by_name(&args.format) else {
        let names: Vec<_> = imports::IMPORTS.iter().map(|i| i.name()).collect();
        eprintln!("csnbench: no import `{}`; there are: {}", args.format, names.join(", "));
        return Err(Exit::Usage);
    };
    if args.json && args.output == Path::new("-") {
        eprintln!("csnbench: --json writes findings to standard output: name a file for the rules with -o");
        return Err(Exit::Usage);
    }
    let text = load::read(&args.file)?;
    let name = args.file.display().to_string();
    let read = import.parse(&text);
    let mut sources = Sources::new();
    sources.add(&name, text);
    render::show(&sources, &read.diagnostics, if args.json { Style::Json } else { Style::Text });
    let lost = read.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
    if lost > 0 && !args.allow_loss {
        eprintln!("{lost} places of {name} are not taken over; nothing is written without --allow-loss");
        return Err(Exit::Input);
    }
    let mut comment = format!("imported from {} ({})", file_name(&args.file), import.name());
    if lost > 0 {
        comment += &format!("\n{lost} places of it were not taken over");
    }
    let written = csn::print(&read.rules, &comment);
    let done = if args.output == Path::new("-") {
        std::io::stdout().write_all(written.as_bytes())
    } else {
        std::fs::write(&args.output, &written)
    };
    done.map_err(|e| {
        eprintln!("csnbench: cannot write {}: {e}", args.output.display());
        Exit::Failed
    })?;
    let classes = read.rules.classes.len() - 1;
    eprintln!("{} rules of {classes} classes", read.rules.rules.len());
    Ok(Exit::Done)
}

fn file_name(path: &Path) -> String {
    match path.file_name() {
        Some(name) if path != Path::new("-") => name.to_string_lossy().into_owned(),
        _ => "standard input".into(),
    }
}
