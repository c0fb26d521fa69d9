//! From paths in order to rules of which the first that matches wins.

use super::walk::{Computed, End, Path};
use crate::diagnostic::Span;
use crate::field::Field;
use crate::geometry::{Region, rule_regions};
use crate::imports::Builder;
use crate::ruleset::{ClassId, Rule};
use crate::value::ValueSet;

/// A rule whose class has no number yet.
pub(super) struct Ordered {
    pub(super) tests: Vec<(Field, ValueSet)>,
    pub(super) class: Computed,
    pub(super) span: Span,
}

/// Comparisons of a rule with a path to `others`: some seconds' work.
const BUDGET: usize = 50_000_000;

/// The rules of both directions, kept out of what earlier paths leave to `others`.
pub(super) fn rules(forward: Vec<Path>, backward: Vec<Path>, out: &mut Builder) -> Vec<Ordered> {
    let mut rules: Vec<Ordered> = Vec::new();
    let mut budget = BUDGET;
    let mut open = Vec::new();
    // a path to `others` that nothing follows keeps nothing out
    let last = |paths: &[Path]| paths.iter().rposition(|p| matches!(p.end, End::Class(_)));
    let kept = if backward.is_empty() { last(&forward).map_or(0, |i| i + 1) } else { forward.len() };
    for path in &forward[..kept] {
        keep(path, (&open, &[]), false, &mut rules, &mut budget, out);
        if !matches!(path.end, End::Class(_)) {
            open.push(path.clone());
        }
    }
    let mut own: Vec<Path> = Vec::new();
    for mut path in backward {
        path.tests.iter_mut().for_each(|(f, _)| *f = f.reversed());
        path.tests.sort_by_key(|(f, _)| *f);
        match path.end {
            End::Class(_) => keep(&path, (&own, &open), true, &mut rules, &mut budget, out),
            _ => own.push(Path { end: End::Ignore, ..path }),
        }
    }
    if budget == 0 {
        let reason = "comparing all rules with them would take too long";
        let place = rules.first().map(|r| r.span).unwrap_or_default();
        out.lost(place, "too many paths of this program lead to packets without a class", reason);
    }
    rules
}

/// Adds the rule of a path, kept out of paths to `others`: `own` of its direction, and `first` of the order of the wire.
/// For a reply, what is tried again is no such path, and nothing behind one that the rule lies in concerns it.
fn keep(
    path: &Path,
    (own, first): (&[Path], &[Path]),
    reply: bool,
    rules: &mut Vec<Ordered>,
    budget: &mut usize,
    out: &mut Builder,
) {
    let End::Class(class) = path.end else { return };
    let mut tests = path.tests.clone();
    for other in own.iter().chain(first) {
        if *budget == 0 {
            return;
        }
        *budget -= 1;
        if !meets(&tests, &other.tests) {
            continue;
        }
        let regions = regions(&tests);
        if !self::regions(&other.tests).iter().any(|o| regions.iter().any(|r| r.intersects(o))) {
            continue;
        }
        let outside: Vec<&(Field, ValueSet)> =
            other.tests.iter().filter(|(f, s)| !regions.iter().all(|r| within(r, *f, s))).collect();
        if reply && other.end == End::NoMatch {
            if outside.is_empty() {
                break;
            }
            continue;
        }
        match outside.as_slice() {
            // the path takes all of it
            [] => return,
            [(field, set)] if regions.iter().all(|r| !r.may_lack(*field) && !r.set(*field).is_empty()) => {
                let rest = field.domain().subtract(set);
                match tests.binary_search_by_key(field, |(f, _)| *f) {
                    Ok(i) => tests[i].1 = tests[i].1.intersect(&rest),
                    Err(i) => tests.insert(i, (*field, rest)),
                }
            }
            _ => {
                let what = "packets that an earlier path gives no class cannot be kept out of this rule";
                let fields: Vec<_> = other.tests.iter().map(|(f, _)| f.name()).collect();
                let reason = format!(
                    "rules have no `not` for the earlier path's tests of {} together",
                    fields.join(", ")
                );
                out.lost(path.span, what, reason);
                return;
            }
        }
    }
    if tests.iter().all(|(_, s)| !s.is_empty()) {
        add(rules, Ordered { tests, class, span: path.span });
    }
}

fn meets(a: &[(Field, ValueSet)], b: &[(Field, ValueSet)]) -> bool {
    a.iter().all(|(f, s)| b.iter().find(|(g, _)| f == g).is_none_or(|(_, t)| s.intersects(t)))
}

fn regions(tests: &[(Field, ValueSet)]) -> Vec<Region> {
    let tests = tests.to_vec();
    rule_regions(&Rule { class: ClassId::OTHERS, tests, both: false, span: Span::default() })
}

/// Whether every packet of the box has such a value.
fn within(region: &Region, field: Field, set: &ValueSet) -> bool {
    let own = region.set(field);
    !region.may_lack(field) && !own.is_empty() && own.is_subset(set)
}

/// Adds a rule, or widens the one before, where both are of one class and differ in one field: values that the
/// program tests one by one are a set again.
fn add(rules: &mut Vec<Ordered>, rule: Ordered) {
    rules.push(rule);
    while let [.., before, last] = rules.as_mut_slice() {
        let same = before.class == last.class
            && before.tests.len() == last.tests.len()
            && before.tests.iter().zip(&last.tests).all(|((f, _), (g, _))| f == g);
        let pairs = before.tests.iter().zip(&last.tests).enumerate();
        let mut differing = pairs.filter(|(_, (a, b))| a != b).map(|(i, _)| i);
        match (same, differing.next(), differing.next()) {
            // the same rule again adds nothing
            (true, None, _) => {
                rules.pop();
                return;
            }
            (true, Some(one), None) => {
                before.tests[one].1 = before.tests[one].1.union(&last.tests[one].1);
                rules.pop();
            }
            _ => return,
        }
    }
}
