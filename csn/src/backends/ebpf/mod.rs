//! eBPF programs that classify: for each packet the class of the first rule that matches it, counted in a map.
//!
//! A program is made of instructions right away, without a compiler. It goes through the headers once, keeps the fields
//! that rules test in a map of its own, and then looks for the rule, for IPv4, IPv6 and other packets by itself. It
//! sees a packet exactly as [`crate::packet::parse`] does, down to headers that are cut short.
//!
//! ```text
//! link header, VLAN tags ─► MPLS labels ─► IPv4 ─► its rules ──┐
//!                                      ├─► IPv6 ─► its rules ──┼─► counts[class] += 1 packet, n octets ─► pass on
//!                                      └─► rules without IP ───┘
//! ```
//!
//! **What is counted.** The map `counts` is a per-CPU array. Its key is the place of a class in the rule set, 0 being
//! `others`; its value two numbers of 64 bits, packets and octets. Sum over the CPUs, as `bpftool map dump` shows
//! them. The program changes and drops nothing: it answers `XDP_PASS`, or `TC_ACT_UNSPEC`, so that later
//! filters see the packet too. Octets are those of the frame at the hook.
//!
//! **Hooks.** XDP sees the frame as the driver got it. A driver that takes VLAN tags out of frames (`ethtool -K IF
//! rxvlan off` ends that) hides them from XDP. Traffic control sees the outer tag beside the frame, where it
//! is used; a header that is not in the linear part of a packet is pulled there. What the kernel merges (GRO) is one
//! packet there, as for packet sockets. `interface` is the one that received the packet; a packet of this machine's own
//! has none.
//!
//! **Forms.** `xdp` and `tc` compare with one rule after the other. `xdp-tree` and `tc-tree` decide by a tree of
//! comparisons, and look up a port or another field of at most 16 bits in a table where the rules differ in nothing
//! else. A note says what became of the rules.
//!
//! **Limits.** The kernel's verifier follows every way through a program. Both forms are laid out so that its work grows
//! with their size only. It keeps at most 8,192 open ways, one for each comparison in the line of the linear form, and
//! does at most a million steps. Rules that would make a program larger than that are losses: of rules as in ClassBench's
//! sets, some 8,000 fit in a line and 20,000 in a tree, which copies fewer rules, and so is slower, the more there
//! are. A program of more than 30,000 instructions may need Linux 6.6, which knows far jumps; a note says so.
//!
//! **Loading.** What is written to a file is a listing: the maps with their contents, and each instruction with its octets
//! (of the machine that wrote it) and in words. A loader takes the program itself (see [`crate::ebpf::Program`]) by
//! `bpf(2)`, for which they need `CAP_BPF`, `CAP_NET_ADMIN` and `CAP_PERFMON`.

mod chain;
mod linear;
mod link;
mod network;
mod program;
#[cfg(test)]
mod tests;
mod tree;
mod writer;

use super::alternatives::{Alternative, alternatives, in_all};
use super::{Backend, Compiled, Emitted, Form, Loss, Options};
use crate::ebpf::{Hook, Program, code::GOTOL, listing};
use crate::field::Field;
use crate::ruleset::{ClassId, RuleSet};
use program::{Made, program};
use std::fmt::Write;

/// The back end `ebpf`.
pub struct Ebpf;

impl Ebpf {
    /// For XDP, one rule after the other.
    pub const XDP: Form = Form { name: "xdp", summary: "for XDP, one rule after the other" };
    /// For traffic control, one rule after the other.
    pub const TC: Form =
        Form { name: "tc", summary: "for traffic control (tcx, clsact), one rule after the other" };
    /// For XDP, by a decision tree and tables.
    pub const XDP_TREE: Form = Form { name: "xdp-tree", summary: "for XDP, by a decision tree and tables" };
    /// For traffic control, by a decision tree and tables.
    pub const TC_TREE: Form =
        Form { name: "tc-tree", summary: "for traffic control, by a decision tree and tables" };
}

impl Backend for Ebpf {
    fn name(&self) -> &'static str {
        "ebpf"
    }

    fn summary(&self) -> &'static str {
        "eBPF program for XDP or tc that counts packets and octets of each class in a map (listing)"
    }

    fn example(&self) -> &'static str {
        include_str!("../examples/example.ebpf")
    }

    fn forms(&self) -> &'static [Form] {
        &[Self::XDP, Self::TC, Self::XDP_TREE, Self::TC_TREE]
    }

    fn emit(&self, rules: &RuleSet, options: &Options) -> Emitted {
        let form = options.form.unwrap_or(Self::XDP);
        let hook = if form == Self::TC || form == Self::TC_TREE { Hook::Tc } else { Hook::Xdp };
        let tree = form == Self::XDP_TREE || form == Self::TC_TREE;
        let all = alternatives(rules);
        let (kept, made) = fitting(&all, rules.classes.len(), hook, tree);
        let labels = (0..).map(ClassId).zip(&rules.classes).map(|(id, c)| (c.label(), id)).collect();
        Emitted {
            artefact: artefact(rules, &made.program),
            labels,
            losses: too_many(&all[kept..], made.program.instructions.len()),
            notes: notes(&made),
            entries: made.program.instructions.len(),
            program: Compiled::Ebpf(made.program),
            ..Emitted::default()
        }
    }
}

/// Instructions at most. The verifier stops after a million steps, and was seen to need up to 2.3 for an instruction.
const MOST_INSTRUCTIONS: usize = 350_000;
/// Comparisons in a line at most: the verifier keeps 8,192 open ways, and needs some for the headers.
const MOST_IN_LINE: usize = 8_000;

fn fits(made: &Made) -> bool {
    made.program.instructions.len() <= MOST_INSTRUCTIONS && made.in_line <= MOST_IN_LINE
}

/// Copies of a rule in a tree, on the average, in per cent: at most, and where rules are left out before fewer are made.
const MOST_COPIES: usize = 800;
const LEAST_COPIES: usize = 125;

/// The program for as many alternatives, from the first on, as fit; all of a rule or nothing of it. A tree copies
/// fewer rules where it would be too large.
fn fitting(all: &[Alternative], classes: usize, hook: Hook, tree: bool) -> (usize, Made) {
    let (mut count, size) = guess(all);
    let room = 70 * MOST_INSTRUCTIONS / size.max(1);
    let mut copies = tree.then_some(room.clamp(LEAST_COPIES, MOST_COPIES));
    loop {
        while count > 0 && count < all.len() && all[count - 1].rule == all[count].rule {
            count -= 1;
        }
        let made = program(&all[..count], classes, hook, copies);
        if fits(&made) || count == 0 {
            return (count, made);
        }
        let over = (made.program.instructions.len() as f64 / MOST_INSTRUCTIONS as f64)
            .max(made.in_line as f64 / MOST_IN_LINE as f64);
        match &mut copies {
            Some(copies) if *copies > LEAST_COPIES => {
                *copies = ((*copies as f64 * 0.8 / over) as usize).max(LEAST_COPIES);
            }
            _ => count = ((count as f64 / over * 0.99) as usize).min(count - 1),
        }
    }
}

/// How many alternatives may fit, with much to spare, and about how many instructions they take in order.
fn guess(all: &[Alternative]) -> (usize, usize) {
    let shared = in_all(all);
    let is_shared = |field: Field| shared.iter().any(|(f, _)| *f == field);
    let mut size = 0;
    for (n, alternative) in all.iter().enumerate() {
        let own = alternative.tests.iter().filter(|(f, _)| !is_shared(*f));
        size += 2 + own.map(|(f, s)| 1 + 2 * chain::comparisons(*f, s)).sum::<usize>();
        if size > 2 * MOST_INSTRUCTIONS {
            return (n, size);
        }
    }
    (all.len(), size)
}

fn too_many(dropped: &[Alternative], size: usize) -> Vec<Loss> {
    let reason = format!(
        "left out: the verifier of the kernel may not get through a program much longer than this of {size} instructions"
    );
    let mut out: Vec<Loss> = dropped.iter().map(|a| Loss { rule: a.rule, reason: reason.clone() }).collect();
    out.dedup();
    out
}

fn notes(made: &Made) -> Vec<String> {
    let mut out = Vec::new();
    if let Some(shape) = made.shape {
        out.push(format!(
            "a tree of at most {} decisions, then at most {} rules in a line; {} tables",
            shape.depth, shape.longest, shape.tables
        ));
    }
    if made.program.instructions.iter().any(|i| i.code == GOTOL) {
        out.push("some jumps are so far that it needs Linux 6.6 or later".into());
    }
    out
}

fn artefact(rules: &RuleSet, program: &Program) -> String {
    let (hook, pass) = match program.hook {
        Hook::Xdp => ("XDP", "XDP_PASS"),
        Hook::Tc => ("traffic control", "TC_ACT_UNSPEC"),
    };
    let mut out = String::new();
    let _ = writeln!(out, "; for {hook}: classifies each packet, counts it, and answers {pass}");
    let _ = writeln!(out, "; counts[class] = {{ u64 packets, u64 octets }}, for each CPU:");
    for (id, class) in rules.classes.iter().enumerate() {
        let _ = writeln!(out, ";   counts[{id}]: {:?}", class.label());
    }
    out + &listing(program)
}
