//! From what generator, interfaces and meter say to the ledger of a trial.

use crate::lab::Counters;
use csn::{Counts, RuleSet};
use generator::{Ledger, Report};
use meters::{Admission, Readout};
use reports::record;

/// What was seen of one trial.
pub struct Evidence<'a> {
    /// All rules of the scenario.
    pub rules: &'a RuleSet,
    /// How many of them the meter had loaded.
    pub loaded: usize,
    /// What the filter in front of the meter lets in.
    pub admission: &'a Admission,
    /// What the generator did.
    pub report: &'a Report,
    /// The interfaces before the first packet.
    pub before: Counters,
    /// The interfaces after draining.
    pub after: Counters,
    /// What the meter counted.
    pub readout: &'a Readout,
}

impl Evidence<'_> {
    /// Packets that reached the meter's interface.
    pub fn received(&self) -> u64 {
        self.after.meter.rx_packets.saturating_sub(self.before.meter.rx_packets)
    }

    /// Whether a filter stands in front of the meter.
    pub fn filters(&self) -> bool {
        !self.admission.others || self.admission.rules.iter().any(|admitted| !admitted)
    }

    /// Packets that the filter takes away by design, without loss before it.
    pub fn filtered_by_design(&self) -> u64 {
        self.taken_away().total().packets
    }

    /// Where the packets went.
    pub fn ledger(&self) -> record::Ledger {
        let accepted = self.report.ledger.total().packets;
        let interface = accepted.saturating_sub(self.received());
        let filtered = match (self.filters(), self.readout.admitted) {
            (false, _) => 0,
            (true, Some(admitted)) => self.received().saturating_sub(admitted),
            (true, None) => self.filtered_by_design(),
        };
        record::Ledger {
            offered: accepted + self.report.refused,
            refused: self.report.refused,
            interface,
            socket: self.readout.socket_drops,
            filtered,
            ignored: self.readout.ignored,
            meter: self.readout.losses.iter().map(|l| l.packets).sum(),
            export: self.readout.export.map_or(0, |e| e.packets),
            counted: self.readout.classes.iter().map(|c| c.packets).sum(),
        }
    }

    /// Per class: what left, what a filter takes away by design, what the meter counted.
    pub fn classes(&self) -> Vec<record::ClassCount> {
        let sent = self.report.ledger.by_class(self.rules, self.loaded);
        let filtered = self.taken_away().by_class(self.rules, self.loaded);
        let counted = |i: usize| self.readout.classes.get(i).map_or(0, |c| c.packets);
        self.rules
            .classes
            .iter()
            .enumerate()
            .map(|(i, class)| record::ClassCount {
                class: class.label(),
                sent: sent[i].packets,
                filtered: filtered[i].packets,
                counted: counted(i),
            })
            .collect()
    }

    /// Mean number of rules that an offered packet is compared with on a linear list; those that a filter takes
    /// away are compared with none. Exact for the packets that left, because the generator's ledger knows each
    /// one's first match.
    pub fn expected_comparisons(&self) -> f64 {
        let ledger = &self.report.ledger;
        let part = |admitted: bool, counts: &Counts| if admitted { counts.packets as f64 } else { 0.0 };
        let shares: Vec<f64> =
            ledger.rules.iter().enumerate().map(|(i, c)| part(self.admits(i), c)).collect();
        let others = part(self.admission.others, &ledger.others);
        let admitted = shares.iter().sum::<f64>() + others;
        let each = csn::geometry::expected_comparisons(&self.rules.first(self.loaded), &shares, others);
        each * admitted / ledger.total().packets.max(1) as f64
    }

    /// Whether packets first matched by rule `i` reach the classifier.
    fn admits(&self, i: usize) -> bool {
        self.admission.rules.get(i).copied().unwrap_or(true)
    }

    /// The packets that the filter takes away by design.
    fn taken_away(&self) -> Ledger {
        let keep = |admitted: bool, counts: Counts| if admitted { Counts::default() } else { counts };
        Ledger {
            rules: self
                .report
                .ledger
                .rules
                .iter()
                .enumerate()
                .map(|(i, c)| keep(self.admits(i), *c))
                .collect(),
            others: keep(self.admission.others, self.report.ledger.others),
        }
    }

    /// What the generator was asked for and did, as a record.
    pub fn offered(&self) -> record::Offered {
        let (report, total) = (self.report, self.report.ledger.total());
        record::Offered {
            intended_pps: report.intended_pps,
            scheduled_pps: report.scheduled_pps,
            achieved_pps: report.achieved_pps(),
            seconds: report.elapsed.as_secs_f64(),
            planned: report.planned,
            accepted: total.packets,
            bytes: total.bytes,
            late_p50: report.lateness.p50,
            late_p99: report.lateness.p99,
            late_max: report.lateness.max,
            late_share: report.lateness.share,
            late_bound: report.lateness.bound,
            stalls: report.lateness.stalls,
            transmitter: report.transmitter.clone(),
        }
    }
}

/// All classes as one, for a meter that tells none apart.
pub fn together(classes: &[record::ClassCount]) -> Vec<record::ClassCount> {
    let mut all = record::ClassCount { class: "all".into(), ..record::ClassCount::default() };
    for class in classes {
        all.sent += class.sent;
        all.filtered += class.filtered;
        all.counted += class.counted;
    }
    vec![all]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LinkCounters;
    use csn::{Class, ClassId, Rule, Span};

    /// `n` classes of one rule each.
    fn rules(n: u32) -> RuleSet {
        let mut rules = RuleSet::default();
        for number in 1..=n {
            rules.classes.push(Class { number, name: None, span: Span::default() });
            rules.rules.push(Rule {
                class: ClassId(number),
                tests: vec![],
                both: false,
                span: Span::default(),
            });
        }
        rules
    }

    fn packets(n: u64) -> Counts {
        Counts { packets: n, bytes: n * 60 }
    }

    fn received(n: u64) -> Counters {
        Counters { meter: LinkCounters { rx_packets: n, ..Default::default() }, ..Default::default() }
    }

    #[test]
    fn every_stage_has_its_packets_and_the_ledger_closes() {
        let rules = rules(2);
        let report = Report {
            refused: 3,
            ledger: Ledger { rules: vec![packets(50), packets(30)], others: packets(20) },
            ..Report::default()
        };
        let admission = Admission { rules: vec![true, false], others: true };
        // 2 lost on the way, 1 in the socket, 30 filtered
        let readout = Readout {
            classes: vec![packets(19), packets(48), packets(0)],
            admitted: Some(68),
            socket_drops: 1,
            ..Readout::default()
        };
        let (before, after) = (received(5), received(103));
        let e = Evidence {
            rules: &rules,
            loaded: 2,
            admission: &admission,
            report: &report,
            before,
            after,
            readout: &readout,
        };
        let ledger = e.ledger();
        assert_eq!((ledger.offered, ledger.interface, ledger.filtered, ledger.counted), (103, 2, 30, 67));
        assert_eq!(ledger.open(), 0);
        let classes = e.classes();
        assert_eq!((classes[2].sent, classes[2].filtered, classes[2].expected()), (30, 30, 0));
        // 50 packets x 1 rule + 20 x 2, the filtered ones none, over 100
        assert!((e.expected_comparisons() - 0.9).abs() < 1e-9);
    }

    #[test]
    fn comparisons_are_those_of_the_first_paper() {
        // 100 flows, one per rule, as in its test 1: table in the reference of its numbers
        let rules = rules(100);
        let report = Report {
            ledger: Ledger { rules: vec![packets(7); 100], others: packets(0) },
            ..Report::default()
        };
        let admission = Admission::all(&rules);
        let readout = Readout::default();
        for (loaded, expected) in [(0, 0.0), (10, 9.55), (50, 37.75), (70, 45.85), (100, 50.5)] {
            let e = Evidence {
                rules: &rules,
                loaded,
                admission: &admission,
                report: &report,
                before: received(0),
                after: received(700),
                readout: &readout,
            };
            assert!((e.expected_comparisons() - expected).abs() < 1e-9, "{loaded}");
        }
    }
}
