//! Code that walks through the IP header and what follows, and puts the fields at hand.

use super::assemble::{Assembler, Label};
use super::chain::{Chain, Kind, TRANSPORT, is_link};
use super::compare::{At, load, shared};
use super::sets::{ABSENT, Domain, Lookup, test_word};
use crate::cbpf::code::*;
use crate::field::Field;
use crate::packet::{BEHIND_EXTENSIONS, ICMP, ICMPV6, MAX_EXTENSIONS, PORT_PROTOCOLS, TCP, fragment};
use crate::value::{Value, ValueSet};

/// Where the code in front of a chain leads.
#[derive(Clone, Copy)]
pub(super) struct Exits {
    /// The comparison with the chain's alternatives.
    pub(super) chain: Label,
    /// The packet has no such IP header.
    pub(super) no_ip: Label,
    /// No alternative can match.
    pub(super) reject: Label,
    /// Whether a load behind the end of the packet, which rejects it, is right where no alternative can match.
    pub(super) may_fall: bool,
    /// Whether such a load is right where there is no IP header.
    pub(super) may_fall_without_ip: bool,
}

impl Exits {
    /// The way of packets that lack these fields: behind it, a load from beyond the end is right if it is `reject`.
    fn without(&self, chain: &Chain, fields: &[Field]) -> (Label, bool) {
        let none = chain.requires(fields);
        (if none { self.reject } else { self.chain }, none && self.may_fall)
    }
}

/// Makes sure that the packet has `octets` octets behind X: jumps away where not, or falls.
fn has(asm: &mut Assembler, octets: u32, (away, may_fall): (Label, bool)) {
    if may_fall {
        return asm.op(LD_B_IND, octets - 1);
    }
    asm.op(LD_LEN, 0);
    asm.unless(JGT_X, 0, away);
    asm.op(SUB_X, 0);
    asm.unless(JGE_K, octets, away);
}

/// The fields of the IP header that need no look behind it.
fn at_once(kind: Kind) -> Vec<Field> {
    let late: &[Field] = if kind == Kind::Four { &TRANSPORT } else { &BEHIND_EXTENSIONS };
    Field::ALL.into_iter().filter(|f| !late.contains(f)).collect()
}

/// Stores the fields of the IP header that alternatives test one by one, X being its offset less 14.
fn store_header(asm: &mut Assembler, chain: &Chain, kind: Kind) {
    if let Some(base) = chain.base {
        asm.op(STX, base);
    }
    let now = at_once(kind);
    for (field, part, slot) in chain.header_slots() {
        if now.contains(&field) && !is_link(field) {
            load(asm, chain, At::Packet(kind), field, part);
            asm.op(ST, slot);
        }
    }
}

/// Marks fields as absent, until they are found.
fn mark_absent(asm: &mut Assembler, chain: &Chain, fields: &[Field]) {
    let slots: Vec<u32> = fields.iter().filter_map(|f| chain.slot(*f, 0)).collect();
    if !slots.is_empty() {
        asm.op(LD_IMM, ABSENT);
        slots.into_iter().for_each(|s| asm.op(ST, s));
    }
}

/// Whether every packet that reaches the chain has all of the transport fields that alternatives use.
fn ports_only(chain: &Chain) -> bool {
    chain.requires(&TRANSPORT) && !chain.uses(&[Field::TcpFlags, Field::IcmpType, Field::IcmpCode])
}

/// IPv4, X being the offset of the header less 14.
pub(super) fn ipv4(asm: &mut Assembler, chain: &Chain, exits: &Exits) {
    let (_, late_falls) = exits.without(chain, &TRANSPORT);
    if !(exits.may_fall_without_ip && late_falls) {
        has(asm, 34, (exits.no_ip, exits.may_fall_without_ip));
    }
    asm.op(LD_B_IND, 14);
    asm.unless(JGE_K, 0x45, exits.no_ip);
    asm.when(JGT_K, 0x4f, exits.no_ip);
    // IPv6 packets of the same chain know protocol and fragment late; here they are known now
    shared(asm, chain, At::Packet(Kind::Four), &at_once(Kind::Four), exits.reject);
    store_header(asm, chain, Kind::Four);
    if !chain.uses(&TRANSPORT) {
        return asm.jump(exits.chain);
    }
    if !ports_only(chain) {
        mark_absent(asm, chain, &TRANSPORT);
    }
    let (away, _) = exits.without(chain, &TRANSPORT);
    let later = ValueSet::single(Value::number(fragment::LATER));
    if chain.shared_set(Field::Fragment).is_none_or(|s| s.intersects(&later)) {
        asm.op(LD_H_IND, 20);
        asm.when(JSET_K, 0x1fff, away);
    }
    let load_proto = |asm: &mut Assembler| asm.op(LD_B_IND, 23);
    transport(asm, chain, exits, ICMP, load_proto, |asm| {
        asm.op(LD_B_IND, 14);
        asm.op(AND_K, 0xf);
        asm.op(LSH_K, 2);
        asm.op(ADD_X, 0);
        asm.op(TAX, 0);
    });
}

/// IPv6, X being the offset of the header less 14.
pub(super) fn ipv6(asm: &mut Assembler, chain: &Chain, exits: &Exits) {
    let (away, falls) = exits.without(chain, &BEHIND_EXTENSIONS);
    let (_, late_falls) = exits.without(chain, &TRANSPORT);
    if !(exits.may_fall_without_ip && late_falls) {
        has(asm, 54, (exits.no_ip, exits.may_fall_without_ip));
    }
    asm.op(LD_B_IND, 14);
    asm.op(AND_K, 0xf0);
    asm.unless(JEQ_K, 0x60, exits.no_ip);
    shared(asm, chain, At::Packet(Kind::Six), &at_once(Kind::Six), exits.reject);
    store_header(asm, chain, Kind::Six);
    if !chain.uses(&BEHIND_EXTENSIONS) {
        return asm.jump(exits.chain);
    }
    if ports_only(chain) {
        mark_absent(asm, chain, &[Field::Proto, Field::Fragment]);
    } else {
        mark_absent(asm, chain, &BEHIND_EXTENSIONS);
    }
    if let Some(slot) = chain.pending {
        asm.op(LD_IMM, fragment::NO as u32);
        asm.op(ST, slot);
    }
    asm.op(LD_B_IND, 20);
    asm.op(ST, chain.temporary);
    asm.op(TXA, 0);
    asm.op(ADD_K, 40);
    asm.op(TAX, 0);
    asm.op(LD_MEM, chain.temporary);
    let (done, later) = (asm.label(), asm.label());
    for common in [TCP, 17, ICMPV6] {
        asm.when(JEQ_K, u32::from(common), done);
    }
    for _ in 0..MAX_EXTENSIONS {
        extension(asm, chain, done, later, (away, falls));
    }
    last_extension(asm, done, later, (away, falls));
    asm.place(later);
    later_fragment(asm, chain, exits);
    asm.place(done);
    if let Some(slot) = chain.slot(Field::Proto, 0) {
        asm.op(ST, slot);
    }
    shared_proto(asm, chain, exits.reject);
    if let (Some(pending), Some(slot)) = (chain.pending, chain.slot(Field::Fragment, 0)) {
        asm.op(ST, chain.temporary);
        asm.op(LD_MEM, pending);
        asm.op(ST, slot);
        asm.op(LD_MEM, chain.temporary);
    }
    if !chain.uses(&TRANSPORT) {
        return asm.jump(exits.chain);
    }
    // the last header's type is in A, and X is behind it
    transport(asm, chain, exits, ICMPV6, |_| {}, |_| {});
}

/// Tests A, the protocol, where all alternatives do.
fn shared_proto(asm: &mut Assembler, chain: &Chain, reject: Label) {
    if let Some(set) = chain.shared_set(Field::Proto) {
        let next = asm.label();
        let domain = Domain { most: 255, optional: false };
        test_word(asm, set, domain, Lookup::InOrder, next, reject);
        asm.place(next);
    }
}

/// Extension headers other than fragment and authentication.
const PLAIN: [u32; 6] = [0, 43, 60, 135, 139, 140];

/// Walks through one extension header, whose number is in A, if it is one; X is its offset less 14.
fn extension(asm: &mut Assembler, chain: &Chain, done: Label, later: Label, away: (Label, bool)) {
    let (plain, piece, security) = (asm.label(), asm.label(), asm.label());
    let (advance, next) = (asm.label(), asm.label());
    asm.when(JEQ_K, 44, piece);
    asm.when(JEQ_K, 51, security);
    for number in PLAIN {
        asm.when(JEQ_K, number, plain);
    }
    asm.jump(done);
    for (label, unit, shift) in [(plain, 1, 3), (security, 2, 2)] {
        asm.place(label);
        has(asm, 22, away);
        asm.op(LD_B_IND, 14);
        asm.op(ST, chain.temporary);
        asm.op(LD_B_IND, 15);
        asm.op(ADD_K, unit);
        asm.op(LSH_K, shift);
        asm.jump(advance);
    }
    asm.place(piece);
    has(asm, 22, away);
    asm.op(LD_H_IND, 16);
    asm.when(JSET_K, 0xfff8, later);
    if let Some(slot) = chain.pending {
        let whole = asm.label();
        asm.unless(JSET_K, 1, whole);
        asm.op(LD_IMM, fragment::FIRST as u32);
        asm.op(ST, slot);
        asm.place(whole);
    }
    asm.op(LD_B_IND, 14);
    asm.op(ST, chain.temporary);
    asm.op(LD_IMM, 8);
    asm.place(advance);
    asm.op(ADD_X, 0);
    asm.op(TAX, 0);
    asm.op(LD_MEM, chain.temporary);
    asm.place(next);
}

/// One extension header too many hides what is behind it, but for the fragment field.
fn last_extension(asm: &mut Assembler, done: Label, later: Label, away: (Label, bool)) {
    let piece = asm.label();
    asm.when(JEQ_K, 44, piece);
    for number in PLAIN.into_iter().chain([51]) {
        asm.when(JEQ_K, number, away.0);
    }
    asm.jump(done);
    asm.place(piece);
    has(asm, 22, away);
    asm.op(LD_H_IND, 16);
    asm.branch(JSET_K, 0xfff8, later, away.0);
}

/// A later fragment has a protocol, that of its header, and nothing behind it. X is the offset of the header.
fn later_fragment(asm: &mut Assembler, chain: &Chain, exits: &Exits) {
    let (away, _) = exits.without(chain, &TRANSPORT);
    if chain.uses(&[Field::Proto]) {
        asm.op(LD_B_IND, 14);
        if let Some(slot) = chain.slot(Field::Proto, 0) {
            asm.op(ST, slot);
        }
        shared_proto(asm, chain, exits.reject);
    }
    if let Some(slot) = chain.slot(Field::Fragment, 0) {
        asm.op(LD_IMM, fragment::LATER as u32);
        asm.op(ST, slot);
    }
    asm.jump(away);
}

/// Ports, flags, ICMP type and code. `load_proto` loads the protocol into A, `to_header` lets X point to the transport
/// header, less 14.
fn transport(
    asm: &mut Assembler,
    chain: &Chain,
    exits: &Exits,
    icmp: u8,
    load_proto: impl Fn(&mut Assembler),
    to_header: impl Fn(&mut Assembler),
) {
    let (away, _) = exits.without(chain, &TRANSPORT);
    let possible =
        |p: u8| chain.shared_set(Field::Proto).is_none_or(|s| s.contains(Value::number(u128::from(p))));
    let flags = chain.uses(&[Field::TcpFlags]) && possible(TCP);
    let with_ports: Vec<u8> = PORT_PROTOCOLS
        .into_iter()
        .filter(|p| possible(*p) && !(flags && *p == TCP))
        .filter(|_| chain.uses(&[Field::SrcPort, Field::DstPort]))
        .collect();
    let with_icmp = chain.uses(&[Field::IcmpType, Field::IcmpCode]) && possible(icmp);
    let (ports, tcp, message) = (asm.label(), asm.label(), asm.label());
    let ways: Vec<(u8, Label)> = with_ports
        .iter()
        .map(|p| (*p, ports))
        .chain(flags.then_some((TCP, tcp)))
        .chain(with_icmp.then_some((icmp, message)))
        .collect();
    // where the shared test leaves only one, it need not be asked again
    let settled = |p: u8| {
        chain.shared_set(Field::Proto).is_some_and(|s| s.as_single() == Some(Value::number(p.into())))
    };
    match ways.as_slice() {
        [(p, way)] if settled(*p) => asm.jump(*way),
        _ => {
            load_proto(asm);
            for (p, way) in &ways {
                asm.when(JEQ_K, u32::from(*p), *way);
            }
            asm.jump(away);
        }
    }
    if flags {
        asm.place(tcp);
        to_header(asm);
        load_ports(asm, chain, exits);
        let octets = exits.without(chain, &TRANSPORT[2..]);
        has(asm, 28, octets);
        fetch(asm, chain, LD_B_IND, 27, Field::TcpFlags);
        asm.jump(exits.chain);
    }
    if with_icmp {
        asm.place(message);
        to_header(asm);
        has(asm, 15, exits.without(chain, &TRANSPORT));
        fetch(asm, chain, LD_B_IND, 14, Field::IcmpType);
        if chain.uses(&[Field::IcmpCode]) {
            let no_code = [Field::SrcPort, Field::DstPort, Field::TcpFlags, Field::IcmpCode];
            has(asm, 16, exits.without(chain, &no_code));
            fetch(asm, chain, LD_B_IND, 15, Field::IcmpCode);
        }
        asm.jump(exits.chain);
    }
    if !with_ports.is_empty() {
        asm.place(ports);
        to_header(asm);
        load_ports(asm, chain, exits);
        asm.jump(exits.chain);
    }
}

fn fetch(asm: &mut Assembler, chain: &Chain, code: u16, at: u32, field: Field) {
    if let Some(slot) = chain.slot(field, 0) {
        asm.op(code, at);
        asm.op(ST, slot);
    }
}

/// Loads both ports, where both are there.
fn load_ports(asm: &mut Assembler, chain: &Chain, exits: &Exits) {
    let (away, falls) = exits.without(chain, &TRANSPORT);
    // the load of the destination port itself falls
    if !(falls && chain.uses(&[Field::DstPort])) {
        has(asm, 18, (away, falls));
    }
    fetch(asm, chain, LD_H_IND, 14, Field::SrcPort);
    fetch(asm, chain, LD_H_IND, 16, Field::DstPort);
}
