//! Intervals of numbers by their first octet.

/// Some first octets, and the parts of the intervals that follow each of them: first and last number of the octets
/// behind, and what the interval carries.
pub(crate) type Branch<T> = (u8, u8, Vec<(u128, u128, T)>);

/// Splits intervals of numbers of `octets` octets, which are ascending and disjoint, by the first octet.
pub(crate) fn split<T: Copy>(intervals: &[(u128, u128, T)], octets: usize) -> Vec<Branch<T>> {
    let shift = 8 * (octets as u32 - 1);
    let low = (1u128 << shift) - 1;
    let mut out: Vec<Branch<T>> = Vec::new();
    let mut push = |from: u8, to: u8, part: (u128, u128, T)| match out.last_mut() {
        Some((last, end, parts)) if *last == from && *end == to && from == to => parts.push(part),
        _ => out.push((from, to, vec![part])),
    };
    for (lo, hi, carried) in intervals {
        let (mut from, mut to) = ((lo >> shift) as u16, (hi >> shift) as u16);
        let (after, until) = (lo & low, hi & low);
        if from == to {
            push(from as u8, from as u8, (after, until, *carried));
            continue;
        }
        if after > 0 {
            push(from as u8, from as u8, (after, low, *carried));
            from += 1;
        }
        let partly = until < low;
        to -= u16::from(partly);
        if from <= to {
            push(from as u8, to as u8, (0, low, *carried));
        }
        if partly {
            push(to as u8 + 1, to as u8 + 1, (0, until, *carried));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_is_in_one_branch(mut cuts in proptest::collection::vec(0u128..0x1_0000, 2..12)) {
            cuts.sort_unstable();
            cuts.dedup();
            let all: Vec<_> = cuts.chunks_exact(2).map(|c| (c[0], c[1], c[0])).collect();
            let branches = split(&all, 2);
            prop_assert!(branches.windows(2).all(|w| w[0].1 < w[1].0));
            for n in 0..0x1_0000u128 {
                let of = |parts: &[(u128, u128, u128)], n| parts.iter().find(|p| p.0 <= n && n <= p.1).map(|p| p.2);
                let first = (n >> 8) as u8;
                let branch = branches.iter().find(|b| b.0 <= first && first <= b.1);
                prop_assert_eq!(branch.and_then(|b| of(&b.2, n & 0xff)), of(&all, n));
            }
        }
    }
}
