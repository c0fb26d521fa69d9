//! From values to messages: the writing side of [`super::Session`], without I/O.

use super::datum::{Datum, ntp};
use super::element::{Element, Kind};
use super::{Protocol, VARIABLE};
use csn::Nanos;

/// Appends a value as its element has it, at full length. Text is as long as it is, behind its length (RFC 7011, 7), and
/// cut where it is longer than a message could be.
pub fn put(out: &mut Vec<u8>, element: &Element, value: &Datum<'_>) {
    let number = |out: &mut Vec<u8>, n: u64| {
        let octets = n.to_be_bytes();
        out.extend_from_slice(&octets[8 - usize::from(element.length).min(8)..]);
    };
    match *value {
        Datum::Number(n) => number(out, n),
        Datum::Float(n) => out.extend(n.to_be_bytes()),
        Datum::Boolean(b) => out.push(if b { 1 } else { 2 }),
        Datum::Mac(octets) => out.extend(octets),
        Datum::Ipv4(a) => out.extend(a.octets()),
        Datum::Ipv6(a) => out.extend(a.octets()),
        Datum::Time(t) => match element.kind {
            Kind::Seconds => number(out, t.0 / 1_000_000_000),
            Kind::Milliseconds => number(out, t.0 / 1_000_000),
            _ => number(out, ntp(t)),
        },
        Datum::Text(text) => octets(out, element, text.as_bytes()),
        Datum::Octets(value) => octets(out, element, value),
    }
}

fn octets(out: &mut Vec<u8>, element: &Element, value: &[u8]) {
    if element.length != VARIABLE {
        let length = usize::from(element.length);
        out.extend(value.iter().copied().chain(std::iter::repeat(0)).take(length));
        return;
    }
    let value = &value[..value.len().min(1_000)];
    if value.len() < 255 {
        out.push(value.len() as u8);
    } else {
        out.push(255);
        out.extend((value.len() as u16).to_be_bytes());
    }
    out.extend(value);
}

/// Puts messages of NetFlow v9 or IPFIX together, one after the other.
#[derive(Debug)]
pub struct Encoder {
    protocol: Protocol,
    domain: u32,
    /// Octets that a message has at most.
    most: usize,
    /// What the header of the next message says.
    sequence: u32,
    message: Vec<u8>,
    /// Where the set begins that records are added to, and its id.
    set: Option<(usize, u16)>,
    /// Records of all kinds in the message, and those that are data.
    records: u16,
    data: u32,
}

impl Encoder {
    /// An encoder of one observation domain; `most` is the size of a message at most.
    pub fn new(protocol: Protocol, domain: u32, most: usize) -> Self {
        let mut this = Self {
            protocol,
            domain,
            most: most.clamp(512, 65_535),
            sequence: 0,
            message: Vec::new(),
            set: None,
            records: 0,
            data: 0,
        };
        this.message.resize(this.header(), 0);
        this
    }

    fn header(&self) -> usize {
        super::header::HEADERS[self.protocol as usize]
    }

    /// Whether nothing is in the message.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Adds a record (data or template, as its set's id says); false where the message has no room for it, or what there is
    /// of the set cannot be added to. An empty message takes any record.
    pub fn add(&mut self, set: u16, record: &[u8]) -> bool {
        let open = self.set.is_some_and(|(_, id)| id == set);
        // a set's header, and what may be padded
        let more = record.len() + if open { 3 } else { 4 + 3 + 3 };
        if !self.is_empty() && self.message.len() + more > self.most {
            return false;
        }
        if !open {
            self.close();
            self.set = Some((self.message.len(), set));
            self.message.extend(set.to_be_bytes());
            self.message.extend([0, 0]);
        }
        self.message.extend_from_slice(record);
        self.records += 1;
        self.data += u32::from(set >= 256);
        true
    }

    /// Writes the length of the open set.
    fn close(&mut self) {
        let Some((start, _)) = self.set.take() else { return };
        // NetFlow v9 pads to 4 octets; in IPFIX it is free to (and a record of one octet forbids it)
        while self.protocol == Protocol::Netflow9 && !(self.message.len() - start).is_multiple_of(4) {
            self.message.push(0);
        }
        let length = (self.message.len() - start) as u16;
        self.message[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    /// Ends the message and hands it to `send`; `uptime` is the milliseconds since the exporter started.
    pub fn finish<R>(&mut self, now: Nanos, uptime: u32, send: impl FnOnce(&[u8]) -> R) -> Option<R> {
        if self.is_empty() {
            return None;
        }
        self.close();
        let seconds = (now.0 / 1_000_000_000) as u32;
        let mut header = Vec::with_capacity(20);
        header.extend(self.protocol.version().to_be_bytes());
        if self.protocol == Protocol::Netflow9 {
            header.extend(self.records.to_be_bytes());
            header.extend(uptime.to_be_bytes());
        } else {
            header.extend((self.message.len() as u16).to_be_bytes());
        }
        header.extend(seconds.to_be_bytes());
        header.extend(self.sequence.to_be_bytes());
        header.extend(self.domain.to_be_bytes());
        self.message[..header.len()].copy_from_slice(&header);
        let sent = send(&self.message);
        let units = if self.protocol == Protocol::Netflow9 { 1 } else { self.data };
        self.sequence = self.sequence.wrapping_add(units);
        self.message.truncate(self.header());
        (self.records, self.data) = (0, 0);
        Some(sent)
    }
}

/// A record that defines a template: fields by number and length, of which the first `scope` are the scope of options.
/// In NetFlow v9 numbers of scope fields are those of its scopes.
pub fn definition(protocol: Protocol, id: u16, scope: usize, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + 4 * fields.len());
    out.extend(id.to_be_bytes());
    if scope > 0 && protocol == Protocol::Netflow9 {
        out.extend((4 * scope as u16).to_be_bytes());
        out.extend((4 * (fields.len() - scope) as u16).to_be_bytes());
    } else {
        out.extend((fields.len() as u16).to_be_bytes());
        if scope > 0 {
            out.extend((scope as u16).to_be_bytes());
        }
    }
    for (id, length) in fields {
        out.extend(id.to_be_bytes());
        out.extend(length.to_be_bytes());
    }
    out
}

/// The id of the set that templates stand in.
pub const fn template_set(protocol: Protocol, options: bool) -> u16 {
    match (protocol, options) {
        (Protocol::Ipfix, false) => 2,
        (Protocol::Ipfix, true) => 3,
        (_, false) => 0,
        (_, true) => 1,
    }
}
