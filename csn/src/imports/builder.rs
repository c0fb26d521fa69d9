//! Puts together the rules that an import reads.

use super::Imported;
use crate::codes::{self, Code};
use crate::diagnostic::{Diagnostic, FileId, Span};
use crate::field::Field;
use crate::ruleset::{Class, ClassId, Rule};
use crate::value::ValueSet;
use std::collections::HashMap;

/// Collects classes, rules and findings in the order of the text.
#[derive(Default)]
#[allow(dead_code)]
pub(super) struct Builder {
    out: Imported,
    by_name: HashMap<String, ClassId>,
}

#[allow(dead_code)]
impl Builder {
    /// The class of that name, opened where it is new; its number is the next free one.
    pub(super) fn class(&mut self, name: &str, span: Span) -> ClassId {
        if let Some(known) = self.by_name.get(name) {
            return *known;
        }
        let id = self.next(Some(name.into()), span);
        self.by_name.insert(name.into(), id);
        id
    }

    /// A new class without a name.
    pub(super) fn unnamed(&mut self, span: Span) -> ClassId {
        self.next(None, span)
    }

    fn next(&mut self, name: Option<String>, span: Span) -> ClassId {
        let classes = &mut self.out.rules.classes;
        let number = classes.len() as u32;
        classes.push(Class { number, name, span });
        ClassId(number)
    }

    /// Adds a rule. Tests of one field are a conjunction.
    pub(super) fn rule(
        &mut self,
        class: ClassId,
        tests: impl IntoIterator<Item = (Field, ValueSet)>,
        span: Span,
    ) {
        let mut kept: Vec<(Field, ValueSet)> = Vec::new();
        for (field, set) in tests {
            match kept.iter_mut().find(|(f, _)| *f == field) {
                Some((_, earlier)) => *earlier = earlier.intersect(&set),
                None => kept.push((field, set)),
            }
        }
        kept.sort_by_key(|(f, _)| *f);
        self.out.rules.rules.push(Rule { class, tests: kept, both: false, span });
    }

    /// The text at this place is not of the format.
    pub(super) fn malformed(&mut self, span: Span, message: impl Into<String>, cure: impl Into<String>) {
        self.add(&codes::IMPORT_SYNTAX, span, message, "it is not of the format", cure);
    }

    /// The rule at this place means something that the notation cannot say.
    pub(super) fn lost(&mut self, span: Span, message: impl Into<String>, reason: impl Into<String>) {
        let cure = "write the rule in CSN by hand, or leave it out with --allow-loss";
        self.add(&codes::IMPORT_LOST, span, message, reason, cure);
    }

    /// Something at this place is left aside without a change of any class.
    pub(super) fn aside(&mut self, span: Span, message: impl Into<String>, reason: impl Into<String>) {
        self.add(&codes::IMPORT_ASIDE, span, message, reason, "nothing need be done");
    }

    fn add(
        &mut self,
        code: &Code,
        span: Span,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.out.diagnostics.push(Diagnostic::new(code, span, message, reason, cure));
    }

    /// How much was found so far.
    pub(super) fn findings(&self) -> usize {
        self.out.diagnostics.len()
    }

    /// What was read.
    pub(super) fn finish(self) -> Imported {
        self.out
    }
}

/// The lines of a text with their places, ends of line left out.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (Span, &str)> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let at = start;
        start += line.len() + 1;
        let line = line.strip_suffix('\r').unwrap_or(line);
        (Span { file: FileId(0), start: at as u32, end: (at + line.len()) as u32 }, line)
    })
}
