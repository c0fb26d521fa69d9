//! Measures the generator on a veth pair in a private network namespace, beside other generators:
//! `cargo run --release -p generator --example veth [-- rate|even|own]`.
//!
//! - `rate`: packets per second flat out, counted by the receiving interface, for every transmitter and for trafgen and
//!   tcpreplay, with 100 and 10,000 flows, into a receiver that sees every packet and one that drops in XDP. All take
//!   turns, round by round; medians, and the ratio to trafgen in the same round with its spread.
//! - `even`: at asked rates, the rate that came out and how far gaps were from the ideal, by the kernel's receive stamps;
//!   beside trafgen, tcpreplay and MGEN.
//! - `own`: the generator's own time per packet, to nowhere and into captures in memory.
//!
//! What is not installed, or not allowed (`live` is for root), is skipped with its reason. `ROUNDS` and `SECONDS` in the
//! environment say how often and how long.

#[allow(dead_code)]
#[path = "../../tests/support/mod.rs"]
mod support;

mod even;
mod peers;
mod rate;
mod ring;

use csn::mix::{Component, Miss, ShareOf, Target, Traffic};
use csn::{Layer, RateSpec, RuleSet, Size, Span, TrafficMix};
use generator::job::{Amount, Job};
use generator::tx::Transmitter;
use generator::{Pace, Plan, Report, send, tx};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::atomic::AtomicBool;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// UDP flows of frames of one size.
fn job(bytes: u32, flows: u32, rate: RateSpec, amount: Amount) -> Job {
    let size = Size::Fixed { bytes, layer: Layer::Frame };
    let component = Component {
        target: Target::Others(Miss::Far),
        share: 1.0,
        share_of: ShareOf::Packets,
        traffic: Traffic { flows: Some(flows), size, ..Traffic::default() },
        span: Span::default(),
    };
    Job {
        rules: RuleSet::default(),
        mix: TrafficMix { components: vec![component] },
        rate,
        amount,
        seed: 1,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    }
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    // on one CPU everything shares it, and the figures say so
    let _ = set.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
}

fn run(tx: &mut dyn Transmitter, pace: Pace, job: &Job) -> Outcome<Report> {
    let mut plan = Plan::new(job)?;
    Ok(send(&mut plan, tx, pace, &AtomicBool::new(false))?)
}

/// A number from the environment.
fn setting(name: &str, default: f64) -> f64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

/// The median, the least and the largest.
fn spread(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [values[values.len() / 2], values[0], values[values.len() - 1]]
}

fn own_time() -> Outcome<()> {
    let (to, count) = (|n| Amount::Packets(n), 2_000_000);
    for bytes in [60, 512, 1514] {
        for flows in [100, 10_000] {
            let job = job(bytes, flows, RateSpec::Max, to(count));
            let [nowhere, ..] = spread(
                (0..3)
                    .map(|_| Ok(1e9 / run(&mut tx::Null::new(), Pace::Clock, &job)?.achieved_pps()))
                    .collect::<Outcome<_>>()?,
            );
            println!("  {bytes:4} B, {flows:5} flows: {nowhere:.1} ns/packet");
        }
    }
    let job = job(60, 100, RateSpec::Max, to(count));
    let mut memory = Vec::with_capacity(count as usize * 100);
    for name in ["pcap", "pcapng"] {
        let mut rates = Vec::new();
        for _ in 0..5 {
            memory.clear();
            let mut plan = Plan::new(&job)?;
            let start = std::time::Instant::now();
            let stop = AtomicBool::new(false);
            if name == "pcap" {
                send(&mut plan, &mut tx::open_pcap(&mut memory)?, Pace::Virtual, &stop)?;
            } else {
                send(&mut plan, &mut tx::open_pcapng(&mut memory)?, Pace::Virtual, &stop)?;
            }
            rates.push(count as f64 / start.elapsed().as_secs_f64() / 1e6);
        }
        let [median, least, most] = spread(rates);
        println!("  {name} to memory, 60 B: {median:.1} million packets/s ({least:.1} to {most:.1})");
    }
    Ok(())
}

fn main() -> Outcome<()> {
    let what: Vec<String> = std::env::args().skip(1).collect();
    if !support::enter(&what) {
        return Ok(());
    }
    let asked = |name: &str| what.is_empty() || what.iter().any(|w| w == name);
    pin(0);
    if asked("own") {
        println!("own time:");
        own_time()?;
    }
    if asked("rate") {
        rate::compare()?;
    }
    if asked("even") {
        even::compare()?;
    }
    Ok(())
}
