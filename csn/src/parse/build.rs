//! From what the grammar found to the tree.

use super::{Reader, Rule, literal};
use crate::ast::{Expr, ExprKind, Item, Name, Number, Setting, Sign, Unit};
use crate::diagnostic::Span;
use pest::iterators::Pair;

/// The item of a pair whose places count from `base`; none for the end of the input.
pub(super) fn item(r: &mut Reader<'_>, base: usize, pair: Pair<'_, Rule>) -> Option<Item> {
    let span = place(r, base, &pair);
    match pair.as_rule() {
        Rule::bare => Some(Item::Bare(expr(r, base, pair.into_inner().next()?))),
        Rule::setting => {
            let mut parts = pair.into_inner();
            let name = name(r, base, parts.next()?);
            let sign = parts.next()?;
            let value = expr(r, base, parts.next()?);
            Some(Item::Setting(Setting {
                name,
                sign: Sign::from_text(sign.as_str())?,
                sign_span: place(r, base, &sign),
                value,
                span,
            }))
        }
        _ => None,
    }
}

/// The place of a pair; space and comments behind it, which some rules take in, are left out.
fn place(r: &Reader<'_>, base: usize, pair: &Pair<'_, Rule>) -> Span {
    let span = pair.as_span();
    let (start, mut end) = (base + span.start(), base + span.end());
    if let Some(last) = pair.clone().into_inner().last()
        && pair.as_rule() != Rule::set
        && pair.as_rule() != Rule::call
        && pair.as_rule() != Rule::text
        && pair.as_rule() != Rule::layer
    {
        end = place(r, base, &last).end as usize;
    }
    r.span(start, end)
}

fn name(r: &Reader<'_>, base: usize, pair: Pair<'_, Rule>) -> Name {
    Name { text: pair.as_str().to_owned(), span: place(r, base, &pair) }
}

/// The value of a pair. Its depth is bounded by [`super::MAX_DEPTH`].
fn expr(r: &mut Reader<'_>, base: usize, pair: Pair<'_, Rule>) -> Expr {
    let span = place(r, base, &pair);
    let kind = match pair.as_rule() {
        Rule::each => match pair.into_inner().nth(1) {
            Some(p) => ExprKind::Each(Box::new(expr(r, base, p))),
            None => ExprKind::Invalid,
        },
        Rule::range | Rule::term => return joined(r, base, pair),
        Rule::text => {
            let inner = pair.into_inner().next().map_or("", |p| p.as_str()).to_owned();
            literal::check_escapes(r, span, &inner);
            ExprKind::Text(inner)
        }
        Rule::set => ExprKind::Set(pair.into_inner().map(|p| expr(r, base, p)).collect()),
        Rule::call => {
            let mut parts = pair.into_inner();
            match parts.next() {
                Some(n) => {
                    let n = name(r, base, n);
                    ExprKind::Call(n, parts.filter_map(|p| item(r, base, p)).collect())
                }
                None => ExprKind::Invalid,
            }
        }
        Rule::flags => {
            let mut names: Vec<Name> = pair.into_inner().map(|p| name(r, base, p)).collect();
            match names.len() {
                1 => ExprKind::Word(names.remove(0).text),
                _ => ExprKind::Flags(names),
            }
        }
        Rule::colons => literal::colons(r, span, pair.as_str()),
        Rule::dotted => literal::dotted(r, span, pair.as_str()),
        Rule::number | Rule::measured => number(r, base, pair),
        Rule::within => match pair.into_inner().next() {
            Some(p) => ExprKind::Within(Box::new(expr(r, base, p))),
            None => ExprKind::Invalid,
        },
        _ => ExprKind::Invalid,
    };
    Expr { kind, span }
}

/// One value, or two with `..` or `/` between them.
fn joined(r: &mut Reader<'_>, base: usize, pair: Pair<'_, Rule>) -> Expr {
    let span = place(r, base, &pair);
    let is_range = pair.as_rule() == Rule::range;
    let mut parts = pair.into_inner();
    let Some(first) = parts.next().map(|p| expr(r, base, p)) else {
        return Expr { kind: ExprKind::Invalid, span };
    };
    match parts.next().map(|p| expr(r, base, p)) {
        None => first,
        Some(second) => {
            let (a, b) = (Box::new(first), Box::new(second));
            Expr { kind: if is_range { ExprKind::Range(a, b) } else { ExprKind::Slash(a, b) }, span }
        }
    }
}

fn number(r: &mut Reader<'_>, base: usize, pair: Pair<'_, Rule>) -> ExprKind {
    let mut parts = pair.into_inner();
    let Some(digits) = parts.next() else { return ExprKind::Invalid };
    let digits_span = place(r, base, &digits);
    let Some((value, whole)) = literal::number(r, digits_span, digits.as_str()) else {
        return ExprKind::Invalid;
    };
    let mut unit = None;
    for part in parts {
        match part.as_rule() {
            Rule::unit => unit = Some(Unit { name: name(r, base, part), layer: None }),
            Rule::layer => {
                let layer = part.into_inner().next().map(|p| name(r, base, p));
                match &mut unit {
                    Some(u) => u.layer = layer,
                    // `200(payload)`: the unit is what is missing, and the place that needs one says so
                    None => {
                        unit = Some(Unit { name: Name { text: String::new(), span: digits_span }, layer })
                    }
                }
            }
            _ => {}
        }
    }
    ExprKind::Number(Number { text: digits.as_str().to_owned(), value, whole, unit })
}
