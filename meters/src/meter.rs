//! What the harness sees of a meter.

use csn::backends::Outside;
use csn::{Counts, MeterSpec, RuleSet};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command};

/// A meter that can be put under test.
pub trait Meter: Sync {
    /// The name in scenarios and on the command line.
    fn name(&self) -> &'static str;

    /// One line on what it is.
    fn summary(&self) -> &'static str;

    /// The options that a scenario can give, with their documentation.
    fn options(&self) -> &'static [OptionDoc];

    /// The version, where the meter can run here; else why not and the command that would mend it.
    ///
    /// # Errors
    /// [`MeterError::Unavailable`].
    fn version(&self) -> Result<String, MeterError>;

    /// Whether the options make sense: names, values, and that they go together.
    ///
    /// # Errors
    /// [`MeterError::Option`], naming the option.
    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError>;

    /// Which packets the meter lets in by design, when it has loaded the first `loaded` rules.
    ///
    /// # Errors
    /// As [`Meter::check`].
    fn admission(&self, spec: &MeterSpec, rules: &RuleSet, loaded: usize) -> Result<Admission, MeterError>;

    /// Where it works, and with that how its cost is measured.
    fn place(&self) -> Place {
        Place::Process
    }

    /// Where its counts per class come from.
    fn tells_classes(&self) -> Tells {
        Tells::Own
    }

    /// Kinds of frames that it does not classify as the notation does, or never sees, whatever the rules say. Traffic
    /// that has any of them can't be held against the oracle to the packet.
    fn outside(&self, _spec: &MeterSpec, _rules: &RuleSet, _loaded: usize) -> Vec<Outside> {
        vec![]
    }

    /// What is known to differ from the oracle, with the cause: the text of its file in `meters/deviations/`, a list
    /// item each. Empty where nothing is known.
    fn deviations(&self) -> &'static str {
        ""
    }

    /// Compiles the rules for the meter, starts it, and returns when it is ready to count.
    ///
    /// # Errors
    /// Rules that the meter can't express, a process that does not start or does not become ready.
    fn start(&self, job: &Job<'_>) -> Result<Box<dyn Running>, MeterError>;
}

/// A meter that runs. Dropping it kills its processes.
pub trait Running {
    /// The processes whose CPU time is the meter's.
    fn pids(&self) -> Vec<u32>;

    /// Lets the meter take what is still queued, stops it and reads its counts. Some meters hold the last packets
    /// back until others come: `wire` sends these.
    ///
    /// # Errors
    /// A meter that died, or whose counts can't be read.
    fn stop(self: Box<Self>, wire: &dyn Wire) -> Result<Readout, MeterError>;
}

/// Where a meter works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In processes of its own, whose CPU time is its cost.
    Process,
    /// In the kernel, in the softirq that receives: its cost is what the same load takes more than without a meter.
    Kernel,
}

/// Where the counts per class of a meter come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// It tells classes apart itself.
    Own,
    /// It tells flows apart; the oracle gives each flow its class.
    Flows,
    /// It keeps packets; the oracle gives each packet its class.
    Packets,
    /// It tells no classes apart: only the sum of all packets can be held against the oracle.
    Nothing,
}

impl Tells {
    /// How it is said in reports.
    pub fn words(self) -> &'static str {
        match self {
            Tells::Own => "its own counts",
            Tells::Flows => "its flows, mapped to classes by the oracle",
            Tells::Packets => "its packets, mapped to classes by the oracle",
            Tells::Nothing => "none: only the sum of all packets is compared",
        }
    }
}

/// The generator's end of the link, for frames outside of the ledger.
pub trait Wire {
    /// Sends a frame `times` times and returns when the device has taken all.
    ///
    /// # Errors
    /// Those of sending.
    fn send(&self, frame: &[u8], times: u32) -> std::io::Result<()>;
}

/// The Ethernet addresses of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The generator's interface.
    pub generator: [u8; 6],
    /// The meter's interface. Packets are not addressed to it, as on a tapped link.
    pub meter: [u8; 6],
    /// What packets have as source and destination.
    pub traffic: [[u8; 6]; 2],
}

/// One trial's work for a meter.
pub struct Job<'a> {
    /// The meter with its options.
    pub spec: &'a MeterSpec,
    /// All rules of the scenario.
    pub rules: &'a RuleSet,
    /// How many of them the meter loads, from the first.
    pub loaded: usize,
    /// The interface to listen on, in the namespace that [`Launch`] enters.
    pub interface: &'a str,
    /// The Ethernet addresses of the link that the interface is an end of.
    pub link: Link,
    /// An empty folder for what the meter loads and writes; kept with the run.
    pub folder: &'a Path,
    /// The csnbench program, which holds the built-in meters.
    pub program: &'a Path,
    /// Starts processes where the meter belongs.
    pub launch: &'a dyn Launch,
}

/// Starts processes in the meter's namespace and on the meter's CPU; they end with the caller.
pub trait Launch {
    /// Starts the command.
    ///
    /// # Errors
    /// Those of starting a process, or of entering the namespace.
    fn spawn(&self, command: Command) -> std::io::Result<Child>;

    /// The same place, for a meter that has commands to run there at its end.
    ///
    /// # Errors
    /// Those of holding the namespace open.
    fn again(&self) -> std::io::Result<Box<dyn Launch>>;
}

/// Which packets reach the classifier, by the rule of the scenario that is the first to match them. The rest is
/// taken away on purpose by a filter in front of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admission {
    /// Per rule, in file order.
    pub rules: Vec<bool>,
    /// Packets that no rule matches.
    pub others: bool,
}

impl Admission {
    /// Everything is let in.
    pub fn all(rules: &RuleSet) -> Self {
        Self { rules: vec![true; rules.rules.len()], others: true }
    }
}

/// Documentation of an option.
#[derive(Clone, Copy, Debug)]
pub struct OptionDoc {
    /// The name.
    pub name: &'static str,
    /// The values that it takes, as written.
    pub values: &'static str,
    /// What it does, and its default.
    pub doc: &'static str,
}

/// What a meter counted and observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Readout {
    /// Per class, by [`csn::ClassId`].
    pub classes: Vec<Counts>,
    /// Packets that the meter took from its socket or file.
    pub received: u64,
    /// Packets that the meter saw and did not count, on purpose.
    pub ignored: u64,
    /// Packets that the kernel dropped because the meter's buffer was full.
    pub socket_drops: u64,
    /// Packets that passed the filter in front of the meter, drops included; none where the meter can't tell.
    pub admitted: Option<u64>,
    /// CPU time of the meter's process in nanoseconds, split by the meter itself around its system calls.
    pub split: Option<CpuSplit>,
    /// System calls that the meter made while it ran, where it counts them.
    pub syscalls: Option<u64>,
    /// Flow records at the end.
    pub flows: u64,
    /// Times of the elements, where asked for.
    pub elements: Vec<ElementTimes>,
    /// Packets that were lost inside of the meter, a stage each: by its own counters, or for a capturing meter that has
    /// none, what the kernel delivered less what it counted.
    pub losses: Vec<StageLoss>,
    /// What is worth recording, by name: socket buffer asked for and got, proof that the rules are live.
    pub facts: BTreeMap<String, String>,
    /// What it exported and what of that was collected, where the counts come over an export.
    pub export: Option<Export>,
}

/// Packets lost at a stage inside of a meter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageLoss {
    /// The stage, in the meter's words: `queue`, `flow cache`.
    pub stage: String,
    /// Packets.
    pub packets: u64,
}

/// What a meter exported, and what became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Export {
    /// Messages (datagrams) that the exporter sent, by its own counters or its sequence numbers.
    pub messages: u64,
    /// Flow records in them.
    pub records: u64,
    /// Records that the collector took.
    pub collected: u64,
    /// Records that were lost on the way.
    pub lost: u64,
    /// Packets that the lost records stood for, where the meter's own count tells.
    pub packets: u64,
}

/// A split of CPU time that the meter takes itself, from its ready message to the end of draining.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CpuSplit {
    /// Nanoseconds outside system calls.
    pub user: u64,
    /// Nanoseconds inside system calls, the switches into and out of sleep included.
    pub system: u64,
}

/// Times of one element in nanoseconds per packet, the timer's own cost taken off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ElementTimes {
    /// `receive`, `parse`, `match`, `flow table`.
    pub name: String,
    /// How many times.
    pub count: u64,
    /// Mean.
    pub mean: f64,
    /// Percentiles 50, 90, 99, 99.9, and the largest.
    pub percentiles: [u64; 5],
    /// What the timing itself costs, and was taken off.
    pub timer: f64,
}

/// What can go wrong with a meter.
#[derive(Debug, thiserror::Error)]
pub enum MeterError {
    /// It can't run on this machine.
    #[error("{meter} cannot run here: {reason}\n  cure: {cure}")]
    Unavailable {
        /// The meter.
        meter: String,
        /// Why.
        reason: String,
        /// The command that would mend it.
        cure: String,
    },
    /// An option is wrong.
    #[error("{meter}: option `{option}`: {reason}\n  cure: {cure}")]
    Option {
        /// The meter.
        meter: String,
        /// The option.
        option: String,
        /// What is wrong.
        reason: String,
        /// What to write.
        cure: String,
    },
    /// The meter can't express a rule.
    #[error("{meter} cannot express rule {rule}: {reason}")]
    Loss {
        /// The meter.
        meter: String,
        /// The rule, from 1.
        rule: usize,
        /// Why.
        reason: String,
    },
    /// A file that it was given is in error.
    #[error("{what} is in error:\n{reason}")]
    Input {
        /// The file or part.
        what: String,
        /// What is wrong, a line each.
        reason: String,
    },
    /// It did not start, become ready, or end as it should.
    #[error("{meter} failed: {reason}")]
    Failed {
        /// The meter.
        meter: String,
        /// What happened, with what it printed.
        reason: String,
    },
    /// An operation of the system failed.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
}
