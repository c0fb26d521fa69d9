//! Rules for Suricata (7.0 and later): an alert for each packet, whose `sid` is the rule.
//!
//! ```text
//! alert udp 192.168.75.106 any -> 192.168.115.204 2000 (msg:"class 1"; flow:no_stream; sid:1; rev:1;)
//! ```
//!
//! Suricata tries all rules on a packet and sorts what matches by `sid`. With `packet-alert-max: 1` in its settings
//! it keeps the first: so the first match wins, however rules overlap. `flow:no_stream` makes it look at every packet;
//! a rule of addresses and protocol alone would be tried once for each flow. Load the rules alone, and let it leave
//! checksums aside:
//!
//! ```text
//! suricata -c suricata.yaml --set packet-alert-max=1 -S csn.rules -k none -r x.pcap
//! ```
//!
//! A class counts what `eve.json` has as events of the type `alert` with one of its numbers as
//! `alert.signature_id`; those with a `tunnel` are about packets within packets and do not count. What has no alert is
//! `others`.
//!
//! Its decoder refuses ICMP of the other IP version (such as protocol 1 in IPv6) and ESP packets whose header is cut
//! short: these match no rule, and count as `others` where a rule on addresses or protocol alone would match them.
//!
//! A set of a field that a rule takes one range of becomes several rules. What is behind fragments and IPv6 extension
//! headers is not seen as the notation sees it, and the ports of DCCP and UDP-Lite are not read.

mod options;

use super::alternatives::{Alternative, alternatives};
use super::{Backend, Emitted, Loss, Options, Outside};
use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::packet::{ICMP, ICMPV6, PORT_PROTOCOLS, TCP};
use crate::ruleset::{ClassId, RuleSet};
use crate::value::{Value, ValueSet};
use std::fmt::Write;

/// The back end `suricata`.
pub struct Suricata;

/// Octets that a line may have, in Suricata 7.
const LINE: usize = 8_000;

/// Suricata rules that one direction of a rule may become.
const MOST: usize = 4096;

impl Backend for Suricata {
    fn name(&self) -> &'static str {
        "suricata"
    }

    fn summary(&self) -> &'static str {
        "rules of Suricata: an alert for each packet, whose number tells the class"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.suricata")
    }

    fn emit(&self, rules: &RuleSet, _: &Options) -> Emitted {
        let mut out = Emitted {
            artefact:
                "# suricata --set packet-alert-max=1 -k none -S FILE: the first rule that matches wins\n"
                    .into(),
            outside: outside(),
            ..Emitted::default()
        };
        let mut written = 0;
        for a in alternatives(rules) {
            match lines(&a) {
                Ok(lines) => {
                    written += usize::from(!lines.is_empty());
                    for line in lines {
                        out.entries += 1;
                        let class: String = message(&rules.label(a.class)).chars().take(100).collect();
                        let _ = writeln!(
                            out.artefact,
                            "alert {} (msg:\"class {class}\"; flow:no_stream; {}sid:{}; rev:1;)",
                            line.header, line.options, out.entries
                        );
                        out.labels.push((out.entries.to_string(), a.class));
                    }
                }
                Err(_) if out.losses.last().is_some_and(|l| l.rule == a.rule) => {}
                Err(reason) => out.losses.push(Loss { rule: a.rule, reason }),
            }
        }
        if out.labels.is_empty() {
            // readers ask for the class of every number
            out.labels.push(("0".into(), ClassId::OTHERS));
        }
        if out.entries > written {
            out.notes.push(format!("{} rules became {} rules of Suricata", rules.rules.len(), out.entries));
        }
        out
    }
}

fn outside() -> Vec<Outside> {
    [
        (FrameKind::Stacked, "how many tags it reads depends on its version"),
        (FrameKind::Labelled, "what is behind labels is guessed otherwise"),
        (FrameKind::Fragment, "packets are put together from fragments and seen again"),
        (FrameKind::Options, "its decoder refuses packets with damaged options"),
        (FrameKind::Extensions, "headers behind them are read otherwise"),
        (FrameKind::Malformed, "packets that its decoder refuses match no rule on their contents"),
    ]
    .map(|(kind, reason)| Outside { kind, reason })
    .into()
}

/// A rule of Suricata without what is the same in all.
struct Line {
    /// Protocol, addresses and ports.
    header: String,
    /// Keywords.
    options: String,
}

/// Fields that its rules can test here.
const KNOWN: [Field; 9] = [
    Field::SrcIp,
    Field::DstIp,
    Field::Proto,
    Field::Ttl,
    Field::SrcPort,
    Field::DstPort,
    Field::TcpFlags,
    Field::IcmpType,
    Field::IcmpCode,
];

/// The rules that one alternative becomes: none where it can match nothing.
fn lines(a: &Alternative) -> Result<Vec<Line>, String> {
    if let Some((field, _)) = a.tests.iter().find(|(f, _)| !KNOWN.contains(f)) {
        return Err(format!("no keyword tests the field {field} as the notation does"));
    }
    if a.tests.is_empty() {
        return Err("it matches frames without an IP header, which rules of Suricata do not see".into());
    }
    let headers = headers(a)?;
    let keywords = options::keywords(a)?;
    let addresses = |f| a.test(f).map_or("any".to_string(), options::addresses);
    let ports = |f| a.test(f).map_or("any".to_string(), options::ports);
    let (source, destination) = (addresses(Field::SrcIp), addresses(Field::DstIp));
    let (from, to) = (ports(Field::SrcPort), ports(Field::DstPort));
    if headers.len() * keywords.len() > MOST {
        return Err(format!("it would become more than {MOST} rules of Suricata"));
    }
    let mut out = Vec::new();
    for (protocol, own) in &headers {
        for k in &keywords {
            let header = format!("{protocol} {source} {from} -> {destination} {to}");
            if header.len() + own.len() + k.len() > LINE {
                return Err(format!("its sets of addresses and ports make a line longer than {LINE} octets"));
            }
            out.push(Line { header, options: format!("{own}{k}") });
        }
    }
    Ok(out)
}

/// Protocols with the keywords that narrow them. A test of ports, flags or ICMP narrows them already.
fn headers(a: &Alternative) -> Result<Vec<(&'static str, String)>, String> {
    let accepted = a.test(Field::Proto);
    let has = |n: u8| accepted.is_none_or(|s| s.contains(Value::number(u128::from(n))));
    let tests = |f: &[Field]| f.iter().any(|f| a.test(*f).is_some());
    let ports = tests(&[Field::SrcPort, Field::DstPort]);
    let flags = tests(&[Field::TcpFlags]);
    let icmp = tests(&[Field::IcmpType, Field::IcmpCode]);
    if icmp {
        let name = match (has(ICMP), has(ICMPV6)) {
            _ if ports || flags => return Ok(Vec::new()),
            (true, true) => "icmp",
            (true, false) => "icmpv4",
            (false, true) => "icmpv6",
            (false, false) => return Ok(Vec::new()),
        };
        return Ok(vec![(name, String::new())]);
    }
    if flags {
        return Ok(if has(TCP) { vec![("tcp", String::new())] } else { Vec::new() });
    }
    if ports {
        let mut out = Vec::new();
        for n in PORT_PROTOCOLS.into_iter().filter(|n| has(*n)) {
            let known = [(TCP, "tcp"), (17, "udp"), (132, "sctp")].into_iter().find(|(k, _)| *k == n);
            let Some((_, name)) = known else {
                return Err(format!("the ports of protocol {n} are not read"));
            };
            out.push((name, String::new()));
        }
        return Ok(out);
    }
    let whole = accepted.filter(|s| **s != Field::Proto.domain());
    Ok(whole.map_or(vec![("ip", String::new())], |s: &ValueSet| {
        s.ranges().iter().map(|r| ("ip", options::range("ip_proto", r))).collect()
    }))
}

/// A class in a message: other characters would end it.
fn message(label: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-.".contains(c);
    label.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests;
