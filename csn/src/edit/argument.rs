//! The rule that a command names by its text.

use super::Refused;
use crate::ast::{Keyword, Statement};
use crate::codes;
use crate::diagnostic::{FileId, Severity, Sources, Span};
use crate::parse;
use crate::report::Report;

/// The items of a rule as the command has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argument<'a> {
    /// What the command calls it.
    pub(super) name: &'a str,
    /// The whole word.
    pub(super) text: &'a str,
    /// Where the items start.
    start: usize,
    end: usize,
}

impl<'a> Argument<'a> {
    /// Reads the items; the statement that they make is as good, `addrule: …;`.
    pub(super) fn read(name: &'a str, text: &'a str) -> Result<Self, Refused> {
        let skipped = text.len() - behind_keyword(text).len();
        let mut sources = Sources::new();
        let file = sources.add(name, text);
        let all = Span { file, start: 0, end: text.len() as u32 };
        let several = Refused::new(
            &sources,
            &codes::EDIT_ARGUMENT,
            all,
            "this is more than one rule",
            "a statement ends within it",
            "give each rule as a word of its own, in quotes",
        );
        if statements(&text[skipped..]).len() > 1 {
            return Err(several);
        }
        let mut report = Report::default();
        let items = parse::list(FileId(0), &text[skipped..], &mut report);
        report.sort();
        let mut found = report.diagnostics;
        found.iter_mut().for_each(|d| {
            let related = d.related.iter_mut().map(|l| &mut l.span);
            std::iter::once(&mut d.span).chain(related).for_each(|s| {
                s.start += skipped as u32;
                s.end += skipped as u32;
            });
        });
        if found.iter().any(|d| d.severity == Severity::Error) {
            return Err(Refused { sources, diagnostics: found });
        }
        let Some((first, last)) = items.first().zip(items.last()) else {
            return Err(Refused::new(
                &sources,
                &codes::NO_ITEM,
                all,
                "this is no rule",
                "there is no test in it",
                "write for example `proto = udp, dstport = 53`; a rule for every packet is `srcip = any`",
            ));
        };
        let (start, end) = (first.span().start as usize + skipped, last.span().end as usize + skipped);
        match statements(&text[start..end]).as_slice() {
            [one] if one.keyword == Keyword::AddRule && one.items.len() == items.len() => {
                Ok(Self { name, text, start, end })
            }
            _ => Err(several),
        }
    }

    /// The items.
    pub(super) fn items(&self) -> &'a str {
        &self.text[self.start..self.end]
    }

    /// Where the items start in the word.
    pub(super) fn offset(&self) -> usize {
        self.start
    }
}

/// The statements of a file that holds these items as a rule.
fn statements(items: &str) -> Vec<Statement> {
    parse::file(FileId(0), &format!("addrule: {items};"), &mut Report::default()).statements
}

/// The text behind `addrule :`, where it starts so.
fn behind_keyword(text: &str) -> &str {
    let rest = text.trim_start();
    let word = Keyword::AddRule.name();
    match rest.get(..word.len()) {
        Some(start) if start.eq_ignore_ascii_case(word) => {
            rest[word.len()..].trim_start().strip_prefix(':').unwrap_or(text)
        }
        _ => text,
    }
}
