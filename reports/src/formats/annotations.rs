//! Workflow commands of GitHub Actions: what must be seen beside a change, an annotation each.
//!
//! Expectations that do not hold are errors; points without enough valid trials and a run that is not complete are
//! warnings; what was skipped is a notice.

use super::{Document, Format};
use crate::summary::{State, Summary};
use crate::text;
use std::io::{self, Write};

/// `::error title=…::message`, a line each.
pub(super) struct Annotations;

impl Format for Annotations {
    fn name(&self) -> &'static str {
        "annotations"
    }

    fn about(&self) -> &'static str {
        "workflow commands of GitHub Actions: failed expectations, invalid points, skips"
    }

    fn is_written(&self) -> bool {
        false
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("annotations.txt", move |out| render(summary, out))]
    }
}

fn render(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let mut say = |level: &str, what: &str, message: &str| {
        let title = property(&format!("{}: {what}", s.title()));
        let file = match s.run.scenario.is_empty() {
            true => String::new(),
            false => format!("file={},", property(&s.run.scenario)),
        };
        writeln!(out, "::{level} {file}title={title}::{}", data(message))
    };
    for e in &s.expectations {
        match e.state {
            State::Holds => {}
            State::Fails => say("error", &format!("{} does not hold", e.text), &e.detail.join("\n"))?,
            State::Undecided => say("warning", &format!("{} is undecided", e.text), &e.detail.join("\n"))?,
        }
    }
    for (i, point) in s.points.iter().enumerate().filter(|(_, p)| !p.usable()) {
        let what =
            format!("{}: {} of {} valid", s.name(point), point.valid, text::plural(point.trials, "trial"));
        let reasons: Vec<String> =
            s.invalid.iter().filter(|v| v.point == i).map(|v| v.reasons.join("; ")).collect();
        say("warning", &what, &reasons.join("\n"))?;
    }
    if !s.complete {
        say("warning", "the run is not complete", "`csnbench run --resume` goes on with it")?;
    }
    for skip in &s.skipped {
        say("notice", &format!("{} was skipped", skip.what), &format!("{}; {}", skip.reason, skip.cure))?;
    }
    Ok(())
}

/// A message, escaped as the runner unescapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Run, Skip};
    use crate::store::{Ended, Stored};

    #[test]
    fn a_text_can_neither_end_a_command_nor_start_another() {
        let skipped =
            vec![Skip { what: "a,b: 5%\n::error::x".into(), reason: "no".into(), cure: "do".into() }];
        let run = Run { title: "t".into(), scenario: "s.csn".into(), ..Run::default() };
        let stored = Stored { run, end: Some(Ended { time: 0.0, skipped }), ..Stored::default() };
        let mut out = Vec::new();
        render(&Summary::of(&stored), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::notice file=s.csn,title=t%3A a%2Cb%3A 5%25%0A%3A%3Aerror%3A%3Ax was skipped::no; do\n"
        );
    }
}
