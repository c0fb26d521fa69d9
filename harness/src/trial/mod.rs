//! A trial: a fresh meter, one load, one reading.
//!
//! [`evidence`] turns what was seen into the ledger, [`validity`] says whether that is a result, and [`live`] does
//! all of it in a [`crate::lab::Lab`]. To the run loop a trial is anything that implements [`Bench`]; its tests run
//! on a simulated one.

pub mod evidence;
pub mod live;
pub mod validity;

pub use live::LiveBench;

use crate::lab::LabError;
use csn::experiment::Setting;
use csn::{MeterSpec, Nanos, RuleSet};
use reports::record::{Calibration, Lab, Meter, Skip, Trial};
use std::io;
use std::path::Path;

/// What one trial is to measure.
pub struct Task<'a> {
    /// The meter with its options.
    pub spec: &'a MeterSpec,
    /// All rules of the scenario.
    pub rules: &'a RuleSet,
    /// How many of them the meter loads.
    pub loaded: usize,
    /// Traffic and rate.
    pub setting: &'a Setting,
    /// How long packets are sent.
    pub time: Nanos,
    /// Where everything random comes from.
    pub seed: u64,
    /// An empty folder for the meter.
    pub folder: &'a Path,
}

/// What a trial gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// The record, without its place in the run.
    pub trial: Trial,
    /// Whether the trial is invalid for nothing but a noisy machine, so that another one may do better.
    pub noise: bool,
    /// Whether counts can't be right at all, whatever the load: too many in a class, or none since the meter failed.
    pub broken: bool,
}

/// Why there is no trial at all.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// The point can't be run here.
    #[error("{}: {}", .0.what, .0.reason)]
    Skip(Skip),
    /// The user wants to stop.
    #[error("interrupted")]
    Interrupted,
    /// The packets can't be made or sent.
    #[error("the generator failed: {0}")]
    Generator(String),
    /// The lab failed.
    #[error(transparent)]
    Lab(#[from] LabError),
}

/// Runs trials.
pub trait Bench {
    /// How the lab is built and what could not be separated.
    fn lab(&self) -> &Lab;

    /// What is to be known of a meter, whether or not it can run here.
    fn describe(&self, spec: &MeterSpec) -> Meter {
        Meter { meter: spec.to_string(), ..Meter::default() }
    }

    /// What each source of CPU time shows of known duties, where it will measure; asked for once, at the start.
    fn calibrate(&self) -> Vec<Calibration> {
        vec![]
    }

    /// The meter's version, where it can run here with these options.
    ///
    /// # Errors
    /// Why not, and what would mend it.
    fn prepare(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<String, Skip>;

    /// Runs one trial. `watch` is called some ten times a second and ends the trial with its error.
    ///
    /// # Errors
    /// [`TrialError`]. A meter that fails is no error: it is an invalid trial.
    fn trial(
        &mut self,
        task: &Task<'_>,
        watch: &mut dyn FnMut() -> io::Result<()>,
    ) -> Result<Measured, TrialError>;
}
