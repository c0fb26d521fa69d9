//! `csnbench check`: every diagnostic of the notation.

use super::advise;
use super::exit::Exit;
use super::load;
use super::render::{self, Style};
use std::path::PathBuf;

/// Arguments of `check`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  csnbench check scenarios/paper/number-of-rules.csn\n  csnbench check --advise \
                      scenarios/paper/number-of-rules.csn"
)]
pub struct Args {
    /// Scenario files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How findings are shown
    #[arg(long, value_enum, default_value = "text")]
    format: Style,
    /// The same as --format json
    #[arg(long)]
    json: bool,
    /// Look longer, and say what could be better: rules that could be one, and a better order
    #[arg(long)]
    advise: bool,
}

/// Checks all files; exit 65 where any has an error.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let style = if args.json { Style::Json } else { args.format };
    let (mut errors, mut others, mut failed) = (0, 0, None);
    for file in &args.files {
        let outcome = match load::compile(file) {
            Ok(outcome) => outcome,
            Err(exit) => {
                failed = Some(exit);
                continue;
            }
        };
        let wrong = outcome.diagnostics.iter().filter(|d| d.severity == csn::Severity::Error).count();
        // advice on rules of which some are missing would be wrong
        let advice = (args.advise && wrong == 0).then(|| advise::advise(&outcome));
        let found = advice.as_ref().map_or(&outcome.diagnostics, |a| &a.found);
        render::show(&outcome.sources, found, style);
        errors += wrong;
        others += found.len() - wrong;
        if wrong == 0 {
            let rules = &outcome.scenario.rules;
            eprintln!(
                "{}: {} rules in {} classes, {} points to measure",
                file.display(),
                rules.rules.len(),
                rules.classes.len() - 1,
                outcome.scenario.grid().len()
            );
        }
        if let Some(a) = &advice {
            match style {
                Style::Json => println!("{}", a.json()),
                _ => eprint!("{}", a.text()),
            }
        }
    }
    if errors + others > 0 {
        eprintln!("{errors} errors, {others} warnings and lints");
    }
    match (failed, errors) {
        (Some(exit), _) => Err(exit),
        (None, 0) => Ok(Exit::Done),
        (None, _) => Err(Exit::Input),
    }
}
