//! From instructions to a rule set.

use super::operand::Pattern;
use crate::diagnostic::Span;
use crate::rtfm::{Attribute, Opcode, Program, Rule};

/// A place in the code.
pub(super) type Label = usize;

/// How an instruction is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// With its test on; where that fails, the next instruction follows.
    Test,
    /// With its test off.
    Act,
    /// Its test always succeeds.
    Any,
}

/// A rule before its target has a number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    attribute: Attribute,
    pattern: Pattern,
    /// Of a pair such as `Goto` and `GotoAct` the first.
    opcode: Opcode,
    entry: Entry,
    target: Option<Label>,
    /// `Return`: where to; `Gosub`: how many slots stand behind it.
    pub(super) slots: u32,
    /// Whether its place counts, as that of a slot.
    pub(super) fixed: bool,
    place: Span,
}

impl Instruction {
    pub(super) fn new(
        attribute: Attribute,
        pattern: Pattern,
        opcode: Opcode,
        entry: Entry,
        target: Option<Label>,
    ) -> Self {
        Self { attribute, pattern, opcode, entry, target, slots: 0, fixed: false, place: Span::default() }
    }

    fn is_jump(&self) -> bool {
        self.opcode == Opcode::Goto && self.entry == Entry::Any
    }
}

/// Instructions and labels.
#[derive(Debug, Default)]
pub(super) struct Code {
    instructions: Vec<Instruction>,
    /// The instruction that each label stands for.
    labels: Vec<usize>,
}

impl Code {
    /// A label that has no place yet.
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(0);
        self.labels.len() - 1
    }

    /// The label stands for what comes next.
    pub(super) fn place(&mut self, label: Label) {
        self.labels[label] = self.instructions.len();
    }

    pub(super) fn push(&mut self, instruction: Instruction, place: Span) {
        self.instructions.push(Instruction { place, ..instruction });
    }

    /// The instruction that a label leads to, through jumps.
    fn resolve(&self, label: Label) -> usize {
        let mut at = self.labels[label];
        // the language has no loops; a bound all the same
        for _ in 0..self.instructions.len() {
            match self.instructions.get(at) {
                Some(Instruction { target: Some(next), .. }) if self.instructions[at].is_jump() => {
                    at = self.labels[*next];
                }
                _ => break,
            }
        }
        at
    }

    /// Per instruction whether anything leads to it.
    fn reached(&self, targets: &[Option<usize>]) -> Vec<bool> {
        let mut out = vec![false; self.instructions.len()];
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let Some(i) = self.instructions.get(at) else { continue };
            if std::mem::replace(&mut out[at], true) {
                continue;
            }
            open.extend(targets[at]);
            if i.entry == Entry::Test {
                open.push(at + 1);
            }
            if i.opcode == Opcode::Gosub {
                open.extend((1..=i.slots as usize).map(|slot| at + slot));
            }
        }
        out
    }

    /// The rule set, and the place in the text of each rule.
    pub(super) fn assemble(&self) -> (Program, Vec<Span>) {
        let targets: Vec<_> = self.instructions.iter().map(|i| i.target.map(|l| self.resolve(l))).collect();
        let laid = self.lay_out(&targets);
        // the rule that an instruction has become, from 1
        let mut numbers = vec![0; self.instructions.len()];
        for (number, l) in (1u32..).zip(&laid) {
            if let Laid::Instruction(i) = l {
                numbers[*i] = number;
            }
        }
        let mut program = Program::default();
        let mut places = Vec::with_capacity(laid.len());
        for l in &laid {
            let (i, target) = match *l {
                Laid::Instruction(i) => (self.instructions[i], targets[i]),
                Laid::Jump(to) => (jump(self.instructions[to].place), Some(to)),
            };
            let acts = target.is_some_and(|t| self.instructions[t].entry != Entry::Test);
            program.rules.push(Rule {
                attribute: i.attribute,
                octets: i.pattern.octets,
                mask: i.pattern.mask,
                value: i.pattern.value,
                opcode: if acts { with_act(i.opcode) } else { i.opcode },
                parameter: match i.opcode {
                    Opcode::Return => i.slots,
                    _ => target.map_or(0, |t| numbers[t]),
                },
            });
            places.push(i.place);
        }
        (program, places)
    }

    /// What stays, in order: without what nothing leads to and jumps to what follows anyway, and with jumps where a
    /// failed test would run into an instruction that must not test.
    fn lay_out(&self, targets: &[Option<usize>]) -> Vec<Laid> {
        let reached = self.reached(targets);
        let mut out = Vec::new();
        let mut next: Option<usize> = None;
        for (at, i) in self.instructions.iter().enumerate().rev().filter(|(at, _)| reached[*at]) {
            let acts = next.is_some_and(|n| self.instructions[n].entry == Entry::Act);
            if i.is_jump() && !i.fixed && targets[at] == next && !acts {
                continue;
            }
            if let (Entry::Test, true, Some(n)) = (i.entry, acts, next) {
                out.push(Laid::Jump(n));
            }
            out.push(Laid::Instruction(at));
            next = Some(at);
        }
        if let Some(first) = next.filter(|n| self.instructions[*n].entry == Entry::Act) {
            out.push(Laid::Jump(first));
        }
        out.reverse();
        out
    }
}

enum Laid {
    Instruction(usize),
    /// A jump to that instruction.
    Jump(usize),
}

fn jump(place: Span) -> Instruction {
    let nothing = Pattern { octets: 2, mask: 0, value: 0 };
    Instruction { place, ..Instruction::new(Attribute::Null, nothing, Opcode::Goto, Entry::Any, None) }
}

/// The opcode that goes on without a test.
fn with_act(opcode: Opcode) -> Opcode {
    match opcode {
        Opcode::Gosub => Opcode::GosubAct,
        Opcode::Assign => Opcode::AssignAct,
        Opcode::Goto => Opcode::GotoAct,
        Opcode::PushRuleTo => Opcode::PushRuleToAct,
        Opcode::PushPktTo => Opcode::PushPktToAct,
        Opcode::PopTo => Opcode::PopToAct,
        other => other,
    }
}
