//! `csnbench remove`: a class or a rule goes, and the rest of the file stays as it was.

use super::edit::{self, Output};
use super::exit::Exit;
use super::load::Files;
use csn::edit::Removal;
use std::path::PathBuf;

/// Arguments of `remove`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench remove voice.csn --class voice
  csnbench remove voice.csn --class voice --rule 'proto = udp, dstport = 53'
  csnbench remove voice.csn --rule 12                           # as `csnbench explain` counts

With a class go its `set`, its rules and every `load` that is for nothing else; with a rule its `load: rule`.
Comments at the ends of the lines that go are taken along, comments on lines of their own stay.")]
pub struct Args {
    /// The scenario file; `-` goes from standard input to standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The class, by name or number
    #[arg(long, value_name = "C", required_unless_present = "rule")]
    class: Option<String>,
    /// Only one rule: its number, from 1 in the order of the file, or its text (which takes --class as well)
    #[arg(long, value_name = "N or TEXT")]
    rule: Option<String>,
    #[command(flatten)]
    to: Output,
}

/// Removes the class or the rule.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let removal = match (&args.class, &args.rule) {
        (Some(class), Some(rule)) => Removal::RuleOf(class, rule),
        (Some(class), None) => Removal::Class(class),
        (None, rule) => match rule.as_deref().and_then(|r| r.trim().parse().ok()) {
            Some(number) => Removal::Rule(number),
            None => {
                eprintln!(
                    "csnbench: a rule that is given by its text needs its class: write --class C as well"
                );
                return Err(Exit::Usage);
            }
        },
    };
    let name = args.file.display().to_string();
    edit::edit(&args.file, &args.to, &[removal], |text, removal| {
        csn::edit::remove(&name, text, &mut Files, removal)
    })
}
