//! The send loop: the only one there is.

use crate::job::{Lateness, Ledger, Report};
use crate::plan::Plan;
use crate::tx::{Accepted, MAX_BATCH, Slot, Transmitter, TxError};
use csn::Nanos;
use hdrhistogram::Histogram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Where the loop's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The clock: packets leave when they are due.
    Clock,
    /// The schedule itself: packets leave at once, with the stamps that they are due at.
    Virtual,
}

/// Why a load could not be sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The device.
    #[error(transparent)]
    Device(#[from] TxError),
    /// There is no end.
    #[error(
        "a load at the highest rate, written without a clock, has no end in time; give a number of packets, or a rate"
    )]
    Endless,
}

/// A packet that leaves this much after its time is late. Timers and wake-ups of the kernel lie below.
pub const LATE: Nanos = Nanos(100_000);
/// A loop that stands still for longer than this was stopped by the machine.
const STALL: u64 = 1_000_000;
/// Longer waits are slept through, but for the last of it.
const SLEEP_ABOVE: u64 = 200_000;
/// What is left of a wait for the busy part; a sleep may be this much too long.
const SPIN: u64 = 150_000;
/// The longest sleep, so that a stop is noticed.
const NAP: u64 = 10_000_000;

/// The time since the start, and whether the loop ran all the while.
struct Clock {
    start: Instant,
    last: u64,
    stalls: u64,
}

impl Clock {
    #[inline]
    fn now(&mut self) -> u64 {
        let now = self.start.elapsed().as_nanos() as u64;
        self.stalls += u64::from(now - self.last > STALL);
        self.last = now;
        now
    }

    /// Waits for a moment, or for the stop.
    fn wait(&mut self, until: u64, stop: &AtomicBool) {
        loop {
            let now = self.now();
            if now >= until || stop.load(Ordering::Relaxed) {
                return;
            }
            if until - now > SLEEP_ABOVE {
                let nap = (until - now - SPIN).min(NAP);
                std::thread::sleep(Duration::from_nanos(nap));
                // a sleep that was meant is no stall
                self.last = now + nap;
                let woken = self.start.elapsed().as_nanos() as u64;
                self.last = self.last.min(woken);
            } else {
                std::hint::spin_loop();
            }
        }
    }
}

/// What is counted while sending.
struct Tally {
    ledger: Ledger,
    refused: u64,
    late: u64,
    lateness: Histogram<u64>,
}

impl Tally {
    fn new(rules: usize) -> Self {
        let ledger = Ledger { rules: vec![Default::default(); rules], ..Ledger::default() };
        // a minute at most, three digits: bounds that hold, so that recording never allocates
        let lateness = Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("these bounds are valid");
        Self { ledger, refused: 0, late: 0, lateness }
    }

    #[inline]
    fn count(&mut self, packets: &[(Option<u32>, u32)], accepted: Accepted) {
        for (i, (rule, bytes)) in packets.iter().enumerate() {
            if !accepted.contains(i) {
                self.refused += 1;
                continue;
            }
            let counts = match rule {
                Some(rule) => &mut self.ledger.rules[*rule as usize],
                None => &mut self.ledger.others,
            };
            counts.add(u64::from(*bytes));
        }
    }

    #[inline]
    fn record_lateness(&mut self, now: u64, due: &[u64]) {
        for due in due {
            let late = now.saturating_sub(*due);
            self.late += u64::from(late > LATE.0);
            self.lateness.saturating_record(late);
        }
    }

    fn lateness(&self, stalls: u64) -> Lateness {
        let recorded = self.lateness.len();
        Lateness {
            p50: self.lateness.value_at_quantile(0.5),
            p99: self.lateness.value_at_quantile(0.99),
            max: self.lateness.max(),
            bound: LATE.0,
            share: if recorded > 0 { self.late as f64 / recorded as f64 } else { 0.0 },
            stalls,
        }
    }
}

/// Sends a plan, to its end or until `stop` is set, and answers what really left.
///
/// Send times are absolute and were fixed by the plan. All packets that are due go together, up to a batch; none goes
/// before its time. After a stall the loop catches up in full batches: every packet is still sent, and recorded as
/// late as it was. At the highest rate there are no send times and all batches are full.
///
/// # Errors
/// Where the device cannot go on; what was sent before is then not reported.
pub fn send(
    plan: &mut Plan,
    tx: &mut dyn Transmitter,
    pace: Pace,
    stop: &AtomicBool,
) -> Result<Report, SendError> {
    if pace == Pace::Virtual && !plan.schedule.is_bounded() {
        return Err(SendError::Endless);
    }
    tx.prepare(plan.longest())?;
    let mut tally = Tally::new(plan.rules());
    let mut due = [0u64; MAX_BATCH];
    let mut packets = [(None, 0u32); MAX_BATCH];
    let timed = pace == Pace::Clock && plan.schedule.is_paced();
    let (mut offered, mut first, mut last) = (0u64, None, 0);
    let (mut first_due, mut last_due) = (None, 0);
    let mut clock = Clock { start: Instant::now(), last: 0, stalls: 0 };
    while !stop.load(Ordering::Relaxed) {
        let now = match pace {
            Pace::Clock => clock.now(),
            Pace::Virtual => u64::MAX - 1,
        };
        let n = plan.schedule.take(now, &mut due);
        if n == 0 {
            match plan.schedule.peek(now) {
                Some(next) => clock.wait(next, stop),
                None => break,
            }
            continue;
        }
        let accepted = tx.transmit(n, &mut |slots: &mut [Slot]| {
            for ((slot, packet), due) in slots.iter_mut().zip(&mut packets).zip(&due) {
                slot.due = Nanos(*due);
                let rule = plan.write(slot);
                *packet = (rule, slot.frame().len() as u32);
            }
        })?;
        offered += n as u64;
        tally.count(&packets[..n], accepted);
        if timed {
            tally.record_lateness(now, &due[..n]);
        }
        first_due.get_or_insert(due[0]);
        last_due = due[n - 1];
        first.get_or_insert(if pace == Pace::Clock { now } else { due[0] });
        last = if pace == Pace::Clock { clock.now() } else { due[n - 1] };
    }
    tx.finish()?;
    let missed = if timed { overdue(plan, clock.now(), &mut due) } else { 0 };
    Ok(Report {
        transmitter: tx.name().into(),
        intended_pps: plan.pps(),
        scheduled_pps: plan.pps().and_then(|_| rate_of(offered, last_due - first_due.unwrap_or(last_due))),
        planned: offered + missed,
        refused: tally.refused,
        elapsed: Nanos(last - first.unwrap_or(last)),
        lateness: tally.lateness(clock.stalls),
        ledger: tally.ledger,
    })
}

/// Packets/s where so many packets span so many nanoseconds: one gap less than packets.
fn rate_of(packets: u64, nanos: u64) -> Option<f64> {
    (packets > 1 && nanos > 0).then(|| (packets - 1) as f64 * 1e9 / nanos as f64)
}

/// Packets that were due when the loop was stopped, and were not sent.
fn overdue(plan: &mut Plan, now: u64, due: &mut [u64]) -> u64 {
    std::iter::from_fn(|| Some(plan.schedule.take(now, due) as u64)).take_while(|n| *n > 0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Amount, Job};
    use csn::mix::{Component, Miss, ShareOf, Target, Traffic};
    use csn::{Class, ClassId, Field, Range, Rate, RateSpec, Rule, RuleSet, Span, TrafficMix};

    /// Takes all but every third frame, notes how late each came, and may raise the stop.
    struct Picky<'a> {
        slots: Vec<Slot>,
        seen: u64,
        early: u64,
        start: Instant,
        stop_after: u64,
        stop: &'a AtomicBool,
    }

    impl Transmitter for Picky<'_> {
        fn name(&self) -> &'static str {
            "picky"
        }

        fn prepare(&mut self, longest: usize) -> Result<(), TxError> {
            self.slots = (0..MAX_BATCH).map(|_| Slot::alone(longest)).collect();
            self.start = Instant::now();
            Ok(())
        }

        fn transmit(&mut self, count: usize, fill: &mut dyn FnMut(&mut [Slot])) -> Result<Accepted, TxError> {
            fill(&mut self.slots[..count]);
            let mut accepted = Accepted::default();
            for (i, slot) in self.slots[..count].iter().enumerate() {
                self.early += u64::from(u128::from(slot.due.0) > self.start.elapsed().as_nanos());
                if !self.seen.is_multiple_of(3) {
                    accepted.add(i, 1);
                }
                self.seen += 1;
            }
            self.stop.fetch_or(self.seen >= self.stop_after, Ordering::Relaxed);
            Ok(accepted)
        }
    }

    fn job(rate: RateSpec, amount: Amount) -> Job {
        let mut rules = RuleSet::default();
        rules.classes.push(Class { number: 1, name: None, span: Span::default() });
        let tests = vec![(Field::DstPort, Range::numbers(53, 53).into())];
        rules.rules.push(Rule { class: ClassId(1), tests, both: false, span: Span::default() });
        let part = |target| Component {
            target,
            share: 0.5,
            share_of: ShareOf::Packets,
            traffic: Traffic::default(),
            span: Span::default(),
        };
        let components = vec![part(Target::Rule(0)), part(Target::Others(Miss::Near))];
        Job { rules, mix: TrafficMix { components }, rate, amount, seed: 1, macs: [[2; 6]; 2] }
    }

    fn run(rate: RateSpec, amount: Amount, stop_after: u64) -> (Report, u64) {
        let stop = AtomicBool::new(false);
        let mut tx =
            Picky { slots: vec![], seen: 0, early: 0, start: Instant::now(), stop_after, stop: &stop };
        let mut plan = Plan::new(&job(rate, amount)).unwrap();
        let report = send(&mut plan, &mut tx, Pace::Clock, &stop).unwrap();
        (report, tx.early)
    }

    const PACED: RateSpec = RateSpec::Fixed(Rate::Pps(10_000.0));

    #[test]
    fn what_was_refused_is_not_in_the_ledger_and_nothing_leaves_early() {
        let (report, early) = run(PACED, Amount::Time(Nanos::from_millis(60)), u64::MAX);
        assert_eq!((report.planned, report.refused, early), (600, 200, 0));
        assert_eq!(report.ledger.total().packets, 400);
        assert_eq!(report.ledger.total().bytes, 400 * 60);
        // turns alternate, and every third is refused: both lose alike
        assert_eq!((report.ledger.rules[0].packets, report.ledger.others.packets), (200, 200));
        assert!(report.elapsed >= Nanos(59_900_000), "{}", report.elapsed);
        assert!(report.lateness.max >= report.lateness.p50);
        // constant gaps: the schedule is what was asked for
        let (asked, drawn) = (report.intended_pps.unwrap(), report.scheduled_pps.unwrap());
        assert!((drawn / asked - 1.0).abs() < 1e-6, "{asked} {drawn}");
    }

    #[test]
    fn a_stop_ends_the_load_and_what_was_due_is_planned() {
        let (report, _) = run(PACED, Amount::Packets(1_000_000), 50);
        let offered = report.ledger.total().packets + report.refused;
        assert!((50..1_000).contains(&offered), "{offered}");
        assert!(report.planned >= offered && report.planned < 1_000_000);
    }

    #[test]
    fn the_highest_rate_is_full_batches_without_lateness() {
        let (report, _) = run(RateSpec::Max, Amount::Packets(10_000), u64::MAX);
        assert_eq!((report.planned, report.intended_pps, report.scheduled_pps), (10_000, None, None));
        assert_eq!(report.lateness.share, 0.0);
        let (report, _) = run(RateSpec::Max, Amount::Time(Nanos::from_millis(5)), u64::MAX);
        assert!(report.planned > 1000 && report.elapsed >= Nanos::from_millis(4));
    }

    #[test]
    fn a_load_without_end_is_refused() {
        let mut plan = Plan::new(&job(RateSpec::Max, Amount::Time(Nanos(1)))).unwrap();
        let result = send(&mut plan, &mut crate::tx::Null::new(), Pace::Virtual, &AtomicBool::new(false));
        assert!(matches!(result, Err(SendError::Endless)));
    }
}
