//! IP headers and what is behind them.

use super::chain::{PENDING, TRANSPORT, place};
use super::writer::{AT, KEY, NEXT, R1, R2, TURNS, Writer};
use crate::ebpf::{Label, code::*};
use crate::field::Field;
use crate::packet::{
    BEHIND_EXTENSIONS, EXTENSIONS, ICMP, ICMPV6, MAX_EXTENSIONS, PORT_PROTOCOLS, TCP, UDP, fragment,
};

/// Ways out of an IP packet.
#[derive(Clone, Copy)]
pub(super) struct Exits {
    /// All that is there has been read.
    pub(super) chain: Label,
    /// The packet ends within a header behind the IP header.
    pub(super) cut: Label,
    /// There is no IP header.
    pub(super) no_ip: Label,
    /// The packet ends within the IP header.
    pub(super) cut_ip: Label,
}

/// The IPv6 extension headers for fragments and authentication, which have forms of their own.
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;

impl Writer {
    fn field(&mut self, uses: impl Fn(Field) -> bool, field: Field, octets: i16, at: i16) {
        if uses(field) {
            self.number(R1, octets, at);
            self.keep(field, R1);
        }
    }

    /// IPv4 (RFC 791) at AT.
    pub(super) fn ipv4(&mut self, exits: &Exits, uses: impl Fn(Field) -> bool + Copy) {
        let behind = TRANSPORT.into_iter().any(uses);
        self.asm.comment("IPv4 header");
        self.needs(20, exits.cut_ip);
        self.number(R1, 1, 0);
        self.asm.branch_k(JLT_K, R1, 0x45, exits.no_ip);
        self.asm.branch_k(JGT_K, R1, 0x4f, exits.no_ip);
        self.field(uses, Field::SrcIp, 4, 12);
        self.field(uses, Field::DstIp, 4, 16);
        self.field(uses, Field::Tos, 1, 1);
        if uses(Field::Dscp) {
            self.number(R1, 1, 1);
            self.asm.op_k(RSH_K, R1, 0, 2);
            self.keep(Field::Dscp, R1);
        }
        self.field(uses, Field::Ttl, 1, 8);
        self.field(uses, Field::Length, 2, 2);
        if behind || uses(Field::Proto) {
            self.number(NEXT, 1, 9);
        }
        if uses(Field::Proto) {
            self.keep(Field::Proto, NEXT);
        }
        self.absent(&TRANSPORT, uses);
        if behind || uses(Field::Fragment) {
            self.ipv4_fragment(exits, uses);
        }
        if behind {
            self.number(R1, 1, 0);
            self.asm.op_k(AND_K, R1, 0, 0xf);
            self.asm.op_k(LSH_K, R1, 0, 2);
            self.asm.op(ADD_X, AT, R1, 0);
            self.transport(ICMP, exits, uses);
        } else {
            self.asm.jump(exits.chain);
        }
    }

    /// Goes on where the packet is not a later fragment.
    fn ipv4_fragment(&mut self, exits: &Exits, uses: impl Fn(Field) -> bool) {
        self.number(R1, 2, 6);
        if !uses(Field::Fragment) {
            return self.asm.branch_k(JSET_K, R1, 0x1fff, exits.chain);
        }
        let (front, whole) = (self.asm.label(), self.asm.label());
        let at = place(Field::Fragment);
        self.asm.op_k(ST_W, KEY, at, fragment::LATER as i32);
        self.asm.branch_k(JSET_K, R1, 0x1fff, exits.chain);
        self.asm.op_k(ST_W, KEY, at, fragment::FIRST as i32);
        self.asm.branch_k(JSET_K, R1, 0x2000, front);
        self.asm.jump(whole);
        self.asm.place(whole);
        self.asm.op_k(ST_W, KEY, at, fragment::NO as i32);
        self.asm.place(front);
    }

    /// IPv6 (RFC 8200) at AT.
    pub(super) fn ipv6(&mut self, exits: &Exits, uses: impl Fn(Field) -> bool + Copy) {
        self.asm.comment("IPv6 header");
        self.needs(40, exits.cut_ip);
        self.number(R1, 1, 0);
        self.asm.op_k(RSH_K, R1, 0, 4);
        self.asm.branch_k(JNE_K, R1, 6, exits.no_ip);
        for (field, at) in [(Field::SrcIp, 8), (Field::DstIp, 24)] {
            for half in [0, 8].into_iter().filter(|_| uses(field)) {
                self.number(R1, 8, at + half);
                self.asm.op(STX_DW, KEY, R1, place(field) + half);
            }
        }
        for (field, shift, mask) in [(Field::Tos, 4, 0xff), (Field::Dscp, 6, 0x3f)] {
            if uses(field) {
                self.number(R1, 2, 0);
                self.asm.op_k(RSH_K, R1, 0, shift);
                self.asm.op_k(AND_K, R1, 0, mask);
                self.keep(field, R1);
            }
        }
        self.field(uses, Field::Ttl, 1, 7);
        if uses(Field::Length) {
            // the header counts too; the field has 16 bits
            let fits = self.asm.label();
            self.number(R1, 2, 4);
            self.asm.op_k(ADD_K, R1, 0, 40);
            self.asm.branch_k(JLE_K, R1, 0xffff, fits);
            self.asm.op_k(MOV_K, R1, 0, 0xffff);
            self.asm.place(fits);
            self.keep(Field::Length, R1);
        }
        if uses(Field::FlowLabel) {
            self.number(R1, 4, 0);
            self.asm.op_k(AND_K, R1, 0, 0xf_ffff);
            self.keep(Field::FlowLabel, R1);
        }
        if BEHIND_EXTENSIONS.into_iter().any(uses) {
            self.extensions(exits, uses);
        } else {
            self.asm.jump(exits.chain);
        }
    }

    /// Walks through the extension headers.
    fn extensions(&mut self, exits: &Exits, uses: impl Fn(Field) -> bool + Copy) {
        let [header, plain, piece, security, advance, later, done] = [(); 7].map(|()| self.asm.label());
        self.absent(&BEHIND_EXTENSIONS, uses);
        if uses(Field::Fragment) {
            self.asm.op_k(ST_W, KEY, PENDING, fragment::NO as i32);
        }
        self.number(NEXT, 1, 6);
        self.asm.op_k(ADD_K, AT, 0, 40);
        for common in [TCP, UDP, ICMPV6] {
            self.asm.branch_k(JEQ_K, NEXT, i32::from(common), done);
        }
        // one more than are walked through: the last may only tell that it is a later fragment
        self.asm.op_k(MOV_K, TURNS, 0, MAX_EXTENSIONS as i32 + 1);
        self.asm.place(header);
        self.asm.comment("IPv6 extension header");
        self.asm.branch_k(JEQ_K, NEXT, i32::from(FRAGMENT), piece);
        self.asm.branch_k(JEQ_K, NEXT, i32::from(AUTHENTICATION), security);
        for number in EXTENSIONS.into_iter().filter(|n| ![FRAGMENT, AUTHENTICATION].contains(n)) {
            self.asm.branch_k(JEQ_K, NEXT, i32::from(number), plain);
        }
        self.asm.jump(done);
        for (label, unit, shift) in [(plain, 1, 3), (security, 2, 2)] {
            self.asm.place(label);
            self.needs(8, exits.cut);
            self.number(R2, 1, 1);
            self.asm.op_k(ADD_K, R2, 0, unit);
            self.asm.op_k(LSH_K, R2, 0, shift);
            self.asm.jump(advance);
        }
        self.asm.place(piece);
        self.needs(8, exits.cut);
        self.number(R1, 2, 2);
        self.asm.branch_k(JSET_K, R1, 0xfff8, later);
        self.asm.op_k(MOV_K, R2, 0, 8);
        if uses(Field::Fragment) {
            let first = self.asm.label();
            self.asm.op_k(AND_K, R1, 0, 1);
            self.asm.branch_k(JEQ_K, R1, 0, advance);
            self.asm.place(first);
            self.asm.op_k(ST_W, KEY, PENDING, fragment::FIRST as i32);
        }
        self.asm.place(advance);
        self.number(NEXT, 1, 0);
        self.asm.op(ADD_X, AT, R2, 0);
        self.forget_way(exits.cut);
        self.asm.op_k(ADD_K, TURNS, 0, -1);
        self.asm.branch_k(JNE_K, TURNS, 0, header);
        self.asm.jump(exits.chain);
        self.asm.place(later);
        self.asm.comment("a later fragment");
        self.field(uses, Field::Proto, 1, 0);
        if uses(Field::Fragment) {
            self.asm.op_k(ST_W, KEY, place(Field::Fragment), fragment::LATER as i32);
        }
        self.asm.jump(exits.chain);
        self.asm.place(done);
        if uses(Field::Fragment) {
            self.asm.op(LDX_W, R1, KEY, PENDING);
            self.keep(Field::Fragment, R1);
        }
        if uses(Field::Proto) {
            self.keep(Field::Proto, NEXT);
        }
        if TRANSPORT.into_iter().any(uses) {
            self.transport(ICMPV6, exits, uses);
        } else {
            self.asm.jump(exits.chain);
        }
    }

    /// Ports, flags, ICMP type and code, at AT; the protocol is in NEXT.
    fn transport(&mut self, icmp: u8, exits: &Exits, uses: impl Fn(Field) -> bool + Copy) {
        let [ports, tcp, message] = [(); 3].map(|()| self.asm.label());
        let (with_ports, flags) = (uses(Field::SrcPort) || uses(Field::DstPort), uses(Field::TcpFlags));
        self.asm.comment("transport header");
        for proto in PORT_PROTOCOLS {
            let way = if proto == TCP && flags { tcp } else { ports };
            if with_ports || (proto == TCP && flags) {
                self.asm.branch_k(JEQ_K, NEXT, i32::from(proto), way);
            }
        }
        if uses(Field::IcmpType) || uses(Field::IcmpCode) {
            self.asm.branch_k(JEQ_K, NEXT, i32::from(icmp), message);
        }
        self.asm.jump(exits.chain);
        self.asm.place(message);
        self.needs(1, exits.cut);
        self.field(uses, Field::IcmpType, 1, 0);
        self.needs(2, exits.cut);
        self.field(uses, Field::IcmpCode, 1, 1);
        self.asm.jump(exits.chain);
        for (label, with_flags) in [(tcp, true), (ports, false)] {
            self.asm.place(label);
            self.needs(4, exits.cut);
            self.field(uses, Field::SrcPort, 2, 0);
            self.field(uses, Field::DstPort, 2, 2);
            if with_flags {
                self.needs(14, exits.cut);
                self.field(uses, Field::TcpFlags, 1, 13);
            }
            self.asm.jump(exits.chain);
        }
    }
}
