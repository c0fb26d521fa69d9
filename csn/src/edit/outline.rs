//! The statements of a file and what they make: which `set` opens a class, which `addrule` a rule comes from, what a
//! `load` is for.

use super::Refused;
use crate::ast::{Expr, ExprKind, Item, Keyword, Statement};
use crate::codes;
use crate::diagnostic::{Diagnostic, FileId, Severity, Span};
use crate::parse;
use crate::report::{Report, did_you_mean};
use crate::resolve::{Files, Loader, Names, Outcome, compile};
use crate::ruleset::{Class, ClassId};
use crate::suggest;
use std::ops::Range;

/// The file that is edited; what it includes has other numbers.
pub(super) const MAIN: FileId = FileId(0);

/// A file that can be edited: its rules are whole.
pub(super) struct Outline {
    pub(super) outcome: Outcome,
    /// All statements in the order in which they hold, those of included files at their place.
    pub(super) statements: Vec<Statement>,
    names: Names,
}

/// What a `load` is for, as far as edits of a class or of rules are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LoadFor {
    /// The class that is open there.
    Open,
    /// Rules, counted from 1, the last one included.
    Rules(usize, usize),
    /// The class in question, and no other.
    Only,
    /// The class in question, among others.
    Among,
    /// Anything else.
    Else,
}

impl Outline {
    /// Reads a file. One whose classes, rules or names are in error cannot be edited, since what a rule is and
    /// which class it belongs to is not known.
    pub(super) fn read(name: &str, text: &str, loader: &mut dyn Loader) -> Result<Self, Refused> {
        let outcome = compile(name, text, loader);
        let mut files = Files::new(loader);
        files.read(name, text, &mut Report::default());
        let statements = files.statements;
        let broken: Vec<Diagnostic> = outcome
            .diagnostics
            .iter()
            .filter(|d| d.severity == Severity::Error && hides_rules(d, &statements))
            .cloned()
            .collect();
        if let Some(first) = broken.first() {
            let mut refused = Refused::new(
                &outcome.sources,
                &codes::EDIT_BROKEN,
                first.span,
                "the file cannot be edited by command while this is in error",
                "its rules are not known",
                "mend it first",
            );
            refused.diagnostics.splice(0..0, broken);
            return Err(refused);
        }
        let names = Names::collect(&statements, Vec::new(), &mut Report::default());
        Ok(Self { outcome, statements, names })
    }

    /// The text of the file itself.
    pub(super) fn text(&self) -> &str {
        self.outcome.sources.text(MAIN)
    }

    /// The class of that name, else of that number.
    pub(super) fn class(&self, word: &str) -> Option<ClassId> {
        let classes = &self.outcome.scenario.rules.classes;
        let number = word.parse().ok().filter(|n| *n != 0u32);
        let position = |wanted: &dyn Fn(&Class) -> bool| classes.iter().skip(1).position(wanted);
        position(&|c| c.name.as_deref() == Some(word))
            .or_else(|| position(&|c| Some(c.number) == number))
            .map(|i| ClassId(i as u32 + 1))
    }

    /// The refusal of a class that is not there.
    pub(super) fn no_class(&self, word: &str, otherwise: &str) -> Refused {
        let classes = &self.outcome.scenario.rules.classes;
        let labels: Vec<String> = classes.iter().skip(1).map(Class::label).collect();
        let near = suggest::nearest(word, labels.iter().map(String::as_str));
        let reason = match word {
            "others" | "0" => "`others` is what no rule matches: it has no `set` and no rules".to_owned(),
            _ => match labels.as_slice() {
                [] => "the file has no classes".to_owned(),
                _ => format!("the file has {}", listed(&labels)),
            },
        };
        Refused::at_word(
            &self.outcome.sources,
            ("--class", word),
            &codes::EDIT_MISSING,
            format!("there is no class `{word}`"),
            reason,
            did_you_mean(near, otherwise),
        )
    }

    /// The number of `set` classes that are opened by the statement of this one.
    pub(super) fn opened_together(&self, class: ClassId) -> usize {
        let classes = &self.outcome.scenario.rules.classes;
        let span = classes[class.index()].span;
        classes.iter().skip(1).filter(|c| c.span == span).count()
    }

    /// The places of a class's rules, from 0. Rules stand in the order of their classes.
    pub(super) fn rules_of(&self, class: ClassId) -> Range<usize> {
        let rules = &self.outcome.scenario.rules.rules;
        rules.partition_point(|r| r.class < class)..rules.partition_point(|r| r.class <= class)
    }

    /// The places of the rules that come from the statement of a rule, from 0.
    pub(super) fn made_with(&self, rule: usize) -> Range<usize> {
        let rules = &self.outcome.scenario.rules.rules;
        let span = rules[rule].span;
        let first = rules[..rule].iter().rposition(|r| r.span != span).map_or(0, |i| i + 1);
        let behind = rules[rule..].iter().position(|r| r.span != span).map_or(rules.len(), |i| rule + i);
        first..behind
    }

    /// What a class is called in a message.
    pub(super) fn label(&self, class: ClassId) -> String {
        self.outcome.scenario.rules.label(class)
    }

    /// Every `load` with what it is for, and the `set` that is open there.
    pub(super) fn loads(&self, class: Option<ClassId>) -> Vec<(&Statement, LoadFor, Option<Span>)> {
        let class = class.map(|c| &self.outcome.scenario.rules.classes[c.index()]);
        let mut open = None;
        let mut out = Vec::new();
        for s in &self.statements {
            match s.keyword {
                Keyword::Set => open = Some(s.span),
                Keyword::Load => out.push((s, self.load_for(s, class), open)),
                _ => {}
            }
        }
        out
    }

    /// What a `load` is for.
    pub(super) fn load_for(&self, load: &Statement, class: Option<&Class>) -> LoadFor {
        match load.items.first() {
            Some(Item::Bare(Expr { kind: ExprKind::Word(w), .. })) if w == "class" => LoadFor::Open,
            Some(Item::Setting(s)) if s.name.text == "rule" => match self.numbers(&s.value) {
                Some((lo, hi)) => LoadFor::Rules(lo as usize, hi as usize),
                None => LoadFor::Else,
            },
            Some(Item::Setting(s)) if s.name.text == "class" => {
                class.map_or(LoadFor::Else, |c| self.names_class(&s.value, c))
            }
            _ => LoadFor::Else,
        }
    }

    /// The ends of a range of numbers, or one number as both.
    fn numbers(&self, e: &Expr) -> Option<(u128, u128)> {
        match &self.names.follow(e).kind {
            ExprKind::Number(n) => n.whole.map(|n| (n, n)),
            ExprKind::Range(a, b) => Some((self.numbers(a)?.0, self.numbers(b)?.1)),
            _ => None,
        }
    }

    fn names_class(&self, e: &Expr, class: &Class) -> LoadFor {
        let is = |yes: bool| if yes { LoadFor::Only } else { LoadFor::Else };
        let number = u128::from(class.number);
        match &self.names.follow(e).kind {
            ExprKind::Word(w) => is(class.name.as_deref() == Some(w)),
            ExprKind::Text(t) => {
                let name = parse::unescape(t).ok().map(|b| String::from_utf8_lossy(&b).into_owned());
                is(name.is_some() && class.name == name)
            }
            ExprKind::Each(inner) => self.names_class(inner, class),
            ExprKind::Set(members) => {
                let all: Vec<LoadFor> = members.iter().map(|m| self.names_class(m, class)).collect();
                match () {
                    () if all.iter().all(|m| *m == LoadFor::Else) => LoadFor::Else,
                    () if all.iter().all(|m| *m == LoadFor::Only) => LoadFor::Only,
                    () => LoadFor::Among,
                }
            }
            _ => match self.numbers(e) {
                Some((lo, hi)) if lo == number && hi == number => LoadFor::Only,
                Some((lo, hi)) if lo <= number && number <= hi => LoadFor::Among,
                _ => LoadFor::Else,
            },
        }
    }

    /// Refuses an edit of a statement that stands in an included file.
    pub(super) fn is_here(&self, span: Span, what: &str) -> Result<(), Refused> {
        if span.file == MAIN {
            return Ok(());
        }
        let file = self.outcome.sources.name(span.file);
        Err(Refused::new(
            &self.outcome.sources,
            &codes::EDIT_ELSEWHERE,
            span,
            format!("{what} is not in this file"),
            format!("it is in `{file}`, which this file includes"),
            format!("edit `{file}`"),
        ))
    }
}

/// Up to eight labels for a message.
pub(super) fn listed(labels: &[String]) -> String {
    let shown: Vec<String> = labels.iter().take(8).map(|l| format!("`{l}`")).collect();
    match labels.len() {
        n if n > 8 => format!("{} and {} more", shown.join(", "), n - 8),
        _ => shown.join(", "),
    }
}

/// Whether it is not known what the rules are: an error of syntax, name or value in a statement that makes them, or in
/// one that could not be read at all. What geometry finds about rules that are known is no hindrance.
fn hides_rules(d: &Diagnostic, statements: &[Statement]) -> bool {
    if d.code >= codes::NOTHING.code {
        return false;
    }
    let holds = |s: &Statement| {
        s.span.file == d.span.file && s.span.start <= d.span.start && d.span.start <= s.span.end
    };
    let of_rules = |s: &Statement| matches!(s.keyword, Keyword::Set | Keyword::AddRule | Keyword::Define);
    let mut around = statements.iter().filter(|s| holds(s)).peekable();
    around.peek().is_none() || around.any(of_rules)
}
