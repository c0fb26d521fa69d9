//! Canonical layout: one statement a line, long ones continued with an indent; comments and single blank lines are
//! kept where they are.
//!
//! The layout depends on nothing but the sequence of tokens and on which comments have a line of their own, so
//! laying out twice changes nothing.

use crate::diagnostic::{Diagnostic, FileId, Severity};
use crate::parse::{self, Token, TokenKind};
use crate::report::Report;

/// Lines are no longer than this where they can be broken.
const WIDTH: usize = 100;
/// What the lines of a statement behind its first are indented by; lines within brackets by twice as much.
const INDENT: usize = 4;

/// The text in canonical layout. A text with errors of syntax has none; what is wrong with it is the error.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut report = Report::default();
    parse::file(FileId(0), text, &mut report);
    report.sort();
    if report.diagnostics.iter().any(|d| d.severity == Severity::Error) {
        return Err(report.diagnostics);
    }
    let tokens = parse::tokens(text);
    let mut layout =
        Layout { out: String::with_capacity(text.len()), column: 0, depth: 0, must_break: false };
    let mut rest = tokens.as_slice();
    while let Some(first) = rest.first() {
        let n = match first.kind {
            TokenKind::Comment => 1,
            _ => rest.iter().position(|t| t.kind == TokenKind::End).map_or(rest.len(), |n| n + 1),
        };
        layout.top_level(&rest[..n]);
        rest = &rest[n..];
    }
    if !layout.out.is_empty() {
        layout.out.push('\n');
    }
    Ok(layout.out)
}

struct Layout {
    out: String,
    /// Characters on the line so far.
    column: usize,
    /// Open brackets.
    depth: usize,
    /// A comment ends the line.
    must_break: bool,
}

impl Layout {
    /// A statement, or a comment between statements.
    fn top_level(&mut self, tokens: &[Token<'_>]) {
        let Some(first) = tokens.first() else { return };
        let trailing = first.kind == TokenKind::Comment && !first.own_line;
        if trailing {
            self.put(" ", first.text);
            return;
        }
        if !self.out.is_empty() {
            self.out.push_str(if first.blank_before { "\n\n" } else { "\n" });
        }
        self.column = 0;
        self.depth = 0;
        self.must_break = false;
        for (i, token) in tokens.iter().enumerate() {
            self.token(i.checked_sub(1).map(|p| &tokens[p]), &tokens[i..]);
            match token.kind {
                TokenKind::Open => self.depth += 1,
                TokenKind::Close => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// The first of `tokens`, whose predecessor in the statement is `before`.
    fn token(&mut self, before: Option<&Token<'_>>, tokens: &[Token<'_>]) {
        let token = &tokens[0];
        let text = match token.kind {
            TokenKind::Keyword | TokenKind::Each => token.text.to_ascii_lowercase(),
            _ => token.text.to_owned(),
        };
        let Some(before) = before else {
            self.put("", &text);
            return;
        };
        let is_comment = token.kind == TokenKind::Comment;
        let may_break = before.kind == TokenKind::Comma && !is_comment;
        if std::mem::take(&mut self.must_break)
            || (is_comment && token.own_line)
            || (may_break && self.column + 1 + self.segment(tokens) > WIDTH)
        {
            self.new_line();
            self.put("", &text);
        } else {
            let space = is_comment || spaced(before, token);
            self.put(if space { " " } else { "" }, &text);
        }
        self.must_break = is_comment;
    }

    /// How wide it is to the next place where the line can be broken at this depth.
    fn segment(&self, tokens: &[Token<'_>]) -> usize {
        let (mut width, mut depth) = (0, self.depth);
        for (i, t) in tokens.iter().enumerate() {
            if t.kind == TokenKind::Comment {
                break;
            }
            let space = i > 0 && spaced(&tokens[i - 1], t);
            width += t.text.chars().count() + usize::from(space);
            match t.kind {
                TokenKind::Open => depth += 1,
                TokenKind::Close => depth = depth.saturating_sub(1),
                TokenKind::Comma if depth == 0 || self.depth > 0 => break,
                TokenKind::End => break,
                _ => {}
            }
        }
        width
    }

    fn new_line(&mut self) {
        self.column = INDENT * (1 + usize::from(self.depth > 0));
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n(' ', self.column));
    }

    fn put(&mut self, space: &str, text: &str) {
        self.out.push_str(space);
        self.out.push_str(text);
        self.column += space.len() + text.chars().count();
    }
}

/// Whether there is a space between two tokens on a line.
fn spaced(before: &Token<'_>, token: &Token<'_>) -> bool {
    match (before.kind, token.kind) {
        (_, TokenKind::Comma | TokenKind::End | TokenKind::Close | TokenKind::Colon) => false,
        (TokenKind::Comma | TokenKind::Sign, TokenKind::Join) => true,
        (TokenKind::Open, _) | (TokenKind::Join, _) | (_, TokenKind::Join) => false,
        (TokenKind::Word | TokenKind::Unit, TokenKind::Open) => false,
        (TokenKind::Number, TokenKind::Unit) => token.text != "%",
        (TokenKind::Number, TokenKind::Open) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(text: &str) -> String {
        let once = format(text).unwrap();
        assert_eq!(format(&once).unwrap(), once);
        once
    }

    #[test]
    fn spaces_are_those_of_the_notation() {
        assert_eq!(
            formatted(
                "SET :class=1,name=\"a  b\";addrule:dstip= 10.0.0.0 / 8,tcpflags=syn / syn + ack, both ;"
            ),
            "set: class = 1, name = \"a  b\";\naddrule: dstip = 10.0.0.0/8, tcpflags = syn/syn+ack, both;\n"
        );
        assert_eq!(
            formatted(
                "run:rate=60Mbit/s( atm ),time=5s;load:others,weight=20 %;define:w={80,each-x , 1 .. 2};"
            ),
            "run: rate = 60 Mbit/s(atm), time = 5 s;\nload: others, weight = 20%;\ndefine: w = {80, each-x, 1..2};\n"
        );
        assert_eq!(
            formatted("meter:rtfm( a=1 ),b;expect:loss<=1%;"),
            "meter: rtfm(a = 1), b;\nexpect: loss <= 1%;\n"
        );
    }

    #[test]
    fn comments_and_single_blank_lines_stay() {
        let text = "# head\n\n\n\nset: class = 1; # one\n# two\nload: class, # three\n  weight = 20% # four\n;\n\n# end";
        assert_eq!(
            formatted(text),
            "# head\n\nset: class = 1; # one\n# two\nload: class, # three\n    weight = 20% # four\n    ;\n\n# end\n"
        );
        assert_eq!(formatted(""), "");
        assert_eq!(formatted("\n\n# only\n"), "# only\n");
    }

    #[test]
    fn long_statements_are_continued() {
        let items: Vec<String> = (0..12).map(|i| format!("name-number-{i} = 10.0.0.{i}")).collect();
        let out = formatted(&format!("define: {};", items.join(",")));
        assert!(out.lines().count() > 2 && out.lines().all(|l| l.len() <= WIDTH), "{out}");
        assert!(out.lines().skip(1).all(|l| l.starts_with("    name-number-")), "{out}");
        let ports: Vec<String> = (0..60).map(|i| (i * 7).to_string()).collect();
        let out = formatted(&format!("define: a = 1, ports = {{{}}}, b = 2;", ports.join(",")));
        assert!(out.lines().all(|l| l.len() <= WIDTH), "{out}");
        assert!(out.starts_with("define: a = 1,\n    ports = {0, 7,"), "{out}");
    }

    #[test]
    fn a_text_with_errors_of_syntax_has_no_layout() {
        assert_eq!(format("set: class = ;").unwrap_err()[0].code, "E008");
    }
}
