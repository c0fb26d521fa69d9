//! JUnit XML, for CI servers: a test case per point and one per expectation.
//!
//! A point with too few valid trials is an *error* (the measurement broke), an expectation that does not hold a
//! *failure* (the meter did), and what was not run *skipped*.

use super::{Document, Format};
use crate::summary::{Metric, Point, State, Summary};
use crate::text::{self, escape, plural};
use std::io::{self, Write};

/// JUnit XML in the dialect that Jenkins, GitLab and others read.
pub(super) struct Junit;

impl Format for Junit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn about(&self) -> &'static str {
        "a test case per point and per expectation, for CI servers"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("junit.xml", move |out| render(summary, out))]
    }
}

/// A test case: its name, seconds, and what is inside.
struct Case {
    name: String,
    seconds: f64,
    inside: String,
    kind: Kind,
}

#[derive(PartialEq)]
enum Kind {
    Passed,
    Failure,
    Error,
    Skipped,
}

fn render(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<testsuites name=\"{}\">", escape(s.title()))?;
    let mut points: Vec<Case> = s.points.iter().map(|p| point(s, p)).collect();
    points.extend(s.skipped.iter().map(|k| Case {
        name: k.what.clone(),
        seconds: 0.0,
        inside: format!("<skipped message=\"{}\"/>", escape(&format!("{}; {}", k.reason, k.cure))),
        kind: Kind::Skipped,
    }));
    suite(s, "points", &points, out)?;
    suite(s, "expectations", &s.expectations.iter().map(expectation).collect::<Vec<_>>(), out)?;
    writeln!(out, "</testsuites>")
}

fn suite(s: &Summary, name: &str, cases: &[Case], out: &mut dyn Write) -> io::Result<()> {
    let of = |kind: Kind| cases.iter().filter(|c| c.kind == kind).count();
    writeln!(
        out,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\">",
        cases.len(),
        of(Kind::Failure),
        of(Kind::Error),
        of(Kind::Skipped),
        cases.iter().map(|c| c.seconds).sum::<f64>()
    )?;
    let class = escape(if s.run.scenario.is_empty() { s.title() } else { &s.run.scenario });
    for case in cases {
        writeln!(
            out,
            "    <testcase classname=\"{class}\" name=\"{}\" time=\"{:.3}\">{}</testcase>",
            escape(&case.name),
            case.seconds,
            case.inside
        )?;
    }
    writeln!(out, "  </testsuite>")
}

fn point(s: &Summary, p: &Point) -> Case {
    let seconds = s.trials.iter().filter(|t| t.point == p.number).map(|t| t.offered.seconds).sum();
    let shown = [
        Metric::UserNs,
        Metric::SystemNs,
        Metric::TotalNs,
        Metric::TotalShare,
        Metric::Loss,
        Metric::Misclassified,
    ];
    let values: Vec<String> = shown
        .into_iter()
        .filter_map(|m| {
            Some(format!(
                "{}: {} {}",
                m.title(),
                text::interval(p.get(m)?, m.unit().scale()),
                m.unit().sign()
            ))
        })
        .collect();
    let measured = format!("<system-out>{}</system-out>", escape(&values.join("\n")));
    let valid = format!("{} of {} valid", p.valid, plural(p.trials, "trial"));
    let (inside, kind) = if p.usable() {
        (measured, Kind::Passed)
    } else {
        let reasons: Vec<String> = s
            .invalid
            .iter()
            .filter(|i| s.points[i.point].number == p.number)
            .map(|i| format!("trial {}: {}", i.trial, i.reasons.join("; ")))
            .collect();
        let error = format!("<error message=\"{}\">{}</error>", escape(&valid), escape(&reasons.join("\n")));
        (error + &measured, Kind::Error)
    };
    Case { name: s.name(p), seconds, inside, kind }
}

fn expectation(e: &crate::summary::Checked) -> Case {
    let (first, all) = (e.detail.first().map_or("", String::as_str), e.detail.join("\n"));
    let (inside, kind) = match e.state {
        State::Holds => (String::new(), Kind::Passed),
        State::Fails => {
            (format!("<failure message=\"{}\">{}</failure>", escape(first), escape(&all)), Kind::Failure)
        }
        State::Undecided => (format!("<error message=\"{}\"/>", escape(first)), Kind::Error),
    };
    Case { name: e.text.clone(), seconds: 0.0, inside, kind }
}
