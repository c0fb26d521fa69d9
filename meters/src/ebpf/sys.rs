//! The system call bpf(2), as far as it is needed (linux/bpf.h).

use csn::ebpf::{Hook, INSTRUCTION_OCTETS, Map, MapKind};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// Commands.
const MAP_CREATE: libc::c_int = 0;
const MAP_LOOKUP_ELEM: libc::c_int = 1;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const LINK_CREATE: libc::c_int = 28;
const ENABLE_STATS: libc::c_int = 32;

/// `union bpf_attr` of MAP_CREATE.
#[repr(C)]
#[derive(Default)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
    numa_node: u32,
    map_name: [u8; 16],
}

/// `union bpf_attr` of MAP_LOOKUP_ELEM and MAP_UPDATE_ELEM.
#[repr(C)]
#[derive(Default)]
struct MapElement {
    map_fd: u32,
    _pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `union bpf_attr` of PROG_LOAD.
#[repr(C)]
#[derive(Default)]
struct ProgLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

/// `union bpf_attr` of PROG_TEST_RUN.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
}

/// `union bpf_attr` of LINK_CREATE.
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_ifindex: u32,
    attach_type: u32,
    flags: u32,
    // options of the attachment: none, the longest of them is that of tcx
    _options: [u32; 4],
}

/// `union bpf_attr` of OBJ_GET_INFO_BY_FD.
#[repr(C)]
#[derive(Default)]
struct GetInfo {
    fd: u32,
    info_len: u32,
    info: u64,
}

/// Calls bpf(2). `attr` is one of the structures above, whole.
fn bpf<T>(command: libc::c_int, attr: &mut T) -> io::Result<i64> {
    // SAFETY: the kernel reads and writes `attr` within its size, and what its pointers lead to, which every caller
    // keeps alive and as large as it says.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

fn descriptor(answer: i64) -> OwnedFd {
    // SAFETY: the kernel has just made the descriptor, and nobody else knows it.
    unsafe { OwnedFd::from_raw_fd(answer as RawFd) }
}

fn name(text: &str) -> [u8; 16] {
    let mut out = [0; 16];
    for (to, from) in out[..15].iter_mut().zip(text.bytes()) {
        *to = from;
    }
    out
}

fn pointer<T>(data: &[T]) -> u64 {
    data.as_ptr() as usize as u64
}

pub(super) fn create_map(map: &Map) -> io::Result<OwnedFd> {
    let map_type = match map.kind {
        MapKind::Array => 2,
        MapKind::PerCpuArray => 6,
    };
    let mut attr = MapCreate {
        map_type,
        key_size: 4,
        value_size: map.value_size as u32,
        max_entries: map.entries as u32,
        map_name: name(map.name),
        ..MapCreate::default()
    };
    bpf(MAP_CREATE, &mut attr).map(descriptor)
}

/// Writes the value of an array; `value` is as large as the map's values.
pub(super) fn update(map: RawFd, key: u32, value: &[u8]) -> io::Result<()> {
    let key = [key];
    let mut attr =
        MapElement { map_fd: map as u32, key: pointer(&key), value: pointer(value), ..MapElement::default() };
    bpf(MAP_UPDATE_ELEM, &mut attr).map(drop)
}

/// Reads a value; `value` is as large as the map's values, those of a per-CPU map for all possible CPUs.
pub(super) fn lookup(map: RawFd, key: u32, value: &mut [u8]) -> io::Result<()> {
    let key = [key];
    let mut attr = MapElement {
        map_fd: map as u32,
        key: pointer(&key),
        value: value.as_mut_ptr() as usize as u64,
        ..MapElement::default()
    };
    bpf(MAP_LOOKUP_ELEM, &mut attr).map(drop)
}

pub(super) fn load_program(hook: Hook, code: &[u8], log: Option<&mut [u8]>) -> io::Result<OwnedFd> {
    let prog_type = match hook {
        Hook::Tc => 3,
        Hook::Xdp => 6,
    };
    let license = b"Dual MIT/GPL\0";
    let mut attr = ProgLoad {
        prog_type,
        insn_cnt: (code.len() / INSTRUCTION_OCTETS) as u32,
        insns: pointer(code),
        license: pointer(license),
        prog_name: name("csn_classify"),
        ..ProgLoad::default()
    };
    if let Some(log) = log {
        attr.log_level = 1;
        attr.log_size = log.len() as u32;
        attr.log_buf = log.as_mut_ptr() as usize as u64;
    }
    bpf(PROG_LOAD, &mut attr).map(descriptor)
}

pub(super) fn test_run(
    program: RawFd,
    hook: Hook,
    frame: &[u8],
    interface: Option<u32>,
    turns: u32,
) -> io::Result<super::Ran> {
    // `struct xdp_md`, or `struct __sk_buff` as far as the interface
    let context: Vec<u32> = match (hook, interface) {
        (_, None) => Vec::new(),
        (Hook::Xdp, Some(n)) => vec![0, frame.len() as u32, 0, n, 0, 0],
        (Hook::Tc, Some(n)) => (0..48).map(|word| if word == 9 { n } else { 0 }).collect(),
    };
    let mut attr = TestRun {
        prog_fd: program as u32,
        data_size_in: frame.len() as u32,
        data_in: pointer(frame),
        repeat: turns,
        ctx_size_in: 4 * context.len() as u32,
        ctx_in: if context.is_empty() { 0 } else { pointer(&context) },
        ..TestRun::default()
    };
    bpf(PROG_TEST_RUN, &mut attr)?;
    Ok(super::Ran { answer: attr.retval, nanoseconds: attr.duration })
}

pub(super) fn create_link(program: RawFd, hook: Hook, interface: u32) -> io::Result<OwnedFd> {
    let attach_type = match hook {
        Hook::Xdp => 37,
        Hook::Tc => 46,
    };
    let mut attr = LinkCreate {
        prog_fd: program as u32,
        target_ifindex: interface,
        attach_type,
        ..LinkCreate::default()
    };
    bpf(LINK_CREATE, &mut attr).map(descriptor)
}

/// Octets of `struct bpf_prog_info` up to `verified_insns`, and where things are.
const PROG_INFO: usize = 224;
const RUN_TIME: usize = 192;
const RUN_COUNT: usize = 200;
const VERIFIED_INSNS: usize = 216;

fn info(program: RawFd) -> io::Result<[u64; PROG_INFO / 8]> {
    let mut info = [0u64; PROG_INFO / 8];
    let mut attr =
        GetInfo { fd: program as u32, info_len: PROG_INFO as u32, info: info.as_mut_ptr() as usize as u64 };
    bpf(OBJ_GET_INFO_BY_FD, &mut attr)?;
    Ok(info)
}

pub(super) fn verified_instructions(program: RawFd) -> io::Result<u32> {
    let word = info(program)?[VERIFIED_INSNS / 8].to_ne_bytes();
    Ok(u32::from_ne_bytes([word[0], word[1], word[2], word[3]]))
}

/// Runs of a program while run times were measured, and their nanoseconds.
pub(super) fn run_time(program: RawFd) -> io::Result<(u64, u64)> {
    let info = info(program)?;
    Ok((info[RUN_COUNT / 8], info[RUN_TIME / 8]))
}

/// Has the kernel measure run times for as long as the descriptor is open.
pub(super) fn enable_statistics() -> io::Result<OwnedFd> {
    // BPF_STATS_RUN_TIME
    let mut kind = 0u32;
    bpf(ENABLE_STATS, &mut kind).map(descriptor)
}
