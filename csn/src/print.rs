//! Rule sets as text of the notation: what imports write.

use crate::field::Field;
use crate::resolve::words;
use crate::ruleset::{Class, Rule, RuleSet};
use crate::value::{Range, Value, ValueSet};
use std::fmt::Write;

/// The rule set as a file of the notation, one statement a line, in canonical layout. Reading it gives the same rules
/// again, but for their places.
///
/// `comment` stands in front, each line with its `#`. Rules of one class that do not follow each other open the class
/// again. A set that is empty has no text; a rule with one cannot be written, and is left out.
pub fn print(rules: &RuleSet, comment: &str) -> String {
    let mut out = String::new();
    for line in comment.lines() {
        let _ = writeln!(out, "{}", format!("# {line}").trim_end());
    }
    let mut open = None;
    for rule in &rules.rules {
        if rule.tests.iter().any(|(_, s)| s.is_empty()) {
            continue;
        }
        if open != Some(rule.class) {
            let gap = if out.is_empty() { "" } else { "\n" };
            let _ = writeln!(out, "{gap}{}", class(&rules.classes[rule.class.index()]));
            open = Some(rule.class);
        }
        let _ = writeln!(out, "addrule: {};", tests(rule));
    }
    let mut used = vec![false; rules.classes.len()];
    rules.rules.iter().for_each(|r| used[r.class.index()] = true);
    for (c, _) in rules.classes.iter().zip(used).skip(1).filter(|(_, used)| !used) {
        let _ = writeln!(out, "\n{}", class(c));
    }
    crate::format(&out).unwrap_or(out)
}

fn class(class: &Class) -> String {
    match &class.name {
        Some(name) => format!("set: class = {}, name = \"{}\";", class.number, escaped(name)),
        None => format!("set: class = {};", class.number),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The items of `addrule`.
fn tests(rule: &Rule) -> String {
    let mut parts: Vec<String> = rule.tests.iter().map(|(f, s)| test(*f, s)).collect();
    if parts.is_empty() {
        // says nothing, but a rule has at least one item
        parts.push(format!("{} = any", Field::SrcIp));
    }
    if rule.both {
        parts.push("both".into());
    }
    parts.join(", ")
}

/// One test as an item: `dstport = {80, 443}`, `proto != tcp`.
pub fn test(field: Field, set: &ValueSet) -> String {
    let complement = field.domain().subtract(set);
    let (sign, set) = match !complement.is_empty() && complement.ranges().len() < set.ranges().len() {
        true => ("!=", &complement),
        false => ("=", set),
    };
    format!("{field} {sign} {}", values(field, set))
}

fn values(field: Field, set: &ValueSet) -> String {
    if let Some((value, mask)) = mask(field, set) {
        return format!("{}/{}", literal(field, value), literal(field, mask));
    }
    let parts: Vec<String> = set.ranges().iter().map(|r| range(field, *r)).collect();
    if let [one] = parts.as_slice() { one.clone() } else { format!("{{{}}}", parts.join(", ")) }
}

fn range(field: Field, r: Range) -> String {
    if r.lo == r.hi {
        return literal(field, r.lo);
    }
    if field.is_address()
        && let [prefix] = ValueSet::from(r).prefixes(if r.lo.family == 4 { 32 } else { 128 }).as_slice()
    {
        return format!("{}/{}", r.lo, prefix.len);
    }
    let plain = |v: Value| if is_mac(field) { literal(field, v) } else { v.to_string() };
    format!("{}..{}", plain(r.lo), plain(r.hi))
}

/// The value and mask that make up a set of several intervals in an octet.
fn mask(field: Field, set: &ValueSet) -> Option<(Value, Value)> {
    if field.width() > 8 || set.ranges().len() < 3 {
        return None;
    }
    let octets = || set.ranges().iter().flat_map(|r| r.lo.bits..=r.hi.bits);
    let (all, any) = octets().fold((u128::MAX, 0), |(all, any), o| (all & o, any | o));
    let mask = ((1 << field.width()) - 1) & !(all ^ any);
    (set.len() == 1 << (field.width() - mask.count_ones()))
        .then(|| (Value::number(all & mask), Value::number(mask)))
}

fn is_mac(field: Field) -> bool {
    matches!(field, Field::SrcMac | Field::DstMac)
}

fn literal(field: Field, value: Value) -> String {
    if is_mac(field) {
        let octets = value.bits.to_be_bytes();
        return octets[10..].iter().map(|o| format!("{o:02x}")).collect::<Vec<_>>().join(":");
    }
    let word = match field {
        Field::Proto | Field::Dscp | Field::Fragment | Field::EtherType => {
            words::of(field).iter().find(|(_, n)| u128::from(*n) == value.bits).map(|(w, _)| (*w).to_owned())
        }
        Field::TcpFlags if value.bits > 0 => {
            let flags = words::of(field).iter().filter(|(_, n)| u128::from(*n) & value.bits != 0);
            Some(flags.map(|(w, _)| *w).collect::<Vec<_>>().join("+"))
        }
        _ => None,
    };
    match (word, field) {
        (Some(word), _) => word,
        (None, Field::EtherType) => format!("{:#06x}", value.bits),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Random, rule_set};

    #[test]
    fn what_is_printed_reads_back_as_the_same_rules() {
        let mut count = 0;
        for seed in 0..300 {
            let mut random = Random::new(seed);
            let most = random.below(30);
            let mut rules = rule_set(&mut random, most, &Field::ALL);
            rules
                .classes
                .iter_mut()
                .skip(1)
                .step_by(2)
                .for_each(|c| c.name = Some(format!("the \"{}\"", c.number)));
            let text = print(&rules, "two lines\n\nand a third");
            // the language refuses rules that no packet satisfies
            rules.rules.retain(|r| !crate::geometry::rule_regions(r).is_empty());
            let read = crate::compile("printed.csn", &text, &mut crate::NoLoader);
            let syntax: Vec<_> =
                read.diagnostics.iter().filter(|d| d.code < "E2" && d.code.starts_with('E')).collect();
            assert!(syntax.is_empty(), "{seed}: {syntax:?}\n{text}");
            let mut read = read.scenario.rules;
            read.rules.retain(|r| !crate::geometry::rule_regions(r).is_empty());
            let told = |r: &RuleSet| r.rules.iter().map(|r| (r.tests.clone(), r.both)).collect::<Vec<_>>();
            count += rules.rules.len();
            assert_eq!(told(&read), told(&rules), "{seed}\n{text}");
            for (a, b) in rules.rules.iter().zip(&read.rules) {
                assert_eq!(rules.label(a.class), read.label(b.class), "{seed}");
            }
        }
        assert!(count > 2000, "{count}");
    }

    #[test]
    fn what_people_write_comes_back() {
        for item in [
            "dstip = 10.0.0.0/8",
            "proto = udp",
            "proto != tcp",
            "dstport = {80, 443, 8000..8080}",
            "tcpflags = syn/syn+ack",
            "srcmac = 02:00:00:00:00:01",
            "ethertype = arp",
            "dscp = ef",
        ] {
            let text = format!("set: class = 1;\naddrule: {item};\n");
            let rules = crate::compile("t.csn", &text, &mut crate::NoLoader).scenario.rules;
            assert_eq!(print(&rules, ""), text);
        }
    }
}
