//! The XDP program that sends: each time it runs on a frame, it makes it the next one of the ring and redirects it.
//!
//! The ring's entries are in the order of the plan. Where packets have send times the program does nothing until the
//! next is due, so time is kept where the frame leaves; it notices itself when it was kept from running.

use crate::send::INTERRUPTED;
use csn::ebpf::{Assembler, Label, code, helper};

/// Entries of the ring; a power of two. Few enough to stay in the cache, and some milliseconds at the highest rate.
pub(super) const ENTRIES: usize = 1 << 14;
/// Octets that the program writes by itself; what is beyond, the kernel copies.
pub(super) const INLINE: usize = 60;

/// What both sides know of each other: offsets in the control value. Each side writes lines of its own.
pub(super) mod control {
    /// Frames put into the ring; by the process.
    pub const HEAD: usize = 0;
    /// Frames sent; from here on by the program.
    pub const TAIL: usize = 64;
    /// When the program first ran, by the monotonic clock: send times count from here.
    pub const START: usize = 72;
    /// When it last ran, from the start.
    pub const SEEN: usize = 80;
    /// How often it was kept from running, how long in all, and how long at most.
    pub const INTERRUPTIONS: usize = 88;
    pub const INTERRUPTED_TOTAL: usize = 96;
    pub const INTERRUPTED_LONGEST: usize = 104;
    /// Whether it was since the last frame.
    pub const DISTURBED: usize = 112;
    /// Frames that could not be made; never, unless there is a mistake here.
    pub const BROKEN: usize = 120;
    pub const SIZE: usize = 128;
}

/// Offsets in an entry of the ring.
pub(super) mod entry {
    /// When it is due, from the start.
    pub const DUE: usize = 0;
    /// When it left, from the start.
    pub const SENT: usize = 8;
    /// Set in `SENT` where the program was kept from running before.
    pub const DISTURBED_BIT: u32 = 63;
    /// How much shorter than the longest it is: a negative number of 32 bits.
    pub const SHORTER: usize = 16;
    /// Octets behind the first [`super::INLINE`] to be copied.
    pub const MORE: usize = 20;
    pub const FRAME: usize = 24;
}

/// Maps by number.
const CONTROL: usize = 0;
const RING: usize = 1;

/// Helper functions of the kernel that nothing else here needs.
const KTIME_GET_NS: i32 = 5;
const REDIRECT: i32 = 23;
const XDP_ADJUST_TAIL: i32 = 65;
const XDP_STORE_BYTES: i32 = 190;
const XDP_DROP: i32 = 1;

// registers that calls leave alone
const CONTEXT: u8 = 6;
const TAIL: u8 = 7;
const ENTRY: u8 = 8;
const SHARED: u8 = 9;
const STACK: u8 = 10;

/// The program for an interface and frames of up to `room` octets; with send times where `paced`.
pub(super) fn assemble(interface: u32, room: usize, paced: bool) -> Assembler {
    let mut asm = Assembler::default();
    let (idle, broken, send) = (asm.label(), asm.label(), asm.label());
    asm.op(code::MOV_X, CONTEXT, 1, 0);
    asm.map_value(SHARED, CONTROL, 0);
    if paced {
        look_at_the_clock(&mut asm);
    }
    next_entry(&mut asm, idle);
    if paced {
        wait_until_due(&mut asm, idle);
    } else {
        start_once(&mut asm);
    }
    write_frame(&mut asm, room, send, broken);

    asm.place(broken);
    increment(&mut asm, control::BROKEN);
    asm.place(send);
    asm.op_k(code::ADD_K, TAIL, 0, 1);
    asm.op(code::STX_DW, SHARED, TAIL, control::TAIL as i16);
    asm.op_k(code::MOV_K, 1, 0, interface as i32);
    asm.op_k(code::MOV_K, 2, 0, 0);
    asm.op_k(code::CALL, 0, 0, REDIRECT);
    asm.op_k(code::EXIT, 0, 0, 0);

    asm.place(idle);
    asm.op_k(code::MOV_K, 0, 0, XDP_DROP);
    asm.op_k(code::EXIT, 0, 0, 0);
    asm
}

fn increment(asm: &mut Assembler, at: usize) {
    asm.op(code::LDX_DW, 1, SHARED, at as i16);
    asm.op_k(code::ADD_K, 1, 0, 1);
    asm.op(code::STX_DW, SHARED, 1, at as i16);
}

/// Leaves the entry whose turn it is in its register; goes to `idle` where there is none.
fn next_entry(asm: &mut Assembler, idle: Label) {
    asm.op(code::LDX_DW, TAIL, SHARED, control::TAIL as i16);
    asm.op(code::LDX_DW, 1, SHARED, control::HEAD as i16);
    asm.branch(code::JEQ_X, TAIL, 1, idle);
    asm.op(code::MOV_X, 2, TAIL, 0);
    asm.op_k(code::AND_K, 2, 0, ENTRIES as i32 - 1);
    asm.op(code::STX_W, STACK, 2, -4);
    asm.op(code::MOV_X, 2, STACK, 0);
    asm.op_k(code::ADD_K, 2, 0, -4);
    asm.map(1, RING);
    asm.op_k(code::CALL, 0, 0, helper::MAP_LOOKUP);
    asm.branch_k(code::JEQ_K, 0, 0, idle);
    asm.op(code::MOV_X, ENTRY, 0, 0);
}

/// The start is when the first frame is sent.
fn start_once(asm: &mut Assembler) {
    let started = asm.label();
    asm.op(code::LDX_DW, 1, SHARED, control::START as i16);
    asm.branch_k(code::JNE_K, 1, 0, started);
    asm.op_k(code::CALL, 0, 0, KTIME_GET_NS);
    asm.op(code::STX_DW, SHARED, 0, control::START as i16);
    asm.place(started);
}

/// Takes the time since the start into `SEEN`, and notes whether it jumped.
fn look_at_the_clock(asm: &mut Assembler) {
    let (started, steady, shorter) = (asm.label(), asm.label(), asm.label());
    asm.op_k(code::CALL, 0, 0, KTIME_GET_NS);
    asm.op(code::LDX_DW, 1, SHARED, control::START as i16);
    asm.branch_k(code::JNE_K, 1, 0, started);
    asm.op(code::STX_DW, SHARED, 0, control::START as i16);
    asm.op(code::MOV_X, 1, 0, 0);
    asm.place(started);
    asm.op(code::SUB_X, 0, 1, 0);
    asm.op(code::LDX_DW, 2, SHARED, control::SEEN as i16);
    asm.op(code::STX_DW, SHARED, 0, control::SEEN as i16);
    asm.op(code::SUB_X, 0, 2, 0);
    asm.branch_k(code::JLE_K, 0, INTERRUPTED as i32, steady);
    increment(asm, control::INTERRUPTIONS);
    asm.op(code::LDX_DW, 1, SHARED, control::INTERRUPTED_TOTAL as i16);
    asm.op(code::ADD_X, 1, 0, 0);
    asm.op(code::STX_DW, SHARED, 1, control::INTERRUPTED_TOTAL as i16);
    asm.op(code::LDX_DW, 1, SHARED, control::INTERRUPTED_LONGEST as i16);
    asm.branch(code::JLE_X, 0, 1, shorter);
    asm.op(code::STX_DW, SHARED, 0, control::INTERRUPTED_LONGEST as i16);
    asm.place(shorter);
    asm.op_k(code::MOV_K, 1, 0, 1);
    asm.op_k(code::LSH_K, 1, 0, entry::DISTURBED_BIT as i32);
    asm.op(code::STX_DW, SHARED, 1, control::DISTURBED as i16);
    asm.place(steady);
}

/// Goes to `idle` before the entry's time; else takes down when it leaves.
fn wait_until_due(asm: &mut Assembler, idle: Label) {
    asm.op(code::LDX_DW, 1, SHARED, control::SEEN as i16);
    asm.op(code::LDX_DW, 2, ENTRY, entry::DUE as i16);
    asm.branch(code::JLT_X, 1, 2, idle);
    asm.op(code::LDX_DW, 2, SHARED, control::DISTURBED as i16);
    asm.op(code::OR_X, 1, 2, 0);
    asm.op(code::STX_DW, ENTRY, 1, entry::SENT as i16);
    asm.op_k(code::ST_DW, SHARED, control::DISTURBED as i16, 0);
}

/// Makes the frame at hand the entry's: its length, its first octets, and the rest where that differs from what lies
/// in the frame's memory since the start. Goes to `send`, or falls through where it cannot be.
fn write_frame(asm: &mut Assembler, room: usize, send: Label, broken: Label) {
    let (as_long, short) = (asm.label(), asm.label());
    asm.op(code::LDX_W, 2, ENTRY, entry::SHORTER as i16);
    asm.branch_k(code::JEQ_K, 2, 0, as_long);
    asm.op(code::MOV_X, 1, CONTEXT, 0);
    asm.op_k(code::CALL, 0, 0, XDP_ADJUST_TAIL);
    asm.branch_k(code::JNE_K, 0, 0, broken);
    asm.place(as_long);
    asm.op(code::LDX_W, 1, CONTEXT, 0);
    asm.op(code::LDX_W, 2, CONTEXT, 4);
    asm.op(code::MOV_X, 3, 1, 0);
    asm.op_k(code::ADD_K, 3, 0, INLINE as i32);
    asm.branch(code::JGT_X, 3, 2, short);
    let whole = INLINE / 8 * 8;
    for at in (0..whole).step_by(8) {
        asm.op(code::LDX_DW, 4, ENTRY, (entry::FRAME + at) as i16);
        asm.op(code::STX_DW, 1, 4, at as i16);
    }
    asm.op(code::LDX_W, 4, ENTRY, (entry::FRAME + whole) as i16);
    asm.op(code::STX_W, 1, 4, whole as i16);
    asm.op(code::LDX_W, 4, ENTRY, entry::MORE as i16);
    asm.branch_k(code::JEQ_K, 4, 0, send);
    if room > INLINE {
        asm.branch_k(code::JGT_K, 4, (room - INLINE) as i32, broken);
        store(asm, INLINE, send);
    }
    asm.jump(broken);

    asm.place(short);
    // the verifier does not follow differences of packet pointers, but the bounds that are tested
    asm.op(code::MOV_X, 4, 2, 0);
    asm.op(code::SUB_X, 4, 1, 0);
    asm.branch_k(code::JEQ_K, 4, 0, broken);
    asm.branch_k(code::JGT_K, 4, INLINE as i32, broken);
    store(asm, 0, send);
}

/// Copies as many octets as register 4 says, from `at` on.
fn store(asm: &mut Assembler, at: usize, done: Label) {
    asm.op(code::MOV_X, 1, CONTEXT, 0);
    asm.op_k(code::MOV_K, 2, 0, at as i32);
    asm.op(code::MOV_X, 3, ENTRY, 0);
    asm.op_k(code::ADD_K, 3, 0, (entry::FRAME + at) as i32);
    asm.op_k(code::CALL, 0, 0, XDP_STORE_BYTES);
    asm.branch_k(code::JEQ_K, 0, 0, done);
}
