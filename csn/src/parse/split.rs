//! Cuts a text into statements: at every `;` outside of texts and comments, and where a statement begins although
//! the one before has not ended.

use crate::ast::Keyword;
use crate::codes;
use crate::diagnostic::{FileId, Span};
use crate::report::Report;
use crate::suggest;

/// A statement's stretch of text.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    /// First byte that is neither space nor comment.
    pub(super) start: usize,
    /// Behind the last byte before the `;`.
    pub(super) end: usize,
    /// Behind the `;`, or where it should be.
    pub(super) stop: usize,
    /// Something in it has been reported already.
    pub(super) broken: bool,
    /// It is nested too deep to be read at all, even item by item.
    pub(super) unreadable: bool,
}

/// The statements of a file.
pub(super) fn pieces(file: FileId, text: &str, report: &mut Report) -> Vec<Piece> {
    let mut s = Splitter::new(file, text, report);
    s.run(true);
    s.pieces
}

/// The one piece of a list without keyword; `;` at its end is allowed.
pub(super) fn pieces_of_list(file: FileId, text: &str, report: &mut Report) -> Vec<Piece> {
    let mut s = Splitter::new(file, text, report);
    s.run(false);
    s.pieces
}

struct Splitter<'a> {
    file: FileId,
    text: &'a str,
    report: &'a mut Report,
    pieces: Vec<Piece>,
    at: usize,
    /// Start of the statement, once there is something.
    start: Option<usize>,
    /// Behind the last thing that is neither space nor comment.
    last: usize,
    /// Open brackets and their places.
    open: Vec<(u8, usize)>,
    broken: bool,
    too_deep: bool,
    /// The line has held only space so far.
    fresh_line: bool,
}

impl<'a> Splitter<'a> {
    fn new(file: FileId, text: &'a str, report: &'a mut Report) -> Self {
        // a byte order mark is not part of the text
        let at = if text.starts_with('\u{feff}') { 3 } else { 0 };
        Self {
            file,
            text,
            report,
            pieces: Vec::new(),
            at,
            start: None,
            last: at,
            open: Vec::new(),
            broken: false,
            too_deep: false,
            fresh_line: true,
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    fn run(&mut self, statements: bool) {
        let bytes = self.text.as_bytes();
        while let Some(&b) = bytes.get(self.at) {
            match b {
                b'\n' => {
                    self.at += 1;
                    self.fresh_line = true;
                    continue;
                }
                b' ' | b'\t' | b'\r' => {
                    self.at += 1;
                    continue;
                }
                b'#' => {
                    self.at = self.line_end(self.at);
                    continue;
                }
                b';' => self.finish(self.at, self.at + 1),
                b'"' => self.quoted(),
                b'{' | b'(' => self.opened(b),
                b'}' | b')' => self.closed(b),
                _ if b.is_ascii_alphanumeric() || b == b'_' => self.word(statements),
                _ => self.take(1),
            }
            self.fresh_line = false;
        }
        if self.start.is_some() {
            let end = self.last;
            let foreign =
                ["//", "/*", "--"].iter().any(|c| self.start.is_some_and(|s| self.text[s..].starts_with(c)));
            if statements && self.open.is_empty() && !self.broken && !foreign {
                self.missing_semicolon(None);
            }
            self.finish(end, end);
        }
    }

    fn line_end(&self, from: usize) -> usize {
        self.text[from..].find('\n').map_or(self.text.len(), |n| from + n)
    }

    /// Takes `n` bytes into the statement.
    fn take(&mut self, n: usize) {
        self.start.get_or_insert(self.at);
        self.at += n;
        self.last = self.at;
    }

    fn finish(&mut self, end: usize, stop: usize) {
        for (bracket, at) in std::mem::take(&mut self.open) {
            self.broken = true;
            let span = self.span(at, at + 1);
            self.report.add(
                &codes::BRACKET,
                span,
                format!("`{}` is not closed", char::from(bracket)),
                "the statement ends before its partner comes",
                format!("write `{}` where it ends", partner(bracket)),
            );
        }
        match self.start.take() {
            Some(start) => {
                let (end, unreadable) = (self.last.min(end), self.too_deep);
                self.pieces.push(Piece { start, end, stop, broken: self.broken, unreadable });
            }
            None => self.empty(end),
        }
        self.at = stop;
        self.last = stop;
        self.broken = false;
        self.too_deep = false;
    }

    fn empty(&mut self, at: usize) {
        let span = self.span(at, at + 1);
        self.report.add(
            &codes::NO_ITEM,
            span,
            "`;` ends a statement that is not there",
            "there is nothing before it",
            "take it out",
        );
    }

    /// A text in quotes. One that is not closed ends with its line, or before the `;` at the end of the line.
    fn quoted(&mut self) {
        let from = self.at;
        let line_end = self.line_end(from);
        let bytes = self.text.as_bytes();
        let mut i = from + 1;
        while i < line_end && bytes[i] != b'"' {
            i += if bytes[i] == b'\\' { 2 } else { 1 };
        }
        if i < line_end {
            self.take(i + 1 - from);
            return;
        }
        let line = self.text[from..line_end].trim_end();
        let line = line.strip_suffix(';').unwrap_or(line);
        self.take(line.len());
        self.broken = true;
        let span = self.span(from, from + line.len());
        self.report.add(
            &codes::OPEN_TEXT,
            span,
            "the closing quote of this text is missing",
            "a text ends on its line",
            "write `\"` where it ends",
        );
    }

    fn opened(&mut self, bracket: u8) {
        self.open.push((bracket, self.at));
        if self.open.len() > super::MAX_DEPTH && !self.too_deep {
            let span = self.span(self.at, self.at + 1);
            self.report.add(
                &codes::DEPTH,
                span,
                format!("brackets are nested more than {} deep", super::MAX_DEPTH),
                "the notation is flat",
                "write one set",
            );
            self.too_deep = true;
            self.broken = true;
        }
        self.take(1);
    }

    fn closed(&mut self, bracket: u8) {
        match self.open.last() {
            Some((open, _)) if partner(*open) == char::from(bracket) => {
                self.open.pop();
            }
            last => {
                let opened = last.copied();
                let span = self.span(self.at, self.at + 1);
                let found = self.report.add(
                    &codes::BRACKET,
                    span,
                    format!("`{}` closes nothing", char::from(bracket)),
                    "no bracket of this kind is open here",
                    "take it out, or open it before",
                );
                if let Some((open, at)) = opened {
                    let place = Span { start: at as u32, end: at as u32 + 1, ..span };
                    found.relate(place, format!("`{}` is open since here", char::from(open)));
                    self.open.pop();
                }
                self.broken = true;
            }
        }
        self.take(1);
    }

    /// A word or number. A word with `:` behind it begins a statement: any keyword does, and at the start of a line
    /// also what is meant as one.
    fn word(&mut self, statements: bool) {
        let bytes = self.text.as_bytes();
        let from = self.at;
        let mut end = from;
        while bytes.get(end).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || *b == b'-') {
            end += 1;
        }
        if statements && self.start.is_some() && self.begins_statement(from, end) {
            if self.open.is_empty() && !self.broken {
                self.missing_semicolon(Some(self.span(from, end)));
            }
            let last = self.last;
            self.finish(last, last);
            self.at = from;
        }
        self.take(end - from);
    }

    fn begins_statement(&self, from: usize, end: usize) -> bool {
        let word = &self.text[from..end];
        // two words in a row are no item, so a keyword before another word has lost its colon
        let next = self.text[end..].trim_start_matches([' ', '\t']);
        let mut behind = next.bytes();
        if self.fresh_line
            && next.len() < self.text[end..].len()
            && next.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            return Keyword::from_name(word).is_some();
        }
        if behind.next() != Some(b':') || behind.next() == Some(b':') {
            return false;
        }
        // part of an address otherwise: no keyword is made of hexadecimal digits alone
        let hexadecimal = word.bytes().all(|b| b.is_ascii_hexdigit());
        Keyword::from_name(word).is_some()
            || (self.fresh_line
                && !hexadecimal
                && suggest::nearest(word, Keyword::ALL.map(|(n, _)| n)).is_some())
    }

    fn missing_semicolon(&mut self, next: Option<Span>) {
        let span = self.span(self.last, self.last);
        let found = self.report.add(
            &codes::SEMICOLON,
            span,
            "`;` is missing",
            if next.is_some() {
                "the next statement begins before this one ends"
            } else {
                "the file ends here"
            },
            "write `;` here",
        );
        if let Some(next) = next {
            found.relate(next, "the next statement");
        }
    }
}

fn partner(bracket: u8) -> char {
    if bracket == b'{' { '}' } else { ')' }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> (Vec<&str>, Vec<&'static str>) {
        let mut report = Report::default();
        let found = pieces(FileId(0), text, &mut report);
        let texts = found.iter().map(|p| &text[p.start..p.end]).collect();
        (texts, report.diagnostics.iter().map(|d| d.code).collect())
    }

    #[test]
    fn semicolons_in_texts_and_comments_do_not_count() {
        let (texts, codes) = cut("a: \"x;\\\";y\" ; # c;\n b : c # d;\n ; ");
        assert_eq!(texts, ["a: \"x;\\\";y\"", "b : c"]);
        assert!(codes.is_empty());
    }

    #[test]
    fn a_keyword_begins_a_statement_anywhere_and_a_misspelt_one_on_a_new_line() {
        assert_eq!(
            cut("set: class = 1 addrule: proto = udp;"),
            (vec!["set: class = 1", "addrule: proto = udp"], vec!["E004"])
        );
        assert_eq!(cut("set: class = 1\naddrul: proto = udp;").0.len(), 2);
        assert_eq!(cut("set: class = 1\naddrule proto = udp;").0.len(), 2);
        assert_eq!(cut("define: load\n= 1, b =\nload, c = 1\nset;").0.len(), 1);
        // addresses hold colons too
        assert_eq!(cut("define: a = {\nfe80::1,\nadd:2::3};").0.len(), 1);
    }

    #[test]
    fn one_open_bracket_or_quote_is_one_finding() {
        assert_eq!(
            cut("define: a = {1, 2;\nset: class = 1;"),
            (vec!["define: a = {1, 2", "set: class = 1"], vec!["E003"])
        );
        assert_eq!(cut("scenario: title = \"x;\nset: class = 1;").1, ["E002"]);
        assert_eq!(cut("scenario: title = \"x\nset: class = 1;").1, ["E002"]);
        assert_eq!(cut("define: a = {1, 2\nset: class = 1;").1, ["E003"]);
    }
}
