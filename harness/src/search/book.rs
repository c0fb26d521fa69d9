//! All trials of a search, by load.

use super::judge::{self, Class, Judge};
use super::{Counts, Found, Goal, Irregular, Limits, Pps};
use std::collections::BTreeMap;

/// The trials so far.
#[derive(Clone, Debug, Default)]
pub struct Book {
    loads: BTreeMap<Pps, Vec<Counts>>,
    /// All trials together, in seconds of sending.
    spent: f64,
}

/// The relevant bounds of a goal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The highest load below `upper` that meets the goal.
    pub lower: Option<Pps>,
    /// The lowest load that does not.
    pub upper: Option<Pps>,
}

impl Book {
    /// Adds a trial.
    pub fn add(&mut self, load: Pps, counts: Counts) {
        self.spent += counts.time.as_secs_f64();
        self.loads.entry(load).or_default().push(counts);
    }

    /// The trials at a load.
    pub fn at(&self, load: Pps) -> &[Counts] {
        self.loads.get(&load).map_or(&[], Vec::as_slice)
    }

    /// Seconds of sending so far.
    pub fn spent(&self) -> f64 {
        self.spent
    }

    /// The class of a load.
    pub fn class(&self, load: Pps, judge: &Judge) -> Class {
        judge.class(self.at(load))
    }

    /// The relevant bounds.
    pub fn bounds(&self, judge: &Judge) -> Bounds {
        let mut bounds = Bounds::default();
        for (load, trials) in &self.loads {
            match judge.class(trials) {
                Class::Lower => bounds.lower = Some(*load),
                Class::Upper => return Bounds { upper: Some(*load), ..bounds },
                Class::Undecided => {}
            }
        }
        bounds
    }

    /// What is found for a goal. `in_time` is whether the search came to its end.
    pub fn found(&self, goal: Goal, judge: &Judge, limits: &Limits, in_time: bool) -> Found {
        let Bounds { lower, upper } = self.bounds(judge);
        let mut irregular = vec![];
        match (lower, upper) {
            (Some(load), None) if load >= limits.max => irregular.push(Irregular::AtMax),
            (None, Some(load)) if load <= limits.min => irregular.push(Irregular::BelowMin),
            _ => {}
        }
        if let Some(upper) = upper {
            let alone: Vec<Counts> = self.at(upper).iter().map(Counts::without_unsent).collect();
            if judge.class(&alone) != Class::Upper {
                irregular.push(Irregular::Generator);
            }
            let above = self.loads.range(upper..).rev();
            let inverted = above.map(|(l, t)| (*l, judge.class(t))).find(|(_, class)| *class == Class::Lower);
            irregular.extend(inverted.map(|(load, _)| Irregular::Inversion(load)));
        }
        if !in_time {
            irregular.push(Irregular::Time);
        }
        let throughput = lower.map(|load| load.value() * self.forwarding_ratio(load, &goal, judge));
        Found { goal, lower, upper, throughput, irregular }
    }

    /// Share of packets that got through at a load that meets the goal.
    fn forwarding_ratio(&self, load: Pps, goal: &Goal, judge: &Judge) -> f64 {
        match judge {
            Judge::Mlr(_) => judge::forwarding_ratio(goal, self.at(load)),
            // the trial that verified the load
            Judge::Verified { .. } => self.at(load).iter().map(|t| 1.0 - t.loss()).fold(0.0, f64::max),
        }
    }
}
