//! Classic BPF: instructions, an interpreter with the semantics of the Linux kernel, and a disassembler.
//!
//! The back end `bpf` writes such programs, the kernel runs them for packet sockets, and meters that read captures
//! run them here.

mod disassembly;
mod interpreter;

pub use disassembly::{c_array, listing};
pub use interpreter::{Ancillary, Interpreter, Invalid};

use serde::{Deserialize, Serialize};

/// An instruction, as the kernel takes it (`struct sock_filter`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(C)]
pub struct Instruction {
    /// What is done: one of [`code`].
    pub code: u16,
    /// Instructions to skip where a condition holds.
    pub jt: u8,
    /// Instructions to skip where it does not.
    pub jf: u8,
    /// An offset, a constant or the number of a scratch word.
    pub k: u32,
}

/// The most instructions that the kernel takes.
pub const MAX_INSTRUCTIONS: usize = 4096;
/// Words of scratch memory.
pub const SCRATCH: usize = 16;
/// Loads from here on are not from the packet: see [`ancillary`].
pub const ANCILLARY: u32 = 0xffff_f000;

/// Offsets behind [`ANCILLARY`] that load what the kernel knows beside the packet.
pub mod ancillary {
    /// Index of the interface.
    pub const IFINDEX: u32 = super::ANCILLARY + 8;
    /// Control field of the VLAN tag that was taken out of the frame.
    pub const VLAN_TAG: u32 = super::ANCILLARY + 44;
    /// 1 where there is such a tag, else 0.
    pub const VLAN_TAG_PRESENT: u32 = super::ANCILLARY + 48;
}

/// Operation codes.
#[allow(missing_docs)]
pub mod code {
    pub const LD_IMM: u16 = 0x00;
    pub const LD_LEN: u16 = 0x80;
    pub const LD_MEM: u16 = 0x60;
    pub const LD_W_ABS: u16 = 0x20;
    pub const LD_H_ABS: u16 = 0x28;
    pub const LD_B_ABS: u16 = 0x30;
    pub const LD_W_IND: u16 = 0x40;
    pub const LD_H_IND: u16 = 0x48;
    pub const LD_B_IND: u16 = 0x50;
    pub const LDX_IMM: u16 = 0x01;
    pub const LDX_LEN: u16 = 0x81;
    pub const LDX_MEM: u16 = 0x61;
    pub const LDX_MSH: u16 = 0xb1;
    pub const ST: u16 = 0x02;
    pub const STX: u16 = 0x03;
    pub const ADD_K: u16 = 0x04;
    pub const ADD_X: u16 = 0x0c;
    pub const SUB_K: u16 = 0x14;
    pub const SUB_X: u16 = 0x1c;
    pub const MUL_K: u16 = 0x24;
    pub const MUL_X: u16 = 0x2c;
    pub const DIV_K: u16 = 0x34;
    pub const DIV_X: u16 = 0x3c;
    pub const OR_K: u16 = 0x44;
    pub const OR_X: u16 = 0x4c;
    pub const AND_K: u16 = 0x54;
    pub const AND_X: u16 = 0x5c;
    pub const LSH_K: u16 = 0x64;
    pub const LSH_X: u16 = 0x6c;
    pub const RSH_K: u16 = 0x74;
    pub const RSH_X: u16 = 0x7c;
    pub const NEG: u16 = 0x84;
    pub const MOD_K: u16 = 0x94;
    pub const MOD_X: u16 = 0x9c;
    pub const XOR_K: u16 = 0xa4;
    pub const XOR_X: u16 = 0xac;
    pub const JA: u16 = 0x05;
    pub const JEQ_K: u16 = 0x15;
    pub const JEQ_X: u16 = 0x1d;
    pub const JGT_K: u16 = 0x25;
    pub const JGT_X: u16 = 0x2d;
    pub const JGE_K: u16 = 0x35;
    pub const JGE_X: u16 = 0x3d;
    pub const JSET_K: u16 = 0x45;
    pub const JSET_X: u16 = 0x4d;
    pub const RET_K: u16 = 0x06;
    pub const RET_A: u16 = 0x16;
    pub const TAX: u16 = 0x07;
    pub const TXA: u16 = 0x87;
}

impl Instruction {
    /// An instruction that does not jump.
    pub const fn new(code: u16, k: u32) -> Self {
        Self { code, jt: 0, jf: 0, k }
    }

    /// Whether it is a conditional jump.
    pub const fn is_branch(self) -> bool {
        self.code & 7 == 5 && self.code != code::JA
    }
}
