//! The packet sockets of a meter, seen from outside: their buffers, and what the kernel dropped at them.
//!
//! Few meters say how large their buffer is or what was dropped. Linux lets the owner of a process take copies of its
//! descriptors (`pidfd_getfd`, since 5.6), so that both can be had for every one of them.

use crate::meter::MeterError;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// `linux/if_packet.h`: statistics since the last reading, which sets them to zero.
const PACKET_STATISTICS: libc::c_int = 6;

/// Copies of the packet sockets of some processes.
pub struct PacketSockets {
    sockets: Vec<OwnedFd>,
    /// Octets of rings that are mapped.
    rings: u64,
}

/// What the kernel counted at packet sockets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Packets that passed the socket's filter, dropped ones included.
    pub admitted: u64,
    /// Packets dropped because the buffer was full.
    pub dropped: u64,
}

impl PacketSockets {
    /// The sockets that these processes have now.
    ///
    /// # Errors
    /// A kernel that does not let them be copied.
    pub fn of(pids: &[u32]) -> Result<Self, MeterError> {
        let io = |source| MeterError::Io { what: "look at the meter's sockets".into(), source };
        let mut out = Self { sockets: vec![], rings: 0 };
        for pid in pids {
            let process = open_process(*pid).map_err(io)?;
            for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(io)?.flatten() {
                let link = std::fs::read_link(entry.path()).unwrap_or_default();
                if !link.to_string_lossy().starts_with("socket:") {
                    continue;
                }
                let Some(number) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
                let socket = copy(&process, number).map_err(io)?;
                // processes that were forked share theirs
                if option(&socket, libc::SOL_SOCKET, libc::SO_DOMAIN) == Some(libc::AF_PACKET) {
                    out.sockets.push(socket);
                }
            }
            out.rings = out.rings.max(mapped_sockets(*pid));
        }
        Ok(out)
    }

    /// Asks for receive buffers of that size. What was got stands in [`PacketSockets::buffer`]; mapped rings keep
    /// theirs.
    pub fn ask(&self, bytes: u64) {
        let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
        for socket in &self.sockets {
            // the first may go over the machine's limit, and is for administrators of the namespace
            let _ = set(socket, libc::SO_RCVBUFFORCE, bytes) || set(socket, libc::SO_RCVBUF, bytes);
        }
    }

    /// What stands between the kernel and the meter, in words: a mapped ring, or a receive buffer. The kernel counts
    /// its own overhead into the latter, and says twice what it was asked for.
    pub fn buffer(&self) -> String {
        if self.rings > 0 {
            return format!("mapped ring of {} bytes", self.rings);
        }
        let sizes: Vec<String> = (self.sockets.iter())
            .filter_map(|s| option(s, libc::SOL_SOCKET, libc::SO_RCVBUF))
            .map(|n| (n / 2).to_string())
            .collect();
        format!("receive buffer of {} bytes", sizes.join(" and "))
    }

    /// What the kernel counted since the meter last asked. The meter itself misses what is read here, so this is for
    /// its end.
    pub fn statistics(&self) -> Statistics {
        let mut sum = Statistics::default();
        for socket in &self.sockets {
            // struct tpacket_stats { tp_packets, tp_drops }, and tp_freeze_q_cnt behind it with TPACKET_V3
            let mut counts = [0u32; 3];
            let mut length = size_of_val(&counts) as libc::socklen_t;
            // SAFETY: the pointers are valid for the length that is stated.
            let code = unsafe {
                libc::getsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_PACKET,
                    PACKET_STATISTICS,
                    counts.as_mut_ptr().cast(),
                    &raw mut length,
                )
            };
            if code == 0 {
                sum.admitted += u64::from(counts[0]);
                sum.dropped += u64::from(counts[1]);
            }
        }
        sum
    }
}

fn open_process(pid: u32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    descriptor(unsafe { libc::syscall(libc::SYS_pidfd_open, pid as libc::pid_t, 0) })
}

fn copy(process: &OwnedFd, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes numbers only.
    descriptor(unsafe { libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), number, 0) })
}

fn descriptor(answer: libc::c_long) -> io::Result<OwnedFd> {
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for this process.
    Ok(unsafe { OwnedFd::from_raw_fd(answer as i32) })
}

fn option(socket: &OwnedFd, level: libc::c_int, name: libc::c_int) -> Option<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointers are valid for the length that is stated.
    let code = unsafe {
        libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut value).cast(), &raw mut length)
    };
    (code == 0).then_some(value)
}

fn set(socket: &OwnedFd, name: libc::c_int, value: libc::c_int) -> bool {
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer is valid for the length that is stated.
    unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw const value).cast(), length) == 0
    }
}

/// Octets of sockets that a process has mapped.
fn mapped_sockets(pid: u32) -> u64 {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    maps.lines()
        .filter(|l| l.contains("socket:["))
        .filter_map(|l| {
            let (low, high) = l.split_whitespace().next()?.split_once('-')?;
            Some(u64::from_str_radix(high, 16).ok()? - u64::from_str_radix(low, 16).ok()?)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_without_packet_sockets_has_none() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let sockets = PacketSockets::of(&[child.id()]);
        let _ = child.kill();
        let _ = child.wait();
        match sockets {
            Ok(sockets) => {
                assert!(sockets.sockets.is_empty() && sockets.statistics() == Statistics::default())
            }
            Err(e) => println!("skipped: {e} (a kernel of 5.6 or later, without restrictions)"),
        }
    }
}
