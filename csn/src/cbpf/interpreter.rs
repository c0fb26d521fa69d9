//! An interpreter of classic BPF programs, checked as the kernel checks them.

use super::{Instruction, MAX_INSTRUCTIONS, SCRATCH, ancillary, code::*};

/// A program that the kernel would take, and that runs without looking again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    program: Vec<Instruction>,
}

/// Why a program is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No instruction, or more than the kernel takes.
    #[error("a program has 1 to {MAX_INSTRUCTIONS} instructions, not {0}")]
    Length(usize),
    /// The end can be reached.
    #[error("the last instruction does not return")]
    NoReturn,
    /// A jump behind the end.
    #[error("instruction {0} jumps behind the end")]
    Jump(usize),
    /// An instruction that does not exist, or an operand that it cannot have.
    #[error("instruction {0} is not valid")]
    Instruction(usize),
    /// A scratch word that was not stored on every way there.
    #[error("instruction {0} loads a scratch word that may not have been stored")]
    Unset(usize),
}

/// What the kernel knows of a packet beside its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ancillary {
    /// Index of the interface that received it.
    pub interface: u32,
    /// The VLAN tag that was taken out of the frame.
    pub tag: Option<u16>,
}

const MEMORY: [u16; 4] = [LD_MEM, LDX_MEM, ST, STX];

impl Interpreter {
    /// Checks a program as the kernel does when it is attached.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn new(program: &[Instruction]) -> Result<Self, Invalid> {
        if !(1..=MAX_INSTRUCTIONS).contains(&program.len()) {
            return Err(Invalid::Length(program.len()));
        }
        for (pc, i) in program.iter().enumerate() {
            let valid = match i.code {
                LD_MEM | LDX_MEM | ST | STX => (i.k as usize) < SCRATCH,
                DIV_K | MOD_K => i.k != 0,
                LSH_K | RSH_K => i.k < 32,
                LD_IMM | LD_LEN | LD_W_ABS | LD_H_ABS | LD_B_ABS | LD_W_IND | LD_H_IND | LD_B_IND
                | LDX_IMM | LDX_LEN | LDX_MSH | ADD_K | ADD_X | SUB_K | SUB_X | MUL_K | MUL_X | DIV_X
                | OR_K | OR_X | AND_K | AND_X | LSH_X | RSH_X | NEG | MOD_X | XOR_K | XOR_X | JA | JEQ_K
                | JEQ_X | JGT_K | JGT_X | JGE_K | JGE_X | JSET_K | JSET_X | RET_K | RET_A | TAX | TXA => true,
                _ => false,
            };
            if !valid {
                return Err(Invalid::Instruction(pc));
            }
            let farthest = match i.code {
                JA => i.k as usize,
                _ if i.is_branch() => usize::from(i.jt.max(i.jf)),
                _ => 0,
            };
            if i.code & 7 == 5 && pc + 1 + farthest >= program.len() {
                return Err(Invalid::Jump(pc));
            }
        }
        if !program.last().is_some_and(|i| matches!(i.code, RET_K | RET_A)) {
            return Err(Invalid::NoReturn);
        }
        stored_before_loaded(program)?;
        Ok(Self { program: program.to_vec() })
    }

    /// The program.
    pub fn program(&self) -> &[Instruction] {
        &self.program
    }

    /// How many octets of the packet are kept; 0 drops it. A load from behind the end of the packet drops it too.
    pub fn run(&self, packet: &[u8], beside: &Ancillary) -> u32 {
        // a way out of the interpreter: `?` on a load is the kernel's "return 0"
        self.execute(packet, beside).unwrap_or(0)
    }

    fn execute(&self, packet: &[u8], beside: &Ancillary) -> Option<u32> {
        let (mut a, mut x, mut m) = (0u32, 0u32, [0u32; SCRATCH]);
        let mut pc = 0;
        loop {
            let i = self.program[pc];
            let k = i.k;
            pc += 1;
            let holds = match i.code {
                JEQ_K => a == k,
                JEQ_X => a == x,
                JGT_K => a > k,
                JGT_X => a > x,
                JGE_K => a >= k,
                JGE_X => a >= x,
                JSET_K => a & k != 0,
                JSET_X => a & x != 0,
                JA => {
                    pc += k as usize;
                    continue;
                }
                RET_K => return Some(k),
                RET_A => return Some(a),
                LDX_MSH => {
                    x = 4 * (load::<1>(packet, k)? & 0xf);
                    continue;
                }
                ST => {
                    m[k as usize] = a;
                    continue;
                }
                STX => {
                    m[k as usize] = x;
                    continue;
                }
                LDX_IMM | LDX_LEN | LDX_MEM | TAX => {
                    x = match i.code {
                        LDX_IMM => k,
                        LDX_LEN => packet.len() as u32,
                        LDX_MEM => m[k as usize],
                        _ => a,
                    };
                    continue;
                }
                code => {
                    a = match code {
                        LD_IMM => k,
                        LD_LEN => packet.len() as u32,
                        LD_MEM => m[k as usize],
                        LD_W_ABS | LD_H_ABS | LD_B_ABS if k >= super::ANCILLARY => known(beside, k)?,
                        LD_W_ABS => load::<4>(packet, k)?,
                        LD_H_ABS => load::<2>(packet, k)?,
                        LD_B_ABS => load::<1>(packet, k)?,
                        LD_W_IND => load::<4>(packet, x.wrapping_add(k))?,
                        LD_H_IND => load::<2>(packet, x.wrapping_add(k))?,
                        LD_B_IND => load::<1>(packet, x.wrapping_add(k))?,
                        TXA => x,
                        _ => calculate(code, a, if code & 8 == 0 { k } else { x })?,
                    };
                    continue;
                }
            };
            pc += usize::from(if holds { i.jt } else { i.jf });
        }
    }
}

fn calculate(code: u16, a: u32, b: u32) -> Option<u32> {
    Some(match code & 0xf0 {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x20 => a.wrapping_mul(b),
        // division by a zero in X drops the packet
        0x30 => a.checked_div(b)?,
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a.wrapping_shl(b),
        0x70 => a.wrapping_shr(b),
        0x80 => a.wrapping_neg(),
        0x90 => a.checked_rem(b)?,
        _ => a ^ b,
    })
}

/// A big-endian load; none behind the end. Negative offsets (relative to headers that only the kernel knows) are
/// behind the end here.
#[inline]
fn load<const N: usize>(packet: &[u8], at: u32) -> Option<u32> {
    let at = at as usize;
    let bytes = packet.get(at..at + N)?;
    Some(bytes.iter().fold(0, |n, b| n << 8 | u32::from(*b)))
}

fn known(beside: &Ancillary, k: u32) -> Option<u32> {
    match k {
        ancillary::IFINDEX => Some(beside.interface),
        ancillary::VLAN_TAG => Some(u32::from(beside.tag.unwrap_or(0))),
        ancillary::VLAN_TAG_PRESENT => Some(u32::from(beside.tag.is_some())),
        _ => None,
    }
}

/// Follows all ways through the program with the set of scratch words that are stored on each.
fn stored_before_loaded(program: &[Instruction]) -> Result<(), Invalid> {
    let mut stored = vec![u16::MAX; program.len()];
    stored[0] = 0;
    for (pc, i) in program.iter().enumerate() {
        let mut here = stored[pc];
        if MEMORY.contains(&i.code) {
            let bit = 1u16 << i.k;
            match i.code {
                ST | STX => here |= bit,
                _ if here & bit == 0 => return Err(Invalid::Unset(pc)),
                _ => {}
            }
        }
        match i.code {
            JA => stored[pc + 1 + i.k as usize] &= here,
            _ if i.is_branch() => {
                stored[pc + 1 + usize::from(i.jt)] &= here;
                stored[pc + 1 + usize::from(i.jf)] &= here;
            }
            // as the kernel: a return counts as going on
            _ => stored.iter_mut().skip(pc + 1).take(1).for_each(|next| *next &= here),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn op(code: u16, k: u32) -> Instruction {
        Instruction::new(code, k)
    }

    fn run(program: &[Instruction], packet: &[u8]) -> u32 {
        Interpreter::new(program).unwrap().run(packet, &Ancillary { interface: 3, tag: Some(7) })
    }

    #[test]
    fn what_the_kernel_refuses_is_refused() {
        let ret = op(RET_K, 1);
        let refused = |p: &[Instruction]| Interpreter::new(p).unwrap_err();
        assert_eq!(refused(&[]), Invalid::Length(0));
        assert_eq!(refused(&vec![ret; 4097]), Invalid::Length(4097));
        assert_eq!(refused(&[op(LD_LEN, 0)]), Invalid::NoReturn);
        assert_eq!(refused(&[op(JA, 1), ret]), Invalid::Jump(0));
        assert_eq!(refused(&[Instruction { code: JEQ_K, jt: 0, jf: 1, k: 0 }, ret]), Invalid::Jump(0));
        assert_eq!(refused(&[op(DIV_K, 0), ret]), Invalid::Instruction(0));
        assert_eq!(refused(&[op(LD_MEM, 16), ret]), Invalid::Instruction(0));
        assert_eq!(refused(&[op(0xff, 0), ret]), Invalid::Instruction(0));
        assert_eq!(refused(&[op(LD_MEM, 2), ret]), Invalid::Unset(0));
        // stored on one of two ways only
        let branch = Instruction { code: JEQ_K, jt: 1, jf: 0, k: 0 };
        assert_eq!(refused(&[branch, op(ST, 2), op(LD_MEM, 2), ret]), Invalid::Unset(2));
    }

    #[test]
    fn loads_are_big_endian_and_end_with_the_packet() {
        let packet = [0x45, 1, 2, 3, 4];
        assert_eq!(run(&[op(LD_W_ABS, 1), op(RET_A, 0)], &packet), 0x0102_0304);
        assert_eq!(run(&[op(LD_W_ABS, 2), op(RET_K, 9)], &packet), 0);
        assert_eq!(run(&[op(LDX_MSH, 0), op(TXA, 0), op(RET_A, 0)], &packet), 20);
        assert_eq!(run(&[op(LDX_IMM, 3), op(LD_H_IND, 0), op(RET_A, 0)], &packet), 0x0304);
        assert_eq!(run(&[op(LDX_IMM, u32::MAX), op(LD_B_IND, 0), op(RET_K, 9)], &packet), 0);
        assert_eq!(run(&[op(LD_W_ABS, ancillary::IFINDEX), op(RET_A, 0)], &[]), 3);
        assert_eq!(run(&[op(LD_W_ABS, ancillary::VLAN_TAG), op(RET_A, 0)], &[]), 7);
        assert_eq!(run(&[op(LD_LEN, 0), op(DIV_X, 0), op(RET_K, 9)], &packet), 0);
    }
}
