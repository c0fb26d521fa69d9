//! The system call bpf(2), as far as sending needs it: arrays that are mapped into the process, XDP programs, and running
//! them on live frames (linux/bpf.h).
//!
//! The loader of meters (`meters::ebpf`) is for programs of the back end `ebpf`; neither crate knows the other.

use crate::tx::mapping::Mapping;
use csn::ebpf::{Assembler, INSTRUCTION_OCTETS, code};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// `union bpf_attr`, of which each command knows a part: fields by their offsets there.
#[derive(Default)]
struct Attributes([u64; 16]);

impl Attributes {
    fn word(mut self, at: usize, value: u32) -> Self {
        let shift = if cfg!(target_endian = "little") == at.is_multiple_of(8) { 0 } else { 32 };
        self.0[at / 8] |= u64::from(value) << shift;
        self
    }

    fn pointer<T>(mut self, at: usize, to: &[T]) -> Self {
        self.0[at / 8] = to.as_ptr() as usize as u64;
        self
    }

    /// Calls the kernel.
    ///
    /// # Safety
    /// What the pointers lead to lives for the call and is as large as the attributes say.
    unsafe fn call(mut self, command: libc::c_int) -> Result<RawFd, Errno> {
        // SAFETY: the kernel stays within the attributes; their pointers are the caller's promise.
        let answer =
            unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_mut_ptr(), size_of_val(&self.0)) };
        Errno::result(answer).map(|fd| fd as RawFd)
    }
}

fn owned(fd: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made the descriptor, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// An array map that the process and programs share.
pub(crate) struct SharedArray {
    pub(crate) map: Mapping,
    fd: OwnedFd,
}

impl SharedArray {
    /// An array of so many values of so many bytes, a multiple of 8; all zeros.
    pub(crate) fn create(value_size: usize, entries: usize) -> io::Result<Self> {
        const MAP_CREATE: libc::c_int = 0;
        const ARRAY: u32 = 2;
        const MMAPABLE: u32 = 1 << 10;
        let attributes = Attributes::default()
            .word(0, ARRAY)
            .word(4, 4)
            .word(8, value_size as u32)
            .word(12, entries as u32)
            .word(16, MMAPABLE);
        // SAFETY: there are no pointers.
        let fd = owned(unsafe { attributes.call(MAP_CREATE) }?);
        let map = Mapping::of(fd.as_raw_fd(), 0, value_size * entries)?;
        Ok(Self { map, fd })
    }
}

/// An XDP program in the kernel.
pub(crate) struct Program(OwnedFd);

impl Program {
    /// Loads what the assembler holds; its maps by number are `maps`. The kernel's reason is told where it refuses.
    pub(crate) fn load(assembler: Assembler, maps: &[&SharedArray]) -> io::Result<Self> {
        let (mut instructions, relocations, _) = assembler.finish();
        for r in &relocations {
            instructions[r.instruction].imm = maps[r.map].fd.as_raw_fd();
        }
        let bytes: Vec<u8> = instructions.iter().flat_map(|i| i.to_bytes()).collect();
        let mut log = vec![0u8; 1 << 16];
        match Self::try_load(&bytes, &mut []) {
            Ok(program) => Ok(program),
            Err(Errno::EINVAL | Errno::EACCES) => match Self::try_load(&bytes, &mut log) {
                Ok(program) => Ok(program),
                Err(errno) => {
                    let text = String::from_utf8_lossy(&log);
                    let said: Vec<&str> = text.trim_end_matches('\0').trim().lines().collect();
                    let end = said[said.len().saturating_sub(8)..].join("; ");
                    Err(io::Error::other(format!("the kernel refuses a program: {errno}: {end}")))
                }
            },
            Err(errno) => Err(errno.into()),
        }
    }

    fn try_load(bytes: &[u8], log: &mut [u8]) -> Result<Self, Errno> {
        const PROG_LOAD: libc::c_int = 5;
        const XDP: u32 = 6;
        let mut attributes = Attributes::default()
            .word(0, XDP)
            .word(4, (bytes.len() / INSTRUCTION_OCTETS) as u32)
            .pointer(8, bytes)
            .pointer(16, b"Dual MIT/GPL\0");
        if !log.is_empty() {
            attributes = attributes.word(24, 1).word(28, log.len() as u32).pointer(32, log);
        }
        // SAFETY: code and licence live for the call, with the stated length and a zero at the end; the kernel writes
        // to the log, which is borrowed mutably, within its length.
        unsafe { attributes.call(PROG_LOAD) }.map(|fd| Self(owned(fd)))
    }

    /// Runs the program on frames that go where it sends them, `repeat` times, in batches; each is `frame` at first.
    /// A signal ends it with `EINTR`.
    pub(crate) fn run_live(&self, frame: &[u8], repeat: u32, batch: u32) -> Result<(), Errno> {
        const PROG_TEST_RUN: libc::c_int = 10;
        const LIVE_FRAMES: u32 = 1 << 1;
        let attributes = Attributes::default()
            .word(0, self.0.as_raw_fd() as u32)
            .word(8, frame.len() as u32)
            .pointer(16, frame)
            .word(32, repeat)
            .word(64, LIVE_FRAMES)
            .word(72, batch);
        // SAFETY: the frame lives for the call and has the stated length.
        unsafe { attributes.call(PROG_TEST_RUN) }.map(drop)
    }

    /// Attaches the program to what an interface of this network namespace receives.
    fn attach(&self, index: u32) -> Result<OwnedFd, Errno> {
        const LINK_CREATE: libc::c_int = 28;
        const XDP_HOOK: u32 = 37;
        let attributes =
            Attributes::default().word(0, self.0.as_raw_fd() as u32).word(4, index).word(8, XDP_HOOK);
        // SAFETY: there are no pointers.
        unsafe { attributes.call(LINK_CREATE) }.map(owned)
    }
}

/// What an XDP program does with every frame that an interface receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The kernel gets it as ever.
    Pass,
    /// It is gone.
    Drop,
}

/// An XDP program on a receiving interface, until it is dropped. A veth end receives frames of other XDP programs only
/// when it has one itself.
#[derive(Debug)]
pub struct OnReceive {
    _link: OwnedFd,
}

impl OnReceive {
    /// Attaches such a program to an interface of this network namespace.
    ///
    /// # Errors
    /// Where there is no such interface, it has a program already, or the process may not (root may).
    pub fn attach(interface: &str, verdict: Verdict) -> io::Result<Self> {
        let index = nix::net::if_::if_nametoindex(interface)?;
        let answer = match verdict {
            Verdict::Pass => 2,
            Verdict::Drop => 1,
        };
        let mut assembler = Assembler::default();
        assembler.op_k(code::MOV_K, 0, 0, answer);
        assembler.op_k(code::EXIT, 0, 0, 0);
        let program = Program::load(assembler, &[])?;
        Ok(Self { _link: program.attach(index)? })
    }
}
