//! What an interface's driver can do with XDP, as the kernel tells it (generic netlink, family `netdev`, since
//! Linux 6.3; Documentation/netlink/specs/netdev.yaml).

use super::super::TxError;
use super::super::device::{Device, system};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `NETDEV_XDP_ACT_NDO_XMIT`: it takes frames that XDP programs redirect to it.
const NDO_XMIT: u64 = 1 << 2;
/// Lengths of the headers before attributes.
const NETLINK_HEADER: usize = 16;
const GENERIC_HEADER: usize = 4;

/// Refuses an interface that does not take redirected frames.
pub(super) fn takes_redirects(device: &Device) -> Result<(), TxError> {
    match features(device.index) {
        Ok(features) if features & NDO_XMIT != 0 => Ok(()),
        Ok(_) => Err(TxError::Missing {
            transmitter: "live",
            reason: format!("{} takes no frames of XDP programs now", device.name),
            cure: "where it is a veth, its other end needs an XDP program of its own (one that passes is enough) or \
                   `ethtool -K OTHER gro on`; else use `xdp`"
                .into(),
        }),
        Err(e) => match e.raw_os_error() {
            Some(libc::ENOENT | libc::EOPNOTSUPP) => Err(TxError::Missing {
                transmitter: "live",
                reason: "the kernel does not tell whether the interface takes frames of XDP programs (Linux has that \
                         since 6.3)"
                    .into(),
                cure: "use `xdp`".into(),
            }),
            _ => Err(system("netlink family netdev")(e)),
        },
    }
}

/// The XDP features of an interface of this network namespace.
fn features(index: u32) -> io::Result<u64> {
    // SAFETY: the call takes numbers only.
    let fd = Errno::result(unsafe {
        libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_GENERIC)
    })?;
    // SAFETY: the descriptor is new and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let (get_family, family_id, family_name) = (3, 1, 2);
    let answer = ask(&socket, libc::GENL_ID_CTRL as u16, get_family, family_name, b"netdev\0")?;
    let id =
        attribute(&answer, family_id).and_then(|v| Some(u16::from_ne_bytes(v.get(..2)?.try_into().ok()?)));
    let family = id.ok_or(io::ErrorKind::InvalidData)?;
    let (get_device, device_index, xdp_features) = (1, 1, 3);
    let answer = ask(&socket, family, get_device, device_index, &index.to_ne_bytes())?;
    let value =
        attribute(&answer, xdp_features).and_then(|v| Some(u64::from_ne_bytes(v.get(..8)?.try_into().ok()?)));
    value.ok_or(io::ErrorKind::InvalidData.into())
}

/// Sends a command with one attribute, and answers the attributes of what comes back.
fn ask(socket: &OwnedFd, family: u16, command: u8, kind: u16, value: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 4];
    bytes.extend(family.to_ne_bytes());
    bytes.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([command, 1, 0, 0]);
    bytes.extend((value.len() as u16 + 4).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_ne_bytes());
    nix::sys::socket::send(socket.as_raw_fd(), &bytes, nix::sys::socket::MsgFlags::empty())?;
    let mut answer = vec![0; 1 << 14];
    let n = nix::sys::socket::recv(socket.as_raw_fd(), &mut answer, nix::sys::socket::MsgFlags::empty())?;
    answer.truncate(n);
    let number = |at: usize| answer.get(at..at + 4).map(|b| i32::from_ne_bytes([b[0], b[1], b[2], b[3]]));
    match (answer.get(4..6).map(|b| u16::from_ne_bytes([b[0], b[1]])), number(NETLINK_HEADER)) {
        (Some(kind), Some(code)) if i32::from(kind) == libc::NLMSG_ERROR => {
            Err(io::Error::from_raw_os_error(-code))
        }
        _ if n < NETLINK_HEADER + GENERIC_HEADER => Err(io::ErrorKind::InvalidData.into()),
        _ => Ok(answer.split_off(NETLINK_HEADER + GENERIC_HEADER)),
    }
}

/// The value of an attribute.
fn attribute(mut bytes: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let here = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        let value = bytes.get(4..length)?;
        if here == kind {
            return Some(value);
        }
        bytes = bytes.get(length.next_multiple_of(4)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_found_behind_padding() {
        let bytes = [6, 0, 1, 0, b'a', b'b', 0, 0, 8, 0, 2, 0, 1, 2, 3, 4];
        assert_eq!(attribute(&bytes, 1), Some(&b"ab"[..]));
        assert_eq!(attribute(&bytes, 2), Some(&[1, 2, 3, 4][..]));
        assert_eq!(attribute(&bytes, 3), None);
        assert_eq!(attribute(&[6, 0, 1], 1), None);
    }
}
