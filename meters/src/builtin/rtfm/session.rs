//! The meter's work in a session: packets through the engines, flow data now and then.

use super::collector::Listening;
use super::engine::Engine;
use super::flow_data::FlowData;
use super::load::{Loaded, load};
use super::matching::{ELEMENTS, Matching};
use super::options::Settings;
use super::readout::{self, Classes};
use super::table::FlowTable;
use super::tasks::{Readers, Task};
use crate::builtin::options::error;
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
    readers: Option<Readers>,
    task: Option<Task>,
    sample: Sampling,
    start: Nanos,
}

/// One packet of so many, at distances that are drawn: as often as not a flow's packets come at equal ones.
struct Sampling {
    one_of: u64,
    /// Packets to the next that is metered.
    left: u64,
    random: u64,
    ignored: u64,
}

impl Sampling {
    fn new(one_of: u64) -> Self {
        Self { one_of, left: 0, random: 0x9e37_79b9_7f4a_7c15, ignored: 0 }
    }

    #[inline(always)]
    fn metered(&mut self) -> bool {
        self.one_of == 1 || self.next()
    }

    fn next(&mut self) -> bool {
        if self.one_of > 0 && self.left == 0 {
            // xorshift64: distances from 1 to twice the rate less 1, so that their mean is the rate
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.left = (self.random >> 16) % (2 * self.one_of - 1);
            return true;
        }
        self.left = self.left.saturating_sub(1);
        self.ignored += 1;
        false
    }
}

/// The task of the first rule set, where it has a high-water mark.
fn task(session: &Session, settings: &Settings, matching: &mut Matching) -> Result<Option<Task>, MeterError> {
    let Some(percent) = settings.highwater else { return Ok(None) };
    let place = |set: u32| matching.engines().iter().skip(1).position(|e| e.set() == set).map(|p| p + 1);
    let standby = match settings.standby {
        None => None,
        Some(set) => Some(place(set).ok_or_else(|| {
            let reason = format!("behind the first rule set there is none of number {set}");
            error(&session.options, "standby", reason, "give it with another --ruleset")
        })?),
    };
    if let Some(standby) = standby {
        matching.switch(standby, None);
    }
    let mark = (settings.flows as u64 * percent).div_ceil(100) as usize;
    Ok(Some(Task { current: 0, standby, mark, running_standby: false }))
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
        let task = task(session, settings, &mut matching)?;
        let readers = match &settings.listen {
            Some(address) => {
                let listening = Listening::at(address)?;
                eprintln!("rtfm: meter readers are served at {}", listening.address);
                Some(Readers::new(listening, start.now))
            }
            None => None,
        };
        Ok(Self {
            matching,
            classes: loaded.classes,
            data,
            every,
            next_collection,
            readers,
            task,
            sample: Sampling::new(settings.sample),
            start: start.now,
        })
    }
}

impl Work for Meter {
    const ELEMENTS: &'static [&'static str] = &ELEMENTS;

    #[inline]
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        if self.sample.metered() {
            self.matching.packet(frame, probe);
        }
    }

    /// Flows age, flow data are collected.
    fn housekeeping(&mut self, now: Nanos) -> Result<(), MeterError> {
        self.matching.table_mut().sweep(now);
        if let Some(task) = &mut self.task {
            task.look(&mut self.matching);
        }
        if let Some(readers) = &mut self.readers {
            readers.serve(&mut self.matching, &mut self.task, now);
        }
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
            ignored: self.sample.ignored + matching.totals().iter().map(|t| t.ignored).sum::<u64>(),
            flows: matching.table().active() as u64,
            counters: readout::counters(matching),
            details,
        })
    }
}
