//! Code that walks through the link header, VLAN tags and MPLS labels to the IP header.

use super::assemble::{Assembler, Label};
use super::sets::ABSENT;
use crate::cbpf::{ancillary, code::*};
use crate::packet::{IPV4, IPV6, MAX_LABELS, MAX_TAGS, MPLS_TYPES, VLAN_TYPES};

/// Where the code leads, and which scratch words it fills.
#[derive(Clone, Copy)]
pub(super) struct Link {
    /// IPv4, X being the offset of its header less 14.
    pub(super) ipv4: Label,
    /// IPv6, likewise.
    pub(super) ipv6: Label,
    /// MPLS, where it matters.
    pub(super) mpls: Label,
    /// No IP header.
    pub(super) no_ip: Label,
    /// Whether a load behind the end of the packet, which rejects it, is right where there is no IP header.
    pub(super) may_fall: bool,
    /// Whether the kernel holds the outer tag beside the frame.
    pub(super) live: bool,
    /// Scratch words of EtherType, VLAN and MPLS label.
    pub(super) ethertype: Option<u32>,
    pub(super) vlan: Option<u32>,
    pub(super) label: Option<u32>,
    /// Free for numbers on the way.
    pub(super) temporary: u32,
}

impl Link {
    /// The link header and its tags.
    pub(super) fn header(&self, asm: &mut Assembler) {
        let slots: Vec<u32> = [self.ethertype, self.vlan, self.label].into_iter().flatten().collect();
        if !slots.is_empty() {
            asm.op(LD_IMM, ABSENT);
            slots.into_iter().for_each(|s| asm.op(ST, s));
        }
        if let Some(slot) = self.vlan.filter(|_| self.live) {
            let untagged = asm.label();
            asm.op(LD_W_ABS, ancillary::VLAN_TAG_PRESENT);
            asm.when(JEQ_K, 0, untagged);
            asm.op(LD_W_ABS, ancillary::VLAN_TAG);
            asm.op(AND_K, 0xfff);
            asm.op(ST, slot);
            asm.place(untagged);
        }
        let mut tagged = asm.label();
        asm.op(LD_H_ABS, 12);
        self.level(asm, 0, tagged);
        for tag in 1..=MAX_TAGS as u32 {
            asm.place(tagged);
            tagged = asm.label();
            self.tag(asm, tag);
            self.level(asm, tag, tagged);
        }
    }

    /// Makes sure that the packet is so long.
    fn reaches(&self, asm: &mut Assembler, octets: u32) {
        if !self.may_fall {
            asm.op(LD_LEN, 0);
            asm.unless(JGE_K, octets, self.no_ip);
        }
    }

    /// The tag in front of which there are `tag - 1` others. Leaves the type behind it in A.
    fn tag(&self, asm: &mut Assembler, tag: u32) {
        let at = 10 + 4 * tag;
        if self.live && tag == MAX_TAGS as u32 {
            // the tag beside the frame is one more: this one is not looked into
            let inside = asm.label();
            asm.op(LD_W_ABS, ancillary::VLAN_TAG_PRESENT);
            asm.when(JEQ_K, 0, inside);
            asm.op(LD_H_ABS, at - 2);
            if let Some(slot) = self.ethertype {
                asm.op(ST, slot);
            }
            asm.jump(self.no_ip);
            asm.place(inside);
        }
        if let Some(slot) = self.vlan.filter(|_| tag == 1) {
            let known = asm.label();
            self.reaches(asm, at + 2);
            if self.live {
                asm.op(LD_MEM, slot);
                asm.unless(JEQ_K, ABSENT, known);
            }
            asm.op(LD_H_ABS, at);
            asm.op(AND_K, 0xfff);
            asm.op(ST, slot);
            asm.place(known);
        }
        self.reaches(asm, at + 4);
        asm.op(LD_H_ABS, at + 2);
    }

    /// What follows `tags` tags, by the type in A.
    fn level(&self, asm: &mut Assembler, tags: u32, tagged: Label) {
        asm.op(LDX_IMM, 4 * tags);
        if self.ethertype.is_none() {
            // the usual first
            self.network(asm);
        }
        if tags < MAX_TAGS as u32 {
            for kind in VLAN_TYPES {
                asm.when(JEQ_K, u32::from(kind), tagged);
            }
        }
        if let Some(slot) = self.ethertype {
            asm.op(ST, slot);
            self.network(asm);
        }
        asm.jump(self.no_ip);
    }

    fn network(&self, asm: &mut Assembler) {
        let types =
            [(IPV4, self.ipv4), (IPV6, self.ipv6), (MPLS_TYPES[0], self.mpls), (MPLS_TYPES[1], self.mpls)];
        for (kind, way) in types {
            if way != self.no_ip {
                asm.when(JEQ_K, u32::from(kind), way);
            }
        }
    }

    /// The stack of labels, X being its offset less 14.
    pub(super) fn labels(&self, asm: &mut Assembler) {
        let bottom = asm.label();
        let exits: Vec<Label> = (0..MAX_LABELS).map(|_| asm.label()).collect();
        if !self.may_fall {
            asm.op(LD_LEN, 0);
            asm.op(SUB_X, 0);
            asm.op(ST, self.temporary);
        }
        for (i, exit) in (0u32..).zip(&exits) {
            if !self.may_fall {
                asm.op(LD_MEM, self.temporary);
                asm.unless(JGE_K, 18 + 4 * i, self.no_ip);
            }
            asm.op(LD_W_IND, 14 + 4 * i);
            if let Some(slot) = self.label.filter(|_| i == 0) {
                asm.op(RSH_K, 12);
                asm.op(ST, slot);
                asm.op(LD_W_IND, 14);
            }
            asm.when(JSET_K, 0x100, *exit);
        }
        asm.jump(self.no_ip);
        for (i, exit) in (1u32..).zip(exits) {
            asm.place(exit);
            asm.op(LD_IMM, 4 * i);
            asm.jump(bottom);
        }
        asm.place(bottom);
        asm.op(ADD_X, 0);
        asm.op(TAX, 0);
        if !self.may_fall {
            asm.op(LD_LEN, 0);
            asm.unless(JGT_X, 0, self.no_ip);
            asm.op(SUB_X, 0);
            asm.unless(JGE_K, 15, self.no_ip);
        }
        // the first four bits tell what follows
        asm.op(LD_B_IND, 14);
        asm.op(AND_K, 0xf0);
        asm.when(JEQ_K, 0x40, self.ipv4);
        asm.when(JEQ_K, 0x60, self.ipv6);
        asm.jump(self.no_ip);
    }
}
