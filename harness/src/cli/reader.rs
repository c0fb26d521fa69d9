//! `csnbench reader`: collects flow data from an RTFM meter that runs, over a socket.

use super::exit::Exit;
use super::load;
use super::signals;
use meters::MeterError;
use meters::builtin::rtfm::{Collection, Reader};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Arguments of `reader`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench meter rtfm --ruleset office.rules --interface eth0 -O listen=127.0.0.1:7722 &
  csnbench reader 127.0.0.1:7722 --every '5 s'
  csnbench reader unix:/run/meter --count 1 --attributes 'SourcePeerAddress DestPeerAddress ToPDUs FromPDUs' --json")]
pub struct Args {
    /// Where the meter listens: HOST:PORT, or unix:PATH
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Time between collections, as in a scenario
    #[arg(long, value_name = "TIME", default_value = "10 s")]
    every: String,
    /// How many collections [default: until Ctrl-C or the meter's end]
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// What is collected of each flow, apart by blanks or commas
    #[arg(
        long,
        value_name = "ATTRIBUTES",
        default_value = "FlowRuleSet FlowIndex FirstTime LastActiveTime SourcePeerAddress DestPeerAddress \
                         SourceTransType SourceTransAddress DestTransAddress ToPDUs FromPDUs ToOctets FromOctets"
    )]
    attributes: String,
    /// Seconds without a collection after which the meter forgets this reader [default: when it disconnects]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Have the meter's task go back from its standby rule set to its current one first
    #[arg(long)]
    reset: bool,
    /// Where to write; `-` is standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// JSON Lines: an object for each flow
    #[arg(long)]
    json: bool,
}

/// Collects until told to stop.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let every = load::time(&args.every)?.to_duration();
    let stop = signals::stop_flag();
    let names: Vec<&str> =
        args.attributes.split([' ', ',']).map(str::trim).filter(|n| !n.is_empty()).collect();
    let failed = |e: MeterError| {
        eprintln!("csnbench: {e}");
        match e {
            MeterError::Input { .. } => Exit::Usage,
            _ => Exit::Failed,
        }
    };
    let mut out: Box<dyn Write> = match args.output.to_str() {
        Some("-") => Box::new(io::stdout()),
        _ => Box::new(std::fs::File::create(&args.output).map_err(|e| {
            eprintln!("csnbench: cannot write {}: {e}", args.output.display());
            Exit::Failed
        })?),
    };
    let mut reader = Reader::connect(&args.address, args.timeout).map_err(failed)?;
    if args.reset {
        reader.reset().map_err(failed)?;
    }
    let mut done = 0;
    while args.count.is_none_or(|n| done < n) {
        let collection = match reader.collect(&names) {
            Ok(collection) => collection,
            // the meter's end is the end of collecting
            Err(MeterError::Io { .. }) if done > 0 => break,
            Err(e) => return Err(failed(e)),
        };
        if write(&mut out, args.json, &names, &collection).is_err() {
            // nobody reads any more
            return Ok(Exit::Done);
        }
        done += 1;
        eprintln!("{} flows; {}", collection.rows.len(), reader.status().unwrap_or_default());
        let next = Instant::now() + every;
        while args.count.is_none_or(|n| done < n) && Instant::now() < next {
            if stop.load(Ordering::Relaxed) {
                return Ok(Exit::Done);
            }
            std::thread::sleep(Duration::from_millis(20).min(next.saturating_duration_since(Instant::now())));
        }
    }
    Ok(Exit::Done)
}

/// A collection in the style of flow data files, or as objects.
fn write(out: &mut dyn Write, json: bool, names: &[&str], collection: &Collection) -> io::Result<()> {
    if !json {
        writeln!(out, "#Format: {}\n#Time: {}", names.join(" "), collection.time)?;
    }
    for row in &collection.rows {
        if json {
            let value =
                |v: &String| v.parse::<u64>().map_or_else(|_| v.as_str().into(), serde_json::Value::from);
            let mut object: serde_json::Map<String, serde_json::Value> =
                names.iter().zip(row).map(|(n, v)| ((*n).to_string(), value(v))).collect();
            object.insert("Time".into(), collection.time.into());
            writeln!(out, "{}", serde_json::Value::Object(object))?;
        } else {
            writeln!(out, "{}", row.join(" "))?;
        }
    }
    if !json {
        writeln!(out, "#EndData: {}", collection.time)?;
    }
    out.flush()
}
