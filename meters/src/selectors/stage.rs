//! One selector.

use super::hash::{self, MOST};
use crate::capture::Frame;
use crate::flows::Datum;
use csn::{Nanos, RuleSet};
use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// BOB, 32 bits.
    Bob,
    /// IPSX, 16 bits, IPv4 only.
    Ipsx,
    /// CRC-32.
    Crc,
}

impl Function {
    /// The largest value that it can have.
    pub const fn most(self) -> u32 {
        match self {
            Function::Ipsx => 0xffff,
            _ => u32::MAX,
        }
    }
}

/// A selector with its state.
#[derive(Debug)]
pub enum Stage {
    /// Systematic, count-based: so many packets are taken, then so many skipped.
    Count { take: u32, skip: u32, at: u64 },
    /// Systematic, time-based: open for a time, then closed for a time; from the first packet on.
    Time { open: Nanos, closed: Nanos, start: Option<Nanos> },
    /// Of every `of` packets in a row, `n` at random.
    Subset {
        n: u32,
        of: u32,
        /// How many are still to be taken of those that are left.
        wanted: u32,
        left: u32,
        rng: Box<Xoshiro256PlusPlus>,
    },
    /// Each with the same probability.
    Uniform { probability: f64, rng: Box<Xoshiro256PlusPlus> },
    /// Each with a probability in proportion to its size: that of so many octets, and of larger ones, is 1.
    Size { octets: u32, rng: Box<Xoshiro256PlusPlus> },
    /// Those that a rule of the notation matches.
    Match(Box<RuleSet>),
    /// Those whose hash is in a range, both ends included.
    Hash { function: Function, initial: u32, offset: u16, size: u16, last: u32 },
}

/// A random number from 0 to below 1.
#[inline]
fn unit(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

impl Stage {
    /// Whether a packet is let through.
    #[inline]
    pub fn take(&mut self, frame: &Frame<'_>) -> bool {
        match self {
            Stage::Count { take, skip, at } => {
                let taken = *at < u64::from(*take);
                *at = (*at + 1) % (u64::from(*take) + u64::from(*skip));
                taken
            }
            Stage::Time { open, closed, start } => {
                let since = frame.time.0.saturating_sub(start.get_or_insert(frame.time).0);
                since % (open.0 + closed.0) < open.0
            }
            Stage::Subset { n, of, wanted, left, rng } => {
                if *left == 0 {
                    (*left, *wanted) = (*of, *n);
                }
                // of those that are left, each is as likely to be one of the wanted
                let taken = unit(rng) * f64::from(*left) < f64::from(*wanted);
                *left -= 1;
                *wanted -= u32::from(taken);
                taken
            }
            Stage::Uniform { probability, rng } => unit(rng) < *probability,
            Stage::Size { octets, rng } => unit(rng) * f64::from(*octets) < f64::from(frame.length),
            Stage::Match(rules) => {
                let key = csn::packet::parse(frame.bytes, frame.tag);
                rules.classify(&key).rule.is_some()
            }
            Stage::Hash { function, initial, offset, size, last } => {
                let value = hashed(*function, *initial, (*offset).into(), (*size).into(), frame.bytes);
                value.is_some_and(|v| v <= *last)
            }
        }
    }

    /// Its number in IANA's list of selector algorithms; that has none for probabilities that differ.
    pub fn algorithm(&self) -> Option<u16> {
        match self {
            Stage::Count { .. } => Some(1),
            Stage::Time { .. } => Some(2),
            Stage::Subset { .. } => Some(3),
            Stage::Uniform { .. } => Some(4),
            Stage::Size { .. } => None,
            Stage::Match(_) => Some(5),
            Stage::Hash { function: Function::Bob, .. } => Some(6),
            Stage::Hash { function: Function::Ipsx, .. } => Some(7),
            Stage::Hash { function: Function::Crc, .. } => Some(8),
        }
    }

    /// Its parameters by element.
    pub fn parameters(&self) -> Vec<(u16, Datum<'static>)> {
        let n = |n: u64| Datum::Number(n);
        let micros = |t: Nanos| Datum::Number(t.0 / 1_000);
        match *self {
            Stage::Count { take, skip, .. } => vec![(305, n(take.into())), (306, n(skip.into()))],
            Stage::Time { open, closed, .. } => vec![(307, micros(open)), (308, micros(closed))],
            Stage::Subset { n: some, of, .. } => vec![(309, n(some.into())), (310, n(of.into()))],
            Stage::Uniform { probability, .. } => vec![(311, Datum::Float(probability))],
            Stage::Size { .. } | Stage::Match(_) => vec![],
            Stage::Hash { function, initial, offset, size, last } => {
                let mut all =
                    vec![(329, n(0)), (330, n(function.most().into())), (331, n(0)), (332, n(last.into()))];
                if function != Function::Ipsx {
                    all.extend([(327, n(offset.into())), (328, n(size.into()))]);
                }
                if function == Function::Bob {
                    all.push((334, n(initial.into())));
                }
                all
            }
        }
    }
}

/// The hash of a frame's IP packet; none where there is none.
fn hashed(function: Function, initial: u32, offset: usize, size: usize, frame: &[u8]) -> Option<u32> {
    let packet = hash::ip(frame)?;
    if function == Function::Ipsx {
        return hash::words(packet).map(|w| hash::ipsx(w).into());
    }
    let mut octets = [0; MOST];
    let length = hash::input(packet, offset, size, &mut octets)?;
    let octets = &octets[..length];
    Some(if function == Function::Bob { hash::bob(octets, initial) } else { hash::crc32(octets) })
}
