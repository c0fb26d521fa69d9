//! Random rule sets and frames for the tests and benchmarks of all crates: no part of the product uses them.
//!
//! The rules of a set take their values from small pools, so that many overlap; the frames are real bytes, drawn
//! to hit the edges of what rules accept, with VLAN tags, MPLS labels, IPv4 options, IPv6 extension headers,
//! fragments, and cuts in the middle of headers. The same seed gives the same rules and frames.

mod frames;
mod rules;

pub use frames::{Frame, Frames, Layout, encode};
pub use rules::{is_edge, rule_set};

/// A small generator of random numbers (SplitMix64): fast, reproducible, good enough for tests.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// 128 random bits.
    pub fn wide(&mut self) -> u128 {
        u128::from(self.bits()) << 64 | u128::from(self.bits())
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() >> 16) as usize % n
    }

    /// True in `percent` of 100 calls.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of the items, of which there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
