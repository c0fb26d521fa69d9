//! Whether a trial is a result. Loss is one, as long as the ledger shows where the packets went; what follows is
//! not.
//!
//! | reason | bound |
//! |---|---|
//! | the ledger does not close | exact |
//! | a class is over-counted, or short without a loss that explains it | exact |
//! | a filter takes away other packets than it should | exact, less what was lost before it |
//! | packets on the interface that the generator did not send | exact |
//! | the achieved rate is off | [`RATE_TOLERANCE`] of the scheduled |
//! | too many packets are late | [`Unevenness::late_share`] later than the generator's bound |
//! | the sender stood still too often or too long | [`Unevenness::stalls_per_second`], [`Unevenness::longest`] |
//! | other programs or the hypervisor had too much of the CPU | [`MOST_FOREIGN`], [`MOST_STOLEN`] of the window |
//! | the meter failed | |
//!
//! Rate, lateness, stalls and disturbance are the machine's noise: another trial may do better. The others are not. Lateness and
//! stalls have two bounds. What is late comes in a burst, and a burst may be what was lost: a trial with loss must
//! have been sent evenly ([`LOSSY`]). A CPU time per packet hardly depends on it: without loss lateness is a warning
//! ([`LOSSLESS`]).

use reports::record::{ClassCount, Cpu, Ledger, Offered};
use std::fmt;

/// The achieved rate may differ from that of the schedule by this share.
pub const RATE_TOLERANCE: f64 = 0.01;
/// How unevenly a load may be sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unevenness {
    /// Share of packets that may leave later than the generator's bound.
    pub late_share: f64,
    /// How often per second the sender may stand still for more than 1 ms: virtual machines do so a few times.
    pub stalls_per_second: f64,
    /// Nanoseconds that a packet may be late.
    pub longest: u64,
}

/// Bounds for a trial in which packets were lost.
pub const LOSSY: Unevenness = Unevenness { late_share: 0.05, stalls_per_second: 20.0, longest: 20_000_000 };
/// Bounds for a trial without loss: any share may be late, as long as the rate is kept.
pub const LOSSLESS: Unevenness =
    Unevenness { late_share: 1.0, stalls_per_second: 200.0, longest: 200_000_000 };

/// Other programs may take this share of the meter's CPU: beyond, it waits for them most of the time.
const MOST_FOREIGN: f64 = 0.6;
/// The hypervisor may take time worth this share of one CPU.
const MOST_STOLEN: f64 = 0.3;
/// Above this share of the window, what disturbs a trial is worth a warning.
const WORTH_TELLING: f64 = 0.05;

/// Why a trial is not a result.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// The ledger does not close: positive where packets vanished, negative where some were counted twice.
    Open(Ledger),
    /// More packets arrived than were sent.
    Foreign {
        /// Packets that the device accepted.
        accepted: u64,
        /// Packets that the far interface received.
        received: u64,
    },
    /// A class shows more packets than were sent to it.
    Over(ClassCount),
    /// A class shows fewer packets than were sent to it, and no loss explains that.
    Short {
        /// The class.
        class: ClassCount,
        /// Packets lost or ignored in all.
        lost: u64,
    },
    /// The filter took away other packets than it should.
    Filter {
        /// Packets that it took away.
        filtered: u64,
        /// Packets that it should.
        design: u64,
    },
    /// The rate was missed.
    Rate {
        /// Packets/s asked for.
        intended: f64,
        /// Packets/s that left.
        achieved: f64,
    },
    /// Too many packets were late.
    Late {
        /// Share of packets.
        share: f64,
        /// Nanoseconds after which a packet is late.
        bound: u64,
    },
    /// The sender stood still too often or too long.
    Stalls {
        /// How often for more than 1 ms.
        count: u64,
        /// Seconds of sending.
        seconds: f64,
        /// Largest lateness in nanoseconds.
        longest: u64,
    },
    /// Others had too much of the machine.
    Disturbed {
        /// What they did.
        what: &'static str,
        /// Share of one CPU, over the window.
        share: f64,
    },
    /// The meter failed.
    Meter(String),
}

impl Reason {
    /// Whether the counts can't be right at any load.
    pub fn is_broken(&self) -> bool {
        matches!(self, Reason::Over(_) | Reason::Foreign { .. } | Reason::Meter(_))
    }

    /// Whether a noisy machine is to blame, so that another trial may do better.
    pub fn is_noise(&self) -> bool {
        matches!(
            self,
            Reason::Rate { .. } | Reason::Late { .. } | Reason::Stalls { .. } | Reason::Disturbed { .. }
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Open(l) => write!(
                f,
                "the ledger does not close: of {} packets offered, {} refused, {} dropped by the interface, {} by \
                 the socket, {} filtered, {} ignored, {} lost inside of the meter, {} on the way to the collector and \
                 {} counted leave {}",
                l.offered,
                l.refused,
                l.interface,
                l.socket,
                l.filtered,
                l.ignored,
                l.meter,
                l.export,
                l.counted,
                l.open()
            ),
            Reason::Foreign { accepted, received } => {
                write!(f, "the meter's interface received {received} packets, but only {accepted} were sent")
            }
            Reason::Over(c) => {
                write!(
                    f,
                    "class {}: {} packets counted, but only {} were sent to it",
                    c.class,
                    c.counted,
                    c.expected()
                )
            }
            Reason::Short { class: c, lost } => write!(
                f,
                "class {}: {} packets counted of {} sent, and the {lost} packets lost do not explain it",
                c.class,
                c.counted,
                c.expected()
            ),
            Reason::Filter { filtered, design } => {
                write!(
                    f,
                    "the filter in front of the meter took {filtered} packets away, not {design} as it should"
                )
            }
            Reason::Rate { intended, achieved } => write!(
                f,
                "rate missed: {achieved:.0} packets/s instead of {intended:.0} ({:+.1} %)",
                (achieved / intended - 1.0) * 100.0
            ),
            Reason::Late { share, bound } => {
                write!(f, "{:.1} % of the packets left more than {} us late", share * 100.0, bound / 1000)
            }
            Reason::Stalls { count, seconds, longest } => write!(
                f,
                "the sender stood still {count} times in {seconds:.1} s; the latest packet was {:.1} ms late",
                *longest as f64 / 1e6
            ),
            Reason::Disturbed { what, share } => {
                write!(f, "{what} {:.0} % of one CPU", share * 100.0)
            }
            Reason::Meter(why) => write!(f, "the meter failed: {why}"),
        }
    }
}

/// The numbers that decide.
pub struct Figures<'a> {
    /// Where the packets went.
    pub ledger: &'a Ledger,
    /// Per class.
    pub classes: &'a [ClassCount],
    /// What the generator did.
    pub offered: &'a Offered,
    /// Packets that the far interface received.
    pub received: u64,
    /// Packets that a filter takes away by design.
    pub design: u64,
}

/// Every reason why the trial is not a result; none for a valid one.
pub fn judge(figures: &Figures<'_>) -> Vec<Reason> {
    let mut reasons = accounting(figures);
    let bounds = if figures.ledger.lost() > 0 { LOSSY } else { LOSSLESS };
    reasons.extend(sending(figures.offered, bounds));
    reasons
}

/// Whether others had so much of the machine that the trial is none of the meter's.
pub fn disturbed(cpu: &Cpu) -> Option<Reason> {
    [
        (
            "other programs on the meter's CPU took",
            cpu.foreign.saturating_sub(cpu.softirq_meter_cpu),
            MOST_FOREIGN,
        ),
        ("the hypervisor stole time worth", cpu.steal, MOST_STOLEN),
    ]
    .into_iter()
    .map(|(what, time, bound)| (what, share_of_window(cpu, time), bound))
    .find(|(_, share, bound)| share > bound)
    .map(|(what, share, _)| Reason::Disturbed { what, share })
}

/// Part of the window.
fn share_of_window(cpu: &Cpu, time: u64) -> f64 {
    time as f64 / cpu.window.max(1) as f64
}

/// What a reader should know of a valid trial.
pub fn warn(ledger: &Ledger, offered: &Offered, cpu: &Cpu) -> Vec<String> {
    let mut out = vec![];
    if ledger.lost() > 0 && offered.stalls > 0 {
        out.push(format!(
            "{} packets lost and {} stalls of the sender: bursts after a stall may have caused part of the loss",
            ledger.lost(),
            offered.stalls
        ));
    }
    if offered.late_share > WORTH_TELLING {
        let (share, bound) = (offered.late_share, offered.late_bound);
        out.push(Reason::Late { share, bound }.to_string());
    }
    for (what, time) in [
        ("other programs on the meter's CPU took", cpu.foreign.saturating_sub(cpu.softirq_meter_cpu)),
        ("softirq work on the meter's CPU took", cpu.softirq_meter_cpu),
        ("the hypervisor stole time worth", cpu.steal),
    ] {
        let share = share_of_window(cpu, time);
        if share > WORTH_TELLING {
            out.push(format!("{what} {:.0} % of one CPU", share * 100.0));
        }
    }
    out
}

/// Reasons in the counts.
fn accounting(figures: &Figures<'_>) -> Vec<Reason> {
    let Figures { ledger, classes, offered, received, design, .. } = figures;
    let mut reasons = vec![];
    if *received > offered.accepted {
        reasons.push(Reason::Foreign { accepted: offered.accepted, received: *received });
    }
    if ledger.open() != 0 {
        reasons.push(Reason::Open(**ledger));
    }
    if ledger.filtered > *design || ledger.filtered + ledger.interface < *design {
        reasons.push(Reason::Filter { filtered: ledger.filtered, design: *design });
    }
    // errors must not cancel: an excess is never loss, and a shortage is loss only as far as there was one
    let lost = ledger.lost() + ledger.ignored;
    for class in *classes {
        if class.counted > class.expected() {
            reasons.push(Reason::Over(class.clone()));
        } else if class.expected() - class.counted > lost {
            reasons.push(Reason::Short { class: class.clone(), lost });
        }
    }
    reasons
}

/// Reasons in the sending.
fn sending(offered: &Offered, bounds: Unevenness) -> Vec<Reason> {
    // as fast as possible has no schedule to be late against
    let Some(intended) = offered.scheduled_pps.or(offered.intended_pps) else {
        return vec![];
    };
    let mut reasons = vec![];
    if (offered.achieved_pps - intended).abs() > intended * RATE_TOLERANCE {
        reasons.push(Reason::Rate { intended, achieved: offered.achieved_pps });
    }
    if offered.late_share > bounds.late_share {
        reasons.push(Reason::Late { share: offered.late_share, bound: offered.late_bound });
    }
    if offered.stalls as f64 > bounds.stalls_per_second * offered.seconds.max(1.0)
        || offered.late_max > bounds.longest
    {
        reasons.push(Reason::Stalls {
            count: offered.stalls,
            seconds: offered.seconds,
            longest: offered.late_max,
        });
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A trial of 100 packets in two classes without a fault.
    fn good() -> (Ledger, Vec<ClassCount>, Offered) {
        let class = |name: &str, n| ClassCount { class: name.into(), sent: n, filtered: 0, counted: n };
        let ledger = Ledger { offered: 100, counted: 100, ..Ledger::default() };
        let offered = Offered {
            intended_pps: Some(1000.0),
            achieved_pps: 1001.0,
            seconds: 0.1,
            accepted: 100,
            late_bound: 1_000_000,
            ..Offered::default()
        };
        (ledger, vec![class("others", 40), class("voice", 60)], offered)
    }

    fn reasons(ledger: &Ledger, classes: &[ClassCount], offered: &Offered) -> Vec<Reason> {
        let received = offered.accepted - ledger.interface;
        judge(&Figures { ledger, classes, offered, received, design: 0 })
    }

    #[test]
    fn a_trial_without_a_fault_is_valid_and_so_is_one_with_loss() {
        let (mut ledger, mut classes, offered) = good();
        assert_eq!(reasons(&ledger, &classes, &offered), []);
        (ledger.socket, ledger.interface, ledger.counted) = (7, 3, 90);
        classes[1].counted -= 10;
        assert_eq!(reasons(&ledger, &classes, &offered), []);
    }

    #[test]
    fn errors_of_two_classes_do_not_cancel() {
        let (ledger, mut classes, offered) = good();
        (classes[0].counted, classes[1].counted) = (41, 59);
        let found = reasons(&ledger, &classes, &offered);
        assert!(
            matches!(&found[..], [Reason::Over(a), Reason::Short { class: b, lost: 0 }]
            if a.class == "others" && b.class == "voice"),
            "{found:?}"
        );
        assert_eq!(found[0].to_string(), "class others: 41 packets counted, but only 40 were sent to it");
        assert!(!found[0].is_noise());
    }

    #[test]
    fn packets_that_vanish_or_come_from_elsewhere_are_seen() {
        let (mut ledger, classes, mut offered) = good();
        ledger.counted = 99;
        assert_eq!(reasons(&ledger, &classes, &offered), [Reason::Open(ledger)]);
        let (ledger, classes, _) = good();
        offered.accepted = 99;
        let found = judge(&Figures {
            ledger: &ledger,
            classes: &classes,
            offered: &offered,
            received: 100,
            design: 0,
        });
        assert_eq!(found, [Reason::Foreign { accepted: 99, received: 100 }]);
    }

    #[test]
    fn a_filter_must_take_what_it_should_less_what_was_lost_before() {
        let (mut ledger, mut classes, offered) = good();
        (ledger.filtered, ledger.interface, ledger.counted) = (35, 5, 60);
        (classes[0].filtered, classes[0].counted) = (40, 0);
        let judge = |ledger: &Ledger| {
            judge(&Figures { ledger, classes: &classes, offered: &offered, received: 95, design: 40 })
        };
        assert_eq!(judge(&ledger), []);
        (ledger.filtered, ledger.ignored) = (34, 1);
        assert_eq!(judge(&ledger), [Reason::Filter { filtered: 34, design: 40 }]);
    }

    #[test]
    fn a_missed_rate_late_packets_and_stalls_are_noise() {
        let (ledger, classes, mut offered) = good();
        offered.achieved_pps = 985.0;
        offered.late_max = LOSSLESS.longest + 1;
        let found = reasons(&ledger, &classes, &offered);
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(Reason::is_noise));
        assert_eq!(found[0].to_string(), "rate missed: 985 packets/s instead of 1000 (-1.5 %)");
        // random gaps that happen to be longer are what the schedule asks for
        offered.scheduled_pps = Some(984.0);
        assert_eq!(reasons(&ledger, &classes, &offered).len(), 1);
        offered.scheduled_pps = None;
        // as fast as possible can't miss
        offered.intended_pps = None;
        assert_eq!(reasons(&ledger, &classes, &offered), []);
    }

    #[test]
    fn what_was_lost_must_have_been_sent_evenly() {
        let (mut ledger, mut classes, mut offered) = good();
        offered.late_share = 0.1;
        assert_eq!(reasons(&ledger, &classes, &offered), []);
        assert_eq!(
            warn(&ledger, &offered, &Cpu::default()),
            ["10.0 % of the packets left more than 1000 us late"]
        );
        (ledger.socket, ledger.counted) = (5, 95);
        classes[1].counted -= 5;
        let found = reasons(&ledger, &classes, &offered);
        assert_eq!(found, [Reason::Late { share: 0.1, bound: 1_000_000 }]);
    }

    #[test]
    fn other_work_on_the_meter_s_cpu_is_told() {
        let (ledger, _, offered) = good();
        let cpu = Cpu { window: 1000, foreign: 200, softirq_meter_cpu: 150, steal: 10, ..Cpu::default() };
        let warnings = warn(&ledger, &offered, &cpu);
        assert_eq!(warnings, ["softirq work on the meter's CPU took 15 % of one CPU"]);
    }

    #[test]
    fn loss_after_a_stall_is_pointed_out() {
        let (mut ledger, _, mut offered) = good();
        (ledger.socket, offered.stalls) = (3, 2);
        assert_eq!(warn(&ledger, &offered, &Cpu::default()).len(), 1);
    }
}
