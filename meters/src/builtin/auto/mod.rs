//! A meter that finds flows by itself: every combination of values of a set of attributes is a flow, as in the first
//! paper's automatic distinction (its test set 5) and in every flow probe.
//!
//! ```text
//! capture ─► attributes, key, hash ─► fetch (of a group) ─► cache ─► records ─► classes, file
//! receive    parse                    fetch                 count
//! ```
//!
//! **Timeouts.** A flow ends when it had no packet for `idle`; one that lasts longer than `active` is told each time it
//! has, and goes on in a new record.
//!
//! **Overload.** What happens when a flow comes and all `flows` records are in use says `overload`. Of what the IPFIX
//! paper asks for (coarser flows, sampling, stopping), each is there, and flows before and after a change are never
//! mixed: all of them end before it, and their records say which change they are behind.
//!
//! **Classes.** The meter knows nothing of classes while it meters. A record's class is that of its key; so the rules
//! may test attributes only.

mod attributes;
mod cache;
mod export;
mod flows;
mod records;
#[cfg(test)]
mod tests;

use super::options::{COMMON, Common, error, number, one_of, with_common};
use super::pipeline::{self, Account, End, RECEIVE, Work};
use super::{Builtin, Probe, Session};
use crate::capture::Frame;
use crate::export::Shared;
use crate::meter::{MeterError, OptionDoc, Readout, Tells};
use attributes::{NAMED, Seen};
use cache::{GROUP, Packet};
use csn::{Field, MeterSpec, Nanos, Rule, RuleSet};
use flows::{Flows, Limits, Overload};
use records::{EndReason, Records};

/// The meter `auto`.
pub struct Auto;

static OPTIONS: [OptionDoc; COMMON.len() + 5] = with_common([
    OptionDoc {
        name: "attributes",
        values: "quintuple | all-ip | src-dst-port | hosts | {FIELD, …}",
        doc: "the fields that tell flows apart: a set that has a name, or any fields of the notation; all-ip is \
              {ethertype}, src-dst-port that with addresses and ports; default quintuple",
    },
    OptionDoc { name: "flows", values: "NUMBER", doc: "records in the flow cache; default 1000000" },
    OptionDoc { name: "idle", values: "SECONDS", doc: "a flow without packets for so long ends; default 15" },
    OptionDoc {
        name: "active",
        values: "SECONDS",
        doc: "a flow that lasts so long is told, and goes on in a new record; default 300",
    },
    OptionDoc {
        name: "overload",
        values: "evict | coarse | sample | stop",
        doc: "what is done for another flow when all records are in use: end one that has been silent for long; or end \
              all, and then leave out the last attribute, or every second packet; or do not count it; default evict",
    },
]);

struct Settings {
    common: Common,
    attributes: Vec<Field>,
    limits: Limits,
}

impl Settings {
    fn parse(spec: &MeterSpec) -> Result<Self, MeterError> {
        let common = Common::parse(spec, &OPTIONS)?;
        let text = spec.option("attributes").unwrap_or(NAMED[0].0);
        let attributes = attributes::parse(text).map_err(|word| {
            let names: Vec<_> = NAMED.iter().map(|(name, _)| *name).collect();
            let cure = format!("one of {}, or fields: attributes = {{srcip, dstip}}", names.join(", "));
            error(spec, "attributes", format!("`{word}` is neither a field nor a set of them"), &cure)
        })?;
        let seconds = |name, default| -> Result<Nanos, MeterError> {
            Ok(Nanos::from_secs(number(spec, name, "s", 1..=1_000_000)?.unwrap_or(default)))
        };
        let limits = Limits {
            flows: number(spec, "flows", "", 1..=100_000_000)?.map_or(1_000_000, |n| n as usize),
            idle: seconds("idle", 15)?,
            active: seconds("active", 300)?,
            overload: Overload::ALL[one_of(spec, "overload", &Overload::NAMES)?],
        };
        Ok(Self { common, attributes, limits })
    }

    /// Rules can tell of a flow only what its attributes say.
    fn covers(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        let tested = |f: &Field| {
            let tests = |f: Field| move |r: &Rule| r.test(f).is_some();
            rules.rules.iter().any(|r| tests(*f)(r) || r.both && tests(f.reversed())(r))
        };
        let missing = Field::ALL.into_iter().filter(|f| tested(f) && !self.attributes.contains(f));
        let missing: Vec<&str> = missing.map(Field::name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let reason = format!("rules test {}, which flows do not tell", missing.join(", "));
        let all = self.attributes.iter().map(|f| f.name()).chain(missing).collect::<Vec<_>>().join(", ");
        Err(error(spec, "attributes", reason, &format!("attributes = {{{all}}}")))
    }
}

impl Builtin for Auto {
    fn name(&self) -> &'static str {
        "auto"
    }

    fn summary(&self) -> &'static str {
        "tells flows apart by any set of attributes, in a cache with timeouts; classes are those of the flows"
    }

    fn tells_classes(&self) -> Tells {
        Tells::Flows
    }

    fn options(&self) -> &'static [OptionDoc] {
        &OPTIONS
    }

    fn check(&self, spec: &MeterSpec, rules: &RuleSet) -> Result<(), MeterError> {
        Settings::parse(spec)?.covers(spec, rules)
    }

    fn run(&self, session: Session) -> Result<Readout, MeterError> {
        let settings = Settings::parse(&session.options)?;
        let (rules, loaded) = session.rules.or_none(&session.options)?;
        settings.covers(&session.options, &rules.first(loaded))?;
        pipeline::run(&session, &settings.common, |start| {
            let records = Records::new((&rules, loaded), &settings.attributes, session.flow_data.as_deref())?;
            Ok(Meter {
                flows: Flows::new(&settings.attributes, settings.limits, records),
                seen: Seen::default(),
                group: [Packet::NONE; GROUP],
                pending: 0,
                interface: start.interface,
                failed: None,
            })
        })
    }
}

/// A meter at work.
struct Meter {
    flows: Flows,
    seen: Seen,
    /// Packets that wait until there are enough of them.
    group: [Packet; GROUP],
    pending: usize,
    interface: Option<u32>,
    /// What went wrong while a record was written.
    failed: Option<MeterError>,
}

const PARSE: usize = 1;
const FETCH: usize = 2;
const COUNT: usize = 3;

impl Work for Meter {
    const ELEMENTS: &'static [&'static str] = &[RECEIVE, "parse", "fetch", "count"];

    #[inline]
    fn packet<P: Probe>(&mut self, frame: &Frame<'_>, probe: &mut P) {
        probe.lap(0);
        if self.flows.select() {
            self.seen.load(frame.bytes, frame.tag, self.interface);
            let packet = &mut self.group[self.pending % GROUP];
            self.flows.pack(&self.seen, packet);
            (packet.bytes, packet.time) = (frame.length.into(), frame.time);
            self.pending += 1;
        }
        probe.lap(PARSE);
        probe.packet();
        if self.pending == GROUP {
            self.flush(probe);
        }
    }

    #[inline]
    fn flush<P: Probe>(&mut self, probe: &mut P) {
        let count = std::mem::take(&mut self.pending);
        self.flows.fetch(&self.group[..count]);
        probe.shared(FETCH, count as u64);
        for at in 0..count {
            match self.flows.count(&self.group[at]) {
                Ok(false) => {}
                Ok(true) => {
                    self.again(at + 1, count);
                    probe.lap(COUNT);
                    probe.packet();
                    break;
                }
                Err(e) => self.failed = Some(e),
            }
            probe.lap(COUNT);
            probe.packet();
        }
        probe.done(count as u64);
    }

    /// Flows end.
    fn housekeeping(&mut self, now: Nanos) -> Result<(), MeterError> {
        self.failed.take().map_or(Ok(()), Err)?;
        self.flows.sweep(now)
    }

    fn export(&mut self, exporter: &Shared) -> bool {
        self.flows.export(exporter);
        true
    }

    fn finish(&mut self, _: &End) -> Result<Account, MeterError> {
        self.failed.take().map_or(Ok(()), Err)?;
        let records = self.flows.finish()?;
        let (classes, told) = (records.counts().to_vec(), records.taken());
        let happened = self.flows.happened;
        let ended = EndReason::NAMES.iter().zip(happened.ended);
        let mut counters: std::collections::BTreeMap<String, u64> =
            ended.map(|(name, n)| (format!("ended {name}"), n)).collect();
        counters.extend([
            ("changes".into(), happened.changes),
            ("flooded".into(), happened.flooded),
            ("sampled out".into(), happened.sampled_out),
        ]);
        if happened.flooded > 0 {
            eprintln!(
                "auto: {} packets not counted: all records of the flow cache were in use; give it more with \
                 `flows = …`",
                happened.flooded
            );
        }
        let ignored = happened.sampled_out;
        Ok(Account { classes, ignored, flows: told, counters, ..Account::default() })
    }
}

impl Meter {
    /// Counts the rest of a group after what flows are has changed; there may be another change while it does.
    #[cold]
    fn again(&mut self, from: usize, count: usize) {
        // all of the group was packed before the first of them
        let before = self.flows.before();
        for at in from..count {
            if let Some(packet) = self.flows.again(&self.group[at], &before)
                && let Err(e) = self.flows.count(&packet)
            {
                self.failed = Some(e);
            }
        }
    }
}
