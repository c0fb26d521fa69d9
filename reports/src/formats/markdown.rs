//! The run in Markdown, for pull requests and step summaries: tables as GitHub reads them.

use super::table::{Columns, Table};
use super::{Document, Format};
use crate::plot;
use crate::record::Ledger;
use crate::summary::{Against, Point, Summary};
use crate::text::{self, count, number};
use std::io::{self, Write};

/// GitHub-flavoured Markdown.
pub(super) struct Markdown;

impl Format for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn about(&self) -> &'static str {
        "verdict, figures and tables as GitHub-flavoured Markdown"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("summary.md", move |out| render(summary, out))]
    }
}

fn render(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let figure = s.run.reproduces.as_ref().map_or(String::new(), |f| format!(" ({f})"));
    writeln!(out, "# {}\n", plain(&format!("{}{figure}", s.title())))?;
    writeln!(out, "**{}**: {}", s.verdict.word(), sentence(&s.because))?;
    list("Before believing a number", &s.limits, out)?;
    for figure in plot::figures(s) {
        writeln!(out, "\n![{}: {}]({}.svg)", plain(&figure.title), plain(&figure.values), figure.name)?;
    }
    list("What the numbers say", &s.findings, out)?;
    results(s, out)?;
    expectations(s, out)?;
    fits(s, out)?;
    ledger(s, out)?;
    invalid(s, out)?;
    list("Meters", &super::meters::lines(s), out)?;
    conditions(s, out)
}

fn list(title: &str, items: &[String], out: &mut dyn Write) -> io::Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## {title}\n")?;
    items.iter().try_for_each(|item| writeln!(out, "- {}", sentence(item)))
}

fn results(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if s.points.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Results\n\nMedians with intervals over the valid trials.")?;
    let several = s.axis.is_some() && s.series.len() > 1;
    let groups: Vec<Vec<&Point>> = if several {
        s.series.iter().map(|series| series.points.iter().map(|&p| &s.points[p]).collect()).collect()
    } else {
        vec![s.points.iter().collect()]
    };
    for (i, points) in groups.iter().enumerate() {
        if several {
            writeln!(out, "\n### {}", plain(&s.series[i].label))?;
        }
        for columns in [Columns::Results, Columns::Beside] {
            writeln!(out)?;
            let t = Table::of(s, points, columns);
            let head: Vec<String> = t
                .head
                .iter()
                .map(
                    |c| if c.unit.is_empty() { c.title.clone() } else { format!("{} ({})", c.title, c.unit) },
                )
                .collect();
            let text: Vec<bool> = t.head.iter().map(|c| c.text).collect();
            table(&head, &text, &t.rows, out)?;
        }
    }
    Ok(())
}

fn expectations(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if s.expectations.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## What was expected\n")?;
    for e in &s.expectations {
        writeln!(out, "- `{}`: {}", e.text.replace('`', "'"), e.state.word())?;
        for d in &e.detail {
            writeln!(out, "  - {}", sentence(d))?;
        }
    }
    Ok(())
}

fn fits(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    if s.fits.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Fits\n\nLines a + b·x through the medians, in ns/packet.\n")?;
    let rows: Vec<Vec<String>> = s
        .fits
        .iter()
        .map(|f| {
            let against = match &f.against {
                Against::Comparisons => "expected comparisons",
                Against::Axis(name) => name,
            };
            let slope = f.slope.map_or_else(
                || number(f.line.b),
                |(low, high)| format!("{} [{}, {}]", number(f.line.b), number(low), number(high)),
            );
            let r2 = text::r_squared(f.line.r2);
            let what = format!("{} against {against}", f.metric.title());
            vec![
                s.series[f.series].label.clone(),
                what,
                number(f.line.a),
                slope,
                r2.trim_start_matches("= ").into(),
            ]
        })
        .collect();
    let head = ["series", "what", "a", "b", "R²"].map(String::from);
    table(&head, &[true, true, false, false, false], &rows, out)
}

fn ledger(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<Vec<String>> = s
        .points
        .iter()
        .filter(|p| p.valid > 0)
        .map(|p| {
            let l = &p.ledger;
            let mut row = vec![s.name(p)];
            row.extend(l.stages().map(|(_, _, packets)| count(packets)));
            row.push(if p.closes { "yes".into() } else { format!("open by {}", l.open()) });
            row
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n## Where the packets went\n\nSums over the valid trials.\n")?;
    let stages = Ledger::default().stages().map(|(name, ..)| name);
    let head: Vec<String> =
        ["point"].iter().chain(&stages).chain(&["closes"]).map(|s| s.to_string()).collect();
    let text: Vec<bool> = (0..head.len()).map(|i| i == 0).collect();
    table(&head, &text, &rows, out)
}

fn invalid(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    let items: Vec<String> = s
        .invalid
        .iter()
        .map(|i| format!("trial {} ({}): {}", i.trial, s.name(&s.points[i.point]), i.reasons.join("; ")))
        .collect();
    list("Trials that are no results", &items, out)?;
    let items: Vec<String> =
        s.skipped.iter().map(|k| format!("{}: {}; `{}`", k.what, k.reason, k.cure)).collect();
    list("Not run", &items, out)
}

fn conditions(s: &Summary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n## Conditions\n")?;
    let h = &s.run.host;
    let cpu = match (&h.virtualised, h.cpu.is_empty()) {
        (_, true) => String::new(),
        (Some(v), _) => format!("{} × {}, {v}", h.cpus, h.cpu),
        (None, _) => format!("{} × {}", h.cpus, h.cpu),
    };
    let pairs = [
        ("started", text::time(s.run.time)),
        ("csnbench", s.run.tool.clone()),
        ("seed", s.run.seed.to_string()),
        ("rules", format!("{} {}", s.run.rules, s.run.rules_hash).trim().to_owned()),
        ("host", cpu),
        ("kernel", h.kernel.clone()),
        ("lab", s.run.lab.kind.clone()),
    ];
    for (name, value) in pairs.iter().filter(|(_, v)| !v.is_empty()) {
        writeln!(out, "- {name}: {}", plain(value))?;
    }
    if !s.run.command.is_empty() {
        writeln!(out, "\nTo repeat it:\n\n```sh\n{}\n```", s.run.command.replace("```", "'''"))?;
    }
    Ok(())
}

fn table(head: &[String], text: &[bool], rows: &[Vec<String>], out: &mut dyn Write) -> io::Result<()> {
    let line =
        |cells: &[String]| format!("| {} |", cells.iter().map(|c| plain(c)).collect::<Vec<_>>().join(" | "));
    writeln!(out, "{}", line(head))?;
    let rule: Vec<&str> = text.iter().map(|t| if *t { ":--" } else { "--:" }).collect();
    writeln!(out, "|{}|", rule.join("|"))?;
    rows.iter().try_for_each(|row| writeln!(out, "{}", line(row)))
}

/// Text that Markdown takes literally.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '\\' | '|' | '*' | '_' | '`' | '#' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// Text in which only what stands between backticks is markup; backticks that have no partner are none.
fn sentence(text: &str) -> String {
    if text.matches('`').count() % 2 == 1 {
        return plain(text);
    }
    text.split('`')
        .enumerate()
        .map(|(i, part)| if i % 2 == 1 { format!("`{part}`") } else { plain(part) })
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn text_is_no_markup() {
        assert_eq!(super::plain("a|b_c <x>"), "a\\|b\\_c &lt;x>");
        assert_eq!(super::sentence("`loss = 0` *fails*"), "`loss = 0` \\*fails\\*");
    }
}
