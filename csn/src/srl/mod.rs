//! SRL, the Simple Ruleset Language (RFC 2723), and its compiler: what an RTFM manager does before it loads a meter.
//!
//! ```text
//! text ─ lex, expand macros ─► tokens ─ parse ─► statements ─ generate ─► instructions ─ assemble ─► Program
//! ```
//!
//! What the code looks like: a condition is one rule of the engine per value that is compared, so a packet that fails
//! goes straight on; what stands behind a condition that holds is put at the end. Jumps to jumps, jumps to the next
//! rule and rules that nothing leads to are left out. Whether a rule is entered with its test on or off (`Goto` or
//! `GotoAct`) follows from what stands at the target.
//!
//! Beyond the RFC, which leaves these open:
//!
//! - a program that ends without `count`, `ignore` or `nomatch` ends as with `nomatch`, a subroutine as with `return`;
//! - `set N;`, `format …;` and `statistics;` are those of rule files;
//! - the names that rule files know for values (`tcp`, `www`, …), and this testbed's attributes (`Vlan`, …);
//! - `save` of a peer address without a width keeps the IPv4 address; `/33` to `/128` keep that of IPv6;
//! - a subroutine may be called before it is defined, but never by itself; what is passed on from a parameter stays in
//!   its variable, and five variables can be in use at once.

mod assemble;
mod ast;
mod conditions;
mod generate;
mod lexer;
mod names;
mod operand;
mod parser;
mod subroutines;

use crate::codes;
use crate::diagnostic::{Diagnostic, Span};
use crate::rtfm::Program;

/// What came out of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compiled {
    /// The rule set. Where there are errors, that of what was understood.
    pub program: Program,
    /// The statement or condition that each rule of the program comes from, in the order of the rules; the text is
    /// file 0.
    pub places: Vec<Span>,
    /// Every error, by place.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a program to a rule set. It never stops at the first error.
pub fn compile(text: &str) -> Compiled {
    let mut errors = Errors::default();
    let tokens = lexer::tokens(text, &mut errors);
    let source = parser::parse(&tokens, text.len(), &mut errors);
    let (mut program, places) = generate::program(&source, &mut errors).assemble();
    program.set = source.set.unwrap_or(1);
    program.format = source.format;
    program.statistics = source.statistics;
    for fault in program.check() {
        // what a rule set cannot be, although every statement is right: report it where it comes from
        let place = (fault.rule as usize).checked_sub(1).and_then(|i| places.get(i));
        errors.add(place.copied().unwrap_or_default(), fault.message, "a meter would refuse it", "mend it");
    }
    let mut diagnostics = errors.found;
    diagnostics.sort_by_key(|d| d.span.start);
    Compiled { program, places, diagnostics }
}

/// Collects what is wrong.
#[derive(Default)]
struct Errors {
    found: Vec<Diagnostic>,
}

impl Errors {
    fn add(
        &mut self,
        span: Span,
        message: impl Into<String>,
        reason: impl Into<String>,
        cure: impl Into<String>,
    ) {
        self.found.push(Diagnostic::new(&codes::IMPORT_SYNTAX, span, message, reason, cure));
    }
}

#[cfg(test)]
mod tests;
