//! A search for the highest rate, as a record: what was looked for, on which way, and what was found.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One search at one point. Its trials are records of their own, with the number of their step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Search {
    /// Number of the point in the grid, from 0.
    pub point: u32,
    /// Number of the repetition of this point, from 0.
    pub repeat: u32,
    /// Seconds since 1970 at the end.
    pub time: f64,
    /// How long it took, in seconds; of one that was interrupted, since it went on.
    pub seconds: f64,
    /// The meter with its options.
    pub meter: String,
    /// Where the point lies: axis → value as text.
    pub at: BTreeMap<String, String>,
    /// `mlr`, `rfc2544`, `tst009`, `loss-rate`, `back-to-back`.
    pub method: String,
    /// The lowest load, in packets/s.
    pub min_pps: f64,
    /// The highest load, in packets/s.
    pub max_pps: f64,
    /// Whether the highest load is what the generator reached flat out; else the scenario states it.
    pub max_measured: bool,
    /// What was looked for, and what was found.
    pub goals: Vec<Goal>,
    /// The longest burst, where that was looked for.
    pub burst: Option<Burst>,
    /// The trials, in their order.
    pub path: Vec<Step>,
    /// Why there is no result; empty for a valid search.
    pub invalid: Vec<String>,
}

/// A goal of a search. Loads are packets per second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Goal {
    /// Tolerated share of packets lost, 0 to 1.
    pub loss: f64,
    /// Tolerated share of the time in which more is lost.
    pub exceed: f64,
    /// How near the bounds had to come, as a share of the upper one.
    pub width: f64,
    /// Seconds of a trial that decides.
    pub seconds: f64,
    /// Seconds of deciding trials per load.
    pub sum: f64,
    /// The relevant lower bound: the highest load below the upper bound that meets the goal.
    pub lower: Option<f64>,
    /// The relevant upper bound: the lowest load that does not.
    pub upper: Option<f64>,
    /// What the meter counted at the lower bound, packets/s (conditional throughput).
    pub throughput: Option<f64>,
    /// What keeps this from being the meter's limit alone; empty for a regular result.
    pub irregular: Vec<String>,
}

/// The longest burst at the highest rate without loss (RFC 9004).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Burst {
    /// Packets.
    pub packets: u64,
    /// Packets/s at which it was sent.
    pub pps: f64,
    /// Seconds in which the buffer fills at that rate.
    pub implied: f64,
    /// The same, less what the meter took out meanwhile.
    pub corrected: f64,
}

/// A trial of a search.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// The trial's number in the order of running.
    pub trial: u32,
    /// Packets/s that were asked for.
    pub pps: f64,
    /// Seconds of sending that were asked for.
    pub seconds: f64,
    /// Packets that were due.
    pub due: u64,
    /// Of these, packets that did not leave in time.
    pub unsent: u64,
    /// Packets that left and were not counted.
    pub lost: u64,
    /// Whether the machine disturbed it, also when it was tried again.
    pub disturbed: bool,
}
