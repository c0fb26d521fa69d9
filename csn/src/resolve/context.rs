//! What resolving a scenario needs everywhere: the names, and where findings go.

use super::names::Names;
use super::words;
use crate::ast::{Expr, ExprKind, Item, Name, Setting, Sign};
use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, Sources, Span};
use crate::field::Field;
use crate::report::{Report, did_you_mean};
use crate::suggest;
use crate::value::ValueSet;
use std::collections::HashMap;

/// More values than this are not listed one by one.
pub(crate) const MAX_LISTED: usize = 1 << 20;

/// A scenario that is being resolved.
pub(crate) struct Context<'a> {
    pub(crate) names: &'a Names,
    /// The files, by which paths are found; none where there is no scenario.
    pub(super) sources: Option<&'a Sources>,
    pub(crate) report: Report,
    /// What names stand for, by the field that they are used for. None for what has been reported.
    pub(super) known: HashMap<(String, Field), Option<ValueSet>>,
    /// How many names deep a value is being resolved.
    pub(super) depth: usize,
}

impl<'a> Context<'a> {
    /// A scenario with these names.
    pub(crate) fn new(names: &'a Names, report: Report) -> Self {
        Self { names, sources: None, report, known: HashMap::new(), depth: 0 }
    }

    /// Reports a finding.
    pub(crate) fn add(
        &mut self,
        code: &Code,
        span: Span,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> &mut Diagnostic {
        self.report.add(code, span, message, reason, cure)
    }

    /// A value with names at its outside replaced by what they stand for.
    pub(crate) fn follow<'e>(&self, e: &'e Expr) -> &'e Expr
    where
        'a: 'e,
    {
        self.names.follow(e)
    }

    /// Reports a value of the wrong kind, or a word that means nothing where `words` (and defined names) do.
    pub(crate) fn wrong_kind(&mut self, e: &Expr, wanted: &str, words: &[&str]) {
        match &e.kind {
            ExprKind::Invalid => {}
            ExprKind::Word(w) if self.names.get(w).is_some() => {
                let stands_for = self.follow(e);
                if stands_for.kind != ExprKind::Invalid {
                    let found = stands_for.describe();
                    self.add(
                        &codes::WRONG_KIND,
                        e.span,
                        format!("expected {wanted}, found `{w}`"),
                        format!("the name stands for {found}"),
                        format!("write {wanted}, or a name for it"),
                    );
                }
            }
            ExprKind::Word(w) => self.unknown_word(w, e.span, wanted, words),
            ExprKind::Each(_) => {
                self.add(
                    &codes::EACH_HERE,
                    e.span,
                    "`each` cannot be used here",
                    "it multiplies rules and classes, and this is neither",
                    format!("write {wanted}"),
                );
            }
            _ => {
                self.add(
                    &codes::WRONG_KIND,
                    e.span,
                    format!("expected {wanted}, found {}", e.describe()),
                    format!("this place needs {wanted}"),
                    format!("write {wanted}"),
                );
            }
        }
    }

    /// Reports a word that is neither defined nor one of `words`.
    pub(crate) fn unknown_word(&mut self, word: &str, span: Span, wanted: &str, words: &[&str]) {
        let names = self.names;
        if names.may_be_lost(word) {
            // its definition is what has been reported
            self.report.errors += 1;
            return;
        }
        let near = suggest::nearest(word, words.iter().copied().chain(names.all()));
        if let Some(n) = near {
            names.touch(n);
        }
        let otherwise = match words {
            [] => format!("write {wanted}, or define the name"),
            _ if words.len() <= 8 => format!("write {wanted}: {}", words.join(", ")),
            _ => format!("write {wanted}"),
        };
        let reason = match words::known_by(word) {
            Some(field) => format!("`{word}` is a word of `{field}`; this place needs {wanted}"),
            None => format!("it is not defined, and this place needs {wanted}"),
        };
        let cure = did_you_mean(near, otherwise);
        self.add(&codes::UNKNOWN_NAME, span, format!("`{word}` is not known here"), reason, cure);
    }

    /// Reports a setting that a statement does not have.
    pub(crate) fn unknown_setting(&mut self, name: &Name, statement: &str, known: &[&str]) {
        let near = suggest::nearest(&name.text, known.iter().copied());
        self.add(
            &codes::UNKNOWN_SETTING,
            name.span,
            format!("`{statement}` has no setting `{}`", name.text),
            format!("it has {}", known.join(", ")),
            did_you_mean(near, "use one of them, or take it out"),
        );
    }

    /// The item as `name = value`; another shape or sign is reported.
    pub(crate) fn setting<'i>(&mut self, item: &'i Item, statement: &str) -> Option<&'i Setting> {
        match item {
            Item::Setting(s) if s.sign == Sign::EQUAL => Some(s),
            Item::Setting(s) => {
                self.wrong_sign(s, &format!("the settings of `{statement}` are given with `=`"), "write `=`");
                None
            }
            Item::Bare(e) => {
                if e.kind != ExprKind::Invalid {
                    self.add(
                        &codes::SHAPE,
                        e.span,
                        format!("{} is not a setting", e.describe()),
                        format!("the items of `{statement}` are `name = value`"),
                        "write the name of the setting and `=` before it",
                    );
                }
                None
            }
        }
    }

    /// Reports a sign that the statement does not know.
    pub(crate) fn wrong_sign(&mut self, s: &Setting, reason: &str, cure: &str) {
        let message = format!("`{}` cannot be used here", s.sign.text());
        self.add(&codes::SIGN, s.sign_span, message, reason, cure);
    }

    /// Reports something that is given a second time.
    pub(crate) fn repeated(&mut self, what: &str, first: Span, second: Span) {
        self.add(
            &codes::REPEATED,
            second,
            format!("`{what}` is given twice"),
            "which of the two holds cannot be told",
            "keep one",
        )
        .relate(first, "the first");
    }

    /// Puts a value in its place unless there is one already, which is reported.
    pub(crate) fn give<T>(
        &mut self,
        place: &mut Option<(T, Span)>,
        what: &str,
        value: Option<T>,
        span: Span,
    ) {
        match (place.as_ref(), value) {
            (Some((_, first)), _) => self.repeated(what, *first, span),
            (None, Some(v)) => *place = Some((v, span)),
            (None, None) => {}
        }
    }
}
