//! Values of packet fields and exact sets of them.

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use std::fmt;

/// One value of a field: a number, or an address together with its family, so that 10.0.0.1 and
/// the IPv6 address with the same bits stay different values.
///
/// Ordered by family, then by number.
///
/// Serialises as the number, or as the address in its text form: few readers know numbers of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value {
    /// 0 for plain numbers, 4 and 6 for addresses of that IP version.
    pub family: u8,
    /// The number; an address as its big-endian integer.
    pub bits: u128,
}

impl Value {
    /// A plain number (port, protocol, DSCP, MAC address, …).
    pub const fn number(bits: u128) -> Self {
        Self { family: 0, bits }
    }

    /// An IPv4 address.
    pub const fn v4(address: std::net::Ipv4Addr) -> Self {
        Self { family: 4, bits: address.to_bits() as u128 }
    }

    /// An IPv6 address.
    pub const fn v6(address: std::net::Ipv6Addr) -> Self {
        Self { family: 6, bits: address.to_bits() }
    }

    /// An address of either family.
    pub fn ip(address: std::net::IpAddr) -> Self {
        match address {
            std::net::IpAddr::V4(a) => Self::v4(a),
            std::net::IpAddr::V6(a) => Self::v6(a),
        }
    }

    /// The value as an address, where it is one.
    pub fn as_ip(self) -> Option<std::net::IpAddr> {
        match self.family {
            4 => Some(std::net::Ipv4Addr::from_bits(self.bits as u32).into()),
            6 => Some(std::net::Ipv6Addr::from_bits(self.bits).into()),
            _ => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match (self.as_ip(), u64::try_from(self.bits)) {
            (Some(ip), _) => out.collect_str(&ip),
            (None, Ok(number)) => out.serialize_u64(number),
            (None, Err(_)) => Err(ser::Error::custom("a number of more than 64 bits")),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ReadValue)
    }
}

/// Reads a value: a number, or an address as text.
struct ReadValue;

impl Visitor<'_> for ReadValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or an address as text")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::number(number.into()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        text.parse().map(Value::ip).map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_ip() {
            Some(ip) => write!(f, "{ip}"),
            None => write!(f, "{}", self.bits),
        }
    }
}

/// A closed interval of values of one family; `lo <= hi`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Range {
    /// First value of the interval.
    pub lo: Value,
    /// Last value of the interval, included.
    pub hi: Value,
}

impl Range {
    /// The interval from `lo` to `hi`, both included.
    ///
    /// # Panics
    /// Where the families differ or `lo > hi`: the front end reports both as diagnostics before.
    pub fn new(lo: Value, hi: Value) -> Self {
        assert!(lo.family == hi.family && lo <= hi, "not an interval: {lo}..{hi}");
        Self { lo, hi }
    }

    /// The interval of plain numbers from `lo` to `hi`, both included.
    pub fn numbers(lo: u128, hi: u128) -> Self {
        Self::new(Value::number(lo), Value::number(hi))
    }

    /// The addresses of a prefix: `bits` wide addresses (32 or 128) that share the first `len` bits.
    pub fn prefix(address: Value, len: u32) -> Self {
        let width = if address.family == 4 { 32 } else { 128 };
        let host = if len >= width { 0 } else { u128::MAX >> (128 - (width - len)) };
        let lo = Value { family: address.family, bits: address.bits & !host };
        Self { lo, hi: Value { family: address.family, bits: lo.bits | host } }
    }

    /// How many values the interval holds, saturating at `u128::MAX`.
    pub fn len(&self) -> u128 {
        (self.hi.bits - self.lo.bits).saturating_add(1)
    }

    /// Whether the interval is empty: never.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Whether `value` lies inside.
    pub fn contains(&self, value: Value) -> bool {
        self.lo <= value && value <= self.hi
    }
}

/// A set of values as disjoint intervals in ascending order, never adjacent: equal sets are equal values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ValueSet {
    ranges: Vec<Range>,
}

impl ValueSet {
    /// The empty set.
    pub const fn empty() -> Self {
        Self { ranges: Vec::new() }
    }

    /// The set of one value.
    pub fn single(value: Value) -> Self {
        Self { ranges: vec![Range { lo: value, hi: value }] }
    }

    /// The union of any intervals, in any order.
    pub fn from_ranges(ranges: impl IntoIterator<Item = Range>) -> Self {
        let mut sorted: Vec<Range> = ranges.into_iter().collect();
        sorted.sort_unstable();
        let mut out: Vec<Range> = Vec::with_capacity(sorted.len());
        for r in sorted {
            match out.last_mut() {
                Some(last)
                    if last.hi.family == r.lo.family
                        && (last.hi.bits == u128::MAX || r.lo.bits <= last.hi.bits + 1) =>
                {
                    last.hi = last.hi.max(r.hi);
                }
                _ => out.push(r),
            }
        }
        Self { ranges: out }
    }

    /// The intervals, ascending.
    pub fn ranges(&self) -> &[Range] {
        &self.ranges
    }

    /// Whether the set holds nothing.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many values the set holds, saturating.
    pub fn len(&self) -> u128 {
        self.ranges.iter().fold(0, |n, r| n.saturating_add(r.len()))
    }

    /// Whether `value` is in the set. Linear: the oracle reads it so.
    pub fn contains(&self, value: Value) -> bool {
        self.ranges.iter().any(|r| r.contains(value))
    }

    /// The only value, where there is just one.
    pub fn as_single(&self) -> Option<Value> {
        match self.ranges.as_slice() {
            [r] if r.lo == r.hi => Some(r.lo),
            _ => None,
        }
    }

    /// The `n`-th value in ascending order, counted from 0.
    pub fn nth(&self, mut n: u128) -> Option<Value> {
        for r in &self.ranges {
            if n < r.len() {
                return Some(Value { family: r.lo.family, bits: r.lo.bits + n });
            }
            n -= r.len();
        }
        None
    }

    /// Values in either set.
    pub fn union(&self, other: &Self) -> Self {
        Self::from_ranges(self.ranges.iter().chain(&other.ranges).copied())
    }

    /// Values in both sets.
    pub fn intersect(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.ranges.get(i), other.ranges.get(j)) {
            let lo = a.lo.max(b.lo);
            let hi = a.hi.min(b.hi);
            if lo <= hi && lo.family == hi.family {
                out.push(Range { lo, hi });
            }
            if a.hi < b.hi { i += 1 } else { j += 1 }
        }
        Self { ranges: out }
    }

    /// Whether any value is in both sets.
    pub fn intersects(&self, other: &Self) -> bool {
        let (mut i, mut j) = (0, 0);
        while let (Some(a), Some(b)) = (self.ranges.get(i), other.ranges.get(j)) {
            if a.lo <= b.hi && b.lo <= a.hi {
                return true;
            }
            if a.hi < b.hi { i += 1 } else { j += 1 }
        }
        false
    }

    /// Values of `self` that are not in `other`.
    pub fn subtract(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        for a in &self.ranges {
            let mut lo = Some(a.lo);
            for b in other.ranges.iter().filter(|b| b.lo.family == a.lo.family) {
                let Some(from) = lo else { break };
                if b.hi < from || b.lo > a.hi {
                    continue;
                }
                if b.lo > from {
                    out.push(Range { lo: from, hi: Value { bits: b.lo.bits - 1, ..b.lo } });
                }
                lo = (b.hi < a.hi).then(|| Value { bits: b.hi.bits + 1, ..b.hi });
            }
            if let Some(from) = lo {
                out.push(Range { lo: from, hi: a.hi });
            }
        }
        Self { ranges: out }
    }

    /// Whether every value of `self` is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.subtract(other).is_empty()
    }

    /// The fewest prefixes (value, mask) of `width` bits that make up the set, ascending: what targets
    /// need that know only equality under a mask.
    pub fn prefixes(&self, width: u32) -> Vec<Prefix> {
        let mut out = Vec::new();
        for r in &self.ranges {
            let mut lo = r.lo.bits;
            loop {
                // the largest aligned block that starts at `lo` and ends within the interval
                let align = if lo == 0 { width } else { lo.trailing_zeros().min(width) };
                let left = r.hi.bits - lo;
                let fit = if left == u128::MAX { 128 } else { 127 - (left + 1).leading_zeros() };
                let host = align.min(fit);
                out.push(Prefix { value: Value { bits: lo, ..r.lo }, len: width - host });
                let last = if host == 128 { u128::MAX } else { lo + ((1u128 << host) - 1) };
                if last >= r.hi.bits {
                    break;
                }
                lo = last + 1;
            }
        }
        out
    }
}

impl From<Range> for ValueSet {
    fn from(r: Range) -> Self {
        Self { ranges: vec![r] }
    }
}

/// A block of values that share their first `len` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prefix {
    /// The first value of the block; the bits behind the prefix are zero.
    pub value: Value,
    /// How many leading bits count.
    pub len: u32,
}

impl Prefix {
    /// The mask of the prefix in a field of `width` bits.
    pub fn mask(&self, width: u32) -> u128 {
        let all = if width >= 128 { u128::MAX } else { (1u128 << width) - 1 };
        let host = width - self.len;
        if host >= 128 { 0 } else { all & !((1u128 << host) - 1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(bits: u16) -> ValueSet {
        ValueSet::from_ranges(
            (0..16).filter(|i| bits >> i & 1 == 1).map(|i| Range::numbers(i as u128, i as u128)),
        )
    }

    fn bits(s: &ValueSet) -> u16 {
        (0..16).filter(|&i| s.contains(Value::number(i))).fold(0, |a, i| a | 1 << i)
    }

    proptest! {
        #[test]
        fn operations_equal_those_on_bit_sets(a: u16, b: u16) {
            prop_assert_eq!(bits(&set(a).union(&set(b))), a | b);
            prop_assert_eq!(bits(&set(a).intersect(&set(b))), a & b);
            prop_assert_eq!(set(a).intersects(&set(b)), a & b != 0);
            prop_assert_eq!(bits(&set(a).subtract(&set(b))), a & !b);
            prop_assert_eq!(set(a).is_subset(&set(b)), a & !b == 0);
            prop_assert_eq!(set(a).len(), a.count_ones() as u128);
        }

        #[test]
        fn prefixes_cover_the_set_exactly_once(a: u16) {
            let s = set(a);
            let mut seen = 0u16;
            for p in s.prefixes(4) {
                let mask = p.mask(4);
                for i in 0..16u128 {
                    if i & mask == p.value.bits {
                        prop_assert_eq!(seen >> i & 1, 0);
                        seen |= 1 << i;
                    }
                }
            }
            prop_assert_eq!(seen, a);
        }

        #[test]
        fn nth_counts_through_the_set(a: u16) {
            let s = set(a);
            let listed: Vec<_> = (0..16).filter(|i| a >> i & 1 == 1).collect();
            for (n, v) in listed.iter().enumerate() {
                prop_assert_eq!(s.nth(n as u128), Some(Value::number(*v)));
            }
            prop_assert_eq!(s.nth(listed.len() as u128), None);
        }
    }

    #[test]
    fn values_are_numbers_and_addresses_in_json() {
        let ends = Range::prefix(Value::v6("2001:db8::".parse().unwrap()), 32);
        let set = ValueSet::from_ranges([ends, Range::prefix(Value::v4([10, 0, 0, 0].into()), 8)]);
        let json = serde_json::to_value(&set).unwrap();
        assert_eq!(json["ranges"][0]["hi"], "10.255.255.255");
        assert_eq!(json["ranges"][1]["lo"], "2001:db8::");
        assert_eq!(serde_json::from_value::<ValueSet>(json).unwrap(), set);
        let mac = Value::number(0x0200_0000_0001);
        assert_eq!(serde_json::to_value(mac).unwrap(), 0x0200_0000_0001_u64);
        // an IPv6 address that holds an IPv4 address stays one
        for text in ["::ffff:10.0.0.1", "::", "10.0.0.1"] {
            let value = Value::ip(text.parse().unwrap());
            let back = serde_json::from_str::<Value>(&serde_json::to_string(&value).unwrap()).unwrap();
            assert_eq!(back, value);
        }
        assert!(
            serde_json::from_str::<Value>("\"web\"").is_err() && serde_json::from_str::<Value>("-1").is_err()
        );
    }

    #[test]
    fn families_do_not_mix() {
        let v4 = ValueSet::from(Range::prefix(Value::v4([0, 0, 0, 0].into()), 0));
        let v6 = ValueSet::from(Range::prefix(Value::v6(std::net::Ipv6Addr::UNSPECIFIED), 0));
        assert!(v4.intersect(&v6).is_empty());
        assert_eq!(v4.subtract(&v6), v4);
        assert_eq!(v4.union(&v6).ranges().len(), 2);
        assert_eq!(v6.prefixes(128), vec![Prefix { value: Value { family: 6, bits: 0 }, len: 0 }]);
    }
}
