//! AF_XDP sockets, as far as sending needs them (linux/if_xdp.h; Documentation/networking/af_xdp.rst).
//!
//! Frames lie in a memory area that is shared with the kernel (UMEM), in chunks of one size. The transmit ring hands
//! chunks over, the completion ring gives them back when the frame has left.

use super::TxError;
use super::device::{Device, bind, set_option, system};
use super::mapping::Mapping;
use nix::errno::Errno;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Chunks of the area, and entries of each ring; a power of two.
pub(super) const CHUNKS: u32 = 512;
/// Octets of a chunk, and so of the longest frame: a page, the most that the kernel takes.
pub(super) const CHUNK: usize = 4096;
/// `XDP_MAX_TX_SKB_BUDGET`, since Linux 6.18: frames that one call sends in copy mode; 32 before.
const MAX_TX_BUDGET: libc::c_int = 9;

/// How long a queue may be in use by a socket that is gone.
const RELEASE: Duration = Duration::from_millis(500);

/// One of the rings, seen from the side of the process.
pub(super) struct Ring<T: Copy> {
    map: Mapping,
    producer: usize,
    consumer: usize,
    entries: usize,
    entry: PhantomData<T>,
}

impl<T: Copy> Ring<T> {
    fn map(socket: &OwnedFd, at: i64, offsets: &libc::xdp_ring_offset) -> Result<Self, TxError> {
        let entries = offsets.desc as usize;
        let length = entries + CHUNKS as usize * size_of::<T>();
        let map = Mapping::of(socket.as_raw_fd(), at, length).map_err(system("map an AF_XDP ring"))?;
        let (producer, consumer) = (offsets.producer as usize, offsets.consumer as usize);
        Ok(Self { map, producer, consumer, entries, entry: PhantomData })
    }

    fn counter(&self, offset: usize) -> &AtomicU32 {
        // SAFETY: the kernel says that a counter lies there; both sides use it atomically.
        unsafe { AtomicU32::from_ptr(self.map.at(offset)) }
    }

    fn entry(&self, n: u32) -> *mut T {
        self.map.at(self.entries + (n % CHUNKS) as usize * size_of::<T>())
    }

    /// Hands entries over to the kernel.
    pub(super) fn produce(&mut self, entries: impl Iterator<Item = T>) {
        let producer = self.counter(self.producer);
        let mut n = producer.load(Ordering::Relaxed);
        for entry in entries {
            // SAFETY: the entry is within the ring and ours: no more chunks are under way than the ring holds.
            unsafe { self.entry(n).write(entry) };
            n = n.wrapping_add(1);
        }
        producer.store(n, Ordering::Release);
    }

    /// Takes what the kernel has handed over, and answers how much it was.
    pub(super) fn consume(&mut self, mut take: impl FnMut(T)) -> u32 {
        let (consumer, end) =
            (self.counter(self.consumer), self.counter(self.producer).load(Ordering::Acquire));
        let start = consumer.load(Ordering::Relaxed);
        for i in 0..end.wrapping_sub(start) {
            // SAFETY: the entry is within the ring, and the kernel has written it before it moved the producer.
            take(unsafe { self.entry(start.wrapping_add(i)).read() });
        }
        consumer.store(end, Ordering::Release);
        end.wrapping_sub(start)
    }
}

/// A socket that sends from chunks of its memory.
pub(super) struct Socket {
    pub(super) transmit: Ring<libc::xdp_desc>,
    pub(super) completion: Ring<u64>,
    /// Chunk `n` starts at `n * CHUNK`.
    area: Mapping,
    socket: OwnedFd,
}

impl Socket {
    /// A socket on a queue of an interface.
    pub(super) fn open(device: &Device, queue: u32) -> Result<Self, TxError> {
        let socket = open_socket()?;
        let area = Mapping::anonymous(CHUNK * CHUNKS as usize).map_err(system("memory for frames"))?;
        let register = libc::xdp_umem_reg {
            addr: area.at::<u8>(0) as usize as u64,
            len: area.length() as u64,
            chunk_size: CHUNK as u32,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        let set =
            |name, value: u32, what| set_option(&socket, libc::SOL_XDP, name, &value).map_err(system(what));
        set_option(&socket, libc::SOL_XDP, libc::XDP_UMEM_REG, &register).map_err(|e| match e {
            Errno::ENOBUFS => {
                missing("the limit of locked memory is too low for its frames", "`ulimit -l unlimited`")
            }
            e => system("XDP_UMEM_REG")(e),
        })?;
        // without a fill ring, which is for receiving, there is no binding
        set(libc::XDP_UMEM_FILL_RING, CHUNKS, "XDP_UMEM_FILL_RING")?;
        set(libc::XDP_UMEM_COMPLETION_RING, CHUNKS, "XDP_UMEM_COMPLETION_RING")?;
        set(libc::XDP_TX_RING, CHUNKS, "XDP_TX_RING")?;
        // older kernels do not know it, and need a call for every 32 frames
        let _ = set_option(&socket, libc::SOL_XDP, MAX_TX_BUDGET, &CHUNKS);
        let offsets = offsets(&socket)?;
        let transmit = Ring::map(&socket, libc::XDP_PGOFF_TX_RING as u32 as i64, &offsets.tx)?;
        let completion = Ring::map(&socket, libc::XDP_UMEM_PGOFF_COMPLETION_RING as i64, &offsets.cr)?;
        let address = libc::sockaddr_xdp {
            sxdp_family: libc::AF_XDP as u16,
            // zero copy where the driver has it, else the kernel copies
            sxdp_flags: libc::XDP_USE_NEED_WAKEUP,
            sxdp_ifindex: device.index,
            sxdp_queue_id: queue,
            sxdp_shared_umem_fd: 0,
        };
        // the kernel frees the queue of a socket that is closed a little later
        let end = Instant::now() + RELEASE;
        while let Err(e) = bind(&socket, &address) {
            if e != Errno::EBUSY || Instant::now() > end {
                return Err(bound(e, device, queue));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(Self { transmit, completion, area, socket })
    }

    /// The memory of a chunk.
    pub(super) fn frame(&mut self, chunk: u32) -> &mut [u8] {
        let start = self.area.at::<u8>(chunk as usize * CHUNK);
        // SAFETY: the chunk lies within the area. Who calls this has it back from the kernel, or has never handed it
        // over; no other reference into the area lives, since this borrows the socket.
        unsafe { std::slice::from_raw_parts_mut(start, CHUNK) }
    }

    /// Has the kernel look at the transmit ring.
    pub(super) fn kick(&self) -> Result<(), Errno> {
        // SAFETY: no data goes with the call.
        let done = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                std::ptr::null(),
                0,
                libc::MSG_DONTWAIT,
                std::ptr::null(),
                0,
            )
        };
        Errno::result(done).map(drop)
    }

    /// Whether the driver reads frames where they lie.
    pub(super) fn is_zero_copy(&self) -> bool {
        let mut options = libc::xdp_options { flags: 0 };
        get_option(&self.socket, libc::XDP_OPTIONS, &mut options).is_ok()
            && options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0
    }
}

fn open_socket() -> Result<OwnedFd, TxError> {
    // SAFETY: the call takes numbers only.
    let fd = Errno::result(unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) });
    // SAFETY: the descriptor is new and belongs to nobody else.
    fd.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).map_err(refused)
}

fn offsets(socket: &OwnedFd) -> Result<libc::xdp_mmap_offsets, TxError> {
    // SAFETY: all-zero bytes are valid offsets.
    let mut offsets: libc::xdp_mmap_offsets = unsafe { std::mem::zeroed() };
    get_option(socket, libc::XDP_MMAP_OFFSETS, &mut offsets).map_err(system("XDP_MMAP_OFFSETS"))?;
    Ok(offsets)
}

fn get_option<T>(socket: &OwnedFd, name: libc::c_int, value: &mut T) -> Result<(), Errno> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes of the value, which is a plain structure of numbers.
    let done = unsafe {
        let value = std::ptr::from_mut(value).cast();
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_XDP, name, value, &raw mut length)
    };
    Errno::result(done).map(drop)
}

fn missing(reason: impl Into<String>, cure: impl Into<String>) -> TxError {
    TxError::Missing { transmitter: "xdp", reason: reason.into(), cure: cure.into() }
}

/// Why there is no such socket.
fn refused(errno: Errno) -> TxError {
    match errno {
        Errno::EPERM => missing(
            "an AF_XDP socket takes CAP_NET_RAW",
            "be root, or in a namespace of your own (`unshare -Urn`), or use `packet` with that right",
        ),
        Errno::EAFNOSUPPORT => {
            missing("the kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)", "use `packet`")
        }
        errno => system("AF_XDP socket")(errno),
    }
}

/// Why the interface's queue is not to be had.
fn bound(errno: Errno, device: &Device, queue: u32) -> TxError {
    let name = &device.name;
    match errno {
        Errno::EBUSY => missing(format!("another socket has queue {queue} of {name}"), "end its program"),
        Errno::EINVAL => {
            missing(format!("{name} has no queue {queue}"), format!("`ethtool -l {name}` lists them"))
        }
        Errno::EOPNOTSUPP => missing(format!("the driver of {name} cannot do it"), "use `packet`"),
        Errno::ENETDOWN => missing(format!("{name} is down"), format!("`ip link set {name} up`")),
        errno => system("bind an AF_XDP socket")(errno),
    }
}
