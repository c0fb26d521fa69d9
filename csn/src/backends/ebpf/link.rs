//! From the start of the frame to the IP header: link header, VLAN tags, MPLS labels.

use super::chain::{ABSENT, place};
use super::writer::{AT, CTX, END, KEY, R0, R1, R2, TURNS, Writer};
use crate::ebpf::{Label, code::*};
use crate::field::Field;
use crate::packet::{IPV4, IPV6, MAX_LABELS, MAX_TAGS, MPLS_TYPES, VLAN_TYPES};

/// Where `struct xdp_md` and `struct __sk_buff` have what (linux/bpf.h).
pub(super) mod context {
    use crate::ebpf::Hook;

    /// Octets of the packet; traffic control only.
    pub(in super::super) const LENGTH: i16 = 0;
    const VLAN_PRESENT: i16 = 20;
    const VLAN_TCI: i16 = 24;

    /// Start and end of what can be read of the packet.
    pub(in super::super) const fn data(hook: Hook) -> (i16, i16) {
        match hook {
            Hook::Xdp => (0, 4),
            Hook::Tc => (76, 80),
        }
    }

    /// Index of the interface that received the packet.
    pub(in super::super) const fn interface(hook: Hook) -> i16 {
        match hook {
            Hook::Xdp => 12,
            Hook::Tc => 36,
        }
    }

    /// Whether there is a VLAN tag beside the frame, and its control field.
    pub(in super::super) const fn tag(hook: Hook) -> Option<(i16, i16)> {
        match hook {
            Hook::Xdp => None,
            Hook::Tc => Some((VLAN_PRESENT, VLAN_TCI)),
        }
    }
}

/// Packets that reach farther are cut off; none can, by the most headers of each kind that are walked through.
const MOST_OFFSET: i32 = 0x7fff;

/// Ways out of the link layer.
pub(super) struct Ways {
    /// An IPv4 header at AT, perhaps.
    pub(super) ipv4: Label,
    /// An IPv6 header at AT, perhaps.
    pub(super) ipv6: Label,
    /// MPLS labels make a difference: they are a field, or there is IP behind them.
    pub(super) mpls: bool,
    /// No IP header.
    pub(super) no_ip: Label,
    /// The frame ends within a header, or is too short for a link header.
    pub(super) cut: Label,
    pub(super) stub: Label,
}

impl Writer {
    /// Goes away where fewer than `octets` are left at AT.
    pub(super) fn needs(&mut self, octets: i16, away: Label) {
        self.asm.op(MOV_X, R0, AT, 0);
        self.asm.op_k(ADD_K, R0, 0, i32::from(octets));
        self.asm.branch(JGT_X, R0, END, away);
    }

    /// Loads a number at AT. Uses no other register.
    pub(super) fn number(&mut self, to: u8, octets: i16, at: i16) {
        let (code, bits) = match octets {
            1 => return self.asm.op(LDX_B, to, AT, at),
            2 => (LDX_H, 16),
            4 => (LDX_W, 32),
            _ => (LDX_DW, 64),
        };
        self.asm.op(code, to, AT, at);
        self.asm.op_k(TO_BE, to, 0, bits);
    }

    /// Stores a field of 32 bits.
    pub(super) fn keep(&mut self, field: Field, from: u8) {
        self.asm.op(STX_W, KEY, from, place(field));
    }

    /// Stores that the packet has none of the fields, as far as they are used.
    pub(super) fn absent(&mut self, fields: &[Field], uses: impl Fn(Field) -> bool) {
        for field in fields.iter().filter(|f| uses(**f)) {
            self.asm.op_k(ST_W, KEY, place(*field), ABSENT as i32);
        }
    }

    /// Makes the verifier forget how AT came about, as otherwise it follows each way by itself: AT is any place in
    /// the packet afterwards.
    pub(super) fn forget_way(&mut self, away: Label) {
        let (data, _) = context::data(self.hook);
        self.asm.op(MOV_X, R0, AT, 0);
        self.asm.op(LDX_W, AT, CTX, data);
        self.asm.op(SUB_X, R0, AT, 0);
        self.asm.branch_k(JGT_K, R0, MOST_OFFSET, away);
        self.asm.op(ADD_X, AT, R0, 0);
    }

    /// The link header and VLAN tags.
    pub(super) fn link(&mut self, ways: &Ways, uses: impl Fn(Field) -> bool + Copy) {
        let (data, end) = context::data(self.hook);
        self.asm.comment("link header");
        self.asm.op(LDX_W, AT, CTX, data);
        self.asm.op(LDX_W, END, CTX, end);
        if uses(Field::Interface) {
            self.asm.op(LDX_W, R0, CTX, context::interface(self.hook));
            self.keep(Field::Interface, R0);
        }
        self.needs(14, ways.stub);
        for (field, at) in [(Field::DstMac, 0), (Field::SrcMac, 6)] {
            if uses(field) {
                self.number(R1, 4, at);
                self.number(R2, 2, at + 4);
                self.asm.op_k(LSH_K, R1, 0, 16);
                self.asm.op(OR_X, R1, R2, 0);
                self.asm.op(STX_DW, KEY, R1, place(field));
            }
        }
        self.absent(&[Field::EtherType, Field::Vlan, Field::Mpls], uses);
        self.number(R1, 2, 12);
        self.asm.op_k(ADD_K, AT, 0, 14);
        self.tags(ways, uses);
        self.asm.comment("what is behind the tags");
        if uses(Field::EtherType) {
            self.keep(Field::EtherType, R1);
        }
        self.asm.branch_k(JEQ_K, R1, i32::from(IPV4), ways.ipv4);
        self.asm.branch_k(JEQ_K, R1, i32::from(IPV6), ways.ipv6);
        if ways.mpls {
            let labels = self.asm.label();
            for kind in MPLS_TYPES {
                self.asm.branch_k(JEQ_K, R1, i32::from(kind), labels);
            }
            self.asm.jump(ways.no_ip);
            self.asm.place(labels);
            self.labels(ways, uses(Field::Mpls));
        } else {
            self.asm.jump(ways.no_ip);
        }
    }

    /// VLAN tags; R1 is the EtherType, before and after.
    fn tags(&mut self, ways: &Ways, uses: impl Fn(Field) -> bool) {
        let typed = self.asm.label();
        let levels: Vec<Label> = (0..=MAX_TAGS).map(|_| self.asm.label()).collect();
        if let Some((present, control)) = context::tag(self.hook) {
            self.asm.comment("the tag that the kernel has taken out of the frame");
            self.asm.op(LDX_W, R0, CTX, present);
            self.asm.branch_k(JEQ_K, R0, 0, levels[0]);
            if uses(Field::Vlan) {
                self.asm.op(LDX_W, R0, CTX, control);
                self.asm.op_k(AND_K, R0, 0, 0xfff);
                self.keep(Field::Vlan, R0);
            }
            self.asm.jump(levels[1]);
        }
        for (level, here) in levels[..MAX_TAGS].iter().enumerate() {
            self.asm.place(*here);
            let tag = self.asm.label();
            if level == 0 {
                self.asm.branch_k(JEQ_K, R1, i32::from(IPV4), typed);
            }
            for kind in VLAN_TYPES {
                self.asm.branch_k(JEQ_K, R1, i32::from(kind), tag);
            }
            self.asm.jump(typed);
            self.asm.place(tag);
            self.asm.comment(format!("VLAN tag {}", level + 1));
            if level == 0 && uses(Field::Vlan) {
                self.needs(2, ways.cut);
                self.number(R0, 2, 0);
                self.asm.op_k(AND_K, R0, 0, 0xfff);
                self.keep(Field::Vlan, R0);
            }
            self.needs(4, ways.cut);
            self.number(R1, 2, 2);
            self.asm.op_k(ADD_K, AT, 0, 4);
        }
        self.asm.place(levels[MAX_TAGS]);
        self.asm.place(typed);
    }

    /// The label stack; the first nibble behind it tells what follows (RFC 4928).
    fn labels(&mut self, ways: &Ways, field: bool) {
        let (entry, bottom) = (self.asm.label(), self.asm.label());
        self.asm.comment("MPLS labels");
        if field {
            self.needs(4, ways.cut);
            self.number(R1, 4, 0);
            self.asm.op_k(RSH_K, R1, 0, 12);
            self.keep(Field::Mpls, R1);
        }
        self.asm.op_k(MOV_K, TURNS, 0, MAX_LABELS as i32);
        self.asm.place(entry);
        self.needs(4, ways.cut);
        self.number(R1, 4, 0);
        self.asm.op_k(ADD_K, AT, 0, 4);
        self.asm.branch_k(JSET_K, R1, 0x100, bottom);
        self.asm.op_k(ADD_K, TURNS, 0, -1);
        self.asm.branch_k(JNE_K, TURNS, 0, entry);
        self.asm.jump(ways.no_ip);
        self.asm.place(bottom);
        self.forget_way(ways.cut);
        self.needs(1, ways.cut);
        self.number(R1, 1, 0);
        self.asm.op_k(RSH_K, R1, 0, 4);
        self.asm.branch_k(JEQ_K, R1, 4, ways.ipv4);
        self.asm.branch_k(JEQ_K, R1, 6, ways.ipv6);
        self.asm.jump(ways.no_ip);
    }
}
