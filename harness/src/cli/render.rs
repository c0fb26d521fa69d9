//! Diagnostics for people (source underlined), for programs (JSON Lines) and for CI (annotations).

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use csn::{Diagnostic, FileId, Severity, Sources, Span};
use std::fmt::Write as _;
use std::io::IsTerminal as _;

/// How diagnostics are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Style {
    /// With the source underlined, on standard error.
    Text,
    /// One JSON object a line, on standard output.
    Json,
    /// GitHub workflow annotations, on standard output.
    Github,
}

/// Shows diagnostics where their style says.
pub fn show(sources: &Sources, diagnostics: &[Diagnostic], style: Style) {
    for d in diagnostics {
        match style {
            Style::Text => eprintln!("{}\n", text(sources, d, std::io::stderr().is_terminal())),
            Style::Json => println!("{}", json(sources, d)),
            Style::Github => println!("{}", github(sources, d)),
        }
    }
}

/// Lines of the source around a place; rendering the whole of a large file would take its time for each finding.
struct Window<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl<'a> Window<'a> {
    const LINES: usize = 2;

    /// The window that shows all of `spans`, which are of one file.
    fn new(sources: &'a Sources, file: FileId, spans: &[Span]) -> Self {
        let text = sources.text(file);
        let first = spans.iter().map(|s| s.start as usize).min().unwrap_or(0).min(text.len());
        let last = spans.iter().map(|s| s.end as usize).max().unwrap_or(0).min(text.len());
        let start = text[..first].rmatch_indices('\n').nth(Self::LINES).map_or(0, |(i, _)| i + 1);
        let end = text[last..].match_indices('\n').nth(Self::LINES).map_or(text.len(), |(i, _)| last + i);
        Window { text: &text[start..end], start, line: sources.line_column(file, start as u32).0 }
    }

    fn range(&self, span: Span) -> std::ops::Range<usize> {
        let at = |offset: u32| (offset as usize).saturating_sub(self.start).min(self.text.len());
        at(span.start)..at(span.end).max(at(span.start))
    }
}

/// A diagnostic as a compiler prints it.
pub fn text(sources: &Sources, d: &Diagnostic, colour: bool) -> String {
    let level = match d.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Lint => Level::INFO.with_name("lint"),
    };
    // related places far away in the same file get a window of their own
    let near = |s: Span| s.file == d.span.file && (s.start.abs_diff(d.span.start)) < 2_000;
    let mut spans = vec![d.span];
    spans.extend(d.related.iter().map(|l| l.span).filter(|s| near(*s)));
    let window = Window::new(sources, d.span.file, &spans);
    let mut main = Snippet::source(window.text)
        .path(sources.name(d.span.file))
        .line_start(window.line)
        .annotation(AnnotationKind::Primary.span(window.range(d.span)).label(d.reason.as_str()));
    let mut others = Vec::new();
    for label in &d.related {
        if near(label.span) {
            let range = window.range(label.span);
            main = main.annotation(AnnotationKind::Context.span(range).label(label.text.as_str()));
        } else {
            let w = Window::new(sources, label.span.file, &[label.span]);
            let range = w.range(label.span);
            others.push(
                Snippet::source(w.text)
                    .path(sources.name(label.span.file))
                    .line_start(w.line)
                    .annotation(AnnotationKind::Context.span(range).label(label.text.as_str())),
            );
        }
    }
    let mut group = level.primary_title(d.message.as_str()).id(d.code).element(main);
    for other in others {
        group = group.element(other);
    }
    if !d.cure.is_empty() {
        group = group.element(Level::HELP.message(d.cure.as_str()));
    }
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    renderer.decor_style(DecorStyle::Ascii).render(&[group])
}

/// A place as line and column of its start and end, all from 1.
fn place(sources: &Sources, span: Span) -> serde_json::Value {
    let (line, column) = sources.line_column(span.file, span.start);
    let (end_line, end_column) = sources.line_column(span.file, span.end);
    serde_json::json!({
        "file": sources.name(span.file),
        "line": line, "column": column, "end_line": end_line, "end_column": end_column,
    })
}

/// A diagnostic as one line of JSON.
pub fn json(sources: &Sources, d: &Diagnostic) -> String {
    let related: Vec<_> = d
        .related
        .iter()
        .map(|l| serde_json::json!({"place": place(sources, l.span), "text": l.text}))
        .collect();
    serde_json::json!({
        "code": d.code, "severity": d.severity, "place": place(sources, d.span),
        "message": d.message, "reason": d.reason, "cure": d.cure, "related": related,
    })
    .to_string()
}

/// A diagnostic as a workflow command of GitHub.
pub fn github(sources: &Sources, d: &Diagnostic) -> String {
    let kind = match d.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Lint => "notice",
    };
    let data = |s: &str| s.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |s: &str| data(s).replace(':', "%3A").replace(',', "%2C");
    let (line, column) = sources.line_column(d.span.file, d.span.start);
    let (end_line, end_column) = sources.line_column(d.span.file, d.span.end);
    let mut out = String::new();
    let _ = write!(
        out,
        "::{kind} file={},line={line},col={column},endLine={end_line},endColumn={end_column},title={}::{}",
        property(sources.name(d.span.file)),
        property(d.code),
        data(&format!("{}: {}. {}", d.message, d.reason, d.cure)),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> (Sources, Diagnostic) {
        let mut sources = Sources::new();
        let text = "set: class = 1;\naddrule: dstpart = 80;\n";
        let file = sources.add("a,b.csn", text);
        let start = text.find("dstpart").unwrap() as u32;
        let span = Span { file, start, end: start + 7 };
        let d = Diagnostic {
            code: "E010",
            severity: Severity::Error,
            span,
            message: "unknown field `dstpart`".into(),
            reason: "no field has this name".into(),
            cure: "write `dstport`: 100%".into(),
            related: vec![],
        };
        (sources, d)
    }

    #[test]
    fn text_underlines_the_place() {
        let (s, d) = example();
        let shown = text(&s, &d, false);
        assert!(shown.contains("a,b.csn:2:10"), "{shown}");
        assert!(shown.contains("^^^^^^^ no field has this name"), "{shown}");
    }

    #[test]
    fn annotations_escape_what_would_end_them() {
        let (s, d) = example();
        let line = github(&s, &d);
        assert!(
            line.starts_with("::error file=a%2Cb.csn,line=2,col=10,endLine=2,endColumn=17,title=E010::"),
            "{line}"
        );
        assert!(line.ends_with("100%25"), "{line}");
    }

    #[test]
    fn json_has_line_and_column() {
        let (s, d) = example();
        let v: serde_json::Value = serde_json::from_str(&json(&s, &d)).unwrap();
        assert_eq!((v["place"]["line"].as_u64(), v["place"]["column"].as_u64()), (Some(2), Some(10)));
        assert_eq!(v["severity"], "error");
    }
}
