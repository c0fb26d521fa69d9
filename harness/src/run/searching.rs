//! A search within a run: the measurements that an algorithm asks for are trials like all others, each on record before
//! the next begins. One that was interrupted goes on where it was, as its trials are answered from the records.

use super::order::Slot;
use super::sweep::{RETRIES, Ran, State, Sweep};
use super::{Event, RunError};
use crate::search::{self, Abandoned, Answer, Counts, Goal, Limits, Measure, Pps};
use csn::{Nanos, Rate, RateSpec, Search};
use reports::record::{self, Record, Step, Trial};
use std::time::Instant;

/// Defaults of what a scenario leaves open: shares first, then times.
const EXCEED: f64 = 0.5;
/// Relative width of a result.
const WIDTH: f64 = 0.01;
/// Deciding trials per load.
const TRIALS: u64 = 5;
/// All trials of a search together send at most this long (the draft's search time limit).
const LIMIT: Nanos = Nanos::from_secs(1200);
/// The lowest load as a share of the highest.
const LOWEST: f64 = 0.001;
/// The trial that finds out how fast the generator is takes at most this long.
const FLAT_OUT: Nanos = Nanos::from_secs(1);
/// Of the generator's highest rate, this much is what it can be asked to keep: flat out it needs no schedule.
const KEPT: f64 = 0.98;

/// The goals of a search whose deciding trials take `time`.
pub(super) fn goals(search: &Search, time: Nanos) -> Vec<Goal> {
    search
        .loss
        .iter()
        .map(|loss| Goal {
            loss,
            exceed: search.exceed.unwrap_or(EXCEED),
            width: search.width.unwrap_or(WIDTH),
            initial: search.first.unwrap_or(time).min(time),
            last: time,
            sum: search.sum.unwrap_or(Nanos(time.0 * TRIALS)),
        })
        .collect()
}

impl Sweep<'_> {
    /// Runs one search and records it. False when the user stopped it.
    pub(super) fn search(
        &mut self,
        state: &mut State,
        slot: Slot,
        wanted: &Search,
    ) -> Result<bool, RunError> {
        let begun = Instant::now();
        let goals = goals(wanted, self.plan.time);
        let Some(algorithm) = search::find(wanted.method.name()) else {
            // held together by a test
            unreachable!("every method of the notation is in the table of searches")
        };
        let mut steps = Steps { sweep: self, state, slot, path: vec![], given_up: None };
        let limits = steps.limits(wanted);
        let answer = limits.and_then(|limits| algorithm.search(&goals, &limits, &mut steps));
        let (path, given_up) = (steps.path, steps.given_up);
        let invalid = match given_up {
            None => vec![],
            Some(GivenUp::Skipped) => return Ok(true),
            Some(GivenUp::Stopped) => return Ok(false),
            Some(GivenUp::Run(e)) => return Err(e),
            Some(GivenUp::Broken(why)) => vec![why],
        };
        let point = &self.plan.points[slot.0 as usize];
        let record = record::Search {
            point: slot.0,
            repeat: slot.1,
            time: super::now(),
            seconds: begun.elapsed().as_secs_f64(),
            meter: point.point.meter.to_string(),
            at: point.at.clone(),
            method: wanted.method.name().into(),
            min_pps: limits.map_or(0.0, |l| l.min.value()),
            max_pps: limits.map_or(0.0, |l| l.max.value()),
            max_measured: wanted.max.is_none(),
            path,
            invalid,
            ..found(&answer.unwrap_or_default())
        };
        self.store.append(&Record::Search(Box::new(record.clone())))?;
        self.observer.event(&Event::Found(&record));
        state.unsound += u32::from(!record.invalid.is_empty());
        state.searches.push(record);
        Ok(true)
    }
}

/// An answer as a record.
fn found(answer: &Answer) -> record::Search {
    let load = |pps: Option<Pps>| pps.map(Pps::value);
    record::Search {
        goals: answer
            .found
            .iter()
            .map(|f| record::Goal {
                loss: f.goal.loss,
                exceed: f.goal.exceed,
                width: f.goal.width,
                seconds: f.goal.last.as_secs_f64(),
                sum: f.goal.sum.as_secs_f64(),
                lower: load(f.lower),
                upper: load(f.upper),
                throughput: f.throughput,
                irregular: f.irregular.iter().map(ToString::to_string).collect(),
            })
            .collect(),
        burst: answer.burst.map(|b| record::Burst {
            packets: b.packets,
            pps: b.rate,
            implied: b.implied,
            corrected: b.corrected,
        }),
        ..record::Search::default()
    }
}

/// Why a search has no answer.
enum GivenUp {
    Skipped,
    Stopped,
    Run(RunError),
    /// The meter failed, or counted what was never sent.
    Broken(String),
}

/// Does the trials of one search.
struct Steps<'a, 'b> {
    sweep: &'a mut Sweep<'b>,
    state: &'a mut State,
    slot: Slot,
    path: Vec<Step>,
    given_up: Option<GivenUp>,
}

impl Steps<'_, '_> {
    /// The range of loads. Where no highest one is stated, the generator's is measured: a trial flat out.
    fn limits(&mut self, wanted: &Search) -> Result<Limits, Abandoned> {
        let pps = |rate: Option<Rate>| match rate {
            Some(Rate::Pps(pps)) => Some(pps),
            _ => None,
        };
        let max = match pps(wanted.max) {
            Some(max) => max,
            None => {
                let time = self.sweep.plan.time.min(FLAT_OUT);
                let (trial, _) = self.step(RateSpec::Max, time)?;
                self.walk(&trial, None, time, Counts::default());
                trial.offered.achieved_pps * KEPT
            }
        };
        let min = pps(wanted.min).unwrap_or(max * LOWEST).min(max);
        Ok(Limits { min: Pps::of(min), max: Pps::of(max), time: wanted.limit.unwrap_or(LIMIT) })
    }

    /// The trial of the next step, from the records or now, and whether noise disturbed it to the end.
    fn step(&mut self, rate: RateSpec, time: Nanos) -> Result<(Trial, bool), Abandoned> {
        let number = self.path.len() as u32;
        let mut on_record = self.state.trials.iter().rev();
        if let Some(past) =
            on_record.find(|t| (t.point, t.repeat) == self.slot && t.step == Some(number)).cloned()
        {
            let disturbed = is_disturbed(&past);
            return Ok((past, disturbed));
        }
        let mut attempt = 0;
        loop {
            let point = &self.sweep.plan.points[self.slot.0 as usize];
            let setting = csn::experiment::Setting { rate, ..point.setting.clone() };
            let ran = self.sweep.one(self.state, self.slot, &setting, time, Some(number), attempt > 0);
            let broken = match ran {
                Ok(Ran::Trial { broken, .. }) => broken,
                Ok(Ran::Skipped) => return self.give_up(GivenUp::Skipped),
                Ok(Ran::Stopped) => return self.give_up(GivenUp::Stopped),
                Err(e) => return self.give_up(GivenUp::Run(e)),
            };
            let trial = self.state.trials.last().cloned().unwrap_or_default();
            if broken {
                return self.give_up(GivenUp::Broken(trial.invalid.join("; ")));
            }
            let disturbed = is_disturbed(&trial);
            if !disturbed || attempt == RETRIES {
                return Ok((trial, disturbed));
            }
            attempt += 1;
        }
    }

    fn give_up<T>(&mut self, why: GivenUp) -> Result<T, Abandoned> {
        self.given_up = Some(why);
        Err(Abandoned)
    }

    /// Notes a step; none for the load flat out.
    fn walk(&mut self, trial: &Trial, load: Option<Pps>, time: Nanos, counts: Counts) {
        self.path.push(Step {
            trial: trial.index,
            pps: load.map_or(trial.offered.achieved_pps, Pps::value),
            seconds: time.as_secs_f64(),
            due: counts.due,
            unsent: counts.unsent,
            lost: counts.lost,
            disturbed: is_disturbed(trial),
        });
    }
}

impl Measure for Steps<'_, '_> {
    fn measure(&mut self, rate: Pps, time: Nanos) -> Result<Counts, Abandoned> {
        let (trial, _) = self.step(RateSpec::Fixed(Rate::Pps(rate.value())), time)?;
        let counts = counts(&trial, time);
        self.walk(&trial, Some(rate), time, counts);
        Ok(counts)
    }
}

/// Whether a machine that stood still now and then spoiled a trial. A rate that was missed throughout is none of it: the
/// generator has its limits, and the search has to know.
fn is_disturbed(trial: &Trial) -> bool {
    let offered = &trial.offered;
    let wanted = offered.scheduled_pps.or(offered.intended_pps);
    let kept =
        wanted.is_none_or(|pps| offered.achieved_pps >= pps * (1.0 - crate::trial::validity::RATE_TOLERANCE));
    !trial.invalid.is_empty() && kept
}

/// What a trial counted, seen by a search: packets that left after their time was over did not leave.
fn counts(trial: &Trial, time: Nanos) -> Counts {
    let offered = &trial.offered;
    let due = offered.planned.max(offered.accepted);
    // a sender that needs longer for its packets has not kept the rate
    let late = match offered.scheduled_pps.or(offered.intended_pps) {
        Some(pps) if offered.achieved_pps < pps * (1.0 - crate::trial::validity::RATE_TOLERANCE) => {
            (due as f64 * (1.0 - offered.achieved_pps / pps)) as u64
        }
        _ => 0,
    };
    let unsent = (due - offered.accepted).max(late).min(due);
    // per class: what is too many in one makes up for nothing in another
    let lost: u64 =
        trial.classes.iter().map(|c| c.sent.saturating_sub(c.filtered).saturating_sub(c.counted)).sum();
    Counts { time, due, unsent, lost: lost.min(due - unsent) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reports::record::{ClassCount, Offered};

    fn trial(pps: f64, achieved: f64, planned: u64, accepted: u64, counted: u64) -> Trial {
        let offered = Offered {
            intended_pps: Some(pps),
            achieved_pps: achieved,
            planned,
            accepted,
            ..Offered::default()
        };
        let class = ClassCount { class: "a".into(), sent: accepted, filtered: 0, counted };
        Trial { offered, classes: vec![class], ..Trial::default() }
    }

    #[test]
    fn what_left_late_or_not_at_all_was_not_offered() {
        let s = Nanos::from_secs(1);
        let c = counts(&trial(1000.0, 1000.0, 1000, 1000, 990), s);
        assert_eq!((c.due, c.unsent, c.lost), (1000, 0, 10));
        // refused, or never due in time
        let c = counts(&trial(1000.0, 995.0, 1000, 900, 900), s);
        assert_eq!((c.unsent, c.lost), (100, 0));
        // all left, in twice the time
        let c = counts(&trial(1000.0, 500.0, 1000, 1000, 1000), s);
        assert_eq!((c.unsent, c.lost), (500, 0));
        assert!((c.loss() - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_missed_rate_is_the_generator_s_limit_and_a_stall_is_noise() {
        let mut slow = trial(1000.0, 800.0, 1000, 1000, 1000);
        slow.invalid.push("rate missed".into());
        assert!(!is_disturbed(&slow));
        let mut stalled = trial(1000.0, 999.0, 1000, 1000, 900);
        stalled.invalid.push("the sender stood still".into());
        assert!(is_disturbed(&stalled));
    }

    #[test]
    fn every_method_of_the_notation_is_an_algorithm() {
        for (name, _) in csn::Method::ALL {
            assert!(search::find(name).is_some(), "{name}");
        }
        assert_eq!(csn::Method::ALL.len(), search::ALGORITHMS.len());
    }

    #[test]
    fn what_a_scenario_leaves_open_has_a_default() {
        let wanted = Search { loss: [0.0, 0.005].into_iter().collect(), ..Search::default() };
        let goals = goals(&wanted, Nanos::from_secs(1));
        assert_eq!(goals.len(), 2);
        assert_eq!((goals[1].loss, goals[1].exceed, goals[1].sum), (0.005, 0.5, Nanos::from_secs(5)));
        let first = Search { first: Some(Nanos::from_secs(9)), ..wanted };
        assert_eq!(super::goals(&first, Nanos::from_secs(1))[0].initial, Nanos::from_secs(1));
    }
}
