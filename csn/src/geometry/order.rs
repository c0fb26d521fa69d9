//! An order of rules that takes a linear meter fewer comparisons and classifies alike.

use super::reach::Status;
use super::{Geometry, expected_comparisons};
use crate::mix::{Target, TrafficMix};
use crate::ruleset::RuleSet;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

/// Overlapping pairs that an order may have to keep; with more, none is worked out.
const PAIRS: usize = 20_000_000;

/// An order of rules. Rules that overlap stand as before, so that every packet is first matched by the same rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// The rules by their present places, from 0.
    pub rules: Vec<usize>,
    /// Comparisons per packet that a linear meter makes now.
    pub before: f64,
    /// And in this order.
    pub after: f64,
}

impl Order {
    /// The part of the comparisons that is saved, 0 to 1.
    pub fn saving(&self) -> f64 {
        if self.before > 0.0 { 1.0 - self.after / self.before } else { 0.0 }
    }

    /// The rule set in this order.
    pub fn apply(&self, rules: &RuleSet) -> RuleSet {
        let reordered = self.rules.iter().map(|i| rules.rules[*i].clone()).collect();
        RuleSet { classes: rules.classes.clone(), rules: reordered }
    }
}

/// The parts of the traffic that each rule is the first to match, and that of `others`. The flows of a class go round
/// its rules; `dead` ones get none. Shares of flows or bytes count as if they were of packets.
pub fn shares(rules: &RuleSet, mix: &TrafficMix, dead: impl Fn(usize) -> bool) -> (Vec<f64>, f64) {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); rules.classes.len()];
    for (i, rule) in rules.rules.iter().enumerate().filter(|(i, _)| !dead(*i)) {
        of_class[rule.class.index()].push(i);
    }
    let (mut out, mut others) = (vec![0.0; rules.rules.len()], 0.0);
    for c in &mix.components {
        match c.target {
            Target::Rule(i) if i < out.len() => out[i] += c.share,
            Target::Rule(_) => {}
            Target::Others(_) => others += c.share,
            Target::Class(class) => {
                let own = &of_class[class.index()];
                let flows = c.traffic.flows.map_or(own.len(), |n| n as usize).max(1);
                for (k, i) in own.iter().enumerate() {
                    let turns = flows / own.len() + usize::from(k < flows % own.len());
                    out[*i] += c.share * turns as f64 / flows as f64;
                }
            }
        }
    }
    (out, others)
}

/// A rule that may come next.
struct Next {
    worth: f64,
    rule: usize,
}

impl PartialEq for Next {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Next {}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        self.worth.total_cmp(&other.worth).then_with(|| Reverse(self.rule).cmp(&Reverse(other.rule)))
    }
}

/// Takes what may come next in order of its worth.
fn listed(before: &[Vec<u32>], worth: &[f64]) -> Vec<usize> {
    let mut waiting: Vec<usize> = before.iter().map(Vec::len).collect();
    let mut behind: Vec<Vec<u32>> = vec![Vec::new(); before.len()];
    for (rule, earlier) in before.iter().enumerate() {
        earlier.iter().for_each(|e| behind[*e as usize].push(rule as u32));
    }
    let next = |rule: usize| Next { worth: worth[rule], rule };
    let mut heap: BinaryHeap<Next> = (0..before.len()).filter(|r| waiting[*r] == 0).map(next).collect();
    let mut out = Vec::with_capacity(before.len());
    while let Some(Next { rule, .. }) = heap.pop() {
        out.push(rule);
        for later in behind[rule].iter().map(|l| *l as usize) {
            waiting[later] -= 1;
            if waiting[later] == 0 {
                heap.push(next(later));
            }
        }
    }
    out
}

/// The largest mean load of a chain that starts with the rule, each of whose members waits for the one before: a
/// rule that holds up busy ones is worth coming early.
fn chains(before: &[Vec<u32>], loads: &[f64]) -> Vec<f64> {
    let mut best: Vec<(f64, f64)> = loads.iter().map(|l| (*l, 1.0)).collect();
    for rule in (0..before.len()).rev() {
        let (sum, count) = best[rule];
        for e in before[rule].iter().map(|e| *e as usize) {
            let longer = (loads[e] + sum, 1.0 + count);
            if longer.0 * best[e].1 > best[e].0 * longer.1 {
                best[e] = longer;
            }
        }
    }
    best.into_iter().map(|(sum, count)| sum / count).collect()
}

impl Geometry<'_> {
    /// An order of the rules for these parts of the traffic: rules that overlap keep theirs, the others go by load as
    /// in list scheduling with precedences; never worse than the present order. Rules that cannot be reached go last.
    ///
    /// # Errors
    /// How many rules, from the first, were compared when there were too many overlapping pairs to go on.
    pub fn order(&self, shares: &[f64], others: f64) -> Result<Order, usize> {
        let status = self.survey(super::survey::Bounds::ADVICE).status;
        self.order_of(&status, shares, others)
    }

    pub(super) fn order_of(&self, status: &[Status], shares: &[f64], others: f64) -> Result<Order, usize> {
        let count = self.rules.rules.len();
        let dead: Vec<bool> = status.iter().map(Status::is_dead).collect();
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); count];
        let mut pairs = 0;
        for (rule, before) in before.iter_mut().enumerate() {
            let earlier = self.overlapped(rule).into_iter();
            // what a rule that matches nothing overlaps may pass it; it stays behind what covers it
            *before = earlier.filter(|e| !dead[*e]).map(|e| e as u32).collect();
            pairs += before.len();
            if pairs > PAIRS {
                return Err(rule);
            }
        }
        let loads: Vec<f64> = (0..count).map(|i| if dead[i] { -1.0 } else { shares[i] }).collect();
        let cost = |rules: &[usize]| {
            let in_order: Vec<f64> = rules.iter().map(|i| shares[*i]).collect();
            expected_comparisons(self.rules, &in_order, others)
        };
        let present: Vec<usize> = (0..count).collect();
        let now = cost(&present);
        let candidates = [listed(&before, &chains(&before, &loads)), listed(&before, &loads)];
        let best = candidates.into_iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
        // a difference that rounding makes is none
        match best.filter(|b| cost(b) < now - 1e-9 * now) {
            Some(rules) => Ok(Order { before: now, after: cost(&rules), rules }),
            None => Ok(Order { before: now, after: now, rules: present }),
        }
    }
}
