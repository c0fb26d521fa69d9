use super::*;
use crate::collector::{Background, Server, ServerOptions, Summary};
use crate::flows::{Datum, FieldSpec};
use csn::{Field, Key};
use std::collections::BTreeMap;

/// Flows of every kind: both families, ports and ICMP, times with nanoseconds.
fn flows() -> Vec<Flow> {
    let start = now();
    let keys = [
        "srcip = 192.0.2.1, dstip = 198.51.100.2, proto = udp, srcport = 1234, dstport = 53, tos = 184",
        "srcip = 192.0.2.1, dstip = 198.51.100.3, proto = tcp, srcport = 40000, dstport = 443, tos = 0, ttl = 64",
        "srcip = 192.0.2.9, dstip = 198.51.100.2, proto = icmp, icmptype = 8, icmpcode = 1",
        "srcip = 2001:db8::1, dstip = 2001:db8::2, proto = udp, srcport = 5000, dstport = 4739, flowlabel = 74565",
    ];
    let flow = |i: usize| {
        let key: Key = csn::parse_packet(keys[i % keys.len()]).unwrap();
        Flow {
            key,
            packets: 10 + i as u64,
            octets: 1_000 + i as u64,
            frame_octets: Some(1_140 + i as u64),
            first: Some(Nanos(start.0 + 1_000_000 * i as u64 + 123)),
            last: Some(Nanos(start.0 + 2_000_000_456)),
            tcp_flags: key.get(Field::SrcPort).filter(|p| p.bits == 40000).map(|_| 0x1b),
            end: EndReason::Idle,
            id: Some(3),
            label: Some("voice".into()),
            ..Flow::default()
        }
    };
    (0..100).map(flow).collect()
}

type Line = BTreeMap<String, String>;

/// Exports the flows to our own collector; gives what it read of flows and options.
fn round(
    scheme: &str,
    template: &str,
    metering: &Metering,
) -> (Vec<Line>, Vec<Flow>, Vec<Line>, Summary, Exported) {
    let server = Server::bind("127.0.0.1:0", ServerOptions::default()).unwrap();
    let gathered = (Vec::new(), Vec::new(), Vec::new());
    let collector = Background::start(server, gathered, |(lines, flows, options), _, record| {
        let line =
            record.values().map(|(f, v): (&FieldSpec, Datum<'_>)| (f.to_string(), v.to_string())).collect();
        if record.template.is_options() {
            options.push(line)
        } else {
            lines.push(line)
        }
        record.flows(&mut |flow| flows.push(flow.clone()));
    })
    .unwrap();
    let form = format!("{scheme}://{}", collector.address());
    let mut options = vec![("export".to_owned(), form), ("template".into(), template.into())];
    if metering.selection.is_some() {
        options.push(("select".into(), "count(1, 9)".into()));
    }
    let spec = csn::MeterSpec { name: "x".into(), options, span: csn::Span::default() };
    let options = ExportOptions::parse(&spec).unwrap().unwrap();
    let mut exporter = Exporter::open(&options, Some(7)).unwrap();
    for flow in flows() {
        exporter.flow(&flow).unwrap();
    }
    let exported = exporter.finish(metering).unwrap();
    drop(exporter);
    let ((lines, flows, options), summary) = collector.stop().unwrap();
    (lines, flows, options, summary, exported)
}

#[test]
fn what_is_sent_is_read_field_by_field() {
    for scheme in ["ipfix", "ipfix+tcp", "netflow9"] {
        let (lines, read, _, summary, exported) = round(scheme, "all", &Metering::default());
        assert!(summary.complete() && summary.all.late == 0, "{scheme}: {summary}");
        assert_eq!((exported.flows, exported.not_sent, read.len()), (100, 0, 100), "{scheme}");
        assert_eq!(
            (exported.messages, exported.octets),
            (summary.all.messages, summary.all.octets),
            "{scheme}"
        );
        for ((sent, read), line) in flows().iter().zip(&read).zip(&lines) {
            for (field, value) in
                sent.key.fields().filter(|(f, _)| ![Field::FlowLabel, Field::Fragment].contains(f))
            {
                assert_eq!(read.key.get(field), Some(value), "{scheme}: {field} of {line:?}");
            }
            assert_eq!(
                (read.packets, read.octets, read.frame_octets),
                (sent.packets, sent.octets, sent.frame_octets)
            );
            assert_eq!((read.tcp_flags, read.end, read.id), (sent.tcp_flags, sent.end, sent.id), "{scheme}");
            assert_eq!(line["observationPointId"], "7");
            assert_eq!(line["exportingProcessId"], std::process::id().to_string());
            let duration = |f: &Flow| f.last.unwrap().0 - f.first.unwrap().0;
            let off = if scheme == "netflow9" { 1_000_000 } else { 0 };
            assert!(duration(sent).abs_diff(duration(read)) <= off.max(1_000_000), "{scheme}");
            if scheme != "netflow9" {
                assert_eq!(read.label, sent.label);
                assert_eq!(line.contains_key("flowLabelIPv6"), sent.key.get(Field::FlowLabel).is_some());
            }
        }
    }
}

#[test]
fn version_5_carries_what_is_ipv4_and_counts_the_rest() {
    let (_, read, _, summary, exported) = round("netflow5", "all", &Metering::default());
    assert!(summary.complete(), "{summary}");
    assert_eq!((exported.flows, exported.not_sent, read.len()), (75, 25, 75));
    let sent: Vec<_> = flows().into_iter().filter(|f| f.key.get(Field::FlowLabel).is_none()).collect();
    for (sent, read) in sent.iter().zip(&read) {
        for field in
            [Field::SrcIp, Field::DstIp, Field::Proto, Field::SrcPort, Field::DstPort, Field::IcmpType]
        {
            assert_eq!(read.key.get(field), sent.key.get(field), "{field}");
        }
        assert_eq!((read.packets, read.octets), (sent.packets, sent.octets));
        let duration = |f: &Flow| f.last.unwrap().0 - f.first.unwrap().0;
        assert!(duration(sent).abs_diff(duration(read)) <= 1_000_000);
    }
}

#[test]
fn options_tell_of_the_exporter_and_of_selectors() {
    let report = Report {
        observed: 1_000,
        selectors: vec![crate::selectors::SelectorReport {
            text: "count(1, 9)".into(),
            algorithm: Some(1),
            parameters: vec![(305, Datum::Number(1)), (306, Datum::Number(9))],
            selected: 100,
        }],
    };
    let metering = Metering {
        ignored_packets: 5,
        times: Some((Nanos::from_secs(1), Nanos::from_secs(2))),
        selection: Some(report),
    };
    let (lines, _, options, summary, _) = round("ipfix", "mandatory", &metering);
    assert_eq!(lines[0]["selectionSequenceId"], "1");
    let has = |name: &str, value: &str| options.iter().any(|o| o.get(name).is_some_and(|v| v == value));
    for (name, value) in [
        ("exportedFlowRecordTotalCount", "100"),
        ("ignoredPacketTotalCount", "5"),
        ("notSentFlowTotalCount", "0"),
        ("selectorAlgorithm", "1"),
        ("samplingPacketInterval", "1"),
        ("samplingPacketSpace", "9"),
        ("selectorName", "count(1, 9)"),
        ("selectorIdTotalPktsObserved", "1000"),
        ("selectorIdTotalPktsSelected", "100"),
    ] {
        assert!(has(name, value), "{name} = {value} is missing: {options:?}");
    }
    assert!(summary.complete(), "{summary}");
    assert_eq!(summary.exporters[0].told["ignoredPacketTotalCount"], 5.0);
    let (_, _, options, summary, _) = round("netflow9", "mandatory", &metering);
    assert!(summary.complete(), "{summary}");
    assert_eq!((&*options[0]["system"], &*options[0]["samplingInterval"]), ("0", "10"));
}

#[test]
fn files_hold_the_chosen_attributes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |kind: &str| {
        let path = folder.path().join(kind);
        let options =
            [("export", format!("{kind}:{}", path.display())), ("template", "srcip, packets, label".into())];
        let options = options.map(|(n, v)| (n.to_owned(), v)).to_vec();
        let spec = csn::MeterSpec { name: "x".into(), options, span: csn::Span::default() };
        let mut exporter = Exporter::open(&ExportOptions::parse(&spec).unwrap().unwrap(), None).unwrap();
        let mut flow = flows().remove(0);
        exporter.flow(&flow).unwrap();
        flow.label = Some("a \"b\", c".into());
        exporter.flow(&flow).unwrap();
        exporter.finish(&Metering::default()).unwrap();
        std::fs::read_to_string(path).unwrap()
    };
    assert_eq!(write("csv"), "srcip,packets,label\n192.0.2.1,10,voice\n192.0.2.1,10,\"a \"\"b\"\", c\"\n");
    let json: Vec<serde_json::Value> =
        write("json").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(json[1], serde_json::json!({"srcip": "192.0.2.1", "packets": 10, "label": "a \"b\", c"}));
}

#[test]
fn what_nobody_takes_is_counted_as_not_sent() {
    let spec = |to: String| csn::MeterSpec {
        name: "x".into(),
        options: vec![("export".into(), to)],
        span: csn::Span::default(),
    };
    // a port that was free a moment ago
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = ExportOptions::parse(&spec(format!("ipfix+tcp://{port}"))).unwrap().unwrap();
    assert!(Exporter::open(&options, None).is_err());
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = format!("ipfix+tcp://{}", listener.local_addr().unwrap());
    let mut exporter = Exporter::open(&ExportOptions::parse(&spec(to)).unwrap().unwrap(), None).unwrap();
    drop(listener);
    for flow in flows().iter().cycle().take(100_000) {
        exporter.flow(flow).unwrap();
    }
    let exported = exporter.finish(&Metering::default()).unwrap();
    assert_eq!(exported.flows + exported.not_sent, 100_000);
    assert!(exported.not_sent > 0, "{exported:?}");
}
