//! Code that compares a packet, whose fields are at hand, with the alternatives of a chain.

use super::assemble::{Assembler, Label};
use super::chain::{Chain, Kind, TRANSPORT, is_link, widths};
use super::sets::{Domain, Lookup, test_wide, test_word};
use crate::cbpf::{ancillary, code::*};
use crate::field::Field;
use crate::value::ValueSet;

/// Where the fields of the IP header are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// In the packet of that kind, X being the offset of the IP header less 14; scratch words are not stored yet.
    Packet(Kind),
    /// In scratch words, or else behind the chain's base.
    Scratch,
}

/// Loads a word of a field into A.
pub(super) fn load(asm: &mut Assembler, chain: &Chain, at: At, field: Field, part: usize) {
    match (field, part) {
        (Field::Interface, _) => return asm.op(LD_W_ABS, ancillary::IFINDEX),
        (Field::DstMac, 0) => return asm.op(LD_H_ABS, 0),
        (Field::DstMac, _) => return asm.op(LD_W_ABS, 2),
        (Field::SrcMac, 0) => return asm.op(LD_H_ABS, 6),
        (Field::SrcMac, _) => return asm.op(LD_W_ABS, 8),
        _ => {}
    }
    let kind = match at {
        At::Packet(kind) => kind,
        At::Scratch => chain.kind,
    };
    let stored = at == At::Scratch || is_link(field) || TRANSPORT.contains(&field);
    if let Some(slot) = chain.slot(field, part).filter(|_| stored) {
        return asm.op(LD_MEM, slot);
    }
    if let (At::Scratch, Some(base)) = (at, chain.base) {
        asm.op(LDX_MEM, base);
    }
    let part = part as u32;
    if kind == Kind::Four { load_ipv4(asm, field) } else { load_ipv6(asm, field, part) }
}

fn load_ipv4(asm: &mut Assembler, field: Field) {
    match field {
        Field::SrcIp => asm.op(LD_W_IND, 26),
        Field::DstIp => asm.op(LD_W_IND, 30),
        Field::Proto => asm.op(LD_B_IND, 23),
        Field::Ttl => asm.op(LD_B_IND, 22),
        Field::Length => asm.op(LD_H_IND, 16),
        Field::Fragment => fragment(asm),
        _ => {
            asm.op(LD_B_IND, 15);
            if field == Field::Dscp {
                asm.op(RSH_K, 2);
            }
        }
    }
}

/// Works out 0, 1 or 2 from flags and offset.
fn fragment(asm: &mut Assembler) {
    let (later, first, done) = (asm.label(), asm.label(), asm.label());
    asm.op(LD_H_IND, 20);
    asm.when(JSET_K, 0x1fff, later);
    asm.when(JSET_K, 0x2000, first);
    asm.op(LD_IMM, 0);
    asm.jump(done);
    asm.place(first);
    asm.op(LD_IMM, 1);
    asm.jump(done);
    asm.place(later);
    asm.op(LD_IMM, 2);
    asm.place(done);
}

fn load_ipv6(asm: &mut Assembler, field: Field, part: u32) {
    match field {
        Field::SrcIp => asm.op(LD_W_IND, 22 + 4 * part),
        Field::DstIp => asm.op(LD_W_IND, 38 + 4 * part),
        Field::Ttl => asm.op(LD_B_IND, 21),
        Field::Length => {
            let fits = asm.label();
            asm.op(LD_H_IND, 18);
            asm.op(ADD_K, 40);
            asm.unless(JGT_K, 0xffff, fits);
            asm.op(LD_IMM, 0xffff);
            asm.place(fits);
        }
        Field::FlowLabel => {
            asm.op(LD_W_IND, 14);
            asm.op(AND_K, 0xf_ffff);
        }
        _ => {
            let (shift, mask) = if field == Field::Dscp { (6, 0x3f) } else { (4, 0xff) };
            asm.op(LD_H_IND, 14);
            asm.op(RSH_K, shift);
            asm.op(AND_K, mask);
        }
    }
}

/// Loads and tests a field. `held` is the field whose only word is in A.
pub(super) fn test(
    asm: &mut Assembler,
    chain: &Chain,
    at: At,
    (field, set): (Field, &ValueSet),
    lookup: Lookup,
    held: &mut Option<Field>,
    (yes, no): (Label, Label),
) {
    let kind = match at {
        At::Packet(kind) => kind,
        At::Scratch => chain.kind,
    };
    let widths = widths(kind, field);
    if widths.len() > 1 {
        *held = None;
        return test_wide(asm, set, widths, &mut |asm, part| load(asm, chain, at, field, part), yes, no);
    }
    if *held != Some(field) {
        load(asm, chain, at, field, 0);
        *held = Some(field);
    }
    test_word(asm, set, domain(kind, field), lookup, yes, no);
}

fn domain(kind: Kind, field: Field) -> Domain {
    let most = match field {
        Field::Interface => u32::MAX,
        f if f.is_address() => u32::MAX,
        Field::Fragment => 2,
        f => (1u32 << f.width()) - 1,
    };
    let late = matches!(field, Field::Proto | Field::Fragment) && kind != Kind::Four;
    let tag = matches!(field, Field::EtherType | Field::Vlan | Field::Mpls);
    Domain { most, optional: late || tag || TRANSPORT.contains(&field) }
}

/// Tests that all alternatives share: one that fails rejects the packet.
pub(super) fn shared(asm: &mut Assembler, chain: &Chain, at: At, fields: &[Field], reject: Label) {
    let mut held = None;
    for (field, set) in chain.shared.iter().filter(|(f, _)| fields.contains(f)) {
        let next = asm.label();
        test(asm, chain, at, (*field, set), Lookup::InOrder, &mut held, (next, reject));
        asm.place(next);
    }
}

/// What the last load of a path left in A.
struct Meeting {
    paths: usize,
    held: Option<Field>,
}

impl Meeting {
    fn join(&mut self, held: Option<Field>) {
        self.held = if self.paths == 0 || self.held == held { held } else { None };
        self.paths += 1;
    }
}

/// Compares with one alternative after the other. `held` is the field in A. The answer is a note, where the wanted
/// form could not be had.
pub(super) fn alternatives(
    asm: &mut Assembler,
    chain: &Chain,
    tree: bool,
    mut held: Option<Field>,
    accept: Label,
    reject: Label,
) -> Option<&'static str> {
    if tree && let Some((field, union)) = single_field(chain) {
        test(asm, chain, At::Scratch, (field, &union), Lookup::ByHalving, &mut held, (accept, reject));
        return None;
    }
    for (i, tests) in chain.own.iter().enumerate() {
        let last = i + 1 == chain.own.len();
        let next = if last { reject } else { asm.label() };
        let mut meeting = Meeting { paths: 0, held: None };
        let mut tests: Vec<_> = tests.iter().collect();
        tests.sort_by_key(|(f, s)| (Some(*f) != held, widths(chain.kind, *f).len() * s.ranges().len()));
        if tests.is_empty() {
            asm.jump(accept);
            return None;
        }
        for (j, (field, set)) in tests.iter().enumerate() {
            let yes = if j + 1 == tests.len() { accept } else { asm.label() };
            test(asm, chain, At::Scratch, (*field, set), Lookup::InOrder, &mut held, (yes, next));
            meeting.join(held);
            if j + 1 < tests.len() {
                asm.place(yes);
            }
        }
        if !last {
            asm.place(next);
            held = meeting.held;
        }
    }
    (tree && chain.own.len() > 1)
        .then_some("the rules differ in more than one field: linear instead of a tree")
}

/// The only field that the alternatives differ in, and all its accepted values.
fn single_field(chain: &Chain) -> Option<(Field, ValueSet)> {
    let [(field, _)] = chain.own.first()?.as_slice() else {
        return None;
    };
    let mut ranges = Vec::new();
    for tests in &chain.own {
        let [(f, set)] = tests.as_slice() else {
            return None;
        };
        if f != field || widths(chain.kind, *f).len() > 1 {
            return None;
        }
        ranges.extend_from_slice(set.ranges());
    }
    Some((*field, ValueSet::from_ranges(ranges)))
}
