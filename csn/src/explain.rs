//! Why a packet is of its class: the rules in order, and what each failed on.
//!
//! An [`Explanation`] prints what people want to see of it: every rule where there are few, else the rules that came
//! closest and a summary of the others. [`Explanation::all`] prints every rule.

use crate::field::Field;
use crate::key::Key;
use crate::ruleset::{Rule, RuleSet, Verdict};
use crate::value::{Value, ValueSet};

mod text;

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The place in [`RuleSet::rules`], from 0.
    pub rule: usize,
    /// The label of the rule's class.
    pub class: String,
    /// How many tests the rule has.
    pub tests: usize,
    /// What came out.
    pub outcome: Outcome,
}

/// What the comparison with a rule came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rule matches.
    Matched {
        /// Whether it is the reply direction that does.
        reply: bool,
    },
    /// The rule does not match.
    Failed {
        /// The tests that fail, by ascending field of the rule.
        forward: Vec<Failure>,
        /// Those that fail for the reply direction, where the rule is for both.
        reply: Option<Vec<Failure>>,
    },
}

impl Outcome {
    /// How many tests fail, in the direction where fewer do.
    fn failing(&self) -> usize {
        match self {
            Outcome::Matched { .. } => 0,
            Outcome::Failed { forward, reply } => reply.iter().map(Vec::len).fold(forward.len(), usize::min),
        }
    }
}

/// A test that fails.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        .map(|(rule, r)| Step {
            rule,
            class: rules.label(r.class),
            tests: r.tests.len(),
            outcome: compare(r, key),
        })
        .collect();
    Explanation { verdict, class: rules.label(verdict.class), steps }
}

fn compare(rule: &Rule, key: &Key) -> Outcome {
    let forward = failures(rule, key, |f| f);
    if forward.is_empty() {
        return Outcome::Matched { reply: false };
    }
    if !rule.both {
        return Outcome::Failed { forward, reply: None };
    }
    let reply = failures(rule, key, Field::reversed);
    match reply.is_empty() {
        true => Outcome::Matched { reply: true },
        false => Outcome::Failed { forward, reply: Some(reply) },
    }
}

/// The tests that the packet fails, with the fields of the rule mapped to those of the packet.
fn failures(rule: &Rule, key: &Key, map: impl Fn(Field) -> Field) -> Vec<Failure> {
    let failed = rule.tests.iter().filter_map(|(f, wanted)| {
        let field = map(*f);
        let have = key.get(field);
        let passed = have.is_some_and(|v| wanted.contains(v));
        (!passed).then(|| Failure { field, have, wanted: wanted.clone() })
    });
    failed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
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
}
