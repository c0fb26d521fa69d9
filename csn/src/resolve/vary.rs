//! `vary`: the axes of the sweep.

use super::context::{Context, MAX_LISTED};
use crate::ast::{Expr, ExprKind, Item, Name, Sign, Statement};
use crate::codes;
use crate::diagnostic::Span;
use crate::experiment::{Axis, MeterSpec};
use crate::report::did_you_mean;
use crate::suggest;

/// The names of all axes.
pub(super) const AXES: [&str; 6] = ["rules", "meter", "others", "rate", "flows", "size"];

/// The axes of a scenario while they are being read.
#[derive(Debug, Default)]
pub(crate) struct Axes {
    pub(crate) all: Vec<Axis>,
    spans: Vec<(String, Span)>,
}

/// What an axis is checked against.
pub(crate) struct Limits<'l> {
    /// How many rules the file has; none if that is not known because some are in error.
    pub(crate) rules: Option<usize>,
    /// The meters of the `meter` statements.
    pub(crate) meters: &'l [MeterSpec],
}

impl Axes {
    /// Takes in a `vary` statement: `name = value`, and further values.
    pub(crate) fn add(&mut self, cx: &mut Context<'_>, statement: &Statement, limits: &Limits<'_>) {
        let mut name: Option<&Name> = None;
        let mut values: Vec<&Expr> = Vec::new();
        for item in &statement.items {
            match item {
                Item::Setting(s) if name.is_none() => {
                    if s.sign != Sign::EQUAL {
                        cx.wrong_sign(s, "an axis lists its values", "write `=`");
                    }
                    name = Some(&s.name);
                    values.push(&s.value);
                }
                Item::Setting(s) => {
                    let cure = format!("write `vary: {} = …;` as a statement of its own", s.name.text);
                    let message = format!("`{}` would be a second axis", s.name.text);
                    cx.add(&codes::TWO_AXES, s.span, message, "one `vary` is one axis", cure);
                    break;
                }
                Item::Bare(e) => values.push(e),
            }
        }
        let Some(name) = name else {
            if !statement.broken {
                cx.add(
                    &codes::SHAPE,
                    statement.keyword_span,
                    "this `vary` names no axis",
                    "its first item is not `name = value`",
                    format!("write one of {} and `=` first", AXES.join(", ")),
                );
            }
            return;
        };
        let before = cx.report.errors;
        let Some(axis) = cx.axis(name, &values, limits) else { return };
        if let Some((_, first)) = self.spans.iter().find(|(n, _)| *n == name.text) {
            let first = *first;
            cx.repeated(&name.text, first, name.span);
            return;
        }
        self.spans.push((name.text.clone(), name.span));
        if cx.report.errors == before && !statement.broken {
            self.all.push(axis);
        }
    }
}

impl Context<'_> {
    fn axis(&mut self, name: &Name, values: &[&Expr], limits: &Limits<'_>) -> Option<Axis> {
        let many = u128::from(u32::MAX);
        Some(match name.text.as_str() {
            "rules" => {
                let counts = self.counts(values, "a number of rules", 0, many);
                self.within_rules(&counts, limits.rules);
                Axis::Rules(self.distinct(counts))
            }
            "flows" => {
                let counts = self.counts(values, "a number of flows", 1, many);
                Axis::Flows(self.distinct(counts))
            }
            "others" => Axis::Others(self.each_of(values, |cx, e| cx.share(e, "the share of `others`", 1.0))),
            "rate" => Axis::Rate(self.each_of(values, |cx, e| cx.rate(e))),
            "size" => Axis::Size(self.each_of(values, |cx, e| cx.size(e))),
            "meter" => {
                let mut meters = limits.meters.to_vec();
                for e in self.listed(values) {
                    if let Some(m) = self.meter(e) {
                        self.add_meter(&mut meters, m);
                    }
                }
                Axis::Meter(meters.split_off(limits.meters.len()))
            }
            other => {
                let near = suggest::nearest(other, AXES);
                self.add(
                    &codes::UNKNOWN_SETTING,
                    name.span,
                    format!("`{other}` cannot be varied"),
                    format!("what can be is {}", AXES.join(", ")),
                    did_you_mean(near, "use one of these"),
                );
                return None;
            }
        })
    }

    /// The values, with sets opened.
    fn listed<'e>(&self, values: &[&'e Expr]) -> Vec<&'e Expr>
    where
        Self: 'e,
    {
        let mut out = Vec::new();
        for e in values {
            match &self.names.follow(e).kind {
                ExprKind::Set(members) => out.extend(members),
                _ => out.push(*e),
            }
        }
        out
    }

    fn each_of<T: PartialEq>(
        &mut self,
        values: &[&Expr],
        read: impl Fn(&mut Self, &Expr) -> Option<T>,
    ) -> Vec<T> {
        let found: Vec<(T, Span)> =
            self.listed(values).into_iter().filter_map(|e| Some((read(self, e)?, e.span))).collect();
        self.distinct(found)
    }

    /// Whole numbers; a range stands for all that are in it.
    fn counts(&mut self, values: &[&Expr], what: &str, lo: u128, hi: u128) -> Vec<(u32, Span)> {
        let mut out = Vec::new();
        for e in self.listed(values) {
            let ExprKind::Range(a, b) = &self.names.follow(e).kind else {
                out.extend(self.whole(e, what, lo, hi).map(|n| (n as u32, e.span)));
                continue;
            };
            let (Some(from), Some(to)) = (self.whole(a, what, lo, hi), self.whole(b, what, lo, hi)) else {
                continue;
            };
            if from > to {
                self.upside_down(e.span, &from.to_string(), &to.to_string());
            } else if (to - from) as usize + out.len() >= MAX_LISTED {
                self.too_many(e.span, to - from + 1);
            } else {
                out.extend((from..=to).map(|n| (n as u32, e.span)));
            }
        }
        out
    }

    fn within_rules(&mut self, counts: &[(u32, Span)], rules: Option<usize>) {
        let Some(rules) = rules else { return };
        let mut last = None;
        for (n, span) in counts.iter().filter(|(n, _)| *n as usize > rules) {
            // a range is one mistake
            if last.replace(*span) != Some(*span) {
                self.add(
                    &codes::TOO_MANY_RULES,
                    *span,
                    format!("the file has {rules} rules, not {n}"),
                    "the point could not be measured",
                    format!("write {rules} at most, or add rules"),
                );
            }
        }
    }

    /// The values without their places; one that comes twice is reported and left out.
    fn distinct<T: PartialEq>(&mut self, found: Vec<(T, Span)>) -> Vec<T> {
        let mut out: Vec<(T, Span)> = Vec::with_capacity(found.len());
        for (value, span) in found {
            // the axis of a range is as long as a range; looking back over lists that people write is cheap
            match out.iter().rev().take(1000).find(|(v, _)| *v == value) {
                Some((_, first)) => {
                    let first = *first;
                    self.same_point("this value", first, span);
                }
                None => out.push((value, span)),
            }
        }
        out.into_iter().map(|(v, _)| v).collect()
    }
}
