//! Rule files of RTFM meters (NeTraMet).

use super::builder::lines;
use super::{Builder, Import, Imported, paths};
use crate::diagnostic::{FileId, Span};
use crate::rtfm::Program;

/// The import `rtfm`.
pub struct Rtfm;

impl Import for Rtfm {
    fn name(&self) -> &'static str {
        "rtfm"
    }

    fn summary(&self) -> &'static str {
        "rule files of RTFM meters (NeTraMet)"
    }

    fn example(&self) -> &'static str {
        include_str!("examples/example.rtfm")
    }

    fn parse(&self, text: &str) -> Imported {
        let mut out = Builder::default();
        if text.trim().is_empty() {
            return out.finish();
        }
        match Program::parse(text) {
            Ok(program) => paths::rules(&program, &places(text), out),
            Err(errors) => {
                let lines: Vec<Span> = lines(text).map(|(span, _)| span).collect();
                for e in errors {
                    let span = lines.get(e.line.saturating_sub(1)).copied().unwrap_or_default();
                    out.malformed(span, e.message, "a rule is `attribute & mask = value: opcode, target;`");
                }
                out.finish()
            }
        }
    }
}

/// The places of the rules of a rule file that was read without errors.
fn places(text: &str) -> Vec<Span> {
    let mut out = Vec::new();
    let mut begun = false;
    let mut start = None;
    for (line, content) in lines(text) {
        let code = content.split('#').next().unwrap_or("");
        for (at, word) in words(code) {
            let here = line.start as usize + at;
            if !begun {
                begun = word.eq_ignore_ascii_case("rules");
                continue;
            }
            let first = *start.get_or_insert(here);
            let keyword = ["format", "statistics", "set"].iter().any(|k| word.eq_ignore_ascii_case(k));
            if first == here && keyword {
                return out;
            }
            let label = first == here && word.ends_with(':');
            if label {
                start = None;
            } else if word.ends_with(';') {
                let end = here + word.len();
                out.push(Span { file: FileId(0), start: first as u32, end: end as u32 });
                start = None;
            }
        }
    }
    out
}

/// Words with their places; what stands behind a semicolon or a label's colon is a word of its own.
fn words(code: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut from = None;
    for (i, c) in code.char_indices() {
        if c.is_whitespace() {
            out.extend(from.take().map(|f| (f, &code[f..i])));
        } else {
            from.get_or_insert(i);
            if c == ';' {
                out.extend(from.take().map(|f| (f, &code[f..=i])));
            }
        }
    }
    out.extend(from.map(|f| (f, &code[f..])));
    out
}

#[cfg(test)]
mod tests;
