//! A collector on a thread of its own, for programs that do something else meanwhile.

use super::exporters::Exporter;
use super::server::Server;
use super::summary::Summary;
use crate::flows::Record;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A collector that runs. Dropping it ends the thread, and what it has is lost.
#[derive(Debug)]
pub struct Background<T> {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<(T, Summary)>>>,
}

impl<T: Send + 'static> Background<T> {
    /// Starts the thread, which calls `each` for every record with what is gathered in `T`.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(
        mut server: Server,
        mut gathered: T,
        mut each: impl FnMut(&mut T, &Exporter, &Record<'_>) + Send + 'static,
    ) -> io::Result<Self> {
        let address = server.address()?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("collector".into()).spawn(move || {
            server.run(&told, &mut |exporter, record| each(&mut gathered, exporter, record))?;
            let summary = server.summary()?;
            Ok((gathered, summary))
        })?;
        Ok(Self { address, stop, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes what still comes, until there was nothing for a fifth of a second, and ends.
    ///
    /// # Errors
    /// What the system said while it received.
    pub fn stop(mut self) -> io::Result<(T, Summary)> {
        self.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(done)) => done,
            _ => Err(io::Error::other("the collector's thread ended")),
        }
    }
}

impl<T> Drop for Background<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
