//! Reads plain statements without the grammar's machinery: rule sets are hundreds of thousands of these. It knows
//! part of the grammar and reads that part alike (tested); for anything else, and for every mistake, it answers none
//! and the grammar decides.

use super::literal;
use crate::ast::{Expr, ExprKind, Item, Keyword, Name, Number, Setting, Sign, Statement};
use crate::diagnostic::{FileId, Span};
use std::net::{IpAddr, Ipv4Addr};

/// The place in a stretch of text.
struct Cursor<'t> {
    file: FileId,
    text: &'t str,
    at: usize,
    end: usize,
}

/// The statement between two places of a file; `stop` is where its `;` ends.
pub(super) fn statement(
    file: FileId,
    text: &str,
    start: usize,
    end: usize,
    stop: usize,
) -> Option<Statement> {
    let mut c = Cursor { file, text, at: start, end };
    let word = c.word()?;
    let keyword = Keyword::from_name(word)?;
    let keyword_span = c.span(start);
    c.space();
    c.take(b':')?;
    let mut items = Vec::with_capacity(4);
    loop {
        c.space();
        items.push(c.item()?);
        c.space();
        if c.at == c.end {
            let span = Span { file, start: start as u32, end: stop as u32 };
            return Some(Statement { keyword, keyword_span, items, span, broken: false });
        }
        c.take(b',')?;
    }
}

fn is_name_char(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes()[self.at..self.end].first().copied()
    }

    /// The byte behind the next.
    fn second(&self) -> Option<u8> {
        self.text.as_bytes()[self.at..self.end].get(1).copied()
    }

    fn space(&mut self) {
        self.run(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    /// Takes bytes as long as they pass the test, which only ASCII does.
    fn run(&mut self, test: impl Fn(u8) -> bool) -> &'t str {
        let from = self.at;
        while self.peek().is_some_and(&test) {
            self.at += 1;
        }
        &self.text[from..self.at]
    }

    fn span(&self, start: usize) -> Span {
        Span { file: self.file, start: start as u32, end: self.at as u32 }
    }

    fn word(&mut self) -> Option<&'t str> {
        let first = self.peek()?;
        (first.is_ascii_alphabetic() || first == b'_').then(|| self.run(is_name_char))
    }

    fn item(&mut self) -> Option<Item> {
        let start = self.at;
        let word = self.word()?;
        let name = Name { text: word.to_owned(), span: self.span(start) };
        self.space();
        let sign_at = self.at;
        let sign = match (self.peek(), self.second()) {
            // a value alone: only words
            (None | Some(b','), _) if !word.eq_ignore_ascii_case("each") => {
                return Some(Item::Bare(Expr { kind: ExprKind::Word(name.text), span: name.span }));
            }
            (Some(b'='), _) => Sign::EQUAL,
            (Some(b'!'), Some(b'=')) => Sign::Not,
            _ => return None,
        };
        self.at += sign.text().len();
        let sign_span = self.span(sign_at);
        self.space();
        let value = self.value()?;
        let span = Span { end: value.span.end, ..name.span };
        Some(Item::Setting(Setting { name, sign, sign_span, value, span }))
    }

    fn value(&mut self) -> Option<Expr> {
        let start = self.at;
        if self.word().is_some_and(|w| w.eq_ignore_ascii_case("each")) {
            self.space();
            let inner = self.range()?;
            let span = Span { start: start as u32, ..inner.span };
            return Some(Expr { kind: ExprKind::Each(Box::new(inner)), span });
        }
        self.at = start;
        self.range()
    }

    fn range(&mut self) -> Option<Expr> {
        let first = self.term()?;
        let end = self.at;
        self.space();
        if (self.peek(), self.second()) != (Some(b'.'), Some(b'.')) {
            self.at = end;
            return Some(first);
        }
        self.at += 2;
        self.space();
        let second = self.term()?;
        Some(joined(first, second, ExprKind::Range))
    }

    fn term(&mut self) -> Option<Expr> {
        let first = self.atom()?;
        let end = self.at;
        self.space();
        if self.take(b'/').is_none() {
            self.at = end;
            return Some(first);
        }
        self.space();
        let second = self.atom()?;
        Some(joined(first, second, ExprKind::Slash))
    }

    fn atom(&mut self) -> Option<Expr> {
        let start = self.at;
        let kind = match self.peek()? {
            b'"' => self.text()?,
            b'{' => self.set()?,
            b if b.is_ascii_hexdigit() || b == b':' => {
                let run = self.run(|b| b.is_ascii_hexdigit() || b == b':');
                match run.bytes().filter(|b| *b == b':').count() {
                    0 => {
                        self.at = start;
                        if b.is_ascii_digit() { self.number()? } else { self.name()? }
                    }
                    1 => return None,
                    _ => self.colons(run)?,
                }
            }
            _ => self.name()?,
        };
        Some(Expr { kind, span: self.span(start) })
    }

    fn name(&mut self) -> Option<ExprKind> {
        self.word().map(|w| ExprKind::Word(w.to_owned()))
    }

    fn text(&mut self) -> Option<ExprKind> {
        self.take(b'"')?;
        let from = self.at;
        while !matches!(self.peek()?, b'"' | b'\\' | b'\n') {
            self.at += 1;
        }
        let inner = self.text[from..self.at].to_owned();
        self.take(b'"')?;
        Some(ExprKind::Text(inner))
    }

    fn set(&mut self) -> Option<ExprKind> {
        self.take(b'{')?;
        let mut members = Vec::new();
        loop {
            self.space();
            members.push(self.value()?);
            self.space();
            if self.take(b'}').is_some() {
                return Some(ExprKind::Set(members));
            }
            self.take(b',')?;
        }
    }

    fn colons(&self, text: &str) -> Option<ExprKind> {
        // an IPv4 address may end an IPv6 address
        if self.peek() == Some(b'.') && self.second() != Some(b'.') {
            return None;
        }
        match literal::mac(text) {
            Some(mac) => Some(ExprKind::Mac(mac)),
            None => Some(ExprKind::Address(IpAddr::V6(text.parse().ok()?))),
        }
    }

    /// A whole number or an IPv4 address.
    fn number(&mut self) -> Option<ExprKind> {
        let from = self.at;
        let mut parts = 1;
        self.run(|b| b.is_ascii_digit());
        while self.peek() == Some(b'.') && self.second().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
            self.run(|b| b.is_ascii_digit());
            parts += 1;
        }
        let text = &self.text[from..self.at];
        if parts > 1 {
            return Some(ExprKind::Address(IpAddr::V4(text.parse::<Ipv4Addr>().ok()?)));
        }
        let whole: u128 = text.parse().ok()?;
        let number = Number { text: text.to_owned(), value: whole as f64, whole: Some(whole), unit: None };
        Some(ExprKind::Number(number))
    }
}

fn joined(first: Expr, second: Expr, with: fn(Box<Expr>, Box<Expr>) -> ExprKind) -> Expr {
    let span = first.span.to(second.span);
    Expr { kind: with(Box::new(first), Box::new(second)), span }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::{Grammar, Reader, Rule, split, with_grammar};
    use crate::report::Report;
    use crate::sample::Random;
    use pest::Parser;

    /// Statements of a text that are read here; all must be read as by the grammar.
    fn compare(text: &str) -> usize {
        let mut report = Report::default();
        let pieces = split::pieces(FileId(0), text, &mut report);
        let mut read = 0;
        for p in pieces.iter().filter(|p| !p.broken && !p.unreadable) {
            let Some(quick) = statement(FileId(0), text, p.start, p.end, p.stop) else { continue };
            let mut report = Report::default();
            let mut reader =
                Reader { file: FileId(0), text, report: &mut report, mentioned: vec![], lost: false };
            let stretch = &text[p.start..p.end];
            let pair = Grammar::parse(Rule::statement, stretch).ok().and_then(|mut pairs| pairs.next());
            let read_by_grammar = pair.and_then(|pair| with_grammar(&mut reader, p, pair));
            assert_eq!(Some(quick), read_by_grammar, "{stretch:?}");
            assert!(report.diagnostics.is_empty(), "{stretch:?}");
            read += 1;
        }
        read
    }

    #[test]
    fn plain_statements_are_read() {
        let plain = "set: class = 1, name = \"a b\";
            addrule: scrip=tanya-gen, dstip != 10.0.0.0/8, srcport = each {80, 90 .. 99}, both;
            addrule: srcip = {2001:db8::/32, ::1..::5, fe80-host}, srcmac = 02:00:00:00:00:01;
            define: face = 0..007, x = each a;";
        assert_eq!(compare(plain), 4);
        for other in
            ["run: rate = 5 kpps;", "set: class = # one\n1;", "addrule: tcpflags = syn+ack, dstport = 0x50;"]
        {
            assert_eq!(compare(other), 0, "{other}");
        }
    }

    #[test]
    fn what_is_read_is_read_as_by_the_grammar() {
        let tokens = [
            "set",
            "addrule",
            "define",
            "each",
            "eachx",
            "face",
            "a-b",
            "_",
            "1",
            "80",
            "007",
            "1.5",
            "10.0.0.1",
            "10.0.0.256",
            "1.2.3",
            "2001:db8::1",
            "::",
            "::1",
            "1:2",
            "02:00:00:00:00:01",
            "::1.2.3.4",
            "0x1f",
            "\"a b\"",
            "\"a\\n\"",
            "{",
            "}",
            "(",
            ")",
            ",",
            "=",
            "!=",
            "<",
            "..",
            ".",
            "/",
            "+",
            ":",
            " ",
            " ",
            "\n",
            "#c\n",
            "kpps",
            "%",
            "é",
            "both",
        ];
        let mut random = Random::new(7);
        let mut read = 0;
        for _ in 0..60_000 {
            let mut text =
                String::from(*random.pick(&["set: class = ", "addrule: srcip = ", "addrule:", "define :a="]));
            for _ in 0..1 + random.below(9) {
                text += random.pick::<&str>(&tokens);
            }
            read += compare(&(text + ";"));
        }
        assert!(read > 3_000, "only {read} were read");
    }
}
