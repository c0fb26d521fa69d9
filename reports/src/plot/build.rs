//! Which figures a run gives.

use super::{Body, Curve, Figure, Mark};
use crate::stats::Line;
use crate::summary::{Metric, Point, Summary, Unit};
use crate::text;

/// The paper's three curves with their metrics, in percent of one core and in nanoseconds per packet.
const PARTS: [(&str, Metric, Metric); 3] = [
    ("user", Metric::UserShare, Metric::UserNs),
    ("system", Metric::SystemShare, Metric::SystemNs),
    ("total", Metric::TotalShare, Metric::TotalNs),
];
/// How much of the variance the theoretical curve must explain to be drawn.
const WORTH_DRAWING: f64 = 0.5;

/// More curves than these are shown without their single trials.
const CROWDED: usize = 4;
/// What the caption says of single trials.
const TRIALS: &str = ", single trials faint beside them";

/// The figures of a run, the most important first; none where no trial is valid.
pub fn figures(summary: &Summary) -> Vec<Figure> {
    if summary.valid() == 0 {
        return Vec::new();
    }
    if summary.axis.is_none() {
        return vec![rows(summary, true), rows(summary, false)];
    }
    let mut figures = Vec::new();
    if summary.series.len() == 1 {
        figures.push(parts(summary, 0, true, "cpu".into()));
        figures.push(parts(summary, 0, false, "cpu-per-packet".into()));
    } else {
        figures.push(together(summary, "cpu", Metric::TotalShare, "CPU, % of one core"));
        figures.push(together(summary, "cpu-per-packet", Metric::TotalNs, "CPU time, ns per packet"));
        for i in 0..summary.series.len() {
            figures.push(parts(summary, i, true, format!("cpu-{}", slug(summary, i))));
        }
    }
    let any =
        |m: Metric| summary.points.iter().filter_map(|p| p.get(m)).any(|e| e.values.iter().any(|v| *v > 0.0));
    if any(Metric::Loss) {
        figures.push(together(summary, "loss", Metric::Loss, "packets lost, % of those offered"));
    }
    figures
}

/// User, system and total of one curve, with the theoretical one.
fn parts(s: &Summary, series: usize, share: bool, name: String) -> Figure {
    let pick = |part: &(&'static str, Metric, Metric)| (part.0, if share { part.1 } else { part.2 });
    let mut curves: Vec<Curve> = PARTS
        .iter()
        .map(pick)
        .enumerate()
        .map(|(i, (label, m))| curve(s, series, m, label.into(), i))
        .collect();
    let mut caption = caption(s);
    if let Some((model, text)) = theoretical(s, series, pick(&PARTS[0]).1) {
        curves.push(model);
        caption = format!("{caption} {text}");
    }
    // Figures of one run that stand side by side share their scale.
    let reach = Metric::TotalShare.unit().scale() * reach(s, Metric::TotalShare);
    let values = if share { "CPU, % of one core" } else { "CPU time, ns per packet" };
    let mut figure = figure(s, name, values, curves, caption, if share { reach } else { 0.0 });
    if s.series.len() > 1 {
        figure.title = format!("{}: {}", figure.title, s.series[series].label);
    }
    figure
}

/// One metric of all curves.
fn together(s: &Summary, name: &str, metric: Metric, values: &str) -> Figure {
    let mut curves: Vec<Curve> =
        (0..s.series.len()).map(|i| curve(s, i, metric, s.series[i].label.clone(), i)).collect();
    let mut caption = caption(s);
    if curves.len() > CROWDED {
        curves.iter_mut().flat_map(|c| &mut c.marks).for_each(|m| m.trials.clear());
        caption = caption.replace(TRIALS, "");
    }
    figure(s, name.into(), values, curves, caption, 0.0)
}

/// User, system and total of points that have no order.
fn rows(s: &Summary, share: bool) -> Figure {
    let points: Vec<&Point> = s.points.iter().filter(|p| p.valid > 0).collect();
    let curves = PARTS
        .iter()
        .enumerate()
        .map(|(i, (label, percent, nanos))| {
            let m = if share { *percent } else { *nanos };
            let marks =
                points.iter().enumerate().filter_map(|(row, p)| mark(s, p, m, row as f64, label)).collect();
            Curve { label: (*label).into(), colour: i, model: false, marks }
        })
        .collect();
    Figure {
        name: if share { "cpu" } else { "cpu-per-packet" }.into(),
        title: s.title().into(),
        subtitle: conditions(s),
        caption: caption(s),
        values: if share { "CPU, % of one core" } else { "CPU time, ns per packet" }.into(),
        body: Body::Rows { rows: points.iter().map(|p| s.series[p.series].label.clone()).collect(), curves },
    }
}

fn figure(
    s: &Summary,
    name: String,
    values: &str,
    curves: Vec<Curve>,
    caption: String,
    reach: f64,
) -> Figure {
    let (x, ticks) = s.axis.as_ref().map_or_else(
        || (String::new(), Vec::new()),
        |axis| {
            let mut xs: Vec<f64> = s.points.iter().filter_map(|p| p.x).collect();
            xs.sort_by(f64::total_cmp);
            xs.dedup();
            (axis.title.clone(), xs.into_iter().map(|x| (x, axis.tick(x))).collect())
        },
    );
    let title = match &s.run.reproduces {
        Some(figure) => format!("{} ({figure})", s.title()),
        None => s.title().into(),
    };
    let body = Body::Curves { x, ticks, curves, reach };
    Figure { name, title, subtitle: conditions(s), caption, values: values.into(), body }
}

fn curve(s: &Summary, series: usize, metric: Metric, label: String, colour: usize) -> Curve {
    let points = s.series[series].points.iter().map(|&p| &s.points[p]);
    let mut marks: Vec<Mark> = points.filter_map(|p| mark(s, p, metric, p.x?, &label)).collect();
    marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    Curve { label, colour, model: false, marks }
}

fn mark(s: &Summary, point: &Point, metric: Metric, x: f64, label: &str) -> Option<Mark> {
    let e = point.get(metric)?;
    let scale = metric.unit().scale();
    let hover = format!(
        "{}\n{label}: {} {}\n{} of {} trials valid",
        s.name(point),
        text::interval(e, scale),
        metric.unit().sign(),
        point.valid,
        point.trials
    );
    Some(Mark {
        x,
        y: e.median * scale,
        interval: (e.coverage > 0.0).then_some((e.low * scale, e.high * scale)),
        trials: e.values.iter().map(|v| v * scale).collect(),
        hover,
    })
}

/// The paper's "theoretical" curve: a line in the expected comparisons, fitted to the medians of user time.
fn theoretical(s: &Summary, series: usize, metric: Metric) -> Option<(Curve, String)> {
    let scale = metric.unit().scale();
    let mut points: Vec<(&Point, f64)> =
        s.series[series].points.iter().map(|&p| &s.points[p]).filter_map(|p| Some((p, p.x?))).collect();
    points.sort_by(|a, b| a.1.total_cmp(&b.1));
    let fitted: Vec<(f64, f64)> = points
        .iter()
        .filter(|(p, _)| !p.overloaded())
        .filter_map(|(p, _)| Some((p.comparisons, p.median(metric)? * scale)))
        .collect();
    let line = Line::fit(&fitted).filter(|l| l.r2 > WORTH_DRAWING)?;
    let marks =
        points.iter().map(|p| Mark { x: p.1, y: line.at(p.0.comparisons), ..Mark::default() }).collect();
    let unit = if metric.unit() == Unit::Share { "%" } else { "ns" };
    let sign = if line.a < 0.0 { "−" } else { "" };
    let text = format!(
        "Dashed: {sign}{} {unit} + {} {unit} × expected comparisons, fitted to user{}; R² {}.",
        text::number(line.a.abs()),
        text::number(line.b),
        if fitted.len() < points.len() { " where the meter is not overloaded" } else { "" },
        text::r_squared(line.r2)
    );
    Some((Curve { label: "theoretical".into(), colour: 0, model: true, marks }, text))
}

fn reach(s: &Summary, metric: Metric) -> f64 {
    s.points.iter().filter_map(|p| p.get(metric)).flat_map(|e| e.values.iter().copied()).fold(0.0, f64::max)
}

/// Rate, packets, repetitions, seed and machine, as far as they are the same everywhere.
fn conditions(s: &Summary) -> String {
    let varies = |axis: &str| s.run.axes.iter().any(|(name, values)| name == axis && values.len() > 1);
    let mut parts = Vec::new();
    if let Some(t) = s.results().next() {
        if !varies("rate") {
            let rate =
                t.offered.intended_pps.map_or("as fast as can be".into(), |r| text::prefixed(r, "pps"));
            parts.push(format!("{rate}, {} packets a trial", text::count(t.offered.planned)));
        } else {
            parts.push(format!("{} s a trial", text::number(t.offered.seconds)));
        }
        if s.series.len() == 1 && s.axis.is_some() {
            parts.push(format!("{} {}", t.meter, t.meter_version).trim_end().to_owned());
        }
    }
    parts.push(format!("seed {}", s.run.seed));
    let host = &s.run.host;
    let virtualised = host.virtualised.as_ref().map_or(String::new(), |v| format!(", {v}"));
    if !host.cpu.is_empty() {
        parts.push(format!("{} of {}{virtualised}", text::plural(host.cpus as usize, "CPU"), host.cpu));
    }
    if !host.kernel.is_empty() {
        parts.push(format!("kernel {}", host.kernel));
    }
    parts.join(" · ")
}

/// How to read the points.
fn caption(s: &Summary) -> String {
    let valid = || s.points.iter().map(|p| p.valid).filter(|v| *v > 0);
    let (least, most) = (valid().min().unwrap_or(0), valid().max().unwrap_or(0));
    if most == 1 {
        return "One trial a point.".into();
    }
    let trials = if least == most { format!("{most}") } else { format!("{least} to {most}") };
    let coverage =
        s.points.iter().filter_map(|p| p.get(Metric::TotalNs)).map(|e| e.coverage).fold(1.0, f64::min);
    format!(
        "Medians of {trials} valid trials, intervals of at least {} %{TRIALS}.",
        (coverage * 1000.0).floor() / 10.0
    )
}

/// A curve's label as a part of a file name; a number tells apart labels that would become the same.
fn slug(s: &Summary, series: usize) -> String {
    let plain = |label: &str| {
        let kept: String = label
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' })
            .collect();
        kept.split_whitespace().collect::<Vec<_>>().join("-")
    };
    let own = plain(&s.series[series].label);
    let before = s.series[..series].iter().filter(|o| plain(&o.label) == own).count();
    if before == 0 && !own.is_empty() && own != "per-packet" { own } else { format!("{own}-{}", series + 1) }
}
