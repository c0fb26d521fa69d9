//! Meters that capture packets in a process of their own.

use super::collector::Collector;
use super::daemon::{Daemon, READY};
use super::external::Order;
use super::flows::{self, Flow};
use super::inside::Inside;
use super::sockets::{PacketSockets, Statistics};
use crate::meter::{Export, Link, MeterError, Readout, Running, StageLoss, Wire};
use csn::{Counts, RuleSet};
use std::path::PathBuf;
use std::process::Command;

/// Frames that fill the block of a ring that libpcap has not handed over: 256 KiB, of which each takes some 1,500 B.
const SENTINELS: u32 = 600;

/// A capturing process, and what is needed to judge it.
pub struct Probe {
    /// The process.
    pub daemon: Daemon,
    /// Commands in its namespace.
    pub inside: Inside,
    /// Its folder.
    pub folder: PathBuf,
    /// All rules of the scenario.
    pub rules: RuleSet,
    collector: Option<Collector>,
    sockets: PacketSockets,
    asked: u64,
    loaded: usize,
    link: Link,
}

/// Ends a probe and reads it: what it counted, per class.
pub type Reading = fn(&mut Probe, &dyn Wire) -> Result<Readout, MeterError>;

/// A probe that runs.
pub struct Capturing {
    probe: Probe,
    read: Reading,
}

impl Probe {
    /// Starts the command and waits until it listens on the interface.
    ///
    /// # Errors
    /// A process that does not start or listen.
    pub fn start(order: &Order<'_>, command: Command) -> Result<Self, MeterError> {
        let job = order.job;
        let name = job.spec.name.as_str();
        let mut daemon = Daemon::start(name, command, job.launch, &job.folder.join("meter.log"))?;
        let pid = daemon.pid();
        let mut listening = || Ok(is_listening(pid));
        daemon.wait_until("listen", READY, &mut listening)?;
        // it maps its ring, sets its filter and reads its rules behind that
        daemon.settle();
        let sockets = PacketSockets::of(&daemon.family()).map_err(|e| daemon.failed(&e.to_string()))?;
        sockets.ask(order.settings.buffer);
        Ok(Self {
            daemon,
            collector: None,
            sockets,
            inside: Inside::of(job)?,
            folder: job.folder.into(),
            rules: job.rules.clone(),
            asked: order.settings.buffer,
            loaded: job.loaded,
            link: job.link,
        })
    }

    /// It is ready, and read so.
    pub fn running(self, read: Reading) -> Box<dyn Running> {
        Box::new(Capturing { probe: self, read })
    }

    /// With what collects its export.
    pub fn with(mut self, collector: Collector) -> Self {
        self.collector = Some(collector);
        self
    }

    /// Ends the collector and reads what it took.
    ///
    /// # Errors
    /// A collector that failed.
    pub fn collected(&mut self) -> Result<(Vec<Flow>, Export), MeterError> {
        match self.collector.take() {
            Some(collector) => collector.finish(&self.inside),
            None => Ok(Default::default()),
        }
    }

    /// How many rules it has loaded.
    pub fn loaded(&self) -> usize {
        self.loaded
    }

    /// What the kernel counted at its sockets: to be read once, before anything else is sent.
    pub fn statistics(&self) -> Statistics {
        self.sockets.statistics()
    }

    /// Sends frames that push the last ones of the load out of libpcap's ring.
    ///
    /// # Errors
    /// Those of sending.
    pub fn push(&self, wire: &dyn Wire) -> Result<(), MeterError> {
        wire.send(&flows::sentinel(&self.link), SENTINELS)
            .map_err(|source| MeterError::Io { what: "send frames behind the load".into(), source })
    }

    /// The readout of a meter that knows flows.
    pub fn judged(&self, found: &[Flow], statistics: Statistics) -> Readout {
        let classes = flows::classes(found, &self.rules, self.loaded);
        let count = found.iter().filter(|f| !f.is_sentinel()).count();
        Readout { flows: count as u64, ..self.readout(classes, statistics) }
    }

    /// The readout of a meter with these counts. What it took from the kernel and did not count was lost inside.
    pub fn readout(&self, classes: Vec<Counts>, statistics: Statistics) -> Readout {
        let counted: u64 = classes.iter().map(|c| c.packets).sum();
        let Statistics { admitted, dropped } = statistics;
        let received = admitted.saturating_sub(dropped);
        let lost = received.saturating_sub(counted);
        let losses =
            (lost > 0).then(|| StageLoss { stage: "between ring and records".into(), packets: lost });
        let asked = format!("{} bytes asked for, {}", self.asked, self.sockets.buffer());
        Readout {
            classes,
            received: received.max(counted),
            socket_drops: dropped,
            admitted: Some(admitted),
            losses: losses.into_iter().collect(),
            facts: [("socket buffer".to_owned(), asked)].into(),
            ..Readout::default()
        }
    }
}

impl Running for Capturing {
    fn pids(&self) -> Vec<u32> {
        self.probe.daemon.family()
    }

    fn stop(mut self: Box<Self>, wire: &dyn Wire) -> Result<Readout, MeterError> {
        (self.read)(&mut self.probe, wire)
    }
}

/// Whether a process of that namespace listens on an interface: its line in the kernel's list of packet sockets has
/// an interface, and runs.
fn is_listening(pid: u32) -> bool {
    let sockets = std::fs::read_to_string(format!("/proc/{pid}/net/packet")).unwrap_or_default();
    sockets.lines().skip(1).any(|line| {
        // sk RefCnt Type Proto Iface R Rmem User Inode
        let fields: Vec<&str> = line.split_whitespace().collect();
        matches!(fields.as_slice(), [_, _, _, _, interface, "1", ..] if *interface != "0")
    })
}
