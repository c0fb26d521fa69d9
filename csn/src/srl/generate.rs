//! From statements to instructions.

use super::Errors;
use super::assemble::{Code, Entry, Instruction, Label};
use super::ast::{Arm, Call, Condition, Saved, Source, Statement, What};
use super::lexer::Token;
use super::names::{FIRST_VARIABLE, Resolved, resolve};
use super::operand::{Pattern, kept, pattern};
use super::subroutines::{Table, parameter, table};
use crate::diagnostic::Span;
use crate::rtfm::{Attribute, Opcode};
use std::collections::{HashMap, VecDeque};

/// Variables of the engine.
const VARIABLES: u8 = 5;

/// What code is made for: the program, or a subroutine with its parameters in certain variables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Unit {
    pub(super) subroutine: Option<String>,
    /// The variable of each parameter, from 0.
    pub(super) variables: Vec<u8>,
    /// The first variable that no caller uses.
    free: u8,
}

/// A labelled block that is open.
struct Scope<'a> {
    outer: Option<usize>,
    name: Token<'a>,
    end: Label,
}

/// What is put behind the code that leads to it.
enum Task<'s, 'a> {
    /// The rest of a conjunction.
    Rest { label: Label, terms: &'s [Condition<'a>], to: Label, save: bool, back: Label, saved: usize },
    /// What is done where a condition holds.
    Body { label: Label, statement: &'s Statement<'a>, scope: Option<usize>, end: Label },
}

struct Generator<'s, 'a, 'e> {
    code: Code,
    table: Table<'s, 'a>,
    unit: Unit,
    scopes: Vec<Scope<'a>>,
    tasks: VecDeque<Task<'s, 'a>>,
    units: HashMap<Unit, Label>,
    waiting: Vec<Unit>,
    place: Span,
    errors: &'e mut Errors,
}

/// Makes the instructions of a program.
pub(super) fn program(source: &Source, errors: &mut Errors) -> Code {
    let table = table(source, errors);
    let mut g = Generator {
        code: Code::default(),
        table,
        unit: Unit::default(),
        scopes: Vec::new(),
        tasks: VecDeque::new(),
        units: HashMap::new(),
        waiting: Vec::new(),
        place: Span::default(),
        errors,
    };
    g.unit_body(&source.body);
    // those that nobody calls are looked at too; their code is left out as nothing leads to it
    for s in &source.subroutines {
        let name = s.name.text.to_ascii_lowercase();
        if g.units.keys().all(|u| u.subroutine.as_ref() != Some(&name)) && g.table.contains_key(&name) {
            let variables = (0..s.parameters.len() as u8).collect();
            g.unit_label(Unit { subroutine: Some(name), variables, free: s.parameters.len() as u8 });
        }
        g.waiting_units();
    }
    g.waiting_units();
    g.code
}

impl<'s, 'a> Generator<'s, 'a, '_> {
    fn unit_body(&mut self, body: &'s [Statement<'a>]) {
        for s in body {
            self.statement(s, None);
        }
        match self.unit.subroutine {
            None => self.end(Opcode::NoMatch),
            Some(_) => self.give_back(None),
        }
        while let Some(task) = self.tasks.pop_front() {
            self.task(task);
        }
    }

    fn waiting_units(&mut self) {
        while let Some(unit) = self.waiting.pop() {
            let name = unit.subroutine.clone().unwrap_or_default();
            let Some(facts) = self.table.get(&name) else { continue };
            let body: &'s [Statement<'a>] = &facts.subroutine.body;
            self.code.place(self.units[&unit]);
            self.unit = unit;
            self.unit_body(body);
        }
    }

    fn unit_label(&mut self, unit: Unit) -> Label {
        if let Some(label) = self.units.get(&unit) {
            return *label;
        }
        let label = self.code.label();
        self.units.insert(unit.clone(), label);
        self.waiting.push(unit);
        label
    }

    fn task(&mut self, task: Task<'s, 'a>) {
        match task {
            Task::Rest { label, terms, to, save, back, saved } => {
                self.code.place(label);
                let Some((first, rest)) = terms.split_first() else { return };
                self.conjunct(first, rest, to, save, saved, back);
                for _ in 0..if save { saved } else { 0 } {
                    self.next(Attribute::Null, NOTHING, Opcode::PopTo, Entry::Any);
                }
                self.jump(back);
            }
            Task::Body { label, statement, scope, end } => {
                self.code.place(label);
                self.statement(statement, scope);
                self.place = statement.span;
                self.jump(end);
            }
        }
    }

    fn push(&mut self, instruction: Instruction) {
        self.code.push(instruction, self.place);
    }

    fn jump(&mut self, to: Label) {
        self.push(Instruction::new(Attribute::Null, NOTHING, Opcode::Goto, Entry::Any, Some(to)));
    }

    /// An instruction that goes on to the one behind it.
    fn next(&mut self, attribute: Attribute, pattern: Pattern, opcode: Opcode, entry: Entry) {
        let next = self.code.label();
        self.push(Instruction::new(attribute, pattern, opcode, entry, Some(next)));
        self.code.place(next);
    }

    fn end(&mut self, opcode: Opcode) {
        self.push(Instruction::new(Attribute::Null, NOTHING, opcode, Entry::Any, None));
    }

    /// Returns to a number of the call, or behind it: that is the slot behind all numbers.
    fn give_back(&mut self, to: Option<u32>) {
        let last = self.unit.subroutine.as_ref().and_then(|s| self.table.get(s)).map_or(0, |f| f.returns);
        let mut instruction = Instruction::new(Attribute::Null, NOTHING, Opcode::Return, Entry::Any, None);
        instruction.slots = to.unwrap_or(last + 1);
        self.push(instruction);
    }

    fn resolve(&mut self, token: Token) -> Option<Resolved> {
        resolve(token, &self.unit, &self.table, self.errors)
    }

    fn statement(&mut self, statement: &'s Statement<'a>, scope: Option<usize>) {
        self.place = statement.span;
        match &statement.what {
            What::If { arms, otherwise } => self.conditional(arms, otherwise.as_deref(), scope),
            What::Block { label, body } => self.block(*label, body, scope),
            What::Save { attribute, what } => self.save(*attribute, what),
            What::Store { variable, value } => self.store(*variable, *value),
            What::End(opcode) => self.end(*opcode),
            What::Exit(label) => self.exit(*label, scope),
            What::Return(to) => self.give_back_checked(*to),
            What::Call(call) => self.call(call, scope),
        }
    }

    fn conditional(
        &mut self,
        arms: &'s [Arm<'a>],
        otherwise: Option<&'s Statement<'a>>,
        scope: Option<usize>,
    ) {
        let end = self.code.label();
        for arm in arms {
            let to = match &arm.body {
                None => end,
                Some(statement) => {
                    let label = self.code.label();
                    self.tasks.push_back(Task::Body { label, statement, scope, end });
                    label
                }
            };
            self.condition(&arm.condition, to, arm.save);
        }
        if let Some(statement) = otherwise {
            self.statement(statement, scope);
        }
        self.code.place(end);
    }

    /// Goes to a label where the condition holds, and on with the next instruction where it does not.
    fn condition(&mut self, condition: &'s Condition<'a>, to: Label, save: bool) {
        match condition {
            Condition::Any(any) => any.iter().for_each(|c| self.condition(c, to, save)),
            Condition::All(all) => {
                let Some((first, rest)) = all.split_first() else { return };
                let back = self.code.label();
                self.conjunct(first, rest, to, save, 0, back);
                self.code.place(back);
            }
            Condition::Test { attribute, operands } => {
                let Some(resolved) = self.resolve(*attribute) else { return };
                let opcode = if save { Opcode::PushRuleTo } else { Opcode::Goto };
                if save && resolved.model == Attribute::MatchingStoD {
                    self.unsaveable(*attribute);
                }
                for operand in operands {
                    if let Some(p) = pattern(operand, resolved.model, self.errors) {
                        let test = Instruction::new(resolved.written, p, opcode, Entry::Test, Some(to));
                        self.code.push(test, attribute.span.to(operand.value.span));
                    }
                }
            }
        }
    }

    /// The first term of a conjunction here, the rest elsewhere. `saved` is what the terms before it have saved.
    fn conjunct(
        &mut self,
        first: &'s Condition<'a>,
        rest: &'s [Condition<'a>],
        to: Label,
        save: bool,
        saved: usize,
        back: Label,
    ) {
        if rest.is_empty() {
            return self.condition(first, to, save);
        }
        let label = self.code.label();
        let saved = saved + first.saved().unwrap_or(0);
        self.tasks.push_back(Task::Rest { label, terms: rest, to, save, back, saved });
        self.condition(first, label, save);
    }

    fn block(&mut self, label: Option<Token<'a>>, body: &'s [Statement<'a>], scope: Option<usize>) {
        let end = self.code.label();
        let inner = match label {
            None => scope,
            Some(name) => {
                self.scopes.push(Scope { outer: scope, name, end });
                Some(self.scopes.len() - 1)
            }
        };
        for s in body {
            self.statement(s, inner);
        }
        self.code.place(end);
    }

    fn exit(&mut self, label: Token<'a>, scope: Option<usize>) {
        let mut open = scope;
        while let Some(s) = open.and_then(|i| self.scopes.get(i)) {
            if s.name.text.eq_ignore_ascii_case(label.text) {
                return self.jump(s.end);
            }
            open = s.outer;
        }
        let message = format!("no block around this has the label `{}`", label.text);
        self.errors.add(label.span, message, "`exit` leaves a block that it stands in", "mend the label");
    }

    fn unsaveable(&mut self, token: Token) {
        let message = format!("`{}` cannot be saved", token.text);
        self.errors.add(token.span, message, "it is no attribute of a flow", "only test it");
    }

    fn save(&mut self, token: Token<'a>, what: &Saved<'a>) {
        let Some(resolved) = self.resolve(token) else { return };
        if resolved.model == Attribute::MatchingStoD {
            return self.unsaveable(token);
        }
        let (pattern, opcode) = match what {
            Saved::Packet(mask) => (kept(*mask, resolved.model, self.errors), Opcode::PushPktTo),
            Saved::Constant(operand) => (pattern(operand, resolved.model, self.errors), Opcode::PushRuleTo),
        };
        if let Some(pattern) = pattern {
            self.next(resolved.written, pattern, opcode, Entry::Act);
        }
    }

    fn store(&mut self, token: Token<'a>, value: Token<'a>) {
        let Some(resolved) = self.resolve(token) else { return };
        if !resolved.variable {
            let message = format!("`{}` is not a variable", token.text);
            let reason = "`store` sets SourceClass, DestClass, FlowClass, SourceKind, DestKind or FlowKind";
            self.errors.add(token.span, message, reason, "name one of them, or use `save`");
            return;
        }
        let operand = super::ast::Operand { value, mask: super::ast::Mask::Whole };
        if let Some(pattern) = pattern(&operand, resolved.model, self.errors) {
            self.next(resolved.written, pattern, Opcode::PushRuleTo, Entry::Act);
        }
    }

    fn give_back_checked(&mut self, to: Option<u32>) {
        if self.unit.subroutine.is_none() {
            let cure = "end with `count`, `ignore` or `nomatch`";
            self.errors.add(self.place, "`return` stands outside of a subroutine", "there is no call", cure);
        } else if to == Some(0) {
            self.errors.add(self.place, "returns are numbered from 1", "0 would call again", "write 1");
        } else {
            self.give_back(to);
        }
    }

    fn call(&mut self, call: &'s Call<'a>, scope: Option<usize>) {
        let name = call.name.text.to_ascii_lowercase();
        let Some(facts) = self.table.get(&name) else { return };
        let (returns, parameters) = (facts.returns, facts.passed.len());
        let Some((variables, assigned, free)) = self.variables(call, parameters) else { return };
        for (variable, attribute) in assigned {
            if let Some(v) = Attribute::from_number(FIRST_VARIABLE + u16::from(variable)) {
                let number = Pattern { octets: 1, mask: 0, value: u128::from(attribute as u16) };
                self.next(v, number, Opcode::Assign, Entry::Any);
            }
        }
        let to = self.unit_label(Unit { subroutine: Some(name), variables, free });
        let mut gosub = Instruction::new(Attribute::Null, NOTHING, Opcode::Gosub, Entry::Any, Some(to));
        gosub.slots = returns + 1;
        self.push(gosub);
        let end = self.code.label();
        for slot in 1..=returns + 1 {
            let statement = call.returns.iter().find(|(numbers, _)| numbers.contains(&slot));
            let label = match statement {
                Some((_, statement)) if slot <= returns => {
                    let label = self.code.label();
                    self.tasks.push_back(Task::Body { label, statement, scope, end });
                    label
                }
                _ => end,
            };
            let mut instruction =
                Instruction::new(Attribute::Null, NOTHING, Opcode::Goto, Entry::Any, Some(label));
            instruction.fixed = true;
            self.push(instruction);
        }
        self.code.place(end);
    }

    /// The variables of a call's parameters, those that are set for it, and the first that is free in it. What the
    /// caller has as a parameter itself stays where it is.
    fn variables(&mut self, call: &Call<'a>, parameters: usize) -> Option<Passed> {
        let caller = self.unit.subroutine.as_ref().and_then(|s| self.table.get(s)).map(|f| f.subroutine);
        let mut free = self.unit.free;
        let (mut variables, mut assigned) = (Vec::new(), Vec::new());
        for actual in call.actuals.iter().take(parameters) {
            if let Some(own) = caller.and_then(|c| parameter(c, actual.text)) {
                variables.push(*self.unit.variables.get(own)?);
                continue;
            }
            let Some(attribute) = super::names::attribute_of(actual.text) else {
                let message = format!("`{}` is not an attribute", actual.text);
                let reason = "calls pass attributes and the caller's own parameters";
                self.errors.add(actual.span, message, reason, "mend the name");
                return None;
            };
            variables.push(free);
            assigned.push((free, attribute));
            free += 1;
        }
        if free > VARIABLES {
            let message = format!("`{}` needs more than {VARIABLES} variables", call.name.text);
            let reason = "the parameters of all calls that are open count together";
            self.errors.add(call.name.span, message, reason, "pass fewer");
            return None;
        }
        (variables.len() == parameters).then_some((variables, assigned, free))
    }
}

/// The variables of a call's parameters, those that it sets, and the first that is free in it.
type Passed = (Vec<u8>, Vec<(u8, Attribute)>, u8);

/// A test that always succeeds.
const NOTHING: Pattern = Pattern { octets: 2, mask: 0, value: 0 };
