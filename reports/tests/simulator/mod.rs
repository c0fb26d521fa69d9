//! A meter, a generator and a noisy machine, simulated: records like those of the paper's tests 1, 2 and 4, to the
//! byte the same for the same arguments.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use reports::record::*;
use std::collections::BTreeMap;

const STEPS: [u32; 6] = [0, 10, 20, 50, 70, 100];
const FLOWS: u64 = 100;
const PPS: f64 = 400_000.0;
const SECONDS: f64 = 2.0;
const PACKETS: u64 = 800_000;

/// What is simulated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// Test 1, Figure 4: a hundred flows, as many of them matched as there are rules.
    NumberOfRules,
    /// Test 2, Figure 5: no packet ever matches; the meter saturates and loses packets.
    WorstCase,
    /// Test 4, Figure 7, beside test 1: a filter in the kernel passes only what the rules match.
    Filter,
    /// One point, three meters: no axis.
    Meters,
}

/// Draws with a normal distribution's shape.
struct Noise(Xoshiro256PlusPlus);

impl Noise {
    fn share(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 4_294_967_296.0
    }

    /// 1 ± `sd`: a sum of twelve uniform draws, and now and then a disturbance, which only ever slows down.
    fn around_one(&mut self, sd: f64) -> f64 {
        let normal: f64 = (0..12).map(|_| self.share()).sum::<f64>() - 6.0;
        let disturbed = if self.share() < 0.05 { 0.04 * self.share() } else { 0.0 };
        1.0 + sd * normal + disturbed
    }
}

/// The records of a whole run.
pub fn records(test: Test, repeat: u32, seed: u64) -> Vec<Record> {
    let mut noise = Noise(Xoshiro256PlusPlus::seed_from_u64(seed));
    let meters: &[&str] = match test {
        Test::Filter => &["rtfm", "rtfm(prefilter = bpf)"],
        Test::Meters => &["rtfm", "rtfm(prefilter = bpf)", "count"],
        _ => &["rtfm"],
    };
    let steps: &[u32] = if test == Test::Meters { &[50] } else { &STEPS };
    let grid: Vec<(&str, u32)> = meters.iter().flat_map(|m| steps.iter().map(|r| (*m, *r))).collect();
    let mut order: Vec<(usize, u32)> = Vec::new();
    for r in 0..repeat {
        let mut block: Vec<usize> = (0..grid.len()).collect();
        for i in (1..block.len()).rev() {
            block.swap(i, (noise.share() * (i + 1) as f64) as usize);
        }
        order.extend(block.into_iter().map(|p| (p, r)));
    }
    let mut records = vec![Record::Run(Box::new(run(test, repeat, seed, steps, order.len() as u32)))];
    for (index, (point, r)) in order.into_iter().enumerate() {
        let (meter, rules) = grid[point];
        let mut t = trial(test, meter, rules, &mut noise);
        t.index = index as u32;
        t.point = point as u32;
        t.repeat = r;
        t.time = 1_763_716_500.0 + 3.5 * index as f64;
        records.push(Record::Trial(Box::new(t)));
    }
    let skipped = if test == Test::Meters {
        vec![Skip {
            what: "nftables".into(),
            reason: "the program `nft` is not installed".into(),
            cure: "apt-get install nftables".into(),
        }]
    } else {
        Vec::new()
    };
    records.push(Record::End { time: 1_763_716_800.0, skipped });
    records
}

/// Records as they stand in a file.
pub fn lines(records: &[Record]) -> String {
    records.iter().map(|r| serde_json::to_string(r).unwrap() + "\n").collect()
}

fn run(test: Test, repeat: u32, seed: u64, steps: &[u32], planned: u32) -> Run {
    let (title, figure, file) = match test {
        Test::NumberOfRules => ("CPU load against the number of rules", Some("Figure 4"), "number-of-rules"),
        Test::WorstCase => ("Worst case: no packet matches", Some("Figure 5"), "worst-case"),
        Test::Filter => {
            ("A kernel filter that passes only what the rules match", Some("Figure 7"), "filter-terms")
        }
        Test::Meters => ("Three meters at 50 rules", None, "meters"),
    };
    Run {
        version: 1,
        tool: "0.1.0".into(),
        time: 1_763_716_500.0,
        command: format!("csnbench run scenarios/paper/{file}.csn -o out"),
        scenario: format!("scenarios/paper/{file}.csn"),
        text: format!(
            "# ports 2000 to 2099, one class each\nscenario: title = \"{title}\";\nset: class = 1..100;\naddrule: proto = udp, dstport = each 2000..2099;\nvary: rules = 0, 10, 20, 50, 70, 100;\nrun: rate = 400 kpps, time = 2 s, repeat = {repeat}, seed = {seed};\nexpect: loss = 0, misclassified = 0;\n"
        ),
        title: title.into(),
        reproduces: figure.map(Into::into),
        tags: vec!["paper".into()],
        rules_hash: "5f0c2a9e71d3b846".into(),
        traffic_hash: "5d41402abc4b2a76".into(),
        rules: 100,
        seed,
        repeat,
        quick: false,
        axes: vec![("rules".into(), steps.iter().map(u32::to_string).collect())],
        planned,
        classes: std::iter::once("others".into()).chain((1..=100).map(|c: u32| c.to_string())).collect(),
        host: Host {
            system: "Debian GNU/Linux 12".into(),
            kernel: "6.1.0-28-amd64".into(),
            cpu: "Example CPU @ 2.60 GHz".into(),
            cpus: 2,
            memory: 8 << 30,
            virtualised: Some("kvm".into()),
            clock: "kvm-clock".into(),
            load: [0.31, 0.22, 0.1],
            facts: BTreeMap::from([("BPF JIT".into(), "on".into()), ("governor".into(), "unknown".into())]),
            warnings: vec!["This is a virtual machine: what its neighbours do shows in the numbers.".into()],
        },
        meters: vec![],
        calibration: vec![],
        lab: Lab {
            kind: "user namespace".into(),
            generator_cpu: Some(0),
            meter_cpu: Some(1),
            receive_work: "sender".into(),
            notes: vec![],
        },
        expect: vec![
            Expect { metric: "loss".into(), relation: "=".into(), value: 0.0 },
            Expect { metric: "misclassified".into(), relation: "=".into(), value: 0.0 },
        ],
    }
}

/// Comparisons per offered packet, and packets that reach user space: `reference` §1.3's formulas.
fn model(test: Test, meter: &str, rules: u32) -> (f64, u64) {
    let share = f64::from(rules) / FLOWS as f64;
    let matched = share * f64::from(rules + 1) / 2.0;
    match (test, meter.contains("prefilter")) {
        (Test::WorstCase, _) => (f64::from(rules), PACKETS),
        (_, true) => (matched, PACKETS / FLOWS * u64::from(rules)),
        _ => (matched + (1.0 - share) * f64::from(rules), PACKETS),
    }
}

fn trial(test: Test, meter: &str, rules: u32, noise: &mut Noise) -> Trial {
    let (comparisons, passed) = model(test, meter, rules);
    let passed_share = passed as f64 / PACKETS as f64;
    let window = (SECONDS * 1.1e9) as u64;
    let base = if meter == "count" { 25.0 } else { 180.0 };
    let per_rule = if test == Test::WorstCase { 24.0 } else { 17.0 };
    let user = (base * passed_share + per_rule * comparisons) * noise.around_one(0.012) * PACKETS as f64;
    let system = (12.0 + 430.0 * passed_share) * noise.around_one(0.015) * PACKETS as f64;
    let wanted = user + system;
    let had = wanted.min(window as f64 * 0.995);
    let lost = ((1.0 - had / wanted) * PACKETS as f64 * noise.around_one(0.03)).max(0.0) as u64;
    let ledger = Ledger {
        offered: PACKETS,
        socket: lost,
        filtered: PACKETS - passed,
        counted: passed - lost.min(passed),
        ..Ledger::default()
    };
    let (user, system) = (user * had / wanted, system * had / wanted);
    let mut t = Trial {
        meter: meter.into(),
        meter_version: "0.1.0".into(),
        at: BTreeMap::from([("meter".into(), meter.into()), ("rules".into(), rules.to_string())]),
        x: BTreeMap::from([
            ("rules".into(), f64::from(rules)),
            ("others".into(), if test == Test::WorstCase { 1.0 } else { 0.0 }),
        ]),
        expected_comparisons: comparisons,
        offered: offered(noise),
        classes: classes(test, meter, rules, lost),
        ledger,
        cpu: Cpu {
            window,
            total: (user + system) as u64,
            user: user as u64,
            system: system as u64,
            split: "self-timed".into(),
            softirq: (900.0 * noise.around_one(0.1) * PACKETS as f64) as u64,
            softirq_meter_cpu: 10_000_000,
            steal: if noise.share() < 0.2 { 10_000_000 } else { 0 },
            foreign: 0,
            voluntary: 1_900 + (noise.share() * 100.0) as u64,
            involuntary: (noise.share() * 20.0) as u64,
            syscalls: Some(PACKETS / 380),
            memory: 5_767_168 + u64::from(rules) * 4_096,
        },
        ..Trial::default()
    };
    // A machine that stalls now and then: such a trial is slow as well as invalid.
    if noise.share() < 0.06 {
        t.offered.stalls = 3;
        t.offered.late_max = 41_000_000;
        t.offered.late_share = 0.021;
        t.cpu.user = t.cpu.user * 3 / 2;
        t.cpu.total = t.cpu.user + t.cpu.system;
        t.invalid =
            vec!["the sender stalled 3 times for more than 1 ms: 2.10 % of the packets left late".into()];
    }
    t
}

fn offered(noise: &mut Noise) -> Offered {
    Offered {
        intended_pps: Some(PPS),
        scheduled_pps: None,
        achieved_pps: PPS * (1.0 - 0.0004 * noise.share()),
        seconds: SECONDS,
        planned: PACKETS,
        accepted: PACKETS,
        bytes: PACKETS * 242,
        late_p50: 600 + (noise.share() * 200.0) as u64,
        late_p99: 21_000 + (noise.share() * 9_000.0) as u64,
        late_max: 310_000 + (noise.share() * 400_000.0) as u64,
        late_share: 0.0002 * noise.share(),
        late_bound: 100_000,
        stalls: 0,
        transmitter: "packet".into(),
    }
}

/// The classes of a trial; losses fall on the classes in turn.
fn classes(test: Test, meter: &str, rules: u32, lost: u64) -> Vec<ClassCount> {
    let each = PACKETS / FLOWS;
    let matched = if test == Test::WorstCase { 0 } else { u64::from(rules) };
    let filter = meter.contains("prefilter");
    let unmatched = PACKETS - matched * each;
    let mut classes = vec![ClassCount {
        class: "others".into(),
        sent: unmatched,
        filtered: if filter { unmatched } else { 0 },
        counted: if filter { 0 } else { unmatched },
    }];
    classes.extend((1..=matched).map(|c| ClassCount {
        class: c.to_string(),
        sent: each,
        filtered: 0,
        counted: each,
    }));
    let n = classes.len() as u64;
    for (i, class) in classes.iter_mut().enumerate() {
        class.counted -= (lost / n + u64::from((i as u64) < lost % n)).min(class.counted);
    }
    classes
}
