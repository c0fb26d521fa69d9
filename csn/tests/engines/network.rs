//! A network namespace of the test's own, with a veth pair: what goes in at one end is received at the other.

use std::fmt::Write as _;
use std::io;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The interface that frames are sent into.
pub const SENDER: &str = "csn0";
/// The interface that receives them.
pub const RECEIVER: &str = "csn1";
/// The receiver's MAC address.
pub const RECEIVER_MAC: [u8; 6] = [2, 0, 0, 0, 0, 2];

/// The namespace of the calling thread and of the commands that it starts; it ends with them.
pub struct Network {
    socket: i32,
}

impl Network {
    /// What this machine lacks for it.
    pub fn missing() -> Option<String> {
        // SAFETY: no arguments, no memory.
        if unsafe { libc::geteuid() } != 0 {
            return Some("it needs a network namespace (run as root)".into());
        }
        installed("ip", "iproute2")
    }

    /// Puts the calling thread into a new namespace and makes the pair.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no memory; the thread has the new namespace, and the process keeps its own.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        let mac = RECEIVER_MAC.map(|o| format!("{o:02x}")).join(":");
        run(&format!("ip link add {SENDER} type veth peer name {RECEIVER} address {mac}"));
        for interface in [SENDER, RECEIVER] {
            // neither neighbour discovery nor autoconfiguration: nothing but the test's frames
            run(&format!("ip link set {interface} addrgenmode none mtu 9000"));
            run(&format!("ip link set {interface} up"));
        }
        Ok(Self { socket: packet_socket()? })
    }

    /// Sends the frames and waits until the other end has received all of them.
    ///
    /// # Panics
    /// Where that takes longer than ten seconds.
    pub fn send(&self, frames: &[Vec<u8>]) {
        let before = received();
        for frame in frames {
            loop {
                // SAFETY: the socket is open, and the frame outlives the call.
                let sent = unsafe { libc::send(self.socket, frame.as_ptr().cast(), frame.len(), 0) };
                if sent == frame.len() as isize {
                    break;
                }
                let e = io::Error::last_os_error();
                assert_eq!(e.raw_os_error(), Some(libc::ENOBUFS), "{e}");
                std::thread::yield_now();
            }
        }
        let wanted = before + frames.len() as u64;
        let start = Instant::now();
        while received() < wanted {
            assert!(start.elapsed() < Duration::from_secs(10), "{} of {wanted} received", received());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // SAFETY: the socket is this value's own.
        unsafe { libc::close(self.socket) };
    }
}

/// A packet socket that sends into [`SENDER`] and receives nothing.
fn packet_socket() -> io::Result<i32> {
    let name = std::ffi::CString::new(SENDER)?;
    // SAFETY: the name outlives the call; the address is a whole `sockaddr_ll`, all zero but what is set.
    unsafe {
        let socket = libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0);
        if socket < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut address: libc::sockaddr_ll = std::mem::zeroed();
        address.sll_family = libc::AF_PACKET as u16;
        address.sll_ifindex = libc::if_nametoindex(name.as_ptr()) as i32;
        let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
        if libc::bind(socket, (&raw const address).cast(), length) != 0 {
            let e = io::Error::last_os_error();
            libc::close(socket);
            return Err(e);
        }
        Ok(socket)
    }
}

/// Frames that the receiver has received.
fn received() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/net/dev").expect("the kernel counts");
    let line = text
        .lines()
        .find_map(|l| l.trim().strip_prefix(&format!("{RECEIVER}:")))
        .expect("the receiver is there");
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number")
}

/// Runs a command in the namespace and answers what it prints; words are separated by spaces.
///
/// # Panics
/// Where it fails.
pub fn run(command: &str) -> String {
    run_with(command, "")
}

/// The same with `input` on standard input.
///
/// # Panics
/// Where it fails.
pub fn run_with(command: &str, input: &str) -> String {
    let mut words = command.split_whitespace();
    let mut child = Command::new(words.next().expect("a command has a name"))
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command}: {e}"));
    let mut to = child.stdin.take().expect("it is piped");
    let output = std::thread::scope(|s| {
        s.spawn(move || io::Write::write_all(&mut to, input.as_bytes()));
        child.wait_with_output().expect("it ends")
    });
    if !output.status.success() {
        let mut message = String::from_utf8_lossy(&output.stderr).into_owned();
        let _ = write!(message, "\n{}", input.chars().take(4000).collect::<String>());
        panic!("{command}: {}: {message}", output.status);
    }
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What is to be said where a program is not installed.
pub fn installed(program: &str, package: &str) -> Option<String> {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        let sbin = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
        std::env::split_paths(&path).chain(sbin).any(|d| d.join(program).is_file())
    });
    (!found).then(|| format!("`{program}` is not installed (apt-get install {package})"))
}

/// Sets the checksum of the IPv4 header, where there is one right behind the link header: hosts drop packets where it
/// is wrong.
pub fn repair(frame: &mut [u8]) {
    if frame.len() < 34 || frame[12..14] != [0x08, 0x00] {
        return;
    }
    let header = usize::from(frame[14] & 0xf) * 4;
    if header < 20 || frame.len() < 14 + header {
        return;
    }
    frame[24..26].fill(0);
    let sum: u32 =
        frame[14..14 + header].chunks(2).map(|c| u32::from(u16::from_be_bytes([c[0], c[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) + (folded >> 16)) as u16;
    frame[24..26].copy_from_slice(&checksum.to_be_bytes());
}
