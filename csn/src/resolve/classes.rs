//! `set`: the classes, and which of them are open.

use super::context::{Context, MAX_LISTED};
use crate::ast::{Expr, ExprKind, Number, Statement};
use crate::codes;
use crate::diagnostic::Span;
use crate::ruleset::{Class, ClassId, RuleSet};
use std::collections::HashMap;

/// What a `set` says.
pub(super) const SETTINGS: [&str; 2] = ["class", "name"];

/// The classes of a scenario while they are being opened.
#[derive(Debug)]
pub(crate) struct Classes {
    pub(crate) all: Vec<Class>,
    by_number: HashMap<u32, ClassId>,
    by_label: HashMap<String, ClassId>,
    /// What the last `set` opened; none before the first.
    pub(crate) open: Option<Vec<ClassId>>,
    /// Classes are missing because they are in error.
    pub(crate) uncertain: bool,
}

impl Default for Classes {
    fn default() -> Self {
        Self {
            all: RuleSet::default().classes,
            by_number: HashMap::new(),
            by_label: HashMap::new(),
            open: None,
            uncertain: false,
        }
    }
}

impl Classes {
    /// The class of that number.
    pub(crate) fn number(&self, n: u32) -> Option<ClassId> {
        self.by_number.get(&n).copied()
    }

    /// The class of that name.
    pub(crate) fn named(&self, name: &str) -> Option<ClassId> {
        self.all.iter().skip(1).position(|c| c.name.as_deref() == Some(name)).map(|i| ClassId(i as u32 + 1))
    }

    /// Names of classes, for suggestions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().skip(1).filter_map(|c| c.name.as_deref())
    }

    /// Takes in a `set` statement.
    pub(crate) fn open(&mut self, cx: &mut Context<'_>, statement: &Statement) {
        let before = cx.report.errors;
        self.read(cx, statement);
        self.uncertain |= cx.report.errors > before || statement.broken;
    }

    fn read(&mut self, cx: &mut Context<'_>, statement: &Statement) {
        let (mut numbers, mut name) = (None, None);
        for item in &statement.items {
            let Some(s) = cx.setting(item, "set") else { continue };
            match s.name.text.as_str() {
                "class" => {
                    let listed = cx.class_numbers(&s.value);
                    let fine = listed.is_some();
                    // a class that cannot be read is open too: its rules are no further mistake
                    cx.give(&mut numbers, "class", Some(listed.unwrap_or_default()), s.span);
                    if !fine {
                        self.open = Some(Vec::new());
                    }
                }
                "name" => {
                    let text = cx.label(&s.value, "the name of a class");
                    cx.give(&mut name, "name", text, s.value.span);
                }
                _ => cx.unknown_setting(&s.name, "set", &SETTINGS),
            }
        }
        let Some((numbers, span)) = numbers else {
            if !statement.broken {
                cx.add(
                    &codes::CLASS_NUMBER,
                    statement.keyword_span,
                    "this `set` opens no class",
                    "it does not say `class = number`",
                    "write `set: class = 1;` with a number that is free",
                );
            }
            self.open = Some(Vec::new());
            return;
        };
        let name = name.filter(|(text, at)| cx.fits_as_name(text, *at, numbers.len()));
        let mut opened = Vec::with_capacity(numbers.len());
        for number in numbers {
            opened.push(self.add(cx, number, name.as_ref(), statement.span, span));
        }
        self.open = Some(opened);
    }

    fn add(
        &mut self,
        cx: &mut Context<'_>,
        number: u32,
        name: Option<&(String, Span)>,
        statement: Span,
        span: Span,
    ) -> ClassId {
        if let Some(id) = self.number(number) {
            let first = self.all[id.index()].span;
            let (code, reason) = match name {
                None => (&codes::CLASS_AGAIN, "its rules go on here, behind those of other classes"),
                Some(_) => (&codes::CLASS_TWICE, "a class gets its name where it is opened first"),
            };
            let cure = "use a number that is free, or move the rules to the first `set`";
            cx.add(code, span, format!("class {number} is opened twice"), reason, cure)
                .relate(first, "opened here first");
            return id;
        }
        let id = ClassId(self.all.len() as u32);
        let mut name = name.cloned();
        let label = name.as_ref().map_or_else(|| number.to_string(), |(n, _)| n.clone());
        if let Some(first) = self.by_label.get(&label) {
            let first = self.all[first.index()].span;
            let at = name.as_ref().map_or(span, |(_, at)| *at);
            cx.add(
                &codes::CLASS_NAME_TWICE,
                at,
                format!("two classes are called `{label}`"),
                "results call classes by their names",
                "choose another name",
            )
            .relate(first, "the first");
            name = None;
        } else {
            self.by_label.insert(label, id);
        }
        self.by_number.insert(number, id);
        self.all.push(Class { number, name: name.map(|(n, _)| n), span: statement });
        id
    }
}

impl Context<'_> {
    /// The numbers of classes in the order of writing: a number, a range, a set of these.
    pub(crate) fn class_numbers(&mut self, e: &Expr) -> Option<Vec<u32>> {
        let mut out = Vec::new();
        let ok = self.list_numbers(e, &mut out, 0);
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = out.iter().copied().find(|n| !seen.insert(*n)) {
            self.add(
                &codes::CLASS_TWICE,
                e.span,
                format!("class {twice} is listed twice"),
                "it is one class",
                "take one of them out",
            );
            return None;
        }
        ok.map(|()| out)
    }

    fn list_numbers(&mut self, e: &Expr, out: &mut Vec<u32>, depth: usize) -> Option<()> {
        match &self.follow(e).kind {
            ExprKind::Range(a, b) => {
                let (lo, hi) = (self.class_number(a), self.class_number(b));
                let (lo, hi) = (lo?, hi?);
                if lo > hi {
                    self.upside_down(e.span, &lo.to_string(), &hi.to_string());
                    return None;
                }
                if (hi - lo) as usize + out.len() >= MAX_LISTED {
                    self.too_many(e.span, u128::from(hi - lo) + 1);
                    return None;
                }
                out.extend(lo..=hi);
                Some(())
            }
            // names that hold sets that hold names are not needed for numbers of classes
            ExprKind::Set(members) if depth < 2 => {
                let mut ok = Some(());
                for m in members {
                    let fine = self.list_numbers(m, out, depth + 1);
                    ok = ok.and(fine);
                }
                ok
            }
            ExprKind::Each(inner) if depth == 0 => self.list_numbers(inner, out, depth + 1),
            _ => {
                out.push(self.class_number(e)?);
                Some(())
            }
        }
    }

    fn class_number(&mut self, e: &Expr) -> Option<u32> {
        let reserved = match &self.follow(e).kind {
            ExprKind::Number(Number { whole: Some(0), unit: None, .. }) => true,
            ExprKind::Word(w) => w == "others" || w == "all",
            _ => false,
        };
        if reserved {
            self.reserved_class(e.span, &format!("class {e}"));
            return None;
        }
        if let ExprKind::Word(_) | ExprKind::Text(_) = &self.follow(e).kind
            && !matches!(&e.kind, ExprKind::Word(w) if self.names.may_be_lost(w))
        {
            self.class_by_name(e);
            return None;
        }
        self.whole(e, "the number of a class", 1, u128::from(u32::MAX)).map(|n| n as u32)
    }

    /// Reports a name where a class needs its number.
    fn class_by_name(&mut self, e: &Expr) {
        let (code, name) = match &e.kind {
            ExprKind::Word(w) => (&codes::UNKNOWN_NAME, format!("\"{w}\"")),
            _ => (&codes::WRONG_KIND, e.to_string()),
        };
        self.add(
            code,
            e.span,
            format!("{} is no number of a class", e.describe()),
            "a class has a number, and may have a name beside it",
            format!("write for example `class = 1, name = {name}`"),
        );
    }

    fn reserved_class(&mut self, span: Span, what: &str) {
        self.add(
            &codes::RESERVED_CLASS,
            span,
            format!("{what} is reserved"),
            "`others` (class 0) is what no rule matches, and `all` means every class",
            "choose another",
        );
    }

    /// A text in quotes or a word.
    pub(crate) fn label(&mut self, e: &Expr, what: &str) -> Option<String> {
        match &e.kind {
            ExprKind::Word(w) => Some(w.clone()),
            _ => self.text(e, what),
        }
    }

    /// Whether a name can be that of a class; reported if not.
    fn fits_as_name(&mut self, name: &str, span: Span, classes: usize) -> bool {
        if name == "others" || name == "all" {
            self.reserved_class(span, &format!("the name `{name}`"));
            return false;
        }
        let problem = match classes {
            _ if name.trim().is_empty() => "a class cannot have an empty name",
            _ if name.chars().any(char::is_control) => "a class cannot have a name with control characters",
            0 | 1 => return true,
            _ => "several classes cannot have one name",
        };
        self.add(
            &codes::CLASS_NAME_TWICE,
            span,
            problem,
            "results call classes by their names",
            "take the name out, or give each class a `set` of its own",
        );
        false
    }
}
