//! Programs of the back end `ebpf`, in the kernel, classify as the oracle does.
//!
//! For each hook, in both forms: random rule sets on all fields and the three ClassBench sets, 10,000 frames each through
//! BPF_PROG_TEST_RUN, and the counts of every class equal. `CSNBENCH_ENGINE_SETS` says how many random rule sets are
//! tried; 200 where it is not set. Where bpf(2) is not permitted, all are skipped.

#[path = "../../csn/tests/engines/agree.rs"]
mod agree;
#[path = "../../csn/tests/engines/network.rs"]
#[allow(dead_code)]
mod network;

use agree::{Engine, Job, agree, backend};
use csn::backends::{Backend, Compiled, Ebpf, Emitted, Form, Options, example_rules};
use csn::sample::{Frames, Random, rule_set};
use csn::{
    Class, ClassId, Counts, Field, FrameKind, FrameKinds, Range, Rule, RuleSet, Value, imports, packet,
};
use meters::ebpf::{LoadError, Loaded};
use network::{Network, RECEIVER, SENDER};
use std::process::Command;

/// The kernel at one hook, with programs of two forms, which must count alike.
struct Kernel {
    line: Form,
    tree: Form,
}

fn load(made: &Emitted) -> Result<Loaded, LoadError> {
    let Compiled::Ebpf(program) = &made.program else { panic!("not a program") };
    Loaded::load(program)
}

fn emit(rules: &RuleSet, form: Form) -> Emitted {
    Ebpf.emit(rules, &Options { form: Some(form), ..Options::default() })
}

/// What a program counts for the frames.
fn run(made: &Emitted, frames: &[Vec<u8>]) -> Vec<Counts> {
    let loaded = load(made).unwrap_or_else(|e| panic!("{e}"));
    for frame in frames {
        loaded.run(frame, None, 1).unwrap_or_else(|e| panic!("{} octets: {e}", frame.len()));
    }
    loaded.counts().unwrap()
}

impl Engine for Kernel {
    fn name(&self) -> String {
        format!("kernel ({}, {})", self.line.name, self.tree.name)
    }

    fn backend(&self) -> &'static dyn Backend {
        backend("ebpf")
    }

    fn options(&self) -> Options {
        Options { form: Some(self.line), ..Options::default() }
    }

    /// All but the interface, which frames do not tell.
    fn fields(&self) -> Vec<Field> {
        Field::ALL[1..].to_vec()
    }

    fn missing(&self) -> Option<String> {
        load(&emit(&example_rules(), self.line)).err().filter(LoadError::is_missing).map(|e| e.to_string())
    }

    /// The test run for traffic control refuses frames that announce IP and are too short for its header.
    fn unseen(&self, frame: &[u8]) -> bool {
        let shortest = match (frame[12], frame[13]) {
            (0x08, 0x00) => 34,
            (0x86, 0xdd) => 54,
            _ => 14,
        };
        self.line == Ebpf::TC && frame.len() < shortest
    }

    fn counts(&mut self, job: &Job) -> Vec<Option<u64>> {
        let Job { rules, made, frames, .. } = job;
        let counts = run(made, frames);
        let tree = emit(rules, self.tree);
        assert_eq!(tree.losses, []);
        assert_eq!(run(&tree, frames), counts, "{}\n{}", self.tree.name, tree.artefact);
        let octets: u64 = counts.iter().map(|c| c.bytes).sum();
        assert_eq!(octets, frames.iter().map(|f| f.len() as u64).sum::<u64>());
        counts.into_iter().map(|c| Some(c.packets)).collect()
    }
}

#[test]
fn xdp_programs_count_as_the_oracle_does() {
    agree(&mut Kernel { line: Ebpf::XDP, tree: Ebpf::XDP_TREE });
}

#[test]
fn tc_programs_count_as_the_oracle_does() {
    agree(&mut Kernel { line: Ebpf::TC, tree: Ebpf::TC_TREE });
}

/// Rules of the ClassBench sets by turns, each time with other addresses. Those on wide prefixes only would hide all
/// that come later.
fn many(count: usize) -> RuleSet {
    let import = imports::by_name("classbench").expect("the import exists");
    let narrow = |r: &Rule| r.tests.iter().any(|(f, s)| f.is_address() && s.len() < 1 << 16);
    let sets = [
        import.parse(include_str!("../../csn/testdata/classbench/acl1_1k")).rules,
        import.parse(include_str!("../../csn/testdata/classbench/fw1_1k")).rules,
        import.parse(include_str!("../../csn/testdata/classbench/ipc1_1k")).rules,
    ]
    .map(|mut set| {
        set.rules.retain(narrow);
        set
    });
    let like = sets[0].classes[1].clone();
    let mut out = RuleSet { classes: sets[0].classes[..1].to_vec(), rules: Vec::new() };
    let mut random = Random::new(9);
    for number in 1..=count as u32 {
        let set = &sets[number as usize % 3];
        let mut rule = set.rules[number as usize / 3 % set.rules.len()].clone();
        rule.class = ClassId(number);
        for (field, values) in &mut rule.tests {
            let r = values.ranges()[0];
            if field.is_address() && r.len() < 1 << 16 {
                // another prefix of the same length
                let bits = random.bits() as u32 & !(r.len() as u32 - 1);
                let lo = Value { bits: u128::from(bits), ..r.lo };
                *values = Range::new(lo, Value { bits: lo.bits + (r.len() - 1), ..lo }).into();
            }
        }
        out.rules.push(rule);
        out.classes.push(Class { number, ..like.clone() });
    }
    out
}

#[test]
fn the_largest_programs_are_taken_by_the_kernel_and_count_alike() {
    let mut ports = example_rules();
    let like = ports.rules[0].clone();
    ports.rules = (0..10_000u128)
        .map(|n| {
            let mut rule = like.clone();
            rule.tests[3].1 = Range::numbers(3 * n, 3 * n + 1).into();
            rule
        })
        .collect();
    for (name, rules) in [
        ("ports", ports),
        ("classbench", many(3_000)),
        ("classbench", many(10_000)),
        ("classbench", many(100_000)),
    ] {
        for form in [Ebpf::XDP, Ebpf::TC, Ebpf::XDP_TREE, Ebpf::TC_TREE] {
            let made = emit(&rules, form);
            let loaded = match load(&made) {
                Ok(loaded) => loaded,
                Err(e) if e.is_missing() => return println!("skipped: {e}"),
                Err(e) => panic!("{name}, {}, {} instructions: {e}", form.name, made.entries),
            };
            println!(
                "{name}, {}: {} of {} rules in {} instructions, {} verified; {:?}",
                form.name,
                rules.rules.len() - made.losses.len(),
                rules.rules.len(),
                made.entries,
                loaded.verified_instructions().unwrap(),
                made.notes,
            );
            let kept = rules.first(made.losses.first().map_or(rules.rules.len(), |l| l.rule));
            let source = Frames::new(&kept);
            let mut random = Random::new(3);
            let mut wanted = vec![Counts::default(); kept.classes.len()];
            for _ in 0..300 {
                let frame = source.draw_whole(&mut random).bytes;
                wanted[kept.classify(&packet::parse(&frame, None)).class.index()].add(frame.len() as u64);
                loaded.run(&frame, None, 1).unwrap();
            }
            assert!(loaded.counts().unwrap() == wanted, "{name}, {}", form.name);
        }
    }
}

/// Frames on a wire: the kernel takes outer VLAN tags out of them before traffic control sees them.
#[test]
fn attached_programs_count_what_an_interface_receives() {
    if let Some(reason) = Network::missing() {
        return println!("skipped: {reason}");
    }
    let network = match Network::new() {
        Ok(network) => network,
        Err(e) => return println!("skipped: no network namespace of its own ({e})"),
    };
    // XDP takes packets of a page on a veth pair
    for end in [SENDER, RECEIVER] {
        let done = Command::new("ip").args(["link", "set", end, "mtu", "1500"]).status();
        assert!(done.is_ok_and(|s| s.success()), "ip link set {end} mtu 1500");
    }
    let name = std::ffi::CString::new(RECEIVER).unwrap();
    // SAFETY: the name ends with a zero and outlives the call.
    let interface = unsafe { libc::if_nametoindex(name.as_ptr()) };
    let mut random = Random::new(5);
    let mut rules = rule_set(&mut random, 40, &Field::ALL[1..]);
    for (i, rule) in rules.rules.iter_mut().enumerate().filter(|(i, _)| i % 3 != 0) {
        let index = u128::from(interface) + u128::from(i % 3 == 1);
        rule.tests.insert(0, (Field::Interface, Range::numbers(index, index).into()));
    }
    let source = Frames::new(&rules);
    let mut frames = Vec::new();
    while frames.len() < 3000 {
        let frame = source.draw_whole(&mut random).bytes;
        // what is cut within a tag is dropped before
        if !FrameKinds::of(&frame, None).contains(FrameKind::Malformed) {
            frames.push(frame);
        }
    }
    let tagged = frames.iter().filter(|f| FrameKinds::of(f, None).contains(FrameKind::Tagged)).count();
    assert!(tagged > 300, "{tagged}");
    for form in [Ebpf::XDP, Ebpf::XDP_TREE, Ebpf::TC, Ebpf::TC_TREE] {
        let loaded = match load(&emit(&rules, form)) {
            Ok(loaded) => loaded,
            Err(e) if e.is_missing() => return println!("skipped: {e}"),
            Err(e) => panic!("{e}"),
        };
        let attached = match loaded.attach(interface) {
            Ok(attached) => attached,
            Err(e) => {
                println!("skipped: {}: the kernel attaches no such program to a veth pair ({e})", form.name);
                continue;
            }
        };
        let mut wanted = vec![Counts::default(); rules.classes.len()];
        for frame in &frames {
            let mut key = packet::parse(frame, None);
            key.set_number(Field::Interface, u128::from(interface));
            let kind = u16::from_be_bytes([frame[12], frame[13]]);
            let hidden = [Ebpf::TC, Ebpf::TC_TREE].contains(&form) && [0x8100, 0x88a8].contains(&kind);
            wanted[rules.classify(&key).class.index()].add(frame.len() as u64 - if hidden { 4 } else { 0 });
        }
        network.send(&frames);
        assert_eq!(loaded.counts().unwrap(), wanted, "{}", form.name);
        drop(attached);
        println!("{}: {} frames, {tagged} with tags", form.name, frames.len());
    }
}
