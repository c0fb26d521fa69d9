//! Ctrl-C and SIGTERM set a flag; whoever works looks at it and undoes what was begun.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The flag that SIGINT and SIGTERM set. A second signal ends the program at once.
pub fn stop_flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // the order matters: the default action is armed by the first signal and taken by the second
        let registered = signal_hook::flag::register_conditional_default(signal, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
        if let Err(e) = registered {
            eprintln!(
                "csnbench: cannot watch for signal {signal}: {e}; an interrupted run may need cleaning up"
            );
        }
    }
    flag
}

/// Lets the program end quietly when whoever reads its output has read enough: `csnbench check … | head`. Not for a
/// run, which has more to do than to print.
pub fn end_with_the_reader() {
    use nix::sys::signal::{SigHandler, Signal, signal};
    // SAFETY: the default action is no handler of ours, so there is nothing that could be unsafe in a handler
    let set = unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) };
    debug_assert!(set.is_ok(), "SIGPIPE exists");
}
