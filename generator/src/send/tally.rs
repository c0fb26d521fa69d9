//! What is counted while sending.

use crate::job::{Gaps, Lateness, Ledger, Report};
use crate::tx::{Fates, Stamp};
use csn::Nanos;
use hdrhistogram::Histogram;
use std::collections::VecDeque;

/// A packet that leaves this much after its time is late. Timers and wake-ups of the kernel lie below.
pub const LATE: Nanos = Nanos(100_000);

/// What the loop remembers of a packet until its fate is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Packet {
    pub(super) rule: Option<u32>,
    pub(super) bytes: u32,
    pub(super) due: u64,
}

/// What is counted while sending. Packets are counted when their fate is known, and timed when they are handed over, or
/// by the back end's own stamps.
pub(super) struct Tally {
    ledger: Ledger,
    refused: u64,
    /// Handed over, without a fate yet.
    pending: VecDeque<Packet>,
    /// Whether packets are timed when they are handed over.
    timed: bool,
    /// Whether packets have send times.
    paced: bool,
    late: u64,
    lateness: Histogram<u64>,
    gaps: Histogram<u64>,
    disturbed: u64,
    disturbed_max: u64,
    /// When the last packet left, and when it was due.
    previous: Option<(u64, u64)>,
    /// So many gaps from here on bear the marks of an interruption.
    marked: u32,
    span: Option<(u64, u64)>,
    due: Option<(u64, u64)>,
    offered: u64,
}

impl Tally {
    pub(super) fn new(rules: usize, timed: bool, paced: bool) -> Self {
        let ledger = Ledger { rules: vec![Default::default(); rules], ..Ledger::default() };
        // a minute at most, three digits: bounds that hold, so that recording never allocates
        let histogram = || Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are valid");
        Self {
            ledger,
            refused: 0,
            pending: VecDeque::new(),
            timed,
            paced,
            late: 0,
            lateness: histogram(),
            gaps: histogram(),
            disturbed: 0,
            disturbed_max: 0,
            previous: None,
            marked: 0,
            span: None,
            due: None,
            offered: 0,
        }
    }

    /// Packets were handed over between two moments, and there is news of these or of earlier ones.
    #[inline]
    pub(super) fn sent(
        &mut self,
        packets: &[Packet],
        fates: &mut Fates,
        (first, last): (u64, u64),
        disturbed: bool,
    ) {
        let (Some(oldest), Some(newest)) = (packets.first(), packets.last()) else { return };
        self.offered += packets.len() as u64;
        let begun = self.span.map_or(first, |s| s.0);
        self.span = Some((begun, last));
        self.due = Some((self.due.map_or(oldest.due, |d| d.0), newest.due));
        if self.timed {
            if disturbed {
                self.marked = 2;
            }
            packets.iter().for_each(|p| self.left_at(first, p.due));
        }
        // most back ends know at once, and then nothing needs to be remembered
        if self.pending.is_empty() && fates.runs() == [(true, packets.len() as u32)] {
            packets.iter().for_each(|p| self.count(p, true));
            fates.clear();
        } else {
            self.pending.extend(packets);
            self.news(fates);
        }
    }

    /// Counts the packets that there is news of.
    pub(super) fn news(&mut self, fates: &mut Fates) {
        let mut stamps = fates.stamps().iter();
        for (left, count) in fates.runs() {
            for _ in 0..*count {
                let Some(packet) = self.pending.pop_front() else { break };
                self.count(&packet, *left);
                if let Some(stamp) = left.then(|| stamps.next()).flatten() {
                    self.stamped(*stamp, packet.due);
                }
            }
        }
        fates.clear();
    }

    /// The back end has seen when a packet left: its times are the span of the load, and tell of its evenness.
    fn stamped(&mut self, stamp: Stamp, due: u64) {
        if stamp.disturbed {
            self.marked = 2;
        }
        if self.previous.is_none() {
            self.span = Some((stamp.at.0, stamp.at.0));
        }
        if let Some((_, last)) = &mut self.span {
            *last = stamp.at.0;
        }
        self.left_at(stamp.at.0, due);
    }

    #[inline]
    fn count(&mut self, packet: &Packet, left: bool) {
        let counts = match packet.rule {
            _ if !left => {
                self.refused += 1;
                return;
            }
            Some(rule) => &mut self.ledger.rules[rule as usize],
            None => &mut self.ledger.others,
        };
        counts.add(u64::from(packet.bytes));
    }

    /// Takes down when a packet left.
    #[inline]
    fn left_at(&mut self, at: u64, due: u64) {
        let late = at.saturating_sub(due);
        self.late += u64::from(late > LATE.0);
        self.lateness.saturating_record(late);
        if let Some((before, before_due)) = self.previous.replace((at, due)) {
            let deviation = (at - before).abs_diff(due - before_due);
            if self.marked > 0 {
                self.disturbed += 1;
                self.disturbed_max = self.disturbed_max.max(deviation);
            } else {
                self.gaps.saturating_record(deviation);
            }
        }
        self.marked = self.marked.saturating_sub(1);
    }

    /// The last news; what has no fate then did not leave. Where packets were handed over ahead of their time, `end` is
    /// when that was: what was due later was not yet offered, and what was due is missed.
    pub(super) fn rest(&mut self, fates: &mut Fates, end: Option<u64>) {
        self.news(fates);
        match end {
            None => self.refused += self.pending.len() as u64,
            Some(end) => {
                let later = self.pending.iter().filter(|p| p.due > end || !self.paced).count() as u64;
                self.offered -= later;
                if self.previous.is_none()
                    && let Some((_, last)) = &mut self.span
                {
                    *last = end;
                }
            }
        }
        self.pending.clear();
    }

    /// Takes in what another thread has counted.
    pub(super) fn add(&mut self, other: Tally) {
        for (sum, more) in self.ledger.rules.iter_mut().zip(&other.ledger.rules) {
            *sum += *more;
        }
        self.ledger.others += other.ledger.others;
        self.refused += other.refused;
        self.offered += other.offered;
        self.late += other.late;
        self.disturbed += other.disturbed;
        self.disturbed_max = self.disturbed_max.max(other.disturbed_max);
        // all histograms have the same bounds
        let _ = self.lateness.add(&other.lateness);
        let _ = self.gaps.add(&other.gaps);
        let wider = |a: Option<(u64, u64)>, b: Option<(u64, u64)>| match (a, b) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        };
        self.span = wider(self.span, other.span);
        self.due = wider(self.due, other.due);
    }

    /// The figures; `missed` packets were due and not handed over.
    pub(super) fn report(self, missed: u64, stalls: u64) -> Report {
        let recorded = self.lateness.len();
        let at = |h: &Histogram<u64>, q| h.value_at_quantile(q);
        let (begun, ended) = self.span.unwrap_or_default();
        let (first_due, last_due) = self.due.unwrap_or_default();
        Report {
            scheduled_pps: rate_of(self.offered, last_due - first_due),
            planned: self.offered + missed,
            refused: self.refused,
            elapsed: Nanos(ended - begun),
            lateness: Lateness {
                p50: at(&self.lateness, 0.5),
                p99: at(&self.lateness, 0.99),
                max: self.lateness.max(),
                bound: LATE.0,
                share: if recorded > 0 { self.late as f64 / recorded as f64 } else { 0.0 },
                stalls,
            },
            gaps: Gaps {
                p50: at(&self.gaps, 0.5),
                p99: at(&self.gaps, 0.99),
                max: self.gaps.max(),
                disturbed: self.disturbed,
                disturbed_max: self.disturbed_max,
            },
            ledger: self.ledger,
            ..Report::default()
        }
    }
}

/// Packets/s where so many packets span so many nanoseconds: one gap less than packets.
fn rate_of(packets: u64, nanos: u64) -> Option<f64> {
    (packets > 1 && nanos > 0).then(|| (packets - 1) as f64 * 1e9 / nanos as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(due: u64) -> Packet {
        Packet { rule: None, bytes: 60, due }
    }

    #[test]
    fn news_may_come_later_and_what_has_none_did_not_leave() {
        let (mut tally, mut fates) = (Tally::new(0, false, false), Fates::default());
        let packets: Vec<_> = (0..4).map(packet).collect();
        tally.sent(&packets, &mut fates, (0, 1), false);
        fates.left(1);
        fates.refused(1);
        fates.left(3);
        tally.sent(&packets, &mut fates, (2, 3), false);
        tally.rest(&mut fates, None);
        let report = tally.report(0, 0);
        assert_eq!((report.ledger.others.packets, report.refused, report.planned), (4, 4, 8));
        assert_eq!(report.elapsed, Nanos(3));
    }

    #[test]
    fn gaps_around_an_interruption_are_apart() {
        let (mut tally, mut fates) = (Tally::new(0, true, true), Fates::default());
        for (at, due, disturbed) in [
            (0, 0, false),
            (1_010, 1_000, false),
            (52_000, 2_000, true),
            (52_100, 3_000, false),
            (54_000, 4_000, false),
        ] {
            fates.left(1);
            tally.sent(&[packet(due)], &mut fates, (at, at), disturbed);
        }
        let gaps = tally.report(0, 0).gaps;
        assert_eq!((gaps.disturbed, gaps.disturbed_max), (2, 49_990));
        assert_eq!(gaps.max, 900);
    }
}
