//! Tests on octets as a regular expression.

use crate::backends::octets::{Pattern, Place};
use crate::dfa::split;
use crate::value::{Range, ValueSet};
use std::fmt::Write;

/// The pattern as text, from the first octet of the frame on.
pub(super) fn text(pattern: &Pattern) -> String {
    let mut out = String::from("(?s)^");
    let mut at = 0;
    for (start, octets, set) in words(pattern) {
        out.push_str(&anything(start - at));
        out.push_str(&word(&set, octets));
        at = start + octets;
    }
    out
}

/// The octets from one place to another, and the tests on any of them.
type Group<'a> = (usize, usize, Vec<&'a (Place, ValueSet)>);

/// The tests as whole octets: where they begin, how many they are, and the numbers that they may be. Tests that share
/// an octet become one.
fn words(pattern: &Pattern) -> Vec<(usize, usize, ValueSet)> {
    let mut groups: Vec<Group> = Vec::new();
    for test in &pattern.tests {
        let (from, to) = (test.0.at, test.0.at + test.0.octets);
        match groups.last_mut() {
            Some((_, end, tests)) if from < *end => {
                *end = to.max(*end);
                tests.push(test);
            }
            _ => groups.push((from, to, vec![test])),
        }
    }
    let joined = |(from, to, tests): Group| {
        let sets = tests.into_iter().map(|(place, set)| lifted(*place, set, from, to));
        (from, to - from, sets.reduce(|a, b| a.intersect(&b)).unwrap_or_default())
    };
    groups.into_iter().map(joined).collect()
}

/// The numbers of the octets from `from` to `to` that pass a test on some of their bits.
fn lifted(place: Place, set: &ValueSet, from: usize, to: usize) -> ValueSet {
    let bits = 8 * (to - from) as u32;
    let below = 8 * (to - place.at - place.octets) as u32 + place.shift;
    if below == 0 && place.width == bits {
        return set.clone();
    }
    let low = (1u128 << below) - 1;
    let above = 0..1u128 << (bits - below - place.width);
    let of = |high: u128, r: &Range| {
        let high = high << (place.width + below);
        Range::numbers(high | r.lo.bits << below, high | r.hi.bits << below | low)
    };
    ValueSet::from_ranges(above.flat_map(|high| set.ranges().iter().map(move |r| of(high, r))))
}

fn anything(octets: usize) -> String {
    match octets {
        0 => String::new(),
        1 => ".".into(),
        n => format!(".{{{n}}}"),
    }
}

/// A number of some octets.
fn word(set: &ValueSet, octets: usize) -> String {
    let intervals: Vec<_> = set.ranges().iter().map(|r| (r.lo.bits, r.hi.bits, ())).collect();
    sequence(&intervals, octets)
}

/// First and last numbers.
type Intervals = Vec<(u128, u128, ())>;

fn sequence(intervals: &[(u128, u128, ())], octets: usize) -> String {
    let most = if octets == 16 { u128::MAX } else { (1 << (8 * octets)) - 1 };
    if octets == 0 || intervals == [(0, most, ())] {
        return anything(octets);
    }
    // first octets that are followed by the same go together
    let mut groups: Vec<(Intervals, Vec<(u8, u8)>)> = Vec::new();
    for (from, to, rest) in split(intervals, octets) {
        match groups.iter_mut().find(|(known, _)| *known == rest) {
            Some((_, first)) => first.push((from, to)),
            None => groups.push((rest, vec![(from, to)])),
        }
    }
    let pieces: Vec<String> =
        groups.iter().map(|(rest, first)| class(first) + &sequence(rest, octets - 1)).collect();
    if pieces.len() == 1 { pieces.concat() } else { format!("(?:{})", pieces.join("|")) }
}

/// One octet.
fn class(ranges: &[(u8, u8)]) -> String {
    if let [(one, same)] = ranges
        && one == same
    {
        return format!("\\x{one:02x}");
    }
    if ranges == [(0, 255)] {
        return ".".into();
    }
    let mut out = String::from("[");
    for (from, to) in ranges {
        let _ = write!(out, "\\x{from:02x}");
        if from != to {
            let _ = write!(out, "-\\x{to:02x}");
        }
    }
    out + "]"
}
