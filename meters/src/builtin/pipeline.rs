//! One run of a built-in meter that takes packets itself: opens the source, hands packets to the meter's [`Work`] until
//! the end, drains, and puts the readout together.

use super::options::Common;
use super::timing::{Off, On, Probe};
use super::{Rules, Session, Source};
use crate::capture::{Batch, Capture, Cpu, File, Frame, Ring, Statistics};
use crate::control::{self, Event, Label};
use crate::export::{Exporter, Metering, Shared};
use crate::meter::{CpuSplit, MeterError, Readout};
use crate::prefilter::Prefilter;
use crate::selectors::Selection;
use csn::{Counts, Nanos};
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The longest wait: how late a session can see that it is to stop.
const WAIT: Nanos = Nanos::from_millis(100);
/// After its end a session gives up waiting for packets that the kernel says it still has.
const DRAIN: Nanos = Nanos::from_secs(3);

/// What a meter does with packets. A value is that of one run.
pub trait Work {
    /// The elements that are timed, in the order of their numbers; the first is [`RECEIVE`].
    const ELEMENTS: &'static [&'static str];

    /// Takes a packet. Ends each element with [`Probe::lap`], the first being that of receiving; and the packet with
    /// [`Probe::packet`] and [`Probe::done`].
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P);

    /// Ends what is pending, as the next packet may be long in coming.
    #[inline(always)]
    fn flush<P: Probe>(&mut self, _: &mut P) {}

    /// Does what is due now and then; called between batches.
    ///
    /// # Errors
    /// What the system says of files that are written.
    fn housekeeping(&mut self, _: Nanos) -> Result<(), MeterError> {
        Ok(())
    }

    /// Hands over the exporter to a meter that has flows. Of one that has none, and does not take it, the classes are
    /// exported at the end.
    fn export(&mut self, _: &Shared) -> bool {
        false
    }

    /// Tells what was counted. No packets come any more.
    ///
    /// # Errors
    /// What the system says of files that are written.
    fn finish(&mut self, end: &End) -> Result<Account, MeterError>;
}

/// The element that every meter begins with: from the source to the frame's bytes, the prefilter of a capture file
/// included; waiting excluded.
pub const RECEIVE: &str = "receive";

/// What a meter is told when it starts.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// The index of the interface that packets come from, where there is one.
    pub interface: Option<u32>,
    /// The clock that flows age by.
    pub now: Nanos,
}

/// What a meter is told at its end.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The clock that flows age by.
    pub now: Nanos,
    /// Whether every flow is to be listed.
    pub details: bool,
}

/// What a meter counted.
#[derive(Clone, Debug, Default)]
pub struct Account {
    /// Per class of the rules that it was given.
    pub classes: Vec<Counts>,
    /// By label, where it has other labels than those of the classes.
    pub labels: Vec<Label>,
    /// Packets that it did not count, on purpose.
    pub ignored: u64,
    /// Flow records at the end.
    pub flows: u64,
    /// What else it knows, its own drops among them.
    pub counters: BTreeMap<String, u64>,
    /// Every flow, where asked for.
    pub details: Vec<Map<String, Value>>,
}

/// Runs a session to its end. `make` makes the meter when the source is open.
///
/// # Errors
/// A source that can't be opened or fails, and what the meter says.
pub fn run<W: Work>(
    session: &Session,
    common: &Common,
    make: impl FnOnce(&Start) -> Result<W, MeterError>,
) -> Result<Readout, MeterError> {
    let filter = filter(session, common)?;
    let cpu = Rc::new(Cpu::default());
    match &session.source {
        Source::Interface(name) => {
            let filter = filter.as_ref().map(Prefilter::kernel);
            let ring = Ring::open(name, common.ring, filter.as_deref(), Rc::clone(&cpu))?;
            timed(session, common, make, ring, &cpu)
        }
        Source::Capture(path) => {
            let file = File::open(path, filter, Rc::clone(&cpu))?;
            timed(session, common, make, file, &cpu)
        }
    }
}

/// The filter of a session: the one that it was handed, else what the options ask for.
fn filter(session: &Session, common: &Common) -> Result<Option<Prefilter>, MeterError> {
    if let Some(text) = &session.filter {
        let wrong = |e: crate::prefilter::TextError| MeterError::Input {
            what: "the filter program".into(),
            reason: e.to_string(),
        };
        return Prefilter::parse(text).map(Some).map_err(wrong);
    }
    let rules = match &session.rules {
        Rules::Csn { ruleset, loaded } => Some((ruleset, *loaded)),
        Rules::Texts(_) => None,
    };
    common.program(&session.options, rules, matches!(session.source, Source::Interface(_)))
}

fn timed<W: Work, C: Capture>(
    session: &Session,
    common: &Common,
    make: impl FnOnce(&Start) -> Result<W, MeterError>,
    capture: C,
    cpu: &Cpu,
) -> Result<Readout, MeterError> {
    let mut work = make(&Start { interface: capture.interface(), now: capture.now() })?;
    let selection = Selection::parse(&session.options)?;
    let export = Export::open(common, &mut work, &capture)?;
    let (received, unselected) = (0, 0);
    match common.timing {
        false => {
            Run { work, capture, probe: Off, received, unselected, selection, export }.whole(session, cpu)
        }
        true => {
            let probe = On::new(W::ELEMENTS);
            Run { work, capture, probe, received, unselected, selection, export }.whole(session, cpu)
        }
    }
}

/// The exporter of a run.
struct Export {
    exporter: Shared,
    /// Whether the meter exports its flows; else its classes are.
    flows: bool,
    start: Nanos,
}

impl Export {
    fn open<W: Work, C: Capture>(
        common: &Common,
        work: &mut W,
        capture: &C,
    ) -> Result<Option<Self>, MeterError> {
        let Some(options) = &common.export else { return Ok(None) };
        let exporter = Exporter::open(options, capture.interface()).map_err(failed)?;
        let exporter = Rc::new(RefCell::new(exporter));
        let flows = work.export(&exporter);
        Ok(Some(Self { exporter, flows, start: capture.now() }))
    }

    /// Exports what is still to be exported, and adds what was to the counters.
    fn finish(
        &self,
        rules: &Rules,
        end: Nanos,
        metering: &Metering,
        account: &mut Account,
    ) -> Result<(), MeterError> {
        let mut exporter = self.exporter.borrow_mut();
        if let (false, Rules::Csn { ruleset, .. }) = (self.flows, rules) {
            exporter.classes(&ruleset.classes, &account.classes, (self.start, end)).map_err(failed)?;
        }
        let exported = exporter.finish(metering).map_err(failed)?;
        let counters = [
            ("exported", exported.flows),
            ("export_messages", exported.messages),
            ("export_octets", exported.octets),
            ("not_exported", exported.not_sent),
        ];
        account.counters.extend(counters.map(|(name, n)| (name.to_owned(), n)));
        Ok(())
    }
}

fn failed(source: std::io::Error) -> MeterError {
    MeterError::Io { what: "export flow records".into(), source }
}

/// The loop's state.
struct Run<W, C, P> {
    work: W,
    capture: C,
    probe: P,
    received: u64,
    /// Packets that were not selected for metering.
    unselected: u64,
    selection: Option<Selection>,
    export: Option<Export>,
}

impl<W: Work, C: Capture, P: Probe> Run<W, C, P> {
    fn whole(mut self, session: &Session, cpu: &Cpu) -> Result<Readout, MeterError> {
        if session.control {
            control::stop_on_input(&session.stop);
            control::ready();
        }
        cpu.start();
        self.meter(&session.stop, session.time)?;
        let statistics = self.drain()?;
        let (split, calls) = (cpu.split(), cpu.calls());
        let end = End { now: self.capture.now(), details: session.details };
        let mut account = self.work.finish(&end)?;
        let metering = Metering {
            ignored_packets: statistics.dropped,
            times: self.export.as_ref().map(|e| (e.start, end.now)),
            selection: self.selection.as_ref().map(Selection::report),
        };
        if let Some(report) = &metering.selection {
            eprintln!("{report}");
            account.counters.extend([
                ("observed".to_owned(), report.observed),
                ("selected".to_owned(), report.selected()),
            ]);
        }
        if let Some(export) = &self.export {
            export.finish(&session.rules, end.now, &metering, &mut account)?;
        }
        let live = self.capture.interface().is_some();
        let readout = self.readout(statistics, split, live.then_some(calls), &account);
        if session.control {
            control::print(&event(session, &readout, account));
        }
        Ok(readout)
    }

    /// Takes packets until told to stop, the time is over, or the source ends.
    fn meter(&mut self, stop: &AtomicBool, time: Option<Nanos>) -> Result<(), MeterError> {
        let end = time.map(|t| Instant::now() + t.to_duration());
        while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
            match self.batch()? {
                Batch::Packets(_) => self.housekeeping()?,
                Batch::Empty => {
                    self.housekeeping()?;
                    self.capture.wait(WAIT)?;
                    self.probe.resume();
                }
                Batch::End => break,
            }
        }
        Ok(())
    }

    #[inline]
    fn batch(&mut self) -> Result<Batch, MeterError> {
        let Self { work, capture, probe, selection, unselected, .. } = self;
        let batch = match selection {
            None => capture.batch(&mut |frame| work.packet(frame, probe))?,
            Some(selection) => capture.batch(&mut |frame| match selection.take(frame) {
                true => work.packet(frame, probe),
                false => *unselected += 1,
            })?,
        };
        if let Batch::Packets(n) = batch {
            self.received += n;
            work.flush(probe);
        }
        Ok(batch)
    }

    fn housekeeping(&mut self) -> Result<(), MeterError> {
        self.work.housekeeping(self.capture.now())?;
        self.probe.resume();
        Ok(())
    }

    /// Takes what is still in the ring, until it stays empty and the kernel's counters say that this was all.
    fn drain(&mut self) -> Result<Statistics, MeterError> {
        if self.capture.interface().is_none() {
            return self.capture.statistics();
        }
        let end = Instant::now() + DRAIN.to_duration();
        loop {
            let mut quiet = true;
            while let Batch::Packets(_) = self.batch()? {
                quiet = false;
            }
            let statistics = self.capture.statistics()?;
            let all = self.received + statistics.dropped >= statistics.admitted;
            if (quiet && all) || Instant::now() >= end {
                return Ok(statistics);
            }
            self.capture.wait(WAIT)?;
            self.probe.resume();
        }
    }

    fn readout(
        &self,
        statistics: Statistics,
        split: CpuSplit,
        syscalls: Option<u64>,
        account: &Account,
    ) -> Readout {
        Readout {
            classes: account.classes.clone(),
            received: self.received,
            ignored: account.ignored + self.unselected,
            socket_drops: statistics.dropped,
            admitted: Some(statistics.admitted),
            split: Some(split),
            syscalls,
            flows: account.flows,
            elements: self.probe.times(),
            ..Readout::default()
        }
    }
}

/// What the program that leads is told at the end.
pub fn event(session: &Session, totals: &Readout, account: Account) -> Event {
    let mut labels = account.labels;
    if let (true, Rules::Csn { ruleset, .. }) = (labels.is_empty(), &session.rules) {
        let label = |(class, c): (&csn::Class, &Counts)| Label {
            set: 0,
            label: class.label(),
            packets: c.packets,
            bytes: c.bytes,
        };
        labels = ruleset.classes.iter().zip(&totals.classes).map(label).collect();
    }
    Event::Readout {
        totals: Box::new(totals.clone()),
        labels,
        flows: account.details,
        counters: account.counters,
    }
}
