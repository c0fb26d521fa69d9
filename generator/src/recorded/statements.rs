//! A profile as statements of the notation.

use super::fit::{GapModel, Popularity, Sizes};
use super::profile::{ClassProfile, Profile};
use csn::{Field, ValueSet};
use std::fmt::Write as _;

/// Weights are told in steps of this share.
const STEPS: u64 = 1_000_000;
/// Shortest time of a run that is printed, in seconds.
const SHORTEST: f64 = 0.001;

impl Profile {
    /// A whole scenario: the rules, a `load` for each class that has packets, and the capture's own rate and time. `path`
    /// is what the capture is called in it.
    pub fn to_csn(&self, path: &str) -> String {
        let seconds = self.elapsed.as_secs_f64();
        let mut comment = format!(
            "The traffic of {path}: {} packets, {} bytes in {seconds:.3} s.",
            self.total.packets, self.total.bytes
        );
        if let Some(gaps) = self.gaps {
            let (mean, variation) = (gaps.mean / 1000.0, gaps.variation);
            let _ =
                write!(comment, "\nGaps: {mean:.3} us on average, variation {variation:.2}, {}.", gaps.model);
        }
        let mut out = csn::print(&self.rules, &comment);
        out.push('\n');
        let mut weights = weights(self.classes.iter().map(|c| c.as_ref().map_or(0, |c| c.counts.packets)));
        // the table begins with `others`, which comes last in a file
        let mut order: Vec<usize> = (1..self.classes.len()).collect();
        order.push(0);
        for class in order {
            let Some(profile) = self.classes.get(class).and_then(Option::as_ref) else { continue };
            let target = match class {
                0 => "others".to_owned(),
                _ => format!("class = {}", self.rules.classes[class].number),
            };
            load(&mut out, &target, std::mem::take(&mut weights[class]), profile);
        }
        if let Some(gaps) = self.gaps {
            let arrival = match gaps.model {
                GapModel::Constant => "constant".to_owned(),
                GapModel::Poisson => "poisson".to_owned(),
                GapModel::Recorded => format!("capture(\"{}\")", path.escape_default()),
            };
            let _ = writeln!(out, "load: all, arrival = {arrival};");
            let (pps, time) = (1e9 / gaps.mean, seconds.max(SHORTEST));
            let _ = writeln!(out, "run: rate = {pps:.3} pps, time = {time:.3} s;");
        }
        out
    }
}

/// Shares of these counts in steps, by largest remainder: they come to the whole.
fn weights(counts: impl Iterator<Item = u64>) -> Vec<u64> {
    let counts: Vec<u64> = counts.collect();
    let total = counts.iter().sum::<u64>().max(1);
    let exact = |n: u64| u128::from(n) * u128::from(STEPS);
    let mut out: Vec<u64> = counts.iter().map(|n| (exact(*n) / u128::from(total)) as u64).collect();
    let mut by_rest: Vec<usize> = (0..counts.len()).filter(|i| counts[*i] > 0).collect();
    by_rest.sort_by_key(|i| std::cmp::Reverse(exact(counts[*i]) % u128::from(total)));
    let missing = STEPS.saturating_sub(out.iter().sum());
    by_rest.iter().take(missing as usize).for_each(|i| out[*i] += 1);
    out
}

fn load(out: &mut String, target: &str, weight: u64, class: &ClassProfile) {
    let _ = write!(out, "load: {target}, weight = {}%, flows = {}", weight as f64 / 1e4, class.flows);
    let _ = match &class.sizes {
        Sizes::Fixed(n) => write!(out, ",\n    size = {n} B(payload)"),
        Sizes::Range(lo, hi) => write!(out, ",\n    size = {lo}..{hi} B(payload)"),
        Sizes::Values(values) => {
            let list: Vec<String> =
                values.iter().map(|(size, n)| format!("{size} B(payload), {n}")).collect();
            write!(out, ",\n    size = empirical({})", list.join(", "))
        }
    };
    if let Popularity::Zipf(s) = class.popularity {
        let _ = write!(out, ",\n    popularity = zipf(s = {s})");
    }
    for (field, set) in &class.open {
        let _ = write!(out, ", {}", plain(*field, set));
    }
    out.push_str(";\n");
}

/// A field and what it is drawn from, which a `load` gives with `=` only.
fn plain(field: Field, set: &ValueSet) -> String {
    let each: Vec<String> = set
        .ranges()
        .iter()
        .map(|r| csn::print::test(field, &(*r).into()))
        .map(|test| test.split_once("= ").map_or(String::new(), |(_, value)| value.to_owned()))
        .collect();
    match each.as_slice() {
        [one] => format!("{field} = {one}"),
        several => format!("{field} = {{{}}}", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_come_to_the_whole() {
        for counts in [vec![1, 1, 1], vec![0, 7], vec![1; 999], vec![3, 1_000_000_007]] {
            let weights = weights(counts.iter().copied());
            assert_eq!(weights.iter().sum::<u64>(), STEPS, "{counts:?}");
        }
    }
}
