//! An edited text is compiled again before anybody gets it.

use super::argument::Argument;
use super::outline::{MAIN, Outline};
use super::{Change, Edited, Refused};
use crate::codes;
use crate::diagnostic::{Diagnostic, Severity, Span};
use crate::resolve::{Loader, Outcome, compile};
use crate::ruleset::{Rule, RuleSet};
use std::collections::HashMap;
use std::ops::Range;

/// An edit that is to be made.
pub(super) struct Draft<'a> {
    /// The text as it would become.
    pub(super) text: String,
    pub(super) changes: Vec<Change>,
    /// The rules that go, by their places before the edit.
    pub(super) without_rules: Vec<Range<usize>>,
    /// The class that goes.
    pub(super) without_class: Option<usize>,
    /// The word of the command that stands in the new text, and where its items stand there.
    pub(super) argument: Option<(Argument<'a>, usize)>,
}

impl Draft<'_> {
    /// Compiles the text. Errors that were not there before refuse the edit, and so does a rule or class that the edit
    /// was not to touch and that is another one now.
    pub(super) fn verify(
        self,
        before: &Outline,
        name: &str,
        loader: &mut dyn Loader,
    ) -> Result<Edited, Refused> {
        let outcome = compile(name, &self.text, loader);
        let news = self.news(before, &outcome)?;
        let added = self.added(&outcome.scenario.rules);
        if !self.keeps_the_rest(&before.outcome.scenario.rules, &outcome.scenario.rules, &added) {
            let end = self.text.len() as u32;
            return Err(Refused::new(
                &outcome.sources,
                &codes::EDIT_BROKEN,
                Span { file: MAIN, start: end, end },
                "the edit would change what other rules mean",
                "compiled again, the file does not hold its other rules as they were",
                "edit the file by hand",
            ));
        }
        Ok(Edited { text: self.text, changes: self.changes, outcome, news })
    }

    /// The rules that the word of the command makes where it stands.
    pub(super) fn trial(
        &self,
        before: &Outline,
        name: &str,
        loader: &mut dyn Loader,
    ) -> Result<Vec<Rule>, Refused> {
        let outcome = compile(name, &self.text, loader);
        let added = self.added(&outcome.scenario.rules);
        if added.is_empty() {
            self.news(before, &outcome)?;
        }
        Ok(outcome.scenario.rules.rules[added].to_vec())
    }

    /// What is found that was not there before; errors refuse the edit.
    fn news(&self, before: &Outline, outcome: &Outcome) -> Result<Vec<Diagnostic>, Refused> {
        let mut news = fresh(&before.outcome, outcome);
        let errors: Vec<Diagnostic> = news.extract_if(.., |d| d.severity == Severity::Error).collect();
        if errors.is_empty() {
            return Ok(news);
        }
        let mut refused = Refused { sources: outcome.sources.clone(), diagnostics: errors };
        self.point_into_argument(&mut refused);
        Err(refused)
    }

    /// The places of the new rules.
    fn added(&self, after: &RuleSet) -> Range<usize> {
        let Some((_, at)) = &self.argument else { return 0..0 };
        let is_new =
            |r: &Rule| r.span.file == MAIN && (r.span.start as usize) < *at && *at < r.span.end as usize;
        let first = after.rules.iter().position(is_new).unwrap_or(0);
        first..first + after.rules[first..].iter().take_while(|r| is_new(r)).count()
    }

    fn keeps_the_rest(&self, before: &RuleSet, after: &RuleSet, added: &Range<usize>) -> bool {
        let gone = |i: usize| self.without_rules.iter().any(|r| r.contains(&i));
        let old = before.rules.iter().enumerate().filter(|(i, _)| !gone(*i));
        let new = after.rules.iter().enumerate().filter(|(i, _)| !added.contains(i));
        let rules = old
            .map(|(_, r)| (before.classes[r.class.index()].number, &r.tests, r.both))
            .eq(new.map(|(_, r)| (after.classes[r.class.index()].number, &r.tests, r.both)));
        let old = before.classes.iter().enumerate().filter(|(i, _)| self.without_class != Some(*i));
        let mut new = after.classes.iter().map(|c| (c.number, &c.name));
        // a class that is new is the last one
        let classes = old.map(|(_, c)| (c.number, &c.name)).all(|c| new.next() == Some(c));
        rules && classes && new.count() <= usize::from(self.argument.is_some())
    }

    /// Moves places in the new rule to the word of the command that it comes from.
    fn point_into_argument(&self, refused: &mut Refused) {
        let Some((argument, at)) = &self.argument else { return };
        let file = refused.sources.add(argument.name, argument.text);
        let items = *at..=*at + argument.items().len();
        let move_span = |s: &mut Span| {
            if s.file == MAIN && items.contains(&(s.start as usize)) && items.contains(&(s.end as usize)) {
                let offset = |place: u32| (place as usize - at + argument.offset()) as u32;
                *s = Span { file, start: offset(s.start), end: offset(s.end) };
            }
        };
        for d in &mut refused.diagnostics {
            move_span(&mut d.span);
            d.related.iter_mut().for_each(|l| move_span(&mut l.span));
        }
    }
}

/// The findings that were not there before: of another kind, or about another text. Places and counts may differ.
fn fresh(before: &Outcome, after: &Outcome) -> Vec<Diagnostic> {
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    for d in &before.diagnostics {
        *known.entry((d.code, before.sources.slice(d.span))).or_default() += 1;
    }
    let is_new = |d: &&Diagnostic| match known.get_mut(&(d.code, after.sources.slice(d.span))) {
        Some(n) if *n > 0 => {
            *n -= 1;
            false
        }
        _ => true,
    };
    after.diagnostics.iter().filter(is_new).cloned().collect()
}

/// The line of a place, from 1.
pub(super) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}
