//! `csnbench compile`: what a meter loads.

use super::exit::Exit;
use super::load;
use csn::backends::{self, Backend, Emitted, Form, Options};
use csn::{ClassId, RuleSet};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Arguments of `compile`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  csnbench compile voice.csn --to rtfm -o voice.rules
  csnbench compile voice.csn --to bpf --form tree
  csnbench compile voice.csn --to nftables --interface eth1 -o voice.nft --labels voice.json
  tcpdump -r trace.pcap \"$(csnbench compile voice.csn --to tcpdump)\"")]
pub struct Args {
    /// The scenario file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The target; see `csnbench list backends`
    #[arg(long, value_name = "BACKEND")]
    to: String,
    /// Where to write; `-` is standard output
    #[arg(short, long, value_name = "OUT", default_value = "-")]
    output: PathBuf,
    /// Only the first N rules
    #[arg(long, value_name = "N")]
    rules: Option<usize>,
    /// One of the target's forms; see `csnbench list backends`
    #[arg(long, value_name = "FORM")]
    form: Option<String>,
    /// The interface that the packets arrive on, for targets that bind rules to one
    #[arg(long, value_name = "IF", default_value = "eth0")]
    interface: String,
    /// Filters: accept what no rule matches
    #[arg(long)]
    invert: bool,
    /// Filters: for a packet socket instead of a capture file (VLAN tags are beside the frame there)
    #[arg(long)]
    live: bool,
    /// Where to write what the target's results call each class: JSON Lines, {"label":"c_voice","class":"voice"}
    #[arg(long, value_name = "L.json")]
    labels: Option<PathBuf>,
    /// Write the result although rules mean something else in the target
    #[arg(long)]
    allow_loss: bool,
}

/// Compiles the rules; losses go to standard error and end the verb unless they are allowed.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let Some(backend) = backends::by_name(&args.to) else {
        let names: Vec<_> = backends::BACKENDS.iter().map(|b| b.name()).collect();
        eprintln!("csnbench: no back end `{}`; there are: {}", args.to, names.join(", "));
        return Err(Exit::Usage);
    };
    let outcome = load::scenario(&args.file)?;
    let all = &outcome.scenario.rules;
    let rules = all.first(args.rules.unwrap_or(all.rules.len()));
    let options = Options {
        form: form(backend, args.form.as_deref())?,
        interface: args.interface.clone(),
        invert: args.invert,
        live: args.live,
        shared: Some(backends::shared_tests(all)),
        ..Options::default()
    };
    let emitted = backend.emit(&rules, &options);
    for note in &emitted.notes {
        eprintln!("note: {note}");
    }
    if !emitted.outside.is_empty() {
        let by_reason = emitted.outside.chunk_by(|a, b| a.reason == b.reason);
        let kinds: Vec<String> = by_reason
            .map(|same| {
                let kinds: Vec<_> = same.iter().map(|o| o.kind.to_string()).collect();
                format!("{} ({})", kinds.join(", "), same[0].reason)
            })
            .collect();
        eprintln!("note: {} may class these otherwise: {}", backend.name(), kinds.join("; "));
    }
    for loss in &emitted.losses {
        let span = rules.rules[loss.rule].span;
        let (line, _) = outcome.sources.line_column(span.file, span.start);
        let file = outcome.sources.name(span.file);
        eprintln!("{file}:{line}: rule {} is lost: {}", loss.rule + 1, loss.reason);
    }
    if !emitted.losses.is_empty() && !args.allow_loss {
        eprintln!(
            "{} of {} rules cannot be expressed for {}; nothing is written without --allow-loss",
            emitted.losses.len(),
            rules.rules.len(),
            backend.name()
        );
        return Err(Exit::Input);
    }
    let written = if args.output == Path::new("-") {
        std::io::stdout().write_all(emitted.artefact.as_bytes())
    } else {
        std::fs::write(&args.output, &emitted.artefact)
    };
    written.map_err(|e| {
        eprintln!("csnbench: cannot write {}: {e}", args.output.display());
        Exit::Failed
    })?;
    if let Some(path) = &args.labels {
        std::fs::write(path, labels(&emitted, &rules)).map_err(|e| {
            eprintln!("csnbench: cannot write {}: {e}", path.display());
            Exit::Failed
        })?;
    }
    Ok(Exit::Done)
}

/// A line for each label.
fn labels(emitted: &Emitted, rules: &RuleSet) -> String {
    let line = |(label, class): &(String, ClassId)| {
        format!("{}\n", serde_json::json!({"label": label, "class": rules.label(*class)}))
    };
    emitted.labels.iter().map(line).collect()
}

/// The form of that name.
fn form(backend: &dyn Backend, name: Option<&str>) -> Result<Option<Form>, Exit> {
    let Some(name) = name else { return Ok(None) };
    let found = backend.forms().iter().copied().find(|f| f.name == name);
    if found.is_none() {
        let names: Vec<_> = backend.forms().iter().map(|f| f.name).collect();
        let cure = if names.is_empty() {
            "it has only one".into()
        } else {
            format!("there are: {}", names.join(", "))
        };
        eprintln!("csnbench: the back end `{}` has no form `{name}`; {cure}", backend.name());
    }
    found.map(Some).ok_or(Exit::Usage)
}
