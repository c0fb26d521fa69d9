//! Patterns of `Classifier`: clauses `offset/value%mask` in hexadecimal digits.

use crate::backends::octets::{Cover, Cube, Pattern, Place, cover};
use std::fmt::Write;

/// A rule that needs more patterns is a loss.
const MOST: usize = 256;

/// The pattern in the words of `Classifier`; several where a set is no single value under a mask.
pub(super) fn patterns(pattern: &Pattern) -> Result<Vec<String>, String> {
    let mut made = vec![String::new()];
    for (place, set) in &pattern.tests {
        let choices: Vec<String> = match cover(set, place.width) {
            Cover::AnyOf(cubes) => cubes.iter().map(|c| clause(*place, *c)).collect(),
            Cover::NoneOf(cubes) => {
                vec![cubes.iter().map(|c| format!("!{}", clause(*place, *c))).collect::<Vec<_>>().join(" ")]
            }
        };
        if made.len() * choices.len() > MOST {
            return Err(format!("it needs more than {MOST} patterns of values under masks"));
        }
        let longer = |start: &String| {
            let gap = if start.is_empty() { "" } else { " " };
            choices.iter().map(|c| format!("{start}{gap}{c}")).collect::<Vec<_>>()
        };
        made = made.iter().flat_map(longer).collect();
    }
    if pattern.tests.is_empty() {
        made = vec!["-".into()];
    }
    Ok(made)
}

fn clause(place: Place, cube: Cube) -> String {
    let octets = |n: u128| (n << place.shift).to_be_bytes()[16 - place.octets..].to_vec();
    let (value, mask) = (octets(cube.value), octets(cube.mask));
    // octets of which nothing counts are left out at both ends
    let first = mask.iter().position(|m| *m != 0).unwrap_or(0);
    let last = mask.iter().rposition(|m| *m != 0).unwrap_or(0);
    let hex = |all: &[u8]| {
        all[first..=last].iter().fold(String::new(), |mut out, o| {
            let _ = write!(out, "{o:02x}");
            out
        })
    };
    let text = format!("{}/{}", place.at + first, hex(&value));
    if mask[first..=last].iter().all(|m| *m == 0xff) { text } else { format!("{text}%{}", hex(&mask)) }
}
