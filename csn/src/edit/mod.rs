//! Edits by command: a rule added, a rule or class removed, and every other byte of the file as it was.
//!
//! ```text
//! text ─ outline ─► statements, classes, rules ─ add, remove ─► what to put in or cut out ─ layout ─► text
//!                                                                                             └ verify: compiled again
//! ```
//!
//! An edit works on places in the text, never on a tree that is printed again, so comments, line ends and indentation
//! stay. What comes of it is compiled again before it is handed out: it must hold the rules of before, plus or minus
//! those of the edit, and no error that was not there. Otherwise the edit is refused, with the reason and the cure.
//!
//! - A rule goes behind the last rule of its class, a new class behind the last class.
//! - A statement that is removed takes the comment at the end of its line with it; comments on lines of their own stay.
//! - A class that is removed takes its `set`, its rules and every `load` that is for nothing else with it.
//! - A removal undoes an addition to the byte.

mod add;
mod argument;
mod layout;
mod outline;
mod remove;
mod verify;

#[cfg(test)]
mod tests;

pub use add::{Addition, add};
pub use remove::{Removal, remove};

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Sources, Span};
use crate::resolve::Outcome;

/// A file after an edit.
#[derive(Clone, Debug)]
pub struct Edited {
    /// The whole text.
    pub text: String,
    /// What was put in or cut out, in the order of the file.
    pub changes: Vec<Change>,
    /// What the text compiles to.
    pub outcome: Outcome,
    /// Warnings and lints that were not there before the edit; their places are in `outcome.sources`.
    pub news: Vec<Diagnostic>,
}

/// A statement that an edit put in or cut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whether it is new.
    pub added: bool,
    /// The line on which it starts, from 1: in the new text where it is new, else in the old one.
    pub line: usize,
    /// The statement.
    pub statement: String,
}

/// Why an edit was not made.
#[derive(Clone, Debug)]
pub struct Refused {
    /// The texts that the diagnostics point into: the file (where the edit made the mistake, as it would have
    /// become), what it includes, and the words of the command by their names there, such as `--class`.
    pub sources: Sources,
    /// At least one error.
    pub diagnostics: Vec<Diagnostic>,
}

impl Refused {
    fn new(
        sources: &Sources,
        code: &Code,
        span: Span,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        let diagnostics = vec![Diagnostic::new(code, span, message, reason, cure)];
        Self { sources: sources.clone(), diagnostics }
    }

    /// A refusal that points at a word of the command.
    fn at_word(
        sources: &Sources,
        (name, word): (&str, &str),
        code: &Code,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        let mut sources = sources.clone();
        let file = sources.add(name, word);
        let span = Span { file, start: 0, end: word.len() as u32 };
        Self::new(&sources, code, span, message, reason, cure)
    }

    /// Adds a second place.
    fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        if let Some(d) = self.diagnostics.last_mut() {
            d.relate(span, text);
        }
        self
    }
}
