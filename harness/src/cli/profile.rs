//! `csnbench profile`: what a capture's traffic is like, as `load` statements.

use super::exit::Exit;
use super::load;
use generator::recorded::profile::Profile;
use generator::recorded::reader::CaptureError;
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `profile`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench profile day.pcap -o day.csn                # classes are the services with the most packets
  csnbench profile day.pcap --rules customers.csn     # the classes of a scenario
  csnbench generate day.csn -o again.pcap

What is printed is a scenario: `check`, `generate` and `run` take it as it is. Sizes are those of payloads.")]
pub struct Args {
    /// The capture (pcap or pcapng)
    #[arg(value_name = "CAPTURE")]
    capture: PathBuf,
    /// A scenario whose rules sort the packets [default: rules for the services of the capture]
    #[arg(long, value_name = "FILE.csn")]
    rules: Option<PathBuf>,
    /// Where to write it; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: String,
}

/// Reads the capture and prints statements.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let rules = match &args.rules {
        Some(path) => Some(load::scenario(path)?.scenario.rules),
        None => None,
    };
    let profile = Profile::read(&args.capture, rules).map_err(|e| {
        eprintln!("csnbench: {e}");
        if matches!(e, CaptureError::Io { .. }) { Exit::Failed } else { Exit::Input }
    })?;
    if profile.total.packets == 0 {
        eprintln!("csnbench: {} has no packets", args.capture.display());
        return Err(Exit::Input);
    }
    let text = profile.to_csn(&name(args));
    let text = csn::format(&text).unwrap_or(text);
    let written = match args.output.as_str() {
        "-" => std::io::stdout().write_all(text.as_bytes()),
        path => std::fs::write(path, text),
    };
    written.map(|()| Exit::Done).map_err(|e| {
        eprintln!("csnbench: cannot write {}: {e}", args.output);
        Exit::Failed
    })
}

/// What the scenario calls the capture: a path that holds wherever it is written to.
fn name(args: &Args) -> String {
    let path = std::fs::canonicalize(&args.capture).unwrap_or_else(|_| args.capture.clone());
    path.display().to_string()
}
