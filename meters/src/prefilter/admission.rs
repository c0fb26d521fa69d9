//! Which packets a prefilter lets in, told by the rule that is the first to match them.

use super::Discard;
use crate::meter::Admission;
use csn::geometry::{Geometry, Reach};
use csn::{Rule, RuleSet};
use std::ops::Range;

/// What is let in by a filter of this kind, for a meter that has loaded the first `loaded` rules.
///
/// A filter that discards rules looks at all that they match, also at packets that an earlier rule matches first.
/// Where those are some of the packets of an earlier rule and not all, nothing can be said of it.
///
/// # Errors
/// The numbers (from 0) of a rule of which some packets are discarded and others not, or where that was not found
/// out, and of the discarded rule.
pub fn admission(discard: Discard, rules: &RuleSet, loaded: usize) -> Result<Admission, (usize, usize)> {
    let count = rules.rules.len();
    let Some(discarded) = discard.rules(count, loaded) else {
        // a packet passes if any loaded rule matches it; then the first that does is loaded as well
        return Ok(Admission { rules: (0..count).map(|i| i < loaded).collect(), others: false });
    };
    let mut admitted: Vec<bool> = (0..count).map(|i| !discarded.contains(&i)).collect();
    for (first, second) in Geometry::new(rules).overlaps() {
        if !admitted[first] || !discarded.contains(&second) || !in_common(rules, first, second) {
            continue;
        }
        if !within(rules, first, &discarded) {
            return Err((first, second));
        }
        admitted[first] = false;
    }
    Ok(Admission { rules: admitted, others: true })
}

/// Whether packets that rule `first` is the first to match are matched by `second` too, or may be.
fn in_common(rules: &RuleSet, first: usize, second: usize) -> bool {
    let mut probe = rules.first(first);
    let both = |r: &Rule| if r.both { vec![r.clone(), r.reversed()] } else { vec![r.clone()] };
    for a in both(&rules.rules[first]) {
        for b in both(&rules.rules[second]) {
            probe.rules.push(conjunction(&a, &b));
            let reach = Geometry::new(&probe).reach(first);
            probe.rules.pop();
            if matches!(reach, Reach::Reachable(_) | Reach::Unknown) {
                return true;
            }
        }
    }
    false
}

/// Whether every packet that `rule` is the first to match is matched by one of the discarded rules.
fn within(rules: &RuleSet, rule: usize, discarded: &Range<usize>) -> bool {
    let mut probe = rules.first(rule);
    probe.rules.extend(rules.rules[discarded.start.max(rule + 1)..discarded.end].iter().cloned());
    probe.rules.push(rules.rules[rule].clone());
    let last = probe.rules.len() - 1;
    matches!(Geometry::new(&probe).reach(last), Reach::Covered(_) | Reach::Empty)
}

/// The rule that matches what both match, in one direction.
fn conjunction(a: &Rule, b: &Rule) -> Rule {
    let mut tests = a.tests.clone();
    for (field, set) in &b.tests {
        match tests.iter_mut().find(|(f, _)| f == field) {
            Some((_, own)) => *own = own.intersect(set),
            None => tests.push((*field, set.clone())),
        }
    }
    tests.sort_by_key(|(field, _)| *field);
    Rule { tests, both: false, ..a.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::{ClassId, Field, Range as Values, Span, ValueSet};

    /// Rules on ranges of destination ports; 0..65535 stands for no test.
    fn rules(ports: &[(u16, u16)]) -> RuleSet {
        let mut out = RuleSet::default();
        for &(lo, hi) in ports {
            let udp = (Field::Proto, Values::numbers(17, 17).into());
            let set: ValueSet = Values::numbers(lo.into(), hi.into()).into();
            let tests = vec![udp, (Field::DstPort, set)];
            out.rules.push(Rule { class: ClassId(0), tests, both: false, span: Span::default() });
        }
        out
    }

    #[test]
    fn passing_the_loaded_rules_admits_just_them() {
        let r = rules(&[(1, 5), (3, 9), (0, 65535)]);
        let a = admission(Discard::Unmatched, &r, 2).unwrap();
        assert_eq!((a.rules, a.others), (vec![true, true, false], false));
    }

    #[test]
    fn discarded_rules_that_stand_apart_take_only_their_own() {
        let r = rules(&[(1, 1), (2, 2), (3, 3), (4, 4)]);
        let a = admission(Discard::Rest, &r, 2).unwrap();
        assert_eq!((a.rules, a.others), (vec![true, true, false, false], true));
        let a = admission(Discard::Rest, &r, 4).unwrap();
        assert_eq!((a.rules, a.others), (vec![true; 4], true));
        let a = admission(Discard::Rules(1, 2), &r, 1).unwrap();
        assert_eq!(a.rules, [true, false, false, true]);
    }

    #[test]
    fn overlaps_are_decided_where_they_can_be() {
        // rule 2 lies inside of the discarded rule 3: its packets are discarded as well
        let a = admission(Discard::Rules(2, 2), &rules(&[(20, 30), (1, 5), (1, 9)]), 3).unwrap();
        assert_eq!(a.rules, [true, false, false]);
        // half of rule 1 is discarded with rule 2
        assert_eq!(admission(Discard::Rest, &rules(&[(1, 9), (5, 15)]), 1), Err((0, 1)));
        // the common packets of rules 2 and 3 are all of rule 1, so rule 2 keeps its own
        let a = admission(Discard::Rules(2, 2), &rules(&[(5, 9), (1, 9), (5, 15)]), 3).unwrap();
        assert_eq!(a.rules, [false, true, false]);
        // two discarded rules together hold all of rule 1
        let a = admission(Discard::Rules(1, 2), &rules(&[(1, 9), (0, 5), (6, 12)]), 3).unwrap();
        assert_eq!(a.rules, [false, false, false]);
    }
}
