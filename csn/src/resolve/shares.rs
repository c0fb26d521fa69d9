//! From settings to the parts of the traffic mix: who gets which share.
//!
//! A class's weight is that of all its rules together; a rule with a weight of its own takes it out of the class's.
//! What the weights leave is divided equally among the classes without one (and `others`, if it is loaded).

use super::context::Context;
use super::load::{Loads, Settings};
use crate::codes;
use crate::diagnostic::Span;
use crate::mix::{Component, Miss, ShareOf, Target, Traffic, TrafficMix};
use crate::ruleset::{ClassId, RuleSet};

/// Shares closer than this are equal: percentages are not binary fractions.
const CLOSE: f64 = 1e-9;

/// A class's part of the traffic.
struct Part {
    class: ClassId,
    /// Places of its rules.
    rules: Vec<usize>,
    /// The rules whose load gives them a weight, and those without.
    weighted: f64,
    unweighted: Vec<usize>,
    /// The share of the rules without weight; none until what is left is divided.
    rest: Option<f64>,
}

/// The mix that the loads make of the classes.
pub(crate) fn mix(cx: &mut Context<'_>, loads: &Loads, rules: &RuleSet) -> TrafficMix {
    let mut parts = parts(loads, rules);
    for (class, settings) in &loads.classes {
        if let Some((_, span)) = settings.weight
            && !parts.iter().any(|p| p.class == *class)
        {
            weight_of_nothing(cx, &rules.label(*class), span, loads);
        }
    }
    parts.iter_mut().for_each(|p| p.rest = rest_of_class(cx, p, loads, rules));
    let others = divide(cx, &mut parts, loads, rules);
    let mut components: Vec<Component> = Vec::new();
    for p in parts.iter().filter(|p| !splits(p, loads)) {
        let settings = loads.classes.get(&p.class);
        let traffic = layered(loads, settings, None);
        let span = settings.and_then(|s| s.span).unwrap_or(rules.classes[p.class.index()].span);
        let share = p.rest.unwrap_or(0.0);
        components.push(component(Target::Class(p.class), share, settings, traffic, span));
    }
    let mut single: Vec<Component> = Vec::new();
    for p in parts.iter().filter(|p| splits(p, loads)) {
        rule_components(p, loads, rules, &mut single);
    }
    single.sort_by_key(|c| if let Target::Rule(i) = c.target { i } else { usize::MAX });
    components.extend(single);
    if let (Some(share), Some(settings)) = (others, loads.others.as_ref()) {
        let miss = settings.miss.map_or(Miss::default(), |(m, _)| m);
        let traffic = layered(loads, Some(settings), None);
        let span = settings.span.unwrap_or_default();
        components.push(component(Target::Others(miss), share, Some(settings), traffic, span));
    }
    components.retain(|c| c.share > CLOSE);
    TrafficMix { components }
}

fn weight_of_nothing(cx: &mut Context<'_>, label: &str, span: Span, loads: &Loads) {
    if !loads.uncertain {
        cx.add(
            &codes::WEIGHT_OF_NOTHING,
            span,
            format!("class {label} has no rule, so no packet can be of it"),
            "its weight cannot be sent",
            "add a rule to the class, or take the weight out",
        );
    }
}

/// Classes with rules, in order of their number.
fn parts(loads: &Loads, rules: &RuleSet) -> Vec<Part> {
    let mut by_class: Vec<Vec<usize>> = vec![Vec::new(); rules.classes.len()];
    for (i, rule) in rules.rules.iter().enumerate() {
        by_class[rule.class.index()].push(i);
    }
    let weight = |i: &usize| loads.rules.get(i).and_then(|s| s.weight).map(|(w, _)| w);
    let mut parts: Vec<Part> = by_class
        .into_iter()
        .enumerate()
        .filter(|(_, places)| !places.is_empty())
        .map(|(class, places)| Part {
            class: ClassId(class as u32),
            weighted: places.iter().filter_map(weight).sum(),
            unweighted: places.iter().copied().filter(|i| weight(i).is_none()).collect(),
            rules: places,
            rest: None,
        })
        .collect();
    parts.sort_by_key(|p| rules.classes[p.class.index()].number);
    parts
}

/// What the rules of a class without weight get together, where the class's weight says it; reports weights that
/// do not fit into each other.
fn rest_of_class(cx: &mut Context<'_>, p: &Part, loads: &Loads, rules: &RuleSet) -> Option<f64> {
    let Some((weight, span)) = loads.classes.get(&p.class).and_then(|s| s.weight) else {
        return p.unweighted.is_empty().then_some(0.0);
    };
    let rest = weight - p.weighted;
    let label = rules.label(p.class);
    if rest < -CLOSE {
        cx.add(
            &codes::OVER_100,
            span,
            format!("the rules of class {label} have more weight than the class"),
            format!("{} of {}", percent(p.weighted), percent(weight)),
            "raise the weight of the class, or lower those of its rules",
        );
    } else if rest > CLOSE && p.unweighted.is_empty() {
        cx.add(
            &codes::UNDER_100,
            span,
            format!("the rules of class {label} have less weight than the class"),
            format!("{} of {}, and none of them is without a weight", percent(p.weighted), percent(weight)),
            "leave out the weight of the class, or of one of its rules",
        );
    }
    Some(rest.max(0.0))
}

/// Divides what the weights leave; answers the share of `others`, where it is loaded.
fn divide(cx: &mut Context<'_>, parts: &mut [Part], loads: &Loads, rules: &RuleSet) -> Option<f64> {
    let others = loads.others.as_ref().map(|s| s.weight);
    let fixed: f64 = parts.iter().map(|p| p.weighted + p.rest.unwrap_or(0.0)).sum::<f64>()
        + others.flatten().map_or(0.0, |(w, _)| w);
    let waiting = parts.iter().filter(|p| p.rest.is_none()).count() + usize::from(others == Some(None));
    let left = 1.0 - fixed;
    let last_weight = || {
        let class = loads.classes.values().filter_map(|s| s.weight);
        let rule = loads.rules.values().filter_map(|s| s.weight);
        class.chain(rule).chain(others.flatten()).map(|(_, span)| span).max_by_key(|s| (s.file, s.start))
    };
    if let Some(span) = last_weight()
        && !loads.uncertain
    {
        if left < -CLOSE {
            cx.add(
                &codes::OVER_100,
                span,
                format!("the weights come to {}", percent(fixed)),
                "they are shares of all packets",
                "lower them, or leave one out: it then gets what is left",
            );
        } else if left > CLOSE && waiting == 0 {
            cx.add(
                &codes::UNDER_100,
                span,
                format!("the weights come to {}", percent(fixed)),
                "everything has a weight, and nobody gets the rest",
                format!("write `load: others, weight = {};`, or leave one weight out", percent(left)),
            );
        } else if left < CLOSE && others.flatten().is_none_or(|(w, _)| w < 1.0 - CLOSE) {
            no_traffic(cx, parts, rules);
        }
    }
    let each = (left / waiting.max(1) as f64).max(0.0);
    parts.iter_mut().for_each(|p| {
        p.rest.get_or_insert(each);
    });
    others.map(|weight| weight.map_or(each, |(w, _)| w))
}

fn no_traffic(cx: &mut Context<'_>, parts: &[Part], rules: &RuleSet) {
    for p in parts.iter().filter(|p| p.rest.is_none() && p.weighted < CLOSE) {
        cx.add(
            &codes::NO_TRAFFIC,
            rules.classes[p.class.index()].span,
            format!("class {} gets no traffic", rules.label(p.class)),
            "the other weights leave nothing",
            "lower them, or write `weight = 0%` if it is meant",
        );
    }
}

/// Whether the rules of a class are parts of their own, because some have a load of their own.
fn splits(p: &Part, loads: &Loads) -> bool {
    p.rules.iter().any(|i| loads.rules.contains_key(i))
}

fn rule_components(p: &Part, loads: &Loads, rules: &RuleSet, out: &mut Vec<Component>) {
    let class = loads.classes.get(&p.class);
    let each = p.rest.unwrap_or(0.0) / p.unweighted.len().max(1) as f64;
    // the flows of the class go to its rules that do not say how many they have, the first ones get one more
    let sharing: Vec<usize> =
        p.rules.iter().copied().filter(|i| loads.rules.get(i).is_none_or(|s| s.flows.is_none())).collect();
    let flows = layered(loads, class, None).flows;
    for &i in &p.rules {
        let settings = loads.rules.get(&i);
        let share = settings.and_then(|s| s.weight).map_or(each, |(w, _)| w);
        let mut traffic = layered(loads, class, settings);
        if let (Some(n), Some(at)) = (flows, sharing.iter().position(|j| *j == i)) {
            let among = sharing.len() as u32;
            traffic.flows = Some((n / among + u32::from((at as u32) < n % among)).max(1));
        }
        let span = settings.or(class).and_then(|s| s.span).unwrap_or(rules.classes[p.class.index()].span);
        out.push(component(Target::Rule(i), share, settings.or(class), traffic, span));
    }
}

fn layered(loads: &Loads, class: Option<&Settings>, rule: Option<&Settings>) -> Traffic {
    let mut traffic = loads.all.over(Traffic::default());
    for settings in [class, rule].into_iter().flatten() {
        traffic = settings.over(traffic);
    }
    traffic
}

fn component(
    target: Target,
    share: f64,
    settings: Option<&Settings>,
    traffic: Traffic,
    span: Span,
) -> Component {
    let share_of = settings.and_then(|s| s.of).map_or(ShareOf::default(), |(of, _)| of);
    Component { target, share, share_of, traffic, span }
}

/// A share in percent, to four digits behind the point at most.
fn percent(share: f64) -> String {
    format!("{}%", (share * 1e6).round() / 1e4)
}
