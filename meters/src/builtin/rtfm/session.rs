//! The meter's work in a session: packets through the engines, flow data now and then.

use super::engine::Engine;
use super::flow_data::FlowData;
use super::load::{Loaded, load};
use super::matching::{ELEMENTS, Matching};
use super::options::Settings;
use super::readout::{self, Classes};
use super::table::FlowTable;
use crate::builtin::{Account, End, Probe, Session, Start, Work};
use crate::capture::Frame;
use crate::meter::{MeterError, Readout};
use csn::Nanos;

/// Runs a session to its end.
pub fn run(session: &Session) -> Result<Readout, MeterError> {
    let settings = Settings::parse(&session.options)?;
    let loaded = load(session)?;
    crate::builtin::pipeline::run(session, &settings.common, |start| {
        Meter::new(session, &settings, loaded, start)
    })
}

/// A meter at work.
struct Meter {
    matching: Matching,
    classes: Classes,
    data: Option<FlowData>,
    every: Option<Nanos>,
    next_collection: Option<Nanos>,
    start: Nanos,
}

impl Meter {
    fn new(
        session: &Session,
        settings: &Settings,
        loaded: Loaded,
        start: &Start,
    ) -> Result<Self, MeterError> {
        let engines: Vec<Engine> = loaded.engines;
        let table = FlowTable::new(settings.flows, settings.inactivity);
        let mut matching = Matching::new(engines, table, start.interface);
        let data = match &session.flow_data {
            Some(path) => Some(FlowData::open(path, &loaded.programs, &mut matching, start.now)?),
            None => None,
        };
        let every = settings.collect.filter(|_| data.is_some());
        let next_collection = every.map(|every| Nanos(start.now.0 + every.0));
        Ok(Self { matching, classes: loaded.classes, data, every, next_collection, start: start.now })
    }
}

impl Work for Meter {
    const ELEMENTS: &'static [&'static str] = &ELEMENTS;

    #[inline]
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        self.matching.packet(frame, probe);
    }

    /// Flows age, flow data are collected.
    fn housekeeping(&mut self, now: Nanos) -> Result<(), MeterError> {
        self.matching.table_mut().sweep(now);
        if let (Some(at), Some(every), Some(data)) = (self.next_collection, self.every, &mut self.data)
            && now >= at
        {
            data.collect(&mut self.matching, now)?;
            // after a pause of several intervals there is one collection, not several
            let missed = (now.0 - at.0) / every.0;
            self.next_collection = Some(Nanos(at.0 + (missed + 1) * every.0));
        }
        Ok(())
    }

    fn finish(&mut self, end: &End) -> Result<Account, MeterError> {
        if let Some(data) = &mut self.data {
            data.collect(&mut self.matching, end.now)?;
        }
        let matching = &self.matching;
        readout::warn(matching);
        let details = if end.details { readout::flows(matching, self.start) } else { Vec::new() };
        Ok(Account {
            classes: self.classes.counts(matching),
            labels: readout::labels(matching),
            ignored: matching.totals().iter().map(|t| t.ignored).sum(),
            flows: matching.table().active() as u64,
            counters: readout::counters(matching),
            details,
        })
    }
}
