//! What the back ends that send to an interface have to know about it.

use super::TxError;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::mem;
use std::os::fd::{AsRawFd, OwnedFd};

/// Link header and one tag come on top of the MTU.
const LINK: usize = 18;

/// An interface of this network namespace.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) index: u32,
    mtu: usize,
}

/// Puts what was tried beside what the system said.
pub(super) fn system<E: Into<std::io::Error>>(what: &str) -> impl Fn(E) -> TxError + '_ {
    move |source| TxError::System { what: what.into(), source: source.into() }
}

impl Device {
    pub(super) fn find(name: &str) -> Result<Self, TxError> {
        let index = nix::net::if_::if_nametoindex(name).map_err(|_| TxError::NoInterface(name.into()))?;
        let socket = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
            .map_err(system("socket"))?;
        Ok(Self { name: name.into(), index, mtu: mtu(&socket, name)? })
    }

    /// Whether frames of that length pass.
    pub(super) fn admit(&self, longest: usize) -> Result<(), TxError> {
        if longest > self.mtu + LINK {
            return Err(TxError::TooLong { interface: self.name.clone(), longest, mtu: self.mtu });
        }
        Ok(())
    }

    /// The device's end of a load: an error that no waiting mends.
    pub(super) fn gone(&self, errno: Errno) -> TxError {
        TxError::System { what: format!("{} takes no more frames", self.name), source: errno.into() }
    }
}

fn mtu(socket: &OwnedFd, interface: &str) -> Result<usize, TxError> {
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: SIOCGIFMTU reads the name and writes `ifru_mtu` of the ifreq, which lives for the call.
    let mtu = unsafe {
        Errno::result(libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFMTU as _, &raw mut request))
            .map(|_| request.ifr_ifru.ifru_mtu)
    };
    mtu.map(|n| n as usize).map_err(system("SIOCGIFMTU"))
}

/// Sets an option of a socket to a value of the kernel's own shape.
pub(super) fn set_option<T>(
    socket: &OwnedFd,
    level: libc::c_int,
    name: libc::c_int,
    value: &T,
) -> Result<(), Errno> {
    // SAFETY: the option's value lives for the call, and the length is its size.
    let done = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            std::ptr::from_ref(value).cast(),
            size_of::<T>() as libc::socklen_t,
        )
    };
    Errno::result(done).map(drop)
}

/// Binds a socket to an address of the kernel's own shape.
pub(super) fn bind<T>(socket: &OwnedFd, address: &T) -> Result<(), Errno> {
    // SAFETY: the address lives for the call and the length is its size.
    let done = unsafe {
        let address = std::ptr::from_ref(address).cast();
        libc::bind(socket.as_raw_fd(), address, size_of::<T>() as libc::socklen_t)
    };
    Errno::result(done).map(drop)
}
