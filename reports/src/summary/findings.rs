//! What the numbers say, in sentences. Every sentence is computed from medians of valid trials; one that the data
//! do not carry is left out.

use super::points::SATURATED;
use super::{Against, Fit, Metric, Point, Summary};
use crate::stats::Estimate;
use crate::text::{self, count, fixed, number, percent, plural};

/// Fits that explain less are not worth a sentence about cost.
const GOOD_FIT: f64 = 0.9;
/// A better R² by less than this is no better fit.
const BETTER: f64 = 0.005;

/// All findings of a run, the most important first.
pub(super) fn all(s: &Summary) -> Vec<String> {
    if s.valid() == 0 {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for i in 0..s.series.len() {
        let before = findings.len();
        findings.extend(cost_per_rule(s, i));
        findings.extend(ends(s, i));
        findings.extend(model(s, i));
        findings.extend(system(s, i));
        if s.series.len() > 1 {
            for f in &mut findings[before..] {
                *f = format!("{}: {f}", s.series[i].label);
            }
        }
    }
    findings.extend(in_the_kernel(s));
    findings.extend(against_first(s));
    findings.extend(saturation(s));
    findings.push(loss(s));
    findings.push(classification(s));
    findings
}

fn find(s: &Summary, series: usize, metric: Metric, comparisons: bool) -> Option<&Fit> {
    s.fits.iter().find(|f| {
        f.series == series && f.metric == metric && comparisons == (f.against == Against::Comparisons)
    })
}

/// What meters in the kernel cost, as a difference with its interval.
fn in_the_kernel(s: &Summary) -> Vec<String> {
    let known = |p: &&Point| p.get(Metric::KernelNs).is_some();
    s.points
        .iter()
        .filter(known)
        .filter_map(|p| {
            let cost = text::interval(p.get(Metric::KernelNs)?, 1.0);
            Some(format!(
                "{}: the kernel spends {cost} ns more on a packet than without the meter (softirq on the sender's CPU, \
                 flat out, each trial beside the same load without it).",
                s.name(p)
            ))
        })
        .collect()
}

/// What a rule costs that a packet is compared with.
fn cost_per_rule(s: &Summary, series: usize) -> Option<String> {
    let fit = find(s, series, Metric::UserNs, true)?;
    if fit.line.r2 < GOOD_FIT || fit.line.b <= 0.0 || (fit.slope.is_some() && !fit.rises_or_falls()) {
        return None;
    }
    // Where a filter takes away a different share at each point, the packets that reach user space vary beside the
    // comparisons, and the slope is not the price of a rule.
    let passed = |p: &usize| s.points[*p].ledger.filtered as f64 / s.points[*p].ledger.offered.max(1) as f64;
    let shares: Vec<f64> =
        s.series[series].points.iter().filter(|p| s.points[**p].valid > 0).map(passed).collect();
    if shares.iter().any(|v| (v - shares[0]).abs() > 0.01) {
        return None;
    }
    let slope = fit.slope.map_or_else(
        || number(fit.line.b),
        |(low, high)| {
            text::interval(&Estimate { median: fit.line.b, low, high, coverage: 0.95, values: vec![] }, 1.0)
        },
    );
    Some(format!(
        "Each rule that a packet is compared with costs {slope} ns of user time (R² {} on {}).",
        text::r_squared(fit.line.r2),
        plural(fit.points, "median")
    ))
}

/// The cost at the far end against the cost at the near end of x.
fn ends(s: &Summary, series: usize) -> Option<String> {
    let axis = s.axis.as_ref()?;
    let (first, last) = extremes(s, series, false)?;
    let (a, b) = (first.get(Metric::TotalNs)?, last.get(Metric::TotalNs)?);
    let packet = match last.numbers.get("others") {
        Some(1.0) => "a packet that matches nothing",
        _ => "a packet",
    };
    let times = if a.median > 0.0 {
        format!("{} times the cost at {}", number(b.median / a.median), axis.say(first.x?))
    } else {
        format!("none at {}", axis.say(first.x?))
    };
    let of_core = last.median(Metric::TotalShare).map(|v| format!(", {} of one core", percent(v)));
    Some(format!(
        "At {} {packet} costs {} ns in all, {times}{}.",
        axis.say(last.x?),
        text::interval(b, 1.0),
        of_core.unwrap_or_default()
    ))
}

/// Whether expected comparisons explain user time better than x does.
fn model(s: &Summary, series: usize) -> Option<String> {
    let axis = s.axis.as_ref().filter(|a| a.name == "rules")?;
    let (c, x) = (find(s, series, Metric::UserNs, true)?, find(s, series, Metric::UserNs, false)?);
    let r2 = |f: &Fit| text::r_squared(f.line.r2);
    let points = s.series[series].points.iter().map(|&p| &s.points[p]);
    if points.clone().all(|p| p.x == Some(p.comparisons)) {
        let word = if x.line.r2 >= GOOD_FIT { "linear" } else { "not linear" };
        return Some(format!("User time is {word} in the {} (R² {}).", axis.title, r2(x)));
    }
    if (c.line.r2 - x.line.r2).abs() < BETTER {
        return Some(format!(
            "User time follows the expected comparisons (R² {}) and the {} (R² {}) equally well.",
            r2(c),
            axis.title,
            r2(x)
        ));
    }
    let (better, worse) = if c.line.r2 > x.line.r2 {
        ("the expected comparisons", axis.title.as_str())
    } else {
        (axis.title.as_str(), "the expected comparisons")
    };
    let (high, low) = if c.line.r2 > x.line.r2 { (c, x) } else { (x, c) };
    Some(format!(
        "User time follows {better} (R² {}) better than the {} (R² {}).",
        r2(high),
        worse.trim_start_matches("the "),
        r2(low)
    ))
}

/// Whether system time changes along x.
fn system(s: &Summary, series: usize) -> Option<String> {
    let axis = s.axis.as_ref()?;
    let fit = find(s, series, Metric::SystemNs, false)?;
    fit.slope?;
    let (first, last) = extremes(s, series, true)?;
    let (a, b) = (first.median(Metric::SystemNs)?, last.median(Metric::SystemNs)?);
    let both =
        format!("{} ns at {}, {} ns at {}", number(a), axis.say(first.x?), number(b), axis.say(last.x?));
    Some(if fit.rises_or_falls() {
        let word = if fit.line.b > 0.0 { "rises" } else { "falls" };
        let trend = fit.spearman.map_or(String::new(), |r| format!("; rank correlation {}", fixed(r, 2)));
        format!("System time {word}: {both}{trend}.")
    } else {
        format!("System time shows no trend: {both}; the interval of its slope includes 0.")
    })
}

/// Other curves against the first.
fn against_first(s: &Summary) -> Vec<String> {
    let Some(first) = s.series.first() else { return Vec::new() };
    let total = |p: usize| s.points[p].median(Metric::TotalNs).filter(|v| *v > 0.0);
    s.series[1..]
        .iter()
        .filter_map(|other| {
            let ratios: Vec<(f64, usize)> = other
                .points
                .iter()
                .filter_map(|&p| {
                    let same = first.points.iter().find(|&&q| s.points[q].x == s.points[p].x)?;
                    Some((total(p)? / total(*same)?, p))
                })
                .collect();
            let min = ratios.iter().min_by(|a, b| a.0.total_cmp(&b.0))?;
            let max = ratios.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
            // what a comparison of equals shows as well is no difference
            let beyond = |ratio: f64| s.floor.is_none_or(|f| f.is_passed(ratio));
            if !beyond(min.0) && !beyond(max.0) {
                let floor = s.floor.map_or(0.0, |f| f.share);
                return Some(format!(
                    "{} costs the same as {}, within what a comparison of equals shows ({}).",
                    other.label,
                    first.label,
                    percent(floor)
                ));
            }
            let at = |p: usize| match (&s.axis, s.points[p].x) {
                (Some(axis), Some(x)) => format!(" at {}", axis.say(x)),
                _ => String::new(),
            };
            let range = if ratios.len() == 1 {
                format!("{} times", number(min.0))
            } else {
                format!(
                    "between {} times{} and {} times{}",
                    number(min.0),
                    at(min.1),
                    number(max.0),
                    at(max.1)
                )
            };
            Some(format!("{} costs {range} what {} does.", other.label, first.label))
        })
        .collect()
}

fn saturation(s: &Summary) -> Option<String> {
    let at: Vec<String> = s.points.iter().filter(|p| p.overloaded()).map(|p| s.name(p)).collect();
    let (first, more) = at.split_first()?;
    let more =
        if more.is_empty() { String::new() } else { format!(" and {}", plural(more.len(), "more point")) };
    Some(format!(
        "Machine limit: the meter takes at least {} of its core at {first}{more}; what a packet costs there is capped, and left out of the fits.",
        percent(SATURATED)
    ))
}

fn loss(s: &Summary) -> String {
    let lossy: Vec<&Point> = s
        .points
        .iter()
        .filter(|p| p.get(Metric::Loss).is_some_and(|e| e.values.iter().any(|v| *v > 0.0)))
        .collect();
    let worst = lossy.iter().copied().max_by(|a, b| {
        a.median(Metric::Loss).unwrap_or(0.0).total_cmp(&b.median(Metric::Loss).unwrap_or(0.0))
    });
    let Some(worst) = worst else {
        let sent: u64 =
            s.points.iter().map(|p| p.ledger.offered - p.ledger.refused.min(p.ledger.offered)).sum();
        return format!("No packet was lost: all {} of the valid trials are accounted for.", count(sent));
    };
    let Some(e) = worst.get(Metric::Loss) else { return String::new() };
    let l = &worst.ledger;
    let stages = [("interface", l.interface), ("export", l.export), ("meter", l.meter), ("socket", l.socket)];
    let stage = stages.iter().max_by_key(|(_, packets)| packets).map_or("", |(name, _)| name);
    let several = if lossy.len() == 1 {
        String::new()
    } else {
        format!(", with loss at {} in all", plural(lossy.len(), "point"))
    };
    format!(
        "Packets are lost at {}: {} % (median), most of them at the {stage}{several}.",
        s.name(worst),
        text::interval(e, 100.0)
    )
}

fn classification(s: &Summary) -> String {
    let wrong: Vec<&Point> = s
        .points
        .iter()
        .filter(|p| p.get(Metric::Misclassified).is_some_and(|e| e.values.iter().any(|v| *v > 0.0)))
        .collect();
    if let Some(first) = wrong.first() {
        let packets: u64 = wrong.iter().flat_map(|p| &p.classes).map(|c| c.surplus).sum();
        return format!(
            "{} were counted in a wrong class, at {}{}.",
            plural(packets as usize, "packet"),
            s.name(first),
            if wrong.len() == 1 {
                String::new()
            } else {
                format!(" and {}", plural(wrong.len() - 1, "more point"))
            }
        );
    }
    let missing: u64 = s.points.iter().flat_map(|p| &p.classes).map(|c| c.missing).sum();
    let trials = plural(s.valid(), "valid trial");
    if missing == 0 {
        format!("Every class's count equals the expected one, to the packet, in {trials}.")
    } else {
        format!(
            "No class counts a packet too many in {trials}; those lost are missing from their own classes."
        )
    }
}

/// The points of a curve with the smallest and the largest x, perhaps of those alone that enter fits.
fn extremes(s: &Summary, series: usize, fitted: bool) -> Option<(&Point, &Point)> {
    let of = || {
        s.series[series]
            .points
            .iter()
            .map(|&p| &s.points[p])
            .filter(|p| p.x.is_some() && p.valid > 0 && !(fitted && p.overloaded()))
    };
    let by = |a: &&Point, b: &&Point| a.x.unwrap_or(0.0).total_cmp(&b.x.unwrap_or(0.0));
    let (first, last) = (of().min_by(by)?, of().max_by(by)?);
    (first.x < last.x).then_some((first, last))
}
