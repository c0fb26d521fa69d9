//! The loop over all trials of a run, on any [`Bench`].

use super::order::{Slot, interleaved};
use super::plan::{Plan, PlannedPoint};
use super::stop::Stop;
use super::store::{Past, Store};
use super::{Event, Observer, Outcome, RunError, Step, enough};
use crate::trial::{Bench, Measured, Task, TrialError};
use csn::experiment::Setting;
use csn::{MeterSpec, Nanos, RateSpec, RuleSet};
use reports::record::{Record, Run, Search, Skip, Trial};
use reports::stats::Estimator;
use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

/// A trial that noise made invalid is repeated at the end this often.
pub const RETRIES: u32 = 2;
/// On a machine that is always noisy there is no end to that: all repetitions together are at most this part of
/// the trials that are planned.
const RETRY_BUDGET: f64 = 0.5;
/// What a trial takes beside its sending, in seconds, until that is known better.
const OVERHEAD: f64 = 0.7;
/// The warm-up sends at most this long: what it warms is the machine, not the statistics.
const WARM_UP: Nanos = Nanos::from_secs(1);

/// A run in progress.
pub struct Sweep<'a> {
    /// What is run.
    pub plan: &'a Plan,
    /// All rules of the scenario.
    pub rules: &'a RuleSet,
    /// The head of the records.
    pub head: &'a Run,
    /// Does the trials.
    pub bench: &'a mut dyn Bench,
    /// Takes the records.
    pub store: &'a mut Store,
    /// Sees what happens.
    pub observer: &'a mut dyn Observer,
    /// Says when to stop.
    pub stop: &'a Stop,
}

/// How far a run is.
#[derive(Default)]
pub(super) struct State {
    pub(super) trials: Vec<Trial>,
    pub(super) searches: Vec<Search>,
    /// Reasons for leaving points out, by their number; the version of the meter for the others.
    skipped: BTreeMap<u32, Skip>,
    versions: BTreeMap<u32, String>,
    queue: VecDeque<Slot>,
    retries: VecDeque<Slot>,
    /// Repetitions that may still be asked for.
    budget: u32,
    /// Trials and searches that are invalid for other reasons than noise.
    pub(super) unsound: u32,
    spent: f64,
    measured: u32,
}

impl Sweep<'_> {
    /// Runs what is not in `past` yet.
    ///
    /// # Errors
    /// [`RunError`]: the records can't be written, the lab or the generator fails. What is recorded stays valid.
    pub fn run(&mut self, past: Past) -> Result<Outcome, RunError> {
        let ended = past.ended;
        let mut state = self.begin(past);
        let finished = self.all_trials(&mut state)?;
        let outcome = self.outcome(&state, !finished);
        if finished && (state.measured > 0 || !ended) {
            let skipped = outcome.skipped.clone();
            self.store.append(&Record::End { time: super::now(), skipped })?;
        }
        self.observer.event(&Event::Ended(&outcome));
        Ok(outcome)
    }

    /// Finds out what can be run, and what is left of it.
    fn begin(&mut self, past: Past) -> State {
        let mut state = State::default();
        for (number, point) in self.plan.points.iter().enumerate() {
            match self.prepare(&point.point.meter, number, &state) {
                Ok(version) => drop(state.versions.insert(number as u32, version)),
                Err(skip) => drop(state.skipped.insert(number as u32, skip)),
            }
        }
        for skip in distinct(&state.skipped) {
            self.observer.event(&Event::Skipped(&skip));
        }
        state.budget = (f64::from(self.plan.trials()) * RETRY_BUDGET).ceil() as u32;
        (state.trials, state.searches) = (past.trials, past.searches);
        state.queue = interleaved(self.plan.points.len() as u32, self.plan.repeat, self.plan.seed)
            .into_iter()
            .filter(|slot| !state.skipped.contains_key(&slot.0) && !state.is_done(*slot))
            .collect();
        state
    }

    /// The version of a meter; asked for once per meter, not once per point.
    fn prepare(&self, spec: &MeterSpec, number: usize, state: &State) -> Result<String, Skip> {
        match self.plan.points[..number].iter().position(|p| p.point.meter == *spec) {
            Some(i) => match state.skipped.get(&(i as u32)) {
                Some(skip) => Err(skip.clone()),
                None => Ok(state.versions.get(&(i as u32)).cloned().unwrap_or_default()),
            },
            None => self.bench.prepare(spec, self.rules),
        }
    }

    /// Runs the warm-up, the queue and the retries. False when the user stopped it.
    fn all_trials(&mut self, state: &mut State) -> Result<bool, RunError> {
        self.observer.event(&Event::Planned {
            trials: state.queue.len() as u32,
            done: state.trials.len() as u32,
            points: (self.plan.points.len() - state.skipped.len()) as u32,
            repeat: self.plan.repeat,
            seconds: self.seconds_left(state),
            head: self.head,
        });
        let mut warm = false;
        let mut estimator = Estimator::new(self.plan.seed);
        while let Some((slot, retry)) = state.next() {
            if self.plan.within.is_some_and(|share| {
                enough::known(&mut estimator, share, slot.0, &state.trials, &state.searches)
            }) {
                continue;
            }
            if !warm {
                self.observer.event(&Event::WarmUp);
                if !self.warm_up(slot)? {
                    return Ok(false);
                }
                warm = true;
            }
            if self.stop.wanted() || !self.slot(state, slot, retry)? {
                return Ok(false);
            }
        }
        Ok(!self.stop.wanted())
    }

    /// Runs a trial that nobody looks at.
    fn warm_up(&mut self, slot: Slot) -> Result<bool, RunError> {
        // a point that turns out not to run is met again, and recorded, by its real trial
        let setting = &self.plan.points[slot.0 as usize].setting;
        // a search begins with the highest rate, and so does its warm-up
        let rate = if matches!(setting.rate, RateSpec::Search(_)) { RateSpec::Max } else { setting.rate };
        match self.trial(slot, &Setting { rate, ..setting.clone() }, self.plan.time.min(WARM_UP)) {
            Ok(_) | Err(Failure::Trial(TrialError::Skip(_))) => Ok(true),
            Err(failure) => failure.ended(),
        }
    }

    /// Runs the trial of a slot, or its search. False when the user stopped it.
    fn slot(&mut self, state: &mut State, slot: Slot, retry: bool) -> Result<bool, RunError> {
        let setting = &self.plan.points[slot.0 as usize].setting;
        if let RateSpec::Search(wanted) = setting.rate {
            return self.search(state, slot, &wanted);
        }
        match self.one(state, slot, setting, self.plan.time, None, retry)? {
            Ran::Trial { noise, .. } => state.after(slot, noise),
            Ran::Skipped => {}
            Ran::Stopped => return Ok(false),
        }
        Ok(true)
    }

    /// Runs one trial and records it; `number` is that of its step in a search.
    pub(super) fn one(
        &mut self,
        state: &mut State,
        slot: Slot,
        setting: &Setting,
        time: Nanos,
        number: Option<u32>,
        retry: bool,
    ) -> Result<Ran, RunError> {
        let point = &self.plan.points[slot.0 as usize];
        let index = state.trials.iter().map(|t| t.index + 1).max().unwrap_or(0);
        let step = Step {
            index,
            left: (state.queue.len() + state.retries.len()) as u32,
            point: if number.is_some() {
                format!("{} at {}", point.label(), setting.rate)
            } else {
                point.label()
            },
            repeat: slot.1,
            retry,
            seconds_left: self.seconds_left(state),
        };
        self.observer.event(&Event::Started(&step));
        let (start, began) = (Instant::now(), super::now());
        let measured = match self.trial(slot, setting, time) {
            Ok(measured) => measured,
            Err(Failure::Trial(TrialError::Skip(skip))) => {
                self.skip(state, slot.0, skip);
                return Ok(Ran::Skipped);
            }
            Err(failure) => return failure.ended().map(|_| Ran::Stopped),
        };
        let version = state.versions.get(&slot.0).cloned().unwrap_or_default();
        let numbers = Numbers { index, slot, step: number, time: began, version };
        let trial = complete(measured.trial, point, numbers);
        self.store.append(&Record::Trial(Box::new(trial.clone())))?;
        state.spent += start.elapsed().as_secs_f64();
        state.measured += 1;
        self.observer.event(&Event::Measured { step: &step, trial: &trial });
        state.trials.push(trial);
        Ok(Ran::Trial { noise: measured.noise, broken: measured.broken })
    }

    /// Runs one trial in a folder of its own.
    fn trial(&mut self, slot: Slot, setting: &Setting, time: Nanos) -> Result<Measured, Failure> {
        let point = &self.plan.points[slot.0 as usize];
        let folder = self.store.scratch()?;
        let task = Task {
            spec: &point.point.meter,
            rules: self.rules,
            loaded: point.loaded,
            setting,
            time,
            seed: self.plan.seed,
            folder: &folder,
        };
        let (stop, observer) = (self.stop, &mut *self.observer);
        let result = self.bench.trial(&task, &mut || {
            observer.event(&Event::Tick);
            stop.check()
        });
        self.store.keep(&folder, &point.folder(slot.0));
        Ok(result?)
    }

    /// Leaves a point out from now on.
    fn skip(&mut self, state: &mut State, point: u32, skip: Skip) {
        let skip = Skip { what: self.plan.points[point as usize].label(), ..skip };
        self.observer.event(&Event::Skipped(&skip));
        state.skipped.insert(point, skip);
        state.queue.retain(|slot| slot.0 != point);
        state.retries.retain(|slot| slot.0 != point);
    }

    /// How long the rest will take.
    fn seconds_left(&self, state: &State) -> f64 {
        let each = if state.measured > 0 {
            state.spent / f64::from(state.measured)
        } else {
            self.plan.time.as_secs_f64() + OVERHEAD
        };
        (state.queue.len() + state.retries.len()) as f64 * each
    }

    /// What came of it.
    fn outcome(&self, state: &State, interrupted: bool) -> Outcome {
        let valid: Vec<&Trial> = state.trials.iter().filter(|t| t.invalid.is_empty()).collect();
        let found = |point: u32| state.searches.iter().any(|s| s.point == point && s.invalid.is_empty());
        let has_valid =
            |point: u32| found(point) || valid.iter().any(|t| t.point == point && t.step.is_none());
        let runnable = (0..self.plan.points.len() as u32).filter(|p| !state.skipped.contains_key(p));
        Outcome {
            folder: self.store.folder().into(),
            valid: valid.len() as u32,
            invalid: (state.trials.len() - valid.len()) as u32,
            unsound: state.unsound,
            without_result: runnable
                .filter(|p| !has_valid(*p))
                .map(|p| self.plan.points[p as usize].label())
                .collect(),
            skipped: distinct(&state.skipped),
            interrupted,
        }
    }
}

impl State {
    /// Whether a trial has a valid record, or has had all its chances.
    fn is_done(&self, slot: Slot) -> bool {
        if self.searches.iter().any(|s| (s.point, s.repeat) == slot) {
            return true;
        }
        // trials of a search that did not come to its end are its own
        let of_slot = || self.trials.iter().filter(|t| (t.point, t.repeat) == slot && t.step.is_none());
        of_slot().any(|t| t.invalid.is_empty()) || of_slot().count() as u32 > RETRIES
    }

    /// The next trial, and whether it repeats an invalid one.
    fn next(&mut self) -> Option<(Slot, bool)> {
        match self.queue.pop_front() {
            Some(slot) => Some((slot, false)),
            None => self.retries.pop_front().map(|slot| (slot, true)),
        }
    }

    /// Puts a trial that noise spoiled at the end once more; counts one that is wrong.
    fn after(&mut self, slot: Slot, noise: bool) {
        if noise && !self.is_done(slot) && self.budget > 0 {
            self.retries.push_back(slot);
            self.budget -= 1;
        } else if !noise && self.trials.last().is_some_and(|t| !t.invalid.is_empty()) {
            self.unsound += 1;
        }
    }
}

/// What a trial is called.
struct Numbers {
    index: u32,
    slot: Slot,
    step: Option<u32>,
    time: f64,
    version: String,
}

/// What became of a trial.
pub(super) enum Ran {
    /// It is on record.
    Trial {
        /// It is invalid for nothing but noise.
        noise: bool,
        /// Its counts can't be right.
        broken: bool,
    },
    /// Its point can't be run.
    Skipped,
    /// The user wants to stop.
    Stopped,
}

/// Gives a measured trial its place in the run.
fn complete(measured: Trial, point: &PlannedPoint, numbers: Numbers) -> Trial {
    let mut trial = Trial {
        index: numbers.index,
        point: numbers.slot.0,
        repeat: numbers.slot.1,
        step: numbers.step,
        time: numbers.time,
        meter: point.point.meter.to_string(),
        meter_version: numbers.version,
        at: point.at.clone(),
        x: point.x.clone(),
        ..measured
    };
    // rates that are not in packets/s are known as such only now
    if let (true, Some(pps)) = (point.at.contains_key("rate"), trial.offered.intended_pps) {
        trial.x.entry("rate".into()).or_insert(pps);
    }
    trial
}

/// Each reason for leaving something out once.
fn distinct(skipped: &BTreeMap<u32, Skip>) -> Vec<Skip> {
    let mut out: Vec<Skip> = vec![];
    for skip in skipped.values() {
        if !out.contains(skip) {
            out.push(skip.clone());
        }
    }
    out
}

/// Why there was no trial.
enum Failure {
    Trial(TrialError),
    Run(RunError),
}

impl From<TrialError> for Failure {
    fn from(e: TrialError) -> Self {
        Failure::Trial(e)
    }
}

impl From<RunError> for Failure {
    fn from(e: RunError) -> Self {
        Failure::Run(e)
    }
}

impl Failure {
    /// False for the user's wish to stop, an error for the rest.
    fn ended(self) -> Result<bool, RunError> {
        match self {
            Failure::Trial(TrialError::Interrupted) => Ok(false),
            Failure::Trial(e) => Err(e.into()),
            Failure::Run(e) => Err(e),
        }
    }
}
