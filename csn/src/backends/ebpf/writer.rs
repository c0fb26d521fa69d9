//! What all parts of a program share: registers, the way to a class, and tests of a field against a set.

use super::chain::{CLASS, Form, Kind, form, intervals, largest, masked, place};
use crate::ebpf::{Assembler, Hook, Label, code::*};
use crate::field::Field;
use crate::ruleset::ClassId;
use crate::value::ValueSet;
use std::collections::BTreeMap;

/// For numbers on the way.
pub(super) const R0: u8 = 0;
/// For numbers on the way.
pub(super) const R1: u8 = 1;
/// For numbers on the way.
pub(super) const R2: u8 = 2;
/// The protocol, while headers are walked through.
pub(super) const NEXT: u8 = 3;
/// What is left of a number of turns.
pub(super) const TURNS: u8 = 4;
/// The context.
pub(super) const CTX: u8 = 6;
/// The key: the fields of the packet, in memory.
pub(super) const KEY: u8 = 7;
/// The header that is read.
pub(super) const AT: u8 = 8;
/// The end of the packet.
pub(super) const END: u8 = 9;
/// The stack.
pub(super) const STACK: u8 = 10;

/// A program in the making.
pub(super) struct Writer {
    pub(super) asm: Assembler,
    pub(super) hook: Hook,
    /// The way to where the class of the key is counted.
    pub(super) count: Label,
    /// The ways to classes, to be written soon.
    classes: BTreeMap<ClassId, Label>,
    /// How many instructions there were when that was done last.
    written: usize,
    /// The most comparisons that stand in a line.
    pub(super) in_line: usize,
}

/// So many instructions may lie between a jump to a class and the way there, as near jumps reach 32,767.
const REACH: usize = 8_000;

impl Writer {
    pub(super) fn new(hook: Hook) -> Self {
        let mut asm = Assembler::default();
        let count = asm.label();
        Self { asm, hook, count, classes: BTreeMap::new(), written: 0, in_line: 0 }
    }

    /// Where a packet is counted as of that class.
    pub(super) fn class(&mut self, class: ClassId) -> Label {
        *self.classes.entry(class).or_insert_with(|| self.asm.label())
    }

    /// Writes the ways to the classes that were asked for since the last time.
    pub(super) fn write_classes(&mut self) {
        for (class, label) in std::mem::take(&mut self.classes) {
            self.asm.place(label);
            self.asm.comment(match class {
                ClassId::OTHERS => "others".to_string(),
                ClassId(n) => format!("class at {n}"),
            });
            self.asm.op_k(ST_W, KEY, CLASS, class.0 as i32);
            self.asm.jump(self.count);
        }
        self.written = self.asm.size();
    }

    /// Whether the ways to classes should be written soon, with `more` instructions in front of them.
    pub(super) fn is_far(&self, more: usize) -> bool {
        self.asm.size() - self.written + more > REACH
    }

    /// Tests a field of the key, and goes to `yes` or `no`. `held` is the field of 32 bits that R0 holds, if any; the
    /// answer is the one that it holds at `no`.
    ///
    /// A value that was compared by its order is loaded again: otherwise the verifier goes through all that follows once
    /// for each interval that it knows the value to be in.
    pub(super) fn test(
        &mut self,
        kind: Kind,
        (field, set): (Field, &ValueSet),
        held: Option<Field>,
        yes: Label,
        no: Label,
    ) -> Option<Field> {
        let most = largest(kind, field);
        let shape = form(kind, field);
        if let Some(gap) = gap(set, most) {
            let mut held = held;
            if shape == Form::Word && most < u128::from(u32::MAX) {
                self.load(field, &mut held);
                self.asm.branch_k(JGT32_K, R0, most as i32, no);
                held = None;
            }
            self.interval(kind, field, gap, &mut held, no, yes);
            return None;
        }
        let mut held = held;
        if let Some((mask, value)) = masked(field, set) {
            self.load(field, &mut held);
            // the bits above an octet are those of a packet without the field
            self.asm.op_k(AND_K, R0, 0, i32::from(mask) | !0xff);
            self.asm.branch_k(JEQ32_K, R0, i32::from(value), yes);
            self.asm.jump(no);
            return None;
        }
        let count = set.ranges().len();
        for (i, interval) in intervals(set).enumerate() {
            let last = i + 1 == count;
            let next = if last { no } else { self.asm.label() };
            self.interval(kind, field, interval, &mut held, yes, next);
            if !last {
                self.asm.place(next);
            }
        }
        held
    }

    fn load(&mut self, field: Field, held: &mut Option<Field>) {
        if *held != Some(field) {
            self.asm.op(LDX_W, R0, KEY, place(field));
            *held = Some(field);
        }
    }

    /// Loads a field of 32 bits into R0.
    pub(super) fn reload(&mut self, field: Field) {
        self.load(field, &mut None);
    }

    fn interval(
        &mut self,
        kind: Kind,
        field: Field,
        (lo, hi): (u128, u128),
        held: &mut Option<Field>,
        yes: Label,
        no: Label,
    ) {
        match form(kind, field) {
            Form::Word => {
                self.load(field, held);
                let (lo, hi) = (lo as u32, hi as u32);
                if lo == hi {
                    self.asm.branch_k(JEQ32_K, R0, lo as i32, yes);
                } else {
                    *held = None;
                    if lo > 0 {
                        self.asm.op_k(SUB32_K, R0, 0, lo as i32);
                    }
                    self.asm.branch_k(JLE32_K, R0, (hi - lo) as i32, yes);
                }
                self.asm.jump(no);
            }
            Form::Long => {
                *held = None;
                self.long(place(field), (lo as u64, hi as u64), yes, no);
            }
            Form::Wide => {
                *held = None;
                self.wide(place(field), (lo, hi), yes, no);
            }
        }
    }

    /// Whether 64 bits of the key are in an interval.
    fn long(&mut self, at: i16, (lo, hi): (u64, u64), yes: Label, no: Label) {
        self.asm.op(LDX_DW, R0, KEY, at);
        if lo == hi {
            self.asm.wide(R1, lo);
            self.asm.branch(JEQ_X, R0, R1, yes);
        } else if lo > 0 || hi < u64::MAX {
            if lo > 0 {
                self.asm.wide(R1, lo);
                self.asm.op(SUB_X, R0, R1, 0);
            }
            self.asm.wide(R1, hi - lo);
            self.asm.branch(JLE_X, R0, R1, yes);
        } else {
            return self.asm.jump(yes);
        }
        self.asm.jump(no);
    }

    /// Whether 128 bits of the key are in an interval.
    fn wide(&mut self, at: i16, (lo, hi): (u128, u128), yes: Label, no: Label) {
        let upper = |n: u128| (n >> 64) as u64;
        let lower = |n: u128| n as u64;
        if lower(lo) == 0 && lower(hi) == u64::MAX {
            return self.long(at, (upper(lo), upper(hi)), yes, no);
        }
        if upper(lo) == upper(hi) {
            let same = self.asm.label();
            self.long(at, (upper(lo), upper(lo)), same, no);
            self.asm.place(same);
            return self.long(at + 8, (lower(lo), lower(hi)), yes, no);
        }
        if lo > 0 {
            let enough = self.asm.label();
            self.at_least(at, lo, enough, no);
            self.asm.place(enough);
        }
        match hi {
            u128::MAX => self.asm.jump(yes),
            _ => self.at_least(at, hi + 1, no, yes),
        }
    }

    /// Whether 128 bits of the key are as large as a number.
    fn at_least(&mut self, at: i16, number: u128, yes: Label, no: Label) {
        self.asm.op(LDX_DW, R0, KEY, at);
        self.asm.wide(R1, (number >> 64) as u64);
        if number as u64 == 0 {
            self.asm.branch(JGE_X, R0, R1, yes);
        } else {
            self.asm.branch(JGT_X, R0, R1, yes);
            self.asm.branch(JLT_X, R0, R1, no);
            self.asm.op(LDX_DW, R0, KEY, at + 8);
            self.asm.wide(R1, number as u64);
            self.asm.branch(JGE_X, R0, R1, yes);
        }
        self.asm.jump(no);
    }

    /// Goes to `yes` where a field's number is at least `number`; what R0 holds afterwards is in `held`.
    pub(super) fn cut(
        &mut self,
        kind: Kind,
        field: Field,
        number: u128,
        held: &mut Option<Field>,
        yes: Label,
        no: Label,
    ) {
        match form(kind, field) {
            Form::Word => {
                self.load(field, held);
                self.asm.branch_k(JGE32_K, R0, number as u32 as i32, yes);
                self.asm.jump(no);
            }
            Form::Long => {
                *held = None;
                self.asm.op(LDX_DW, R0, KEY, place(field));
                self.asm.wide(R1, number as u64);
                self.asm.branch(JGE_X, R0, R1, yes);
                self.asm.jump(no);
            }
            Form::Wide => {
                *held = None;
                self.at_least(place(field), number, yes, no);
            }
        }
    }
}

/// The only gap of a set that reaches from one end of the domain to the other.
fn gap(set: &ValueSet, most: u128) -> Option<(u128, u128)> {
    match set.ranges() {
        [a, b] if a.lo.bits == 0 && b.hi.bits == most => Some((a.hi.bits + 1, b.lo.bits - 1)),
        _ => None,
    }
}
