//! Programs decoded for speed: what the engine runs.
//!
//! A rule becomes a [`Step`], 24 bytes that hold all a failing test touches, and an [`Operand`] with the rest.

use super::pattern::{NO_PATTERN, Patterns, v6_slots};
use super::slots::{PRESENT, Slot, V6_WORDS, slot, slot_of, v6_words};
use csn::rtfm::{Attribute, Fault, Opcode, Program, Rule};

/// The word of a step that is tested first, and what is done when that succeeds.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Bits that are compared; 0 where the test always succeeds.
    pub mask: u64,
    /// What they must be.
    pub value: u64,
    /// The step to go to, from 0; the return offset of `Return`.
    pub target: u32,
    /// The word.
    pub slot: Slot,
    /// What is done.
    pub opcode: Opcode,
    /// What more there is to the test.
    pub kind: Kind,
}

/// How a step's test is completed when its first word agrees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is done.
    Plain,
    /// Other words are to be compared: IPv6 addresses.
    Wide,
    /// The attribute is the one that a variable (0 to 4) holds.
    Variable(u8),
}

/// One word of an attribute.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// The word.
    pub slot: Slot,
    /// Bits that the test compares.
    pub test_mask: u64,
    /// What they must be.
    pub test_value: u64,
    /// The rule's mask, without the bit of presence: what is kept of the packet's value.
    pub keep: u64,
    /// The rule's value.
    pub value: u64,
}

/// What a rule tests and saves, in full.
#[derive(Clone, Copy, Debug)]
pub struct Operand {
    /// The words; `count` of them.
    parts: [Part; 3],
    count: u8,
    /// The entry of the pattern queue that saving makes; [`NO_PATTERN`] where saving has no effect.
    pub pattern: u32,
    /// Whether saving also sets the attribute.
    pub computed: bool,
    /// Where the operands begin that stand for each attribute that the variable can hold.
    pub variants: u32,
}

impl Operand {
    /// The words.
    #[inline(always)]
    pub fn parts(&self) -> &[Part] {
        &self.parts[..usize::from(self.count)]
    }

    /// An operand whose test fails and whose saving has no effect: an attribute that has other octets than the
    /// rule.
    fn never() -> Self {
        let part = Part { test_value: PRESENT, ..Part::default() };
        Self { parts: [part; 3], count: 1, pattern: NO_PATTERN, computed: false, variants: 0 }
    }

    fn new(rule: &Rule, attribute: Attribute, patterns: &mut Patterns) -> Self {
        let Some(place) = slot_of(attribute) else { return Self::never() };
        let (mut parts, mut count) = ([Part::default(); 3], 1);
        if place == slot::NULL {
            return Self { parts, count: 0, pattern: NO_PATTERN, computed: false, variants: 0 };
        }
        let expected = if attribute.octets() == 16 { rule.octets } else { attribute.octets() };
        if rule.octets != expected || (attribute.octets() == 16 && !matches!(rule.octets, 4 | 16)) {
            return Self::never();
        }
        if rule.octets == 16 {
            let (masks, values) = (v6_words(rule.mask), v6_words(rule.value));
            for (i, place) in v6_slots(place).into_iter().enumerate() {
                parts[i] = Part::new(place, masks[i], values[i], V6_WORDS[i].1);
            }
            count = 3;
        } else {
            let bits = 8 * u32::from(rule.octets);
            parts[0] = Part::new(place, rule.mask as u64, rule.value as u64, bits);
        }
        let pattern = match attribute {
            Attribute::MatchingStoD => NO_PATTERN,
            _ => patterns.intern(attribute, rule.octets, rule.mask),
        };
        Self { parts, count, pattern, computed: attribute.is_computed(), variants: 0 }
    }
}

impl Part {
    /// The part of a test on the word at `slot` that holds `bits` bits.
    fn new(slot: Slot, mask: u64, value: u64, bits: u32) -> Self {
        // an all-zero mask succeeds whatever the packet; otherwise presence and the bits above the attribute
        // are compared too
        let above = !((1 << bits) - 1);
        let test_mask = if mask == 0 { 0 } else { mask | above };
        let test_value = if mask == 0 { 0 } else { value | PRESENT };
        Self { slot, test_mask, test_value, keep: mask, value }
    }
}

/// A decoded program.
#[derive(Debug)]
pub struct Code {
    /// The rules, and behind them one that always matches and ends the run without a match.
    pub steps: Vec<Step>,
    /// Per rule; behind those the variants for variables.
    pub operands: Vec<Operand>,
    /// Per rule the place in [`Attribute::ALL`] of the attribute that it assigns to a variable; else that of Null.
    pub assigned: Vec<u8>,
    /// Whether the pattern queue must be able to forget its newest entry.
    pub pops: bool,
}

impl Code {
    /// Decodes a program.
    ///
    /// # Errors
    /// Everything that is wrong with it: [`Program::check`], and what the engine asks for besides.
    pub fn new(program: &Program, patterns: &mut Patterns) -> Result<Self, Vec<Fault>> {
        let mut faults = program.check();
        faults.extend((1..).zip(&program.rules).flat_map(|(number, rule)| {
            refused(rule).map(|message| Fault { rule: number, message: message.into() })
        }));
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut operands: Vec<Operand> =
            program.rules.iter().map(|rule| Operand::new(rule, rule.attribute, patterns)).collect();
        let mut steps = Vec::with_capacity(program.rules.len() + 1);
        for (i, rule) in program.rules.iter().enumerate() {
            if rule.attribute.is_variable() {
                operands[i].variants = operands.len() as u32;
                for held in Attribute::ALL {
                    operands.push(Operand::new(rule, *held, patterns));
                }
            }
            steps.push(step(rule, &operands[i]));
        }
        steps.push(Step {
            mask: 0,
            value: 0,
            target: 0,
            slot: slot::NULL,
            opcode: Opcode::NoMatch,
            kind: Kind::Plain,
        });
        let assigned = program.rules.iter().map(assigned).collect();
        let pops = program.rules.iter().any(|r| matches!(r.opcode, Opcode::PopTo | Opcode::PopToAct));
        Ok(Self { steps, operands, assigned, pops })
    }
}

/// Why the engine does not take a rule.
fn refused(rule: &Rule) -> Option<&'static str> {
    let assigns = matches!(rule.opcode, Opcode::Assign | Opcode::AssignAct);
    if assigns && rule.mask != 0 {
        return Some("an assignment tests nothing: write its mask as 0");
    }
    let saves = matches!(
        rule.opcode,
        Opcode::PushRuleTo | Opcode::PushRuleToAct | Opcode::PushPktTo | Opcode::PushPktToAct
    );
    (saves && rule.attribute == Attribute::MatchingStoD)
        .then_some("MatchingStoD can be tested, not saved: it is no attribute of a flow")
}

/// The place of the attribute that a rule assigns to a variable.
fn assigned(rule: &Rule) -> u8 {
    let assigns = matches!(rule.opcode, Opcode::Assign | Opcode::AssignAct);
    let place = Attribute::ALL.iter().position(|a| assigns && *a as u128 == rule.value);
    place.unwrap_or(0) as u8
}

fn step(rule: &Rule, operand: &Operand) -> Step {
    let target = if rule.opcode.jumps() { rule.parameter - 1 } else { rule.parameter };
    let always = Step { mask: 0, value: 0, target, slot: slot::NULL, opcode: rule.opcode, kind: Kind::Plain };
    if rule.attribute.is_variable() {
        return Step { kind: Kind::Variable((rule.attribute as u16 - Attribute::V1 as u16) as u8), ..always };
    }
    let tested = || operand.parts().iter().filter(|p| p.test_mask != 0);
    // the word that tells most packets apart is looked at first
    let Some(first) = tested().max_by_key(|p| p.keep.count_ones()) else { return always };
    let kind = if tested().count() > 1 { Kind::Wide } else { Kind::Plain };
    Step { mask: first.test_mask, value: first.test_value, slot: first.slot, kind, ..always }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_test_touches_24_bytes() {
        assert_eq!(size_of::<Step>(), 24);
    }

    #[test]
    fn what_the_engine_cannot_run_is_refused_at_its_rule() {
        let text = "SET 2 RULES MatchingStoD & 255 = 1: PushRuleTo, 2; v1 & 255 = DestKind: Assign, 3;
                    Null & 0 = 0: Count, 0;";
        let mut program = Program::parse(text).unwrap_or_else(|e| panic!("{e:?}"));
        program.rules[2].parameter = 9;
        let faults = Code::new(&program, &mut Patterns::default()).unwrap_err();
        let rules: std::collections::BTreeSet<_> = faults.iter().map(|f| f.rule).collect();
        assert_eq!(rules, [1, 2, 3].into(), "{faults:?}");
    }
}
