//! `csnbench explain`: which rule a packet matches, and why not the earlier ones.

use super::exit::Exit;
use super::render::{self, Style};
use super::{lines, load};
use meters::MeterError;
use meters::capture::{Batch, Capture, Cpu, File, Frame};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Arguments of `explain`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench explain voice.csn --packet 'srcip = 10.1.2.3, proto = udp, dstport = 5060'
  csnbench explain voice.csn --capture trace.pcap --json")]
pub struct Args {
    /// The scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The fields of one packet, as in a rule
    #[arg(long, value_name = "FIELDS", required_unless_present = "capture", conflicts_with = "capture")]
    packet: Option<String>,
    /// A capture (pcap or pcapng) whose packets are classified one by one
    #[arg(long, value_name = "CAPTURE")]
    capture: Option<PathBuf>,
    /// JSON Lines: {"packet":1,"class":"voice","rule":3}
    #[arg(long)]
    json: bool,
    /// Only the first N rules
    #[arg(long, value_name = "N")]
    rules: Option<usize>,
}

/// Explains one packet or classifies a capture.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let outcome = load::scenario(&args.file)?;
    let rules = match args.rules {
        Some(n) => outcome.scenario.rules.first(n),
        None => outcome.scenario.rules,
    };
    match (&args.packet, &args.capture) {
        (Some(text), _) => packet(&rules, text, args.json),
        (_, Some(path)) => capture(&rules, path, args.json),
        _ => Err(Exit::Usage),
    }
}

fn packet(rules: &csn::RuleSet, text: &str, json: bool) -> Result<Exit, Exit> {
    let key = csn::parse_packet(text).map_err(|diagnostics| {
        let mut sources = csn::Sources::new();
        sources.add("--packet", text);
        render::show(&sources, &diagnostics, Style::Text);
        Exit::Input
    })?;
    let explanation = csn::explain::explain(rules, &key);
    if json {
        println!("{}", lines::packet(rules, 1, explanation.verdict));
    } else {
        println!("{explanation}");
    }
    Ok(Exit::Done)
}

fn capture(rules: &csn::RuleSet, path: &Path, json: bool) -> Result<Exit, Exit> {
    let mut counts = vec![csn::Counts::default(); rules.classes.len()];
    let mut number = 0;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    let read = each_packet(path, &mut |frame| {
        number += 1;
        let verdict = rules.classify(&csn::packet::parse(frame.bytes, frame.tag));
        counts[verdict.class.index()].add(u64::from(frame.length));
        if json && written.is_ok() {
            written = writeln!(out, "{}", lines::packet(rules, number, verdict));
        }
    });
    if let Err(e) = read {
        let _ = out.flush();
        eprintln!("csnbench: {e}");
        return Err(if matches!(e, MeterError::Io { .. }) { Exit::Failed } else { Exit::Input });
    }
    if !json {
        let _ = writeln!(out, "{:<24} {:>12} {:>14}", "class", "packets", "bytes");
        for (class, c) in rules.classes.iter().zip(&counts) {
            let _ = writeln!(out, "{:<24} {:>12} {:>14}", class.label(), c.packets, c.bytes);
        }
    }
    match written.and_then(|()| out.flush()) {
        // who reads has read enough
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Exit::Failed),
        _ => Ok(Exit::Done),
    }
}

/// Calls `each` for every packet of a capture.
fn each_packet(path: &Path, each: &mut impl FnMut(&Frame<'_>)) -> Result<(), MeterError> {
    let mut file = File::open(path, None, Rc::new(Cpu::default()))?;
    while file.batch(each)? != Batch::End {}
    Ok(())
}
