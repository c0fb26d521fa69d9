//! Traffic on the command line: shown, signed and received, recorded, mapped and profiled.

use generator::recorded::reader;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SIGNED: &str = "set: class = 7, name = \"voice\"; addrule: proto = udp, dstport = 5060;
load: class, size = 200 B, signature = on; run: rate = 100 kpps, seed = 3;";
const SERVICES: &str = "set: class = 1, name = \"web\"; addrule: proto = tcp, dstport = 443, both;
set: class = 2, name = \"dns\"; addrule: proto = udp, dstport = 53, both;
set: class = 3, name = \"echo\"; addrule: proto = icmp;
load: class = 1, weight = 70%, flows = 40, size = imix;
load: class = 2, weight = 20%, flows = 60, size = 90..120 B;
load: class = 3, weight = 10%, flows = 4, size = 98 B;
load: all, srcip = 192.168.0.0/20, dstip = 172.20.0.0/22, arrival = poisson;
run: rate = 20 kpps, seed = 4;";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_csnbench"));
        command.args(words).current_dir(self.0.path()).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    fn done(&self, words: &[&str]) -> String {
        let out = self.run(words);
        assert!(out.status.success(), "{words:?}: {}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    }

    /// JSON Lines of a command that must succeed.
    fn lines(&self, words: &[&str]) -> Vec<serde_json::Value> {
        self.done(words).lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }
}

/// A pcap file as its header and its records.
fn records(path: &Path) -> (Vec<u8>, Vec<Vec<u8>>) {
    let bytes = std::fs::read(path).unwrap();
    let (header, mut rest) = bytes.split_at(24);
    let mut out = Vec::new();
    while rest.len() >= 16 {
        let octets = 16 + u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        out.push(rest[..octets].to_vec());
        rest = &rest[octets..];
    }
    (header.to_vec(), out)
}

/// Frames of a capture with their times in nanoseconds.
fn frames(path: &Path) -> Vec<(u64, Vec<u8>)> {
    let mut out = Vec::new();
    reader::read_file(path, |p| out.push((p.time.0, p.bytes.to_vec()))).unwrap();
    out
}

fn packets(lines: &[serde_json::Value]) -> BTreeMap<String, u64> {
    let classes = lines.iter().filter(|l| l["class"].is_string());
    classes.map(|l| (l["class"].as_str().unwrap().to_owned(), l["packets"].as_u64().unwrap())).collect()
}

#[test]
fn a_dump_shows_the_packets_that_a_capture_would_have() {
    let folder = Folder::new();
    folder.write("s.csn", SERVICES);
    folder.done(&["generate", "s.csn", "-o", "s.pcap", "--count", "50"]);
    let shown = folder.lines(&["generate", "s.csn", "--dump", "--count", "50", "--json"]);
    let written = frames(&folder.path("s.pcap"));
    assert_eq!(shown.len(), 50);
    for (line, (time, frame)) in shown.iter().zip(&written) {
        let hex: String = frame.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!((line["time_ns"].as_u64(), line["bytes"].as_str()), (Some(*time), Some(hex.as_str())));
        assert_eq!(line["length"].as_u64(), Some(frame.len() as u64));
    }
    let text = folder.done(&["generate", "s.csn", "--dump", "--count", "20"]);
    // what stands there is what `explain` takes, and says the same
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(6, ' ').collect();
        let told = folder.lines(&["explain", "s.csn", "--json", "--packet", words[5]]);
        assert_eq!((told[0]["class"].as_str(), words[4]), (Some(words[1]), "B"), "{line}");
    }
    let endless = folder.run(&["generate", "s.csn", "--dump", "--rate", "max"]);
    assert_eq!(endless.status.code(), Some(64));
}

#[test]
fn a_receiver_finds_what_happened_to_a_capture() {
    let folder = Folder::new();
    folder.write("s.csn", SIGNED);
    folder.done(&["generate", "s.csn", "-o", "s.pcap", "--count", "1000"]);
    let told = |name: &str| {
        let lines = folder.lines(&["receive", "--capture", name, "--rules", "s.csn", "--json"]);
        assert_eq!((lines.len(), lines[0]["class"].as_str()), (1, Some("voice")));
        ["packets", "flows", "lost", "duplicates", "reordered", "stale"]
            .map(|f| lines[0][f].as_u64().unwrap())
    };
    assert_eq!(told("s.pcap"), [1000, 1, 0, 0, 0, 0]);
    let (header, whole) = records(&folder.path("s.pcap"));
    let write = |name: &str, records: &[Vec<u8>]| {
        folder.write(name, [header.clone(), records.concat()].concat());
    };
    let without = |gone: &[usize]| -> Vec<Vec<u8>> {
        whole.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, r)| r.clone()).collect()
    };
    write("lost.pcap", &without(&[0, 10, 500, 501, 502]));
    assert_eq!(told("lost.pcap"), [995, 1, 5, 0, 0, 0]);
    let mut twice = whole.clone();
    twice.insert(30, whole[20].clone());
    twice.insert(700, whole[650].clone());
    write("twice.pcap", &twice);
    assert_eq!(told("twice.pcap"), [1002, 1, 0, 2, 0, 0]);
    let mut exchanged = whole.clone();
    exchanged.swap(40, 41);
    // 705 comes before 701 to 704 and 700
    exchanged.swap(700, 705);
    write("exchanged.pcap", &exchanged);
    assert_eq!(told("exchanged.pcap"), [1000, 1, 0, 0, 6, 0]);
    // a packet whose signature has been damaged is none, and missing
    let mut damaged = whole.clone();
    damaged[100][16 + 42 + 10] ^= 4;
    write("damaged.pcap", &damaged);
    assert_eq!(told("damaged.pcap"), [999, 1, 1, 0, 0, 0]);
    // stamps of a capture are its own times: no latency at all
    let line = &folder.lines(&["receive", "--capture", "s.pcap", "--json", "--flows"]);
    assert_eq!((line[0]["latency_ns"]["max"].as_u64(), line[0]["class"].as_str()), (Some(0), Some("7")));
    assert_eq!(line[1]["flow"].as_u64(), Some(0));
}

#[test]
fn sizes_that_leave_no_room_for_a_signature_are_an_error_with_a_size_that_does() {
    let folder = Folder::new();
    folder.write("s.csn", SIGNED.replace("200 B", "59 B"));
    let out = folder.run(&["generate", "s.csn", "-o", "s.pcap", "--count", "1"]);
    assert_eq!(out.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&out.stderr).contains("at least 60 B(frame)"));
}

#[test]
fn a_recording_is_sorted_mixed_anew_and_mapped() {
    let folder = Folder::new();
    folder.write("s.csn", SERVICES);
    folder.done(&["generate", "s.csn", "-o", "s.pcap", "--count", "3000"]);
    std::fs::create_dir(folder.path("lab")).unwrap();
    // paths are relative to the file that names them
    let mixed = SERVICES.lines().take(3).collect::<Vec<_>>().join("\n")
        + "load: class = 1, weight = 25%; load: class = 2, weight = 50%; load: class = 3, weight = 25%;
           load: all, from = \"../s.pcap\", addresses = 10.0.0.0/8, arrival = capture(\"../s.pcap\");
           run: rate = 10 kpps, seed = 1;";
    folder.write("lab/mixed.csn", mixed);
    let ledger = ["generate", "lab/mixed.csn", "-o", "mixed.pcap", "--count", "8000", "--json"];
    let made = packets(&folder.lines(&ledger));
    assert_eq!(made["web"] + made["dns"] + made["echo"], 8000);
    assert!(made["web"].abs_diff(2000) < 3 && made["dns"].abs_diff(4000) < 3, "{made:?}");
    // what the ledger says is what the oracle sees
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for line in folder.lines(&["explain", "lab/mixed.csn", "--capture", "mixed.pcap", "--json"]) {
        *seen.entry(line["class"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    seen.insert("others".into(), 0);
    assert_eq!(made, seen);
    // hosts are the lab's, equally many, and payloads are the recording's
    let hosts = |frames: &[(u64, Vec<u8>)]| {
        let both = frames.iter().flat_map(|(_, f)| [f[26..30].to_vec(), f[30..34].to_vec()]);
        both.collect::<std::collections::BTreeSet<_>>()
    };
    let (before, after) = (frames(&folder.path("s.pcap")), frames(&folder.path("mixed.pcap")));
    assert_eq!(hosts(&before).len(), hosts(&after).len());
    assert!(hosts(&after).iter().all(|a| a[0] == 10));
    // the same gaps at half the rate: a circle without a jump
    let gaps =
        |frames: &[(u64, Vec<u8>)]| -> Vec<u64> { frames.windows(2).map(|w| w[1].0 - w[0].0).collect() };
    let (recorded, sent) = (gaps(&before), gaps(&after));
    let stretch = 1e5 / (recorded.iter().sum::<u64>() as f64 / recorded.len() as f64);
    for round in 0..2 {
        for (i, gap) in recorded.iter().enumerate() {
            let wanted = *gap as f64 * stretch;
            assert!((sent[round * 3000 + i] as f64 - wanted).abs() <= 1.0, "{round} {i}");
        }
    }
    let seam = sent[2999];
    assert!(seam.abs_diff(100_000) < 1_000, "{seam}");
}

#[test]
fn a_recording_that_cannot_be_used_says_why_at_its_statement() {
    let folder = Folder::new();
    let scenario = |rest: &str| format!("set: class = 1; addrule: proto = udp;\nload: class, {rest};");
    folder.write("s.csn", SERVICES);
    folder.done(&["generate", "s.csn", "-o", "s.pcap", "--count", "100"]);
    folder.write("broken.pcap", [7; 100]);
    for (rest, said) in [
        ("from = \"absent.pcap\"", "absent.pcap cannot be read"),
        ("from = \"broken.pcap\"", "no pcap or pcapng file"),
        ("size = capture(\"broken.pcap\")", "no pcap or pcapng file"),
        ("arrival = capture(\"absent.pcap\")", "absent.pcap cannot be read"),
        ("from = \"s.pcap\", addresses = 10.0.0.0/30", "do not fit a network of /30"),
    ] {
        folder.write("x.csn", scenario(rest));
        let out = folder.run(&["generate", "x.csn", "-o", "x.pcap", "--count", "1"]);
        let text = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(65), "{rest}: {text}");
        assert!(text.contains(said) && text.contains("x.csn:2"), "{rest}: {text}");
    }
    folder.write("x.csn", "set: class = 1; addrule: dstport = 9;\nload: class, from = \"s.pcap\";");
    let out = folder.run(&["generate", "x.csn", "-o", "x.pcap", "--count", "1"]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("no packet of"));
}

/// What a profile says of a class: its share, flows, mean payload, and how its flows are popular.
fn told(folder: &Folder, file: &str) -> BTreeMap<String, (f64, f64, f64, f64)> {
    let text = std::fs::read_to_string(folder.path(file)).unwrap();
    let outcome = csn::compile(file, &text, &mut csn::NoLoader);
    assert!(!outcome.has_errors() && outcome.unexecuted.is_empty(), "{:?}", outcome.diagnostics);
    let components = &outcome.scenario.mix.components;
    let class = |c: &csn::Component| {
        let csn::Target::Class(id) = c.target else { return ("others".into(), (c.share, 0.0, 0.0, 0.0)) };
        let mean = match &c.traffic.size {
            csn::Size::Fixed { bytes, .. } => f64::from(*bytes),
            csn::Size::Range { lo, hi, .. } => f64::from(lo + hi) / 2.0,
            csn::Size::Values { values, .. } => {
                let total: f64 = values.iter().map(|v| v.1).sum();
                values.iter().map(|(size, n)| f64::from(*size) * n / total).sum()
            }
            other => panic!("{other}"),
        };
        let exponent = match c.traffic.popularity {
            csn::mix::Popularity::Zipf(s) => s,
            _ => 0.0,
        };
        let flows = f64::from(c.traffic.flows.unwrap());
        (outcome.scenario.rules.label(id), (c.share, flows, mean, exponent))
    };
    components.iter().map(class).collect()
}

#[test]
fn what_is_generated_from_a_profile_has_that_profile() {
    let folder = Folder::new();
    folder.write("s.csn", SERVICES.replace("flows = 40", "flows = 40, popularity = zipf(s = 1.1)"));
    folder.done(&["generate", "s.csn", "-o", "s.pcap", "--count", "20000"]);
    folder.done(&["profile", "s.pcap", "-o", "first.csn"]);
    folder.done(&["check", "first.csn"]);
    folder.done(&["fmt", "--check", "first.csn"]);
    folder.done(&["generate", "first.csn", "-o", "again.pcap", "--count", "20000"]);
    folder.done(&["profile", "again.pcap", "-o", "second.csn"]);
    let (first, second) = (told(&folder, "first.csn"), told(&folder, "second.csn"));
    assert_eq!(first.keys().collect::<Vec<_>>(), ["icmp", "tcp 443", "udp 53"]);
    let web = first["tcp 443"];
    assert!((web.0 - 0.7).abs() < 0.001 && web.1 == 40.0 && (web.3 - 1.1).abs() < 0.1, "{web:?}");
    for (class, (share, flows, mean, exponent)) in first {
        let again = second[&class];
        assert!((again.0 - share).abs() < 0.005 && again.1 == flows, "{class}: {again:?}");
        assert!(
            (again.2 / mean - 1.0).abs() < 0.05 && (again.3 - exponent).abs() < 0.1,
            "{class}: {again:?}"
        );
    }
    // the rate, and that packets come as Poisson has it
    let text = std::fs::read_to_string(folder.path("second.csn")).unwrap();
    assert!(text.contains("arrival = poisson"), "{text}");
    let outcome = csn::compile("x", &text, &mut csn::NoLoader);
    let csn::RateSpec::Fixed(csn::Rate::Pps(pps)) = outcome.scenario.experiment.run.rate else { panic!() };
    assert!((pps / 20_000.0 - 1.0).abs() < 0.05, "{pps}");
    // by the classes of a scenario
    folder.write("classes.csn", "set: class = 5, name = \"all of it\"; addrule: ethertype = ipv4;");
    let text = folder.done(&["profile", "s.pcap", "--rules", "classes.csn"]);
    assert!(text.contains("load: class = 5, weight = 100%"), "{text}");
}

#[test]
fn a_recording_larger_than_memory_may_be_is_replayed() {
    let folder = Folder::new();
    folder.write("s.csn", "set: class = 1; addrule: proto = udp; load: class, size = 1500 B; run: seed = 1;");
    // 240 MB
    folder.done(&["generate", "s.csn", "-o", "s.pcap", "--count", "160000"]);
    folder.write(
        "x.csn",
        "set: class = 1; addrule: proto = udp;\nload: class, from = \"s.pcap\", addresses = 10.0.0.0/8;",
    );
    // an address space smaller than the file, program and all
    let limited = format!(
        "ulimit -v 200000; exec {} generate x.csn -o /dev/null --count 200000",
        env!("CARGO_BIN_EXE_csnbench")
    );
    let out = Command::new("sh").args(["-c", &limited]).current_dir(folder.0.path()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
}
