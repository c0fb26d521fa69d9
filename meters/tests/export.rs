//! What we export, read by the collectors that people run: nfcapd, tshark, nfacctd and ipfixDump. What is missing is
//! skipped with its reason.

use csn::{Key, MeterSpec, Nanos, Span};
use meters::export::{ExportOptions, Exporter, Metering};
use meters::flows::{EndReason, Flow};
use std::io::Write;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Whether a program is there; says so if not.
fn has(program: &str, package: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).chain(["/usr/sbin".into()]).any(|p| p.join(program).is_file());
    if !found {
        println!("skipped: {program} is not installed (apt-get install {package})");
    }
    found
}

/// Flows that all formats can say, and one over IPv6.
fn flows() -> Vec<Flow> {
    let start = 1_700_000_000_000_000_000;
    let keys = [
        "srcip = 192.0.2.1, dstip = 198.51.100.2, proto = udp, srcport = 1234, dstport = 53, tos = 184",
        "srcip = 192.0.2.3, dstip = 198.51.100.4, proto = tcp, srcport = 40000, dstport = 443, tos = 0",
        "srcip = 192.0.2.5, dstip = 198.51.100.6, proto = udp, srcport = 5060, dstport = 5061, tos = 96",
        "srcip = 2001:db8::1, dstip = 2001:db8::2, proto = udp, srcport = 5000, dstport = 4739, tos = 8",
    ];
    let flow = |(i, key): (usize, &&str)| Flow {
        key: csn::parse_packet(key).unwrap_or_else(|_| Key::new()),
        packets: 10 + i as u64,
        octets: 1_000 + i as u64,
        first: Some(Nanos(start + 1_000_000 * i as u64)),
        last: Some(Nanos(start + 3_500_000_000)),
        tcp_flags: (i == 1).then_some(0x1b),
        end: EndReason::Idle,
        ..Flow::default()
    };
    keys.iter().enumerate().map(flow).collect()
}

/// Exports the flows to an address.
fn export(scheme: &str, port: u16) {
    let options = [("export", format!("{scheme}://127.0.0.1:{port}")), ("domain", "5".into())];
    let options = options.map(|(n, v)| (n.to_owned(), v)).to_vec();
    let spec = MeterSpec { name: "x".into(), options, span: Span::default() };
    let options = ExportOptions::parse(&spec).unwrap().unwrap();
    let mut exporter = Exporter::open(&options, Some(3)).unwrap();
    for flow in flows() {
        exporter.flow(&flow).unwrap();
    }
    let now = Nanos::from_secs(1_700_000_100);
    exporter.finish(&Metering { times: Some((now, now)), ..Metering::default() }).unwrap();
}

/// The messages that exporting makes.
fn messages(scheme: &str) -> Vec<Vec<u8>> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    export(scheme, socket.local_addr().unwrap().port());
    socket.set_nonblocking(true).unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 65_536];
    while let Ok(n) = socket.recv(&mut buffer) {
        all.push(buffer[..n].to_vec());
    }
    all
}

/// What a collector must have read of each flow.
fn expected(v6: bool) -> Vec<[String; 7]> {
    let mut lines: Vec<_> = flows()
        .iter()
        .map(|f| {
            use csn::Field::*;
            let get = |field| f.key.get(field).map_or_else(String::new, |v| v.to_string());
            let [src, dst, sport, dport, proto] = [SrcIp, DstIp, SrcPort, DstPort, Proto].map(get);
            [src, sport, dst, dport, proto, f.packets.to_string(), f.octets.to_string()]
        })
        .filter(|line| v6 || !line[0].contains(':'))
        .collect();
    lines.sort();
    lines
}

/// A process that is stopped when it is dropped.
struct Process(Child);

impl Process {
    fn stop(mut self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(self.0.id() as i32);
        let _ = nix::sys::signal::kill(id, signal);
        let end = Instant::now() + Duration::from_secs(20);
        while Instant::now() < end && matches!(self.0.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that was free a moment ago, and waits until somebody listens there.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn listening(port: u16) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    let wanted = format!(":{port:04X} ");
    while Instant::now() < end {
        let sockets = std::fs::read_to_string("/proc/net/udp").unwrap_or_default();
        if sockets.lines().any(|l| l.contains(&wanted)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

#[test]
fn nfcapd_reads_every_format_without_a_complaint() {
    if !has("nfcapd", "nfdump") || !has("nfdump", "nfdump") {
        return;
    }
    for scheme in ["netflow5", "netflow9", "ipfix"] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let child = Command::new("nfcapd")
            .args(["-b", "127.0.0.1", "-p", &port.to_string(), "-t", "3600", "-w"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let process = Process(child);
        assert!(listening(port), "nfcapd does not listen");
        export(scheme, port);
        std::thread::sleep(Duration::from_millis(300));
        process.stop(nix::sys::signal::Signal::SIGTERM);
        let out = Command::new("nfdump")
            .args(["-q", "-N", "-6", "-o", "fmt:%sa|%sp|%da|%dp|%pr|%pkt|%byt", "-R"])
            .arg(&data)
            .output()
            .unwrap();
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
        let text = String::from_utf8_lossy(&out.stdout);
        let proto = |p: &str| match p {
            "UDP" => "17".to_owned(),
            "TCP" => "6".to_owned(),
            other => other.to_owned(),
        };
        let mut lines: Vec<[String; 7]> = text
            .lines()
            .filter_map(|l| {
                let mut values: Vec<String> = l.split('|').map(|v| v.trim().to_owned()).collect();
                *values.get_mut(4)? = proto(&values[4]);
                values.try_into().ok()
            })
            .collect();
        lines.sort();
        assert_eq!(lines, expected(scheme != "netflow5"), "{scheme}:\n{text}\n{log}");
        let said = log.replace("Sequence Errors: 0, Bad Packets: 0", "");
        for bad in ["rror", "orrupt", "kip", "nexpected", "issing", "too short", "Bad Packets"] {
            assert!(!said.contains(bad), "{scheme}: nfcapd says\n{log}");
        }
    }
}

#[test]
fn tshark_finds_nothing_wrong_and_every_field() {
    if !has("tshark", "tshark") {
        return;
    }
    for scheme in ["netflow5", "netflow9", "ipfix"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pcap");
        capture(&path, &messages(scheme));
        let tshark = |more: &[&str]| {
            let out = Command::new("tshark")
                .arg("-r")
                .arg(&path)
                .args(["-d", "udp.port==9995,cflow"])
                .args(more)
                .output();
            String::from_utf8_lossy(&out.unwrap().stdout).into_owned()
        };
        let shown = tshark(&["-V"]);
        for bad in ["Malformed", "Unknown Field", "unexpected flow sequence", "No template found"] {
            assert!(!shown.to_lowercase().contains(&bad.to_lowercase()), "{scheme}: {bad}\n{shown}");
        }
        for flow in flows()
            .iter()
            .filter(|f| scheme != "netflow5" || f.key.get(csn::Field::SrcIp).is_some_and(|a| a.family == 4))
        {
            let get = |field| flow.key.get(field).map_or_else(String::new, |v| v.to_string());
            for wanted in [
                format!("SrcAddr: {}", get(csn::Field::SrcIp)),
                format!("DstAddr: {}", get(csn::Field::DstIp)),
                format!("SrcPort: {}", get(csn::Field::SrcPort)),
                format!("DstPort: {}", get(csn::Field::DstPort)),
                format!("Packets: {}", flow.packets),
                format!("Octets: {}", flow.octets),
            ] {
                assert!(shown.contains(&wanted), "{scheme}: {wanted} is missing:\n{shown}");
            }
        }
    }
}

/// Writes datagrams to port 9995 into a capture.
fn capture(path: &Path, messages: &[Vec<u8>]) {
    let mut file = std::fs::File::create(path).unwrap();
    let mut header = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0];
    header.extend([0; 8]);
    header.extend([0xff, 0xff, 0, 0, 1, 0, 0, 0]);
    file.write_all(&header).unwrap();
    for message in messages {
        let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0];
        frame.extend((28 + message.len() as u16).to_be_bytes());
        frame.extend([0, 1, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1, 0x30, 0x39]);
        frame.extend(9995u16.to_be_bytes());
        frame.extend((8 + message.len() as u16).to_be_bytes());
        frame.extend([0, 0]);
        frame.extend(message);
        let length = (frame.len() as u32).to_le_bytes();
        file.write_all(&[[0; 8], [length, length].concat().try_into().unwrap()].concat()).unwrap();
        file.write_all(&frame).unwrap();
    }
}

#[test]
fn ipfix_dump_reads_our_messages() {
    if !has("ipfixDump", "libfixbuf-tools") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.ipfix");
    std::fs::write(&path, messages("ipfix").concat()).unwrap();
    let out = Command::new("ipfixDump").arg("--in").arg(&path).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    for line in expected(true) {
        // it writes addresses of IPv6 in a form of its own
        let address = if line[0].contains(':') { "2001:0db8:" } else { &line[0] };
        assert!(text.contains(address) || text.contains(&line[0]), "{line:?} is missing:\n{text}");
        assert!(text.contains(&format!("packetDeltaCount : {}", line[5])), "{line:?} is missing:\n{text}");
        assert!(text.contains(&format!("octetDeltaCount : {}", line[6])), "{line:?} is missing:\n{text}");
    }
    let complaints = String::from_utf8_lossy(&out.stderr);
    assert!(!complaints.contains("rror") && !complaints.contains("arning"), "{complaints}");
}

#[test]
fn nfacctd_reads_every_format() {
    if !has("nfacctd", "pmacct") {
        return;
    }
    for scheme in ["netflow5", "netflow9", "ipfix"] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let file = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "nfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: print[a]\nprint_output[a]: csv\n\
             aggregate[a]: src_host, src_port, dst_host, dst_port, proto\nprint_output_file[a]: {}\n\
             print_refresh_time[a]: 3600\nlogfile: {}\n",
            file("out.csv"),
            file("log")
        );
        std::fs::write(file("conf"), configuration).unwrap();
        let child = Command::new("nfacctd")
            .args(["-f", &file("conf")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = Process(child.unwrap());
        assert!(listening(port), "nfacctd does not listen");
        std::thread::sleep(Duration::from_millis(500));
        export(scheme, port);
        std::thread::sleep(Duration::from_millis(500));
        process.stop(nix::sys::signal::Signal::SIGINT);
        let end = Instant::now() + Duration::from_secs(10);
        while Instant::now() < end && !Path::new(&file("out.csv")).exists() {
            std::thread::sleep(Duration::from_millis(50));
        }
        std::thread::sleep(Duration::from_millis(200));
        let text = std::fs::read_to_string(file("out.csv")).unwrap_or_default();
        let log = std::fs::read_to_string(file("log")).unwrap_or_default();
        let mut lines: Vec<[String; 7]> = text
            .lines()
            .skip(1)
            .filter_map(|l| {
                let v: Vec<&str> = l.split(',').map(str::trim).collect();
                // source, destination, ports, protocol, packets, octets
                let [src, dst, sport, dport, proto, packets, octets] = v[..].try_into().ok()?;
                let proto = proto.replace("udp", "17").replace("tcp", "6");
                Some([src, sport, dst, dport, &proto, packets, octets].map(str::to_owned))
            })
            .collect();
        lines.sort();
        assert_eq!(lines, expected(scheme != "netflow5"), "{scheme}:\n{text}\n{log}");
        assert!(!log.contains("ERROR") && !log.contains("discarding"), "{scheme}: {log}");
    }
}

/// What a built-in meter exports of the capture `packets`, whose flows `tests/flows.rs` names; as lines of JSON.
fn metered(meter: &str, rules: &str, options: &[(&str, &str)]) -> (Vec<serde_json::Value>, meters::Readout) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flows.json");
    let to = format!("json:{}", path.display());
    let options = options.iter().copied().chain([("export", to.as_str())]);
    let outcome = csn::compile("x.csn", rules, &mut csn::NoLoader);
    assert!(!outcome.has_errors());
    let ruleset = outcome.scenario.rules;
    let session = meters::builtin::Session {
        source: meters::builtin::Source::Capture(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/flows/packets.pcap"),
        ),
        rules: meters::builtin::Rules::Csn { loaded: ruleset.rules.len(), ruleset },
        options: MeterSpec {
            name: meter.into(),
            options: options.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            span: Span::default(),
        },
        filter: None,
        flow_data: None,
        details: false,
        control: false,
        time: None,
        stop: Default::default(),
    };
    let readout = meters::builtin::find(meter).unwrap().run(session).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    (text.lines().map(|l| serde_json::from_str(l).unwrap()).collect(), readout)
}

const RULES: &str = "set: class = 1, name = \"dns\"; addrule: proto = udp, dstport = 53; \
                     set: class = 2, name = \"udp\"; addrule: proto = udp;";

#[test]
fn meters_without_flows_export_their_classes() {
    for meter in ["tree", "rtfm"] {
        let (records, _) = metered(meter, RULES, &[("template", "class, label, packets, frameoctets")]);
        let told: Vec<_> = records.iter().map(|r| (r["label"].as_str(), r["packets"].as_u64())).collect();
        let wanted = [(Some("others"), Some(5)), (Some("dns"), Some(2)), (Some("udp"), Some(8))];
        assert_eq!(told, wanted, "{meter}");
        assert_eq!(records[1]["class"], 1, "{meter}");
    }
}

#[test]
fn auto_exports_its_flows_with_their_classes() {
    let (records, readout) = metered("auto", RULES, &[]);
    let mut told: Vec<_> = records
        .iter()
        .map(|r| format!("{} {} {} {}", r["srcip"], r["dstport"], r["label"], r["packets"]))
        .collect();
    told.sort();
    let wanted = [
        "\"10.0.0.1\" 2000 \"udp\" 5",
        "\"10.0.0.1\" 80 \"others\" 4",
        "\"10.0.0.3\" 2001 \"udp\" 3",
        "\"10.0.0.5\" null \"others\" 1",
        "\"2001:db8::1\" 53 \"dns\" 2",
    ];
    assert_eq!(told, wanted);
    assert_eq!((readout.received, readout.ignored), (15, 0));
    assert!(records.iter().all(|r| r["first"].as_str().is_some_and(|t| t.starts_with("17000000"))));
}

#[test]
fn selectors_stand_in_front_of_any_meter_and_close_the_ledger() {
    for (select, selected) in
        [("count(1, 2)", 5), ("match(proto = udp)", 10), ("match(proto = udp) | count(1, 4)", 2)]
    {
        for meter in ["count", "tree", "auto", "rtfm"] {
            let (records, readout) = metered(meter, RULES, &[("select", select)]);
            let metered: u64 = records.iter().filter_map(|r| r["packets"].as_u64()).sum();
            let classes: u64 = readout.classes.iter().map(|c| c.packets).sum();
            assert_eq!((metered, classes), (selected, selected), "{meter} behind {select}");
            assert_eq!((readout.received, readout.ignored), (15, 15 - selected), "{meter} behind {select}");
            assert!(records.iter().all(|r| r["selection"] == 1), "{meter}");
        }
    }
}
