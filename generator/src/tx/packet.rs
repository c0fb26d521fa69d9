//! AF_PACKET.

use super::device::{Device, bind, set_option, system};
use super::{Fates, Fill, MAX_BATCH, Slot, Transmitter, TxError};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, setsockopt, socket, sockopt};
use nix::sys::time::TimeVal;
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};

/// How long a full send buffer may hold a frame up before it counts as refused.
const PATIENCE_MICROSECONDS: i64 = 100_000;

/// A packet socket that sends whole Ethernet frames past the queueing discipline, a batch per system call
/// (sendmmsg, PACKET_QDISC_BYPASS).
///
/// Accepted is what the kernel said it transmitted. Refused is what it answered ENOBUFS for (the device's queue is
/// full) or could not take within 100 ms (EAGAIN); the frames behind a refused one are tried all the same. Any other
/// answer ends the load: the interface is down or gone.
///
/// A veth's peer that is full drops frames later, on its own account: they are accepted here and appear in the
/// interface's statistics.
pub struct Packet {
    socket: OwnedFd,
    device: Device,
    slots: Vec<Slot>,
    vectors: Vec<libc::iovec>,
    messages: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers in `vectors` and `messages` are set anew in every call of `transmit`, from slots that the same
// value owns, and followed only there.
unsafe impl Send for Packet {}

impl Packet {
    /// Opens the socket and binds it to the interface.
    pub(super) fn open(interface: &str) -> Result<Self, TxError> {
        let device = Device::find(interface)?;
        // without a protocol: this socket must not receive
        let socket = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)
            .map_err(|e| if e == Errno::EPERM { TxError::Permission } else { system("packet socket")(e) })?;
        let on: libc::c_int = 1;
        set_option(&socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, &on)
            .map_err(system("PACKET_QDISC_BYPASS"))?;
        let patience = TimeVal::new(0, PATIENCE_MICROSECONDS);
        setsockopt(&socket, sockopt::SendTimeout, &patience).map_err(system("SO_SNDTIMEO"))?;
        // SAFETY: all-zero bytes are a valid sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = device.index as i32;
        bind(&socket, &address).map_err(system("bind a packet socket"))?;
        Ok(Self { socket, device, slots: Vec::new(), vectors: Vec::new(), messages: Vec::new() })
    }
}

impl Transmitter for Packet {
    fn name(&self) -> &'static str {
        "packet"
    }

    fn prepare(&mut self, longest: usize, _: Option<f64>) -> Result<(), TxError> {
        self.device.admit(longest)?;
        self.slots = Slot::many(longest);
        self.vectors = vec![libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; MAX_BATCH];
        // SAFETY: all-zero bytes are a valid mmsghdr.
        self.messages = vec![unsafe { mem::zeroed() }; MAX_BATCH];
        Ok(())
    }

    fn transmit(&mut self, count: usize, fill: &mut Fill, fates: &mut Fates) -> Result<(), TxError> {
        let count = fill(&mut self.slots[..count]);
        for ((slot, vector), message) in
            self.slots[..count].iter().zip(&mut self.vectors).zip(&mut self.messages)
        {
            let frame = slot.frame();
            *vector = libc::iovec { iov_base: frame.as_ptr().cast_mut().cast(), iov_len: frame.len() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        let mut from = 0;
        while from < count {
            let rest = &mut self.messages[from..count];
            // SAFETY: `rest` holds initialised headers whose vectors point to frames of `slots`; all of them live,
            // unmoved and unchanged, for the call, which only reads them (and writes `msg_len`).
            let done = unsafe {
                libc::sendmmsg(self.socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as libc::c_uint, 0)
            };
            match Errno::result(done) {
                Ok(n) => {
                    fates.left(n as usize);
                    from += n as usize;
                }
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS | Errno::EAGAIN) => {
                    fates.refused(1);
                    from += 1;
                }
                Err(errno) => return Err(self.device.gone(errno)),
            }
        }
        Ok(())
    }
}
