//! A run: all trials of a scenario, in an order that is fair to every point, each on disk before the next begins.
//!
//! ```text
//! Scenario ─ plan ─► points ─ order ─► trials (interleaved, seeded) ─ sweep ─► records.jsonl
//!                                          └─ noise made one invalid: again, at the end
//! ```
//!
//! [`run`] makes the lab and goes; [`sweep::Sweep`] is the loop, which knows neither lab nor network.

mod enough;
pub mod order;
pub mod plan;
mod searching;
pub mod stop;
pub mod store;
pub mod sweep;

pub use stop::Stop;

use crate::host;
use crate::lab::{Lab, LabError, LabOptions};
use crate::trial::{Bench, LiveBench, TrialError};
use csn::Scenario;
use plan::Plan;
use reports::record::{self, Record, Skip, Trial};
use std::io;
use std::path::PathBuf;
use store::{Past, Store};
use sweep::Sweep;

/// How a scenario is to be run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The scenario's path as given.
    pub scenario: PathBuf,
    /// The scenario's text, what it includes behind it.
    pub text: String,
    /// The command line that repeats the run.
    pub command: String,
    /// The folder of the run.
    pub out: PathBuf,
    /// Fewer and shorter trials.
    pub quick: bool,
    /// Go on with a run that was interrupted.
    pub resume: bool,
    /// Only these meters, by name or as written; empty for all.
    pub meters: Vec<String>,
    /// How the lab is made.
    pub lab: LabOptions,
}

/// What happens in a run, for progress and logs.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something that the user should know.
    Note(String),
    /// A meter or a point is left out.
    Skipped(&'a Skip),
    /// Trials begin.
    Planned {
        /// Trials to come.
        trials: u32,
        /// Trials that are on record already.
        done: u32,
        /// Points that can be run.
        points: u32,
        /// Trials per point.
        repeat: u32,
        /// Estimated seconds.
        seconds: f64,
        /// What, where and with what.
        head: &'a record::Run,
    },
    /// The discarded first trial begins.
    WarmUp,
    /// A trial begins.
    Started(&'a Step),
    /// A trial goes on: some ten times a second.
    Tick,
    /// A trial is on record.
    Measured {
        /// Which.
        step: &'a Step,
        /// What it gave.
        trial: &'a Trial,
    },
    /// A search is on record.
    Found(&'a record::Search),
    /// The run has ended.
    Ended(&'a Outcome),
}

/// A trial of a run.
#[derive(Clone, Debug)]
pub struct Step {
    /// Number in the order of running.
    pub index: u32,
    /// Trials behind it.
    pub left: u32,
    /// The point in words.
    pub point: String,
    /// Number of the repeat.
    pub repeat: u32,
    /// Whether it repeats a trial that noise made invalid.
    pub retry: bool,
    /// Estimated seconds from its start to the end of the run.
    pub seconds_left: f64,
}

/// Sees what happens in a run.
pub trait Observer {
    /// Called for every event, on the thread of the run.
    fn event(&mut self, event: &Event<'_>);
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The folder of the run.
    pub folder: PathBuf,
    /// Valid trials on record.
    pub valid: u32,
    /// Invalid trials on record.
    pub invalid: u32,
    /// Invalid trials of this session that are not the machine's noise: open ledgers, wrong counts, failed meters.
    pub unsound: u32,
    /// Points without any valid trial.
    pub without_result: Vec<String>,
    /// What was left out.
    pub skipped: Vec<Skip>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

impl Outcome {
    /// The exit code of the command line's table, as far as it is about running; whether expectations hold is for
    /// the report to say.
    pub fn exit_code(&self) -> u8 {
        match self {
            Outcome { interrupted: true, .. } => 1,
            Outcome { valid: 0, invalid: 0, .. } => 77,
            o if o.unsound > 0 || !o.without_result.is_empty() => 101,
            _ => 0,
        }
    }
}

/// Why a run could not be done.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No point is left to run.
    #[error(
        "nothing to run: {}",
        if .meters.is_empty() {
            "the scenario names no meter\n  cure: add a statement like `meter: rtfm;`".to_string()
        } else {
            format!("no meter of the scenario is meant by --meter\n  cure: choose from {}", .meters.join("; "))
        }
    )]
    Empty {
        /// The meters of the scenario.
        meters: Vec<String>,
    },
    /// The folder holds a run already.
    #[error(
        "{} holds a run already\n  cure: --resume to go on with it, or another folder with -o",
        .folder.display()
    )]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// Another process writes to the folder.
    #[error("another csnbench is running in {}\n  cure: wait for it, or choose another folder with -o", .folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
    },
    /// The run that is there is another one.
    #[error(
        "{} holds another run: {what}\n  cure: run that with what it was begun with, or start anew with another -o",
        .folder.display()
    )]
    Differs {
        /// The folder.
        folder: PathBuf,
        /// What differs.
        what: String,
    },
    /// The records can't be read.
    #[error("{}, line {line}: {reason}\n  cure: mend or remove the line, or start anew with another -o", .path.display())]
    Records {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A file or folder of the run.
    #[error("could not {what} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is no lab.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A trial could not be run at all.
    #[error(transparent)]
    Trial(#[from] TrialError),
    /// Signals can't be listened to.
    #[error("could not listen to signals: {0}")]
    Signals(io::Error),
}

impl RunError {
    /// The exit code of the command line's table.
    pub fn exit_code(&self) -> u8 {
        match self {
            RunError::Empty { .. }
            | RunError::Exists { .. }
            | RunError::Busy { .. }
            | RunError::Differs { .. } => 64,
            RunError::Records { .. } => 65,
            RunError::Lab(LabError::Refused { .. }) => 77,
            RunError::Trial(_) | RunError::Lab(_) | RunError::Io { .. } | RunError::Signals(_) => 1,
        }
    }
}

/// Runs a scenario in a lab on this machine. Ctrl-C and the like end it in order from then on.
///
/// # Errors
/// [`RunError`]. What is on record by then is valid, and can be resumed.
pub fn run(
    scenario: &Scenario,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome, RunError> {
    let stop = Stop::listen().map_err(RunError::Signals)?;
    run_on(scenario, options, &stop, observer, |observer| {
        let mtu = plan::link_mtu(scenario).unwrap_or(options.lab.mtu);
        let lab = Lab::create(&LabOptions { mtu, ..options.lab.clone() })?;
        if !lab.removed().is_empty() {
            observer.event(&Event::Note(format!(
                "removed what a killed run had left: network namespaces {}",
                lab.removed().join(", ")
            )));
        }
        Ok(Box::new(LiveBench::new(lab, options.lab.program.clone(), meters::METERS)))
    })
}

/// Runs a scenario on the bench that `make` gives, which is asked for when all else is in order.
///
/// # Errors
/// As [`run`].
pub fn run_on(
    scenario: &Scenario,
    options: &RunOptions,
    stop: &Stop,
    observer: &mut dyn Observer,
    make: impl FnOnce(&mut dyn Observer) -> Result<Box<dyn Bench>, RunError>,
) -> Result<Outcome, RunError> {
    let plan = Plan::of(scenario, options.quick, &options.meters)?;
    let (mut store, mut past) = open(options, observer)?;
    // before a bench takes the machine in hand
    let host = host::facts();
    let mut bench = make(observer)?;
    let mut head = plan.head(scenario, options, &*bench, host);
    head.calibration = bench.calibrate();
    // a bench without a machine has nothing to calibrate
    if bench.lab().meter_cpu.is_some() {
        head.host.warnings.extend(crate::clocks::warnings(&head.calibration));
    }
    begin(&head, options, &mut store, &mut past)?;
    let (rules, bench) = (&scenario.rules, &mut *bench);
    Sweep { plan: &plan, rules, head: &head, bench, store: &mut store, observer, stop }.run(past)
}

/// Opens the folder, for a new run or an old one.
fn open(options: &RunOptions, observer: &mut dyn Observer) -> Result<(Store, Past), RunError> {
    if !options.resume {
        return Ok((Store::create(&options.out)?, Past::default()));
    }
    let (store, past) = Store::resume(&options.out)?;
    if past.dropped > 0 {
        observer.event(&Event::Note(format!(
            "dropped {} bytes of a record that was not written to its end",
            past.dropped
        )));
    }
    Ok((store, past))
}

/// Writes the head of a new run, or sees that the old one is the same.
fn begin(
    head: &record::Run,
    options: &RunOptions,
    store: &mut Store,
    past: &mut Past,
) -> Result<(), RunError> {
    match past.head.take() {
        None => store.append(&Record::Run(Box::new(head.clone()))),
        Some(old) => match difference(&old, head) {
            Some(what) => Err(RunError::Differs { folder: options.out.clone(), what }),
            // one that had come to its end has nothing to go on with, unless a meter is no longer missing
            None if past.ended => Ok(()),
            None => store.append(&Record::Resume { time: now(), host: head.host.clone() }),
        },
    }
}

/// What makes two runs incomparable, so that the one can't go on as the other.
fn difference(old: &record::Run, new: &record::Run) -> Option<String> {
    let told = |what: &str, a: &dyn std::fmt::Display, b: &dyn std::fmt::Display| {
        Some(format!("{what} {a} there, {b} now"))
    };
    if old.version != new.version {
        return told("version of the records", &old.version, &new.version);
    }
    if old.tool != new.tool {
        return told("version of csnbench", &old.tool, &new.tool);
    }
    if old.rules_hash != new.rules_hash {
        return told("hash of the rules", &old.rules_hash, &new.rules_hash);
    }
    if old.text != new.text {
        return Some("the scenario's text has changed".into());
    }
    if old.quick != new.quick {
        return told("--quick", &old.quick, &new.quick);
    }
    if old.axes != new.axes || old.repeat != new.repeat {
        return Some("its points are others (--meter?)".into());
    }
    None
}

/// Seconds since 1970.
pub fn now() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map(|d| d.as_secs_f64()).unwrap_or(0.0)
}
