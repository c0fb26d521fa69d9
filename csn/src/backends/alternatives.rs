//! Rules as plain conjunctions in one direction: what back ends translate.

use crate::field::Field;
use crate::ruleset::{ClassId, RuleSet};
use crate::value::ValueSet;

/// One direction of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// The rule that it comes from, from 0.
    pub rule: usize,
    /// The class of that rule.
    pub class: ClassId,
    /// Whether the rule matches both directions.
    pub both: bool,
    /// The tests by ascending field; no set is empty or goes beyond the field's domain.
    pub tests: Vec<(Field, ValueSet)>,
}

impl Alternative {
    /// The values that are accepted for `field`, where it is tested.
    pub fn test(&self, field: Field) -> Option<&ValueSet> {
        self.tests.iter().find(|(f, _)| *f == field).map(|(_, s)| s)
    }
}

impl Alternative {
    /// What is left of it for packets of that IP version; none where it cannot match them.
    pub fn for_ip(&self, family: u8) -> Option<Self> {
        let mut out = self.clone();
        for (field, set) in &mut out.tests {
            if *field == Field::FlowLabel && family == 4 {
                return None;
            }
            if field.is_address() {
                let of_family = set.ranges().iter().filter(|r| r.lo.family == family).copied();
                *set = ValueSet::from_ranges(of_family);
                if set.is_empty() {
                    return None;
                }
            }
        }
        Some(out)
    }

    /// The same for packets without an IP header.
    pub fn for_link(&self) -> Option<Self> {
        self.tests.iter().all(|(f, _)| *f < Field::SrcIp).then(|| self.clone())
    }
}

/// The rules in order, each with its reply direction behind it where it matches `both`. What can match nothing,
/// because a set is empty, is left out.
pub fn alternatives(rules: &RuleSet) -> Vec<Alternative> {
    let mut out: Vec<Alternative> = Vec::new();
    for (i, rule) in rules.rules.iter().enumerate() {
        let tests: Vec<_> = rule.tests.iter().map(|(f, s)| (*f, s.intersect(&f.domain()))).collect();
        if tests.iter().any(|(_, s)| s.is_empty()) {
            continue;
        }
        let mut reply: Vec<_> = tests.iter().map(|(f, s)| (f.reversed(), s.clone())).collect();
        reply.sort_by_key(|(f, _)| *f);
        let twice = rule.both && reply != tests;
        let make = |tests| Alternative { rule: i, class: rule.class, both: rule.both, tests };
        out.push(make(tests));
        if twice {
            out.push(make(reply));
        }
    }
    out
}

/// The tests that every rule makes, word for word, in both directions where a rule is for both: what can be asked
/// once, before all rules.
pub fn shared_tests(rules: &RuleSet) -> Vec<(Field, ValueSet)> {
    in_all(&alternatives(rules))
}

/// The tests that stand in every alternative, word for word.
pub(super) fn in_all(all: &[Alternative]) -> Vec<(Field, ValueSet)> {
    let Some((first, rest)) = all.split_first() else {
        return Vec::new();
    };
    first.tests.iter().filter(|(f, s)| rest.iter().all(|a| a.test(*f) == Some(s))).cloned().collect()
}
