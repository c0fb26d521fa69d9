//! Conditions: how they are read, and how those are put that save what they compare.

use super::ast::Condition;
use super::lexer::Kind;
use super::parser::Parser;

/// Conjunctions that a condition may become.
const MOST: usize = 10_000;

impl<'a> Parser<'_, 'a, '_> {
    /// `a && b || c`, where `&&` binds closer.
    pub(super) fn condition(&mut self) -> Option<Condition<'a>> {
        let mut any = Vec::new();
        loop {
            let mut all = vec![self.factor()?];
            while self.take("&&") {
                all.push(self.factor()?);
            }
            any.push(one_or(all, Condition::All));
            if !self.take("||") {
                return Some(one_or(any, Condition::Any));
            }
        }
    }

    fn factor(&mut self) -> Option<Condition<'a>> {
        if self.take("(") {
            let inner = self.nested(Self::condition)?;
            self.expect(")")?;
            return Some(inner);
        }
        let attribute = self.kind(Kind::Word, "an attribute")?;
        self.expect("==")?;
        let mut operands = Vec::new();
        if self.take("(") {
            loop {
                operands.push(self.operand()?);
                if !self.take(",") {
                    break;
                }
            }
            self.expect(")")?;
        } else {
            operands.push(self.operand()?);
        }
        Some(Condition::Test { attribute, operands })
    }
}

fn one_or<'a>(mut all: Vec<Condition<'a>>, make: fn(Vec<Condition<'a>>) -> Condition<'a>) -> Condition<'a> {
    if all.len() == 1 { all.remove(0) } else { make(all) }
}

impl Condition<'_> {
    /// How many values are saved where it holds; none where that depends on which part of it does.
    pub(super) fn saved(&self) -> Option<usize> {
        match self {
            Condition::Test { .. } => Some(1),
            Condition::All(all) => all.iter().map(Condition::saved).sum(),
            Condition::Any(any) => {
                let first = any.first().and_then(Condition::saved);
                first.filter(|n| any.iter().all(|c| c.saved() == Some(*n)))
            }
        }
    }
}

/// A condition that saves what it compares must forget it where a later part of a conjunction fails, so the number of
/// saved values has to be known there: a conjunction of which that is not so is put as a disjunction of plain ones,
/// which tries the same values in the same order.
pub(super) fn level<'a>(condition: Condition<'a>, parser: &mut Parser<'_, 'a, '_>) -> Option<Condition<'a>> {
    match condition {
        Condition::Any(any) => {
            let parts: Option<Vec<_>> = any.into_iter().map(|c| level(c, parser)).collect();
            parts.map(Condition::Any)
        }
        known if known.saved().is_some() => Some(known),
        uneven => {
            let Some(all) = conjunctions(&uneven) else {
                let place = parser.place();
                let reason = format!("it stands for more than {MOST} conjunctions");
                parser.errors.add(place, "the condition before this cannot be saved", reason, "split it");
                return None;
            };
            Some(Condition::Any(all.into_iter().map(|c| one_or(c, Condition::All)).collect()))
        }
    }
}

fn conjunctions<'a>(condition: &Condition<'a>) -> Option<Vec<Vec<Condition<'a>>>> {
    match condition {
        Condition::Test { .. } => Some(vec![vec![condition.clone()]]),
        Condition::Any(any) => {
            let mut out = Vec::new();
            for c in any {
                out.extend(conjunctions(c)?);
                if out.len() > MOST {
                    return None;
                }
            }
            Some(out)
        }
        Condition::All(all) => {
            let mut out = vec![Vec::new()];
            for c in all {
                let next = conjunctions(c)?;
                if out.len() * next.len() > MOST {
                    return None;
                }
                out = out
                    .iter()
                    .flat_map(|left: &Vec<Condition<'a>>| {
                        next.iter().map(move |right| left.iter().chain(right).cloned().collect())
                    })
                    .collect();
            }
            Some(out)
        }
    }
}
