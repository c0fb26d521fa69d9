//! Programs for the packet matching engine of RTFM meters, and their NeTraMet text.
//!
//! The structure is the paper's: tests that all rules share come first, then one rule of the engine per class
//! test, then `others`. So an unmatched class costs one step where it is one test of one value.
//!
//! Every packet is counted: a flow record belongs to the class `FlowKind << 8 | FlowClass`, 0 being `others`.

use super::alternatives::{Alternative, alternatives, in_all};
use super::{Backend, Compiled, Emitted, Loss, Options};
use crate::field::Field;
use crate::rtfm::{Attribute, Column, Opcode, Program, Rule};
use crate::ruleset::{ClassId, RuleSet};
use crate::value::ValueSet;
use std::collections::HashMap;

/// The back end `rtfm`.
pub struct Rtfm;

/// Classes are written in two octets.
pub(super) const MAX_CLASS: u32 = 0xffff;

impl Backend for Rtfm {
    fn name(&self) -> &'static str {
        "rtfm"
    }

    fn summary(&self) -> &'static str {
        "rule file of RTFM meters (NeTraMet): shared tests first, then a rule per class"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.rtfm")
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let (kept, lost): (Vec<_>, Vec<_>) =
            alternatives(rules).into_iter().partition(|a| a.class.0 <= MAX_CLASS);
        let mut program = Writer::new(rules, shared(&kept, options), alike(&kept)).program(&kept);
        program.set = options.set;
        Emitted {
            artefact: program.to_string(),
            entries: program.rules.len(),
            program: Compiled::Rtfm(program),
            labels: class_labels(rules),
            losses: too_many_classes(&lost),
            ..Emitted::default()
        }
    }
}

/// The numbers by which flow records name classes.
pub(super) fn class_labels(rules: &RuleSet) -> Vec<(String, ClassId)> {
    (0..rules.classes.len() as u32).filter(|n| *n <= MAX_CLASS).map(|n| (n.to_string(), ClassId(n))).collect()
}

/// Rules whose class has no number in a flow record.
pub(super) fn too_many_classes(lost: &[Alternative]) -> Vec<Loss> {
    let loss = |a: &Alternative| Loss {
        rule: a.rule,
        reason: format!("left out: flow records have numbers for {MAX_CLASS} classes, in two octets"),
    };
    let mut losses: Vec<Loss> = lost.iter().map(loss).collect();
    losses.dedup();
    losses
}

/// The tests that come first: those that the options name, else what all alternatives have in common.
fn shared(all: &[Alternative], options: &Options) -> Vec<(Field, ValueSet)> {
    let Some(named) = &options.shared else { return in_all(all) };
    named.iter().filter(|(f, s)| all.iter().all(|a| a.test(*f) == Some(s))).cloned().collect()
}

/// How many alternatives make each test.
fn alike(all: &[Alternative]) -> HashMap<&(Field, ValueSet), usize> {
    let mut out = HashMap::new();
    all.iter().flat_map(|a| &a.tests).for_each(|test| *out.entry(test).or_default() += 1);
    out
}

/// One test of the engine: attribute, octets, mask and value.
pub(super) type Pattern = (Attribute, u8, u128, u128);

const ALWAYS: Pattern = (Attribute::Null, 2, 0, 0);

/// The patterns that together accept just `set`. None has an empty mask, which would not ask whether the packet
/// has the field at all.
pub(super) fn patterns(field: Field, set: &ValueSet) -> Vec<Pattern> {
    let attribute = Attribute::of_field(field);
    let mut out = Vec::new();
    for range in set.ranges() {
        let (width, octets) = match range.lo.family {
            4 => (32, 4),
            6 => (128, 16),
            _ => (field.width(), attribute.octets()),
        };
        // the octets may have more bits than the field: they are zero in every packet
        let whole = if octets == 16 { u128::MAX } else { (1 << (8 * u32::from(octets))) - 1 };
        let unused = if width == 128 { 0 } else { whole & !((1 << width) - 1) };
        for p in ValueSet::from(*range).prefixes(width) {
            let half = 1 << (width - 1);
            match p.len {
                0 if unused == 0 => {
                    out.extend([0, half].map(|value| (attribute, octets, half, value)));
                }
                _ => out.push((attribute, octets, p.mask(width) | unused, p.value.bits)),
            }
        }
    }
    out
}

type Label = usize;

/// What becomes of a packet that an alternative matches: the class, and what its flow record keeps of the tests.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Ending {
    class: ClassId,
    pushes: Vec<Pattern>,
}

struct Writer<'a> {
    source: &'a RuleSet,
    shared: Vec<(Field, ValueSet)>,
    /// How many alternatives make a test.
    alike: HashMap<&'a (Field, ValueSet), usize>,
    rules: Vec<Rule>,
    comments: Vec<(u32, String)>,
    /// The target of each rule that jumps, as a label.
    targets: Vec<Option<Label>>,
    /// The rule that a label stands for, from 1.
    labels: Vec<u32>,
    endings: Vec<(Ending, Label)>,
    known: HashMap<Ending, Label>,
}

impl<'a> Writer<'a> {
    fn new(
        source: &'a RuleSet,
        shared: Vec<(Field, ValueSet)>,
        alike: HashMap<&'a (Field, ValueSet), usize>,
    ) -> Self {
        Self {
            source,
            shared,
            alike,
            rules: Vec::new(),
            comments: Vec::new(),
            targets: Vec::new(),
            labels: Vec::new(),
            endings: Vec::new(),
            known: HashMap::new(),
        }
    }

    fn label(&mut self) -> Label {
        self.labels.push(0);
        self.labels.len() - 1
    }

    fn place(&mut self, label: Label) {
        self.labels[label] = self.rules.len() as u32 + 1;
    }

    fn push(&mut self, (attribute, octets, mask, value): Pattern, opcode: Opcode, target: Option<Label>) {
        self.rules.push(Rule { attribute, octets, mask, value, opcode, parameter: 0 });
        self.targets.push(target);
    }

    /// Appends a rule that leads to the one behind it.
    fn push_next(&mut self, pattern: Pattern, opcode: Opcode) {
        let next = self.label();
        self.push(pattern, opcode, Some(next));
        self.place(next);
    }

    fn comment(&mut self, text: String) {
        self.comments.push((self.rules.len() as u32 + 1, text));
    }

    fn program(mut self, all: &[Alternative]) -> Program {
        let others = self.label();
        self.shared_tests(others);
        let blocks = self.chain(all);
        self.place(others);
        self.comment("others".into());
        self.count(&Ending { class: ClassId::OTHERS, pushes: Vec::new() });
        for block in blocks {
            self.conjunction(block);
        }
        for (ending, label) in std::mem::take(&mut self.endings) {
            self.place(label);
            self.comment(format!("class {}", self.source.label(ending.class)));
            self.count(&ending);
        }
        let labels = self.labels;
        for (rule, target) in self.rules.iter_mut().zip(&self.targets) {
            rule.parameter = target.map_or(0, |l| labels[l]);
        }
        let mut comments = vec![(
            0,
            format!(
                "{} rules, {} classes and others",
                self.source.rules.len(),
                self.source.classes.len() - 1
            ),
        )];
        comments.append(&mut self.comments);
        Program { set: 1, rules: self.rules, comments, format: columns(), statistics: false }
    }

    /// Tests of all rules: one that fails makes the packet `others`.
    fn shared_tests(&mut self, others: Label) {
        for (field, set) in self.shared.clone() {
            let passed = self.label();
            for p in patterns(field, &set) {
                self.push(p, Opcode::PushRuleTo, Some(passed));
            }
            self.push(ALWAYS, Opcode::GotoAct, Some(others));
            self.place(passed);
        }
    }

    /// The first test of every alternative, one behind the other; where there are more, they stand in a block
    /// elsewhere, so that a packet that fails the first goes straight on.
    fn chain(&mut self, all: &[Alternative]) -> Vec<Block> {
        let mut blocks = Vec::new();
        for alternative in all {
            let tests = self.own_tests(alternative);
            let Some((first, rest)) = tests.split_first() else {
                // whatever comes here is matched, and nothing comes further
                let ending = self.ending(alternative, &[]);
                self.push(ALWAYS, Opcode::GotoAct, Some(ending));
                break;
            };
            let next = self.label();
            let (opcode, target) = if rest.is_empty() {
                // of both directions, the test itself is saved, so that the meter sees one flow in them
                let opcode = if alternative.both { Opcode::PushRuleToAct } else { Opcode::GotoAct };
                (opcode, self.ending(alternative, &[]))
            } else {
                let (passed, ending) = (self.label(), self.ending(alternative, &tests));
                blocks.push(Block { label: passed, tests: rest.to_vec(), ending, next });
                (Opcode::Goto, passed)
            };
            for p in first {
                self.push(*p, opcode, Some(target));
            }
            self.place(next);
        }
        blocks
    }

    /// The tests that are not shared, as patterns: few patterns first, then the field in which rules differ most.
    fn own_tests(&self, alternative: &Alternative) -> Vec<Vec<Pattern>> {
        let mut tests: Vec<_> = alternative
            .tests
            .iter()
            .filter(|(f, _)| self.shared.iter().all(|(s, _)| s != f))
            .map(|test| (patterns(test.0, &test.1), self.alike.get(test).copied().unwrap_or(0)))
            .collect();
        tests.sort_by_key(|(p, alike)| (p.len(), *alike));
        tests.into_iter().map(|(p, _)| p).collect()
    }

    /// Where a matched packet is counted. Rules for `both` directions save the values that they tested, so that
    /// the meter recognises the two directions as one flow.
    fn ending(&mut self, alternative: &Alternative, tests: &[Vec<Pattern>]) -> Label {
        let saved = alternative.both && tests.iter().all(|t| t.len() == 1);
        let pushes = if saved { tests.concat() } else { Vec::new() };
        let ending = Ending { class: alternative.class, pushes };
        if let Some(label) = self.known.get(&ending) {
            return *label;
        }
        let label = self.label();
        self.known.insert(ending.clone(), label);
        self.endings.push((ending, label));
        label
    }

    fn conjunction(&mut self, block: Block) {
        let Block { mut label, tests, ending, next } = block;
        let last = tests.len() - 1;
        for (i, test) in tests.into_iter().enumerate() {
            self.place(label);
            let passed = if i == last { ending } else { self.label() };
            let opcode = if i == last { Opcode::GotoAct } else { Opcode::Goto };
            for p in test {
                self.push(p, opcode, Some(passed));
            }
            self.push(ALWAYS, Opcode::Goto, Some(next));
            label = passed;
        }
    }

    fn count(&mut self, ending: &Ending) {
        for p in &ending.pushes {
            self.push_next(*p, Opcode::PushRuleToAct);
        }
        let class = u128::from(ending.class.0);
        if class >> 8 != 0 {
            self.push_next((Attribute::FlowKind, 1, 0xff, class >> 8), Opcode::PushRuleToAct);
        }
        // counting saves the value of its own rule
        self.push((Attribute::FlowClass, 1, 0xff, class & 0xff), Opcode::Count, None);
    }
}

/// The tests of an alternative behind its first.
struct Block {
    label: Label,
    tests: Vec<Vec<Pattern>>,
    ending: Label,
    /// The next alternative.
    next: Label,
}

fn columns() -> Vec<Column> {
    use Attribute::*;
    let space = || Column::Text(" ".into());
    let mut out = Vec::new();
    for group in [
        vec![FlowRuleSet, FlowIndex, FirstTime, LastActiveTime],
        vec![FlowKind, FlowClass],
        vec![ToPDUs, FromPDUs],
        vec![ToOctets, FromOctets],
    ] {
        if !out.is_empty() {
            out.push(space());
        }
        out.extend(group.into_iter().map(Column::Attribute));
    }
    out
}

#[cfg(test)]
mod tests;
