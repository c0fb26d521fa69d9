//! Rules for nftables, the packet filter of Linux: a table with a counter for each class (nft(8), libnftables-json(5)).
//!
//! **First match.** The table is of the family `netdev`, its chain at the ingress hook of one interface: it sees every
//! frame that arrives there, before anything else of the kernel does. A rule counts with the counter of its class and
//! accepts, so that no later rule of the chain is tried; the last rule counts the rest as `others`. Accepting changes
//! nothing for chains elsewhere.
//!
//! **Forms.** `ordered` has a rule for each rule. `map` puts rules that make the same comparisons but for what one key
//! is compared with (one field with values and intervals, or several fields with values) into one map from that key to
//! counters, where no packet can match two of them; that is one look-up however many rules there are. The other rules
//! stay in order. `json` says the same as `ordered`, as `nft -j -f` reads it and `nft -j list ruleset` writes it;
//! the import `nftables` reads it.
//!
//! **Expansions.** nftables has fields of IPv4 and of IPv6, and a rule that tests an IP field without an address
//! becomes one for each version; so does a rule with addresses of both. An IPv6 packet is no fragment where it has no
//! fragment header, or one with zeros: two rules. How many there are is a note.
//!
//! **Losses.** The interface by index (nftables knows names), and what is behind MPLS labels.
//!
//! **Outside.** The kernel takes one VLAN tag out of the frame, of the types 0x8100 and 0x88a8. What is behind further
//! tags, or one of the type 0x9100, is not IP for nftables; nor is what is behind MPLS labels. The authentication,
//! mobility, HIP and Shim6 headers of IPv6 are transport protocols for it. In later fragments, which the ingress hook
//! sees as they are, it takes for ports what stands behind the IP header. Malformed IP packets have addresses, but
//! neither protocol nor ports.
//!
//! **Use.** `nft -f FILE` loads, `nft -j list counters table netdev csn` reads, `nft delete table netdev csn` removes.

pub(super) mod labels;
mod maps;
mod matches;
mod terms;
#[cfg(test)]
mod tests;

use super::alternatives::{Alternative, alternatives};
use super::{Backend, Emitted, Form, Loss, Options, Outside};
use crate::field::Field;
use crate::frame_kind::FrameKind;
use crate::packet::{BEHIND_EXTENSIONS, MPLS_TYPES};
use crate::ruleset::{ClassId, RuleSet};
use crate::value::Value;
use maps::{Item, Map};
use matches::Match;
use std::fmt::Write;

/// The back end `nftables`.
pub struct Nftables;

const ORDERED: Form = Form { name: "ordered", summary: "the rules in order, as `nft -f` reads them" };
const MAP: Form =
    Form { name: "map", summary: "rules that differ in one key as maps from that key to counters" };
const JSON: Form = Form { name: "json", summary: "the rules in order, as `nft -j -f` reads them" };

/// Octets that nft allows for a comment, less its end.
const COMMENT: usize = 127;
/// Octets that nft allows for a name: enough of them.
const NAME: usize = 100;

impl Backend for Nftables {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn summary(&self) -> &'static str {
        "table of nftables at an interface's ingress, with a counter for each class"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.nftables")
    }

    fn forms(&self) -> &'static [Form] {
        &[ORDERED, MAP, JSON]
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let form = options.form.unwrap_or(ORDERED);
        let mut made = Emitted::default();
        let mut entries = Vec::new();
        let mut kept = Vec::new();
        for a in alternatives(rules) {
            match terms::inexpressible(&a) {
                Some(_) if made.losses.last().is_some_and(|l: &Loss| l.rule == a.rule) => continue,
                Some(reason) => {
                    made.losses.push(Loss { rule: a.rule, reason: format!("left out: {reason}") });
                    continue;
                }
                None => (),
            }
            let class = a.class;
            entries.extend(terms::variants(&a).into_iter().map(|matches| Entry { matches, class }));
            kept.push(a);
        }
        if entries.len() > rules.rules.len() {
            made.notes.push(format!(
                "{} rules became {} entries: nftables has fields of IPv4 and of IPv6, and rules of one direction",
                rules.rules.len(),
                entries.len()
            ));
        }
        made.outside = outside(&kept);
        let table = Table { rules, labels: labels::labels(rules, NAME), interface: interface(options) };
        made.artefact = match form.name {
            "json" => table.json(&entries),
            "map" => {
                let items = maps::grouped(entries.clone());
                made.notes.extend(mapped(&items, entries.len()));
                table.text(&items)
            }
            _ => table.text(&entries.iter().cloned().map(Item::Rule).collect::<Vec<_>>()),
        };
        // that of `others` is a rule too
        made.entries = entries.len() + 1;
        made.labels = table.labels.into_iter().zip((0..).map(ClassId)).collect();
        made
    }
}

/// A rule of nftables.
#[derive(Clone)]
struct Entry {
    matches: Vec<Match>,
    class: ClassId,
}

/// How many rules went into maps.
fn mapped(items: &[Item], all: usize) -> Option<String> {
    let sizes = items.iter().filter_map(|i| if let Item::Map(m) = i { Some(m.rules) } else { None });
    let (count, rules) = sizes.fold((0, 0), |(count, rules), n| (count + 1, rules + n));
    Some(format!("{rules} of {all} entries went into {count} maps; the others stay in order"))
}

/// The interface's name without what would end the string.
fn interface(options: &Options) -> String {
    options.interface.chars().filter(|c| !c.is_control() && *c != '"').collect()
}

/// The frames that nftables sees otherwise than these rules mean.
fn outside(all: &[Alternative]) -> Vec<Outside> {
    let any = |f: &dyn Fn(&Alternative) -> bool| all.iter().any(f);
    let tests = |a: &Alternative, f: Field| a.test(f).is_some();
    let labels = |a: &Alternative| {
        a.test(Field::EtherType)
            .is_none_or(|s| MPLS_TYPES.iter().any(|t| s.contains(Value::number(u128::from(*t)))))
    };
    let deep = any(&|a| terms::is_network(a) || tests(a, Field::EtherType) || tests(a, Field::Mpls));
    let extension = any(&|a| a.for_ip(6).is_some() && BEHIND_EXTENSIONS.iter().any(|f| a.test(*f).is_some()));
    let behind = [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpType, Field::IcmpCode];
    let transport = any(&|a| behind.iter().any(|f| tests(a, *f)));
    [
        (deep, FrameKind::Stacked, "nftables does not look behind the second tag"),
        (deep, FrameKind::OldTag, "the kernel takes that type for no VLAN tag"),
        (
            any(&|a| tests(a, Field::EtherType)),
            FrameKind::LengthField,
            "the kernel sees a type of its own there",
        ),
        (
            any(&|a| terms::is_network(a) && labels(a)),
            FrameKind::Labelled,
            "nftables does not look behind MPLS labels",
        ),
        (extension, FrameKind::UnusualExtensions, "the kernel does not walk through them"),
        (transport, FrameKind::LaterFragment, "the kernel reads ports from what is behind the IP header"),
        (!all.is_empty(), FrameKind::Malformed, "the kernel drops them, or sees a part of their headers"),
    ]
    .into_iter()
    .filter_map(|(differs, kind, reason)| differs.then_some(Outside { kind, reason }))
    .collect()
}

/// What is around the rules.
struct Table<'a> {
    rules: &'a RuleSet,
    labels: Vec<String>,
    interface: String,
}

impl Table<'_> {
    /// The name of the class, where its label does not tell it.
    fn comment(&self, class: usize) -> Option<&str> {
        let name = self.rules.classes[class].name.as_deref()?;
        (labels::is_hidden(self.rules, class, &self.labels[class]) && name.len() <= COMMENT).then_some(name)
    }

    fn text(&self, items: &[Item]) -> String {
        let mut out = String::from("table netdev csn {\n");
        for (class, label) in self.labels.iter().enumerate() {
            let _ = writeln!(out, "\tcounter {label} {{");
            // nft has no way to write these within a string
            let plain = |c: &char| !c.is_control() && !['"', '\\'].contains(c);
            if let Some(name) = self.comment(class) {
                let _ = writeln!(out, "\t\tcomment \"{}\"", name.chars().filter(plain).collect::<String>());
            }
            out.push_str("\t}\n");
        }
        let _ = writeln!(
            out,
            "\tchain classify {{\n\t\ttype filter hook ingress device \"{}\" priority 0; policy accept;",
            self.interface
        );
        for item in items {
            out.push_str("\t\t");
            match item {
                Item::Rule(e) => {
                    for m in &e.matches {
                        m.text(&mut out);
                        out.push(' ');
                    }
                    let _ = writeln!(out, "counter name \"{}\" accept", self.labels[e.class.index()]);
                }
                Item::Map(m) => self.map(m, &mut out),
            }
        }
        let _ = writeln!(out, "\t\tcounter name \"{}\"\n\t}}\n}}", self.labels[0]);
        out
    }

    /// A packet that the map does not have ends the rule there, before it is accepted.
    fn map(&self, map: &Map, out: &mut String) {
        for m in &map.shared {
            m.text(out);
            out.push(' ');
        }
        out.push_str("counter name ");
        for (i, left) in map.key.iter().enumerate() {
            out.push_str(if i == 0 { "" } else { " . " });
            left.text(out);
        }
        out.push_str(" map {\n");
        for (ranges, class) in &map.elements {
            out.push_str("\t\t\t");
            for (i, (left, range)) in map.key.iter().zip(ranges).enumerate() {
                out.push_str(if i == 0 { "" } else { " . " });
                left.range(*range, false, out);
            }
            let _ = writeln!(out, " : \"{}\",", self.labels[class.index()]);
        }
        out.push_str("\t\t} accept\n");
    }

    fn json(&self, entries: &[Entry]) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut lines = vec![
            r#"{"metainfo": {"json_schema_version": 1}}"#.to_owned(),
            r#"{"table": {"family": "netdev", "name": "csn"}}"#.to_owned(),
        ];
        for (class, label) in self.labels.iter().enumerate() {
            let comment =
                self.comment(class).map(|n| format!(r#", "comment": {}"#, quoted(n))).unwrap_or_default();
            lines.push(format!(
                r#"{{"counter": {{"family": "netdev", "table": "csn", "name": "{label}"{comment}}}}}"#
            ));
        }
        lines.push(format!(
            r#"{{"chain": {{"family": "netdev", "table": "csn", "name": "classify", "type": "filter", "hook": "ingress", "dev": {}, "prio": 0, "policy": "accept"}}}}"#,
            quoted(&self.interface)
        ));
        for e in entries {
            lines.push(self.json_rule(&e.matches, e.class, r#", {"accept": null}"#));
        }
        lines.push(self.json_rule(&[], ClassId::OTHERS, ""));
        format!("{{\"nftables\": [\n{}\n]}}\n", lines.join(",\n"))
    }

    fn json_rule(&self, matches: &[Match], class: ClassId, verdict: &str) -> String {
        let mut out =
            String::from(r#"{"rule": {"family": "netdev", "table": "csn", "chain": "classify", "expr": ["#);
        for m in matches {
            m.json(&mut out);
            out.push_str(", ");
        }
        let _ = write!(out, r#"{{"counter": "{}"}}{verdict}]}}}}"#, self.labels[class.index()]);
        out
    }
}
