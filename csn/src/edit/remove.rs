//! Removes a class, or one rule.

use super::add::{self, renumbered};
use super::argument::Argument;
use super::layout;
use super::outline::{LoadFor, Outline, listed};
use super::verify::{Draft, line};
use super::{Change, Edited, Refused};
use crate::codes;
use crate::diagnostic::Span;
use crate::resolve::Loader;
use crate::ruleset::ClassId;
use std::ops::Range;

/// What is to be removed.
#[derive(Clone, Copy, Debug)]
pub enum Removal<'a> {
    /// A class, by name or number, with its rules and its traffic.
    Class(&'a str),
    /// A rule by its number, from 1 in the order of the file.
    Rule(usize),
    /// A rule of a class: its number in the file, or its text. Of several with the same meaning, the last.
    RuleOf(&'a str, &'a str),
}

/// Removes a class or a rule. `name` is what the file is called in messages, and what `loader` gets to find
/// included files by.
pub fn remove(
    name: &str,
    text: &str,
    loader: &mut dyn Loader,
    removal: &Removal<'_>,
) -> Result<Edited, Refused> {
    let outline = Outline::read(name, text, loader)?;
    let mut gone = match *removal {
        Removal::Class(word) => class(&outline, word)?,
        Removal::Rule(number) => rule(&outline, None, number, &number.to_string())?,
        Removal::RuleOf(word, which) => {
            let class =
                outline.class(word).ok_or_else(|| outline.no_class(word, "name a class of the file"))?;
            match which.trim().parse() {
                Ok(number) => rule(&outline, Some(class), number, which)?,
                Err(_) => rule_by_text(&outline, class, which, name, loader)?,
            }
        }
    };
    gone.traffic_of_rules(&outline)?;
    gone.statements.sort_by_key(|s| s.start);
    gone.statements.dedup();
    let places: Vec<Range<usize>> =
        gone.statements.iter().map(|s| s.start as usize..s.end as usize).collect();
    let changes = places
        .iter()
        .map(|p| Change { added: false, line: line(text, p.start), statement: text[p.clone()].to_owned() })
        .collect();
    let draft = Draft {
        text: layout::without(text, &layout::cuts(text, &places)),
        changes,
        without_rules: vec![gone.rules],
        without_class: gone.class.map(ClassId::index),
        argument: None,
    };
    draft.verify(&outline, name, loader)
}

/// What goes.
struct Gone {
    /// Statements, each of them in the file itself.
    statements: Vec<Span>,
    /// Rules, by their places from 0.
    rules: Range<usize>,
    class: Option<ClassId>,
}

/// A class with its rules and its traffic.
fn class(outline: &Outline, word: &str) -> Result<Gone, Refused> {
    let class = outline.class(word).ok_or_else(|| outline.no_class(word, "name a class of the file"))?;
    let label = outline.label(class);
    let set = outline.outcome.scenario.rules.classes[class.index()].span;
    let together = outline.opened_together(class);
    if together > 1 {
        return Err(Refused::new(
            &outline.outcome.sources,
            &codes::EDIT_SHARED,
            set,
            format!("class {label} cannot be removed by itself"),
            format!("this statement opens {together} classes"),
            "shorten its list of classes and what its rules go through with `each`, by hand",
        ));
    }
    let rules = outline.rules_of(class);
    let mut statements = vec![set];
    statements.extend(outline.outcome.scenario.rules.rules[rules.clone()].iter().map(|r| r.span));
    for (load, target, open) in outline.loads(Some(class)) {
        match target {
            LoadFor::Only => statements.push(load.span),
            LoadFor::Open if open == Some(set) => statements.push(load.span),
            LoadFor::Among => {
                return Err(Refused::new(
                    &outline.outcome.sources,
                    &codes::EDIT_SHARED,
                    load.span,
                    format!("class {label} gets its traffic together with others"),
                    "this `load` names it among other classes",
                    "take it out of this list first",
                ));
            }
            _ => {}
        }
    }
    for s in &statements {
        outline.is_here(*s, &format!("part of class {label}"))?;
    }
    Ok(Gone { statements, rules, class: Some(class) })
}

/// The rule of a number, which is of `class` where there is one. `word` is the number as the command has it.
fn rule(outline: &Outline, class: Option<ClassId>, number: usize, word: &str) -> Result<Gone, Refused> {
    let rules = &outline.outcome.scenario.rules.rules;
    let within = class.map_or(0..rules.len(), |c| outline.rules_of(c));
    let place = number.checked_sub(1).filter(|p| within.contains(p)).ok_or_else(|| {
        let owner = class.map_or("the file".to_owned(), |c| format!("class {}", outline.label(c)));
        let has = match within.len() {
            0 => "no rules".to_owned(),
            1 => format!("rule {}", within.end),
            _ => format!("rules {} to {}", within.start + 1, within.end),
        };
        Refused::at_word(
            &outline.outcome.sources,
            ("--rule", word),
            &codes::EDIT_MISSING,
            format!("{owner} has no rule {word}"),
            format!("it has {has}, counted from 1 in the order of the file"),
            "take one of its numbers, or give the text of the rule",
        )
    })?;
    whole(outline, place)
}

/// The statement of a rule, if it makes no other rule.
fn whole(outline: &Outline, place: usize) -> Result<Gone, Refused> {
    let span = outline.outcome.scenario.rules.rules[place].span;
    let made = outline.made_with(place);
    if made.len() > 1 {
        return Err(Refused::new(
            &outline.outcome.sources,
            &codes::EDIT_SHARED,
            span,
            format!("rule {} cannot be removed by itself", place + 1),
            format!("this statement makes {} rules with `each`", made.len()),
            "narrow what `each` goes through by hand; to remove them all, give the text of the statement",
        ));
    }
    statement(outline, made)
}

/// The statement that makes these rules.
fn statement(outline: &Outline, rules: Range<usize>) -> Result<Gone, Refused> {
    let span = outline.outcome.scenario.rules.rules[rules.start].span;
    outline.is_here(span, "the rule")?;
    Ok(Gone { statements: vec![span], rules, class: None })
}

/// The rule of a class that means what a text says. What it says is known once it stands in the file.
fn rule_by_text(
    outline: &Outline,
    class: ClassId,
    which: &str,
    name: &str,
    loader: &mut dyn Loader,
) -> Result<Gone, Refused> {
    let argument = Argument::read("--rule", which)?;
    let rules = &outline.outcome.scenario.rules.rules;
    let within = outline.rules_of(class);
    let missing = |sources| {
        let label = outline.label(class);
        let has: Vec<String> = within.clone().map(|i| format!("{}: {}", i + 1, rules[i])).collect();
        Refused::at_word(
            sources,
            ("--rule", which),
            &codes::EDIT_MISSING,
            format!("class {label} has no such rule"),
            if has.is_empty() { "it has no rules".to_owned() } else { format!("it has {}", listed(&has)) },
            "give the number of the rule, or its text",
        )
    };
    if within.is_empty() {
        return Err(missing(&outline.outcome.sources));
    }
    let insertion = add::to_class(outline, class, &argument)?;
    let wanted = insertion.draft(outline.text(), argument).trial(outline, name, loader)?;
    let same = |made: &Range<usize>| {
        made.len() == wanted.len()
            && rules[made.clone()].iter().zip(&wanted).all(|(a, b)| a.tests == b.tests && a.both == b.both)
    };
    let mut end = within.end;
    while end > within.start {
        let made = outline.made_with(end - 1);
        if same(&made) {
            return statement(outline, made);
        }
        end = made.start.max(within.start);
    }
    // it may be one of several that a statement makes
    let is_wanted = |i: &usize| matches!(wanted.as_slice(), [one] if rules[*i].tests == one.tests && rules[*i].both == one.both);
    match within.clone().find(is_wanted) {
        Some(one) => whole(outline, one),
        None => Err(missing(&outline.outcome.sources)),
    }
}

impl Gone {
    /// Takes traffic of the rules with them; refuses where other rules would get traffic that is not theirs.
    fn traffic_of_rules(&mut self, outline: &Outline) -> Result<(), Refused> {
        if self.rules.is_empty() {
            return Ok(());
        }
        for (load, target, _) in outline.loads(None) {
            let LoadFor::Rules(first, last) = target else { continue };
            if first > self.rules.start && last <= self.rules.end {
                outline.is_here(load.span, "the traffic of the rule")?;
                self.statements.push(load.span);
            } else if last > self.rules.start {
                return Err(renumbered(outline, load));
            }
        }
        Ok(())
    }
}
