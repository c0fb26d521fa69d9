//! What the generator is asked to do, and what it answers.

use csn::{Counts, Nanos, RateSpec, RuleSet, TrafficMix};
use serde::{Deserialize, Serialize};

/// One load: everything that decides its packets, to the byte.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// All rules of the scenario: packets are made from these, and counted by these.
    pub rules: RuleSet,
    /// The traffic.
    pub mix: TrafficMix,
    /// How fast.
    pub rate: RateSpec,
    /// How much.
    pub amount: Amount,
    /// Where everything random comes from.
    pub seed: u64,
    /// Ethernet addresses for frames whose rules leave them open: source, destination.
    pub macs: [[u8; 6]; 2],
}

/// How much is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Amount {
    /// A number of packets.
    Packets(u64),
    /// A span of time.
    Time(Nanos),
}

/// What really left, by the rule of the scenario that is the first to match it, as the oracle says.
///
/// From this the counts of any prefix of the rules follow: a packet first matched by rule `i` belongs to
/// `others` for a meter that has loaded only rules before `i`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// Per rule, in file order.
    pub rules: Vec<Counts>,
    /// Packets that no rule matches.
    pub others: Counts,
}

impl Ledger {
    /// All packets together.
    pub fn total(&self) -> Counts {
        let mut sum = self.others;
        self.rules.iter().for_each(|c| sum += *c);
        sum
    }

    /// Per class, for a meter that has loaded the first `loaded` rules of `rules`; by [`csn::ClassId`].
    pub fn by_class(&self, rules: &RuleSet, loaded: usize) -> Vec<Counts> {
        let mut out = vec![Counts::default(); rules.classes.len()];
        out[0] = self.others;
        for (i, counts) in self.rules.iter().enumerate() {
            let class = if i < loaded { rules.rules[i].class.index() } else { 0 };
            out[class] += *counts;
        }
        out
    }
}

/// What the generator did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The transmit back end.
    pub transmitter: String,
    /// How it went about it on this machine, and why it was chosen where it was: a line each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Packets/s that were asked for; none for `max`.
    pub intended_pps: Option<f64>,
    /// Packets/s of the send times that were drawn for the packets sent; none for `max`. With random gaps it differs from
    /// what was asked for by chance, and a sender that keeps to its schedule reaches just this.
    #[serde(default)]
    pub scheduled_pps: Option<f64>,
    /// Packets that were due in the time that was sent.
    pub planned: u64,
    /// Packets that the device refused.
    pub refused: u64,
    /// What the device accepted.
    pub ledger: Ledger,
    /// From the first to the last packet.
    pub elapsed: Nanos,
    /// Lateness against the schedule in nanoseconds.
    pub lateness: Lateness,
    /// How many packets were to leave together.
    #[serde(default)]
    pub batch: u32,
    /// How far the times between packets were from the ideal ones.
    #[serde(default)]
    pub gaps: Gaps,
    /// When the machine took the CPU away.
    #[serde(default)]
    pub interruptions: Interruptions,
}

/// How far the times between packets as they left were from those of the schedule; nanoseconds, without sign. Gaps in
/// which the machine took the CPU from the sender, and the short ones right after, are apart: they tell of the machine
/// and not of the sender.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Gaps {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Largest.
    pub max: u64,
    /// How many gaps are taken out because of interruptions.
    pub disturbed: u64,
    /// The largest deviation of these.
    pub disturbed_max: u64,
}

/// When something else had the sender's CPU: seen in the busy waits, where the clock jumps, and in sending calls that
/// took far longer than others.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interruptions {
    /// How many.
    pub count: u64,
    /// All together in nanoseconds.
    pub total: u64,
    /// The longest in nanoseconds.
    pub longest: u64,
    /// From this many nanoseconds on.
    pub bound: u64,
}

/// How late packets were handed to the device, against send times fixed in advance; nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lateness {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Largest.
    pub max: u64,
    /// A packet is late when it leaves this much after its time.
    pub bound: u64,
    /// Share of packets that were late.
    pub share: f64,
    /// How often the loop itself stood still for more than 1 ms.
    pub stalls: u64,
}

impl Report {
    /// Packets/s that the device accepted.
    pub fn achieved_pps(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        // n packets span n - 1 gaps
        if seconds > 0.0 { (self.ledger.total().packets.saturating_sub(1)) as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use csn::{Class, ClassId, Rule, Span};

    #[test]
    fn what_a_meter_with_fewer_rules_must_show_follows_from_the_ledger() {
        let mut rules = RuleSet::default();
        for n in 1..=3 {
            rules.classes.push(Class { number: n, name: None, span: Span::default() });
            rules.rules.push(Rule { class: ClassId(n), tests: vec![], both: false, span: Span::default() });
        }
        let c = |packets| Counts { packets, bytes: packets * 60 };
        let ledger = Ledger { rules: vec![c(5), c(7), c(11)], others: c(2) };
        let shown: Vec<_> = ledger.by_class(&rules, 1).iter().map(|c| c.packets).collect();
        assert_eq!(shown, [20, 5, 0, 0]);
        assert_eq!(ledger.total().packets, 25);
    }
}
