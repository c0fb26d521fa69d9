//! Measures the generator on a veth pair in a private network namespace, without root:
//! `cargo run --release -p generator --example veth`.
//!
//! Three things: packets per second flat out, counted by the receiving interface (beside trafgen where it is
//! installed); the generator's own time per packet; and, at asked rates, the rate that came out and how even the gaps
//! were, by the kernel's receive stamps.

#[allow(dead_code)]
#[path = "../../tests/support/mod.rs"]
mod support;

mod ring;

use csn::mix::{Component, Miss, ShareOf, Target, Traffic};
use csn::{Layer, Nanos, Rate, RateSpec, RuleSet, Size, Span, TrafficMix};
use generator::job::{Amount, Job};
use generator::tx::Transmitter;
use generator::{Pace, Plan, Report, send, tx};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use ring::Ring;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// A hundred UDP flows.
fn job(bytes: u32, rate: RateSpec, time: Nanos) -> Job {
    let size = Size::Fixed { bytes, layer: Layer::Frame };
    let component = Component {
        target: Target::Others(Miss::Far),
        share: 1.0,
        share_of: ShareOf::Packets,
        traffic: Traffic { flows: Some(100), size, ..Traffic::default() },
        span: Span::default(),
    };
    Job {
        rules: RuleSet::default(),
        mix: TrafficMix { components: vec![component] },
        rate,
        amount: Amount::Time(time),
        seed: 1,
        macs: [[2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]],
    }
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    // on one CPU everything shares it, and the figures say so
    let _ = set.set(cpu).and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
}

fn run(tx: &mut dyn Transmitter, job: &Job) -> Outcome<Report> {
    let mut plan = Plan::new(job)?;
    Ok(send(&mut plan, tx, Pace::Clock, &AtomicBool::new(false))?)
}

fn flat_out() -> Outcome<()> {
    for bytes in [60, 512, 1514] {
        let mut rates = Vec::new();
        for _ in 0..3 {
            let before = support::received(support::FAR);
            let job = job(bytes as u32, RateSpec::Max, Nanos::from_secs(2));
            let report = run(&mut tx::open_packet(support::NEAR)?, &job)?;
            let arrived = support::received(support::FAR) - before;
            let sent = report.ledger.total().packets;
            if arrived != sent {
                println!("  {sent} accepted, but {arrived} arrived");
            }
            rates.push(report.achieved_pps() / 1e6);
        }
        rates.sort_by(f64::total_cmp);
        let bare = bare(bytes)?;
        let share = rates[1] / bare * 100.0;
        println!(
            "  {bytes:4} B: {:.3} Mpps ({:.3} to {:.3}), {share:.0} % of the bare system call's {bare:.3}",
            rates[1], rates[0], rates[2]
        );
    }
    Ok(())
}

/// What the kernel takes in full batches of frames that nobody writes, in million packets per second.
fn bare(bytes: usize) -> Outcome<f64> {
    let mut tx = tx::open_packet(support::NEAR)?;
    tx.prepare(bytes)?;
    let mut fates = tx::Fates::default();
    let mut frames = |slots: &mut [tx::Slot]| {
        slots.iter_mut().for_each(|s| s.buffer(bytes)[0] = 2);
        slots.len()
    };
    tx.transmit(tx::MAX_BATCH, &mut frames, &mut fates)?;
    let (start, mut sent) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(2) {
        fates.clear();
        tx.transmit(tx::MAX_BATCH, &mut |slots| slots.len(), &mut fates)?;
        sent += fates.count_left();
    }
    Ok(sent as f64 / start.elapsed().as_secs_f64() / 1e6)
}

/// trafgen on the same pair, counted in the middle of its run.
fn trafgen() -> Outcome<()> {
    let bytes: Vec<String> = Plan::new(&job(60, RateSpec::Max, Nanos::from_secs(1)))?
        .frames()
        .take(100)
        .map(|f| f.bytes.iter().map(|b| format!("{b:#04x}")).collect::<Vec<_>>().join(", "))
        .collect();
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(&file, bytes.iter().map(|b| format!("{{ {b} }}\n")).collect::<String>())?;
    let mut command = Command::new("trafgen");
    command.args(["--cpus", "1", "--dev", support::NEAR, "--conf"]).arg(file.path());
    let mut child = match command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(e) => {
            println!("  trafgen: skipped: {e}; `apt install netsniff-ng`");
            return Ok(());
        }
    };
    std::thread::sleep(Duration::from_secs(1));
    let (before, start) = (support::received(support::FAR), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let rate = (support::received(support::FAR) - before) as f64 / start.elapsed().as_secs_f64();
    child.kill()?;
    child.wait()?;
    println!("  trafgen, 60 B: {:.3} Mpps", rate / 1e6);
    Ok(())
}

fn own_time() -> Outcome<()> {
    for bytes in [60, 512, 1514] {
        let report = run(&mut tx::Null::new(), &job(bytes as u32, RateSpec::Max, Nanos::from_secs(1)))?;
        println!("  {bytes:4} B: {:.1} ns/packet", 1e9 / report.achieved_pps());
    }
    Ok(())
}

/// Sends at a rate into a reader, and prints what the reader saw.
fn paced(pps: f64) -> Outcome<()> {
    let ring = Ring::open(support::FAR)?;
    let stop = &AtomicBool::new(false);
    let job = job(60, RateSpec::Fixed(Rate::Pps(pps)), Nanos::from_secs(3));
    let (report, stamps, drops) = std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            pin(1);
            let mut stamps = Vec::with_capacity((pps * 3.1) as usize);
            let drops = ring.read(&mut stamps, stop);
            (stamps, drops)
        });
        let report = tx::open_packet(support::NEAR).map_err(Into::into).and_then(|mut tx| run(&mut tx, &job));
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        let (stamps, drops) = reader.join().map_err(|_| "the reader failed")?;
        Outcome::Ok((report?, stamps, drops))
    })?;
    let ideal = 1e9 / pps;
    let mut off: Vec<u64> = stamps.windows(2).map(|w| ((w[1] - w[0]) as f64 - ideal).abs() as u64).collect();
    off.sort_unstable();
    let at = |q: f64| off[((off.len() - 1) as f64 * q) as usize];
    let span = (stamps[stamps.len() - 1] - stamps[0]) as f64 / 1e9;
    let seen = (stamps.len() - 1) as f64 / span;
    let error = |rate: f64| (rate / pps - 1.0) * 100.0;
    println!(
        "  asked {pps}/s: {} sent, {} read, {drops} dropped by the reader",
        report.planned,
        stamps.len()
    );
    println!("    rate error: {:+.5} % sender, {:+.5} % receiver", error(report.achieved_pps()), error(seen));
    println!(
        "    |gap - {ideal:.0} ns|: p50 {} p90 {} p99 {} max {} ns",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
    let l = report.lateness;
    println!(
        "    lateness: p50 {} p99 {} max {} ns, {:.4} % late, {} stalls",
        l.p50,
        l.p99,
        l.max,
        l.share * 100.0,
        l.stalls
    );
    Ok(())
}

fn main() -> Outcome<()> {
    if !support::enter(&[]) {
        return Ok(());
    }
    pin(0);
    println!("own time, to nowhere:");
    own_time()?;
    println!("flat out, {} to {}, median of 3:", support::NEAR, support::FAR);
    flat_out()?;
    trafgen()?;
    println!("at a rate, 60 B, 3 s:");
    paced(10_000.0)?;
    paced(100_000.0)?;
    paced(400_000.0)
}
