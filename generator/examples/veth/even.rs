//! How evenly.

use super::peers::{self, Peer};
use super::ring::Ring;
use super::{Outcome, job, pin, run, setting, support};
use csn::{Nanos, Rate, RateSpec};
use generator::Report;
use generator::bpf::{OnReceive, Verdict};
use generator::job::Amount;
use generator::tx::{self, Needs};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub fn compare() -> Outcome<()> {
    let seconds = setting("SECONDS", 3.0);
    let time = Nanos((seconds * 1e9) as u64);
    for pps in [10_000.0, 50_000.0, 100_000.0, 500_000.0] {
        println!("at {pps} packets/s, 60 B, {seconds} s; deviation of gaps from {} ns:", 1e9 / pps);
        let gap = format!("-t {}ns", (1e9 / pps) as u64);
        for peer in [
            peers::trafgen(60, &format!("-b {pps}pps"))?,
            peers::trafgen(60, &gap)?,
            peers::tcpreplay(60, &format!("-p {pps}"))?,
            peers::mgen(pps, time)?,
        ] {
            if peer.is_there() {
                show(&peer.name, pps, &by_peer(&peer, seconds)?);
            }
        }
        for entry in tx::TABLE.iter().filter(|e| e.needs == Needs::Interface && e.name != tx::AUTO) {
            match by_ourselves(entry.name, pps, time) {
                Ok((stamps, report)) => {
                    show(entry.name, pps, &stamps);
                    tell(&report);
                }
                Err(e) => println!("  skipped: {}: {e}", entry.name),
            }
        }
    }
    Ok(())
}

/// Reads arrival times while `send` does its work.
fn watch<T: Send>(send: impl FnOnce() -> Outcome<T>) -> Outcome<(Vec<u64>, T)> {
    let ring = Ring::open(support::FAR)?;
    let stop = &AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(move || {
            pin(1);
            let mut stamps = Vec::with_capacity(4_000_000);
            let drops = ring.read(&mut stamps, stop);
            (stamps, drops)
        });
        let sent = send();
        std::thread::sleep(Duration::from_millis(100));
        stop.store(true, Ordering::Relaxed);
        let (stamps, drops) = reader.join().map_err(|_| "the reader failed")?;
        if drops > 0 {
            println!("  {drops} dropped by the reader");
        }
        Ok((stamps, sent?))
    })
}

fn by_peer(peer: &Peer, seconds: f64) -> Outcome<Vec<u64>> {
    let (stamps, ()) = watch(|| {
        let running = peer.start()?;
        std::thread::sleep(Duration::from_secs_f64(seconds));
        drop(running);
        Ok(())
    })?;
    Ok(stamps)
}

fn by_ourselves(name: &str, pps: f64, time: Nanos) -> Outcome<(Vec<u64>, Report)> {
    let _polling = if name == "live" { Some(OnReceive::attach(support::FAR, Verdict::Pass)?) } else { None };
    let job = job(60, 100, RateSpec::Fixed(Rate::Pps(pps)), Amount::Time(time));
    watch(|| {
        let mut opened = tx::open(name, support::NEAR, 60)?;
        run(opened.tx.as_mut(), opened.pace, &job)
    })
}

/// Rate and gaps at the receiver.
fn show(name: &str, pps: f64, stamps: &[u64]) {
    let [first, .., last] = stamps else { return println!("  {name}: nothing arrived") };
    let ideal = 1e9 / pps;
    let mut off: Vec<u64> =
        stamps.windows(2).map(|w| ((w[1] as f64 - w[0] as f64) - ideal).abs() as u64).collect();
    off.sort_unstable();
    let at = |q: f64| off[((off.len() - 1) as f64 * q) as usize];
    let rate = (stamps.len() - 1) as f64 * 1e9 / (last - first) as f64;
    println!(
        "  {name:<24} rate {:+9.4} %; p50 {:7} p90 {:7} p99 {:7} max {:9} ns",
        (rate / pps - 1.0) * 100.0,
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}

/// What our report says, with the machine's interruptions apart.
fn tell(report: &Report) {
    let (gaps, breaks) = (&report.gaps, &report.interruptions);
    println!(
        "    by its own report: p50 {} p99 {} max {} ns; apart from that {} gaps in {} interruptions, {:.2} ms in all, \
         {:.3} ms at most",
        gaps.p50,
        gaps.p99,
        gaps.max,
        gaps.disturbed,
        breaks.count,
        breaks.total as f64 / 1e6,
        breaks.longest as f64 / 1e6
    );
}
