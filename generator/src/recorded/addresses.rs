//! Addresses of a recording, mapped into the networks of a lab.
//!
//! The map keeps prefixes: of three addresses, those two share the longer prefix in the lab that shared it in the
//! recording. Different addresses stay different. It is a compressed binary trie of the addresses that occur: each
//! branch takes one bit of the lab's network, and the bits that are left are the recorded address's low ones.

use csn::{Range, Value, ValueSet};
use std::collections::BTreeSet;

/// The networks that addresses are mapped into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    v4: Option<(u32, u32)>,
    v6: Option<(u128, u32)>,
}

impl Networks {
    /// The networks of a set, at most one of each family. None where it is anything else.
    pub fn of(set: &ValueSet) -> Option<Self> {
        let mut out = Self::default();
        for range in set.ranges() {
            let (value, length) = prefix(*range)?;
            let taken = match value.family {
                4 => out.v4.replace((value.bits as u32, length)).is_some(),
                _ => out.v6.replace((value.bits, length)).is_some(),
            };
            if taken {
                return None;
            }
        }
        Some(out)
    }
}

/// A range that is one prefix.
fn prefix(range: Range) -> Option<(Value, u32)> {
    let width: u32 = if range.lo.family == 4 { 32 } else { 128 };
    (0..=width)
        .map(|length| (range.lo, length))
        .find(|(value, length)| Range::prefix(*value, *length) == range)
}

/// Gathers the addresses of a recording.
#[derive(Debug, Default)]
pub struct Seen {
    v4: BTreeSet<u32>,
    v6: BTreeSet<u128>,
}

impl Seen {
    /// An address that occurs.
    pub fn add(&mut self, address: Value) {
        match address.family {
            4 => drop(self.v4.insert(address.bits as u32)),
            _ => drop(self.v6.insert(address.bits)),
        }
    }

    /// The map of these addresses into the networks; those of a family without a network stay as they are.
    ///
    /// # Errors
    /// Where a network is too small: how long its prefix may be at most.
    pub fn map(self, into: &Networks) -> Result<AddressMap, TooSmall> {
        let v4: Vec<u128> = self.v4.into_iter().filter(|a| !special_v4(*a)).map(u128::from).collect();
        let v6: Vec<u128> = self.v6.into_iter().filter(|a| !special_v6(*a)).collect();
        let mut map = AddressMap::default();
        if let Some((network, length)) = into.v4 {
            let lab = spread(&v4, network.into(), length, 32)?;
            map.v4 = v4.iter().zip(lab).map(|(a, b)| (*a as u32, b as u32)).collect();
        }
        if let Some((network, length)) = into.v6 {
            let lab = spread(&v6, network, length, 128)?;
            map.v6 = v6.into_iter().zip(lab).collect();
        }
        Ok(map)
    }
}

/// A network that is too small for the branches of a recording's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSmall {
    /// The prefix length that was given.
    pub given: u32,
    /// The longest that would do.
    pub needed: u32,
}

/// Addresses that mean the same everywhere: multicast, broadcast, unspecified, this host, this link.
fn special_v4(address: u32) -> bool {
    let [a, b, ..] = address.to_be_bytes();
    a >= 224 || a == 127 || a == 0 || (a, b) == (169, 254)
}

fn special_v6(address: u128) -> bool {
    let first = (address >> 112) as u16;
    first >> 8 == 0xff || first & 0xffc0 == 0xfe80 || address <= 1
}

/// Where each of these ascending addresses comes to lie in the network.
fn spread(addresses: &[u128], network: u128, length: u32, width: u32) -> Result<Vec<u128>, TooSmall> {
    let free = width - length;
    let depth = depth(addresses);
    if depth > free {
        return Err(TooSmall { given: length, needed: width.saturating_sub(depth) });
    }
    let mut out = vec![0; addresses.len()];
    // first, behind the last, the bits so far, how many of them
    let mut work = vec![(0, addresses.len(), 0u128, 0)];
    while let Some((from, to, bits, used)) = work.pop() {
        match &addresses[from..to] {
            [] => {}
            [one] => {
                let left = free - used;
                let low = if left == 128 { u128::MAX } else { (1 << left) - 1 };
                let path = if left == 128 { 0 } else { bits << left };
                out[from] = network | path | one & low;
            }
            several => {
                let middle = from + branch(several);
                work.push((from, middle, bits << 1, used + 1));
                work.push((middle, to, bits << 1 | 1, used + 1));
            }
        }
    }
    Ok(out)
}

/// Where several ascending addresses part: the first whose highest differing bit is set.
fn branch(addresses: &[u128]) -> usize {
    let (first, last) = (addresses[0], addresses[addresses.len() - 1]);
    let bit = 127 - (first ^ last).leading_zeros();
    addresses.partition_point(|a| a >> bit & 1 == 0)
}

/// The longest path through the trie, in branches.
fn depth(addresses: &[u128]) -> u32 {
    let mut deepest = 0;
    let mut work = vec![(0, addresses.len(), 0)];
    while let Some((from, to, used)) = work.pop() {
        if to - from > 1 {
            let middle = from + branch(&addresses[from..to]);
            work.extend([(from, middle, used + 1), (middle, to, used + 1)]);
        }
        deepest = deepest.max(used);
    }
    deepest
}

/// Recorded addresses and those of the lab.
#[derive(Clone, Debug, Default)]
pub struct AddressMap {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl AddressMap {
    /// Where an IPv4 address comes to lie; itself where it was not gathered.
    pub fn v4(&self, address: u32) -> u32 {
        self.v4.binary_search_by_key(&address, |(a, _)| *a).map_or(address, |i| self.v4[i].1)
    }

    /// Where an IPv6 address comes to lie; itself where it was not gathered.
    pub fn v6(&self, address: u128) -> u128 {
        self.v6.binary_search_by_key(&address, |(a, _)| *a).map_or(address, |i| self.v6[i].1)
    }

    /// Whether every address stays as it is.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::Rng;
    use rand::{RngExt, SeedableRng};

    fn networks(v4: ([u8; 4], u32)) -> Networks {
        let six = Range::prefix(Value::v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0].into()), 32);
        let four = Range::prefix(Value::v4(v4.0.into()), v4.1);
        Networks::of(&ValueSet::from_ranges([four, six])).unwrap()
    }

    /// Random addresses, many of them close together.
    fn addresses(rng: &mut Rng, count: usize) -> Vec<Value> {
        let mut out: Vec<Value> = Vec::new();
        for _ in 0..count {
            let bits = match out.last() {
                Some(near) if rng.random_range(0..3) > 0 => near.bits as u32 ^ 1 << rng.random_range(0..12),
                _ => rng.random(),
            };
            out.push(Value { family: 4, bits: u128::from(bits) });
            out.push(Value { family: 6, bits: (0x2a00 << 112) | u128::from(rng.random::<u64>()) });
        }
        out
    }

    #[test]
    fn prefixes_are_kept_and_different_addresses_stay_different() {
        let mut rng = Rng::seed_from_u64(1);
        let all = addresses(&mut rng, 400);
        let mut seen = Seen::default();
        all.iter().for_each(|a| seen.add(*a));
        let map = seen.map(&networks(([10, 0, 0, 0], 8))).unwrap();
        let v4: Vec<u32> =
            all.iter().filter(|a| a.family == 4).map(|a| a.bits as u32).filter(|a| !special_v4(*a)).collect();
        assert!(v4.iter().all(|a| map.v4(*a) >> 24 == 10));
        let common = |a: u32, b: u32| (a ^ b).leading_zeros();
        for _ in 0..20_000 {
            let mut pick = || v4[rng.random_range(0..v4.len())];
            let (a, b, c) = (pick(), pick(), pick());
            let (x, y, z) = (map.v4(a), map.v4(b), map.v4(c));
            assert_eq!(a == b, x == y);
            if common(a, b) > common(a, c) {
                assert!(common(x, y) > common(x, z), "{a:x} {b:x} {c:x}");
            }
        }
        for a in all.iter().filter(|a| a.family == 6) {
            assert_eq!(map.v6(a.bits) >> 96, 0x2001_0db8);
        }
    }

    #[test]
    fn a_network_that_is_too_small_says_which_would_do() {
        let mut seen = Seen::default();
        // each parts from the next by one bit: a trie that is all depth
        (0..12).for_each(|i| seen.add(Value { family: 4, bits: 0x0b00_0000 | 1 << i }));
        let too_small = seen.map(&networks(([10, 0, 0, 0], 24))).unwrap_err();
        assert_eq!((too_small.given, too_small.needed), (24, 21));
    }

    #[test]
    fn what_means_the_same_everywhere_stays() {
        let mut seen = Seen::default();
        let kept =
            [[224, 0, 0, 5], [255; 4], [127, 0, 0, 1], [0; 4], [169, 254, 1, 1]].map(u32::from_be_bytes);
        kept.iter().for_each(|a| seen.add(Value { family: 4, bits: u128::from(*a) }));
        seen.add(Value { family: 6, bits: 0xff02 << 112 | 1 });
        let map = seen.map(&networks(([10, 0, 0, 0], 8))).unwrap();
        assert!(kept.iter().all(|a| map.v4(*a) == *a));
        assert!(map.is_empty());
    }

    #[test]
    fn only_one_network_of_each_family_will_do() {
        let p = |a: [u8; 4], len| Range::prefix(Value::v4(a.into()), len);
        assert!(Networks::of(&ValueSet::from_ranges([p([10, 0, 0, 0], 8), p([12, 0, 0, 0], 8)])).is_none());
        let odd = Range::new(Value::v4([10, 0, 0, 1].into()), Value::v4([10, 0, 0, 9].into()));
        assert!(Networks::of(&odd.into()).is_none());
        assert!(Networks::of(&p([10, 0, 0, 0], 8).into()).is_some());
    }
}
