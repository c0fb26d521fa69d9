//! Programs as text, in the words of the kernel's verifier and of `bpftool prog dump xlated`.

use super::{Instruction, Map, MapKind, Program, code::*, helper, pseudo};
use std::fmt::Write;

/// The maps of a program and its instructions, one a line: number, the eight octets as they lie in memory, and what it
/// does. Comments stand above the instruction that they are about, behind a semicolon.
pub fn listing(program: &Program) -> String {
    let mut out = String::new();
    for (n, map) in program.maps.iter().enumerate() {
        let _ = writeln!(out, "map {n}: {}", map_text(map));
        contents(&mut out, &map.contents);
    }
    let mut comments = program.comments.iter().peekable();
    let mut second = false;
    for (pc, i) in program.instructions.iter().enumerate() {
        while let Some((_, text)) = comments.next_if(|(at, _)| *at <= pc) {
            let _ = writeln!(out, "; {text}");
        }
        let bytes: String = i.to_bytes().iter().fold(String::new(), |mut text, b| {
            let _ = write!(text, "{b:02x}");
            text
        });
        let text = match second {
            true => String::new(),
            false => instruction_text(*i, program.instructions.get(pc + 1).copied(), &program.maps, pc),
        };
        let _ = writeln!(out, "{}", format!("{pc:>5}: {bytes}  {text}").trim_end());
        second = !second && i.code == LD_IMM64;
    }
    out
}

fn map_text(map: &Map) -> String {
    let kind = match map.kind {
        MapKind::Array => "array",
        MapKind::PerCpuArray => "percpu_array",
    };
    let Map { name, value_size, entries, .. } = map;
    format!("{name}, {kind}, key 4 B, value {value_size} B, {entries} entries")
}

/// Octets that are not all zero, 32 a line behind their offset.
fn contents(out: &mut String, bytes: &[u8]) {
    for (n, line) in bytes.chunks(32).enumerate().filter(|(_, l)| l.iter().any(|b| *b != 0)) {
        let _ = write!(out, "  {:#x}:", 32 * n);
        for b in line {
            let _ = write!(out, " {b:02x}");
        }
        out.push('\n');
    }
}

/// An instruction in words. `next` is the one behind it, `pc` its own place.
pub fn instruction_text(i: Instruction, next: Option<Instruction>, maps: &[Map], pc: usize) -> String {
    let Instruction { code, dst, src, off, imm } = i;
    let to = |skip: i64| pc as i64 + 1 + skip;
    match code {
        LD_IMM64 => {
            let high = next.map_or(0, |n| n.imm);
            let name = maps.get(imm as usize).map_or("?", |m| m.name);
            match src {
                pseudo::MAP_FD => format!("r{dst} = map[{name}]"),
                pseudo::MAP_VALUE => format!("r{dst} = &{name}[0] + {high}"),
                _ => format!("r{dst} = {:#x} ll", u64::from(high as u32) << 32 | u64::from(imm as u32)),
            }
        }
        LDX_B | LDX_H | LDX_W | LDX_DW => {
            format!("r{dst} = *({} *)(r{src} {off:+})", width(code))
        }
        ST_W | ST_DW => format!("*({} *)(r{dst} {off:+}) = {imm}", width(code)),
        STX_W | STX_DW => format!("*({} *)(r{dst} {off:+}) = r{src}", width(code)),
        TO_BE => format!("r{dst} = be{imm} r{dst}"),
        JA => format!("goto {}", to(i64::from(off))),
        GOTOL => format!("gotol {}", to(i64::from(imm))),
        CALL => match imm {
            helper::MAP_LOOKUP => "r0 = bpf_map_lookup_elem(r1, r2)".into(),
            helper::SKB_PULL_DATA => "r0 = bpf_skb_pull_data(r1, r2)".into(),
            _ => format!("call {imm}"),
        },
        EXIT => "exit".into(),
        _ => operation(i, to(i64::from(off))),
    }
}

fn width(code: u8) -> &'static str {
    match code & 0x18 {
        0x00 => "u32",
        0x08 => "u16",
        0x10 => "u8",
        _ => "u64",
    }
}

/// Arithmetic and conditional jumps. The lower half of a register is called `w`.
fn operation(i: Instruction, to: i64) -> String {
    let jumps = matches!(i.code & 7, 5 | 6);
    let half = matches!(i.code & 7, 4 | 6);
    let register = if half { 'w' } else { 'r' };
    let operand = match (i.code & 8 == 0, jumps && half) {
        (true, true) => format!("{:#x}", i.imm as u32),
        (true, false) => i.imm.to_string(),
        (false, _) => format!("{register}{}", i.src),
    };
    let names: &[(u8, &str)] = match jumps {
        true => {
            &[(0x10, "=="), (0x20, ">"), (0x30, ">="), (0x40, "&"), (0x50, "!="), (0xa0, "<"), (0xb0, "<=")]
        }
        false => &[
            (0x00, "+="),
            (0x10, "-="),
            (0x40, "|="),
            (0x50, "&="),
            (0x60, "<<="),
            (0x70, ">>="),
            (0xb0, "="),
        ],
    };
    let name = names.iter().find(|(c, _)| *c == i.code & 0xf0).map_or("?", |(_, n)| n);
    let text = format!("{register}{} {name} {operand}", i.dst);
    if jumps { format!("if {text} goto {to}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::{Assembler, Hook};
    use super::*;

    #[test]
    fn it_reads_like_the_verifier() {
        let mut asm = Assembler::default();
        let end = asm.label();
        asm.map(1, 0);
        asm.op(LDX_H, 2, 1, 12);
        asm.comment("the rules");
        asm.branch_k(JEQ32_K, 2, -1, end);
        asm.op_k(ADD_K, 2, 0, -5);
        asm.place(end);
        asm.op_k(EXIT, 0, 0, 0);
        let (instructions, relocations, comments) = asm.finish();
        let map =
            Map { name: "m", kind: MapKind::Array, value_size: 4, entries: 1, contents: vec![0, 0, 0, 9] };
        let program = Program { hook: Hook::Xdp, instructions, maps: vec![map], relocations, comments };
        let text = listing(&program);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "map 0: m, array, key 4 B, value 4 B, 1 entries");
        assert_eq!(lines[1], "  0x0: 00 00 00 09");
        assert!(lines[2].ends_with("  r1 = map[m]"), "{text}");
        assert!(lines[4].ends_with("  r2 = *(u16 *)(r1 +12)"), "{text}");
        assert_eq!(lines[5], "; the rules");
        assert!(lines[6].ends_with("  if w2 == 0xffffffff goto 5"), "{text}");
        assert!(lines[7].ends_with("  r2 += -5"), "{text}");
    }
}
