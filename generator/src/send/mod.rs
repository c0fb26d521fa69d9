//! The send loop: the only one there is.
//!
//! ```text
//! Schedule ─ due ─► loop ─ slots ─► Transmitter ─ fates ─► Tally ─► Report
//!                    └ Clock: waits, and notices when the machine took the CPU away
//! ```

mod clock;
mod tally;
mod threads;

use crate::job::{Interruptions, Report};
use crate::plan::{Plan, PlanError};
use crate::tx::{Fates, MAX_BATCH, Slot, Transmitter, TxError};
use clock::{Clock, Wall};
use csn::Nanos;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicBool, Ordering};
use tally::{Packet, Tally};

pub use clock::INTERRUPTED;
pub use tally::LATE;
pub use threads::{Share, send_by_threads};

/// Where the loop's time comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The clock: packets leave when they are due.
    Clock,
    /// The schedule itself: packets leave at once, with the stamps that they are due at.
    Virtual,
    /// The back end: packets are handed over ahead of their time, and it keeps that.
    Ahead,
}

/// Why a load could not be sent to its end.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The device.
    #[error(transparent)]
    Device(#[from] TxError),
    /// The plan.
    #[error(transparent)]
    Plan(PlanError),
    /// A thread ended before its time.
    #[error("a sending thread failed; this is a bug: please report it with the scenario")]
    Thread,
    /// There is no end.
    #[error(
        "a load at the highest rate, written without a clock, has no end in time; give a number of packets, or a rate"
    )]
    Endless,
}

/// How long the loop leaves a full back end alone, in nanoseconds.
const ROOM: u64 = 300_000;

/// How packets are put on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pacing {
    /// So many packets leave together, when the last of them is due; 1 to [`MAX_BATCH`]. What is overdue leaves in full
    /// batches all the same.
    pub batch: usize,
}

impl Default for Pacing {
    fn default() -> Self {
        Self { batch: 1 }
    }
}

/// Sends a plan packet by packet: [`send_paced`] with a batch of one.
///
/// # Errors
/// Those of [`send_paced`].
pub fn send(
    plan: &mut Plan,
    tx: &mut dyn Transmitter,
    pace: Pace,
    stop: &AtomicBool,
) -> Result<Report, SendError> {
    send_paced(plan, tx, pace, Pacing::default(), stop)
}

/// Sends a plan, to its end or until `stop` is set, and answers what really left.
///
/// Send times are absolute and were fixed by the plan. All packets that are due go together, up to a batch; none goes
/// before its time. After a stall the loop catches up in full batches: every packet is still sent, and recorded as
/// late as it was. At the highest rate there are no send times and all batches are full.
///
/// # Errors
/// Where the device cannot go on; what was sent before is then not reported.
pub fn send_paced(
    plan: &mut Plan,
    tx: &mut dyn Transmitter,
    pace: Pace,
    pacing: Pacing,
    stop: &AtomicBool,
) -> Result<Report, SendError> {
    sending(plan, tx, (pace, pacing), Share::ALL, stop).map(Done::report)
}

/// What a thread has done.
struct Done {
    transmitter: &'static str,
    notes: Vec<String>,
    pps: Option<f64>,
    batch: u32,
    tally: Tally,
    /// Packets that were due and not handed over.
    missed: u64,
    stalls: u64,
    interruptions: Interruptions,
    span: Option<Nanos>,
}

impl Done {
    /// Takes in what another thread has done of the same plan.
    fn add(&mut self, other: Done) {
        self.notes.extend(other.notes);
        self.tally.add(other.tally);
        self.missed += other.missed;
        self.stalls += other.stalls;
        self.span = self.span.max(other.span);
        let (sum, more) = (&mut self.interruptions, other.interruptions);
        sum.count += more.count;
        sum.total += more.total;
        sum.longest = sum.longest.max(more.longest);
    }

    fn report(self) -> Report {
        let told = self.tally.report(self.missed, self.stalls);
        Report {
            transmitter: self.transmitter.into(),
            notes: self.notes,
            intended_pps: self.pps,
            scheduled_pps: told.scheduled_pps.filter(|_| self.pps.is_some()),
            batch: self.batch,
            elapsed: self.span.unwrap_or(told.elapsed),
            interruptions: self.interruptions,
            ..told
        }
    }
}

/// The loop, for a share of the flows.
fn sending(
    plan: &mut Plan,
    tx: &mut dyn Transmitter,
    (pace, pacing): (Pace, Pacing),
    share: Share,
    stop: &AtomicBool,
) -> Result<Done, SendError> {
    if pace == Pace::Virtual && !plan.schedule.is_bounded() {
        return Err(SendError::Endless);
    }
    tx.prepare(plan.longest(), plan.pps())?;
    let timed = pace == Pace::Clock && plan.schedule.is_paced();
    let least = if timed { pacing.batch.clamp(1, MAX_BATCH) } else { 1 };
    let mut tally = Tally::new(plan.rules(), timed, plan.schedule.is_paced());
    let mut fates = Fates::default();
    let mut due = [0u64; MAX_BATCH];
    let mut packets = [Packet::default(); MAX_BATCH];
    let mut held = 0;
    let mut clock = Clock::start();
    let mut wall = Wall::default();
    while !stop.load(Ordering::Relaxed) {
        if pace == Pace::Ahead && tx.room(&mut fates) < MAX_BATCH {
            tally.news(&mut fates);
            clock.nap(ROOM);
            continue;
        }
        let now = match pace {
            Pace::Ahead if plan.schedule.is_paced() => u64::MAX - 1,
            Pace::Clock | Pace::Ahead => clock.now(),
            Pace::Virtual => u64::MAX - 1,
        };
        held += plan.schedule.take(now, &mut due[held..]);
        if held < least {
            match plan.schedule.peek(now) {
                Some(next) => {
                    clock.wait(next, stop);
                    continue;
                }
                None if held == 0 => break,
                None => {}
            }
        }
        let n = std::mem::take(&mut held);
        let before = if timed { clock.now() } else { now };
        match pace {
            Pace::Clock => plan.stamp(wall.at(before)),
            // as near as can be said of what the kernel sends by itself
            Pace::Ahead => plan.stamp(wall.at(clock.now())),
            Pace::Virtual => {}
        }
        let mut used = 0;
        let mut fill = |slots: &mut [Slot]| {
            for due in &due[..n] {
                let slot = &mut slots[used];
                slot.due = Nanos(*due);
                let rule = plan.write(slot);
                if share.has(slot.flow) {
                    packets[used] = Packet { rule, bytes: slot.frame().len() as u32, due: *due };
                    used += 1;
                }
            }
            used
        };
        tx.transmit(n, &mut fill, &mut fates)?;
        let span = match pace {
            Pace::Clock => (before, clock.after_call(before, used)),
            Pace::Virtual => (due[0], due[n - 1]),
            Pace::Ahead => (now, now),
        };
        tally.sent(&packets[..used], &mut fates, span, clock.take_disturbed());
    }
    tx.finish(stop, &mut fates)?;
    let end = clock.now();
    tally.rest(&mut fates, (pace == Pace::Ahead).then_some(end));
    // each thread sees what all have missed
    let missed = if timed { (held as u64 + overdue(plan, end, &mut due)) / u64::from(share.of) } else { 0 };
    Ok(Done {
        transmitter: tx.name(),
        notes: tx.notes(),
        pps: plan.pps(),
        batch: least as u32,
        missed,
        stalls: clock.stalls(),
        interruptions: tx.interruptions().unwrap_or_else(|| clock.interruptions()),
        span: tx.span(),
        tally,
    })
}

/// Packets that were due when the loop was stopped, and were not sent.
fn overdue(plan: &mut Plan, now: u64, due: &mut [u64]) -> u64 {
    std::iter::from_fn(|| Some(plan.schedule.take(now, due) as u64)).take_while(|n| *n > 0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Amount, Job};
    use crate::tx::Fill;
    use csn::mix::{Component, Miss, ShareOf, Target, Traffic};
    use csn::{Class, ClassId, Field, Range, Rate, RateSpec, Rule, RuleSet, Span, TrafficMix};
    use std::time::Instant;

    /// Takes all but every third frame, notes how late each came, and may raise the stop.
    struct Picky<'a> {
        slots: Vec<Slot>,
        seen: u64,
        early: u64,
        batches: Vec<usize>,
        start: Instant,
        stop_after: u64,
        stop: &'a AtomicBool,
    }

    impl Transmitter for Picky<'_> {
        fn name(&self) -> &'static str {
            "picky"
        }

        fn prepare(&mut self, longest: usize, _: Option<f64>) -> Result<(), TxError> {
            self.slots = (0..MAX_BATCH).map(|_| Slot::alone(longest)).collect();
            self.start = Instant::now();
            Ok(())
        }

        fn transmit(&mut self, count: usize, fill: &mut Fill, fates: &mut Fates) -> Result<(), TxError> {
            let count = fill(&mut self.slots[..count]);
            for slot in &self.slots[..count] {
                self.early += u64::from(u128::from(slot.due.0) > self.start.elapsed().as_nanos());
                if self.seen.is_multiple_of(3) {
                    fates.refused(1);
                } else {
                    fates.left(1);
                }
                self.seen += 1;
            }
            self.batches.push(count);
            self.stop.fetch_or(self.seen >= self.stop_after, Ordering::Relaxed);
            Ok(())
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

    fn run_in(batch: usize, rate: RateSpec, amount: Amount, stop_after: u64) -> (Report, u64, Vec<usize>) {
        let stop = AtomicBool::new(false);
        let (slots, batches, start) = (vec![], vec![], Instant::now());
        let mut tx = Picky { slots, seen: 0, early: 0, batches, start, stop_after, stop: &stop };
        let mut plan = Plan::new(&job(rate, amount)).unwrap();
        let report = send_paced(&mut plan, &mut tx, Pace::Clock, Pacing { batch }, &stop).unwrap();
        (report, tx.early, tx.batches)
    }

    fn run(rate: RateSpec, amount: Amount, stop_after: u64) -> (Report, u64) {
        let (report, early, _) = run_in(1, rate, amount, stop_after);
        (report, early)
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
        // no packet leaves early, but the first may be late
        assert!(
            report.elapsed.0 + report.lateness.max >= 59_900_000,
            "{} {:?}",
            report.elapsed,
            report.lateness
        );
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
        assert!(report.planned >= MAX_BATCH as u64, "{}", report.planned);
    }

    #[test]
    fn a_load_without_end_is_refused() {
        let mut plan = Plan::new(&job(RateSpec::Max, Amount::Time(Nanos(1)))).unwrap();
        let result = send(&mut plan, &mut crate::tx::Null::new(), Pace::Virtual, &AtomicBool::new(false));
        assert!(matches!(result, Err(SendError::Endless)));
    }

    #[test]
    fn a_batch_leaves_together_and_the_last_one_is_what_is_left() {
        let (report, early, batches) = run_in(8, PACED, Amount::Packets(100), u64::MAX);
        assert_eq!((report.planned, report.batch, early), (100, 8, 0));
        assert!(batches[..batches.len() - 1].iter().all(|n| *n >= 8), "{batches:?}");
        assert_eq!(batches.iter().sum::<usize>(), 100);
    }
}
