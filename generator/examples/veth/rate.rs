//! How fast.

use super::{Outcome, job, peers, run, setting, spread, support};
use csn::{Nanos, RateSpec};
use generator::bpf::{OnReceive, Verdict};
use generator::job::Amount;
use generator::tx::{self, Needs};

/// What the far end does with packets.
#[derive(Clone, Copy, PartialEq)]
enum Receiver {
    /// Its stack sees every one, and drops it, since it is for another host: what a tapped meter's interface sees.
    Stack,
    /// An XDP program drops.
    Xdp,
}

impl Receiver {
    /// Makes it so; for frames of XDP programs the stack's interface has to poll.
    fn prepare(self, live: bool) -> Option<std::io::Result<OnReceive>> {
        match self {
            Receiver::Stack => live.then(|| OnReceive::attach(support::FAR, Verdict::Pass)),
            Receiver::Xdp => Some(OnReceive::attach(support::FAR, Verdict::Drop)),
        }
    }
}

/// Something that sends flat out, and the rates that it reached.
struct Contender {
    name: String,
    rates: Vec<f64>,
    how: How,
}

enum How {
    Own(&'static str, u32),
    Peer(peers::Peer),
}

impl Contender {
    fn rate(&self, bytes: u32, seconds: f64) -> Outcome<f64> {
        let (name, flows) = match &self.how {
            How::Peer(peer) => return peer.rate(seconds),
            How::Own(name, flows) => (*name, *flows),
        };
        let before = support::received(support::FAR);
        let job = job(bytes, flows, RateSpec::Max, Amount::Time(Nanos((seconds * 1e9) as u64)));
        let mut opened = tx::open(name, support::NEAR, bytes as usize)?;
        let report = run(opened.tx.as_mut(), opened.pace, &job)?;
        let (arrived, sent) = (support::received(support::FAR) - before, report.ledger.total().packets);
        if arrived != sent {
            println!("  {name}: {sent} counted, but {arrived} arrived");
        }
        Ok(report.achieved_pps() * arrived as f64 / sent.max(1) as f64)
    }
}

pub fn compare() -> Outcome<()> {
    let (rounds, seconds) = (setting("ROUNDS", 5.0) as usize, setting("SECONDS", 1.0));
    for receiver in [Receiver::Stack, Receiver::Xdp] {
        for bytes in [60, 512, 1514] {
            let what = if receiver == Receiver::Stack { "stack" } else { "XDP drop" };
            println!("flat out, {bytes} B, into {what}, {rounds} rounds of {seconds} s, million packets/s:");
            table(receiver, bytes, rounds, seconds)?;
        }
    }
    Ok(())
}

fn table(receiver: Receiver, bytes: u32, rounds: usize, seconds: f64) -> Outcome<()> {
    let mut contenders = Vec::new();
    for peer in [peers::trafgen(bytes, "")?, peers::tcpreplay(bytes, "-t")?] {
        if peer.is_there() {
            contenders.push(Contender { name: peer.name.clone(), rates: vec![], how: How::Peer(peer) });
        }
    }
    let own = tx::TABLE.iter().filter(|e| e.needs == Needs::Interface && e.name != tx::AUTO);
    for (name, flows) in own.flat_map(|e| [(e.name, 100), (e.name, 10_000)]) {
        let name_and_flows = format!("{name}, {flows} flows");
        contenders.push(Contender { name: name_and_flows, rates: vec![], how: How::Own(name, flows) });
    }
    for round in 0..rounds {
        contenders.retain_mut(|c| {
            let _polling = match receiver.prepare(matches!(c.how, How::Own("live", _))).transpose() {
                Ok(program) => program,
                Err(e) => return skip(round, &c.name, &e),
            };
            match c.rate(bytes, seconds) {
                Ok(rate) => c.rates.push(rate / 1e6),
                Err(e) => return skip(round, &c.name, &e),
            }
            true
        });
    }
    let reference = contenders.iter().find(|c| c.name == "trafgen").map(|c| c.rates.clone());
    for c in contenders.iter().filter(|c| !c.rates.is_empty()) {
        let [median, least, most] = spread(c.rates.clone());
        let ratio = reference.as_ref().map(|r| {
            let [m, l, h] = spread(c.rates.iter().zip(r).map(|(a, b)| a / b).collect());
            format!("; {m:.2} times trafgen ({l:.2} to {h:.2})")
        });
        println!("  {:<20} {median:7.3} ({least:.3} to {most:.3}){}", c.name, ratio.unwrap_or_default());
    }
    Ok(())
}

/// Leaves a contender out.
fn skip(round: usize, name: &str, reason: &dyn std::fmt::Display) -> bool {
    println!("  skipped in round {}: {name}: {reason}", round + 1);
    false
}
