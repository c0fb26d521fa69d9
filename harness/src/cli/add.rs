//! `csnbench add`: one more rule, and the rest of the file as it was.

use super::edit::{self, Output};
use super::exit::Exit;
use super::load::Files;
use csn::edit::Addition;
use std::path::PathBuf;

/// Arguments of `add`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench add voice.csn --class voice 'proto = udp, dstport = 53'
  csnbench add voice.csn --class 7 --name mail 'proto = tcp, dstport = 25' 'proto = tcp, dstport = 465'
  csnbench add voice.csn --class 7 'dstport = 587' -o -        # show it, change nothing

A rule goes behind the last one of its class, a new class behind the last class. A change that brings an
error is refused, and the file stays as it was.")]
pub struct Args {
    /// The scenario file; `-` goes from standard input to standard output
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The class that gets the rule, by name or number; a number that is free opens a class
    #[arg(long, value_name = "C")]
    class: String,
    /// The name of a class that is opened
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Rules, each in quotes, as they stand behind `addrule:`
    #[arg(required = true, value_name = "RULE")]
    rules: Vec<String>,
    #[command(flatten)]
    to: Output,
}

/// Adds the rules.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let name = args.file.display().to_string();
    edit::edit(&args.file, &args.to, &args.rules, |text, rule| {
        let addition = Addition { class: &args.class, class_name: args.name.as_deref(), rule };
        csn::edit::add(&name, text, &mut Files, &addition)
    })
}
