//! Filter expressions for tcpdump and all else that uses libpcap (pcap-filter(7)), for Ethernet.
//!
//! libpcap looks for the IP header right behind the link header, and for ports right behind that of IPv6. Frames on
//! which that makes a difference are declared as [`Outside`].

mod terms;

use super::alternatives::{Alternative, alternatives, in_all};
use super::{Backend, Emitted, Loss, Options, Outside};
use crate::field::Field;
use crate::frame_kind::FrameKind;
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
            match inexpressible(&a, options) {
                None => kept.push(a),
                Some(_) if losses.last().is_some_and(|l| l.rule == a.rule) => (),
                Some(reason) => losses.push(Loss { rule: a.rule, reason: format!("left out: {reason}") }),
            }
        }
        let mut expression = expression(&kept);
        if options.invert {
            expression = format!("not ({expression})");
        }
        let mut notes = Vec::new();
        if kept.is_empty() && !options.invert {
            notes.push("libpcap refuses expressions that accept nothing".into());
        }
        let outside = outside(&kept);
        Emitted {
            artefact: expression + "\n",
            entries: kept.len(),
            losses,
            outside,
            notes,
            ..Emitted::default()
        }
    }
}

/// Why the alternative cannot be written.
pub(super) fn inexpressible(alternative: &Alternative, options: &Options) -> Option<&'static str> {
    let tests = |f| alternative.test(f).is_some();
    let any = |fields: &[Field]| fields.iter().any(|f| tests(*f));
    let network = alternative.tests.iter().any(|(f, _)| *f >= Field::SrcIp);
    if tests(Field::Interface) {
        return Some("an expression cannot test the interface");
    }
    if tests(Field::Vlan) && options.live {
        return Some("in live captures the kernel holds the VLAN tag beside the frame");
    }
    let tag_and_more = tests(Field::Vlan) && any(&[Field::EtherType, Field::Mpls]);
    (any(&[Field::Vlan, Field::Mpls]) && (network || tag_and_more))
        .then_some("what is behind a tag or label cannot be tested together with it")
}

/// The frames that libpcap sees otherwise than these rules mean.
pub(super) fn outside(all: &[Alternative]) -> Vec<Outside> {
    let any = |f: &dyn Fn(&Alternative) -> bool| all.iter().any(f);
    let network = |a: &Alternative| a.tests.iter().any(|(f, _)| *f >= Field::SrcIp);
    let tests = |a: &Alternative, fields: &[Field]| fields.iter().any(|f| a.test(*f).is_some());
    let labelled =
        |a: &Alternative| a.test(Field::EtherType).is_none_or(|s| MPLS.iter().any(|n| s.contains(*n)));
    let tag = any(&|a| network(a) || tests(a, &[Field::EtherType, Field::Mpls]));
    let label = any(&|a| network(a) && labelled(a));
    let extension = any(&|a| a.for_ip(6).is_some() && tests(a, &crate::packet::BEHIND_EXTENSIONS));
    let why = "an expression does not look behind them";
    [
        (tag, FrameKind::Tagged, why),
        (label, FrameKind::Labelled, why),
        (extension, FrameKind::Extensions, why),
        (any(&network), FrameKind::Malformed, "headers are not checked for their version and length"),
    ]
    .into_iter()
    .filter_map(|(differs, kind, reason)| differs.then_some(Outside { kind, reason }))
    .collect()
}

const MPLS: [Value; 2] = [Value::number(0x8847), Value::number(0x8848)];

/// The disjunction of the alternatives: those without an IP header, with IPv4, and with IPv6.
pub(super) fn expression(all: &[Alternative]) -> String {
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
