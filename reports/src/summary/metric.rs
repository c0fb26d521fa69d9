//! What is measured in each trial.

use crate::record::Trial;
use crate::text;
use serde::Serialize;

/// A quantity that every trial has one value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// CPU time of the meter in user space per packet offered.
    UserNs,
    /// CPU time of the meter in the kernel per packet offered.
    SystemNs,
    /// CPU time of the meter per packet offered.
    TotalNs,
    /// User time as a share of one core.
    UserShare,
    /// System time as a share of one core.
    SystemShare,
    /// CPU time as a share of one core.
    TotalShare,
    /// Softirq time of the whole machine per packet offered.
    SoftirqNs,
    /// Share of the offered packets that were lost before the meter counted them.
    Loss,
    /// Of these, dropped by an interface.
    InterfaceLoss,
    /// Of these, dropped by the meter's socket.
    SocketLoss,
    /// Lost inside of the meter, by its own counters, as a share of the packets sent.
    MeterLoss,
    /// Counted by the meter and lost on the way to the collector, as a share of the packets sent.
    ExportLoss,
    /// Share of the planned packets that the transmitting device refused.
    Refused,
    /// Packets counted in a class beyond what it should have: at least so many were misclassified.
    Misclassified,
    /// Packets that really left, per second.
    Achieved,
    /// The same as a share of what was asked for.
    AchievedShare,
    /// Median lateness of packets against the schedule.
    LateP50,
    /// 99th percentile of the lateness.
    LateP99,
    /// Largest lateness.
    LateMax,
    /// Share of packets later than the stated bound.
    LateShare,
    /// Peak resident memory of the meter.
    Memory,
    /// Context switches of the meter per second.
    Switches,
    /// System calls of the meter per packet offered.
    Syscalls,
    /// CPU time stolen by the hypervisor, as a share of the window.
    Steal,
    /// Time of other processes on the meter's CPU, as a share of the window.
    Foreign,
    /// What a meter in the kernel adds to the sender's CPU time per packet: the difference to the same load without it.
    KernelNs,
}

/// Which direction is an improvement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// Small values: costs and losses.
    Less,
    /// Large values: rates.
    More,
}

/// What a metric is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Nanoseconds per packet.
    NanosPerPacket,
    /// A share, 0 to 1, shown in percent.
    Share,
    /// Packets.
    Packets,
    /// Packets per second.
    Pps,
    /// Nanoseconds.
    Nanos,
    /// Bytes.
    Bytes,
    /// Events per second.
    PerSecond,
    /// Events per packet.
    PerPacket,
}

impl Metric {
    /// Every metric, in the order of tables.
    pub const ALL: [Metric; 26] = [
        Metric::UserNs,
        Metric::SystemNs,
        Metric::TotalNs,
        Metric::UserShare,
        Metric::SystemShare,
        Metric::TotalShare,
        Metric::SoftirqNs,
        Metric::Loss,
        Metric::InterfaceLoss,
        Metric::SocketLoss,
        Metric::MeterLoss,
        Metric::ExportLoss,
        Metric::Refused,
        Metric::Misclassified,
        Metric::Achieved,
        Metric::AchievedShare,
        Metric::LateP50,
        Metric::LateP99,
        Metric::LateMax,
        Metric::LateShare,
        Metric::Memory,
        Metric::Switches,
        Metric::Syscalls,
        Metric::Steal,
        Metric::Foreign,
        Metric::KernelNs,
    ];

    /// The name in machine-readable output.
    pub const fn name(self) -> &'static str {
        self.facts().0
    }

    /// The name that people read.
    pub const fn title(self) -> &'static str {
        self.facts().1
    }

    /// The unit.
    pub const fn unit(self) -> Unit {
        self.facts().2
    }

    /// Which values are good ones; none for what only describes the trial.
    pub const fn better(self) -> Option<Better> {
        match self {
            Metric::UserNs
            | Metric::SystemNs
            | Metric::TotalNs
            | Metric::SoftirqNs
            | Metric::Loss
            | Metric::Misclassified
            | Metric::Memory
            | Metric::Syscalls => Some(Better::Less),
            Metric::Achieved => Some(Better::More),
            _ => None,
        }
    }

    const fn facts(self) -> (&'static str, &'static str, Unit) {
        match self {
            Metric::UserNs => ("user_ns", "user time", Unit::NanosPerPacket),
            Metric::SystemNs => ("system_ns", "system time", Unit::NanosPerPacket),
            Metric::TotalNs => ("total_ns", "CPU time", Unit::NanosPerPacket),
            Metric::UserShare => ("user_share", "user, of one core", Unit::Share),
            Metric::SystemShare => ("system_share", "system, of one core", Unit::Share),
            Metric::TotalShare => ("total_share", "CPU, of one core", Unit::Share),
            Metric::SoftirqNs => ("softirq_ns", "softirq, whole machine", Unit::NanosPerPacket),
            Metric::Loss => ("loss", "loss", Unit::Share),
            Metric::InterfaceLoss => ("interface_loss", "lost at the interface", Unit::Share),
            Metric::SocketLoss => ("socket_loss", "lost at the socket", Unit::Share),
            Metric::MeterLoss => ("meter_loss", "lost inside of the meter", Unit::Share),
            Metric::ExportLoss => ("export_loss", "lost on the way to the collector", Unit::Share),
            Metric::Refused => ("refused", "refused by the device", Unit::Share),
            Metric::Misclassified => ("misclassified", "misclassified", Unit::Packets),
            Metric::Achieved => ("achieved_pps", "achieved rate", Unit::Pps),
            Metric::AchievedShare => ("achieved_share", "achieved of intended", Unit::Share),
            Metric::LateP50 => ("late_p50", "lateness, median", Unit::Nanos),
            Metric::LateP99 => ("late_p99", "lateness, 99 %", Unit::Nanos),
            Metric::LateMax => ("late_max", "lateness, largest", Unit::Nanos),
            Metric::LateShare => ("late_share", "packets beyond the bound", Unit::Share),
            Metric::Memory => ("memory", "peak memory", Unit::Bytes),
            Metric::Switches => ("context_switches", "context switches", Unit::PerSecond),
            Metric::Syscalls => ("syscalls", "system calls", Unit::PerPacket),
            Metric::Steal => ("steal", "stolen", Unit::Share),
            Metric::Foreign => ("foreign", "others on the meter's CPU", Unit::Share),
            Metric::KernelNs => ("kernel_ns", "in the kernel, as a difference", Unit::NanosPerPacket),
        }
    }

    /// The value of a trial; none where the trial does not have one.
    pub fn of(self, t: &Trial) -> Option<f64> {
        let packets = sent(t);
        let (cpu, o, l) = (&t.cpu, &t.offered, &t.ledger);
        let per_packet = |v: u64| ratio(v as f64, packets);
        let of_window = |v: u64| ratio(v as f64, cpu.window as f64);
        match self {
            Metric::UserNs => per_packet(cpu.user),
            Metric::SystemNs => per_packet(cpu.system),
            Metric::TotalNs => per_packet(cpu.total),
            Metric::UserShare => t.share_of_core(cpu.user),
            Metric::SystemShare => t.share_of_core(cpu.system),
            Metric::TotalShare => t.share_of_core(cpu.total),
            Metric::SoftirqNs => per_packet(cpu.softirq),
            Metric::Loss => per_packet(l.lost()),
            Metric::InterfaceLoss => per_packet(l.interface),
            Metric::SocketLoss => per_packet(l.socket),
            Metric::MeterLoss => per_packet(l.meter),
            Metric::ExportLoss => per_packet(l.export),
            Metric::Refused => ratio(l.refused as f64, l.offered as f64),
            Metric::Misclassified => {
                Some(t.classes.iter().map(|c| c.counted.saturating_sub(expected(c)) as f64).sum())
            }
            Metric::Achieved => Some(o.achieved_pps),
            Metric::AchievedShare => ratio(o.achieved_pps, o.scheduled_pps.or(o.intended_pps)?),
            Metric::LateP50 => Some(o.late_p50 as f64),
            Metric::LateP99 => Some(o.late_p99 as f64),
            Metric::LateMax => Some(o.late_max as f64),
            Metric::LateShare => Some(o.late_share),
            Metric::Memory => Some(cpu.memory as f64),
            Metric::Switches => ratio((cpu.voluntary + cpu.involuntary) as f64 * 1e9, cpu.window as f64),
            Metric::Syscalls => ratio(cpu.syscalls? as f64, packets),
            Metric::Steal => of_window(cpu.steal),
            Metric::Foreign => of_window(cpu.foreign),
            Metric::KernelNs => t.kernel.as_ref().map(crate::record::Kernel::cost),
        }
    }
}

impl Unit {
    /// The factor between stored and shown values.
    pub const fn scale(self) -> f64 {
        match self {
            Unit::Share => 100.0,
            _ => 1.0,
        }
    }

    /// How the unit is written behind a shown number.
    pub const fn sign(self) -> &'static str {
        match self {
            Unit::NanosPerPacket => "ns/packet",
            Unit::Share => "%",
            Unit::Packets => "packets",
            Unit::Pps => "packets/s",
            Unit::Nanos => "ns",
            Unit::Bytes => "B",
            Unit::PerSecond => "/s",
            Unit::PerPacket => "/packet",
        }
    }

    /// A value with its unit, as people write it.
    pub fn show(self, value: f64) -> String {
        match self {
            Unit::NanosPerPacket => format!("{} ns", text::number(value)),
            Unit::Share => text::percent(value),
            Unit::Packets => text::plural(value.max(0.0) as usize, "packet"),
            Unit::Pps => text::prefixed(value, "pps"),
            Unit::Nanos => text::nanos(value),
            Unit::Bytes => text::bytes(value),
            Unit::PerSecond => format!("{}/s", text::number(value)),
            Unit::PerPacket => text::number(value),
        }
    }
}

/// Packets that the device accepted: what the meter could have seen. Costs and losses are shares of these.
fn sent(t: &Trial) -> f64 {
    t.ledger.offered.saturating_sub(t.ledger.refused) as f64
}

/// What a class must show without loss. Unlike the record's own method it takes nonsense from a broken file.
pub(super) fn expected(c: &crate::record::ClassCount) -> u64 {
    c.sent.saturating_sub(c.filtered)
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{ClassCount, Cpu, Ledger, Offered};

    fn trial() -> Trial {
        Trial {
            offered: Offered { intended_pps: Some(1000.0), achieved_pps: 990.0, ..Default::default() },
            ledger: Ledger {
                offered: 1100,
                refused: 100,
                interface: 5,
                socket: 15,
                counted: 980,
                ..Default::default()
            },
            classes: vec![
                ClassCount { class: "a".into(), sent: 600, filtered: 100, counted: 503 },
                ClassCount { class: "b".into(), sent: 500, filtered: 0, counted: 477 },
            ],
            cpu: Cpu {
                window: 1_000_000,
                total: 300_000,
                user: 100_000,
                system: 200_000,
                voluntary: 3,
                ..Default::default()
            },
            ..Default::default()
        }
    }

    #[test]
    fn values_are_those_of_the_definitions() {
        let t = trial();
        let of = |m: Metric| m.of(&t).unwrap();
        assert_eq!((of(Metric::UserNs), of(Metric::SystemNs), of(Metric::TotalNs)), (100.0, 200.0, 300.0));
        assert_eq!(of(Metric::TotalShare), 0.3);
        assert_eq!(
            (of(Metric::Loss), of(Metric::InterfaceLoss), of(Metric::SocketLoss)),
            (0.02, 0.005, 0.015)
        );
        assert_eq!(of(Metric::Misclassified), 3.0);
        assert_eq!(of(Metric::AchievedShare), 0.99);
        assert_eq!(of(Metric::Switches), 3000.0);
        assert_eq!(Metric::Syscalls.of(&t), None);
    }

    #[test]
    fn an_empty_trial_has_no_ratios() {
        for m in Metric::ALL {
            assert!(m.of(&Trial::default()).is_none_or(f64::is_finite), "{m:?}");
        }
    }

    #[test]
    fn names_are_unique_and_are_those_of_the_json() {
        for (i, m) in Metric::ALL.iter().enumerate() {
            assert!(Metric::ALL[..i].iter().all(|o| o.name() != m.name()));
            assert_eq!(*m as usize, i, "{m:?}");
        }
    }
}
