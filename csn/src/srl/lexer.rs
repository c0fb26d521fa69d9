//! From text to tokens, with macros expanded.

use super::Errors;
use crate::diagnostic::{FileId, Span};
use std::collections::HashMap;
use std::net::Ipv6Addr;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A keyword, attribute or name.
    Word,
    /// A number, octets with their type characters, an IPv6 address or a character constant.
    Value,
    /// Text between quotation marks, which are part of it.
    Text,
    /// An operator or bracket.
    Mark,
}

/// A token. What comes from a macro has its own text and the place of the macro's use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    pub(super) span: Span,
}

impl Token<'_> {
    /// Whether it is that keyword, whatever the case, or that mark.
    pub(super) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Mark) && self.text.eq_ignore_ascii_case(text)
    }
}

/// Macros within macros.
const MOST_NESTED: usize = 32;
/// Tokens that macros may make.
const MOST_EXPANDED: usize = 1_000_000;

struct Lexer<'a, 'e> {
    macros: HashMap<String, &'a str>,
    /// The macros that are being expanded.
    open: Vec<String>,
    expanded: usize,
    /// Whether it was said that this is too much.
    told: bool,
    out: Vec<Token<'a>>,
    errors: &'e mut Errors,
}

/// The tokens of a program. `define` statements are taken out and their names replaced.
pub(super) fn tokens<'a>(text: &'a str, errors: &mut Errors) -> Vec<Token<'a>> {
    let mut lexer =
        Lexer { macros: HashMap::new(), open: Vec::new(), expanded: 0, told: false, out: Vec::new(), errors };
    lexer.read(text, None);
    lexer.out
}

fn span(start: usize, end: usize) -> Span {
    Span { file: FileId(0), start: start as u32, end: end as u32 }
}

fn skip_space(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if !trimmed.starts_with('#') {
            return at;
        }
        at += trimmed.find('\n').unwrap_or(trimmed.len());
    }
}

fn word_length(text: &str) -> usize {
    text.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count()
}

impl<'a> Lexer<'a, '_> {
    /// Reads a text: the program, or that of a macro used at `place`.
    fn read(&mut self, text: &'a str, place: Option<Span>) {
        let mut at = 0;
        loop {
            at = skip_space(text, at);
            let rest = &text[at..];
            if rest.is_empty() {
                return;
            }
            let (kind, length) = token(rest);
            let found = &rest[..length];
            let here = place.unwrap_or(span(at, at + length));
            at += length;
            match kind {
                Some(Kind::Word) if place.is_none() && found.eq_ignore_ascii_case("define") => {
                    at = self.define(text, at, here);
                }
                Some(Kind::Word) if self.macros.contains_key(&found.to_ascii_lowercase()) => {
                    self.expand(&found.to_ascii_lowercase(), here);
                }
                // within a macro, `\;` stands for a semicolon
                Some(kind) => {
                    let text = if found == "\\;" { ";" } else { found };
                    self.expanded += usize::from(place.is_some());
                    self.out.push(Token { kind, text, span: here });
                }
                None => self.errors.add(
                    here,
                    format!("`{found}` means nothing here"),
                    "no statement has such a character",
                    "take it out",
                ),
            }
        }
    }

    /// Reads `name = text ;` and answers where it ends.
    fn define(&mut self, text: &'a str, at: usize, keyword: Span) -> usize {
        let start = skip_space(text, at);
        let length = word_length(&text[start..]);
        let equals = skip_space(text, start + length);
        if length == 0 || !text[equals..].starts_with('=') {
            let cure = "write `define name = text;`";
            self.errors.add(keyword, "this `define` has no name or no `=`", "it defines nothing", cure);
            return text[at..].find(';').map_or(text.len(), |i| at + i + 1);
        }
        let body = &text[equals + 1..];
        let end = (0..body.len())
            .find(|i| body.as_bytes()[*i] == b';' && (*i == 0 || body.as_bytes()[*i - 1] != b'\\'));
        let Some(end) = end else {
            let cure = "put `;` behind the text";
            self.errors.add(keyword, "this `define` does not end", "its text goes up to a semicolon", cure);
            return text.len();
        };
        self.macros.insert(text[start..start + length].to_ascii_lowercase(), &body[..end]);
        equals + 1 + end + 1
    }

    fn expand(&mut self, name: &str, place: Span) {
        let problem = if self.open.iter().any(|n| n == name) {
            Some("it stands in its own text")
        } else if self.open.len() >= MOST_NESTED {
            Some("macros stand in macros too deep")
        } else if self.expanded > MOST_EXPANDED {
            Some("the macros of this program make too much text")
        } else {
            None
        };
        if let Some(reason) = problem {
            // told once: what follows is the same mistake
            let too_much = self.expanded > MOST_EXPANDED;
            if !(too_much && std::mem::replace(&mut self.told, too_much)) {
                self.errors.add(place, format!("`{name}` cannot be replaced"), reason, "define it otherwise");
            }
            return;
        }
        let text = self.macros[name];
        self.open.push(name.to_string());
        self.read(text, Some(place));
        self.open.pop();
    }
}

/// The kind and length of the token that a text starts with; at least one character.
fn token(text: &str) -> (Option<Kind>, usize) {
    let bytes = text.as_bytes();
    let first = bytes[0];
    if let Some(length) = six(text) {
        return (Some(Kind::Value), length);
    }
    let word = word_length(text);
    let octets = |of: fn(&u8) -> bool| bytes.iter().take_while(|b| of(b)).count();
    if first.is_ascii_digit() {
        return (Some(Kind::Value), octets(|b| b.is_ascii_alphanumeric() || b".-!".contains(b)));
    }
    if word > 0 {
        let hex =
            word <= 2 && bytes[..word].iter().all(u8::is_ascii_hexdigit) && bytes.get(word) == Some(&b'-');
        let length = if hex { octets(|b| b.is_ascii_hexdigit() || b".-!".contains(b)) } else { word };
        return (Some(if hex { Kind::Value } else { Kind::Word }), length);
    }
    match bytes {
        [b'\'', c, b'\'', ..] if c.is_ascii() => return (Some(Kind::Value), 3),
        [b'"', rest @ ..] => {
            if let Some(end) = rest.iter().position(|b| *b == b'"') {
                return (Some(Kind::Text), end + 2);
            }
        }
        _ => {}
    }
    for mark in ["\\;", "==", ":=", "&&", "||"] {
        if text.starts_with(mark) {
            return (Some(Kind::Mark), 2);
        }
    }
    let known = b";,(){}=:&/".contains(&first);
    (known.then_some(Kind::Mark), text.chars().next().map_or(1, char::len_utf8))
}

/// The length of an IPv6 address at the start of a text.
fn six(text: &str) -> Option<usize> {
    let length = text.bytes().take_while(|b| b.is_ascii_hexdigit() || b":.".contains(b)).count();
    let run = &text[..length];
    (run.bytes().filter(|b| *b == b':').count() > 1 && run.parse::<Ipv6Addr>().is_ok()).then_some(length)
}
