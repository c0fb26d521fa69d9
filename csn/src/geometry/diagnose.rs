//! What is to be said about the rules of a scenario.

use super::region::{Region, conjunction};
use super::{Geometry, Reach, SHAPES};
use crate::codes;
use crate::diagnostic::{Diagnostic, Label};
use crate::field::Field;
use crate::mix::{Component, Target, TrafficMix};
use crate::ruleset::{Rule, RuleSet};

/// The most rules that are compared in pairs: about a second's work.
const MOST: usize = 4_000;
/// Places that are named in one finding.
const PLACES: usize = 3;
/// Rules whose overlaps are told one by one; the others are summed up.
const OVERLAPS: usize = 10;

/// Rules that match nothing (E250), rules that earlier ones cover (W251), rules of different classes that overlap
/// (W252), and rules of which that was not found out (W253), in the order of the rules; then traffic that a `load`
/// asks for and that cannot be made (E308).
pub fn diagnostics(rules: &RuleSet, mix: &TrafficMix) -> Vec<Diagnostic> {
    if rules.rules.len() > MOST {
        return vec![Diagnostic::new(
            &codes::UNCHECKED,
            rules.rules[MOST].span,
            format!("rules are not compared with each other: there are more than {MOST}"),
            format!("comparing {} rules in pairs would take too long", rules.rules.len()),
            "check parts of the rules by themselves",
        )];
    }
    let geometry = Geometry::new(rules);
    let reach: Vec<Reach> = (0..rules.rules.len()).map(|i| geometry.reach(i)).collect();
    let mut out: Vec<(usize, Diagnostic)> = Vec::new();
    for (i, r) in reach.iter().enumerate() {
        out.extend(unreachable(rules, i, r).map(|d| (i, d)));
    }
    let alive = |i: usize| !matches!(reach[i], Reach::Covered(_) | Reach::Empty);
    out.extend(overlaps(rules, &geometry, alive));
    out.sort_by_key(|(i, _)| *i);
    let mut out: Vec<_> = out.into_iter().map(|(_, d)| d).collect();
    out.extend(mix.components.iter().filter_map(|c| impossible(rules, &geometry, &reach, c)));
    out
}

/// Whether the packets of a component can be made; classes that get traffic only because nothing else is said are
/// left to whoever makes it.
fn impossible(rules: &RuleSet, geometry: &Geometry, reach: &[Reach], c: &Component) -> Option<Diagnostic> {
    let dead = |i: usize| matches!(reach[i], Reach::Covered(_) | Reach::Empty);
    let (what, reason) = match c.target {
        Target::Rule(i) if dead(i) => (format!("rule {}", i + 1), "the rule can never match"),
        Target::Class(class) if c.span != rules.classes[class.index()].span => {
            let mut own = (0..reach.len()).filter(|i| rules.rules[*i].class == class).peekable();
            own.peek()?;
            own.all(dead)
                .then(|| (format!("class {}", rules.label(class)), "none of its rules can ever match"))?
        }
        Target::Others(_) if matches!(geometry.others(), Reach::Covered(_)) => {
            ("others".into(), "the rules match every packet")
        }
        _ => return None,
    };
    Some(Diagnostic::new(
        &codes::IMPOSSIBLE,
        c.span,
        format!("no packet of {what} can be made"),
        reason,
        "change the rules or their order, or take this `load` out",
    ))
}

fn unreachable(rules: &RuleSet, i: usize, reach: &Reach) -> Option<Diagnostic> {
    let span = rules.rules[i].span;
    let n = i + 1;
    Some(match reach {
        Reach::Reachable(_) => return None,
        Reach::Empty => Diagnostic::new(
            &codes::NOTHING,
            span,
            format!("rule {n} matches no packet"),
            contradiction(&rules.rules[i]),
            "drop one of these tests, or the rule",
        ),
        Reach::Covered(by) => Diagnostic {
            related: by
                .iter()
                .take(PLACES)
                .map(|b| Label { span: rules.rules[*b].span, text: format!("rule {} comes first", b + 1) })
                .collect(),
            ..Diagnostic::new(
                &codes::COVERED,
                span,
                format!("rule {n} can never match"),
                format!(
                    "every packet that it accepts is matched by {} before{}",
                    numbered(by),
                    if by.len() > 1 { ", taken together" } else { "" }
                ),
                "put it in front of them, or remove it",
            )
        },
        Reach::Unknown => Diagnostic::new(
            &codes::UNKNOWN_REACH,
            span,
            format!("whether rule {n} can match was not found out"),
            "too many earlier rules overlap it in too many ways",
            "merge earlier rules of one class into sets, or put the rule in front of them",
        ),
    })
}

/// "rule 3", "rules 3 and 7", "rules 3, 7, 9 and 12 others".
fn numbered(rules: &[usize]) -> String {
    let name = |i: &usize| (i + 1).to_string();
    match rules {
        [] => "no rule".into(),
        [one] => format!("rule {}", name(one)),
        [most @ .., last] if rules.len() <= PLACES + 1 => {
            format!("rules {} and {}", most.iter().map(name).collect::<Vec<_>>().join(", "), name(last))
        }
        _ => {
            let named: Vec<_> = rules.iter().take(PLACES).map(name).collect();
            format!("rules {} and {} others", named.join(", "), rules.len() - PLACES)
        }
    }
}

/// The smallest part of a rule that no packet satisfies.
fn contradiction(rule: &Rule) -> String {
    let none = |tests: &[(Field, _)]| (0..SHAPES.len()).all(|s| conjunction(s, tests).is_none());
    if let Some((field, set)) = rule.tests.iter().find(|t| none(&[(*t).clone()])) {
        return match set.is_empty() {
            true => format!("the set of {field} is empty"),
            false => format!("no packet has such a value of {field}"),
        };
    }
    for (i, a) in rule.tests.iter().enumerate() {
        if let Some(b) = rule.tests[i + 1..].iter().find(|b| none(&[a.clone(), (*b).clone()])) {
            return format!("no packet satisfies both its test of {} and its test of {}", a.0, b.0);
        }
    }
    let fields: Vec<_> = rule.tests.iter().map(|(f, _)| f.name()).collect();
    format!("no packet satisfies its tests of {} together", fields.join(", "))
}

/// The overlaps of rules of different classes, by the later rule.
fn overlaps(rules: &RuleSet, geometry: &Geometry, alive: impl Fn(usize) -> bool) -> Vec<(usize, Diagnostic)> {
    let mut with: Vec<Vec<usize>> = vec![Vec::new(); rules.rules.len()];
    for (earlier, later) in geometry.overlaps() {
        let differ = rules.rules[earlier].class != rules.rules[later].class;
        if differ && alive(earlier) && alive(later) {
            with[later].push(earlier);
        }
    }
    let mut found: Vec<usize> = (0..with.len()).filter(|i| !with[*i].is_empty()).collect();
    // one statement can be many rules: it is told once
    found.dedup_by_key(|i| rules.rules[*i].span);
    let mut out: Vec<_> = found
        .iter()
        .take(if found.len() > OVERLAPS + 1 { OVERLAPS } else { found.len() })
        .map(|i| (*i, overlap(rules, geometry, *i, &with[*i])))
        .collect();
    if let Some(i) = found.get(out.len()).copied() {
        let rest = found.len() - out.len();
        let pairs: usize = found[out.len()..].iter().map(|i| with[*i].len()).sum();
        let mut summary = overlap(rules, geometry, i, &with[i]);
        summary.message =
            format!("this and {} further rules overlap earlier rules of other classes", rest - 1);
        summary.reason = format!("{pairs} pairs of rules in all; the first rule of a pair wins");
        out.push((i, summary));
    }
    out
}

fn overlap(rules: &RuleSet, geometry: &Geometry, later: usize, earlier: &[usize]) -> Diagnostic {
    let wins = |i: &usize| rules.label(rules.rules[*i].class);
    let example = earlier
        .first()
        .and_then(|e| geometry.common(*e, later))
        .and_then(|(a, b)| a.intersect(b))
        .map_or(String::new(), |r| format!(" (such as {})", example(&r)));
    Diagnostic {
        related: earlier
            .iter()
            .take(PLACES)
            .map(|e| Label { span: rules.rules[*e].span, text: format!("rule {}, class {}", e + 1, wins(e)) })
            .collect(),
        ..Diagnostic::new(
            &codes::OVERLAP,
            rules.rules[later].span,
            format!("rule {} overlaps {} of other classes", later + 1, numbered(earlier)),
            format!(
                "packets that both match{example} are of class {}, not {}",
                wins(&earlier[0]),
                wins(&later)
            ),
            "narrow one of the rules where this is not meant: the first that matches wins",
        )
    }
}

/// The first value of every field that the box narrows.
fn example(region: &Region) -> String {
    let parts: Vec<_> =
        region.narrowed_fields().filter_map(|f| Some(format!("{f} = {}", region.set(f).nth(0)?))).collect();
    if parts.is_empty() { "any".into() } else { parts.join(", ") }
}
