//! The whole program: headers, rules for each kind of packet, and the count.

use super::chain::{CLASS, Chain, KEY_SIZE, Kind, OCTETS, place};
use super::link::{Ways, context};
use super::network::Exits;
use super::tree::{Node, Planner, Shape};
use super::writer::{CTX, END, KEY, R0, R1, R2, STACK, Writer};
use crate::backends::alternatives::Alternative;
use crate::ebpf::{Hook, Label, Map, MapKind, Program, code::*, helper};
use crate::field::Field;
use crate::ruleset::ClassId;

/// A program, and what is to be known of it.
pub(super) struct Made {
    pub(super) program: Program,
    /// The most comparisons that stand in a line.
    pub(super) in_line: usize,
    /// The shape of its largest tree, where there is one.
    pub(super) shape: Option<Shape>,
}

/// The place of each map.
const COUNTS: usize = Program::COUNTS;
const KEYS: usize = 1;
const TABLES: usize = 2;

/// Answers that let the packet pass (linux/bpf.h, linux/pkt_cls.h).
const XDP_PASS: i32 = 2;
const TC_ACT_UNSPEC: i32 = -1;

/// Where it is on the stack whether the packet has been pulled.
const PULLED: i16 = -8;

/// Chains by kind of packet, and the way to each.
struct Chains {
    chain: [Chain; 4],
    label: [Label; 4],
}

const KINDS: [Kind; 4] = [Kind::Stub, Kind::Link, Kind::Four, Kind::Six];

impl Chains {
    fn of(&self, kind: Kind) -> (&Chain, Label) {
        (&self.chain[kind as usize], self.label[kind as usize])
    }
}

/// The program for these alternatives, however long; as a tree with so many
/// copies of a rule, in per cent, or in order.
pub(super) fn program(all: &[Alternative], classes: usize, hook: Hook, copies: Option<usize>) -> Made {
    let mut writer = Writer::new(hook);
    let chains =
        Chains { chain: KINDS.map(|kind| Chain::new(kind, all)), label: KINDS.map(|_| writer.asm.label()) };
    let end = writer.asm.label();
    writer.headers(&chains, end);
    writer.asm.place(writer.count);
    writer.counted(end);
    let mut tables = Vec::new();
    let mut shape = copies.map(|_| Shape::default());
    for kind in KINDS {
        let (chain, label) = chains.of(kind);
        writer.asm.place(label);
        writer.asm.comment(match kind {
            Kind::Stub => "rules for frames without a whole link header",
            Kind::Link => "rules for packets without an IP header",
            Kind::Four => "rules for IPv4",
            Kind::Six => "rules for IPv6",
        });
        match &mut shape {
            None => writer.linear(kind, &chain.rules),
            Some(shape) => {
                let mut planner = Planner::new(kind, copies.unwrap_or_default(), shape.tables);
                let node = planner.plan(&chain.rules);
                let wide = classes > usize::from(u16::MAX);
                writer.decide(kind, &node, None, &mut tables, wide);
                shape.depth = shape.depth.max(planner.shape.depth);
                shape.longest = shape.longest.max(planner.shape.longest);
                shape.tables = planner.shape.tables;
            }
        }
        writer.write_classes();
    }
    let in_line = writer.in_line;
    let (instructions, relocations, comments) = writer.asm.finish();
    let maps = maps(classes, tables);
    Made { program: Program { hook, instructions, maps, relocations, comments }, in_line, shape }
}

fn maps(classes: usize, mut tables: Vec<u8>) -> Vec<Map> {
    let per_cpu = |name, value_size, entries| Map {
        name,
        kind: MapKind::PerCpuArray,
        value_size,
        entries,
        contents: Vec::new(),
    };
    let mut out = vec![per_cpu("counts", 16, classes.max(1)), per_cpu("key", KEY_SIZE, 1)];
    if !tables.is_empty() {
        tables.resize(tables.len().next_multiple_of(8), 0);
        let (value_size, contents) = (tables.len(), tables);
        out.push(Map { name: "tables", kind: MapKind::Array, value_size, entries: 1, contents });
    }
    out
}

impl Writer {
    /// From the first instruction to the chains.
    fn headers(&mut self, chains: &Chains, end: Label) {
        let again = self.asm.label();
        self.asm.comment("the memory for the fields of the packet");
        self.asm.op(MOV_X, CTX, R1, 0);
        self.asm.op_k(ST_W, STACK, -4, 0);
        self.asm.map(R1, KEYS);
        self.lookup(STACK, -4);
        self.asm.branch_k(JEQ_K, R0, 0, end);
        self.asm.op(MOV_X, KEY, R0, 0);
        if self.hook == Hook::Tc {
            self.asm.op_k(ST_DW, STACK, PULLED, 0);
        }
        self.asm.place(again);
        let uses = |f: Field| chains.chain.iter().any(|c| c.uses(&[f]));
        let (link, no_ip) = chains.of(Kind::Link);
        // where the IP header makes no difference, it is not looked at
        let way = |kind: Kind| {
            let (chain, _) = chains.of(kind);
            chain != link && !chain.rules.is_empty()
        };
        let [ipv4, ipv6] = [Kind::Four, Kind::Six].map(|kind| match way(kind) {
            true => self.asm.label(),
            false => chains.of(kind).1,
        });
        let cuts = KINDS.map(|kind| match self.hook {
            Hook::Xdp => chains.of(kind).1,
            Hook::Tc => self.asm.label(),
        });
        let cut = |kind: Kind| cuts[kind as usize];
        let mpls = way(Kind::Four) || way(Kind::Six) || uses(Field::Mpls);
        let ways = Ways { ipv4, ipv6, mpls, no_ip, cut: cut(Kind::Link), stub: cut(Kind::Stub) };
        self.link(&ways, uses);
        for (kind, label) in [(Kind::Four, ipv4), (Kind::Six, ipv6)] {
            if way(kind) {
                self.asm.place(label);
                let (chain, to) = chains.of(kind);
                let exits = Exits { chain: to, cut: cut(kind), no_ip, cut_ip: cut(Kind::Link) };
                let uses = |f: Field| chain.uses(&[f]);
                match kind {
                    Kind::Four => self.ipv4(&exits, uses),
                    _ => self.ipv6(&exits, uses),
                }
            }
        }
        if self.hook == Hook::Tc {
            self.pull(chains, &cuts, again);
        }
    }

    /// Looks up a key of four octets in the map that R1 names.
    fn lookup(&mut self, base: u8, at: i16) {
        self.asm.op(MOV_X, R2, base, 0);
        if at != 0 {
            self.asm.op_k(ADD_K, R2, 0, i32::from(at));
        }
        self.asm.op_k(CALL, 0, 0, helper::MAP_LOOKUP);
    }

    /// A header ends beyond what can be read: where the packet goes on, the rest is pulled and all begins again.
    fn pull(&mut self, chains: &Chains, cuts: &[Label; 4], again: Label) {
        let pull = self.asm.label();
        let (data, _) = context::data(self.hook);
        for kind in KINDS {
            self.asm.place(cuts[kind as usize]);
            let (_, chain) = chains.of(kind);
            self.asm.op(LDX_DW, R0, STACK, PULLED);
            self.asm.branch_k(JNE_K, R0, 0, chain);
            self.asm.op(LDX_W, R1, CTX, data);
            self.asm.op(MOV_X, R0, END, 0);
            self.asm.op(SUB_X, R0, R1, 0);
            self.asm.op(LDX_W, R2, CTX, context::LENGTH);
            self.asm.branch(JLT_X, R0, R2, pull);
            self.asm.jump(chain);
        }
        self.asm.place(pull);
        self.asm.comment("pulls the rest of the packet");
        self.asm.op_k(ST_DW, STACK, PULLED, 1);
        self.asm.op(MOV_X, R1, CTX, 0);
        self.asm.op_k(CALL, 0, 0, helper::SKB_PULL_DATA);
        self.asm.jump(again);
    }

    /// Counts the packet for the class that the key names, and ends.
    fn counted(&mut self, end: Label) {
        self.asm.comment("count");
        match self.hook {
            Hook::Tc => {
                self.asm.op(LDX_W, R1, CTX, context::LENGTH);
                self.asm.op(STX_W, KEY, R1, OCTETS);
            }
            Hook::Xdp => {
                let (data, past) = context::data(self.hook);
                self.asm.op(LDX_W, R1, CTX, past);
                self.asm.op(LDX_W, R2, CTX, data);
                self.asm.op(SUB_X, R1, R2, 0);
                self.asm.op(STX_W, KEY, R1, OCTETS);
            }
        }
        self.asm.map(R1, COUNTS);
        self.lookup(KEY, CLASS);
        self.asm.branch_k(JEQ_K, R0, 0, end);
        self.asm.op(LDX_DW, R1, R0, 0);
        self.asm.op_k(ADD_K, R1, 0, 1);
        self.asm.op(STX_DW, R0, R1, 0);
        self.asm.op(LDX_DW, R1, R0, 8);
        self.asm.op(LDX_W, R2, KEY, OCTETS);
        self.asm.op(ADD_X, R1, R2, 0);
        self.asm.op(STX_DW, R0, R1, 8);
        self.asm.place(end);
        self.asm.op_k(MOV_K, R0, 0, if self.hook == Hook::Xdp { XDP_PASS } else { TC_ACT_UNSPEC });
        self.asm.op_k(EXIT, 0, 0, 0);
    }

    /// A decision and all below it. `held` is the field of 32 bits that R0 holds.
    fn decide(&mut self, kind: Kind, node: &Node, held: Option<Field>, tables: &mut Vec<u8>, wide: bool) {
        let mut held = held;
        match node {
            Node::Leaf(rules) => {
                self.linear(kind, rules);
                if self.is_far(0) {
                    self.write_classes();
                }
            }
            Node::Cut { field, from, below, above } => {
                let (left, right) = (self.asm.label(), self.asm.label());
                self.cut(kind, *field, *from, &mut held, right, left);
                self.asm.place(left);
                self.decide(kind, below, held, tables, wide);
                self.asm.place(right);
                self.decide(kind, above, held, tables, wide);
            }
            Node::Ask { field, set, inside, outside } => {
                let (yes, no) = (self.asm.label(), self.asm.label());
                self.test(kind, (*field, set), held, yes, no);
                self.asm.place(yes);
                self.decide(kind, inside, None, tables, wide);
                self.asm.place(no);
                self.decide(kind, outside, None, tables, wide);
            }
            Node::Table { field, classes, absent } => {
                let missing = self.class(*absent);
                self.asm.comment(format!("table of {field}"));
                self.asm.op(LDX_W, R0, KEY, place(*field));
                self.asm.branch_k(JGT_K, R0, classes.len() as i32 - 1, missing);
                tables.resize(tables.len().next_multiple_of(8), 0);
                self.asm.map_value(R1, TABLES, tables.len());
                self.asm.op_k(LSH_K, R0, 0, if wide { 2 } else { 1 });
                self.asm.op(ADD_X, R1, R0, 0);
                self.asm.op(if wide { LDX_W } else { LDX_H }, R0, R1, 0);
                self.asm.op(STX_W, KEY, R0, CLASS);
                self.asm.jump(self.count);
                for ClassId(n) in classes {
                    match wide {
                        true => tables.extend(n.to_ne_bytes()),
                        false => tables.extend((*n as u16).to_ne_bytes()),
                    }
                }
            }
        }
    }
}
