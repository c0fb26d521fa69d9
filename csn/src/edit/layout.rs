//! Where in a text to put a statement, and what to cut out with one: lines, indentation, blank lines.
//!
//! The two are each other's inverse: what [`after`] puts in, [`cuts`] takes out to the byte.

use std::ops::Range;

const BLANKS: [char; 3] = [' ', '\t', '\r'];

/// A place for statements, and what stands around them there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Byte offset.
    pub(super) at: usize,
    /// Before the first statement.
    pub(super) before: String,
    /// Behind the last one.
    pub(super) behind: String,
}

/// Where the text itself begins: a byte order mark is no part of it.
pub(super) fn beginning(text: &str) -> usize {
    if text.starts_with('\u{feff}') { 3 } else { 0 }
}

/// The start of the line that holds the byte at `at`.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(beginning(text), |n| n + 1)
}

/// The end of the line that holds the byte at `at`, the characters that end the line left out.
fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |n| at + n);
    at + text[at..end].trim_end_matches('\r').len()
}

/// What ends the line that ends at `end`, else what ends the first line of the text.
pub(super) fn newline(text: &str, end: usize) -> &str {
    let ends = |from: usize| text[from..].find('\n').map(|n| &text[from..from + n + 1]);
    ends(end).or_else(|| ends(line_end(text, 0))).unwrap_or("\n")
}

/// The blanks before `at`, where nothing else of the line is before it.
pub(super) fn indent(text: &str, at: usize) -> Option<&str> {
    let before = &text[line_start(text, at)..at];
    before.chars().all(|c| BLANKS.contains(&c)).then_some(before)
}

/// Whether nothing but a comment follows on the line.
fn ends_line(text: &str, at: usize) -> bool {
    let rest = text[at..line_end(text, at)].trim_start_matches(BLANKS);
    rest.is_empty() || rest.starts_with('#')
}

/// Whether the line that ends at `end` is followed by an empty one, or is the last.
fn blank_follows(text: &str, end: usize) -> bool {
    match text[end..].find('\n') {
        None => true,
        Some(n) => text[end + n + 1..].lines().next().is_none_or(|line| line.trim_matches(BLANKS).is_empty()),
    }
}

/// Whether an empty line is above the statement that starts at `at`; comments between them do not count.
pub(super) fn blank_above(text: &str, at: usize) -> bool {
    let above = text[beginning(text)..line_start(text, at)].lines().rev();
    above.map(|line| line.trim_matches(BLANKS)).find(|line| !line.starts_with('#')).is_some_and(str::is_empty)
}

/// The place for a rule behind a statement: on a line of its own where that statement has one, else beside it.
pub(super) fn after(text: &str, statement: &Range<usize>) -> Place {
    match indent(text, statement.start) {
        Some(indent) if ends_line(text, statement.end) => {
            let at = line_end(text, statement.end);
            Place { at, before: format!("{}{indent}", newline(text, at)), behind: String::new() }
        }
        _ => beside(statement.end),
    }
}

/// The place for a class behind a statement, set off by an empty line if `blank` and an empty line follows too.
pub(super) fn class_after(text: &str, end: usize, indent: &str, blank: bool) -> Place {
    if !ends_line(text, end) {
        return beside(end);
    }
    let at = line_end(text, end);
    let line = newline(text, at);
    let blank = if blank && blank_follows(text, at) { line } else { "" };
    Place { at, before: format!("{blank}{line}{indent}"), behind: String::new() }
}

/// The place for a class in a text without statements.
pub(super) fn class_at_end(text: &str) -> Place {
    let start = beginning(text);
    match text[start..].trim_end().len() {
        0 => Place { at: start, before: String::new(), behind: newline(text, start).to_owned() },
        n => class_after(text, start + n, "", true),
    }
}

fn beside(at: usize) -> Place {
    Place { at, before: " ".to_owned(), behind: String::new() }
}

/// What to cut out of the text for these statements to be gone, which are in order: their lines where they have lines
/// of their own, with the comments at the ends of them.
pub(super) fn cuts(text: &str, statements: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    for s in statements {
        match groups.last_mut() {
            Some(last) if only_space(&text[last.end..s.start]) => last.end = s.end,
            _ => groups.push(s.clone()),
        }
    }
    groups.iter().map(|g| cut(text, g)).collect()
}

/// Whether there is nothing between two statements but space and a comment on the line of the first.
fn only_space(gap: &str) -> bool {
    let (line, rest) = gap.split_once('\n').unwrap_or((gap, ""));
    let line = line.trim_start_matches(BLANKS);
    (line.is_empty() || line.starts_with('#')) && rest.trim().is_empty()
}

fn cut(text: &str, group: &Range<usize>) -> Range<usize> {
    let (starts, ends) = (indent(text, group.start).is_some(), ends_line(text, group.end));
    if !starts {
        return text[..group.start].trim_end_matches(BLANKS).len()..group.end;
    }
    if !ends {
        let behind = &text[group.end..];
        return group.start..group.end + (behind.len() - behind.trim_start_matches(BLANKS).len());
    }
    let (start, end) = (line_start(text, group.start), line_end(text, group.end));
    if start == beginning(text) {
        return start..text[end..].find('\n').map_or(text.len(), |n| end + n + 1);
    }
    let above = before_newline(text, start);
    let above_start = line_start(text, above);
    let blank = text[above_start..above].trim_matches(BLANKS).is_empty();
    if blank && above_start > beginning(text) && blank_follows(text, end) {
        // of the empty lines above and below one is enough
        return before_newline(text, above_start)..end;
    }
    above..end
}

/// The end of the line above the one that starts at `start`.
fn before_newline(text: &str, start: usize) -> usize {
    text[..start - 1].trim_end_matches('\r').len()
}

/// The text without these stretches, which are in order.
pub(super) fn without(text: &str, cuts: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for c in cuts {
        out.push_str(&text[at..c.start]);
        at = c.end;
    }
    out.push_str(&text[at..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remove(text: &str, statements: &[&str]) -> String {
        let places: Vec<_> = statements
            .iter()
            .map(|s| text.find(s).map(|at| at..at + s.len()).expect("the statement is there"))
            .collect();
        without(text, &cuts(text, &places))
    }

    #[test]
    fn a_statement_takes_its_line_and_the_comment_at_its_end_with_it() {
        assert_eq!(remove("a;\n  b; # of b\n# on its own\nc;", &["b;"]), "a;\n# on its own\nc;");
        assert_eq!(remove("a;\r\nb;\r\nc;\r\n", &["b;"]), "a;\r\nc;\r\n");
        assert_eq!(remove("a;\nb;", &["b;"]), "a;");
        assert_eq!(remove("\u{feff}a;\nb;", &["a;"]), "\u{feff}b;");
        assert_eq!(remove("a;", &["a;"]), "");
    }

    #[test]
    fn a_statement_that_shares_its_line_leaves_the_others_in_place() {
        assert_eq!(remove("  a; b; c; # d\n", &["b;"]), "  a; c; # d\n");
        assert_eq!(remove("  a; b; c; # d\n", &["a;"]), "  b; c; # d\n");
        assert_eq!(remove("  a; b; c; # d\n", &["c;"]), "  a; b; # d\n");
        assert_eq!(remove("  a; b; c; # d\nx;", &["a;", "b;", "c;"]), "x;");
    }

    #[test]
    fn one_of_two_empty_lines_goes_with_a_block() {
        assert_eq!(remove("a;\n\nb;\nc;\n\nd;\n", &["b;", "c;"]), "a;\n\nd;\n");
        assert_eq!(remove("a;\n\nb;\n\nc;\n", &["b;", "c;"]), "a;\n");
        assert_eq!(remove("a;\n\nb;\nc;\n", &["b;"]), "a;\n\nc;\n");
        assert_eq!(remove("\nb;\n\nc;\n", &["b;"]), "\n\nc;\n");
    }
}
