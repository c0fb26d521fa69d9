//! The front end as a whole.

use super::Loader;
use super::classes::Classes;
use super::context::Context;
use super::experiment::Draft;
use super::files::Files;
use super::load::{Known, Loads, Pending};
use super::names::Names;
use super::rules::Rules;
use super::shares;
use super::vary::{Axes, Limits};
use crate::ast::{Keyword, Statement};
use crate::check;
use crate::diagnostic::{Diagnostic, Severity, Sources};
use crate::experiment::Scenario;
use crate::report::Report;
use crate::ruleset::RuleSet;

/// What became of a text.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The file and what it includes.
    pub sources: Sources,
    /// What was understood. Whole only if there are no errors.
    pub scenario: Scenario,
    /// Everything found, by file and place.
    pub diagnostics: Vec<Diagnostic>,
    /// What is understood but not executed by this version: `run` and `generate` refuse it.
    pub unexecuted: Vec<Diagnostic>,
}

impl Outcome {
    /// Whether the scenario cannot be used.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|d| d.severity == Severity::Error)
    }
}

/// Compiles the text of a scenario. Never panics and never stops at the first error; `name` is what the file is
/// called in messages, and what `loader` gets to find included files by.
pub fn compile(name: &str, text: &str, loader: &mut dyn Loader) -> Outcome {
    let mut report = Report::default();
    let mut files = Files::new(loader);
    files.read(name, text, &mut report);
    let Files { sources, statements, mentioned, incomplete, .. } = files;

    let names = Names::collect(&statements, mentioned, &mut report);
    let mut cx = Context::new(&names, report);
    cx.sources = Some(&sources);
    let scenario = resolve(&mut cx, &statements, incomplete);
    let mut report = cx.report;
    names.unused(&mut report);
    report.sort();
    Outcome { sources, scenario, diagnostics: report.diagnostics, unexecuted: report.unexecuted }
}

fn resolve(cx: &mut Context<'_>, statements: &[Statement], incomplete: bool) -> Scenario {
    let (mut classes, mut rules) = (Classes::default(), Rules::default());
    let mut pending: Vec<Pending<'_>> = Vec::new();
    let mut draft = Draft::default();
    let mut axes: Vec<&Statement> = Vec::new();
    for s in statements {
        match s.keyword {
            Keyword::Set => classes.open(cx, s),
            Keyword::AddRule => rules.add(cx, &classes, s),
            Keyword::Load => pending.push(Pending { statement: s, open: classes.open.clone() }),
            Keyword::Meter => draft.meter(cx, s),
            Keyword::Run => draft.run(cx, s),
            Keyword::Expect => draft.expect(cx, s),
            Keyword::Scenario => draft.scenario(cx, s),
            Keyword::Vary => axes.push(s),
            Keyword::Include | Keyword::Define => {}
        }
    }
    let complete = !rules.uncertain && !classes.uncertain && !incomplete;
    let mut loads = Loads { uncertain: !complete, ..Loads::default() };
    let known = Known { classes: &classes, rules: rules.all.len(), complete };
    pending.iter().for_each(|p| loads.add(cx, p, &known));
    let rule_set = RuleSet { classes: classes.all, rules: rules.all };
    loads.check_flows(cx);
    let mix = shares::mix(cx, &loads, &rule_set);
    let mut found = Vec::new();
    check::rule_set(&rule_set, &mix, complete, &mut found);
    found.into_iter().for_each(|d| {
        cx.report.push(d);
    });

    let limits = Limits { rules: complete.then_some(rule_set.rules.len()), meters: &draft.experiment.meters };
    let mut grid = Axes::default();
    axes.iter().for_each(|s| grid.add(cx, s, &limits));
    let mut experiment = draft.finish();
    experiment.vary = grid.all;
    Scenario { rules: rule_set, mix, experiment }
}
