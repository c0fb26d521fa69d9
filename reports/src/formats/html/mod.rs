//! One page that holds everything: figures, tables, conditions and the scenario itself.
//!
//! The page needs nothing beside it and asks no network: styles, a few lines of script and the figures (as SVG) are
//! part of it. It follows the reader's light or dark scheme and prints in black on white.

mod conditions;
mod flow;
mod results;
mod trials;

use super::{Document, Format};
use crate::plot;
use crate::summary::{Summary, Verdict};
use crate::text::{self, escape};
use std::io;

/// A self-contained HTML page.
pub(super) struct Html;

impl Format for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn about(&self) -> &'static str {
        "one self-contained page with figures, tables, ledger, conditions and scenario"
    }

    fn documents<'a>(&self, summary: &'a Summary) -> Vec<Document<'a>> {
        vec![Document::new("report.html", move |out| out.write_all(page(summary)?.as_bytes()))]
    }
}

fn page(s: &Summary) -> io::Result<String> {
    let mut html = header(s);
    html += &section("Before believing a number", &list(&s.limits));
    html += &figures(s)?;
    html += &section("What the numbers say", &list(&s.findings));
    html += &section("Results", &results::tables(s));
    html += &section("Fits", &results::fits(s));
    html += &section("What was expected", &results::expectations(s));
    html += &section("Where the packets went", &(flow::flows(s) + &results::ledger(s)));
    html += &section("Classes", &results::classes(s));
    html += &section("Trials that are no results", &results::invalid(s));
    html += &section("Trial by trial", &trials::trials(s));
    html += &section("Not run", &conditions::skipped(s));
    html += &section("Elements of the meter", &results::elements(s));
    html += &section("Meters", &list(&super::meters::lines(s)));
    html += &section("Machine and lab", &conditions::machine(s));
    html += &section("Scenario", &conditions::scenario(s));
    Ok(page_of(s.title(), &html))
}

/// A page with its styles and its script around a body that is HTML already; the title is text.
pub(crate) fn page_of(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{} · csnbench</title>\n<style>\n{}{}</style>\n</head>\n<body>\n<main>\n{body}</main>\n\
         <script>\n{}</script>\n</body>\n</html>\n",
        escape(title),
        include_str!("page.css"),
        dark_figures(),
        include_str!("page.js")
    )
}

/// Title, verdict, key numbers.
fn header(s: &Summary) -> String {
    let class = match s.verdict {
        Verdict::Holds => "good",
        Verdict::ExpectationFails => "bad",
        Verdict::Invalid | Verdict::Nothing => "unsure",
    };
    let mut under: Vec<String> = Vec::new();
    under.extend(s.run.reproduces.as_ref().map(|r| format!("reproduces {}", escape(r))));
    under.extend((s.run.time > 0.0).then(|| text::time(s.run.time)));
    under.extend((!s.run.scenario.is_empty()).then(|| format!("<code>{}</code>", escape(&s.run.scenario))));
    let numbers: String = results::key_numbers(s)
        .iter()
        .map(|(value, what)| format!("<div><b>{}</b><span>{}</span></div>\n", escape(value), escape(what)))
        .collect();
    format!(
        "<header>\n<h1>{}</h1>\n<p class=\"under\">{}</p>\n<p class=\"verdict {class}\"><strong>{}</strong> {}</p>\n\
         <div class=\"numbers\">\n{numbers}</div>\n</header>\n",
        escape(s.title()),
        under.join(" · "),
        s.verdict.word(),
        code(&s.because)
    )
}

/// The figures, the first ones large, the rest behind a click when there are many.
fn figures(s: &Summary) -> io::Result<String> {
    let mut html = String::new();
    for (i, figure) in plot::figures(s).iter().enumerate() {
        let svg = plot::svg(figure)?;
        if i < 3 {
            html += &format!("<figure>\n{svg}</figure>\n");
        } else {
            let name = escape(&figure.title);
            html += &format!(
                "<details class=\"figure\"><summary>{name}</summary>\n<figure>\n{svg}</figure></details>\n"
            );
        }
    }
    Ok(html)
}

/// Rules that recolour the figures in the dark: ink, grid and ground change places, curves grow lighter.
fn dark_figures() -> String {
    let hex = |c: plotters::style::RGBColor| format!("#{:02X}{:02X}{:02X}", c.0, c.1, c.2);
    let lighter = |c: plotters::style::RGBColor| {
        let mix = |v: u8| (f64::from(v) * 0.62 + 255.0 * 0.38) as u8;
        plotters::style::RGBColor(mix(c.0), mix(c.1), mix(c.2))
    };
    let mut pairs = vec![
        (hex(plot::PAPER), "var(--card)".to_owned()),
        (hex(plot::INK), "var(--ink)".to_owned()),
        (hex(plot::MUTED), "var(--muted)".to_owned()),
        (hex(plot::GRID), "var(--line)".to_owned()),
    ];
    pairs.extend(plot::SERIES.map(|c| (hex(c), hex(lighter(c)))));
    let rules: String = pairs
        .iter()
        .map(|(from, to)| {
            format!("figure [fill=\"{from}\"]{{fill:{to}}} figure [stroke=\"{from}\"]{{stroke:{to}}}\n")
        })
        .collect();
    format!("@media screen and (prefers-color-scheme: dark) {{\n{rules}}}\n")
}

/// A section, where there is something in it.
fn section(title: &str, body: &str) -> String {
    if body.is_empty() { String::new() } else { format!("<section>\n<h2>{title}</h2>\n{body}</section>\n") }
}

/// A list of sentences.
fn list(items: &[String]) -> String {
    if items.is_empty() {
        return String::new();
    }
    let items: String = items.iter().map(|i| format!("<li>{}</li>\n", code(i))).collect();
    format!("<ul>\n{items}</ul>\n")
}

/// Text with `code` between backticks, escaped.
fn code(text: &str) -> String {
    escape(text)
        .split('`')
        .enumerate()
        .map(|(i, part)| if i % 2 == 1 { format!("<code>{part}</code>") } else { part.to_owned() })
        .collect()
}

/// A table. Cells are HTML already; `text` columns stand left.
pub(crate) fn table(head: &[(&str, &str)], text: &[usize], rows: &[Vec<String>]) -> String {
    let class = |i: usize| if text.contains(&i) { " class=\"text\"" } else { "" };
    let heads: String = head
        .iter()
        .enumerate()
        .map(|(i, (title, unit))| {
            let unit =
                if unit.is_empty() { String::new() } else { format!("<small>{}</small>", escape(unit)) };
            format!("<th{} scope=\"col\">{}{unit}</th>", class(i), escape(title))
        })
        .collect();
    let rows: String = rows
        .iter()
        .map(|row| {
            let cells: String =
                row.iter().enumerate().map(|(i, c)| format!("<td{}>{c}</td>", class(i))).collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

/// Names with values, where there is a value.
fn facts(pairs: &[(&str, String)]) -> String {
    let inside: String = pairs
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)))
        .collect();
    if inside.is_empty() { inside } else { format!("<dl>\n{inside}</dl>\n") }
}
