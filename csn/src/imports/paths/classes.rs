//! Classes of flow records as classes of a rule set.

use super::order::Ordered;
use super::walk::Computed;
use crate::imports::{Builder, Imported};
use crate::ruleset::ClassId;
use std::collections::BTreeSet;

/// The names of the computed attributes, by their place.
const NAMES: [&str; 6] = ["SourceClass", "DestClass", "FlowClass", "SourceKind", "DestKind", "FlowKind"];
/// Classes without a rule that may be opened so that numbers stay what they are.
const MOST_UNUSED: usize = 256;

/// The number that `FlowKind` and `FlowClass` make, where nothing else is set.
fn plain([a, b, class, c, d, kind]: Computed) -> Option<u32> {
    (a == 0 && b == 0 && c == 0 && d == 0).then(|| u32::from(kind) << 8 | u32::from(class))
}

/// Gives the rules their classes. Class N is that of the number N, as the back ends for RTFM meters write it; where
/// numbers are far apart, or other attributes are set, classes have these as names.
pub(super) fn number(rules: Vec<Ordered>, mut out: Builder) -> Imported {
    let used: BTreeSet<Computed> = rules.iter().map(|r| r.class).collect();
    let numbers: Option<BTreeSet<u32>> = used.iter().map(|c| plain(*c)).collect();
    let most = |n: &BTreeSet<u32>| n.last().copied().unwrap_or(0);
    let kept = numbers.filter(|n| most(n) as usize <= n.len() + MOST_UNUSED.max(4 * n.len()));
    if let Some(numbers) = kept {
        for n in 1..=most(&numbers) {
            let first = rules.iter().find(|r| plain(r.class) == Some(n));
            out.unnamed(first.map(|r| r.span).unwrap_or_default());
        }
        for r in rules {
            out.rule(ClassId(plain(r.class).unwrap_or(0)), r.tests, r.span);
        }
        return out.finish();
    }
    for r in rules {
        let set = NAMES.iter().zip(r.class).filter(|(_, n)| *n != 0);
        let name: Vec<String> = set.map(|(name, n)| format!("{name} {n}")).collect();
        let class = out.class(&name.join(", "), r.span);
        out.rule(class, r.tests, r.span);
    }
    out.finish()
}
