//! What is remembered of one exporter's observation domain: its templates, and where its sequence numbers are.

use super::flow::Plan;
use super::header::{Set, sets};
use super::sequence::{Counting, Sequence, Step, Unit, Units};
use super::template::{Definition, definitions};
use super::wire::Reader;
use super::{Datum, FieldSpec, Flow, Header, Kind, Malformed, Protocol, Template, datum, v5};
use csn::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::sync::LazyLock;

/// How much a session remembers at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Templates.
    pub templates: usize,
    /// Fields of all its templates together; a field takes 10 octets.
    pub fields: usize,
    /// Octets of data that wait for their template; the oldest make room.
    pub waiting: usize,
    /// Over UDP, a template that is not sent again for so long is forgotten (RFC 7011, 8.4).
    pub lifetime: Nanos,
}

impl Default for Limits {
    /// Some 200 KiB for a session at most.
    fn default() -> Self {
        Self { templates: 1_024, fields: 8_192, waiting: 65_536, lifetime: Nanos::from_secs(1_800) }
    }
}

/// What a session has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Messages.
    pub messages: u64,
    /// Octets of them.
    pub octets: u64,
    /// Flow records.
    pub records: u64,
    /// Records of options.
    pub options: u64,
    /// Definitions of templates, the same again included.
    pub templates: u64,
    /// Templates that became others without having been withdrawn.
    pub redefined: u64,
    /// Templates that were refused since there were too many.
    pub refused: u64,
    /// Sets that came before their template.
    pub early: u64,
    /// Sets that were dropped since their template never came.
    pub undecoded: u64,
    /// Messages or sets that are in error.
    pub malformed: u64,
    /// What the sequence numbers say is missing, in the unit of the format.
    pub lost: u64,
    /// Messages that came behind a later one.
    pub late: u64,
    /// Times that the exporter started again.
    pub restarts: u64,
}

impl std::ops::AddAssign for Statistics {
    fn add_assign(&mut self, o: Self) {
        self.messages += o.messages;
        self.octets += o.octets;
        self.records += o.records;
        self.options += o.options;
        self.templates += o.templates;
        self.redefined += o.redefined;
        self.refused += o.refused;
        self.early += o.early;
        self.undecoded += o.undecoded;
        self.malformed += o.malformed;
        self.lost += o.lost;
        self.late += o.late;
        self.restarts += o.restarts;
    }
}

/// A record, as it stands in a message.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The message's header.
    pub header: &'a Header,
    /// The layout.
    pub template: &'a Template,
    /// The octets.
    pub octets: &'a [u8],
    plan: &'a Plan,
}

impl Record<'_> {
    /// Calls `each` for what it says of flows: one, or two where it holds both directions; none where it is about the
    /// exporter.
    #[inline]
    pub fn flows(&self, each: &mut impl FnMut(&Flow)) {
        if !self.template.is_options() {
            self.plan.flows(self.header, self.template, self.octets, each);
        }
    }

    /// When the exporter started, where the record says so (systemInitTimeMilliseconds).
    fn start(&self) -> Option<Nanos> {
        let mut values = self.template.values(self.octets);
        values
            .find(|(f, _)| f.enterprise == 0 && f.id == 160)
            .and_then(|(_, o)| datum::time(Kind::Milliseconds, o))
    }

    /// Its fields with their values.
    pub fn values(&self) -> impl Iterator<Item = (&FieldSpec, Datum<'_>)> {
        self.template.values(self.octets).map(|(field, octets)| {
            let kind = match field.enterprise {
                FieldSpec::V9_SCOPE => Kind::Unsigned,
                _ => field.element().map_or(Kind::Octets, |e| e.kind),
            };
            (field, Datum::read(kind, octets))
        })
    }
}

/// A template with what reading it as a flow takes.
#[derive(Debug)]
struct Known {
    template: Template,
    plan: Plan,
    /// When it was sent last.
    seen: Nanos,
}

impl Known {
    fn new(template: Template, seen: Nanos) -> Self {
        Self { plan: Plan::new(&template), template, seen }
    }
}

static VERSION_5: LazyLock<Known> = LazyLock::new(|| Known::new(v5::TEMPLATE.clone(), Nanos(0)));

/// Data that wait for their template.
#[derive(Debug)]
struct Waiting {
    id: u16,
    header: Header,
    octets: Box<[u8]>,
}

/// The state of one observation domain of one exporter over one transport session.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    /// Whether the transport keeps order and loses nothing: withdrawals count, and templates live as long as it.
    reliable: bool,
    templates: HashMap<u16, Known>,
    fields: usize,
    waiting: VecDeque<Waiting>,
    waiting_octets: usize,
    sequence: Sequence,
    statistics: Statistics,
    /// When the exporter started, as it says itself.
    start: Option<Nanos>,
}

impl Session {
    /// A session that has seen nothing yet.
    pub fn new(limits: Limits, reliable: bool) -> Self {
        Self {
            limits,
            reliable,
            templates: HashMap::new(),
            fields: 0,
            waiting: VecDeque::new(),
            waiting_octets: 0,
            sequence: Sequence::default(),
            statistics: Statistics::default(),
            start: None,
        }
    }

    /// What it has seen. Data that still wait for their template count as not decoded.
    pub fn statistics(&self) -> Statistics {
        let waiting = self.waiting.len() as u64;
        Statistics { undecoded: self.statistics.undecoded + waiting, ..self.statistics }
    }

    /// How the exporter counts in its sequence numbers.
    pub fn counting(&self) -> Counting {
        self.sequence.counting()
    }

    /// The templates that are valid.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        self.templates.values().map(|k| &k.template)
    }

    /// Takes a message at the time `now` and calls `each` for its records, and for records that have waited for a template
    /// of it. `body` is what stands behind the header.
    ///
    /// # Errors
    /// A message with a set or a template that cannot be is refused as a whole; records before one that reaches behind the
    /// end of its set are taken.
    pub fn message(
        &mut self,
        header: &Header,
        body: &[u8],
        now: Nanos,
        each: &mut impl FnMut(&Record<'_>),
    ) -> Result<(), Malformed> {
        self.statistics.messages += 1;
        self.statistics.octets += (body.len() + header.octets()) as u64;
        let done = match header.protocol {
            Protocol::Netflow5 => self.version_5(header, body, each),
            _ => self.sets(header, body, now, each),
        };
        if done.is_err() {
            self.statistics.malformed += 1;
        }
        let units = match Unit::of(header.protocol) {
            Unit::Messages => Some(Units::of(1)),
            Unit::Records => *done.as_ref().unwrap_or(&None),
        };
        match self.sequence.step(header.sequence, units) {
            Step::First | Step::Next => {}
            Step::Gap(n) => self.statistics.lost += u64::from(n),
            Step::Late => {
                self.statistics.late += 1;
                let found = u64::from(units.unwrap_or_default().all);
                self.statistics.lost = self.statistics.lost.saturating_sub(found);
            }
            Step::Restart => self.statistics.restarts += 1,
        }
        done.map(|_| ())
    }

    fn version_5(
        &mut self,
        header: &Header,
        body: &[u8],
        each: &mut impl FnMut(&Record<'_>),
    ) -> Result<Option<Units>, Malformed> {
        let count = usize::from(header.count);
        if count == 0 || count > usize::from(v5::MOST) || body.len() < count * v5::RECORD {
            return Err(Malformed::Length("message"));
        }
        let Known { template, plan, .. } = &*VERSION_5;
        for octets in body.chunks_exact(v5::RECORD).take(count) {
            each(&Record { header, template, octets, plan });
        }
        self.statistics.records += count as u64;
        Ok(Some(Units::of(count as u32)))
    }

    /// The sets of NetFlow v9 or IPFIX; gives how many records there were, where all could be counted.
    fn sets(
        &mut self,
        header: &Header,
        body: &[u8],
        now: Nanos,
        each: &mut impl FnMut(&Record<'_>),
    ) -> Result<Option<Units>, Malformed> {
        // all is looked at before anything is believed
        let (templates, options) = if header.protocol == Protocol::Ipfix { (2, 3) } else { (0, 1) };
        for set in sets(body) {
            let Set { id, body } = set?;
            if id == templates || id == options {
                definitions(header.protocol, id == options, body)?;
            }
        }
        let mut count = Some(Units::default());
        for set in sets(body) {
            let set = set?;
            if set.id == templates || set.id == options {
                for definition in definitions(header.protocol, set.id == options, set.body)? {
                    self.define(definition, now, each);
                }
            } else if set.id >= 256 {
                let records = self.data(header, set, now, each)?;
                count =
                    count.zip(records).map(|(a, b)| Units { all: a.all + b.all, flows: a.flows + b.flows });
            }
        }
        Ok(count)
    }

    fn data(
        &mut self,
        header: &Header,
        set: Set<'_>,
        now: Nanos,
        each: &mut impl FnMut(&Record<'_>),
    ) -> Result<Option<Units>, Malformed> {
        if !self.reliable
            && self.templates.get(&set.id).is_some_and(|k| k.seen.0 + self.limits.lifetime.0 < now.0)
        {
            self.forget(set.id);
        }
        let Some(known) = self.templates.get(&set.id) else {
            self.wait(header, set);
            return Ok(None);
        };
        let header = Header { start: self.start, ..*header };
        let start = &mut self.start;
        let listening = known.template.is_options();
        let mut each = |record: &Record<'_>| {
            if listening {
                *start = record.start().or(*start);
            }
            each(record);
        };
        records(known, &header, set.body, &mut self.statistics, &mut each).map(Some)
    }

    /// Keeps a set until its template comes.
    fn wait(&mut self, header: &Header, set: Set<'_>) {
        self.statistics.early += 1;
        let octets = set.body.len() + size_of::<Waiting>();
        if octets > self.limits.waiting {
            self.statistics.undecoded += 1;
            return;
        }
        while self.waiting_octets + octets > self.limits.waiting {
            let Some(oldest) = self.waiting.pop_front() else { break };
            self.waiting_octets -= oldest.octets.len() + size_of::<Waiting>();
            self.statistics.undecoded += 1;
        }
        self.waiting_octets += octets;
        self.waiting.push_back(Waiting { id: set.id, header: *header, octets: set.body.into() });
    }

    fn define(&mut self, definition: Definition, now: Nanos, each: &mut impl FnMut(&Record<'_>)) {
        match definition {
            Definition::Template(template) => self.learn(template, now, each),
            // over UDP, where a withdrawal may come late, it must not count (RFC 7011, 8.4)
            _ if !self.reliable => {}
            Definition::Withdrawn(id) => self.forget(id),
            Definition::WithdrawnAll { options } => {
                let kind = |k: &Known| k.template.is_options() == options;
                let ids: Vec<_> = self.templates.iter().filter(|(_, k)| kind(k)).map(|(id, _)| *id).collect();
                ids.into_iter().for_each(|id| self.forget(id));
            }
        }
    }

    fn forget(&mut self, id: u16) {
        if let Some(known) = self.templates.remove(&id) {
            self.fields -= known.template.fields.len();
        }
    }

    fn learn(&mut self, template: Template, now: Nanos, each: &mut impl FnMut(&Record<'_>)) {
        self.statistics.templates += 1;
        let id = template.id;
        if let Some(known) = self.templates.get_mut(&id) {
            if known.template == template {
                known.seen = now;
                return;
            }
            self.statistics.redefined += 1;
            self.forget(id);
        }
        let fields = self.fields + template.fields.len();
        if self.templates.len() >= self.limits.templates || fields > self.limits.fields {
            self.statistics.refused += 1;
            return;
        }
        self.fields = fields;
        let known = Known::new(template, now);
        self.awaited(&known, each);
        self.templates.insert(id, known);
    }

    /// Reads the data that have waited for a template.
    fn awaited(&mut self, known: &Known, each: &mut impl FnMut(&Record<'_>)) {
        if self.waiting.iter().all(|w| w.id != known.template.id) {
            return;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.id != known.template.id {
                self.waiting.push_back(waiting);
                continue;
            }
            self.waiting_octets -= waiting.octets.len() + size_of::<Waiting>();
            let statistics = &mut self.statistics;
            if records(known, &waiting.header, &waiting.octets, statistics, each).is_err() {
                statistics.malformed += 1;
            }
        }
    }
}

/// The records of a set; gives how many there were.
fn records(
    known: &Known,
    header: &Header,
    body: &[u8],
    statistics: &mut Statistics,
    each: &mut impl FnMut(&Record<'_>),
) -> Result<Units, Malformed> {
    let Known { template, plan, .. } = known;
    let mut from = Reader(body);
    let mut count = 0;
    let mut failed = None;
    loop {
        match template.next_record(&mut from) {
            Ok(Some(octets)) => each(&Record { header, template, octets, plan }),
            Ok(None) => break,
            Err(e) => {
                failed = Some(e);
                break;
            }
        }
        count += 1;
    }
    let options = template.is_options();
    let counter = if options { &mut statistics.options } else { &mut statistics.records };
    *counter += u64::from(count);
    let units = Units { all: count, flows: if options { 0 } else { count } };
    failed.map_or(Ok(units), Err)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
