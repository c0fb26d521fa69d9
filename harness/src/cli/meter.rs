//! `csnbench meter`: one built-in meter by itself.

use super::exit::Exit;
use super::signals;
use super::{lines, load};
use csn::{MeterSpec, Span};
use meters::builtin::{self, Rules, Session, Source};
use meters::{MeterError, Readout};
use std::path::PathBuf;

/// Arguments of `meter`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench meter rtfm --rules voice.csn --capture trace.pcap
  csnbench meter rtfm --rules voice.csn --interface eth0 --time '10 s' --json
  csnbench meter rtfm --ruleset netramet.rules --capture trace.pcap --flow-data -
  csnbench meter auto --capture trace.pcap -O 'attributes={srcip, dstip}' --flow-data -
  csnbench meter tree --rules voice.csn --capture trace.pcap -O timing=on")]
pub struct Args {
    /// The meter; see `csnbench list meters`
    #[arg(value_name = "NAME")]
    name: String,
    /// A scenario whose rules are loaded; `auto` and `count` need none
    #[arg(long, value_name = "FILE.csn", conflicts_with = "ruleset")]
    rules: Option<PathBuf>,
    /// Only the first N rules of the scenario
    #[arg(long, value_name = "N", requires = "rules")]
    first: Option<usize>,
    /// A rule set in the meter's own language; may be repeated
    #[arg(long, value_name = "FILE")]
    ruleset: Vec<PathBuf>,
    /// An interface to listen on
    #[arg(long, value_name = "IF", required_unless_present = "capture", conflicts_with = "capture")]
    interface: Option<String>,
    /// A capture to read (pcap or pcapng)
    #[arg(long, value_name = "CAPTURE")]
    capture: Option<PathBuf>,
    /// Options of the meter
    #[arg(short = 'O', value_name = "NAME=VALUE")]
    options: Vec<String>,
    /// A filter program in front of the meter, as `csnbench compile --to bpf` writes it
    #[arg(long, value_name = "FILE")]
    filter: Option<PathBuf>,
    /// Where to write flow data, in the form of the rule set's FORMAT or as comma-separated values; `-` is standard
    /// output
    #[arg(long, value_name = "FILE")]
    flow_data: Option<PathBuf>,
    /// How long to meter, as in a scenario: '10 s' [default: until Ctrl-C or the end of the capture]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// JSON Lines: {"class":"voice","packets":n,"bytes":n}
    #[arg(long)]
    json: bool,
    /// Talk to the program that started the meter
    #[arg(long, hide = true)]
    control: bool,
}

/// Meters, then prints the counts.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let Some(meter) = builtin::find(&args.name) else {
        let names: Vec<_> = builtin::BUILTINS.iter().map(|m| m.name()).collect();
        eprintln!("csnbench: no built-in meter `{}`; there are: {}", args.name, names.join(", "));
        return Err(Exit::Usage);
    };
    let session = session(args)?;
    let rules = session.rules.clone();
    // the program that leads gets the readout itself
    let quiet = session.control;
    let readout = meter.run(session).map_err(|e| {
        eprintln!("csnbench: {e}");
        exit(&e)
    })?;
    if !quiet {
        print(args, &rules, &readout);
    }
    Ok(Exit::Done)
}

/// The exit code of what went wrong.
fn exit(e: &MeterError) -> Exit {
    match e {
        MeterError::Unavailable { .. } => Exit::Nothing,
        MeterError::Option { .. } => Exit::Usage,
        MeterError::Loss { .. } | MeterError::Input { .. } => Exit::Input,
        MeterError::Failed { .. } | MeterError::Io { .. } => Exit::Failed,
    }
}

fn session(args: &Args) -> Result<Session, Exit> {
    let mut options = Vec::new();
    for option in &args.options {
        let Some((name, value)) = option.split_once('=') else {
            eprintln!("csnbench: -O {option}: write NAME=VALUE; see `csnbench list meters`");
            return Err(Exit::Usage);
        };
        options.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let rules = match &args.rules {
        Some(path) => {
            let ruleset = load::scenario(path)?.scenario.rules;
            let loaded = args.first.unwrap_or(ruleset.rules.len()).min(ruleset.rules.len());
            Rules::Csn { ruleset, loaded }
        }
        None => Rules::Texts(args.ruleset.iter().map(|p| load::read(p)).collect::<Result<_, _>>()?),
    };
    let source = match (&args.interface, &args.capture) {
        (Some(name), _) => Source::Interface(name.clone()),
        (None, Some(path)) => Source::Capture(path.clone()),
        (None, None) => return Err(Exit::Usage),
    };
    Ok(Session {
        source,
        rules,
        options: MeterSpec { name: args.name.clone(), options, span: Span::default() },
        filter: args.filter.as_deref().map(load::read).transpose()?,
        flow_data: args.flow_data.clone(),
        details: args.json && args.rules.is_none(),
        control: args.control,
        time: args.time.as_deref().map(load::time).transpose()?,
        stop: signals::stop_flag(),
    })
}

/// Counts per class where the rules have classes, else per flow; what was lost goes to standard error.
fn print(args: &Args, rules: &Rules, readout: &Readout) {
    if let Rules::Csn { ruleset, .. } = rules {
        if !args.json {
            println!("{:<24} {:>12} {:>14}", "class", "packets", "bytes");
        }
        for (class, c) in ruleset.classes.iter().zip(&readout.classes) {
            let label = class.label();
            if args.json {
                println!("{}", lines::class(&label, *c));
            } else {
                println!("{label:<24} {:>12} {:>14}", c.packets, c.bytes);
            }
        }
    }
    eprintln!(
        "{} packets received, {} ignored, {} dropped by the socket; {} flows",
        readout.received, readout.ignored, readout.socket_drops, readout.flows
    );
    for e in &readout.elements {
        eprintln!(
            "{:<12} mean {:>7.1} ns, percentiles 50/90/99/99.9: {} / {} / {} / {} ns, largest {} ns, {} times; timer {:.1} ns taken off",
            e.name,
            e.mean,
            e.percentiles[0],
            e.percentiles[1],
            e.percentiles[2],
            e.percentiles[3],
            e.percentiles[4],
            e.count,
            e.timer
        );
    }
}
