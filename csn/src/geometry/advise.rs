//! Advice: what could be better about rules that are right.

use super::diagnose::{example, findings, idle_classes, numbered};
use super::merge::{Merge, apart};
use super::order::{Order, shares};
use super::reach::Status;
use super::survey::{Bounds, Survey};
use super::{Geometry, Reach};
use crate::codes;
use crate::diagnostic::{Diagnostic, Label};
use crate::mix::{ShareOf, TrafficMix};
use crate::ruleset::{ClassId, RuleSet};

/// Merges that are told one by one.
const MERGES: usize = 100;
/// Rules of the front of an order that are named.
const FRONT: usize = 8;

/// What a closer look at a rule set finds.
#[derive(Clone, Debug)]
pub struct Advice {
    /// What [`super::diagnostics`] finds, after a longer search; then rules that could be one (L256) and a better
    /// order (L257).
    pub diagnostics: Vec<Diagnostic>,
    /// Rules that are the first to match no packet.
    pub unreachable: Vec<usize>,
    /// Rules of which that was not found out.
    pub unknown: Vec<usize>,
    /// How many rules, from the first, were compared with all before them.
    pub compared: usize,
    /// Pairs of compared rules of different classes that overlap and can both match.
    pub overlaps: usize,
    /// Classes with rules of which none can match.
    pub idle: Vec<ClassId>,
    /// Whether there are packets that no rule matches.
    pub others: Reach,
    /// Merges that can all be made.
    pub merges: Vec<Merge>,
    /// The best order found; none where too many rules overlap for one to be worked out.
    pub order: Option<Order>,
    /// The order counts shares of flows or bytes as if they were of packets.
    pub order_is_rough: bool,
}

impl Advice {
    /// A packet that no rule matches, in words; none where there is none, or none was found.
    pub fn example_of_others(&self) -> Option<String> {
        if let Reach::Reachable(region) = &self.others { Some(example(region)) } else { None }
    }
}

/// Looks longer at the rules than a check does, for a minute or so where they overlap in many ways.
pub fn advice(rules: &RuleSet, mix: &TrafficMix) -> Advice {
    let geometry = Geometry::new(rules);
    let survey = geometry.survey(Bounds::ADVICE);
    let of = |test: fn(&Status) -> bool| -> Vec<usize> {
        (0..rules.rules.len()).filter(|i| test(&survey.status[*i])).collect()
    };
    let (shares, others) = shares(rules, mix, |i| survey.status[i].is_dead());
    let order = geometry.order_of(&survey.status, &shares, others).ok();
    let mut out = Advice {
        diagnostics: findings(&geometry, &survey, mix),
        unreachable: of(|s| s.is_dead()),
        unknown: of(|s| *s == Status::Unknown),
        compared: survey.compared,
        overlaps: survey.overlapped.iter().map(|o| o.count).sum(),
        idle: idle_classes(rules, &survey),
        others: geometry.others(),
        merges: apart(&geometry.merges_of(&survey), rules.rules.len()),
        order,
        order_is_rough: mix.components.iter().any(|c| c.share_of != ShareOf::Packets),
    };
    out.diagnostics.extend(mergeable(rules, &out.merges));
    out.diagnostics.extend(better_order(rules, &survey, out.order.as_ref()));
    out
}

fn mergeable(rules: &RuleSet, merges: &[Merge]) -> Vec<Diagnostic> {
    // the rules of one statement were written as one
    let apart = |m: &&Merge| {
        let span = |i: &usize| rules.rules[*i].span;
        m.rules.iter().any(|i| span(i) != span(&m.rules[0]))
    };
    let merges: Vec<&Merge> = merges.iter().filter(apart).collect();
    let singly = if merges.len() > MERGES + 1 { MERGES } else { merges.len() };
    let mut out: Vec<Diagnostic> = merges[..singly].iter().map(|m| one_rule(rules, m)).collect();
    if let Some(next) = merges.get(singly) {
        let mut last = one_rule(rules, next);
        last.message =
            format!("this and {} further groups of rules could be one each", merges.len() - singly - 1);
        out.push(last);
    }
    out
}

fn one_rule(rules: &RuleSet, m: &Merge) -> Diagnostic {
    let first = m.rules[0];
    let labels = m.rules[1..].iter().take(3);
    Diagnostic {
        related: labels
            .map(|i| Label { span: rules.rules[*i].span, text: format!("rule {}", i + 1) })
            .collect(),
        ..Diagnostic::new(
            &codes::MERGEABLE,
            rules.rules[first].span,
            format!("{} could be one", numbered(&m.rules)),
            format!("they are of one class, and differ in {} only", m.field),
            format!("write one rule here with a set: {} = {{…}}", m.field),
        )
    }
}

fn better_order(rules: &RuleSet, survey: &Survey, order: Option<&Order>) -> Option<Diagnostic> {
    let Some(order) = order else {
        let rule = rules.rules.first()?;
        return Some(Diagnostic::new(
            &codes::REORDER,
            rule.span,
            "no better order of the rules was looked for",
            "too many of them overlap: all these pairs must keep their order",
            "order parts of the rules by themselves",
        ));
    };
    let moved = order.rules.iter().enumerate().find(|(place, rule)| place != *rule)?;
    if order.after >= order.before {
        return None;
    }
    let first = *moved.1;
    let front: Vec<String> = order.rules.iter().take(FRONT).map(|i| (i + 1).to_string()).collect();
    let more = if order.rules.len() > FRONT { ", …" } else { "" };
    let unknown = survey.status.contains(&Status::Unknown);
    Some(Diagnostic::new(
        &codes::REORDER,
        rules.rules[first].span,
        format!("another order of the rules takes {:.1}% fewer comparisons", 100.0 * order.saving()),
        format!(
            "a linear meter makes {:.2} per packet now, and {:.2} with rule {} at place {}{}",
            order.before,
            order.after,
            first + 1,
            moved.0 + 1,
            if unknown {
                "; rules of which it is not known whether they match count as if they did"
            } else {
                ""
            }
        ),
        format!("order the rules as {}{more}: every packet stays of its rule", front.join(", ")),
    ))
}
