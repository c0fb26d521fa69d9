//! What built-in meters cost beside each other: the decision tree beside mere counting, a flow cache with a million
//! flows beside one with a thousand, and a thousand classes in the kernel beside one.
//!
//! `cargo bench -p meters --bench own` prints medians of interleaved rounds, their ratios, and the least and largest
//! ratio of a round. Times are CPU time of the meter's thread, system calls included, on a capture in the
//! file system's cache; for eBPF those of BPF_PROG_TEST_RUN (as root). The last table has the times of the elements
//! of every meter, and how far their sum is from the whole.

use csn::backends::{Backend, Compiled, Ebpf, Options, example_rules};
use csn::{Class, ClassId, MeterSpec, RuleSet, Span, Value, ValueSet};
use meters::builtin::{BUILTINS, Rules, Session, Source, find};
use meters::ebpf::Loaded;
use meters::{MeterError, Readout};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 9;
const PACKETS: u32 = 4_000_000;
/// Turns of a program in a round.
const TURNS: u32 = 500_000;

/// As many classes, one rule each: UDP of one address pair to the ports from 2000.
fn by_port(rules: u32) -> RuleSet {
    let mut set = example_rules();
    let like = set.rules[0].clone();
    set.rules.clear();
    set.classes.truncate(1);
    for n in 0..rules {
        let mut rule = like.clone();
        rule.class = ClassId(n + 1);
        rule.tests[3].1 = ValueSet::single(Value::number(2000 + u128::from(n)));
        set.rules.push(rule);
        set.classes.push(Class { number: n + 1, name: None, span: Span::default() });
    }
    set
}

/// A frame of the rules' address pair, the source port and some of the source's MAC address telling the flow.
fn frame(flow: u32, port: u16) -> [u8; 60] {
    let mut f = [0u8; 60];
    f[12..14].copy_from_slice(&[8, 0]);
    f[14] = 0x45;
    f[16..18].copy_from_slice(&46u16.to_be_bytes());
    f[22..24].copy_from_slice(&[64, 17]);
    f[26..30].copy_from_slice(&[192, 168, 75, 106]);
    f[30..34].copy_from_slice(&[192, 168, 115, 204]);
    f[34..36].copy_from_slice(&(flow as u16).to_be_bytes());
    f[36..38].copy_from_slice(&(port + (flow >> 16) as u16).to_be_bytes());
    f
}

/// Packets of so many flows, in an order that no predictor learns.
fn write_capture(path: &Path, flows: u32) -> std::io::Result<()> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 1] {
        out.write_all(&word.to_le_bytes())?;
    }
    let mut x = 1u64;
    for n in 0..PACKETS {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let flow = (((x >> 32) * u64::from(flows)) >> 32) as u32;
        let f = frame(flow, 2000 + (flow % 50) as u16);
        for word in [n / 1_000_000, n % 1_000_000, f.len() as u32, f.len() as u32] {
            out.write_all(&word.to_le_bytes())?;
        }
        out.write_all(&f)?;
    }
    out.flush()
}

fn run(meter: &str, path: &Path, options: &[(&str, &str)]) -> Result<Readout, MeterError> {
    let options = options.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let session = Session {
        source: Source::Capture(path.into()),
        rules: Rules::Csn { ruleset: by_port(100), loaded: 100 },
        options: MeterSpec { name: meter.into(), options, span: Span::default() },
        filter: None,
        flow_data: None,
        details: false,
        control: false,
        time: None,
        stop: Arc::default(),
    };
    find(meter).expect("the meter exists").run(session)
}

/// Nanoseconds of CPU time of a packet.
fn cost(meter: &str, path: &Path) -> f64 {
    let readout = run(meter, path, &[]).unwrap_or_else(|e| panic!("{e}"));
    let split = readout.split.unwrap_or_default();
    (split.user + split.system) as f64 / readout.received.max(1) as f64
}

/// Two costs by turns: medians, the median of the ratios, and their range.
fn compare(what: &str, mut base: impl FnMut() -> f64, mut other: impl FnMut() -> f64) {
    let mut rounds: Vec<(f64, f64)> = (0..ROUNDS)
        .map(|n| {
            if n % 2 == 0 {
                (base(), other())
            } else {
                let o = other();
                (base(), o)
            }
        })
        .collect();
    let median = |of: &dyn Fn(&(f64, f64)) -> f64, rounds: &mut Vec<(f64, f64)>| {
        rounds.sort_by(|a, b| of(a).total_cmp(&of(b)));
        of(&rounds[ROUNDS / 2])
    };
    let (a, b) = (median(&|r| r.0, &mut rounds), median(&|r| r.1, &mut rounds));
    let ratio = median(&|r| r.1 / r.0, &mut rounds);
    let (least, most) = (rounds[0].1 / rounds[0].0, rounds[ROUNDS - 1].1 / rounds[ROUNDS - 1].0);
    println!("{what:<52} {a:>7.1} {b:>7.1} ns   ratio {ratio:.2} ({least:.2} to {most:.2})");
}

/// Nanoseconds of a turn of the program for so many classes, ports by turns.
fn in_kernel(classes: u32) -> Option<impl FnMut() -> f64> {
    let made = Ebpf.emit(&by_port(classes), &Options { form: Some(Ebpf::XDP_TREE), ..Options::default() });
    let Compiled::Ebpf(program) = &made.program else { return None };
    let loaded = Loaded::load(program).map_err(|e| println!("skipped: {e}")).ok()?;
    let mut turn = 0;
    Some(move || {
        turn += 1;
        let f = frame(1, 2000 + (turn * 37 % classes) as u16);
        let start = Instant::now();
        loaded.run(&f, None, TURNS).expect("the frame can be run");
        start.elapsed().as_nanos() as f64 / f64::from(TURNS)
    })
}

/// The elements of every meter on one capture, and their sum beside the whole.
fn elements(path: &Path) {
    println!("\nelements, means in ns per packet, the clock's own cost taken off");
    for meter in BUILTINS.iter().filter(|m| m.options().iter().any(|o| o.name == "prefilter")) {
        let times = run(meter.name(), path, &[("timing", "on")]).unwrap_or_else(|e| panic!("{e}")).elements;
        let Some((whole, parts)) = times.split_last() else { continue };
        let sum: f64 = parts.iter().map(|e| e.mean).sum();
        let list: Vec<String> = parts.iter().map(|e| format!("{} {:.1}", e.name, e.mean)).collect();
        println!(
            "  {:<6} {:<58} sum {sum:>6.1}, whole {:>6.1} ({:+.1} %); clock {:.1}",
            meter.name(),
            list.join(", "),
            whole.mean,
            (sum / whole.mean - 1.0) * 100.0,
            whole.timer
        );
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // `cargo test` runs benches once to see that they run: these are too long for that
    if std::env::args().any(|a| a == "--test") {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let [few, many] = [1_000, 1_000_000].map(|n| (folder.path().join(format!("{n}.pcap")), n));
    for (path, flows) in [&few, &many] {
        write_capture(path, *flows)?;
    }
    compare("count, tree with 100 classes", || cost("count", &few.0), || cost("tree", &few.0));
    compare("auto: 1,000 flows, 1,000,000 flows", || cost("auto", &few.0), || cost("auto", &many.0));
    compare("1,000 flows: rtfm with 100 classes, tree", || cost("rtfm", &few.0), || cost("tree", &few.0));
    compare("1,000 flows: regex with 100 classes, tree", || cost("regex", &few.0), || cost("tree", &few.0));
    if let (Some(one), Some(thousand)) = (in_kernel(1), in_kernel(1000)) {
        compare("ebpf at XDP: 1 class, 1,000 classes", one, thousand);
    }
    elements(&few.0);
    Ok(())
}
