//! From a program of the packet matching engine (RFC 2722) to the rules that it stands for.
//!
//! The paths through the program are walked depth first, the branch of a test that succeeds before that of its
//! failure. So everything that satisfies the tests up to a place has been seen before what does not, the order of the
//! paths is one of first match, and a rule needs only the tests that succeed on its path. A path that comes back to
//! where the failure of its last test leads anyway is not walked on: that branch sees the same.
//!
//! A path that ends with a class (`FlowClass` and the other computed attributes) is a rule. The others are `others`:
//! later rules that overlap them are narrowed. After `NoMatch` a meter tries again with source and destination
//! exchanged, so the rules of the reply direction follow behind.

mod classes;
mod decode;
mod order;
mod walk;

use super::{Builder, Imported};
use crate::diagnostic::Span;
use crate::rtfm::{Attribute, Program};

/// Reads the rules of a program; `places` are those of its rules in the text.
pub(super) fn rules(program: &Program, places: &[Span], out: Builder) -> Imported {
    let mut out = out;
    let place = |rule: usize| places.get(rule).copied().unwrap_or_default();
    let forward = walk::paths(program, true, &place, &mut out);
    let tries_again = forward.iter().any(|p| p.end == walk::End::NoMatch);
    let backward = match tries_again {
        false => Vec::new(),
        true if tests_direction(program) => walk::paths(program, false, &place, &mut out),
        true => forward.clone(),
    };
    let named = forward.iter().any(|p| matches!(p.end, walk::End::Class(_)));
    if let Some(counted) = forward.iter().find(|p| p.end == walk::End::Others).filter(|_| !named) {
        out.lost(
            counted.span,
            "this program tells flows apart, not classes",
            "no packet is given a class: FlowClass, FlowKind or one of the other computed attributes",
        );
        return out.finish();
    }
    let ordered = order::rules(forward, backward, &mut out);
    classes::number(ordered, out)
}

fn tests_direction(program: &Program) -> bool {
    program.rules.iter().any(|r| r.attribute == Attribute::MatchingStoD && r.mask != 0)
}
