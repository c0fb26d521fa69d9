//! eBPF: instructions and programs with their maps, an assembler with labels, a listing, and an interpreter.
//!
//! The back end `ebpf` writes such programs, the Linux kernel runs them at its hooks, and tests run them here where
//! the kernel does not permit it. The instruction set is that of RFC 9669.

mod assembler;
mod interpreter;
mod listing;

pub use assembler::{Assembler, Label};
pub use interpreter::{Beside, Fault, Machine};
pub use listing::{instruction_text, listing};

/// An instruction, as the kernel takes it (`struct bpf_insn`), but for the registers, which share an octet there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// What is done: one of [`code`].
    pub code: u8,
    /// The destination register.
    pub dst: u8,
    /// The source register.
    pub src: u8,
    /// The offset of a load or store; how many instructions a jump skips.
    pub off: i16,
    /// A constant.
    pub imm: i32,
}

/// Octets of an instruction.
pub const INSTRUCTION_OCTETS: usize = 8;

impl Instruction {
    /// The octets as the kernel of this machine takes them.
    pub fn to_bytes(self) -> [u8; INSTRUCTION_OCTETS] {
        let registers = match cfg!(target_endian = "little") {
            true => self.dst | self.src << 4,
            false => self.dst << 4 | self.src,
        };
        let (off, imm) = (self.off.to_ne_bytes(), self.imm.to_ne_bytes());
        [self.code, registers, off[0], off[1], imm[0], imm[1], imm[2], imm[3]]
    }
}

/// Operation codes, named as in RFC 9669: `_K` with a constant, `_X` with a register, `32` on the lower half.
#[allow(missing_docs)]
pub mod code {
    pub const LD_IMM64: u8 = 0x18;
    pub const LDX_W: u8 = 0x61;
    pub const LDX_H: u8 = 0x69;
    pub const LDX_B: u8 = 0x71;
    pub const LDX_DW: u8 = 0x79;
    pub const ST_W: u8 = 0x62;
    pub const ST_DW: u8 = 0x7a;
    pub const STX_W: u8 = 0x63;
    pub const STX_DW: u8 = 0x7b;
    pub const ADD_K: u8 = 0x07;
    pub const ADD_X: u8 = 0x0f;
    pub const SUB_X: u8 = 0x1f;
    pub const SUB32_K: u8 = 0x14;
    pub const OR_X: u8 = 0x4f;
    pub const AND_K: u8 = 0x57;
    pub const LSH_K: u8 = 0x67;
    pub const RSH_K: u8 = 0x77;
    pub const MOV_K: u8 = 0xb7;
    pub const MOV_X: u8 = 0xbf;
    pub const TO_BE: u8 = 0xdc;
    pub const JA: u8 = 0x05;
    pub const GOTOL: u8 = 0x06;
    pub const JEQ_K: u8 = 0x15;
    pub const JEQ_X: u8 = 0x1d;
    pub const JGT_K: u8 = 0x25;
    pub const JGT_X: u8 = 0x2d;
    pub const JGE_K: u8 = 0x35;
    pub const JGE_X: u8 = 0x3d;
    pub const JSET_K: u8 = 0x45;
    pub const JNE_K: u8 = 0x55;
    pub const JNE_X: u8 = 0x5d;
    pub const JLT_K: u8 = 0xa5;
    pub const JLT_X: u8 = 0xad;
    pub const JLE_K: u8 = 0xb5;
    pub const JLE_X: u8 = 0xbd;
    pub const JEQ32_K: u8 = 0x16;
    pub const JGT32_K: u8 = 0x26;
    pub const JGE32_K: u8 = 0x36;
    pub const JNE32_K: u8 = 0x56;
    pub const JLT32_K: u8 = 0xa6;
    pub const JLE32_K: u8 = 0xb6;
    pub const CALL: u8 = 0x85;
    pub const EXIT: u8 = 0x95;

    /// The jump for the opposite condition, where there is one.
    pub const fn opposite(code: u8) -> Option<u8> {
        // what is done is in the upper four bits: == != > <= >= <
        let operation = match code & 0xf0 {
            0x10 => 0x50,
            0x50 => 0x10,
            0x20 => 0xb0,
            0xb0 => 0x20,
            0x30 => 0xa0,
            0xa0 => 0x30,
            _ => return None,
        };
        Some(code & 0x0f | operation)
    }
}

/// Helper functions of the kernel.
pub mod helper {
    /// `bpf_map_lookup_elem(map, key) -> value or null`.
    pub const MAP_LOOKUP: i32 = 1;
    /// `bpf_skb_pull_data(skb, length) -> 0 or an error`.
    pub const SKB_PULL_DATA: i32 = 39;
}

/// What the source register of [`code::LD_IMM64`] says of the constant.
pub mod pseudo {
    /// A map.
    pub const MAP_FD: u8 = 1;
    /// The address of the first value of an array map.
    pub const MAP_VALUE: u8 = 2;
}

/// Where in the kernel a program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// In the driver, before the kernel makes a packet of its own of the frame (`struct xdp_md`).
    Xdp,
    /// Traffic control (`struct __sk_buff`): tcx, or a `clsact` queueing discipline in direct action mode.
    Tc,
}

/// The kind of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapKind {
    /// Values by number, the same for all CPUs.
    Array,
    /// Values by number, of each CPU its own.
    PerCpuArray,
}

/// A map that a program needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    /// Its name, at most 15 octets.
    pub name: &'static str,
    /// Its kind; keys are numbers of four octets.
    pub kind: MapKind,
    /// Octets of a value.
    pub value_size: usize,
    /// How many values.
    pub entries: usize,
    /// What the first value holds before the program runs, in the order of this machine; where it is empty, zeros.
    pub contents: Vec<u8>,
}

/// An instruction whose constant names a map. Until the map is made, it is the place in [`Program::maps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relocation {
    /// The place of the [`code::LD_IMM64`], which takes two instructions.
    pub instruction: usize,
    /// The place of the map in [`Program::maps`].
    pub map: usize,
}

/// A program, and what it needs to be loaded.
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Where it runs.
    pub hook: Hook,
    /// The instructions.
    pub instructions: Vec<Instruction>,
    /// The maps. The first one counts: key is the place of a class in the rule set (0 is `others`), value is two
    /// numbers of 64 bits, packets and octets, for each CPU.
    pub maps: Vec<Map>,
    /// Which instructions name a map.
    pub relocations: Vec<Relocation>,
    /// What begins at an instruction, in order.
    pub comments: Vec<(usize, String)>,
}

impl Program {
    /// The place in [`Program::maps`] of the map that counts.
    pub const COUNTS: usize = 0;
}
