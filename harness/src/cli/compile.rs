//! `csnbench compile`: what a meter loads.

use super::exit::Exit;
use super::load;
use csn::backends::{self, Backend, Emitted, Form, Loss, Options};
use csn::{ClassId, RuleSet, Sources};
use std::collections::HashMap;
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
    /// Every loss as a line of JSON on standard output; the result then needs a file, `-o`
    #[arg(long)]
    json: bool,
}

/// Losses that people are shown for each reason; the rest is counted.
const PLACES: usize = 5;
/// Reasons that people are shown.
const REASONS: usize = 20;

/// Compiles the rules; losses go to standard error and end the verb unless they are allowed.
pub fn run(args: &Args) -> Result<Exit, Exit> {
    let Some(backend) = backends::by_name(&args.to) else {
        let names: Vec<_> = backends::BACKENDS.iter().map(|b| b.name()).collect();
        eprintln!("csnbench: no back end `{}`; there are: {}", args.to, names.join(", "));
        return Err(Exit::Usage);
    };
    if args.json && args.output == Path::new("-") {
        eprintln!("csnbench: losses as JSON go to standard output; name a file for the result with -o");
        return Err(Exit::Usage);
    }
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
    if args.json {
        let lines: String = emitted.losses.iter().map(|l| json(&outcome.sources, &rules, l)).collect();
        std::io::stdout().write_all(lines.as_bytes()).map_err(|_| Exit::Failed)?;
    } else {
        eprint!("{}", told(&outcome.sources, &rules, &emitted.losses));
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

/// The file and the line of a rule.
fn place<'a>(sources: &'a Sources, rules: &RuleSet, loss: &Loss) -> (&'a str, usize) {
    let span = rules.rules[loss.rule].span;
    (sources.name(span.file), sources.line_column(span.file, span.start).0)
}

/// A loss for programs.
fn json(sources: &Sources, rules: &RuleSet, loss: &Loss) -> String {
    let (file, line) = place(sources, rules, loss);
    let class = rules.label(rules.rules[loss.rule].class);
    let value = serde_json::json!({
        "rule": loss.rule + 1, "class": class, "file": file, "line": line, "reason": loss.reason,
    });
    format!("{value}\n")
}

/// Losses for people: the first places of each reason, and how many more there are. A reason that meets every rule of
/// a large file would bury the others.
fn told(sources: &Sources, rules: &RuleSet, losses: &[Loss]) -> String {
    let mut reasons: Vec<(&str, Vec<&Loss>)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for loss in losses {
        let at = *known.entry(&loss.reason).or_insert(reasons.len());
        if at == reasons.len() {
            reasons.push((&loss.reason, Vec::new()));
        }
        reasons[at].1.push(loss);
    }
    let mut out = String::new();
    for (reason, of_it) in reasons.iter().take(REASONS) {
        for loss in of_it.iter().take(PLACES) {
            let (file, line) = place(sources, rules, loss);
            out += &format!("{file}:{line}: rule {} is lost: {reason}\n", loss.rule + 1);
        }
        if of_it.len() > PLACES {
            out += &format!("… and {} more for this reason\n", of_it.len() - PLACES);
        }
    }
    let rest: usize = reasons.iter().skip(REASONS).map(|(_, of_it)| of_it.len()).sum();
    if rest > 0 {
        out += &format!("… and {rest} more for {} other reasons\n", reasons.len() - REASONS);
    }
    if rest > 0 || reasons.iter().any(|(_, of_it)| of_it.len() > PLACES) {
        out += "--json lists every one\n";
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_repeat_are_counted_and_none_hides_another() {
        let mut sources = Sources::new();
        let text = "addrule: vlan = 1;\n".repeat(40);
        let file = sources.add("x.csn", text.as_str());
        let rule = |i: u32| csn::Rule {
            class: ClassId::OTHERS,
            tests: Vec::new(),
            both: false,
            span: csn::Span { file, start: 19 * i, end: 19 * i + 18 },
        };
        let rules = RuleSet { rules: (0..40).map(rule).collect(), ..RuleSet::default() };
        let loss = |rule: usize, reason: String| Loss { rule, reason };
        let mut losses: Vec<Loss> = (0..9).map(|i| loss(i, "no tags".into())).collect();
        losses.push(loss(9, "rare".into()));
        let shown = told(&sources, &rules, &losses);
        assert!(
            shown.contains("x.csn:5: rule 5 is lost: no tags\n… and 4 more for this reason\n"),
            "{shown}"
        );
        assert!(shown.contains("x.csn:10: rule 10 is lost: rare\n--json"), "{shown}");
        assert_eq!(told(&sources, &rules, &losses[..5]).lines().count(), 5, "few are shown as they are");
        let each: Vec<Loss> = (0..40).map(|i| loss(i, format!("reason {i}"))).collect();
        let shown = told(&sources, &rules, &each);
        assert!(shown.contains("reason 19\n… and 20 more for 20 other reasons\n"), "{shown}");
        let line = json(&sources, &rules, &losses[9]);
        assert_eq!(
            line,
            "{\"class\":\"others\",\"file\":\"x.csn\",\"line\":10,\"reason\":\"rare\",\"rule\":10}\n"
        );
    }
}
