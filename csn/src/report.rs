//! Collects what the front end finds.

use crate::codes::Code;
use crate::diagnostic::{Diagnostic, Label, Severity, Span};

/// The findings of one compilation, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What is understood but not executed by this version.
    pub(crate) unexecuted: Vec<Diagnostic>,
    /// How many of the findings are errors.
    pub(crate) errors: usize,
}

impl Diagnostic {
    /// A finding of a code of the table.
    pub fn new(
        code: &Code,
        span: Span,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self {
            code: code.code,
            severity: code.severity,
            span,
            message: message.into(),
            reason: reason.into(),
            cure: cure.into(),
            related: Vec::new(),
        }
    }

    /// Adds a second place.
    pub fn relate(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.related.push(Label { span, text: text.into() });
        self
    }
}

impl Report {
    /// One more finding.
    pub(crate) fn add(
        &mut self,
        code: &Code,
        span: Span,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> &mut Diagnostic {
        self.push(Diagnostic::new(code, span, message, reason, cure))
    }

    /// One more finding, made elsewhere.
    pub(crate) fn push(&mut self, found: Diagnostic) -> &mut Diagnostic {
        self.errors += usize::from(found.severity == Severity::Error);
        self.diagnostics.push(found);
        let last = self.diagnostics.len() - 1;
        &mut self.diagnostics[last]
    }

    /// By place; a finding that several uses of a name lead to is kept once.
    pub(crate) fn sort(&mut self) {
        for list in [&mut self.diagnostics, &mut self.unexecuted] {
            list.sort_by_key(|d| (d.span.file, d.span.start, d.span.end, d.code));
            list.dedup_by(|a, b| a.code == b.code && a.span == b.span && a.message == b.message);
        }
    }
}

/// The cure that a suggestion makes, or the general one.
pub(crate) fn did_you_mean(nearest: Option<&str>, otherwise: impl Into<String>) -> String {
    match nearest {
        Some(n) => format!("did you mean `{n}`?"),
        None => otherwise.into(),
    }
}
