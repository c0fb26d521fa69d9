//! Programs as values.

use super::lexer::Token;
use crate::diagnostic::Span;
use crate::rtfm::{Column, Opcode};

/// A program.
#[derive(Debug, Default)]
pub(super) struct Source<'a> {
    pub(super) set: Option<u32>,
    pub(super) format: Vec<Column>,
    pub(super) statistics: bool,
    pub(super) body: Vec<Statement<'a>>,
    pub(super) subroutines: Vec<Subroutine<'a>>,
}

/// A statement with its place.
#[derive(Debug)]
pub(super) struct Statement<'a> {
    pub(super) span: Span,
    pub(super) what: What<'a>,
}

/// A statement.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// `if … else if … else …`: however long such a chain is, it is one statement.
    If { arms: Vec<Arm<'a>>, otherwise: Option<Box<Statement<'a>>> },
    /// `label: { … }`.
    Block { label: Option<Token<'a>>, body: Vec<Statement<'a>> },
    /// `save attribute …`.
    Save { attribute: Token<'a>, what: Saved<'a> },
    /// `store variable := value`.
    Store { variable: Token<'a>, value: Token<'a> },
    /// `count`, `ignore`, `nomatch`.
    End(Opcode),
    /// `exit label`.
    Exit(Token<'a>),
    /// `return`, to a label of the call or behind it.
    Return(Option<u32>),
    /// `call name(…) … endcall`.
    Call(Call<'a>),
}

/// One condition and what is done where it holds.
#[derive(Debug)]
pub(super) struct Arm<'a> {
    pub(super) condition: Condition<'a>,
    /// Whether what was compared is saved.
    pub(super) save: bool,
    pub(super) body: Option<Statement<'a>>,
}

/// A condition.
#[derive(Clone, Debug)]
pub(super) enum Condition<'a> {
    Any(Vec<Condition<'a>>),
    All(Vec<Condition<'a>>),
    Test { attribute: Token<'a>, operands: Vec<Operand<'a>> },
}

/// A value under a mask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand<'a> {
    pub(super) value: Token<'a>,
    pub(super) mask: Mask<'a>,
}

/// The bits that count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mask<'a> {
    /// All.
    Whole,
    /// That many from the left.
    Width(Token<'a>),
    /// These.
    Bits(Token<'a>),
}

/// What is saved.
#[derive(Debug)]
pub(super) enum Saved<'a> {
    /// The packet's value.
    Packet(Mask<'a>),
    /// A constant.
    Constant(Operand<'a>),
}

/// A call.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) name: Token<'a>,
    pub(super) actuals: Vec<Token<'a>>,
    /// Statements behind numbers.
    pub(super) returns: Vec<(Vec<u32>, Statement<'a>)>,
}

/// A parameter of a subroutine.
#[derive(Debug)]
pub(super) struct Parameter<'a> {
    /// One of the six variables, not an address.
    pub(super) variable: bool,
    pub(super) name: Token<'a>,
}

/// A subroutine.
#[derive(Debug)]
pub(super) struct Subroutine<'a> {
    pub(super) name: Token<'a>,
    pub(super) parameters: Vec<Parameter<'a>>,
    pub(super) body: Vec<Statement<'a>>,
}

impl<'a> Statement<'a> {
    /// Shows every statement to `look`, outer ones first.
    pub(super) fn walk<'s>(&'s self, look: &mut impl FnMut(&'s Statement<'a>)) {
        look(self);
        match &self.what {
            What::If { arms, otherwise } => {
                let bodies = arms.iter().filter_map(|a| a.body.as_ref());
                bodies.chain(otherwise.as_deref()).for_each(|s| s.walk(look));
            }
            What::Block { body, .. } => body.iter().for_each(|s| s.walk(look)),
            What::Call(call) => call.returns.iter().for_each(|(_, s)| s.walk(look)),
            _ => {}
        }
    }
}
