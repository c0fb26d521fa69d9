//! Rules for iptables, the older packet filter of Linux (iptables-restore(8), iptables-extensions(8)).
//!
//! **First match.** The rules stand in the chain PREROUTING of the table `raw`, which sees packets before connection
//! tracking and routing do. A rule jumps to the chain of its class, whose one rule counts and accepts, so that no later
//! rule is tried. A class of many rules has so one counter. The last rule leads to the chain `others`. All interfaces
//! are seen.
//!
//! **Forms.** iptables is two programs. `v4` is for `iptables-restore` and says what the rules mean for IPv4; `v6` is
//! for `ip6tables-restore`. Whoever counts both loads both and adds up. Rules that only match packets of the other
//! version are not in a form; a note says how many.
//!
//! **Expansions.** A rule of iptables has one protocol, one address prefix or range per side, and so on; sets become
//! several rules, or, where what is left out is less, one with several `!`. A port without a protocol is five rules.
//! How many there are is a note. A rule that would need more than 1,000 is a loss.
//!
//! **Losses.** Interfaces by index, MAC addresses of the destination and ranges of those of the source, VLAN
//! identifiers and MPLS labels. With `v6` also later fragments, and flags of TCP other than by the mask and value of
//! `--tcp-flags`; with `v4` the match `u32` says these.
//!
//! **Outside.** A host sees valid IP packets that are addressed to it, and nothing of other frames: not with VLAN tags
//! (but on interfaces of their VLAN), not behind MPLS labels, no malformed ones. It also drops IPv6 packets from
//! multicast addresses, to or from the loopback address, and with bad hop-by-hop options.
//!
//! **Use.** `iptables-restore FILE` loads, and replaces the table `raw`; `iptables-save -c -t raw` reads: the counter of
//! a class is that of the one rule in its chain.

mod terms;
#[cfg(test)]
mod tests;

use super::alternatives::{Alternative, alternatives};
use super::nftables::labels::{is_hidden, labels};
use super::{Backend, Emitted, Form, Loss, Options, Outside};
use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::packet::BEHIND_EXTENSIONS;
use crate::ruleset::{ClassId, RuleSet};
use std::fmt::Write;
pub(crate) use terms::{is_dscp_match, tos_of_dscp, tos_parts};

/// The back end `iptables`.
pub struct Iptables;

const V4: Form = Form { name: "v4", summary: "what the rules mean for IPv4, as `iptables-restore` reads it" };
const V6: Form =
    Form { name: "v6", summary: "what the rules mean for IPv6, as `ip6tables-restore` reads it" };

/// Octets that iptables allows for the name of a chain (XT_EXTENSION_MAXNAMELEN, less the end).
const CHAIN: usize = 28;
/// Octets that the match `comment` takes.
const COMMENT: usize = 255;

impl Backend for Iptables {
    fn name(&self) -> &'static str {
        "iptables"
    }

    fn summary(&self) -> &'static str {
        "rules of iptables in the table raw, with a chain that counts for each class"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.iptables")
    }

    fn forms(&self) -> &'static [Form] {
        &[V4, V6]
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let form = options.form.unwrap_or(V4);
        let family = if form == V6 { 6 } else { 4 };
        let mut made = Emitted::default();
        let all = alternatives(rules);
        let mut entries: Vec<(String, ClassId)> = Vec::new();
        // the last rule that is lost, and the last that has an entry
        let (mut lost, mut present) = (None, None);
        let (mut start, mut other) = (0, 0);
        for (i, a) in all.iter().enumerate() {
            if i == 0 || all[i - 1].rule != a.rule {
                start = entries.len();
            }
            match terms::variants(a, family) {
                Ok(texts) if lost != Some(a.rule) => {
                    if !texts.is_empty() {
                        present = Some(a.rule);
                    }
                    entries.extend(texts.into_iter().map(|t| (t, a.class)));
                }
                Ok(_) => (),
                Err(_) if lost == Some(a.rule) => (),
                Err(reason) => {
                    // neither direction without the other
                    entries.truncate(start);
                    lost = Some(a.rule);
                    made.losses.push(Loss { rule: a.rule, reason: format!("left out: {reason}") });
                }
            }
            let last = all.get(i + 1).is_none_or(|next| next.rule != a.rule);
            other += usize::from(last && lost != Some(a.rule) && present != Some(a.rule));
        }
        let count = rules.rules.len();
        if entries.len() > count {
            made.notes.push(format!("{count} rules became {} entries: a rule of iptables has one protocol, one address and one direction", entries.len()));
        }
        if other > 0 {
            made.notes.push(format!("{other} rules match no IPv{family} packets, and are not in this form"));
        }
        made.outside = outside(&all, family);
        let labels = labels(rules, CHAIN);
        made.artefact = text(rules, &labels, &entries, family);
        // that of `others` is a rule too
        made.entries = entries.len() + 1;
        made.labels = labels.into_iter().zip((0..).map(ClassId)).collect();
        made
    }
}

/// The frames that the rules do not see, or otherwise than they mean.
fn outside(all: &[Alternative], family: u8) -> Vec<Outside> {
    let behind = |a: &Alternative| BEHIND_EXTENSIONS.iter().any(|f| a.test(*f).is_some());
    let transport = [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType, Field::IcmpCode];
    let ports = all.iter().any(|a| transport.iter().any(|f| a.test(*f).is_some()));
    let extension = family == 6 && all.iter().any(behind);
    let other = if family == 4 { FrameKind::Ipv6 } else { FrameKind::Ipv4 };
    [
        (true, other, "they are for the other form"),
        (true, FrameKind::NoIp, "iptables sees IP packets only"),
        (true, FrameKind::Tagged, "a host does not hand over frames of a VLAN that it is not in"),
        (true, FrameKind::Labelled, "a host does not look behind MPLS labels"),
        (true, FrameKind::Malformed, "a host drops malformed packets"),
        (extension, FrameKind::UnusualExtensions, "the kernel does not walk through them"),
        (
            ports,
            FrameKind::LaterFragment,
            "iptables on top of nftables reads ports from what is behind the IP header",
        ),
    ]
    .into_iter()
    .filter_map(|(differs, kind, reason)| differs.then_some(Outside { kind, reason }))
    .collect()
}

fn text(rules: &RuleSet, labels: &[String], entries: &[(String, ClassId)], family: u8) -> String {
    let program = if family == 6 { "ip6tables-restore" } else { "iptables-restore" };
    let mut out = format!("# {program}\n*raw\n:PREROUTING ACCEPT [0:0]\n");
    for label in labels {
        let _ = writeln!(out, ":{label} - [0:0]");
    }
    for (matches, class) in entries {
        let _ = writeln!(out, "-A PREROUTING{matches} -j {}", labels[class.index()]);
    }
    let _ = writeln!(out, "-A PREROUTING -j {}", labels[0]);
    for (class, label) in labels.iter().enumerate() {
        let name = rules.classes[class].name.as_deref().unwrap_or_default();
        let comment = match is_hidden(rules, class, label) && name.len() <= COMMENT {
            true => format!(" -m comment --comment \"{}\"", quoted(name)),
            false => String::new(),
        };
        let _ = writeln!(out, "-A {label}{comment} -j ACCEPT");
    }
    out + "COMMIT\n"
}

/// A text within quotes; a line ends a rule, whatever the quotes.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(|c: char| c.is_control(), " ")
}
