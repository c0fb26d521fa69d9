//! Messages for a collector out of the octets of a fuzzer.

use csn::Nanos;
use meters::collector::{Class, Classes, Collector, CollectorLimits, Exporter, Transport};
use meters::flows::{Limits, Record};
use std::net::SocketAddr;

/// Small limits, so that a few messages reach them.
fn collector() -> Collector {
    let session = Limits { templates: 4, fields: 40, waiting: 600, ..Limits::default() };
    Collector::new(CollectorLimits { sessions: 3, session })
}

/// Looks at all that a record says.
fn look(_: &Exporter, record: &Record<'_>, classes: &mut Classes) {
    for (field, value) in record.values() {
        let _ = (field.to_string(), value.to_string());
    }
    record.flows(&mut |flow| {
        let class = classes.add(flow);
        assert!(matches!(class, Class::Decided(_) | Class::Undecided));
    });
}

/// Each message is behind its length in two octets; its version is set, and for IPFIX its length.
pub fn collect(version: u16, mut data: &[u8]) {
    let mut collector = collector();
    let mut classes = Classes::new(&csn::RuleSet::default());
    let mut now = Nanos(0);
    while let [high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        let (message, next) = rest.split_at(length);
        data = next;
        let mut message = message.to_vec();
        if message.len() >= 4 {
            message[..2].copy_from_slice(&version.to_be_bytes());
            if version == 10 {
                let length = (message.len() as u16).to_be_bytes();
                message[2..4].copy_from_slice(&length);
            }
        }
        // the port from the message, so that there are several exporters; and time goes by
        let port = message.last().map_or(0, |b| u16::from(b & 3));
        let transport = if port & 1 == 1 { Transport::Tcp } else { Transport::Udp };
        now = Nanos(now.0 + 700_000_000_000);
        let from = SocketAddr::from(([192, 0, 2, 1], port));
        let mut each = |e: &Exporter, r: &Record<'_>| look(e, r, &mut classes);
        let _ = collector.message(transport, from, &message, now, &mut each);
    }
    let summary = collector.summary();
    assert!(summary.exporters.len() <= 3);
    let _ = summary.to_string();
}
