//! What a reader must know before believing a number: the machine's limits, the lab's, and our own.

use super::{Metric, Summary};
use crate::store::Stored;
use crate::text::{self, percent, plural};
use std::collections::BTreeMap;

/// Steal or foreign time above this share of the window is worth a word.
const DISTURBED: f64 = 0.01;
/// An interval wider than this share of its median, to either side, is worth a word.
const WIDE: f64 = 0.1;
/// Achieved of intended rate below this is worth a word.
const RATE: f64 = 0.99;

/// All limits of a run, those that could change a conclusion first.
pub(super) fn all(s: &Summary, stored: &Stored) -> Vec<String> {
    let mut limits = Vec::new();
    limits.extend(invalid(s));
    limits.extend(rate(s));
    limits.extend(lateness(s));
    limits.extend(disturbance(s));
    limits.extend(width(s));
    limits.extend(floor(s));
    limits.extend(few(s));
    limits.extend(split(s));
    limits.extend(receive_work(s));
    limits.extend(s.run.lab.notes.iter().cloned());
    limits.extend(host(stored));
    limits.extend(warnings(s));
    limits.extend(stored.warnings.iter().map(|w| format!("records.jsonl, {w}")));
    let mut seen = std::collections::BTreeSet::new();
    limits.retain(|l| seen.insert(l.clone()));
    limits
}

fn invalid(s: &Summary) -> Option<String> {
    if s.invalid.is_empty() {
        return None;
    }
    let n = s.invalid.len();
    let (verb, are) = if n == 1 { ("enters", "is no result and") } else { ("enter", "are no results and") };
    Some(format!(
        "{} of {} {are} {verb} no number here: the reasons are listed.",
        n,
        plural(s.trials.len(), "trial")
    ))
}

/// The extreme of a metric over all valid trials, with the point where it lies.
fn extreme(s: &Summary, metric: Metric, sign: f64) -> Option<(f64, String)> {
    s.points
        .iter()
        .filter_map(|p| {
            let worst =
                p.get(metric)?.values.iter().copied().max_by(|a, b| (sign * a).total_cmp(&(sign * b)))?;
            Some((worst, p))
        })
        .max_by(|a, b| (sign * a.0).total_cmp(&(sign * b.0)))
        .map(|(value, p)| (value, s.name(p)))
}

fn rate(s: &Summary) -> Option<String> {
    let (share, at) = extreme(s, Metric::AchievedShare, -1.0)?;
    (share < RATE).then(|| {
        format!("The generator reached only {} of the intended rate in a trial at {at}.", percent(share))
    })
}

fn lateness(s: &Summary) -> Option<String> {
    let (p99, at) = extreme(s, Metric::LateP99, 1.0)?;
    let bound = s.results().map(|t| t.offered.late_bound).max().unwrap_or(0);
    let (beyond, _) = extreme(s, Metric::LateShare, 1.0)?;
    if p99 == 0.0 && beyond == 0.0 {
        return None;
    }
    let stalls: u64 = s.results().map(|t| t.offered.stalls).sum();
    let bound = if bound == 0 {
        String::new()
    } else {
        format!(
            "; at most {} of a trial's packets left later than {}",
            percent(beyond),
            text::nanos(bound as f64)
        )
    };
    let stalls = match stalls {
        0 => String::new(),
        n => format!("; the sender stalled for more than 1 ms {n} time{}", if n == 1 { "" } else { "s" }),
    };
    Some(format!(
        "Generator: 99 % of the packets left within {} of their time in every valid trial (worst at {at}){bound}{stalls}.",
        text::nanos(p99)
    ))
}

fn disturbance(s: &Summary) -> Vec<String> {
    let told =
        [(Metric::Steal, "The hypervisor took up to"), (Metric::Foreign, "Other processes took up to")];
    told.into_iter()
        .filter_map(|(metric, words)| {
            let (share, at) = extreme(s, metric, 1.0).filter(|(share, _)| *share > DISTURBED)?;
            let whose = if metric == Metric::Steal { "one CPU's time" } else { "the meter's CPU" };
            Some(format!("{words} {} of {whose} in a valid trial (at {at}).", percent(share)))
        })
        .collect()
}

/// What the run says of a meter compared with itself.
fn floor(s: &Summary) -> Option<String> {
    let floor = s.floor?;
    Some(format!(
        "A/A: 95 % of the comparisons of a point with itself differ by less than {}; smaller differences in CPU time mean \
         nothing.",
        percent(floor.share)
    ))
}

fn width(s: &Summary) -> Option<String> {
    let (width, point) = s
        .points
        .iter()
        .filter_map(|p| {
            let e = p.get(Metric::TotalNs).filter(|e| e.median > 0.0 && e.coverage > 0.0)?;
            Some(((e.high - e.median).max(e.median - e.low) / e.median, p))
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (width > WIDE).then(|| {
        format!(
            "Noise: the widest interval of the CPU time reaches {} from its median (at {}).",
            percent(width),
            s.name(point)
        )
    })
}

fn few(s: &Summary) -> Option<String> {
    let estimates = s.points.iter().filter_map(|p| p.get(Metric::TotalNs));
    let least = estimates.min_by(|a, b| a.coverage.total_cmp(&b.coverage))?;
    (least.coverage < 0.93).then(|| {
        if least.values.len() == 1 {
            "Some points have a single valid trial: their medians have no interval.".into()
        } else {
            format!(
                "Some points have {}: the whole range of so few holds the true median with a probability of {} only.",
                plural(least.values.len(), "valid trial"),
                percent(least.coverage)
            )
        }
    })
}

fn split(s: &Summary) -> Option<String> {
    let sampled = s.results().filter(|t| t.cpu.split == "sampled").count();
    (sampled > 0).then(|| {
        let of =
            if sampled == s.valid() { String::new() } else { format!(" in {}", plural(sampled, "trial")) };
        format!("The split of user and system time is sampled by the kernel's ticks{of}; their sum is exact.")
    })
}

fn receive_work(s: &Summary) -> Option<String> {
    Some(match s.run.lab.receive_work.as_str() {
        "" => return None,
        "sender" => "The kernel's receive work (softirq) runs on the generator's CPU and is not part of the meter's time.".into(),
        "meter" => "The kernel's receive work (softirq) runs on the meter's CPU, beside the meter's own time.".into(),
        "unknown" => "Who pays for the kernel's receive work (softirq) is not known.".to_string(),
        other => format!("The kernel's receive work (softirq) is paid by: {other}."),
    })
}

fn host(stored: &Stored) -> Vec<String> {
    let mut all: Vec<String> = stored.run.host.warnings.clone();
    let fresh = stored
        .resumed
        .iter()
        .flat_map(|r| &r.host.warnings)
        .filter(|w| !stored.run.host.warnings.contains(w));
    all.extend(fresh.cloned());
    let resumed = stored.resumed.len();
    if resumed > 0 {
        let times = if resumed == 1 { "once".into() } else { format!("{resumed} times") };
        all.push(format!(
            "The run was interrupted and went on {times}: trials before and after saw different conditions."
        ));
    }
    if let Some(other) = stored
        .resumed
        .iter()
        .find(|r| r.host.kernel != stored.run.host.kernel || r.host.cpu != stored.run.host.cpu)
    {
        all.push(format!(
            "It went on on another machine or kernel: {} {}.",
            other.host.cpu, other.host.kernel
        ));
    }
    all
}

/// Warnings of valid trials. Those that differ in their figures only are one, told by its worst trial.
fn warnings(s: &Summary) -> Vec<String> {
    let mut seen: BTreeMap<String, (usize, f64, &str)> = BTreeMap::new();
    for w in s.results().flat_map(|t| &t.warnings) {
        let (kind, figure) = (text::without_figures(w), text::first_figure(w).unwrap_or(0.0));
        let entry = seen.entry(kind).or_insert((0, figure, w));
        entry.0 += 1;
        if figure > entry.1 {
            (entry.1, entry.2) = (figure, w);
        }
    }
    seen.into_values()
        .map(|(n, _, w)| match n {
            1 => format!("{w} (1 trial)"),
            n => format!("{w} (the worst of {})", plural(n, "trial")),
        })
        .collect()
}
