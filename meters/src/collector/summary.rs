//! What a collector tells at the end.

use super::{Exporter, exporters::Transport};
use crate::flows::{Counting, Statistics, Unit};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// What was seen of one exporter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExporterSummary {
    /// Who it is.
    #[serde(flatten)]
    pub exporter: Exporter,
    /// What came from it.
    #[serde(flatten)]
    pub statistics: Statistics,
    /// What [`Statistics::lost`] counts.
    pub lost_unit: Unit,
    /// How it counts in its sequence numbers.
    pub counting: Counting,
    /// What it says about itself: the last values in its options, by the name of the element.
    pub told: BTreeMap<String, f64>,
}

/// What was seen of all exporters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// All together, those that are forgotten included. Lost records and lost messages are added up in `lost`.
    pub all: Statistics,
    /// Each.
    pub exporters: Vec<ExporterSummary>,
    /// Exporters that were forgotten to make room.
    pub forgotten: u64,
    /// Messages of no format that is read here.
    pub unreadable: u64,
    /// Datagrams that the kernel dropped since the socket's buffer was full.
    pub socket_drops: u64,
    /// Octets that the socket's buffer holds.
    pub socket_buffer: u64,
    /// Connections that were refused since there were too many.
    pub refused_connections: u64,
}

impl Summary {
    /// Whether every record that was sent is here, as far as sequence numbers and counters tell.
    pub fn complete(&self) -> bool {
        let a = &self.all;
        let faults = [a.lost, a.undecoded, a.malformed, a.refused, self.unreadable, self.socket_drops];
        faults.iter().all(|n| *n == 0) && self.forgotten == 0 && self.refused_connections == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for e in &self.exporters {
            let (x, s) = (&e.exporter, &e.statistics);
            let transport = if x.transport == Transport::Tcp { " over tcp" } else { "" };
            writeln!(
                f,
                "{} from {}{transport}, domain {}: {} records and {} of options in {} messages",
                x.protocol, x.address, x.domain, s.records, s.options, s.messages
            )?;
            let unit = if e.lost_unit == Unit::Records { "records lost" } else { "messages lost" };
            let faults = [
                (s.lost, unit),
                (s.late, "messages late"),
                (s.undecoded, "sets without their template"),
                (s.malformed, "messages in error"),
                (s.refused, "templates too many"),
                (s.redefined, "templates redefined"),
                (s.restarts, "restarts"),
            ];
            for (n, what) in faults.into_iter().filter(|(n, _)| *n > 0) {
                writeln!(f, "  {n} {what}")?;
            }
            if e.counting != Counting::Standard {
                writeln!(f, "  its sequence numbers do not count as the standard says ({:?})", e.counting)?;
            }
            for (name, n) in &e.told {
                writeln!(f, "  it says: {name} = {n}")?;
            }
        }
        let rest = [
            (self.unreadable, "messages of no known format"),
            (self.forgotten, "exporters forgotten to make room"),
            (self.refused_connections, "connections refused: too many"),
        ];
        for (n, what) in rest.into_iter().filter(|(n, _)| *n > 0) {
            writeln!(f, "{n} {what}")?;
        }
        write!(f, "{} datagrams dropped by the socket", self.socket_drops)
    }
}

/// Flows, and what was in them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Flow records.
    pub flows: u64,
    /// Packets.
    pub packets: u64,
    /// Octets of IP packets, headers included.
    pub octets: u64,
}

impl Tally {
    /// Adds a flow. A record may claim any number: sums end at the largest one.
    #[inline]
    pub fn add(&mut self, flow: &crate::flows::Flow) {
        self.flows += 1;
        self.packets = self.packets.saturating_add(flow.packets);
        self.octets = self.octets.saturating_add(flow.octets);
    }
}

/// What was collected, sorted to classes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Collected {
    /// Per class, by [`csn::ClassId`].
    pub classes: Vec<Tally>,
    /// Flows whose record does not say enough to tell their class.
    pub undecided: Tally,
    /// All flows.
    pub all: Tally,
    /// What was seen of exporters.
    pub summary: Summary,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_what_records_claim_never_overflow() {
        let flow = crate::flows::Flow { packets: u64::MAX, octets: u64::MAX, ..Default::default() };
        let mut tally = Tally::default();
        tally.add(&flow);
        tally.add(&flow);
        assert_eq!(tally, Tally { flows: 2, packets: u64::MAX, octets: u64::MAX });
    }
}
