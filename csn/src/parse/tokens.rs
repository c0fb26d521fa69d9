//! The tokens of a text without errors of syntax, comments included, as layout needs them.

use super::{Grammar, Rule, split};
use crate::diagnostic::FileId;
use crate::report::Report;
use pest::Parser;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    Keyword,
    Word,
    Each,
    /// A number, or an address.
    Number,
    Unit,
    Text,
    Sign,
    /// `..`, `/`, `+` or `±`.
    Join,
    Open,
    Close,
    Comma,
    Colon,
    /// `;`
    End,
    Comment,
}

/// A token and what stood before it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    pub(crate) kind: TokenKind,
    pub(crate) text: &'t str,
    /// It is the first on its line.
    pub(crate) own_line: bool,
    /// At least one empty line is before it.
    pub(crate) blank_before: bool,
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token<'t>>,
}

/// All tokens of a text that the grammar accepts.
pub(crate) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { text, at: if text.starts_with('\u{feff}') { 3 } else { 0 }, tokens: Vec::new() };
    for piece in split::pieces(FileId(0), text, &mut Report::default()) {
        let parsed = Grammar::parse(Rule::statement, &text[piece.start..piece.end]);
        let pairs = parsed.into_iter().flat_map(|p| p.flatten());
        for (i, pair) in pairs.enumerate() {
            let kind = match pair.as_rule() {
                Rule::word if i <= 1 => TokenKind::Keyword,
                Rule::word => TokenKind::Word,
                Rule::each_word => TokenKind::Each,
                Rule::numeral | Rule::dotted | Rule::colons => TokenKind::Number,
                Rule::unit => TokenKind::Unit,
                Rule::text => TokenKind::Text,
                Rule::sign => TokenKind::Sign,
                _ => continue,
            };
            let span = pair.as_span();
            lexer.gap(piece.start + span.start());
            lexer.push(kind, piece.start + span.start(), piece.start + span.end());
        }
        lexer.gap(piece.stop);
    }
    lexer.gap(text.len());
    lexer.tokens
}

impl<'t> Lexer<'t> {
    /// What stands between the grammar's tokens: comments and punctuation.
    fn gap(&mut self, end: usize) {
        let mut from = self.at;
        while let Some(c) = self.text[from..end].chars().next() {
            let (kind, width) = match c {
                '#' => {
                    let line = self.text[from..end].lines().next().unwrap_or_default();
                    (Some(TokenKind::Comment), line.trim_end().len())
                }
                '.' => (Some(TokenKind::Join), 2),
                '/' | '+' | '±' => (Some(TokenKind::Join), c.len_utf8()),
                '{' | '(' => (Some(TokenKind::Open), 1),
                '}' | ')' => (Some(TokenKind::Close), 1),
                ',' => (Some(TokenKind::Comma), 1),
                ':' => (Some(TokenKind::Colon), 1),
                ';' => (Some(TokenKind::End), 1),
                other => (None, other.len_utf8()),
            };
            if let Some(kind) = kind {
                self.push(kind, from, from + width);
            }
            from += width;
        }
    }

    fn push(&mut self, kind: TokenKind, start: usize, end: usize) {
        let space = &self.text[self.at.min(start)..start];
        let newlines = space.matches('\n').count();
        self.tokens.push(Token {
            kind,
            text: &self.text[start..end],
            own_line: newlines > 0 || self.tokens.is_empty(),
            blank_before: newlines > 1,
        });
        self.at = end;
    }
}
