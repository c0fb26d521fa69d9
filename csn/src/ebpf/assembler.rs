//! From instructions with labels to a program.

use super::{Instruction, Relocation, code, pseudo};

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(usize);

#[derive(Clone, Copy, Debug)]
enum Item {
    Plain(Instruction),
    Wide { dst: u8, src: u8, low: i32, high: i32 },
    Branch { code: u8, dst: u8, src: u8, imm: i32, to: Label },
    Jump(Label),
    Place(Label),
}

/// A program in the making. Labels can be jumped to before and after they are placed. What no way leads to is left
/// out, as the kernel refuses it.
#[derive(Debug, Default)]
pub struct Assembler {
    items: Vec<Item>,
    labels: usize,
    comments: Vec<(usize, String)>,
}

/// What comes out: instructions, those that name maps, and comments by instruction.
pub type Assembled = (Vec<Instruction>, Vec<Relocation>, Vec<(usize, String)>);

impl Assembler {
    /// A new label.
    pub fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// How many instructions there are by now, at most.
    pub fn size(&self) -> usize {
        self.items.len()
    }

    /// The next instruction is where the label is.
    pub fn place(&mut self, label: Label) {
        self.items.push(Item::Place(label));
    }

    /// Says what begins here.
    pub fn comment(&mut self, text: impl Into<String>) {
        self.comments.push((self.items.len(), text.into()));
    }

    /// An instruction on two registers that does not jump.
    pub fn op(&mut self, code: u8, dst: u8, src: u8, off: i16) {
        self.items.push(Item::Plain(Instruction { code, dst, src, off, imm: 0 }));
    }

    /// An instruction with a constant that does not jump.
    pub fn op_k(&mut self, code: u8, dst: u8, off: i16, imm: i32) {
        self.items.push(Item::Plain(Instruction { code, dst, src: 0, off, imm }));
    }

    /// Loads a constant of 64 bits.
    pub fn wide(&mut self, dst: u8, value: u64) {
        self.items.push(Item::Wide { dst, src: 0, low: value as i32, high: (value >> 32) as i32 });
    }

    /// Loads a map.
    pub fn map(&mut self, dst: u8, map: usize) {
        self.items.push(Item::Wide { dst, src: pseudo::MAP_FD, low: map as i32, high: 0 });
    }

    /// Loads the address of an octet in the first value of a map.
    pub fn map_value(&mut self, dst: u8, map: usize, at: usize) {
        self.items.push(Item::Wide { dst, src: pseudo::MAP_VALUE, low: map as i32, high: at as i32 });
    }

    /// Jumps where a register compares so with a constant; else goes on.
    pub fn branch_k(&mut self, code: u8, dst: u8, imm: i32, to: Label) {
        self.items.push(Item::Branch { code, dst, src: 0, imm, to });
    }

    /// Jumps where two registers compare so; else goes on.
    pub fn branch(&mut self, code: u8, dst: u8, src: u8, to: Label) {
        self.items.push(Item::Branch { code, dst, src, imm: 0, to });
    }

    /// Jumps.
    pub fn jump(&mut self, to: Label) {
        self.items.push(Item::Jump(to));
    }

    /// The program.
    ///
    /// # Panics
    /// Where a label that is jumped to was never placed.
    pub fn finish(mut self) -> Assembled {
        self.turn_around();
        let placed = self.placed();
        let reached = self.reached(&placed);
        let starts = self.starts(&placed, &reached);
        let (mut out, mut relocations) = (Vec::new(), Vec::new());
        for (at, item) in self.items.iter().enumerate().filter(|(at, _)| reached[*at]) {
            let here = starts[at];
            let size = starts[at + 1] - here;
            let skip = |to: Label, from: usize| starts[placed[to.0]] as i64 - (from as i64 + 1);
            match *item {
                Item::Place(_) => {}
                Item::Plain(i) => out.push(i),
                Item::Wide { dst, src, low, high } => {
                    if src != 0 {
                        relocations.push(Relocation { instruction: here, map: low as usize });
                    }
                    out.push(Instruction { code: code::LD_IMM64, dst, src, off: 0, imm: low });
                    out.push(Instruction { imm: high, ..Instruction::default() });
                }
                Item::Jump(_) if size == 0 => {}
                Item::Jump(to) => out.push(far(skip(to, here))),
                Item::Branch { code, dst, src, imm, to } if size == 1 => {
                    out.push(Instruction { code, dst, src, off: skip(to, here) as i16, imm });
                }
                Item::Branch { code, dst, src, imm, to } => {
                    out.push(Instruction { code, dst, src, off: 1, imm });
                    out.push(Instruction { code: code::JA, off: 1, ..Instruction::default() });
                    out.push(far(skip(to, here + 2)));
                }
            }
        }
        let comments = self
            .comments
            .into_iter()
            .filter(|(at, _)| reached.get(*at).copied().unwrap_or(false))
            .map(|(at, text)| (starts[at], text))
            .collect();
        (out, relocations, comments)
    }

    /// A branch around a jump becomes the opposite branch.
    fn turn_around(&mut self) {
        for at in 0..self.items.len() {
            let Item::Branch { code, dst, src, imm, to } = self.items[at] else { continue };
            let (Some(Item::Jump(other)), Some(opposite)) =
                (self.items.get(at + 1).copied(), code::opposite(code))
            else {
                continue;
            };
            let behind = self.items[at + 2..].iter().map_while(|i| match i {
                Item::Place(label) => Some(*label),
                _ => None,
            });
            if behind.into_iter().any(|label| label == to) {
                self.items[at] = Item::Branch { code: opposite, dst, src, imm, to: other };
                self.items[at + 1] = Item::Jump(to);
            }
        }
    }

    /// The item that each label stands in front of, past other labels and jumps.
    fn placed(&self) -> Vec<usize> {
        let mut placed = vec![usize::MAX; self.labels];
        for (at, item) in self.items.iter().enumerate() {
            if let Item::Place(label) = item {
                placed[label.0] = at;
            }
        }
        let direct = placed.clone();
        for to in &mut placed {
            // a jump to a jump goes to where that one goes; the bound is for jumps in a circle
            for _ in 0..16 {
                match self.items.get(*to) {
                    Some(Item::Place(_)) => *to += 1,
                    Some(Item::Jump(next)) => *to = direct[next.0],
                    _ => break,
                }
            }
        }
        placed
    }

    /// Which items some way leads to.
    fn reached(&self, placed: &[usize]) -> Vec<bool> {
        let mut reached = vec![false; self.items.len()];
        let mut open = vec![0];
        while let Some(mut at) = open.pop() {
            while let Some(item) = self.items.get(at).filter(|_| !reached[at]) {
                reached[at] = true;
                match item {
                    Item::Plain(i) if i.code == code::EXIT => break,
                    Item::Jump(to) => {
                        open.push(placed[to.0]);
                        break;
                    }
                    Item::Branch { to, .. } => open.push(placed[to.0]),
                    _ => {}
                }
                at += 1;
            }
        }
        reached
    }

    /// The instruction that each item begins with. Jumps to the next instruction have none; a conditional jump that
    /// reaches too far has three. Far jumps make others farther, so that is done until nothing changes.
    fn starts(&self, placed: &[usize], reached: &[bool]) -> Vec<usize> {
        let count = self.items.len();
        let mut long = vec![false; count];
        let next: Vec<usize> = {
            // the next item that makes an instruction for sure or maybe, from each on
            let mut next = vec![count; count + 1];
            for at in (0..count).rev() {
                let nothing = !reached[at] || matches!(self.items[at], Item::Place(_));
                next[at] = if nothing { next[at + 1] } else { at };
            }
            next
        };
        loop {
            let mut starts = Vec::with_capacity(count + 1);
            let mut size = 0;
            for (at, item) in self.items.iter().enumerate() {
                starts.push(size);
                size += match item {
                    _ if !reached[at] => 0,
                    Item::Place(_) => 0,
                    Item::Plain(_) => 1,
                    Item::Wide { .. } => 2,
                    Item::Jump(to) => usize::from(next[placed[to.0]] != next[at + 1]),
                    Item::Branch { .. } => 1 + 2 * usize::from(long[at]),
                };
            }
            starts.push(size);
            let mut changed = false;
            for (at, item) in self.items.iter().enumerate() {
                let Item::Branch { to, .. } = item else { continue };
                let distance = starts[placed[to.0]] as i64 - starts[at] as i64 - 1;
                if reached[at] && !long[at] && !is_near(distance) {
                    long[at] = true;
                    changed = true;
                }
            }
            if !changed {
                return starts;
            }
        }
    }
}

/// How far near jumps go. An offset has 16 bits, but the kernel puts some instructions of its own in the place of
/// calls and of loads from the context, and refuses programs whose jumps do not reach their target then.
const NEAR: i64 = 30_000;

fn is_near(skip: i64) -> bool {
    skip.abs() <= NEAR
}

/// An unconditional jump; a far one is of the kind that Linux has since 6.6.
fn far(skip: i64) -> Instruction {
    match is_near(skip) {
        true => Instruction { code: code::JA, off: skip as i16, ..Instruction::default() },
        false => Instruction { code: code::GOTOL, imm: skip as i32, ..Instruction::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(asm: &mut Assembler, result: i32) {
        asm.op_k(code::MOV_K, 0, 0, result);
        asm.op_k(code::EXIT, 0, 0, 0);
    }

    #[test]
    fn a_branch_around_a_jump_is_turned_around() {
        let mut asm = Assembler::default();
        let (yes, no) = (asm.label(), asm.label());
        asm.branch_k(code::JEQ_K, 1, 5, yes);
        asm.jump(no);
        asm.place(yes);
        exit(&mut asm, 1);
        asm.place(no);
        exit(&mut asm, 0);
        let (program, _, _) = asm.finish();
        assert_eq!(program.len(), 5);
        assert_eq!(program[0], Instruction { code: code::JNE_K, dst: 1, src: 0, off: 2, imm: 5 });
    }

    #[test]
    fn what_no_way_leads_to_is_left_out() {
        let mut asm = Assembler::default();
        let end = asm.label();
        asm.jump(end);
        exit(&mut asm, 7);
        asm.place(end);
        exit(&mut asm, 1);
        assert_eq!(asm.finish().0.len(), 2);
    }

    #[test]
    fn far_jumps_reach_their_label() {
        for between in [10, 40_000] {
            let mut asm = Assembler::default();
            let (away, end) = (asm.label(), asm.label());
            asm.branch_k(code::JEQ_K, 1, 5, away);
            for _ in 0..between {
                asm.op_k(code::MOV_K, 2, 0, 0);
            }
            asm.jump(end);
            asm.op_k(code::MOV_K, 2, 0, 3);
            asm.place(away);
            exit(&mut asm, 1);
            asm.place(end);
            exit(&mut asm, 0);
            let (program, _, _) = asm.finish();
            let mut at = 0;
            while matches!(program[at].code, code::JEQ_K | code::GOTOL) {
                let i = program[at];
                let skip = if i.code == code::GOTOL { i.imm } else { i32::from(i.off) };
                at += 1 + skip as usize;
            }
            assert_eq!(program.len() > 40_000, between > 10);
            assert_eq!((program[at].code, program[at].imm), (code::MOV_K, 1), "{between}");
        }
    }
}
