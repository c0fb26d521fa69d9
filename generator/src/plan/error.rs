//! Why a load cannot be made.

use csn::Span;

/// A load that cannot be made: where, why, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}: {reason}; {cure}")]
pub struct PlanError {
    /// The statement that asks for it.
    pub span: Span,
    /// The rule, counted from 1, where it is about one.
    pub rule: Option<usize>,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Why that is so.
    pub reason: String,
    /// What to do instead.
    pub cure: String,
}

impl PlanError {
    /// An error at a statement.
    pub(crate) fn new(
        span: Span,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) -> Self {
        Self { span, rule: None, message: message.into(), reason: reason.into(), cure: cure.into() }
    }
}
