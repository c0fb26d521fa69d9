//! IPFIX and NetFlow v9.

use super::attributes::{Attribute, Constants};
use super::target::Target;
use super::{Exported, Metering, now};
use crate::flows::encode::{Encoder, definition, put, template_set};
use crate::flows::{Datum, Element, Flow, Protocol};
use crate::selectors::Report;
use csn::Nanos;
use std::collections::HashMap;

/// Over UDP templates are sent again after so long,
const REFRESH: Nanos = Nanos::from_secs(600);
/// or after so many messages: a collector that comes late should not wait for long.
const REFRESH_MESSAGES: u64 = 4_096;

/// A field of a template, and a value that it has.
type Field<'a> = (&'static Element, Datum<'a>);

/// Writes messages and sends them.
pub struct Messages {
    protocol: Protocol,
    encoder: Encoder,
    target: Target,
    start: Nanos,
    /// Numbers and lengths of fields, to the template's id; and how many of the fields are its scope.
    templates: HashMap<Shape, u16>,
    /// The flows of the message that is written: flows, packets, octets.
    pending: [u64; 3],
    refreshed: (Nanos, u64),
    shape: Shape,
    record: Vec<u8>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Shape {
    scope: usize,
    fields: Vec<(u16, u16)>,
}

impl Messages {
    /// Writes messages of one observation domain.
    pub fn new(protocol: Protocol, domain: u32, target: Target, start: Nanos) -> Self {
        Self {
            protocol,
            encoder: Encoder::new(protocol, domain, target.most()),
            target,
            start,
            templates: HashMap::new(),
            pending: [0; 3],
            refreshed: (start, 0),
            shape: Shape::default(),
            record: Vec::new(),
        }
    }

    /// Adds a flow, and sends the message when it is full.
    pub fn flow(
        &mut self,
        flow: &Flow,
        attributes: &[&'static Attribute],
        constants: &Constants,
        exported: &mut Exported,
    ) {
        let fields = attributes.iter().filter_map(|a| a.of(flow, constants));
        if !self.encode(0, fields) {
            exported.not_sent(flow);
            return;
        }
        self.add(exported);
        self.pending = [self.pending[0] + 1, self.pending[1] + flow.packets, self.pending[2] + flow.octets];
    }

    /// Writes the octets of a record and the shape that they have; false where that has no field.
    fn encode<'a>(&mut self, scope: usize, fields: impl Iterator<Item = Field<'a>>) -> bool {
        self.record.clear();
        self.shape.fields.clear();
        self.shape.scope = scope;
        for (element, value) in fields {
            if self.protocol == Protocol::Ipfix {
                put(&mut self.record, element, &value);
                self.shape.fields.push((element.id, element.length));
            } else {
                self.version_9(element, &value);
            }
        }
        !self.shape.fields.is_empty()
    }

    /// A field as NetFlow v9 has it: times since the start, and nothing of variable length.
    fn version_9(&mut self, element: &'static Element, value: &Datum<'_>) {
        let since =
            |time: Nanos| Datum::Number((time.0.saturating_sub(self.start.0) / 1_000_000) & 0xffff_ffff);
        let (id, value) = match (element.id, value) {
            (152 | 156, Datum::Time(t)) => (22, since(*t)),
            (153 | 157, Datum::Time(t)) => (21, since(*t)),
            (_, Datum::Text(_) | Datum::Octets(_)) => return,
            _ => (element.id, *value),
        };
        let times = [21, 22].contains(&id) && self.shape.fields.iter().any(|(other, _)| *other == id);
        if let (Some(element), false) = (Element::by_id(id), times) {
            put(&mut self.record, element, &value);
            self.shape.fields.push((id, element.length));
        }
    }

    /// Adds the record that was encoded, behind its template where that is new.
    fn add(&mut self, exported: &mut Exported) {
        self.refresh(exported);
        let id = match self.templates.get(&self.shape) {
            Some(id) => *id,
            None => {
                // there are not so many combinations of attributes
                let id = 256 + self.templates.len() as u16;
                self.templates.insert(self.shape.clone(), id);
                self.define(id, &self.shape.clone(), exported);
                id
            }
        };
        if !self.encoder.add(id, &self.record) {
            self.send(exported);
            self.encoder.add(id, &self.record);
        }
    }

    fn define(&mut self, id: u16, shape: &Shape, exported: &mut Exported) {
        let set = template_set(self.protocol, shape.scope > 0);
        let definition = definition(self.protocol, id, shape.scope, &shape.fields);
        if !self.encoder.add(set, &definition) {
            self.send(exported);
            self.encoder.add(set, &definition);
        }
    }

    /// Sends all templates again, where they may have been lost and it is time.
    fn refresh(&mut self, exported: &mut Exported) {
        let (at, messages) = self.refreshed;
        if !self.target.lossy() || exported.messages - messages < 16 {
            return;
        }
        let now = now();
        if now.0 >= at.0 + REFRESH.0 || exported.messages - messages >= REFRESH_MESSAGES {
            self.refreshed = (now, exported.messages);
            let shape = std::mem::take(&mut self.shape);
            let record = std::mem::take(&mut self.record);
            for (shape, id) in self.templates.clone() {
                self.define(id, &shape, exported);
            }
            (self.shape, self.record) = (shape, record);
        }
    }

    fn send(&mut self, exported: &mut Exported) {
        let Self { encoder, target, pending, .. } = self;
        let [flows, packets, octets] = std::mem::take(pending);
        let now = now();
        let uptime = (now.0.saturating_sub(self.start.0) / 1_000_000) as u32;
        let sent = encoder
            .finish(now, uptime, |message| target.send(message, flows as u32).then_some(message.len()));
        match sent.flatten() {
            Some(length) => {
                exported.messages += 1;
                exported.octets += length as u64;
                exported.flows += flows;
            }
            None => {
                exported.not_sent += flows;
                exported.not_sent_packets += packets;
                exported.not_sent_octets += octets;
            }
        }
    }

    /// Says what there is to say of the exporter itself, and sends all that is pending.
    pub fn finish(&mut self, metering: &Metering, constants: &Constants, exported: &mut Exported) {
        self.send(exported);
        if self.protocol == Protocol::Netflow9 {
            self.options_9(metering, exported);
        } else {
            self.options(metering, constants, exported);
        }
        self.send(exported);
    }

    /// A record of options; the first `scope` fields are its scope.
    fn option(&mut self, scope: usize, fields: &[(u16, Datum<'_>)], exported: &mut Exported) {
        let fields = fields.iter().filter_map(|(id, value)| Some((Element::by_id(*id)?, *value)));
        if self.encode(scope, fields) {
            self.add(exported);
        }
    }

    /// The statistics that RFC 7011, 4, names, and those of selectors after RFC 5476, 6.5.
    fn options(&mut self, metering: &Metering, constants: &Constants, exported: &mut Exported) {
        let n = Datum::Number;
        let process = (144, n(constants.process.into()));
        let e = *exported;
        self.option(1, &[process, (41, n(e.messages)), (42, n(e.flows)), (40, n(e.octets))], exported);
        let Some((first, last)) = metering.times else { return };
        let times = [(152, Datum::Time(first)), (153, Datum::Time(last))];
        let metering_process = (143, n(constants.process.into()));
        self.option(1, &[metering_process, (164, n(metering.ignored_packets)), times[0], times[1]], exported);
        let not_sent = [(166, n(e.not_sent)), (167, n(e.not_sent_packets)), (168, n(e.not_sent_octets))];
        self.option(1, &[&[process], &not_sent[..], &times].concat(), exported);
        if let (Some(report), Some(sequence)) = (&metering.selection, constants.selection) {
            self.selection(report, sequence, constants.point, exported);
        }
    }

    fn selection(&mut self, report: &Report, sequence: u64, point: u64, exported: &mut Exported) {
        let n = Datum::Number;
        let mut members = vec![(301, n(sequence)), (138, n(point))];
        let mut statistics = vec![(301, n(sequence)), (318, n(report.observed))];
        for (i, selector) in report.selectors.iter().enumerate() {
            let id = n(i as u64 + 1);
            members.push((302, id));
            statistics.push((319, n(selector.selected)));
            let mut fields = vec![(302, id), (335, Datum::Text(&selector.text))];
            fields.extend(selector.algorithm.map(|a| (304, n(a.into()))));
            fields.extend(&selector.parameters);
            self.option(1, &fields, exported);
        }
        self.option(1, &members, exported);
        self.option(1, &statistics, exported);
    }

    /// What NetFlow v9 can say: the scope is the system; and how many of the packets were selected.
    fn options_9(&mut self, metering: &Metering, exported: &mut Exported) {
        let e = *exported;
        let mut fields =
            vec![(41, e.messages), (42, e.flows), (40, e.octets), (164, metering.ignored_packets)];
        if let Some(report) = &metering.selection {
            let selected = report.selected().max(1);
            fields.push((34, (report.observed + selected / 2) / selected));
        }
        self.record.clear();
        self.record.extend(0u32.to_be_bytes());
        // scope 1: the system
        self.shape = Shape { scope: 1, fields: vec![(1, 4)] };
        for (id, value) in fields {
            if let Some(element) = Element::by_id(id) {
                put(&mut self.record, element, &Datum::Number(value));
                self.shape.fields.push((id, element.length));
            }
        }
        self.add(exported);
    }
}
