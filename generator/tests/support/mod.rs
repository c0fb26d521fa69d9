//! A private network namespace with a veth pair, for tests and measurements, without root.

use std::fs;
use std::process::Command;

/// Set in the process that lives in the namespace.
const INSIDE: &str = "GENERATOR_IN_NAMESPACE";

/// The interface that is sent to.
pub const NEAR: &str = "gen0";
/// Its peer.
pub const FAR: &str = "gen1";

/// Runs this executable again, with `args`, in a user and network namespace of its own, unless it is there already.
/// True inside, where the veth pair is then up; outside the inner run is over when this returns. Where there can be
/// no such namespace the reason is printed.
pub fn enter(args: &[String]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return match veth() {
            Ok(()) => true,
            Err(reason) => {
                eprintln!("skipped: {reason}");
                false
            }
        };
    }
    // root keeps its rights, which `live` needs; everybody else has them in a user namespace
    let kind = if nix::unistd::geteuid().is_root() { "-n" } else { "-Urn" };
    let probe = Command::new("unshare").args([kind, "ip", "link"]).output();
    match probe {
        Ok(out) if out.status.success() => {}
        Ok(out) => {
            eprintln!("skipped: no network namespace: {}", String::from_utf8_lossy(&out.stderr).trim());
            return false;
        }
        Err(e) => {
            eprintln!("skipped: unshare (util-linux) or ip (iproute2) is missing: {e}");
            return false;
        }
    }
    let exe = std::env::current_exe().expect("this executable has a path");
    let status = Command::new("unshare").arg(kind).arg(exe).args(args).env(INSIDE, "1").status();
    assert!(status.is_ok_and(|s| s.success()), "the run in the namespace failed");
    false
}

/// A veth pair, both ends up, that nothing else talks on.
fn veth() -> Result<(), String> {
    for setting in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{setting}/disable_ipv6");
        // without IPv6 there is nothing to switch off
        let _ = fs::write(path, "1");
    }
    for line in [
        format!("link add {NEAR} type veth peer name {FAR}"),
        format!("link set {NEAR} up arp off"),
        format!("link set {FAR} up arp off"),
    ] {
        let out = Command::new("ip").args(line.split(' ')).output().map_err(|e| format!("ip: {e}"))?;
        if !out.status.success() {
            return Err(format!("ip {line}: {}", String::from_utf8_lossy(&out.stderr).trim()));
        }
    }
    Ok(())
}

/// Packets that the interface has received.
pub fn received(interface: &str) -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/dev").unwrap_or_default();
    let line = text.lines().find_map(|l| l.trim().strip_prefix(interface)?.strip_prefix(':'));
    line.and_then(|l| l.split_whitespace().nth(1)?.parse().ok()).unwrap_or(0)
}

/// Reads what an interface receives, from the moment that it is opened.
pub struct Reader(std::os::fd::OwnedFd);

impl Reader {
    /// Opens it, with room for a few thousand frames.
    pub fn open(interface: &str) -> Self {
        use nix::sys::socket::{
            AddressFamily, SockFlag, SockProtocol, SockType, setsockopt, socket, sockopt,
        };
        let flags = SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, SockProtocol::EthAll).unwrap();
        // for root of a namespace of its own only what the system's limit allows
        let _ = setsockopt(&socket, sockopt::RcvBuf, &(1 << 25));
        let _ = setsockopt(&socket, sockopt::RcvBufForce, &(1 << 25));
        let index = nix::net::if_::if_nametoindex(interface).unwrap();
        // SAFETY: all-zero bytes are a valid sockaddr_ll, which lives for the call with the stated size.
        let bound = unsafe {
            let mut address: libc::sockaddr_ll = std::mem::zeroed();
            address.sll_family = libc::AF_PACKET as u16;
            address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
            address.sll_ifindex = index as i32;
            let length = size_of_val(&address) as u32;
            libc::bind(std::os::fd::AsRawFd::as_raw_fd(&socket), (&raw const address).cast(), length)
        };
        assert_eq!(bound, 0);
        Self(socket)
    }

    /// What has arrived by now.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        use std::os::fd::AsRawFd;
        let mut buffer = vec![0; 1 << 16];
        let receive = || {
            nix::sys::socket::recv(self.0.as_raw_fd(), &mut buffer, nix::sys::socket::MsgFlags::empty())
                .ok()
                .map(|n| buffer[..n].to_vec())
        };
        std::iter::from_fn(receive).collect()
    }
}
