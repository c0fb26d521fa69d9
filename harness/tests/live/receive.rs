//! From end to end: signed packets over a veth pair, and what the receiver says of them.

use super::{PROGRAM, alone, lab};
use harness::lab::{GENERATOR_INTERFACE, METER_INTERFACE, Namespaces};
use meters::Launch;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

const SCENARIO: &str =
    "set: class = 1, name = \"voice\"; addrule: dscp = ef, proto = udp, dstport = 5060, both;
set: class = 2, name = \"tunnel\"; addrule: dscp = be, proto = udp, dstport = vxlan;
load: class = 1, flows = 10, size = 80..400 B; load: class = 2, size = 500 B, encapsulation = vxlan;
load: all, signature = on; run: rate = 20 kpps, seed = 2;";

#[test]
fn nothing_is_lost_doubled_or_exchanged_on_a_veth_pair() {
    let _one = alone();
    let Some(lab) = lab(Namespaces::Auto) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.csn");
    std::fs::write(&file, SCENARIO).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(["receive", "--interface", METER_INTERFACE, "--json", "--rules"]).arg(&file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut receiver = lab.meter().spawn(command).unwrap();
    let mut said = BufReader::new(receiver.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, format!("listening on {METER_INTERFACE}\n"));
    let mut command = Command::new(PROGRAM);
    command.arg("generate").arg(&file).args([
        "--interface",
        GENERATOR_INTERFACE,
        "--count",
        "20000",
        "--json",
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let sent = lab.generator().spawn(command).unwrap().wait_with_output().unwrap();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    // as Ctrl-C does
    let stopped = Command::new("kill").args(["-INT", &receiver.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    let mut told = String::new();
    receiver.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(receiver.wait().unwrap().success());
    let lines: Vec<serde_json::Value> = told.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{told}");
    for (line, (class, flows)) in lines.iter().zip([("voice", 20), ("tunnel", 1)]) {
        assert_eq!((line["class"].as_str(), line["flows"].as_u64()), (Some(class), Some(flows)), "{line}");
        assert_eq!(line["packets"].as_u64(), Some(10_000), "{line}");
        for fault in ["lost", "duplicates", "reordered", "stale", "early"] {
            assert_eq!(line[fault].as_u64(), Some(0), "{line}");
        }
        assert!(line["latency_ns"]["p50"].as_u64().unwrap() > 0);
    }
}
