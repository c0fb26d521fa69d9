//! The signature: what a receiver needs to tell loss, order, duplicates and latency, at the start of a payload.
//!
//! ```text
//! octet  0   magic 0xc5b and version 1: 16 bits, 0xc5b1
//!        2   balance: makes the one's complement sum of the nine words zero
//!        4   class: its number in the scenario, 0 for `others`; 16 bits
//!        6   flow: one direction of a flow, numbered through the load from 0; 24 bits
//!        9   sequence number of the packet in its flow, from 0; 32 bits
//!       13   time of sending in nanoseconds since 1970, modulo 2^40 (18 minutes); 40 bits
//! ```
//!
//! All in network byte order. It is as long as the payload of the smallest Ethernet frame with UDP over IPv4. The sum of
//! zero is a check by which a receiver knows a signature, and lets the sender stamp it at the last moment: no checksum
//! that covers the packet changes. A receiver looks for it at every even offset, so it needs to know nothing about the
//! headers before it.

use crate::frame::fold;
use csn::Nanos;

/// Octets of a signature.
pub const OCTETS: usize = 18;
/// The largest number of a class that it holds.
pub const MAX_CLASS: u32 = 0xffff;
/// The largest number of a flow that it holds.
pub const MAX_FLOW: usize = 0xff_ffff;

/// Magic and version.
const MAGIC: [u8; 2] = [0xc5, 0xb1];
/// Times are known modulo this.
const TURN: u64 = 1 << 40;
/// A signature is looked for up to here: behind the longest headers that the generator makes, and a tunnel more.
const REACH: usize = 512;

/// What a signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The number of the class in the scenario.
    pub class: u16,
    /// The flow, at most [`MAX_FLOW`].
    pub flow: u32,
    /// The packet's number in its flow.
    pub sequence: u32,
    /// When it was sent, in nanoseconds modulo 2^40.
    pub time: u64,
}

impl Signature {
    /// Writes it over the first [`OCTETS`] of `b`.
    ///
    /// # Panics
    /// Where `b` is shorter.
    #[inline]
    pub fn write(&self, b: &mut [u8]) {
        let b = &mut b[..OCTETS];
        b[0..2].copy_from_slice(&MAGIC);
        b[2..4].fill(0);
        b[4..6].copy_from_slice(&self.class.to_be_bytes());
        b[6..9].copy_from_slice(&self.flow.to_be_bytes()[1..]);
        b[9..13].copy_from_slice(&self.sequence.to_be_bytes());
        b[13..18].copy_from_slice(&self.time.to_be_bytes()[3..]);
        let balance = !sum(b);
        b[2..4].copy_from_slice(&balance.to_be_bytes());
    }

    /// The signature at the start of `b`; none where there is none, or of another version.
    #[inline]
    pub fn read(b: &[u8]) -> Option<Self> {
        let b = b.get(..OCTETS)?;
        if b[0..2] != MAGIC || sum(b) != 0xffff {
            return None;
        }
        let number = |b: &[u8]| b.iter().fold(0u64, |n, x| n << 8 | u64::from(*x));
        Some(Self {
            class: number(&b[4..6]) as u16,
            flow: number(&b[6..9]) as u32,
            sequence: number(&b[9..13]) as u32,
            time: number(&b[13..18]),
        })
    }

    /// The signature of a frame, wherever its payload starts.
    #[inline]
    pub fn find(frame: &[u8]) -> Option<Self> {
        let end = frame.len().min(REACH);
        (14..end.saturating_sub(OCTETS - 1)).step_by(2).find_map(|at| Self::read(&frame[at..]))
    }

    /// Nanoseconds from sending to `received`, by the same clock: between minus and plus 9 minutes.
    pub fn latency(&self, received: Nanos) -> i64 {
        let apart = received.0.wrapping_sub(self.time) % TURN;
        if apart < TURN / 2 { apart as i64 } else { apart as i64 - TURN as i64 }
    }
}

/// The folded one's complement sum of the words.
#[inline]
fn sum(b: &[u8]) -> u16 {
    fold(b.chunks_exact(2).map(|w| u64::from(u16::from_be_bytes([w[0], w[1]]))).sum())
}

/// The sum that every signature has.
pub(crate) const SUM: u16 = 0xffff;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Rng;
    use rand::{Rng as _, RngExt, SeedableRng};

    fn any(rng: &mut Rng) -> Signature {
        Signature {
            class: rng.random(),
            flow: rng.random_range(0..=MAX_FLOW as u32),
            sequence: rng.random(),
            time: rng.random_range(0..TURN),
        }
    }

    #[test]
    fn what_is_written_is_read_wherever_it_stands() {
        let mut rng = Rng::seed_from_u64(1);
        for _ in 0..2000 {
            let signature = any(&mut rng);
            let mut frame = vec![0; 200];
            rng.fill_bytes(&mut frame);
            let at = rng.random_range(7..80) * 2;
            signature.write(&mut frame[at..]);
            assert_eq!(Signature::find(&frame), Some(signature));
            assert_eq!(sum(&frame[at..at + OCTETS]), SUM);
        }
    }

    #[test]
    fn one_changed_octet_is_no_signature() {
        let mut rng = Rng::seed_from_u64(2);
        let mut bytes = [0; OCTETS];
        any(&mut rng).write(&mut bytes);
        for at in 0..OCTETS {
            let mut changed = bytes;
            changed[at] ^= 1 << rng.random_range(0..8);
            assert_eq!(Signature::read(&changed), None, "{at}");
        }
        assert!(Signature::read(&bytes[..OCTETS - 1]).is_none());
    }

    #[test]
    fn the_format_is_what_the_documentation_says() {
        let signature = Signature { class: 7, flow: 0x01_0203, sequence: 9, time: 0x11_2233_4455 };
        let mut bytes = [0; OCTETS];
        signature.write(&mut bytes);
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, "c5b1c6ab0007010203000000091122334455");
    }

    #[test]
    fn latency_knows_the_turn_of_the_clock_and_clocks_that_differ() {
        let sent = Signature { class: 0, flow: 0, sequence: 0, time: TURN - 5 };
        assert_eq!(sent.latency(Nanos(5 * TURN + 10)), 15);
        assert_eq!(sent.latency(Nanos(5 * TURN - 15)), -10);
    }
}
