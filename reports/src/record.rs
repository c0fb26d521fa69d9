//! The records of a run: one JSON object a line in `records.jsonl`, raw, append-only and versioned.
//!
//! The first line of a run is a [`Record::Run`]; each trial adds a [`Record::Trial`] as soon as it ends; the
//! last line is a [`Record::End`]. A resumed run goes on in the same file with a [`Record::Resume`]. Unknown
//! fields are ignored and missing ones take their defaults, so old files stay readable.

mod search;

pub use search::{Burst, Goal, Search, Step};

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version that this crate writes. It rises when the meaning of a field changes, not when one is added.
///
/// 2: searches. A trial with a `step` belongs to one, and is no repetition of its point.
pub const VERSION: u32 = 2;

/// A line of `records.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "lowercase")]
pub enum Record {
    /// What is run, where, and with what.
    Run(Box<Run>),
    /// One trial.
    Trial(Box<Trial>),
    /// One search, behind its trials.
    Search(Box<Search>),
    /// The run was interrupted here and goes on.
    Resume {
        /// Seconds since 1970.
        time: f64,
        /// The host as it is now.
        host: Host,
    },
    /// The run is complete.
    End {
        /// Seconds since 1970.
        time: f64,
        /// Points that were skipped, with the reason and the cure.
        skipped: Vec<Skip>,
    },
}

/// The head of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Run {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// Version of csnbench.
    pub tool: String,
    /// Seconds since 1970.
    pub time: f64,
    /// The command line that repeats the run.
    pub command: String,
    /// The scenario's path as given.
    pub scenario: String,
    /// The scenario's text, what it includes behind it.
    pub text: String,
    /// `scenario: title`.
    pub title: String,
    /// `scenario: reproduces`.
    pub reproduces: Option<String>,
    /// `scenario: tags`.
    pub tags: Vec<String>,
    /// Hash of the rules.
    pub rules_hash: String,
    /// Hash of the traffic, rates and times of all points; empty in records of before it was told.
    pub traffic_hash: String,
    /// Number of rules in the file.
    pub rules: u32,
    /// The seed of everything random.
    pub seed: u64,
    /// Trials per point.
    pub repeat: u32,
    /// Whether fewer and shorter trials were run than the scenario asks for.
    pub quick: bool,
    /// The axes of the sweep, in order, with their values as text: `("rules", ["0", "10"])`.
    pub axes: Vec<(String, Vec<String>)>,
    /// How many trials are planned.
    pub planned: u32,
    /// Labels of the classes; the first is `others`.
    pub classes: Vec<String>,
    /// The machine.
    pub host: Host,
    /// How the lab is built and what could not be separated.
    pub lab: Lab,
    /// What each source of CPU time shows of known duties.
    pub calibration: Vec<Calibration>,
    /// The meters of the scenario, also those that can't be run.
    pub meters: Vec<Meter>,
    /// What must hold, as `metric relation value`.
    pub expect: Vec<Expect>,
}

/// What the sender's CPU spends per packet at the highest rate with a meter in the kernel, and without one. Receiving runs
/// on the sender's CPU, so the difference is the meter's. Times are nanoseconds per packet, from the scheduler: exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kernel {
    /// With the meter.
    pub with: f64,
    /// Without it, right before and right after.
    pub without: [f64; 2],
}

impl Kernel {
    /// The difference: negative where the machine's noise is larger than the meter's cost.
    pub fn cost(&self) -> f64 {
        self.with - (self.without[0] + self.without[1]) / 2.0
    }
}

/// What a source of CPU time shows of a thread that was busy for a known share of the time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Calibration {
    /// The source: `thread clock`, `schedstat`, `rusage`.
    pub source: String,
    /// The duty, as a share of one core.
    pub busy: f64,
    /// What the source shows.
    pub shown: f64,
    /// It counts whole ticks, which say little of so short a time.
    pub ticks: bool,
}

/// An expectation of the scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Expect {
    /// `loss`, `misclassified`, `cpu`, `cpu_per_packet`, `memory`.
    pub metric: String,
    /// `=`, `<`, `<=`, `>`, `>=`.
    pub relation: String,
    /// Shares from 0 to 1, packets, nanoseconds or bytes.
    pub value: f64,
}

/// Facts about the machine.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Operating system and version.
    pub system: String,
    /// Kernel release.
    pub kernel: String,
    /// CPU model.
    pub cpu: String,
    /// Number of CPUs that may be used.
    pub cpus: u32,
    /// Bytes of memory.
    pub memory: u64,
    /// The hypervisor, where there is one.
    pub virtualised: Option<String>,
    /// Clock source of the kernel.
    pub clock: String,
    /// Load averages over 1, 5 and 15 minutes at the start.
    pub load: [f64; 3],
    /// Other facts by name: frequency governor, BPF JIT, …
    pub facts: BTreeMap<String, String>,
    /// What a reader must know before believing a number.
    pub warnings: Vec<String>,
}

/// The lab of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lab {
    /// `user namespace` or `named namespaces`.
    pub kind: String,
    /// CPU of the generator.
    pub generator_cpu: Option<u32>,
    /// CPU of the meter.
    pub meter_cpu: Option<u32>,
    /// Who pays for receiving: `sender` (softirq on the generator's CPU), `meter`, or `unknown`.
    pub receive_work: String,
    /// What could not be separated, and why.
    pub notes: Vec<String>,
}

/// One trial: a fresh meter, one load, one reading.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Trial {
    /// Number in the order of running, from 0.
    pub index: u32,
    /// Number of the point in the grid, from 0.
    pub point: u32,
    /// Number of the repetition of this point, from 0.
    pub repeat: u32,
    /// Number of the step of a search, from 0, where the trial belongs to one; the last of several trials with one
    /// number is the one that counted.
    pub step: Option<u32>,
    /// Seconds since 1970 at the start.
    pub time: f64,
    /// The meter with its options.
    pub meter: String,
    /// Version of the meter.
    pub meter_version: String,
    /// Where the point lies: axis → value as text. Always holds `meter` and `rules`.
    pub at: BTreeMap<String, String>,
    /// The same as numbers where values are numbers: rules, share of others (0..1), packets/s, flows, bytes.
    pub x: BTreeMap<String, f64>,
    /// Mean number of rules that a packet offered to the classifier is compared with: first match on a linear
    /// list; packets that a prefilter takes away count 0.
    pub expected_comparisons: f64,
    /// What the generator did.
    pub offered: Offered,
    /// Where the packets went.
    pub ledger: Ledger,
    /// Per class: what must be counted, and what is.
    pub classes: Vec<ClassCount>,
    /// What it cost.
    pub cpu: Cpu,
    /// What it cost in the kernel, where it has no process.
    pub kernel: Option<Kernel>,
    /// Times of the meter's elements, where they were asked for.
    pub elements: Vec<Element>,
    /// Packets lost inside of the meter, stage → packets: by its own counters, or for a capturing meter that has none,
    /// what the kernel delivered less what it counted.
    pub losses: BTreeMap<String, u64>,
    /// What the meter exported and what became of it, where its counts come over an export.
    pub export: Option<Export>,
    /// Facts about the meter in this trial: socket buffer asked for and got, proof that its rules are live.
    pub facts: BTreeMap<String, String>,
    /// Why the trial is not a result; empty for a valid trial.
    pub invalid: Vec<String>,
    /// What a reader should know of a valid one.
    pub warnings: Vec<String>,
}

impl Trial {
    /// CPU time of the meter (nanoseconds) as a share of one core over the time in which packets were sent. The window
    /// is longer by the draining, in which an idle meter costs nothing, so it would understate the load.
    pub fn share_of_core(&self, time: u64) -> Option<f64> {
        let sending = self.offered.seconds * 1e9;
        let over = if sending > 0.0 { sending } else { self.cpu.window as f64 };
        (over > 0.0).then(|| time as f64 / over)
    }
}

/// What the generator was asked for and what it did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offered {
    /// Packets/s asked; none for `max`.
    pub intended_pps: Option<f64>,
    /// Packets/s of the send times that were drawn: what a sender that keeps to its schedule reaches. With random gaps
    /// it differs from the intended rate by chance. None for `max`, and in records of before it was told.
    pub scheduled_pps: Option<f64>,
    /// Packets/s that the device accepted.
    pub achieved_pps: f64,
    /// Seconds from the first to the last packet.
    pub seconds: f64,
    /// Packets that were due.
    pub planned: u64,
    /// Packets that the device accepted.
    pub accepted: u64,
    /// Bytes of the accepted frames.
    pub bytes: u64,
    /// Lateness of packets against the schedule in nanoseconds: median.
    pub late_p50: u64,
    /// 99th percentile.
    pub late_p99: u64,
    /// Largest.
    pub late_max: u64,
    /// Share of packets that left later than the stated bound.
    pub late_share: f64,
    /// The bound in nanoseconds.
    pub late_bound: u64,
    /// Stalls of the sender longer than 1 ms: how many.
    pub stalls: u64,
    /// Transmit back end.
    pub transmitter: String,
}

/// Where packets went. It closes when `offered` equals the sum of all that follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ledger {
    /// Packets handed to the transmitting device.
    pub offered: u64,
    /// Refused by the device.
    pub refused: u64,
    /// Dropped by an interface between generator and meter.
    pub interface: u64,
    /// Dropped by the meter's socket because its buffer was full.
    pub socket: u64,
    /// Taken away on purpose by a filter in front of the meter.
    pub filtered: u64,
    /// Seen by the meter and not counted, on purpose.
    pub ignored: u64,
    /// Lost inside of the meter, by its own counters or as what was delivered to it less what it counted: for meters of
    /// the second kind the ledger closes by construction, and only the counts per class are a check.
    pub meter: u64,
    /// Counted by the meter, and lost between its export and the collector.
    pub export: u64,
    /// Counted by the meter, `others` included.
    pub counted: u64,
}

impl Ledger {
    /// All stages in the order of a packet's way: the name, what happens there, packets. What is offered is first, and
    /// what is counted last.
    pub fn stages(&self) -> [(&'static str, &'static str, u64); 9] {
        [
            ("offered", "", self.offered),
            ("refused", "by the device", self.refused),
            ("interface", "dropped", self.interface),
            ("socket", "dropped", self.socket),
            ("filtered", "on purpose", self.filtered),
            ("ignored", "on purpose", self.ignored),
            ("meter", "lost inside", self.meter),
            ("export", "lost on the way", self.export),
            ("counted", "by the meter", self.counted),
        ]
    }

    /// Packets that are not accounted for: positive where some vanished, negative where some were counted twice.
    pub fn open(&self) -> i64 {
        let [(_, _, offered), rest @ ..] = self.stages();
        offered as i64 - rest.iter().map(|(_, _, packets)| packets).sum::<u64>() as i64
    }

    /// Packets lost between the device and the counters.
    pub fn lost(&self) -> u64 {
        self.interface + self.socket + self.meter + self.export
    }
}

impl std::ops::AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        self.offered += other.offered;
        self.refused += other.refused;
        self.interface += other.interface;
        self.socket += other.socket;
        self.filtered += other.filtered;
        self.ignored += other.ignored;
        self.meter += other.meter;
        self.export += other.export;
        self.counted += other.counted;
    }
}

/// What a meter exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Export {
    /// Messages that the exporter sent.
    pub messages: u64,
    /// Flow records in them.
    pub records: u64,
    /// Records that the collector took.
    pub collected: u64,
    /// Records lost on the way.
    pub lost: u64,
}

/// A meter of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Meter {
    /// With its options, as on the axis.
    pub meter: String,
    /// Where it works: `process` or `kernel`.
    pub place: String,
    /// Where its counts per class come from.
    pub classes: String,
    /// What is known to differ from the oracle, with the cause.
    pub deviations: Vec<String>,
}

/// One class of a trial.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClassCount {
    /// Name or number.
    pub class: String,
    /// Packets that left and that the oracle gives to this class.
    pub sent: u64,
    /// Of these, packets that a filter takes away on purpose.
    pub filtered: u64,
    /// Packets that the meter counted.
    pub counted: u64,
}

impl ClassCount {
    /// What the meter must show without loss.
    pub fn expected(&self) -> u64 {
        self.sent - self.filtered
    }
}

/// CPU, memory and system calls of a trial. Times are nanoseconds over the window from the first packet to the
/// end of draining.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cpu {
    /// Length of the window.
    pub window: u64,
    /// CPU time of the meter's process, from the scheduler: exact.
    pub total: u64,
    /// In user space.
    pub user: u64,
    /// In the kernel on behalf of the process.
    pub system: u64,
    /// Where the split comes from: `self-timed` (by the meter around its system calls) or `sampled` (by the
    /// kernel's ticks).
    pub split: String,
    /// Softirq time of the whole machine (sampled by ticks).
    pub softirq: u64,
    /// Softirq time of the meter's CPU (sampled).
    pub softirq_meter_cpu: u64,
    /// Time stolen by the hypervisor, whole machine (sampled).
    pub steal: u64,
    /// Time of other processes on the meter's CPU: what was neither the meter's nor idle (sampled).
    pub foreign: u64,
    /// Voluntary context switches of the meter.
    pub voluntary: u64,
    /// Involuntary context switches of the meter.
    pub involuntary: u64,
    /// System calls of the meter, where it counts them itself.
    pub syscalls: Option<u64>,
    /// Peak resident memory of the meter in bytes.
    pub memory: u64,
}

/// Times of one element of a meter's pipeline, in nanoseconds per packet, the timer's own cost taken off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Element {
    /// `receive`, `parse`, `match`, `flow table`, …
    pub name: String,
    /// How many times.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Median.
    pub p50: u64,
    /// 90th percentile.
    pub p90: u64,
    /// 99th percentile.
    pub p99: u64,
    /// 99.9th percentile.
    pub p999: u64,
    /// Largest.
    pub max: u64,
    /// Cost of the timing itself that was taken off.
    pub timer: f64,
}

/// A point that was not run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Skip {
    /// What: a meter, a point.
    pub what: String,
    /// Why.
    pub reason: String,
    /// The command that would mend it.
    pub cure: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_new_fields_is_still_readable() {
        let line =
            r#"{"record":"trial","index":3,"ledger":{"offered":10,"counted":9,"socket":1},"unheard":1}"#;
        let Record::Trial(t) = serde_json::from_str(line).unwrap() else { panic!() };
        assert_eq!((t.index, t.ledger.open(), t.ledger.lost()), (3, 0, 1));
    }
}
