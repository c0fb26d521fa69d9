//! Models with their parameters, as the table of [`crate::models`] has them; and lifetimes of flows.

use super::context::Context;
use super::quantity::{COUNTS, TIMES};
use crate::ast::{Expr, ExprKind, Item, Name, Number, Setting};
use crate::codes;
use crate::diagnostic::Span;
use crate::mix::Lifetime;
use crate::models::{self, Draws, Entry, MODELS, Model, Parameter, Quantity, Takes};
use crate::units::Nanos;
use std::mem::discriminant;

/// What the quantities of a model are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Sizes,
    Lifetimes,
    Gaps,
    Ranks,
    Turns,
    Headers,
}

impl Of {
    const fn draws(self) -> Draws {
        match self {
            Of::Sizes | Of::Lifetimes => Draws::Quantities,
            Of::Gaps => Draws::Gaps,
            Of::Ranks => Draws::Ranks,
            Of::Turns => Draws::Turns,
            Of::Headers => Draws::Headers,
        }
    }
}

impl Context<'_> {
    /// The model of that name with these parameters. Every mistake in it is reported.
    pub(super) fn model(&mut self, name: &Name, items: &[Item], of: Of, others: &[&str]) -> Option<Model> {
        let draws = of.draws();
        let Some(entry) = MODELS.iter().find(|m| m.name == name.text && m.draws == draws) else {
            let known: Vec<&str> = models::names(draws).into_iter().chain(others.iter().copied()).collect();
            self.unknown_word(&name.text, name.span, "a model", &known);
            return None;
        };
        let before = self.report.errors;
        let mut given: Vec<(&Parameter, Option<(Quantity, Span)>)> =
            entry.parameters.iter().map(|p| (p, None)).collect();
        for item in items {
            let Some(s) = self.setting(item, entry.name) else { continue };
            let Some((parameter, place)) = given.iter_mut().find(|(p, _)| p.name == s.name.text) else {
                let known: Vec<&str> = entry.parameters.iter().map(|p| p.name).collect();
                self.unknown_setting(&s.name, entry.name, &known);
                continue;
            };
            let value = self.argument(parameter, s, of);
            self.give(place, parameter.name, value, s.span);
        }
        if self.report.errors > before {
            return None;
        }
        self.complete(entry, &given, name.span)
    }

    /// Fills in what is left out, and reports what must not be and what does not fit together.
    fn complete(
        &mut self,
        entry: &Entry,
        given: &[(&Parameter, Option<(Quantity, Span)>)],
        span: Span,
    ) -> Option<Model> {
        let missing: Vec<&str> =
            given.iter().filter(|(p, v)| p.needed && v.is_none()).map(|(p, _)| p.name).collect();
        if !missing.is_empty() {
            let all: Vec<String> =
                entry.parameters.iter().filter(|p| p.needed).map(|p| format!("{} = …", p.name)).collect();
            self.add(
                &codes::PARAMETER,
                span,
                format!("`{}` needs {}", entry.name, missing.join(" and ")),
                format!("{}: {}", entry.name, entry.doc),
                format!("write `{}({})`", entry.name, all.join(", ")),
            );
            return None;
        }
        let mut drawn = given.iter().filter(|(p, _)| p.takes == Takes::Drawn).filter_map(|(_, v)| *v);
        if let Some((first, at)) = drawn.next()
            && let Some((other, place)) = drawn.find(|(q, _)| !comparable(first, *q))
        {
            self.add(
                &codes::UNIT,
                place,
                format!("{other} cannot be compared with {first}"),
                "a model draws one kind of thing",
                "write the same unit and layer in all parameters",
            )
            .relate(at, "the first");
            return None;
        }
        let value = |name: &str| given.iter().find(|(p, _)| p.name == name).and_then(|(_, v)| *v);
        if let (Some((min, _)), Some((max, at))) = (value("min"), value("max"))
            && amount(min) > amount(max)
        {
            self.upside_down(at, &min.to_string(), &max.to_string());
            return None;
        }
        let parameters = given
            .iter()
            .filter_map(|(p, v)| Some((p.name.to_owned(), v.map(|(q, _)| q).or(p.default)?)))
            .collect();
        Some(Model { name: entry.name.to_owned(), parameters })
    }

    fn argument(&mut self, parameter: &Parameter, s: &Setting, of: Of) -> Option<Quantity> {
        let (e, what) = (&s.value, parameter.doc);
        match (parameter.takes, of) {
            (Takes::Time, _) => self.time(e, what).map(Quantity::Time),
            (Takes::Packets, _) => self.packets(e, what).map(Quantity::Packets),
            (Takes::Number(above, to), _) => self.real(e, what, above, to).map(Quantity::Number),
            (Takes::Whole(lo, hi), _) => {
                let n = self.whole(e, what, lo.into(), hi.into())?;
                Some(Quantity::Number(n as f64))
            }
            (Takes::Drawn, Of::Lifetimes) => self.lasting(e),
            (Takes::Drawn, _) => match &self.follow(e).kind {
                ExprKind::Number(n) => self.bytes(n, e.span).map(|(n, layer)| Quantity::Bytes(n, layer)),
                _ => {
                    self.wrong_kind(e, "a size such as `400 B`", &[]);
                    None
                }
            },
        }
    }

    /// A number without unit above `above`, up to `to`.
    pub(super) fn real(&mut self, e: &Expr, what: &str, above: f64, to: f64) -> Option<f64> {
        match &self.follow(e).kind {
            ExprKind::Number(Number { value, unit: None, .. }) if *value > above && *value <= to => {
                Some(*value)
            }
            ExprKind::Number(Number { text, unit: None, .. }) => {
                self.add(
                    &codes::OUT_OF_RANGE,
                    e.span,
                    format!("{text} is not possible for {what}"),
                    format!("it is above {above} and at most {to}"),
                    format!("write a number above {above}, up to {to}"),
                );
                None
            }
            ExprKind::Number(Number { unit: Some(u), .. }) => {
                let (name, span) = (u.name.text.clone(), u.name.span);
                self.unknown_unit(&name, span, what, &[]);
                None
            }
            _ => {
                self.wrong_kind(e, "a number", &[]);
                None
            }
        }
    }

    /// A number of packets, with or without its unit.
    pub(super) fn packets(&mut self, e: &Expr, what: &str) -> Option<u64> {
        match &self.follow(e).kind {
            ExprKind::Number(n) if n.unit.is_some() => {
                self.no_layer(n, what);
                self.with_unit(n, e.span, what, COUNTS)?;
                match n.whole {
                    Some(n) if n >= 1 && n <= u128::from(u32::MAX) => Some(n as u64),
                    _ => {
                        self.out_of_range(e.span, &n.text, what, 1, u128::from(u32::MAX));
                        None
                    }
                }
            }
            _ => self.whole(e, what, 1, u128::from(u32::MAX)).map(|n| n as u64),
        }
    }

    /// Packets or a time, which the unit tells.
    fn lasting(&mut self, e: &Expr) -> Option<Quantity> {
        const WHAT: &str = "the lifetime of a flow";
        match &self.follow(e).kind {
            ExprKind::Number(n) => {
                let unit = n.unit.as_ref().map_or("", |u| u.name.text.as_str());
                if COUNTS.iter().any(|(u, _)| *u == unit) {
                    return self.packets(e, WHAT).map(Quantity::Packets);
                }
                let units: Vec<_> = COUNTS.iter().chain(TIMES).copied().collect();
                self.with_unit(n, e.span, WHAT, &units)?;
                self.time(e, WHAT).map(Quantity::Time)
            }
            _ => {
                self.wrong_kind(e, "a lifetime such as `20 packets` or `5 s`", &[]);
                None
            }
        }
    }

    /// How long flows last: packets or a time, a range of these, or a model.
    pub(super) fn lifetime(&mut self, e: &Expr) -> Option<Lifetime> {
        match &self.follow(e).kind {
            ExprKind::Call(name, items) => self.model(name, items, Of::Lifetimes, &[]).map(Lifetime::Model),
            ExprKind::Range(a, b) => {
                // a unit at the end holds for both
                let with_unit = match (&self.follow(a).kind, &self.follow(b).kind) {
                    (ExprKind::Number(lo), ExprKind::Number(hi)) if lo.unit.is_none() => {
                        let kind = ExprKind::Number(Number { unit: hi.unit.clone(), ..lo.clone() });
                        Some(Expr { kind, span: a.span })
                    }
                    _ => None,
                };
                let hi = self.lasting(b)?;
                let lo = self.lasting(with_unit.as_ref().unwrap_or(a))?;
                if discriminant(&lo) != discriminant(&hi) {
                    self.add(
                        &codes::UNIT,
                        e.span,
                        "the ends of this range count different things",
                        format!("{lo} and {hi} cannot be compared"),
                        "write both in packets, or both as times",
                    );
                    return None;
                }
                if amount(lo) > amount(hi) {
                    self.upside_down(e.span, &lo.to_string(), &hi.to_string());
                    return None;
                }
                Some(Lifetime::Range(lo, hi))
            }
            _ => self.lasting(e).map(|q| Lifetime::Range(q, q)),
        }
    }
}

/// Whether two quantities count the same thing.
fn comparable(a: Quantity, b: Quantity) -> bool {
    match (a, b) {
        (Quantity::Bytes(_, x), Quantity::Bytes(_, y)) => x == y,
        _ => discriminant(&a) == discriminant(&b),
    }
}

fn amount(q: Quantity) -> f64 {
    match q {
        Quantity::Number(x) => x,
        Quantity::Packets(n) => n as f64,
        Quantity::Time(Nanos(n)) => n as f64,
        Quantity::Bytes(n, _) => f64::from(n),
    }
}
