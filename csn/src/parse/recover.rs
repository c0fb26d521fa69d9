//! Reads what the grammar refused: keyword, colon, then item by item. Says what is wrong in the words of somebody
//! who knows the usual mistakes.

use super::{Grammar, Reader, Rule, build, split::Piece};
use crate::ast::{Item, Keyword, Statement};
use crate::codes;
use pest::Parser;
use pest::error::{ErrorVariant, InputLocation};
use std::ops::Range;

/// The statement of a piece that the grammar refused, with the items that can be read.
pub(super) fn statement(r: &mut Reader<'_>, piece: &Piece) -> Option<Statement> {
    let found = head(r, piece);
    let Some((keyword, keyword_end, from)) = found else {
        r.give_up(piece.start, piece.end);
        return None;
    };
    let (items, broken) = super::items(r, from, piece.end, piece.broken);
    Some(Statement {
        keyword,
        keyword_span: r.span(piece.start, keyword_end),
        items,
        span: r.span(piece.start, piece.stop),
        broken: broken || piece.broken,
    })
}

/// The keyword, its end, and where the items start.
fn head(r: &mut Reader<'_>, piece: &Piece) -> Option<(Keyword, usize, usize)> {
    let text = &r.text[piece.start..piece.end];
    let width = text.bytes().take_while(|b| is_name(*b)).count();
    if width == 0 || text.as_bytes()[0].is_ascii_digit() {
        r.lost = true;
        if !piece.broken {
            let foreign = ["//", "/*", "--"].into_iter().find(|c| text.starts_with(c));
            let width = width.max(text.chars().next().map_or(0, char::len_utf8));
            let (reason, cure) = match foreign {
                Some(_) => ("it begins no comment either", "comments start with `#`"),
                None => ("there is none here", "write `keyword: items;`, for example `set: class = 1;`"),
            };
            r.report.add(
                &codes::KEYWORD,
                r.span(piece.start, piece.start + foreign.map_or(width, str::len)),
                "a statement starts with a keyword",
                reason,
                cure,
            );
        }
        return None;
    }
    let end = piece.start + width;
    let colon = skip_space(r.text, end, piece.end);
    let has_colon = r.text[colon..piece.end].starts_with(':');
    // without a colon an unknown word is no statement at all, and the word is what to look at
    let keyword = super::keyword(r, &text[..width], r.span(piece.start, end))?;
    if !has_colon {
        r.report.add(
            &codes::SYNTAX,
            r.span(end, end),
            format!("`:` is missing behind `{}`", keyword.name()),
            "a statement is `keyword : items ;`",
            "write `:` here",
        );
    }
    Some((keyword, end, if has_colon { colon + 1 } else { end }))
}

/// The items of a stretch, each read by itself; what cannot be read is reported.
pub(super) fn items(r: &mut Reader<'_>, start: usize, end: usize, broken: bool) -> Vec<Item> {
    let mut out = Vec::new();
    let parts = cut(r.text, start, end);
    let alone = parts.len() == 1;
    for part in parts {
        if skip_space(r.text, part.start, part.end) == part.end {
            let (from, to) = (part.start.min(end), (part.start + 1).min(end));
            r.report.add(
                &codes::NO_ITEM,
                r.span(from, to),
                if alone { "this statement has no items" } else { "an item is missing here" },
                if alone { "it says nothing" } else { "there is nothing before or behind the comma" },
                if alone { "write what it is to say" } else { "take the comma out, or write the item" },
            );
            continue;
        }
        item(r, part, broken, &mut out);
    }
    out
}

/// One item. Where a comma is missing, the items on both sides of it.
fn item(r: &mut Reader<'_>, mut part: Range<usize>, broken: bool, out: &mut Vec<Item>) {
    loop {
        part.start = skip_space(r.text, part.start, part.end);
        let error = match Grammar::parse(Rule::list, &r.text[part.clone()]) {
            Ok(mut pairs) => {
                let found = pairs.next().into_iter().flat_map(|p| p.into_inner());
                out.extend(found.filter_map(|p| build::item(r, part.start, p)).collect::<Vec<_>>());
                return;
            }
            Err(error) => error,
        };
        let at = match error.location {
            InputLocation::Pos(p) | InputLocation::Span((p, _)) => part.start + p,
        };
        let positives = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
            ErrorVariant::CustomError { .. } => &[],
        };
        if let Some(next) = missing_comma(r.text, &part, at) {
            if !broken {
                let end = part.start + r.text[part.start..next].trim_end().len();
                r.report.add(
                    &codes::COMMA,
                    r.span(end, end),
                    "`,` is missing between two items",
                    "the next item starts behind this place",
                    "write `,` here",
                );
            }
            let first = part.start..next;
            part.start = next;
            if let Ok(mut pairs) = Grammar::parse(Rule::list, &r.text[first.clone()]) {
                let found = pairs.next().into_iter().flat_map(|p| p.into_inner());
                out.extend(found.filter_map(|p| build::item(r, first.start, p)).collect::<Vec<_>>());
            } else {
                r.give_up(first.start, first.end);
            }
            continue;
        }
        if !broken {
            explain(r, &part, at, positives);
        }
        r.give_up(part.start, part.end);
        return;
    }
}

/// Where the next item starts, if what the grammar stumbled over is a second item in the stretch: `a = 1 b = 2`
/// stops at `b`, or at the second `=` where `b` could be a unit; `a = 1 both` is read as a unit.
fn missing_comma(text: &str, part: &Range<usize>, at: usize) -> Option<usize> {
    let before = &text[part.start..at];
    let stumbled = &text[at..part.end];
    // the word that the second sign belongs to
    if starts_with_sign(stumbled) {
        let word = before.trim_end();
        let name = word.bytes().rev().take_while(|b| is_name(*b)).count();
        let start = part.start + word.len() - name;
        let lone = text[part.start..start].trim_end();
        let free = !lone.is_empty() && !lone.ends_with(['=', '<', '>', '.', '/', '+', '{', '(']);
        let starts_well = text[start..].starts_with(|c: char| c.is_ascii_alphabetic());
        return (name > 0 && free && starts_well && start > part.start).then_some(start);
    }
    let name = stumbled.bytes().take_while(|b| is_name(*b)).count();
    let behind = skip_space(text, at + name, part.end);
    let separate = before.ends_with(|c: char| c.is_whitespace() || c == '}' || c == ')' || c == '"');
    let has_value = !before.trim_end().ends_with(['=', '<', '>', '.', '/', '+', '{', '(']);
    let word = &stumbled[..name];
    let is_last = behind == part.end && (word.eq_ignore_ascii_case("both") || !before.contains('='));
    let is_item = starts_with_sign(&text[behind..part.end]) || is_last;
    let starts_well = stumbled.starts_with(|c: char| c.is_ascii_alphabetic());
    (name > 0 && separate && has_value && is_item && starts_well && at > part.start).then_some(at)
}

fn starts_with_sign(text: &str) -> bool {
    text.starts_with(['=', '<', '>']) || text.starts_with("!=")
}

/// Says what does not fit, at the place where reading stopped.
fn explain(r: &mut Reader<'_>, part: &Range<usize>, at: usize, expected: &[Rule]) {
    let rest = &r.text[at..part.end];
    let before = r.text[part.start..at].trim_end();
    let signed = before.ends_with(['=', '<', '>']);
    if rest.is_empty() && signed {
        let end = part.start + before.len();
        r.report.add(
            &codes::NO_VALUE,
            r.span(end, end),
            "the value is missing",
            "there is nothing behind the sign",
            "write the value; a field that may have any value is left out",
        );
        return;
    }
    let width = match rest.bytes().take_while(|b| is_name(*b)).count() {
        0 => rest.chars().next().map_or(0, char::len_utf8),
        n => n,
    };
    let found = &rest[..width];
    let (reason, cure) = usual(before, found, rest, signed).map_or_else(
        || (format!("expected {}", names(expected)), "write what is expected here".to_owned()),
        |(reason, cure)| (reason.to_owned(), cure.to_owned()),
    );
    let message = match found {
        "" => "the item ends too early".to_owned(),
        found => format!("`{found}` does not fit here"),
    };
    r.report.add(&codes::SYNTAX, r.span(at, at + width), message, reason, cure);
}

/// Whether `02` and `-00-00-00-00-01` are a MAC address as other tools write it.
fn is_mac_with_hyphens(before: &str, found: &str) -> bool {
    let first = before.rsplit(|c: char| !c.is_ascii_hexdigit()).next().unwrap_or_default();
    let rest: Vec<&str> = found.split('-').skip(1).collect();
    let octet = |o: &str| o.len() == 2 && o.bytes().all(|b| b.is_ascii_hexdigit());
    found.starts_with('-') && rest.len() == 5 && octet(first) && rest.into_iter().all(octet)
}

/// The mistakes that people bring from other notations.
fn usual(before: &str, found: &str, rest: &str, signed: bool) -> Option<(&'static str, &'static str)> {
    let valued = before.ends_with(|c: char| c.is_ascii_alphanumeric());
    let open_range = "a range has both its ends";
    Some(match found {
        "=" if signed => ("one `=` is enough", "write `=`"),
        "" if before.ends_with("..") => (open_range, "write the last value that is meant behind `..`"),
        "." if rest.starts_with("..") => (open_range, "write the first value that is meant before `..`"),
        _ if before.ends_with(" or") || before.ends_with(" and") => {
            ("tests of a rule are joined by commas", "write `,`; for `or` use a set or a second rule")
        }
        _ if is_mac_with_hyphens(before, found) => {
            ("the octets of a MAC address are joined by colons", "write it as in 02:00:00:00:00:01")
        }
        ":" if before.contains('=') => {
            ("an IPv6 address has eight groups, or `::` in place of some", "write it as in 2001:db8::1")
        }
        ":" => ("a name and its value are joined by `=`", "write `name = value`"),
        _ if found.starts_with('-') && valued => ("ranges are written `a..b`", "write `..`, as in `80..90`"),
        "." if is_dotted(before) => {
            ("an IPv4 address has four numbers", "write a prefix, as in `10.1.0.0/16`, or a range")
        }
        "." if valued => (
            "a name ends before the dot",
            "write an address by its numbers; paths and other texts go in quotes",
        ),
        "!" if !rest.starts_with("!=") => ("only `!=` negates", "write `field != value`"),
        "&" | "|" => {
            ("tests of a rule are joined by commas", "write `,`; for `or` use a set or a second rule")
        }
        _ if valued && is_word(found, "and") => ("items are joined by commas", "write `,`"),
        _ if is_word(found, "or") || before.ends_with(" or") => {
            ("values of one field are a set", "write `field = {a, b}`; for other fields a second rule")
        }
        "'" => ("texts are written in double quotes", "write `\"`"),
        "[" | "]" => ("sets are written in braces", "write `{a, b}`"),
        "*" => ("there are no wildcards", "write a range or a prefix, or leave the field out"),
        "/" => ("`//` and `/*` are not comments", "comments start with `#`"),
        _ if in_set(before) && !found.is_empty() => {
            ("the values of a set are separated by commas", "write `,` between them")
        }
        _ => return None,
    })
}

fn is_word(found: &str, word: &str) -> bool {
    found.eq_ignore_ascii_case(word)
}

/// Whether a text ends with two numbers or more that are joined by dots.
fn is_dotted(text: &str) -> bool {
    let tail = text.rsplit(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
    tail.contains('.') && tail.split('.').all(|n| !n.is_empty())
}

/// Whether a set is open at the end of a text, and a value of it stands there.
fn in_set(text: &str) -> bool {
    text.matches('{').count() > text.matches('}').count() && !text.ends_with(['{', ',', '.', '/'])
}

/// What the grammar expects, in people's words.
fn names(expected: &[Rule]) -> String {
    let mut words: Vec<&str> = expected
        .iter()
        .filter_map(|rule| match rule {
            Rule::sign => Some("a sign such as `=`"),
            Rule::EOI => Some("the end of the item"),
            Rule::unit => Some("a unit"),
            Rule::layer => None,
            _ => Some("a value"),
        })
        .collect();
    words.sort_unstable();
    words.dedup();
    if words.is_empty() { "the end of the item".into() } else { words.join(" or ") }
}

/// The stretches between the commas that are in no bracket, text or comment.
fn cut(text: &str, start: usize, end: usize) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let (mut out, mut from, mut depth, mut i) = (Vec::new(), start, 0usize, start);
    while i < end {
        match bytes[i] {
            b'#' => i = text[i..end].find('\n').map_or(end, |n| i + n),
            b'"' => {
                i += 1;
                while i < end && bytes[i] != b'"' && bytes[i] != b'\n' {
                    i += if bytes[i] == b'\\' { 2 } else { 1 };
                }
            }
            b'{' | b'(' => depth += 1,
            b'}' | b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                out.push(from..i);
                from = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    out.push(from..end);
    out
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_' || b == b'-'
}

/// The next place that is neither space nor comment.
fn skip_space(text: &str, mut at: usize, end: usize) -> usize {
    let bytes = text.as_bytes();
    while at < end {
        match bytes[at] {
            b' ' | b'\t' | b'\r' | b'\n' => at += 1,
            b'#' => at = text[at..end].find('\n').map_or(end, |n| at + n),
            _ => break,
        }
    }
    at
}
