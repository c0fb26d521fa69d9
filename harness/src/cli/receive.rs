//! `csnbench receive`: what signed packets tell where they arrive.

use super::exit::Exit;
use super::signals;
use super::{lines, load};
use csn::Nanos;
use generator::receiver::{Class, Receiver};
use meters::MeterError;
use meters::capture::{Batch, Capture, Cpu, File, Frame, Ring, RingOptions};
use std::collections::HashMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest wait for packets, so that a stop is noticed.
const NAP: Nanos = Nanos::from_millis(50);
/// How long packets are still taken in behind the end: longer than the ring keeps them back.
const DRAIN: Duration = Duration::from_millis(150);

/// Arguments of `receive`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench receive --interface veth1 --time '10 s'            # while `generate` sends into the other end
  csnbench receive --capture behind.pcap --rules voice.csn --json

Packets are those of loads with `signature = on`. What is missing behind the last packet of a flow that came cannot
be seen here: compare the counts with the ledger that `generate --ledger` writes. Latencies are right where sender
and receiver have one clock.")]
pub struct Args {
    /// An interface to listen on
    #[arg(long, value_name = "IF", required_unless_present = "capture", conflicts_with = "capture")]
    interface: Option<String>,
    /// A capture to read (pcap or pcapng)
    #[arg(long, value_name = "CAPTURE")]
    capture: Option<PathBuf>,
    /// How long to listen, as in a scenario: '10 s' [default: until Ctrl-C]
    #[arg(long, value_name = "TIME", conflicts_with = "capture")]
    time: Option<String>,
    /// A scenario whose names of classes are shown in place of their numbers
    #[arg(long, value_name = "FILE.csn")]
    rules: Option<PathBuf>,
    /// A line for each flow too
    #[arg(long)]
    flows: bool,
    /// JSON Lines: {"class":"voice","packets":n,"bytes":n,"flows":n,"lost":n, and so on}
    #[arg(long)]
    json: bool,
}

/// Receives to the end, then tells.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let names = names(args)?;
    let time = args.time.as_deref().map(load::time).transpose()?;
    let mut receiver = Receiver::new();
    let cpu = Rc::new(Cpu::default());
    let stop = signals::stop_flag();
    let dropped = match (&args.interface, &args.capture) {
        (Some(interface), _) => Ring::open(interface, RingOptions::default(), None, cpu).and_then(|ring| {
            // scripts wait for this line before they send
            eprintln!("listening on {interface}");
            receive(ring, &mut receiver, time, &stop)
        }),
        (None, Some(path)) => {
            File::open(path, None, cpu).and_then(|file| receive(file, &mut receiver, None, &stop))
        }
        (None, None) => return Err(Exit::Usage),
    };
    let dropped = dropped.map_err(|e| {
        eprintln!("csnbench: {e}");
        match e {
            MeterError::Input { .. } => Exit::Input,
            MeterError::Unavailable { .. } => Exit::Nothing,
            _ => Exit::Failed,
        }
    })?;
    show(args, &receiver, &names);
    if dropped > 0 {
        eprintln!(
            "{dropped} packets were dropped by this receiver's own socket: what is lost may be lost here"
        );
    }
    Ok(Exit::Done)
}

/// Labels of classes by their numbers.
fn names(args: &Args) -> Result<HashMap<u16, String>, Exit> {
    let Some(path) = &args.rules else { return Ok(HashMap::from([(0, "others".to_owned())])) };
    let classes = load::scenario(path)?.scenario.rules.classes;
    Ok(classes.iter().filter_map(|c| Some((u16::try_from(c.number).ok()?, c.label()))).collect())
}

/// Takes packets in until the end, the time or the stop; answers how many the source itself dropped.
fn receive(
    mut source: impl Capture,
    receiver: &mut Receiver,
    time: Option<Nanos>,
    stop: &AtomicBool,
) -> Result<u64, MeterError> {
    let mut end = time.map(|t| Instant::now() + Duration::from_nanos(t.0));
    let mut drained = false;
    loop {
        let batch = source.batch(&mut |f: &Frame<'_>| receiver.take(f.bytes, f.length, f.time))?;
        let now = Instant::now();
        let over = stop.load(Ordering::Relaxed) || end.is_some_and(|e| now >= e);
        match batch {
            Batch::End => break,
            _ if over && drained => break,
            // what has come already is still on its way through the ring
            _ if over => {
                (end, drained) = (Some(now + DRAIN), true);
                stop.store(false, Ordering::Relaxed);
            }
            Batch::Packets(_) => {}
            Batch::Empty => source.wait(NAP)?,
        }
    }
    Ok(source.statistics()?.dropped)
}

fn show(args: &Args, receiver: &Receiver, names: &HashMap<u16, String>) {
    let label = |number: u16| names.get(&number).cloned().unwrap_or_else(|| number.to_string());
    if !args.json {
        println!(
            "{:<24} {:>7} {:>12} {:>14} {:>9} {:>9} {:>9}  latency 50 / 99 / 99.9 % / largest",
            "class", "flows", "packets", "bytes", "lost", "twice", "reordered"
        );
    }
    for (number, class) in receiver.classes() {
        if args.json {
            println!("{}", lines::received(&label(number), &class));
        } else {
            println!("{}", row(&label(number), &class));
        }
    }
    if args.flows {
        for flow in receiver.flows() {
            println!("{}", lines::received_flow(&label(flow.class), flow));
        }
    }
    let unsigned = receiver.unsigned.packets;
    if unsigned > 0 {
        eprintln!("{unsigned} packets without a signature");
    }
}

fn row(label: &str, class: &Class) -> String {
    let at = |q: f64| Nanos(class.latency.value_at_quantile(q));
    let latency = if class.latency.is_empty() {
        "clocks differ".to_owned()
    } else {
        format!("{} / {} / {} / {}", at(0.5), at(0.99), at(0.999), at(1.0))
    };
    format!(
        "{label:<24} {:>7} {:>12} {:>14} {:>9} {:>9} {:>9}  {latency}",
        class.flows, class.counts.packets, class.counts.bytes, class.lost, class.duplicates, class.reordered
    )
}
