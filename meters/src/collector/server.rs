//! Sockets in front of a collector: one for datagrams, one for connections, on the same port.

use super::exporters::{Collector, CollectorLimits, Exporter, Transport};
use super::stream::Stream;
use super::summary::Summary;
use crate::flows::Record;
use csn::Nanos;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How a server is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// Octets that the kernel keeps for the socket of datagrams, as far as it allows.
    pub buffer: usize,
    /// Connections at a time.
    pub connections: usize,
    /// What the collector remembers.
    pub limits: CollectorLimits,
}

impl Default for ServerOptions {
    /// 64 MiB: half a second of 1.5 million records a second.
    fn default() -> Self {
        Self { buffer: 64 << 20, connections: 256, limits: CollectorLimits::default() }
    }
}

/// A collector that listens.
#[derive(Debug)]
pub struct Server {
    datagrams: UdpSocket,
    listener: TcpListener,
    connections: Vec<Connection>,
    most: usize,
    refused: u64,
    collector: Collector,
    buffer: Box<[u8]>,
}

#[derive(Debug)]
struct Connection {
    socket: TcpStream,
    address: SocketAddr,
    stream: Stream,
}

/// The longest datagram.
const DATAGRAM: usize = 65_536;
/// Datagrams that are taken before connections have their turn.
const TURN: usize = 1_024;
/// After it was told to stop, a server takes what still comes until there was nothing for so long,
const QUIET: Duration = Duration::from_millis(200);
/// and for so long at most.
const DRAIN: Duration = Duration::from_secs(10);
/// How late it can see that it is to stop.
const WAIT: Duration = Duration::from_millis(50);

impl Server {
    /// Listens on an address and port, over UDP and TCP; port 0 takes one that is free for both.
    ///
    /// # Errors
    /// An address that is not here or is taken.
    pub fn bind(address: impl ToSocketAddrs, options: ServerOptions) -> io::Result<Self> {
        let wanted: Vec<SocketAddr> = address.to_socket_addrs()?.collect();
        // a port that is free for TCP may be taken for UDP: then another one is tried
        let mut tries = if wanted.iter().any(|a| a.port() == 0) { 16 } else { 1 };
        loop {
            let listener = TcpListener::bind(&wanted[..])?;
            match UdpSocket::bind(listener.local_addr()?) {
                Ok(datagrams) => return Self::on(datagrams, listener, options),
                Err(e) if tries == 1 => return Err(e),
                Err(_) => tries -= 1,
            }
        }
    }

    /// Takes over sockets that are made already: in another network namespace, say.
    ///
    /// # Errors
    /// What the system says.
    pub fn on(datagrams: UdpSocket, listener: TcpListener, options: ServerOptions) -> io::Result<Self> {
        // beyond the system's limit where that is allowed, else up to it
        if setsockopt(&datagrams, sockopt::RcvBufForce, &options.buffer).is_err() {
            setsockopt(&datagrams, sockopt::RcvBuf, &options.buffer)?;
        }
        datagrams.set_nonblocking(true)?;
        listener.set_nonblocking(true)?;
        Ok(Self {
            datagrams,
            listener,
            connections: Vec::new(),
            most: options.connections,
            refused: 0,
            collector: Collector::new(options.limits),
            buffer: vec![0; DATAGRAM].into(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// What the system says.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.datagrams.local_addr()
    }

    /// Receives until it is told to stop, then until nothing more comes; calls `each` for every record.
    ///
    /// # Errors
    /// What the system says; what exporters send is no error, but counted.
    pub fn run(
        &mut self,
        stop: &AtomicBool,
        each: &mut impl FnMut(&Exporter, &Record<'_>),
    ) -> io::Result<()> {
        while !stop.load(Ordering::Relaxed) {
            self.turn(WAIT, each)?;
        }
        let end = Instant::now() + DRAIN;
        while self.turn(QUIET, each)? && Instant::now() < end {}
        Ok(())
    }

    /// Waits until something comes, at most for `limit`, and takes it. Whether there was anything.
    ///
    /// # Errors
    /// What the system says.
    pub fn turn(
        &mut self,
        limit: Duration,
        each: &mut impl FnMut(&Exporter, &Record<'_>),
    ) -> io::Result<bool> {
        let mut fds = vec![
            PollFd::new(self.datagrams.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        fds.extend(self.connections.iter().map(|c| PollFd::new(c.socket.as_fd(), PollFlags::POLLIN)));
        match poll(&mut fds, PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => return Ok(false),
            Ok(_) => {}
            Err(e) => return Err(e.into()),
        }
        // hang-ups and errors show when reading
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any() == Some(true)).collect();
        let now = now();
        if ready[0] {
            self.receive(now, each)?;
        }
        // from the end, so that what is taken out does not move what is still to be looked at
        for i in (0..self.connections.len()).rev().filter(|i| ready[i + 2]) {
            if !self.read(i, now, each) {
                self.connections.swap_remove(i);
            }
        }
        if ready[1] {
            self.accept();
        }
        Ok(true)
    }

    fn receive(&mut self, now: Nanos, each: &mut impl FnMut(&Exporter, &Record<'_>)) -> io::Result<()> {
        for _ in 0..TURN {
            match self.datagrams.recv_from(&mut self.buffer) {
                // what is malformed is counted
                Ok((n, from)) => {
                    let _ = self.collector.message(Transport::Udp, from, &self.buffer[..n], now, each);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // what ICMP says of earlier answers; there are none from here
                Err(e) if e.kind() == ErrorKind::ConnectionRefused => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// Reads from a connection; whether it is still of use.
    fn read(&mut self, i: usize, now: Nanos, each: &mut impl FnMut(&Exporter, &Record<'_>)) -> bool {
        let Self { connections, collector, buffer, .. } = self;
        let Connection { socket, address, stream } = &mut connections[i];
        match socket.read(buffer) {
            Ok(0) => false,
            Ok(n) => stream
                .feed(&buffer[..n], &mut |message| {
                    let _ = collector.message(Transport::Tcp, *address, message, now, each);
                })
                .inspect_err(|_| collector.unreadable())
                .is_ok(),
            Err(e) => matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn accept(&mut self) {
        while let Ok((socket, address)) = self.listener.accept() {
            if self.connections.len() >= self.most || socket.set_nonblocking(true).is_err() {
                self.refused += 1;
                continue;
            }
            self.connections.push(Connection { socket, address, stream: Stream::default() });
        }
    }

    /// What was seen so far, and what the socket lost.
    ///
    /// # Errors
    /// What the system says when it is asked for its counters.
    pub fn summary(&self) -> io::Result<Summary> {
        Ok(Summary {
            socket_drops: drops(&self.datagrams)?,
            // the kernel answers with twice what can be used for data (socket(7))
            socket_buffer: getsockopt(&self.datagrams, sockopt::RcvBuf)? as u64 / 2,
            refused_connections: self.refused,
            ..self.collector.summary()
        })
    }
}

/// The time of this machine.
fn now() -> Nanos {
    Nanos(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64))
}

/// Datagrams that the kernel dropped at a socket since it was made. The counter is that of `SO_RXQ_OVFL`, which is
/// told only with the next datagram; asked for this way, it is there when nothing comes any more.
fn drops(socket: &UdpSocket) -> io::Result<u64> {
    /// `SK_MEMINFO_VARS` and `SK_MEMINFO_DROPS` of `linux/sock_diag.h`.
    const VARS: usize = 9;
    const DROPS: usize = 8;
    let mut counters = [0u32; VARS];
    let mut length = size_of_val(&counters) as libc::socklen_t;
    // SAFETY: the pointers are to locals of the lengths that are given
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            counters.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(u64::from(counters[DROPS])) }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
