//! `addrule`: the rules, multiplied by `each`.

use super::classes::Classes;
use super::context::{Context, MAX_LISTED};
use super::words;
use crate::ast::{Expr, ExprKind, Item, Setting, Sign, Statement};
use crate::check;
use crate::codes;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::did_you_mean;
use crate::ruleset::{ClassId, Rule};
use crate::suggest;
use crate::value::ValueSet;

/// The rules of a scenario while they are being added.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) all: Vec<Rule>,
    /// Rules are missing because they are in error, so how many there are meant to be is not known.
    pub(crate) uncertain: bool,
    /// Rules before the first `set` have been reported.
    homeless: bool,
}

/// The tests of one field: the values of each rule, one for all or one for each step.
struct Test {
    field: Field,
    span: Span,
    negated: bool,
    values: Vec<ValueSet>,
    each: bool,
}

impl Rules {
    /// Takes in an `addrule` statement.
    pub(crate) fn add(&mut self, cx: &mut Context<'_>, classes: &Classes, statement: &Statement) {
        let before = cx.report.errors;
        let (tests, both) = cx.tests(statement);
        let open = classes.open.as_deref();
        if open.is_none() && !std::mem::replace(&mut self.homeless, true) {
            cx.add(
                &codes::NO_CLASS,
                statement.keyword_span,
                "this rule belongs to no class",
                "no `set` stands before it",
                "write `set: class = 1;` before it",
            );
        }
        let open = open.unwrap_or_default();
        let steps = cx.steps(&tests, open, statement);
        let (Some(steps), false) = (steps, cx.report.errors > before || statement.broken || open.is_empty())
        else {
            self.uncertain = true;
            return;
        };
        if self.all.len() + steps > MAX_LISTED {
            cx.too_many(statement.span, (self.all.len() + steps) as u128);
            self.uncertain = true;
            return;
        }
        for step in 0..steps {
            let class = if open.len() == 1 { open[0] } else { open[step] };
            match cx.rule(&tests, step, class, both, statement.span) {
                Some(rule) => self.all.push(rule),
                None => {
                    // the other steps have the same mistake, or one like it
                    self.uncertain = true;
                    return;
                }
            }
        }
    }
}

impl Context<'_> {
    /// The tests of a rule, and whether it has `both`.
    fn tests(&mut self, statement: &Statement) -> (Vec<Test>, bool) {
        let mut tests: Vec<Test> = Vec::new();
        let mut both = None;
        let mut last = None;
        for item in &statement.items {
            match item {
                Item::Bare(e) => self.bare(e, last, &mut both),
                Item::Setting(s) => {
                    let field = self.field(s);
                    last = field;
                    let value = field.and_then(|f| self.test(f, s));
                    let Some(test) = value else { continue };
                    // `dstport = 1..9, dstport != 5` is a conjunction; two `=` are a set that was meant
                    if let Some(first) = tests.iter().find(|t| t.field == test.field && !t.negated)
                        && !test.negated
                    {
                        let first = first.span;
                        self.repeated(test.field.name(), first, test.span);
                        continue;
                    }
                    tests.push(test);
                }
            }
        }
        (tests, both.is_some())
    }

    /// An item without a sign; `last` is the test before it.
    fn bare(&mut self, e: &Expr, last: Option<Field>, both: &mut Option<((), Span)>) {
        let word = match &e.kind {
            ExprKind::Word(w) if w.eq_ignore_ascii_case("both") => {
                self.give(both, "both", Some(()), e.span);
                return;
            }
            ExprKind::Invalid => return,
            ExprKind::Word(w) => w.as_str(),
            _ => "",
        };
        let near = suggest::nearest(word, ["both"]);
        let otherwise = match last {
            Some(Field::TcpFlags) if words::find(Field::TcpFlags, word).is_some() => {
                "flags that are set together are joined by `+`; for one or the other write a set, `{a, b}`"
                    .into()
            }
            Some(field) if word.is_empty() || words::find(field, word).is_some() => {
                format!("several values of a field are a set: write `{field} = {{a, b}}`")
            }
            _ => "write a field and `=` before it".to_owned(),
        };
        self.add(
            &codes::SHAPE,
            e.span,
            format!("{} tests nothing", e.describe()),
            "the items of a rule are `field = value` and `both`",
            did_you_mean(near, otherwise),
        );
    }

    /// The field that a setting names.
    fn field(&mut self, s: &Setting) -> Option<Field> {
        self.field_named(&s.name.text, s.name.span)
    }

    /// The field of that name; the paper's `scrip` is one.
    pub(crate) fn field_named(&mut self, name: &str, span: Span) -> Option<Field> {
        if let Some(field) = Field::from_name(name) {
            return Some(field);
        }
        if name.eq_ignore_ascii_case("scrip") {
            self.add(
                &codes::SCRIP,
                span,
                "`scrip` is the paper's spelling of `srcip`",
                "it is accepted",
                "write `srcip`",
            );
            return Some(Field::SrcIp);
        }
        // what the field is called elsewhere comes before what is spelt alike
        let elsewhere = words::elsewhere(name);
        let near = elsewhere.first().copied().or_else(|| suggest::nearest(name, Field::ALL.map(Field::name)));
        let (reason, otherwise) = match name {
            "class" | "name" => ("classes are opened by `set`", "write `set: class = …;` before the rule"),
            "weight" | "flows" | "size" => ("traffic is given by `load`", "write `load: class, …;`"),
            _ => ("no field has this name", "`csnbench help csn` lists the fields"),
        };
        let message = format!("`{name}` is not a field");
        let cure = match elsewhere {
            [one, other] => format!("write `{one}` or `{other}`"),
            _ => did_you_mean(near, otherwise),
        };
        self.add(&codes::UNKNOWN_FIELD, span, message, reason, cure);
        None
    }

    /// One test. None where it is in error, and for `any`, which tests nothing.
    fn test(&mut self, field: Field, s: &Setting) -> Option<Test> {
        let negated = s.sign == Sign::Not;
        if !negated && s.sign != Sign::EQUAL {
            let reason = "rules test for equality with values, ranges and sets";
            self.wrong_sign(s, reason, "write a range such as `0..1023`, with `=` or `!=`");
            return None;
        }
        if let ExprKind::Word(w) = &s.value.kind
            && w.eq_ignore_ascii_case("any")
        {
            if negated {
                self.empty_test(field, s.span);
            }
            return None;
        }
        let (values, each) = match &self.follow(&s.value).kind {
            ExprKind::Each(inner) => (self.members(field, inner)?, true),
            _ => (vec![self.set(field, &s.value)?], false),
        };
        let values = match negated {
            true => values.iter().map(|v| field.domain().subtract(v)).collect(),
            false => values,
        };
        Some(Test { field, span: s.span, negated, values, each })
    }

    fn empty_test(&mut self, field: Field, span: Span) {
        self.add(
            &codes::EMPTY,
            span,
            format!("no value of `{field}` passes this test"),
            "the rule could never match",
            "write at least one value, or take the rule out",
        );
    }

    /// How many rules the tests make; none if they do not fit each other or the classes.
    fn steps(&mut self, tests: &[Test], open: &[ClassId], statement: &Statement) -> Option<usize> {
        let mut eaches = tests.iter().filter(|t| t.each);
        let Some(first) = eaches.next() else {
            if open.len() > 1 && !statement.broken {
                self.add(
                    &codes::EACH_COUNT,
                    statement.keyword_span,
                    format!("{} classes are open, and this is one rule", open.len()),
                    "it would be the same rule in every class, and only the first could match",
                    "write `each` before the values that tell the classes apart",
                );
                return None;
            }
            return Some(1);
        };
        let steps = first.values.len();
        if let Some(other) = eaches.find(|t| t.values.len() != steps) {
            self.add(
                &codes::EACH_COUNT,
                other.span,
                format!("this `each` has {} values, another {steps}", other.values.len()),
                "they are taken in step",
                "make them equally many",
            )
            .relate(first.span, format!("{steps} values"));
            return None;
        }
        if open.len() > 1 && open.len() != steps {
            self.add(
                &codes::EACH_COUNT,
                first.span,
                format!("this `each` has {steps} values for {} classes", open.len()),
                "each class gets one rule",
                "make them equally many",
            );
            return None;
        }
        Some(steps)
    }

    /// The rule of one step; none if it could never match, which is reported.
    fn rule(&mut self, tests: &[Test], step: usize, class: ClassId, both: bool, span: Span) -> Option<Rule> {
        let mut merged: Vec<(Field, ValueSet)> = Vec::with_capacity(tests.len());
        let mut spans: Vec<(Field, Span)> = Vec::with_capacity(tests.len());
        for t in tests {
            let values = if t.each { &t.values[step] } else { &t.values[0] };
            let left = match merged.iter_mut().find(|(f, _)| *f == t.field) {
                Some((_, set)) => {
                    *set = set.intersect(values);
                    set.is_empty()
                }
                None => {
                    merged.push((t.field, values.clone()));
                    spans.push((t.field, t.span));
                    values.is_empty()
                }
            };
            if left {
                self.empty_test(t.field, t.span);
                return None;
            }
        }
        merged.sort_by_key(|(f, _)| *f);
        if let Some(found) = check::contradiction(&merged, &spans) {
            self.report.push(found);
            return None;
        }
        Some(Rule { class, tests: merged, both, span })
    }
}
