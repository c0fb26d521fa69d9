//! One run of the meter: opens its source, takes packets until the end, and reads itself out.

use super::engine::Engine;
use super::flow_data::FlowData;
use super::load::{Loaded, load};
use super::matching::Matching;
use super::options::Settings;
use super::readout;
use super::table::FlowTable;
use super::timing::{Off, On, Probe};
use crate::builtin::{Session, Source};
use crate::capture::{Batch, Capture, Cpu, File, Ring, Statistics};
use crate::control;
use crate::meter::{CpuSplit, MeterError, Readout};
use crate::prefilter::Prefilter;
use csn::Nanos;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The longest wait: how late a session can see that it is to stop.
const WAIT: Nanos = Nanos::from_millis(100);
/// After its end a session gives up waiting for packets that the kernel says it still has.
const DRAIN: Nanos = Nanos::from_secs(3);

/// Runs a session to its end.
pub fn run(session: &Session) -> Result<Readout, MeterError> {
    let settings = Settings::parse(&session.options)?;
    let loaded = load(session, &settings)?;
    let cpu = Rc::new(Cpu::default());
    match &session.source {
        Source::Interface(name) => {
            let filter = loaded.filter.as_ref().map(Prefilter::kernel);
            let ring = Ring::open(name, settings.ring, filter.as_deref(), Rc::clone(&cpu))?;
            timed(session, &settings, loaded, ring, &cpu)
        }
        Source::Capture(path) => {
            let file = File::open(path, loaded.filter.clone(), Rc::clone(&cpu))?;
            timed(session, &settings, loaded, file, &cpu)
        }
    }
}

fn timed<C: Capture>(
    session: &Session,
    settings: &Settings,
    loaded: Loaded,
    capture: C,
    cpu: &Cpu,
) -> Result<Readout, MeterError> {
    match settings.timing {
        false => meter(session, settings, loaded, capture, cpu, Off),
        true => meter(session, settings, loaded, capture, cpu, On::new()),
    }
}

fn meter<C: Capture, P: Probe>(
    session: &Session,
    settings: &Settings,
    loaded: Loaded,
    capture: C,
    cpu: &Cpu,
    probe: P,
) -> Result<Readout, MeterError> {
    let engines: Vec<Engine> = loaded.engines;
    let table = FlowTable::new(settings.flows, settings.inactivity);
    let mut matching = Matching::new(engines, table, capture.interface());
    let start = capture.now();
    let data = match &session.flow_data {
        Some(path) => Some(FlowData::open(path, &loaded.programs, &mut matching, start)?),
        None => None,
    };
    let every = settings.collect.filter(|_| data.is_some());
    let next_collection = every.map(|every| Nanos(start.0 + every.0));
    let mut run = Run { matching, capture, probe, data, every, next_collection, received: 0 };
    let stop = &session.stop;
    if session.control {
        control::stop_on_input(stop);
        control::ready();
    }
    cpu.start();
    run.meter(stop, session.time)?;
    let statistics = run.drain()?;
    let (split, calls) = (cpu.split(), cpu.calls());
    if let Some(data) = &mut run.data {
        data.collect(&mut run.matching, run.capture.now())?;
    }
    let live = run.capture.interface().is_some();
    let readout = run.readout(statistics, split, live.then_some(calls), &loaded.classes);
    readout::warn(&run.matching);
    if session.control {
        let flows = if session.details { readout::flows(&run.matching, start) } else { Vec::new() };
        control::print(&readout::event(&run.matching, &readout, flows));
    }
    Ok(readout)
}

/// The loop's state.
struct Run<C, P> {
    matching: Matching,
    capture: C,
    probe: P,
    data: Option<FlowData>,
    every: Option<Nanos>,
    next_collection: Option<Nanos>,
    received: u64,
}

impl<C: Capture, P: Probe> Run<C, P> {
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
        let Self { matching, capture, probe, .. } = self;
        let batch = capture.batch(&mut |frame| matching.packet(frame, probe))?;
        if let Batch::Packets(n) = batch {
            self.received += n;
        }
        Ok(batch)
    }

    /// What is due now and then: flows age, flow data are collected.
    fn housekeeping(&mut self) -> Result<(), MeterError> {
        let now = self.capture.now();
        self.matching.table_mut().sweep(now);
        if let (Some(at), Some(every), Some(data)) = (self.next_collection, self.every, &mut self.data)
            && now >= at
        {
            data.collect(&mut self.matching, now)?;
            // after a pause of several intervals there is one collection, not several
            let missed = (now.0 - at.0) / every.0;
            self.next_collection = Some(Nanos(at.0 + (missed + 1) * every.0));
        }
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
        classes: &readout::Classes,
    ) -> Readout {
        Readout {
            classes: classes.counts(&self.matching),
            received: self.received,
            ignored: self.matching.totals().iter().map(|t| t.ignored).sum(),
            socket_drops: statistics.dropped,
            admitted: Some(statistics.admitted),
            split: Some(split),
            syscalls,
            flows: self.matching.table().active() as u64,
            elements: self.probe.times(),
        }
    }
}
