//! Rules that could be one.

use super::Geometry;
use super::survey::Survey;
use crate::field::Field;
use crate::ruleset::Rule;
use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// Rules of one class that differ in one field only. One rule with all their values of the field, in the place of the
/// first of them, classifies every packet as they do: no rule of another class stands between the first and a later
/// one and overlaps the later one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Merge {
    /// The rules, ascending; two at least.
    pub rules: Vec<usize>,
    /// The field.
    pub field: Field,
}

/// Whether two rules are of one class and test all fields but one alike, and both test that one.
fn differ_in(a: &Rule, b: &Rule, field: Field) -> bool {
    a.class == b.class
        && a.both == b.both
        && a.tests.len() == b.tests.len()
        && a.tests.iter().zip(&b.tests).all(|((f, s), (g, t))| f == g && (*f == field || s == t))
}

fn hash_without(rule: &Rule, field: Field) -> u64 {
    let mut hasher = DefaultHasher::new();
    (rule.class, rule.both, field).hash(&mut hasher);
    rule.tests.iter().filter(|(f, _)| *f != field).for_each(|t| t.hash(&mut hasher));
    hasher.finish()
}

impl Geometry<'_> {
    /// Every group of rules that could be one, by its first rule. Rules that cannot be reached are left aside. A rule
    /// may stand in several groups, one for each field: merging by one of them may undo another.
    pub fn merges(&self) -> Vec<Merge> {
        self.merges_of(&self.survey(super::survey::Bounds::ADVICE))
    }

    /// The groups among the rules that were compared.
    pub(super) fn merges_of(&self, survey: &Survey) -> Vec<Merge> {
        let rules = &self.rules.rules;
        // per hash, lists of rules that are indeed alike
        let mut alike: HashMap<(Field, u64), Vec<Vec<usize>>> = HashMap::new();
        for i in (0..survey.compared).filter(|i| !survey.status[*i].is_dead()) {
            for (field, _) in &rules[i].tests {
                let lists = alike.entry((*field, hash_without(&rules[i], *field))).or_default();
                match lists.iter_mut().find(|l| differ_in(&rules[l[0]], &rules[i], *field)) {
                    Some(list) => list.push(i),
                    None => lists.push(vec![i]),
                }
            }
        }
        let mut out = Vec::new();
        for ((field, _), lists) in alike {
            for list in lists.iter().filter(|l| l.len() > 1) {
                let mut group: Vec<usize> = Vec::new();
                for &i in list {
                    // moved up to the first of the group, the rule must not pass one that it overlaps
                    let stays = group.first().is_some_and(|g| survey.blocked[i].is_none_or(|b| b < *g));
                    if !stays {
                        out.push(Merge { field, rules: std::mem::take(&mut group) });
                    }
                    group.push(i);
                }
                out.push(Merge { field, rules: group });
            }
        }
        out.retain(|m| m.rules.len() > 1);
        out.sort_unstable();
        out
    }
}

/// Groups that can all be made: the largest first, each rule in one of them.
pub(super) fn apart(merges: &[Merge], rules: usize) -> Vec<Merge> {
    let mut order: Vec<&Merge> = merges.iter().collect();
    order.sort_by_key(|m| (std::cmp::Reverse(m.rules.len()), *m));
    let mut taken = vec![false; rules];
    let mut out: Vec<Merge> = Vec::new();
    for m in order {
        // without its first rule a group still is one: the rules behind it move less far
        let free: Vec<usize> = m.rules.iter().copied().filter(|i| !taken[*i]).collect();
        if free.len() > 1 {
            free.iter().for_each(|i| taken[*i] = true);
            out.push(Merge { field: m.field, rules: free });
        }
    }
    out.sort_unstable();
    out
}
