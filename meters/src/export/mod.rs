//! Flow records out of a meter: IPFIX over UDP and TCP, NetFlow v9 and v5 over UDP, CSV and JSON.
//!
//! An [`Exporter`] is handed each flow when its record ends. Which attributes of it go out says a list of
//! [`attributes`]; a record has those that its flow has, so there is one template for each combination that occurs.
//! Beside flows, IPFIX and NetFlow v9 carry what the exporter says of itself (RFC 7011, 4, and for selectors RFC 5476).

pub mod attributes;
mod messages;
mod options;
mod target;
mod text;
mod v5;

pub use attributes::{ATTRIBUTES, Attribute};
pub use options::{EXPORT, ExportOptions, Form};

use crate::flows::{EndReason, Flow, Protocol};
use crate::selectors::Report;
use attributes::Constants;
use csn::Nanos;
use messages::Messages;
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};
use target::Target;
use text::Text;
use v5::Version5;

/// What was exported, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Messages, or 0 where a file was written.
    pub messages: u64,
    /// Flow records.
    pub flows: u64,
    /// Octets of messages or of the file.
    pub octets: u64,
    /// Flow records that could not be sent: nobody listened, or the form cannot say them.
    pub not_sent: u64,
    /// Packets in those.
    pub not_sent_packets: u64,
    /// Octets in those.
    pub not_sent_octets: u64,
}

impl Exported {
    fn not_sent(&mut self, flow: &Flow) {
        self.not_sent += 1;
        self.not_sent_packets += flow.packets;
        self.not_sent_octets += flow.octets;
    }
}

/// What the meter in front of the exporter says of itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metering {
    /// Packets that it should have looked at and did not, as they were dropped.
    pub ignored_packets: u64,
    /// The first and the last time that this was so; of a run, its beginning and end.
    pub times: Option<(Nanos, Nanos)>,
    /// How packets were selected, where they were.
    pub selection: Option<Report>,
}

enum Writer {
    Messages(Box<Messages>),
    Version5(Box<Version5>),
    Text(Text),
}

/// An exporter that a meter and the loop around it share.
pub type Shared = std::rc::Rc<std::cell::RefCell<Exporter>>;

/// Takes flows to where they are wanted.
pub struct Exporter {
    writer: Writer,
    attributes: Vec<&'static Attribute>,
    constants: Constants,
    exported: Exported,
}

impl Exporter {
    /// Opens the target.
    ///
    /// # Errors
    /// A collector that does not accept a connection, a file that can't be made.
    pub fn open(options: &ExportOptions, point: Option<u32>) -> io::Result<Self> {
        let start = now();
        let writer = match &options.form {
            Form::Ipfix(to, tcp) => Self::messages(Protocol::Ipfix, to, *tcp, options, start)?,
            Form::Netflow9(to) => Self::messages(Protocol::Netflow9, to, false, options, start)?,
            Form::Netflow5(to) => {
                let target = Target::open(to, false, options.rate)?;
                Writer::Version5(Box::new(Version5::new(target, start)))
            }
            Form::Csv(path) => Writer::Text(Text::csv(path, &options.attributes)?),
            Form::Json(path) => Writer::Text(Text::json(path)?),
        };
        let constants = Constants {
            point: point.unwrap_or(0).into(),
            process: std::process::id(),
            selection: options.selected.then_some(1),
        };
        Ok(Self { writer, attributes: options.attributes.clone(), constants, exported: Exported::default() })
    }

    fn messages(
        protocol: Protocol,
        to: &str,
        tcp: bool,
        options: &ExportOptions,
        start: Nanos,
    ) -> io::Result<Writer> {
        let target = Target::open(to, tcp, options.rate)?;
        Ok(Writer::Messages(Box::new(Messages::new(protocol, options.domain, target, start))))
    }

    /// Exports a record for each class that packets were counted for: of a meter that has no flows of its own.
    ///
    /// # Errors
    /// As [`Exporter::flow`].
    pub fn classes(
        &mut self,
        classes: &[csn::Class],
        counts: &[csn::Counts],
        (first, last): (Nanos, Nanos),
    ) -> io::Result<()> {
        for (class, counts) in classes.iter().zip(counts).filter(|(_, c)| c.packets > 0) {
            self.flow(&Flow {
                packets: counts.packets,
                frame_octets: Some(counts.bytes),
                first: Some(first),
                last: Some(last),
                end: EndReason::Forced,
                id: Some(class.number.into()),
                label: Some(class.label().into()),
                ..Flow::default()
            })?;
        }
        Ok(())
    }

    /// Exports a flow.
    ///
    /// # Errors
    /// A file that can't be written. What can't be sent is counted.
    pub fn flow(&mut self, flow: &Flow) -> io::Result<()> {
        let Self { writer, attributes, constants, exported } = self;
        match writer {
            Writer::Messages(m) => m.flow(flow, attributes, constants, exported),
            Writer::Version5(m) => m.flow(flow, constants, exported),
            Writer::Text(t) => t.flow(flow, attributes, constants, exported)?,
        }
        Ok(())
    }

    /// Sends what is pending and what is to be said at the end, and tells what was exported.
    ///
    /// # Errors
    /// As [`Exporter::flow`].
    pub fn finish(&mut self, metering: &Metering) -> io::Result<Exported> {
        let Self { writer, constants, exported, .. } = self;
        match writer {
            Writer::Messages(m) => m.finish(metering, constants, exported),
            Writer::Version5(m) => m.flush(exported),
            Writer::Text(t) => t.finish()?,
        }
        Ok(self.exported)
    }
}

/// The time of this machine.
fn now() -> Nanos {
    Nanos(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
