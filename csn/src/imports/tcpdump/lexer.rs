//! The words of an expression.

use super::Problem;
use crate::diagnostic::Span;

/// A word with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) span: Span,
}

const MARKS: [&str; 19] =
    ["<<", ">>", "&&", "||", "<=", ">=", "!=", "==", "(", ")", "[", "]", "&", "|", "!", "=", "<", ">", "+"];

/// Splits a line that stands at `line`.
pub(super) fn words(text: &str, line: Span) -> Result<Vec<Word<'_>>, Problem> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let first = rest.chars().next().map_or(1, char::len_utf8);
        if rest.starts_with(char::is_whitespace) {
            at += first;
            continue;
        }
        let word = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"_.:/-\\".contains(b)).count();
        let mark = MARKS.iter().find(|m| rest.starts_with(**m)).map_or(0, |m| m.len());
        let length = word.max(mark);
        let start = line.start + at as u32;
        let span = Span { start, end: start + length.max(first) as u32, ..line };
        if length == 0 {
            return Err(Problem::Malformed(
                span,
                format!("`{}` means nothing in an expression", &rest[..first]),
            ));
        }
        out.push(Word { text: &rest[..length], span });
        at += length;
    }
    Ok(out)
}
