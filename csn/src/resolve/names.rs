//! Defined names.

use super::words;
use crate::ast::{Expr, ExprKind, Item, Keyword, Name, Sign, Statement};
use crate::codes;
use crate::field::Field;
use crate::report::Report;
use std::cell::Cell;
use std::collections::{BTreeMap, HashSet};

/// A name and what it stands for.
#[derive(Debug)]
struct Definition {
    name: Name,
    value: Expr,
    used: Cell<bool>,
}

/// The definitions of a scenario. They hold for the whole of it, whatever the order.
#[derive(Debug, Default)]
pub(crate) struct Names {
    map: BTreeMap<String, Definition>,
    /// Words in what could not be read: they may be names, or uses of names.
    mentioned: HashSet<String>,
}

impl Names {
    /// Takes in every `define`.
    pub(crate) fn collect(statements: &[Statement], mentioned: Vec<String>, report: &mut Report) -> Self {
        let mut names = Self { mentioned: mentioned.into_iter().collect(), ..Self::default() };
        for item in statements.iter().filter(|s| s.keyword == Keyword::Define).flat_map(|s| &s.items) {
            match item {
                Item::Setting(s) if s.sign == Sign::EQUAL => names.define(&s.name, &s.value, report),
                Item::Setting(s) => {
                    report.add(
                        &codes::SIGN,
                        s.sign_span,
                        format!("`{}` does not define a name", s.sign.text()),
                        "a definition is `name = value`",
                        "write `=`; `!=` goes where the name is used",
                    );
                }
                Item::Bare(e) if e.kind == ExprKind::Invalid => {}
                Item::Bare(e) => {
                    report.add(
                        &codes::SHAPE,
                        e.span,
                        format!("{} has no name", e.describe()),
                        "a definition is `name = value`",
                        "write a name and `=` before it",
                    );
                }
            }
        }
        for item in statements.iter().filter(|s| s.keyword != Keyword::Define).flat_map(|s| &s.items) {
            names.touch_all(item);
        }
        names.break_cycles(report);
        names.mentioned.iter().for_each(|word| names.touch(word));
        names
    }

    fn define(&mut self, name: &Name, value: &Expr, report: &mut Report) {
        let word = name.text.as_str();
        if words::RESERVED.iter().any(|w| w.eq_ignore_ascii_case(word)) || Field::from_name(word).is_some() {
            report.add(
                &codes::RESERVED_NAME,
                name.span,
                format!("`{word}` cannot be defined"),
                "the notation itself uses the word",
                "choose another name",
            );
            return;
        }
        if let Some(first) = self.map.get(word) {
            report
                .add(
                    &codes::DEFINED_TWICE,
                    name.span,
                    format!("`{word}` is defined twice"),
                    "a definition holds for the whole file, so neither comes first",
                    "rename one, or write one definition with a set",
                )
                .relate(first.name.span, "the first definition");
            return;
        }
        if let Some(field) = words::known_by(word) {
            report.add(
                &codes::HIDES_WORD,
                name.span,
                format!("`{word}` hides a word that `{field}` knows"),
                "the definition wins everywhere",
                "choose another name",
            );
        }
        if let Some(each) = first_each(value) {
            report.add(
                &codes::EACH_HERE,
                each.span,
                "`each` cannot be defined",
                "it says how a rule uses the values, so it belongs to the rule",
                format!("take it out, and write `each {word}` in the rule"),
            );
        }
        visit(value, &mut |e| {
            if let Some((lo, hi)) = upside_down(e) {
                report.add(
                    &codes::UPSIDE_DOWN,
                    e.span,
                    "this range is upside down",
                    format!("{lo} comes after {hi}"),
                    format!("write `{hi}..{lo}`"),
                );
            }
        });
        let definition = Definition { name: name.clone(), value: value.clone(), used: Cell::new(false) };
        self.map.insert(word.to_owned(), definition);
    }

    /// Reports names that lead back to themselves, and makes their values unusable. Iterative: chains of
    /// definitions may be as long as the file.
    fn break_cycles(&mut self, report: &mut Report) {
        let mut done: HashSet<String> = HashSet::new();
        let mut starts: Vec<&Definition> = self.map.values().collect();
        starts.sort_by_key(|d| (d.name.span.file, d.name.span.start));
        let mut broken: Vec<String> = Vec::new();
        for start in starts {
            // each entry: the name, and the names that it uses and that are still to be followed
            let mut path: Vec<(&str, Vec<&str>)> = vec![(&start.name.text, self.uses(&start.value))];
            if done.contains(&start.name.text) {
                continue;
            }
            let mut on_path: HashSet<&str> = HashSet::from([start.name.text.as_str()]);
            while let Some((name, rest)) = path.last_mut() {
                let Some(next) = rest.pop() else {
                    done.insert((*name).to_owned());
                    on_path.remove(*name);
                    path.pop();
                    continue;
                };
                if on_path.contains(next) {
                    broken.push(next.to_owned());
                } else if !done.contains(next) {
                    let uses = self.uses(&self.map[next].value);
                    on_path.insert(next);
                    path.push((next, uses));
                }
            }
        }
        for name in broken {
            if let Some(d) = self.map.get_mut(&name).filter(|d| d.value.kind != ExprKind::Invalid) {
                report.add(
                    &codes::NAME_CYCLE,
                    d.name.span,
                    format!("`{name}` is defined by itself"),
                    format!("`{}` leads back to it", d.value),
                    "give it a value",
                );
                d.value.kind = ExprKind::Invalid;
                d.used.set(true);
            }
        }
    }

    /// The defined names that a value uses.
    fn uses(&self, value: &Expr) -> Vec<&str> {
        let mut out = Vec::new();
        visit(value, &mut |e| {
            if let ExprKind::Word(w) = &e.kind
                && let Some((key, d)) = self.map.get_key_value(w)
            {
                d.used.set(true);
                out.push(key.as_str());
            }
        });
        out
    }

    /// What a name stands for.
    pub(crate) fn get(&self, name: &str) -> Option<&Expr> {
        let d = self.map.get(name)?;
        d.used.set(true);
        Some(&d.value)
    }

    /// A value with names at its outside replaced by what they stand for.
    pub(crate) fn follow<'a>(&'a self, mut e: &'a Expr) -> &'a Expr {
        while let ExprKind::Word(w) = &e.kind
            && let Some(value) = self.get(w)
        {
            e = value;
        }
        e
    }

    /// Counts all names in an item as used, whatever becomes of it: a mistake in it is one finding, not two.
    fn touch_all(&self, item: &Item) {
        let value = match item {
            Item::Bare(e) => e,
            Item::Setting(s) => &s.value,
        };
        visit(value, &mut |e| match &e.kind {
            ExprKind::Word(w) => self.touch(w),
            ExprKind::Call(_, items) => items.iter().for_each(|i| self.touch_all(i)),
            _ => {}
        });
    }

    /// Whether a word that is not defined stands in something that could not be read: its definition may be there.
    pub(crate) fn may_be_lost(&self, word: &str) -> bool {
        self.mentioned.contains(word)
    }

    /// All names, for suggestions.
    pub(crate) fn all(&self) -> impl Iterator<Item = &str> {
        self.map.keys().map(String::as_str)
    }

    /// Counts a name as used: a misspelt use is one mistake, not two.
    pub(crate) fn touch(&self, name: &str) {
        self.get(name);
    }

    /// Reports names that nothing uses.
    pub(crate) fn unused(&self, report: &mut Report) {
        for d in self.map.values().filter(|d| !d.used.get()) {
            report.add(
                &codes::UNUSED_NAME,
                d.name.span,
                format!("`{}` is never used", d.name.text),
                "no statement names it",
                "use it or take it out",
            );
        }
    }
}

/// Calls `f` for a value and all values in it, outside first.
fn visit<'a>(e: &'a Expr, f: &mut impl FnMut(&'a Expr)) {
    f(e);
    match &e.kind {
        ExprKind::Slash(a, b) | ExprKind::Range(a, b) => {
            visit(a, f);
            visit(b, f);
        }
        ExprKind::Set(members) => members.iter().for_each(|m| visit(m, f)),
        ExprKind::Each(e) | ExprKind::Within(e) => visit(e, f),
        _ => {}
    }
}

/// The ends of a range whose end comes first, where that shows without knowing what it is for.
fn upside_down(e: &Expr) -> Option<(String, String)> {
    let ExprKind::Range(a, b) = &e.kind else { return None };
    let number = |e: &Expr| match &e.kind {
        ExprKind::Number(n) if n.unit.is_none() => n.whole,
        _ => None,
    };
    (number(a)? > number(b)?).then(|| (a.to_string(), b.to_string()))
}

fn first_each(value: &Expr) -> Option<&Expr> {
    let mut found = None;
    visit(value, &mut |e| {
        if found.is_none() && matches!(e.kind, ExprKind::Each(_)) {
            found = Some(e);
        }
    });
    found
}
