//! Tests of values against sets.

use super::assemble::{Assembler, Label};
use crate::cbpf::code::*;
use crate::value::{Range, ValueSet};

/// The largest 32-bit number stands for a field that the packet does not have.
pub(super) const ABSENT: u32 = u32::MAX;

/// Whether a word of a set is looked up in order or by halving.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    InOrder,
    ByHalving,
}

/// What is to be known of a word to test it.
#[derive(Clone, Copy)]
pub(super) struct Domain {
    /// The largest value.
    pub(super) most: u32,
    /// Whether the word may be [`ABSENT`].
    pub(super) optional: bool,
}

fn low(r: &Range) -> u32 {
    r.lo.bits as u32
}

fn high(r: &Range) -> u32 {
    r.hi.bits as u32
}

/// The only gap of a set that reaches from one end of the domain to the other.
fn gap(set: &ValueSet, most: u128) -> Option<Range> {
    match set.ranges() {
        [a, b] if a.lo.bits == 0 && b.hi.bits == most => Some(Range {
            lo: crate::Value { bits: a.hi.bits + 1, ..a.hi },
            hi: crate::Value { bits: b.lo.bits - 1, ..b.lo },
        }),
        _ => None,
    }
}

/// Tests A, which holds a word, against a set of one family.
pub(super) fn test_word(
    asm: &mut Assembler,
    set: &ValueSet,
    domain: Domain,
    lookup: Lookup,
    yes: Label,
    no: Label,
) {
    if let Some(gap) = gap(set, u128::from(domain.most)) {
        if domain.optional {
            asm.when(JEQ_K, ABSENT, no);
        }
        return test_interval(asm, &gap, Domain { optional: true, ..domain }, no, yes);
    }
    match lookup {
        Lookup::InOrder => {
            for (i, range) in set.ranges().iter().enumerate() {
                let last = i + 1 == set.ranges().len();
                let next = if last { no } else { asm.label() };
                test_interval(asm, range, domain, yes, next);
                if !last {
                    asm.place(next);
                }
            }
        }
        Lookup::ByHalving => test_halves(asm, set.ranges(), domain, yes, no),
    }
}

fn test_halves(asm: &mut Assembler, ranges: &[Range], domain: Domain, yes: Label, no: Label) {
    if let [one] = ranges {
        return test_interval(asm, one, domain, yes, no);
    }
    let (left, right) = ranges.split_at(ranges.len() / 2);
    let (here, there) = (asm.label(), asm.label());
    asm.branch(JGE_K, low(&right[0]), there, here);
    asm.place(here);
    test_halves(asm, left, domain, yes, no);
    asm.place(there);
    test_halves(asm, right, domain, yes, no);
}

fn test_interval(asm: &mut Assembler, range: &Range, domain: Domain, yes: Label, no: Label) {
    if range.lo == range.hi {
        return asm.branch(JEQ_K, low(range), yes, no);
    }
    let open = high(range) == domain.most && !(domain.optional && domain.most < ABSENT);
    match (low(range), open) {
        (0, true) => asm.jump(yes),
        (0, false) => asm.branch(JGT_K, high(range), no, yes),
        (lo, true) => asm.branch(JGE_K, lo, yes, no),
        (lo, false) => {
            asm.unless(JGE_K, lo, no);
            asm.branch(JGT_K, high(range), no, yes);
        }
    }
}

/// Tests a value of several words, which every packet here has, against a set of one family. `widths` are the bits
/// of each word, from the highest; `load` loads one into A.
pub(super) fn test_wide(
    asm: &mut Assembler,
    set: &ValueSet,
    widths: &[u32],
    load: &mut dyn FnMut(&mut Assembler, usize),
    yes: Label,
    no: Label,
) {
    let width: u32 = widths.iter().sum();
    let most = if width == 128 { u128::MAX } else { (1 << width) - 1 };
    if let Some(gap) = gap(set, most) {
        return wide_interval(asm, &gap, widths, load, no, yes);
    }
    for (i, range) in set.ranges().iter().enumerate() {
        let last = i + 1 == set.ranges().len();
        let next = if last { no } else { asm.label() };
        wide_interval(asm, range, widths, load, yes, next);
        if !last {
            asm.place(next);
        }
    }
}

/// A number cut into words, from the highest.
fn cut(bits: u128, widths: &[u32]) -> Vec<u32> {
    let mut left: u32 = widths.iter().sum();
    widths
        .iter()
        .map(|w| {
            left -= w;
            (bits >> left & ((1u128 << w) - 1)) as u32
        })
        .collect()
}

fn wide_interval(
    asm: &mut Assembler,
    range: &Range,
    widths: &[u32],
    load: &mut dyn FnMut(&mut Assembler, usize),
    yes: Label,
    no: Label,
) {
    let (lo, hi) = (cut(range.lo.bits, widths), cut(range.hi.bits, widths));
    let differing = range.lo.bits ^ range.hi.bits;
    // a prefix: the differing bits are the last ones, all zero in `lo` and all one in `hi`
    if differing & differing.wrapping_add(1) == 0 && range.lo.bits & differing == 0 {
        for (i, mask) in cut(!differing, widths).into_iter().enumerate() {
            if mask == 0 {
                break;
            }
            load(asm, i);
            if u64::from(mask) != (1u64 << widths[i]) - 1 {
                asm.op(AND_K, mask);
            }
            asm.unless(JEQ_K, lo[i], no);
        }
        return asm.jump(yes);
    }
    if range.lo.bits != 0 {
        let enough = asm.label();
        for i in 0..lo.len() {
            load(asm, i);
            if lo[i + 1..].iter().all(|w| *w == 0) {
                asm.branch(JGE_K, lo[i], enough, no);
                break;
            }
            asm.when(JGT_K, lo[i], enough);
            asm.unless(JEQ_K, lo[i], no);
        }
        asm.place(enough);
    }
    let full: Vec<u32> = cut(u128::MAX, widths);
    for i in 0..hi.len() {
        if hi[i..] == full[i..] {
            return asm.jump(yes);
        }
        load(asm, i);
        asm.when(JGT_K, hi[i], no);
        if hi[i + 1..] == full[i + 1..] {
            return asm.jump(yes);
        }
        asm.unless(JEQ_K, hi[i], yes);
    }
}
