//! Planning and flow state: time, memory and cost per packet from 100 to 1,000,000 flows.
//!
//! `cargo bench -p generator --bench plan`. Every number of flows is planned and sent into nowhere several times, in turn with
//! the others; shown are medians, the spread between the quartiles, and the ratio to 100 flows.

use csn::mix::{Component, Lifetime, Order, Popularity, ShareOf, Target, Traffic};
use csn::models::Quantity;
use csn::{Class, ClassId, Field, Range, Rate, RateSpec, Rule, RuleSet, Span, TrafficMix};
use generator::job::{Amount, Job};
use generator::{Pace, Plan, send, tx};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// Packets sent for one figure.
const PACKETS: u64 = 2_000_000;
/// How often each figure is taken.
const ROUNDS: usize = 5;

/// How the flows of a load take their turns, and whether they end.
struct Kind {
    name: &'static str,
    order: Order,
    popularity: Popularity,
    lifetime: Option<u64>,
}

/// Classes by port, with so many flows in all.
fn job(classes: u32, flows: u32, kind: &Kind) -> Job {
    let mut rules = RuleSet::default();
    let traffic = Traffic {
        flows: Some(flows / classes),
        order: kind.order,
        popularity: kind.popularity,
        lifetime: kind.lifetime.map(|n| Lifetime::Range(Quantity::Packets(n), Quantity::Packets(n))),
        ..Traffic::default()
    };
    let mut components = Vec::new();
    for i in 0..classes {
        let class = ClassId(i + 1);
        rules.classes.push(Class { number: i + 1, name: None, span: Span::default() });
        let one = |n: u32| Range::numbers(n.into(), n.into()).into();
        let tests = vec![(Field::Proto, one(17)), (Field::DstPort, one(2000 + i))];
        rules.rules.push(Rule { class, tests, both: false, span: Span::default() });
        let target = Target::Class(class);
        components.push(Component {
            target,
            share: 1.0,
            share_of: ShareOf::Packets,
            traffic: traffic.clone(),
            span: Span::default(),
        });
    }
    Job {
        rules,
        mix: TrafficMix { components },
        rate: RateSpec::Fixed(Rate::Pps(1e6)),
        amount: Amount::Packets(PACKETS),
        seed: 1,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    }
}

/// The most memory that the process has held since the last call, in MB; none where the kernel does not say.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(kib / 1024.0)
}

/// Seconds to plan, MB held, nanoseconds per packet.
fn measure(job: &Job) -> [f64; 3] {
    peak();
    let start = Instant::now();
    let mut plan = Plan::new(job).expect("a plan");
    let planned = start.elapsed().as_secs_f64();
    let memory = peak().unwrap_or(f64::NAN);
    let start = Instant::now();
    let report = send(&mut plan, &mut tx::Null::new(), Pace::Virtual, &AtomicBool::new(false)).expect("sent");
    assert_eq!(report.ledger.total().packets, PACKETS);
    [planned, memory, start.elapsed().as_secs_f64() * 1e9 / PACKETS as f64]
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values.len() / 4, values.len() / 2, values.len() * 3 / 4].map(|i| values[i])
}

fn main() {
    let kinds = [
        Kind { name: "round", order: Order::Round, popularity: Popularity::Uniform, lifetime: None },
        Kind { name: "random", order: Order::Random, popularity: Popularity::Uniform, lifetime: None },
        Kind { name: "zipf", order: Order::Random, popularity: Popularity::Zipf(1.0), lifetime: None },
        Kind {
            name: "10 packets each",
            order: Order::Round,
            popularity: Popularity::Uniform,
            lifetime: Some(10),
        },
    ];
    for (classes, counts) in [(1, &[100, 10_000, 1_000_000][..]), (10_000, &[10_000, 1_000_000][..])] {
        for kind in &kinds {
            let mut figures = vec![Vec::new(); counts.len()];
            for _ in 0..ROUNDS {
                for (flows, figures) in counts.iter().zip(&mut figures) {
                    figures.push(measure(&job(classes, *flows, kind)));
                }
            }
            let mut first = None;
            for (flows, figures) in counts.iter().zip(&figures) {
                let of = |i: usize| quartiles(figures.iter().map(|f| f[i]).collect());
                let (plan, memory, cost) = (of(0), of(1), of(2));
                let base = *first.get_or_insert(cost[1]);
                println!(
                    "{classes:>6} classes, {flows:>8} flows, {:<16} plan {:.3} s, at most {:.0} MB, {:.1} ns per packet \
                     ({:.1} to {:.1}), ratio {:.2}",
                    kind.name,
                    plan[1],
                    memory[1],
                    cost[1],
                    cost[0],
                    cost[2],
                    cost[1] / base
                );
            }
        }
    }
}
