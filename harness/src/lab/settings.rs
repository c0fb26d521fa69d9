//! Settings of a namespace and its interfaces that keep the lab quiet and packets single.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `linux/ethtool.h`: the switches that could merge, split or complete packets on their way.
const OFFLOADS: [(&str, u32); 6] = [
    ("receive checksum", 0x15),
    ("transmit checksum", 0x17),
    ("scatter-gather", 0x19),
    ("segmentation", 0x1f),
    ("generic segmentation", 0x24),
    ("generic receive", 0x2c),
];
/// `linux/sockios.h`.
const SIOCETHTOOL: libc::c_ulong = 0x8946;

/// Keeps IPv6 from sending anything by itself on interfaces that are made later in this namespace. A kernel
/// without IPv6 has no such setting, and nothing to keep quiet.
///
/// # Errors
/// A setting that is there and can't be written.
pub fn silence_ipv6() -> io::Result<()> {
    for scope in ["all", "default"] {
        match std::fs::write(format!("/proc/sys/net/ipv6/conf/{scope}/disable_ipv6"), "1") {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

/// Switches the offloads of an interface of this namespace off, and names those that stay on.
pub fn switch_offloads_off(interface: &str) -> Vec<&'static str> {
    // SAFETY: the call takes numbers only.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return OFFLOADS.iter().map(|(name, _)| *name).collect();
    }
    // SAFETY: the descriptor is new and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    OFFLOADS
        .iter()
        .filter(|(_, command)| !ethtool_off(&socket, interface, *command))
        .map(|(name, _)| *name)
        .collect()
}

/// Writes 0 to one switch of `ethtool`.
fn ethtool_off(socket: &OwnedFd, interface: &str, command: u32) -> bool {
    // struct ethtool_value { cmd, data }
    let mut value = [command, 0u32];
    // SAFETY: all zeros is a valid value of this structure of numbers and pointers.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes().take(libc::IFNAMSIZ - 1)) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
    // SAFETY: `request` names an ended interface name and points to `value`; both outlive the call.
    unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL as _, &raw mut request) == 0 }
}

/// Whether packets received in this namespace stay on the CPU that brings them: no receive packet steering by
/// default.
pub fn receive_steering_is_off() -> bool {
    // kernels before 6.3 have no default mask: steering is off for every new interface
    std::fs::read_to_string("/proc/sys/net/core/rps_default_mask")
        .map_or(true, |mask| mask.trim().chars().all(|c| c == '0' || c == ','))
}
