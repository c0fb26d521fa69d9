//! An explanation in words.

use super::{Explanation, Failure, Outcome, Step};
use crate::field::Field;
use crate::resolve::words_of;
use crate::value::Value;
use std::collections::HashMap;
use std::fmt;

/// Lines of rules up to which every rule is shown.
const FEW: usize = 12;
/// Rules that are shown as those that came closest.
const CLOSEST: usize = 5;
/// Kinds of failure that are counted by themselves.
const KINDS: usize = 6;
/// Intervals of a set that are shown.
const SHOWN: usize = 6;

impl Explanation {
    /// Every rule that was compared, in order; what is the same for several in a row is said once.
    pub fn all(&self) -> impl fmt::Display + '_ {
        All(self)
    }

    /// The steps, those in a row together that came to the same in the same class.
    fn runs(&self) -> Vec<&[Step]> {
        self.steps.chunk_by(|a, b| a.class == b.class && a.outcome == b.outcome).collect()
    }
}

struct All<'e>(&'e Explanation);

impl fmt::Display for All<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in self.0.runs() {
            line(f, run)?;
        }
        verdict(f, self.0)
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.runs().len() <= FEW {
            return self.all().fmt(f);
        }
        let failed: Vec<&Step> = self.steps.iter().filter(|s| s.outcome.failing() > 0).collect();
        match self.verdict.rule {
            Some(rule) => writeln!(f, "{} rules were compared before rule {}:", failed.len(), rule + 1)?,
            None => writeln!(f, "{} rules were compared:", failed.len())?,
        }
        for (fields, rules) in kinds(&failed) {
            writeln!(f, "  {} on {fields}", counted(&rules))?;
        }
        let mut closest = failed;
        // fewest tests that fail, then most that pass, then the order of the rules
        closest.sort_by_key(|s| (s.outcome.failing(), std::cmp::Reverse(s.tests)));
        closest.truncate(CLOSEST);
        closest.sort_by_key(|s| s.rule);
        writeln!(f, "closest came:")?;
        for step in closest {
            line(f, std::slice::from_ref(step))?;
        }
        if let Some(last) = self.steps.last().filter(|s| s.outcome.failing() == 0) {
            line(f, std::slice::from_ref(last))?;
        }
        verdict(f, self)
    }
}

/// The fields that rules fail on, most rules first; what is rare is summed up.
fn kinds(failed: &[&Step]) -> Vec<(String, Vec<usize>)> {
    let mut found: Vec<(String, Vec<usize>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    for step in failed {
        let Outcome::Failed { forward, .. } = &step.outcome else { continue };
        let names: Vec<&str> = forward.iter().map(|f| f.field.name()).collect();
        let at = *known.entry(names.join(" and ")).or_insert_with_key(|key| {
            found.push((key.clone(), Vec::new()));
            found.len() - 1
        });
        found[at].1.push(step.rule);
    }
    found.sort_by_key(|(_, rules)| std::cmp::Reverse(rules.len()));
    if found.len() > KINDS {
        let rest: Vec<usize> = found.drain(KINDS - 1..).flat_map(|(_, rules)| rules).collect();
        found.push(("something else".into(), rest));
    }
    found
}

fn counted(rules: &[usize]) -> String {
    match rules {
        [one] => format!("rule {} fails", one + 1),
        [first, .., last] if last - first + 1 == rules.len() => {
            format!("rules {} to {} fail", first + 1, last + 1)
        }
        _ => format!("{} rules fail", rules.len()),
    }
}

fn verdict(f: &mut fmt::Formatter<'_>, e: &Explanation) -> fmt::Result {
    match e.verdict.rule {
        Some(rule) => write!(f, "class {} by rule {}", e.class, rule + 1),
        None => write!(f, "class {}: no rule matches", e.class),
    }
}

/// Steps in a row that came to the same.
fn line(f: &mut fmt::Formatter<'_>, run: &[Step]) -> fmt::Result {
    let [first, ..] = run else { return Ok(()) };
    match run.len() {
        1 => write!(f, "rule {}", first.rule + 1)?,
        n => write!(f, "rules {} to {}", first.rule + 1, first.rule + n)?,
    }
    writeln!(f, " (class {}): {}", first.class, first.outcome)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Matched { reply: false } => f.write_str("matches"),
            Outcome::Matched { reply: true } => f.write_str("matches as a reply"),
            Outcome::Failed { forward, reply: None } => write!(f, "no, {}", joined(forward)),
            Outcome::Failed { forward, reply: Some(reply) } => {
                write!(f, "no, forward: {}; as a reply: {}", joined(forward), joined(reply))
            }
        }
    }
}

fn joined(failures: &[Failure]) -> String {
    failures.iter().map(Failure::to_string).collect::<Vec<_>>().join(", and ")
}

/// A value with the word for it, where the number alone says little.
fn worded(field: Field, value: Value) -> String {
    let has_words = matches!(field, Field::Proto | Field::Dscp | Field::EtherType | Field::Fragment);
    let word = words_of(field).iter().find(|(_, n)| has_words && u128::from(*n) == value.bits);
    word.map_or_else(|| value.to_string(), |(word, _)| format!("{value} ({word})"))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.have {
            Some(v) => write!(f, "{} is {}, not ", self.field, worded(self.field, v))?,
            None => write!(f, "the packet has no {}, wanted is ", self.field)?,
        }
        let ranges = self.wanted.ranges();
        if ranges.is_empty() {
            return f.write_str("anything: the set is empty");
        }
        for (i, r) in ranges.iter().take(SHOWN).enumerate() {
            f.write_str(if i > 0 { ", " } else { "" })?;
            match r.lo == r.hi {
                true => f.write_str(&worded(self.field, r.lo))?,
                false => write!(f, "{}..{}", r.lo, r.hi)?,
            }
        }
        if ranges.len() > SHOWN {
            write!(f, " or {} more", ranges.len() - SHOWN)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::explain::explain;
    use crate::{NoLoader, compile, parse_packet};

    fn explained(text: &str, packet: &str) -> crate::explain::Explanation {
        explain(&compile("x.csn", text, &mut NoLoader).scenario.rules, &parse_packet(packet).unwrap())
    }

    #[test]
    fn few_rules_are_all_shown_with_every_test_that_fails_in_each_direction() {
        let text = "set: class = 1;\naddrule: srcip = 10.0.0.1, proto = udp, dstport = 53, both;\n\
                    set: class = 2; addrule: proto = tcp, dstport = {1..3, 9}; addrule: dscp = ef;";
        assert_eq!(
            explained(text, "srcip = 10.0.0.2, dstip = 10.0.0.1, proto = udp, dstport = 9").to_string(),
            "rule 1 (class 1): no, forward: srcip is 10.0.0.2, not 10.0.0.1, and dstport is 9, not 53; \
             as a reply: the packet has no srcport, wanted is 53\n\
             rule 2 (class 2): no, proto is 17 (udp), not 6 (tcp)\n\
             rule 3 (class 2): no, the packet has no dscp, wanted is 46 (ef)\n\
             class others: no rule matches"
        );
        let reply = "srcip = 10.0.0.2, dstip = 10.0.0.1, proto = udp, srcport = 53";
        assert_eq!(
            explained(text, reply).to_string(),
            "rule 1 (class 1): matches as a reply\nclass 1 by rule 1"
        );
    }

    #[test]
    fn of_a_thousand_rules_the_closest_are_shown_and_the_others_are_summed_up() {
        let text = "set: class = 1, name = \"far\";\naddrule: srcip = 10.0.0.0/8, proto = tcp, dstport = each 1..500;\n\
                    set: class = 2, name = \"near\"; addrule: srcip = 192.0.2.1, proto = udp, dstport = each 1..490;\n\
                    set: class = 3; addrule: srcip = 192.0.2.1, proto = udp, dscp = le;\n\
                    set: class = 4; addrule: srcip = 192.0.2.0/24;";
        let e = explained(text, "srcip = 192.0.2.1, proto = udp, dstport = 600, dscp = ef");
        assert_eq!(
            e.to_string(),
            "991 rules were compared before rule 992:\n\
             \x20 rules 1 to 500 fail on srcip and proto and dstport\n\
             \x20 rules 501 to 990 fail on dstport\n\
             \x20 rule 991 fails on dscp\n\
             closest came:\n\
             rule 501 (class near): no, dstport is 600, not 1\n\
             rule 502 (class near): no, dstport is 600, not 2\n\
             rule 503 (class near): no, dstport is 600, not 3\n\
             rule 504 (class near): no, dstport is 600, not 4\n\
             rule 505 (class near): no, dstport is 600, not 5\n\
             rule 992 (class 4): matches\n\
             class 4 by rule 992"
        );
        assert_eq!(e.all().to_string().lines().count(), 993);
    }

    #[test]
    fn what_is_the_same_for_rules_in_a_row_is_said_once() {
        let text = "set: class = 1; addrule: proto = tcp, dstport = each 1..500;";
        let e = explained(text, "proto = icmp");
        assert_eq!(e.steps.len(), 500);
        let text = text.replace(
            ", dstport = each 1..500",
            "; addrule: ttl = 3, proto = tcp; addrule: proto = tcp, ttl = 3",
        );
        let shown = explained(&text, "proto = icmp, ttl = 3").to_string();
        assert_eq!(
            shown,
            "rules 1 to 3 (class 1): no, proto is 1 (icmp), not 6 (tcp)\nclass others: no rule matches"
        );
    }
}
