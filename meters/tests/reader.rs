//! The RTFM meter with its manager's and reader's sides: SRL, standby rule sets, sampling, collections over a socket.

use csn::{MeterSpec, Span};
use meters::builtin::rtfm::{Reader, Rtfm};
use meters::builtin::{Builtin, Rules, Session, Source};
use meters::{MeterError, Readout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A capture of UDP packets between hosts of these numbers, in milliseconds.
fn capture(folder: &Path, packets: impl Iterator<Item = (u32, u32)>) -> PathBuf {
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 1] {
        bytes.extend(word.to_le_bytes());
    }
    for (host, at) in packets {
        let mut f = [0u8; 60];
        f[12..14].copy_from_slice(&[8, 0]);
        f[14] = 0x45;
        f[22..24].copy_from_slice(&[64, 17]);
        f[26..30].copy_from_slice(&(0x0a00_0000 + host).to_be_bytes());
        f[30..34].copy_from_slice(&[10, 99, 0, 1]);
        for word in [1000 + at / 1000, at % 1000 * 1000, 60, 60] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(f);
    }
    let path = folder.join("x.pcap");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn run(source: Source, texts: &[&str], options: &[(&str, &str)], stop: bool) -> Result<Readout, MeterError> {
    let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let session = Session {
        source,
        rules: Rules::Texts(texts.iter().map(|t| t.to_string()).collect()),
        options: MeterSpec { name: "rtfm".into(), options, span: Span::default() },
        filter: None,
        flow_data: None,
        details: false,
        control: false,
        time: stop.then(|| csn::Nanos::from_secs(2)),
        stop: Arc::default(),
    };
    Rtfm.run(session)
}

/// A flow for each host.
const HOSTS: &str = "if SourcePeerType == 1 save; else ignore; save SourcePeerAddress; count;";
/// One flow for all.
const ALL: &str = "SET 7 RULES SourcePeerType & 255 = 1: PushRuleToAct, Next; Null & 0 = 0: Count, 0;";

#[test]
fn srl_programs_are_rule_sets() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture(folder.path(), (0..300).map(|n| (n % 30, n)));
    let readout = run(Source::Capture(path.clone()), &[HOSTS], &[], false).unwrap();
    assert_eq!((readout.flows, readout.received, readout.ignored), (30, 300, 0));
    let wrong = "if SourcePeerType == 1 save; else ignore;\nsave Nowhere; count;";
    let e = run(Source::Capture(path), &[wrong], &[], false).unwrap_err().to_string();
    assert!(e.contains("SRL program 1") && e.contains("line 2") && e.contains("Nowhere"), "{e}");
}

#[test]
fn at_the_high_water_mark_the_standby_set_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    // a batch has some thousand packets, and after each the table is looked at
    let path = capture(folder.path(), (0..5000).map(|n| (n, n / 10)));
    let source = || Source::Capture(path.clone());
    let mark = [("flows", "2000"), ("highwater", "50")];
    let both = [mark[0], mark[1], ("standby", "7")];
    let readout = run(source(), &[HOSTS, ALL], &both, false).unwrap();
    assert_eq!(readout.flows, 1024 + 1, "a flow for each host of the first batch, then one for all");
    assert_eq!(readout.ignored, 0);
    // without a standby set metering stops
    let readout = run(source(), &[HOSTS], &mark, false).unwrap();
    assert_eq!((readout.flows, readout.received), (1024, 5000));
    let e = run(source(), &[HOSTS, ALL], &[mark[0], mark[1], ("standby", "8")], false).unwrap_err();
    assert!(matches!(&e, MeterError::Option { option, .. } if option == "standby"), "{e}");
}

#[test]
fn sampling_meters_one_packet_of_so_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = capture(folder.path(), (0..50_000).map(|n| (n % 10, n / 100)));
    for (rate, least, most) in [("10", 44_000, 46_000), ("0", 50_000, 50_000), ("1", 0, 0)] {
        let readout = run(Source::Capture(path.clone()), &[ALL], &[("sample", rate)], false).unwrap();
        assert!((least..=most).contains(&readout.ignored), "1/{rate}: {} left out", readout.ignored);
    }
}

/// A meter on loopback, where nobody may open packet sockets without the right to.
#[test]
fn readers_collect_over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", folder.path().join("meter").display());
    let listen = address.clone();
    let meter = std::thread::spawn(move || {
        run(Source::Interface("lo".into()), &[HOSTS], &[("listen", &listen), ("buffer", "2")], true)
    });
    let connected = std::iter::repeat_with(|| {
        std::thread::sleep(std::time::Duration::from_millis(5));
        Reader::connect(&address, Some(60)).ok()
    });
    let reader = connected.take_while(|_| !meter.is_finished()).flatten().next();
    let Some(mut reader) = reader else {
        let e = meter.join().unwrap().unwrap_err();
        println!("skipped: {e}");
        return;
    };
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    (0..20).for_each(|_| assert_eq!(socket.send_to(b"x", to).unwrap(), 1));
    let columns = ["SourcePeerAddress", "ToPDUs", "FirstTime"];
    let mut seen = 0;
    // the meter sees them when its ring hands the block over
    while seen < 20 && !meter.is_finished() {
        let rows = reader.collect(&columns).unwrap().rows;
        seen =
            rows.iter().filter(|r| r[0] == "127.0.0.1").map(|r| r[1].parse().unwrap()).max().unwrap_or(seen);
    }
    assert!(seen >= 20, "{seen} of 20 packets");
    let unknown = reader.collect(&["Nothing"]).unwrap_err().to_string();
    assert!(unknown.contains("Nothing"), "{unknown}");
    assert!(reader.reset().is_err(), "there is no task");
    assert!(reader.status().unwrap().contains("ruleset1=1"));
    meter.join().unwrap().unwrap();
    assert!(reader.status().is_err());
}
