//! Programs as text: as `tcpdump -d` lists them, and as the C array of `tcpdump -dd`.

use super::{Instruction, ancillary, code::*};
use std::fmt::Write;

/// The program as a listing, one numbered instruction per line.
pub fn listing(program: &[Instruction]) -> String {
    let mut out = String::new();
    for (pc, i) in program.iter().enumerate() {
        let _ = writeln!(out, "({pc:03}) {}", one(pc, *i));
    }
    out
}

/// The program as the body of a C array, which other tools take; each line with its instruction in words.
pub fn c_array(program: &[Instruction]) -> String {
    let mut out = String::new();
    for (pc, i) in program.iter().enumerate() {
        let line = format!("{{ {:#x}, {}, {}, {:#010x} }},", i.code, i.jt, i.jf, i.k);
        let _ = writeln!(out, "{line:<32} /* ({pc:03}) {} */", one(pc, *i));
    }
    out
}

fn one(pc: usize, i: Instruction) -> String {
    let (name, operand) = operation(i);
    let text = format!("{name:<8} {operand}");
    match i.code {
        JA => format!("{:<8} {}", "ja", pc + 1 + i.k as usize),
        _ if i.is_branch() => {
            let (jt, jf) = (pc + 1 + usize::from(i.jt), pc + 1 + usize::from(i.jf));
            format!("{text:<24} jt {jt}\tjf {jf}")
        }
        _ => text.trim_end().to_string(),
    }
}

fn operation(i: Instruction) -> (&'static str, String) {
    let k = i.k;
    let operand = || if i.code & 8 == 0 { format!("#{k:#x}") } else { "x".into() };
    match i.code {
        LD_IMM => ("ld", format!("#{k:#x}")),
        LD_LEN => ("ld", "#pktlen".into()),
        LD_MEM => ("ld", format!("M[{k}]")),
        LD_W_ABS => ("ld", absolute(k)),
        LD_H_ABS => ("ldh", absolute(k)),
        LD_B_ABS => ("ldb", absolute(k)),
        LD_W_IND => ("ld", format!("[x + {k}]")),
        LD_H_IND => ("ldh", format!("[x + {k}]")),
        LD_B_IND => ("ldb", format!("[x + {k}]")),
        LDX_IMM => ("ldx", format!("#{k:#x}")),
        LDX_LEN => ("ldx", "#pktlen".into()),
        LDX_MEM => ("ldx", format!("M[{k}]")),
        LDX_MSH => ("ldxb", format!("4*([{k}]&0xf)")),
        ST => ("st", format!("M[{k}]")),
        STX => ("stx", format!("M[{k}]")),
        RET_K => ("ret", format!("#{k}")),
        RET_A => ("ret", String::new()),
        TAX => ("tax", String::new()),
        TXA => ("txa", String::new()),
        NEG => ("neg", String::new()),
        code => (NAMES.iter().find(|(c, _)| *c == code & !8).map_or("unimp", |(_, n)| n), operand()),
    }
}

const NAMES: &[(u16, &str)] = &[
    (ADD_K, "add"),
    (SUB_K, "sub"),
    (MUL_K, "mul"),
    (DIV_K, "div"),
    (OR_K, "or"),
    (AND_K, "and"),
    (LSH_K, "lsh"),
    (RSH_K, "rsh"),
    (MOD_K, "mod"),
    (XOR_K, "xor"),
    (JEQ_K, "jeq"),
    (JGT_K, "jgt"),
    (JGE_K, "jge"),
    (JSET_K, "jset"),
];

fn absolute(k: u32) -> String {
    match k {
        ancillary::IFINDEX => "ifidx".into(),
        ancillary::VLAN_TAG => "vlan_tci".into(),
        ancillary::VLAN_TAG_PRESENT => "vlanp".into(),
        _ => format!("[{k}]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_like_tcpdump() {
        let program = [
            Instruction::new(LD_H_ABS, 12),
            Instruction { code: JEQ_K, jt: 0, jf: 1, k: 0x800 },
            Instruction::new(RET_K, 262_144),
            Instruction::new(RET_K, 0),
        ];
        let text = listing(&program);
        assert!(
            text.starts_with("(000) ldh      [12]\n(001) jeq      #0x800          jt 2\tjf 3\n"),
            "{text}"
        );
        assert!(c_array(&program).contains("{ 0x6, 0, 0, 0x00040000 },       /* (002) ret      #262144 */"));
    }
}
