//! From instructions with labels to a program: far conditional jumps, which reach 255 instructions ahead, go by
//! way of islands.

use crate::cbpf::{Instruction, code};

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Label(usize);

#[derive(Clone, Copy, Debug)]
enum Item {
    Plain(Instruction),
    Branch { code: u16, k: u32, jt: Label, jf: Label },
    Jump(Label),
    Place(Label),
}

/// A program in the making. Jumps lead forward only.
#[derive(Debug, Default)]
pub(super) struct Assembler {
    items: Vec<Item>,
    labels: usize,
}

/// How far a conditional jump reaches.
const REACH: usize = u8::MAX as usize;

impl Assembler {
    /// A new label, to be placed behind all jumps to it.
    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    /// The next instruction is where the label is.
    pub(super) fn place(&mut self, label: Label) {
        self.items.push(Item::Place(label));
    }

    /// Appends an instruction that does not jump.
    pub(super) fn op(&mut self, code: u16, k: u32) {
        self.items.push(Item::Plain(Instruction::new(code, k)));
    }

    /// Appends a conditional jump.
    pub(super) fn branch(&mut self, code: u16, k: u32, jt: Label, jf: Label) {
        self.items.push(Item::Branch { code, k, jt, jf });
    }

    /// Appends a conditional jump that goes on where the condition holds.
    pub(super) fn unless(&mut self, code: u16, k: u32, otherwise: Label) {
        let next = self.label();
        self.branch(code, k, next, otherwise);
        self.place(next);
    }

    /// Appends a conditional jump that goes on where the condition does not hold.
    pub(super) fn when(&mut self, code: u16, k: u32, then: Label) {
        let next = self.label();
        self.branch(code, k, then, next);
        self.place(next);
    }

    /// Appends a jump.
    pub(super) fn jump(&mut self, to: Label) {
        self.items.push(Item::Jump(to));
    }

    /// The program. Works from the end to the start, so that all distances are known: a label too far away gets an
    /// island, a `ja` right behind the branch that needs it, which earlier branches then use too.
    pub(super) fn finish(mut self) -> Vec<Instruction> {
        self.drop_reloads();
        // instructions from the end, and for each label how many follow from it on
        let mut out: Vec<Instruction> = Vec::with_capacity(self.items.len());
        let mut from_end = vec![usize::MAX; self.labels];
        let mut placed = vec![usize::MAX; self.labels];
        for item in self.items.iter().rev() {
            match *item {
                Item::Plain(i) => out.push(i),
                Item::Place(label) => {
                    from_end[label.0] = out.len();
                    placed[label.0] = out.len();
                }
                Item::Jump(to) => {
                    let distance = out.len() - placed[to.0];
                    if distance > 0 {
                        out.push(Instruction::new(code::JA, distance as u32));
                    }
                }
                Item::Branch { code, k, jt, jf } => {
                    for to in [jt, jf, jt] {
                        if out.len() - from_end[to.0] > REACH {
                            let distance = out.len() - placed[to.0];
                            out.push(Instruction::new(code::JA, distance as u32));
                            from_end[to.0] = out.len();
                        }
                    }
                    let skip = |to: Label| (out.len() - from_end[to.0]) as u8;
                    let (jt, jf) = (skip(jt), skip(jf));
                    out.push(Instruction { code, jt, jf, k });
                }
            }
        }
        out.reverse();
        out
    }
}

impl Assembler {
    /// Drops loads of what has just been stored, where no other way leads to the load.
    fn drop_reloads(&mut self) {
        let mut ways = vec![0usize; self.labels];
        for item in &self.items {
            match item {
                Item::Jump(to) => ways[to.0] += 1,
                Item::Branch { jt, jf, .. } => [jt, jf].into_iter().for_each(|l| ways[l.0] += 1),
                Item::Plain(_) | Item::Place(_) => {}
            }
        }
        // the word that A is a copy of, and the label that only the jump right in front of it leads to
        let (mut held, mut jumped): (Option<u32>, Option<Label>) = (None, None);
        self.items.retain(|item| {
            match *item {
                Item::Plain(i) if i.code == code::LD_MEM && held == Some(i.k) => return false,
                Item::Jump(to) => jumped = Some(to).filter(|to| ways[to.0] == 1),
                Item::Place(label) if jumped == Some(label) || ways[label.0] == 0 => {}
                other => {
                    jumped = None;
                    held = match other {
                        Item::Plain(i) if i.code == code::ST => Some(i.k),
                        _ => None,
                    };
                }
            }
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbpf::{Ancillary, Interpreter};

    #[test]
    fn far_targets_are_reached() {
        for count in [1, 10, 255, 256, 257, 600, 2000] {
            let mut asm = Assembler::default();
            let (hit, miss) = (asm.label(), asm.label());
            asm.op(code::LD_LEN, 0);
            for n in 0..count {
                asm.when(code::JEQ_K, 2 * n, hit);
            }
            asm.jump(miss);
            asm.place(hit);
            asm.op(code::RET_K, 1);
            asm.place(miss);
            asm.op(code::RET_K, 0);
            let program = asm.finish();
            assert!(program.len() <= count as usize + 6 + count as usize / 250, "{count}: {}", program.len());
            let machine = Interpreter::new(&program).unwrap();
            for len in 0..2 * count as usize + 3 {
                let wanted = u32::from(len % 2 == 0 && len < 2 * count as usize);
                assert_eq!(machine.run(&vec![0; len], &Ancillary::default()), wanted, "{count} {len}");
            }
        }
    }
}
