//! Adds a rule to a class, or a class with its first rule.

use super::argument::Argument;
use super::layout::{self, Place};
use super::outline::{LoadFor, MAIN, Outline};
use super::verify::{Draft, line};
use super::{Change, Edited, Refused};
use crate::ast::{Item, Keyword, Statement};
use crate::codes;
use crate::diagnostic::Span;
use crate::parse;
use crate::report::Report;
use crate::resolve::Loader;
use crate::ruleset::ClassId;
use std::ops::Range;

/// A rule to be added.
#[derive(Clone, Copy, Debug)]
pub struct Addition<'a> {
    /// The class, by name or number. A number that is free opens a class.
    pub class: &'a str,
    /// The name of a class that is opened.
    pub class_name: Option<&'a str>,
    /// The items of the rule: `proto = udp, dstport = 53`.
    pub rule: &'a str,
}

/// Adds a rule behind the last one of its class. `name` is what the file is called in messages, and what `loader`
/// gets to find included files by.
pub fn add(
    name: &str,
    text: &str,
    loader: &mut dyn Loader,
    addition: &Addition<'_>,
) -> Result<Edited, Refused> {
    let argument = Argument::read("RULE", addition.rule)?;
    let outline = Outline::read(name, text, loader)?;
    let insertion = match outline.class(addition.class) {
        Some(class) => {
            keeps_name(&outline, class, addition.class_name)?;
            keeps_numbers(&outline, outline.rules_of(class).end)?;
            to_class(&outline, class, &argument)?
        }
        None => {
            keeps_numbers(&outline, outline.outcome.scenario.rules.rules.len())?;
            new_class(&outline, addition, &argument)?
        }
    };
    insertion.draft(text, argument).verify(&outline, name, loader)
}

/// Statements with their place.
pub(super) struct Insertion {
    place: Place,
    /// What stands between each statement and the next.
    between: String,
    /// The last one is the rule.
    statements: Vec<String>,
}

impl Insertion {
    /// The text with the statements at their place.
    pub(super) fn draft<'a>(self, text: &str, argument: Argument<'a>) -> Draft<'a> {
        let Place { at, before, behind } = &self.place;
        let mut out = format!("{}{before}", &text[..*at]);
        let mut changes = Vec::new();
        for (i, statement) in self.statements.iter().enumerate() {
            if i > 0 {
                out.push_str(&self.between);
            }
            changes.push(Change { added: true, line: line(&out, out.len()), statement: statement.clone() });
            out.push_str(statement);
        }
        let items_at = out.len() - 1 - argument.items().len();
        out.push_str(behind);
        out.push_str(&text[*at..]);
        Draft {
            text: out,
            changes,
            without_rules: Vec::new(),
            without_class: None,
            argument: Some((argument, items_at)),
        }
    }
}

/// Refuses a name for a class that is there and has another or none.
fn keeps_name(outline: &Outline, class: ClassId, name: Option<&str>) -> Result<(), Refused> {
    let opened = &outline.outcome.scenario.rules.classes[class.index()];
    let Some(name) = name.filter(|n| opened.name.as_deref() != Some(n)) else { return Ok(()) };
    let refused = Refused::at_word(
        &outline.outcome.sources,
        ("--name", name),
        &codes::EDIT_NAME,
        format!("class {} is there already", opened.number),
        match &opened.name {
            Some(other) => format!("its name is `{other}`"),
            None => "it has no name".to_owned(),
        },
        "leave `--name` out to add to it, or take a number that is free",
    );
    Err(refused.related(opened.span, "the class"))
}

/// The insertion of a rule into a class that is there.
pub(super) fn to_class(
    outline: &Outline,
    class: ClassId,
    argument: &Argument<'_>,
) -> Result<Insertion, Refused> {
    let rules = &outline.outcome.scenario.rules;
    let opened = &rules.classes[class.index()];
    let label = outline.label(class);
    if outline.opened_together(class) > 1 {
        return Err(Refused::new(
            &outline.outcome.sources,
            &codes::EDIT_SHARED,
            opened.span,
            format!("class {label} cannot get a rule of its own"),
            format!(
                "this statement opens {} classes, and a rule behind it is for all",
                outline.opened_together(class)
            ),
            format!(
                "take {} out of it and give it a `set` of its own, or write a rule with `each` by hand",
                opened.number
            ),
        ));
    }
    let last = rules.rules[outline.rules_of(class)].last().map(|r| r.span);
    let anchor = last.unwrap_or(opened.span);
    outline.is_here(anchor, &format!("class {label}"))?;
    let text = outline.text();
    let mut place = layout::after(text, &range(anchor));
    // behind its `set` a rule is indented as rules are elsewhere
    if last.is_none() && !place.before.starts_with(' ') {
        let other = statements(outline, Keyword::AddRule).last();
        if let Some(indent) = other.and_then(|s| layout::indent(text, s.span.start as usize)) {
            place.before = format!("{}{indent}", layout::newline(text, place.at));
        }
    }
    Ok(Insertion { place, between: String::new(), statements: vec![rule(outline, argument)] })
}

/// The insertion of a class that is not there yet.
fn new_class(
    outline: &Outline,
    addition: &Addition<'_>,
    argument: &Argument<'_>,
) -> Result<Insertion, Refused> {
    let Ok(number) = addition.class.parse::<u32>() else {
        let classes = &outline.outcome.scenario.rules.classes;
        let free = classes.iter().map(|c| c.number).max().unwrap_or(0).saturating_add(1);
        let cure = format!("to open it, write `--class {free} --name {}`", addition.class);
        return Err(outline.no_class(addition.class, &cure));
    };
    let mut set = format!("{}class = {number}", head(outline, Keyword::Set, "set: "));
    if let Some(name) = addition.class_name {
        set.push_str(&format!(", name = \"{}\"", escaped(name)));
    }
    set.push(';');
    let text = outline.text();
    let model = model(outline);
    let indent = model.as_ref().and_then(|m| layout::indent(text, m.0.start)).unwrap_or_default();
    let blank = model.as_ref().is_none_or(|m| layout::blank_above(text, m.0.start));
    let place = match end_of_classes(outline) {
        Some(end) => layout::class_after(text, end, indent, blank),
        None => layout::class_at_end(text),
    };
    let own_lines = place.before != " ";
    let line = layout::newline(text, place.at);
    let between = match &model {
        _ if !own_lines => " ".to_owned(),
        Some((set, rule)) => match layout::indent(text, rule.start) {
            Some(indent) => format!("{line}{indent}"),
            None if text[set.end..rule.start].trim().is_empty() => text[set.end..rule.start].to_owned(),
            None => line.to_owned(),
        },
        None => line.to_owned(),
    };
    Ok(Insertion { place, between, statements: vec![set, rule(outline, argument)] })
}

/// `addrule: …;`, with the keyword written as the file writes it.
fn rule(outline: &Outline, argument: &Argument<'_>) -> String {
    format!("{}{};", head(outline, Keyword::AddRule, "addrule: "), argument.items())
}

fn range(span: Span) -> Range<usize> {
    span.start as usize..span.end as usize
}

/// The file's own statements of a kind.
fn statements(outline: &Outline, keyword: Keyword) -> impl Iterator<Item = &Statement> {
    outline.statements.iter().filter(move |s| s.keyword == keyword && s.span.file == MAIN)
}

/// The keyword with its colon and the space around it, as the last statement of that kind has them.
fn head<'o>(outline: &'o Outline, keyword: Keyword, usual: &'o str) -> &'o str {
    let last = statements(outline, keyword).last();
    let head = last.and_then(|s| {
        let first = s.items.first().map(Item::span)?;
        outline.text().get(s.span.start as usize..first.start as usize)
    });
    head.filter(|h| !h.contains('#')).unwrap_or(usual)
}

/// The `set` and the first rule of the last class that has both in this file: the layout to follow.
fn model(outline: &Outline) -> Option<(Range<usize>, Range<usize>)> {
    let rules = &outline.outcome.scenario.rules;
    let spans = (1..rules.classes.len()).rev().filter_map(|i| {
        let first = rules.rules.get(outline.rules_of(ClassId(i as u32)))?.first()?;
        Some((rules.classes[i].span, first.span))
    });
    let mut here = spans.filter(|(set, rule)| set.file == MAIN && rule.file == MAIN && set.end <= rule.start);
    here.next().map(|(set, rule)| (range(set), range(rule)))
}

/// Behind the last statement that a new class must not come before: a class, a rule, or the traffic of the open class,
/// here or in a file that is included. Without classes, behind the last statement.
fn end_of_classes(outline: &Outline) -> Option<usize> {
    let text = outline.text();
    let parsed = parse::file(MAIN, text, &mut Report::default());
    let includes: Vec<Span> =
        parsed.statements.iter().filter(|s| s.keyword == Keyword::Include).map(|s| s.span).collect();
    let (mut end, mut passed) = (None, 0);
    let mut elsewhere = false;
    for s in &outline.statements {
        let counts = match s.keyword {
            Keyword::Set | Keyword::AddRule => true,
            Keyword::Load => outline.load_for(s, None) == LoadFor::Open,
            _ => false,
        };
        if s.span.file == MAIN {
            if std::mem::take(&mut elsewhere) {
                end = last_include(&includes, passed, s.span.start).or(end);
            }
            passed = s.span.end;
            end = if counts { Some(s.span.end) } else { end };
        } else {
            elsewhere |= counts;
        }
    }
    if elsewhere {
        end = last_include(&includes, passed, u32::MAX).or(end);
    }
    end.or_else(|| parsed.statements.last().map(|s| s.span.end)).map(|end| end as usize)
}

/// The end of the last `include` between two places.
fn last_include(includes: &[Span], from: u32, to: u32) -> Option<u32> {
    includes.iter().rev().find(|s| s.start >= from && s.end <= to).map(|s| s.end)
}

/// Refuses an edit that puts a rule before one that a `load` calls by its number. `place` counts from 0.
pub(super) fn keeps_numbers(outline: &Outline, place: usize) -> Result<(), Refused> {
    for (load, target, _) in outline.loads(None) {
        if let LoadFor::Rules(_, last) = target
            && last > place
        {
            return Err(renumbered(outline, load));
        }
    }
    Ok(())
}

/// The refusal of an edit after which a `load` would be for another rule.
pub(super) fn renumbered(outline: &Outline, load: &Statement) -> Refused {
    Refused::new(
        &outline.outcome.sources,
        &codes::EDIT_NUMBERS,
        load.span,
        "this traffic would get to another rule",
        "it calls a rule by its number, and the edit changes the numbers of later rules",
        "give the traffic to the class, `load: class = …`, or take it out before the edit",
    )
}

/// A text as it stands in quotes.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out
}
