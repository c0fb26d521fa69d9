//! Sets as values under masks, and products of choices: what targets need that know neither ranges nor sets.

use crate::value::ValueSet;

/// The values `v` with `v & mask == value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cube {
    /// The bits under the mask; the others are zero.
    pub(super) value: u128,
    /// The bits that count; none where every value is accepted.
    pub(super) mask: u128,
}

/// Disjoint cubes that make up the set: for octets and less by splitting bits that matter, so that `syn/syn+ack` is
/// one cube; otherwise one where one is enough, else the fewest prefixes. The values of a set are all of one family.
pub(super) fn cubes(set: &ValueSet, width: u32) -> Vec<Cube> {
    if width > 8 {
        if let Some(one) = one_cube(set, width) {
            return vec![one];
        }
        let cube = |p: crate::value::Prefix| Cube { value: p.value.bits, mask: p.mask(width) };
        return set.prefixes(width).into_iter().map(cube).collect();
    }
    let mut members = vec![false; 1 << width];
    for r in set.ranges() {
        let most = members.len() as u128 - 1;
        members[r.lo.bits.min(most) as usize..=r.hi.bits.min(most) as usize].fill(true);
    }
    let mut out = Vec::new();
    split(&members, Cube { value: 0, mask: 0 }, &mut out);
    out
}

/// The set as one cube, where it is one.
pub(super) fn one_cube(set: &ValueSet, width: u32) -> Option<Cube> {
    let first = set.ranges().first()?.lo.bits;
    let free = set.ranges().iter().fold(0, |free, r| {
        let differ = r.lo.bits ^ r.hi.bits;
        let within = u128::MAX.checked_shr(differ.leading_zeros()).unwrap_or(0);
        free | within | (r.lo.bits ^ first)
    });
    let all = u128::MAX >> (128 - width);
    let values = 1u128.checked_shl(free.count_ones())?;
    (values == set.len()).then_some(Cube { value: first & !free, mask: all & !free })
}

fn split(members: &[bool], cube: Cube, out: &mut Vec<Cube>) {
    let all = members.iter().all(|m| *m);
    if all {
        out.push(cube);
    }
    if all || !members.contains(&true) {
        return;
    }
    let (low, high) = members.split_at(members.len() / 2);
    if low == high {
        return split(low, cube, out);
    }
    let bit = low.len() as u128;
    let mask = cube.mask | bit;
    split(low, Cube { mask, ..cube }, out);
    split(high, Cube { mask, value: cube.value | bit }, out);
}

/// How many ways there are to choose one of each list.
pub(super) fn combinations<T>(lists: &[Vec<T>]) -> usize {
    lists.iter().fold(1, |n, l| n.saturating_mul(l.len()))
}

/// Calls `each` with every choice of one item of each list, the last list fastest.
pub(super) fn product<'a, T>(lists: &'a [Vec<T>], mut each: impl FnMut(&[&'a T])) {
    walk(lists, &mut Vec::with_capacity(lists.len()), &mut each);
}

fn walk<'a, T>(lists: &'a [Vec<T>], chosen: &mut Vec<&'a T>, each: &mut dyn FnMut(&[&'a T])) {
    let Some((first, rest)) = lists.split_first() else {
        return each(chosen);
    };
    for item in first {
        chosen.push(item);
        walk(rest, chosen, each);
        chosen.pop();
    }
}

/// The note on how many entries of the target the rules became, where that is more than one each.
pub(super) fn expansion(rules: usize, entries: usize, unit: &str, why: &str) -> Option<String> {
    (entries > rules).then(|| format!("{rules} rules became {entries} {unit}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Range, Value};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cubes_cover_a_set_exactly_once(bits: u64, width in 1u32..7) {
            let most = (1u128 << width) - 1;
            let inside = |i: &u128| bits >> i & 1 == 1;
            let set = ValueSet::from_ranges((0..=most).filter(inside).map(|i| Range::numbers(i, i)));
            let made = cubes(&set, width);
            let single = one_cube(&set, width);
            prop_assert_eq!(single.is_some(), made.len() == 1);
            prop_assert!(single.is_none_or(|c| c == made[0]));
            for i in 0..=most {
                let covering = made.iter().filter(|c| i & c.mask == c.value).count();
                prop_assert_eq!(covering, usize::from(inside(&i)));
            }
        }
    }

    #[test]
    fn a_mask_is_one_cube() {
        let octets = (0..=255u128).filter(|o| o & 0x12 == 2);
        let set = ValueSet::from_ranges(octets.map(|o| Range::numbers(o, o)));
        assert_eq!(cubes(&set, 8), [Cube { value: 2, mask: 0x12 }]);
        assert_eq!(cubes(&Range::numbers(0, 255).into(), 8), [Cube { value: 0, mask: 0 }]);
        let even = |n: u128| Range::numbers(n, n + 1);
        let set = ValueSet::from_ranges([even(0x100), even(0x110)]);
        assert_eq!(cubes(&set, 16), [Cube { value: 0x100, mask: 0xffee }]);
        assert_eq!(cubes(&ValueSet::single(Value::number(80)), 16), [Cube { value: 80, mask: 0xffff }]);
    }

    #[test]
    fn a_product_has_every_choice_once() {
        let lists = [vec![1, 2], vec![3], vec![4, 5]];
        let mut seen = Vec::new();
        product(&lists, |c| seen.push(c.iter().map(|n| **n).collect::<Vec<_>>()));
        assert_eq!(seen, [[1, 3, 4], [1, 3, 5], [2, 3, 4], [2, 3, 5]]);
        assert_eq!(combinations(&lists), 4);
        product(&[vec![1], vec![]], |_| panic!("there is none"));
    }
}
