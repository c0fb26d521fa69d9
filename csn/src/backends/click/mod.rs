//! Configurations of the Click modular router, user level and kernel
//! (Kohler et al., "The Click Modular Router", 2000).
//!
//! **What it says.** A whole configuration: a source, the classifier, and a `Counter` for each class. The first line is
//! the source, `FromDevice` on the interface; in its place can stand any other element with that name, such as
//! `source :: FromDump(trace.pcap, STOP true);`.
//!
//! - `ip`: packets of IPv4 go to elements `IPClassifier`, whose patterns are close to what people write by hand; frames
//!   of all other kinds, IPv6 among them, go to elements `Classifier`.
//! - `bytes`: all frames go to elements `Classifier`, which compare octets at fixed places under masks.
//!
//! **First match.** Every pattern is an element of its own, in the order of the rules: what it matches goes to the
//! counter of the class, all else to the next. One element with all patterns would be shorter and faster, and Click
//! documents that it takes the first that matches. But Click optimises the patterns of an element together, and of
//! lists of some ten patterns it makes, now and then, a program that sends packets to the wrong output, or stops at an
//! assertion (seen with its sources of July 2022). A rule for both directions is two
//! patterns, one after the other. Where a frame goes by its EtherType first, each side has the patterns of all rules
//! that it can match, in order.
//!
//! **What becomes of values.** `IPClassifier` compares numbers, so that a range is one pattern. `Classifier` knows
//! values under masks only: a range is its prefixes, or all that is in no prefix of its complement, whichever needs
//! fewer patterns. A rule that needs more than 256 of them is a loss. IPv6 is always told by `Classifier`.
//!
//! **Lost.** Tests of the interface, and of anything behind a VLAN tag or an MPLS label together with it.
//!
//! **Outside.** Frames with tags or labels before what the rules test, IPv6 extension headers before what is behind
//! them, and malformed packets; with `bytes`, IPv4 options before ports. `MarkIPHeader` is used, not `CheckIPHeader`:
//! that drops packets with a wrong checksum, cuts off what is behind the IP length, and leads to counts without the
//! link header.
//!
//! **Running it.** `click rules.click`, as root; `click -h '*.count' -h '*.byte_count' rules.click` prints the
//! counters when the source ends. While it runs they are read as `class_1.count` through a `ControlSocket`
//! (`click -p 7000 rules.click`, then `read class_1.count`). Octets are those of the frame.

mod ip;
mod raw;

use super::alternatives::{Alternative, alternatives};
use super::labels::{labels, word};
use super::octets::{self, Header};
use super::{Backend, Emitted, Form, Loss, Options};
use crate::frame_kind::FrameKind;
use crate::ruleset::{ClassId, RuleSet};
use std::fmt::Write;

/// The back end `click`.
pub struct Click;

const IP: Form = Form { name: "ip", summary: "IPClassifier for IPv4, and Classifier for all else" };
const BYTES: Form = Form { name: "bytes", summary: "Classifier: octets at fixed places under masks" };

impl Backend for Click {
    fn name(&self) -> &'static str {
        "click"
    }

    fn summary(&self) -> &'static str {
        "configuration of the Click router that counts every class"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.click")
    }

    fn forms(&self) -> &'static [Form] {
        &[IP, BYTES]
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let bytes = options.form == Some(BYTES);
        let (parts, kept, losses) = translate(rules, bytes);
        let labels = labels(rules, |name| format!("class_{}", word(name)));
        let entries = parts.ip.len() + parts.raw.len();
        let mut notes = Vec::new();
        let lost = losses.len();
        if entries > rules.rules.len() - lost {
            notes.push(format!(
                "{} rules became {entries} patterns: each side of the first split has its own, and masks stand for \
                 ranges",
                rules.rules.len() - lost
            ));
        }
        let mut outside = octets::outside(&kept);
        if !bytes {
            // IPClassifier knows how long the header is
            outside.retain(|o| o.kind != FrameKind::Options);
        }
        let artefact = configuration(options, bytes, &parts, &labels);
        Emitted { artefact, labels, losses, outside, notes, entries, ..Emitted::default() }
    }
}

/// A pattern and its class.
type Entry = (String, ClassId);

/// The patterns of the two classifiers.
#[derive(Default)]
struct Parts {
    ip: Vec<Entry>,
    raw: Vec<Entry>,
}

/// The patterns, the alternatives that they stand for, and the rules that have none.
fn translate(rules: &RuleSet, bytes: bool) -> (Parts, Vec<Alternative>, Vec<Loss>) {
    let (mut parts, mut kept, mut losses) = (Parts::default(), Vec::new(), Vec::<Loss>::new());
    let all = alternatives(rules);
    for both in all.chunk_by(|a, b| a.rule == b.rule) {
        match both.iter().map(|a| entries(a, bytes)).collect::<Result<Vec<_>, _>>() {
            Ok(made) => {
                for part in made {
                    parts.ip.extend(part.ip);
                    parts.raw.extend(part.raw);
                }
                kept.extend(both.iter().cloned());
            }
            Err(reason) => losses.push(Loss { rule: both[0].rule, reason: format!("left out: {reason}") }),
        }
    }
    (parts, kept, losses)
}

fn entries(alternative: &Alternative, bytes: bool) -> Result<Parts, String> {
    if let Some(reason) = octets::inexpressible(alternative) {
        return Err(reason.into());
    }
    let patterns = match octets::is_network(alternative) {
        true if !bytes => octets::pattern(alternative, Header::Six).into_iter().collect(),
        _ => octets::patterns(alternative),
    };
    let mut out = Parts::default();
    for pattern in patterns {
        let texts = raw::patterns(&pattern)?;
        out.raw.extend(texts.into_iter().map(|text| (text, alternative.class)));
    }
    if !bytes {
        out.ip.extend(ip::pattern(alternative).map(|text| (text, alternative.class)));
    }
    Ok(out)
}

/// The text of a whole configuration.
fn configuration(options: &Options, bytes: bool, parts: &Parts, labels: &[(String, ClassId)]) -> String {
    let mut out = format!("source :: FromDevice({}, SNIFFER true, PROMISC true);\n", options.interface);
    out.push_str("sink :: Discard;\n");
    for (label, _) in labels {
        let _ = writeln!(out, "{label} :: Counter;");
    }
    let first = |name: &str, entries: &[Entry]| match entries {
        [] => labels[0].0.clone(),
        _ => format!("{name}0"),
    };
    if bytes {
        chain(&mut out, "frame", "Classifier", &parts.raw, labels);
        let _ = writeln!(out, "source -> {};", first("frame", &parts.raw));
    } else {
        // no frame without a whole octet of the IP header reaches MarkIPHeader
        out.push_str("source -> version :: Classifier(12/0800 14/40%f0, -);\n");
        chain(&mut out, "ip", "IPClassifier", &parts.ip, labels);
        chain(&mut out, "rest", "Classifier", &parts.raw, labels);
        let _ =
            writeln!(out, "version[0] -> MarkMACHeader -> MarkIPHeader(14) -> {};", first("ip", &parts.ip));
        let _ = writeln!(out, "version[1] -> {};", first("rest", &parts.raw));
    }
    // an element without input is an error of the configuration
    let mut used = vec![false; labels.len()];
    parts.ip.iter().chain(&parts.raw).for_each(|(_, class)| used[class.index()] = true);
    for ((label, class), used) in labels.iter().zip(used) {
        let from = if used || *class == ClassId::OTHERS { "" } else { "Idle -> " };
        let _ = writeln!(out, "{from}{label} -> sink;");
    }
    out
}

/// A chain of elements with a pattern each; what the last one lets through is of the class `others`.
fn chain(out: &mut String, name: &str, element: &str, entries: &[Entry], labels: &[(String, ClassId)]) {
    for (i, (pattern, class)) in entries.iter().enumerate() {
        let _ = writeln!(out, "{name}{i} :: {element}({pattern}, -);");
        let _ = writeln!(out, "{name}{i}[0] -> {};", labels[class.index()].0);
        if i > 0 {
            let _ = writeln!(out, "{name}{}[1] -> {name}{i};", i - 1);
        }
    }
    if let Some(last) = entries.len().checked_sub(1) {
        let _ = writeln!(out, "{name}{last}[1] -> {};", labels[0].0);
    }
}

#[cfg(test)]
mod tests;
