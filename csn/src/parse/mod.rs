//! From text to statements: the text is cut at its `;` ([`split`]), each piece is read by the grammar
//! ([`build`]; plain ones by [`quick`], alike), and a piece that the grammar refuses is read again item by item ([`recover`]), so that a mistake
//! costs no more than the item it is in.

mod build;
mod literal;
mod quick;
mod recover;
mod split;
mod tokens;

use crate::ast::{Item, Keyword, Statement};
use crate::codes;
use crate::diagnostic::{FileId, Span};
use crate::report::{Report, did_you_mean};
use crate::suggest;
use pest::Parser;
use pest::iterators::Pair;
use split::Piece;

pub(crate) use literal::unescape;
pub(crate) use tokens::{Token, TokenKind, tokens};

/// The grammar of one statement.
#[derive(pest_derive::Parser)]
#[grammar = "grammar.pest"]
struct Grammar;

/// Brackets deeper than this are refused before the grammar sees them.
pub(crate) const MAX_DEPTH: usize = 32;

/// What a text says.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    pub(crate) statements: Vec<Statement>,
    /// Words in what could not be read: they may be names, or uses of names.
    pub(crate) mentioned: Vec<String>,
    /// A statement is missing that could have been a class or a rule.
    pub(crate) lost: bool,
}

/// A stretch of a file that is being read, and where findings go.
struct Reader<'a> {
    file: FileId,
    text: &'a str,
    report: &'a mut Report,
    mentioned: Vec<String>,
    lost: bool,
}

impl Reader<'_> {
    fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    /// Remembers the words of a stretch that is given up.
    fn give_up(&mut self, start: usize, end: usize) {
        let words = self.text[start..end].split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_');
        self.mentioned.extend(words.filter(|w| !w.is_empty()).map(String::from));
    }
}

/// The statements of a text. Never fails: what cannot be read is reported and left out.
pub(crate) fn file(file: FileId, text: &str, report: &mut Report) -> Parsed {
    let pieces = split::pieces(file, text, report);
    let mut reader = Reader { file, text, report, mentioned: Vec::new(), lost: false };
    let statements = pieces.iter().filter_map(|piece| statement(&mut reader, piece)).collect();
    Parsed { statements, mentioned: reader.mentioned, lost: reader.lost }
}

/// The items of a list without keyword, as `explain --packet` has it.
pub(crate) fn list(file: FileId, text: &str, report: &mut Report) -> Vec<Item> {
    let pieces = split::pieces_of_list(file, text, report);
    let mut reader = Reader { file, text, report, mentioned: Vec::new(), lost: false };
    let readable = pieces.iter().filter(|p| !p.unreadable);
    readable.flat_map(|p| items(&mut reader, p.start, p.end, p.broken).0).collect()
}

fn statement(r: &mut Reader<'_>, piece: &Piece) -> Option<Statement> {
    let text = &r.text[piece.start..piece.end];
    if piece.unreadable {
        r.give_up(piece.start, piece.end);
        r.lost = true;
        return None;
    }
    if !piece.broken
        && let Some(plain) = quick::statement(r.file, r.text, piece.start, piece.end, piece.stop)
    {
        return Some(plain);
    }
    if !piece.broken
        && let Ok(mut pairs) = Grammar::parse(Rule::statement, text)
        && let Some(pair) = pairs.next()
    {
        return with_grammar(r, piece, pair);
    }
    recover::statement(r, piece)
}

/// A statement that the grammar accepts; none where its keyword is unknown, which is reported.
fn with_grammar(r: &mut Reader<'_>, piece: &Piece, pair: Pair<'_, Rule>) -> Option<Statement> {
    let mut inner = pair.into_inner();
    let word = inner.next()?;
    let keyword_span = r.span(piece.start, piece.start + word.as_str().len());
    let Some(keyword) = keyword(r, word.as_str(), keyword_span) else {
        r.give_up(piece.start, piece.end);
        return None;
    };
    let items = inner.filter_map(|p| build::item(r, piece.start, p)).collect();
    Some(Statement { keyword, keyword_span, items, span: r.span(piece.start, piece.stop), broken: false })
}

/// Items between two places, item by item where they cannot be read together; and whether some are missing.
fn items(r: &mut Reader<'_>, start: usize, end: usize, broken: bool) -> (Vec<Item>, bool) {
    if !broken
        && let Ok(mut pairs) = Grammar::parse(Rule::list, &r.text[start..end])
        && let Some(pair) = pairs.next()
    {
        return (pair.into_inner().filter_map(|p| build::item(r, start, p)).collect(), false);
    }
    (recover::items(r, start, end, broken), true)
}

/// The keyword of that spelling; an unknown one is reported.
fn keyword(r: &mut Reader<'_>, word: &str, span: Span) -> Option<Keyword> {
    let found = Keyword::from_name(word);
    if found.is_none() {
        let near = suggest::nearest(word, Keyword::ALL.map(|(n, _)| n));
        let meant = near.and_then(Keyword::from_name);
        r.lost |= meant.is_none_or(|k| matches!(k, Keyword::Include | Keyword::Set | Keyword::AddRule));
        r.report.add(
            &codes::KEYWORD,
            span,
            format!("`{word}` is not a statement"),
            "no statement starts with this word",
            match word.to_ascii_lowercase().as_str() {
                "class" => "a class is opened by `set: class = 1;`".to_owned(),
                "rule" => "write `addrule`".to_owned(),
                _ => did_you_mean(near, format!("use one of {}", Keyword::ALL.map(|(n, _)| n).join(", "))),
            },
        );
    }
    found
}
