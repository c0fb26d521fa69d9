//! What is to be said about the rules of a scenario.

use super::reach::Status;
use super::region::{Region, conjunction};
use super::survey::{Bounds, Overlapped, Survey};
use super::{Geometry, Reach, SHAPES};
use crate::codes;
use crate::diagnostic::{Diagnostic, Label};
use crate::field::Field;
use crate::mix::{Component, Target, TrafficMix};
use crate::ruleset::{ClassId, Rule, RuleSet};

/// Places that are named in one finding.
const PLACES: usize = 3;
/// Rules whose overlaps, or whose being unknown, are told one by one; the others are summed up.
const FEW: usize = 10;
/// Rules that cannot match, and classes without packets, that are told one by one.
const MANY: usize = 100;

/// Rules that match nothing (E250), rules that earlier ones cover (W251), rules of different classes that overlap
/// (W252), and rules of which that was not found out (W253, L254), in the order of the rules; then classes that no
/// packet is of (W255) and traffic that a `load` asks for and that cannot be made (E308).
pub fn diagnostics(rules: &RuleSet, mix: &TrafficMix) -> Vec<Diagnostic> {
    let geometry = Geometry::new(rules);
    let survey = geometry.survey(Bounds::CHECK);
    findings(&geometry, &survey, mix)
}

/// Whether the finding is one of [`diagnostics`].
pub fn finds(d: &Diagnostic) -> bool {
    use codes::{COVERED, IMPOSSIBLE, NO_PACKETS, NOTHING, OVERLAP, UNCHECKED, UNKNOWN_REACH};
    let own = [NOTHING, COVERED, OVERLAP, UNKNOWN_REACH, UNCHECKED, NO_PACKETS, IMPOSSIBLE];
    own.iter().any(|c| c.code == d.code)
}

pub(super) fn findings(geometry: &Geometry, survey: &Survey, mix: &TrafficMix) -> Vec<Diagnostic> {
    let rules = geometry.rules;
    let mut out: Vec<(usize, Diagnostic)> = Vec::new();
    out.extend(unreachable(rules, survey));
    out.extend(overlaps(geometry, survey));
    out.sort_by_key(|(i, _)| *i);
    let mut out: Vec<_> = out.into_iter().map(|(_, d)| d).collect();
    out.extend(uncompared(rules, survey));
    let idle = idle_classes(rules, survey);
    out.extend(without_packets(rules, &idle));
    let mut without = vec![false; rules.classes.len()];
    idle.iter().for_each(|c| without[c.index()] = true);
    out.extend(mix.components.iter().filter_map(|c| impossible(geometry, survey, &without, c)));
    out
}

/// Classes with rules of which none can match.
pub(super) fn idle_classes(rules: &RuleSet, survey: &Survey) -> Vec<ClassId> {
    let (mut has_rules, mut alive) = (vec![false; rules.classes.len()], vec![false; rules.classes.len()]);
    for (rule, status) in rules.rules.iter().zip(&survey.status) {
        has_rules[rule.class.index()] = true;
        alive[rule.class.index()] |= !status.is_dead();
    }
    let idle = (0..rules.classes.len()).filter(|c| has_rules[*c] && !alive[*c]);
    idle.map(|c| ClassId(c as u32)).collect()
}

/// What of a long list is told one by one: all but for one more is no reason to sum up.
fn told(count: usize, most: usize) -> usize {
    if count > most + 1 { most } else { count }
}

fn without_packets(rules: &RuleSet, idle: &[ClassId]) -> Vec<Diagnostic> {
    let finding = |class: &ClassId, message: String| {
        Diagnostic::new(
            &codes::NO_PACKETS,
            rules.classes[class.index()].span,
            message,
            "none of its rules can ever match",
            "put its rules in front of those that cover them, or take the class out",
        )
    };
    let singly = told(idle.len(), MANY);
    let mut out: Vec<_> = idle[..singly]
        .iter()
        .map(|c| finding(c, format!("no packet is of class {}", rules.label(*c))))
        .collect();
    if let Some(next) = idle.get(singly) {
        let more = idle.len() - singly - 1;
        out.push(finding(next, format!("no packet is of this class and {more} further ones")));
    }
    out
}

/// Whether the packets of a component can be made; classes that get traffic only because nothing else is said are
/// left to whoever makes it.
fn impossible(geometry: &Geometry, survey: &Survey, without: &[bool], c: &Component) -> Option<Diagnostic> {
    let rules = geometry.rules;
    let (what, reason) = match c.target {
        Target::Rule(i) if survey.status[i].is_dead() => {
            (format!("rule {}", i + 1), "the rule can never match")
        }
        Target::Class(class) if c.span != rules.classes[class.index()].span => without[class.index()]
            .then(|| (format!("class {}", rules.label(class)), "none of its rules can ever match"))?,
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

/// Rules that match nothing, cannot match, or may not.
fn unreachable(rules: &RuleSet, survey: &Survey) -> Vec<(usize, Diagnostic)> {
    let mut out = Vec::new();
    let of = |test: fn(&Status) -> bool| -> Vec<usize> {
        (0..rules.rules.len()).filter(|i| test(&survey.status[*i])).collect()
    };
    for i in of(|s| *s == Status::Empty) {
        out.push((i, nothing(rules, i)));
    }
    let covered = of(|s| matches!(s, Status::Covered(_)));
    let singly = told(covered.len(), MANY);
    for (n, i) in covered.iter().enumerate().take(singly + 1) {
        let Status::Covered(by) = &survey.status[*i] else { continue };
        let mut found = dead(rules, *i, by);
        if n == singly {
            let more = covered.len() - singly - 1;
            found.message = format!("this rule and {more} further ones can never match");
        }
        out.push((*i, found));
    }
    let unknown = of(|s| *s == Status::Unknown);
    let singly = told(unknown.len(), FEW);
    for (n, i) in unknown.iter().enumerate().take(singly + 1) {
        let message = match unknown.len() - n {
            more if n == singly => {
                format!("whether this rule and {} further ones can match was not found out", more - 1)
            }
            _ => format!("whether rule {} can match was not found out", i + 1),
        };
        out.push((*i, not_found_out(rules, *i, message)));
    }
    out
}

fn nothing(rules: &RuleSet, i: usize) -> Diagnostic {
    Diagnostic::new(
        &codes::NOTHING,
        rules.rules[i].span,
        format!("rule {} matches no packet", i + 1),
        contradiction(&rules.rules[i]),
        "drop one of these tests, or the rule",
    )
}

fn dead(rules: &RuleSet, i: usize, by: &[usize]) -> Diagnostic {
    let same = |b: &usize| {
        let (a, b) = (&rules.rules[i], &rules.rules[*b]);
        a.tests == b.tests && a.both == b.both
    };
    let (reason, cure) = match by {
        [one] if same(one) => (format!("rule {} tests the same, and comes first", one + 1), "remove it"),
        _ => (
            format!(
                "every packet that it accepts is matched by {} before{}",
                numbered(by),
                if by.len() > 1 { ", taken together" } else { "" }
            ),
            "put it in front of them, or remove it",
        ),
    };
    Diagnostic {
        related: by
            .iter()
            .take(PLACES)
            .map(|b| Label { span: rules.rules[*b].span, text: format!("rule {} comes first", b + 1) })
            .collect(),
        ..Diagnostic::new(
            &codes::COVERED,
            rules.rules[i].span,
            format!("rule {} can never match", i + 1),
            reason,
            cure,
        )
    }
}

fn not_found_out(rules: &RuleSet, i: usize, message: String) -> Diagnostic {
    Diagnostic::new(
        &codes::UNKNOWN_REACH,
        rules.rules[i].span,
        message,
        "too many earlier rules overlap it in too many ways",
        "merge earlier rules of one class into sets, put the rule in front of them, or let `check --advise` look longer",
    )
}

/// Rules whose overlaps were not looked for.
fn uncompared(rules: &RuleSet, survey: &Survey) -> Option<Diagnostic> {
    let (from, count) = (survey.compared, rules.rules.len());
    let rule = rules.rules.get(from)?;
    let open = survey.status[from..].iter().filter(|s| **s == Status::Unknown).count();
    Some(Diagnostic::new(
        &codes::UNCHECKED,
        rule.span,
        format!("overlaps of rules {} to {count} are not looked for", from + 1),
        match open {
            0 => "there are too many among the rules before; whether these can match is known of all".into(),
            _ => format!(
                "there are too many among the rules before; whether these can match is known of all but {open}"
            ),
        },
        "let `check --advise` look longer, or check parts of the rules by themselves",
    ))
}

/// "rule 3", "rules 3 and 7", "rules 3, 7, 9 and 12 others".
pub(super) fn numbered(rules: &[usize]) -> String {
    numbered_of(rules, rules.len())
}

/// The same where only the first of `count` rules are given.
fn numbered_of(first: &[usize], count: usize) -> String {
    let name = |i: &usize| (i + 1).to_string();
    match first {
        [] => "no rule".into(),
        [one] if count == 1 => format!("rule {}", name(one)),
        [most @ .., last] if count == first.len() && count <= PLACES + 1 => {
            format!("rules {} and {}", most.iter().map(name).collect::<Vec<_>>().join(", "), name(last))
        }
        _ => {
            let named: Vec<_> = first.iter().take(PLACES).map(name).collect();
            format!("rules {} and {} others", named.join(", "), count - named.len())
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
fn overlaps(geometry: &Geometry, survey: &Survey) -> Vec<(usize, Diagnostic)> {
    let rules = geometry.rules;
    let with = &survey.overlapped;
    let mut found: Vec<usize> = (0..with.len()).filter(|i| with[*i].count > 0).collect();
    let pairs_from = |i: usize| with[i..].iter().map(|w| w.count).sum::<usize>();
    // one statement can be many rules: it is told once
    found.dedup_by_key(|i| rules.rules[*i].span);
    let singly = told(found.len(), FEW);
    let mut out: Vec<_> = found[..singly].iter().map(|i| (*i, overlap(geometry, *i, &with[*i]))).collect();
    if let Some(i) = found.get(singly).copied() {
        let mut summary = overlap(geometry, i, &with[i]);
        let more = found.len() - singly - 1;
        summary.message = format!("this and {more} further rules overlap earlier rules of other classes");
        summary.reason =
            format!("{} pairs of rules from here on; the first rule of a pair wins", pairs_from(i));
        out.push((i, summary));
    }
    out
}

fn overlap(geometry: &Geometry, later: usize, earlier: &Overlapped) -> Diagnostic {
    let rules = geometry.rules;
    let wins = |i: &usize| rules.label(rules.rules[*i].class);
    let example = geometry
        .common(earlier.first[0], later)
        .map_or(String::new(), |r| format!(" (such as {})", example(&r)));
    Diagnostic {
        related: earlier
            .first
            .iter()
            .map(|e| Label { span: rules.rules[*e].span, text: format!("rule {}, class {}", e + 1, wins(e)) })
            .collect(),
        ..Diagnostic::new(
            &codes::OVERLAP,
            rules.rules[later].span,
            format!(
                "rule {} overlaps {} of other classes",
                later + 1,
                numbered_of(&earlier.first, earlier.count)
            ),
            format!(
                "packets that both match{example} are of class {}, not {}",
                wins(&earlier.first[0]),
                wins(&later)
            ),
            "narrow one of the rules where this is not meant: the first that matches wins",
        )
    }
}

/// The first value of every field that the box narrows.
pub(super) fn example(region: &Region) -> String {
    let parts: Vec<_> =
        region.narrowed_fields().filter_map(|f| Some(format!("{f} = {}", region.set(f).nth(0)?))).collect();
    if parts.is_empty() { "any".into() } else { parts.join(", ") }
}
