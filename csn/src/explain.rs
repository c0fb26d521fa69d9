//! Why a packet is of its class: the rules in order, and what each failed on.

use crate::field::Field;
use crate::key::Key;
use crate::ruleset::{Rule, RuleSet, Verdict};
use crate::value::{Value, ValueSet};
use serde::Serialize;
use std::fmt;

/// What the oracle did with a packet, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The class, and the rule that decided.
    pub verdict: Verdict,
    /// The label of the class.
    pub class: String,
    /// The rules that were compared, the matching one last.
    pub steps: Vec<Step>,
}

/// One rule that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The place in [`RuleSet::rules`], from 0.
    pub rule: usize,
    /// The label of the rule's class.
    pub class: String,
    /// What came out.
    pub outcome: Outcome,
}

/// What the comparison with a rule came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The rule matches.
    Matched {
        /// Whether it is the reply direction that does.
        reply: bool,
    },
    /// The rule does not match.
    Failed {
        /// The first test that fails.
        forward: Failure,
        /// The first that fails for the reply direction, where the rule is for both.
        reply: Option<Failure>,
    },
}

/// A test that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The field of the packet.
    pub field: Field,
    /// What the packet has there; nothing where it lacks the field.
    pub have: Option<Value>,
    /// What the rule accepts there.
    pub wanted: ValueSet,
}

/// Classifies a packet as [`RuleSet::classify`] does, and says how that came about.
pub fn explain(rules: &RuleSet, key: &Key) -> Explanation {
    let verdict = rules.classify(key);
    let compared = verdict.rule.map_or(rules.rules.len(), |r| r + 1);
    let steps = rules.rules[..compared]
        .iter()
        .enumerate()
        .map(|(rule, r)| Step { rule, class: rules.label(r.class), outcome: compare(r, key) })
        .collect();
    Explanation { verdict, class: rules.label(verdict.class), steps }
}

fn compare(rule: &Rule, key: &Key) -> Outcome {
    let Some(forward) = failure(rule, key, |f| f) else {
        return Outcome::Matched { reply: false };
    };
    if !rule.both {
        return Outcome::Failed { forward, reply: None };
    }
    match failure(rule, key, Field::reversed) {
        None => Outcome::Matched { reply: true },
        reply => Outcome::Failed { forward, reply },
    }
}

/// The first test that the packet fails, with the fields of the rule mapped to those of the packet.
fn failure(rule: &Rule, key: &Key, map: impl Fn(Field) -> Field) -> Option<Failure> {
    rule.tests.iter().find_map(|(f, wanted)| {
        let field = map(*f);
        let have = key.get(field);
        let passed = have.is_some_and(|v| wanted.contains(v));
        (!passed).then(|| Failure { field, have, wanted: wanted.clone() })
    })
}

impl fmt::Display for Explanation {
    /// A line per rule, numbered from 1, and the verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{step}")?;
        }
        match self.verdict.rule {
            Some(rule) => write!(f, "class {} by rule {}", self.class, rule + 1),
            None => write!(f, "class {}: no rule matches", self.class),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} (class {}): ", self.rule + 1, self.class)?;
        match &self.outcome {
            Outcome::Matched { reply: false } => f.write_str("matches"),
            Outcome::Matched { reply: true } => f.write_str("matches as a reply"),
            Outcome::Failed { forward, reply: None } => write!(f, "no, {forward}"),
            Outcome::Failed { forward, reply: Some(reply) } => {
                write!(f, "no, {forward}; as a reply, {reply}")
            }
        }
    }
}

/// Intervals of a set that are shown.
const SHOWN: usize = 6;

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.have {
            Some(v) => write!(f, "{} is {v}, not ", self.field)?,
            None => write!(f, "the packet has no {}, wanted is ", self.field)?,
        }
        let ranges = self.wanted.ranges();
        if ranges.is_empty() {
            return f.write_str("anything: the set is empty");
        }
        for (i, r) in ranges.iter().take(SHOWN).enumerate() {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, r.lo)?;
            if r.lo != r.hi {
                write!(f, "..{}", r.hi)?;
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
    use super::*;
    use crate::backends::example_rules;
    use crate::sample::{Frames, Random, rule_set};

    #[test]
    fn the_steps_lead_to_the_verdict() {
        let mut random = Random::new(8);
        for _ in 0..50 {
            let rules = rule_set(&mut random, 20, &Field::ALL);
            for _ in 0..50 {
                let key = Frames::new(&rules).draw(&mut random).key();
                let e = explain(&rules, &key);
                assert_eq!(e.verdict, rules.classify(&key));
                for s in &e.steps {
                    let matched = matches!(s.outcome, Outcome::Matched { .. });
                    assert_eq!(matched, Some(s.rule) == e.verdict.rule);
                    assert_eq!(matched, rules.rules[s.rule].matches(&key));
                }
            }
        }
    }

    #[test]
    fn people_can_read_it() {
        let mut rules = example_rules();
        rules.rules[0].both = true;
        let mut key = Key::new();
        key.set(Field::SrcIp, Value::v4([192, 168, 75, 106].into()));
        key.set(Field::DstIp, Value::v4([192, 168, 115, 204].into()));
        key.set_number(Field::Proto, 17);
        assert_eq!(
            explain(&rules, &key).to_string(),
            "rule 1 (class 1): no, the packet has no dstport, wanted is 2000; as a reply, dstip is \
             192.168.115.204, not 192.168.75.106\n\
             rule 2 (class 2): no, the packet has no dstport, wanted is 2001\n\
             class others: no rule matches"
        );
        key.set_number(Field::DstPort, 2001);
        assert!(explain(&rules, &key).to_string().ends_with("rule 2 (class 2): matches\nclass 2 by rule 2"));
    }
}
