//! What checking and compiling rule sets costs as they grow.
//!
//! ```text
//! cargo bench -p csn --bench scale                          # shapes that are drawn here, at 1,000 to 100,000 rules
//! cargo bench -p csn --bench scale -- FILE…                 # these scenarios
//! cargo bench -p csn --bench scale -- compile [BACKEND…]    # from rules to what back ends write
//! ```
//!
//! Checking is the text to a scenario with every finding, and of that the geometry. `growth` is the time per rule and
//! logarithm of the rules over that of the row before: 1 is n log n.

#[allow(dead_code)]
#[path = "../tests/support/classbench.rs"]
mod classbench;

use csn::RuleSet;
use csn::backends::{BACKENDS, Backend, Form, Options, shared_tests};
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

/// A rule set of `n` rules.
type Compiled = fn(usize) -> RuleSet;

/// Rule sets that are compiled: many classes of narrow rules, and rules of firewalls, some with masks of flags.
const COMPILED: &[(&str, Compiled)] = &[
    ("classes", |n| csn::compile("bench.csn", &classes(n), &mut csn::NoLoader).scenario.rules),
    ("fw1", |n| classbench::grown(&classbench::load("fw1_1k"), n, &mut Random::new(2))),
];

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
    let growth = growth((whole, n), before);
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

/// How the time per rule has grown, over n log n.
fn growth((time, n): (Duration, usize), before: Option<(Duration, usize)>) -> String {
    let each = |(t, n): (Duration, usize)| t.as_secs_f64() / (n as f64 * (n as f64).log2());
    before.map_or(String::from("-"), |b| format!("{:.2}", each((time, n)) / each(b)))
}

/// Times what one back end makes of the sets, in one of its forms.
fn compile(backend: &dyn Backend, form: Option<Form>, sets: &[(&str, RuleSet)]) {
    let name = form.map_or(backend.name().to_owned(), |f| format!("{} ({})", backend.name(), f.name));
    let mut before = None;
    for (shape, rules) in sets {
        let n = rules.rules.len();
        before = before.filter(|(s, _)| *s == shape);
        let options = Options { form, shared: Some(shared_tests(rules)), ..Options::default() };
        // what takes long is not repeated
        let (start, cpu) = (Instant::now(), on_cpu());
        let mut made = backend.emit(rules, &options);
        let mut time = on_cpu().zip(cpu).map_or(start.elapsed(), |(now, before)| now - before);
        if time < Duration::from_millis(300) {
            (time, made) = fastest(|| backend.emit(rules, &options));
        }
        println!(
            "{name:<22} {shape:<8} {n:>7} {:>9.1} {:>7} {:>9} {:>9.1} {:>7}",
            time.as_secs_f64() * 1e3,
            growth((time, n), before.map(|(_, b)| b)),
            made.entries,
            made.artefact.len() as f64 / 1e6,
            made.losses.len(),
        );
        before = Some((shape, (time, n)));
    }
}

fn compile_all(wanted: &[String]) {
    let sizes = [1_000, 10_000, 100_000];
    let sets: Vec<_> = COMPILED.iter().flat_map(|(name, shape)| sizes.map(|n| (*name, shape(n)))).collect();
    println!(
        "{:<22} {:<8} {:>7} {:>9} {:>7} {:>9} {:>9} {:>7}",
        "", "", "rules", "ms", "growth", "entries", "MB", "lost"
    );
    for backend in BACKENDS.iter().filter(|b| wanted.is_empty() || wanted.iter().any(|w| w == b.name())) {
        let forms = backend.forms();
        let usual = forms.is_empty().then_some(None);
        for form in usual.into_iter().chain(forms.iter().copied().map(Some)) {
            compile(*backend, form, &sets);
        }
    }
}

/// The most memory that this process has held, where the system says so.
fn peak() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    Some(line.trim_start_matches("VmHWM:").trim().to_owned())
}

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    if files.first().is_some_and(|f| f == "compile") {
        compile_all(&files[1..]);
        println!("at most {} of memory", peak().unwrap_or_else(|| "an unknown amount".into()));
        return;
    }
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
