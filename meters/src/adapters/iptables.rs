//! iptables: chains of the table `raw`, for packets that the host takes in.

use super::tools::{External, InKernel, Order, Program, by_class, read, unlimited, write};
use crate::builtin::options::one_of;
use crate::meter::{MeterError, OptionDoc, Place, Readout, Running, Tells};
use csn::backends::Options;
use csn::{Counts, MeterSpec};
use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

const NFACCT: Program = Program { name: "nfacct", package: "nfacct" };
const VARIANTS: [&str; 2] = ["nft", "legacy"];

/// The meter `iptables`.
pub static IPTABLES: External = External {
    name: "iptables",
    summary: "iptables, a chain for each class before the routing; packets are dropped behind it",
    options: &[
        OptionDoc {
            name: "variant",
            values: "nft | legacy",
            doc: "which of the kernel's two machineries; default nft",
        },
        OptionDoc {
            name: "count",
            values: "rule | nfacct",
            doc: "the counters of the rules, or an nfacct object for each class (package nfacct); default rule",
        },
    ],
    programs: &[program("iptables-nft"), program("iptables-legacy"), super::tools::kernel::IP],
    version: &["--version"],
    place: Place::Kernel,
    tells: Tells::Own,
    deviations: include_str!("../../deviations/iptables.md"),
    backend: Some(|_: &MeterSpec| Ok(("iptables", Options::default()))),
    limits: |spec, rules| {
        one_of(spec, "variant", &VARIANTS)?;
        if by_objects(spec)? {
            NFACCT.require("iptables")?;
        }
        unlimited(spec, rules)
    },
    start,
};

const fn program(name: &'static str) -> Program {
    Program { name, package: "iptables" }
}

fn by_objects(spec: &MeterSpec) -> Result<bool, MeterError> {
    Ok(one_of(spec, "count", &["rule", "nfacct"])? == 1)
}

/// The programs of one variant, with a lock of their own: the usual one is the host's.
#[derive(Clone)]
struct Tools {
    programs: [Program; 3],
    lock: PathBuf,
}

impl Tools {
    fn of(order: &Order<'_>) -> Result<Self, MeterError> {
        let names = match one_of(order.job.spec, "variant", &VARIANTS)? {
            0 => ["iptables-nft", "iptables-nft-restore", "iptables-nft-save"],
            _ => ["iptables-legacy", "iptables-legacy-restore", "iptables-legacy-save"],
        };
        Ok(Self { programs: names.map(program), lock: order.job.folder.join("xtables.lock") })
    }

    fn command(&self, which: usize, arguments: &[&str]) -> Result<Command, MeterError> {
        let mut command = self.programs[which].command("iptables")?;
        command.args(arguments).env("XTABLES_LOCKFILE", &self.lock);
        Ok(command)
    }
}

fn start(order: &Order<'_>) -> Result<Box<dyn Running>, MeterError> {
    let tools = Tools::of(order)?;
    let objects = by_objects(order.job.spec)?;
    let file = order.job.folder.join("rules.iptables");
    write(&file, &counting(&order.rules.artefact, objects))?;
    let mut kernel = InKernel::new(order)?;
    kernel.take_in(order)?;
    if objects {
        let nfacct = |arguments: &[&str]| {
            let mut command = NFACCT.command("iptables")?;
            command.args(arguments);
            Ok::<_, MeterError>(command)
        };
        // objects outlive the rules that use them
        kernel.at_end(nfacct(&["flush"])?);
        for (label, _) in &order.rules.labels {
            kernel.inside().run(nfacct(&["add", label])?)?;
        }
    }
    for end in ["-X", "-F"] {
        kernel.at_end(tools.command(0, &["-t", "raw", end])?);
    }
    let text = read(&file)?;
    kernel.inside().feed(tools.command(1, &[])?, &text)?;
    let saved = kernel.inside().run(tools.command(2, &["-c", "-t", "raw"])?)?;
    let (wanted, live) = (lines(&text), lines(&saved));
    if wanted != live {
        return Err(kernel.inside().failed(format!("{live} of {wanted} rules are listed by iptables-save")));
    }
    kernel.fact("rules live", format!("{live} rules, listed by iptables-save"));
    let (labels, classes) = (order.rules.labels.clone(), order.classes());
    Ok(kernel.running(Box::new(move |inside| {
        let counted = if objects {
            let mut list = NFACCT.command("iptables")?;
            list.arg("list");
            accounted(&inside.run(list)?)
        } else {
            saved_counts(&inside.run(tools.command(2, &["-c", "-t", "raw"])?)?)
        };
        Ok(Readout { classes: by_class(&labels, classes, |l| counted.get(l).copied()), ..Readout::default() })
    })))
}

/// What is loaded: a class counts and drops, so that routing is no part of what is measured.
fn counting(artefact: &str, objects: bool) -> String {
    let mut out = String::with_capacity(artefact.len());
    for line in artefact.lines() {
        match line.strip_prefix("-A ").and_then(|l| l.strip_suffix(" -j ACCEPT")) {
            Some(chain) if objects => {
                out.push_str(&format!("-A {chain} -m nfacct --nfacct-name {chain} -j DROP"));
            }
            Some(chain) => out.push_str(&format!("-A {chain} -j DROP")),
            None => out.push_str(line),
        }
        out.push('\n');
    }
    out
}

/// How many rules a text has.
fn lines(text: &str) -> usize {
    text.lines().filter(|l| l.starts_with("-A ") || l.contains("] -A ")).count()
}

/// `[packets:octets] -A chain -j DROP`.
fn saved_counts(text: &str) -> HashMap<String, Counts> {
    let rule = |line: &str| {
        let (counts, rule) = line.strip_prefix('[')?.split_once("] -A ")?;
        let chain = rule.strip_suffix(" -j DROP")?;
        let (packets, bytes) = counts.split_once(':')?;
        Some((chain.to_owned(), Counts { packets: packets.parse().ok()?, bytes: bytes.parse().ok()? }))
    };
    text.lines().filter_map(rule).collect()
}

/// `{ pkts = 00000000000000000003, bytes = 00000000000000000084 } = class_1;`
fn accounted(text: &str) -> HashMap<String, Counts> {
    let object = |line: &str| {
        let (counts, name) = line.trim().strip_prefix('{')?.split_once("} = ")?;
        let mut numbers = counts.split(',').filter_map(|part| part.split_once('=')?.1.trim().parse().ok());
        let counts = Counts { packets: numbers.next()?, bytes: numbers.next()? };
        Some((name.trim_end_matches(';').to_owned(), counts))
    };
    text.lines().filter_map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::backends::{by_name, example_rules};

    #[test]
    fn classes_count_and_drop() {
        let made = by_name("iptables").unwrap().emit(&example_rules(), &Options::default());
        let text = counting(&made.artefact, false);
        assert!(text.contains("\n-A class_1 -j DROP\n") && !text.contains("ACCEPT\n"), "{text}");
        assert_eq!(lines(&text), 6);
        let text = counting(&made.artefact, true);
        assert!(text.contains("\n-A others -m nfacct --nfacct-name others -j DROP\n"), "{text}");
    }

    #[test]
    fn counters_are_read() {
        let saved = "*raw\n:c - [0:0]\n[7:700] -A PREROUTING -p udp -j c\n[7:700] -A c -j DROP\nCOMMIT\n";
        assert_eq!(saved_counts(saved), [("c".to_owned(), Counts { packets: 7, bytes: 700 })].into());
        assert_eq!(lines(saved), 2);
        let listed = "{ pkts = 00000000000000000003, bytes = 00000000000000000084 } = class_1;\n";
        assert_eq!(accounted(listed), [("class_1".to_owned(), Counts { packets: 3, bytes: 84 })].into());
    }
}
