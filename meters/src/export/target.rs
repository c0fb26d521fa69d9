//! Where messages are sent.

use std::io::{self, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};

/// A socket to a collector.
#[derive(Debug)]
pub struct Target {
    socket: Socket,
    /// The time for one record, where the rate is limited.
    per_record: Option<Duration>,
    due: Instant,
}

#[derive(Debug)]
enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
    /// A connection that is broken.
    Gone,
}

/// Octets of a message over UDP: what fits a frame of Ethernet over IPv6 with room for a tunnel or two.
const DATAGRAM: usize = 1_400;
/// Octets of a message over TCP.
const STREAM: usize = 16_384;

impl Target {
    /// Connects to a collector; `rate` limits the records a second (RFC 5476, 5, asks for such a limit).
    ///
    /// # Errors
    /// An address that can't be resolved, or a collector that does not accept the connection.
    pub fn open(to: &str, tcp: bool, rate: Option<u64>) -> io::Result<Self> {
        let socket = if tcp {
            Socket::Tcp(TcpStream::connect(to)?)
        } else {
            let addresses: Vec<_> = std::net::ToSocketAddrs::to_socket_addrs(to)?.collect();
            let any = if addresses.iter().any(|a| a.is_ipv4()) { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.connect(&addresses[..])?;
            Socket::Udp(socket)
        };
        let per_record = rate.map(|n| Duration::from_secs(1) / u32::try_from(n).unwrap_or(u32::MAX).max(1));
        Ok(Self { socket, per_record, due: Instant::now() })
    }

    /// Octets that a message should have at most.
    pub fn most(&self) -> usize {
        if matches!(self.socket, Socket::Udp(_)) { DATAGRAM } else { STREAM }
    }

    /// Whether what was sent may be lost, so that templates must be sent again.
    pub fn lossy(&self) -> bool {
        matches!(self.socket, Socket::Udp(_))
    }

    /// Sends a message with so many records; whether it went.
    pub fn send(&mut self, message: &[u8], records: u32) -> bool {
        if let Some(each) = self.per_record {
            std::thread::sleep(self.due.saturating_duration_since(Instant::now()));
            self.due = Instant::now().max(self.due) + each * records;
        }
        match &mut self.socket {
            // an answer to an earlier datagram, that nobody listens, is told with the next: that one is tried again
            Socket::Udp(socket) => socket.send(message).or_else(|_| socket.send(message)).is_ok(),
            Socket::Tcp(socket) => {
                let sent = socket.write_all(message).is_ok();
                if !sent {
                    // a part of a message may have gone, so the rest of the stream would be read wrongly
                    self.socket = Socket::Gone;
                }
                sent
            }
            Socket::Gone => false,
        }
    }
}
