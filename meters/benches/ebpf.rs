//! What a packet costs in a program of the back end `ebpf`: nanoseconds in the kernel, by the number of rules, in order
//! and by a tree with tables. `cargo bench -p meters --bench ebpf`, as root.
//!
//! The rules are the paper's: one host pair and protocol, one port for each class. BPF_PROG_TEST_RUN runs the program on
//! one frame again and again, so that all branches are predicted: what real traffic costs lies above. The least of
//! several batches counts. A program without rules, which counts `others`, is the first line.
//! The last columns are the size of the program and the instructions that the verifier went through.

use csn::backends::{Backend, Compiled, Ebpf, Form, Options, example_rules};
use csn::sample::{Layout, encode};
use csn::{Class, ClassId, Field, Key, RuleSet, Value, ValueSet, imports};
use meters::ebpf::{LoadError, Loaded};
use std::time::Instant;

/// Turns of a batch.
const TURNS: u32 = 200_000;
/// Batches.
const BATCHES: usize = 15;

fn with_ports(count: u32) -> RuleSet {
    let example = example_rules();
    let mut rules = RuleSet { classes: example.classes[..1].to_vec(), rules: Vec::new() };
    for number in 1..=count {
        let mut rule = example.rules[0].clone();
        rule.class = ClassId(number);
        rule.tests[3].1 = ValueSet::single(Value::number(2000 + u128::from(number)));
        rules.rules.push(rule);
        rules.classes.push(Class { number, ..example.classes[1].clone() });
    }
    rules
}

fn frame(port: u32) -> Vec<u8> {
    let mut key = Key::new();
    key.set(Field::SrcIp, Value::v4([192, 168, 75, 106].into()));
    key.set(Field::DstIp, Value::v4([192, 168, 115, 204].into()));
    key.set_number(Field::Proto, 17);
    key.set_number(Field::SrcPort, 1024);
    key.set_number(Field::DstPort, u128::from(port));
    encode(&key, &Layout { payload: 18, ..Layout::default() })
}

/// Nanoseconds of a turn.
fn cost(loaded: &Loaded, frame: &[u8]) -> f64 {
    let batch = || {
        let start = Instant::now();
        loaded.run(frame, None, TURNS).expect("the frame can be run");
        start.elapsed().as_nanos() as f64 / f64::from(TURNS)
    };
    (0..BATCHES).map(|_| batch()).fold(f64::INFINITY, f64::min)
}

fn load(rules: &RuleSet, form: Form) -> Result<(Loaded, usize, usize), LoadError> {
    let made = Ebpf.emit(rules, &Options { form: Some(form), ..Options::default() });
    let Compiled::Ebpf(program) = &made.program else { unreachable!("it makes programs") };
    Ok((Loaded::load(program)?, program.instructions.len(), made.losses.len()))
}

fn row(name: &str, rules: &RuleSet, form: Form, frames: [Vec<u8>; 3]) {
    let (loaded, size, lost) = load(rules, form).unwrap_or_else(|e| panic!("{name}, {}: {e}", form.name));
    let [first, last, none] = frames.map(|f| cost(&loaded, &f));
    let verified = loaded.verified_instructions().unwrap_or_default();
    println!(
        "{name:<8} {:<9} {first:>7.1} {last:>7.1} {none:>7.1} {size:>12} {verified:>9} {lost:>6}",
        form.name
    );
}

fn main() {
    if let Err(e) = load(&with_ports(1), Ebpf::XDP) {
        println!("skipped: {e}");
        return;
    }
    println!(
        "{:<8} {:<9} {:>7} {:>7} {:>7} {:>12} {:>9} {:>6}",
        "rules", "form", "first", "last", "none", "instructions", "verified", "lost"
    );
    for form in [Ebpf::XDP, Ebpf::XDP_TREE, Ebpf::TC, Ebpf::TC_TREE] {
        for count in [0, 1, 10, 100, 1000, 5000] {
            let frames = [2001, 2000 + count, 53].map(frame);
            row(&count.to_string(), &with_ports(count), form, frames);
        }
    }
    let import = imports::by_name("classbench").expect("the import exists");
    for (name, text) in [
        ("acl1", include_str!("../../csn/testdata/classbench/acl1_1k")),
        ("fw1", include_str!("../../csn/testdata/classbench/fw1_1k")),
        ("ipc1", include_str!("../../csn/testdata/classbench/ipc1_1k")),
    ] {
        let rules = import.parse(text).rules;
        for form in [Ebpf::XDP, Ebpf::XDP_TREE] {
            row(name, &rules, form, [frame(2001), frame(80), frame(53)]);
        }
    }
}
