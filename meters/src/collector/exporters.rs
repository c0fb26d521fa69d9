//! All exporters that a collector hears of, each with its sessions; no I/O.

use super::summary::{ExporterSummary, Summary};
use crate::flows::{Datum, Header, Limits, Malformed, Record, Session, Statistics, Unit};
use csn::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;

/// How messages come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// In datagrams, which can be lost, doubled and change places.
    Udp,
    /// In a stream (IPFIX only: messages of the others do not say how long they are).
    Tcp,
}

/// One observation domain of an exporter, over one transport session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Exporter {
    /// Address and port that it sends from.
    pub address: SocketAddr,
    /// How its messages come.
    pub transport: Transport,
    /// The format.
    pub protocol: crate::flows::Protocol,
    /// Observation domain, source id, or engine.
    pub domain: u32,
}

/// How much a collector remembers at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectorLimits {
    /// Exporters' domains. For one more, the one that was silent longest is forgotten.
    pub sessions: usize,
    /// What is remembered of each.
    pub session: Limits,
}

impl Default for CollectorLimits {
    /// 1,024 sessions, so some 200 MiB at most.
    fn default() -> Self {
        Self { sessions: 1_024, session: Limits::default() }
    }
}

/// What exporters say about themselves in options, of which the last value is kept: totals that can be held against what
/// came, and how packets were selected.
const TOLD: [u16; 17] = [34, 40, 41, 42, 163, 164, 165, 166, 167, 168, 305, 306, 309, 310, 311, 318, 319];

#[derive(Debug)]
struct Entry {
    session: Session,
    /// The time of its last message.
    heard: Nanos,
    told: BTreeMap<&'static str, f64>,
}

/// The state of all exporters.
#[derive(Debug)]
pub struct Collector {
    limits: CollectorLimits,
    sessions: HashMap<Exporter, Entry>,
    /// Statistics of sessions that are forgotten.
    gone: Statistics,
    forgotten: u64,
    /// Messages of which not even the header could be read.
    unreadable: u64,
}

impl Collector {
    /// A collector that has heard of nobody.
    pub fn new(limits: CollectorLimits) -> Self {
        let gone = Statistics::default();
        Self { limits, sessions: HashMap::new(), gone, forgotten: 0, unreadable: 0 }
    }

    /// Takes one message that came at the time `now`, and calls `each` for its records.
    ///
    /// # Errors
    /// A message that is not what it should be. It is counted; the collector goes on.
    pub fn message(
        &mut self,
        transport: Transport,
        address: SocketAddr,
        message: &[u8],
        now: Nanos,
        each: &mut impl FnMut(&Exporter, &Record<'_>),
    ) -> Result<(), Malformed> {
        let (header, body) = Header::read(message).inspect_err(|_| self.unreadable += 1)?;
        let exporter = Exporter { address, transport, protocol: header.protocol, domain: header.domain };
        let Entry { session, heard, told } = self.entry(exporter, now);
        *heard = now;
        session.message(&header, body, now, &mut |record| {
            if record.template.is_options() {
                listen(record, told);
            }
            each(&exporter, record);
        })
    }

    /// Counts octets that were no message.
    pub fn unreadable(&mut self) {
        self.unreadable += 1;
    }

    fn entry(&mut self, exporter: Exporter, now: Nanos) -> &mut Entry {
        if self.sessions.len() >= self.limits.sessions && !self.sessions.contains_key(&exporter) {
            let silent = self.sessions.iter().min_by_key(|(_, e)| e.heard).map(|(key, _)| *key);
            silent.into_iter().for_each(|key| self.forget(&key));
        }
        let limits = self.limits.session;
        self.sessions.entry(exporter).or_insert_with(|| Entry {
            session: Session::new(limits, exporter.transport == Transport::Tcp),
            heard: now,
            told: BTreeMap::new(),
        })
    }

    fn forget(&mut self, exporter: &Exporter) {
        if let Some(entry) = self.sessions.remove(exporter) {
            self.gone += entry.session.statistics();
            self.forgotten += 1;
        }
    }

    /// What was seen of each exporter, in order, and of all together.
    pub fn summary(&self) -> Summary {
        let mut exporters: Vec<_> = self
            .sessions
            .iter()
            .map(|(exporter, entry)| ExporterSummary {
                exporter: *exporter,
                statistics: entry.session.statistics(),
                lost_unit: Unit::of(exporter.protocol),
                counting: entry.session.counting(),
                told: entry.told.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect(),
            })
            .collect();
        exporters.sort_by_key(|e| e.exporter);
        let mut all = self.gone;
        exporters.iter().for_each(|e| all += e.statistics);
        Summary {
            all,
            exporters,
            forgotten: self.forgotten,
            unreadable: self.unreadable,
            ..Summary::default()
        }
    }
}

/// Keeps the last values of what an exporter says about itself.
fn listen(record: &Record<'_>, told: &mut BTreeMap<&'static str, f64>) {
    for (field, value) in record.values() {
        let number = match value {
            Datum::Number(n) => n as f64,
            Datum::Float(n) => n,
            _ => continue,
        };
        if let Some(element) = field.element().filter(|e| field.enterprise == 0 && TOLD.contains(&e.id)) {
            told.insert(element.name, number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flows::Protocol;

    const NOW: Nanos = Nanos(1_700_000_000_000_000_000);

    /// NetFlow v9 with a template, or without anything.
    fn v9(domain: u32, sequence: u32) -> Vec<u8> {
        let mut m = vec![0, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9];
        m.extend(sequence.to_be_bytes());
        m.extend(domain.to_be_bytes());
        m
    }

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn domains_and_ports_are_told_apart_and_gaps_counted_for_each() {
        let mut c = Collector::new(CollectorLimits::default());
        let mut send = |port, domain, sequence| {
            c.message(Transport::Udp, from(port), &v9(domain, sequence), NOW, &mut |_, _| ()).unwrap();
        };
        for sequence in [1, 2, 5] {
            send(1000, 7, sequence);
            send(1000, 8, sequence * 100);
            send(1001, 7, 1);
        }
        let summary = c.summary();
        let lost: Vec<_> = summary.exporters.iter().map(|e| (e.exporter.domain, e.statistics.lost)).collect();
        assert_eq!(lost, [(7, 2), (8, 99 + 299), (7, 0)]);
        assert_eq!((summary.all.messages, summary.all.lost, summary.all.late), (9, 400, 2));
        assert_eq!(summary.exporters[0].lost_unit, Unit::Messages);
    }

    #[test]
    fn the_exporter_that_is_silent_longest_makes_room() {
        let limits = CollectorLimits { sessions: 2, ..CollectorLimits::default() };
        let mut c = Collector::new(limits);
        for i in 0..100u16 {
            let now = Nanos(NOW.0 + 2 * u64::from(i));
            c.message(Transport::Udp, from(i), &v9(1, 0), now, &mut |_, _| ()).unwrap();
            let now = Nanos(now.0 + 1);
            c.message(Transport::Udp, from(7), &v9(2, 0), now, &mut |_, _| ()).unwrap();
            assert!(c.sessions.len() <= 2);
        }
        let summary = c.summary();
        assert_eq!((summary.forgotten, summary.all.messages), (99, 200));
        let kept =
            Exporter { address: from(7), transport: Transport::Udp, protocol: Protocol::Netflow9, domain: 2 };
        assert!(c.sessions.contains_key(&kept));
        assert!(c.message(Transport::Udp, from(1), b"rubbish", NOW, &mut |_, _| ()).is_err());
        assert_eq!(c.summary().unreadable, 1);
    }
}
