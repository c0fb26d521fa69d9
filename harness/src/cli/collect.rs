//! `csnbench collect`: takes what flow meters export, and prints flows or counts per class.

use super::exit::Exit;
use super::{load, signals};
use csn::RuleSet;
use meters::collector::{Class, Classes, Collected, Exporter, Server, ServerOptions, Tally};
use meters::control::{self, Event};
use meters::flows::Record;
use serde::Serialize;
use serde_json::{Map, Value};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Arguments of `collect`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench collect --listen 127.0.0.1:9995 --json
  csnbench collect --listen 127.0.0.1:9995 --rules voice.csn --time '10 s'

NetFlow v5, NetFlow v9 and IPFIX over UDP, IPFIX over TCP too, on the same port. With --rules, flows are counted by the class
that the rules give the key of their record; a flow whose record leaves open what makes the difference is counted as
undecided. At the end standard error tells what came from each exporter, and what its sequence numbers say is lost.")]
pub struct Args {
    /// Address and port to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: String,
    /// A scenario, by whose rules flows are sorted to classes
    #[arg(long, value_name = "FILE.csn")]
    rules: Option<PathBuf>,
    /// Only the first N rules of the scenario
    #[arg(long, value_name = "N", requires = "rules")]
    first: Option<usize>,
    /// JSON Lines: every flow with its fields, then the classes and exporters
    #[arg(long)]
    json: bool,
    /// Nothing for single flows
    #[arg(long)]
    quiet: bool,
    /// How long to collect, as in a scenario: '10 s' [default: until Ctrl-C]
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// What the kernel keeps of datagrams that were not yet read, in MiB, as far as it allows
    #[arg(long, value_name = "MIB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=16_384))]
    buffer: u32,
    /// Talk to the program that started the collector
    #[arg(long, hide = true)]
    control: bool,
}

/// Collects until it is told to stop, then prints what there was.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let rules = match &args.rules {
        Some(path) => {
            let rules = load::scenario(path)?.scenario.rules;
            args.first.map_or(rules.clone(), |n| rules.first(n))
        }
        None => RuleSet::default(),
    };
    let time = args.time.as_deref().map(load::time).transpose()?.map(|t| t.to_duration());
    let options = ServerOptions { buffer: (args.buffer as usize) << 20, ..ServerOptions::default() };
    let failed = |e: io::Error| {
        eprintln!("csnbench: cannot collect on {}: {e}", args.listen);
        eprintln!(
            "  cure: an address of this machine and a port that nothing else listens on, such as 127.0.0.1:9995"
        );
        Exit::Failed
    };
    let mut server = Server::bind(&*args.listen, options).map_err(failed)?;
    let stop = signals::stop_flag();
    let address = server.address().map_err(failed)?;
    if args.control {
        control::stop_on_input(&stop);
        control::print(&Event::Listening { address });
    } else {
        eprintln!("listening on {address}");
    }
    if let Some(time) = time {
        stop_after(time, &stop);
    }
    let mut sink = Sink::new(&rules, args);
    server.run(&stop, &mut |exporter, record| sink.record(exporter, record)).map_err(failed)?;
    let collected = sink.end(server.summary().map_err(failed)?)?;
    if args.control {
        control::print(&Event::Collected(Box::new(collected)));
    } else {
        print(args, &rules, &collected);
    }
    Ok(Exit::Done)
}

/// Sets the flag when the time is over. The thread ends with the process.
fn stop_after(time: Duration, stop: &Arc<AtomicBool>) {
    let stop = Arc::clone(stop);
    let end = Instant::now() + time;
    std::thread::spawn(move || {
        std::thread::sleep(end.saturating_duration_since(Instant::now()));
        stop.store(true, Ordering::Relaxed);
    });
}

/// What is done with every record.
struct Sink {
    classes: Classes,
    all: Tally,
    out: BufWriter<io::Stdout>,
    written: io::Result<()>,
    /// Whether single flows are printed, and how.
    form: Option<Form>,
    labelled: bool,
}

#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
}

/// A flow, as its exporter wrote it: names and values of the record's fields.
#[derive(Serialize)]
struct RecordLine<'a> {
    exporter: std::net::SocketAddr,
    protocol: &'static str,
    domain: u32,
    template: u16,
    /// Whether it is about the exporter and not about a flow.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    options: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'a str>,
    fields: Map<String, Value>,
}

impl Sink {
    fn new(rules: &RuleSet, args: &Args) -> Self {
        let form = if args.json { Form::Json } else { Form::Text };
        Self {
            classes: Classes::new(rules),
            all: Tally::default(),
            out: BufWriter::new(io::stdout()),
            written: Ok(()),
            form: (!args.quiet && !args.control).then_some(form),
            labelled: args.rules.is_some(),
        }
    }

    fn record(&mut self, exporter: &Exporter, record: &Record<'_>) {
        let Self { classes, all, .. } = self;
        let mut class = None;
        record.flows(&mut |flow| {
            all.add(flow);
            let one = classes.add(flow);
            // of a record of both directions, that of the first
            class.get_or_insert(one);
        });
        if let (Some(form), Ok(())) = (self.form, &self.written) {
            let label = class.filter(|_| self.labelled).map(|class| match class {
                Class::Decided(class) => self.classes.rules().label(class),
                Class::Undecided => "undecided".into(),
            });
            self.written = match form {
                Form::Json => json(&mut self.out, exporter, record, label.as_deref()),
                Form::Text => text(&mut self.out, exporter, record, label.as_deref()),
            };
        }
    }

    fn end(mut self, summary: meters::collector::Summary) -> Result<Collected, Exit> {
        match self.written.and_then(|()| self.out.flush()) {
            // who reads has read enough
            Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
                eprintln!("csnbench: cannot write the flows: {e}");
                return Err(Exit::Failed);
            }
            _ => {}
        }
        let (classes, undecided) = self.classes.tallies();
        Ok(Collected { classes: classes.to_vec(), undecided, all: self.all, summary })
    }
}

fn json(
    out: &mut impl Write,
    exporter: &Exporter,
    record: &Record<'_>,
    class: Option<&str>,
) -> io::Result<()> {
    let value = |v| serde_json::to_value(v).unwrap_or_default();
    let mut fields = Map::new();
    for (field, datum) in record.values() {
        // a field that stands in a template twice, as in lists of selectors, becomes a list
        match fields.entry(field.to_string()) {
            serde_json::map::Entry::Vacant(e) => {
                e.insert(value(datum));
            }
            serde_json::map::Entry::Occupied(mut e) => match e.get_mut() {
                Value::Array(list) => list.push(value(datum)),
                one => *one = Value::Array(vec![one.take(), value(datum)]),
            },
        }
    }
    let line = RecordLine {
        exporter: exporter.address,
        protocol: exporter.protocol.name(),
        domain: exporter.domain,
        template: record.template.id,
        options: record.template.is_options(),
        class,
        fields,
    };
    serde_json::to_writer(&mut *out, &line)?;
    writeln!(out)
}

fn text(
    out: &mut impl Write,
    exporter: &Exporter,
    record: &Record<'_>,
    class: Option<&str>,
) -> io::Result<()> {
    write!(out, "{}", exporter.address)?;
    if let Some(class) = class {
        write!(out, " class={class}")?;
    }
    for (field, datum) in record.values() {
        write!(out, " {field}={datum}")?;
    }
    writeln!(out)
}

/// What a class got, in a line.
#[derive(Serialize)]
struct ClassLine<'a> {
    class: &'a str,
    #[serde(flatten)]
    tally: Tally,
}

fn print(args: &Args, rules: &RuleSet, collected: &Collected) {
    let mut lines: Vec<(String, Tally)> = Vec::new();
    if args.rules.is_some() {
        lines.extend(rules.classes.iter().map(|c| c.label()).zip(collected.classes.iter().copied()));
        lines.push(("undecided".into(), collected.undecided));
    }
    lines.push(("all".into(), collected.all));
    if !args.json {
        println!("{:<24} {:>10} {:>12} {:>14}", "class", "flows", "packets", "octets");
    }
    for (class, tally) in &lines {
        if args.json {
            let line = serde_json::to_string(&ClassLine { class, tally: *tally });
            println!("{}", line.expect("text and numbers are always JSON"));
        } else {
            println!("{class:<24} {:>10} {:>12} {:>14}", tally.flows, tally.packets, tally.octets);
        }
    }
    if args.json {
        println!("{}", serde_json::json!({ "summary": &collected.summary }));
    }
    eprintln!("{}", collected.summary);
}
