//! `csnbench explain`: which rule a packet matches, and why not the earlier ones; or what a diagnostic means.

use super::exit::Exit;
use super::render::{self, Style};
use super::{codes, lines, load};
use meters::MeterError;
use meters::capture::{Batch, Capture, Cpu, File, Frame};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// Arguments of `explain`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench explain voice.csn --packet 'srcip = 10.1.2.3, proto = udp, dstport = 5060'
  csnbench explain voice.csn --capture trace.pcap --json
  csnbench explain E012                # what a diagnostic means, why, an example and the cure
  csnbench explain                     # all diagnostics

Of many rules, those are shown that came closest, and how many others failed on what; --all shows each.")]
pub struct Args {
    /// The scenario file, or the code of a diagnostic [default: list the codes]
    #[arg(value_name = "FILE or CODE")]
    file: Option<PathBuf>,
    /// The fields of one packet, as in a rule
    #[arg(long, value_name = "FIELDS", conflicts_with = "capture", requires = "file")]
    packet: Option<String>,
    /// A capture (pcap or pcapng) whose packets are classified one by one
    #[arg(long, value_name = "CAPTURE", requires = "file")]
    capture: Option<PathBuf>,
    /// JSON Lines: {"packet":1,"class":"voice","rule":3}
    #[arg(long)]
    json: bool,
    /// Every rule that was compared, however many
    #[arg(long, requires = "packet")]
    all: bool,
    /// Only the first N rules
    #[arg(long, value_name = "N")]
    rules: Option<usize>,
}

/// Explains one packet or one code, or classifies a capture.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let Some(file) = &args.file else {
        codes::list();
        return Ok(Exit::Done);
    };
    if args.packet.is_none() && args.capture.is_none() {
        let word = file.to_string_lossy();
        if codes::is_code(&word) {
            return codes::page(&word);
        }
        eprintln!(
            "csnbench: what is to be explained? Write --packet FIELDS or --capture CAPTURE behind {word}"
        );
        return Err(Exit::Usage);
    }
    let mut outcome = load::scenario(file)?;
    if let Some(n) = args.rules {
        outcome.scenario.rules = outcome.scenario.rules.first(n);
    }
    match (&args.packet, &args.capture) {
        (Some(text), _) => packet(&outcome, text, args),
        (_, Some(path)) => capture(&outcome.scenario.rules, path, args.json),
        _ => Err(Exit::Usage),
    }
}

fn packet(outcome: &csn::Outcome, text: &str, args: &Args) -> Result<Exit, Exit> {
    let key = csn::parse_packet(text).map_err(|diagnostics| {
        let mut sources = csn::Sources::new();
        sources.add("--packet", text);
        render::show(&sources, &diagnostics, Style::Text);
        Exit::Input
    })?;
    let rules = &outcome.scenario.rules;
    let explanation = csn::explain::explain(rules, &key);
    if args.json {
        println!("{}", lines::packet(rules, 1, explanation.verdict));
        return Ok(Exit::Done);
    }
    if args.all {
        println!("{}", explanation.all());
    } else {
        println!("{explanation}");
    }
    if let Some(rule) = explanation.verdict.rule {
        let span = rules.rules[rule].span;
        let (line, _) = outcome.sources.line_column(span.file, span.start);
        println!("{}:{line}: {}", outcome.sources.name(span.file), outcome.sources.slice(span));
    }
    Ok(Exit::Done)
}

fn capture(rules: &csn::RuleSet, path: &Path, json: bool) -> Result<Exit, Exit> {
    let mut counts = vec![csn::Counts::default(); rules.classes.len()];
    let classifier = csn::Classifier::new(rules);
    let mut number = 0;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    let read = each_packet(path, &mut |frame| {
        number += 1;
        let verdict = classifier.classify(&csn::packet::parse(frame.bytes, frame.tag));
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
