//! Every protocol stack, held against somebody else's dissector: no frame is malformed, no checksum is wrong.

use csn::mix::{Encapsulation, Tunnel};
use csn::{Field, Key, Nanos, RateSpec};
use generator::dist::Rng;
use generator::frame::{Payloads, Shape, Template, crc32c};
use generator::job::{Amount, Job};
use generator::plan::Plan;
use generator::send::{Pace, send};
use generator::tx::{self, Fates, Slot, Transmitter};
use rand::{RngExt, SeedableRng};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

/// What tells of a bad frame. Checksums that are there but cannot be checked (of fragments) are neither good nor bad.
/// Multicast DNS cannot be switched off, and what is in our payloads is none.
const BAD: &str = "(_ws.malformed && !dns) || ip.checksum.status == \"Bad\" || udp.checksum.status == \"Bad\" || \
                   tcp.checksum.status == \"Bad\" || icmp.checksum.status == \"Bad\" || \
                   icmpv6.checksum.status == \"Bad\" || sctp.checksum.status == \"Bad\" || \
                   dccp.checksum.status == \"Bad\"";
/// Protocols of the stacks themselves. What is inside of a payload is not looked at: it means nothing, and a port drawn
/// at random may be anybody's.
const STACK: [&str; 19] = [
    "frame",
    "eth",
    "ethertype",
    "ieee8021ad",
    "vlan",
    "mpls",
    "ip",
    "ipv6",
    "ipv6.fraghdr",
    "udp",
    "udplite",
    "tcp",
    "icmp",
    "icmpv6",
    "sctp",
    "dccp",
    "gre",
    "vxlan",
    "arp",
];

/// Runs tshark over a capture; none where it is not there.
fn tshark(capture: &Path, filter: &str, fields: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-n", "-Y", filter, "-T", "fields"]);
    command.args(["--disable-protocol", "ALL"]);
    for protocol in STACK {
        command.args(["--enable-protocol", protocol]);
    }
    for preference in ["ip.check_checksum:TRUE", "udp.check_checksum:TRUE", "tcp.check_checksum:TRUE"] {
        command.args(["-o", preference]);
    }
    command.args(["-o", "sctp.checksum:CRC32C", "-o", "dccp.check_checksum:TRUE"]);
    command.args(fields.iter().flat_map(|f| ["-e", f]));
    match command.output() {
        Err(_) => {
            println!("skipped: no tshark (apt-get install tshark)");
            None
        }
        Ok(out) => {
            assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
            Some(String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect())
        }
    }
}

/// Nothing bad in a capture, whose frames name `protocols` between them.
fn assert_sound(capture: &Path, protocols: &[&str]) {
    let Some(bad) = tshark(capture, BAD, &["frame.number", "frame.protocols", "_ws.expert.message"]) else {
        return;
    };
    assert!(bad.is_empty(), "{} of them, the first: {:#?}", bad.len(), &bad[..bad.len().min(5)]);
    let seen = tshark(capture, "frame", &["frame.protocols"]).unwrap();
    assert!(!seen.is_empty());
    for protocol in protocols {
        assert!(seen.iter().any(|s| s.split(':').any(|p| p == *protocol)), "no {protocol}");
    }
}

fn encapsulations() -> Vec<Encapsulation> {
    let around = |inner_tag, labels, tunnel| Encapsulation { inner_tag, labels, tunnel };
    vec![
        Encapsulation::default(),
        around(Some(200), 0, None),
        around(None, 3, None),
        around(Some(7), 2, Some(Tunnel::Gre { key: None })),
        around(None, 0, Some(Tunnel::Gre { key: Some(9) })),
        around(None, 0, Some(Tunnel::Vxlan { vni: 42 })),
        around(Some(7), 16, Some(Tunnel::Vxlan { vni: 1 })),
    ]
}

/// A key of the shape whose open fields are as the generator draws them by default, addresses apart.
fn usual_key(shape: &Shape, rng: &mut Rng) -> Key {
    let mut key = Key::new();
    for field in Field::ALL {
        let Some(set) = shape.default(field, [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]]) else { continue };
        key.set(field, set.nth(rng.random_range(0..set.len())).unwrap());
    }
    key
}

#[test]
fn every_shape_is_dissected_without_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shapes.pcap");
    let mut rng = Rng::seed_from_u64(11);
    let store = Payloads::new((0..4000).map(|_| rng.random()).collect());
    let mut device = tx::open_pcap(std::fs::File::create(&path).unwrap()).unwrap();
    device.prepare(2000, None).unwrap();
    let mut fates = Fates::default();
    for (number, shape) in encapsulations().into_iter().flat_map(Shape::within).enumerate() {
        let mut template = Template::new(&shape, &usual_key(&shape, &mut rng), &store, 0, 64);
        if number % 2 == 0 {
            template.sign(&store, 1, number as u32);
        }
        // as built, longer by an odd number, shorter
        for len in [64, 133, 24] {
            let mut fill = |slots: &mut [Slot]| {
                slots[0].due = Nanos(number as u64 * 1000);
                template.write(&store, len, &mut slots[0]);
                1
            };
            device.transmit(1, &mut fill, &mut fates).unwrap();
        }
    }
    device.finish(&AtomicBool::new(false), &mut fates).unwrap();
    drop(device);
    assert_sound(
        &path,
        &["vlan", "ieee8021ad", "mpls", "gre", "vxlan", "ipv6", "sctp", "dccp", "udplite", "icmpv6"],
    );
}

/// Generates a scenario of the repository into a capture.
fn generate(scenario: &str, packets: u64, to: &Path) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../scenarios").join(scenario);
    let text = std::fs::read_to_string(&path).unwrap();
    let outcome = csn::compile(scenario, &text, &mut csn::NoLoader);
    assert!(!outcome.has_errors(), "{:?}", outcome.diagnostics);
    let spec = &outcome.scenario.experiment.run;
    let job = Job {
        rules: outcome.scenario.rules,
        mix: outcome.scenario.mix,
        rate: RateSpec::Fixed(csn::Rate::Pps(1e5)),
        amount: Amount::Packets(packets),
        seed: spec.seed,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    };
    let mut device = tx::open_pcap(std::fs::File::create(to).unwrap()).unwrap();
    send(&mut Plan::new(&job).unwrap(), &mut device, Pace::Virtual, &AtomicBool::new(false)).unwrap();
}

#[test]
fn scenarios_with_every_header_are_dissected_without_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    for (scenario, protocols) in [
        ("headers.csn", &["vlan", "mpls", "icmp", "icmpv6", "arp"][..4]),
        ("encapsulations.csn", &["ieee8021ad", "mpls", "gre", "vxlan", "ipv6"]),
    ] {
        let path = folder.path().join("x.pcap");
        generate(scenario, 3000, &path);
        assert_sound(&path, protocols);
    }
}

/// Changes only with the planner, the frames, or the libraries that draw: then it is a new version of the traffic.
const GOLDEN: [(&str, u32); 2] = [("encapsulations.csn", 2124484012), ("headers.csn", 82565459)];

#[test]
fn the_same_file_and_seed_give_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pcap");
    let made = GOLDEN.map(|(scenario, _)| {
        let capture = || {
            generate(scenario, 2000, &path);
            std::fs::read(&path).unwrap()
        };
        let bytes = capture();
        assert!(bytes == capture(), "{scenario}");
        (scenario, crc32c(bytes))
    });
    assert_eq!(made, GOLDEN);
}
