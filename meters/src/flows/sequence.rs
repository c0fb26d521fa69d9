//! Sequence numbers: what was lost on the way from an exporter to here.

use super::Protocol;
use serde::{Deserialize, Serialize};

/// What the sequence numbers of a format count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Records: flows in NetFlow v5; in IPFIX those of options too.
    Records,
    /// Messages (NetFlow v9): how many records were in lost ones is not known.
    Messages,
}

impl Unit {
    /// The unit of a format.
    pub const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Netflow9 => Unit::Messages,
            Protocol::Netflow5 | Protocol::Ipfix => Unit::Records,
        }
    }
}

/// What the number of a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first, or the first after a message whose records could not be counted.
    First,
    /// The one that was due.
    Next,
    /// So many units are missing before it.
    Gap(u32),
    /// It belongs before one that is already here: what was counted as lost may be this.
    Late,
    /// The exporter counts from the start again.
    Restart,
}

/// The units of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Units {
    /// All.
    pub all: u32,
    /// Without those of options.
    pub flows: u32,
}

impl Units {
    /// So many, none of them of options.
    pub const fn of(n: u32) -> Self {
        Self { all: n, flows: n }
    }
}

/// How an exporter counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counting {
    /// As the standards say: the number of units before the message.
    #[default]
    Standard,
    /// Those of flows only.
    FlowsBefore,
    /// Those of flows only, the ones in the message included (softflowd 1.1).
    FlowsAfter,
    /// Those in the message included.
    After,
}

impl Counting {
    const OTHERS: [Self; 3] = [Self::FlowsBefore, Self::FlowsAfter, Self::After];

    /// How far the number goes up from the message before to this one.
    fn step(self, before: Units, this: Units) -> u32 {
        match self {
            Self::Standard => before.all,
            Self::FlowsBefore => before.flows,
            Self::FlowsAfter => this.flows,
            Self::After => this.all,
        }
    }
}

/// The numbers of one exporter's domain. They have 32 bits and run over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    last: Option<(u32, Units)>,
    counting: Counting,
    /// Another way of counting that would explain the last number too.
    suspected: Option<Counting>,
}

/// A number that lies further back than this is not late: the exporter has started again.
const LATEST: i32 = -(1 << 20);

impl Sequence {
    /// How the exporter counts. It is believed to count otherwise than the standard says when that explains two
    /// numbers in a row.
    pub fn counting(&self) -> Counting {
        self.counting
    }

    /// Takes a message with that number and these units; none where they could not be counted.
    pub fn step(&mut self, number: u32, units: Option<Units>) -> Step {
        let Some((last, before)) = self.last else {
            self.last = units.map(|u| (number, u));
            // the very first message of an exporter that counts what is in it
            let after = units.is_some_and(|u| u.flows > 0 && u.flows == number);
            self.suspected = after.then_some(Counting::FlowsAfter);
            return Step::First;
        };
        let this = units.unwrap_or_default();
        let ahead =
            |counting: Counting| number.wrapping_sub(last.wrapping_add(counting.step(before, this))) as i32;
        let step = match ahead(self.counting) {
            0 => Step::Next,
            _ if number == 0 => Step::Restart,
            n @ 1.. => Step::Gap(n as u32),
            n if n < LATEST => Step::Restart,
            _ => Step::Late,
        };
        let step = self.suspect(step, |counting| units.is_some() && ahead(counting) == 0);
        if step != Step::Late {
            self.last = units.map(|u| (number, u));
        }
        step
    }

    /// Looks for another way of counting where the number is not the one that was due.
    fn suspect(&mut self, step: Step, fits: impl Fn(Counting) -> bool) -> Step {
        let suspected = self.suspected.take();
        if step == Step::Next || self.counting != Counting::Standard {
            return step;
        }
        match suspected {
            Some(counting) if fits(counting) => {
                self.counting = counting;
                return Step::Next;
            }
            _ => {}
        }
        self.suspected = Counting::OTHERS.into_iter().find(|c| fits(*c));
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(s: &mut Sequence, number: u32, n: u32) -> Step {
        s.step(number, Some(Units::of(n)))
    }

    #[test]
    fn gaps_are_counted_over_the_wrap() {
        let mut s = Sequence::default();
        assert_eq!(step(&mut s, u32::MAX - 9, 10), Step::First);
        assert_eq!(step(&mut s, 0, 5), Step::Next);
        assert_eq!(step(&mut s, 8, 2), Step::Gap(3));
        assert_eq!(step(&mut s, 5, 3), Step::Late);
        assert_eq!(step(&mut s, 10, 1), Step::Next);
        let mut s = Sequence::default();
        step(&mut s, u32::MAX - 9, 5);
        assert_eq!(step(&mut s, 3, 1), Step::Gap(8));
        assert_eq!(step(&mut s, 4, 1), Step::Next);
    }

    #[test]
    fn who_starts_again_has_lost_nothing() {
        let mut s = Sequence::default();
        step(&mut s, 30, 10);
        assert_eq!(step(&mut s, 0, 4), Step::Restart);
        assert_eq!(step(&mut s, 4, 4), Step::Next);
        step(&mut s, 1 << 30, 1);
        assert_eq!(step(&mut s, 17, 1), Step::Restart);
    }

    #[test]
    fn what_could_not_be_counted_is_no_gap() {
        let mut s = Sequence::default();
        step(&mut s, 0, 1);
        assert_eq!(s.step(1, None), Step::Next);
        assert_eq!(step(&mut s, 700, 1), Step::First);
        assert_eq!(step(&mut s, 701, 1), Step::Next);
    }

    #[test]
    fn an_exporter_that_counts_what_is_in_the_message_is_found_out() {
        let mut s = Sequence::default();
        // five flows and one record of options, then three flows, a lost message of two, and four flows
        assert_eq!(s.step(5, Some(Units { all: 6, flows: 5 })), Step::First);
        assert_eq!(step(&mut s, 8, 3), Step::Next);
        assert_eq!(s.counting(), Counting::FlowsAfter);
        assert_eq!(step(&mut s, 14, 4), Step::Gap(2));
        assert_eq!(step(&mut s, 15, 1), Step::Next);
        // one gap that another way of counting would explain too is a gap
        let mut s = Sequence::default();
        step(&mut s, 100, 1);
        assert_eq!(step(&mut s, 103, 3), Step::Gap(2));
        assert_eq!(step(&mut s, 106, 3), Step::Next);
        assert_eq!(s.counting(), Counting::Standard);
    }
}
