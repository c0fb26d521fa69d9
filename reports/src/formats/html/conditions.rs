//! The sections that say where the numbers come from.

use super::{facts, table};
use crate::summary::Summary;
use crate::text::{self, escape, plural};
use std::collections::BTreeSet;

/// What was not run, why, and what would mend it.
pub(super) fn skipped(s: &Summary) -> String {
    let rows: Vec<Vec<String>> = s
        .skipped
        .iter()
        .map(|k| vec![escape(&k.what), escape(&k.reason), format!("<code>{}</code>", escape(&k.cure))])
        .collect();
    if rows.is_empty() {
        String::new()
    } else {
        table(&[("what", ""), ("why", ""), ("cure", "")], &[0, 1, 2], &rows)
    }
}

/// Host and lab.
pub(super) fn machine(s: &Summary) -> String {
    let (h, l) = (&s.run.host, &s.run.lab);
    let cpu = |c: Option<u32>| c.map_or(String::new(), |c| format!("CPU {c}"));
    let load = if h.load.iter().any(|v| *v > 0.0) {
        format!("{:.2}, {:.2}, {:.2} over 1, 5 and 15 minutes", h.load[0], h.load[1], h.load[2])
    } else {
        String::new()
    };
    let mut pairs: Vec<(&str, String)> = vec![
        ("system", h.system.clone()),
        ("kernel", h.kernel.clone()),
        (
            "CPU",
            if h.cpus > 0 {
                format!("{} · {}", plural(h.cpus as usize, "CPU"), h.cpu)
            } else {
                h.cpu.clone()
            },
        ),
        ("memory", if h.memory > 0 { text::bytes(h.memory as f64) } else { String::new() }),
        ("virtualised", h.virtualised.clone().unwrap_or_default()),
        ("clock source", h.clock.clone()),
        ("load before", load),
    ];
    pairs.extend(h.facts.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let receive = match l.receive_work.as_str() {
        "sender" => "the sender's CPU pays (softirq), not the meter".into(),
        "meter" => "the meter's CPU pays (softirq)".into(),
        other => other.to_owned(),
    };
    pairs.extend([
        ("lab", l.kind.clone()),
        ("generator on", cpu(l.generator_cpu)),
        ("meter on", cpu(l.meter_cpu)),
        ("receive work", receive),
        ("not separated", l.notes.join("; ")),
    ]);
    facts(&pairs)
}

/// The scenario's text, the command that repeats it, versions and hashes.
pub(super) fn scenario(s: &Summary) -> String {
    let meters: BTreeSet<String> =
        s.trials.iter().map(|t| format!("{} {}", t.meter, t.meter_version).trim_end().to_owned()).collect();
    let transmitters: BTreeSet<&str> = s.trials.iter().map(|t| t.offered.transmitter.as_str()).collect();
    let splits: BTreeSet<&str> = s.trials.iter().map(|t| t.cpu.split.as_str()).collect();
    let join = |set: BTreeSet<&str>| set.into_iter().filter(|v| !v.is_empty()).collect::<Vec<_>>().join(", ");
    let command = match s.run.command.as_str() {
        "" => String::new(),
        c => format!("<p>The command that repeats the run:</p>\n<pre><code>{}</code></pre>\n", escape(c)),
    };
    let pairs = [
        ("csnbench", s.run.tool.clone()),
        ("records", if s.run.version > 0 { format!("version {}", s.run.version) } else { String::new() }),
        ("meters", meters.into_iter().collect::<Vec<_>>().join(", ")),
        ("transmitter", join(transmitters)),
        ("user and system", join(splits)),
        ("seed", s.run.seed.to_string()),
        ("rules", if s.run.rules > 0 { s.run.rules.to_string() } else { String::new() }),
        ("hash of the rules", s.run.rules_hash.clone()),
        ("tags", s.run.tags.join(", ")),
        ("started", text::time(s.run.time)),
    ];
    let text = match s.run.text.as_str() {
        "" => String::new(),
        t => format!(
            "<details open><summary>The scenario as it was run</summary>\n<pre><code>{}</code></pre></details>\n",
            escape(t)
        ),
    };
    format!("{command}{}{text}", facts(&pairs))
}
