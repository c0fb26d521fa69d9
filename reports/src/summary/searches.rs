//! Searches for the highest rate: what they found at each point, over all repetitions.

use super::points::reasons;
use crate::record::{Goal, Search, Trial};
use crate::stats::{Estimate, Estimator, median};
use crate::store::Stored;
use crate::text::{self, percent};
use serde::Serialize;
use std::collections::BTreeSet;

/// What the searches of one point found for one goal.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Throughput {
    /// Number of the point in the grid.
    pub point: u32,
    /// The meter, and where the point lies beside its rate: `rtfm, rules 10`.
    pub label: String,
    /// How was searched.
    pub method: String,
    /// Tolerated share of packets lost.
    pub loss: f64,
    /// How near the bounds had to come, as a share.
    pub width: f64,
    /// The relevant lower bound in packets/s: the highest rate that meets the goal. None where no search has one.
    pub lower: Option<Estimate>,
    /// Searches that are results.
    pub searches: usize,
    /// Why results are not the meter's limit alone, and how many searches say so.
    pub irregular: Vec<(String, usize)>,
    /// Median of the corrected buffer time in seconds (RFC 9004), where bursts were looked for.
    pub buffer: Option<f64>,
    /// Median loss at each load that was tried, from the highest down: the curve of RFC 2544, section 26.3.
    pub curve: Vec<(f64, f64)>,
}

/// The trials that medians are taken over: those of no search, and of each search one at the rate that it found. The
/// others ran at rates that are no one's result.
pub(super) fn counting(stored: &Stored) -> Stored {
    let chosen: BTreeSet<u32> = stored.searches.iter().filter_map(|s| at_result(s, &stored.trials)).collect();
    let counts = |t: &&Trial| t.step.is_none() || chosen.contains(&t.index);
    Stored { trials: stored.trials.iter().filter(counts).cloned().collect(), ..stored.clone() }
}

/// The number of the last valid trial at the rate that a search found for its first goal.
fn at_result(search: &Search, trials: &[Trial]) -> Option<u32> {
    let goal = search.goals.first().filter(|_| search.invalid.is_empty())?;
    let at = |s: &&crate::record::Step| Some(s.pps) == goal.lower && s.seconds >= goal.seconds;
    let valid = |n: &u32| trials.iter().any(|t| t.index == *n && reasons(t).is_empty());
    search.path.iter().rev().filter(at).map(|s| s.trial).find(valid)
}

/// What was found, by point and goal.
pub(super) fn all(stored: &Stored, estimator: &mut Estimator) -> Vec<Throughput> {
    let mut out = vec![];
    let points: BTreeSet<u32> = stored.searches.iter().map(|s| s.point).collect();
    for point in points {
        let searches: Vec<&Search> =
            stored.searches.iter().filter(|s| s.point == point && s.invalid.is_empty()).collect();
        let Some(first) = searches.first() else { continue };
        for (g, goal) in first.goals.iter().enumerate() {
            let goals: Vec<&Goal> = searches.iter().filter_map(|s| s.goals.get(g)).collect();
            let mut irregular: Vec<(String, usize)> = vec![];
            for why in goals.iter().flat_map(|g| &g.irregular) {
                match irregular.iter_mut().find(|(known, _)| known == why) {
                    Some((_, n)) => *n += 1,
                    None => irregular.push((why.clone(), 1)),
                }
            }
            let buffers: Vec<f64> =
                searches.iter().filter_map(|s| s.burst.as_ref()).map(|b| b.corrected).collect();
            out.push(Throughput {
                point,
                label: label(first),
                method: first.method.clone(),
                loss: goal.loss,
                width: goal.width,
                lower: estimator.estimate(goals.iter().filter_map(|g| g.lower).collect()),
                searches: searches.len(),
                irregular,
                buffer: median(&buffers),
                curve: if first.method == "loss-rate" { curve(&searches) } else { vec![] },
            });
        }
    }
    out
}

/// The point without its rate, which is the search itself.
fn label(search: &Search) -> String {
    let others = search.at.iter().filter(|(name, _)| !matches!(name.as_str(), "meter" | "rate"));
    others.fold(search.meter.clone(), |label, (name, value)| format!("{label}, {name} {value}"))
}

/// Median loss over load.
fn curve(searches: &[&Search]) -> Vec<(f64, f64)> {
    let steps = || searches.iter().flat_map(|s| &s.path).filter(|s| s.due > 0);
    let mut loads: Vec<f64> = steps().map(|s| s.pps).collect();
    loads.sort_by(|a, b| b.total_cmp(a));
    loads.dedup();
    loads
        .into_iter()
        .filter_map(|load| {
            let at = steps().filter(|s| s.pps == load);
            let losses: Vec<f64> = at.map(|s| (s.unsent + s.lost) as f64 / s.due as f64).collect();
            Some((load, median(&losses)?))
        })
        .collect()
}

/// What was found, in sentences.
pub(super) fn findings(throughputs: &[Throughput]) -> Vec<String> {
    throughputs.iter().map(finding).collect()
}

fn finding(t: &Throughput) -> String {
    let goal =
        if t.loss == 0.0 { "without loss".into() } else { format!("with at most {} loss", percent(t.loss)) };
    let searches = match t.searches {
        1 => "one search".into(),
        n => format!("{n} searches"),
    };
    let mut text = match &t.lower {
        Some(e) => format!(
            "{} takes {} packets/s {goal} ({}, {searches}, width {}).",
            t.label,
            text::interval(e, 1.0),
            t.method,
            percent(t.width)
        ),
        None => format!("{} has no rate {goal} in the range searched ({}, {searches}).", t.label, t.method),
    };
    for (why, n) in &t.irregular {
        text.push_str(&format!(" In {n} of {}: {why}.", t.searches));
    }
    if let Some(seconds) = t.buffer {
        text.push_str(&format!(" Its buffer is {} long (corrected, RFC 9004).", text::nanos(seconds * 1e9)));
    }
    if !t.curve.is_empty() {
        let steps: Vec<String> = t
            .curve
            .iter()
            .map(|(pps, loss)| format!("{} at {}", percent(*loss), text::prefixed(*pps, "pps")))
            .collect();
        text.push_str(&format!(" Loss: {}.", steps.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Ledger, Step};

    fn stored() -> Stored {
        let trial = |index: u32, step: Option<u32>| Trial {
            index,
            step,
            ledger: Ledger { offered: 10, counted: 10, ..Ledger::default() },
            ..Trial::default()
        };
        let step = |trial: u32, pps: f64, lost: u64| Step {
            trial,
            pps,
            seconds: 1.0,
            due: 1000,
            lost,
            ..Step::default()
        };
        let search = |repeat: u32, lower: f64, first: u32| Search {
            repeat,
            meter: "rtfm".into(),
            method: "mlr".into(),
            goals: vec![Goal {
                lower: Some(lower),
                upper: Some(900.0),
                seconds: 1.0,
                width: 0.01,
                ..Goal::default()
            }],
            path: vec![step(first, 900.0, 5), step(first + 1, lower, 0)],
            ..Search::default()
        };
        Stored {
            trials: (0..4).map(|i| trial(i, Some(i % 2))).chain([trial(4, None)]).collect(),
            searches: vec![search(0, 800.0, 0), search(1, 820.0, 2)],
            ..Stored::default()
        }
    }

    #[test]
    fn medians_see_the_trials_at_the_rates_that_were_found() {
        let counted: Vec<u32> = counting(&stored()).trials.iter().map(|t| t.index).collect();
        assert_eq!(counted, [1, 3, 4]);
        // one that is no result does not count either
        let mut broken = stored();
        broken.trials[1].invalid.push("the ledger does not close".into());
        broken.searches[1].invalid.push("the meter failed".into());
        let counted: Vec<u32> = counting(&broken).trials.iter().map(|t| t.index).collect();
        assert_eq!(counted, [4]);
    }

    #[test]
    fn searches_of_a_point_make_one_estimate_and_a_sentence() {
        let mut s = stored();
        s.searches[0].goals[0].irregular.push("the limit lies above".into());
        let all = all(&s, &mut Estimator::new(1));
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].lower.as_ref().unwrap().median, 810.0);
        let text = &findings(&all)[0];
        assert!(text.contains("rtfm takes") && text.contains("without loss"), "{text}");
        assert!(text.contains("2 searches") && text.contains("In 1 of 2: the limit lies above."), "{text}");
    }
}
