//! `csnbench generate`: the packets of a scenario, into a capture or onto an interface.

use super::exit::Exit;
use super::render::{self, Style};
use super::signals;
use super::{lines, load};
use csn::RateSpec;
use generator::job::Amount;
use generator::plan::{Plan, PlanError};
use generator::send::{self, Pacing, SendError};
use generator::{Job, Report, tx};
use std::io::Write;
use std::path::PathBuf;

/// Arguments of `generate`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench generate voice.csn -o voice.pcap --count 100000 --ledger counts.json
  csnbench generate voice.csn --interface veth0 --rate '50 kpps' --time '10 s'
  csnbench generate voice.csn --interface veth0 --rate max --transmitter xdp
  csnbench generate voice.csn --dump --count 20        # shows packets, sends none

`csnbench list transmitters` says what each is. The interface is one that you name: nothing is sent anywhere else.")]
pub struct Args {
    /// The scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A capture to write, with nanosecond stamps: pcap, or pcapng where the name ends so; `-` is standard output
    #[arg(short, long, value_name = "CAPTURE", required_unless_present_any = ["interface", "dump"])]
    output: Option<String>,
    /// An interface to send on
    #[arg(long, value_name = "IF", conflicts_with = "output")]
    interface: Option<String>,
    /// What puts packets on the interface or into the capture [default: auto, or the capture's format]
    #[arg(long, value_name = "NAME")]
    transmitter: Option<String>,
    /// How many threads send, each its share of the flows; the frames are the same
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..), requires = "interface")]
    threads: u8,
    /// So many packets leave together, when the last of them is due; 1 to 64
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    batch: u8,
    /// Show the packets, a line each, and send nothing: time, class, rule, octets of the frame, fields
    #[arg(long, conflicts_with_all = ["output", "interface", "ledger"])]
    dump: bool,
    /// How many packets
    #[arg(long, value_name = "N", conflicts_with = "time")]
    count: Option<u64>,
    /// How long, as in a scenario: '5 s' [default: the scenario's]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// How fast, as in a scenario: '20 kpps', '60 Mbit/s(atm)', max [default: the scenario's]
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
    /// Where everything random comes from [default: the scenario's]
    #[arg(long, value_name = "SEED")]
    seed: Option<u64>,
    /// Ethernet address that frames are sent to where rules leave it open
    #[arg(long, value_name = "MAC", default_value = "02:00:00:00:00:02")]
    dstmac: String,
    /// Where to write what really left: a line per class, then the total; `-` is standard output
    #[arg(long, value_name = "FILE")]
    ledger: Option<PathBuf>,
    /// JSON Lines on standard output: the ledger, or the packets of --dump
    #[arg(long, conflicts_with = "ledger")]
    json: bool,
}

/// Plans, sends and accounts.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let outcome = load::executable(&args.file)?;
    let scenario = &outcome.scenario;
    let job = job(args, scenario)?;
    let mut plan = Plan::new(&job).map_err(|e| show(&outcome.sources, &e))?;
    plan.notes().iter().for_each(|n| eprintln!("note: {n}"));
    if args.dump {
        return dump(&mut plan, &scenario.rules, args.json);
    }
    let (name, target) = transmitter(args)?;
    let stop = signals::stop_flag();
    let pacing = Pacing { batch: args.batch.into() };
    let sent = if args.threads > 1 {
        let open = |thread, longest| tx::open_queue(name, target, thread, longest);
        send::send_by_threads(&job, args.threads.into(), &open, pacing, &stop)
    } else {
        tx::open(name, target, plan.longest()).map_err(SendError::from).and_then(|mut opened| {
            let mut report = send::send_paced(&mut plan, opened.tx.as_mut(), opened.pace, pacing, &stop)?;
            report.notes.splice(..0, opened.why);
            Ok(report)
        })
    };
    let report = sent.map_err(|e| {
        eprintln!("csnbench: {e}");
        if matches!(e, SendError::Endless) { Exit::Usage } else { Exit::Failed }
    })?;
    summarise(&report);
    ledger(args, &scenario.rules, &report)?;
    Ok(Exit::Done)
}

/// The transmitter, and what it is opened with: a file or an interface.
fn transmitter(args: &Args) -> Result<(&str, &str), Exit> {
    let (default, target, needs) = match (&args.interface, &args.output) {
        (Some(interface), _) => (tx::AUTO, interface, tx::Needs::Interface),
        (None, Some(path)) if path.ends_with(".pcapng") => ("pcapng", path, tx::Needs::File),
        (None, Some(path)) => ("pcap", path, tx::Needs::File),
        (None, None) => return Err(Exit::Usage),
    };
    let name = args.transmitter.as_deref().unwrap_or(default);
    let fits: Vec<_> = tx::TABLE.iter().filter(|e| e.needs == needs).map(|e| e.name).collect();
    if !fits.contains(&name) {
        eprintln!(
            "csnbench: --transmitter {name} does not send to {target}; one of {} does",
            fits.join(", ")
        );
        return Err(Exit::Usage);
    }
    Ok((name, target))
}

/// What the arguments and the scenario ask for together.
fn job(args: &Args, scenario: &csn::Scenario) -> Result<Job, Exit> {
    let spec = &scenario.experiment.run;
    let time = args.time.as_deref().map(load::time).transpose()?;
    let amount = match (args.count, time) {
        (Some(n), _) => Amount::Packets(n),
        (None, Some(t)) => Amount::Time(t),
        (None, None) => Amount::Time(spec.time),
    };
    let rate = match &args.rate {
        Some(text) => rate(text)?,
        None => spec.rate,
    };
    Ok(Job {
        rules: scenario.rules.clone(),
        mix: scenario.mix.clone(),
        rate,
        amount,
        seed: args.seed.unwrap_or(spec.seed),
        macs: [[2, 0, 0, 0, 0, 1], mac(&args.dstmac)?],
    })
}

fn rate(text: &str) -> Result<RateSpec, Exit> {
    match load::setting("rate", text)?.rate {
        RateSpec::Search(_) => {
            eprintln!("csnbench: --rate: a search needs a meter; give a rate or `max`");
            Err(Exit::Usage)
        }
        rate => Ok(rate),
    }
}

fn mac(text: &str) -> Result<[u8; 6], Exit> {
    let parts: Result<Vec<u8>, _> = text.split(':').map(|p| u8::from_str_radix(p, 16)).collect();
    parts.ok().and_then(|p| p.try_into().ok()).ok_or_else(|| {
        eprintln!("csnbench: --dstmac {text}: write six octets, as 02:00:00:00:00:02");
        Exit::Usage
    })
}

/// Shows a plan's error at its statement.
fn show(sources: &csn::Sources, e: &PlanError) -> Exit {
    let (message, reason, cure) = (e.message.as_str(), e.reason.as_str(), e.cure.as_str());
    let diagnostic = csn::Diagnostic::new(&csn::codes::IMPOSSIBLE, e.span, message, reason, cure);
    render::show(sources, &[diagnostic], Style::Text);
    Exit::Input
}

/// Shows the packets of a plan.
fn dump(plan: &mut Plan, rules: &csn::RuleSet, json: bool) -> Result<Exit, Exit> {
    if !plan.is_bounded() {
        eprintln!("csnbench: {}", send::SendError::Endless);
        return Err(Exit::Usage);
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut written = Ok(());
    for (i, frame) in plan.frames().enumerate() {
        let key = csn::packet::parse(&frame.bytes, None);
        let class = frame.rule.map_or(csn::ClassId::OTHERS, |r| rules.rules[r].class);
        let verdict = csn::ruleset::Verdict { class, rule: frame.rule };
        written = if json {
            let text = lines::dumped(rules, i as u64 + 1, verdict, frame.due, &key, &frame.bytes);
            writeln!(out, "{text}")
        } else {
            let rule = frame.rule.map_or("-".to_owned(), |r| (r + 1).to_string());
            let (time, label) = (frame.due.as_secs_f64(), rules.label(class));
            writeln!(out, "{time:.9} {label} {rule} {} B {}", frame.bytes.len(), lines::fields(&key))
        };
        if written.is_err() {
            break;
        }
    }
    match written.and_then(|()| out.flush()) {
        // who reads has read enough
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Exit::Failed),
        _ => Ok(Exit::Done),
    }
}

fn summarise(report: &Report) {
    let total = report.ledger.total();
    let asked =
        report.intended_pps.map_or("as fast as possible".into(), |p| format!("{p:.0} packets/s asked"));
    eprintln!(
        "{} packets, {} bytes in {:.3} s: {asked}, {:.0} achieved; {} refused",
        total.packets,
        total.bytes,
        report.elapsed.as_secs_f64(),
        report.achieved_pps(),
        report.refused
    );
    report.notes.iter().for_each(|note| eprintln!("{}: {note}", report.transmitter));
    // a capture is written as fast as it goes, and at the highest rate nothing has a time
    if report.batch == 0 || report.scheduled_pps.is_none() || report.lateness.max == 0 {
        return;
    }
    let (late, gaps, breaks) = (&report.lateness, &report.gaps, &report.interruptions);
    eprintln!(
        "lateness: median {} ns, 99 % {} ns, largest {} ns; {:.3} % later than {} ns; {} stalls over 1 ms",
        late.p50,
        late.p99,
        late.max,
        late.share * 100.0,
        late.bound,
        late.stalls
    );
    eprintln!(
        "gaps: off by {} ns in the median, 99 % within {} ns, at most {} ns",
        gaps.p50, gaps.p99, gaps.max
    );
    if breaks.count > 0 {
        eprintln!(
            "beside that the machine took the CPU away {} times, {:.3} ms in all and {:.3} ms at most, which shows in \
             {} gaps",
            breaks.count,
            breaks.total as f64 / 1e6,
            breaks.longest as f64 / 1e6,
            gaps.disturbed
        );
    }
}

/// Writes what left: a line per class, and the total.
fn ledger(args: &Args, rules: &csn::RuleSet, report: &Report) -> Result<(), Exit> {
    let mut text = String::new();
    for (class, c) in rules.classes.iter().zip(report.ledger.by_class(rules, rules.rules.len())) {
        text.push_str(&format!("{}\n", lines::class(&class.label(), c)));
    }
    let total = report.ledger.total();
    let line = serde_json::json!({
        "total": {"packets": total.packets, "bytes": total.bytes, "refused": report.refused,
                  "seconds": report.elapsed.as_secs_f64(), "pps": report.achieved_pps()},
    });
    text.push_str(&format!("{line}\n"));
    let to_stdout = args.json || args.ledger.as_deref() == Some(std::path::Path::new("-"));
    let written = match &args.ledger {
        _ if to_stdout => std::io::stdout().write_all(text.as_bytes()),
        Some(path) => std::fs::write(path, text),
        None => Ok(()),
    };
    written.map_err(|e| {
        eprintln!("csnbench: cannot write the ledger: {e}");
        Exit::Failed
    })
}
