//! The packet matching engine (RFC 2722 §4): a virtual machine that runs a rule set over one packet.

use super::code::{Code, Kind, Operand, Step};
use super::pattern::{EMPTY, NO_PATTERN, Patterns, Shapes};
use super::slots::{PRESENT, Slot, Slots};
use csn::rtfm::{Fault, Opcode, Program};

/// What the engine says of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The packet is not metered.
    Ignore,
    /// Nothing matched in this direction.
    NoMatch,
    /// It belongs to the flow whose key has this shape, with [`Engine::words`] as values.
    Count(u32),
    /// The rules went round and round, nested subroutines too deep, or returned from none.
    Fault,
}

/// Subroutine calls that may be open at once.
const MAX_CALLS: usize = 32;
/// Actions that a packet may take, for programs of any length.
const MIN_ACTIONS: usize = 4096;

/// An entry of the pattern queue, as far as forgetting it needs.
#[derive(Clone, Copy, Debug)]
struct Saved {
    shape: u32,
    first: Slot,
    count: u8,
    words: [u64; 3],
}

/// A rule set that is loaded.
#[derive(Debug)]
pub struct Engine {
    code: Code,
    shapes: Shapes,
    set: u32,
    /// Values of the flow key, at the places of their attributes; those outside the shape mean nothing.
    words: [u64; 64],
    queue: Vec<Saved>,
    calls: Vec<u32>,
    /// Rules executed or tested so far.
    steps: u64,
}

impl Engine {
    /// Loads a program.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(program: &Program) -> Result<Self, Vec<Fault>> {
        let mut patterns = Patterns::default();
        let code = Code::new(program, &mut patterns)?;
        Ok(Self {
            code,
            shapes: Shapes::new(patterns),
            set: program.set,
            words: [0; 64],
            queue: Vec::with_capacity(64),
            calls: Vec::with_capacity(MAX_CALLS),
            steps: 0,
        })
    }

    /// The rule set's number.
    pub fn set(&self) -> u32 {
        self.set
    }

    /// Rules executed or tested since the start, a rule counting each time.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// The shapes of flow keys.
    pub fn shapes(&self) -> &Shapes {
        &self.shapes
    }

    /// The shape of a key turned round.
    #[inline]
    pub fn reverse(&mut self, shape: u32) -> u32 {
        self.shapes.reverse(shape)
    }

    /// The value at a place, as the last packet saved it.
    #[inline(always)]
    pub fn word(&self, place: Slot) -> u64 {
        self.words[usize::from(place & 63)]
    }

    /// Runs the rules over a packet, in the order of the wire or with source and destination exchanged.
    #[inline]
    pub fn run(&mut self, slots: &mut Slots, forward: bool) -> Outcome {
        slots.start_pass(forward);
        self.queue.clear();
        self.calls.clear();
        let mut variables = [0u8; 5];
        let mut shape = EMPTY;
        let mut pc = 0;
        let mut test = true;
        let mut actions = MIN_ACTIONS.max(4 * self.code.steps.len());
        loop {
            let start = pc;
            if test {
                // rules whose test fails are passed over here, and nowhere else
                let rest = &self.code.steps[pc..];
                pc +=
                    rest.iter().position(|s| slots.get(s.slot) & s.mask == s.value).unwrap_or(rest.len() - 1);
            }
            let step = self.code.steps[pc];
            self.steps += (pc - start) as u64 + 1;
            actions -= 1;
            if actions == 0 {
                return Outcome::Fault;
            }
            let operand = match step.kind {
                Kind::Plain => pc,
                kind => {
                    let operand = self.operand(pc, kind, &variables);
                    if test && !holds(&self.code.operands[operand], slots) {
                        pc += 1;
                        continue;
                    }
                    operand
                }
            };
            match step.opcode {
                Opcode::Ignore => return Outcome::Ignore,
                Opcode::NoMatch => {
                    // the one behind the last rule is none of the program's
                    self.steps -= u64::from(pc + 1 == self.code.steps.len());
                    return Outcome::NoMatch;
                }
                Opcode::Count => return Outcome::Count(self.save(shape, operand, slots, false)),
                Opcode::CountPkt => return Outcome::Count(self.save(shape, operand, slots, true)),
                Opcode::PushRuleTo | Opcode::PushRuleToAct => shape = self.save(shape, operand, slots, false),
                Opcode::PushPktTo | Opcode::PushPktToAct => shape = self.save(shape, operand, slots, true),
                Opcode::Goto | Opcode::GotoAct => {}
                Opcode::PopTo | Opcode::PopToAct => shape = self.forget(shape),
                Opcode::Assign | Opcode::AssignAct => self.assign(pc, step, &mut variables),
                Opcode::Gosub | Opcode::GosubAct => {
                    if self.calls.len() == MAX_CALLS {
                        return Outcome::Fault;
                    }
                    self.calls.push(pc as u32);
                }
                Opcode::Return => {
                    let Some(call) = self.calls.pop() else { return Outcome::Fault };
                    // behind the last rule stands the one that ends without a match
                    pc = (call as usize + step.target as usize).min(self.code.steps.len() - 1);
                    test = false;
                    continue;
                }
            }
            pc = step.target as usize;
            test = tests_next(step.opcode);
        }
    }

    /// The operand of a step that has more to it than its first word.
    fn operand(&self, pc: usize, kind: Kind, variables: &[u8; 5]) -> usize {
        match kind {
            Kind::Variable(v) => {
                self.code.operands[pc].variants as usize + usize::from(variables[usize::from(v)])
            }
            Kind::Plain | Kind::Wide => pc,
        }
    }

    /// Appends to the pattern queue: the rule's value, or what the packet has under the rule's mask.
    #[inline]
    fn save(&mut self, shape: u32, operand: usize, slots: &mut Slots, from_packet: bool) -> u32 {
        let operand = &self.code.operands[operand];
        if operand.pattern == NO_PATTERN {
            return shape;
        }
        let parts = operand.parts();
        if self.code.pops {
            let mut saved = Saved { shape, first: parts[0].slot, count: parts.len() as u8, words: [0; 3] };
            for (word, part) in saved.words.iter_mut().zip(parts) {
                *word = self.words[usize::from(part.slot & 63)];
            }
            self.queue.push(saved);
        }
        for part in parts {
            let word = if from_packet { slots.get(part.slot) & part.keep } else { part.value };
            self.words[usize::from(part.slot & 63)] = word;
        }
        if operand.computed && !from_packet {
            slots.set(parts[0].slot, PRESENT | parts[0].value);
        }
        self.shapes.after(shape, operand.pattern)
    }

    /// Deletes the newest entry of the pattern queue; an empty queue stays empty.
    fn forget(&mut self, shape: u32) -> u32 {
        let Some(saved) = self.queue.pop() else { return shape };
        for (place, word) in (saved.first..).zip(&saved.words[..usize::from(saved.count)]) {
            self.words[usize::from(place & 63)] = *word;
        }
        saved.shape
    }

    /// Lets a variable hold the attribute whose number is the rule's value.
    fn assign(&self, pc: usize, step: Step, variables: &mut [u8; 5]) {
        if let Kind::Variable(v) = step.kind {
            variables[usize::from(v)] = self.code.assigned[pc];
        }
    }
}

/// The test flag after an action: on, unless the opcode is one of the `Act` forms or `Return`.
#[inline(always)]
fn tests_next(opcode: Opcode) -> bool {
    !matches!(
        opcode,
        Opcode::Return
            | Opcode::GosubAct
            | Opcode::AssignAct
            | Opcode::GotoAct
            | Opcode::PushRuleToAct
            | Opcode::PushPktToAct
            | Opcode::PopToAct
    )
}

/// Whether the whole test succeeds.
#[inline]
fn holds(operand: &Operand, slots: &Slots) -> bool {
    operand.parts().iter().all(|p| slots.get(p.slot) & p.test_mask == p.test_value)
}

#[cfg(test)]
#[path = "engine_tests.rs"]
pub(super) mod tests;
