//! What checking rule sets costs as they grow: the text to a scenario with every finding, and of that the geometry.
//!
//! ```text
//! cargo bench -p csn --bench scale                  # shapes that are drawn here, at 1,000 to 100,000 rules
//! cargo bench -p csn --bench scale -- FILE…         # these scenarios
//! ```
//!
//! `growth` is the time per rule and logarithm of the rules over that of the row before: 1 is n log n.

use csn::sample::Random;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Runs of which the fastest counts.
const RUNS: usize = 3;

/// The text of a rule set of `n` rules.
type Shape = fn(usize) -> String;

const SHAPES: &[(&str, Shape)] = &[
    ("one statement with each", each),
    ("one statement a rule", statements),
    ("one class a rule", classes),
    ("access lists", access_lists),
    ("firewall", firewall),
];

fn each(n: usize) -> String {
    format!(
        "set: class = 1..{n};\naddrule: proto = udp, srcip = each 10.0.0.0..{};\n",
        address(0x0a00_0000 + n as u32 - 1)
    )
}

fn address(bits: u32) -> std::net::Ipv4Addr {
    bits.into()
}

fn statements(n: usize) -> String {
    let mut out = String::from("set: class = 1;\n");
    for i in 0..n as u32 {
        let (net, port) = (address(0x0a00_0000 + ((i / 100) << 8)), 1000 + i % 100);
        let _ = writeln!(out, "addrule: proto = tcp, srcip = {net}/24, dstport = {port};");
    }
    out
}

fn classes(n: usize) -> String {
    let mut out = String::new();
    for i in 0..n as u32 {
        let _ = writeln!(out, "set: class = {}, name = \"customer {i}\";", i + 1);
        let _ = writeln!(
            out,
            "addrule: proto = udp, dstip = {}, dstport = {};",
            address(0x0a00_0000 + i),
            i % 50_000
        );
    }
    out
}

/// Prefixes and ports as in access lists: long prefixes in some networks, one port or none.
fn access_lists(n: usize) -> String {
    five_tuples(n, 1, &[(20, 24), (60, 32), (5, 16)], 2)
}

/// As in firewalls: many rules leave an address or both open, and ports are ranges.
fn firewall(n: usize) -> String {
    five_tuples(n, 2, &[(25, 0), (10, 16), (25, 24), (40, 32)], 20)
}

/// Rules of five fields; `lengths` weighs prefix lengths, and of a hundred rules `ranges` test a range of ports.
fn five_tuples(n: usize, seed: u64, lengths: &[(usize, u32)], ranges: usize) -> String {
    let mut random = Random::new(seed);
    let nets: Vec<u32> = (0..(n / 20).max(4)).map(|_| random.bits() as u32).collect();
    let total: usize = lengths.iter().map(|(w, _)| w).sum();
    let mut out = String::new();
    for i in 0..n {
        if i % (n / 100).max(1) == 0 {
            let _ = writeln!(out, "set: class = {};", i / (n / 100).max(1) + 1);
        }
        let mut tests = Vec::new();
        for side in ["src", "dst"] {
            let mut at = random.below(total);
            let length = lengths
                .iter()
                .find(|(w, _)| {
                    at < *w || {
                        at -= w;
                        false
                    }
                })
                .map_or(32, |(_, l)| *l);
            if length > 0 {
                let bits = (nets[random.below(nets.len())] & 0xffff_0000) | (random.bits() as u32 & 0xffff);
                tests.push(format!("{side}ip = {}/{length}", address(bits & (u32::MAX << (32 - length)))));
            }
        }
        let proto = ["tcp", "tcp", "tcp", "udp", "udp", "icmp", "gre"][random.below(7)];
        tests.push(format!("proto = {proto}"));
        if matches!(proto, "tcp" | "udp") {
            match random.below(100) {
                k if k < ranges => tests.push("dstport = 1024..65535".into()),
                k if k < 85 => tests.push(format!("dstport = {}", random.below(2000))),
                _ => {}
            }
        }
        let _ = writeln!(out, "addrule: {};", tests.join(", "));
    }
    out
}

/// Time on the CPU of this thread, where the system says it: others on the machine do not count then.
fn on_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
}

/// The time of one call, the least of some runs; short calls are repeated within a run, since the clock ticks.
fn fastest<T>(mut f: impl FnMut() -> T) -> (Duration, T) {
    let start = Instant::now();
    let mut value = f();
    let calls =
        (Duration::from_millis(200).as_nanos() / start.elapsed().as_nanos().max(1)).clamp(1, 200) as u32;
    let mut best = Duration::MAX;
    for _ in 0..RUNS {
        let (start, cpu) = (Instant::now(), on_cpu());
        for _ in 0..calls {
            value = f();
        }
        let time = match (cpu, on_cpu()) {
            (Some(before), Some(now)) => now - before,
            _ => start.elapsed(),
        };
        best = best.min(time / calls);
    }
    (best, value)
}

/// Times a text; answers the whole time and the number of rules.
fn measure(name: &str, text: &str, before: Option<(Duration, usize)>) -> (Duration, usize) {
    let (whole, outcome) = fastest(|| csn::compile("bench.csn", text, &mut csn::NoLoader));
    let rules = &outcome.scenario.rules;
    let (geometry, _) = fastest(|| csn::geometry::diagnostics(rules, &outcome.scenario.mix));
    let n = rules.rules.len();
    let each = |(t, n): (Duration, usize)| t.as_secs_f64() / (n as f64 * (n as f64).log2());
    let growth = before.map_or(String::from("-"), |b| format!("{:.2}", each((whole, n)) / each(b)));
    let found = |code: &str| outcome.diagnostics.iter().filter(|d| d.code == code).count();
    println!(
        "{name:<26} {n:>7} {:>9.1} {:>9.1} {growth:>7}   W251 {} W252 {} W253 {} L254 {}",
        whole.as_secs_f64() * 1e3,
        geometry.as_secs_f64() * 1e3,
        found("W251"),
        found("W252"),
        found("W253"),
        found("L254"),
    );
    (whole, n)
}

/// The most memory that this process has held, where the system says so.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.trim_start_matches("VmHWM:").trim().to_owned())
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    println!("{:<26} {:>7} {:>9} {:>9} {:>7}   findings", "", "rules", "check ms", "geometry", "growth");
    for file in &files {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                measure(file.rsplit('/').next().unwrap_or(file), &text, None);
            }
            Err(e) => println!("skipped: {file}: {e}"),
        }
    }
    if files.is_empty() {
        for (name, shape) in SHAPES {
            let mut before = None;
            for n in [1_000, 10_000, 100_000] {
                before = Some(measure(name, &shape(n), before));
            }
        }
    }
    println!("at most {} of memory", peak().unwrap_or_else(|| "an unknown amount".into()));
}
