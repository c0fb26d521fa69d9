//! What real exporters sent when they metered one capture (`testdata/flows`), read by the collector.
//!
//! The capture has five UDP packets of one flow and three of another, four of TCP, an echo request, and two UDP packets
//! over IPv6; NetFlow v5 cannot carry the last.

use csn::{Field, Nanos};
use meters::capture::{Batch, Capture, Cpu, File};
use meters::collector::{Collector, CollectorLimits, Summary, Transport};
use meters::flows::{Counting, Flow};
use std::path::Path;
use std::rc::Rc;

/// The flows of a recording of datagrams over UDP and IPv4, and what the collector says about the exporter.
fn collect(name: &str) -> (Vec<Flow>, Summary) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/flows").join(name).with_extension("pcap");
    let mut file = File::open(&path, None, Rc::new(Cpu::default())).unwrap();
    let mut collector = Collector::new(CollectorLimits::default());
    let mut flows = Vec::new();
    let mut each = |frame: &meters::capture::Frame<'_>| {
        let from = ([127, 0, 0, 1], u16::from_be_bytes([frame.bytes[34], frame.bytes[35]])).into();
        let message = &frame.bytes[42..];
        let read = collector.message(Transport::Udp, from, message, frame.time, &mut |_, record| {
            record.flows(&mut |flow| flows.push(flow.clone()));
        });
        read.unwrap_or_else(|e| panic!("{name}: {e}"));
    };
    while file.batch(&mut each).unwrap() != Batch::End {}
    (flows, collector.summary())
}

/// A flow in one line: what every exporter must say the same way.
fn line(flow: &Flow) -> String {
    let get = |f| flow.key.get(f).map_or_else(|| "-".to_string(), |v| v.to_string());
    let [src, dst, proto] = [Field::SrcIp, Field::DstIp, Field::Proto].map(get);
    let [sport, dport, tos] = [Field::SrcPort, Field::DstPort, Field::Tos].map(get);
    let [kind, code] = [Field::IcmpType, Field::IcmpCode].map(get);
    let flags = flow.tcp_flags.filter(|f| *f != 0).map_or("-".into(), |f| format!("{f:02x}"));
    format!(
        "{src}:{sport} {dst}:{dport} {proto} {tos} {kind}/{code} {flags} {} {}",
        flow.packets, flow.octets
    )
}

const FLOWS: [&str; 5] = [
    "10.0.0.1:1234 10.0.0.2:2000 17 0 -/- - 5 640",
    "10.0.0.1:40000 10.0.0.4:80 6 0 -/- 1b 4 160",
    "10.0.0.3:1235 10.0.0.2:2001 17 184 -/- - 3 234",
    "10.0.0.5:- 10.0.0.2:- 1 0 8/0 - 1 52",
    "2001:db8::1:5000 2001:db8::2:53 17 184 -/- - 2 176",
];

const RECORDINGS: [&str; 7] =
    ["softflowd5", "softflowd9", "softflowd10", "nfprobe5", "nfprobe9", "nfprobe10", "fprobe"];

#[test]
fn every_recording_holds_the_flows_of_the_capture() {
    for name in RECORDINGS {
        let (flows, summary) = collect(name);
        let mut lines: Vec<_> = flows.iter().map(line).collect();
        lines.sort();
        let mut expected = FLOWS.map(String::from).to_vec();
        if name.ends_with('5') || name == "fprobe" {
            expected.pop();
            if name == "fprobe" {
                // fprobe 1.1 leaves type and code of ICMP out
                expected[3] = expected[3].replace("8/0", "-/-");
            }
        } else {
            // both leave the traffic class of IPv6 out
            expected[4] = expected[4].replace("184", "0");
        }
        assert_eq!(lines, expected, "{name}");
        assert!(
            summary.complete() && summary.all.late == 0 && summary.all.restarts == 0,
            "{name}: {summary}"
        );
        let usual = summary.exporters.iter().all(|e| e.counting == Counting::Standard);
        assert!(usual, "{name}: {summary}");
    }
}

#[test]
fn times_are_those_of_the_capture() {
    // the first packet of the first flow, and the last, four tenths of a second later
    let first = Nanos::from_secs(1_700_000_000);
    for name in RECORDINGS.into_iter().filter(|n| *n != "fprobe") {
        let (flows, _) = collect(name);
        let flow = flows.iter().find(|f| f.packets == 5).unwrap();
        let (a, b) = (flow.first.unwrap(), flow.last.unwrap());
        assert_eq!(b.0 - a.0, 400_000_000, "{name}");
        // in the other forms a capture's times are told as if it were read while it was made
        if ["nfprobe9", "nfprobe10"].contains(&name) {
            assert_eq!(a, first, "{name}");
        }
    }
}
