//! Filter expressions for tcpdump and all else that uses libpcap (pcap-filter(7)), for Ethernet.
//!
//! libpcap looks for the IP header right behind the link header, and for ports right behind that of IPv6. Where a
//! rule means more than that, the difference is declared as a loss of the rule.

mod terms;

use super::alternatives::{Alternative, alternatives, in_all};
use super::{Backend, Emitted, Loss, Options};
use crate::field::Field;
use crate::ruleset::RuleSet;
use crate::value::{Value, ValueSet};
use terms::{Header, term};

/// The back end `tcpdump`.
pub struct Tcpdump;

impl Backend for Tcpdump {
    fn name(&self) -> &'static str {
        "tcpdump"
    }

    fn summary(&self) -> &'static str {
        "filter expression of tcpdump and libpcap that accepts what any rule matches"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.tcpdump")
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let mut losses: Vec<Loss> = Vec::new();
        let mut kept = Vec::new();
        for a in alternatives(rules) {
            let (expressible, reason) = judge(&a, options);
            let told = losses.last().is_some_and(|l| l.rule == a.rule);
            losses.extend(reason.filter(|_| !told).map(|reason| Loss { rule: a.rule, reason }));
            if expressible {
                kept.push(a);
            }
        }
        let mut expression = expression(&kept);
        if options.invert {
            expression = format!("not ({expression})");
        }
        let mut notes = vec![
            "frames that are cut short, and IP headers with wrong versions or lengths, are not told apart"
                .into(),
        ];
        if kept.is_empty() && !options.invert {
            notes.push("libpcap refuses expressions that accept nothing".into());
        }
        Emitted { artefact: expression + "\n", entries: kept.len(), losses, notes, ..Emitted::default() }
    }
}

/// Whether the alternative can be written at all, and what is lost.
fn judge(alternative: &Alternative, options: &Options) -> (bool, Option<String>) {
    let tests = |f| alternative.test(f).is_some();
    let any = |fields: &[Field]| fields.iter().any(|f| tests(*f));
    let network = alternative.tests.iter().any(|(f, _)| *f >= Field::SrcIp);
    let left_out = |why: &str| (false, Some(format!("left out: {why}")));
    if tests(Field::Interface) {
        return left_out("an expression cannot test the interface");
    }
    if tests(Field::Vlan) && options.live {
        return left_out("in live captures the kernel holds the VLAN tag beside the frame");
    }
    if any(&[Field::Vlan, Field::Mpls])
        && (network || tests(Field::Vlan) && any(&[Field::EtherType, Field::Mpls]))
    {
        return left_out("what is behind a tag or label cannot be tested together with it");
    }
    let mut lost = Vec::new();
    if network || any(&[Field::EtherType, Field::Mpls]) {
        lost.push("frames with VLAN tags");
    }
    if network && alternative.test(Field::EtherType).is_none_or(|s| MPLS.iter().any(|n| s.contains(*n))) {
        lost.push("packets behind MPLS labels");
    }
    if alternative.for_ip(6).is_some() && crate::packet::BEHIND_EXTENSIONS.iter().any(|f| tests(*f)) {
        lost.push("what stands behind IPv6 extension headers");
    }
    let lost = (!lost.is_empty()).then(|| format!("not looked into: {}", lost.join(", ")));
    (true, lost)
}

const MPLS: [Value; 2] = [Value::number(0x8847), Value::number(0x8848)];

/// The disjunction of the alternatives: those without an IP header, with IPv4, and with IPv6.
fn expression(all: &[Alternative]) -> String {
    if all.iter().any(|a| a.tests.is_empty()) {
        return "len >= 0".into();
    }
    let link: Vec<Alternative> = all.iter().filter_map(Alternative::for_link).collect();
    let of_ip = |family| {
        let behind = all.iter().filter(|a| a.for_link().is_none());
        behind.filter_map(move |a: &Alternative| a.for_ip(family)).collect::<Vec<_>>()
    };
    let parts: Vec<String> = [(Header::Link, link), (Header::Four, of_ip(4)), (Header::Six, of_ip(6))]
        .into_iter()
        .filter_map(|(header, alternatives)| disjunction(header, &alternatives))
        .collect();
    match parts.as_slice() {
        [] => "len < 0".into(),
        [one] => one.clone(),
        many => many.iter().map(|p| format!("({p})")).collect::<Vec<_>>().join(" or "),
    }
}

/// Shared tests in front, so that libpcap asks for them once.
fn disjunction(header: Header, all: &[Alternative]) -> Option<String> {
    let shared = in_all(all);
    let mut own: Vec<String> = Vec::new();
    for a in all {
        let rest = a.tests.iter().filter(|(f, _)| shared.iter().all(|(s, _)| s != f));
        own.push(conjunction(header, rest, &a.tests));
    }
    let first = all.first()?;
    let mut parts: Vec<String> = header.keyword().map(String::from).into_iter().collect();
    parts.extend(shared.iter().map(|(f, s)| term(header, *f, s, &first.tests)));
    if !own.contains(&String::new()) {
        parts.push(match own.as_slice() {
            [one] => one.clone(),
            many => format!("({})", many.join(" or ")),
        });
    }
    Some(parts.join(" and "))
}

fn conjunction<'a>(
    header: Header,
    tests: impl Iterator<Item = &'a (Field, ValueSet)>,
    all: &[(Field, ValueSet)],
) -> String {
    let parts: Vec<String> = tests.map(|(f, s)| term(header, *f, s, all)).collect();
    if parts.len() > 1 { format!("({})", parts.join(" and ")) } else { parts.concat() }
}

#[cfg(test)]
mod tests;
