//! Records as flows of an exporter.

use super::records::{EndReason, FlowRecord};
use crate::export::Shared;
use crate::flows::{self, Flow};
use crate::meter::MeterError;
use csn::Class;

/// Where records go that are exported.
pub struct Export {
    exporter: Shared,
    /// The classes of the rules; none where there are no rules.
    classes: Vec<Class>,
}

impl Export {
    /// Exports to there; flows get the numbers and names of these classes.
    pub fn new(exporter: Shared, classes: Vec<Class>) -> Self {
        Self { exporter, classes }
    }

    /// Exports a record of that class.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn take(&self, record: &FlowRecord<'_>, class: usize) -> Result<(), MeterError> {
        let class = self.classes.get(class);
        let flow = Flow {
            key: *record.key,
            packets: record.counts.packets,
            frame_octets: Some(record.counts.bytes),
            first: Some(record.first),
            last: Some(record.last),
            end: match record.end {
                EndReason::Idle => flows::EndReason::Idle,
                EndReason::Active => flows::EndReason::Active,
                EndReason::Forced => flows::EndReason::Forced,
                EndReason::Resources => flows::EndReason::Resources,
            },
            id: class.map(|c| c.number.into()),
            label: class.map(|c| c.label().into()),
            ..Flow::default()
        };
        let sent = self.exporter.borrow_mut().flow(&flow);
        sent.map_err(|source| MeterError::Io { what: "export flow records".into(), source })
    }
}
