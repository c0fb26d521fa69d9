//! A TPACKET_V3 ring on a packet socket: packets come in memory shared with the kernel, a block of thousands at a
//! time, without a system call while there is more.
//!
//! The layouts are those of `linux/if_packet.h`.

use super::{Batch, Capture, Cpu, Frame, Statistics};
use crate::meter::MeterError;
use csn::Nanos;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How the ring is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RingOptions {
    /// Octets of the whole ring.
    pub buffer: usize,
    /// Octets of a block; a multiple of the page size, larger than any frame.
    pub block: usize,
    /// A block that is not full is handed over after this time.
    pub retire: Nanos,
}

impl Default for RingOptions {
    /// Room for 0.2 s of 1 million frames of 242 octets a second, which take 328 octets each in the ring; and
    /// few waits, for each costs system calls.
    fn default() -> Self {
        Self { buffer: 96 << 20, block: 1 << 20, retire: Nanos::from_millis(20) }
    }
}

/// `struct tpacket_req3`.
#[repr(C)]
struct Request {
    block_size: u32,
    block_count: u32,
    frame_size: u32,
    frame_count: u32,
    retire_ms: u32,
    private: u32,
    features: u32,
}

/// `struct tpacket_block_desc` up to what is used of it.
#[repr(C)]
struct BlockHeader {
    version: u32,
    private: u32,
    status: AtomicU32,
    packets: u32,
    first: u32,
    length: u32,
}

/// `struct tpacket3_hdr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct PacketHeader {
    next: u32,
    seconds: u32,
    nanoseconds: u32,
    captured: u32,
    length: u32,
    status: u32,
    mac: u16,
    net: u16,
    hash: u32,
    tag: u32,
    tag_type: u16,
    padding: u16,
}

/// `struct tpacket_stats_v3`.
#[repr(C)]
#[derive(Default)]
struct KernelStatistics {
    packets: u32,
    drops: u32,
    freezes: u32,
}

const TP_STATUS_USER: u32 = 1;
const TP_STATUS_VLAN_VALID: u32 = 1 << 4;
const TPACKET_V3: libc::c_int = 2;
const PACKET_IGNORE_OUTGOING: libc::c_int = 23;
/// What V3 asks for as frame size; frames of any size up to that of a block fit.
const FRAME_SIZE: usize = 2048;
/// The kernel's counters have 32 bits and start again when read: read before they run over.
const READ_COUNTERS_AFTER: u64 = 1 << 30;

/// The ring.
#[derive(Debug)]
pub struct Ring {
    socket: OwnedFd,
    memory: Memory,
    interface: u32,
    name: String,
    cpu: Rc<Cpu>,
    /// The block that is read next.
    at: usize,
    since_read: u64,
    statistics: Statistics,
    last: Nanos,
}

/// The mapped blocks.
#[derive(Debug)]
struct Memory {
    base: *mut u8,
    block: usize,
    blocks: usize,
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this address and length, and nothing borrows from it any more
        unsafe { libc::munmap(self.base.cast(), self.block * self.blocks) };
    }
}

impl Ring {
    /// Opens the ring on an interface. A filter is attached before the socket receives anything.
    ///
    /// # Errors
    /// Without the right to open packet sockets, for an interface that is not there, and what the system says
    /// besides.
    pub fn open(
        name: &str,
        options: RingOptions,
        filter: Option<&[libc::sock_filter]>,
        cpu: Rc<Cpu>,
    ) -> Result<Self, MeterError> {
        let interface = interface_index(name)?;
        // protocol 0: nothing is received before `bind` says what
        // SAFETY: takes no pointers
        let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
        if fd < 0 {
            return Err(refused(io::Error::last_os_error()));
        }
        // SAFETY: `socket` has just given this descriptor to us alone
        let socket = unsafe { OwnedFd::from_raw_fd(fd) };
        set(&socket, libc::SOL_PACKET, libc::PACKET_VERSION, &TPACKET_V3, "ask for a ring of version 3")?;
        set(&socket, libc::SOL_PACKET, PACKET_IGNORE_OUTGOING, &1, "leave out outgoing packets")?;
        let memory = map(&socket, options)?;
        if let Some(filter) = filter {
            attach(&socket, filter)?;
        }
        let membership = libc::packet_mreq {
            mr_ifindex: interface as libc::c_int,
            mr_type: libc::PACKET_MR_PROMISC as u16,
            mr_alen: 0,
            mr_address: [0; 8],
        };
        set(&socket, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership, "listen to all addresses")?;
        bind(&socket, interface)
            .map_err(|source| MeterError::Io { what: format!("bind to {name}"), source })?;
        Ok(Self {
            socket,
            memory,
            interface,
            name: name.into(),
            cpu,
            at: 0,
            since_read: 0,
            statistics: Statistics::default(),
            last: Nanos(0),
        })
    }

    fn read_counters(&mut self) -> Result<(), MeterError> {
        let mut counters = KernelStatistics::default();
        let mut length = size_of::<KernelStatistics>() as libc::socklen_t;
        let socket = self.socket.as_raw_fd();
        let answer = self.cpu.inside(1, || {
            // SAFETY: the pointers are to locals of the lengths that are given
            unsafe {
                libc::getsockopt(
                    socket,
                    libc::SOL_PACKET,
                    libc::PACKET_STATISTICS,
                    (&raw mut counters).cast(),
                    &mut length,
                )
            }
        });
        checked(answer, "read the packet counters")?;
        self.statistics.admitted += u64::from(counters.packets);
        self.statistics.dropped += u64::from(counters.drops);
        self.since_read = 0;
        Ok(())
    }
}

impl Capture for Ring {
    #[inline]
    fn batch(&mut self, each: &mut impl FnMut(&Frame<'_>)) -> Result<Batch, MeterError> {
        let block = self.memory.block(self.at);
        // SAFETY: `block` points to a block's header inside the mapping; the kernel changes only `status` while
        // the block is not ours, which is read atomically, and nothing while it is
        let header = unsafe { &*block.cast::<BlockHeader>() };
        if header.status.load(Ordering::Acquire) & TP_STATUS_USER == 0 {
            return Ok(Batch::Empty);
        }
        let packets = u64::from(header.packets);
        let mut at = header.first as usize;
        for _ in 0..packets {
            // SAFETY: the kernel has written `packets` packets into the block, each beginning with a header,
            // aligned to 8 octets, at the offset that the one before gives; the block is ours until given back
            let (packet, bytes) = unsafe {
                let start = block.add(at);
                let packet = start.cast::<PacketHeader>().read();
                let bytes =
                    std::slice::from_raw_parts(start.add(usize::from(packet.mac)), packet.captured as usize);
                (packet, bytes)
            };
            let time = Nanos(u64::from(packet.seconds) * 1_000_000_000 + u64::from(packet.nanoseconds));
            let tag = (packet.status & TP_STATUS_VLAN_VALID != 0).then_some(packet.tag as u16);
            each(&Frame { bytes, length: packet.length, tag, time });
            self.last = time;
            at += packet.next as usize;
        }
        header.status.store(0, Ordering::Release);
        self.at = (self.at + 1) % self.memory.blocks;
        self.since_read += packets;
        if self.since_read > READ_COUNTERS_AFTER {
            self.read_counters()?;
        }
        Ok(Batch::Packets(packets))
    }

    fn wait(&mut self, limit: Nanos) -> Result<(), MeterError> {
        let mut poll = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let millis = limit.0.div_ceil(1_000_000).min(60_000) as libc::c_int;
        let answer = self.cpu.inside(1, || {
            // SAFETY: one element, which lives through the call
            unsafe { libc::poll(&mut poll, 1, millis) }
        });
        if answer < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(MeterError::Io {
                    what: format!("wait for packets on {}", self.name),
                    source: error,
                });
            }
        } else if poll.revents & libc::POLLERR != 0 {
            return Err(MeterError::Failed {
                meter: "packet capture".into(),
                reason: format!("interface {} went down or away while it was being metered", self.name),
            });
        }
        Ok(())
    }

    fn statistics(&mut self) -> Result<Statistics, MeterError> {
        self.read_counters()?;
        Ok(self.statistics)
    }

    fn interface(&self) -> Option<u32> {
        Some(self.interface)
    }

    fn now(&self) -> Nanos {
        let wall = std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_nanos() as u64);
        Nanos(wall.max(self.last.0))
    }
}

impl Memory {
    fn block(&self, n: usize) -> *mut u8 {
        debug_assert!(n < self.blocks);
        // SAFETY: the mapping holds `blocks` blocks of this size
        unsafe { self.base.add(n * self.block) }
    }
}

/// The index of an interface of this network namespace.
///
/// # Errors
/// [`MeterError::Unavailable`] where there is none of that name.
pub fn interface_index(name: &str) -> Result<u32, MeterError> {
    let known = || {
        let all = nix::net::if_::if_nameindex();
        let names: Vec<_> =
            all.iter().flat_map(|all| all.iter().map(|i| i.name().to_string_lossy().into_owned())).collect();
        names.join(", ")
    };
    CString::new(name).ok().and_then(|c| nix::net::if_::if_nametoindex(c.as_c_str()).ok()).ok_or_else(|| {
        MeterError::Unavailable {
            meter: "packet capture".into(),
            reason: format!("there is no interface `{name}`"),
            cure: format!("name one of those that are here: {}", known()),
        }
    })
}

fn refused(error: io::Error) -> MeterError {
    MeterError::Unavailable {
        meter: "packet capture".into(),
        reason: format!("the system does not let it open a packet socket ({error})"),
        cure: "let `csnbench run` start it in its lab, run it as root, or give it the right: \
               `sudo setcap cap_net_raw+ep csnbench`"
            .into(),
    }
}

fn checked(answer: libc::c_int, what: &str) -> Result<(), MeterError> {
    match answer {
        0 => Ok(()),
        _ => Err(MeterError::Io { what: what.into(), source: io::Error::last_os_error() }),
    }
}

fn set<T>(
    socket: &OwnedFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
    what: &str,
) -> Result<(), MeterError> {
    // SAFETY: the pointer is to a value of the length that is given
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    checked(answer, what)
}

fn attach(socket: &OwnedFd, filter: &[libc::sock_filter]) -> Result<(), MeterError> {
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
    let what = format!("attach a filter of {} instructions (the kernel takes 4096)", filter.len());
    if filter.len() > 4096 {
        return Err(MeterError::Io { what, source: io::ErrorKind::InvalidInput.into() });
    }
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program, &what)
}

fn map(socket: &OwnedFd, options: RingOptions) -> Result<Memory, MeterError> {
    let page = 4096;
    let block = options.block.next_multiple_of(page).max(64 << 10);
    let blocks = (options.buffer / block).max(2);
    let request = Request {
        block_size: block as u32,
        block_count: blocks as u32,
        frame_size: FRAME_SIZE as u32,
        frame_count: (blocks * (block / FRAME_SIZE)) as u32,
        retire_ms: options.retire.0.div_ceil(1_000_000).max(1) as u32,
        private: 0,
        features: 0,
    };
    let what = format!("get a ring of {} MiB (a smaller one: `buffer = 16`)", options.buffer >> 20);
    set(socket, libc::SOL_PACKET, libc::PACKET_RX_RING, &request, &what)?;
    // SAFETY: maps the ring that the line above made, at an address that the kernel chooses
    let base = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            block * blocks,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            socket.as_raw_fd(),
            0,
        )
    };
    if base == libc::MAP_FAILED {
        return Err(MeterError::Io { what, source: io::Error::last_os_error() });
    }
    Ok(Memory { base: base.cast(), block, blocks })
}

fn bind(socket: &OwnedFd, interface: u32) -> io::Result<()> {
    // SAFETY: all-zero is a valid socket address
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = interface as i32;
    // SAFETY: the pointer is to a socket address of the length that is given
    let answer = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
