//! Sets of numbers as values under masks.

use crate::value::{Range, Value, ValueSet};

/// A value under a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cube {
    /// The value; bits outside of the mask are zero.
    pub value: u128,
    /// The bits that count.
    pub mask: u128,
}

/// A set in the way that needs fewer tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// What is in any of these.
    AnyOf(Vec<Cube>),
    /// What is in none of these.
    NoneOf(Vec<Cube>),
}

/// A set of numbers of `width` bits as values under masks. Several tests that must all fail stand in one pattern, but
/// of several that may pass each needs a pattern of its own; so the former are taken unless they are far more.
pub(crate) fn cover(set: &ValueSet, width: u32) -> Cover {
    let inside = cubes(set, width);
    if inside.len() <= 1 {
        return Cover::AnyOf(inside);
    }
    let most = if width >= 128 { u128::MAX } else { (1 << width) - 1 };
    let rest = cubes(&ValueSet::from(Range::numbers(0, most)).subtract(set), width);
    if rest.len() <= 4 * inside.len() { Cover::NoneOf(rest) } else { Cover::AnyOf(inside) }
}

/// One value under a mask where that is the whole set, else its prefixes.
fn cubes(set: &ValueSet, width: u32) -> Vec<Cube> {
    if let Some(one) = as_cube(set, width) {
        return vec![one];
    }
    set.prefixes(width).iter().map(|p| Cube { value: p.value.bits, mask: p.mask(width) }).collect()
}

/// The only value under a mask that makes up the set.
pub(crate) fn as_cube(set: &ValueSet, width: u32) -> Option<Cube> {
    let first = set.ranges().first()?.lo.bits;
    let varying = set.ranges().iter().fold(0, |bits, r| bits | r.lo.bits ^ first | below(r));
    let free = varying.count_ones();
    // a length of 128 bits does not tell all values from all but one
    let whole =
        if free >= 128 { set.ranges() == [Range::numbers(0, u128::MAX)] } else { set.len() == 1 << free };
    let most = if width >= 128 { u128::MAX } else { (1 << width) - 1 };
    (whole && set.contains(Value { bits: first & !varying, ..set.ranges()[0].lo }))
        .then_some(Cube { value: first & !varying, mask: most & !varying })
}

/// The bits in which the values of an interval differ.
fn below(range: &Range) -> u128 {
    match range.lo.bits ^ range.hi.bits {
        0 => 0,
        bits => u128::MAX >> bits.leading_zeros(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cover_accepts_the_set_and_nothing_else(bits: u16) {
            let all = (0..16u128).filter(|i| bits >> i & 1 == 1).map(|i| Range::numbers(i, i));
            let set = ValueSet::from_ranges(all);
            let covered = cover(&set, 4);
            for n in 0..16u128 {
                let within = |cubes: &[Cube]| cubes.iter().any(|c| n & c.mask == c.value);
                let accepted = match &covered {
                    Cover::AnyOf(cubes) => within(cubes),
                    Cover::NoneOf(cubes) => !within(cubes),
                };
                prop_assert_eq!(accepted, set.contains(Value::number(n)));
            }
        }
    }

    #[test]
    fn one_mask_is_found_where_the_values_are_not_neighbours() {
        let flags = (0..256u128).filter(|n| n & 0x12 == 0x02).map(|n| Range::numbers(n, n));
        let set = ValueSet::from_ranges(flags);
        assert_eq!(cover(&set, 8), Cover::AnyOf(vec![Cube { value: 2, mask: 0x12 }]));
        let all = ValueSet::from(Range::numbers(0, u128::MAX));
        assert_eq!(cover(&all, 128), Cover::AnyOf(vec![Cube { value: 0, mask: 0 }]));
        let but_one = all.subtract(&ValueSet::single(Value::number(7)));
        assert_eq!(cover(&but_one, 128), Cover::NoneOf(vec![Cube { value: 7, mask: u128::MAX }]));
        assert_eq!(cover(&ValueSet::empty(), 8), Cover::AnyOf(vec![]));
    }
}
