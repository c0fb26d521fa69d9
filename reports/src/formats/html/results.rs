//! The sections that show what was measured.

use super::super::table::{Columns, Table};
use super::{code, table as html_table};
use crate::record::Ledger;
use crate::summary::{Against, ClassLine, Metric, Point, State, Summary};
use crate::text::{self, count, escape, number, plural};

/// Beyond so many classes those that agree are told in one line.
const CLASSES: usize = 300;

/// The four numbers that a reader wants first, with what they are.
pub(super) fn key_numbers(s: &Summary) -> Vec<(String, String)> {
    let mut numbers = vec![(format!("{} / {}", s.valid(), s.trials.len()), "trials valid".to_owned())];
    let several = s.series.len() > 1;
    let of = |series: usize| if several { format!(", {}", s.series[series].label) } else { String::new() };
    let fit = s.fits.iter().find(|f| f.against == Against::Comparisons && f.metric == Metric::UserNs);
    if let Some(fit) = fit.filter(|f| f.line.r2 > 0.9 && f.line.b > 0.0) {
        numbers.push((
            format!("{} ns", number(fit.line.b)),
            format!("user time per rule compared{}", of(fit.series)),
        ));
    }
    let dearest = s.points.iter().filter(|p| p.median(Metric::TotalNs).is_some()).max_by(|a, b| {
        a.median(Metric::TotalNs).unwrap_or(0.0).total_cmp(&b.median(Metric::TotalNs).unwrap_or(0.0))
    });
    if let Some(p) = dearest {
        let total = p.median(Metric::TotalNs).unwrap_or(0.0);
        numbers
            .push((format!("{} ns", number(total)), format!("CPU time per packet at most, {}", s.name(p))));
    }
    if let Some(worst) = s.points.iter().filter_map(|p| p.median(Metric::Loss)).max_by(f64::total_cmp) {
        numbers.push((text::percent(worst), "loss at most (median of a point)".to_owned()));
    }
    numbers
}

/// The result tables: a row per point, all curves under one head.
pub(super) fn tables(s: &Summary) -> String {
    if s.points.is_empty() {
        return String::new();
    }
    let note = "<p class=\"note\">Medians over the valid trials, with intervals in brackets: from eight trials on the 95 % \
                bootstrap interval of the median, below that the pair of order statistics that covers at least 95 %, \
                or the whole range. Per packet means per packet that the transmitting device accepted. A click on a \
                head sorts.</p>\n";
    let beside =
        format!("<details open><summary>Beside it</summary>\n{}</details>\n", table(s, Columns::Beside));
    table(s, Columns::Results) + note + &beside
}

fn table(s: &Summary, columns: Columns) -> String {
    let points: Vec<&Point> = s.points.iter().collect();
    let table = Table::of(s, &points, columns);
    let several = s.axis.is_some() && s.series.len() > 1;
    let mut head: Vec<(&str, &str)> = table.head.iter().map(|c| (c.title.as_str(), c.unit)).collect();
    let mut rows: Vec<Vec<String>> = table.rows.iter().map(|r| r.iter().map(|c| cell(c)).collect()).collect();
    if several {
        head.insert(0, ("series", ""));
        rows.iter_mut().zip(&points).for_each(|(row, p)| row.insert(0, escape(&s.series[p.series].label)));
    }
    let text: Vec<usize> = if several || s.axis.is_none() { vec![0] } else { vec![] };
    html_table(&head, &text, &rows)
}

/// A cell whose interval is set small.
fn cell(text: &str) -> String {
    match text.split_once(" [") {
        Some((median, interval)) => format!("{} <i>[{}</i>", escape(median), escape(interval)),
        None => escape(text),
    }
}

/// The fitted lines and what they mean.
pub(super) fn fits(s: &Summary) -> String {
    if s.fits.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = s
        .fits
        .iter()
        .map(|f| {
            let against = match &f.against {
                Against::Comparisons => "expected comparisons".to_owned(),
                Against::Axis(name) => name.clone(),
            };
            let slope = f.slope.map_or_else(
                || number(f.line.b),
                |(low, high)| format!("{} <i>[{}, {}]</i>", number(f.line.b), number(low), number(high)),
            );
            let largest =
                f.line.residuals.iter().copied().fold(0.0, |a: f64, r| if r.abs() > a.abs() { r } else { a });
            vec![
                escape(&s.series[f.series].label),
                escape(f.metric.title()),
                escape(&against),
                number(f.line.a),
                slope,
                escape(text::r_squared(f.line.r2).trim_start_matches("= ")),
                number(largest),
                f.points.to_string(),
            ]
        })
        .collect();
    let head = [
        ("series", ""),
        ("what", "ns/packet"),
        ("against", ""),
        ("a", "ns"),
        ("b", "ns per unit"),
        ("R²", ""),
        ("largest residual", "ns"),
        ("points", ""),
    ];
    let overloaded = s.points.iter().filter(|p| p.overloaded()).count();
    let left_out = match overloaded {
        0 => String::new(),
        n => format!(" {} at which the meter was overloaded are left out.", plural(n, "point")),
    };
    let note = format!(
        "<p class=\"note\">Lines a + b·x through the medians, by least squares; the interval of b comes from drawing the \
         trials of each point again. Expected comparisons is the mean number of rules that an offered packet is compared \
         with, first match on a linear list: b against it is the price of a comparison, a that of everything else. A \
         better R² against it than against the rules says that the meter does what the model says.{left_out}</p>\n"
    );
    html_table(&head, &[0, 1, 2], &rows) + &note
}

/// Each expectation and what became of it.
pub(super) fn expectations(s: &Summary) -> String {
    let rows: Vec<Vec<String>> = s
        .expectations
        .iter()
        .map(|e| {
            let class = match e.state {
                State::Holds => "good",
                State::Fails => "bad",
                State::Undecided => "unsure",
            };
            let detail: Vec<String> = e.detail.iter().map(|d| code(d)).collect();
            vec![
                format!("<code>{}</code>", escape(&e.text)),
                format!("<span class=\"mark {class}\">{}</span>", e.state.word()),
                detail.join("<br>"),
            ]
        })
        .collect();
    if rows.is_empty() {
        String::new()
    } else {
        html_table(&[("expectation", ""), ("", ""), ("where", "")], &[0, 1, 2], &rows)
    }
}

/// The ledger of each point.
pub(super) fn ledger(s: &Summary) -> String {
    let rows: Vec<Vec<String>> = s
        .points
        .iter()
        .filter(|p| p.valid > 0)
        .map(|p| {
            let l = &p.ledger;
            let mut row = vec![escape(&s.name(p))];
            row.extend(l.stages().map(|(_, _, packets)| count(packets)));
            row.push(if p.closes {
                "<span class=\"mark good\">closes</span>".into()
            } else {
                format!("<span class=\"mark bad\">open by {}</span>", l.open())
            });
            row
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let stages = Ledger::default().stages();
    let names: Vec<String> = (stages.iter().enumerate())
        .map(|(i, (name, ..))| match i {
            0 => (*name).into(),
            i if i + 1 == stages.len() => format!("= {name}"),
            _ => format!("− {name}"),
        })
        .collect();
    let mut head = vec![("point", "")];
    head.extend(names.iter().map(String::as_str).zip(stages.map(|(_, what, _)| what)));
    head.push(("", ""));
    let note = "<p class=\"note\">Packets, summed over the valid trials of a point. It closes when every packet of every \
                trial is somewhere.</p>\n";
    html_table(&head, &[0, head.len() - 1], &rows) + note
}

/// Expected and counted packets of every class, a point behind each click.
pub(super) fn classes(s: &Summary) -> String {
    s.points.iter().filter(|p| !p.classes.is_empty()).map(|p| point_classes(s, p)).collect()
}

fn point_classes(s: &Summary, p: &Point) -> String {
    let off = |c: &&ClassLine| c.missing + c.surplus > 0;
    let wrong = p.classes.iter().filter(off).count();
    let classes = |n: usize| if n == 1 { "1 class".to_owned() } else { format!("{n} classes") };
    let mark = match wrong {
        0 => "<span class=\"mark good\">all as expected</span>".to_owned(),
        n => format!("<span class=\"mark bad\">{} off</span>", classes(n)),
    };
    let shown: Vec<&ClassLine> = if p.classes.len() > CLASSES {
        p.classes.iter().filter(off).take(CLASSES).collect()
    } else {
        p.classes.iter().collect()
    };
    let rows: Vec<Vec<String>> = shown
        .iter()
        .map(|c| {
            vec![
                escape(&c.class),
                count(c.sent),
                count(c.filtered),
                count(c.sent.saturating_sub(c.filtered)),
                count(c.counted),
                if c.missing == 0 { "0".into() } else { format!("<b>{}</b>", count(c.missing)) },
                if c.surplus == 0 { "0".into() } else { format!("<b>{}</b>", count(c.surplus)) },
            ]
        })
        .collect();
    let head = [
        ("class", ""),
        ("sent", ""),
        ("filtered", ""),
        ("expected", ""),
        ("counted", ""),
        ("missing", ""),
        ("too many", ""),
    ];
    let hidden = p.classes.len() - shown.len();
    let rest = if hidden > 0 {
        format!("<p class=\"note\">{hidden} more classes are not listed.</p>")
    } else {
        String::new()
    };
    format!(
        "<details><summary>{}: {} {mark}</summary>\n{}{rest}</details>\n",
        escape(&s.name(p)),
        classes(p.classes.len()),
        html_table(&head, &[0], &rows)
    )
}

/// Trials that enter nothing, with the reasons.
pub(super) fn invalid(s: &Summary) -> String {
    let rows: Vec<Vec<String>> = s
        .invalid
        .iter()
        .map(|i| {
            vec![i.trial.to_string(), escape(&s.name(&s.points[i.point])), escape(&i.reasons.join("; "))]
        })
        .collect();
    if rows.is_empty() {
        String::new()
    } else {
        html_table(&[("trial", ""), ("point", ""), ("why", "")], &[1, 2], &rows)
    }
}

/// Times of the meter's elements, where they were asked for: of each point, the median trial's.
pub(super) fn elements(s: &Summary) -> String {
    let mut rows = Vec::new();
    for p in &s.points {
        let mut trials: Vec<_> =
            s.results().filter(|t| t.point == p.number && !t.elements.is_empty()).collect();
        trials.sort_by_key(|t| t.cpu.total);
        let Some(t) = trials.get(trials.len() / 2) else { continue };
        rows.extend(t.elements.iter().map(|e| {
            let mut row = vec![escape(&s.name(p)), escape(&e.name), count(e.count), number(e.mean)];
            row.extend([e.p50, e.p90, e.p99, e.p999, e.max].map(count));
            row.push(number(e.timer));
            row
        }));
    }
    if rows.is_empty() {
        return String::new();
    }
    let head = [
        ("point", ""),
        ("element", ""),
        ("times", ""),
        ("mean", "ns"),
        ("50 %", "ns"),
        ("90 %", "ns"),
        ("99 %", "ns"),
        ("99.9 %", "ns"),
        ("largest", "ns"),
        ("timer", "ns, taken off"),
    ];
    let note = "<p class=\"note\">Of the trial with the middle CPU time of each point. The timers' own cost is taken off these \
                times but is part of the CPU times above.</p>\n";
    html_table(&head, &[0, 1], &rows) + note
}
