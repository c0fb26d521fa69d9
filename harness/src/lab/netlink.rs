//! The few rtnetlink requests that a lab needs, so that no `ip` command has to be installed.
//!
//! A [`Netlink`] socket belongs to the network namespace in which it was opened, and goes on speaking to that one
//! wherever the process goes later. Layouts: `rtnetlink(7)`, `linux/if_link.h`.

use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Of `linux/veth.h`: the attribute that describes the other end.
const VETH_INFO_PEER: u16 = 1;
/// Of RFC 2863, as `IFLA_OPERSTATE` gives it: the interface can pass packets.
const OPERSTATE_UP: u8 = 6;
/// Enough for one link with all its attributes.
const REPLY: usize = 32 * 1024;

/// Counters of an interface since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkCounters {
    /// Packets received.
    pub rx_packets: u64,
    /// Packets transmitted.
    pub tx_packets: u64,
    /// Received packets dropped by the interface itself.
    pub rx_dropped: u64,
    /// Packets dropped while they were transmitted.
    pub tx_dropped: u64,
}

/// An interface as the kernel shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: i32,
    /// Whether it can pass packets.
    pub running: bool,
    /// What it has counted.
    pub counters: LinkCounters,
}

/// One end of a veth pair.
pub struct End<'a> {
    /// Name of the interface.
    pub name: &'a str,
    /// Ethernet address.
    pub mac: [u8; 6],
}

/// A socket to the kernel's network configuration of one namespace.
pub struct Netlink {
    fd: OwnedFd,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn open() -> io::Result<Self> {
        // SAFETY: the call takes numbers only.
        let fd = unsafe {
            libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE)
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is new and belongs to nobody else.
        Ok(Self { fd: unsafe { OwnedFd::from_raw_fd(fd) }, sequence: 0 })
    }

    /// Makes a veth pair: `near` in this socket's namespace, `far` in the one that `namespace` is open on.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn create_veth(
        &mut self,
        near: &End<'_>,
        far: &End<'_>,
        namespace: BorrowedFd<'_>,
        mtu: u32,
    ) -> io::Result<()> {
        let create = (libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
        let mut m = Message::new(libc::RTM_NEWLINK, create);
        m.link_header(0, 0, 0);
        m.end_attributes(near, mtu);
        m.nest(libc::IFLA_LINKINFO, |m| {
            m.attribute(libc::IFLA_INFO_KIND, b"veth");
            m.nest(libc::IFLA_INFO_DATA, |m| {
                m.nest(VETH_INFO_PEER, |m| {
                    m.link_header(0, 0, 0);
                    m.end_attributes(far, mtu);
                    m.attribute(libc::IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
                });
            });
        });
        self.request(m).map(drop)
    }

    /// Switches an interface on.
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn set_up(&mut self, name: &str) -> io::Result<()> {
        let index = self.link(name)?.index;
        let mut m = Message::new(libc::RTM_NEWLINK, libc::NLM_F_ACK as u16);
        m.link_header(index, libc::IFF_UP as u32, libc::IFF_UP as u32);
        self.request(m).map(drop)
    }

    /// The interface of that name.
    ///
    /// # Errors
    /// The kernel's refusal; there may be none of that name.
    pub fn link(&mut self, name: &str) -> io::Result<Link> {
        let mut m = Message::new(libc::RTM_GETLINK, 0);
        m.link_header(0, 0, 0);
        m.attribute(libc::IFLA_IFNAME, &zero_ended(name));
        parse_link(&self.request(m)?).ok_or_else(|| io::Error::other("the kernel's answer is incomplete"))
    }

    /// Sends one message and gives the body of its answer, empty for a plain acknowledgement.
    fn request(&mut self, message: Message) -> io::Result<Vec<u8>> {
        self.sequence += 1;
        let bytes = message.finish(self.sequence);
        // SAFETY: the buffer is valid for its length. An unconnected netlink socket sends to the kernel.
        let sent = unsafe { libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut buffer = vec![0u8; REPLY];
        // SAFETY: the buffer is valid for its length.
        let n = unsafe { libc::recv(self.fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        buffer.truncate(n as usize);
        let header = |at: usize, len: usize| buffer.get(at..at + len);
        let kind = header(4, 2).map(|b| u16::from_ne_bytes([b[0], b[1]]));
        let code = header(16, 4).map(|b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
        match (kind, code) {
            (Some(kind), Some(0)) if i32::from(kind) == libc::NLMSG_ERROR => Ok(vec![]),
            (Some(kind), Some(code)) if i32::from(kind) == libc::NLMSG_ERROR => {
                Err(io::Error::from_raw_os_error(-code))
            }
            (Some(_), Some(_)) => Ok(buffer.split_off(16)),
            _ => Err(io::Error::other("the kernel's answer is incomplete")),
        }
    }
}

/// A request under construction.
struct Message {
    bytes: Vec<u8>,
}

impl Message {
    /// Starts a message of that type.
    fn new(kind: u16, flags: u16) -> Self {
        let mut bytes = vec![0u8; 16];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(libc::NLM_F_REQUEST as u16 | flags).to_ne_bytes());
        Self { bytes }
    }

    /// Appends a `struct ifinfomsg`.
    fn link_header(&mut self, index: i32, flags: u32, change: u32) {
        self.bytes.extend([0u8; 4]);
        self.bytes.extend(index.to_ne_bytes());
        self.bytes.extend(flags.to_ne_bytes());
        self.bytes.extend(change.to_ne_bytes());
    }

    /// Appends name, address and size limit of one end of a pair.
    fn end_attributes(&mut self, end: &End<'_>, mtu: u32) {
        self.attribute(libc::IFLA_IFNAME, &zero_ended(end.name));
        self.attribute(libc::IFLA_ADDRESS, &end.mac);
        self.attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
    }

    /// Appends one attribute, padded to four bytes.
    fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.bytes.extend((value.len() as u16 + 4).to_ne_bytes());
        self.bytes.extend(kind.to_ne_bytes());
        self.bytes.extend(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Appends an attribute that holds what `inside` appends.
    fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let at = self.bytes.len();
        self.attribute(kind, &[]);
        inside(self);
        let len = (self.bytes.len() - at) as u16;
        self.bytes[at..at + 2].copy_from_slice(&len.to_ne_bytes());
    }

    /// The finished bytes.
    fn finish(mut self, sequence: u32) -> Vec<u8> {
        let len = self.bytes.len() as u32;
        self.bytes[0..4].copy_from_slice(&len.to_ne_bytes());
        self.bytes[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.bytes
    }
}

/// A name as C has it.
fn zero_ended(name: &str) -> Vec<u8> {
    let mut out = name.as_bytes().to_vec();
    out.push(0);
    out
}

/// Reads a `struct ifinfomsg` and the attributes behind it.
fn parse_link(body: &[u8]) -> Option<Link> {
    let word = |b: &[u8], at: usize| Some(u32::from_ne_bytes(b.get(at..at + 4)?.try_into().ok()?));
    let mut link = Link { index: word(body, 4)? as i32, running: false, counters: LinkCounters::default() };
    let mut rest = body.get(16..)?;
    while rest.len() >= 4 {
        let len = usize::from(u16::from_ne_bytes([rest[0], rest[1]]));
        let kind = u16::from_ne_bytes([rest[2], rest[3]]) & !(libc::NLA_F_NESTED as u16);
        let value = rest.get(4..len)?;
        match kind {
            libc::IFLA_OPERSTATE => link.running = value.first() == Some(&OPERSTATE_UP),
            libc::IFLA_STATS64 => {
                let n = |i: usize| Some(u64::from_ne_bytes(value.get(i * 8..i * 8 + 8)?.try_into().ok()?));
                link.counters = LinkCounters {
                    rx_packets: n(0)?,
                    tx_packets: n(1)?,
                    rx_dropped: n(6)?,
                    tx_dropped: n(7)?,
                };
            }
            _ => {}
        }
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_there_and_a_missing_one_is_an_error() {
        let mut n = Netlink::open().unwrap();
        assert_eq!(n.link("lo").unwrap().index, 1);
        assert_eq!(n.link("csn-absent").unwrap_err().raw_os_error(), Some(libc::ENODEV));
    }

    #[test]
    fn attributes_nest_and_are_padded() {
        let mut m = Message::new(libc::RTM_NEWLINK, 0);
        m.nest(1, |m| m.attribute(2, b"abc\0e"));
        let bytes = m.finish(9);
        assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().unwrap()), 16 + 4 + 12);
        assert_eq!(&bytes[16..20], &[16, 0, 1, 0]);
        assert_eq!(&bytes[20..], b"\x09\x00\x02\x00abc\0e\0\0\0");
    }
}
