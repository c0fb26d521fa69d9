//! The paths through a program.

use super::decode::{Test, test};
use crate::diagnostic::Span;
use crate::field::Field;
use crate::imports::Builder;
use crate::rtfm::{Attribute, Opcode, Program, Rule};
use crate::value::ValueSet;

/// The six computed attributes, by ascending number.
pub(super) type Computed = [u8; 6];

/// How a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Counted as a class.
    Class(Computed),
    /// Counted without one.
    Others,
    /// Not counted.
    Ignore,
    /// Tried again in the other direction.
    NoMatch,
    /// In a way that cannot be followed: reported.
    Lost,
}

/// The tests that succeed on a path, by ascending field, and its end.
#[derive(Clone, Debug)]
pub(super) struct Path {
    pub(super) tests: Vec<(Field, ValueSet)>,
    pub(super) end: End,
    pub(super) span: Span,
}

/// Rules that may be executed for each rule of the program, and beside them.
const STEPS: (usize, usize) = (50, 2_000_000);
/// Calls that may be open at once, as in meters.
const MOST_CALLS: usize = 32;

/// What distinguishes places on paths.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    pc: usize,
    /// Whether tests are on.
    testing: bool,
    /// The values that rules test.
    computed: Computed,
    /// What is saved: the computed attribute and its value, or anything else.
    queue: Vec<Option<(usize, u8)>>,
    calls: Vec<usize>,
    variables: [Attribute; 5],
    end: Option<End>,
}

#[derive(Clone, Debug)]
struct State {
    machine: Machine,
    tests: Vec<(Field, ValueSet)>,
    span: Span,
    /// The rule that saves a value of the packet.
    flows: Option<usize>,
}

struct Walker<'a> {
    program: &'a Program,
    forward: bool,
    place: &'a dyn Fn(usize) -> Span,
    /// Whether what is saved can be taken back.
    pops: bool,
    steps: usize,
    stack: Vec<State>,
    out: Vec<Path>,
    findings: &'a mut Builder,
    /// Rules that something was said about.
    told: Vec<usize>,
}

/// Walks all paths; those that cannot be followed are reported.
pub(super) fn paths(
    program: &Program,
    forward: bool,
    place: &dyn Fn(usize) -> Span,
    findings: &mut Builder,
) -> Vec<Path> {
    let pops = program.rules.iter().any(|r| matches!(r.opcode, Opcode::PopTo | Opcode::PopToAct));
    let mut walker = Walker {
        program,
        forward,
        place,
        pops,
        steps: STEPS.0 * program.rules.len() + STEPS.1,
        stack: Vec::new(),
        out: Vec::new(),
        findings,
        told: Vec::new(),
    };
    let machine = Machine {
        pc: 0,
        testing: true,
        computed: [0; 6],
        queue: Vec::new(),
        calls: Vec::new(),
        variables: [Attribute::Null; 5],
        end: None,
    };
    walker.push(State { machine, tests: Vec::new(), span: place(0), flows: None });
    while let Some(state) = walker.stack.pop() {
        walker.branch(state);
        if walker.steps == 0 {
            let reason = "its tests combine in too many ways";
            walker.findings.lost(place(0), "the paths through this program are too many", reason);
            break;
        }
    }
    walker.out
}

impl Walker<'_> {
    /// Puts off a place, moved on to where it tests something; not where the last one put off sees the same and more.
    fn push(&mut self, mut state: State) {
        self.settle(&mut state);
        if self.stack.last().is_none_or(|top| !same(&top.machine, &state.machine, self.pops)) {
            self.stack.push(state);
        }
    }

    /// Says that something at a rule cannot be followed.
    fn lose(&mut self, rule: usize, state: &mut State, reason: &str) {
        if !self.told.contains(&rule) {
            self.told.push(rule);
            self.findings.lost((self.place)(rule), "the packets that come here are not taken over", reason);
        }
        state.machine = ended(&state.machine, End::Lost);
    }

    /// Executes what happens without a test of the packet.
    fn settle(&mut self, state: &mut State) {
        while state.machine.end.is_none() {
            if self.steps == 0 {
                return state.machine = ended(&state.machine, End::Lost);
            }
            let pc = state.machine.pc;
            let Some(rule) = self.program.rules.get(pc) else {
                state.machine = ended(&state.machine, End::NoMatch);
                return;
            };
            let attribute = resolved(rule, &state.machine);
            let passes = if !state.machine.testing {
                true
            } else {
                match test(rule, attribute, self.forward) {
                    Ok(Test::Always) => true,
                    Ok(Test::Never) => false,
                    Ok(Test::Computed(a, mask, value)) => state.machine.computed[place_of(a)] & mask == value,
                    Ok(Test::Field(..)) => return,
                    Err(reason) => return self.lose(pc, state, &reason),
                }
            };
            self.steps -= 1;
            if passes {
                self.act(state, pc, rule, attribute);
            } else {
                state.machine.pc += 1;
            }
        }
    }

    /// Takes both branches of the test that the place stands at, or notes its end.
    fn branch(&mut self, state: State) {
        if let Some(end) = state.machine.end {
            self.finish(state, end);
            return;
        }
        let pc = state.machine.pc;
        let (field, set, count) = self.run(&state);
        let Some(rule) = self.program.rules.get(pc) else { return };
        self.steps = self.steps.saturating_sub(count);
        let mut failed = state.clone();
        failed.machine.pc += count;
        self.push(failed);
        let mut passed = state;
        if narrow(&mut passed.tests, field, &set) {
            passed.span = (self.place)(pc);
            let attribute = resolved(rule, &passed.machine);
            self.act(&mut passed, pc, rule, attribute);
            self.push(passed);
        }
    }

    /// The values of the tests that follow each other and do the same: those of a set or range. How many they are too.
    fn run(&self, state: &State) -> (Field, ValueSet, usize) {
        let rules = &self.program.rules[state.machine.pc..];
        let first = &rules[0];
        let (mut field, mut ranges, mut count) = (Field::Interface, Vec::new(), 0);
        for rule in rules {
            let alike = (rule.attribute, rule.opcode, rule.parameter)
                == (first.attribute, first.opcode, first.parameter);
            if count > 0 && (!alike || !mergeable(rule)) {
                break;
            }
            match test(rule, resolved(rule, &state.machine), self.forward) {
                Ok(Test::Field(f, set)) if count == 0 || f == field => {
                    field = f;
                    ranges.extend_from_slice(set.ranges());
                }
                _ => break,
            }
            count += 1;
        }
        (field, ValueSet::from_ranges(ranges), count.max(1))
    }

    /// What a rule does whose test has succeeded.
    fn act(&mut self, state: &mut State, pc: usize, rule: &Rule, attribute: Attribute) {
        let machine = &mut state.machine;
        let target = (rule.parameter as usize).wrapping_sub(1);
        machine.testing = !matches!(
            rule.opcode,
            Opcode::GosubAct
                | Opcode::AssignAct
                | Opcode::GotoAct
                | Opcode::PushRuleToAct
                | Opcode::PushPktToAct
                | Opcode::PopToAct
                | Opcode::Return
        );
        let end = match rule.opcode {
            Opcode::Ignore => Some(End::Ignore),
            Opcode::NoMatch => Some(End::NoMatch),
            Opcode::Count | Opcode::CountPkt => {
                save(state, pc, rule, attribute, rule.opcode == Opcode::CountPkt);
                let class = class(&state.machine.queue);
                Some(if class == [0; 6] { End::Others } else { End::Class(class) })
            }
            Opcode::PushRuleTo | Opcode::PushRuleToAct => {
                save(state, pc, rule, attribute, false);
                None
            }
            Opcode::PushPktTo | Opcode::PushPktToAct => {
                save(state, pc, rule, attribute, true);
                None
            }
            Opcode::PopTo | Opcode::PopToAct => {
                machine.queue.pop();
                None
            }
            Opcode::Assign | Opcode::AssignAct => {
                let assigned = u16::try_from(rule.value).ok().and_then(Attribute::from_number);
                if let (Some(v), Some(a)) = (variable(rule.attribute), assigned) {
                    machine.variables[v] = a;
                }
                None
            }
            Opcode::Gosub | Opcode::GosubAct => {
                if machine.calls.len() >= MOST_CALLS {
                    return self.lose(pc, state, "subroutines are called too deep");
                }
                machine.calls.push(pc);
                None
            }
            Opcode::Return => match machine.calls.pop() {
                Some(call) => {
                    machine.pc = call + rule.parameter as usize;
                    return;
                }
                None => return self.lose(pc, state, "it returns from no subroutine"),
            },
            Opcode::Goto | Opcode::GotoAct => None,
        };
        match end {
            Some(end) => state.machine = ended(&state.machine, end),
            None => state.machine.pc = target,
        }
    }

    fn finish(&mut self, state: State, end: End) {
        if let (End::Class(_), Some(rule)) = (end, state.flows)
            && !self.told.contains(&rule)
        {
            self.told.push(rule);
            self.findings.aside(
                (self.place)(rule),
                "values of packets that are saved here",
                "they tell the flows of a class apart, not classes",
            );
        }
        if end != End::Lost {
            self.out.push(Path { tests: state.tests, end, span: state.span });
        }
    }
}

/// Whether a rule may be one of several that stand for a set: all of them do the same, whatever the value.
fn mergeable(rule: &Rule) -> bool {
    !matches!(rule.opcode, Opcode::Gosub | Opcode::GosubAct)
}

/// A machine that has ended: nothing else counts.
fn ended(machine: &Machine, end: End) -> Machine {
    Machine {
        pc: 0,
        testing: true,
        computed: [0; 6],
        queue: Vec::new(),
        calls: Vec::new(),
        variables: machine.variables.map(|_| Attribute::Null),
        end: Some(end),
    }
}

/// Whether two places lead to the same ends. What is saved beside classes counts only where it can be taken back.
fn same(a: &Machine, b: &Machine, pops: bool) -> bool {
    let rest = |m: &Machine| (m.pc, m.testing, m.computed, m.variables, m.end);
    let saved = if pops { a.queue == b.queue } else { class(&a.queue) == class(&b.queue) };
    rest(a) == rest(b) && a.calls == b.calls && saved
}

fn variable(attribute: Attribute) -> Option<usize> {
    attribute.is_variable().then(|| usize::from(attribute as u16 - Attribute::V1 as u16))
}

/// The attribute of a rule, or the one that its variable holds.
fn resolved(rule: &Rule, machine: &Machine) -> Attribute {
    let assigns = matches!(rule.opcode, Opcode::Assign | Opcode::AssignAct);
    match variable(rule.attribute).filter(|_| !assigns) {
        Some(v) => machine.variables[v],
        None => rule.attribute,
    }
}

/// The place of a computed attribute.
fn place_of(attribute: Attribute) -> usize {
    usize::from(attribute as u16 - Attribute::SourceClass as u16).min(5)
}

/// The values of the computed attributes in a flow key: the newest of each.
fn class(queue: &[Option<(usize, u8)>]) -> Computed {
    let mut out = [0; 6];
    for (place, value) in queue.iter().flatten() {
        out[*place] = *value;
    }
    out
}

fn save(state: &mut State, pc: usize, rule: &Rule, attribute: Attribute, of_packet: bool) {
    if matches!(attribute, Attribute::Null | Attribute::MatchingStoD) {
        return;
    }
    if !attribute.is_computed() {
        if of_packet {
            state.flows.get_or_insert(pc);
        }
        return state.machine.queue.push(None);
    }
    let place = place_of(attribute);
    let computed = &mut state.machine.computed[place];
    let value = if of_packet { *computed & rule.mask as u8 } else { rule.value as u8 };
    if !of_packet {
        *computed = value;
    }
    state.machine.queue.push(Some((place, value)));
}

/// Adds a test to a conjunction; false where nothing is left.
fn narrow(tests: &mut Vec<(Field, ValueSet)>, field: Field, set: &ValueSet) -> bool {
    match tests.binary_search_by_key(&field, |(f, _)| *f) {
        Ok(i) => {
            tests[i].1 = tests[i].1.intersect(set);
            !tests[i].1.is_empty()
        }
        Err(i) => {
            tests.insert(i, (field, set.clone()));
            true
        }
    }
}
