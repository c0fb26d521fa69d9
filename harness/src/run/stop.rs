//! The wish to stop: Ctrl-C, a closed terminal, or the signal that ends services.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that signals set. The first signal asks for an orderly end; the second one ends the program at once.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    flag: Arc<AtomicBool>,
}

impl Stop {
    /// Listens to signals from now on.
    ///
    /// # Errors
    /// Those of `sigaction(2)`.
    pub fn listen() -> io::Result<Self> {
        let stop = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // in this order, so that the signal that sets the flag does not already end the program
            signal_hook::flag::register_conditional_default(signal, Arc::clone(&stop.flag))?;
            signal_hook::flag::register(signal, Arc::clone(&stop.flag))?;
        }
        Ok(stop)
    }

    /// Whether to stop.
    pub fn wanted(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// An error of kind `Interrupted` when a stop is wanted.
    ///
    /// # Errors
    /// As said.
    pub fn check(&self) -> io::Result<()> {
        if self.wanted() { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}
