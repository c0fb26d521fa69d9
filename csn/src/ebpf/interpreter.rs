//! An interpreter for the instructions that the back end writes: what the kernel does, so that programs can be run
//! where it does not permit it. Any access outside of the packet, the stack, the context or a map value is a fault.

use super::{Hook, Instruction, Map, MapKind, Program, code::*, helper, pseudo};

/// What the kernel knows of a frame beside its octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Index of the interface that received it.
    pub interface: u32,
    /// Control field of the VLAN tag that was taken out of it; only [`Hook::Tc`] has it.
    pub tag: Option<u16>,
    /// How many octets lie in one piece in front, as far as the program may read before it pulls the others; only
    /// [`Hook::Tc`] has others. None where all do.
    pub linear: Option<usize>,
}

/// Why a program cannot go on: it is wrong, or uses what this interpreter does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instruction {at}: {what}")]
pub struct Fault {
    /// The instruction.
    pub at: usize,
    /// What is wrong.
    pub what: &'static str,
}

/// A program with its maps, which keep their values from frame to frame.
#[derive(Debug)]
pub struct Machine<'a> {
    program: &'a Program,
    maps: Vec<Vec<u8>>,
}

/// The most instructions of a run: programs go through a packet, so they end long before.
const MOST: usize = 4_000_000;
/// Octets of the stack.
const STACK: usize = 512;
/// Addresses are the number of a region in the upper half, and an offset in the lower.
const CONTEXT: u64 = 1 << 32;
const PACKET: u64 = 2 << 32;
const FRAME: u64 = 3 << 32;
const MAPS: u64 = 16;

struct Run<'m, 'f> {
    registers: [u64; 11],
    stack: [u8; STACK],
    frame: &'f [u8],
    linear: usize,
    beside: Beside,
    hook: Hook,
    maps: &'m mut [Vec<u8>],
    sizes: &'m [Map],
}

impl<'a> Machine<'a> {
    /// Makes the maps.
    pub fn new(program: &'a Program) -> Self {
        let map = |m: &Map| {
            let mut bytes = vec![0; m.value_size * m.entries];
            bytes[..m.contents.len()].copy_from_slice(&m.contents);
            bytes
        };
        Self { program, maps: program.maps.iter().map(map).collect() }
    }

    /// Runs the program for a frame. The answer is what it returns.
    ///
    /// # Errors
    /// Where it does what the kernel would not permit, or what is not known here.
    pub fn run(&mut self, frame: &[u8], beside: &Beside) -> Result<u32, Fault> {
        let linear = match self.program.hook {
            Hook::Tc => beside.linear.unwrap_or(frame.len()).min(frame.len()),
            Hook::Xdp => frame.len(),
        };
        let mut run = Run {
            registers: [0; 11],
            stack: [0; STACK],
            frame,
            linear,
            beside: *beside,
            hook: self.program.hook,
            maps: &mut self.maps,
            sizes: &self.program.maps,
        };
        run.registers[1] = CONTEXT;
        run.registers[10] = FRAME + STACK as u64;
        let (mut at, code) = (0, &self.program.instructions);
        for _ in 0..MOST {
            let Some(i) = code.get(at) else { return Err(Fault { at, what: "behind the end" }) };
            if i.code == EXIT {
                return Ok(run.registers[0] as u32);
            }
            let next = run.step(*i, code.get(at + 1)).map_err(|what| Fault { at, what })?;
            at = (at as i64 + 1 + next) as usize;
        }
        Err(Fault { at, what: "no end" })
    }

    /// Packets and octets of a class, by its place in the rule set.
    pub fn counts(&self, class: usize) -> (u64, u64) {
        let number = |at: usize| {
            let bytes = self.maps[Program::COUNTS].get(at..at + 8);
            bytes.map_or(0, |b| u64::from_ne_bytes(b.try_into().expect("eight octets")))
        };
        (number(16 * class), number(16 * class + 8))
    }
}

impl Run<'_, '_> {
    /// Does one instruction. The answer is how many to skip.
    fn step(&mut self, i: Instruction, next: Option<&Instruction>) -> Result<i64, &'static str> {
        let (dst, src) = (usize::from(i.dst), usize::from(i.src));
        if dst > 10 || src > 10 {
            return Err("no such register");
        }
        let address = |register: u64| register.wrapping_add(i.off as i64 as u64);
        match i.code {
            LD_IMM64 => {
                let high = next.ok_or("half a constant")?.imm;
                self.registers[dst] = match i.src {
                    pseudo::MAP_FD => i.imm as u64,
                    pseudo::MAP_VALUE => ((MAPS + i.imm as u64) << 32) + high as u64,
                    _ => u64::from(high as u32) << 32 | u64::from(i.imm as u32),
                };
                return Ok(1);
            }
            LDX_B | LDX_H | LDX_W | LDX_DW => {
                self.registers[dst] = self.load(address(self.registers[src]), octets(i.code))?;
            }
            ST_W | ST_DW => {
                self.store(address(self.registers[dst]), octets(i.code), i64::from(i.imm) as u64)?
            }
            STX_W | STX_DW => {
                self.store(address(self.registers[dst]), octets(i.code), self.registers[src])?
            }
            CALL => self.call(i.imm)?,
            JA => return Ok(i64::from(i.off)),
            GOTOL => return Ok(i64::from(i.imm)),
            TO_BE => {
                let value = self.registers[dst];
                self.registers[dst] = match i.imm {
                    16 => u64::from((value as u16).to_be()),
                    32 => u64::from((value as u32).to_be()),
                    _ => value.to_be(),
                };
            }
            _ => {
                let operand = if i.code & 8 == 0 { i64::from(i.imm) as u64 } else { self.registers[src] };
                let half = matches!(i.code & 7, 4 | 6);
                let cut = |v: u64| if half { u64::from(v as u32) } else { v };
                let (a, b) = (cut(self.registers[dst]), cut(operand));
                if matches!(i.code & 7, 5 | 6) {
                    return Ok(if holds(i.code, a, b)? { i64::from(i.off) } else { 0 });
                }
                self.registers[dst] = cut(arithmetic(i.code, a, b)?);
            }
        }
        Ok(0)
    }

    fn load(&self, address: u64, octets: usize) -> Result<u64, &'static str> {
        let at = address as u32 as usize;
        let region: &[u8] = match address & !0xffff_ffff {
            CONTEXT => return self.context(at, octets),
            PACKET => &self.frame[..self.linear],
            FRAME => &self.stack,
            _ => self.maps.get((address >> 32).wrapping_sub(MAPS) as usize).ok_or("a load from nowhere")?,
        };
        let bytes = region.get(at..at + octets).ok_or("a load beyond the end")?;
        Ok(match octets {
            1 => u64::from(bytes[0]),
            2 => u64::from(u16::from_ne_bytes([bytes[0], bytes[1]])),
            4 => u64::from(u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])),
            _ => bytes.try_into().map(u64::from_ne_bytes).map_err(|_| "a load of no width")?,
        })
    }

    fn store(&mut self, address: u64, octets: usize, value: u64) -> Result<(), &'static str> {
        let at = address as u32 as usize;
        let region: &mut [u8] = match address & !0xffff_ffff {
            FRAME => &mut self.stack,
            _ => {
                let map = (address >> 32).wrapping_sub(MAPS) as usize;
                self.maps.get_mut(map).ok_or("a store to what cannot be written")?
            }
        };
        let target = region.get_mut(at..at + octets).ok_or("a store beyond the end")?;
        match octets {
            4 => target.copy_from_slice(&(value as u32).to_ne_bytes()),
            _ => target.copy_from_slice(&value.to_ne_bytes()),
        }
        Ok(())
    }

    /// `struct xdp_md` or `struct __sk_buff` (linux/bpf.h).
    fn context(&self, at: usize, octets: usize) -> Result<u64, &'static str> {
        if octets != 4 {
            return Err("the context has words of four octets");
        }
        let end = PACKET + self.linear as u64;
        Ok(match (self.hook, at) {
            (Hook::Xdp, 0) | (Hook::Tc, 76) => PACKET,
            (Hook::Xdp, 4) | (Hook::Tc, 80) => end,
            (Hook::Xdp, 12) | (Hook::Tc, 36) => u64::from(self.beside.interface),
            (Hook::Tc, 0) => self.frame.len() as u64,
            (Hook::Tc, 20) => u64::from(self.beside.tag.is_some()),
            (Hook::Tc, 24) => u64::from(self.beside.tag.unwrap_or_default()),
            _ => return Err("a word of the context that is not known here"),
        })
    }

    fn call(&mut self, function: i32) -> Result<(), &'static str> {
        let result = match function {
            helper::MAP_LOOKUP => {
                let number = self.registers[1] as usize;
                let key = self.load(self.registers[2], 4)? as usize;
                let map = self.sizes.get(number).ok_or("no such map")?;
                // this machine has one CPU, so that both kinds are alike
                let (MapKind::Array | MapKind::PerCpuArray) = map.kind;
                match key < map.entries {
                    true => ((MAPS + number as u64) << 32) + (key * map.value_size) as u64,
                    false => 0,
                }
            }
            helper::SKB_PULL_DATA if self.hook == Hook::Tc => {
                self.linear = self.linear.max(self.frame.len().min(self.registers[2] as usize));
                0
            }
            _ => return Err("a function that is not known here"),
        };
        // the others hold anything after a call
        self.registers[1..=5].fill(u64::MAX / 3);
        self.registers[0] = result;
        Ok(())
    }
}

fn octets(code: u8) -> usize {
    match code & 0x18 {
        0x00 => 4,
        0x08 => 2,
        0x10 => 1,
        _ => 8,
    }
}

fn holds(code: u8, a: u64, b: u64) -> Result<bool, &'static str> {
    Ok(match code & 0xf0 {
        0x10 => a == b,
        0x20 => a > b,
        0x30 => a >= b,
        0x40 => a & b != 0,
        0x50 => a != b,
        0xa0 => a < b,
        0xb0 => a <= b,
        _ => return Err("a jump that is not known here"),
    })
}

fn arithmetic(code: u8, a: u64, b: u64) -> Result<u64, &'static str> {
    Ok(match code & 0xf0 {
        0x00 => a.wrapping_add(b),
        0x10 => a.wrapping_sub(b),
        0x40 => a | b,
        0x50 => a & b,
        0x60 => a.wrapping_shl(b as u32),
        0x70 => a.wrapping_shr(b as u32),
        0xb0 => b,
        _ => return Err("arithmetic that is not known here"),
    })
}
